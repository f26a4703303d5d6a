//! No block without somebody who runs it: one mechanism for each language.

use std::fs;

use crate::page::{Block, Page, pages, workspace};

/// What a block in Python may ask for behind its language: packages, which `masker-py/tests/adapters/test_pages.py` has, or the
/// server of its page, which `cargo xtask stranger` starts.
const HOSTS: [&str; 11] = [
    "duckdb",
    "fastapi",
    "langchain",
    "openai",
    "pandas",
    "polars",
    "pyarrow",
    "ray",
    "server",
    "spark",
    "structlog",
];
/// The most blocks that may be left out, each with its reason.
const EXCUSED: usize = 8;

#[test]
fn every_block_is_run_or_read_by_a_machine() {
    let doc_tests = fs::read_to_string(workspace().join("benches/src/lib.rs")).unwrap();
    let (mut blocks, mut excused, mut wrong) = (0, 0, Vec::new());
    for page in pages() {
        for block in page.blocks() {
            blocks += 1;
            match runner(&page, &block, &doc_tests) {
                Ok(Runner::Somebody) => {}
                Ok(Runner::Excused) => excused += 1,
                Err(what) => wrong.push(format!("{}:{}: {what}", page.path, block.line)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(excused <= EXCUSED, "{excused} blocks are not run");
    assert!(blocks > 100, "{blocks}");
}

enum Runner {
    Somebody,
    Excused,
}

fn runner(page: &Page, block: &Block<'_>, doc_tests: &str) -> Result<Runner, String> {
    if let Some(reason) = block.excuse {
        let is_reason = reason.split_whitespace().count() >= 4;
        // What has no reader of its own as an example must not be taken for a doc test.
        let is_left = block.language != "rust" || block.has("ignore");
        return if is_reason && is_left {
            Ok(Runner::Excused)
        } else {
            Err("left out without a reason".to_owned())
        };
    }
    let in_docs = page.path.starts_with("docs/");
    let known: &[&str] = match block.language {
        // Doc tests of `masker-benches`, which include the page.
        "rust" if doc_tests.contains(&format!("include_str!(\"../../{}\")", page.path)) => &[],
        "rust" => return Err("masker-benches does not include this page as a doc test".to_owned()),
        // masker-py/tests/test_docs.py, and test_pages.py below adapters/ for what needs a package.
        "python" if in_docs || ["README.md", "masker-py/README.md"].contains(&page.path.as_str()) => &HOSTS,
        // masker-node/test/examples.test.mjs
        "js" if in_docs || page.path == "masker-node/README.md" => &[],
        // shell.rs, here
        "sh" => &["build", "serve"],
        // policies.rs, here
        "yaml" => &["part"],
        "json" => &["in", "out"],
        "toml" => &[],
        // Output, compared where it follows what prints it, and drawings.
        "text" => &["in", "out", "back", "turns"],
        _ => return Err(format!("nobody runs {:?} here", block.language)),
    };
    match block
        .attributes
        .iter()
        .find(|attribute| !known.contains(attribute) && !attribute.starts_with("file:"))
    {
        Some(attribute) => Err(format!("nobody knows {attribute:?} of {}", block.language)),
        None => Ok(Runner::Somebody),
    }
}

/// A file that the reader makes is used by a line that comes after it.
#[test]
fn every_file_of_a_page_is_used_on_it() {
    for page in pages() {
        let blocks = page.blocks();
        for (i, block) in blocks.iter().enumerate() {
            let Some(file) = block.file() else { continue };
            let used = blocks[i..].iter().any(|later| {
                later.language == "sh"
                    && (later.text.contains(file)
                        || file == "src/main.rs" && later.text.contains("cargo run"))
            });
            assert!(used, "{}:{}: nothing uses {file}", page.path, block.line);
        }
    }
}
