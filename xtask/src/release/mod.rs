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

use std::process::Command;
use std::time::Instant;

use crate::deny;
use crate::shell::{self, Outcome, Workspace};

/// What a step came to.
#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    Passed,
    /// What is not on this machine, and what was done without it.
    Skipped(String),
    Failed(String),
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        outcome.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

impl From<Result<Self, String>> for Verdict {
    fn from(result: Result<Self, String>) -> Self {
        result.unwrap_or_else(Self::Failed)
    }
}

struct Step {
    name: &'static str,
    /// Programs without which nothing of it can be done.
    needs: &'static [&'static str],
    run: fn(&Workspace) -> Verdict,
}

/// Those that take seconds first.
const STEPS: &[Step] = &[
    Step { name: "versions", needs: &[], run: |workspace| versions::check(workspace, None).into() },
    Step { name: "licences and sources", needs: &[], run: |workspace| deny::run(workspace).into() },
    Step { name: "rust version", needs: &[], run: |workspace| rust_version::check(workspace).into() },
    Step { name: "api", needs: &[], run: |workspace| api::check(workspace).into() },
    Step { name: "semver", needs: &["git"], run: |workspace| api::check_semver(workspace).into() },
    Step { name: "oldest rust", needs: &[], run: |workspace| rust_version::compile(workspace).into() },
    Step { name: "minimal versions", needs: &["git"], run: |workspace| minimal::check(workspace).into() },
    Step { name: "crate", needs: &[], run: |workspace| artefacts::check_crate(workspace).into() },
    Step { name: "python", needs: &["python3"], run: |workspace| artefacts::check_python(workspace).into() },
    Step { name: "node", needs: &["node", "npm"], run: |workspace| artefacts::check_node(workspace).into() },
    Step { name: "binary", needs: &["git"], run: |workspace| artefacts::check_binary(workspace).into() },
    Step { name: "image", needs: &[], run: |workspace| artefacts::check_image(workspace).into() },
    Step { name: "sbom", needs: &["python3"], run: |workspace| artefacts::check_sboms(workspace).into() },
    Step {
        name: "reproducible binary",
        needs: &["git"],
        run: |workspace| reproduce::binary(workspace).into(),
    },
    Step {
        name: "reproducible wheel",
        needs: &["git", "python3"],
        run: |workspace| reproduce::wheel(workspace).into(),
    },
];

impl Step {
    fn verdict(&self, workspace: &Workspace) -> Verdict {
        let is_missing = |program: &&&str| shell::capture(Command::new(program).arg("--version")).is_err();
        match self.needs.iter().find(is_missing) {
            Some(program) => Verdict::Skipped(format!("there is no {program} here")),
            None => (self.run)(workspace),
        }
    }
}

/// What takes seconds and needs no build, for every change.
pub(crate) fn check_shape(workspace: &Workspace) -> Outcome {
    versions::check(workspace, None)?;
    rust_version::check(workspace)?;
    artefacts::check_recipes(workspace)
}

/// Runs the steps named, or all, which then start without what earlier runs made.
pub(crate) fn dry_run(workspace: &Workspace, names: &[&str]) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("no step is called {unknown}; there are: {}", known.join(", ")));
    }
    if names.is_empty() {
        dist::empty(workspace)?;
    }
    let is_wanted = |step: &&Step| names.is_empty() || names.contains(&step.name);
    let mut table = String::from("| step | seconds | |\n| --- | --- | --- |\n");
    let mut failed = Vec::new();
    for step in STEPS.iter().filter(is_wanted) {
        let name = step.name;
        println!("\n== {name}");
        let start = Instant::now();
        let word = match step.verdict(workspace) {
            Verdict::Passed => "ok".to_owned(),
            Verdict::Skipped(reason) => {
                println!("skipped: {reason}");
                format!("skipped: {reason}")
            }
            Verdict::Failed(failure) => {
                eprintln!("error: {failure}");
                failed.push(name);
                "**failed**".to_owned()
            }
        };
        table += &format!("| {name} | {} | {word} |\n", start.elapsed().as_secs());
    }
    println!("\n{table}\nnothing was published");
    if failed.is_empty() { Ok(()) } else { Err(format!("not ready for a release: {}", failed.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_without_its_program_is_skipped() {
        let workspace = Workspace::at(std::env::temp_dir());
        let step = |needs| Step { name: "x", needs, run: |_| Ok(()).into() };
        assert_eq!(step(&["rustc"]).verdict(&workspace), Verdict::Passed);
        let lacking = step(&["rustc", "no-such-program"]).verdict(&workspace);
        assert_eq!(lacking, Verdict::Skipped("there is no no-such-program here".to_owned()));
    }

    #[test]
    fn what_cannot_be_told_is_a_failure() {
        assert_eq!(Verdict::from(Err::<(), _>("a".to_owned())), Verdict::Failed("a".to_owned()));
        assert_eq!(Verdict::from(Err::<Verdict, _>("a".to_owned())), Verdict::Failed("a".to_owned()));
        assert_eq!(Verdict::from(Ok::<(), String>(())), Verdict::Passed);
    }
}
