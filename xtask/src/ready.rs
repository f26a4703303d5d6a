//! `cargo xtask ready`: everything that must hold before a change goes in.

use std::time::Instant;

use crate::shell::{Outcome, Workspace};
use crate::{
    bench_smoke, deny, doc, docs, fmt, fuzz, generate, instructions, layers, lint, python, release, test,
};

/// How much to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extent {
    /// What every change needs: under half an hour on two cores.
    Usual,
    /// The long suites as well.
    Full,
}

type Step = (&'static str, fn(&Workspace) -> Outcome);

/// Cheap steps first, so that a slip shows early.
const STEPS: &[Step] = &[
    ("fmt", |workspace| fmt::run(workspace, fmt::Mode::Check)),
    ("layers", layers::run),
    ("deny", deny::run),
    ("release shape", release::check_shape),
    ("gen", |workspace| generate::run(workspace, generate::Mode::Check)),
    ("lint", lint::run),
    ("test", test::run),
    ("python adapters", python::run_adapters),
    ("clients", test::run_clients),
    ("doc", doc::run),
    ("bench-smoke", bench_smoke::run),
    ("instructions", |workspace| instructions::run(workspace, instructions::Mode::Check)),
];

const LONG_STEPS: &[Step] = &[
    ("docs", docs::run),
    ("stranger", test::run_stranger),
    ("long tests", test::run_long),
    ("python clusters", python::run_clusters),
    ("fuzz", fuzz::run_briefly),
];

pub(crate) fn run(workspace: &Workspace, extent: Extent) -> Outcome {
    let start = Instant::now();
    let long: &[Step] = if extent == Extent::Full { LONG_STEPS } else { &[] };
    let mut failed = Vec::new();
    for (name, step) in STEPS.iter().chain(long) {
        println!("\n== {name} (at {} s)", start.elapsed().as_secs());
        // The other steps still run: one report of everything that is wrong beats one at a time.
        if let Err(failure) = step(workspace) {
            eprintln!("error: {failure}");
            failed.push(*name);
        }
    }
    println!("\n== done in {} s", start.elapsed().as_secs());
    if failed.is_empty() { Ok(()) } else { Err(format!("not ready: {}", failed.join(", "))) }
}
