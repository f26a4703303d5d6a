//! A page and its fenced blocks.

use std::fs;
use std::path::{Path, PathBuf};

/// The pages outside `docs/` that people are sent to.
const OTHERS: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "fixtures/README.md",
    "masker-core/README.md",
    "masker-node/README.md",
    "masker-py/README.md",
    "masker-py/examples/README.md",
];

pub(crate) struct Page {
    /// Below the workspace.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block<'p> {
    /// The line of its fence, from 1.
    pub(crate) line: usize,
    pub(crate) language: &'p str,
    /// What stands behind the language, between commas or spaces.
    pub(crate) attributes: Vec<&'p str>,
    pub(crate) text: String,
    /// Why it is not run: `<!-- not run: … -->` in the line before.
    pub(crate) excuse: Option<&'p str>,
}

impl Block<'_> {
    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.attributes.contains(&attribute)
    }

    /// The file that the reader is to put it into.
    pub(crate) fn file(&self) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| attribute.strip_prefix("file:"))
    }
}

impl Page {
    /// # Panics
    ///
    /// Where a fence is not closed.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        let mut before = "";
        while let Some((number, line)) = lines.next() {
            if let Some(info) = line.trim_start().strip_prefix("```") {
                let mut words = info.split([',', ' ']).filter(|word| !word.is_empty());
                let excuse = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
                let language = words.next().unwrap_or_default();
                let mut block = Block {
                    line: number + 1,
                    language,
                    attributes: words.collect(),
                    text: String::new(),
                    excuse,
                };
                loop {
                    let Some((_, line)) = lines.next() else {
                        panic!("{}:{}: the block has no end", self.path, block.line);
                    };
                    if line.trim() == "```" {
                        break;
                    }
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                blocks.push(block);
            }
            before = line;
        }
        blocks
    }

    /// The text without its fenced blocks.
    pub(crate) fn prose(&self) -> String {
        let mut inside = false;
        let lines = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every page, those in `docs/` first.
pub(crate) fn pages() -> Vec<Page> {
    let root = workspace();
    let mut paths = Vec::new();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    paths.sort();
    paths.extend(OTHERS.map(str::to_owned));
    let read = |path: String| Page { text: fs::read_to_string(root.join(&path)).unwrap(), path };
    paths.into_iter().map(read).collect()
}
