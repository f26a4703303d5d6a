//! Who asks, and what they may do.

pub(crate) mod codes;
pub(crate) mod github;
pub(crate) mod scope;
pub(crate) mod signature;

use axum::http::{HeaderMap, HeaderValue, header};
use masker_core::audit::{AuditEvent, EventKind};
use serde_json::json;

pub(crate) use self::scope::{Scope, Scopes};
use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::state::State;
use crate::store::model::{Account, ApiToken, Cookie, OldSecret, Role, User};
use crate::store::{Change, Kind};
use crate::time::{self, DAY};

/// How long a cookie lives after its last use, in milliseconds.
pub(crate) const COOKIE_LIFE: i64 = 30 * DAY;
/// What is written down of the last use of a token, and of when a person was seen, is at most this much behind.
const TOUCH_EVERY: i64 = 60 * time::SECOND;

/// A person, or a program that acts for one.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) account: Account,
    pub(crate) token: Option<ApiToken>,
    /// The value of the cookie that was used, to be sent again.
    pub(crate) cookie: Option<String>,
    /// What it may do now.
    pub(crate) scopes: Scopes,
}

impl Caller {
    /// The name under which requests are remembered.
    pub(crate) fn credential_id(&self) -> String {
        match &self.token {
            Some(token) => token.id.clone(),
            None => self.user.id.clone(),
        }
    }

    /// An event of this caller's doing.
    pub(crate) fn event(&self, kind: EventKind) -> AuditEvent {
        let event = AuditEvent::new(kind, &self.user.account_id);
        match &self.token {
            Some(token) => {
                event.member("actor", json!({ "type": "token", "id": token.id, "user_id": self.user.id }))
            }
            None => event.actor("user", &self.user.id),
        }
    }

    /// Whether agents of this team are seen.
    pub(crate) fn sees_team(&self, team: Option<&str>) -> bool {
        let Some(team) = team else { return true };
        self.user.role >= Role::Admin || self.user.team_ids.iter().any(|own| own == team)
    }

    /// Whether the token, if any, is for this agent too.
    pub(crate) fn reaches_agent(&self, agent: &str) -> bool {
        self.token
            .as_ref()
            .is_none_or(|token| token.agent_ids.is_empty() || token.agent_ids.iter().any(|id| id == agent))
    }

    /// Refuses an agent, or what belongs to it, that is not this caller's.
    pub(crate) fn check_agent(&self, agent: &str, team: Option<&str>) -> Result<()> {
        if !self.sees_team(team) {
            return Err(ApiError::forbidden("team", ""));
        }
        if !self.reaches_agent(agent) {
            return Err(ApiError::forbidden("scope", "agent_ids"));
        }
        Ok(())
    }

    /// Refuses a caller without the scope, or whose role is too low for it.
    pub(crate) fn check(&self, scope: Scope, role: Role) -> Result<()> {
        if let Some(token) = &self.token
            && !Scopes::parse(&token.scopes).has(scope)
        {
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scope.as_str());
            return Err(
                ApiError::forbidden("scope", scope.as_str()).header(header::WWW_AUTHENTICATE, &challenge)
            );
        }
        let least = role.max(scope.least_role());
        if self.user.role < least {
            return Err(ApiError::forbidden("role", least.as_str()));
        }
        Ok(())
    }
}

fn unauthenticated(with_credential: bool) -> ApiError {
    let message = if with_credential {
        "The credential is unknown, expired or revoked."
    } else {
        "A credential is needed: an API token in the Authorization header, or a session cookie."
    };
    ApiError::new(Code::Unauthenticated, message).header(header::WWW_AUTHENTICATE, "Bearer realm=\"masker\"")
}

/// The value of a cookie in a request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Finds out who asks. A header beats a cookie.
pub(crate) fn authenticate(state: &State, headers: &HeaderMap, changes: bool) -> Result<Caller> {
    let now = time::now();
    let (user, token, cookie) = if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (user, token) = by_token(state, value, now)?.ok_or_else(|| unauthenticated(true))?;
        (user, Some(token), None)
    } else if let Some(value) = cookie(headers, "masker_session") {
        let user = by_cookie(state, value, now)?.ok_or_else(|| unauthenticated(true))?;
        if changes {
            check_origin(state, headers)?;
        }
        (user, None, Some(value.to_owned()))
    } else {
        return Err(unauthenticated(false));
    };
    let account: Account = state.store.load(&user.account_id)?.ok_or_else(|| unauthenticated(true))?;
    let of_role = Scopes::of_role(user.role);
    let scopes = token.as_ref().map_or(of_role, |token| Scopes::parse(&token.scopes).and(of_role));
    Ok(Caller { user, account, token, cookie, scopes })
}

fn by_token(state: &State, value: &HeaderValue, now: i64) -> Result<Option<(User, ApiToken)>> {
    let text = value.to_str().unwrap_or_default();
    let Some(secret) = text.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "))
    else {
        return Ok(None);
    };
    let secret = secret.1.trim();
    if !crypto::is_token(secret) {
        return Ok(None);
    }
    let hash = crypto::sha256_hex(secret.as_bytes());
    let token = match state.store.load_by_key::<ApiToken>(&hash)?.pop() {
        Some(token) => token,
        None => match old_secret(state, &hash, now)? {
            Some(token) => token,
            None => return Ok(None),
        },
    };
    if token.expires_at.is_some_and(|at| at <= now) {
        return Ok(None);
    }
    let Some(user) = state.store.load::<User>(&token.user_id)? else { return Ok(None) };
    if token.last_used_at.is_none() {
        // The event of a token that was made beside the server stands in the log before the token does anything.
        state.audit.deliver(&*state.store)?;
    }
    if token.last_used_at.is_none_or(|at| now - at > TOUCH_EVERY) {
        let token = (Kind::Token, &*token.id, "last_used_at");
        touch(state, [token, (Kind::User, &*user.id, "last_seen_at")], now)?;
    }
    Ok(Some((user, token)))
}

fn old_secret_name(hash: &str) -> String {
    format!("old_secret/{hash}")
}

fn old_secret(state: &State, hash: &str, now: i64) -> Result<Option<ApiToken>> {
    let Some(text) = state.store.meta(&old_secret_name(hash))? else { return Ok(None) };
    let Ok(old) = serde_json::from_str::<OldSecret>(&text) else { return Ok(None) };
    if old.until <= now {
        return Ok(None);
    }
    Ok(state.store.load(&old.token_id)?)
}

/// Lets the former secret of a token work for a while yet.
pub(crate) fn keep_old_secret(state: &State, token: &ApiToken, until: i64) -> Result<()> {
    let old = OldSecret { token_id: token.id.clone(), until };
    let text = serde_json::to_string(&old).expect("an id and a number");
    Ok(state.store.set_meta(&old_secret_name(&token.hash), &text)?)
}

fn by_cookie(state: &State, value: &str, now: i64) -> Result<Option<User>> {
    let hash = crypto::sha256_hex(value.as_bytes());
    let Some(cookie) = state.store.load::<Cookie>(&hash)?.filter(|cookie| cookie.expires_at > now) else {
        return Ok(None);
    };
    let Some(user) = state.store.load::<User>(&cookie.user_id)? else { return Ok(None) };
    // Each use moves the end, so that a cookie never ends while the browser's copy lives on.
    touch(state, [(Kind::Cookie, &*hash, "expires_at")], now + COOKIE_LIFE)?;
    if user.last_seen_at.is_none_or(|at| now - at > TOUCH_EVERY) {
        touch(state, [(Kind::User, &*user.id, "last_seen_at")], now)?;
    }
    Ok(Some(user))
}

/// Writes a time into records. What was read before may be out of date by now: what was revoked meanwhile does not come back,
/// and who was demoted stays so.
fn touch<const N: usize>(state: &State, places: [(Kind, &str, &'static str); N], at: i64) -> Result<()> {
    let change = |(kind, id, field): (Kind, &str, _)| Change::Touch { kind, id: id.to_owned(), field, at };
    Ok(state.store.write(places.map(change).into())?)
}

/// Notes that somebody was here.
pub(crate) fn seen(state: &State, user: &User) -> Result<()> {
    touch(state, [(Kind::User, &*user.id, "last_seen_at")], time::now())
}

/// Refuses a change that another site's page asks for with this browser's cookie.
pub(crate) fn check_origin(state: &State, headers: &HeaderMap) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = reqwest::Url::parse(&state.config.public_url).map(|url| url.origin().ascii_serialization());
    let foreign = text("origin").is_some_and(|origin| own.as_deref() != Ok(origin));
    if foreign || text("sec-fetch-site") == Some("cross-site") {
        return Err(ApiError::forbidden("csrf", ""));
    }
    Ok(())
}

/// Starts a browser's session; gives the value of its cookie.
pub(crate) fn start_session(state: &State, user: &User) -> Result<String> {
    let value = crypto::new_cookie();
    let cookie = Cookie {
        hash: crypto::sha256_hex(value.as_bytes()),
        user_id: user.id.clone(),
        expires_at: time::now() + COOKIE_LIFE,
    };
    state.store.save(&cookie)?;
    Ok(value)
}

/// Whose session of a browser this is.
pub(crate) fn session_user(state: &State, value: &str) -> Result<Option<User>> {
    let cookie: Option<Cookie> = state.store.load(&crypto::sha256_hex(value.as_bytes()))?;
    Ok(cookie.map(|cookie| state.store.load(&cookie.user_id)).transpose()?.flatten())
}

/// Ends a browser's session.
pub(crate) fn end_session(state: &State, value: &str) -> Result<()> {
    let hash = crypto::sha256_hex(value.as_bytes());
    Ok(state.store.write(vec![Change::Delete(Kind::Cookie, hash)])?)
}

/// The header that sets a cookie, or clears it where `max_age` is 0.
pub(crate) fn set_cookie(state: &State, name: &str, value: &str, path: &str, max_age: i64) -> String {
    let secure = if state.config.plain_cookies() { "" } else { " Secure;" };
    if max_age == 0 {
        return format!("{name}=; Max-Age=0; Path={path}; HttpOnly;{secure} SameSite=Lax");
    }
    format!("{name}={value}; HttpOnly;{secure} SameSite=Lax; Path={path}; Max-Age={max_age}")
}
