//! A clock that was set back: what has a time from before is from the future now.
//!
//! Nobody can turn the clock of a test. What an earlier, later clock wrote is put in its place instead: an event that a command
//! left for the log, and rows of the database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::{Server, words};

const HOUR: i64 = 3_600_000;
const SAID: &str = "I'm Ann Reed, call 415-555-0142";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn sql(server: &Server, sql: &str) {
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    database.execute_batch(sql).unwrap();
}

/// Lets an event into the log that is written at a time, as the next one.
async fn logged_at(server: &Server, at: i64) {
    let account = server.get("/api/v1/me").await.expect(200)["account"]["id"].as_str().unwrap().to_owned();
    let event = json!({ "kind": "settings_updated", "account_id": account, "at": at, "data": { "clock": "set back" } });
    sql(server, &format!("INSERT INTO outbox (event) VALUES ('{event}')"));
    // It is delivered before a new token is used for the first time.
    let token = server.token(&["agents:read"]).await;
    server.call_as(&token, "GET", "/api/v1/agents", None, &[]).await.expect(200);
}

fn kinds(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_log_stands_in_the_order_of_writing() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    logged_at(&server, now() + 2 * HOUR).await;
    let answer = server.chat(&agent, SAID).await.expect(200);
    assert_eq!(words(&answer), format!("Echo: {SAID}"));
    // The other way round: what came before is an hour and a half old, and what came before that is not.
    logged_at(&server, now() - 90 * 60_000).await;
    server.chat(&agent, SAID).await.expect(200);
    let verified = server.post("/api/v1/audit/verify", json!({})).await.expect(200);
    assert_eq!((&verified["ok"], &verified["reason"]), (&json!(true), &Value::Null), "{verified}");
    let log = server.audit_log();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (i, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], i + 1);
    }
    let ids: Vec<&str> = events.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert!(ids.iter().collect::<std::collections::HashSet<_>>().len() == ids.len(), "{ids:?}");
    // A window is one of times, wherever they stand in the log.
    let all = server.get("/api/v1/audit/events?since=all&until=2999-01-01&limit=100").await.expect(200);
    assert_eq!(
        all["data"].as_array().unwrap().len(),
        events.len() - 1,
        "all but the start, which is nobody's"
    );
    let hour = server.get("/api/v1/audit/events?since=1h&limit=100").await.expect(200);
    let made = kinds(&hour).into_iter().filter(|kind| *kind == "agent_created").count();
    let set_back = kinds(&hour).into_iter().filter(|kind| *kind == "settings_updated").count();
    assert_eq!((made, set_back), (1, 0), "{hour}");
    let later = server.get("/api/v1/audit/events?since=2h&until=2999-01-01&limit=100").await.expect(200);
    let seqs: Vec<i64> =
        later["data"].as_array().unwrap().iter().map(|e| e["seq"].as_i64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a > b) && seqs.len() == events.len() - 1, "{seqs:?}");
    let id = all["data"][0]["event_id"].as_str().unwrap();
    server.get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
}

#[tokio::test]
async fn sessions_of_the_time_to_come_are_kept_and_told() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let first = server.chat(&agent, SAID).await;
    let first = first.header("masker-session-id").to_owned();
    let path = format!("/proxy/{agent}/v1/chat/completions");
    let body = json!({ "messages": [{ "role": "user", "content": SAID }] });
    let key = [("masker-session-id", "call-1")];
    let open = server.call_as("", "POST", &path, Some(body.clone()), &key).await;
    let open = open.header("masker-session-id").to_owned();
    sql(
        &server,
        &format!(
            "UPDATE sessions SET started_at = started_at + {HOUR}, ended_at = ended_at + {HOUR}, last_at = last_at + {HOUR} WHERE id = '{first}'"
        ),
    );
    // The clock went back in the middle of this one.
    sql(&server, &format!("UPDATE sessions SET started_at = started_at + {HOUR} WHERE id = '{open}'"));
    sql(
        &server,
        &format!(
            "UPDATE records SET doc = json_set(doc, '$.last_used_at', {}) WHERE kind = 'token'",
            now() + HOUR
        ),
    );
    let server = server.restarted(&[]);
    let shown = server.get(&format!("/api/v1/sessions/{open}")).await.expect(200)["session"].clone();
    assert_eq!((&shown["status"], &shown["duration_ms"]), (&json!("ok"), &json!(0)));
    let last = server.chat(&agent, SAID).await.header("masker-session-id").to_owned();
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    // A list ends now; who asks for what is to come gets it, in one order, page by page.
    assert_eq!(ids(&server.get("/api/v1/sessions").await.expect(200)), std::slice::from_ref(&last));
    let mut walked = Vec::new();
    let mut next = "/api/v1/sessions?until=2999-01-01&limit=1".to_owned();
    loop {
        let page = server.get(&next).await.expect(200);
        walked.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("/api/v1/sessions?limit=1&cursor={cursor}");
    }
    let mut wanted = [first, open];
    wanted.sort_by(|a, b| b.cmp(a));
    assert_eq!(walked.len(), 3);
    assert_eq!(walked[2], last);
    assert!(wanted.iter().all(|id| walked.contains(id)));
    let agents = server.get("/api/v1/agents").await.expect(200);
    assert_eq!(agents["data"][0]["id"], agent.as_str());
}
