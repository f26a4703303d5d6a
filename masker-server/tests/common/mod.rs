//! A server in a temporary folder, called without a socket.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "every test file uses a part of it, and fails by panicking"
)]

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use masker_server::{Config, State, app, bootstrap};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What holds of every answer.
    fn check(&self) {
        let id = self.header("x-request-id");
        assert!(id.starts_with("req_") && id.len() == 30, "{:?}", self.headers);
        assert_eq!(self.header("masker-version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        assert!(matches!(self.header("cache-control"), "no-store" | "no-cache"));
        assert!(self.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
        if self.status < 400 || self.text.is_empty() {
            return;
        }
        let body = self.json();
        // What is repeated is the answer as it was; probes that say no have no error.
        if body["error"].is_object() && self.header("idempotency-replayed").is_empty() {
            assert_eq!(body["error"]["request_id"], id, "{body}");
            for name in ["type", "code", "message"] {
                assert!(body["error"][name].is_string(), "{body}");
            }
        }
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(body["error"]["request_id"].as_str().unwrap().starts_with("req_"));
        body["error"].clone()
    }
}

pub struct Server {
    pub folder: tempfile::TempDir,
    pub router: Router,
    pub state: Arc<State>,
    pub token: String,
}

pub fn vars(folder: &Path, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let data = folder.join("data");
    let mut vars = vec![
        ("MASKER_DEV".to_owned(), "1".to_owned()),
        ("MASKER_DATA_DIR".to_owned(), data.to_str().unwrap().to_owned()),
        ("MASKER_LISTEN_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
        ("MASKER_PUBLIC_URL".to_owned(), "http://localhost:8080".to_owned()),
    ];
    for (name, value) in more {
        vars.retain(|(other, _)| other != name);
        vars.push(((*name).to_owned(), (*value).to_owned()));
    }
    vars
}

impl Server {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::from_vars(vars(folder.path(), more)).unwrap();
        let made = bootstrap(config.database(), config.public_url(), "alice", true, false).unwrap();
        let state = State::open(config).unwrap();
        Self { folder, router: app(state.clone()), state, token: made.token.unwrap() }
    }

    /// The same data with another process, as it were.
    pub fn restarted(self, more: &[(&str, &str)]) -> Self {
        let Self { folder, router, state, token } = self;
        drop((router, state));
        let config = Config::from_vars(vars(folder.path(), more)).unwrap();
        let state = State::open(config).unwrap();
        Self { folder, router: app(state.clone()), state, token }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text };
        answer.check();
        answer
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_as(&self.token, method, path, body, &[]).await
    }

    pub async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// Makes an agent over the stub; gives its id.
    pub async fn agent(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "name": name, "upstream": "stub" });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        let made = self.post("/api/v1/agents", body).await.expect(201);
        made["agent"]["id"].as_str().unwrap().to_owned()
    }

    /// A chat through an agent's proxy.
    pub async fn chat(&self, agent: &str, text: &str) -> Answer {
        let body = json!({ "messages": [{ "role": "user", "content": text }] });
        self.call_as("", "POST", &format!("/proxy/{agent}/v1/chat/completions"), Some(body), &[]).await
    }

    /// A token of another user of this role in the account.
    pub async fn token(&self, scopes: &[&str]) -> String {
        let body = json!({ "name": "test", "scopes": scopes });
        self.post("/api/v1/tokens", body).await.expect(201)["secret"].as_str().unwrap().to_owned()
    }

    /// An invitation; gives its id and its code.
    pub async fn invited(&self, login: &str, role: &str) -> (String, String) {
        let body = json!({ "login": login, "role": role });
        let made = self.post("/api/v1/invitations", body).await.expect(201)["invitation"].clone();
        let code = made["url"].as_str().unwrap().split("#invitation=").nth(1).unwrap().to_owned();
        (made["id"].as_str().unwrap().to_owned(), code)
    }

    /// A member of the account in no team; gives the id and a cookie.
    pub async fn joined(&self, login: &str, role: &str) -> (String, String) {
        let body = json!({ "code": self.invited(login, role).await.1 });
        let joined = self.call_as("", "POST", "/api/v1/invitations/accept", Some(body), &[]).await;
        let cookie = joined.header("set-cookie").split(';').next().unwrap().to_owned();
        (joined.expect(200)["user"]["id"].as_str().unwrap().to_owned(), cookie)
    }

    /// A member of the account in no team; gives the id, and a token, or a cookie where the role has no tokens.
    pub async fn member(&self, login: &str, role: &str, scopes: &[&str]) -> (String, String) {
        let (id, cookie) = self.joined(login, role).await;
        let body = json!({ "name": "t", "scopes": scopes });
        let made = self.call_as("", "POST", "/api/v1/tokens", Some(body), &[("cookie", &cookie)]).await;
        let token =
            if made.status == 201 { made.json()["secret"].as_str().unwrap().to_owned() } else { cookie };
        (id, token)
    }

    pub fn audit_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data/audit.log")).unwrap()
    }

    /// Every file of the server, as text that may be none.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let data = self.folder.path().join("data");
        let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap_or_default())).collect()
    }
}

/// The words of a whole answer.
pub fn words(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

/// The words of a streamed answer, put together.
pub fn streamed_words(text: &str) -> String {
    text.split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .filter_map(|chunk| Some(chunk["choices"].get(0)?["delta"]["content"].as_str()?.to_owned()))
        .collect()
}

pub const OK: u16 = StatusCode::OK.as_u16();
