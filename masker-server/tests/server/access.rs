//! Who may do what, operation by operation: scopes and roles, teams, and other accounts, for which nothing of this one is there.

use serde_json::{Value, json};

use crate::common::Answer;
use crate::world::{self, Operation, SAID, World, call, operations, with_a_stranger};

/// What each operation asks for, from the contract: the scope and the lowest role.
const ACCESS: &[(&str, &str, &str)] = &[
    ("POST /api/v1/agents", "agents:write", "member"),
    ("GET /api/v1/agents", "agents:read", "viewer"),
    ("POST /api/v1/agents/bulk-delete", "agents:write", "admin"),
    ("GET /api/v1/agents/{agent_id}", "agents:read", "viewer"),
    ("PATCH /api/v1/agents/{agent_id}", "agents:write", "member"),
    ("PUT /api/v1/agents/{agent_id}", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/pause", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/resume", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/archive", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/activate", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/end", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/relaunch", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/terminate-calls", "agents:write", "member"),
    ("POST /api/v1/agents/{agent_id}/restore", "agents:write", "admin"),
    ("GET /api/v1/agents/{agent_id}/sessions", "sessions:read", "viewer"),
    ("GET /api/v1/agents/{agent_id}/report", "reports:read", "viewer"),
    ("DELETE /api/v1/agents/{agent_id}", "agents:write", "admin"),
    ("GET /api/v1/deletions", "agents:read", "admin"),
    ("GET /api/v1/deletions/{deletion_id}", "agents:read", "admin"),
    ("GET /api/v1/sessions", "sessions:read", "viewer"),
    ("GET /api/v1/sessions/stream", "sessions:read", "viewer"),
    ("GET /api/v1/sessions/{session_id}", "sessions:read", "viewer"),
    ("GET /api/v1/sessions/{session_id}/events", "sessions:read", "viewer"),
    ("GET /api/v1/sessions/{session_id}/report", "reports:read", "viewer"),
    ("POST /api/v1/sessions/{session_id}/end", "sessions:write", "member"),
    ("POST /api/v1/sessions/{session_id}/terminate", "sessions:write", "member"),
    ("GET /api/v1/account", "account:read", "viewer"),
    ("PATCH /api/v1/account", "account:write", "admin"),
    ("POST /api/v1/tokens", "tokens:write", "member"),
    ("POST /api/v1/tokens/{token_id}/rotate", "tokens:write", "member"),
    ("DELETE /api/v1/tokens/{token_id}", "tokens:write", "member"),
    ("POST /api/v1/mask", "text:mask", "member"),
    ("POST /api/v1/detect", "text:mask", "member"),
    ("POST /api/v1/synthesize", "text:mask", "member"),
    ("POST /api/v1/rehydrate", "text:rehydrate", "admin"),
    ("GET /api/v1/policies", "policies:read", "viewer"),
    ("GET /api/v1/policies/{name}", "policies:read", "viewer"),
    ("POST /api/v1/policies/validate", "policies:read", "viewer"),
    ("POST /api/v1/policies/diff", "policies:read", "viewer"),
    ("PUT /api/v1/policies/{name}", "policies:write", "admin"),
    ("DELETE /api/v1/policies/{name}", "policies:write", "admin"),
    ("POST /api/v1/admin/policy/reload", "policies:write", "admin"),
    ("GET /api/v1/audit/events", "audit:read", "admin"),
    ("GET /api/v1/audit/events/{event_id}", "audit:read", "admin"),
    ("POST /api/v1/audit/verify", "audit:read", "admin"),
    ("POST /audit/verify", "audit:read", "admin"),
    ("GET /api/v1/audit/export", "audit:read", "admin"),
    ("GET /api/v1/reports", "reports:read", "viewer"),
    ("GET /api/v1/members", "members:read", "viewer"),
    ("PATCH /api/v1/members/{user_id}", "members:write", "admin"),
    ("DELETE /api/v1/members/{user_id}", "members:write", "admin"),
    ("POST /api/v1/members/{user_id}/login-code", "members:write", "admin"),
    ("POST /api/v1/invitations", "members:write", "admin"),
    ("GET /api/v1/invitations", "members:write", "admin"),
    ("DELETE /api/v1/invitations/{invitation_id}", "members:write", "admin"),
    ("GET /api/v1/teams", "members:read", "viewer"),
    ("POST /api/v1/teams", "members:write", "admin"),
    ("GET /api/v1/teams/{team_id}", "members:read", "viewer"),
    ("PATCH /api/v1/teams/{team_id}", "members:write", "admin"),
    ("DELETE /api/v1/teams/{team_id}", "members:write", "admin"),
    ("POST /api/v1/webhooks", "webhooks:write", "admin"),
    ("GET /api/v1/webhooks", "webhooks:write", "admin"),
    ("GET /api/v1/webhooks/{webhook_id}", "webhooks:write", "admin"),
    ("PATCH /api/v1/webhooks/{webhook_id}", "webhooks:write", "admin"),
    ("DELETE /api/v1/webhooks/{webhook_id}", "webhooks:write", "admin"),
    ("POST /api/v1/webhooks/{webhook_id}/test", "webhooks:write", "admin"),
    ("GET /api/v1/webhooks/{webhook_id}/deliveries", "webhooks:write", "admin"),
];
/// What any good credential opens.
const ANY: &[&str] = &["GET /api/v1/me", "GET /api/v1/tokens", "POST /api/v1/auth/logout-all"];
const SCOPES: &str = "account:read account:write agents:read agents:write audit:read members:read members:write payloads:read \
    policies:read policies:write reports:read sessions:read sessions:write text:mask text:rehydrate tokens:write vault:read \
    vault:write webhooks:write";

/// The scope and the role of an operation; nothing where any credential will do.
fn access(operation: &Operation) -> Option<(&'static str, &'static str)> {
    if ANY.contains(&operation.name.as_str()) {
        return None;
    }
    let row = ACCESS.iter().find(|(name, ..)| *name == operation.name);
    let (_, scope, role) = row.unwrap_or_else(|| panic!("{} is not in the table", operation.name));
    Some((scope, role))
}

/// The operation as it would be done, by who has this cookie.
async fn by_cookie(world: &World, operation: &Operation, cookie: &str) -> Answer {
    world.ask_as(operation, "", &[("cookie", cookie)]).await
}

#[tokio::test]
async fn each_operation_asks_for_its_scope() {
    let world = World::with(&[]).await;
    let all = operations(&world.server).await;
    assert_eq!(all.iter().filter(|operation| !operation.is_open).count(), ACCESS.len() + ANY.len());
    for operation in all.iter().filter(|operation| !operation.is_open) {
        let Some((scope, _)) = access(operation) else { continue };
        // Whoever may write may read.
        let write = scope.replace(":read", ":write");
        let others: Vec<&str> =
            SCOPES.split_whitespace().filter(|other| *other != scope && *other != write).collect();
        let refused = world.ask_as(operation, &world.server.token(&others).await, &[]).await;
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        assert_eq!(refused.header("www-authenticate"), challenge, "{}: {}", operation.name, refused.text);
        let error = refused.refused(403, "forbidden");
        assert_eq!((&error["reason"], &error["required"]), (&json!("scope"), &json!(scope)));
    }
    for operation in all.iter().filter(|operation| !operation.is_open) {
        let token = match access(operation) {
            Some((scope, _)) => world.server.token(&[scope]).await,
            None => world.server.token(&["agents:read"]).await,
        };
        // A token makes none that can do more.
        let body = match operation.name.as_str() {
            "POST /api/v1/tokens" => Some(json!({ "name": "t", "scopes": ["tokens:write"] })),
            _ => world.body(operation),
        };
        let answer = call(&world.server, &token, &operation.method, &world.path(operation), body, &[]).await;
        assert!(!matches!(answer.status, 401 | 403), "{}: {}", operation.name, answer.text);
    }
}

#[tokio::test]
async fn each_operation_asks_for_its_role() {
    let world = World::with(&[]).await;
    let all = operations(&world.server).await;
    let mut people = Vec::new();
    for role in ["viewer", "member", "admin"] {
        people.push((role, world.server.joined(&format!("a-{role}"), role).await.1));
    }
    let rank = |role: &str| people.iter().position(|(other, _)| *other == role).unwrap();
    for operation in all.iter().filter(|operation| !operation.is_open) {
        let Some((_, role)) = access(operation) else { continue };
        for (lower, cookie) in &people[..rank(role)] {
            let refused = by_cookie(&world, operation, cookie).await;
            assert_eq!(refused.status, 403, "{} by a {lower}: {}", operation.name, refused.text);
            let error = refused.refused(403, "forbidden");
            assert_eq!((&error["reason"], &error["required"]), (&json!("role"), &json!(role)));
        }
    }
    for operation in all.iter().filter(|operation| !operation.is_open) {
        let Some((_, role)) = access(operation) else { continue };
        let body = match operation.name.as_str() {
            "POST /api/v1/tokens" => Some(json!({ "name": "t", "scopes": ["text:mask"] })),
            _ => world.body(operation),
        };
        let cookie = [("cookie", people[rank(role)].1.as_str())];
        let path = world.path(operation);
        let answer = call(&world.server, "", &operation.method, &path, body, &cookie).await;
        assert!(!matches!(answer.status, 401 | 403), "{}: {}", operation.name, answer.text);
    }
}

/// The right to do it is asked for before what it would be done to: a caller without it never learns what there is.
#[tokio::test]
async fn the_order_of_checks_is_that_of_the_contract() {
    let world = World::with(&[]).await;
    let server = &world.server;
    let (_, cookie) = server.joined("m", "member").await;
    let reader = server.token(&["agents:read"]).await;
    let nobody = "/api/v1/agents/agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH";
    let one = format!("/api/v1/agents/{}", world.id("agent_id"));
    let ended = format!("/api/v1/agents/{}", world.id("ended_id"));
    let bad = Some(json!({ "nmae": 1 }));
    let none: &[(&str, &str)] = &[];
    let text: &[(&str, &str)] = &[("content-type", "text/plain")];
    let member: &[(&str, &str)] = &[("cookie", &cookie)];
    let key: &[(&str, &str)] = &[("idempotency-key", "k")];
    let (own, reader) = (server.token.as_str(), reader.as_str());
    for (token, method, path, body, headers, status, code) in [
        // The form of the body, then who asks, then what they may, then what they say, then what there is, then how it is.
        ("", "PATCH", nobody.to_owned(), bad.clone(), text, 415, "unsupported_media_type"),
        ("", "PATCH", nobody.to_owned(), bad.clone(), none, 401, "unauthenticated"),
        ("mkt_x", "DELETE", format!("{nobody}?profile=x"), None, none, 401, "unauthenticated"),
        (reader, "PATCH", nobody.to_owned(), bad.clone(), none, 403, "forbidden"),
        (reader, "DELETE", format!("{nobody}?profile=x"), None, none, 403, "forbidden"),
        ("", "DELETE", format!("{nobody}?profile=x"), None, member, 403, "forbidden"),
        ("", "DELETE", nobody.to_owned(), None, member, 403, "forbidden"),
        (own, "DELETE", format!("{nobody}?profile=x"), None, none, 422, "validation_failed"),
        (own, "PATCH", nobody.to_owned(), bad.clone(), none, 422, "validation_failed"),
        (own, "PATCH", nobody.to_owned(), Some(json!({ "upstream": "none" })), none, 422, "unknown_upstream"),
        (own, "GET", format!("{nobody}/sessions?limit=0"), None, none, 422, "validation_failed"),
        (
            own,
            "POST",
            format!("{nobody}/end"),
            Some(json!({ "on_active": 1 })),
            none,
            422,
            "validation_failed",
        ),
        (own, "POST", format!("{nobody}/pause"), None, key, 404, "agent_not_found"),
        // What was answered once is answered again before anything is looked for.
        (own, "POST", format!("{nobody}/pause"), Some(json!({})), key, 422, "idempotency_key_reused"),
        (own, "PATCH", nobody.to_owned(), Some(json!({ "status": "active" })), none, 404, "agent_not_found"),
        (
            own,
            "PATCH",
            ended.clone(),
            Some(json!({ "status": "active", "x": 1 })),
            none,
            422,
            "validation_failed",
        ),
        (own, "PATCH", ended, Some(json!({ "status": "active" })), none, 409, "invalid_transition"),
        // Of several mistakes in a body the first of the table is told, and any of them before a conflict.
        (
            own,
            "PATCH",
            one.clone(),
            Some(json!({ "name": "busy", "upstream": "x", "policy_name": "x" })),
            none,
            422,
            "unknown_upstream",
        ),
        (
            own,
            "PATCH",
            one.clone(),
            Some(json!({ "name": "busy", "policy_name": "x" })),
            none,
            422,
            "unknown_policy",
        ),
        (
            own,
            "PATCH",
            one.clone(),
            Some(json!({ "name": "busy", "policy_yaml": "x" })),
            none,
            422,
            "policy_yaml_invalid",
        ),
        (own, "PATCH", one, Some(json!({ "name": "busy" })), none, 409, "name_taken"),
    ] {
        let answer = match headers {
            [("content-type", kind)] => {
                let request =
                    axum::http::Request::builder().method(method).uri(&path).header("content-type", *kind);
                let body = axum::body::Body::from(body.unwrap_or_default().to_string());
                server.send(request.body(body).unwrap()).await
            }
            headers => server.call_as(token, method, &path, body, headers).await,
        };
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{method} {path}: {}",
            answer.text
        );
    }
}

/// The code that tells of what a name in a path stands for.
fn not_found(path: &str) -> &'static str {
    let names = [
        ("{agent_id}", "agent_not_found"),
        ("{deletion_id}", "deletion_not_found"),
        ("{event_id}", "event_not_found"),
        ("{invitation_id}", "invitation_not_found"),
        ("{name}", "policy_not_found"),
        ("{session_id}", "session_not_found"),
        ("{team_id}", "team_not_found"),
        ("{token_id}", "token_not_found"),
        ("{user_id}", "member_not_found"),
        ("{webhook_id}", "webhook_not_found"),
    ];
    names.iter().find(|(name, _)| path.contains(name)).map_or("", |(_, code)| code)
}

#[tokio::test]
async fn what_is_another_accounts_is_not_there() {
    let (world, stranger) = with_a_stranger().await;
    let server = &world.server;
    let cookie = [("cookie", stranger.as_str())];
    let token = server.post("/api/v1/mask", json!({ "text": SAID })).await.expect(200)["masked"].clone();
    for operation in operations(server).await.iter().filter(|operation| !operation.is_open) {
        let code = not_found(&operation.path);
        // A policy of the same name is another.
        if code.is_empty() || operation.name == "PUT /api/v1/policies/{name}" {
            continue;
        }
        let answer = by_cookie(&world, operation, &stranger).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, code),
            "{}: {}",
            operation.name,
            answer.text
        );
    }
    let send = |method: &'static str, path: String, body: Option<Value>| {
        let cookie = &cookie;
        async move { server.call_as("", method, &path, body, cookie).await }
    };
    let (agent, team, session) = (world.id("agent_id"), world.id("team_id"), world.id("session_id"));
    let new = json!({ "name": "new", "upstream": "stub" });
    let with = |body: &Value, name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        Some(body)
    };
    for (method, path, body, status, code) in [
        ("POST", "/api/v1/agents", with(&new, "team_id", json!(team)), 404, "team_not_found"),
        ("POST", "/api/v1/agents", with(&new, "policy_name", json!("desk")), 422, "unknown_policy"),
        ("POST", "/api/v1/invitations", Some(json!({ "team_ids": [team] })), 404, "team_not_found"),
        ("POST", "/api/v1/mask", Some(json!({ "text": "x", "agent_id": agent })), 404, "agent_not_found"),
        ("POST", "/api/v1/detect", Some(json!({ "text": "x", "policy": "desk" })), 422, "unknown_policy"),
        ("POST", "/api/v1/audit/verify", Some(json!({ "session_id": session })), 404, "session_not_found"),
        (
            "POST",
            "/api/v1/tokens",
            Some(json!({ "name": "t", "scopes": ["agents:read"], "agent_ids": [agent] })),
            404,
            "agent_not_found",
        ),
        (
            "POST",
            "/api/v1/policies/diff",
            Some(json!({ "a": { "name": "desk" }, "b": { "name": "strict" } })),
            404,
            "policy_not_found",
        ),
    ] {
        let answer = send(method, path.to_owned(), body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}: {}", answer.text);
    }
    let bulk = send("POST", "/api/v1/agents/bulk-delete".to_owned(), Some(json!({ "ids": [agent] }))).await;
    assert_eq!(bulk.expect(200)["results"][0]["error"]["code"], "agent_not_found");
    let all = json!({ "filter": { "status": ["active", "paused", "archived", "ended"] } });
    let bulk = send("POST", "/api/v1/agents/bulk-delete".to_owned(), Some(all)).await.expect(200);
    assert_eq!(bulk, json!({ "results": [], "deleted": 0, "failed": 0, "remaining": 0 }));
    let back = send("POST", "/api/v1/rehydrate".to_owned(), Some(json!({ "text": token }))).await.expect(200);
    assert_eq!((&back["restored"], back["failed"].as_array().map(Vec::len)), (&json!(0), Some(2)));
    for (path, count) in [
        ("/api/v1/agents?status=active,paused,archived,ended,deleted".to_owned(), 0),
        ("/api/v1/sessions?since=all&status=ok,partial,error,in_progress".to_owned(), 0),
        (format!("/api/v1/sessions?agent_id={agent}"), 0),
        ("/api/v1/deletions".to_owned(), 0),
        ("/api/v1/invitations".to_owned(), 0),
        ("/api/v1/teams".to_owned(), 0),
        ("/api/v1/tokens?all=true".to_owned(), 0),
        ("/api/v1/webhooks".to_owned(), 0),
        ("/api/v1/members".to_owned(), 1),
        ("/api/v1/policies".to_owned(), 3),
        (format!("/api/v1/audit/events?agent_id={agent}"), 0),
        (format!("/api/v1/audit/events?session_id={session}"), 0),
    ] {
        let page = send("GET", path.clone(), None).await.expect(200);
        assert_eq!(page["data"].as_array().unwrap().len(), count, "{path}: {page}");
    }
    assert!(!send("GET", "/api/v1/audit/export".to_owned(), None).await.text.contains(agent));
    let report = send("GET", "/api/v1/reports?since=all".to_owned(), None).await.expect(200);
    assert_eq!(report["report"]["summary"]["sessions"], 0);
    // A place in a list is one's own too.
    let page = server.get("/api/v1/agents?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let refused = send("GET", format!("/api/v1/agents?cursor={cursor}"), None).await;
    let refused = refused.refused(422, "validation_failed");
    assert_eq!(
        (&refused["details"][0]["field"], &refused["details"][0]["issue"]),
        (&json!("cursor"), &json!("bad_value"))
    );
    // Names and numbers are taken within an account alone, and nothing of the other one has changed.
    let twin = json!({ "name": "one", "upstream": "stub" });
    send("POST", "/api/v1/agents".to_owned(), Some(twin)).await.expect(201);
    let yaml = json!({ "yaml": world::DESK });
    let desk = send("PUT", "/api/v1/policies/desk".to_owned(), Some(yaml)).await.expect(201);
    assert_eq!(desk["policy"]["version"], 1);
    assert_eq!(server.get(&format!("/api/v1/agents/{agent}")).await.expect(200)["agent"]["status"], "active");
}

#[tokio::test]
async fn who_is_not_in_the_team_is_told_so() {
    let world = World::with(&[]).await;
    let server = &world.server;
    let (agent, team, session) = (world.id("agent_id"), world.id("team_id"), world.id("session_id"));
    server.patch(&format!("/api/v1/agents/{agent}"), json!({ "team_id": team })).await.expect(200);
    let (user, cookie) = server.joined("outsider", "member").await;
    let headers = [("cookie", cookie.as_str())];
    let ask = |operation: &Operation| {
        let path = operation.path.replace("{agent_id}", agent).replace("{session_id}", session);
        let (method, body) = (operation.method.clone(), world.body(operation));
        async move { server.call_as("", &method, &path, body, &headers).await }
    };
    let all = operations(server).await;
    let of_team: Vec<&Operation> = all
        .iter()
        .filter(|operation| {
            !operation.is_open
                && (operation.path.contains("{agent_id}") || operation.path.contains("{session_id}"))
        })
        .filter(|operation| access(operation).is_some_and(|(_, role)| role != "admin"))
        .collect();
    assert!(of_team.len() > 14, "{}", of_team.len());
    for operation in &of_team {
        let refused = ask(operation).await;
        assert_eq!(refused.status, 403, "{}: {}", operation.name, refused.text);
        assert_eq!(refused.refused(403, "forbidden")["reason"], "team", "{}", operation.name);
    }
    let by_body = |path: &'static str, body: Value| server.call_as("", "POST", path, Some(body), &headers);
    for (path, body) in [
        ("/api/v1/mask", json!({ "text": "x", "agent_id": agent })),
        ("/api/v1/detect", json!({ "text": "x", "agent_id": agent })),
        ("/api/v1/synthesize", json!({ "text": "x", "agent_id": agent })),
        ("/api/v1/tokens", json!({ "name": "t", "scopes": ["agents:read"], "agent_ids": [agent] })),
    ] {
        assert_eq!(by_body(path, body).await.refused(403, "forbidden")["reason"], "team", "{path}");
    }
    let listed = |path: &'static str| {
        let cookie = &headers;
        async move { server.call_as("", "GET", path, None, cookie).await.expect(200).to_string() }
    };
    let lists = ["/api/v1/agents", "/api/v1/sessions?since=all", "/api/v1/reports?since=all&full_ids=true"];
    for path in lists {
        assert!(!listed(path).await.contains(agent), "{path}");
    }
    // One that is deleted is there for nobody but administrators.
    let gone = server.agent("of the team", json!({ "team_id": team })).await;
    server.delete(&format!("/api/v1/agents/{gone}?mode=soft")).await.expect(204);
    for path in [format!("/api/v1/agents/{gone}"), format!("/api/v1/agents/{gone}?include_deleted=true")] {
        server.call_as("", "GET", &path, None, &headers).await.refused(404, "agent_not_found");
    }
    server.patch(&format!("/api/v1/members/{user}"), json!({ "team_ids": [team] })).await.expect(200);
    for path in lists {
        assert!(listed(path).await.contains(agent), "{path}");
    }
    for operation in &of_team {
        let answer = ask(operation).await;
        assert!(!matches!(answer.status, 401 | 403 | 404), "{}: {}", operation.name, answer.text);
    }
    server.patch(&format!("/api/v1/members/{user}"), json!({ "team_ids": null })).await.expect(200);
    assert!(!listed("/api/v1/agents").await.contains(agent));
}

#[tokio::test]
async fn a_token_for_some_agents_reaches_no_other() {
    let world = World::with(&[]).await;
    let server = &world.server;
    let (own, other, session) = (world.id("paused_id"), world.id("agent_id"), world.id("session_id"));
    let scopes: Vec<&str> = SCOPES.split_whitespace().collect();
    let body = json!({ "name": "one", "scopes": scopes, "agent_ids": [own] });
    let made = server.post("/api/v1/tokens", body).await.expect(201);
    let token = made["secret"].as_str().unwrap();
    server.call_as(token, "GET", &format!("/api/v1/agents/{own}"), None, &[]).await.expect(200);
    for operation in operations(server).await.iter().filter(|operation| !operation.is_open) {
        if !operation.path.contains("{agent_id}") && !operation.path.contains("{session_id}") {
            continue;
        }
        let path = operation.path.replace("{agent_id}", other).replace("{session_id}", session);
        let answer = call(server, token, &operation.method, &path, world.body(operation), &[]).await;
        assert_eq!(answer.status, 403, "{}: {}", operation.name, answer.text);
        let error = answer.refused(403, "forbidden");
        assert_eq!((&error["reason"], &error["required"]), (&json!("scope"), &json!("agent_ids")));
    }
    for (path, body) in [
        ("/api/v1/agents", json!({ "name": "more", "upstream": "stub" })),
        ("/api/v1/mask", json!({ "text": "x", "agent_id": other })),
        ("/api/v1/tokens", json!({ "name": "t", "scopes": ["agents:read"], "agent_ids": [other] })),
    ] {
        let answer = server.call_as(token, "POST", path, Some(body), &[]).await;
        assert_eq!(answer.refused(403, "forbidden")["required"], "agent_ids", "{path}");
    }
    let listed = server.call_as(token, "GET", "/api/v1/agents?limit=100", None, &[]).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let listed = server.call_as(token, "GET", "/api/v1/sessions?since=all", None, &[]).await.expect(200);
    assert_eq!(listed["data"], json!([]));
    // What it makes is no wider than itself.
    let wide = json!({ "name": "wide", "scopes": ["agents:read"] });
    let wide = server.call_as(token, "POST", "/api/v1/tokens", Some(wide), &[]).await.expect(201);
    assert_eq!(wide["token"]["agent_ids"], json!([own]));
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let world = World::with(&[]).await;
    let foreign =
        [("origin", "https://evil.example.com"), ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for operation in operations(&world.server).await.iter().filter(|operation| !operation.is_open) {
        for (name, value) in foreign {
            let headers = [("cookie", world.cookie.as_str()), (name, value)];
            let answer = world.ask_as(operation, "", &headers).await;
            if operation.method == "GET" {
                assert_eq!(answer.status, 200, "{}: {}", operation.name, answer.text);
                continue;
            }
            assert_eq!(answer.status, 403, "{}: {}", operation.name, answer.text);
            assert_eq!(answer.refused(403, "forbidden")["reason"], "csrf", "{}", operation.name);
        }
    }
    // A token is in no browser.
    let agent = json!({ "name": "by a program", "upstream": "stub" });
    let headers = [("origin", "https://evil.example.com"), ("sec-fetch-site", "cross-site")];
    world
        .server
        .call_as(&world.server.token, "POST", "/api/v1/agents", Some(agent), &headers)
        .await
        .expect(201);
}
