//! The lines that the pages tell people to type: every one works as it is written.
//!
//! The `sh` blocks of a page are one script in a fresh folder that has the project's `fixtures`, `configs` and `deploy`. A block
//! marked `serve` starts the server; what follows is typed in another shell, in the same folder. A block with `file:` is put into that
//! file. `text` behind a block is what it prints, `[..]` standing for anything on a line.
//!
//! What is marked `build` compiles or installs: `a_stranger_gets_there` runs such pages whole, in a fresh clone.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use crate::like::line_is_like;
use crate::page::{Block, Page, pages, workspace};

/// The address that the pages have.
const ADDRESS: &str = "localhost:8080";
/// Between the outputs of blocks.
const BORDER: char = '\u{1e}';

/// The pages that a newcomer follows from a fresh clone.
const PATHS: [&str; 5] =
    ["docs/quick-start.md", "docs/rust.md", "docs/python.md", "docs/node.md", "docs/server.md"];

/// What is printed among answers that are too long for a page: the caller reads originals, and the history outlives the agent.
const AMONG: [(&str, &str); 2] = [
    ("docs/server.md", "Echo: this is Ann Reed, my number is 415-555-0142"),
    ("docs/server.md", "\"agent_deleted\":true"),
];

/// Starts the server of a page behind its lines, and calls it at the port that it got.
const SERVER: &str = r#"
address=''
pid=''
stop() { if [ -n "$pid" ]; then kill "$pid"; wait "$pid" || true; pid=''; fi; }
trap stop EXIT
await() {
    for _ in $(seq 300); do
        address=$(sed -n 's/.*"message":"listening".*"address":"\([^"]*\)".*/\1/p; s/.*"address":"\([^"]*\)".*"message":"listening".*/\1/p' "$1")
        [ -z "$address" ] || return 0
        kill -0 "$pid" || { cat "$1" >&2; return 1; }
        sleep 0.1
    done
    return 1
}
here() { sed "s/localhost:8080/$address/g"; }
curl() { command curl -w '%{stderr}status %{http_code}\n' "${@//localhost:8080/$address}"; }
masker() { command masker "${@//localhost:8080/$address}"; }
"#;

#[test]
fn the_lines_of_the_pages_work_as_written() {
    let program = Path::new(env!("CARGO_BIN_EXE_masker"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut count = 0;
    for page in pages() {
        let blocks = page.blocks();
        let typed =
            |block: &Block<'_>| block.language == "sh" && block.excuse.is_none() && !block.has("build");
        if !blocks.iter().any(typed) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["fixtures", "configs", "deploy"] {
            symlink(workspace().join(name), folder.path().join(name)).unwrap();
        }
        let script = script(&page, &blocks, typed);
        let output = Command::new("bash")
            .args(["-eu", "-c", &script])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", &path)
            .env("HOME", folder.path())
            .output()
            .unwrap();
        count += check(&page, &blocks, typed, &output);
        if let Ok(report) = fs::read(folder.path().join("report.pdf")) {
            assert!(report.starts_with(b"%PDF-"));
        }
    }
    assert!(count >= 15, "{count}");
}

/// Runs the pages for newcomers whole, in a fresh clone of what is committed, and says how long each took.
#[test]
#[ignore = "compiles everything, and installs packages from their registries"]
fn a_stranger_gets_there() {
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("masker");
    let root = workspace();
    let git = ["clone", "--quiet", "--no-local", root.to_str().unwrap(), clone.to_str().unwrap()];
    assert!(Command::new("git").args(git).status().unwrap().success());
    // What the workspace is built from is there already: the times are those of a newcomer, but for compiling dependencies.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let installed = folder.path().join("installed");
    let path = format!("{}/bin:{}", installed.display(), std::env::var("PATH").unwrap());
    for page in pages().iter().filter(|page| PATHS.contains(&page.path.as_str())) {
        let blocks = page.blocks();
        let typed = |block: &Block<'_>| block.language == "sh" && block.excuse.is_none();
        let started = Instant::now();
        let output = Command::new("bash")
            .args(["-eu", "-c", &script(page, &blocks, typed)])
            .current_dir(&clone)
            .env("PATH", &path)
            .env("CARGO_INSTALL_ROOT", &installed)
            .env("CARGO_TARGET_DIR", target)
            .output()
            .unwrap();
        check(page, &blocks, typed, &output);
        eprintln!("{}: {} s", page.path, started.elapsed().as_secs());
    }
}

/// The blocks of a page as one script.
fn script(page: &Page, blocks: &[Block<'_>], typed: impl Fn(&Block<'_>) -> bool) -> String {
    let mut script = SERVER.to_owned();
    for (i, block) in blocks.iter().enumerate() {
        if let Some(file) = block.file() {
            // Whose block is typed at all.
            if blocks[i..].iter().any(&typed) {
                writeln!(script, "here > {file} <<'END OF FILE'\n{}END OF FILE", block.text).unwrap();
            }
        } else if typed(block) {
            writeln!(script, "printf '{BORDER}'\nprintf '{BORDER}{}\\n' >&2", block.line).unwrap();
            if block.has("serve") {
                script += "stop\n: > serve.log\n(\nexport MASKER_LISTEN_ADDR=127.0.0.1:0\n";
                writeln!(
                    script,
                    "{}) > serve.log 2>&1 &\npid=$!\nawait serve.log",
                    exec(&block.text, &page.path)
                )
                .unwrap();
            } else {
                script += &block.text;
            }
        }
    }
    script
}

/// The lines that start the server, so that the process to stop is the server itself.
fn exec(lines: &str, page: &str) -> String {
    let line = lines.trim_end();
    assert!(!line.contains('\n'), "{page}: one line starts the server");
    let (settings, command) = line.split_at(line.find("masker serve").unwrap());
    let settings: String =
        settings.split_whitespace().flat_map(|setting| ["export ", setting, "\n"]).collect();
    format!("{settings}exec {command}\n")
}

/// Compares what was printed and how calls were answered; gives how many blocks there were.
fn check(page: &Page, blocks: &[Block<'_>], typed: impl Fn(&Block<'_>) -> bool, output: &Output) -> usize {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", page.path);
    for (_, part) in AMONG.iter().filter(|(path, _)| *path == page.path) {
        assert!(out.contains(part), "{}: no {part}\n{out}", page.path);
    }
    let (printed, noted): (Vec<&str>, Vec<&str>) =
        (out.split(BORDER).skip(1).collect(), err.split(BORDER).skip(1).collect());
    let run: Vec<usize> =
        (0..blocks.len()).filter(|i| typed(&blocks[*i]) && blocks[*i].file().is_none()).collect();
    assert_eq!((printed.len(), noted.len()), (run.len(), run.len()), "{}", page.path);
    for ((printed, noted), i) in printed.iter().zip(noted).zip(&run) {
        let block = &blocks[*i];
        let at = format!("{}:{}", page.path, block.line);
        let statuses: Vec<&str> = noted.lines().filter_map(|line| line.strip_prefix("status ")).collect();
        let wanted = answers(&block.text);
        assert_eq!(statuses.len(), wanted.len(), "{at}\n{printed}\n{noted}");
        for (status, wanted) in statuses.iter().zip(&wanted) {
            assert!(status.starts_with(wanted.as_str()), "{at}: {status}, not {wanted}\n{printed}\n{noted}");
        }
        if let Some(output) =
            blocks.get(i + 1).filter(|next| next.language == "text" && next.attributes.is_empty())
        {
            let (lines, patterns): (Vec<&str>, Vec<&str>) =
                (printed.lines().collect(), output.text.lines().collect());
            let same = lines.len() == patterns.len()
                && lines.iter().zip(&patterns).all(|(line, pattern)| line_is_like(line, pattern));
            assert!(same, "{at}: it prints\n{printed}");
        }
    }
    run.len()
}

/// What each call is to be answered: what its comment says, else that all is well.
fn answers(script: &str) -> Vec<String> {
    let whole = script.replace("\\\n", " ");
    let calls = whole.lines().filter(|line| line.contains("curl ") && line.contains(ADDRESS));
    calls
        .map(|line| {
            let comment = line.rsplit_once('#').map_or("", |(_, comment)| comment.trim());
            let status = comment.split(' ').next().unwrap_or_default();
            if status.len() == 3 && status.parse::<u16>().is_ok() {
                status.to_owned()
            } else {
                "2".to_owned()
            }
        })
        .collect()
}
