//! The least versions that the manifests allow.

use crate::release::tree;
use crate::shell::{self, Outcome, Workspace};

/// Resolves every direct dependency to the least version that its requirement allows, and compiles the libraries and the
/// program with these. A requirement that is too low fails here rather than with a user.
pub(super) fn check(workspace: &Workspace) -> Outcome {
    let copy = tree::copy(workspace, &tree::folder(workspace, "minimal"))?;
    let target = tree::folder(workspace, "minimal-target");
    // The resolver's option is unstable; what it writes is a plain lock file, and the build is a plain build.
    let mut resolve = copy.cargo(["-Z", "direct-minimal-versions", "generate-lockfile"]);
    shell::run(resolve.env("RUSTC_BOOTSTRAP", "1"))?;
    for arguments in [
        ["--package", "masker-core", "--all-features"].as_slice(),
        &["--package", "masker-cli", "--package", "masker-py", "--package", "masker-node"],
    ] {
        let check = ["check", "--locked"].iter().chain(arguments);
        shell::run(copy.cargo(check).env("CARGO_TARGET_DIR", &target))?;
    }
    Ok(())
}
