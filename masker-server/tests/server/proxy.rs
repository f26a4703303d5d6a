//! The proxy by HTTP, over the stub.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::common::{self, Server, streamed_words, words};

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
            let yaml = format!("{}{policy}", include_str!("../../../configs/mask_policy.yaml"));
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
    let yaml = include_str!("../../../configs/mask_policy.yaml")
        .replace("log_payloads: false", "log_payloads: true");
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

/// The hexadecimal HMAC-SHA256 of parts of a message.
fn sign(secret: &str, parts: &[&str]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

#[tokio::test]
async fn a_signature_holds_for_its_bytes_and_its_time() {
    let body = "{ \"messages\": [ {\"role\":\"user\",\"content\":\"x\"} ] }";
    let secret = "whsec_example";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let stamp = |seconds: u64| (now - seconds).to_string();
    let stamped = |at: &str| sign(secret, &[at, ".", body]);
    let (plain, recent, old) = (sign(secret, &[body]), stamp(290), stamp(310));
    let ahead = (now + 310).to_string();
    let upper = format!("sha256={}", plain.to_uppercase());
    let tight = json!({ "messages": [{ "role": "user", "content": "x" }] }).to_string();
    let other = sign(secret, &[&tight]);
    let cases: Vec<(Vec<(&str, String)>, u16)> = vec![
        (vec![("masker-signature", plain.clone())], 200),
        (vec![("x-vapi-signature", plain.clone())], 200),
        (vec![("x-bolna-signature", plain.clone())], 200),
        (vec![("masker-signature", upper)], 200),
        (vec![("masker-signature", stamped(&recent)), ("x-timestamp", recent.clone())], 200),
        (vec![("x-vapi-signature", stamped(&recent)), ("x-vapi-timestamp", recent.clone())], 200),
        // Bytes that say the same are others.
        (vec![("masker-signature", other)], 401),
        (vec![("masker-signature", sign("whsec_exampl", &[body]))], 401),
        (vec![("masker-signature", plain[..62].to_owned())], 401),
        (vec![("masker-signature", String::new())], 401),
        (vec![("masker-signature", plain.clone()), ("x-timestamp", recent.clone())], 401),
        (vec![("masker-signature", stamped(&recent))], 401),
        (vec![("masker-signature", stamped(&old)), ("x-timestamp", old)], 401),
        (vec![("masker-signature", stamped(&ahead)), ("x-timestamp", ahead)], 401),
        (vec![("masker-signature", stamped("soon")), ("x-timestamp", "soon".to_owned())], 401),
        // One that is good does not help another that is not.
        (vec![("masker-signature", plain.clone()), ("x-bolna-signature", "00".to_owned())], 401),
        (vec![], 401),
    ];
    let server = Server::new();
    let id = server.agent("a", json!({ "proxy_auth": "hmac", "webhook_secret": secret })).await;
    let send = |server: &Server, path: String, headers: Vec<(&str, String)>| {
        let mut request = axum::http::Request::post(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let (router, request) = (server.router.clone(), request.body(axum::body::Body::from(body)).unwrap());
        async move { tower::ServiceExt::oneshot(router, request).await.unwrap().status().as_u16() }
    };
    for (headers, status) in cases {
        let path = format!("/proxy/{id}/v1/chat/completions");
        assert_eq!(send(&server, path, headers.clone()).await, status, "{headers:?}");
        // The webhook checks the same: a body that is no event of its own is told so by who may call.
        let path = format!("/vapi/webhook/{id}");
        assert_eq!(
            send(&server, path, headers.clone()).await,
            if status == 200 { 422 } else { 401 },
            "{headers:?}"
        );
    }
    // The server can ask for signatures whatever its agents ask for.
    let server = Server::with(&[("MASKER_PROXY_AUTH", "hmac"), ("MASKER_BOLNA_WEBHOOK_SECRET", secret)]);
    let open = server.agent("a", json!({})).await;
    let bearer = server.agent("b", json!({ "proxy_auth": "bearer", "proxy_key": "k1" })).await;
    for (id, headers, status) in [
        (&open, vec![], 401),
        (&open, vec![("x-bolna-signature", plain.clone())], 200),
        (&open, vec![("masker-signature", plain.clone())], 200),
        (&bearer, vec![("x-bolna-signature", plain.clone())], 401),
        (&bearer, vec![("authorization", "Bearer k1".to_owned())], 401),
        (&bearer, vec![("authorization", "Bearer k1".to_owned()), ("x-bolna-signature", plain.clone())], 200),
    ] {
        let path = format!("/proxy/{id}/v1/chat/completions");
        assert_eq!(send(&server, path, headers.clone()).await, status, "{headers:?}");
    }
}

#[tokio::test]
async fn the_key_of_a_session_is_looked_for_in_order() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    let body = |call: Value, session: Value| json!({ "messages": [{ "role": "user", "content": "x" }], "call": { "id": call }, "metadata": { "session_id": session } });
    for (path, header, body, key) in [
        ("/s/in-path", "in-header", body(json!("in-call"), json!("in-metadata")), json!("in-path")),
        ("", "in-header", body(json!("in-call"), json!("in-metadata")), json!("in-header")),
        ("", "", body(json!("in-call"), json!("in-metadata")), json!("in-call")),
        ("", "", body(Value::Null, json!("in-metadata")), json!("in-metadata")),
        // In a body what is no key is none, and the next is taken.
        ("", "", body(json!("in call"), json!("in-metadata:2")), json!("in-metadata:2")),
        ("", "", body(json!(7), json!("")), Value::Null),
        ("", "", body(json!("k".repeat(129)), json!("k\u{e9}")), Value::Null),
        (
            "",
            "",
            json!({ "messages": [{ "role": "user", "content": "x" }], "call": "c1", "metadata": [] }),
            Value::Null,
        ),
    ] {
        let path = format!("/proxy/{id}{path}/v1/chat/completions");
        let headers = [("masker-session-id", header)];
        let headers = if header.is_empty() { &[][..] } else { &headers[..] };
        let answer = post(&server, &path, body.clone(), headers).await;
        let session = answer.header("masker-session-id").to_owned();
        answer.expect(200);
        let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
        assert_eq!(row["external_id"], key, "{path} {header:?} {body}");
        assert_eq!(row["status"], if key.is_null() { "ok" } else { "in_progress" });
    }
    let path = format!("/proxy/{id}/v1/chat/completions");
    for (name, value) in [
        ("masker-session-id", "a b".to_owned()),
        ("masker-session-id", "k".repeat(129)),
        ("masker-subject-id", String::new()),
        ("masker-subject-id", "s".repeat(129)),
    ] {
        let error =
            post(&server, &path, user("x"), &[(name, &value)]).await.refused(422, "validation_failed");
        let field = error["details"][0]["field"].as_str().unwrap();
        assert_eq!((field.to_lowercase().as_str(), &error["param"]), (name, &Value::Null));
    }
    for value in ["s", &"s".repeat(128)] {
        post(&server, &path, user("x"), &[("masker-subject-id", value)]).await.expect(200);
    }
}

/// What went upstream for a request, where the policy keeps it.
async fn sent(server: &Server, path: &str, body: Value) -> (Value, Value) {
    let answer = post(server, path, body, &[("masker-stub", "tool=1")]).await;
    let session = answer.header("masker-session-id").to_owned();
    let answer = answer.expect(200);
    let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let masked = row["payloads"]["masked"].as_str().unwrap();
    (serde_json::from_str(masked).unwrap(), answer)
}

#[tokio::test]
async fn models_fields_and_parts_go_on_as_the_agent_allows() {
    let server =
        Server::with(&[("MASKER_PAYLOAD_RETENTION_DAYS", "1"), ("MASKER_UPSTREAM_PROVIDER", "stub")]);
    let yaml = |more: &str| {
        let policy = include_str!("../../../configs/mask_policy.yaml");
        format!("{}{more}", policy.replace("log_payloads: false", "log_payloads: masked"))
    };
    let kept = json!({ "policy_yaml": yaml("") });
    let mut strict = kept.clone();
    strict["upstream"] = json!("openai:gpt-4o-mini");
    strict["allowed_models"] = json!(["gpt-4.1"]);
    let strict = server.agent("strict", strict).await;
    let path = |id: &str| format!("/proxy/{id}/v1/chat/completions");
    for (model, status) in [
        (Value::Null, 200),
        (json!("gpt-4o-mini"), 200),
        (json!("gpt-4.1"), 200),
        (json!("gpt-4o"), 422),
        (json!("GPT-4.1"), 422),
        (json!("*"), 422),
        (json!(""), 422),
        (json!(7), 422),
    ] {
        let mut body = user("x");
        body["model"] = model.clone();
        let answer = post(&server, &path(&strict), body, &[]).await;
        assert_eq!(answer.status, status, "{model}: {}", answer.text);
        if status == 422 {
            let code = if model.as_str().is_some_and(|model| !model.is_empty()) {
                "model_not_allowed"
            } else {
                "validation_failed"
            };
            assert_eq!(answer.refused(422, code)["param"], "model", "{model}");
        }
    }
    server.patch(&format!("/api/v1/agents/{strict}"), json!({ "allowed_models": ["*"] })).await.expect(200);
    let mut body = user("x");
    body["model"] = json!("anything");
    assert_eq!(sent(&server, &path(&strict), body).await.0["model"], "anything");
    let listed = |id: String| {
        let server = &server;
        async move {
            let models =
                server.call_as("", "GET", &format!("/proxy/{id}/v1/models"), None, &[]).await.expect(200);
            models["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(listed(strict.clone()).await, ["gpt-4o-mini"]);
    server
        .patch(&format!("/api/v1/agents/{strict}"), json!({ "allowed_models": ["gpt-4.1"] }))
        .await
        .expect(200);
    assert_eq!(listed(strict).await, ["gpt-4o-mini", "gpt-4.1"]);
    // Unknown fields are dropped, or masked like any other; what a platform adds never goes on.
    let mut wide = kept.clone();
    wide["forward_unknown_fields"] = json!(true);
    let (narrow, wide) = (server.agent("narrow", kept.clone()).await, server.agent("wide", wide).await);
    for (id, is_forwarded) in [(&narrow, false), (&wide, true)] {
        let mut body = user("call 415-555-0142");
        body["x_note"] = json!({ "deep": ["call 415-555-0142"] });
        body["metadata"] = json!({ "note": "call 415-555-0142" });
        body["customer"] = json!({ "number": "+14155550142" });
        let (masked, _) = sent(&server, &path(id), body).await;
        assert_eq!(masked.get("x_note").is_some(), is_forwarded, "{masked}");
        assert!(masked.get("customer").is_none() && masked.get("metadata").is_none(), "{masked}");
        assert!(!masked.to_string().contains("55-0142"), "{masked}");
    }
    // A function's name is none of a person's, and comes back as it was.
    let mut body = user("x");
    let name = "call_415_555_0142";
    body["tools"] = json!([{ "type": "function", "function": { "name": name, "parameters": { "type": "object", "properties": {} } } }]);
    body["tool_choice"] = json!({ "type": "function", "function": { "name": name } });
    let (masked, answer) = sent(&server, &path(&narrow), body).await;
    let other = masked["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(other.starts_with("fn_") && other.len() == 15, "{other}");
    assert_eq!(masked["tool_choice"]["function"]["name"], other);
    assert_eq!(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"], name);
    // Parts that are no text.
    let parts = json!([
        { "type": "text", "text": "call 415-555-0142" },
        { "type": "image_url", "image_url": { "url": "https://example.com/x.png" } },
    ]);
    for (more, status, count) in [("", 422, 0), ("non_text: drop\n", 200, 1), ("non_text: pass\n", 200, 2)] {
        let id = server.agent(&format!("parts {status} {count}"), json!({ "policy_yaml": yaml(more) })).await;
        let mut body = user("");
        body["messages"][0]["content"] = parts.clone();
        if status == 422 {
            post(&server, &path(&id), body, &[]).await.refused(422, "unmaskable_content");
            continue;
        }
        let (masked, _) = sent(&server, &path(&id), body).await;
        assert_eq!(masked["messages"][0]["content"].as_array().unwrap().len(), count, "{more}");
    }
    // A policy that keeps masked payloads keeps no others.
    let session = server.chat(&narrow, SAID).await.header("masker-session-id").to_owned();
    let row =
        server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"]["payloads"].clone();
    for (name, is_kept) in
        [("request", false), ("masked", true), ("upstream_response", true), ("response", false)]
    {
        assert_eq!(row[name].is_string(), is_kept, "{name}");
    }
    assert!(!row.to_string().contains("55-0142"));
}

#[tokio::test]
async fn events_and_the_stream_are_filtered() {
    let server = Server::new();
    let (a, b) = (server.agent("a", json!({})).await, server.agent("b", json!({})).await);
    let path = format!("/proxy/{a}/s/k/v1/chat/completions");
    let session = post(&server, &path, user(SAID), &[]).await.header("masker-session-id").to_owned();
    post(&server, &path, user("call 415-555-0143"), &[]).await.expect(200);
    let count = |query: &'static str| {
        let (server, path) = (&server, format!("/api/v1/sessions/{session}/events?{query}"));
        async move { server.get(&path).await.expect(200)["data"].as_array().unwrap().len() }
    };
    assert_eq!(
        (count("").await, count("turn=1").await, count("turn=2").await, count("turn=3").await),
        (4, 3, 1, 0)
    );
    assert_eq!(
        (count("kind=PHONE").await, count("kind=PHONE&turn=2").await, count("kind=FAX").await),
        (2, 1, 0)
    );
    assert_eq!(count("pass=regex").await + count("pass=dictionary").await + count("pass=spoken").await, 4);
    for bad in ["turn=x", "turn=-1", "kind=", "pass=", "limit=0"] {
        server
            .get(&format!("/api/v1/sessions/{session}/events?{bad}"))
            .await
            .refused(422, "validation_failed");
    }
    server.post(&format!("/api/v1/sessions/{session}/end"), json!({})).await.expect(200);
    server.chat(&b, "hello").await.expect(200);
    let missed = |query: String, after: String| {
        let router = server.router.clone();
        let request = axum::http::Request::get(format!("/api/v1/sessions/stream{query}"))
            .header("authorization", format!("Bearer {}", server.token))
            .header("last-event-id", after);
        let request = request.body(axum::body::Body::empty()).unwrap();
        async move {
            let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["content-type"]),
                (200, &"text/event-stream".parse().unwrap())
            );
            let mut body = response.into_body().into_data_stream();
            let first = futures_util::StreamExt::next(&mut body).await.unwrap().unwrap();
            let text = String::from_utf8_lossy(&first).into_owned();
            let ids: Vec<String> =
                text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
            let agents: Vec<String> = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
                .map(|row| row["agent_id"].as_str().unwrap().to_owned())
                .collect();
            (ids, agents)
        }
    };
    let (ids, agents) = missed(String::new(), "0".to_owned()).await;
    assert_eq!(agents, [a.as_str(), b.as_str()]);
    assert_eq!(missed(String::new(), ids[0].clone()).await.1, [b.as_str()], "what came after");
    assert_eq!(missed(format!("?agent_id={a}"), "0".to_owned()).await.1, [a.as_str()]);
    assert_eq!(missed(format!("?agent_id={}", a.to_lowercase()), ids[0].clone()).await.1, [""; 0]);
    assert_eq!(missed("?agent_id=agt_1".to_owned(), "0".to_owned()).await.1, [""; 0]);
}
