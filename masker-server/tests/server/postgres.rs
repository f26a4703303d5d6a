//! The server with its vault in PostgreSQL. `MASKER_TEST_POSTGRES` names a server to test with.
#![cfg(feature = "postgres")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use masker_server::{Config, State, start};
use serde_json::{Value, json};

use crate::common::{self, Server, words};

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
    assert!(!clear.contains("Reed") && !clear.contains("55-0142"));
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
    assert!(!error.to_string().contains("55-0142"));
    let body = json!({ "messages": [{ "role": "user", "content": "nothing to hide" }] });
    let path = format!("/proxy/{agent}/v1/chat/completions");
    assert_eq!(server.call_as("", "POST", &path, Some(body), &[]).await.status, 200);
}

/// A way to the database that can go silent: what was sent is taken, and nothing comes back.
struct Relay {
    url: String,
    silent: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn start(url: &str) -> Self {
        let mut parsed = reqwest::Url::parse(url).unwrap();
        let database = (parsed.host_str().unwrap().to_owned(), parsed.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        parsed.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (silent, ends) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (is_silent, kept) = (silent.clone(), ends.clone());
        std::thread::spawn(move || {
            for near in listener.incoming().map(Result::unwrap) {
                let far = TcpStream::connect(&database).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let is_silent = is_silent.clone();
                    std::thread::spawn(move || {
                        let mut bytes = [0; 1 << 14];
                        while let Ok(count @ 1..) = from.read(&mut bytes) {
                            if !is_silent.load(Ordering::Acquire) && to.write_all(&bytes[..count]).is_err() {
                                return;
                            }
                        }
                    });
                }
                kept.lock().unwrap().extend([near, far]);
            }
        });
        Self { url: parsed.to_string(), silent, ends }
    }

    fn fall_silent(&self) {
        self.silent.store(true, Ordering::Release);
    }

    /// Cuts every connection; new ones are served again.
    fn recover(&self) {
        self.silent.store(false, Ordering::Release);
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// However many callers wait for a database that took their questions and says nothing, supervisors have an answer in a second.
#[test]
fn health_is_told_while_the_database_is_silent() {
    let Some(url) = schema("masker_server_silent") else { return };
    let relay = Relay::start(&url);
    // As many threads as the program has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let vars = [("MASKER_VAULT_URL", relay.url.as_str()), ("MASKER_METRICS_ADDR", "127.0.0.1:0")];
        let server = Server::with(&vars);
        let agent = server.agent("a", json!({})).await;
        let handle = start(server.state.clone()).await.unwrap();
        let base = format!("http://{}", handle.address);
        server.get("/health").await.expect(200);
        relay.fall_silent();
        let client = reqwest::Client::new();
        let calls: Vec<_> = (0..200)
            .map(|i| {
                let body = json!({ "messages": [{ "role": "user", "content": format!("call 415-555-01{:02}", i % 100) }] });
                let request = client.post(format!("{base}/proxy/{agent}/v1/chat/completions"));
                tokio::spawn(request.header("content-type", "application/json").body(body.to_string()).send())
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..3 {
            let asked = Instant::now();
            let health = client.get(format!("{base}/health")).send().await.unwrap();
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
            assert_eq!(health.status(), 503);
            let health: Value = serde_json::from_str(&health.text().await.unwrap()).unwrap();
            assert_eq!((&health["components"]["vault"], &health["components"]["db"]), (&json!("down"), &json!("ok")));
            let asked = Instant::now();
            let ready = client.get(format!("{base}/ready")).send().await.unwrap();
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
            assert_eq!(ready.text().await.unwrap(), r#"{"ready":false,"reasons":["vault"]}"#);
            assert_eq!(client.get(format!("{base}/live")).send().await.unwrap().status(), 200);
            let metrics = client.get(format!("http://{}/metrics", handle.metrics_address.unwrap()));
            assert!(metrics.send().await.unwrap().text().await.unwrap().contains("masker_vault_size_bytes"));
        }
        relay.recover();
        for call in calls {
            let status = call.await.unwrap().unwrap().status().as_u16();
            assert!(matches!(status, 200 | 503), "{status}");
        }
        let patience = Instant::now();
        while client.get(format!("{base}/health")).send().await.unwrap().status() != 200 {
            assert!(patience.elapsed() < Duration::from_secs(30), "it works again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        handle.stop().await;
    });
}

#[test]
fn a_start_without_an_answer_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://masker@{}/postgres", listener.local_addr().unwrap());
    let config = Config::from_vars(common::vars(folder.path(), &[("MASKER_VAULT_URL", &url)])).unwrap();
    let error = State::open(config).unwrap_err().to_string();
    assert_eq!(error, "vault: vault storage failed: no answer within 30 seconds");
}
