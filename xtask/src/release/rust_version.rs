//! The Rust that the workspace promises to build with.

use std::process::Command;

use serde_json::Value;

use super::{Verdict, tree};
use crate::packages;
use crate::shell::{self, Outcome, Workspace};

/// Fails where a package that is linked in declares that it needs a newer Rust than `rust-version` of the workspace. What of
/// the standard library is too new is told by clippy's `incompatible_msrv`, which `cargo xtask lint` denies.
pub(super) fn check(workspace: &Workspace) -> Outcome {
    let metadata = packages::metadata(workspace)?;
    let least = least(workspace)?;
    let mut faults = Vec::new();
    let known = packages::Packages::from_metadata(&metadata, "")?;
    for member in ["masker-cli", "masker-core", "masker-node", "masker-py"] {
        for package in known.linked(workspace, member, None)? {
            let declared = declared(&metadata, &package.name, &package.version);
            if declared.is_some_and(|declared| is_newer(declared, &least)) {
                faults.push(format!(
                    "{member} links {} {}, which needs Rust {}",
                    package.name,
                    package.version,
                    declared.unwrap_or_default()
                ));
            }
        }
    }
    faults.sort();
    let sound = format!("rust version: nothing that is linked declares more than {least}");
    shell::report(&faults, &sound, &format!("packages need more than {least}, which is rust-version"))
}

/// Compiles with that Rust, where it is installed.
pub(super) fn compile(workspace: &Workspace) -> Result<Verdict, String> {
    let least = least(workspace)?;
    let installed = shell::capture(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    let Some(toolchain) = toolchain(&installed, &least) else {
        return Ok(Verdict::Skipped(format!(
            "Rust {least} is not installed here; `rustup toolchain install {least} --profile minimal` brings it"
        )));
    };
    let mut command = Command::new("rustup");
    command.current_dir(workspace.path("")).args(["run", toolchain, "cargo", "check", "--workspace"]);
    command
        .args(["--all-features", "--locked"])
        .env("CARGO_TARGET_DIR", tree::folder(workspace, "oldest-target"));
    shell::run(command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN"))?;
    Ok(Verdict::Passed)
}

fn least(workspace: &Workspace) -> Result<String, String> {
    let manifest: toml::Table =
        workspace.read("Cargo.toml")?.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let version = manifest["workspace"]["package"].get("rust-version").and_then(toml::Value::as_str);
    Ok(version.ok_or("Cargo.toml has no rust-version")?.to_owned())
}

fn declared<'a>(metadata: &'a Value, name: &str, version: &str) -> Option<&'a str> {
    let mut packages = metadata["packages"].as_array()?.iter();
    packages.find(|package| package["name"] == name && package["version"] == version)?["rust_version"]
        .as_str()
}

/// Compares `1.89` and `1.92.0`.
fn is_newer(one: &str, other: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        let mut numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        numbers.resize(3, 0);
        numbers
    };
    numbers(one) > numbers(other)
}

/// The installed toolchain of that version, as rustup lists them.
fn toolchain<'a>(installed: &'a str, version: &str) -> Option<&'a str> {
    let is_it = |name: &&str| {
        name.strip_prefix(version).is_some_and(|rest| rest.starts_with('-') || rest.starts_with('.'))
    };
    installed.lines().filter_map(|line| line.split(' ').next()).find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_rust() {
        assert!(is_newer("1.92", "1.89"));
        assert!(is_newer("1.89.1", "1.89"));
        assert!(is_newer("1.100", "1.99.9"));
        assert!(!is_newer("1.89.0", "1.89") && !is_newer("1.56", "1.89"));
    }

    #[test]
    fn a_toolchain_is_found_by_version() {
        let installed =
            "stable-x86_64-unknown-linux-gnu (active, default)\n1.92.0-x86_64-unknown-linux-gnu\n";
        assert_eq!(toolchain(installed, "1.92"), Some("1.92.0-x86_64-unknown-linux-gnu"));
        assert_eq!(toolchain(installed, "1.9"), None);
        assert_eq!(toolchain("", "1.92"), None);
    }
}
