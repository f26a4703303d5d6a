//! `cargo xtask doc`: the documentation, with nothing missing.

use crate::shell::{self, Outcome, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    shell::run(
        workspace
            .cargo(["doc", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings -D missing_docs -D rustdoc::broken_intra_doc_links"),
    )
}
