//! Writers killed at random instants, on full and on read-only disks, and beside one another: what was returned is there, what
//! was chained holds, and the next start succeeds.
//!
//! The test binary starts itself as its children, with the role in the environment. How many are killed is an argument:
//! `cargo test -p masker-core --all-features --test kill -- --kills 500`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests without the usual harness: they fail by panicking and say what they did"
)]

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use masker_core::audit::{
    AuditError, AuditEvent, AuditKeys, AuditLog, AuditOptions, Checks, EventKind, FileHead, Fsync,
    HeadStore as _, OpenCheck, hash_hex, read_event, verify,
};
use masker_core::vault::{Selection, rewrap};
use masker_core::{
    KeyRing, Kid, Kind, Mention, Opened, Records, Reference, Scope, SqliteVault, Token, Vault, VaultError,
};

const ROLE: &str = "MASKER_KILL_ROLE";
const PLACE: &str = "MASKER_KILL_PLACE";
const NUMBER: &str = "MASKER_KILL_NUMBER";

static KILLS: OnceLock<usize> = OnceLock::new();

fn kills() -> usize {
    *KILLS.get().expect("the number of kills is set first of all")
}

fn main() {
    if let Ok(role) = env::var(ROLE) {
        return in_a_process_of_its_own(&role);
    }
    let mut arguments: Vec<String> = env::args().collect();
    let mut kills = 50;
    if let Some(at) = arguments.iter().position(|argument| argument == "--kills") {
        let number = arguments.get(at + 1).and_then(|text| text.parse().ok());
        kills = number.expect("a number follows --kills");
        arguments.drain(at..at + 2);
    }
    KILLS.set(kills).expect("it is set once");
    let tests: &[(&str, fn())] = &[
        ("no_returned_token_is_lost", no_returned_token_is_lost),
        ("no_chain_is_broken", no_chain_is_broken),
        ("rewrapping_goes_on_after_a_kill", rewrapping_goes_on_after_a_kill),
        ("a_killed_purge_is_made_good", a_killed_purge_is_made_good),
        (
            "two_processes_with_eight_threads_make_one_row_a_value",
            two_processes_with_eight_threads_make_one_row_a_value,
        ),
        #[cfg(feature = "vault-postgres")]
        (
            "two_processes_with_eight_threads_make_one_row_a_value_in_postgres",
            postgres::two_processes_with_eight_threads_make_one_row_a_value,
        ),
        ("a_full_disk_loses_no_returned_token", a_full_disk_loses_no_returned_token),
        ("a_full_disk_breaks_no_chain", a_full_disk_breaks_no_chain),
        ("a_read_only_disk_is_an_error_and_no_token", a_read_only_disk_is_an_error_and_no_token),
    ];
    let trial = |(name, test): &(&str, fn())| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_iter(arguments), tests.iter().map(trial).collect()).exit();
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    u64::from_le_bytes(bytes) % below
}

/// A process of this binary in a role, and the whole lines that it has written.
struct Writer {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Writer {
    fn start(role: &str, place: &Path, number: usize) -> Self {
        let program = env::current_exe().expect("the test knows its own file");
        Self::spawn(Command::new(program), role, place, number)
    }

    /// A writer whose files cannot grow above `blocks` of 512 bytes, as on a disk that is full.
    fn start_limited(role: &str, place: &Path, blocks: usize) -> Self {
        let mut shell = Command::new("sh");
        // The signal that comes with the limit is ignored, so that writing fails and does not kill.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
        shell.arg(env::current_exe().expect("the test knows its own file"));
        Self::spawn(shell, role, place, 0)
    }

    fn spawn(mut command: Command, role: &str, place: &Path, number: usize) -> Self {
        let mut child = command
            .env(ROLE, role)
            .env(PLACE, place)
            .env(NUMBER, number.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test starts itself");
        let mut out = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            let mut line = String::new();
            // A line without its end was being written when the kill came: its writer was not yet told of anything.
            while out.read_line(&mut line).is_ok_and(|count| count > 0) && line.ends_with('\n') {
                if let Some(at) = line.find("> ") {
                    sink.lock().expect("no holder panics").push(line[at + 2..].trim_end().to_owned());
                }
                line.clear();
            }
        });
        Self { child, lines, reader }
    }

    /// Waits until it has written something, so that kills hit work and not only starts.
    fn await_line(&mut self) {
        let started = Instant::now();
        while self.lines.lock().expect("no holder panics").is_empty() {
            let ended = self.child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "a writer ended by itself: {ended:?}");
            assert!(started.elapsed() < Duration::from_mins(1), "a writer wrote nothing for a minute");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn kill(mut self) -> Vec<String> {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "a writer ended by itself: {ended:?}");
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be awaited");
        self.lines()
    }

    fn finish(mut self) -> Vec<String> {
        assert!(self.child.wait().expect("a child can be awaited").success());
        self.lines()
    }

    fn lines(self) -> Vec<String> {
        self.reader.join().expect("the reader does not panic");
        let mut lines = self.lines.lock().expect("no holder panics");
        std::mem::take(&mut lines)
    }
}

/// What a child does.
fn in_a_process_of_its_own(role: &str) {
    let place = PathBuf::from(env::var_os(PLACE).expect("a child has a place"));
    let number: usize = env::var(NUMBER).expect("a child has a number").parse().expect("a number");
    match role {
        "mint" => mint_for_ever(&place, number),
        "chain" => chain_for_ever(&place, number),
        "rewrap" => rewrap_once(&place),
        "purge" => purge_once(&place),
        "share" => share(&SqliteVault::open(&place).expect("every start succeeds")),
        #[cfg(feature = "vault-postgres")]
        "share postgres" => postgres::share_there(&place),
        "fill vault" => fill_vault(&place),
        "fill log" => fill_log(&place),
        _ => panic!("no such role"),
    }
}

/// One write for each line, so that lines of threads do not mix.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("> {line}\n").as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
}

fn kid(text: &str) -> Kid {
    text.parse().expect("a key id")
}

fn ring() -> KeyRing {
    KeyRing::builder().key(&kid("K1"), [1; 32]).key(&kid("K2"), [2; 32]).build().expect("sound keys")
}

fn mint(vault: &dyn Vault, values: &[String]) -> Vec<Token> {
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid("K1"));
    let mentions: Vec<Mention<'_>> = values
        .iter()
        .map(|value| Mention { kind: &Kind::Id, kid: &kid, original: value, normalised: value })
        .collect();
    Records::new(&keys, vault, &scope, &reference).mint(&mentions).expect("minting succeeds")
}

/// Whether every token restores to its value.
fn check_tokens(vault: &dyn Vault, returned: &HashMap<String, String>) {
    let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
    let tokens: Vec<Token> = returned.keys().map(|text| text.parse().expect("a token")).collect();
    let opened = Records::new(&keys, vault, &scope, &reference).restore(&tokens.iter().collect::<Vec<_>>());
    for (token, opened) in tokens.iter().zip(opened.expect("the vault is read")) {
        let Opened::Original(text) = opened else { panic!("a returned token is lost: {}", token.text()) };
        assert_eq!(text.expose(), returned[token.text()]);
    }
}

fn mint_for_ever(place: &Path, number: usize) {
    let vault = SqliteVault::open(place).expect("every start succeeds");
    thread::scope(|s| {
        for worker in 0..3 {
            let vault = &vault;
            s.spawn(move || {
                for round in 0_u64.. {
                    // Some values are minted by both processes at once, and some again and again.
                    let values: Vec<String> = (0..=random(4))
                        .map(|i| match random(3) {
                            0 => format!("shared {}", random(500)),
                            _ => format!("value {number} {worker} {round} {i} {}", random(u64::MAX)),
                        })
                        .collect();
                    for (value, token) in values.iter().zip(mint(vault, &values)) {
                        say(&format!("{} {value}", token.text()));
                    }
                }
            });
        }
    });
}

fn no_returned_token_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let mut returned: HashMap<String, String> = HashMap::new();
    let mut take = |lines: Vec<String>| {
        for line in lines {
            let (token, value) = line.split_once(' ').unwrap();
            returned.insert(token.to_owned(), value.to_owned());
        }
        returned.len()
    };
    let mut writers: Vec<Writer> = (0..2).map(|n| Writer::start("mint", &path, n)).collect();
    let mut seen = 0;
    for n in 0..kills() {
        let index = random(2) as usize;
        // One kill in four may hit the start.
        if random(4) > 0 {
            writers[index].await_line();
        }
        thread::sleep(Duration::from_micros(random(20_000)));
        let killed = std::mem::replace(&mut writers[index], Writer::start("mint", &path, n + 2));
        seen = take(killed.kill());
    }
    for mut writer in writers {
        writer.await_line();
        seen = take(writer.kill());
    }
    assert!(seen > kills(), "the writers returned {seen} tokens");
    let vault = SqliteVault::open(&path).unwrap();
    check_tokens(&vault, &returned);
    let checked = masker_core::vault::verify(&ring(), &vault).unwrap();
    assert_eq!((checked.unreadable, checked.orphans), (0, 0));
    assert!(checked.readable >= returned.len() as u64);
    println!("{} kills, {} tokens returned, none lost", kills() + 2, returned.len());
}

fn audit_keys() -> AuditKeys {
    AuditKeys::new([7; 32])
}

fn chain_for_ever(place: &Path, number: usize) {
    let check = if number.is_multiple_of(5) { OpenCheck::Full } else { OpenCheck::Tail };
    let options = AuditOptions::default().fsync(Fsync::Within(Duration::from_millis(3))).check(check);
    let log = loop {
        match AuditLog::open(place, &audit_keys(), options.clone()) {
            Ok(log) => break log,
            Err(AuditError::Locked { .. }) => thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("a start failed: {error}"),
        }
    };
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                loop {
                    // A log that grows faster makes every start longer and no kill better.
                    thread::sleep(Duration::from_micros(random(1_500)));
                    let event = || AuditEvent::new(EventKind::Redaction, "acc_1").member("turn", number);
                    let events = (0..=random(3)).map(|_| event()).collect();
                    for stored in log.append(events).expect("appending succeeds") {
                        say(&format!("{} {}", stored.seq, hash_hex(&stored.this_hash)));
                    }
                }
            });
        }
    });
}

fn no_chain_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let mut returned: HashMap<u64, String> = HashMap::new();
    let mut take = |lines: Vec<String>| {
        for line in lines {
            let (seq, hash) = line.split_once(' ').unwrap();
            let before = returned.insert(seq.parse().unwrap(), hash.to_owned());
            assert!(before.is_none(), "one number was given twice");
        }
    };
    // Of the two, one waits for the other's end: the file is never without somebody who wants it.
    let mut writers: Vec<Writer> = (0..2).map(|n| Writer::start("chain", &path, n)).collect();
    for n in 0..kills() {
        let index = if random(8) == 0 {
            random(2) as usize
        } else {
            // The one that writes.
            let started = Instant::now();
            loop {
                let wrote = |writer: &Writer| !writer.lines.lock().unwrap().is_empty();
                if let Some(index) = writers.iter().position(wrote) {
                    break index;
                }
                assert!(started.elapsed() < Duration::from_mins(1), "nobody took the log over");
                thread::sleep(Duration::from_millis(1));
            }
        };
        thread::sleep(Duration::from_micros(random(20_000)));
        let killed = std::mem::replace(&mut writers[index], Writer::start("chain", &path, n + 2));
        take(killed.kill());
    }
    for writer in writers {
        take(writer.kill());
    }
    drop(AuditLog::open(&path, &audit_keys(), AuditOptions::default()).unwrap());
    let head = FileHead::beside(&path, &audit_keys()).load().unwrap();
    let checks = Checks { head, ..Checks::default() };
    let result = verify(BufReader::new(File::open(&path).unwrap()), &audit_keys(), &checks).unwrap();
    assert!(result.ok, "{:?} at {:?}", result.reason, result.first_bad_seq);
    assert!(returned.len() > kills());
    for line in BufReader::new(File::open(&path).unwrap()).lines() {
        let event = read_event(line.unwrap().as_bytes()).unwrap();
        if let Some(hash) = returned.remove(&event["seq"].as_u64().unwrap()) {
            assert_eq!(event["this_hash"], hash);
        }
    }
    assert!(returned.is_empty(), "{} appended events are lost", returned.len());
    println!("{} kills, {} events in one chain", kills() + 2, result.event_count);
}

fn rewrap_once(place: &Path) {
    let vault = SqliteVault::open(place).expect("every start succeeds");
    let keys = ring();
    say("started");
    rewrap(&keys, &vault, None, &kid("K2")).expect("rewrapping succeeds");
}

fn rewrapping_goes_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open(&path).unwrap();
    let values: Vec<String> = (0..6_000).map(|n| format!("value {n}")).collect();
    let returned: HashMap<String, String> =
        mint(&vault, &values).iter().map(|token| token.text().to_owned()).zip(values.clone()).collect();
    let of_new = || {
        let by_kid = vault.stats().unwrap().by_kid;
        by_kid.iter().find(|(found, _)| *found == kid("K2")).map_or(0, |(_, rows)| *rows)
    };
    let mut midway = false;
    for _ in 0..20 {
        let before = of_new();
        let mut writer = Writer::start("rewrap", &path, 0);
        while of_new() == before && writer.child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_micros(random(2_000)));
        }
        let _ = writer.child.kill();
        writer.child.wait().unwrap();
        midway |= (1..6_000).contains(&of_new());
        if of_new() == 6_000 {
            break;
        }
    }
    check_tokens(&vault, &returned);
    assert!(midway, "no kill came between two pages");
    let done = rewrap(&ring(), &vault, None, &kid("K2")).unwrap();
    assert_eq!(done.rewrapped + done.current, 6_000);
    assert_eq!(vault.stats().unwrap().by_kid, [(kid("K2"), 6_000)]);
    check_tokens(&vault, &returned);
}

const SHARED: usize = 1_000;

fn share(vault: &dyn Vault) {
    thread::scope(|s| {
        for worker in 0..8 {
            s.spawn(move || {
                // Every thread goes its own way through the values.
                let step = [7, 11, 13, 17, 19, 23, 29, 31][worker];
                let order: Vec<String> =
                    (0..SHARED).map(|n| format!("value {}", n * step % SHARED)).collect();
                for values in order.chunks(20) {
                    for (value, token) in values.iter().zip(mint(vault, values)) {
                        say(&format!("{} {value}", token.text()));
                    }
                }
            });
        }
    });
}

/// What the two wrote: one token a value, whoever asked for it.
fn check_shared(vault: &dyn Vault, writers: Vec<Writer>) {
    let mut returned: HashMap<String, String> = HashMap::new();
    for line in writers.into_iter().flat_map(Writer::finish) {
        let (token, value) = line.split_once(' ').unwrap();
        let before = returned.insert(token.to_owned(), value.to_owned());
        assert!(before.is_none_or(|before| before == value));
    }
    assert_eq!(returned.len(), SHARED, "one token a value");
    assert_eq!(vault.stats().unwrap().rows, SHARED as u64, "one row a value");
    assert_eq!(vault.orphans().unwrap(), 0);
    check_tokens(vault, &returned);
}

fn two_processes_with_eight_threads_make_one_row_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let writers: Vec<Writer> = (0..2).map(|n| Writer::start("share", &path, n)).collect();
    let vault = SqliteVault::open(&path).unwrap();
    check_shared(&vault, writers);
}

#[cfg(feature = "vault-postgres")]
mod postgres {
    use std::env;
    use std::path::Path;

    use ::postgres::{Client, NoTls};
    use masker_core::PostgresVault;

    use super::{Writer, check_shared, share};

    const URL: &str = "MASKER_TEST_POSTGRES";

    pub(super) fn share_there(place: &Path) {
        let url = place.to_str().expect("a URL is text");
        share(&PostgresVault::connect(url).expect("every start succeeds"));
    }

    pub(super) fn two_processes_with_eight_threads_make_one_row_a_value() {
        let Some(url) = env::var(URL).ok().filter(|url| !url.is_empty()) else {
            assert!(env::var_os("MASKER_REQUIRE_POSTGRES").is_none(), "{URL} is not set");
            println!("not run: {URL} names no PostgreSQL server");
            return;
        };
        let mut client = Client::connect(&url, NoTls).unwrap();
        client
            .batch_execute("DROP SCHEMA IF EXISTS masker_processes CASCADE; CREATE SCHEMA masker_processes")
            .unwrap();
        let mark = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{mark}options=-csearch_path%3Dmasker_processes");
        // Both make the tables as well.
        let writers = (0..2).map(|n| Writer::start("share postgres", Path::new(&url), n)).collect();
        let vault = PostgresVault::connect(&url).unwrap();
        check_shared(&vault, writers);
    }
}

/// A small disk of its own where this process may mount one; elsewhere a folder whose files are limited instead.
struct Disk {
    folder: tempfile::TempDir,
    mounted: bool,
}

impl Disk {
    fn new(kilobytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k,mode=0700"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        Self { mounted: mount.is_ok_and(|status| status.success()), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn remount(&self, how: &str) {
        let mut command = Command::new("mount");
        let status = command.args(["-o", &format!("remount,{how}")]).arg(self.folder.path()).status();
        assert!(status.unwrap().success(), "remounting with {how}");
    }

    /// A writer that meets the end of the disk.
    fn start(&self, role: &str, name: &str, kilobytes: usize) -> Writer {
        if self.mounted {
            Writer::start(role, &self.path(name), 0)
        } else {
            Writer::start_limited(role, &self.path(name), kilobytes * 2)
        }
    }

    /// There is space again.
    fn grow(&self) {
        if self.mounted {
            self.remount("size=64m");
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: a process that is being started by another test holds our files until it has begun.
            let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        }
    }
}

/// Sizes of disks: so close to one another that each step of making and filling a file meets the end of some.
fn sizes() -> impl Iterator<Item = usize> {
    (4..120).step_by(4).chain((120..900).step_by(52)).chain([1_500])
}

/// Mints until that fails, and some more.
fn fill_vault(place: &Path) {
    let Ok(vault) = SqliteVault::open(place) else { return say("refused") };
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid("K1"));
    let mut refused = 0;
    for n in 0.. {
        let values: Vec<String> = (0..20).map(|i| format!("value {n} {i}")).collect();
        let mentions: Vec<Mention<'_>> = values
            .iter()
            .map(|value| Mention { kind: &Kind::Id, kid: &kid, original: value, normalised: value })
            .collect();
        match Records::new(&keys, &vault, &scope, &reference).mint(&mentions) {
            Ok(tokens) => {
                for (value, token) in values.iter().zip(tokens) {
                    say(&format!("{} {value}", token.text()));
                }
            }
            Err(_) => refused += 1,
        }
        if refused == 20 {
            say("refused");
            return;
        }
    }
}

fn a_full_disk_loses_no_returned_token() {
    let mut held = 0;
    for kilobytes in sizes() {
        let disk = Disk::new(kilobytes);
        let mut lines = disk.start("fill vault", "vault.db", kilobytes).finish();
        assert_eq!(lines.pop().as_deref(), Some("refused"), "{kilobytes} kB");
        held += usize::from(!lines.is_empty());
        let returned: HashMap<String, String> = lines
            .iter()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(token, value)| (token.to_owned(), value.to_owned()))
            .collect();
        if disk.mounted && !returned.is_empty() {
            // On the disk that is still full the rows can be read all the same, or the refusal says so.
            if let Ok(vault) = SqliteVault::open(disk.path("vault.db")) {
                check_tokens(&vault, &returned);
            }
        }
        disk.grow();
        let vault = SqliteVault::open(disk.path("vault.db")).unwrap();
        check_tokens(&vault, &returned);
        // With room again the vault goes on, with the values that were refused as well.
        let values: Vec<String> = (0..400).map(|n| format!("value {} {}", n / 20, n % 20)).collect();
        let tokens = mint(&vault, &values);
        for (token, value) in tokens.iter().zip(&values) {
            // A value that had a token keeps it.
            assert!(returned.get(token.text()).is_none_or(|before| before == value));
            assert!(returned.contains_key(token.text()) || returned.values().all(|before| before != value));
        }
        let checked = masker_core::vault::verify(&ring(), &vault).unwrap();
        assert_eq!((checked.unreadable, checked.orphans), (0, 0));
    }
    assert!(held >= 10, "{held} disks held something");
}

/// Appends until that fails, and some more.
fn fill_log(place: &Path) {
    let options = AuditOptions::default().fsync(Fsync::Always);
    let Ok(log) = AuditLog::open(place, &audit_keys(), options) else { return say("refused") };
    let mut refused = 0;
    while refused < 20 {
        let events =
            (0..=random(3)).map(|n| AuditEvent::new(EventKind::Logout, "").member("turn", n)).collect();
        match log.append(events) {
            Ok(stored) => stored.iter().for_each(|s| say(&format!("{} {}", s.seq, hash_hex(&s.this_hash)))),
            Err(_) => refused += 1,
        }
    }
    say("refused");
}

fn a_full_disk_breaks_no_chain() {
    let mut held = 0;
    // Every append waits for the disk, and a longer log meets its end in no other way.
    for kilobytes in sizes().filter(|kilobytes| *kilobytes <= 120) {
        let disk = Disk::new(kilobytes);
        let path = disk.path("audit.log");
        let mut lines = disk.start("fill log", "audit.log", kilobytes).finish();
        assert_eq!(lines.pop().as_deref(), Some("refused"), "{kilobytes} kB");
        held += usize::from(!lines.is_empty());
        disk.grow();
        let log = AuditLog::open(&path, &audit_keys(), AuditOptions::default()).unwrap();
        // An append that failed only to save the head left its events behind, and said so.
        let seq = log.head().map_or(0, |head| head.seq);
        assert!(seq >= lines.len() as u64, "{kilobytes} kB: {} events returned, {seq} there", lines.len());
        log.append(vec![AuditEvent::new(EventKind::Logout, "")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let stored: HashMap<String, String> = text
            .lines()
            .map(|line| read_event(line.as_bytes()).unwrap())
            .map(|event| (event["seq"].to_string(), event["this_hash"].as_str().unwrap().to_owned()))
            .collect();
        for line in &lines {
            let (seq, hash) = line.split_once(' ').unwrap();
            assert_eq!(stored[seq], hash);
        }
        assert!(verify(text.as_bytes(), &audit_keys(), &Checks::default()).unwrap().ok);
    }
    assert!(held >= 10, "{held} disks held something");
}

/// A disk that is read-only when the files are opened, and files that become so between two calls.
fn a_read_only_disk_is_an_error_and_no_token() {
    let disk = Disk::new(4_000);
    let path = disk.path("vault.db");
    let log_path = disk.path("audit.log");
    let values: Vec<String> = (0..50).map(|n| format!("value {n}")).collect();
    let returned: HashMap<String, String> = {
        let vault = SqliteVault::open(&path).unwrap();
        mint(&vault, &values).iter().map(|token| token.text().to_owned()).zip(values.clone()).collect()
    };
    let log = AuditLog::open(&log_path, &audit_keys(), AuditOptions::default()).unwrap();
    log.append(vec![AuditEvent::new(EventKind::Logout, "")]).unwrap();
    drop(log);
    let set_writable = |writable: bool| {
        if disk.mounted {
            disk.remount(if writable { "rw" } else { "ro" });
        } else {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            for entry in std::fs::read_dir(disk.folder.path()).unwrap() {
                let mode = mode(if writable { 0o600 } else { 0o400 });
                std::fs::set_permissions(entry.unwrap().path(), mode).unwrap();
            }
            let mode = mode(if writable { 0o700 } else { 0o500 });
            std::fs::set_permissions(disk.folder.path(), mode).unwrap();
        }
    };
    set_writable(false);
    // An administrator writes where permissions forbid it; only a disk that is mounted read-only refuses.
    let is_refused = disk.mounted || File::options().append(true).open(&path).is_err();
    let vault = SqliteVault::open(&path);
    let log = AuditLog::open(&log_path, &audit_keys(), AuditOptions::default());
    set_writable(true);
    if is_refused {
        assert!(matches!(vault, Err(VaultError::ReadOnly { .. })), "{vault:?}");
        assert!(matches!(log, Err(AuditError::Io { .. })), "{log:?}");
    }
    drop((vault, log));
    let vault = SqliteVault::open(&path).unwrap();
    check_tokens(&vault, &returned);
    assert_eq!(mint(&vault, &values).len(), 50);
    let log = AuditLog::open(&log_path, &audit_keys(), AuditOptions::default()).unwrap();
    assert_eq!(log.append(vec![AuditEvent::new(EventKind::Logout, "")]).unwrap()[0].seq, 2);
}

fn purge_once(place: &Path) {
    let vault = SqliteVault::open(place).expect("every start succeeds");
    say("started");
    vault.delete(&Selection::Subject("doomed".to_owned())).expect("purging succeeds");
    say("purged");
}

/// A purge killed at any instant has happened or has not, and what it left in the file goes with the next start.
fn a_killed_purge_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..kills().div_ceil(10) {
        let path = folder.path().join(format!("{n}.db"));
        let (keys, scope, kid) = (ring(), Scope::default(), kid("K1"));
        let vault = SqliteVault::open(&path).unwrap();
        let values: Vec<String> = (0..2_000).map(|n| format!("value {n}")).collect();
        for (subject, values) in ["doomed", "kept"].iter().zip(values.chunks(1_000)) {
            let mentions: Vec<Mention<'_>> = values
                .iter()
                .map(|value| Mention { kind: &Kind::Id, kid: &kid, original: value, normalised: value })
                .collect();
            let reference = Reference::new("agent", subject);
            Records::new(&keys, &vault, &scope, &reference).mint(&mentions).unwrap();
        }
        let rows = vault.page(None, 5_000).unwrap();
        drop(vault);
        let mut writer = Writer::start("purge", &path, 0);
        writer.await_line();
        thread::sleep(Duration::from_micros(random(40_000)));
        let _ = writer.child.kill();
        writer.child.wait().unwrap();
        let said_so = writer.lines().last().is_some_and(|line| line == "purged");
        let vault = SqliteVault::open(&path).unwrap();
        let left = vault.stats().unwrap().rows;
        assert!(left == 1_000 || (left == 2_000 && !said_so), "{left} rows");
        if left == 1_000 {
            assert!(!vault.stats().unwrap().erasure_pending);
            drop(vault);
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                let name = entry.unwrap().path();
                if !name.to_string_lossy().contains(&format!("/{n}.db")) {
                    continue;
                }
                let bytes = std::fs::read(&name).unwrap();
                for row in rows.iter().filter(|row| &*row.references[0].subject == "doomed") {
                    assert!(memchr::memmem::find(&bytes, &row.bytes[..20]).is_none(), "{}", name.display());
                }
            }
        }
    }
}
