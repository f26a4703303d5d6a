//! `cargo xtask test`: every test there is.

use std::process::Command;

use crate::shell::{self, Outcome, Workspace};
use crate::{node, python};

/// Runs the unit, integration and doc tests of all crates with all features, and those of the Python and the Node package.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    // Plain `cargo test`: nextest is not on every machine and runs no doc tests.
    let rust = shell::run(&mut workspace.cargo(["test", "--workspace", "--all-features"]));
    // Linking the addon keeps one processor busy for minutes, and so does most of what the Python package waits for.
    let (python, node) = std::thread::scope(|scope| {
        let addon = scope.spawn(|| node::build(workspace, shell::run_silently));
        let python = python::run(workspace);
        (python, addon.join().unwrap_or_else(|_| Err("building the Node package panicked".to_owned())))
    });
    // Each runs whatever became of the others: one report of everything that is wrong beats one at a time.
    rust.and(python).and(node.and_then(|folder| node::test(&folder)))
}

/// The official clients of OpenAI, installed from their registries, against the proxy.
pub(crate) fn run_clients(workspace: &Workspace) -> Outcome {
    shell::run(&mut ignored(workspace, "clients"))
}

/// The pages for newcomers, line by line in a fresh clone of what is committed.
pub(crate) fn run_stranger(workspace: &Workspace) -> Outcome {
    shell::run(ignored(workspace, "docs").arg("--nocapture"))
}

/// A test of the command line that the others leave out; of the whole workspace, as what they run is already compiled.
fn ignored(workspace: &Workspace, test: &str) -> Command {
    workspace.cargo(["test", "--workspace", "--all-features", "--test", test, "--", "--ignored"])
}

/// Tests that make up their cases and are no unit tests, of the core and of the bodies of the fuzz targets.
const RANDOM: [&str; 11] = [
    "arguments",
    "conversation",
    "kill",
    "leaks",
    "payload",
    "pieces",
    "policy",
    "properties",
    "robustness",
    "stream",
    "token",
];

/// A fuzzer, and figures of the server: latency, memory of streams, lists of very many sessions.
const MEASURED: [&str; 3] = ["schema", "load", "volume"];

/// The tests that make up their cases, with many more of them, and those that measure the server; all optimised.
pub(crate) fn run_long(workspace: &Workspace) -> Outcome {
    let seed = fresh_seed();
    println!("MASKER_RANDOM_SEED={seed}");
    shell::run(
        optimised(workspace, &RANDOM)
            .arg("--lib")
            .env("MASKER_RANDOM_CHATS", "2000")
            .env("MASKER_RANDOM_SEED", &seed)
            .env("PROPTEST_CASES", "2000")
            .env("PROPTEST_RNG_SEED", &seed),
    )?;
    shell::run(optimised(workspace, &["kill"]).args(["--", "--kills", "500"]))?;
    let alone = ["--", "--ignored", "--nocapture", "--test-threads=1"];
    shell::run(optimised(workspace, &MEASURED).arg("--no-fail-fast").args(alone))
}

/// Tests of the whole workspace, so that everything is as they are compiled anyway, but for what they spend their time in.
fn optimised(workspace: &Workspace, tests: &[&str]) -> Command {
    let settings = [".cargo/optimised.toml", "test", "--workspace", "--all-features"];
    let mut command = workspace.cargo(["--config"].into_iter().chain(settings));
    command.args(tests.iter().flat_map(|test| ["--test", test]));
    command
}

/// A seed that no earlier run had; it is in the failure message of a property, so a find can be repeated.
fn fresh_seed() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_nanos().to_string().chars().rev().take(18).collect()
}
