//! Licences and notices, which every artefact carries: those of masker, and those of what is linked in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use super::Output;
use crate::deny;
use crate::packages::{Package, Packages};
use crate::shell::Workspace;

const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
const DATA: &str = "masker-core/data/THIRD_PARTY_NOTICES.txt";
const FONTS: &str = "masker-server/assets/LICENSE-DejaVu.txt";
/// How the file of a licence begins, in capitals.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

pub(super) fn outputs(workspace: &Workspace) -> Result<Vec<Output>, String> {
    let packages = Packages::of(workspace)?;
    let mut outputs = Vec::new();
    let mut add = |path, content: String| outputs.push(Output { path, content: content.into_bytes() });
    // A package is made from its own folder.
    for (path, licence) in [
        ("masker-core/LICENSE-APACHE", LICENCES[0]),
        ("masker-core/LICENSE-MIT", LICENCES[1]),
        ("masker-node/LICENSE-APACHE", LICENCES[0]),
        ("masker-node/LICENSE-MIT", LICENCES[1]),
        ("masker-py/LICENSE-APACHE", LICENCES[0]),
        ("masker-py/LICENSE-MIT", LICENCES[1]),
    ] {
        add(path, workspace.read(licence)?);
    }
    for (member, path, fonts) in [
        ("masker-cli", "masker-cli/THIRD_PARTY_NOTICES.txt", Some(FONTS)),
        ("masker-node", "masker-node/THIRD_PARTY_NOTICES.txt", None),
        ("masker-py", "masker-py/THIRD_PARTY_NOTICES.txt", None),
    ] {
        let mut text = workspace.read(DATA)?;
        if let Some(fonts) = fonts {
            let _ =
                write!(text, "\n{RULE}\nThe fonts of reports (DejaVu Sans)\n\n{}", workspace.read(fonts)?);
        }
        text += &of_packages(&packages.linked(workspace, member, None)?)?;
        add(path, text);
    }
    Ok(outputs)
}

const RULE: &str = "------------------------------------------------";

/// The notices of packages. Where Apache-2.0 is offered it is taken, since one text then serves for all; of the others the
/// files of their licences are given whole, equal ones once.
fn of_packages(packages: &[Package]) -> Result<String, String> {
    let mut under_apache = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let label = format!("{} {} ({})", package.name, package.version, package.licence);
        if deny::satisfied(&package.licence, &|licence| licence.starts_with("Apache-2.0")) {
            let _ = writeln!(under_apache, "- {label}");
            // Section 4(d) of the licence: a notice file is passed on.
            for text in files(package, &["NOTICE"])? {
                texts.entry(text).or_default().push(label.clone());
            }
            continue;
        }
        let mut found = files(package, &FILES)?;
        if found.is_empty() {
            found.push(standard(package)?);
        }
        for text in found {
            texts.entry(text).or_default().push(label.clone());
        }
    }
    let mut out = format!(
        "\n{RULE}\nLinked in under the Apache License 2.0, whose text is in LICENSE-APACHE\n\n{under_apache}"
    );
    let mut texts: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, labels)| (labels, text)).collect();
    texts.sort();
    for (labels, text) in texts {
        let _ = write!(out, "\n{RULE}\nLinked in: {}\n\n{text}", labels.join(", "));
    }
    Ok(out)
}

/// The texts of a package whose files begin so, lines without spaces at their ends.
fn files(package: &Package, beginnings: &[&str]) -> Result<Vec<String>, String> {
    let folder = &package.folder;
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let is_meant = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    paths
        .iter()
        .filter(|path| is_meant(path))
        .map(|path| {
            let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes);
            Ok(text.lines().map(|line| line.trim_end().to_owned() + "\n").collect())
        })
        .collect()
}

/// For a package that has no file of its licence.
fn standard(package: &Package) -> Result<String, String> {
    if !deny::satisfied(&package.licence, &|licence| licence == "MIT") {
        return Err(format!(
            "{} {} is under {} and has no text of it: write it into {DATA}, and here how it is found",
            package.name, package.version, package.licence
        ));
    }
    let holders =
        if package.authors.is_empty() { "its authors".to_owned() } else { package.authors.join(", ") };
    Ok(format!("Copyright (c) {holders}\n\nThe terms are those of LICENSE-MIT.\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &std::path::Path, name: &str, licence: &str, files: &[(&str, &str)]) -> Package {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
            authors: vec!["Ada".to_owned()],
            checksum: String::new(),
            folder,
        }
    }

    #[test]
    fn each_licence_is_met() {
        let folder = tempfile::tempdir().unwrap();
        let packages = [
            package(
                folder.path(),
                "both",
                "MIT OR Apache-2.0",
                &[("LICENSE-MIT", "unused"), ("NOTICE", "passed on")],
            ),
            package(folder.path(), "one", "MIT", &[("LICENSE.md", "Copyright One  \r\n")]),
            package(folder.path(), "two", "MIT", &[("license", "Copyright One\n"), ("readme", "unused")]),
            package(folder.path(), "bare", "MIT", &[]),
        ];
        let text = of_packages(&packages).unwrap();
        assert!(text.contains("- both 1.0.0 (MIT OR Apache-2.0)\n") && text.contains("passed on"));
        assert!(text.contains("Linked in: one 1.0.0 (MIT), two 1.0.0 (MIT)\n\nCopyright One\n"));
        assert!(text.contains("Linked in: bare 1.0.0 (MIT)\n\nCopyright (c) Ada\n"));
        assert!(!text.contains("unused"));
        let odd = package(folder.path(), "odd", "Zlib", &[]);
        assert!(of_packages(&[odd]).unwrap_err().contains("odd 1.0.0 is under Zlib"));
    }
}
