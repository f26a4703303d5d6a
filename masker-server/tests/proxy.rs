//! The proxy by HTTP, over the stub.

mod common;

use common::{Server, streamed_words, words};
use serde_json::{Value, json};

const SAID: &str = "I'm Ann Reed, born March 14, 1982, call 415-555-0142";

fn user(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }] })
}

async fn post(server: &Server, path: &str, body: Value, headers: &[(&str, &str)]) -> common::Answer {
    server.call_as("", "POST", path, Some(body), headers).await
}

#[tokio::test]
async fn an_answer_is_restored_and_the_session_written() {
    let server = Server::new();
    let id = server.agent("refill-line", json!({})).await;
    let answer = server.chat(&id, SAID).await;
    let session = answer.header("masker-session-id").to_owned();
    assert_eq!(answer.header("masker-redactions"), "3");
    assert_eq!(words(&answer.expect(200)), format!("Echo: {SAID}"));
    let listed = server.get(&format!("/api/v1/agents/{id}/sessions")).await.expect(200)["data"][0].clone();
    assert_eq!((listed["id"].clone(), listed["status"].clone()), (json!(session), json!("ok")));
    assert_eq!(listed["redactions_by_kind"], json!({ "DOB": 1, "NAME": 1, "PHONE": 1 }));
    assert_eq!((listed["redaction_count"].clone(), listed["turn_count"].clone()), (json!(3), json!(1)));
    assert_eq!(listed["agent_name"], "refill-line");
    let detail = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let event = &detail["events"][0];
    assert_eq!(
        (event["path"].clone(), event["rehydrated"].clone()),
        (json!("/messages/0/content"), json!(true)),
        "{event}"
    );
    assert_eq!((event["entity_kind"].clone(), event["span"].clone()), (json!("NAME"), json!([4, 12])));
    assert!(event["event_id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(
        (detail["turns"][0]["status"].clone(), detail["turns"][0]["finish_reason"].clone()),
        (json!("ok"), json!("stop"))
    );
    assert!(detail["merkle_root_hex"].is_string() && detail["audit_root_hash"].is_string());
    assert_eq!(
        detail["payloads"],
        json!({ "request": null, "masked": null, "response": null, "upstream_response": null })
    );
    assert_eq!(detail["masked_transcript_sha256"].as_str().unwrap().len(), 64);
    let events = server.get(&format!("/api/v1/sessions/{session}/events?kind=PHONE")).await.expect(200);
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
    let log = server.audit_log();
    assert!(log.contains("session_completed") && !log.contains("55-0142") && !log.contains("Reed"));
}

#[tokio::test]
async fn a_stream_joined_is_the_whole_answer() {
    let server = Server::new();
    for policy in ["", "surface: alias\n"] {
        let id = if policy.is_empty() {
            server.agent("tokens", json!({})).await
        } else {
            let yaml = format!("{}{policy}", include_str!("../../configs/mask_policy.yaml"));
            server.agent("aliases", json!({ "policy_yaml": yaml })).await
        };
        let path = format!("/proxy/{id}/v1/chat/completions");
        for size in [1, 3, 7, 16, 1000] {
            let mut body = user(SAID);
            body["stream"] = true.into();
            body["stream_options"] = json!({ "include_usage": true });
            let stub = format!("chunk_bytes={size}");
            let answer = post(&server, &path, body, &[("masker-stub", &stub)]).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
            assert!(answer.text.ends_with("data: [DONE]\n\n"));
            assert!(answer.text.contains("\"usage\":{"));
            assert_eq!(streamed_words(&answer.text), format!("Echo: {SAID}"), "{size}");
            let session = answer.header("masker-session-id");
            let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200);
            assert_eq!(
                (row["session"]["status"].clone(), row["session"]["turns"][0]["stream"].clone()),
                (json!("ok"), json!(true))
            );
        }
    }
}

#[tokio::test]
async fn tools_get_originals_as_json() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    let path = format!("/proxy/{id}/v1/chat/completions");
    let said = "call Ann \"Annie\" Reed at 415-555-0142";
    let mut body = user(said);
    body["tools"] = json!([{ "type": "function", "function": { "name": "lookup", "parameters": { "type": "object", "properties": {} } } }]);
    let answer = post(&server, &path, body.clone(), &[("masker-stub", "tool=1")]).await.expect(200);
    let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert_eq!((call["name"].clone(), arguments["text"].clone()), (json!("lookup"), json!(said)));
    body["stream"] = true.into();
    let answer = post(&server, &path, body, &[("masker-stub", "tool=1,chunk_bytes=5")]).await;
    let pieces: String = answer
        .text
        .split("\n\n")
        .filter_map(|event| serde_json::from_str::<Value>(event.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| {
            Some(
                chunk["choices"].get(0)?["delta"]["tool_calls"].get(0)?["function"]["arguments"]
                    .as_str()?
                    .to_owned(),
            )
        })
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&pieces).unwrap()["text"], said);
}

#[tokio::test]
async fn every_form_of_the_path_is_served() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    for form in [
        "/proxy/ID/v1/chat/completions",
        "/proxy/ID/chat/completions",
        "/proxy/ID/v1/chat/completions/chat/completions",
        "/proxy/ID/chat/completions/chat/completions",
        "/proxy/ID/s/call-7f3a/v1/chat/completions",
        "/proxy/ID/s/call-7f3a/chat/completions",
        "/agents/ID/s/call-7f3a/v1/chat/completions",
    ] {
        post(&server, &form.replace("ID", &id), user("hello"), &[]).await.expect(200);
    }
    let models = server.call_as("", "GET", &format!("/proxy/{id}/v1/models"), None, &[]).await.expect(200);
    assert_eq!(models["data"][0]["id"], "stub");
    post(&server, &format!("/proxy/{id}/v1/chat/completions/"), user("hello"), &[])
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn keyed_turns_are_one_session() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    let path = format!("/proxy/{id}/v1/chat/completions");
    let turn = |body: Value| post(&server, &path, body, &[]);
    let first =
        turn(json!({ "messages": [{ "role": "user", "content": SAID }], "call": { "id": "call-1" } })).await;
    let session = first.header("masker-session-id").to_owned();
    let second = turn(json!({ "messages": [{ "role": "user", "content": SAID }, { "role": "user", "content": "and again: 415-555-0142" }], "metadata": { "session_id": "call-1" } })).await;
    assert_eq!(second.header("masker-session-id"), session);
    assert!(words(&second.expect(200)).ends_with("415-555-0142"));
    let open = server.get("/api/v1/sessions?status=in_progress").await.expect(200)["data"][0].clone();
    assert_eq!(
        (open["id"].clone(), open["external_id"].clone(), open["ended_at"].clone()),
        (json!(session), json!("call-1"), Value::Null)
    );
    let ended = server.call("POST", &format!("/api/v1/sessions/{session}/end"), None).await.expect(200);
    assert_eq!(
        (ended["session"]["status"].clone(), ended["session"]["turn_count"].clone()),
        (json!("ok"), json!(2))
    );
    server.call("POST", &format!("/api/v1/sessions/{session}/end"), None).await.expect(200);
    server
        .call("POST", &format!("/api/v1/sessions/{session}/terminate"), None)
        .await
        .refused(409, "session_not_active");
    let again =
        turn(json!({ "messages": [{ "role": "user", "content": "hi" }], "call": { "id": "call-1" } })).await;
    let other = again.header("masker-session-id").to_owned();
    assert_ne!(other, session);
    server.call("POST", &format!("/api/v1/sessions/{other}/terminate"), None).await.expect(200);
    turn(json!({ "messages": [{ "role": "user", "content": "hi" }], "call": { "id": "call-1" } }))
        .await
        .refused(410, "session_terminated");
    for bad in ["a b", "x/../y", ""] {
        let answer = post(&server, &path, user("hi"), &[("masker-session-id", bad)]).await;
        answer.refused(422, "validation_failed");
    }
    let found = server.get("/api/v1/sessions?external_id=call-1").await.expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
    let number = post(&server, &path, user("hi"), &[("masker-session-id", "415-555-0142")]).await;
    let row =
        server.get(&format!("/api/v1/sessions/{}", number.header("masker-session-id"))).await.expect(200);
    assert!(row["session"]["external_id"].as_str().unwrap().starts_with("hmac:"));
}

#[tokio::test]
async fn tokens_of_others_are_not_restored() {
    let server = Server::with(&[("MASKER_PAYLOAD_RETENTION_DAYS", "1")]);
    let yaml =
        include_str!("../../configs/mask_policy.yaml").replace("log_payloads: false", "log_payloads: true");
    let (a, b) =
        (server.agent("a", json!({ "policy_yaml": yaml })).await, server.agent("b", json!({})).await);
    let answer = server.chat(&a, SAID).await;
    let session = answer.header("masker-session-id").to_owned();
    let detail = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let masked = detail["payloads"]["masked"].as_str().unwrap();
    assert!(
        !masked.contains("55-0142") && detail["payloads"]["request"].as_str().unwrap().contains("55-0142")
    );
    assert!(server.audit_log().contains("payload_viewed"));
    let at = masked.find("MSKV1.PHONE").unwrap();
    let token = &masked[at..at + "MSKV1.PHONE.K_HEALTHCARE.".len() + 26];
    for agent in [&a, &b] {
        let answer = server.chat(agent, &format!("what is {token}?")).await;
        let session = answer.header("masker-session-id").to_owned();
        assert_eq!(words(&answer.expect(200)), "Echo: what is [REDACTED:PHONE]?");
        let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200);
        assert_eq!(
            (row["session"]["status"].clone(), row["session"]["error_code"].clone()),
            (json!("partial"), json!("rehydration_failed"))
        );
    }
    let reader = server.token(&["sessions:read"]).await;
    let row =
        server.call_as(&reader, "GET", &format!("/api/v1/sessions/{session}"), None, &[]).await.expect(200);
    assert_eq!(
        (row["session"]["payloads"]["masked"].clone(), row["session"]["payloads_withheld"].clone()),
        (Value::Null, json!(true))
    );
    for (file, bytes) in server.files() {
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!has(b"415-555-0142") && !has(b"Ann Reed"), "{file}");
    }
}

#[tokio::test]
async fn half_a_token_never_leaves() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    let path = format!("/proxy/{id}/v1/chat/completions");
    for stream in [false, true] {
        let mut body = user("look: MSKV1.PHONE.K_HEALTHCARE.ABCD");
        body["stream"] = stream.into();
        let answer = post(&server, &path, body, &[]).await;
        let said = if stream { streamed_words(&answer.text) } else { words(&answer.expect(200)).to_owned() };
        assert_eq!(said, "Echo: look: [REDACTED:PHONE]", "stream {stream}");
    }
}

#[tokio::test]
async fn refusals_are_those_of_the_table() {
    let server = Server::new();
    let id =
        server.agent("a", json!({ "upstream": "openai:gpt-4o-mini", "allowed_models": ["gpt-4.1"] })).await;
    let path = format!("/proxy/{id}/v1/chat/completions");
    let send = |body: Value| post(&server, &path, body, &[]);
    let error = send(json!({ "model": "gpt-9", "messages": [{ "role": "user", "content": "x" }] }))
        .await
        .refused(422, "model_not_allowed");
    assert_eq!(
        (error["param"].clone(), error["type"].clone()),
        (json!("model"), json!("invalid_request_error"))
    );
    for bad in [
        json!({}),
        json!({ "messages": [] }),
        json!({ "messages": "hi" }),
        json!({ "messages": [1] }),
        json!({ "messages": [{ "role": "user" }], "stream": "yes" }),
    ] {
        send(bad).await.refused(422, "validation_failed");
    }
    let image = json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://example.com/x.png" } }] }] });
    send(image).await.refused(422, "unmaskable_content");
    assert_eq!(
        server.get("/api/v1/sessions?since=all").await.expect(200)["data"],
        json!([]),
        "a refused request makes no session"
    );
    let stub = server.agent("s", json!({})).await;
    let path = format!("/proxy/{stub}/v1/chat/completions");
    let error = post(&server, &path, user(SAID), &[("masker-stub", "status=503")])
        .await
        .refused(502, "upstream_error");
    assert_eq!(error["upstream_status"], 503);
    let row = server.get("/api/v1/sessions?status=error").await.expect(200)["data"][0].clone();
    assert_eq!((row["redaction_count"].clone(), row["status"].clone()), (json!(3), json!("error")));
    server.get("/proxy/agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH/v1/models").await.refused(404, "agent_not_found");
}

#[tokio::test]
async fn callers_prove_themselves_as_the_agent_asks() {
    let server = Server::new();
    let bearer = server.agent("b", json!({ "proxy_auth": "bearer", "proxy_key": "k1" })).await;
    let path = format!("/proxy/{bearer}/v1/chat/completions");
    post(&server, &path, user("x"), &[]).await.refused(401, "unauthenticated");
    post(&server, &path, user("x"), &[("authorization", "Bearer k2")]).await.refused(401, "unauthenticated");
    post(&server, &path, user("x"), &[("authorization", "Bearer k1")]).await.expect(200);
    let hmac = server.agent("h", json!({ "proxy_auth": "hmac", "webhook_secret": "whsec_example" })).await;
    let path = format!("/proxy/{hmac}/v1/chat/completions");
    post(&server, &path, user("x"), &[]).await.refused(401, "bad_signature");
    post(&server, &path, user("x"), &[("masker-signature", "00")]).await.refused(401, "bad_signature");
    let open = server.agent("o", json!({})).await;
    let path = format!("/proxy/{open}/v1/chat/completions");
    post(&server, &path, user("x"), &[("x-vapi-signature", "00")]).await.refused(401, "bad_signature");
}

#[tokio::test]
async fn the_stream_of_sessions_tells_of_each() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    server.chat(&id, "hello").await.expect(200);
    let request = axum::http::Request::builder()
        .uri("/api/v1/sessions/stream")
        .header("authorization", format!("Bearer {}", server.token))
        .header("last-event-id", "1")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(server.router.clone(), request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = futures_util::StreamExt::next(&mut body).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&first).into_owned();
    assert!(text.contains("event: session.completed\ndata: {\"id\":\"sess_"), "{text}");
    server.chat(&id, "hello again").await.expect(200);
    let next = futures_util::StreamExt::next(&mut body).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&next).contains("session.completed"));
}
