//! A server with one of everything, and every operation of its description.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "every test file uses a part of it, and fails by panicking"
)]

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::routing::{get, post};
use masker_server::{Config, login_link};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::{self, Answer, Server};

/// An id of nobody's, without its prefix.
pub const NOBODY: &str = "01JZ8Q4M7T0V3X5YB2C9D6EFGH";
pub const SAID: &str = "I'm Ann Reed, call 415-555-0142";
pub const DESK: &str = "name: desk\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\npasses: [regex]\nentities:\n  PHONE: {}\n";

/// An operation as `METHOD /path`, and what the description says of it.
pub struct Operation {
    pub name: String,
    pub method: String,
    pub path: String,
    pub codes: Vec<String>,
    /// Names of what may stand in the query.
    pub query: Vec<String>,
    pub is_open: bool,
    pub has_body: bool,
}

impl Operation {
    pub fn names(&self, code: &str) -> bool {
        self.codes.iter().any(|known| known == code)
    }

    /// Whether it has a parameter in the query.
    pub fn takes(&self, name: &str) -> bool {
        self.query.iter().any(|known| known == name)
    }
}

pub async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.get("/openapi.json").await.expect(200);
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let texts = |list: &Value, name: &str| -> Vec<String> {
                let items = list.as_array().unwrap().iter();
                items.map(|item| item.pointer(name).unwrap().as_str().unwrap().to_owned()).collect()
            };
            let mut query = operation["parameters"].clone();
            query.as_array_mut().unwrap().retain(|parameter| parameter["in"] == "query");
            all.push(Operation {
                name: format!("{method} {path}"),
                method,
                path: path.clone(),
                codes: texts(&operation["x-error-codes"], ""),
                query: texts(&query, "/name"),
                is_open: operation.get("security").is_none(),
                has_body: operation.get("requestBody").is_some(),
            });
        }
    }
    all
}

/// A server with one of everything.
pub struct World {
    pub server: Server,
    pub ids: Vec<(&'static str, String)>,
    pub cookie: String,
    pub login_code: String,
    pub invitation_code: String,
}

impl World {
    pub async fn with(vars: &[(&str, &str)]) -> Self {
        let mut all = vec![("MASKER_PAYLOAD_RETENTION_DAYS", "1")];
        all.extend_from_slice(vars);
        let server = Server::with(&all);
        let text =
            |value: &Value, pointer: &str| value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let yaml = include_str!("../../../configs/mask_policy.yaml")
            .replace("log_payloads: false", "log_payloads: true");
        let agent = server.agent("one", json!({ "policy_yaml": yaml })).await;
        let session = server.chat(&agent, SAID).await.header("masker-session-id").to_owned();
        let mut states = Vec::new();
        for (place, action) in [("paused_id", "pause"), ("archived_id", "archive"), ("ended_id", "end")] {
            let id = server.agent(place, json!({})).await;
            server.post(&format!("/api/v1/agents/{id}/{action}"), json!({})).await.expect(200);
            states.push((place, id));
        }
        let busy = server.agent("busy", json!({})).await;
        let open_session = keyed(&server, &busy).await.header("masker-session-id").to_owned();
        let gone = server.agent("gone", json!({})).await;
        let deletion = server.delete(&format!("/api/v1/agents/{gone}?mode=soft")).await;
        let deletion = deletion.header("masker-deletion-id").to_owned();
        let team = server.post("/api/v1/teams", json!({ "name": "night" })).await.expect(201);
        let token = json!({ "name": "t", "scopes": ["agents:read"] });
        let token = server.post("/api/v1/tokens", token).await.expect(201);
        let (bob, _) = server.joined("bob", "viewer").await;
        let (_, invitation_code) = server.invited("carol", "viewer").await;
        let (invitation, _) = server.invited("dave", "viewer").await;
        server.call("PUT", "/api/v1/policies/desk", Some(json!({ "yaml": DESK }))).await.expect(201);
        let webhook = json!({ "name": "w", "url": "https://hooks.example.com/x", "events": ["*"] });
        let webhook = server.post("/api/v1/webhooks", webhook).await.expect(201);
        let events = server.get("/api/v1/audit/events?limit=1").await.expect(200);
        let config = Config::from_vars(common::vars(server.folder.path(), &[])).unwrap();
        let link = || login_link(config.database(), config.public_url(), "alice").unwrap().code.unwrap();
        let body = json!({ "login_code": link() });
        let signed = server.call_as("", "POST", "/api/v1/auth/local", Some(body), &[]).await;
        let cookie = signed.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut ids = vec![
            ("agent_id", agent),
            ("busy_id", busy),
            ("open_session_id", open_session),
            ("deleted_id", gone),
            ("deletion_id", deletion),
            ("event_id", text(&events, "/data/0/event_id")),
            ("invitation_id", invitation),
            ("name", "desk".to_owned()),
            ("session_id", session),
            ("session_key", "k1".to_owned()),
            ("team_id", text(&team, "/team/id")),
            ("token_id", text(&token, "/token/id")),
            ("user_id", bob),
            ("webhook_id", text(&webhook, "/webhook/id")),
        ];
        ids.extend(states);
        let login_code = link();
        Self { server, ids, cookie, login_code, invitation_code }
    }

    pub fn id(&self, name: &str) -> &str {
        &self.ids.iter().find(|(other, _)| *other == name).unwrap().1
    }

    /// The path of an operation with ids of what is there.
    pub fn path(&self, operation: &Operation) -> String {
        // Where an operation does something only in one state, it gets what is in that state.
        let (place, id) = match operation.path.rsplit('/').next().unwrap_or_default() {
            "resume" => ("agent_id", "paused_id"),
            "activate" => ("agent_id", "archived_id"),
            "relaunch" => ("agent_id", "ended_id"),
            "restore" => ("agent_id", "deleted_id"),
            "terminate-calls" => ("agent_id", "busy_id"),
            "terminate" => ("session_id", "open_session_id"),
            _ => ("", "agent_id"),
        };
        self.fill(&operation.path.replace(&format!("{{{place}}}"), self.id(id)))
    }

    /// A path with ids of what is there.
    pub fn fill(&self, path: &str) -> String {
        self.ids.iter().fold(path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id))
    }

    /// A body with which the operation would be done.
    pub fn body(&self, operation: &Operation) -> Option<Value> {
        let body = match operation.name.as_str() {
            "POST /api/v1/agents" => json!({ "name": "new", "upstream": "stub" }),
            "POST /api/v1/agents/bulk-delete" => json!({ "ids": [self.id("agent_id")] }),
            "PATCH /api/v1/agents/{agent_id}" | "PUT /api/v1/agents/{agent_id}" => {
                json!({ "platform": "vapi" })
            }
            "POST /api/v1/auth/local" => json!({ "login_code": self.login_code }),
            "PATCH /api/v1/account" => json!({ "restore_window_days": 7 }),
            "POST /api/v1/tokens" => json!({ "name": "t", "scopes": ["agents:read"] }),
            "POST /api/v1/mask"
            | "POST /api/v1/detect"
            | "POST /api/v1/synthesize"
            | "POST /api/v1/rehydrate" => {
                json!({ "text": SAID })
            }
            "POST /api/v1/policies/validate" => json!({ "yaml": DESK }),
            "PUT /api/v1/policies/{name}" => json!({ "yaml": DESK.replace("PHONE", "EMAIL") }),
            "POST /api/v1/policies/diff" => json!({ "a": { "name": "desk" }, "b": { "yaml": DESK } }),
            "PATCH /api/v1/members/{user_id}" => json!({ "role": "member" }),
            "POST /api/v1/invitations" => json!({ "login": "erin", "role": "viewer" }),
            "POST /api/v1/invitations/accept" => json!({ "code": self.invitation_code }),
            "POST /api/v1/teams" | "PATCH /api/v1/teams/{team_id}" => json!({ "name": "day" }),
            "POST /api/v1/webhooks" => {
                json!({ "name": "w", "url": "https://hooks.example.com/y", "events": ["*"] })
            }
            "PATCH /api/v1/webhooks/{webhook_id}" => json!({ "active": false }),
            "POST /vapi/webhook/{agent_id}" => json!({ "type": "assistant-request", "call": { "id": "c1" } }),
            name if name.ends_with("/chat/completions") => {
                json!({ "messages": [{ "role": "user", "content": SAID }] })
            }
            _ if operation.has_body => json!({}),
            _ => return None,
        };
        Some(body)
    }

    /// The operation as it would be done, by this credential.
    pub async fn ask_as(&self, operation: &Operation, token: &str, headers: &[(&str, &str)]) -> Answer {
        let path = self.path(operation);
        call(&self.server, token, &operation.method, &path, self.body(operation), headers).await
    }

    pub async fn ask(&self, operation: &Operation) -> Answer {
        let cookie = [("cookie", self.cookie.as_str())];
        // Signing out is an act of who has a cookie.
        if operation.name == "POST /api/v1/auth/logout" {
            return self.ask_as(operation, "", &cookie).await;
        }
        self.ask_as(operation, if operation.is_open { "" } else { &self.server.token }, &[]).await
    }

    pub fn sql(&self, sql: &str) {
        let path = self.server.folder.path().join("data/masker.db");
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    pub fn token_id(&self) -> String {
        let path = self.server.folder.path().join("data/masker.db");
        let database = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT id FROM records WHERE kind = 'token' ORDER BY at, id LIMIT 1";
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// A call whose answer may be a stream that never ends: of those only the head is taken.
pub async fn call(
    server: &Server,
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
    headers: &[(&str, &str)],
) -> Answer {
    if !path.ends_with("/stream") {
        return server.call_as(token, method, path, body, headers).await;
    }
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    if answer.status() == 200 {
        return Answer { status: 200, headers: HeaderMap::new(), text: String::new() };
    }
    server.call_as(token, method, path, body, headers).await
}

/// A keyed call, which stays open.
pub async fn keyed(server: &Server, agent: &str) -> Answer {
    let body = json!({ "messages": [{ "role": "user", "content": "x" }] });
    let path = format!("/proxy/{agent}/v1/chat/completions");
    server.call_as("", "POST", &path, Some(body), &[("masker-session-id", "k")]).await
}

/// Serves a router; gives its URL.
pub async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn github_token(text: String) -> String {
    let value: Value = serde_json::from_str(&text).unwrap();
    if value["code"] == "good" {
        json!({ "access_token": "gho_x" }).to_string()
    } else {
        json!({ "error": "bad_verification_code" }).to_string()
    }
}

/// A GitHub with one user; gives its URL.
pub async fn github() -> String {
    let user = || async { json!({ "id": 77, "login": "octo" }).to_string() };
    listen(Router::new().route("/token", post(github_token)).route("/user", get(user))).await
}

/// Goes to GitHub with a browser; gives the state and the cookie that binds it.
pub async fn leave_for_github(server: &Server) -> (String, String) {
    let sent = server.call_as("", "GET", "/api/v1/auth/github", None, &[]).await;
    let state = sent.header("location").split("state=").nth(1).unwrap_or_default().to_owned();
    (state, sent.header("set-cookie").split(';').next().unwrap().to_owned())
}

/// A server with one of everything, and the cookie of somebody who owns another account.
pub async fn with_a_stranger() -> (World, String) {
    let url = github().await;
    let token_url = format!("{url}/token");
    let world = World::with(&[
        ("MASKER_GITHUB_CLIENT_ID", "id"),
        ("MASKER_GITHUB_CLIENT_SECRET", "shh"),
        ("MASKER_GITHUB_TOKEN_URL", &token_url),
        ("MASKER_GITHUB_API_URL", &url),
        ("MASKER_SIGNUP", "open"),
    ])
    .await;
    let (state, bound) = leave_for_github(&world.server).await;
    let path = format!("/api/v1/auth/github/callback?code=good&state={state}");
    let back = world.server.call_as("", "GET", &path, None, &[("cookie", &bound)]).await;
    assert_eq!(back.status, 302, "{}", back.text);
    let cookie = back.header("set-cookie").split(';').next().unwrap().to_owned();
    (world, cookie)
}
