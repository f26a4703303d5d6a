//! `cargo xtask api`: the public interface of masker-core as a list, and what a change of it asks of the version.
//!
//! The list is committed, so a change of the interface is seen in review, and the list at the last tag is what the next version
//! is held against: that needs neither a registry nor the sources of the last release.

use std::collections::BTreeSet;
use std::process::Command;

use super::{Verdict, tree, versions};
use crate::shell::{self, Outcome, Workspace};

const PATH: &str = "masker-core/api.txt";

/// Writes the list.
pub(crate) fn write(workspace: &Workspace) -> Outcome {
    let list = list(workspace)?;
    std::fs::write(workspace.path(PATH), &list).map_err(|error| format!("cannot write {PATH}: {error}"))?;
    println!("wrote  {PATH}, {} items", list.lines().count());
    Ok(())
}

/// Fails where the committed list is not what the sources say.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let (present, fresh) = (workspace.read(PATH).unwrap_or_default(), list(workspace)?);
    if present == fresh {
        println!("api: {} items, as recorded", fresh.lines().count());
        return Ok(());
    }
    let change = Change::between(&present, &fresh);
    change.print();
    Err(format!("{PATH} is stale: run cargo xtask api, and read what changed"))
}

/// Fails where what became of the interface since the last release asks for more than the version says.
pub(super) fn check_semver(workspace: &Workspace) -> Result<Verdict, String> {
    let version = versions::of(workspace)?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        shell::capture(git.current_dir(workspace.path("")).args(arguments))
    };
    let tags = git(&["tag", "--list", "v[0-9]*", "--merged", "HEAD", "--sort", "-version:refname"])?;
    // What stands behind a hyphen was on the way to a release.
    let Some(tag) = tags.lines().find(|tag| !tag.contains('-')) else {
        return Ok(Verdict::Skipped(format!(
            "this clone has no tag v*, so there is no release to hold {PATH} against"
        )));
    };
    let (before, now) = (git(&["show", &format!("{tag}:{PATH}")])?, workspace.read(PATH)?);
    let change = Change::between(&before, &now);
    change.print();
    let last = tag.trim_start_matches('v');
    if change.is_allowed(last, &version) {
        println!(
            "semver: {version} may follow {last} with {} items gone and {} new",
            change.gone.len(),
            change.new.len()
        );
        Ok(Verdict::Passed)
    } else {
        Err(format!("{version} may not follow {last}: {} public items went or changed", change.gone.len()))
    }
}

/// One line for each public item, by rustdoc's JSON, which stable Rust writes when told that it may.
fn list(workspace: &Workspace) -> Result<String, String> {
    let target = tree::folder(workspace, "api-target");
    let mut command =
        workspace.cargo(["rustdoc", "--locked", "--package", "masker-core", "--lib", "--all-features"]);
    command.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    shell::run(command.env("CARGO_TARGET_DIR", &target).env("RUSTC_BOOTSTRAP", "1"))?;
    // Auto traits are asserted by a test of the crate, and blanket implementations are those of others.
    let api = public_api::Builder::from_rustdoc_json(target.join("doc/masker_core.json"))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .map_err(|error| {
            format!("cannot read what rustdoc wrote: {error}; the list is made with the Rust of CI")
        })?;
    let items: BTreeSet<String> = api.items().map(|item| item.to_string() + "\n").collect();
    Ok(items.into_iter().collect())
}

/// What became of a list.
#[derive(Debug)]
struct Change<'a> {
    /// An item that changed is one that went and one that is new.
    gone: Vec<&'a str>,
    new: Vec<&'a str>,
}

impl<'a> Change<'a> {
    fn between(before: &'a str, after: &'a str) -> Self {
        let (old, now): (BTreeSet<&str>, BTreeSet<&str>) =
            (before.lines().collect(), after.lines().collect());
        Self { gone: old.difference(&now).copied().collect(), new: now.difference(&old).copied().collect() }
    }

    fn print(&self) {
        for item in &self.gone {
            println!("- {item}");
        }
        for item in &self.new {
            println!("+ {item}");
        }
    }

    /// Whether `version` may follow `before`, by the rules of Cargo: below 1.0.0 the second number is that of breaking changes.
    fn is_allowed(&self, before: &str, version: &str) -> bool {
        let numbers = |version: &str| -> Vec<u64> {
            // What stands behind a hyphen is a version on the way to that one.
            let release = version.split('-').next().unwrap_or_default();
            release.split('.').filter_map(|part| part.parse().ok()).collect()
        };
        let (before, version) = (numbers(before), numbers(version));
        let ([a, b, _], [c, d, _]) =
            (before[..].first_chunk().unwrap_or(&[0; 3]), version[..].first_chunk().unwrap_or(&[0; 3]));
        if !self.gone.is_empty() {
            return c > a || (*a == 0 && *c == 0 && d > b);
        }
        if !self.new.is_empty() {
            return c > a || d > b || (*a == 0 && version > before);
        }
        version >= before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_asks_for() {
        let (less, more, other) = ("pub fn a()\n", "pub fn a()\npub fn b()\n", "pub fn a(u8)\n");
        let new = Change::between(less, more);
        assert_eq!((new.gone.len(), new.new.as_slice()), (0, ["pub fn b()"].as_slice()));
        let allowed = |before, after, from, to| Change::between(before, after).is_allowed(from, to);
        assert!(allowed(less, more, "1.2.3", "1.3.0") && !allowed(less, more, "1.2.3", "1.2.4"));
        assert!(allowed(less, more, "0.2.3", "0.2.4") && !allowed(less, more, "0.2.3", "0.2.3"));
        for broken in [more, other] {
            assert!(allowed(broken, less, "1.2.3", "2.0.0") && !allowed(broken, less, "1.2.3", "1.3.0"));
            assert!(allowed(broken, less, "0.2.3", "0.3.0") && !allowed(broken, less, "0.2.3", "0.2.4"));
            assert!(allowed(broken, less, "0.2.3", "1.0.0"));
        }
        assert!(allowed(less, less, "1.2.3", "1.2.4") && !allowed(less, less, "1.2.3", "1.2.2"));
        assert!(allowed(other, less, "1.2.3", "2.0.0-rc.1"));
    }
}
