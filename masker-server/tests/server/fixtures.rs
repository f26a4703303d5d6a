//! The shared fixtures give the same findings through the server as in Rust.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../masker-core/tests/cases/mod.rs"]
mod cases;

use std::collections::BTreeMap;

use cases::{Conversation, Detect, Found, cases};
use serde_json::{Value, json};

use crate::common::Server;

fn found(text: &str, event: &Value) -> Found {
    let at = |i: usize| usize::try_from(event["span"][i].as_u64().unwrap()).unwrap();
    let kind = event["entity_kind"].as_str().unwrap().to_owned();
    Found { kind, text: text[at(0)..at(1)].to_owned() }
}

#[tokio::test]
async fn detect() {
    let server = Server::new();
    let mut by_policy: BTreeMap<String, Vec<Detect>> = BTreeMap::new();
    for case in cases::<Detect>("detect") {
        by_policy.entry(case.policy().to_owned()).or_default().push(case);
    }
    let mut count = 0;
    for (policy, cases) in &by_policy {
        for cases in cases.chunks(100) {
            let texts: Vec<&str> = cases.iter().map(|case| case.text.as_str()).collect();
            let body = json!({ "policy": policy, "texts": texts });
            let answer = server.post("/api/v1/detect", body).await.expect(200);
            let results = answer["results"].as_array().unwrap();
            assert_eq!(results.len(), cases.len());
            for (case, result) in cases.iter().zip(results) {
                let events = result["events"].as_array().unwrap();
                let got: Vec<Found> = events.iter().map(|event| found(&case.text, event)).collect();
                assert_eq!(got, case.findings, "{}", case.name);
                count += 1;
            }
        }
    }
    assert!(count > 1_000, "{count}");
}

#[tokio::test]
async fn turns_through_the_proxy() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let path = format!("/proxy/{agent}/v1/chat/completions");
    let mut count = 0;
    for case in cases::<Conversation>("turns") {
        let role = |speaker: &str| if speaker == "Agent" { "assistant" } else { "user" };
        let messages: Vec<Value> =
            case.said().map(|(speaker, said, _)| json!({ "role": role(speaker), "content": said })).collect();
        let answer = server.call_as("", "POST", &path, Some(json!({ "messages": messages })), &[]).await;
        assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text);
        let session = format!("/api/v1/sessions/{}", answer.header("masker-session-id"));
        let shown = server.get(&session).await.expect(200);
        let events = shown["session"]["events"].as_array().unwrap();
        for (i, (_, said, wanted)) in case.said().enumerate() {
            let path = format!("/messages/{i}/content");
            let here = events.iter().filter(|event| event["path"] == path.as_str());
            let got: Vec<Found> = here.map(|event| found(said, event)).collect();
            assert_eq!(got, wanted, "{}: {said}", case.name);
            count += 1;
        }
    }
    assert!(count > 70, "{count}");
}
