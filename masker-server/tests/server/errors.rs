//! Every error of every operation, by HTTP. What an operation may answer is in the server's description; what it has to be able to
//! answer is in the list below, from the tables of the contract. A pair without a case fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use masker_server::Config;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::{self, Answer, Server};
use crate::world::{
    DESK, NOBODY, Operation, SAID, World, call, github, keyed, leave_for_github, listen, operations,
};

/// The tables of the contract: an operation, and the codes that its table names.
const TABLES: &[(&str, &str)] = &[
    // 2
    ("GET /api/v1/auth/github", "auth_method_unavailable validation_failed"),
    (
        "GET /api/v1/auth/github/callback",
        "invalid_state oauth_denied signup_closed oauth_exchange_failed user_upsert_failed",
    ),
    ("POST /api/v1/auth/local", "invalid_login_code already_bootstrapped rate_limited"),
    ("GET /api/v1/me", "unauthenticated"),
    // 3
    (
        "POST /api/v1/agents",
        "unauthenticated forbidden name_taken agent_limit_reached phone_number_taken validation_failed unknown_upstream \
         unknown_policy policy_yaml_invalid team_not_found",
    ),
    ("GET /api/v1/agents", "unauthenticated validation_failed"),
    ("GET /api/v1/agents/{agent_id}", "unauthenticated forbidden agent_not_found"),
    (
        "PATCH /api/v1/agents/{agent_id}",
        "unauthenticated forbidden name_taken agent_limit_reached phone_number_taken validation_failed unknown_upstream \
         unknown_policy policy_yaml_invalid team_not_found agent_not_found invalid_transition precondition_failed",
    ),
    (
        "PUT /api/v1/agents/{agent_id}",
        "unauthenticated forbidden name_taken agent_limit_reached phone_number_taken validation_failed unknown_upstream \
         unknown_policy policy_yaml_invalid team_not_found agent_not_found invalid_transition precondition_failed",
    ),
    // 4
    ("POST /api/v1/agents/{agent_id}/pause", "agent_not_found invalid_transition audit_unavailable"),
    ("POST /api/v1/agents/{agent_id}/resume", "agent_not_found invalid_transition audit_unavailable"),
    ("POST /api/v1/agents/{agent_id}/archive", "agent_not_found invalid_transition audit_unavailable"),
    (
        "POST /api/v1/agents/{agent_id}/activate",
        "agent_not_found invalid_transition agent_limit_reached audit_unavailable",
    ),
    ("POST /api/v1/agents/{agent_id}/end", "agent_not_found agent_has_active_calls audit_unavailable"),
    ("POST /api/v1/agents/{agent_id}/relaunch", "agent_not_found invalid_status audit_unavailable"),
    ("POST /api/v1/agents/{agent_id}/terminate-calls", "agent_not_found validation_failed audit_unavailable"),
    (
        "DELETE /api/v1/agents/{agent_id}",
        "invalid_status unauthenticated forbidden agent_not_found agent_has_active_calls validation_failed \
         external_cleanup_failed audit_unavailable precondition_failed",
    ),
    (
        "POST /api/v1/agents/{agent_id}/restore",
        "agent_not_found not_deleted name_taken agent_limit_reached audit_unavailable",
    ),
    ("GET /api/v1/deletions/{deletion_id}", "deletion_not_found"),
    ("POST /api/v1/agents/bulk-delete", "forbidden validation_failed"),
    // 5
    ("GET /api/v1/agents/{agent_id}/sessions", "unauthenticated forbidden agent_not_found validation_failed"),
    ("GET /api/v1/sessions", "unauthenticated forbidden validation_failed"),
    ("GET /api/v1/sessions/{session_id}", "session_not_found forbidden"),
    ("GET /api/v1/sessions/{session_id}/events", "session_not_found"),
    ("POST /api/v1/sessions/{session_id}/end", "session_not_found"),
    ("POST /api/v1/sessions/{session_id}/terminate", "session_not_found session_not_active"),
    ("GET /api/v1/sessions/stream", "unauthenticated forbidden"),
    // 6
    ("GET /api/v1/audit/events/{event_id}", "event_not_found"),
    ("POST /api/v1/audit/verify", "verify_in_progress session_not_found"),
    ("POST /audit/verify", "verify_in_progress session_not_found"),
    // 7
    (
        "GET /api/v1/sessions/{session_id}/report",
        "unauthenticated forbidden session_not_found validation_failed report_generation_failed",
    ),
    (
        "GET /api/v1/agents/{agent_id}/report",
        "unauthenticated forbidden agent_not_found validation_failed report_generation_failed",
    ),
    ("GET /api/v1/reports", "unauthenticated forbidden validation_failed report_generation_failed"),
    // 8
    ("POST /proxy/{agent_id}/v1/chat/completions", PROXY),
    ("POST /proxy/{agent_id}/s/{session_key}/v1/chat/completions", PROXY),
    ("POST /agents/{agent_id}/s/{session_key}/v1/chat/completions", PROXY),
    // 9
    (
        "POST /vapi/webhook/{agent_id}",
        "bad_signature agent_paused agent_archived agent_ended agent_not_found unsupported_event validation_failed",
    ),
    // 10
    ("POST /api/v1/mask", TEXT),
    ("POST /api/v1/detect", TEXT),
    ("POST /api/v1/synthesize", TEXT),
    ("POST /api/v1/rehydrate", "validation_failed detection_unavailable audit_unavailable"),
    // 11
    ("GET /api/v1/policies/{name}", "policy_not_found"),
    ("PUT /api/v1/policies/{name}", "policy_yaml_invalid policy_read_only"),
    ("DELETE /api/v1/policies/{name}", "policy_in_use policy_read_only"),
    ("POST /api/v1/policies/validate", "validation_failed"),
    ("POST /api/v1/policies/diff", "policy_yaml_invalid"),
    ("POST /api/v1/admin/policy/reload", "policy_yaml_invalid policy_file_missing"),
    // 12
    ("PATCH /api/v1/members/{user_id}", "forbidden last_owner member_not_found"),
    ("DELETE /api/v1/members/{user_id}", "forbidden last_owner member_not_found"),
    ("POST /api/v1/members/{user_id}/login-code", "forbidden member_not_found"),
    ("POST /api/v1/invitations", "forbidden validation_failed"),
    ("DELETE /api/v1/invitations/{invitation_id}", "invitation_not_found"),
    ("POST /api/v1/invitations/accept", "invalid_login_code"),
    ("GET /api/v1/teams/{team_id}", "team_not_found"),
    ("PATCH /api/v1/teams/{team_id}", "team_not_found"),
    ("DELETE /api/v1/teams/{team_id}", "team_in_use team_not_found"),
    ("POST /api/v1/tokens", "validation_failed forbidden"),
    ("DELETE /api/v1/tokens/{token_id}", "token_not_found"),
    ("POST /api/v1/tokens/{token_id}/rotate", "token_not_found"),
];
const PROXY: &str = "bad_signature unauthenticated agent_paused agent_archived agent_ended agent_not_found session_terminated \
    validation_failed model_not_allowed unmaskable_content rate_limited upstream_error detection_unavailable audit_unavailable \
    upstream_timeout";
const TEXT: &str = "agent_not_found validation_failed unknown_policy policy_yaml_invalid detection_unavailable audit_unavailable";

/// Pairs that the description names and no request brings about.
const NEVER: &[(&str, &str, &str)] = &[
    ("POST /api/v1/detect", "detection_unavailable", "the passes of this build read a text and nothing else"),
    (
        "POST /api/v1/detect",
        "audit_unavailable",
        "nothing is kept, restored or replaced, so no event tells of it",
    ),
    ("POST /api/v1/synthesize", "audit_unavailable", "nothing is kept or restored, so no event tells of it"),
    ("GET /api/v1/auth/methods", "internal_error", "reads nothing that could fail"),
    ("GET /api/v1/auth/github", "internal_error", "reads nothing that could fail"),
    ("GET /api/v1/reports/keys", "internal_error", "reads nothing that could fail"),
    ("GET /proxy/{agent_id}/v1/models", "internal_error", "reads nothing that could fail"),
    ("GET /proxy/{agent_id}/s/{session_key}/v1/models", "internal_error", "reads nothing that could fail"),
];

const BROKEN_POLICY: &str = "name: [";

/// What is refused in the same way everywhere.
const EVERYWHERE: &[&str] = &[
    "audit_unavailable",
    "forbidden",
    "idempotency_in_progress",
    "idempotency_key_reused",
    "internal_error",
    "payload_too_large",
    "rate_limited",
    "shutting_down",
    "unauthenticated",
    "unsupported_media_type",
    "validation_failed",
];

#[tokio::test]
async fn the_description_knows_every_error_of_the_tables() {
    let all = operations(&Server::new()).await;
    for (name, codes) in TABLES {
        let operation = all.iter().find(|operation| operation.name == *name);
        let operation = operation.unwrap_or_else(|| panic!("{name} is not in the description"));
        for code in codes.split_whitespace() {
            assert!(operation.codes.iter().any(|known| known == code), "{name} does not name {code}");
        }
    }
}

#[tokio::test]
async fn who_may_not_is_refused() {
    let world = World::with(&[]).await;
    let (reader, other) =
        (world.server.token(&["account:read"]).await, world.server.token(&["agents:read"]).await);
    for operation in &operations(&world.server).await {
        let names = |code: &str| operation.names(code);
        if names("unauthenticated") && !operation.is_open {
            let refused = world.ask_as(operation, "", &[]).await;
            assert!(!refused.header("www-authenticate").is_empty(), "{}", operation.name);
            refused.refused(401, "unauthenticated");
        }
        if !names("forbidden") {
            continue;
        }
        let refused = match operation.name.as_str() {
            "GET /api/v1/tokens" => {
                let (_, cookie) = world.server.joined("frank", "viewer").await;
                let headers = [("cookie", cookie.as_str())];
                world.server.call_as("", "GET", "/api/v1/tokens?all=true", None, &headers).await
            }
            name if name.contains("/auth/logout") => {
                let headers = [("cookie", world.cookie.as_str()), ("origin", "https://evil.example.com")];
                world.ask_as(operation, "", &headers).await
            }
            name if name.contains("/account") => world.ask_as(operation, &other, &[]).await,
            _ => world.ask_as(operation, &reader, &[]).await,
        };
        let refused = refused.refused(403, "forbidden");
        assert!(refused["reason"].is_string(), "{}", operation.name);
    }
}

#[tokio::test]
async fn what_has_no_form_is_refused() {
    let world = World::with(&[]).await;
    // Sign-ins are limited by address, so each call has one of its own.
    let server = Server::with(&[("MASKER_TRUSTED_PROXIES", "127.0.0.1")]);
    for (i, operation) in operations(&server).await.iter().enumerate() {
        let names = |code: &str| operation.names(code);
        let path = world.path(operation);
        let send = |query: &str, kind: &str, length: Option<usize>, body: &'static str, n: usize| {
            let (server, operation) = (&server, operation);
            let mut request =
                Request::builder().method(operation.method.as_str()).uri(format!("{path}{query}"));
            request = request.header("x-forwarded-for", format!("10.0.{i}.{n}"));
            request = request.header("authorization", format!("Bearer {}", server.token));
            if operation.method != "GET" {
                request = request.header("content-type", kind);
            }
            if let Some(length) = length {
                request = request.header("content-length", length);
            }
            let request = request.body(Body::from(body)).unwrap();
            async move { server.send(request).await }
        };
        assert!(names("validation_failed"), "{}", operation.name);
        send("?x=1&x=2", "application/json", None, "{}", 1).await.refused(422, "validation_failed");
        if !operation.has_body {
            continue;
        }
        assert!(names("payload_too_large") && names("unsupported_media_type"), "{}", operation.name);
        send("", "text/plain", None, "{}", 2).await.refused(415, "unsupported_media_type");
        send("", "application/json", Some(11 << 20), "{}", 3).await.refused(413, "payload_too_large");
        if operation.name.contains("{agent_id}/v1")
            || operation.name.contains("{session_key}")
            || operation.name.contains("/vapi/")
        {
            // Its body is not read before the agent is found; the cases below are about that.
            continue;
        }
        let refused = send("", "application/json", None, "[1]", 4).await.refused(422, "validation_failed");
        assert_eq!(refused["details"][0]["issue"], "invalid_json", "{}", operation.name);
    }
}

#[tokio::test]
async fn whoever_asks_too_often_waits() {
    let world = World::with(&[]).await.server.restarted(&[("MASKER_RATE_LIMIT", "api=1:1,proxy=1:1")]);
    let server = &world;
    let agents = server.get("/api/v1/agents").await.expect(200);
    let agent = agents["data"][0]["id"].as_str().unwrap();
    for operation in
        operations(server).await.iter().filter(|op| op.codes.contains(&"rate_limited".to_owned()))
    {
        let path =
            operation.path.replace("{agent_id}", agent).replace("{session_key}", "k").replace(['{', '}'], "");
        let mut refused = None;
        for _ in 0..16 {
            let body = operation.has_body.then(|| json!({}));
            let answer = call(server, &server.token, &operation.method, &path, body, &[]).await;
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.unwrap_or_else(|| panic!("{} is never refused", operation.name));
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert_eq!(refused.refused(429, "rate_limited")["retry_after"], wait);
    }
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let world = World::with(&[]).await;
    let credential = world.token_id();
    let mut count = 0;
    for operation in &operations(&world.server).await {
        if !operation.codes.contains(&"idempotency_key_reused".to_owned()) {
            continue;
        }
        count += 1;
        let path = world.path(operation);
        let body = world.body(operation).unwrap().to_string();
        let hash = sha2_hex(body.as_bytes());
        let now = "strftime('%s', 'now') * 1000";
        world.sql(&format!(
            "INSERT INTO idempotency (credential, path, key, body, at) VALUES ('{credential}', '{path}', 'running', x'{hash}', {now}); \
             INSERT INTO idempotency (credential, path, key, body, at, status, headers, answer) \
             VALUES ('{credential}', '{path}', 'used', x'{}', {now}, 200, '', x'7b7d')",
            "00".repeat(32)
        ));
        let running = world.ask_as(operation, &world.server.token, &[("idempotency-key", "running")]).await;
        assert_eq!(running.header("retry-after"), "1");
        running.refused(409, "idempotency_in_progress");
        let used = world.ask_as(operation, &world.server.token, &[("idempotency-key", "used")]).await;
        used.refused(422, "idempotency_key_reused");
        assert!(operation.codes.contains(&"idempotency_in_progress".to_owned()), "{}", operation.name);
    }
    assert!(count > 12, "{count}");
}

fn sha2_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_stopping_server_begins_nothing() {
    let world = World::with(&[]).await;
    let all = operations(&world.server).await;
    let handle = masker_server::start(world.server.state.clone()).await.unwrap();
    let path = format!("/proxy/{}/v1/chat/completions", world.id("agent_id"));
    let long = {
        let (router, body) =
            (world.server.router.clone(), json!({ "messages": [{ "role": "user", "content": "x" }] }));
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("masker-stub", "delay_ms=20000");
        tokio::spawn(router.oneshot(request.body(Body::from(body.to_string())).unwrap()))
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stopping = tokio::spawn(handle.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    for operation in &all {
        let answer = world.ask(operation).await;
        if !operation.codes.contains(&"shutting_down".to_owned()) {
            assert!(!answer.text.contains("\"code\":\"shutting_down\""), "{}", operation.name);
            continue;
        }
        assert_eq!(answer.header("retry-after"), "5", "{}", operation.name);
        answer.refused(503, "shutting_down");
    }
    long.abort();
    stopping.abort();
}

#[tokio::test]
async fn what_cannot_be_read_is_a_fault_of_ours() {
    let world = World::with(&[("MASKER_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let all = operations(&world.server).await;
    world.sql("ALTER TABLE records RENAME TO away; ALTER TABLE sessions RENAME TO away_too");
    for (i, operation) in all.iter().enumerate() {
        let names = operation.codes.contains(&"internal_error".to_owned());
        let is_never =
            NEVER.iter().any(|(name, code, _)| *name == operation.name && *code == "internal_error");
        // The callback of GitHub has a case of its own.
        if !names || is_never || operation.name.contains("/callback") {
            continue;
        }
        let address = format!("10.0.{i}.1");
        let mut headers = vec![("x-forwarded-for", address.as_str())];
        let token = if operation.is_open { "" } else { &world.server.token };
        if operation.name.contains("/auth/logout") {
            headers.push(("cookie", &world.cookie));
        }
        if operation.path.contains("/proxy/") {
            headers.push(("masker-session-id", "k2"));
        }
        let answer = world.ask_as(operation, token, &headers).await;
        assert_eq!(answer.status, 500, "{}: {}", operation.name, answer.text);
        answer.refused(500, "internal_error");
    }
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_logged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("night.yaml");
    std::fs::write(&file, DESK.replace("desk", "night")).unwrap();
    let vars = [
        ("MASKER_AUDIT_FSYNC", "always"),
        ("MASKER_TRUSTED_PROXIES", "127.0.0.1"),
        ("MASKER_POLICY_PATH", folder.path().to_str().unwrap()),
    ];
    let world = World::with(&vars).await;
    let all = operations(&world.server).await;
    std::fs::write(&file, DESK.replace("desk", "night").replace("PHONE", "EMAIL")).unwrap();
    // From here on the head of the log cannot be kept, so no event counts as written.
    world.sql("CREATE TRIGGER broken BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'x'); END");
    for (i, operation) in all.iter().enumerate() {
        // Those that read the log come below, the callback of GitHub has a case of its own.
        let reads_it = operation.name.contains("/audit/") && !operation.name.contains("/export");
        let never =
            |(name, code, _): &(&str, &str, &str)| *name == operation.name && *code == "audit_unavailable";
        let is_named = operation.codes.contains(&"audit_unavailable".to_owned());
        if !is_named || reads_it || NEVER.iter().any(never) || operation.name.contains("/callback") {
            continue;
        }
        let address = format!("10.0.{i}.1");
        let mut headers = vec![("x-forwarded-for", address.as_str())];
        let is_out = operation.name.contains("/auth/logout");
        if is_out {
            headers.push(("cookie", &world.cookie));
        }
        let token = if operation.is_open || is_out { "" } else { &world.server.token };
        let answer = world.ask_as(operation, token, &headers).await;
        assert_eq!(answer.status, 503, "{}: {}", operation.name, answer.text);
        answer.refused(503, "audit_unavailable");
        // Nothing was done, so it would be refused for the same reason once more.
        let again = world.ask_as(operation, token, &headers).await;
        assert_eq!(again.code(), "audit_unavailable", "{}: {}", operation.name, again.text);
    }
    std::fs::remove_file(world.server.folder.path().join("data/audit.log")).unwrap();
    for operation in all.iter().filter(|operation| operation.name.contains("/audit/")) {
        world.ask(operation).await.refused(503, "audit_unavailable");
    }
}

#[tokio::test]
async fn every_other_error_has_a_case() {
    let all = operations(&Server::new()).await;
    let mut missing = Vec::new();
    for operation in &all {
        for code in &operation.codes {
            let own = matches!((operation.name.as_str(), code.as_str()),
                (name, "unauthenticated" | "rate_limited") if name.contains("/proxy/") || name.starts_with("POST /agents/"));
            let is_never = NEVER.iter().any(|(name, never, _)| *name == operation.name && never == code);
            if EVERYWHERE.contains(&code.as_str()) && !own || is_never {
                continue;
            }
            match case(operation, code).await {
                Some(answer) => {
                    assert_eq!(answer.code(), *code, "{}: {} {}", operation.name, answer.status, answer.text);
                    assert!(answer.status >= 400);
                }
                None => missing.push(format!("{} {code}", operation.name)),
            }
        }
    }
    assert!(missing.is_empty(), "no case for:\n{}", missing.join("\n"));
}

/// The request that brings an error about.
async fn case(operation: &Operation, code: &str) -> Option<Answer> {
    let name = operation.name.as_str();
    if name.contains("/callback") {
        return callback(code).await;
    }
    if name.contains("/proxy/") || name.starts_with("POST /agents/") {
        return proxy(operation, code).await;
    }
    if name.contains("/vapi/") {
        return vapi(code).await;
    }
    // What is not there at all needs no world.
    if code.ends_with("_not_found") {
        return not_found(operation, code).await;
    }
    if name.ends_with("/agents") || name.ends_with("/agents/{agent_id}") && operation.method != "DELETE" {
        return write_agent(operation, code).await;
    }
    let world = World::with(&[]).await;
    let server = &world.server;
    let agent = world.id("agent_id").to_owned();
    let act = |action: &'static str, body: Value| {
        let path = format!("/api/v1/agents/{agent}/{action}");
        async move { server.post(&path, body).await }
    };
    let answer = match (name, code) {
        ("POST /api/v1/auth/local", "invalid_login_code") => {
            server
                .call_as("", "POST", "/api/v1/auth/local", Some(json!({ "login_code": "WRONG" })), &[])
                .await
        }
        ("POST /api/v1/auth/local", "already_bootstrapped") => {
            let path = server.folder.path().join("code");
            std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
            let server = world.server.restarted(&[("MASKER_BOOTSTRAP_CODE_FILE", path.to_str().unwrap())]);
            let body = json!({ "login_code": "0123456789abcdef0123456789abcdef", "login": "eve" });
            server.call_as("", "POST", "/api/v1/auth/local", Some(body), &[]).await
        }
        ("GET /api/v1/auth/github", "auth_method_unavailable") => {
            server.call_as("", "GET", "/api/v1/auth/github", None, &[]).await
        }
        ("POST /api/v1/agents/{agent_id}/pause", "invalid_transition") => {
            act("archive", json!({})).await.expect(200);
            act("pause", json!({})).await
        }
        ("POST /api/v1/agents/{agent_id}/resume", "invalid_transition") => {
            act("end", json!({})).await.expect(200);
            act("resume", json!({})).await
        }
        ("POST /api/v1/agents/{agent_id}/archive", "invalid_transition") => {
            act("end", json!({})).await.expect(200);
            act("archive", json!({})).await
        }
        ("POST /api/v1/agents/{agent_id}/activate", "invalid_transition") => {
            act("end", json!({})).await.expect(200);
            act("activate", json!({})).await
        }
        ("POST /api/v1/agents/{agent_id}/activate", "agent_limit_reached") => {
            act("archive", json!({})).await.expect(200);
            server.patch("/api/v1/account", json!({ "agent_limit": 0 })).await.expect(200);
            act("activate", json!({})).await
        }
        ("POST /api/v1/agents/{agent_id}/end", "agent_has_active_calls") => {
            keyed(server, &agent).await.expect(200);
            act("end", json!({ "on_active": "reject" })).await
        }
        ("POST /api/v1/agents/{agent_id}/relaunch", "invalid_status") => act("relaunch", json!({})).await,
        ("POST /api/v1/agents/{agent_id}/restore", "not_deleted") => act("restore", json!({})).await,
        ("POST /api/v1/agents/{agent_id}/restore", "name_taken") => {
            server.agent("gone", json!({})).await;
            world.ask(operation).await
        }
        ("POST /api/v1/agents/{agent_id}/restore", "agent_limit_reached") => {
            server.patch("/api/v1/account", json!({ "agent_limit": 0 })).await.expect(200);
            world.ask(operation).await
        }
        ("DELETE /api/v1/agents/{agent_id}", "invalid_status") => {
            server.delete(&format!("/api/v1/agents/{agent}?profile=kakiyo")).await
        }
        ("DELETE /api/v1/agents/{agent_id}", "agent_has_active_calls") => {
            keyed(server, &agent).await.expect(200);
            server.delete(&format!("/api/v1/agents/{agent}?profile=ayra")).await
        }
        ("DELETE /api/v1/agents/{agent_id}", "external_cleanup_failed") => {
            // A neighbour is never called.
            let row = json!({ "type": "x", "external_id": "1", "cleanup_url": "https://127.0.0.1:1/x" });
            let path = format!("/api/v1/agents/{agent}");
            server.patch(&path, json!({ "external_resources": [row] })).await.expect(200);
            server.delete(&format!("{path}?cleanup=require")).await
        }
        (_, "precondition_failed") => {
            world.ask_as(operation, &server.token, &[("if-match", "\"999\"")]).await
        }
        ("POST /api/v1/sessions/{session_id}/terminate", "session_not_active") => {
            let ended = world.id("session_id");
            server.post(&format!("/api/v1/sessions/{ended}/terminate"), json!({})).await
        }
        (_, "verify_in_progress") => return verifying(operation).await,
        (_, "report_generation_failed") => {
            let path = server.folder.path().join("data/audit.log");
            let text = std::fs::read_to_string(&path).unwrap().replacen("\"stub\"", "\"stab\"", 1);
            let ids = world.path(operation);
            let Server { folder, router, state, token } = world.server;
            drop((router, state));
            std::fs::write(path, text).unwrap();
            let state =
                masker_server::State::open(Config::from_vars(common::vars(folder.path(), &[])).unwrap())
                    .unwrap();
            let server = Server { router: masker_server::app(state.clone()), state, token, folder };
            server.get(&ids).await
        }
        (_, "unknown_policy") => {
            server.post(&operation.path, json!({ "text": "x", "policy": "nowhere" })).await
        }
        ("POST /api/v1/policies/diff", "policy_yaml_invalid") => {
            server
                .post(&operation.path, json!({ "a": { "yaml": BROKEN_POLICY }, "b": { "yaml": DESK } }))
                .await
        }
        ("PUT /api/v1/policies/{name}", "policy_yaml_invalid") => {
            server.call("PUT", "/api/v1/policies/desk", Some(json!({ "yaml": BROKEN_POLICY }))).await
        }
        ("POST /api/v1/admin/policy/reload", "policy_yaml_invalid" | "policy_file_missing") => {
            let folder = server.folder.path().join("policies");
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("desk2.yaml"), DESK.replace("desk", "desk2")).unwrap();
            let server = Server::with(&[("MASKER_POLICY_PATH", folder.to_str().unwrap())]);
            if code == "policy_yaml_invalid" {
                std::fs::write(folder.join("bad.yaml"), BROKEN_POLICY).unwrap();
            } else {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            server.post("/api/v1/admin/policy/reload", json!({})).await
        }
        (_, "policy_yaml_invalid") => {
            server.post(&operation.path, json!({ "text": "x", "policy_yaml": BROKEN_POLICY })).await
        }
        (_, "detection_unavailable") if name.contains("/rehydrate") => {
            let token =
                server.post("/api/v1/mask", json!({ "text": SAID })).await.expect(200)["masked"].clone();
            let server = world.server.restarted(&[]);
            vault_sql(&server, "ALTER TABLE rows RENAME TO away");
            server.post("/api/v1/rehydrate", json!({ "text": token })).await
        }
        ("POST /api/v1/mask", "detection_unavailable") => {
            vault_sql(server, "ALTER TABLE rows RENAME TO away");
            world.ask(operation).await
        }
        ("POST /api/v1/synthesize", "detection_unavailable") => {
            let yaml = DESK.replace("PHONE: {}", "PHONE: { action: block }");
            server.post(&operation.path, json!({ "text": SAID, "policy_yaml": yaml })).await
        }
        ("PUT /api/v1/policies/{name}" | "DELETE /api/v1/policies/{name}", "policy_read_only") => {
            let yaml = DESK.replace("desk", "healthcare-default");
            let body = (operation.method == "PUT").then(|| json!({ "yaml": yaml }));
            server.call(&operation.method, "/api/v1/policies/healthcare-default", body).await
        }
        ("DELETE /api/v1/policies/{name}", "policy_in_use") => {
            server.agent("user", json!({ "policy_name": "desk" })).await;
            server.delete("/api/v1/policies/desk").await
        }
        ("PATCH /api/v1/members/{user_id}" | "DELETE /api/v1/members/{user_id}", "last_owner") => {
            let me = server.get("/api/v1/me").await.expect(200)["user"]["id"].as_str().unwrap().to_owned();
            let body = (operation.method == "PATCH").then(|| json!({ "role": "viewer" }));
            server.call(&operation.method, &format!("/api/v1/members/{me}"), body).await
        }
        ("POST /api/v1/invitations/accept", "invalid_login_code") => {
            server
                .call_as("", "POST", "/api/v1/invitations/accept", Some(json!({ "code": "WRONG" })), &[])
                .await
        }
        ("POST /api/v1/teams" | "PATCH /api/v1/teams/{team_id}", "name_taken") => {
            server.post("/api/v1/teams", json!({ "name": "Day" })).await.expect(201);
            world.ask(operation).await
        }
        ("DELETE /api/v1/teams/{team_id}", "team_in_use") => {
            server.agent("teamed", json!({ "team_id": world.id("team_id") })).await;
            world.ask(operation).await
        }
        _ => return None,
    };
    Some(answer)
}

fn vault_sql(server: &Server, sql: &str) {
    let path = server.folder.path().join("data/vault.db");
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

async fn not_found(operation: &Operation, code: &str) -> Option<Answer> {
    let server = Server::new();
    let prefix = match code {
        "agent_not_found" => "agt",
        "deletion_not_found" => "del",
        "event_not_found" => "evt",
        "invitation_not_found" => "inv",
        "member_not_found" => "usr",
        "session_not_found" => "sess",
        "team_not_found" => "tea",
        "token_not_found" => "tok",
        "webhook_not_found" => "whk",
        "policy_not_found" => "",
        _ => return None,
    };
    let id = format!("{prefix}_{NOBODY}");
    let mut path = operation.path.clone();
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        let filled = if &path[start..=end] == "{name}" { "nowhere" } else { id.as_str() };
        path.replace_range(start..=end, filled);
    }
    let user = server.get("/api/v1/me").await.expect(200)["user"]["id"].as_str().unwrap().to_owned();
    let body = match (operation.name.as_str(), code) {
        ("POST /api/v1/agents", "team_not_found") => {
            json!({ "name": "a", "upstream": "stub", "team_id": id })
        }
        ("PATCH /api/v1/agents/{agent_id}" | "PUT /api/v1/agents/{agent_id}", "team_not_found") => {
            let agent = server.agent("a", json!({})).await;
            let body = json!({ "team_id": id });
            return Some(
                server.call(&operation.method, &format!("/api/v1/agents/{agent}"), Some(body)).await,
            );
        }
        ("PATCH /api/v1/members/{user_id}", "team_not_found") => {
            return Some(server.patch(&format!("/api/v1/members/{user}"), json!({ "team_ids": [id] })).await);
        }
        ("POST /api/v1/invitations", "team_not_found") => {
            json!({ "login": "x", "role": "viewer", "team_ids": [id] })
        }
        ("POST /api/v1/tokens", "agent_not_found") => {
            json!({ "name": "t", "scopes": ["agents:read"], "agent_ids": [id] })
        }
        ("POST /api/v1/audit/verify" | "POST /audit/verify", _) => json!({ "session_id": id }),
        ("POST /api/v1/policies/diff", _) => json!({ "a": { "name": "nowhere" }, "b": { "yaml": DESK } }),
        ("POST /api/v1/mask" | "POST /api/v1/detect" | "POST /api/v1/synthesize", _) => {
            json!({ "text": "x", "agent_id": id })
        }
        ("PATCH /api/v1/teams/{team_id}", _) => json!({ "name": "x" }),
        _ => json!({}),
    };
    let body = operation.has_body.then_some(body);
    Some(server.call(&operation.method, &path, body).await)
}

/// Making and changing an agent are refused alike.
async fn write_agent(operation: &Operation, code: &str) -> Option<Answer> {
    let server = Server::new();
    let number = json!(["+14155550142"]);
    server.agent("taken", json!({ "phone_numbers": number })).await;
    let is_new = operation.method == "POST";
    let id = if is_new { String::new() } else { server.agent("mine", json!({})).await };
    let path = if is_new { "/api/v1/agents".to_owned() } else { format!("/api/v1/agents/{id}") };
    let mut headers = Vec::new();
    let mut body = if is_new { json!({ "name": "new", "upstream": "stub" }) } else { json!({}) };
    let (field, value) = match code {
        "name_taken" => ("name", json!("TAKEN")),
        "agent_limit_reached" => {
            let limit = json!({ "agent_limit": 1 });
            if !is_new {
                server.post(&format!("{path}/archive"), json!({})).await.expect(200);
            }
            server.patch("/api/v1/account", limit).await.expect(200);
            ("status", json!("active"))
        }
        "phone_number_taken" => ("phone_numbers", number),
        "unknown_upstream" => ("upstream", json!("nobody:model")),
        "unknown_policy" => ("policy_name", json!("nowhere")),
        "policy_yaml_invalid" => ("policy_yaml", json!(BROKEN_POLICY)),
        "invalid_transition" => {
            server.post(&format!("{path}/end"), json!({})).await.expect(200);
            ("status", json!("active"))
        }
        "precondition_failed" => {
            headers.push(("if-match", "\"999\""));
            ("platform", json!("vapi"))
        }
        _ => return None,
    };
    body[field] = value;
    Some(server.call_as(&server.token, &operation.method, &path, Some(body), &headers).await)
}

/// Of many walks over the whole chain at once some meet another.
async fn verifying(operation: &Operation) -> Option<Answer> {
    let server = std::sync::Arc::new(Server::new());
    let agent = server.agent("a", json!({})).await;
    for _ in 0..40 {
        server.chat(&agent, &format!("{SAID} ").repeat(10)).await.expect(200);
    }
    for _ in 0..50 {
        let walks = (0..8).map(|_| {
            let (server, path) = (server.clone(), operation.path.clone());
            tokio::spawn(async move { server.post(&path, json!({})).await })
        });
        for walk in walks.collect::<Vec<_>>() {
            let answer = walk.await.unwrap();
            if answer.status == 409 {
                return Some(answer);
            }
        }
    }
    None
}

/// An upstream that waits longer than anybody.
async fn silent() -> String {
    let router = Router::new().fallback(std::future::pending::<&'static str>);
    listen(router).await
}

async fn proxy(operation: &Operation, code: &str) -> Option<Answer> {
    let url = silent().await;
    let limit = if code == "rate_limited" { "proxy=1:1" } else { "off" };
    let server = Server::with(&[
        ("MASKER_OPENAI_BASE_URL", url.as_str()),
        ("MASKER_UPSTREAM_TIMEOUT_MS", "150"),
        ("MASKER_RATE_LIMIT", limit),
    ]);
    let agent = server.agent("a", json!({ "upstream": "openai:gpt-4o-mini" })).await;
    let own = format!("/api/v1/agents/{agent}");
    let path = operation.path.replace("{agent_id}", &agent).replace("{session_key}", "k");
    let said = json!({ "messages": [{ "role": "user", "content": SAID }] });
    let (mut body, mut headers) = (said.clone(), Vec::new());
    match code {
        "bad_signature" => headers.push(("masker-signature", "00")),
        "unauthenticated" => {
            let change = json!({ "proxy_auth": "bearer", "proxy_key": "k1" });
            server.patch(&own, change).await.expect(200);
        }
        "agent_paused" | "agent_archived" | "agent_ended" => {
            let action = match code {
                "agent_paused" => "pause",
                "agent_archived" => "archive",
                _ => "end",
            };
            server.post(&format!("{own}/{action}"), json!({})).await.expect(200);
        }
        "agent_not_found" => {
            server.delete(&own).await.expect(204);
        }
        "session_terminated" => {
            headers.push(("masker-session-id", "k"));
            server.patch(&own, json!({ "upstream": "stub" })).await.expect(200);
            server.call_as("", "POST", &path, Some(said.clone()), &headers).await.expect(200);
            let cut = server.post(&format!("{own}/terminate-calls"), json!({})).await.expect(200);
            assert_eq!(cut["terminated"], 1);
        }
        "model_not_allowed" => body["model"] = json!("gpt-9"),
        "unmaskable_content" => {
            let part = json!({ "type": "image_url", "image_url": { "url": "https://example.com/x.png" } });
            body["messages"][0]["content"] = json!([part]);
        }
        "rate_limited" => {
            for _ in 0..4 {
                server.call_as("", &operation.method, &path, Some(json!({})), &[]).await;
            }
        }
        "upstream_error" => {
            server.patch(&own, json!({ "upstream": "stub" })).await.expect(200);
            headers.push(("masker-stub", "status=503"));
        }
        "detection_unavailable" => vault_sql(&server, "ALTER TABLE rows RENAME TO away"),
        "upstream_timeout" => {}
        _ => return None,
    }
    let body = operation.has_body.then_some(body);
    Some(server.call_as("", &operation.method, &path, body, &headers).await)
}

async fn vapi(code: &str) -> Option<Answer> {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let own = format!("/api/v1/agents/{agent}");
    let path = format!("/vapi/webhook/{agent}");
    let call = json!({ "type": "assistant-request", "call": { "id": "c1", "customer": { "number": "+14155550142" } } });
    let mut body = call.clone();
    match code {
        "bad_signature" => {
            server.patch(&own, json!({ "webhook_secret": "whsec_example" })).await.expect(200);
        }
        "agent_paused" => {
            server.post(&format!("{own}/pause"), json!({})).await.expect(200);
        }
        "agent_archived" => {
            server.post(&format!("{own}/archive"), json!({})).await.expect(200);
        }
        "agent_ended" => {
            server.post(&format!("{own}/end"), json!({})).await.expect(200);
        }
        "agent_not_found" => {
            server.delete(&own).await.expect(204);
        }
        "unsupported_event" => body = json!({ "type": "transcript", "call": { "id": "c1" } }),
        "session_terminated" => {
            server.call_as("", "POST", &path, Some(call.clone()), &[]).await.expect(200);
            server.post(&format!("{own}/terminate-calls"), json!({})).await.expect(200);
        }
        "detection_unavailable" => vault_sql(&server, "ALTER TABLE rows RENAME TO away"),
        _ => return None,
    }
    Some(server.call_as("", "POST", &path, Some(body), &[]).await)
}

async fn callback(code: &str) -> Option<Answer> {
    let url = github().await;
    let token = format!("{url}/token");
    let mut vars = vec![
        ("MASKER_GITHUB_CLIENT_ID", "id"),
        ("MASKER_GITHUB_CLIENT_SECRET", "shh"),
        ("MASKER_GITHUB_TOKEN_URL", token.as_str()),
        ("MASKER_GITHUB_API_URL", url.as_str()),
        ("MASKER_SIGNUP", if code == "signup_closed" { "invite" } else { "open" }),
        ("MASKER_AUDIT_FSYNC", "always"),
    ];
    if code == "auth_method_unavailable" {
        vars.clear();
    }
    let server = Server::with(&vars);
    let (state, cookie) = leave_for_github(&server).await;
    let mut headers = vec![("cookie", cookie.as_str())];
    let mut query = format!("code=good&state={state}");
    let break_writes = |table: &str, condition: &str| {
        let sql = format!(
            "CREATE TRIGGER broken BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'x'); END"
        );
        let path = server.folder.path().join("data/masker.db");
        rusqlite::Connection::open(path).unwrap().execute_batch(&sql).unwrap();
    };
    match code {
        "invalid_state" => headers.clear(),
        "oauth_denied" => query = format!("error=access_denied&state={state}"),
        "oauth_exchange_failed" => query = format!("code=bad&state={state}"),
        "signup_closed" | "auth_method_unavailable" => {}
        "user_upsert_failed" => break_writes("records", "NEW.kind = 'user'"),
        "internal_error" => break_writes("records", "NEW.kind = 'cookie'"),
        "audit_unavailable" => break_writes("meta", "1"),
        _ => return None,
    }
    Some(server.call_as("", "GET", &format!("/api/v1/auth/github/callback?{query}"), None, &headers).await)
}

#[tokio::test]
async fn the_callback_of_github_has_its_common_errors_too() {
    for code in ["internal_error", "audit_unavailable"] {
        let answer = callback(code).await.unwrap();
        assert_eq!(answer.code(), code, "{}", answer.text);
    }
}
