//! One version everywhere, and a changelog that speaks of it.

use serde_json::Value;

use crate::shell::{self, Outcome, Workspace};

/// Fails where a manifest has another version than the workspace, where the changelog has nothing to say, or where `tag`, such
/// as `python-v1.2.3`, does not belong to this version and its heading in the changelog.
pub(crate) fn check(workspace: &Workspace, tag: Option<&str>) -> Outcome {
    let manifest: toml::Table = parsed(workspace, "Cargo.toml")?;
    let version = text(&manifest, &["workspace", "package", "version"]).ok_or("Cargo.toml has no version")?;
    let mut faults = faults_of_members(workspace, &manifest, version)?;
    for (place, found) in versions_of_packages(workspace)? {
        if found != version {
            faults.push(format!("{place} says {found}, and Cargo.toml {version}"));
        }
    }
    faults.extend(faults_of_changelog(&workspace.read("CHANGELOG.md")?, version, tag.is_some()));
    if let Some(tag) = tag {
        faults.extend(fault_of_tag(tag, version));
    }
    shell::report(&faults, &format!("versions: {version} everywhere"), "faults of versions")
}

/// The version of the workspace.
pub(super) fn of(workspace: &Workspace) -> Result<String, String> {
    let manifest: toml::Table = parsed(workspace, "Cargo.toml")?;
    let version = text(&manifest, &["workspace", "package", "version"]).ok_or("Cargo.toml has no version")?;
    Ok(version.to_owned())
}

fn parsed(workspace: &Workspace, path: &str) -> Result<toml::Table, String> {
    workspace.read(path)?.parse().map_err(|error| format!("{path}: {error}"))
}

fn text<'a>(table: &'a toml::Table, path: &[&str]) -> Option<&'a str> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))?.as_str()
}

fn faults_of_members(
    workspace: &Workspace,
    manifest: &toml::Table,
    version: &str,
) -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    let members = manifest["workspace"]["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    for member in members.iter().filter_map(toml::Value::as_str) {
        let path = format!("{member}/Cargo.toml");
        let package = parsed(workspace, &path)?;
        let inherits = package["package"].get("version").and_then(|version| version.get("workspace"));
        if inherits.and_then(toml::Value::as_bool) != Some(true) {
            faults.push(format!("{path} has a version of its own: write `version.workspace = true`"));
        }
        if let Some(asked) = text(manifest, &["workspace", "dependencies", member, "version"])
            && asked != version
        {
            faults.push(format!("Cargo.toml asks for {member} {asked}, and has {version}"));
        }
    }
    Ok(faults)
}

/// Where packages for other languages say their version, and what they say.
fn versions_of_packages(workspace: &Workspace) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let project = parsed(workspace, "masker-py/pyproject.toml")?;
    if let Some(version) = text(&project, &["project", "version"]) {
        // It need not say one: without it maturin takes that of the crate.
        found.push(("masker-py/pyproject.toml".to_owned(), version.to_owned()));
    }
    for (path, pointer) in [
        ("masker-node/package.json", "/version"),
        ("masker-node/package-lock.json", "/version"),
        ("masker-node/package-lock.json", "/packages//version"),
    ] {
        let json: Value =
            serde_json::from_str(&workspace.read(path)?).map_err(|error| format!("{path}: {error}"))?;
        let version = json.pointer(pointer).and_then(Value::as_str).unwrap_or("nothing");
        found.push((path.to_owned(), version.to_owned()));
    }
    let loader = workspace.read("masker-node/index.js")?;
    found.extend(
        versions_of_loader(&loader)
            .into_iter()
            .map(|version| ("masker-node/index.js".to_owned(), version.to_owned())),
    );
    Ok(found)
}

/// The loader of the addon refuses one of another version.
fn versions_of_loader(loader: &str) -> Vec<&str> {
    let mut found: Vec<&str> = loader
        .split("bindingPackageVersion !== '")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next())
        .collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() { vec!["nothing"] } else { found }
}

/// The newest heading is the version's with a day, or, before the tag, `[Unreleased]`; below it stands something.
fn faults_of_changelog(changelog: &str, version: &str, is_tagged: bool) -> Vec<String> {
    let mut sections = changelog.split("\n## ").skip(1);
    let Some(newest) = sections.next() else {
        return vec!["CHANGELOG.md has no heading `## [...]`".to_owned()];
    };
    let heading = newest.lines().next().unwrap_or_default();
    let mut faults = Vec::new();
    let is_dated = heading
        .strip_prefix(&format!("[{version}] - "))
        .is_some_and(|day| day.len() == 10 && day.split('-').all(|part| part.parse::<u16>().is_ok()));
    if !is_dated && (is_tagged || heading != "[Unreleased]") {
        faults.push(format!("CHANGELOG.md begins with `{heading}`, and this is `[{version}] - <day>`"));
    }
    if !newest.lines().any(|line| line.starts_with("- ")) {
        faults.push(format!("CHANGELOG.md says nothing below `{heading}`"));
    }
    faults
}

fn fault_of_tag(tag: &str, version: &str) -> Option<String> {
    let is_ours = ["v", "python-v", "node-v"].iter().any(|kind| tag.strip_prefix(kind) == Some(version));
    (!is_ours).then(|| format!("the tag {tag} is not v{version}, python-v{version} or node-v{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changelog_speaks_of_the_version() {
        let faults = |text: &str, is_tagged| faults_of_changelog(text, "1.2.3", is_tagged).len();
        assert_eq!(faults("# C\n\n## [Unreleased]\n\n- new\n", false), 0);
        assert_eq!(faults("# C\n\n## [Unreleased]\n\n- new\n", true), 1);
        assert_eq!(faults("# C\n\n## [1.2.3] - 2026-11-29\n\n- new\n\n## [1.2.2] - 2026-01-01\n", true), 0);
        assert_eq!(faults("# C\n\n## [1.2.3]\n\n- new\n", true), 1);
        assert_eq!(faults("# C\n\n## [1.2.2] - 2026-11-29\n\n- new\n", false), 1);
        assert_eq!(faults("# C\n\n## [Unreleased]\n\n## [1.2.2] - 2026-11-29\n\n- old\n", false), 1);
        assert_eq!(faults("# C\n", false), 1);
    }

    #[test]
    fn a_tag_belongs_to_the_version() {
        assert_eq!(fault_of_tag("v1.2.3", "1.2.3"), None);
        assert_eq!(fault_of_tag("python-v1.2.3", "1.2.3"), None);
        assert!(fault_of_tag("v1.2.4", "1.2.3").is_some());
        assert!(fault_of_tag("1.2.3", "1.2.3").is_some());
    }

    #[test]
    fn the_loader_names_versions() {
        let line = |version: &str| format!("if (bindingPackageVersion !== '{version}' && x) {{}}\n");
        assert_eq!(versions_of_loader(&(line("1.0.0") + &line("1.0.0"))), ["1.0.0"]);
        assert_eq!(versions_of_loader(&(line("1.0.0") + &line("1.0.1"))), ["1.0.0", "1.0.1"]);
        assert_eq!(versions_of_loader(""), ["nothing"]);
    }
}
