//! The shared fixtures give the same findings and tokens on the command line as in Rust.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../masker-core/tests/cases/mod.rs"]
mod cases;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use self::cases::{Conversation, Detect, Found, Mask, cases};

/// The key of bytes 00 to 1f.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What a command that succeeds writes to stdout.
fn masker(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_masker"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("MASKER_KEY_K_HEALTHCARE", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The findings of an answer, whose places are bytes.
fn found(text: &str, findings: &Value, place: impl Fn(&Value) -> (&Value, &Value)) -> Vec<Found> {
    let at = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let one = |finding: &Value| {
        let (start, end) = place(finding);
        Found {
            kind: finding["kind"].as_str().unwrap().to_owned(),
            text: text[at(start)..at(end)].to_owned(),
        }
    };
    findings.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn detect() {
    let folder = tempfile::tempdir().unwrap();
    let mut by_policy: BTreeMap<String, Vec<Detect>> = BTreeMap::new();
    for case in cases::<Detect>("detect") {
        by_policy.entry(case.policy().to_owned()).or_default().push(case);
    }
    let mut count = 0;
    for (policy, cases) in by_policy {
        let lines: String =
            cases.iter().map(|case| Value::from(case.text.as_str()).to_string() + "\n").collect();
        let answer =
            masker(folder.path(), &["detect", "-q", "--policy", &policy, "--format", "jsonl"], &lines);
        let answers: Vec<&str> = answer.lines().collect();
        assert_eq!(answers.len(), cases.len(), "{policy}");
        for (case, answer) in cases.iter().zip(answers) {
            let answer: Value = serde_json::from_str(answer).unwrap();
            let got = found(&case.text, &answer["spans"], |finding| (&finding["start"], &finding["end"]));
            assert_eq!(got, case.findings, "{}", case.name);
            count += 1;
        }
    }
    assert!(count > 1_000, "{count}");
}

#[test]
fn mask() {
    let mut count = 0;
    for case in cases::<Mask>("mask") {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.yaml"), case.policy_source()).unwrap();
        let common = ["-q", "--policy", "policy.yaml", "--vault", "vault.db"];
        let scheme: Vec<&str> = case.scheme.iter().flat_map(|scheme| ["--scheme", scheme]).collect();
        let arguments = [&["mask", "--text-only"][..], &common, &scheme].concat();
        let masked = masker(folder.path(), &arguments, &case.text);
        assert_eq!(masked, case.masked, "{}", case.name);
        let restored = masker(folder.path(), &[&["rehydrate"][..], &common].concat(), &masked);
        assert_eq!(restored, case.restored(), "{}", case.name);
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn turns() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for case in cases::<Conversation>("turns") {
        fs::write(folder.path().join("call.txt"), case.turns.join("\n")).unwrap();
        let replay = ["replay", "-q", "--policy", "healthcare-default", "--input", "call.txt"];
        let answer: Value = serde_json::from_str(&masker(folder.path(), &replay, "")).unwrap();
        for ((_, said, wanted), answer) in case.said().zip(answer["turns"].as_array().unwrap()) {
            let got = found(said, &answer["events"], |event| (&event["span"][0], &event["span"][1]));
            assert_eq!(got, wanted, "{}: {said}", case.name);
            count += 1;
        }
    }
    assert!(count > 70, "{count}");
}
