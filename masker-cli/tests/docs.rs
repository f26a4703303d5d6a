//! The lines that docs/server.md tells people to type: every one works as it is written.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(unix, feature = "server"))]

mod server;

use std::process::Command;

use server::Server;

const PAGE: &str = include_str!("../../docs/server.md");
/// The address that the page has.
const ADDRESS: &str = "localhost:8080";

/// The blocks for a shell that call the server.
fn blocks() -> String {
    let blocks = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.contains("curl ")).collect()
}

/// What each call is to be answered: what its comment says, else that all is well.
fn expected(script: &str) -> Vec<String> {
    let whole = script.replace("\\\n", " ");
    let calls = whole.lines().filter(|line| line.contains("curl "));
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

#[test]
fn the_lines_of_the_page_work_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_masker"));
    let server = Server::start(folder.path());
    let script = blocks();
    let expected = expected(&script);
    assert!(expected.len() >= 9, "{expected:?}");
    // Every call tells its status beside what it answers.
    let told = "curl() { command curl -w '%{stderr}status %{http_code}\\n' \"$@\"; }\n";
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-eu", "-c", &format!("{told}{}", script.replace(ADDRESS, &server.address))])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", path)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "curl and a shell are needed\n{out}\n{err}");
    let statuses: Vec<&str> = err.lines().filter_map(|line| line.strip_prefix("status ")).collect();
    assert_eq!(statuses.len(), expected.len(), "{err}");
    for (i, (status, wanted)) in statuses.iter().zip(&expected).enumerate() {
        assert!(status.starts_with(wanted.as_str()), "call {i}: {status}, not {wanted}\n{out}\n{err}");
    }
    // What was said comes back to the caller, and the history outlives the agent.
    assert!(out.contains("Echo: this is Ann Reed, my number is 415-555-0142"), "{out}");
    assert!(out.contains("\"agent_deleted\":true"), "{out}");
    assert!(std::fs::read(folder.path().join("report.pdf")).unwrap().starts_with(b"%PDF-"));
}
