//! The proxy over real sockets: an upstream that records what it is sent, and one that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use masker_core::SqliteVault;
use masker_core::vault::{Selection, Vault as _};
use serde_json::{Value, json};

use crate::common::{Server, streamed_words, words};

const SAID: &str = "I'm Ann Reed, call 415-555-0142";

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(HeaderMap, Value)>>>);

impl Recorder {
    fn last(&self) -> (HeaderMap, Value) {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

/// Answers with the last message, as a language model would that repeats.
async fn complete(State(recorder): State<Recorder>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    recorder.0.lock().unwrap().push((headers, request.clone()));
    let text =
        request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    let frame = |delta: Value, finish: Value| {
        let chunk = json!({ "id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
        format!("data: {chunk}\r\n\r\n")
    };
    if text.contains("fail") {
        let body = json!({ "error": { "message": "no quota for Bob Stone, call 415-555-0199" } });
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")], body.to_string())
            .into_response();
    }
    if text.contains("nonsense") {
        return "<html>".into_response();
    }
    if text.contains("hang") {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    if request["stream"] != true {
        let body = json!({ "id": "c1", "object": "chat.completion", "model": "m", "usage": { "total_tokens": 3 },
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }] });
        return ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
    }
    let mut frames: Vec<String> =
        text.chars().map(|letter| frame(json!({ "content": letter.to_string() }), Value::Null)).collect();
    let is_cut = text.contains("cut");
    let is_slow = text.contains("slow");
    if !is_cut {
        frames.push(frame(json!({}), "stop".into()));
        frames.push("data: [DONE]\n\n".to_owned());
    }
    let bytes: Vec<u8> = frames.concat().into_bytes();
    // Pieces end anywhere.
    let pieces: Vec<Bytes> = bytes.chunks(11).map(Bytes::copy_from_slice).collect();
    let stream = futures_util::stream::unfold(pieces.into_iter(), move |mut pieces| async move {
        if is_slow {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        pieces.next().map(|piece| (Ok::<_, Infallible>(piece), pieces))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn upstream() -> (String, Recorder) {
    let recorder = Recorder::default();
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(recorder.clone());
    (listen(router).await, recorder)
}

async fn server(url: &str, more: &[(&str, &str)]) -> (Server, String) {
    let mut vars = vec![("MASKER_OPENAI_BASE_URL", url), ("MASKER_OPENAI_API_KEY", "sk-server")];
    vars.extend_from_slice(more);
    let server = Server::with(&vars);
    let made = server
        .post("/api/v1/agents", json!({ "name": "a", "upstream": "openai:gpt-4o-mini" }))
        .await
        .expect(201);
    let path = format!("/proxy/{}/v1/chat/completions", made["agent"]["id"].as_str().unwrap());
    (server, path)
}

fn user(text: &str, stream: bool) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }], "stream": stream })
}

#[tokio::test]
async fn upstream_sees_tokens_and_nothing_of_the_platform() {
    let (url, recorder) = upstream().await;
    let (server, path) = server(&url, &[]).await;
    let body = json!({
        "messages": [{ "role": "system", "content": "You speak for Dr. Sarah Chen." }, { "role": "user", "content": SAID }],
        "user": "ann@example.com", "temperature": 0.5, "seed": 12_345_678_901_u64, "x_made_up": "Ann Reed",
        "call": { "id": "call-1", "customer": { "number": "+14155550142" } }, "phoneNumber": { "number": "+14155550100" },
        "customer": { "number": "+14155550142" }, "metadata": { "session_id": "x" }, "timestamp": 1, "user_id": "ann", "elevenlabs_extra_body": { "a": "Ann Reed" },
    });
    let answer = server
        .call_as("", "POST", &path, Some(body), &[("x-secret", "s"), ("authorization", "Bearer sk-caller")])
        .await;
    assert_eq!(words(&answer.expect(200)), SAID);
    let (headers, sent) = recorder.last();
    let text = sent.to_string();
    for leak in [
        "Ann",
        "Reed",
        "55-0142",
        "5550142",
        "5550100",
        "Sarah",
        "Chen",
        "ann@example.com",
        "call-1",
        "x_made_up",
    ] {
        assert!(!text.contains(leak), "{leak}: {text}");
    }
    assert_eq!(
        (sent["model"].clone(), sent["temperature"].clone(), sent["seed"].clone()),
        (json!("gpt-4o-mini"), json!(0.5), json!(12_345_678_901_u64))
    );
    assert_eq!(sent["user"].as_str().unwrap().len(), 32);
    assert_eq!(headers["authorization"], "Bearer sk-server");
    assert!(headers.get("x-secret").is_none() && headers.get("cookie").is_none());
    server
        .call_as(
            "",
            "POST",
            &path,
            Some(user(SAID, false)),
            &[("authorization", "Bearer sk-caller"), ("masker-upstream-auth", "caller")],
        )
        .await
        .expect(200);
    assert_eq!(recorder.last().0["authorization"], "Bearer sk-caller");
}

#[tokio::test]
async fn streams_cut_anywhere_are_restored() {
    let (url, recorder) = upstream().await;
    let (server, path) = server(&url, &[]).await;
    let whole = server.call_as("", "POST", &path, Some(user(SAID, false)), &[]).await.expect(200);
    let streamed = server.call_as("", "POST", &path, Some(user(SAID, true)), &[]).await;
    assert_eq!(streamed_words(&streamed.text), words(&whole));
    assert!(streamed.text.ends_with("data: [DONE]\n\n"));
    assert!(!recorder.last().1.to_string().contains("55-0142"));
}

#[tokio::test]
async fn what_goes_wrong_upstream_is_told_without_its_words() {
    let (url, _) = upstream().await;
    let (server, path) = server(&url, &[("MASKER_UPSTREAM_TIMEOUT_MS", "300")]).await;
    let send = |text: &str, stream: bool| {
        let (server, path, body) = (&server, path.clone(), user(text, stream));
        async move { server.call_as("", "POST", &path, Some(body), &[]).await }
    };
    let refused = send("fail", false).await;
    assert_eq!(refused.header("retry-after"), "7");
    let error = refused.refused(502, "upstream_error");
    assert_eq!(error["upstream_status"], 429);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("no quota") && !message.contains("0199") && !message.contains("Stone"),
        "{message}"
    );
    assert_eq!(send("nonsense", false).await.refused(502, "upstream_error")["upstream_status"], Value::Null);
    send("hang", false).await.refused(504, "upstream_timeout");
    let cut = send("cut short by 415-555-0142", true).await;
    assert!(
        cut.text.contains("\"code\":\"upstream_error\"") && cut.text.ends_with("data: [DONE]\n\n"),
        "{}",
        cut.text
    );
    assert_eq!(streamed_words(&cut.text), "cut short by 415-555-0142");
    let row = server.get(&format!("/api/v1/sessions/{}", cut.header("masker-session-id"))).await.expect(200);
    assert_eq!(
        (row["session"]["status"].clone(), row["session"]["error_code"].clone()),
        (json!("partial"), json!("stream_cut"))
    );
    let (nowhere, path) = self::server("http://127.0.0.1:1", &[]).await;
    let error =
        nowhere.call_as("", "POST", &path, Some(user("x", false)), &[]).await.refused(502, "upstream_error");
    assert_eq!(error["upstream_status"], Value::Null);
    let health = nowhere.call_as("", "GET", "/health", None, &[]).await.expect(503);
    assert_eq!(health["components"]["upstream"], "degraded");
    assert_eq!(nowhere.call_as("", "GET", "/ready", None, &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_or_is_cut_off_is_noted() {
    let (url, _) = upstream().await;
    let (server, path) = server(&url, &[]).await;
    let started = masker_server::start(server.state.clone()).await.unwrap();
    let base = format!("http://{}", started.address);
    let client = reqwest::Client::new();
    let send = || {
        let body = user("slow and long enough to be left in the middle of what is said", true);
        client
            .post(format!("{base}{path}"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
    };
    let mut left = send().await.unwrap();
    let session = left.headers()["masker-session-id"].to_str().unwrap().to_owned();
    left.chunk().await.unwrap();
    drop(left);
    let since = Instant::now();
    let row = loop {
        let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
        if row["status"] != "in_progress" || since.elapsed() > Duration::from_secs(5) {
            break row;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(
        (row["status"].clone(), row["error_code"].clone()),
        (json!("partial"), json!("client_disconnected"))
    );
    let cut = send().await.unwrap();
    let session = cut.headers()["masker-session-id"].to_str().unwrap().to_owned();
    server.call("POST", &format!("/api/v1/sessions/{session}/terminate"), None).await.expect(200);
    let text = cut.text().await.unwrap();
    assert!(text.contains("\"code\":\"session_terminated\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
    let row = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    assert_eq!((row["status"].clone(), row["error_code"].clone()), (json!("error"), json!("terminated")));
    let running = tokio::spawn(send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopping = tokio::spawn(started.stop());
    let last = running.await.unwrap().unwrap().text().await.unwrap();
    assert!(last.ends_with("data: [DONE]\n\n"), "what runs is finished");
    stopping.await.unwrap();
    server.chat("x", "late").await.refused(503, "shutting_down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_have_a_listener_of_their_own() {
    let server = Server::with(&[("MASKER_METRICS_ADDR", "127.0.0.1:0")]);
    let id = server.agent("a", json!({})).await;
    server.chat(&id, SAID).await.expect(200);
    let started = masker_server::start(server.state.clone()).await.unwrap();
    let text = reqwest::get(format!("http://{}/metrics", started.metrics_address.unwrap()))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for name in [
        "masker_requests_total{agent=",
        "masker_request_duration_seconds_bucket{stage=\"detection\"",
        "masker_redactions_total{kind=\"PHONE\",pass=\"regex\"} 1",
        "masker_vault_size_bytes ",
        "masker_detection_degraded_total",
        "masker_active_sessions 0",
        "masker_audit_events_total ",
        "masker_audit_append_seconds_count",
        "masker_agents{status=\"active\"} 1",
    ] {
        assert!(text.contains(name), "{name}\n{text}");
    }
    assert!(!text.contains(&id) && !text.contains("Reed"));
    let other = reqwest::get(format!("http://{}/metrics", started.address)).await.unwrap();
    assert_eq!(other.status(), 404);
    started.stop().await;
}

/// Tells of hooks that were called.
async fn hook(State(recorder): State<Recorder>, headers: HeaderMap, body: Bytes) -> Response {
    let value: Value = serde_json::from_slice(&body).unwrap();
    recorder.0.lock().unwrap().push((headers, value.clone()));
    match value["external_id"].as_str() {
        Some("broken") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => {
            json!({ "assistant": { "firstMessage": "Hello from the callback." } }).to_string().into_response()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_called_signed_and_only_where_allowed() {
    let recorder = Recorder::default();
    let url = listen(Router::new().route("/x", post(hook)).with_state(recorder.clone())).await + "/x";
    let server = Server::with(&[("MASKER_WEBHOOK_ALLOW_PRIVATE", "1")]);
    let resource = |id: &str| json!({ "type": "vapi_assistant", "external_id": id, "cleanup_url": url });
    let agent = |name: &'static str, id: &str| {
        let body = json!({ "webhook_secret": "whsec_example", "external_resources": [resource(id)], "assistant_callback_url": url });
        let server = &server;
        async move { server.agent(name, body).await }
    };
    let broken = agent("broken", "broken").await;
    let error = server
        .delete(&format!("/api/v1/agents/{broken}?cleanup=require"))
        .await
        .refused(502, "external_cleanup_failed");
    assert!(error["external_resource_id"].as_str().unwrap().starts_with("ext_"));
    server.get(&format!("/api/v1/agents/{broken}")).await.expect(200);
    let done =
        server.delete(&format!("/api/v1/agents/{broken}?profile=ayra&response=message")).await.expect(200);
    assert_eq!(done["deletion"]["external_resources"][0]["state"], "failed");
    // What is tried again in the background is signed with the secret that the agent had.
    let before = recorder.0.lock().unwrap().len();
    let _started = masker_server::start(server.state.clone()).await.unwrap();
    for _ in 0..500 {
        if recorder.0.lock().unwrap().len() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (headers, again) = recorder.last();
    assert_eq!((recorder.0.lock().unwrap().len() > before, &again["external_id"]), (true, &json!("broken")));
    assert!(headers.contains_key("masker-signature"));
    let good = agent("good", "asst-12").await;
    let body = json!({ "type": "assistant-request", "call": { "id": "c1", "customer": { "number": "+14155550142" } } });
    let answer = server
        .call_as(
            "",
            "POST",
            &format!("/vapi/webhook/{good}"),
            Some(body),
            &[("x-vapi-secret", "whsec_example")],
        )
        .await
        .expect(200);
    assert_eq!(answer["assistant"]["firstMessage"], "Hello from the callback.");
    let (headers, asked) = recorder.last();
    assert!(headers.contains_key("masker-signature") && headers.contains_key("masker-timestamp"));
    assert!(asked["customer"]["number"].as_str().unwrap().starts_with("MSKV1.PHONE."), "{asked}");
    let done =
        server.delete(&format!("/api/v1/agents/{good}?cleanup=require&response=message")).await.expect(200);
    assert_eq!(done["deletion"]["external_resources"][0]["state"], "cleaned");
    let sent = recorder.last().1;
    assert_eq!(
        (sent["event"].clone(), sent["agent_id"].clone()),
        (json!("external_resource.cleanup"), json!(good))
    );
    let before = recorder.0.lock().unwrap().len();
    let strict = Server::new();
    let id = strict.agent("a", json!({ "external_resources": [resource("asst-13")] })).await;
    strict
        .delete(&format!("/api/v1/agents/{id}?cleanup=require"))
        .await
        .refused(502, "external_cleanup_failed");
    assert_eq!(recorder.0.lock().unwrap().len(), before, "a neighbour is not called");
}

async fn github_token(body: Bytes) -> String {
    let value: Value = serde_json::from_slice(&body).unwrap();
    let good = value["code"] == "good" && value["client_secret"] == "shh";
    if good {
        json!({ "access_token": "gho_x" }).to_string()
    } else {
        json!({ "error": "bad_verification_code" }).to_string()
    }
}

async fn github_user(headers: HeaderMap) -> String {
    assert_eq!(headers["authorization"], "Bearer gho_x");
    json!({ "id": 77, "login": "octo", "name": "Octo" }).to_string()
}

#[tokio::test]
async fn github_signs_in_whom_the_rules_admit() {
    let url =
        listen(Router::new().route("/token", post(github_token)).route("/user", get(github_user))).await;
    let (token_url, authorize) = (format!("{url}/token"), format!("{url}/authorize"));
    let vars = [
        ("MASKER_GITHUB_CLIENT_ID", "id"),
        ("MASKER_GITHUB_CLIENT_SECRET", "shh"),
        ("MASKER_GITHUB_TOKEN_URL", token_url.as_str()),
        ("MASKER_GITHUB_API_URL", url.as_str()),
        ("MASKER_GITHUB_AUTHORIZE_URL", authorize.as_str()),
        // Sign-ins are limited by address; this test has two.
        ("MASKER_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = Server::with(&vars);
    let begin = || async {
        let sent = server.call_as("", "GET", "/api/v1/auth/github?redirect_to=/portal", None, &[]).await;
        assert_eq!(sent.status, 302);
        let state = sent.header("location").split("state=").nth(1).unwrap().to_owned();
        (state, sent.header("set-cookie").split(';').next().unwrap().to_owned())
    };
    let back = |query: String, cookie: String| {
        let server = &server;
        async move {
            server
                .call_as(
                    "",
                    "GET",
                    &format!("/api/v1/auth/github/callback?{query}"),
                    None,
                    &[("cookie", &cookie), ("x-forwarded-for", "203.0.113.7")],
                )
                .await
        }
    };
    server
        .call_as("", "GET", "/api/v1/auth/github?redirect_to=//evil.example.com", None, &[])
        .await
        .refused(422, "validation_failed");
    let (state, cookie) = begin().await;
    back(format!("code=good&state={state}"), String::new()).await.refused(400, "invalid_state");
    back(format!("error=access_denied&state={state}"), cookie.clone()).await.refused(400, "oauth_denied");
    back(format!("code=good&state={state}"), cookie).await.refused(400, "invalid_state");
    let (state, cookie) = begin().await;
    back(format!("code=bad&state={state}"), cookie).await.refused(502, "oauth_exchange_failed");
    let (state, cookie) = begin().await;
    back(format!("code=good&state={state}"), cookie).await.refused(403, "signup_closed");
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    server.post("/api/v1/invitations", json!({ "github_login": "OCTO", "role": "viewer" })).await.expect(201);
    let trigger = "CREATE TRIGGER broken BEFORE INSERT ON records WHEN NEW.kind = 'user' BEGIN SELECT RAISE(ABORT, 'x'); END";
    database.execute_batch(trigger).unwrap();
    let (state, cookie) = begin().await;
    back(format!("code=good&state={state}"), cookie).await.refused(500, "user_upsert_failed");
    database.execute_batch("DROP TRIGGER broken").unwrap();
    let (state, cookie) = begin().await;
    let done = back(format!("code=good&state={state}"), cookie).await;
    assert_eq!((done.status, done.header("location")), (302, "/portal"));
    let cookie = done.header("set-cookie").split(';').next().unwrap();
    let me = server.call_as("", "GET", "/api/v1/me", None, &[("cookie", cookie)]).await.expect(200);
    assert_eq!((me["user"]["github_login"].clone(), me["role"].clone()), (json!("octo"), json!("viewer")));
}

/// Answers as [`complete`] does; where it is told to forget, the rows of the vault are purged meanwhile.
async fn purge_and_complete(
    vault: State<Arc<OnceLock<PathBuf>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if String::from_utf8_lossy(&body).contains("forget") {
        let vault = SqliteVault::open(vault.get().unwrap()).unwrap();
        assert!(vault.delete(&Selection::Kid("K_HEALTHCARE".parse().unwrap())).unwrap() > 0);
    }
    complete(State(Recorder::default()), headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_says_whether_its_token_came_back_and_was_restored() {
    let vault = Arc::new(OnceLock::new());
    let router =
        Router::new().route("/v1/chat/completions", post(purge_and_complete)).with_state(vault.clone());
    let (server, path) = server(&listen(router).await, &[]).await;
    vault.set(server.folder.path().join("data/vault.db")).unwrap();
    for (said, stream, wanted) in [
        (SAID.to_owned(), false, true),
        (format!("{SAID}, forget"), false, false),
        (SAID.to_owned(), true, true),
        (format!("{SAID}, forget"), true, false),
    ] {
        let body = json!({
            "messages": [{ "role": "system", "content": "You speak for Dr. Sarah Chen." }, { "role": "user", "content": said }],
            "stream": stream,
        });
        let answer = server.call_as("", "POST", &path, Some(body), &[]).await;
        assert_eq!(answer.status, 200);
        let session = answer.header("masker-session-id").to_owned();
        let shown = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
        let events = shown["events"].as_array().unwrap();
        let rehydrated: Vec<&Value> = events.iter().map(|event| &event["rehydrated"]).collect();
        assert_eq!(rehydrated, [&Value::Null, &json!(wanted), &json!(wanted)], "{said}, stream {stream}");
    }
}
