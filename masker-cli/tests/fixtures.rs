//! The shared fixtures give the same findings and tokens on the command line as in Rust.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use masker_core::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The key of bytes 00 to 1f.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const DEFAULT: &str = "healthcare-default";

#[derive(Deserialize)]
struct Cases<C> {
    case: Vec<C>,
}

#[derive(Deserialize)]
struct Detect {
    name: String,
    text: String,
    policy: Option<String>,
    findings: Vec<Found>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Found {
    kind: String,
    text: String,
}

#[derive(Deserialize)]
struct Mask {
    name: String,
    policy: String,
    scheme: Option<String>,
    #[serde(default)]
    deterministic: bool,
    text: String,
    masked: String,
    restored: Option<String>,
}

#[derive(Deserialize)]
struct Turns {
    name: String,
    turns: Vec<String>,
    findings: Vec<Vec<Found>>,
}

fn cases<C: DeserializeOwned>(folder: &str) -> Vec<C> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .flat_map(|path| toml::from_str::<Cases<C>>(&fs::read_to_string(path).unwrap()).unwrap().case)
        .collect()
}

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
        by_policy.entry(case.policy.clone().unwrap_or_else(|| DEFAULT.to_owned())).or_default().push(case);
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
        let mut source = Policy::preset_source(&case.policy).unwrap().to_owned();
        if case.deterministic {
            source += "\naead: { deterministic: true }\n";
        }
        fs::write(folder.path().join("policy.yaml"), source).unwrap();
        let common = ["-q", "--policy", "policy.yaml", "--vault", "vault.db"];
        let scheme: Vec<&str> = case.scheme.iter().flat_map(|scheme| ["--scheme", scheme]).collect();
        let arguments = [&["mask", "--text-only"], &common[..], &scheme].concat();
        let masked = masker(folder.path(), &arguments, &case.text);
        assert_eq!(masked, case.masked, "{}", case.name);
        let restored = masker(folder.path(), &[&["rehydrate"], &common[..]].concat(), &masked);
        assert_eq!(restored, case.restored.unwrap_or(case.text), "{}", case.name);
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn turns() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for case in cases::<Turns>("turns") {
        fs::write(folder.path().join("call.txt"), case.turns.join("\n")).unwrap();
        let answer = masker(folder.path(), &["replay", "-q", "--policy", DEFAULT, "--input", "call.txt"], "");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        for ((turn, wanted), answer) in
            case.turns.iter().zip(&case.findings).zip(answer["turns"].as_array().unwrap())
        {
            let said = turn.split_once(": ").unwrap().1;
            let got = found(said, &answer["events"], |event| (&event["span"][0], &event["span"][1]));
            assert_eq!(&got, wanted, "{}: {turn}", case.name);
            count += 1;
        }
    }
    assert!(count > 70, "{count}");
}
