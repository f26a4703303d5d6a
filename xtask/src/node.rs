//! `cargo xtask node`: builds the Node package and runs its tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::shell::{self, Outcome, Workspace};

const FOLDER: &str = "masker-node";
/// The oldest Node that the package runs on.
const OLDEST: u32 = 20;

/// Builds the package and runs every test of it.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    test(&build(workspace, shell::run)?)
}

/// Runs every test of the package that was built in this folder.
pub(crate) fn test(folder: &Path) -> Outcome {
    shell::run(&mut npm(folder, &["test"]))
}

/// One masker under calls of every kind for so many seconds, as a command; the package is built before.
pub(crate) fn soak(workspace: &Workspace, seconds: &str) -> Result<Command, String> {
    let folder = build(workspace, shell::run)?;
    let mut command = Command::new("node");
    command.current_dir(folder).args(["--expose-gc", "bench/soak.mjs", "--seconds", seconds]);
    Ok(command)
}

/// Packs the package with the addon of this platform into a folder, and gives the path of the archive.
pub(crate) fn pack(workspace: &Workspace, into: &Path) -> Result<PathBuf, String> {
    let folder = build(workspace, shell::run)?;
    let mut command = npm(&folder, &["pack", "--json", "--pack-destination"]);
    let told = shell::capture(command.arg(into))?;
    let told: Value = serde_json::from_str(&told).map_err(|error| format!("npm pack: {error}"))?;
    let name = told[0]["filename"].as_str().ok_or("npm pack names no file")?;
    Ok(into.join(name))
}

/// Installs what build and tests need from the registry of packages, and builds addon and adapters, by commands run so; gives
/// the package's folder.
pub(crate) fn build(workspace: &Workspace, run: fn(&mut Command) -> Outcome) -> Result<PathBuf, String> {
    check_version()?;
    let folder = workspace.path(FOLDER);
    if !is_installed(&folder) {
        run(&mut npm(&folder, &["ci", "--no-audit", "--no-fund"]))?;
    }
    run(&mut npm(&folder, &["run", "build"]))?;
    Ok(folder)
}

fn check_version() -> Outcome {
    let version = shell::capture(Command::new("node").arg("--version"))
        .map_err(|error| format!("{error}; the Node package needs Node {OLDEST} or newer"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if u32::ge(&major, &OLDEST) => Ok(()),
        _ => Err(format!("node is {}, and the Node package needs {OLDEST} or newer", version.trim())),
    }
}

/// Whether what was installed is what the lock file says.
fn is_installed(folder: &Path) -> bool {
    let changed = |name: &str| -> Option<SystemTime> { folder.join(name).metadata().ok()?.modified().ok() };
    match (changed("node_modules/.package-lock.json"), changed("package-lock.json")) {
        (Some(installed), Some(locked)) => installed >= locked,
        _ => false,
    }
}

fn npm(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(folder);
    command
}
