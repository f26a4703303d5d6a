//! Webhooks: who is told of what, signed how, and when one is given up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::common::Server;

const SAID: &str = "I'm Ann Reed, call 415-555-0142";

#[derive(Clone, Default)]
struct Inbox {
    letters: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    /// What is answered, in order; 200 from then on.
    answers: Arc<Mutex<Vec<u16>>>,
    delay: Duration,
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    tokio::time::sleep(inbox.delay).await;
    inbox.letters.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
    let mut answers = inbox.answers.lock().unwrap();
    let status = if answers.is_empty() { 200 } else { answers.remove(0) };
    StatusCode::from_u16(status).unwrap()
}

impl Inbox {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/hook")
    }

    fn events(&self) -> Vec<Value> {
        self.letters.lock().unwrap().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }

    async fn wait_for(&self, count: usize) -> Vec<Value> {
        for _ in 0..1500 {
            if self.letters.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let events = self.events();
        assert_eq!(events.len(), count, "{events:?}");
        events
    }
}

fn server() -> Server {
    Server::with(&[("MASKER_WEBHOOK_ALLOW_PRIVATE", "1")])
}

fn names(events: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn webhooks_are_made_shown_changed_and_deleted() {
    let server = server();
    let hooks = "/api/v1/webhooks";
    let made = server
        .post(
            hooks,
            json!({ "name": "ops", "url": "https://hooks.example.com/x", "events": ["agent.deleted", "*"] }),
        )
        .await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    assert_eq!((location, &id[..4]), (format!("{hooks}/{id}"), "whk_"));
    let own = json!({ "name": "own", "url": "https://hooks.example.com/y", "events": ["*"], "secret": "sixteen-or-longer" });
    let own = server.post(hooks, own).await.expect(201);
    assert_eq!(own.get("secret"), None, "a secret of the caller's is not repeated");
    let one = server.get(&format!("{hooks}/{id}")).await.expect(200)["webhook"].clone();
    assert_eq!((one["events"].clone(), one["active"].clone()), (json!(["*", "agent.deleted"]), json!(true)));
    assert!(one.get("secret").is_none());
    let first = server.get(&format!("{hooks}?limit=1")).await.expect(200);
    let next = first["next_cursor"].as_str().unwrap();
    let second = server.get(&format!("{hooks}?cursor={next}")).await.expect(200);
    let mut names = [first["data"][0]["name"].as_str().unwrap(), second["data"][0]["name"].as_str().unwrap()];
    names.sort_unstable();
    assert_eq!((names, second["next_cursor"].clone()), (["ops", "own"], Value::Null));
    let changed =
        server.patch(&format!("{hooks}/{id}"), json!({ "active": false, "events": ["agent.created"] })).await;
    assert_eq!(changed.expect(200)["webhook"]["active"], false);
    for (body, field, issue) in [
        (json!({}), "name", "missing"),
        (json!({ "name": "x", "url": "ftp://example.com", "events": ["*"] }), "url", "bad_format"),
        (json!({ "name": "x", "url": "https://example.com", "events": [] }), "events", "too_short"),
        (
            json!({ "name": "x", "url": "https://example.com", "events": ["nonsense"] }),
            "events.0",
            "bad_value",
        ),
        (
            json!({ "name": "x", "url": "https://example.com", "events": ["*"], "secret": "short" }),
            "secret",
            "bad_format",
        ),
        (
            json!({ "name": "x", "url": "https://example.com", "events": ["*"], "colour": 1 }),
            "colour",
            "unknown_field",
        ),
    ] {
        let error = server.post(hooks, body).await.refused(422, "validation_failed");
        let details = error["details"].as_array().unwrap();
        assert!(details.iter().any(|d| d["field"] == field && d["issue"] == issue), "{error}");
    }
    server
        .patch(&format!("{hooks}/{id}"), json!({ "name": "other" }))
        .await
        .refused(422, "validation_failed");
    let reader = server.token(&["agents:write"]).await;
    server.call_as(&reader, "GET", hooks, None, &[]).await.refused(403, "forbidden");
    server.call_as("", "GET", hooks, None, &[]).await.refused(401, "unauthenticated");
    server.delete(&format!("{hooks}/{id}")).await.expect(204);
    for (method, path) in
        [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")]
    {
        let body = (method != "GET").then(|| json!({}));
        server.call(method, &format!("{hooks}/{id}{path}"), body).await.refused(404, "webhook_not_found");
    }
    let log = server.audit_log();
    assert!(log.contains(&id) && !log.contains("hooks.example.com"));
}

#[tokio::test]
async fn events_are_told_signed_and_without_text() {
    let server = server();
    let inbox = Inbox::default();
    let url = inbox.listen().await;
    let body = json!({ "name": "all", "url": url, "events": ["*"], "secret": "whsec_example_secret" });
    let hook =
        server.post("/api/v1/webhooks", body).await.expect(201)["webhook"]["id"].as_str().unwrap().to_owned();
    let deaf = Inbox::default();
    let body = json!({ "name": "few", "url": deaf.listen().await, "events": ["agent.restored"] });
    server.post("/api/v1/webhooks", body).await.expect(201);
    let agent = server.agent("Ann's line", json!({})).await;
    server.chat(&agent, SAID).await.expect(200);
    let alien = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
    server.chat(&agent, &format!("say {alien}")).await.expect(200);
    server.post(&format!("/api/v1/agents/{agent}/pause"), json!({})).await.expect(200);
    server
        .patch(&format!("/api/v1/agents/{agent}"), json!({ "status": "active", "name": "Bob's line" }))
        .await
        .expect(200);
    server.delete(&format!("/api/v1/agents/{agent}?mode=soft")).await.expect(204);
    server.post(&format!("/api/v1/agents/{agent}/restore"), json!({})).await.expect(200);
    let events = inbox.wait_for(8).await;
    assert_eq!(
        names(&events),
        [
            "agent.created",
            "agent.deleted",
            "agent.restored",
            "agent.status_changed",
            "agent.status_changed",
            "rehydration.failed",
            "session.completed",
            "session.completed",
        ]
    );
    let of = |name: &str| events.iter().find(|event| event["event"] == name).unwrap()["data"].clone();
    assert_eq!(of("agent.created"), json!({ "agent_id": agent, "status": "active" }));
    assert_eq!(of("rehydration.failed")["failures"][0]["entity_kind"], "PHONE");
    assert!(of("session.completed")["session_id"].as_str().unwrap().starts_with("sess_"));
    for (headers, body) in inbox.letters.lock().unwrap().iter() {
        let stamp = headers["masker-timestamp"].to_str().unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"whsec_example_secret").unwrap();
        mac.update(format!("{stamp}.{body}").as_bytes());
        let signature = data_encoding::HEXLOWER.decode(headers["masker-signature"].as_bytes()).unwrap();
        mac.verify_slice(&signature).unwrap();
        for text in ["Ann", "Bob", "Reed", "55-0142", alien] {
            assert!(!body.contains(text), "{body}");
        }
        let event: Value = serde_json::from_str(body).unwrap();
        assert!(
            event["event_id"].as_str().unwrap().starts_with("evt_") && event["account_id"].as_str().is_some()
        );
    }
    assert_eq!(names(&deaf.wait_for(1).await), ["agent.restored"]);
    // What was delivered is written down a moment later.
    let mut rows = json!([]);
    for _ in 0..200 {
        rows = server.get(&format!("/api/v1/webhooks/{hook}/deliveries?limit=100")).await.expect(200)["data"]
            .clone();
        if rows.as_array().unwrap().len() == 8 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rows = rows.as_array().unwrap();
    assert!(
        rows.len() == 8 && rows.iter().all(|row| row["status"] == "delivered" && row["attempts"] == 1),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_and_a_dead_webhook_switched_off() {
    let server = server();
    let inbox = Inbox { answers: Arc::new(Mutex::new(vec![500, 503])), ..Inbox::default() };
    let body = json!({ "name": "x", "url": inbox.listen().await, "events": ["agent.created"] });
    let hook =
        server.post("/api/v1/webhooks", body).await.expect(201)["webhook"]["id"].as_str().unwrap().to_owned();
    server.agent("a", json!({})).await;
    let events = inbox.wait_for(3).await;
    assert!(events.iter().all(|event| event["event_id"] == events[0]["event_id"]), "one event, tried again");
    let path = format!("/api/v1/webhooks/{hook}");
    // A neighbour is not called where that is not allowed, nor tried again.
    let strict = Server::new();
    let body = json!({ "name": "x", "url": inbox.listen().await, "events": ["agent.created"] });
    let made = strict.post("/api/v1/webhooks", body).await.expect(201);
    let strict_path = format!("/api/v1/webhooks/{}", made["webhook"]["id"].as_str().unwrap());
    for i in 0..20 {
        strict.agent(&format!("a{i}"), json!({})).await;
    }
    let mut shown = Value::Null;
    for _ in 0..500 {
        shown = strict.get(&strict_path).await.expect(200)["webhook"].clone();
        if shown["active"] == false {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((shown["active"].clone(), shown["consecutive_failures"].clone()), (json!(false), json!(20)));
    let rows = strict.get(&format!("{strict_path}/deliveries")).await.expect(200)["data"].clone();
    assert_eq!((rows[0]["status"].clone(), rows[0]["attempts"].clone()), (json!("failed"), json!(1)));
    let again = strict.patch(&strict_path, json!({ "active": true })).await.expect(200);
    assert_eq!(again["webhook"]["consecutive_failures"], 0);
    assert_eq!(inbox.events().len(), 3);
    // A try by hand is told at once.
    let tried = server.post(&format!("{path}/test"), json!({})).await.expect(200);
    assert_eq!(
        (tried["delivery"]["status"].clone(), tried["delivery"]["event"].clone()),
        (json!("delivered"), json!("webhook.test"))
    );
    let tried = strict.post(&format!("{strict_path}/test"), json!({})).await.expect(200);
    assert_eq!(tried["delivery"]["status"], "failed");
}

#[tokio::test]
async fn of_two_requests_with_one_key_the_second_is_told_to_wait() {
    let server = Arc::new(server());
    let inbox = Inbox { delay: Duration::from_millis(600), ..Inbox::default() };
    let body = json!({ "name": "slow", "url": inbox.listen().await, "events": ["agent.created"] });
    let made = server.post("/api/v1/webhooks", body).await.expect(201);
    let path = format!("/api/v1/webhooks/{}/test", made["webhook"]["id"].as_str().unwrap());
    let headers = [("idempotency-key", "once")];
    let first = {
        let (server, path) = (server.clone(), path.clone());
        tokio::spawn(
            async move { server.call_as(&server.token, "POST", &path, Some(json!({})), &headers).await },
        )
    };
    tokio::time::sleep(Duration::from_millis(250)).await;
    let second = server.call_as(&server.token, "POST", &path, Some(json!({})), &headers).await;
    assert_eq!(second.header("retry-after"), "1");
    second.refused(409, "idempotency_in_progress");
    let done = first.await.unwrap().expect(200);
    let third = server.call_as(&server.token, "POST", &path, Some(json!({})), &headers).await;
    assert_eq!(third.header("idempotency-replayed"), "true");
    assert_eq!(third.expect(200), done);
    assert_eq!(inbox.events().len(), 1);
}

#[tokio::test]
async fn whoever_listens_hears_that_the_chain_is_broken() {
    let server = server();
    let inbox = Inbox::default();
    let body = json!({ "name": "x", "url": inbox.listen().await, "events": ["audit.chain_broken"] });
    server.post("/api/v1/webhooks", body).await.expect(201);
    server.agent("a", json!({})).await;
    let path = server.folder.path().join("data/audit.log");
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, log.replacen("\"upstream\":\"stub\"", "\"upstream\":\"stab\"", 1)).unwrap();
    let result = server.post("/api/v1/audit/verify", json!({})).await.expect(200);
    assert_eq!(result["ok"], false);
    let events = inbox.wait_for(1).await;
    assert_eq!(events[0]["data"]["first_bad_seq"], result["first_bad_seq"]);
}
