//! The same bytes from the same sources, wherever they lie.

use std::path::{Path, PathBuf};

use super::{dist, tree};
use crate::python;
use crate::shell::{Outcome, Workspace};

/// Two places of different length, each with a target folder of its own inside.
const PLACES: [&str; 2] = ["reproduce/one", "reproduce/another/place"];

/// Builds the program twice from copies of the sources, and compares.
pub(super) fn binary(workspace: &Workspace) -> Outcome {
    twice(workspace, "the program", |copy, into| dist::build(copy, into, None))
}

/// Builds the wheel twice from copies of the sources, and compares.
pub(super) fn wheel(workspace: &Workspace) -> Outcome {
    let time = dist::time(workspace)?.to_string();
    let host = dist::host()?;
    twice(workspace, "the wheel", |copy, into| {
        python::wheel(workspace, copy, &into.join("wheels"), |command| {
            dist::independent_of_place(command, copy, into, &host);
            command.env("CARGO_TARGET_DIR", into).env("SOURCE_DATE_EPOCH", &time);
        })
    })
}

fn twice(
    workspace: &Workspace,
    what: &str,
    build: impl Fn(&Workspace, &Path) -> Result<PathBuf, String>,
) -> Outcome {
    let mut sums = Vec::new();
    for place in PLACES {
        let copy = tree::copy(workspace, &tree::folder(workspace, place))?;
        let made = build(&copy, &copy.path("target"))?;
        let sum = dist::sha256(&dist::read(&made)?);
        println!("{sum}  {}", made.display());
        sums.push(sum);
    }
    if sums[0] == sums[1] { Ok(()) } else { Err(format!("{what} differs with the folder it is built in")) }
}
