//! `cargo xtask fmt`: formatting.

use crate::shell::{self, Outcome, Workspace};

/// Whether to format, or to fail where formatting would change a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Check,
    Write,
}

pub(crate) fn run(workspace: &Workspace, mode: Mode) -> Outcome {
    let mut command = workspace.cargo(["fmt", "--all"]);
    if let Mode::Check = mode {
        command.arg("--check");
    }
    shell::run(&mut command)
}
