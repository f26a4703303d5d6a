//! A marked original goes through every endpoint and is found nowhere but where it belongs.

mod common;

use common::Server;
use serde_json::{Value, json};

/// Parts of the marked text, none of which may be found.
const MARKS: [&str; 5] =
    ["Quillfeather", "415-555-0142", "4155550142", "quill.mark@example.com", "078-05-1120"];
const SAID: &str =
    "I'm Ann Quillfeather, call 415-555-0142 or 4155550142, mail quill.mark@example.com, ssn 078-05-1120";

fn holds(text: &[u8]) -> Option<&'static str> {
    MARKS.into_iter().find(|mark| text.windows(mark.len()).any(|window| window == mark.as_bytes()))
}

#[tokio::test]
async fn a_marked_original_is_found_nowhere() {
    let server = Server::with(&[("MASKER_PAYLOAD_RETENTION_DAYS", "1")]);
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
    let rows = server.get("/api/v1/sessions?since=all&status=in_progress,error,partial,ok").await.expect(200);
    for row in rows["data"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        answers.push(server.get(&format!("/api/v1/sessions/{id}/events")).await.text);
        answers.push(server.get(&format!("/api/v1/sessions/{id}/report")).await.text);
        let mut detail = server.get(&format!("/api/v1/sessions/{id}")).await.expect(200);
        // What the policy keeps is shown to those who may see it, and to nobody else.
        detail["session"]["payloads"] = Value::Null;
        answers.push(detail.to_string());
    }
    assert!(answers.len() > 20, "{}", answers.len());
    for answer in &answers {
        assert_eq!(holds(answer.as_bytes()), None, "{answer}");
    }
    for (file, bytes) in server.files() {
        assert_eq!(holds(&bytes), None, "{file}");
    }
}
