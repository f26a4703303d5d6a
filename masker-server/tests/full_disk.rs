//! A disk that fills up while the server works: callers are told, nothing that was answered is lost, and with room it goes on.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use common::Server;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// SIGXFSZ.
const FILE_TOO_LONG: i32 = 25;

/// Lets no file of this process grow beyond so many bytes, or any number.
fn limit_files(bytes: Option<u64>) {
    let size = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    let process = std::process::id().to_string();
    let limit = format!("--fsize={size}:unlimited");
    assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap().success());
}

/// One chat; its session where the answer came to its end, else the code of the error.
async fn say(server: &Server, path: &str, number: usize) -> Result<String, String> {
    let text = format!("my email is user{number}@example.com, {}", "and so on ".repeat(number % 50));
    let stream = number.is_multiple_of(2);
    let body = json!({ "messages": [{ "role": "user", "content": text }], "stream": stream });
    let answer = server.call_as("", "POST", path, Some(body), &[]).await;
    let error = if answer.status == 200 && stream {
        assert!(answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
        answer
            .text
            .split("\n\n")
            .find(|event| event.contains("\"error\""))
            .map(|event| &event["data: ".len()..])
    } else {
        (answer.status != 200).then_some(answer.text.as_str())
    };
    let Some(error) = error else { return Ok(answer.header("masker-session-id").to_owned()) };
    assert!(!error.contains("example.com"), "an error holds nothing of the text: {error}");
    let error: Value = serde_json::from_str(error).unwrap();
    let code = error["error"]["code"].as_str().unwrap().to_owned();
    let known = matches!(code.as_str(), "audit_unavailable" | "detection_unavailable" | "internal_error");
    assert!(known, "{} {error}", answer.status);
    Err(code)
}

#[tokio::test]
async fn a_full_disk_is_told_and_what_was_answered_is_there_afterwards() {
    // With somebody to hear the signal, a file that would grow too long is not the end of the process: the write fails.
    let _signal = signal(SignalKind::from_raw(FILE_TOO_LONG)).unwrap();
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let path = format!("/proxy/{agent}/v1/chat/completions");
    let (mut sessions, mut codes, mut number) = (Vec::new(), BTreeMap::<String, usize>::new(), 0);
    // What is full first depends on how much room there is.
    for room in [0, 10_000, 60_000, 200_000] {
        let largest = server.files().iter().map(|(_, bytes)| bytes.len() as u64).max().unwrap();
        limit_files(Some(largest + room));
        let mut refused = 0;
        while refused < 20 {
            number += 1;
            match say(&server, &path, number).await {
                Ok(session) => sessions.push(session),
                Err(code) => {
                    *codes.entry(code).or_default() += 1;
                    refused += 1;
                    assert_eq!(server.get("/ready").await.status, 503);
                    assert_eq!(server.get("/health").await.status, 503);
                }
            }
            assert!(number < 5_000, "the disk is never full");
        }
        limit_files(None);
        // What could not be kept in the background meanwhile is told to the next one who writes, once.
        let patience = Instant::now() + Duration::from_secs(5);
        let mut well = 0;
        while well < 3 {
            number += 1;
            match say(&server, &path, number).await {
                Ok(session) => {
                    sessions.push(session);
                    well += 1;
                }
                Err(code) => {
                    assert!(Instant::now() < patience, "with room it goes on: {code}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        assert_eq!(server.get("/ready").await.expect(200)["ready"], true);
    }
    println!("{} answered, refused: {codes:?}", sessions.len());
    let server = server.restarted(&[]);
    let verified = server.post("/api/v1/audit/verify", json!({})).await.expect(200);
    assert_eq!(verified["ok"], true, "{verified}");
    for session in &sessions {
        let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200);
        assert_eq!(row["session"]["status"], "ok", "{session}");
    }
    let open = server.get("/api/v1/sessions?status=in_progress&since=all").await.expect(200);
    assert_eq!(open["data"], json!([]), "no session is half written");
}
