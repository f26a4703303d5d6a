//! `cargo xtask bench-smoke`: every benchmark once, so that they keep building and their expected counts keep holding.

use crate::shell::{self, Outcome, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    shell::run(
        workspace
            .cargo(["bench", "--package", "masker-benches", "--", "--test"])
            // Linking with LTO takes longer than the run, and nothing is timed here.
            .env("CARGO_PROFILE_BENCH_LTO", "false"),
    )
}
