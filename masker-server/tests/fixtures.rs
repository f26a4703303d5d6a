//! The shared fixtures give the same findings through the server as in Rust.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::Server;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Cases<C> {
    case: Vec<C>,
}

#[derive(Deserialize)]
struct Detect {
    name: String,
    text: String,
    policy: Option<String>,
    findings: Vec<Found>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Found {
    kind: String,
    text: String,
}

#[derive(Deserialize)]
struct Turns {
    name: String,
    turns: Vec<String>,
    findings: Vec<Vec<Found>>,
}

fn cases<C: DeserializeOwned>(folder: &str) -> Vec<C> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(folder);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| toml::from_str::<Cases<C>>(&std::fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().flat_map(|path| read(path).case).collect()
}

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
        let policy = case.policy.clone().unwrap_or_else(|| "healthcare-default".to_owned());
        by_policy.entry(policy).or_default().push(case);
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
    for case in cases::<Turns>("turns") {
        let turns: Vec<(&str, &str)> = case.turns.iter().map(|turn| turn.split_once(": ").unwrap()).collect();
        let role = |speaker: &str| if speaker == "Agent" { "assistant" } else { "user" };
        let messages: Vec<Value> =
            turns.iter().map(|(speaker, said)| json!({ "role": role(speaker), "content": said })).collect();
        let answer = server.call_as("", "POST", &path, Some(json!({ "messages": messages })), &[]).await;
        assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text);
        let session = format!("/api/v1/sessions/{}", answer.header("masker-session-id"));
        let shown = server.get(&session).await.expect(200);
        let events = shown["session"]["events"].as_array().unwrap();
        for (i, ((_, said), wanted)) in turns.iter().zip(&case.findings).enumerate() {
            let path = format!("/messages/{i}/content");
            let here = events.iter().filter(|event| event["path"] == path.as_str());
            let got: Vec<Found> = here.map(|event| found(said, event)).collect();
            assert_eq!(&got, wanted, "{}: {said}", case.name);
            count += 1;
        }
    }
    assert!(count > 70, "{count}");
}
