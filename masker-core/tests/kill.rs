//! Writers killed at random instants: what was returned is there, what was chained holds, and the next start succeeds.
//!
//! The test binary starts itself as its children, with the role in the environment. `MASKER_KILLS` sets how many are killed.
#![cfg(unix)]

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use masker_core::audit::{
    AuditError, AuditEvent, AuditKeys, AuditLog, AuditOptions, Checks, EventKind, FileHead, Fsync,
    HeadStore as _, OpenCheck, hash_hex, read_event, verify,
};
use masker_core::vault::rewrap;
use masker_core::{
    KeyRing, Kid, Kind, Mention, Opened, Records, Reference, Scope, SqliteVault, Token, Vault as _,
};

const ROLE: &str = "MASKER_KILL_ROLE";
const PLACE: &str = "MASKER_KILL_PLACE";
const NUMBER: &str = "MASKER_KILL_NUMBER";
const KILLS: &str = "MASKER_KILLS";

fn kills() -> usize {
    env::var(KILLS).ok().and_then(|text| text.parse().ok()).unwrap_or(50)
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
            .args(["--exact", "in_a_process_of_its_own", "--nocapture", "--test-threads=1"])
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
            assert!(started.elapsed() < Duration::from_secs(60), "a writer wrote nothing for a minute");
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

/// What a child does; nothing where this is no child.
#[test]
fn in_a_process_of_its_own() {
    let Ok(role) = env::var(ROLE) else { return };
    let place = PathBuf::from(env::var_os(PLACE).expect("a child has a place"));
    let number: usize = env::var(NUMBER).expect("a child has a number").parse().expect("a number");
    match role.as_str() {
        "mint" => mint_for_ever(&place, number),
        "chain" => chain_for_ever(&place, number),
        "rewrap" => rewrap_once(&place),
        "share" => share(&place),
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

fn mint(vault: &SqliteVault, values: &[String]) -> Vec<Token> {
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid("K1"));
    let mentions: Vec<Mention<'_>> = values
        .iter()
        .map(|value| Mention { kind: &Kind::Id, kid: &kid, original: value, normalised: value })
        .collect();
    Records::new(&keys, vault, &scope, &reference).mint(&mentions).expect("minting succeeds")
}

/// Whether every token restores to its value.
fn check_tokens(vault: &SqliteVault, returned: &HashMap<String, String>) {
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

#[test]
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

#[test]
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
                assert!(started.elapsed() < Duration::from_secs(60), "nobody took the log over");
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

#[test]
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

fn share(place: &Path) {
    let vault = SqliteVault::open(place).expect("every start succeeds");
    thread::scope(|s| {
        for worker in 0..8 {
            let vault = &vault;
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

#[test]
fn two_processes_with_eight_threads_make_one_row_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let writers: Vec<Writer> = (0..2).map(|n| Writer::start("share", &path, n)).collect();
    let mut returned: HashMap<String, String> = HashMap::new();
    for line in writers.into_iter().flat_map(Writer::finish) {
        let (token, value) = line.split_once(' ').unwrap();
        let before = returned.insert(token.to_owned(), value.to_owned());
        assert!(before.is_none_or(|before| before == value));
    }
    assert_eq!(returned.len(), SHARED, "one token a value");
    let vault = SqliteVault::open(&path).unwrap();
    assert_eq!(vault.stats().unwrap().rows, SHARED as u64, "one row a value");
    check_tokens(&vault, &returned);
}

/// Mints until that fails, and some more.
fn fill_vault(place: &Path) {
    let vault = SqliteVault::open(place).expect("an empty vault fits");
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

#[test]
fn a_full_disk_loses_no_returned_token() {
    let folder = tempfile::tempdir().unwrap();
    for blocks in [200, 900, 3_000] {
        let path = folder.path().join(format!("{blocks}.db"));
        let mut lines = Writer::start_limited("fill vault", &path, blocks).finish();
        assert_eq!(lines.pop().as_deref(), Some("refused"));
        assert!(lines.len() >= 20, "{blocks} blocks hold something");
        let returned: HashMap<String, String> = lines
            .iter()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(token, value)| (token.to_owned(), value.to_owned()))
            .collect();
        let vault = SqliteVault::open(&path).unwrap();
        check_tokens(&vault, &returned);
        // With room again the vault goes on, with the values that were refused as well.
        let values: Vec<String> = (0..4_000).map(|n| format!("value {} {}", n / 20, n % 20)).collect();
        let tokens = mint(&vault, &values);
        assert!(tokens.iter().filter(|token| returned.contains_key(token.text())).count() >= 20);
        let checked = masker_core::vault::verify(&ring(), &vault).unwrap();
        assert_eq!((checked.unreadable, checked.orphans), (0, 0));
    }
}

/// Appends until that fails, and some more.
fn fill_log(place: &Path) {
    let options = AuditOptions::default().fsync(Fsync::Always);
    let log = AuditLog::open(place, &audit_keys(), options).expect("an empty log fits");
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

#[test]
fn a_full_disk_breaks_no_chain() {
    let folder = tempfile::tempdir().unwrap();
    for blocks in [3, 40, 200] {
        let path = folder.path().join(format!("{blocks}.log"));
        let mut lines = Writer::start_limited("fill log", &path, blocks).finish();
        assert_eq!(lines.pop().as_deref(), Some("refused"));
        assert!(!lines.is_empty(), "{blocks} blocks hold something");
        let log = AuditLog::open(&path, &audit_keys(), AuditOptions::default()).unwrap();
        assert_eq!(log.head().unwrap().seq, lines.len() as u64, "refused events are not in the log");
        log.append(vec![AuditEvent::new(EventKind::Logout, "")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for (line, event) in lines.iter().zip(text.lines()) {
            let event = read_event(event.as_bytes()).unwrap();
            let (seq, hash) = line.split_once(' ').unwrap();
            assert_eq!((event["seq"].to_string().as_str(), event["this_hash"].as_str()), (seq, Some(hash)));
        }
        assert!(verify(text.as_bytes(), &audit_keys(), &Checks::default()).unwrap().ok);
    }
}
