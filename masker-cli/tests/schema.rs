//! A fuzzer driven by the server's own description: no fault of the server's, and no status that the description does not
//! know. It is installed from its registry: `cargo test -p masker-cli --test schema -- --ignored`.
#![cfg(all(unix, feature = "server"))]

mod server;

use std::process::Command;

use server::{Server, bootstrap, packages, python, run};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema/requirements.txt");

#[test]
#[ignore = "installs a package from its registry and runs for minutes"]
fn nothing_is_answered_that_is_not_described() {
    let folder = tempfile::tempdir().unwrap();
    let token = bootstrap(folder.path());
    let server = Server::start(folder.path());
    let interpreter = python("schema", REQUIREMENTS);
    let examples = std::env::var("MASKER_TEST_EXAMPLES").unwrap_or_else(|_| "25".to_owned());
    let out = run(Command::new(interpreter)
        .args(["-m", "schemathesis.cli", "run", &format!("{}/openapi.json", server.base)])
        .args(["--url", &server.base, "--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
        // A stream of events has no end, and whoever signs out everywhere has no token left to go on with.
        .args(["--exclude-path", "/api/v1/sessions/stream"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            &examples,
            "--warnings",
            "off",
            "--no-color",
        ])
        .current_dir(packages("schema")));
    let sums: Vec<&str> = out.lines().rev().take(25).collect();
    println!("{}", sums.into_iter().rev().collect::<Vec<_>>().join("\n"));
}
