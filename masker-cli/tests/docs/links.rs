//! What the pages point at is there: files, headings, pages of the book, tests and chores.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::page::{Page, pages, workspace};

#[test]
fn every_link_leads_somewhere() {
    let root = workspace();
    let pages = pages();
    let headings: BTreeMap<&str, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.as_str(), anchors(page))).collect();
    let (mut count, mut wrong) = (0, Vec::new());
    for page in &pages {
        for target in targets(&page.prose()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let here = Path::new(&page.path);
            let file =
                if path.is_empty() { here.to_path_buf() } else { normal(&here.parent().unwrap().join(path)) };
            if !root.join(&file).exists() {
                wrong.push(format!("{}: no file {target}", page.path));
            } else if !anchor.is_empty() {
                let known = headings.get(file.to_str().unwrap()).is_some_and(|set| set.contains(anchor));
                if !known {
                    wrong.push(format!("{}: no heading {target}", page.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 80, "{count}");
}

/// The book has every page of `docs/` once.
#[test]
fn the_summary_lists_every_page_once() {
    let pages = pages();
    let summary = pages.iter().find(|page| page.path == "docs/SUMMARY.md").unwrap();
    let mut listed = targets(&summary.text);
    listed.sort();
    let mut there: Vec<&str> = pages.iter().filter_map(|page| page.path.strip_prefix("docs/")).collect();
    there.retain(|path| *path != "SUMMARY.md");
    there.sort_unstable();
    assert_eq!(listed, there);
}

/// `file`: `name` in a page names a file of the project and something in it.
#[test]
fn every_test_that_a_page_names_exists() {
    let root = workspace();
    let mut count = 0;
    for page in pages() {
        let parts: Vec<&str> = page.text.split('`').collect();
        for at in (1..parts.len()).step_by(2) {
            let path = parts[at];
            let is_path =
                path.contains('/') && path.contains('.') && !path.contains([' ', '<', '*', '{', '$', '~']);
            if !is_path || parts.get(at + 1).is_none_or(|between| !between.starts_with(": ")) {
                continue;
            }
            let Ok(text) = fs::read_to_string(root.join(path)) else {
                panic!("{}: no file {path}", page.path);
            };
            // Several names may stand behind one file.
            let mut next = at + 2;
            while next < parts.len() && [": ", ", "].contains(&parts[next - 1]) {
                let name = parts[next];
                assert!(text.contains(name), "{}: {path} has no {name}", page.path);
                count += 1;
                next += 2;
            }
        }
    }
    assert!(count >= 30, "{count}");
}

/// `cargo xtask …` in a page is a chore that there is, and a test target that a command names exists.
#[test]
fn every_command_that_a_page_names_exists() {
    let root = workspace();
    let usage = fs::read_to_string(root.join("xtask/src/main.rs")).unwrap();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let first = |text: &str| text.split(|c| !is_word(c)).next().unwrap().to_owned();
    for page in pages() {
        // In code; prose speaks of `cargo xtask` as such.
        for (before, _) in page.text.match_indices("cargo xtask ") {
            if !page.text[..before].ends_with(['`', '\n']) {
                continue;
            }
            let chore = first(&page.text[before + "cargo xtask ".len()..]);
            assert!(usage.contains(&format!("\n  {chore}")), "{}: no chore {chore}", page.path);
        }
        for line in page.text.lines().flat_map(|line| line.split("cargo ").skip(1)) {
            let word = |flag: &str| line.split(flag).nth(1).map(first);
            let Some(package) = word("-p ") else { continue };
            let folder = root.join(if package == "masker-benches" { "benches" } else { &package });
            assert!(folder.join("Cargo.toml").exists(), "{}: no package {package}", page.path);
            for (flag, place) in [("--test ", "tests"), ("--bench ", "benches"), ("--example ", "examples")] {
                if let Some(name) = word(flag) {
                    let file = folder.join(place).join(format!("{name}.rs"));
                    let module = folder.join(place).join(&name).join("main.rs");
                    assert!(file.exists() || module.exists(), "{}: no {flag}{name}", page.path);
                }
            }
        }
    }
}

/// Figures beside other libraries are those of the table that the page names.
#[test]
fn figures_of_the_comparison_are_in_the_record() {
    let root = workspace();
    let pages = pages();
    let page = pages.iter().find(|page| page.path == "docs/comparison.md").unwrap();
    let record = targets(&page.text).into_iter().find(|target| target.contains("benches/record/")).unwrap();
    let record = fs::read_to_string(root.join("docs").join(record)).unwrap();
    let cells = page.text.split('|').map(str::trim).filter(|cell| cell.ends_with(')'));
    let figures: Vec<&str> = cells.filter(|cell| cell.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert!(figures.len() >= 20, "{figures:?}");
    for figure in figures {
        assert!(record.contains(figure), "{figure}");
    }
}

/// The targets of inline links.
fn targets(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// The anchors of its headings, as GitHub and mdBook make them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in page.prose().lines() {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
        let seen = counts.entry(anchor.clone()).or_default();
        anchors.insert(if *seen == 0 { anchor } else { format!("{anchor}-{seen}") });
        *seen += 1;
    }
    anchors
}

fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
