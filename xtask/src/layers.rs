//! `cargo xtask layers`: arrows point down only, between modules of the core and between crates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome, Workspace};
use crate::source;

/// The modules of masker-core; each may use those before it.
const ORDER: &[&str] = &[
    "span",
    "offsets",
    "secret",
    "view",
    "kinds",
    "lexicon",
    "detect",
    "resolve",
    "policy",
    "token",
    "vault",
    "error",
    "engine",
    "conversation",
    "payload",
    "audit",
];

/// The members of the workspace that others build on, and which members each may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("masker-core", &[]),
    ("masker-server", &["masker-core"]),
    ("masker-cli", &["masker-core", "masker-server"]),
    ("masker-py", &["masker-core"]),
    ("masker-node", &["masker-core"]),
    ("benches", &["masker-core"]),
    ("fuzz/bodies", &["masker-core"]),
    ("xtask", &["masker-core"]),
];

/// Crates that would tie the core to one surface.
const NOT_IN_CORE: &[&str] = &["axum", "clap", "napi", "napi-derive", "pyo3", "reqwest", "tokio"];

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut faults = Vec::new();
    let exports = source::re_exports(&workspace.read("masker-core/src/lib.rs")?);
    let root = workspace.path("masker-core/src");
    for file in rust_files(&root)? {
        let below = file.strip_prefix(&root).expect("the file was listed below the root");
        if below == Path::new("lib.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        faults.extend(faults_in(below, &text, &exports));
    }
    for (member, allowed) in CRATES {
        let manifest = workspace.read(format!("{member}/Cargo.toml"))?;
        faults.extend(crate_faults(member, allowed, &manifest)?);
    }
    let sound = format!("layers: {} modules and {} crates in order", ORDER.len(), CRATES.len());
    shell::report(&faults, &sound, "arrows against the order")
}

/// Faults of one file of the core, given its path below `src`.
fn faults_in(file: &Path, text: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let parts: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let shown = format!("masker-core/src/{}", file.display());
    let module = &parts[0];
    let Some(own) = rank(module) else {
        return vec![format!("{shown}: module {module} has no place in the order")];
    };
    let depth = parts.len() - usize::from(parts.last().is_some_and(|last| last == "mod"));
    let mut faults = Vec::new();
    for path in source::root_paths(text, depth) {
        let target = exports.get(&path.first).unwrap_or(&path.first);
        match rank(target) {
            Some(rank) if rank <= own => {}
            Some(_) => {
                faults.push(format!(
                    "{shown}:{}: {module} must not use {target}, which stands above it",
                    path.line
                ));
            }
            None => faults.push(format!(
                "{shown}:{}: crate::{} belongs to no module in the order",
                path.line, path.first
            )),
        }
    }
    faults
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// Faults of one manifest: members it may not depend on.
fn crate_faults(member: &str, allowed: &[&str], manifest: &str) -> Result<Vec<String>, String> {
    let manifest: toml::Table = manifest.parse().map_err(|error| format!("{member}/Cargo.toml: {error}"))?;
    let mut dependencies = BTreeSet::new();
    collect_dependencies(&manifest, &mut dependencies);
    let members: Vec<&str> = CRATES.iter().map(|(name, _)| *name).collect();
    let mut faults = Vec::new();
    for dependency in &dependencies {
        let name = dependency.as_str();
        if members.contains(&name) && !allowed.contains(&name) {
            faults.push(format!("{member} must not depend on {name}"));
        }
        if member == "masker-core" && NOT_IN_CORE.contains(&name) {
            faults.push(format!("masker-core must not depend on {name}: it belongs to one surface"));
        }
    }
    Ok(faults)
}

/// Names in every dependency table, those under `target` and those renamed included.
fn collect_dependencies(table: &toml::Table, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                for (name, details) in inner {
                    let package = details.get("package").and_then(toml::Value::as_str);
                    found.insert(package.unwrap_or(name).to_owned());
                }
            }
            "target" => {
                for platform in inner.values().filter_map(toml::Value::as_table) {
                    collect_dependencies(platform, found);
                }
            }
            _ => {}
        }
    }
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(file: &str, text: &str) -> Vec<String> {
        let exports = source::re_exports("pub use self::engine::Masker; pub use self::span::Span;");
        faults_in(Path::new(file), text, &exports)
    }

    #[test]
    fn down_is_allowed_and_up_is_not() {
        assert!(
            faults("engine/mod.rs", "use crate::vault::Vault; use crate::engine::x; use crate::Span;")
                .is_empty()
        );
        assert_eq!(
            faults("token/format.rs", "use crate::vault::Vault;"),
            ["masker-core/src/token/format.rs:1: token must not use vault, which stands above it"]
        );
        assert_eq!(faults("span.rs", "#[cfg(test)]\nmod tests { use crate::Masker; }").len(), 1);
        assert_eq!(faults("kinds/dates.rs", "use super::super::policy;").len(), 1);
        assert_eq!(faults("kinds/mod.rs", "use super::policy;").len(), 1);
    }

    #[test]
    fn what_has_no_place_is_a_fault() {
        assert_eq!(faults("helpers.rs", "").len(), 1);
        assert_eq!(faults("engine/mod.rs", "use crate::helpers;").len(), 1);
    }

    #[test]
    fn crates_see_only_what_they_may() {
        let manifest = "[dependencies]\nmasker-core.workspace = true\n[target.'cfg(unix)'.dev-dependencies]\nx = { package = \"masker-cli\", path = \"..\" }";
        assert_eq!(
            crate_faults("masker-py", &["masker-core"], manifest).unwrap(),
            ["masker-py must not depend on masker-cli"]
        );
        assert_eq!(crate_faults("masker-core", &[], "[dependencies]\npyo3 = \"1\"").unwrap().len(), 1);
    }
}
