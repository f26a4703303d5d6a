//! `cargo xtask lint`: clippy with warnings denied.

use crate::shell::{self, Outcome, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    shell::run(&mut workspace.cargo([
        "clippy",
        "--workspace",
        "--all-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    // The rest of the workspace switches features of the core on; alone it must build without them.
    shell::run(&mut workspace.cargo([
        "clippy",
        "--package",
        "masker-core",
        "--no-default-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}
