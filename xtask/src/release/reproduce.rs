//! The same bytes from the same sources, wherever they lie.

use std::path::Path;

use super::{dist, tree};
use crate::shell::{Outcome, Workspace};

/// Holds the program that is released against one built from a copy of the sources in another folder.
pub(super) fn binary(workspace: &Workspace) -> Outcome {
    let here = dist::program(workspace, None)?;
    let copy = tree::copy(workspace, &tree::folder(workspace, "reproduce/program"))?;
    compare("the program", &here, &dist::build(&copy, &copy.path("target"), None)?)
}

/// Holds the wheel that is released against one built from a copy of the sources in another folder.
pub(super) fn wheel(workspace: &Workspace) -> Outcome {
    let here = dist::wheel(workspace)?;
    let copy = tree::copy(workspace, &tree::folder(workspace, "reproduce/wheel"))?;
    compare("the wheel", &here, &dist::build_wheel(workspace, &copy, &copy.path("target"))?)
}

fn compare(what: &str, here: &Path, there: &Path) -> Outcome {
    let mut sums = Vec::new();
    for made in [here, there] {
        let sum = dist::sha256(&dist::read(made)?);
        println!("{sum}  {}", made.display());
        sums.push(sum);
    }
    if sums[0] == sums[1] { Ok(()) } else { Err(format!("{what} differs with the folder it is built in")) }
}
