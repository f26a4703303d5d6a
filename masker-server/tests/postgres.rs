//! The server with its vault in PostgreSQL. `MASKER_TEST_POSTGRES` names a server to test with.
#![cfg(feature = "postgres")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Server, words};
use masker_server::start;
use serde_json::json;

const SAID: &str = "I'm Ann Reed, call 415-555-0142";

/// The URL of an empty schema, where there is a server. `MASKER_REQUIRE_POSTGRES` makes its absence a failure.
fn schema(name: &str) -> Option<String> {
    let Some(url) = std::env::var("MASKER_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
        assert!(std::env::var_os("MASKER_REQUIRE_POSTGRES").is_none(), "MASKER_TEST_POSTGRES is not set");
        return None;
    };
    rows(&url, &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"));
    let mark = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{mark}options=-csearch_path%3D{name}"))
}

/// Runs statements; gives the first column of what the last one answers. The client has an executor of its own.
fn rows(url: &str, sql: &str) -> Vec<String> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let ask = move || {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        let answers = client.simple_query(&sql).unwrap();
        let first = |answer: &postgres::SimpleQueryMessage| match answer {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        answers.iter().filter_map(first).collect()
    };
    std::thread::spawn(ask).join().unwrap()
}

fn count(url: &str) -> String {
    rows(url, "SELECT count(*) FROM masker_rows").remove(0)
}

#[tokio::test]
async fn originals_are_kept_restored_and_purged() {
    let Some(url) = schema("masker_server") else { return };
    let vars = [("MASKER_VAULT_URL", url.as_str())];
    let server = Server::with(&vars);
    assert!(!server.folder.path().join("data/vault.db").exists());
    let agent = server.agent("a", json!({})).await;
    let answer = server.chat(&agent, SAID).await.expect(200);
    assert_eq!(words(&answer), format!("Echo: {SAID}"));
    assert_eq!(count(&url), "2");
    // Another value: what the account masked too would stay when the agent's rows go.
    let other = "call 415-555-0143";
    let masked = server.post("/api/v1/mask", json!({ "text": other })).await.expect(200)["masked"].clone();
    let server = server.restarted(&vars);
    let back = server.post("/api/v1/rehydrate", json!({ "text": masked })).await.expect(200);
    assert_eq!(back["text"], other);
    let purged =
        server.delete(&format!("/api/v1/agents/{agent}?mode=purge&response=message")).await.expect(200);
    assert_eq!(purged["deletion"]["vault_rows_purged"], 2);
    assert_eq!(server.get("/health").await.expect(200)["components"]["vault"], "ok");
    let clear = rows(&url, "SELECT encode(bytes, 'escape') FROM masker_rows").concat();
    assert!(!clear.contains("Reed") && !clear.contains("0142"));
}

/// As the program runs it: an executor of several threads, on which no call of the vault may stand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_at_once_wait_for_the_network_and_not_for_each_other() {
    let Some(url) = schema("masker_server_load") else { return };
    let server = Server::with(&[("MASKER_VAULT_URL", url.as_str())]);
    let agent = server.agent("a", json!({})).await;
    let handle = start(server.state.clone()).await.unwrap();
    let base = format!("http://{}/proxy/{agent}/v1/chat/completions", handle.address);
    let client = reqwest::Client::new();
    let calls: Vec<_> = (0..32)
        .map(|i| {
            let stream = i % 2 == 1;
            let said = format!("call 415-555-01{i:02}");
            let body = json!({ "messages": [{ "role": "user", "content": said }], "stream": stream });
            let request =
                client.post(&base).header("content-type", "application/json").body(body.to_string());
            tokio::spawn(async move {
                let text = request.send().await.unwrap().text().await.unwrap();
                let words = if stream {
                    common::streamed_words(&text)
                } else {
                    words(&serde_json::from_str(&text).unwrap()).to_owned()
                };
                assert_eq!(words, format!("Echo: {said}"));
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    handle.stop().await;
    assert_eq!(count(&url), "32");
}

#[tokio::test]
async fn a_database_that_is_gone_stops_masking_and_nothing_leaves() {
    let Some(url) = schema("masker_server_gone") else { return };
    let server = Server::with(&[("MASKER_VAULT_URL", url.as_str())]);
    let agent = server.agent("a", json!({})).await;
    rows(&url, "DROP TABLE masker_rows CASCADE");
    let error = server.chat(&agent, SAID).await.refused(503, "detection_unavailable");
    assert!(!error.to_string().contains("0142"));
    let body = json!({ "messages": [{ "role": "user", "content": "nothing to hide" }] });
    let path = format!("/proxy/{agent}/v1/chat/completions");
    assert_eq!(server.call_as("", "POST", &path, Some(body), &[]).await.status, 200);
}
