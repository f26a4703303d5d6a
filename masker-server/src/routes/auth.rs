//! `/api/v1/auth`

use axum::http::header;
use masker_core::audit::{AuditEvent, EventKind};
use serde_json::json;

use crate::auth::{self, codes, set_cookie};
use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Reply};
use crate::store::model::{Account, User};
use crate::store::{Change, Kind};
use crate::{routes, time};

/// The shortest code of a bootstrap file.
const BOOTSTRAP_CODE: usize = 32;

pub(super) fn methods(c: &Context) -> Result<Reply> {
    let config = &c.state.config;
    let body = json!({ "github": config.github.is_some(), "local": true, "signup": config.signup.as_str() });
    Ok(Reply::ok(&body))
}

pub(super) fn local(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["login_code", "login", "name"]);
    f.require("login_code");
    let code = f.line("login_code", 1, 256);
    let login = f.text("login").map(str::to_owned);
    if login.as_deref().is_some_and(|login| !codes::is_login(login)) {
        f.fail("login", "bad_format", "1 to 64 letters, digits, dots, hyphens and underscores are needed.");
    }
    let name = f.line("name", 1, 200);
    f.finish()?;
    let code = code.unwrap_or_default();
    if let Some((user, record)) = codes::redeem(&*c.state.store, &code)? {
        let signed = sign_in(c, &user, "local");
        if signed.is_err() {
            c.state.store.save(&record)?;
        }
        return signed;
    }
    let Some(user) = bootstrap(c, &code, login.as_deref(), name.as_deref())? else {
        let event = AuditEvent::new(EventKind::LoginFailed, "").data("method", "local");
        let _ = c.state.audit.append_one(event);
        return Err(codes::invalid_code());
    };
    sign_in(c, &user, "local")
}

/// The first owner, where the code is that of the file and nobody is there yet.
fn bootstrap(c: &Context, code: &str, login: Option<&str>, name: Option<&str>) -> Result<Option<User>> {
    let Some(path) = &c.state.config.bootstrap_code_file else { return Ok(None) };
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    let text = text.trim();
    let fits = text.len() >= BOOTSTRAP_CODE
        && crypto::same(&crypto::sha256(text.as_bytes()), &crypto::sha256(code.as_bytes()));
    if !fits {
        return Ok(None);
    }
    let _changing = c.state.agents.change();
    if !c.state.store.list(Kind::User, None)?.is_empty() {
        return Err(ApiError::new(
            Code::AlreadyBootstrapped,
            "There is a user already; the code opens nothing more.",
        ));
    }
    let (account, user) = codes::new_owner(login.unwrap_or("admin"), name, time::now());
    let event = AuditEvent::new(EventKind::MemberAdded, &account.id)
        .actor("user", &user.id)
        .data("user_id", user.id.clone())
        .data("role", "owner");
    c.state.audit.append_one(event)?;
    c.state.store.write(vec![Change::put(&account), Change::put(&user)])?;
    Ok(Some(user))
}

/// Gives a browser its cookie.
pub(super) fn sign_in(c: &Context, user: &User, method: &str) -> Result<Reply> {
    c.state.audit.deliver(&*c.state.store)?;
    let event = AuditEvent::new(EventKind::LoginSucceeded, &user.account_id)
        .actor("user", &user.id)
        .data("method", method);
    c.state.audit.append_one(event)?;
    let cookie = auth::start_session(&c.state, user)?;
    auth::seen(&c.state, user)?;
    let user = User { last_seen_at: Some(time::now()), ..user.clone() };
    let account: Option<Account> = c.state.store.load(&user.account_id)?;
    let account = account.ok_or_else(|| ApiError::internal(&"a user without an account"))?;
    let body = json!({
        "user": routes::account::user_json(&user),
        "account": routes::account::account_brief(&account),
    });
    let cookie = set_cookie(&c.state, "masker_session", &cookie, "/", auth::COOKIE_LIFE / 1000);
    Ok(Reply::ok(&body).with(header::SET_COOKIE, &cookie))
}

pub(super) fn logout(c: &Context) -> Result<Reply> {
    Fields::new(&c.object()?, &[]).finish()?;
    if let Some(value) = auth::cookie(&c.headers, "masker_session") {
        auth::check_origin(&c.state, &c.headers)?;
        let Some(user) = auth::session_user(&c.state, value)? else { return Ok(signed_out(c)) };
        let event = AuditEvent::new(EventKind::Logout, &user.account_id).actor("user", &user.id);
        c.state.audit.append_one(event)?;
        auth::end_session(&c.state, value)?;
    }
    Ok(signed_out(c))
}

fn signed_out(c: &Context) -> Reply {
    Reply::empty(204).with(header::SET_COOKIE, &set_cookie(&c.state, "masker_session", "", "/", 0))
}

pub(super) fn logout_all(c: &Context) -> Result<Reply> {
    Fields::new(&c.object()?, &[]).finish()?;
    c.state.audit.append_one(c.caller().event(EventKind::Logout).data("everywhere", true))?;
    c.state.store.write(vec![Change::DeleteByKey(Kind::Cookie, c.caller().user.id.clone())])?;
    Ok(signed_out(c))
}
