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
    (&["vault", "stats", "--vault", "v.db"], Nowhere),
    (&["vault", "verify", "--vault", "v.db"], Nowhere),
    (&["vault", "verify", "--vault", "text"], Nowhere),
    (&["vault", "import", "--vault", "w.db", "text"], Nowhere),
    (&["audit", "verify", "text"], Nowhere),
    (&["audit", "tail", "text"], Nowhere),
    (&["report", "verify", "text"], Nowhere),
    (&["agents", "list", "--server", "http://127.0.0.1:9"], Nowhere),
    (&["sessions", "list", "--server", "http://127.0.0.1:9"], Nowhere),
    (&["tokens", "list", "--server", "http://127.0.0.1:9"], Nowhere),
    (&["keygen"], Nowhere),
    (&["completions", "bash"], Nowhere),
];

/// Commands that read no text and no file that could hold one.
const APART: &[&str] = &["admin", "help", "serve"];

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
fn every_command_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let (help, _) = run(folder.path(), &["--help"]);
    let (_, commands) = help.split_once("commands:\n").unwrap();
    let commands: BTreeSet<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let run: BTreeSet<&str> =
        RUNS.iter().map(|(arguments, _)| arguments[0]).chain(APART.iter().copied()).collect();
    assert!(commands.contains("mask"), "{help}");
    assert_eq!(commands.difference(&run).collect::<Vec<_>>(), [&""; 0]);
}
