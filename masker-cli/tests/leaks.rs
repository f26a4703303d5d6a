//! Promise 8 on the command line: marked text goes through every command, right and wrong, as loud as it gets, and is found
//! in nothing but the answers that are made to hold it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const TEXT: &str =
    "This is Zebediah Quixworth, call 415-555-0187, mail zeb.quixworth@example.com, ssn 219-09-9999";
const MARKS: &[&str] = &["zebediah", "quixworth", "0187", "219-09-9999"];
/// Where nobody listens.
const SERVER: &str = "http://127.0.0.1:9";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Where the text may be found in what a command says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum May {
    /// The answer is the text, or a part of it.
    Answer,
    Nowhere,
}
use May::{Answer, Nowhere};

/// Commands as they are typed, with marked text on stdin and in the files `text`, `turns.jsonl`, `bad.yaml` and `masked`.
const RUNS: &[(&[&str], May)] = &[
    (&["mask"], Nowhere),
    (&["mask", "--text-only", "text"], Nowhere),
    (&["mask", "--json", "--vault", "v.db", "text"], Nowhere),
    (&["mask", "--policy", "bad.yaml"], Nowhere),
    (&["mask", "--policy", "strict"], Nowhere),
    (&["detect"], Answer),
    (&["detect", "--json", "text"], Answer),
    (&["rehydrate", "--vault", "v.db", "masked"], Answer),
    (&["rehydrate", "--strict", "masked"], Nowhere),
    (&["synthesize", "--seed", "7"], Nowhere),
    (&["replay", "--input", "turns.jsonl"], Nowhere),
    (&["replay", "--input", "text"], Nowhere),
    (&["eval", "--data", "turns.jsonl"], Nowhere),
    (&["policy", "validate", "bad.yaml"], Nowhere),
    (&["policy", "show", "--policy", "bad.yaml"], Nowhere),
    (&["policy", "diff", "bad.yaml", "strict"], Nowhere),
    (&["policy", "init"], Nowhere),
    (&["policy", "schema"], Nowhere),
    (&["policy", "coverage", "--policy", "bad.yaml"], Nowhere),
    (&["policy", "reload", "--server", SERVER], Nowhere),
    (&["vault", "stats", "--vault", "v.db"], Nowhere),
    (&["vault", "export", "--vault", "v.db"], Nowhere),
    (&["vault", "export", "--vault", "text"], Nowhere),
    (&["vault", "purge", "--vault", "v.db", "--subject", TEXT, "--dry-run"], Nowhere),
    (&["vault", "purge", "--vault", "v.db", "--agent", TEXT], Nowhere),
    (&["vault", "rotate-key", "--vault", "v.db", "--new-kid", "K_NONE"], Nowhere),
    (&["vault", "verify", "--vault", "v.db"], Nowhere),
    (&["vault", "verify", "--vault", "text"], Nowhere),
    (&["vault", "import", "--vault", "w.db", "text"], Nowhere),
    (&["audit", "verify", "text"], Nowhere),
    (&["audit", "tail", "text"], Nowhere),
    (&["audit", "prove", "--event", TEXT, "text"], Nowhere),
    (&["report", "verify", "text"], Nowhere),
    (&["report", "--server", SERVER, "--since", TEXT], Nowhere),
    (&["agents", "list", "--server", SERVER, "--name-contains", TEXT], Nowhere),
    (
        &[
            "agents",
            "create",
            "--server",
            SERVER,
            "--name",
            TEXT,
            "--upstream",
            "stub",
            "--policy-file",
            "bad.yaml",
        ],
        Nowhere,
    ),
    (&["agents", "show", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "delete", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "pause", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "resume", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "archive", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "activate", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "end", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "relaunch", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "restore", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "terminate-calls", "--server", SERVER, TEXT], Nowhere),
    (&["agents", "cleanup", "--server", SERVER, "--status", TEXT, "--yes"], Nowhere),
    (&["sessions", "list", "--server", SERVER, "--agent", TEXT], Nowhere),
    (&["sessions", "show", "--server", SERVER, TEXT], Nowhere),
    (&["sessions", "tail", "--server", SERVER, "--agent", TEXT], Nowhere),
    (&["sessions", "terminate", "--server", SERVER, TEXT], Nowhere),
    (&["tokens", "create", "--server", SERVER, "--name", TEXT, "--scopes", TEXT], Nowhere),
    (&["tokens", "list", "--server", SERVER], Nowhere),
    (&["tokens", "revoke", "--server", SERVER, TEXT], Nowhere),
    (&["keygen"], Nowhere),
    (&["completions", "bash"], Nowhere),
];

/// Commands with a text where something else belongs.
const MISTYPED: &[&[&str]] = &[
    &[TEXT],
    &["policy", TEXT],
    &["mask", TEXT],
    &["mask", "text", TEXT],
    &["mask", "text", "quixworth"],
    &["mask", "--format", TEXT],
    &["mask", "--scheme", TEXT],
    &["mask", "--passes", TEXT],
    &["mask", "--policy", TEXT],
    &["mask", "--config", TEXT],
    &["mask", "--seed", TEXT],
    &["mask", "--jobs", "4155550187"],
    &["mask", "--seed", "41555501874155550187"],
    &["sessions", "list", "--server", SERVER, "--min-redactions", "4155550187"],
    &["tokens", "create", "--name", "a", "--scopes", "b", "--expires-in-days", "14155550187"],
    &["detect", "--threshold", TEXT],
    &["rehydrate", "--vault", TEXT],
    &["replay", "--input", TEXT],
    &["eval", "--data", TEXT],
    &["policy", "validate", TEXT],
    &["policy", "show", "--name", TEXT],
    &["policy", "diff", TEXT, TEXT],
    &["vault", "purge", "--before", TEXT],
    &["vault", "purge", "--kid", TEXT],
    &["vault", "stats", "--vault", TEXT],
    &["vault", "import", TEXT],
    &["vault", "rotate-key", "--new-kid", TEXT],
    &["audit", "verify", TEXT],
    &["audit", "verify", "--expected-root", TEXT],
    &["audit", "tail", "--kind", TEXT, "text"],
    &["report", "verify", TEXT],
    &["agents", "list", "--server", TEXT],
    &["agents", "list", "--server", SERVER, "--token-file", TEXT],
    &["keygen", "--kid", TEXT],
    &["completions", TEXT],
];

/// Commands that read no text and no file that could hold one.
const APART: &[&str] = &["admin", "serve"];

fn run(folder: &Path, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_masker"));
    command
        .env_clear()
        .env("MASKER_KEY_K_HEALTHCARE", KEY)
        .env("MASKER_AUDIT_HMAC_KEY", KEY)
        .env("HOME", folder)
        .env("MASKER_TOKEN", "none");
    let mut child = command
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(TEXT.as_bytes());
    let output = child.wait_with_output().unwrap();
    let lower = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    (lower(&output.stdout), lower(&output.stderr))
}

#[test]
fn promise_8_marked_text_is_in_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("text"), TEXT).unwrap();
    let turn = serde_json::json!({ "role": "user", "text": TEXT, "spans": [] }).to_string();
    fs::write(folder.join("turns.jsonl"), format!("{turn}\n{TEXT}\n{turn}\n")).unwrap();
    fs::write(folder.join("bad.yaml"), format!("name: \"{TEXT}\"\nkid: {TEXT}\n")).unwrap();
    let (masked, _) = run(folder, &["mask", "--text-only", "--vault", "v.db", "text"]);
    assert!(masked.contains("mskv1.ssn."), "{masked}");
    fs::write(folder.join("masked"), masked.to_uppercase()).unwrap();

    for (arguments, may) in RUNS {
        for loud in [&[][..], &["-v"], &["-v", "-v"]] {
            let all: Vec<&str> = arguments.iter().chain(loud).copied().collect();
            let (stdout, stderr) = run(folder, &all);
            let held = |said: &str| MARKS.iter().find(|mark| said.contains(**mark)).copied();
            assert_eq!(held(&stderr), None, "{all:?}: {stderr}");
            assert!(
                !stderr.contains("panicked") && !stderr.contains("unexpected argument"),
                "{all:?}: {stderr}"
            );
            if *may == Nowhere {
                assert_eq!(held(&stdout), None, "{all:?}: {stdout}");
            }
        }
    }
}

#[test]
fn promise_8_a_text_typed_as_an_argument_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("text"), "nothing").unwrap();
    for arguments in MISTYPED {
        let (stdout, stderr) = run(folder, arguments);
        assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
        for said in [&stdout, &stderr] {
            assert_eq!(MARKS.iter().find(|mark| said.contains(**mark)), None, "{arguments:?}: {said}");
        }
    }
    // What was meant is still said.
    assert!(run(folder, &["detct"]).1.contains("detect"));
    assert!(run(folder, &["mask", "--polcy", "strict"]).1.contains("'--polcy' found"));
}

/// The commands that a help names, but for itself.
fn commands(folder: &Path, of: &[&str]) -> BTreeSet<String> {
    let (help, _) = run(folder, &[of, &["--help"]].concat());
    let (_, commands) = help.split_once("commands:\n").unwrap_or_default();
    commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let runs = |command: &[&str]| RUNS.iter().any(|(arguments, _)| arguments.starts_with(command));
    let all = commands(folder, &[]);
    assert!(all.contains("mask") && all.len() > 10, "{all:?}");
    let mut below = 0;
    for name in all.iter().map(String::as_str).filter(|name| !APART.contains(name)) {
        assert!(runs(&[name]), "{name}");
        for inner in commands(folder, &[name]) {
            assert!(runs(&[name, &inner]), "{name} {inner}");
            below += 1;
        }
    }
    assert!(below > 30, "{below}");
}
