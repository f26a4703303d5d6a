//! What is measured, and what is promised of it: the budgets of the design.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::table::{Row, megabytes_a_second, time};
use crate::shell::{self, Workspace};

/// Processes started to see how long one takes.
const STARTS: usize = 31;
const MEGABYTE: u64 = 1_000_000;

/// All of it, in the order of the table.
pub(super) fn all(workspace: &Workspace) -> Result<Vec<Row>, String> {
    let programs = workspace.target().join("release");
    let mut rows = times(&programs)?;
    rows.extend(start(&programs)?);
    rows.extend(allocations(&programs)?);
    rows.extend(streams(&programs)?);
    rows.extend(lines(&programs, workspace)?);
    Ok(rows)
}

/// One line of `measure`.
struct Timed {
    group: String,
    name: String,
    bytes: u64,
    findings: u64,
    seconds: f64,
}

impl Timed {
    fn read(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.split('\t').collect();
        let [group, name, bytes, findings, seconds] = cells.as_slice() else { return None };
        Some(Self {
            group: (*group).to_owned(),
            name: (*name).to_owned(),
            bytes: bytes.parse().ok()?,
            findings: findings.parse().ok()?,
            seconds: seconds.parse().ok()?,
        })
    }

    fn rate(&self) -> f64 {
        megabytes_a_second(self.bytes, self.seconds)
    }
}

fn times(programs: &Path) -> Result<Vec<Row>, String> {
    let output = shell::capture(&mut program(programs, "measure"))?;
    let timed: Vec<Timed> = output
        .lines()
        .map(|line| Timed::read(line).ok_or_else(|| format!("not a line of measure: {line}")))
        .collect::<Result<_, String>>()?;
    let find = |group: &str, name: &str| timed.iter().find(|t| t.group == group && t.name == name);
    let megabyte_of_prose = find("megabyte", "prose").map_or(f64::NAN, Timed::rate);
    let one_thread = find("batch", "detect_batch, threads 1").map_or(f64::NAN, |one| one.seconds);
    Ok(timed
        .iter()
        .map(|timed| {
            let below = |micros: f64| Some((format!("< {micros} µs"), timed.seconds * 1e6 < micros));
            let mut rate = format!("{:.1} MB/s", timed.rate());
            let budget = match (timed.group.as_str(), timed.name.as_str()) {
                ("utterance", "detect") => below(3.0),
                ("utterance", "mask") => below(8.0),
                ("turn", "mask") => below(50.0),
                ("prose", "detect") => Some((">= 150 MB/s".to_owned(), timed.rate() >= 150.0)),
                ("batch", "detect_batch, threads 2") => {
                    let times = one_thread / timed.seconds;
                    rate += &format!(", {times:.2} x one");
                    Some((">= 1.6 x one".to_owned(), times >= 1.6))
                }
                ("megabyte", name) if name != "prose" => {
                    let slower = megabyte_of_prose / timed.rate();
                    rate += &format!(", {slower:.2} x prose");
                    Some(("<= 5 x prose or >= 20 MB/s".to_owned(), slower <= 5.0 || timed.rate() >= 20.0))
                }
                _ => None,
            };
            Row {
                payload: timed.group.clone(),
                // As code, so that spaces at its end are seen.
                what: if timed.group == "megabyte" {
                    format!("`{}`", timed.name)
                } else {
                    timed.name.clone()
                },
                bytes: Some(timed.bytes),
                findings: Some(timed.findings),
                figure: time(timed.seconds),
                rate,
                budget,
            }
        })
        .collect())
}

/// A cold process to its first mask, from outside, and what then lies in memory.
fn start(programs: &Path) -> Result<Vec<Row>, String> {
    let mut seconds = Vec::new();
    let mut kilobytes = 0;
    for _ in 0..STARTS {
        let started = Instant::now();
        let output = shell::capture(&mut program(programs, "first_mask"))?;
        seconds.push(started.elapsed().as_secs_f64());
        kilobytes = number(&output)?;
    }
    seconds.sort_unstable_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let megabytes = kilobytes as f64 / 1024.0;
    Ok(vec![
        Row {
            payload: "cold process".to_owned(),
            what: "to its end behind the first mask".to_owned(),
            figure: time(median),
            budget: Some(("< 20 ms".to_owned(), median < 0.02)),
            ..Row::default()
        },
        Row {
            payload: "memory".to_owned(),
            what: "resident after the first mask".to_owned(),
            figure: format!("{megabytes:.1} MB"),
            budget: Some(("< 40 MB".to_owned(), megabytes < 40.0)),
            ..Row::default()
        },
    ])
}

fn allocations(programs: &Path) -> Result<Vec<Row>, String> {
    let output = shell::capture(program(programs, "memory").arg("allocations"))?;
    output
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [call, count, bytes] = cells.as_slice() else {
                return Err(format!("not a line of memory: {line}"));
            };
            Ok(Row {
                payload: "allocations".to_owned(),
                what: format!("{call}, a call"),
                figure: (*count).to_owned(),
                rate: format!("{bytes} bytes"),
                ..Row::default()
            })
        })
        .collect()
}

/// The most memory that ten and a hundred megabytes need where they come in parts.
fn streams(programs: &Path) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut before = None;
    for megabytes in [10, 100] {
        let output = shell::capture(program(programs, "memory").arg("stream").arg(megabytes.to_string()))?;
        rows.push(peak("stream masker", megabytes, number(&output)?, before));
        before = Some(number(&output)?);
    }
    Ok(rows)
}

/// `masker detect --format jsonl` from outside: how fast, and the most memory it needs.
fn lines(programs: &Path, workspace: &Workspace) -> Result<Vec<Row>, String> {
    let folder = workspace.target().join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut rows = Vec::new();
    let file = write_lines(programs, &folder, 20)?;
    let bytes = file.metadata().map_err(|error| format!("{}: {error}", file.display()))?.len();
    let mut seconds = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        detect_lines(programs, &file)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_unstable_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let rate = megabytes_a_second(bytes, median);
    rows.push(Row {
        payload: "lines of 1 KB".to_owned(),
        what: "masker detect --format jsonl --jobs 1".to_owned(),
        bytes: Some(bytes),
        figure: time(median),
        rate: format!("{rate:.1} MB/s"),
        budget: Some((">= 60 MB/s".to_owned(), rate >= 60.0)),
        ..Row::default()
    });
    let mut before = None;
    for megabytes in [10, 100] {
        let file = write_lines(programs, &folder, megabytes)?;
        if let Some(kilobytes) = detect_lines(programs, &file)? {
            rows.push(peak("masker detect --format jsonl", megabytes, kilobytes, before));
            before = Some(kilobytes);
        }
    }
    Ok(rows)
}

fn write_lines(programs: &Path, folder: &Path, megabytes: u64) -> Result<PathBuf, String> {
    let path = folder.join(format!("prose-{megabytes}.jsonl"));
    let file = std::fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let bytes = (megabytes * MEGABYTE).to_string();
    let status = program(programs, "payloads").args(["lines", &bytes]).stdout(file).status();
    match status {
        Ok(status) if status.success() => Ok(path),
        Ok(status) => Err(format!("payloads: {status}")),
        Err(error) => Err(format!("cannot start payloads: {error}")),
    }
}

/// Runs the command over a file, and gives the peak of its memory in kilobytes where the system tells it.
fn detect_lines(programs: &Path, file: &Path) -> Result<Option<u64>, String> {
    let mut child = program(programs, "masker")
        .args(["--quiet", "detect", "--format", "jsonl", "--jobs", "1", "--input"])
        .arg(file)
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start masker: {error}"))?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = None;
    loop {
        // The last look before the end is the answer: the peak only ever rises.
        if let Ok(text) = std::fs::read_to_string(&status_file) {
            peak = text
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
                .or(peak);
        }
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(status)) if status.success() => return Ok(peak),
            Ok(Some(status)) => return Err(format!("masker detect: {status}")),
            Err(error) => return Err(format!("masker detect: {error}")),
        }
    }
}

/// A line about a peak; beside one of a smaller input it must not be higher.
fn peak(payload: &str, megabytes: u64, kilobytes: u64, before: Option<u64>) -> Row {
    Row {
        payload: "memory".to_owned(),
        what: format!("peak, {payload}, {megabytes} MB"),
        bytes: Some(megabytes * MEGABYTE),
        figure: format!("{:.1} MB", kilobytes as f64 / 1024.0),
        // What the allocator keeps for later differs from run to run; ten times the text would show as far more.
        budget: before.map(|before| ("does not grow".to_owned(), kilobytes <= before + before / 4)),
        ..Row::default()
    }
}

fn program(programs: &Path, name: &str) -> Command {
    Command::new(programs.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

fn number(output: &str) -> Result<u64, String> {
    output.trim().parse().map_err(|_| format!("not a number: {output}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_measure() {
        let timed = Timed::read("prose\tdetect\t72014\t37\t4.8e-4").unwrap();
        assert_eq!((timed.group.as_str(), timed.bytes, timed.findings), ("prose", 72014, 37));
        assert!((timed.rate() - 150.03).abs() < 0.01);
        assert!(Timed::read("prose\tdetect\t72014\t37").is_none());
    }

    #[test]
    fn a_peak_that_grows_misses() {
        assert!(!peak("x", 10, 1000, None).is_missed());
        assert!(!peak("x", 100, 1250, Some(1000)).is_missed());
        assert!(peak("x", 100, 1251, Some(1000)).is_missed());
    }
}
