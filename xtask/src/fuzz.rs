//! `cargo xtask fuzz`: runs the fuzz targets under libFuzzer, and says what they did in one table.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use crate::bench::{machine, table};
use crate::shell::{self, Outcome, Workspace};

const TOOL: &str = "0.13.2";
/// Longer inputs find little that shorter ones do not, and cost as much more time as they are longer.
const LONGEST: usize = 4096;
/// An input that takes longer than this is a find.
const SLOWEST_SECONDS: u32 = 20;

/// What to run, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// For each target.
    seconds: u64,
    /// Targets at a time.
    jobs: usize,
    record: bool,
    /// All of them where none is named.
    targets: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seconds: 60, jobs: 1, record: false, targets: Vec::new() }
    }
}

impl Options {
    /// Reads the options behind the command; nothing where one is unknown.
    pub(crate) fn from_arguments(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--seconds" => {
                    options.seconds = arguments.next()?.parse().ok().filter(|seconds| *seconds > 0)?;
                }
                "--jobs" => options.jobs = arguments.next()?.parse().ok().filter(|jobs| *jobs > 0)?,
                "--record" => options.record = true,
                option if option.starts_with('-') => return None,
                target => options.targets.push(target.to_owned()),
            }
        }
        Some(options)
    }
}

/// What one target did.
#[derive(Debug)]
struct Run {
    target: String,
    executions: u64,
    seconds: u64,
    /// Files that hold inputs which broke a promise, took too long or took too much memory.
    found: Vec<PathBuf>,
    /// It did not end as it should.
    failed: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Outcome {
    let known = targets(workspace)?;
    let wanted = if options.targets.is_empty() { known.clone() } else { options.targets.clone() };
    if let Some(unknown) = wanted.iter().find(|target| !known.contains(target)) {
        return Err(format!("there is no fuzz target {unknown}; there are {}", known.join(", ")));
    }
    if shell::capture(&mut workspace.cargo(["fuzz", "--version"])).is_err() {
        return Err(format!("cargo-fuzz is not installed: cargo install cargo-fuzz@{TOOL} --locked"));
    }
    let about = machine::line()?;
    shell::run(fuzz(workspace, "build").args(if wanted.len() == 1 { wanted.as_slice() } else { &[] }))?;

    let queue = Mutex::new(VecDeque::from(wanted));
    let runs = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                let next = || queue.lock().expect("no thread panics").pop_front();
                while let Some(target) = next() {
                    println!("{target}: {} s", options.seconds);
                    let run = one(workspace, &target, options.seconds);
                    runs.lock().expect("no thread panics").push(run);
                }
            });
        }
    });
    let mut runs =
        runs.into_inner().expect("no thread panics").into_iter().collect::<Result<Vec<Run>, String>>()?;
    runs.sort_by(|a, b| a.target.cmp(&b.target));
    let report = report(&about, &runs);
    println!("\n{report}");
    if options.record {
        record(workspace, &report)?;
    }
    let found: Vec<String> =
        runs.iter().flat_map(|run| &run.found).map(|path| path.display().to_string()).collect();
    let failed: Vec<&str> = runs.iter().filter(|run| run.failed).map(|run| run.target.as_str()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} failed: mend the cause, and put what broke it into fuzz/regressions/<target>\n{}",
        failed.join(", "),
        found.join("\n")
    ))
}

/// Every target for a short time, where the tool is there: `cargo test` runs their bodies in any case.
pub(crate) fn run_briefly(workspace: &Workspace) -> Outcome {
    if shell::capture(&mut workspace.cargo(["fuzz", "--version"])).is_err() {
        println!("skipped: cargo-fuzz is not installed");
        return Ok(());
    }
    run(workspace, &Options { seconds: 20, ..Options::default() })
}

/// The targets, by the programs that there are.
fn targets(workspace: &Workspace) -> Result<Vec<String>, String> {
    let manifest: toml::Table =
        workspace.read("fuzz/Cargo.toml")?.parse().map_err(|error| format!("fuzz/Cargo.toml: {error}"))?;
    let programs = manifest.get("bin").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let name = |program: &toml::Value| program.get("name")?.as_str().map(str::to_owned);
    Ok(programs.iter().filter_map(name).collect())
}

/// A command of cargo-fuzz, which needs options of the compiler that are not stable.
fn fuzz(workspace: &Workspace, what: &str) -> Command {
    let mut command = workspace.cargo(["fuzz", what]);
    command.env("RUSTC_BOOTSTRAP", "1").arg("--target-dir").arg(workspace.target().join("fuzz"));
    command
}

fn one(workspace: &Workspace, target: &str, seconds: u64) -> Result<Run, String> {
    let folder = |kind: &str| workspace.path("fuzz").join(kind).join(target);
    let failed = |path: &Path, error| format!("{}: {error}", path.display());
    let (corpus, artifacts) = (folder("corpus"), folder("artifacts"));
    for path in [&corpus, &artifacts] {
        std::fs::create_dir_all(path).map_err(|error| failed(path, error))?;
    }
    let before = list(&artifacts)?;
    let log_path = workspace.target().join(format!("fuzz-{target}.log"));
    let log = std::fs::File::create(&log_path).map_err(|error| failed(&log_path, error))?;
    let mut command = fuzz(workspace, "run");
    // What is new goes to the first folder; the others are read.
    command.arg(target).arg(&corpus).arg(folder("seeds"));
    if folder("regressions").is_dir() {
        command.arg(folder("regressions"));
    }
    command
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-timeout={SLOWEST_SECONDS}"))
        .arg(format!(
            "-dict={}",
            workspace.path("fuzz/dictionaries").join(format!("{target}.dict")).display()
        ))
        .arg("-print_final_stats=1")
        .stdout(Stdio::null())
        .stderr(log);
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("cannot start cargo fuzz: {error}"))?;
    let seconds = start.elapsed().as_secs();
    let found = list(&artifacts)?.into_iter().filter(|path| !before.contains(path)).collect();
    let log = std::fs::read(&log_path).map_err(|error| failed(&log_path, error))?;
    let log = String::from_utf8_lossy(&log);
    let executions =
        executions(&log).ok_or_else(|| format!("{target} did not run; see {}", log_path.display()))?;
    Ok(Run { target: target.to_owned(), executions, seconds, found, failed: !status.success() })
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

/// How many inputs were run, by the statistics at the end of what libFuzzer says, or else by the last line of its progress.
fn executions(log: &str) -> Option<u64> {
    let total = log.lines().rev().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let total = total.and_then(|number| number.trim().parse().ok());
    total.or_else(|| {
        log.lines().rev().find_map(|line| line.strip_prefix('#')?.split_once('\t')?.0.trim().parse().ok())
    })
}

fn report(about: &str, runs: &[Run]) -> String {
    let head = ["target", "executions", "minutes", "found"].map(str::to_owned);
    let rows: Vec<[String; 4]> = runs
        .iter()
        .map(|run| {
            let minutes = format!("{:.1}", run.seconds as f64 / 60.0);
            [run.target.clone(), run.executions.to_string(), minutes, run.found.len().to_string()]
        })
        .collect();
    format!("{about}\n\n{}", table::markdown(&head, &rows))
}

/// Writes `benches/record/<date>-fuzz.md`, over what the same day already recorded.
fn record(workspace: &Workspace, report: &str) -> Outcome {
    let date = shell::capture(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let date = date.trim();
    let path = workspace.path(format!("benches/record/{date}-fuzz.md"));
    let text = format!("# Fuzzing\n\n{date}, by `cargo xtask fuzz`, with the address sanitizer.\n\n{report}");
    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let options =
            Options::from_arguments(&["--seconds", "7", "text", "--record", "json", "--jobs", "2"]).unwrap();
        assert_eq!((options.seconds, options.jobs, options.record), (7, 2, true));
        assert_eq!(options.targets, ["text", "json"]);
        for bad in
            [&["--seconds"][..], &["--seconds", "x"], &["--seconds", "0"], &["--jobs", "0"], &["--fast"]]
        {
            assert!(Options::from_arguments(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn executions_are_counted_where_a_run_ends_and_where_it_breaks() {
        assert_eq!(
            executions("#2\tINITED cov: 1\n#900\tDONE cov: 9\nstat::number_of_executed_units: 1234\n"),
            Some(1234)
        );
        assert_eq!(executions("#2\tINITED cov: 1\n#65536\tpulse  cov: 2\n==7== ERROR\n"), Some(65_536));
        assert_eq!(executions("error: no such target"), None);
    }

    #[test]
    fn every_run_has_its_row() {
        let run = |target: &str, found| Run {
            target: target.to_owned(),
            executions: 1_000_000,
            seconds: 1_230,
            found,
            failed: false,
        };
        let report = report("a machine", &[run("json", vec![]), run("text", vec!["x".into(), "y".into()])]);
        assert!(report.contains("| json   | 1000000    | 20.5    | 0     |"), "{report}");
        assert!(report.contains("| text   | 1000000    | 20.5    | 2     |"), "{report}");
    }
}
