//! What cannot be written down: the caller is told in the place of the end of the answer, and supervisors see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use masker_server::start;
use serde_json::{Value, json};

use crate::common::{Answer, Server, streamed_words, words};

const SAID: &str = "I'm Ann Reed, call 415-555-0142";

fn database(server: &Server) -> rusqlite::Connection {
    rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap()
}

/// Makes every new row of a table fail.
fn no_room(server: &Server, table: &str) {
    let sql =
        format!("CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    database(server).execute_batch(&sql).unwrap();
}

fn room_again(server: &Server) {
    database(server).execute_batch("DROP TRIGGER full").unwrap();
}

async fn chat(server: &Server, agent: &str, stream: bool, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "messages": [{ "role": "user", "content": SAID }], "stream": stream });
    server.call_as("", "POST", &format!("/proxy/{agent}/v1/chat/completions"), Some(body), headers).await
}

/// The events of a stream.
fn events(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.header("content-type"), "text/event-stream", "{}", answer.text);
    answer.text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect()
}

/// Checks that an answer says what is wrong and does not come to its end.
fn unfinished(answer: Answer, stream: bool) {
    if !stream {
        let error = answer.refused(500, "internal_error");
        assert!(error["type"] == "server_error" && error["param"].is_null(), "{error}");
        assert!(!error.to_string().contains("55-0142") && !error.to_string().contains("full"), "{error}");
        return;
    }
    let events = events(&answer);
    let [.., error, end] = events.as_slice() else { panic!("{events:?}") };
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!((error["error"]["code"].as_str(), *end), (Some("internal_error"), "[DONE]"), "{events:?}");
    assert_eq!(error["error"]["request_id"], answer.header("x-request-id"));
    assert_eq!(events.iter().filter(|event| event.contains("\"error\"")).count(), 1);
}

#[tokio::test]
async fn no_answer_ends_before_its_session_is_written() {
    let server = Server::with(&[("MASKER_METRICS_ADDR", "127.0.0.1:0")]);
    let agent = server.agent("a", json!({})).await;
    let handle = start(server.state.clone()).await.unwrap();
    let metrics = format!("http://{}/metrics", handle.metrics_address.unwrap());
    let failures = async || {
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("masker_session_write_failures_total "));
        line.unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(failures().await, 0);
    let mut failed = 0;
    for key in [None, Some(("masker-session-id", "call-1"))] {
        for stream in [false, true] {
            // The row of a stream is there before its head is; what is written at the end are turns.
            no_room(&server, "turns");
            let headers: Vec<_> = key.into_iter().collect();
            unfinished(chat(&server, &agent, stream, &headers).await, stream);
            failed += 1;
            assert_eq!(failures().await, failed);
            let ready = server.get("/ready").await.expect(503);
            assert_eq!(ready["reasons"], json!(["db"]));
            assert_eq!(server.get("/health").await.expect(503)["components"]["db"], "degraded");
            room_again(&server);
            let answer = chat(&server, &agent, stream, &headers).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let said = if stream {
                assert_eq!(events(&answer).last(), Some(&"[DONE]"));
                streamed_words(&answer.text)
            } else {
                words(&answer.json()).to_owned()
            };
            assert_eq!(said, format!("Echo: {SAID}"));
            assert_eq!(server.get("/ready").await.expect(200)["ready"], true);
        }
    }
    handle.stop().await;
}

#[tokio::test]
async fn nothing_goes_upstream_for_a_stream_that_cannot_be_shown() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    no_room(&server, "sessions");
    chat(&server, &agent, true, &[]).await.refused(500, "internal_error");
    assert_eq!(server.get("/ready").await.expect(503)["reasons"], json!(["db"]));
    // An answer that is an error waits for its row too.
    for stub in ["status=503", "delay_ms=1"] {
        chat(&server, &agent, false, &[("masker-stub", stub)]).await.refused(500, "internal_error");
    }
    room_again(&server);
    chat(&server, &agent, false, &[("masker-stub", "status=503")]).await.refused(502, "upstream_error");
    chat(&server, &agent, true, &[]).await;
    let rows = server.get("/api/v1/sessions?status=ok,error,partial,in_progress").await.expect(200);
    assert_eq!(rows["data"].as_array().unwrap().len(), 2, "{rows}");
}

/// What could not be ended is ended when it can be, by the server that has it.
#[tokio::test(start_paused = true)]
async fn with_room_again_no_session_stays_open() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let handle = start(server.state.clone()).await.unwrap();
    let key = [("masker-session-id", "call-1")];
    chat(&server, &agent, false, &key).await.expect(200);
    let find = "/api/v1/sessions?external_id=call-1&status=in_progress";
    let call = server.get(find).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let no_end = "CREATE TRIGGER full BEFORE UPDATE OF ended_at ON sessions WHEN NEW.ended_at IS NOT NULL \
        BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    database(&server).execute_batch(no_end).unwrap();
    let answer = chat(&server, &agent, true, &[]).await;
    let streamed = answer.header("masker-session-id").to_owned();
    unfinished(answer, true);
    server.post(&format!("/api/v1/sessions/{call}/end"), json!({})).await.refused(500, "internal_error");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let open = server.get("/api/v1/sessions?status=in_progress").await.expect(200);
    assert_eq!(open["data"].as_array().unwrap().len(), 2, "{open}");
    room_again(&server);
    tokio::time::sleep(Duration::from_secs(20)).await;
    // A probe waits for what it asks by the clock.
    tokio::time::resume();
    assert_eq!(server.get("/ready").await.expect(200)["ready"], true);
    let open = server.get("/api/v1/sessions?status=in_progress").await.expect(200);
    assert_eq!(open["data"], json!([]));
    for (id, status, code, turns) in
        [(&streamed, "error", json!("internal_error"), 0), (&call, "ok", Value::Null, 1)]
    {
        let shown = server.get(&format!("/api/v1/sessions/{id}")).await.expect(200)["session"].clone();
        assert_eq!((&shown["status"], &shown["error_code"]), (&json!(status), &code), "{shown}");
        assert_eq!((&shown["turn_count"], shown["turns"].as_array().unwrap().len()), (&json!(turns), turns));
        assert!(shown["ended_at"].is_string() && shown["redaction_count"] == 2, "{shown}");
        let walked = server.post("/api/v1/audit/verify", json!({ "session_id": id })).await.expect(200);
        assert_eq!(shown["merkle_root_hex"], walked["merkle_root_hex"]);
        let log = server.audit_log();
        let ends: Vec<Value> = log
            .lines()
            .filter(|line| line.contains("session_completed") && line.contains(id.as_str()))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(ends.last().unwrap()["data"]["status"], status, "{ends:?}");
        assert!(ends.len() <= 2, "the log is not told of every try: {ends:?}");
    }
    handle.stop().await;
}

/// A request whose answer could not be kept has failed, and may be repeated.
#[tokio::test(start_paused = true)]
async fn with_room_again_no_key_stays_taken() {
    let server = Server::new();
    let handle = start(server.state.clone()).await.unwrap();
    let no_settling = "CREATE TRIGGER full BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'disk full'); END; \
        CREATE TRIGGER stuck BEFORE DELETE ON idempotency BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    database(&server).execute_batch(no_settling).unwrap();
    let make = async || {
        let body = json!({ "name": "a", "upstream": "stub" });
        let headers = [("idempotency-key", "k")];
        server.call_as(&server.token, "POST", "/api/v1/agents", Some(body), &headers).await
    };
    make().await.refused(500, "internal_error");
    make().await.refused(409, "idempotency_in_progress");
    room_again(&server);
    database(&server).execute_batch("DROP TRIGGER stuck").unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    // It runs again, and finds what the first run did.
    make().await.refused(409, "name_taken");
    handle.stop().await;
}

/// The hashes of a turn that was not written down are not lost to its session.
#[tokio::test]
async fn a_session_still_matches_the_log_after_a_turn_that_was_not_written() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let key = [("masker-session-id", "call-1")];
    for broken in [false, true, true, false] {
        if broken {
            no_room(&server, "turns");
        }
        let answer = chat(&server, &agent, false, &key).await;
        assert_eq!(answer.status, if broken { 500 } else { 200 }, "{}", answer.text);
        if broken {
            room_again(&server);
        }
    }
    let find = "/api/v1/sessions?external_id=call-1&status=in_progress";
    let id = server.get(find).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    server.post(&format!("/api/v1/sessions/{id}/end"), json!({})).await.expect(200);
    let shown = server.get(&format!("/api/v1/sessions/{id}")).await.expect(200)["session"].clone();
    let walked = server.post("/api/v1/audit/verify", json!({ "session_id": id })).await.expect(200);
    assert_eq!(walked["ok"], true);
    assert_eq!(walked["event_count"], 9, "two findings of each of four turns, and the end");
    // Two callers were told that their turns failed.
    assert_eq!((&shown["status"], &shown["error_code"]), (&json!("partial"), &json!("internal_error")));
    assert_eq!((&shown["turn_count"], shown["turns"].as_array().unwrap().len()), (&json!(2), 2));
    for (shown, walked) in [
        (&shown["merkle_root_hex"], &walked["merkle_root_hex"]),
        (&shown["audit_start_hash"], &walked["start_hash"]),
        (&shown["audit_root_hash"], &walked["root_hash"]),
    ] {
        assert_eq!(shown, walked);
    }
}

/// A token that could not be restored is in the log before the answer is the caller's.
#[tokio::test]
async fn what_was_lost_is_logged_before_it_is_answered() {
    let token = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
    for (setting, status) in [("closed", 503), ("open", 200)] {
        let vars = [("MASKER_AUDIT_FSYNC", "always"), ("MASKER_AUDIT_FAIL", setting)];
        let server = Server::with(&vars);
        let agent = server.agent("a", json!({})).await;
        // Nothing is found in the request, so that the first event is of what came back.
        let body = json!({ "messages": [{ "role": "user", "content": format!("say {token}") }] });
        let path = format!("/proxy/{agent}/v1/chat/completions");
        let answer = server.call_as("", "POST", &path, Some(body.clone()), &[]).await.expect(200);
        assert_eq!(words(&answer), "Echo: say [REDACTED:PHONE]");
        assert!(server.audit_log().contains("rehydration_failed"));
        no_room(&server, "meta");
        let answer = server.call_as("", "POST", &path, Some(body), &[]).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 503 {
            answer.refused(503, "audit_unavailable");
        }
        assert_eq!(server.get("/ready").await.expect(503)["reasons"], json!(["audit_log"]));
        let rows = server.get("/api/v1/sessions").await.expect(200);
        assert_eq!(rows["data"].as_array().unwrap().len(), 2, "the turn has its row all the same");
    }
}

/// An agent whose deletion could not be written lives on, and so do its sessions.
#[tokio::test]
async fn a_deletion_that_fails_takes_nothing_with_it() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let broken = "CREATE TRIGGER full BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    for mode in ["hard", "soft", "purge"] {
        if mode == "soft" {
            no_room(&server, "records");
        } else {
            database(&server).execute_batch(broken).unwrap();
        }
        server.delete(&format!("/api/v1/agents/{agent}?mode={mode}")).await.refused(500, "internal_error");
        room_again(&server);
        let session = chat(&server, &agent, false, &[]).await.header("masker-session-id").to_owned();
        let shown = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200);
        assert_eq!(shown["session"]["agent_deleted"], false, "{mode}");
    }
    server.delete(&format!("/api/v1/agents/{agent}?mode=purge")).await.expect(204);
    assert_eq!(server.get("/api/v1/sessions").await.expect(200)["data"], json!([]));
}
