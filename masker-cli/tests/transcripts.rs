//! Runs the transcripts in `tests/cmd`: each case in a folder of its own, with an environment of its own.
//!
//! In an expected text `[..]` stands for anything on one line. `stdout` is the whole output; `has` and `lacks` are parts of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod like;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use self::like::line_is_like;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transcript {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Files to put into the folder.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Environment of every run.
    #[serde(default)]
    env: BTreeMap<String, String>,
    run: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    args: Vec<String>,
    /// Environment of this run, added to that of the case.
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    /// Two hexadecimal digits a byte, for input that is not UTF-8.
    #[serde(default)]
    stdin_hex: String,
    /// A file for the output, to be read by later runs.
    save: Option<String>,
    status: i32,
    stdout: Option<String>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    stderr: Option<String>,
    #[serde(default)]
    stderr_has: Vec<String>,
    #[serde(default)]
    stderr_lacks: Vec<String>,
    /// Files that must exist afterwards, with this content.
    #[serde(default)]
    wrote: BTreeMap<String, String>,
    /// How many files and folders there are afterwards.
    entries: Option<usize>,
}

#[test]
fn transcripts_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let (mut count, mut failures) = (0, Vec::new());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let transcript: Transcript =
            toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for case in transcript.case {
            count += 1;
            let name = format!("{}: {}", path.file_name().unwrap().to_string_lossy(), case.name);
            failures.extend(check(&case).into_iter().map(|failure| format!("{name}: {failure}")));
        }
    }
    assert!(count > 0, "there are no transcripts");
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

fn check(case: &Case) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in &case.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut failures = Vec::new();
    for run in &case.run {
        let output = execute(run, &case.env, folder.path());
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if let Some(name) = &run.save {
            fs::write(folder.path().join(name), &output.stdout).unwrap();
        }
        let mut wrong = Vec::new();
        if output.status.code() != Some(run.status) {
            wrong.push(format!("status is {:?}, not {}", output.status.code(), run.status));
        }
        for (stream, text, whole, has, lacks) in [
            ("stdout", &stdout, &run.stdout, &run.has, &run.lacks),
            ("stderr", &stderr, &run.stderr, &run.stderr_has, &run.stderr_lacks),
        ] {
            if let Some(whole) = whole
                && !is_like(text, whole)
            {
                wrong.push(format!("{stream} is not\n{whole}"));
            }
            wrong.extend(
                has.iter().filter(|part| !text.contains(*part)).map(|part| format!("{stream} lacks {part}")),
            );
            wrong.extend(
                lacks.iter().filter(|part| text.contains(*part)).map(|part| format!("{stream} has {part}")),
            );
        }
        for (name, want) in &run.wrote {
            match fs::read_to_string(folder.path().join(name)) {
                Ok(found) if is_like(&found, want) => {}
                Ok(found) => wrong.push(format!("{name} is\n{found}\nand not\n{want}")),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
        if let Some(entries) = run.entries {
            let found = fs::read_dir(folder.path()).unwrap().count();
            if found != entries {
                wrong.push(format!("there are {found} entries, not {entries}"));
            }
        }
        if !wrong.is_empty() {
            failures.push(format!(
                "masker {}\n{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
                run.args.join(" "),
                wrong.join("\n")
            ));
        }
    }
    failures
}

fn execute(run: &Run, env: &BTreeMap<String, String>, folder: &Path) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_masker"))
        .args(&run.args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .envs(env)
        .envs(&run.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = if run.stdin_hex.is_empty() { run.stdin.clone().into_bytes() } else { unhex(&run.stdin_hex) };
    // A command that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(&bytes);
    child.wait_with_output().unwrap()
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Compares line by line; `[..]` stands for any text inside a line.
fn is_like(found: &str, want: &str) -> bool {
    let (found, want): (Vec<&str>, Vec<&str>) = (found.split('\n').collect(), want.split('\n').collect());
    found.len() == want.len() && found.iter().zip(want).all(|(found, want)| line_is_like(found, want))
}

#[test]
fn the_comparison_itself_can_fail() {
    assert!(is_like("a 12 b\nc", "a [..] b\nc") && is_like("ab", "ab") && is_like("xay", "[..]a[..]"));
    assert!(
        !is_like("a 12 b\nc", "a [..] c\nc")
            && !is_like("ab\n", "ab")
            && !is_like("abc", "ab")
            && !is_like("xy", "[..]a[..]")
    );
}
