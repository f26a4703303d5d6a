//! What transcripts cannot show: signals, pipes, concurrency, damaged files, memory, terminals.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn masker(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_masker"));
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("MASKER_KEY_K_HEALTHCARE", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = masker(folder, args).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_interrupt_is_130() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = masker(folder.path(), &["mask", "--format", "jsonl"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // An answer can only come once the input has ended, so wait for the process to be up and reading instead.
    stdin.write_all(b"\"a\"\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn an_interrupt_leaves_no_partial_file() {
    let folder = tempfile::tempdir().unwrap();
    // Every turn is masked with all before it, so this takes far longer than the test waits.
    let transcript: String =
        (0..20_000).map(|n| format!("Caller: my number is 415-555-01{:02}\n", n % 100)).collect();
    fs::write(folder.path().join("call.txt"), transcript).unwrap();
    fs::write(folder.path().join("out.jsonl"), "old").unwrap();
    let args = ["replay", "-q", "--input", "call.txt", "--stream", "--output", "out.jsonl"];
    let mut child = masker(folder.path(), &args).spawn().unwrap();
    wait_for("a temporary file", || fs::read_dir(folder.path()).unwrap().count() == 3);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(folder.path().join("out.jsonl")).unwrap(), "old");
}

#[test]
fn a_reader_that_leaves_is_success() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.jsonl"), "\"call 415-555-0142\"\n".repeat(50_000)).unwrap();
    let mut child = masker(folder.path(), &["mask", "--format", "jsonl", "in.jsonl"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_full_disk_is_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut child = masker(folder.path(), &["mask", "--text-only"]).stdout(full).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"call 415-555-0142").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"));
}

#[test]
fn processes_share_a_vault() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |process: usize| -> String {
        (0..40).map(|n| format!("\"mail p{process}.n{n}@example.com or call 415-555-01{n:02}\"\n")).collect()
    };
    let args = ["mask", "--format", "jsonl", "--text-only", "--vault", "v.db", "--jobs", "2"];
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let handles: Vec<_> =
            (0..4).map(|p| scope.spawn(move || (p, lines(p)))).map(|h| h.join().unwrap()).collect::<Vec<_>>();
        let folder = folder.path();
        let running: Vec<_> = handles
            .into_iter()
            .map(|(_, input)| scope.spawn(move || run(folder, &args, input.as_bytes())))
            .collect();
        running.into_iter().map(|h| h.join().unwrap()).collect()
    });
    for (process, output) in outputs.iter().enumerate() {
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let masked: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let restored =
            run(folder.path(), &["rehydrate", "--strict", "--vault", "v.db"], masked.join("\n").as_bytes());
        let want: Vec<String> = lines(process).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(String::from_utf8_lossy(&restored.stdout), want.join("\n"));
        assert_eq!(restored.status.code(), Some(0));
    }
    let stats = run(folder.path(), &["vault", "stats", "--vault", "v.db"], b"");
    assert!(
        String::from_utf8_lossy(&stats.stdout).contains("\"rows\":200"),
        "{}",
        String::from_utf8_lossy(&stats.stdout)
    );
}

#[test]
fn a_damaged_vault_is_refused_and_not_made_worse() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.db");
    let many: String = (0..300).map(|n| format!("mail p{n}@example.com\n")).collect();
    let masked = run(folder.path(), &["mask", "--text-only", "--vault", "v.db"], many.as_bytes());
    assert_eq!(masked.status.code(), Some(0));
    let whole = fs::read(&path).unwrap();
    let mut other_version = whole.clone();
    // The schema version stands at byte 60 of the file, big end first.
    other_version[60..64].copy_from_slice(&99_u32.to_be_bytes());
    for (what, bytes) in [
        ("version", other_version),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("stump", whole[..50].to_vec()),
    ] {
        fs::write(&path, &bytes).unwrap();
        for args in [
            &["mask", "--vault", "v.db"][..],
            &["rehydrate", "--vault", "v.db"],
            &["vault", "stats", "--vault", "v.db"],
        ] {
            let output = run(folder.path(), args, &masked.stdout);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{what} {args:?}: {stderr}");
            assert!(output.stdout.is_empty(), "{what} {args:?}");
            let advice = ["open it with the masker", "restore it from a backup", "name another file"];
            assert!(advice.iter().any(|advice| stderr.contains(advice)), "{what}: {stderr}");
            assert!(!stderr.contains("example.com"), "{what}: {stderr}");
        }
        assert!(fs::read(&path).unwrap() == bytes, "{what}: the file has changed");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    // The root user may write everywhere but here.
    let folder = Path::new("/proc");
    if !folder.join("self").exists() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let output = run(work.path(), &["mask", "--vault", "/proc/v.db"], b"call 415-555-0142");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty() && stderr.contains("hint:") && !stderr.contains("0142"), "{stderr}");
    fs::write(work.path().join("call.txt"), "Caller: hi").unwrap();
    let output =
        run(work.path(), &["replay", "-q", "--input", "call.txt", "--output", "/proc/out.json"], b"");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn another_name_of_the_program_is_the_same_program() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("masker-voice");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_masker"), &name).unwrap();
    fs::write(folder.path().join("call.txt"), "Caller: call 415-555-0142\n").unwrap();
    let replay = ["replay", "-q", "--policy", "strict", "--input", "call.txt"];
    let output = Command::new(name).args(replay).current_dir(folder.path()).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("call [REDACTED:PHONE]"));
}

/// Asked in the middle of the work: the first lines are answered and more may come.
#[cfg(target_os = "linux")]
#[test]
fn masking_opens_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    for args in
        [&["mask", "-q", "--vault", "v.db", "--format", "jsonl"][..], &["detect", "--format", "jsonl"]]
    {
        let mut child = masker(folder.path(), args).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // More than is read at once.
        stdin.write_all("\"call 415-555-0142\"\n".repeat(3_000).as_bytes()).unwrap();
        let mut first = [0; 1];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        let open: Vec<String> = fs::read_dir(format!("/proc/{}/fd", child.id()))
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .collect();
        assert!(open.len() >= 3, "{open:?}");
        assert!(!open.iter().any(|target| target.starts_with("socket:")), "{args:?}: {open:?}");
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn many_lines_take_little_memory() {
    let Some(peak_of) = peak_memory() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, count: usize| {
        let mut text = String::new();
        for n in 0..count {
            text.push_str(&format!(
                "{{\"id\":{n},\"text\":\"line {n}: please write to p{n}@example.com about the visit\"}}\n"
            ));
        }
        fs::write(folder.path().join(name), text).unwrap();
    };
    write("few.jsonl", 10_000);
    write("many.jsonl", 100_000);
    let run = |name: &str| {
        let mut child =
            masker(folder.path(), &["mask", "--format", "jsonl", "--jobs", "2", name]).spawn().unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        // The output has ended and the process has not been waited for, so its record is still there.
        let peak = peak_of(&child);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        (out, peak)
    };
    let (_, few) = run("few.jsonl");
    let (out, many) = run("many.jsonl");
    assert_eq!(out.lines().count(), 100_000);
    for (n, line) in out.lines().enumerate() {
        assert!(
            line.starts_with(&format!("{{\"id\":{n},\"masked\":\"line {n}: please write to MSKV1.EMAIL.")),
            "{n}"
        );
    }
    if let (Some(few), Some(many)) = (few, many) {
        assert!(many < few + 8 * 1024, "{few} KiB for 10,000 lines, {many} KiB for 100,000");
    }
}

/// Reads the peak resident memory of a child in KiB, on systems that tell.
fn peak_memory() -> Option<fn(&Child) -> Option<u64>> {
    Path::new("/proc/self/status").exists().then_some(|child: &Child| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    })
}

#[test]
fn a_terminal_gets_a_table_and_a_pipe_gets_json() {
    // `script` gives the command a terminal; it is part of most systems and not of all.
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("call.txt"), "call 415-555-0142\n").unwrap();
    let on_terminal = |args: &str| {
        let mut command = masker(folder.path(), &[]);
        let line = format!("{} {args}", env!("CARGO_BIN_EXE_masker"));
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(folder.path()).env_clear().stdin(Stdio::null());
        for (name, value) in command.stdin(Stdio::null()).get_envs() {
            script.env(name, value.unwrap());
        }
        String::from_utf8_lossy(&script.output().unwrap().stdout).replace("\r\n", "\n")
    };
    let page = on_terminal("detect call.txt");
    assert!(
        page.contains("\u{1b}[1m") && page.contains("KIND   SPAN") && page.contains("PHONE  5..17"),
        "{page}"
    );
    let plain = on_terminal("detect --color never call.txt");
    assert!(!plain.contains('\u{1b}') && plain.starts_with("call [415-555-0142]\n"), "{plain}");
    assert!(on_terminal("detect --json call.txt").starts_with("[\n  {\n    \"pass\""));
    assert!(on_terminal("mask call.txt").starts_with("{\n  \"masked\": "));
    assert!(on_terminal("mask --text-only call.txt").starts_with("call MSKV1.PHONE."));
    assert!(on_terminal("policy coverage").contains("telephone numbers"));
    assert!(
        on_terminal("policy diff healthcare-default strict")
            .contains("entities.PHONE.action: tokenize -> redact")
    );
    assert!(on_terminal("vault export --vault call.txt").contains("stdout is a terminal"));
}
