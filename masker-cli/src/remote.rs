//! Talking to a server: credentials, errors and pages.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::ui::Ui;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server and how to prove oneself to it.
pub(crate) struct Remote<'a> {
    client: Client,
    base: String,
    /// Name and value of the header with the credential.
    credential: (&'static str, String),
    ui: &'a Ui,
    json: bool,
}

/// The path and query of a list that is read page by page.
pub(crate) struct Listing {
    path: String,
    query: Vec<(&'static str, String)>,
}

impl Listing {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), query: Vec::new() }
    }

    pub(crate) fn filter(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

impl<'a> Remote<'a> {
    /// The server of the settings, with the credential of the environment.
    pub(crate) fn open(settings: &Settings, ui: &'a Ui, token_file: Option<&Path>) -> Result<Self> {
        let Some(base) = &settings.server else {
            return Err(CliError::usage("no server is named")
                .hint("add --server https://…, or set MASKER_SERVER or [server] url in masker.toml"));
        };
        // Another part of the program may have chosen the same one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("masker-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| CliError::failure("the TLS of this machine cannot be used"))?;
        Ok(Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            credential: credential(token_file)?,
            ui,
            json: settings.json,
        })
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Response> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.base), query)
            .map_err(|_| CliError::usage("the value of --server is no URL"))?;
        let mut request = self.client.request(method, url).header(self.credential.0, &self.credential.1);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().map_err(|error| unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response)) }
    }

    /// The error of a server that said no.
    fn refused(&self, response: Response) -> CliError {
        let status = response.status();
        let body: Value =
            response.text().ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let error = &body["error"];
        if self.json && error.is_object() {
            let _ = self.ui.print_json(&body);
        }
        let code = error["code"].as_str().unwrap_or("no_code");
        let exit = match (status, code) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Exit::SignIn,
            (_, "policy_yaml_invalid") => Exit::Policy,
            (StatusCode::CONFLICT, _) | (_, "invalid_status") => Exit::Refused,
            _ => Exit::Failure,
        };
        let message = error["message"].as_str().unwrap_or("the server gave no reason");
        let request = error["request_id"].as_str().unwrap_or("no request id");
        CliError::remote(exit, format!("{message} ({code}, {request})"))
    }

    fn json(response: Response) -> Result<Value> {
        let text = response.text().map_err(|error| unreachable(&error))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|_| CliError::failure("the server's answer is not JSON; is it a masker server?"))
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        Self::json(self.send(Method::GET, path, &[], None)?)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Self::json(self.send(Method::POST, path, &[], Some(body))?)
    }

    pub(crate) fn delete(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        Self::json(self.send(Method::DELETE, path, query, None)?)
    }

    /// The bytes of an answer.
    pub(crate) fn bytes(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<u8>> {
        let response = self.send(Method::GET, path, query, None)?;
        Ok(response.bytes().map_err(|error| unreachable(&error))?.to_vec())
    }

    /// A stream of events, from after one on.
    pub(crate) fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<Response> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.base), query)
            .map_err(|_| CliError::usage("the value of --server is no URL"))?;
        // The stream has heartbeats, so silence is what ends it, not time.
        let mut request = self
            .client
            .get(url)
            .header(self.credential.0, &self.credential.1)
            .timeout(Duration::from_hours(24));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().map_err(|error| unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response)) }
    }

    /// The rows of a list, page after page, at most this many.
    pub(crate) fn list(&self, listing: &Listing, limit: Option<usize>) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut query = listing.query.clone();
        loop {
            let wanted = limit.map_or(100, |limit| (limit - rows.len()).clamp(1, 100));
            let mut page_query = query.clone();
            page_query.push(("limit", wanted.to_string()));
            let page = Self::json(self.send(Method::GET, &listing.path, &page_query, None)?)?;
            rows.extend(page["data"].as_array().into_iter().flatten().cloned());
            let next = page["next_cursor"].as_str();
            match next {
                Some(next) if limit.is_none_or(|limit| rows.len() < limit) => {
                    query.retain(|(name, _)| *name != "cursor");
                    query.push(("cursor", next.to_owned()));
                }
                _ => return Ok(rows),
            }
        }
    }
}

fn unreachable(error: &reqwest::Error) -> CliError {
    let reason = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    CliError::remote(Exit::Unreachable, format!("the server cannot be reached: {reason}"))
        .hint("check --server, and that the server runs")
}

/// `MASKER_TOKEN`, a file, or `MASKER_SESSION`. A flag would show in lists of processes.
fn credential(token_file: Option<&Path>) -> Result<(&'static str, String)> {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(path) = token_file {
        let text = fs::read_to_string(path).map_err(|e| CliError::file("read token", path, &e))?;
        return Ok(("authorization", format!("Bearer {}", text.trim())));
    }
    if let Some(token) = set("MASKER_TOKEN") {
        return Ok(("authorization", format!("Bearer {token}")));
    }
    if let Some(session) = set("MASKER_SESSION") {
        return Ok(("cookie", format!("masker_session={session}")));
    }
    Err(CliError::remote(Exit::SignIn, "there is no credential for the server".to_owned())
        .hint("set MASKER_TOKEN; masker admin bootstrap --token on the server's machine makes the first one"))
}

/// A part of a path that a caller gave.
pub(crate) fn segment(text: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() || b"-_.".contains(&b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(byte).collect()
}
