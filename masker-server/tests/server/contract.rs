//! Details of the contract that belong to no one resource: headers, order of checks, faults of what lies below.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt as _;
use masker_server::{Config, login_link, start};
use serde_json::{Value, json};

use crate::common::{self, Server, words};

const SAID: &str = "I'm Ann Reed, call 415-555-0142";

/// Makes every write that a condition names fail in one of the server's files.
fn break_writes(server: &Server, file: &str, table: &str, condition: &str) {
    let connection = rusqlite::Connection::open(server.folder.path().join("data").join(file)).unwrap();
    let sql = format!(
        "CREATE TRIGGER broken BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'x'); END"
    );
    connection.execute_batch(&sql).unwrap();
}

async fn cookie(server: &Server) -> String {
    let config = Config::from_vars(common::vars(server.folder.path(), &[])).unwrap();
    let code = login_link(config.database(), config.public_url(), "alice").unwrap().code.unwrap();
    let signed =
        server.call_as("", "POST", "/api/v1/auth/local", Some(json!({ "login_code": code })), &[]).await;
    signed.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_answer_of_a_limited_group_says_what_is_left() {
    let server = Server::with(&[("MASKER_RATE_LIMIT", "api=1:50,proxy=1:50")]);
    let id = server.agent("a", json!({})).await;
    let chat = format!("/proxy/{id}/v1/chat/completions");
    let webhook = format!("/vapi/webhook/{id}");
    for (method, path, body, status) in [
        ("GET", "/api/v1/agents", None, 200),
        ("GET", "/api/v1/agents?limit=0", None, 422),
        ("GET", "/api/v1/agents/agt_x", None, 404),
        ("GET", "/api/v1/reports/keys", None, 200),
        ("GET", "/api/v1/auth/methods", None, 200),
        ("POST", chat.as_str(), Some(json!({ "messages": [] })), 422),
        ("POST", chat.as_str(), Some(json!({ "messages": [{ "role": "user", "content": "x" }] })), 200),
        (
            "POST",
            chat.as_str(),
            Some(json!({ "messages": [{ "role": "user", "content": "x" }], "stream": true })),
            200,
        ),
        ("GET", &format!("/proxy/{id}/v1/models"), None, 200),
        ("POST", webhook.as_str(), Some(json!({})), 422),
    ] {
        let answer = server.call(method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        for name in ["limit", "remaining", "reset"] {
            assert!(!answer.header(&format!("x-ratelimit-{name}")).is_empty(), "{method} {path}: {name}");
        }
    }
    // Nobody is known by whom a request is without a credential.
    assert_eq!(server.call_as("", "GET", "/api/v1/agents", None, &[]).await.header("x-ratelimit-limit"), "");
}

#[tokio::test]
async fn only_probes_may_be_kept_and_only_clients_of_openai_get_a_param() {
    let server = Server::new();
    for (path, cache) in [
        ("/health", "no-cache"),
        ("/ready", "no-cache"),
        ("/live", "no-cache"),
        ("/", "no-store"),
        ("/docs", "no-store"),
        ("/openapi.json", "no-store"),
        ("/api/v1/agents", "no-store"),
        ("/nothing", "no-store"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("cache-control"), cache, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(
            answer.header("x-request-id").starts_with("req_") && !answer.header("masker-version").is_empty()
        );
    }
    let missing = "agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH";
    let chat = server.post(&format!("/proxy/{missing}/v1/chat/completions"), json!({})).await;
    assert_eq!(chat.refused(404, "agent_not_found").get("param"), Some(&Value::Null));
    let webhook = server.post(&format!("/vapi/webhook/{missing}"), json!({})).await;
    assert_eq!(webhook.refused(404, "agent_not_found").get("param"), None);
}

#[tokio::test]
async fn another_site_signs_nobody_out() {
    let server = Server::new();
    let cookie = cookie(&server).await;
    let with = |headers: Vec<(&'static str, &'static str)>| {
        let (server, cookie) = (&server, cookie.clone());
        async move {
            let mut all = vec![("cookie", cookie.as_str())];
            all.extend(headers);
            server.call_as("", "POST", "/api/v1/auth/logout", None, &all).await
        }
    };
    let refused = with(vec![("origin", "https://evil.example.com")]).await.refused(403, "forbidden");
    assert_eq!(refused["reason"], "csrf");
    assert_eq!(with(vec![("origin", "http://localhost:8080")]).await.status, 204);
    assert_eq!(with(vec![]).await.status, 204, "signing out again is no mistake");
    let stale =
        server.call_as("", "POST", "/api/v1/auth/logout", None, &[("cookie", "masker_session=x")]).await;
    assert_eq!(stale.status, 204);
}

#[tokio::test]
async fn a_cookie_lives_on_with_every_kind_of_request() {
    let server = Server::new();
    let cookie = cookie(&server).await;
    let address = start(server.state.clone()).await.unwrap();
    let url = format!("http://{}/api/v1/sessions/stream", address.address);
    let stream = reqwest::Client::new().get(url).header("cookie", cookie.clone()).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(stream.headers()["set-cookie"].to_str().unwrap().starts_with(&cookie));
    drop(stream);
    address.stop().await;
}

/// What a hostile caller sends for a body: nothing, less than was announced, text that is none.
#[tokio::test(start_paused = true)]
async fn bodies_that_are_none_are_refused_in_time() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let chat = format!("/proxy/{agent}/v1/chat/completions");
    let post = |path: &str, length: usize, body: Body| {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", server.token))
            .header("content-type", "application/json")
            .header("content-length", length);
        server.send(request.body(body).unwrap())
    };
    let silent = || {
        let begun = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("{")]);
        Body::from_stream(begun.chain(futures_util::stream::pending()))
    };
    for (path, length) in [(chat.as_str(), 10 << 20), ("/api/v1/mask", 10 << 20), ("/api/v1/agents", 1 << 20)]
    {
        post(path, length, silent()).await.refused(422, "validation_failed");
        post(path, length + 1, silent()).await.refused(413, "payload_too_large");
    }
    for text in [
        &b"{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}"[..],
        b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}",
        b"\xef\xbb\xbf{}",
        b"{\"messages\":[]}\0",
        b"[[[[[",
    ] {
        let refused = post(&chat, text.len(), Body::from(text)).await.refused(422, "validation_failed");
        assert_eq!(refused["details"][0]["issue"], "invalid_json", "{text:?}");
    }
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    post(&chat, deep.len(), Body::from(deep)).await.refused(422, "validation_failed");
    let nul = json!({ "messages": [{ "role": "user", "content": "call\u{0}415-555-0142" }] });
    let answer = server.call_as("", "POST", &chat, Some(nul), &[]).await.expect(200);
    assert_eq!(words(&answer), "Echo: call\u{0}415-555-0142");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_changes_nothing() {
    let server = Server::new();
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    let running =
        "INSERT INTO idempotency (credential, path, key, body, at) VALUES ('c', '/p', 'k', x'00', 1)";
    database.execute_batch(running).unwrap();
    let config = Config::from_vars(common::vars(server.folder.path(), &[])).unwrap();
    let error = masker_server::State::open(config).unwrap_err().to_string();
    assert!(error.contains("audit_log_locked"), "{error}");
    let count: i64 = database.query_row("SELECT count(*) FROM idempotency", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1, "a request of the first is still running");
    server.get("/api/v1/agents").await.expect(200);
}

#[tokio::test]
async fn each_use_of_a_cookie_moves_its_end() {
    let server = Server::new();
    let cookie = cookie(&server).await;
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    let end = || -> i64 {
        let sql = "SELECT json_extract(doc, '$.expires_at') FROM records WHERE kind = 'cookie'";
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let mut last = end();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(3)).await;
        server.call_as("", "GET", "/api/v1/me", None, &[("cookie", &cookie)]).await.expect(200);
        assert!(end() > last);
        last = end();
    }
    // What a request finds revoked stays so.
    database
        .execute_batch("UPDATE records SET doc = json_set(doc, '$.expires_at', 1) WHERE kind = 'cookie'")
        .unwrap();
    server
        .call_as("", "GET", "/api/v1/me", None, &[("cookie", &cookie)])
        .await
        .refused(401, "unauthenticated");
    assert_eq!(end(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hashes_of_a_session_stand_in_the_order_of_the_log() {
    let server = Arc::new(Server::new());
    let agent = server.agent("a", json!({})).await;
    let path = format!("/proxy/{agent}/v1/chat/completions");
    for round in 0..12 {
        let key = format!("k{round}");
        let calls: Vec<_> = (0..6)
            .map(|i| {
                let (server, path, key) = (server.clone(), path.clone(), key.clone());
                let text = format!("I'm Ann Reed, call 415-555-01{i}{}", round % 10);
                let body = json!({ "messages": [{ "role": "user", "content": text }] });
                let headers = async move {
                    let headers = [("masker-session-id", key.as_str()), ("masker-stub", "delay_ms=2")];
                    server.call_as("", "POST", &path, Some(body), &headers).await.status
                };
                tokio::spawn(headers)
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        let cut = format!("/api/v1/agents/{agent}/terminate-calls");
        server.post(&cut, json!({})).await.expect(200);
        for call in calls {
            assert!(matches!(call.await.unwrap(), 200 | 410));
        }
        let find = format!("/api/v1/sessions?external_id={key}&status=ok,partial,error,in_progress");
        for row in server.get(&find).await.expect(200)["data"].as_array().unwrap() {
            let id = row["id"].as_str().unwrap();
            let shown = server.get(&format!("/api/v1/sessions/{id}")).await.expect(200)["session"].clone();
            let walked = server.post("/api/v1/audit/verify", json!({ "session_id": id })).await.expect(200);
            assert_eq!(shown["merkle_root_hex"], walked["merkle_root_hex"], "{row}");
            assert_eq!(shown["audit_start_hash"], walked["start_hash"]);
            assert_eq!(shown["audit_root_hash"], walked["root_hash"]);
        }
    }
}

#[tokio::test]
async fn a_request_said_again_is_a_turn_of_its_own_and_no_other_gets_its_result() {
    for setting in ["1", "0"] {
        let server = Server::with(&[("MASKER_RETELL_PARTIAL_DEDUP", setting)]);
        let agent = server.agent("a", json!({})).await;
        let path = format!("/proxy/{agent}/v1/chat/completions");
        let say = |text: &'static str| {
            let (server, path) = (&server, path.clone());
            async move {
                let body = json!({ "messages": [{ "role": "user", "content": text }] });
                server.call_as("", "POST", &path, Some(body), &[("masker-session-id", "k")]).await
            }
        };
        let first = say(SAID).await;
        let session = format!("/api/v1/sessions/{}", first.header("masker-session-id"));
        assert_eq!(words(&first.expect(200)), format!("Echo: {SAID}"));
        assert_eq!(words(&say(SAID).await.expect(200)), format!("Echo: {SAID}"));
        let seen = server.get(&session).await.expect(200)["session"].clone();
        assert_eq!(seen["turns"][0]["redaction_count"], seen["turns"][1]["redaction_count"]);
        assert_eq!(seen["redaction_count"], 4, "each turn has its events");
        assert_eq!(words(&say("call 415-555-0143").await.expect(200)), "Echo: call 415-555-0143");
        say(SAID).await.expect(200);
    }
}

/// What is longer than a conversation remembers is looked through anew each time, unless repeats are reused.
#[tokio::test]
async fn a_repeat_is_looked_through_once_where_the_settings_say_so() {
    let long = "the patient rested well, ".repeat((9 << 20) / 25) + SAID;
    for (setting, is_reused) in [("1", true), ("0", false)] {
        let server = Server::with(&[("MASKER_RETELL_PARTIAL_DEDUP", setting)]);
        let agent = server.agent("a", json!({})).await;
        let path = format!("/proxy/{agent}/v1/chat/completions");
        let body = json!({ "messages": [{ "role": "user", "content": long }] });
        let mut spent = Vec::new();
        for turn in 1..=2_u64 {
            let headers = [("masker-session-id", "k")];
            let answer = server.call_as("", "POST", &path, Some(body.clone()), &headers).await;
            let session = format!("/api/v1/sessions/{}", answer.header("masker-session-id"));
            assert!(words(&answer.expect(200)).ends_with(SAID));
            let shown = server.get(&session).await.expect(200)["session"].clone();
            assert_eq!(shown["redaction_count"], 2 * turn);
            spent.push(shown["stage_durations_us"]["detection"].as_u64().unwrap());
        }
        let (first, again) = (spent[0], spent[1] - spent[0]);
        assert_eq!(again < first / 3, is_reused, "with {setting}: {first} µs, then {again} µs");
    }
}

/// The events of a session stand by turn, path and place, whichever turn was over first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stand_in_the_order_of_the_contract() {
    let server = Arc::new(Server::new());
    let agent = server.agent("a", json!({})).await;
    let path = format!("/proxy/{agent}/v1/chat/completions");
    let say = |body: Value, stub: &'static str| {
        let (server, path) = (server.clone(), path.clone());
        async move {
            let headers = [("masker-session-id", "k"), ("masker-stub", stub)];
            server.call_as("", "POST", &path, Some(body), &headers).await
        }
    };
    // What comes last in the body is the first by its path, and the first turn is over last.
    let body = json!({
        "tools": [{ "type": "function", "function": { "name": "f", "description": "ask 415-555-0144 or 415-555-0145" } }],
        "messages": [{ "role": "user", "content": "call 415-555-0143" }, { "role": "user", "content": SAID }],
    });
    let slow = tokio::spawn(say(body.clone(), "delay_ms=600"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let quick = say(body, "delay_ms=0").await;
    let session = quick.header("masker-session-id").to_owned();
    slow.await.unwrap().expect(200);
    let shown = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let place = |event: &Value| {
        let start = event["span"][0].as_u64().unwrap();
        (event["turn"].as_u64().unwrap(), event["path"].as_str().unwrap().to_owned(), start)
    };
    let places: Vec<_> = shown["events"].as_array().unwrap().iter().map(place).collect();
    assert_eq!(places.len(), 10, "{shown}");
    assert!(places.is_sorted(), "{places:?}");
    let mut paged = Vec::new();
    let mut next = format!("/api/v1/sessions/{session}/events?limit=3");
    loop {
        let page = server.get(&next).await.expect(200);
        paged.extend(page["data"].as_array().unwrap().iter().map(place));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("/api/v1/sessions/{session}/events?limit=3&cursor={cursor}");
    }
    assert_eq!(paged, places);
}

#[tokio::test]
async fn texts_and_events_are_limited_where_the_page_says() {
    let server = Server::new();
    for call in ["mask", "detect", "synthesize"] {
        let texts = |count: usize| json!({ "texts": vec!["call 415-555-0142"; count] });
        let answer = server.post(&format!("/api/v1/{call}"), texts(100)).await.expect(200);
        assert_eq!(answer["results"].as_array().unwrap().len(), 100);
        server.post(&format!("/api/v1/{call}"), texts(101)).await.refused(422, "validation_failed");
    }
    let agent = server.agent("a", json!({})).await;
    for (count, is_truncated) in [(1_000, false), (1_001, true)] {
        let said: String = (0..count).map(|at| format!("a{at}@example.com ")).collect();
        let session = server.chat(&agent, &said).await.header("masker-session-id").to_owned();
        let shown = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
        assert_eq!(shown["redaction_count"], count);
        assert_eq!(shown["events"].as_array().unwrap().len(), 1_000);
        assert_eq!(shown["events_truncated"], is_truncated);
        let (mut paged, mut cursor) = (0, String::new());
        loop {
            let path = format!("/api/v1/sessions/{session}/events?limit=100{cursor}");
            let page = server.get(&path).await.expect(200);
            paged += page["data"].as_array().unwrap().len();
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, count);
    }
}

#[tokio::test]
async fn payloads_are_withheld_from_who_may_not_read_them() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let session = server.chat(&agent, SAID).await.header("masker-session-id").to_owned();
    let path = format!("/api/v1/sessions/{session}");
    assert_eq!(server.get(&path).await.expect(200)["session"]["payloads_withheld"], false);
    let reader = server.token(&["sessions:read"]).await;
    let seen = server.call_as(&reader, "GET", &path, None, &[]).await.expect(200)["session"].clone();
    assert_eq!(seen["payloads_withheld"], true);
    let none = json!({ "request": null, "masked": null, "response": null, "upstream_response": null });
    assert_eq!(seen["payloads"], none);
}

#[tokio::test]
async fn an_agent_may_let_all_its_sessions_restore_its_tokens() {
    let server = Server::new();
    let wide = server.agent("wide", json!({ "rehydrate_scope": "agent" })).await;
    let narrow = server.agent("narrow", json!({})).await;
    assert_eq!(
        server.get(&format!("/api/v1/agents/{wide}")).await.expect(200)["agent"]["rehydrate_scope"],
        "agent"
    );
    assert_eq!(
        server.get(&format!("/api/v1/agents/{narrow}")).await.expect(200)["agent"]["rehydrate_scope"],
        "session"
    );
    for scheme in ["vault-deterministic", "reversible-aead"] {
        for agent in [&wide, &narrow] {
            server
                .patch(&format!("/api/v1/agents/{agent}"), json!({ "tokenization": scheme }))
                .await
                .expect(200);
        }
        let token = |agent: String| {
            let server = &server;
            async move {
                let body = json!({ "text": "415-555-0142", "agent_id": agent });
                server.post("/api/v1/mask", body).await.expect(200)["masked"].as_str().unwrap().to_owned()
            }
        };
        let (own, others) = (token(wide.clone()).await, token(narrow.clone()).await);
        assert_ne!(own, others, "tokens of an agent's own are no other agent's");
        let echo = |agent: String, text: String| {
            let server = &server;
            async move { words(&server.chat(&agent, &text).await.expect(200)).to_owned() }
        };
        assert_eq!(echo(wide.clone(), format!("say {own}")).await, "Echo: say 415-555-0142", "{scheme}");
        assert_eq!(
            echo(wide.clone(), format!("say {others}")).await,
            "Echo: say [REDACTED:PHONE]",
            "{scheme}"
        );
        assert_eq!(
            echo(narrow.clone(), format!("say {own}")).await,
            "Echo: say [REDACTED:PHONE]",
            "{scheme}"
        );
        assert_eq!(
            echo(narrow.clone(), format!("say {others}")).await,
            "Echo: say [REDACTED:PHONE]",
            "{scheme}"
        );
        let streamed =
            json!({ "messages": [{ "role": "user", "content": format!("say {own}") }], "stream": true });
        let path = format!("/proxy/{wide}/v1/chat/completions");
        let headers = [("masker-stub", "chunk_bytes=5")];
        let streamed = server.call_as("", "POST", &path, Some(streamed), &headers).await;
        assert_eq!(common::streamed_words(&streamed.text), "Echo: say 415-555-0142");
        // Whoever may restore the account's tokens may restore those too, also when the agent is gone.
        let text = format!("{own} and {others}");
        let back = server.post("/api/v1/rehydrate", json!({ "text": text })).await.expect(200);
        assert_eq!(
            (back["text"].as_str().unwrap(), back["restored"].clone()),
            ("415-555-0142 and 415-555-0142", json!(2))
        );
    }
    let own =
        server.post("/api/v1/mask", json!({ "text": "415-555-0142", "agent_id": wide })).await.expect(200);
    server.delete(&format!("/api/v1/agents/{wide}")).await.expect(204);
    let back = server.post("/api/v1/rehydrate", json!({ "text": own["masked"] })).await.expect(200);
    assert_eq!(back["text"], "415-555-0142");
    server
        .patch(&format!("/api/v1/agents/{narrow}"), json!({ "rehydrate_scope": "account" }))
        .await
        .refused(422, "validation_failed");
}

#[tokio::test]
async fn faults_below_are_told_without_what_they_were_about() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    break_writes(&server, "vault.db", "rows", "1");
    let error = server.chat(&agent, SAID).await.refused(503, "detection_unavailable");
    assert!(!error.to_string().contains("55-0142"));
    let health = server.get("/health").await.expect(503);
    assert_eq!(
        (health["components"]["vault"].clone(), health["status"].clone()),
        (json!("degraded"), json!("degraded"))
    );
    server.post("/api/v1/mask", json!({ "text": SAID })).await.refused(503, "detection_unavailable");
    assert_eq!(
        server.get("/api/v1/sessions?since=all&status=in_progress,error,ok,partial").await.expect(200)["data"],
        json!([])
    );
    break_writes(&server, "masker.db", "records", "NEW.kind = 'team'");
    let error =
        server.post("/api/v1/teams", json!({ "name": "Quillfeather" })).await.refused(500, "internal_error");
    assert!(error["type"] == "server_error" && !error.to_string().contains("Quillfeather"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_walks_over_the_whole_chain_one_is_refused() {
    let server = Arc::new(Server::new());
    let agent = server.agent("a", json!({})).await;
    for _ in 0..40 {
        server.chat(&agent, &format!("{SAID} ").repeat(10)).await.expect(200);
    }
    for _ in 0..50 {
        let walks: Vec<_> = (0..8)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { server.post("/api/v1/audit/verify", json!({})).await })
            })
            .collect();
        let mut refused = 0;
        for walk in walks {
            let answer = walk.await.unwrap();
            if answer.status == 409 {
                answer.refused(409, "verify_in_progress");
                refused += 1;
            } else {
                assert_eq!(answer.expect(200)["ok"], true);
            }
        }
        if refused > 0 {
            return;
        }
    }
    panic!("no two walks ever met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_finishes_what_it_began_and_tells_others() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let handle = start(server.state.clone()).await.unwrap();
    let base = format!("http://{}", handle.address);
    let client = reqwest::Client::new();
    let chat = |stream: bool, stub: &'static str| {
        let body = json!({ "messages": [{ "role": "user", "content": SAID }], "stream": stream });
        let request =
            client.post(format!("{base}/proxy/{agent}/v1/chat/completions")).header("masker-stub", stub);
        request.header("content-type", "application/json").body(body.to_string()).send()
    };
    let whole = tokio::spawn(chat(false, "delay_ms=700"));
    let streamed = tokio::spawn(chat(true, "chunk_bytes=10,chunk_delay_ms=60"));
    tokio::time::sleep(Duration::from_millis(250)).await;
    let stopping = tokio::spawn(handle.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let late = reqwest::get(format!("{base}/api/v1/me")).await.unwrap();
    assert_eq!((late.status().as_u16(), late.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    assert!(late.text().await.unwrap().contains("shutting_down"));
    let ready = reqwest::get(format!("{base}/ready")).await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.text().await.unwrap().contains("shutting_down")), (503, true));
    assert_eq!(reqwest::get(format!("{base}/live")).await.unwrap().status(), 200);
    let whole: Value = serde_json::from_str(&whole.await.unwrap().unwrap().text().await.unwrap()).unwrap();
    assert_eq!(words(&whole), format!("Echo: {SAID}"));
    let text = streamed.await.unwrap().unwrap().text().await.unwrap();
    assert_eq!(common::streamed_words(&text), format!("Echo: {SAID}"));
    stopping.await.unwrap();
    assert!(reqwest::get(format!("{base}/live")).await.is_err(), "nobody listens any more");
}

/// A request that is cut off by the end of the process has its session written down like any other.
#[test]
fn a_turn_is_written_down_though_the_executor_ends() {
    let server = Server::new();
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = runtime();
    let agent = first.block_on(server.agent("a", json!({})));
    let body = json!({ "messages": [{ "role": "user", "content": SAID }] });
    let request = Request::post(format!("/proxy/{agent}/v1/chat/completions"))
        .header("content-type", "application/json")
        .header("masker-stub", "delay_ms=20000")
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = tower::ServiceExt::oneshot(server.router.clone(), request);
    let _cut_off = first.spawn(answer);
    first.block_on(async { tokio::time::sleep(Duration::from_millis(300)).await });
    drop(first);
    let rows = runtime().block_on(server.get("/api/v1/sessions?status=error,partial")).expect(200);
    let id = rows["data"][0]["id"].as_str().unwrap();
    let seen = runtime().block_on(server.get(&format!("/api/v1/sessions/{id}"))).expect(200);
    assert_eq!(seen["session"]["error_code"], "client_disconnected");
    assert_eq!(seen["session"]["turns"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn synthetic_values_stay_in_their_place_unless_told_otherwise() {
    let server = Server::new();
    let text = "he lives in zip 94110 and was born on march 3 1982";
    let said = |preserve: Value| {
        let server = &server;
        async move {
            let body = json!({ "text": text, "seed": 7, "preserve_locale": preserve });
            server.post("/api/v1/synthesize", body).await.expect(200)["text"].as_str().unwrap().to_owned()
        }
    };
    let usual = said(Value::Null).await;
    assert_eq!(usual, said(json!(true)).await);
    assert!(!usual.contains("94110"));
    server
        .post("/api/v1/synthesize", json!({ "text": text, "preserve_locale": 1 }))
        .await
        .refused(422, "validation_failed");
}

#[tokio::test]
async fn a_turn_that_goes_on_can_be_seen_and_cut_off() {
    let server = Arc::new(Server::new());
    let agent = server.agent("a", json!({})).await;
    let path = format!("/proxy/{agent}/v1/chat/completions");
    let call = {
        let (server, path) = (server.clone(), path.clone());
        let body = json!({ "messages": [{ "role": "user", "content": SAID }] });
        tokio::spawn(async move {
            server.call_as("", "POST", &path, Some(body), &[("masker-stub", "delay_ms=5000")]).await
        })
    };
    let mut open = json!([]);
    for _ in 0..100 {
        open = server.get("/api/v1/sessions?status=in_progress").await.expect(200)["data"].clone();
        if open != json!([]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let id = open[0]["id"].as_str().unwrap();
    let cut =
        server.post(&format!("/api/v1/sessions/{id}/terminate"), json!({})).await.expect(200)["session"]
            .clone();
    assert_eq!((cut["status"].clone(), cut["error_code"].clone()), (json!("error"), json!("terminated")));
    for shown in [&open[0], &cut] {
        let by_kind = shown["redactions_by_kind"].as_object().unwrap();
        let sum: i64 = by_kind.values().map(|count| count.as_i64().unwrap()).sum();
        assert!(sum > 0 && shown["redaction_count"] == sum, "{shown}");
    }
    call.await.unwrap().refused(410, "session_terminated");
    // One that is cut off before anybody could see it is written down all the same.
    let call = {
        let (server, path) = (server.clone(), path.clone());
        let body = json!({ "messages": [{ "role": "user", "content": SAID }] });
        tokio::spawn(async move {
            server.call_as("", "POST", &path, Some(body), &[("masker-stub", "delay_ms=5000")]).await
        })
    };
    let mut cut = json!(0);
    while cut == json!(0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let path = format!("/api/v1/agents/{agent}/terminate-calls");
        cut = server.post(&path, json!({})).await.expect(200)["terminated"].clone();
    }
    call.await.unwrap().refused(410, "session_terminated");
    let rows = server.get("/api/v1/sessions?status=error").await.expect(200)["data"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let first = rows[1]["id"].as_str().unwrap();
    let report = server.get(&format!("/api/v1/sessions/{first}/report")).await.expect(200);
    let detail = server.get(&format!("/api/v1/sessions/{first}")).await.expect(200);
    assert_eq!(
        report["report"]["merkle_root_hex"], detail["session"]["merkle_root_hex"],
        "no event is missing"
    );
}

#[tokio::test]
async fn every_error_has_the_class_of_its_status() {
    let server = Server::with(&[("MASKER_RATE_LIMIT", "api=1:6")]);
    let reader = server.token(&["agents:read"]).await;
    let agent = json!({ "name": "a", "upstream": "stub" });
    let calls = [
        ("", "GET", "/api/v1/agents", None, 401, "authentication_error"),
        (reader.as_str(), "POST", "/api/v1/agents", Some(agent.clone()), 403, "permission_error"),
        (reader.as_str(), "GET", "/api/v1/agents/agt_x", None, 404, "not_found"),
        (reader.as_str(), "DELETE", "/api/v1/account", None, 405, "invalid_request_error"),
        (server.token.as_str(), "POST", "/api/v1/agents", Some(agent.clone()), 201, ""),
        (server.token.as_str(), "POST", "/api/v1/agents", Some(agent), 409, "conflict"),
        (reader.as_str(), "GET", "/api/v1/agents?limit=x", None, 422, "invalid_request_error"),
    ];
    for (token, method, path, body, status, class) in calls {
        let answer = server.call_as(token, method, path, body, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(answer.json()["error"]["type"].as_str().unwrap_or_default(), class, "{}", answer.text);
    }
    let mut refused = server.get("/api/v1/agents").await;
    while refused.status != 429 {
        refused = server.get("/api/v1/agents").await;
    }
    assert_eq!(refused.refused(429, "rate_limited")["type"], "rate_limit_error");
}
