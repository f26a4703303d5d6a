//! `cargo xtask gen`: files that are made from other files and committed.

mod bill;
mod kinds_page;
mod measured;
mod notices;
mod policy_file;
mod safe_harbor_page;

use crate::lexicon;
use crate::shell::{Outcome, Workspace};

/// Whether to write the files, or to fail where one is not what would be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Check,
    Write,
}

/// One generated file.
#[derive(Debug)]
pub(crate) struct Output {
    /// Path below the workspace root.
    pub(crate) path: &'static str,
    /// Every byte of it.
    pub(crate) content: Vec<u8>,
}

type Generator = fn(&Workspace) -> Result<Vec<Output>, String>;

/// The outputs of each generator come from sources and code alone: no clock, no machine, no order of a hash map.
const GENERATORS: &[Generator] = &[
    word_tables,
    measured::outputs,
    policy_file::outputs,
    |_| Ok(kinds_page::outputs()),
    |_| Ok(safe_harbor_page::outputs()),
    notices::outputs,
    bill::outputs,
];

fn word_tables(workspace: &Workspace) -> Result<Vec<Output>, String> {
    let content = lexicon::packed_lexicon(&workspace.path("masker-core/data/sources"))?;
    Ok(vec![Output { path: "masker-core/data/packed/lexicon.bin", content }])
}

pub(crate) fn run(workspace: &Workspace, mode: Mode) -> Outcome {
    let mut stale = Vec::new();
    let mut compiled_in = false;
    for generator in GENERATORS {
        for output in generator(workspace)? {
            let path = workspace.path(output.path);
            if std::fs::read(&path).is_ok_and(|present| present == output.content) {
                println!("fresh  {}", output.path);
                continue;
            }
            if mode == Mode::Check {
                println!("stale  {}", output.path);
                stale.push(output.path);
                continue;
            }
            let folder = path.parent().expect("an output lies below the root");
            std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            std::fs::write(&path, &output.content).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("wrote  {}", output.path);
            compiled_in |= output.path.starts_with("masker-core/");
        }
    }
    if compiled_in {
        return Err(
            "run cargo xtask gen again: the pages above were made before what is now in the core".to_owned()
        );
    }
    if stale.is_empty() { Ok(()) } else { Err(format!("run cargo xtask gen: stale {}", stale.join(", "))) }
}
