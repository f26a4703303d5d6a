//! `cargo xtask node`: builds the Node package and runs its tests.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::shell::{self, Outcome, Workspace};

const FOLDER: &str = "masker-node";
/// The oldest Node that the package runs on.
const OLDEST: u32 = 20;

/// Installs what the tests need from the registry of packages, builds addon and adapters, and runs every test of the package.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    check_version()?;
    let folder = workspace.path(FOLDER);
    if !is_installed(&folder) {
        shell::run(&mut npm(&folder, &["ci", "--no-audit", "--no-fund"]))?;
    }
    shell::run(&mut npm(&folder, &["run", "build"]))?;
    shell::run(&mut npm(&folder, &["test"]))
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
