//! `cargo xtask deny`: licences and sources of every dependency, by `deny.toml`.

use serde_json::Value;

use crate::packages;
use crate::shell::{self, Outcome, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let installed =
        workspace.cargo(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if installed {
        return shell::run(&mut workspace.cargo([
            "deny",
            "--offline",
            "check",
            "licenses",
            "bans",
            "sources",
        ]));
    }
    println!("cargo-deny is not installed: checking licences, bans and sources from cargo's metadata");
    let rules = Rules::from_toml(&workspace.read("deny.toml")?)?;
    let metadata = packages::metadata(workspace)?;
    let found = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let faults: Vec<String> = found.iter().filter_map(|package| rules.fault_of(package)).collect();
    shell::report(&faults, &format!("deny: {} packages allowed", found.len()), "packages not allowed")
}

/// The part of `deny.toml` that needs no database.
#[derive(Debug)]
struct Rules {
    licences: Vec<String>,
    exceptions: Vec<(String, Vec<String>)>,
    banned: Vec<String>,
    registries: Vec<String>,
}

impl Rules {
    fn from_toml(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let strings = |value: Option<&toml::Value>| -> Vec<String> {
            let items = value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
            items
                .iter()
                .filter_map(|item| item.as_str().or_else(|| crate_name(item)))
                .map(str::to_owned)
                .collect()
        };
        let licences = table.get("licenses").ok_or("deny.toml: no [licenses]")?;
        let exceptions =
            licences.get("exceptions").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            licences: strings(licences.get("allow")),
            exceptions: exceptions
                .iter()
                .filter_map(|item| Some((crate_name(item)?.to_owned(), strings(item.get("allow")))))
                .collect(),
            banned: strings(table.get("bans").and_then(|bans| bans.get("deny"))),
            registries: strings(table.get("sources").and_then(|sources| sources.get("allow-registry"))),
        })
    }

    fn fault_of(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let label = format!("{name} {}", package["version"].as_str().unwrap_or_default());
        // Members of the workspace have no source.
        if let Some(source) = package["source"].as_str() {
            let known =
                source.strip_prefix("registry+").is_some_and(|url| self.registries.iter().any(|r| r == url));
            if !known {
                return Some(format!("{label}: not from an allowed registry"));
            }
        }
        if self.banned.iter().any(|banned| banned == name) {
            return Some(format!("{label}: banned in deny.toml"));
        }
        let Some(expression) = package["license"].as_str() else {
            return Some(format!("{label}: names no licence"));
        };
        let extra = self
            .exceptions
            .iter()
            .find(|(exception, _)| exception == name)
            .map(|(_, allow)| allow.as_slice());
        let allowed = |licence: &str| {
            self.licences.iter().chain(extra.unwrap_or_default()).any(|allowed| allowed == licence)
        };
        (!satisfied(expression, &allowed))
            .then(|| format!("{label}: licence {expression} is not on the list"))
    }
}

fn crate_name(item: &toml::Value) -> Option<&str> {
    item.get("crate").or_else(|| item.get("name")).and_then(toml::Value::as_str)
}

/// Whether an SPDX expression can be met with allowed licences alone. An expression that cannot be read is not met.
pub(crate) fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    // Old manifests write a slash for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at, allowed);
    met == Some(true) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = both(words, at, allowed)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed)?;
    }
    Some(met)
}

fn both(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = one(words, at, allowed)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed)?;
    }
    Some(met)
}

fn one(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let met = either(words, at, allowed)?;
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(met);
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1)?;
        *at += 2;
        return Some(allowed(&format!("{word} WITH {exception}")));
    }
    Some(allowed(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn met(expression: &str) -> bool {
        satisfied(expression, &|licence| {
            ["MIT", "BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"].contains(&licence)
        })
    }

    #[test]
    fn expressions() {
        assert!(met("MIT"));
        assert!(met("MIT OR GPL-3.0"));
        assert!(met("GPL-3.0/MIT"));
        assert!(met("(GPL-3.0 OR MIT) AND BSD-3-Clause"));
        assert!(met("Apache-2.0 WITH LLVM-exception"));
        assert!(!met("MIT AND GPL-3.0"));
        assert!(!met("Apache-2.0 WITH other"));
        assert!(!met("(MIT"));
        assert!(!met("MIT MIT"));
        assert!(!met(""));
    }

    #[test]
    fn packages() {
        let rules = Rules::from_toml(
            r#"
            [licenses]
            allow = ["MIT"]
            exceptions = [{ crate = "odd", allow = ["Zlib"] }]
            [bans]
            deny = [{ crate = "bad", reason = "r" }]
            [sources]
            allow-registry = ["https://registry.example/index"]
            "#,
        )
        .unwrap();
        let fault = |name: &str, licence: &str, source: &str| {
            rules.fault_of(&json!({ "name": name, "version": "1", "license": licence, "source": source }))
        };
        let registry = "registry+https://registry.example/index";
        assert_eq!(fault("good", "MIT", registry), None);
        assert_eq!(fault("odd", "Zlib", registry), None);
        assert!(fault("good", "Zlib", registry).is_some());
        assert!(fault("bad", "MIT", registry).is_some());
        assert!(fault("good", "MIT", "git+https://example.com/x").is_some());
        assert!(
            rules
                .fault_of(&json!({ "name": "x", "version": "1", "license": null, "source": null }))
                .is_some()
        );
    }
}
