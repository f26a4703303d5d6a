//! `cargo xtask bench-smoke`: every benchmark once, so that they keep building and their expected counts keep holding.

use crate::shell::{self, Outcome, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    // With everything as the tests have it, since optimising it all takes longer than a run that times nothing.
    let compiled = ["--workspace", "--all-features", "--profile", "dev"];
    let run = ["--bench", "*", "--", "--test"];
    shell::run(&mut workspace.cargo(["bench"].into_iter().chain(compiled).chain(run)))
}
