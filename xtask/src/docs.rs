//! `cargo xtask docs`: the pages of `docs/` as a site that needs no network.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Outcome, Workspace};

/// The builder of the site. Compiling it takes a minute and a half of one core, so the usual checks do without it: that pages, links
/// and blocks are right is asked by `masker-cli/tests/docs`.
const BUILDER: &str = "0.5.4";
const SOURCES: &str = "docs";

/// Builds the site into `site` of the target folder, with the builder in `tools` there, installed where it is missing.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let builder = builder(workspace)?;
    let staged = workspace.target().join("site-source");
    let site = workspace.target().join("site");
    for folder in [&staged, &site] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| failure(folder, &error))?;
        }
    }
    stage(workspace, Path::new(SOURCES), &staged)?;
    let settings = staged.join("book.toml");
    fs::write(&settings, workspace.read("book.toml")?).map_err(|error| failure(&settings, &error))?;
    shell::run(Command::new(builder).arg("build").arg("--dest-dir").arg(&site).arg(&staged))?;
    println!("built {}", site.join("index.html").display());
    Ok(())
}

fn builder(workspace: &Workspace) -> Result<PathBuf, String> {
    let tools = workspace.target().join("tools");
    let program = tools.join("bin").join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    let present = shell::capture(Command::new(&program).arg("--version"));
    if present.is_ok_and(|version| version.trim() == format!("mdbook v{BUILDER}")) {
        return Ok(program);
    }
    // Not optimised: it builds thirty pages in a second, and compiles in half the time.
    let install = ["install", "mdbook", "--version", BUILDER, "--locked", "--debug", "--force"];
    let features = ["--no-default-features", "--features", "search"];
    shell::run(workspace.cargo(install.into_iter().chain(features)).arg("--root").arg(&tools))?;
    Ok(program)
}

/// Copies a folder of pages; links to what is no page lead to the repository.
fn stage(workspace: &Workspace, folder: &Path, staged: &Path) -> Outcome {
    let to = staged.join(folder);
    fs::create_dir_all(&to).map_err(|error| failure(&to, &error))?;
    let from = workspace.path(folder);
    for entry in fs::read_dir(&from).map_err(|error| failure(&from, &error))? {
        let name = entry.map_err(|error| failure(&from, &error))?.file_name();
        let (path, to) = (folder.join(&name), to.join(&name));
        let copied = if workspace.path(&path).is_dir() {
            stage(workspace, &path, staged)?;
            Ok(())
        } else if path.extension().is_some_and(|extension| extension == "md") {
            fs::write(&to, outward(&workspace.read(&path)?, folder))
        } else {
            fs::copy(workspace.path(&path), &to).map(drop)
        };
        copied.map_err(|error| failure(&to, &error))?;
    }
    Ok(())
}

/// The text of a page with the links that leave the pages made absolute.
fn outward(text: &str, folder: &Path) -> String {
    let mut parts = text.split("](");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("](");
        let target = part.split_once(')').map_or("", |(target, _)| target);
        if target.starts_with("../") {
            let path = normal(&folder.join(target));
            if !path.starts_with(SOURCES) {
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                out.push_str(concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/"));
                out.push_str(&parts.join("/"));
                out.push_str(&part[target.len()..]);
                continue;
            }
        }
        out.push_str(part);
    }
    out
}

fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

fn failure(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_pages_lead_to_the_repository() {
        let text = "[a](../SECURITY.md#reporting) [b](policy.md) [c](../policy.md), ](";
        let root = env!("CARGO_PKG_REPOSITORY");
        let there = format!("[a]({root}/blob/main/SECURITY.md#reporting) [b](policy.md) ");
        assert_eq!(outward(text, Path::new("docs")), format!("{there}[c]({root}/blob/main/policy.md), ]("));
        assert!(outward(text, Path::new("docs/design")).ends_with("[c](../policy.md), ]("));
    }
}
