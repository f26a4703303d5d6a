//! `cargo xtask bench`: the budgets, measured, in one table; with `--peers` the peers beside them.

pub(crate) mod machine;
mod measures;
mod peers;
pub(crate) mod table;

use std::process::Command;
use std::time::Instant;

use self::table::Row;
use crate::shell::{self, Outcome, Workspace};

/// What else to do besides measuring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    peers: bool,
    record: bool,
    check: bool,
}

impl Options {
    /// Reads the options behind the command; nothing where one is unknown.
    pub(crate) fn from_arguments(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match *argument {
                "--peers" => options.peers = true,
                "--record" => options.record = true,
                "--check" => options.check = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    shell::run(&mut workspace.cargo([
        "build",
        "--release",
        "--locked",
        "--package",
        "masker-benches",
        "--package",
        "masker-cli",
        "--no-default-features",
        "--features",
        "masker-benches/vaults",
        "--bins",
    ]))?;
    let begun = Instant::now();
    let machine = machine::line()?;
    let rows = measures::all(workspace)?;
    let mut report = format!("{machine}\n\n{}", table::of(&rows));
    println!("\n{report}");
    if options.peers {
        let beside = peers::run(workspace)?;
        println!("\n{beside}");
        report += &format!("\n{beside}");
    }
    println!("measured in {} s", begun.elapsed().as_secs());
    if options.record {
        record(workspace, &report)?;
    }
    let missed: Vec<&Row> = rows.iter().filter(|row| row.is_missed()).collect();
    if missed.is_empty() || !options.check {
        return Ok(());
    }
    let names: Vec<String> = missed.iter().map(|row| format!("{} {}", row.payload, row.what)).collect();
    Err(format!("{} budgets missed: {}", missed.len(), names.join(", ")))
}

/// Writes `benches/record/<date>-speed.md`, over what the same day already recorded.
fn record(workspace: &Workspace, report: &str) -> Outcome {
    let date = shell::capture(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let date = date.trim();
    let path = workspace.path(format!("benches/record/{date}-speed.md"));
    let text = format!(
        "# Speed\n\n{date}, by `cargo xtask bench`; [docs/performance.md](../../docs/performance.md) says how it is measured.\n\n{report}"
    );
    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}
