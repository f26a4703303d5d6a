//! `cargo xtask release --dry-run`: everything that a release needs, and nothing published.

mod api;
mod artefacts;
pub(crate) mod dist;
mod minimal;
mod reproduce;
mod rust_version;
mod sbom;
mod tree;
mod versions;

pub(crate) use self::api::{check as check_api, write as write_api};
pub(crate) use self::versions::check as check_versions;

use std::time::Instant;

use crate::deny;
use crate::shell::{Outcome, Workspace};

type Step = (&'static str, fn(&Workspace) -> Outcome);

/// Those that take seconds first; those with a star on their own line of the table build anew what they look at.
const STEPS: &[Step] = &[
    ("versions", |workspace| versions::check(workspace, None)),
    ("licences and sources", deny::run),
    ("rust version", rust_version::check),
    ("api", api::check),
    ("semver", api::check_semver),
    ("oldest rust", rust_version::compile),
    ("minimal versions", minimal::check),
    ("crate", artefacts::check_crate),
    ("python", artefacts::check_python),
    ("node", artefacts::check_node),
    ("binary", artefacts::check_binary),
    ("image", artefacts::check_image),
    ("sbom", artefacts::check_sboms),
    ("reproducible binary", reproduce::binary),
    ("reproducible wheel", reproduce::wheel),
];

/// What takes seconds and needs no build, for every change.
pub(crate) fn check_shape(workspace: &Workspace) -> Outcome {
    versions::check(workspace, None)?;
    rust_version::check(workspace)?;
    artefacts::check_recipes(workspace)
}

/// Runs the steps named, or all.
pub(crate) fn dry_run(workspace: &Workspace, names: &[&str]) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|(step, _)| step != *name)) {
        let known: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("no step is called {unknown}; there are: {}", known.join(", ")));
    }
    let is_wanted = |name: &str| names.is_empty() || names.contains(&name);
    let mut table = String::from("| step | seconds | |\n| --- | --- | --- |\n");
    let mut failed = Vec::new();
    for (name, step) in STEPS.iter().filter(|(name, _)| is_wanted(name)) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = step(workspace);
        let word = if outcome.is_ok() { "ok" } else { "**failed**" };
        table += &format!("| {name} | {} | {word} |\n", start.elapsed().as_secs());
        if let Err(failure) = outcome {
            eprintln!("error: {failure}");
            failed.push(*name);
        }
    }
    println!("\n{table}\nnothing was published");
    if failed.is_empty() { Ok(()) } else { Err(format!("not ready for a release: {}", failed.join(", "))) }
}
