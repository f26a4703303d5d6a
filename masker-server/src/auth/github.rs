//! Sign-in through GitHub: where the browser goes, and what comes back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::config::GithubConfig;
use crate::crypto::{ServerKeys, random, same};
use crate::error::{ApiError, Code, Result};
use crate::state::State;
use crate::time;

/// How long a sign-in may take, in milliseconds.
pub(crate) const STATE_LIFE: i64 = 600 * time::SECOND;
/// How long GitHub may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// States that were used, until they would have expired anyway.
#[derive(Debug, Default)]
pub(crate) struct UsedStates(Mutex<HashMap<String, i64>>);

impl UsedStates {
    /// Whether this is the first use.
    pub(crate) fn take(&self, state: &str, now: i64) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until > now);
        used.insert(state.to_owned(), now + STATE_LIFE).is_none()
    }
}

/// What a browser is sent away with: the state for GitHub, and the cookie that binds it to where the browser wants to go.
pub(crate) fn begin(keys: &ServerKeys, redirect_to: &str, now: i64) -> (String, String) {
    let state = BASE64URL_NOPAD.encode(&random::<16>());
    let text = format!("{state}|{}|{redirect_to}", now + STATE_LIFE);
    let mac = BASE64URL_NOPAD.encode(&keys.cookie_mac(text.as_bytes()));
    (state, format!("{}.{mac}", BASE64URL_NOPAD.encode(text.as_bytes())))
}

/// Where the browser wanted to go, if the cookie is good and belongs to the state.
pub(crate) fn finish(keys: &ServerKeys, cookie: &str, state: &str, now: i64) -> Option<String> {
    let (text, mac) = cookie.split_once('.')?;
    let text = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let mac = BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?;
    if !same(&mac, &keys.cookie_mac(&text)) {
        return None;
    }
    let text = String::from_utf8(text).ok()?;
    let mut parts = text.splitn(3, '|');
    let (bound, until, redirect_to) = (parts.next()?, parts.next()?, parts.next()?);
    let in_time = until.parse::<i64>().is_ok_and(|until| until > now);
    (in_time && same(bound.as_bytes(), state.as_bytes())).then(|| redirect_to.to_owned())
}

/// Whether a path leads nowhere but to this server.
pub(crate) fn is_local_path(text: &str) -> bool {
    let mut letters = text.chars();
    text.len() <= 512
        && letters.next() == Some('/')
        && !matches!(letters.next(), Some('/' | '\\'))
        && !text.chars().any(char::is_control)
}

/// Somebody as GitHub knows them.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) id: i64,
    pub(crate) login: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) avatar_url: Option<String>,
}

/// Gives the code of a sign-in for the profile behind it. GitHub's token is dropped at once.
pub(crate) async fn profile(
    state: &State,
    github: &GithubConfig,
    code: &str,
    callback: &str,
) -> Result<Profile> {
    let failed =
        || ApiError::new(Code::OauthExchangeFailed, "GitHub refused the code or could not be reached.");
    let exchange = async {
        let body = serde_json::json!({
            "client_id": github.client_id,
            "client_secret": github.client_secret.expose(),
            "code": code,
            "redirect_uri": callback,
        });
        let answer = state
            .http
            .post(&github.token_url)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .ok()?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        let token = answer.get("access_token")?.as_str()?.to_owned();
        let answer = state
            .http
            .get(format!("{}/user", github.api_url))
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await
            .ok()?;
        let user: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        let text = |name: &str| user.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Profile {
            id: user.get("id")?.as_i64()?,
            login: text("login")?,
            name: text("name"),
            email: text("email"),
            avatar_url: text("avatar_url"),
        })
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Some(profile)) => Ok(profile),
        _ => Err(failed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_cookie_binds_its_state() {
        let keys = ServerKeys::new(&Secret::from_bytes([1; 32]), &Secret::from_bytes([2; 32]));
        let (state, cookie) = begin(&keys, "/portal?x=1|2", 1_000);
        assert_eq!(finish(&keys, &cookie, &state, 2_000).as_deref(), Some("/portal?x=1|2"));
        assert_eq!(finish(&keys, &cookie, "other", 2_000), None);
        assert_eq!(finish(&keys, &cookie, &state, 1_000 + STATE_LIFE), None);
        let other = ServerKeys::new(&Secret::from_bytes([3; 32]), &Secret::from_bytes([2; 32]));
        assert_eq!(finish(&other, &cookie, &state, 2_000), None);
        let used = UsedStates::default();
        assert!(used.take(&state, 0) && !used.take(&state, 1));
    }

    #[test]
    fn only_paths_of_this_server_are_gone_to() {
        assert!(is_local_path("/portal") && is_local_path("/"));
        for bad in ["", "portal", "//example.com", "/\\example.com", "https://example.com", "/a\nb"] {
            assert!(!is_local_path(bad), "{bad}");
        }
    }
}
