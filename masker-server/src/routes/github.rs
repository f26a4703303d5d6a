//! `/api/v1/auth/github`

use axum::http::header;
use axum::response::Response;
use masker_core::audit::{AuditEvent, EventKind};

use super::members::join;
use crate::auth::github::{self, Profile};
use crate::auth::{self, codes, set_cookie};
use crate::config::{GithubConfig, Signup};
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Reply};
use crate::router::{Answer, redirect};
use crate::store::model::{Invitation, User};
use crate::store::{Change, Kind};
use crate::time;

const COOKIE: &str = "masker_oauth_state";
const COOKIE_PATH: &str = "/api/v1/auth";

fn configured(c: &Context) -> Result<&GithubConfig> {
    let missing = || ApiError::new(Code::AuthMethodUnavailable, "Sign-in through GitHub is not set up.");
    c.state.config.github.as_ref().ok_or_else(missing)
}

fn callback_url(c: &Context) -> String {
    format!("{}/api/v1/auth/github/callback", c.state.config.public_url)
}

pub(super) fn begin(c: &Context) -> Result<Reply> {
    let redirect_to = c.query.get("redirect_to").unwrap_or("/portal");
    if !github::is_local_path(redirect_to) {
        return Err(ApiError::field("redirect_to", "bad_format", "A path on this server is needed."));
    }
    let github = configured(c)?;
    let (state, cookie) = github::begin(&c.state.keys, redirect_to, time::now());
    let callback = callback_url(c);
    let query = [
        ("client_id", github.client_id.as_str()),
        ("redirect_uri", callback.as_str()),
        ("scope", github.scopes.as_str()),
        ("state", state.as_str()),
    ];
    let url = reqwest::Url::parse_with_params(&github.authorize_url, query)
        .map_err(|error| ApiError::internal(&error))?;
    let cookie = set_cookie(&c.state, COOKIE, &cookie, COOKIE_PATH, github::STATE_LIFE / 1000);
    Ok(redirect(url.as_str()).with(header::SET_COOKIE, &cookie))
}

pub(super) fn callback(c: Context) -> Answer {
    Box::pin(async move {
        let (redirect_to, profile) = exchange(&c).await?;
        let done = tokio::task::spawn_blocking(move || sign_in(&c, &redirect_to, profile)).await;
        done.map_err(|_| ApiError::internal(&"a sign-in panicked"))?
    })
}

async fn exchange(c: &Context) -> Result<(String, Profile)> {
    let github = configured(c)?;
    let invalid =
        || ApiError::new(Code::InvalidState, "The sign-in is too old, was used, or was begun elsewhere.");
    let state = c.query.get("state").unwrap_or_default();
    let cookie = auth::cookie(&c.headers, COOKIE).unwrap_or_default();
    let now = time::now();
    let redirect_to = github::finish(&c.state.keys, cookie, state, now).ok_or_else(invalid)?;
    if !c.state.used_states.take(state, now) {
        return Err(invalid());
    }
    if c.query.get("error").is_some() {
        return Err(ApiError::new(Code::OauthDenied, "GitHub says that access was denied."));
    }
    let code = c.query.get("code").unwrap_or_default();
    let profile = github::profile(&c.state, github, code, &callback_url(c)).await?;
    Ok((redirect_to, profile))
}

fn sign_in(c: &Context, redirect_to: &str, profile: Profile) -> Result<Response> {
    let user = match admit(c, profile) {
        Ok(user) => user,
        Err(error) => {
            let _ = c
                .state
                .audit
                .append_one(AuditEvent::new(EventKind::LoginFailed, "").data("method", "github"));
            return Err(error);
        }
    };
    let event = AuditEvent::new(EventKind::LoginSucceeded, &user.account_id);
    c.state.audit.append_one(event.actor("user", &user.id).data("method", "github"))?;
    let cookie = auth::start_session(&c.state, &user)?;
    Ok(redirect(redirect_to)
        .with(
            header::SET_COOKIE,
            &set_cookie(&c.state, "masker_session", &cookie, "/", auth::COOKIE_LIFE / 1000),
        )
        .with(header::SET_COOKIE, &set_cookie(&c.state, COOKIE, "", COOKIE_PATH, 0))
        .into_response())
}

/// The user behind a profile: one who is known, or one whom the rules of signing up let in.
fn admit(c: &Context, profile: Profile) -> Result<User> {
    let state = &c.state;
    let github = configured(c)?;
    let _changing = state.agents.change();
    let users: Vec<User> = state.store.load_all(None)?;
    let upsert_failed = |_| ApiError::new(Code::UserUpsertFailed, "The user could not be written.");
    let put_in = |mut user: User| {
        user.github_id = Some(profile.id);
        user.github_login = Some(profile.login.clone());
        user.name = user.name.or_else(|| profile.name.clone());
        user.email = profile.email.clone().or(user.email);
        user.avatar_url.clone_from(&profile.avatar_url);
        user.last_seen_at = Some(time::now());
        user
    };
    if let Some(known) = users.iter().find(|user| user.github_id == Some(profile.id)) {
        let user = put_in(known.clone());
        state.store.save(&user).map_err(upsert_failed)?;
        return Ok(user);
    }
    let closed =
        || ApiError::new(Code::SignupClosed, "Signing up is closed to this identity; ask for an invitation.");
    let allowed = &github.allowed_logins;
    if !allowed.is_empty() && !allowed.iter().any(|login| login.eq_ignore_ascii_case(&profile.login)) {
        return Err(closed());
    }
    let invitations: Vec<Invitation> = state.store.load_all(None)?;
    let invited = invitations.into_iter().find(|invitation| {
        invitation.expires_at > time::now()
            && invitation
                .github_login
                .as_ref()
                .is_some_and(|login| login.eq_ignore_ascii_case(&profile.login))
    });
    if let Some(invitation) = invited {
        let user = put_in(join(c, &invitation, Some(profile.login.clone()), profile.name.clone())?);
        state
            .store
            .write(vec![Change::put(&user), Change::Delete(Kind::Invitation, invitation.id)])
            .map_err(upsert_failed)?;
        return Ok(user);
    }
    let may_found = match state.config.signup {
        Signup::Open => true,
        Signup::FirstUser => users.is_empty() && !allowed.is_empty(),
        Signup::Invite => false,
    };
    if !may_found {
        return Err(closed());
    }
    let (account, mut user) = codes::new_owner(&profile.login, profile.name.as_deref(), time::now());
    // Only the first owner looks after the machine.
    user.instance_admin = users.is_empty();
    let user = put_in(user);
    let event = AuditEvent::new(EventKind::MemberAdded, &account.id).actor("user", &user.id);
    state.audit.append_one(event.data("user_id", user.id.clone()).data("role", "owner"))?;
    state.store.write(vec![Change::put(&account), Change::put(&user)]).map_err(upsert_failed)?;
    Ok(user)
}
