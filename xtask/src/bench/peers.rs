//! Other libraries over the same payloads in the same run, each from its registry, at the versions in `benches/peers`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::table::{markdown, megabytes_a_second, time};
use crate::shell::{self, Workspace};

/// Seconds for one call over one payload in one round.
const SECONDS: &str = "0.3";
const ROUNDS: usize = 3;
/// The payloads of the table, with what is shown of each: a time for one text, a rate for many.
const PAYLOADS: &[&str] = &["utterance", "turn", "prose", "dense", "transcript"];

/// A program that times one peer or more, ready to run.
struct Runner {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
}

/// What one line of a runner says, by peer, payload and call.
type Times = BTreeMap<(String, String, String), Vec<f64>>;

/// Installs what can be installed, runs it in rounds, and gives the tables.
pub(super) fn run(workspace: &Workspace) -> Result<String, String> {
    let place = workspace.target().join("peers");
    std::fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let payloads = place.join("payloads.jsonl");
    let set = shell::capture(Command::new(workspace.target().join("release").join("payloads")).arg("set"))?;
    let (set, bytes) = chosen(&set)?;
    std::fs::write(&payloads, &set).map_err(|error| format!("{}: {error}", payloads.display()))?;

    let mut runners = Vec::new();
    let mut absent = Vec::new();
    for (name, made) in [
        ("Rust crates", rust(workspace, &place)),
        ("Presidio", presidio(workspace, &place)),
        ("Phileas", phileas(workspace, &place)),
        ("masker for Python", masker_python(workspace, &place)),
        ("redact-pii", redact_pii(workspace, &place)),
        ("masker for Node", masker_node(workspace)),
    ] {
        match made {
            Ok(more) => runners.extend(more),
            Err(error) => {
                // The report has no paths of this machine.
                println!("{error}");
                absent.push(format!("{name}: could not be installed"));
            }
        }
    }

    let mut times = Times::new();
    let mut peers: Vec<(String, String)> = Vec::new();
    let mut findings: BTreeMap<(String, String), String> = BTreeMap::new();
    for round in 0..ROUNDS {
        runners.retain(|runner| {
            println!("round {} of {ROUNDS}: {}", round + 1, runner.name);
            let output = shell::capture(
                Command::new(&runner.program)
                    .args(&runner.arguments)
                    .arg(&payloads)
                    .arg(SECONDS)
                    // One thread each, whatever the libraries below would like.
                    .envs(
                        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"]
                            .map(|name| (name, "1")),
                    ),
            );
            match output {
                Ok(output) => {
                    for line in output.lines() {
                        let cells: Vec<&str> = line.split('\t').collect();
                        let [peer, version, payload, call, found, seconds] = cells.as_slice() else {
                            continue;
                        };
                        let Ok(seconds) = seconds.parse() else { continue };
                        let key = ((*peer).to_owned(), (*payload).to_owned(), (*call).to_owned());
                        times.entry(key).or_default().push(seconds);
                        findings.insert(((*peer).to_owned(), (*payload).to_owned()), (*found).to_owned());
                        let known = ((*peer).to_owned(), (*version).to_owned());
                        if !peers.contains(&known) {
                            peers.push(known);
                        }
                    }
                    true
                }
                Err(error) => {
                    println!("{error}");
                    absent.push(format!("{}: did not run", runner.name));
                    false
                }
            }
        });
    }
    Ok(tables(&peers, &times, &findings, &bytes, &absent))
}

fn tables(
    peers: &[(String, String)],
    times: &Times,
    findings: &BTreeMap<(String, String), String>,
    bytes: &BTreeMap<String, u64>,
    absent: &[String],
) -> String {
    let median = |peer: &str, payload: &str, call: &str| -> Option<f64> {
        let mut all = times.get(&(peer.to_owned(), payload.to_owned(), call.to_owned()))?.clone();
        all.sort_unstable_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    };
    let ours = peers.iter().map(|(name, _)| name).find(|name| name.contains("Rust"));
    let mut text = String::new();
    for call in ["detect", "mask"] {
        let mut head = vec!["peer".to_owned(), "version".to_owned()];
        head.extend(PAYLOADS.iter().map(|payload| (*payload).to_owned()));
        head.push("masker, times faster on prose".to_owned());
        let head: [String; 8] = head.try_into().expect("two columns, one a payload, and the ratio");
        let rows: Vec<[String; 8]> = peers
            .iter()
            .filter(|(peer, _)| median(peer, "prose", call).is_some())
            .map(|(peer, version)| {
                let mut row = vec![peer.clone(), version.clone()];
                for payload in PAYLOADS {
                    let cell = median(peer, payload, call).map_or(String::new(), |seconds| {
                        let found = findings.get(&(peer.clone(), (*payload).to_owned()));
                        let found = found.map_or("?", String::as_str);
                        if matches!(*payload, "utterance" | "turn") {
                            format!("{} ({found})", time(seconds))
                        } else {
                            let size = bytes.get(*payload).copied().unwrap_or_default();
                            format!("{} MB/s ({found})", three_digits(megabytes_a_second(size, seconds)))
                        }
                    });
                    row.push(cell);
                }
                let ratio = ours
                    .and_then(|ours| median(ours, "prose", call))
                    .zip(median(peer, "prose", call))
                    .map_or(String::new(), |(own, other)| three_digits(other / own));
                row.push(ratio);
                row.try_into().expect("as many columns as the head")
            })
            .collect();
        text += &format!(
            "Peers, `{call}`, with the findings of each in brackets:\n\n{}\n",
            markdown(&head, &rows)
        );
    }
    for line in absent {
        text += &format!("- {line}\n");
    }
    text
}

/// Three digits that count.
fn three_digits(value: f64) -> String {
    let digits = (2.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

/// The lines of the payloads that are shown, and the bytes of each.
fn chosen(set: &str) -> Result<(String, BTreeMap<String, u64>), String> {
    let (mut lines, mut bytes) = (String::new(), BTreeMap::new());
    for line in set.lines() {
        let payload: Value = serde_json::from_str(line).map_err(|error| format!("payloads: {error}"))?;
        let name = payload["name"].as_str().unwrap_or_default();
        if PAYLOADS.contains(&name) {
            let texts = payload["texts"].as_array().map(Vec::as_slice).unwrap_or_default();
            let size = texts.iter().filter_map(Value::as_str).map(|text| text.len() as u64).sum();
            bytes.insert(name.to_owned(), size);
            lines += line;
            lines.push('\n');
        }
    }
    Ok((lines, bytes))
}

fn rust(workspace: &Workspace, place: &Path) -> Result<Vec<Runner>, String> {
    let target = place.join("rust");
    shell::run(
        workspace
            .cargo(["build", "--release", "--locked", "--manifest-path", "benches/peers/rust/Cargo.toml"])
            .env("CARGO_TARGET_DIR", &target),
    )?;
    let program = target.join("release").join("masker-peers");
    Ok(vec![Runner { name: "Rust crates", program, arguments: Vec::new() }])
}

fn presidio(workspace: &Workspace, place: &Path) -> Result<Vec<Runner>, String> {
    let python = environment(workspace, place, "presidio")?;
    Ok(vec![
        python_runner(workspace, "Presidio without a model", "presidio", &python),
        python_runner(workspace, "Presidio with a spaCy model", "presidio-model", &python),
    ])
}

fn phileas(workspace: &Workspace, place: &Path) -> Result<Vec<Runner>, String> {
    let python = environment(workspace, place, "phileas")?;
    Ok(vec![python_runner(workspace, "Phileas", "phileas", &python)])
}

/// The package of this workspace, into the smallest environment there is.
fn masker_python(workspace: &Workspace, place: &Path) -> Result<Vec<Runner>, String> {
    let python = environment(workspace, place, "phileas")?;
    shell::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--force-reinstall", "--no-deps"])
            .arg(workspace.path("masker-py")),
    )?;
    Ok(vec![python_runner(workspace, "masker for Python", "masker", &python)])
}

fn python_runner(workspace: &Workspace, name: &'static str, which: &str, python: &Path) -> Runner {
    let script = workspace.path("benches/peers/python/peers.py");
    Runner {
        name,
        program: python.to_path_buf(),
        arguments: vec![script.to_string_lossy().into_owned(), which.to_owned()],
    }
}

/// A virtual environment with what a list pins, and nothing else; gives its interpreter.
fn environment(workspace: &Workspace, place: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = place.join(name);
    let python = folder.join("bin").join("python");
    if !python.exists() {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    shell::run(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--requirement",
            ])
            .arg(workspace.path(format!("benches/peers/python/requirements-{name}.txt"))),
    )?;
    Ok(python)
}

fn redact_pii(workspace: &Workspace, place: &Path) -> Result<Vec<Runner>, String> {
    let folder = place.join("node");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in ["package.json", "package-lock.json"] {
        let text = workspace.read(Path::new("benches/peers/node").join(name))?;
        std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    shell::run(
        Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder),
    )?;
    Ok(vec![node(workspace, "redact-pii", &folder)])
}

fn masker_node(workspace: &Workspace) -> Result<Vec<Runner>, String> {
    let folder = workspace.path("masker-node");
    if !folder.join("node_modules").exists() {
        shell::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    }
    shell::run(Command::new("npm").args(["run", "build:native"]).current_dir(&folder))?;
    Ok(vec![node(workspace, "masker", &folder)])
}

fn node(workspace: &Workspace, which: &'static str, modules: &Path) -> Runner {
    Runner {
        name: if which == "masker" { "masker for Node" } else { which },
        program: PathBuf::from("node"),
        arguments: vec![
            workspace.path("benches/peers/node/peers.mjs").to_string_lossy().into_owned(),
            which.to_owned(),
            modules.to_string_lossy().into_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_chosen_by_name() {
        let set = "{\"name\":\"clean\",\"texts\":[\"a\"]}\n{\"name\":\"prose\",\"texts\":[\"ab\",\"é\"]}\n";
        let (lines, bytes) = chosen(set).unwrap();
        assert_eq!(lines.lines().count(), 1);
        assert_eq!(bytes, BTreeMap::from([("prose".to_owned(), 4)]));
        assert!(chosen("[").is_err());
    }

    #[test]
    fn digits() {
        assert_eq!([12_345.6, 123.4, 12.34, 0.022_61].map(three_digits), ["12346", "123", "12.3", "0.0226"]);
    }

    #[test]
    fn ratios_and_counts() {
        let peers = [("masker (Rust)".to_owned(), "1".to_owned()), ("slow".to_owned(), "2".to_owned())];
        let mut times = Times::new();
        let mut findings = BTreeMap::new();
        for (peer, seconds) in [("masker (Rust)", 1e-3), ("slow", 4.0)] {
            times.insert((peer.to_owned(), "prose".to_owned(), "detect".to_owned()), vec![9.0, seconds, 0.0]);
            findings.insert((peer.to_owned(), "prose".to_owned()), "37".to_owned());
        }
        let bytes = BTreeMap::from([("prose".to_owned(), 1_000_000)]);
        let text = tables(&peers, &times, &findings, &bytes, &["gone: did not run".to_owned()]);
        assert!(text.contains("1000 MB/s (37)") && text.contains("0.250 MB/s (37)"), "{text}");
        assert!(text.contains("4000"), "{text}");
        assert!(text.ends_with("- gone: did not run\n"), "{text}");
    }
}
