//! `cargo xtask soak`: mixed load on the server and on one masker from Rust, Python and Node, side by side.
//!
//! Each program measures itself, fails on an error or on growth behind its warm-up, and says on one line what it did.

use std::process::Command;
use std::thread;

use crate::shell::{self, Outcome, Workspace};
use crate::{node, python};

const MINUTES: u32 = 30;

/// Reads the options behind the command; nothing where one is wrong.
pub(crate) fn minutes(arguments: &[&str]) -> Option<u32> {
    match arguments {
        [] => Some(MINUTES),
        ["--minutes", number] => number.parse().ok().filter(|minutes| *minutes > 0),
        _ => None,
    }
}

pub(crate) fn run(workspace: &Workspace, minutes: u32) -> Outcome {
    let seconds = (u64::from(minutes) * 60).to_string();
    let tests = ["test", "--release", "--locked", "--package", "masker-cli", "--test", "soak"];
    shell::run(&mut workspace.cargo(tests.into_iter().chain(["--no-run"])))?;
    let rust = |name: &'static str| {
        let behind = ["--", "--ignored", "--nocapture", "--exact", name];
        let mut command = workspace.cargo(tests.into_iter().chain(behind));
        command.env("MASKER_SOAK_SECONDS", &seconds);
        command
    };
    let programs = [
        rust("the_server"),
        rust("one_masker"),
        python::soak(workspace, &seconds)?,
        node::soak(workspace, &seconds)?,
    ];
    println!("load for {minutes} minutes");
    let reports: Vec<Result<Vec<Report>, String>> = thread::scope(|scope| {
        let running: Vec<_> =
            programs.into_iter().map(|program| scope.spawn(move || report_of(program))).collect();
        running.into_iter().map(|one| one.join().expect("running a program does not panic")).collect()
    });
    let mut failures = Vec::new();
    let mut table = String::from("| process | what | warm | at the end |\n| --- | --- | --- | --- |\n");
    for report in reports {
        match report {
            Ok(lines) => table.extend(lines.iter().map(Report::row)),
            Err(failure) => failures.push(failure),
        }
    }
    println!("\n{table}");
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn report_of(mut program: Command) -> Result<Vec<Report>, String> {
    let output = shell::capture(&mut program)?;
    let reports: Vec<Report> = output.lines().filter_map(Report::read).collect();
    if reports.is_empty() {
        Err(format!("a program of the soak said nothing of itself:\n{output}"))
    } else {
        Ok(reports)
    }
}

/// What a program says of itself: `name: seconds 60, rounds 5, …, warm_mb 31.0, end_mb 31.2`.
#[derive(Debug, PartialEq)]
struct Report {
    name: String,
    counts: String,
    warm_mb: f64,
    end_mb: f64,
}

impl Report {
    fn read(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(": ")?;
        let pairs: Vec<(&str, &str)> =
            rest.split(", ").map(|pair| pair.split_once(' ')).collect::<Option<_>>()?;
        let size =
            |wanted: &str| -> Option<f64> { pairs.iter().find(|(key, _)| *key == wanted)?.1.parse().ok() };
        let counts = pairs.iter().filter(|(key, _)| !key.ends_with("_mb"));
        let counts: Vec<String> = counts.map(|(key, value)| format!("{value} {key}")).collect();
        Some(Self {
            name: name.to_owned(),
            counts: counts.join(", "),
            warm_mb: size("warm_mb")?,
            end_mb: size("end_mb")?,
        })
    }

    fn row(&self) -> String {
        format!("| {} | {} | {:.1} MB | {:.1} MB |\n", self.name, self.counts, self.warm_mb, self.end_mb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        assert_eq!(minutes(&[]), Some(30));
        assert_eq!(minutes(&["--minutes", "2"]), Some(2));
        assert_eq!(minutes(&["--minutes", "0"]), None);
        assert_eq!(minutes(&["--minutes"]), None);
    }

    #[test]
    fn reports() {
        let report = Report::read("node: seconds 60, calls 12, warm_mb 70.5, end_mb 71.0").unwrap();
        assert_eq!(report.row(), "| node | 60 seconds, 12 calls | 70.5 MB | 71.0 MB |\n");
        assert_eq!(Report::read("running 1 test"), None);
        assert_eq!(Report::read("test the_server: ok"), None);
        assert_eq!(Report::read("node: seconds 60, warm_mb 70.5"), None);
    }
}
