//! The packages of others that an artefact is made of, as cargo resolves them for a member alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::shell::{self, Workspace};

/// A package from the registry that is linked in.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) licence: String,
    pub(crate) authors: Vec<String>,
    /// SHA-256 of what the registry serves, in hex.
    pub(crate) checksum: String,
    /// Its sources on this machine.
    pub(crate) folder: PathBuf,
}

/// Everything that cargo knows of the packages in the lock file.
#[derive(Debug)]
pub(crate) struct Packages {
    known: BTreeMap<(String, String), Package>,
    /// Direct dependencies by name and version, members included.
    uses: BTreeMap<(String, String), BTreeSet<(String, String)>>,
}

impl Packages {
    pub(crate) fn of(workspace: &Workspace) -> Result<Self, String> {
        let metadata = metadata(workspace)?;
        Self::from_metadata(&metadata, &workspace.read("Cargo.lock")?)
    }

    pub(crate) fn from_metadata(metadata: &Value, lock: &str) -> Result<Self, String> {
        let checksums = checksums(lock)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (mut known, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for package in list(&metadata["packages"]) {
            let key = (text(&package["name"]), text(&package["version"]));
            keys.insert(text(&package["id"]), key.clone());
            if package["source"].is_null() {
                continue;
            }
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let one = Package {
                name: key.0.clone(),
                version: key.1.clone(),
                // Old manifests write a slash for OR.
                licence: text(&package["license"]).replace('/', " OR "),
                authors: list(&package["authors"]).iter().map(text).collect(),
                checksum: checksums.get(&key).cloned().unwrap_or_default(),
                folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
            };
            known.insert(key, one);
        }
        let mut uses: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let Some(key) = keys.get(&text(&node["id"])) else { continue };
            let users = uses.entry(key.clone()).or_default();
            users
                .extend(list(&node["deps"]).iter().filter_map(|used| keys.get(&text(&used["pkg"])).cloned()));
        }
        Ok(Self { known, uses })
    }

    /// What the default features of a member link in for a target, or for any that is released where none is named; sorted.
    pub(crate) fn linked(
        &self,
        workspace: &Workspace,
        member: &str,
        target: Option<&str>,
    ) -> Result<Vec<Package>, String> {
        let targets = target.map_or_else(|| released(workspace), |target| Ok(vec![target.to_owned()]))?;
        let arguments = ["tree", "--locked", "--package", member, "--edges", "normal,no-proc-macro"];
        let form = ["--prefix", "none", "--format", "{p}"];
        let targets = targets.iter().flat_map(|target| ["--target", target.as_str()]);
        let tree = shell::capture(&mut workspace.cargo(arguments.into_iter().chain(form).chain(targets)))?;
        let linked: BTreeSet<Package> = tree
            .lines()
            .filter_map(name_and_version)
            .filter_map(|key| self.known.get(&key).cloned())
            .collect();
        Ok(linked.into_iter().collect())
    }

    /// Which of `others` a package or member uses itself.
    pub(crate) fn uses<'a>(&self, name: &str, version: &str, others: &'a [Package]) -> Vec<&'a Package> {
        let used = self.uses.get(&(name.to_owned(), version.to_owned()));
        let is_used = |other: &&Package| {
            used.is_some_and(|used| used.contains(&(other.name.clone(), other.version.clone())))
        };
        others.iter().filter(is_used).collect()
    }
}

/// The targets that packages are released for; those of the Node package are those of all.
fn released(workspace: &Workspace) -> Result<Vec<String>, String> {
    let path = "masker-node/package.json";
    let manifest: Value =
        serde_json::from_str(&workspace.read(path)?).map_err(|error| format!("{path}: {error}"))?;
    let targets = manifest["napi"]["targets"].as_array().ok_or_else(|| format!("{path} names no targets"))?;
    Ok(targets.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// What `cargo metadata` says of the whole workspace with all features.
pub(crate) fn metadata(workspace: &Workspace) -> Result<Value, String> {
    let text = shell::capture(&mut workspace.cargo([
        "metadata",
        "--format-version",
        "1",
        "--all-features",
        "--locked",
    ]))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// Reads `aes v0.9.4 (*)` and `masker-core v0.1.0 (/path)`.
fn name_and_version(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some((name.to_owned(), version.to_owned()))
}

fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>, String> {
    let lock: toml::Table = lock.parse().map_err(|error| format!("Cargo.lock: {error}"))?;
    let packages = lock.get("package").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    Ok(packages
        .iter()
        .filter_map(|package| {
            Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_the_tree() {
        let key = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(name_and_version("aes v0.9.4 (*)"), key("aes", "0.9.4"));
        assert_eq!(name_and_version("masker-core v0.1.0 (/a b)"), key("masker-core", "0.1.0"));
        assert_eq!(name_and_version(""), None);
    }

    #[test]
    fn what_cargo_says() {
        let metadata = json!({
            "packages": [
                { "id": "m", "name": "m", "version": "1.0.0", "source": null, "manifest_path": "/m/Cargo.toml" },
                { "id": "a", "name": "a", "version": "2.0.0", "source": "registry", "license": "MIT/Apache-2.0",
                  "authors": ["A"], "manifest_path": "/r/a/Cargo.toml" },
            ],
            "resolve": { "nodes": [{ "id": "m", "deps": [{ "pkg": "a" }] }] },
        });
        let lock = "[[package]]\nname = \"a\"\nversion = \"2.0.0\"\nchecksum = \"ab\"\n";
        let packages = Packages::from_metadata(&metadata, lock).unwrap();
        let all: Vec<Package> = packages.known.values().cloned().collect();
        assert_eq!(all.len(), 1, "members are no packages of others");
        assert_eq!((all[0].licence.as_str(), all[0].checksum.as_str()), ("MIT OR Apache-2.0", "ab"));
        assert_eq!(all[0].folder, PathBuf::from("/r/a"));
        assert_eq!(packages.uses("m", "1.0.0", &all), [&all[0]]);
        assert!(packages.uses("a", "2.0.0", &all).is_empty());
    }
}
