//! A marked original goes through every endpoint and is found nowhere but where it belongs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Request;
use axum::routing::post;
use common::Server;
use http_body_util::BodyExt as _;
use masker_server::{Config, bootstrap, login_link};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Parts of the marked text, none of which may be found.
const MARKS: [&str; 5] =
    ["Quillfeather", "415-555-0142", "4155550142", "quill.mark@example.com", "078-05-1120"];
const SAID: &str =
    "I'm Ann Quillfeather, call 415-555-0142 or 4155550142, mail quill.mark@example.com, ssn 078-05-1120";

fn holds(text: &[u8]) -> Option<&'static str> {
    MARKS.into_iter().find(|mark| text.windows(mark.len()).any(|window| window == mark.as_bytes()))
}

/// What is written somewhere, to be looked through afterwards.
#[derive(Clone, Default)]
struct Gathered(Arc<Mutex<Vec<u8>>>);

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Gathered {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// The words of a report as a document.
async fn document(server: &Server, path: &str) -> String {
    let request = Request::get(path).header("authorization", format!("Bearer {}", server.token));
    let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    document.extract_text(&pages).unwrap() + &String::from_utf8_lossy(&bytes)
}

async fn take(State(inbox): State<Gathered>, body: Bytes) {
    inbox.clone().write_all(&body).unwrap();
}

#[test]
fn what_a_bootstrap_made_prints_no_credential() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::from_vars(common::vars(folder.path(), &[])).unwrap();
    let token = bootstrap(config.database(), config.public_url(), "alice", true, false).unwrap();
    let link = login_link(config.database(), config.public_url(), "alice").unwrap();
    for (made, secret) in [(&token, &token.token), (&link, &link.code)] {
        let said = format!("{made:?}\n{made:#?}");
        assert!(said.starts_with("Bootstrap") && !said.contains(secret.as_deref().unwrap()), "{said}");
    }
}

/// Every operation that is described, with the marked text in each place of its path, its query and its body; gives the answers.
/// A member that no body has makes sure that nothing is named after the text.
async fn marked_everywhere(server: &Server) -> Vec<String> {
    let described = server.get("/openapi.json").await.expect(200);
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let encoded: String = SAID
        .bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let mut answers = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        // Their answers are for whoever said it; what else they say is asked for below.
        if path.starts_with("/proxy/") || path == "/api/v1/rehydrate" {
            continue;
        }
        for (method, operation) in methods.as_object().unwrap() {
            let parts =
                path.split('/').map(|part| if part.starts_with('{') { encoded.as_str() } else { part });
            let query = operation["parameters"].as_array().into_iter().flatten();
            let query = query.filter(|parameter| parameter["in"] == "query");
            let query: Vec<String> =
                query.map(|parameter| format!("{}={encoded}", parameter["name"].as_str().unwrap())).collect();
            let fields = &operation["requestBody"]["content"]["application/json"]["schema"]["properties"];
            let mut body = json!({ SAID: SAID });
            for field in fields.as_object().into_iter().flat_map(|fields| fields.keys()) {
                body[field] = SAID.into();
            }
            let method = method.to_uppercase();
            let path = format!("{}?{}", parts.collect::<Vec<_>>().join("/"), query.join("&"));
            let call = server.call(&method, &path, (method != "GET").then_some(body));
            // A stream of events has no end.
            if let Ok(answer) = tokio::time::timeout(Duration::from_secs(5), call).await {
                answers.push(format!("{method} {:?} {}", answer.headers, answer.text));
            }
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marked_original_is_found_nowhere() {
    let log = Gathered::default();
    let writer = log.clone();
    let own = Targets::new().with_target("masker_server", tracing::Level::TRACE);
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_filter(own);
    tracing_subscriber::registry().with(layer).init();
    let inbox = Gathered::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take)).with_state(inbox.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let server = Server::with(&[
        ("MASKER_PAYLOAD_RETENTION_DAYS", "1"),
        ("MASKER_WEBHOOK_ALLOW_PRIVATE", "1"),
        ("MASKER_METRICS_ADDR", "127.0.0.1:0"),
    ]);
    let started = masker_server::start(server.state.clone()).await.unwrap();
    let made = server.post("/api/v1/webhooks", json!({ "name": "all", "url": hook, "events": ["*"] })).await;
    let webhook = made.expect(201)["webhook"]["id"].as_str().unwrap().to_owned();
    let yaml =
        include_str!("../../configs/mask_policy.yaml").replace("log_payloads: false", "log_payloads: true");
    let agent = server.agent("a", json!({ "policy_yaml": yaml })).await;
    let mut answers: Vec<String> = Vec::new();
    for (headers, stream) in [
        (vec![], false),
        (vec![], true),
        (vec![("masker-stub", "status=503")], false),
        (vec![("masker-stub", "tool=1")], true),
    ] {
        let body = json!({
            "messages": [{ "role": "system", "content": SAID }, { "role": "user", "content": SAID }, { "role": "tool", "tool_call_id": "1", "content": json!({ "note": SAID }).to_string() }],
            "tools": [{ "type": "function", "function": { "name": "lookup", "description": SAID, "parameters": { "type": "object", "properties": { "x": { "enum": [SAID] } } } } }],
            "user": SAID, "stop": [SAID], "metadata": { "m": SAID }, "call": { "id": "415-555-0142", "customer": { "number": "4155550142" } }, "unknown": SAID, "stream": stream,
        });
        let answer = server
            .call_as("", "POST", &format!("/proxy/{agent}/v1/chat/completions"), Some(body), &headers)
            .await;
        // The caller gets its own words back; errors it does not.
        if answer.status != 200 {
            answers.push(answer.text);
        }
    }
    for body in [
        json!({ "messages": SAID }),
        json!({ "messages": [{ "role": SAID, "content": [{ "type": SAID }] }] }),
        json!(SAID),
        json!({ "model": SAID, "messages": [{ "role": "user", "content": SAID }] }),
    ] {
        answers.push(
            server
                .call_as("", "POST", &format!("/proxy/{agent}/v1/chat/completions"), Some(body), &[])
                .await
                .text,
        );
    }
    let vapi = json!({ "message": { "type": SAID, "call": { "id": SAID } } });
    answers.push(server.call_as("", "POST", &format!("/vapi/webhook/{agent}"), Some(vapi), &[]).await.text);
    let vapi = json!({ "message": { "type": "assistant-request", "call": { "id": "c9", "customer": { "number": "4155550142", "name": SAID } } } });
    answers.push(server.call_as("", "POST", &format!("/vapi/webhook/{agent}"), Some(vapi), &[]).await.text);
    answers.push(server.post("/api/v1/mask", json!({ "text": SAID })).await.text);
    answers.push(server.post("/api/v1/detect", json!({ "text": SAID })).await.text);
    answers.push(server.post("/api/v1/synthesize", json!({ "text": SAID })).await.text);
    answers.push(server.post("/api/v1/mask", json!({ "text": 7, SAID: SAID })).await.text);
    answers.push(server.post("/api/v1/policies/validate", json!({ "yaml": SAID })).await.text);
    answers.push(
        server
            .post("/api/v1/agents", json!({ "name": 7, "upstream": SAID, "status": SAID, SAID: 1 }))
            .await
            .text,
    );
    answers.push(server.post("/api/v1/agents/bulk-delete", json!({ "filter": { SAID: SAID } })).await.text);
    answers.push(server.post("/api/v1/tokens", json!({ "name": "x", "scopes": [SAID] })).await.text);
    answers.push(server.post("/api/v1/auth/local", json!({ "login_code": SAID })).await.text);
    let alien = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
    server.chat(&agent, &format!("{SAID} {alien}")).await.expect(200);
    let bad = json!({ "name": SAID, "url": SAID, "events": [SAID], "secret": SAID });
    answers.push(server.post("/api/v1/webhooks", bad).await.text);
    answers.push(server.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({ SAID: SAID })).await.text);
    answers.push(server.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({})).await.text);
    for format in [SAID, "pdf"] {
        let format = format.replace(' ', "%20");
        let answer =
            server.get(&format!("/api/v1/reports?format=pdf&since={format}&generated_at={format}")).await;
        assert_eq!(answer.status, 422);
        answers.push(answer.text);
    }
    for path in [
        "/api/v1/sessions?since=all",
        "/api/v1/sessions?since=all&status=in_progress",
        "/api/v1/audit/events?limit=100",
        "/api/v1/audit/export",
        "/api/v1/reports",
        "/health",
        "/api/v1/agents",
    ] {
        answers.push(server.get(path).await.text);
    }
    let everywhere = marked_everywhere(&server).await;
    assert!(everywhere.len() > 60, "{}", everywhere.len());
    answers.extend(everywhere);
    let rows = server.get("/api/v1/sessions?since=all&status=in_progress,error,partial,ok").await.expect(200);
    for row in rows["data"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        answers.push(server.get(&format!("/api/v1/sessions/{id}/events")).await.text);
        answers.push(server.get(&format!("/api/v1/sessions/{id}/report")).await.text);
        answers.push(document(&server, &format!("/api/v1/sessions/{id}/report?format=pdf")).await);
        let mut detail = server.get(&format!("/api/v1/sessions/{id}")).await.expect(200);
        // What the policy keeps is shown to those who may see it, and to nobody else.
        detail["session"]["payloads"] = Value::Null;
        answers.push(detail.to_string());
    }
    for path in ["/api/v1/reports?format=pdf".to_owned(), format!("/api/v1/agents/{agent}/report?format=pdf")]
    {
        answers.push(document(&server, &path).await);
    }
    server.delete(&format!("/api/v1/agents/{agent}")).await.expect(204);
    for _ in 0..500 {
        if inbox.text().contains("agent.deleted") && inbox.text().contains("rehydration.failed") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    answers.push(server.get(&format!("/api/v1/webhooks/{webhook}/deliveries?limit=100")).await.text);
    let metrics = format!("http://{}/metrics", started.metrics_address.unwrap());
    answers.push(reqwest::get(metrics).await.unwrap().text().await.unwrap());
    let (told, logged) = (inbox.text(), log.text());
    assert!(
        told.contains("session.completed")
            && told.contains("agent.deleted")
            && told.contains("rehydration.failed")
    );
    assert!(logged.contains("\"/proxy/{agent_id}/v1/chat/completions\""), "the log is gathered");
    answers.extend([told, logged]);
    assert!(answers.len() > 40, "{}", answers.len());
    for answer in &answers {
        assert_eq!(holds(answer.as_bytes()), None, "{answer}");
    }
    for (file, bytes) in server.files() {
        assert_eq!(holds(&bytes), None, "{file}");
    }
}
