//! `cargo xtask bench-smoke`: every benchmark once, so that they keep building and their expected counts keep holding.

use crate::shell::{self, Outcome, Workspace};

/// Linking with LTO takes longer than a run that times nothing.
pub(crate) const WITHOUT_LTO: (&str, &str) = ("CARGO_PROFILE_BENCH_LTO", "false");

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let (switch, off) = WITHOUT_LTO;
    shell::run(workspace.cargo(["bench", "--package", "masker-benches", "--", "--test"]).env(switch, off))
}
