//! `cargo xtask instructions`: counts instructions with valgrind and compares them with what was recorded.
//!
//! Times on shared machines lie; a count is the same every time, for one compiler and one kind of processor.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::shell::{self, Outcome, Workspace};

const FILE: &str = "benches/instructions.toml";
/// How much above what was recorded is let through, in percent: the noise of addresses is a tenth of it.
const SLACK: u64 = 3;
/// The same for texts made to be slow: some spend their time in the states that a lazy automaton looks up by a hash with
/// a seed of the process, and swing by some percent from run to run.
const SLACK_OF_WORST: u64 = 10;
/// What the names of those texts' jobs begin with.
const WORST: &str = "worst ";
/// How much more than twice the work twice the text may cost, in percent.
const GROWTH: u64 = 15;

/// Whether to compare with the recorded counts, or to write them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Check,
    Record,
}

pub(crate) fn run(workspace: &Workspace, mode: Mode) -> Outcome {
    let Ok(version) = shell::capture(Command::new("valgrind").arg("--version")) else {
        if mode == Mode::Check && std::env::var_os("CI").is_none_or(|value| value != "true") {
            println!("skipped: valgrind is not installed, and instructions are counted with it");
            return Ok(());
        }
        return Err("valgrind is not installed; the package of that name has it".to_owned());
    };
    let compiler = shell::capture(Command::new("rustc").arg("--version"))?;
    let environment = format!("{}, {}", compiler.trim(), version.trim());
    let counts = count(workspace)?;
    if mode == Mode::Record {
        let path = workspace.path(FILE);
        std::fs::write(&path, to_toml(&environment, &counts))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let recorded = Recorded::from_toml(&workspace.read(FILE)?)?;
    println!("{:<28} {:>8} {:>14} {:>10} {:>9}", "job", "bytes", "instructions", "per byte", "recorded");
    for count in &counts {
        let per_byte = count.instructions as f64 / count.bytes as f64;
        let change = recorded.counts.get(&count.name).map_or("new".to_owned(), |before| {
            format!("{:+.1} %", (count.instructions as f64 / *before as f64 - 1.0) * 100.0)
        });
        println!(
            "{:<28} {:>8} {:>14} {per_byte:>10.1} {change:>9}",
            count.name, count.bytes, count.instructions
        );
    }
    let faults = faults(&counts, &recorded);
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    if recorded.environment != environment {
        println!("note: recorded with {}, counted with {environment}", recorded.environment);
    }
    Err(format!(
        "{} jobs cost too much; where that is meant, run `cargo xtask instructions --record` and say why in the commit",
        faults.len()
    ))
}

/// One job of the counted program.
#[derive(Debug)]
struct Count {
    name: String,
    bytes: u64,
    instructions: u64,
}

/// Runs the program under callgrind, which writes one file each time the measured function returns.
fn count(workspace: &Workspace) -> Result<Vec<Count>, String> {
    // Beside the Python package and with its features, so that whoever has built that has compiled the core already.
    shell::run(&mut workspace.cargo([
        "build",
        "--release",
        "--no-default-features",
        "--package",
        "masker-py",
        "--package",
        "masker-benches",
        "--bin",
        "instructions",
    ]))?;
    let folder = workspace.target().join("instructions");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let dumps = folder.join("count");
    let jobs = shell::capture(
        Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind"])
            .arg("--toggle-collect=instructions::measured")
            .arg("--dump-after=instructions::measured")
            .arg(format!("--callgrind-out-file={}", dumps.display()))
            .arg(workspace.target().join("release").join("instructions")),
    )?;
    let counts: Vec<Count> = jobs
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let (name, bytes) = line.split_once('\t').ok_or_else(|| format!("not a job: {line}"))?;
            let bytes = bytes.parse().map_err(|_| format!("not a number of bytes: {line}"))?;
            let instructions = total(&dumps.with_extension((at + 1).to_string()))?;
            Ok(Count { name: name.to_owned(), bytes, instructions })
        })
        .collect::<Result<_, String>>()?;
    if counts.iter().any(|count| count.instructions < count.bytes / 64) {
        return Err("callgrind saw almost no instruction: the measured function has another name".to_owned());
    }
    Ok(counts)
}

/// The sum in one file of callgrind's.
fn total(path: &Path) -> Result<u64, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    text.lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .and_then(|sum| sum.trim().parse().ok())
        .ok_or_else(|| format!("no sum in {}", path.display()))
}

/// What the file holds.
#[derive(Debug)]
struct Recorded {
    environment: String,
    counts: BTreeMap<String, u64>,
}

impl Recorded {
    fn from_toml(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("{FILE}: {error}"))?;
        let environment = table.get("environment").and_then(toml::Value::as_str).unwrap_or_default();
        let counts = table.get("instructions").and_then(toml::Value::as_table);
        let counts = counts
            .ok_or_else(|| format!("{FILE}: no [instructions]"))?
            .iter()
            .map(|(name, value)| {
                let count = value.as_integer().and_then(|count| u64::try_from(count).ok());
                Ok((name.clone(), count.ok_or_else(|| format!("{FILE}: {name} is no count"))?))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { environment: environment.to_owned(), counts })
    }
}

fn to_toml(environment: &str, counts: &[Count]) -> String {
    let lines: String =
        counts.iter().map(|count| format!("{:?} = {}\n", count.name, count.instructions)).collect();
    format!(
        "# Written by `cargo xtask instructions --record`: what each job cost, and with what it was counted.\n\
         environment = {environment:?}\n\n[instructions]\n{lines}"
    )
}

/// Every job above its ceiling, every text that costs more than its length explains, and every line that fits no job.
fn faults(counts: &[Count], recorded: &Recorded) -> Vec<String> {
    let mut faults = Vec::new();
    for count in counts {
        let slack = if count.name.starts_with(WORST) { SLACK_OF_WORST } else { SLACK };
        match recorded.counts.get(&count.name) {
            Some(before) if count.instructions * 100 > before * (100 + slack) => faults.push(format!(
                "{}: {} instructions, more than {slack} % above the recorded {before}",
                count.name, count.instructions
            )),
            Some(_) => {}
            None => faults.push(format!("{}: not recorded", count.name)),
        }
    }
    for name in recorded.counts.keys().filter(|name| !counts.iter().any(|count| count.name == **name)) {
        faults.push(format!("{name}: recorded, but no such job"));
    }
    for pair in counts.windows(2) {
        let [half, whole] = pair else { continue };
        let same = half.name.rsplit_once(' ').map(|(text, _)| text)
            == whole.name.rsplit_once(' ').map(|(text, _)| text);
        let is_worst = half.name.starts_with(WORST);
        if is_worst && same && whole.instructions * 100 > half.instructions * 2 * (100 + GROWTH) {
            faults.push(format!(
                "{}: {} instructions, {} at half the length: it grows faster than the text",
                whole.name, whole.instructions, half.instructions
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, instructions: u64) -> Count {
        Count { name: name.to_owned(), bytes: 100, instructions }
    }

    #[test]
    fn what_is_written_is_read() {
        let counts = [job("detect prose", 1000), job("worst (\"\\ 32", 7)];
        let recorded = Recorded::from_toml(&to_toml("rustc 1, valgrind-3", &counts)).unwrap();
        assert_eq!(recorded.environment, "rustc 1, valgrind-3");
        assert_eq!(recorded.counts["worst (\"\\ 32"], 7);
        assert_eq!(faults(&counts, &recorded), [""; 0]);
    }

    #[test]
    fn ceilings() {
        let recorded =
            Recorded::from_toml(&to_toml("", &[job("a", 1000), job("worst b 32", 1000), job("gone", 1)]))
                .unwrap();
        let within = [job("a", 1030), job("worst b 32", 1100), job("gone", 1)];
        assert_eq!(faults(&within, &recorded), [""; 0]);
        let found = faults(&[job("a", 1031), job("b", 5), job("worst b 32", 1101)], &recorded);
        assert!(found[0].starts_with("a: 1031 instructions"), "{found:?}");
        assert!(found[2].starts_with("worst b 32: 1101 instructions"), "{found:?}");
        assert_eq!([&found[1], &found[3]], ["b: not recorded", "gone: recorded, but no such job"]);
    }

    #[test]
    fn growth() {
        let counts = [job("worst 1- 32", 1000), job("worst 1- 64", 2300), job("worst 1. 32", 9000)];
        let recorded = Recorded::from_toml(&to_toml("", &counts)).unwrap();
        assert_eq!(faults(&counts, &recorded), [""; 0]);
        let counts = [job("worst 1- 32", 1000), job("worst 1- 64", 2301)];
        let recorded = Recorded::from_toml(&to_toml("", &counts)).unwrap();
        assert!(faults(&counts, &recorded)[0].contains("grows faster"));
    }
}
