//! A copy of the tree as a clone would have it, to build in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Workspace};

/// Copies everything that is not ignored into an empty folder.
pub(super) fn copy(workspace: &Workspace, to: &Path) -> Result<Workspace, String> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(|error| format!("cannot empty {}: {error}", to.display()))?;
    }
    let mut git = Command::new("git");
    git.current_dir(workspace.path("")).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    for name in shell::capture(&mut git)?.split_terminator('\0') {
        let (from, to) = (workspace.path(name), to.join(name));
        // A file that was deleted and not yet committed.
        if !from.exists() {
            continue;
        }
        let copied = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(&from, &to));
        copied.map_err(|error| format!("cannot copy {name}: {error}"))?;
    }
    Ok(Workspace::at(to.to_path_buf()))
}

/// Where the release chores build and write.
pub(super) fn folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target().join("release-shape").join(name)
}
