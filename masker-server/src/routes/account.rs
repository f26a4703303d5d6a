//! `/api/v1/me` and `/api/v1/account`

use masker_core::audit::EventKind;
use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::http::{Context, Fields, Reply};
use crate::store::model::{Account, Mode, Profile, Team, User};
use crate::time;

pub(super) fn user_json(user: &User) -> Value {
    json!({
        "id": user.id,
        "github_login": user.github_login,
        "github_id": user.github_id,
        "login": user.login,
        "name": user.name,
        "email": user.email,
        "avatar_url": user.avatar_url,
        "created_at": time::format(user.created_at),
        "last_seen_at": user.last_seen_at.map(time::format),
    })
}

pub(super) fn account_brief(account: &Account) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "plan": account.plan,
        "created_at": time::format(account.created_at),
    })
}

fn shown(c: &Context, account: &Account) -> Value {
    let mut value = account_brief(account);
    value["deletion_profile"] = json!(account.deletion_profile);
    value["default_delete_mode"] = json!(account.default_delete_mode);
    value["restore_window_days"] = json!(account.restore_window_days);
    value["agent_limit"] = json!(account.agent_limit);
    value["session_retention_days"] =
        json!(account.session_retention_days.unwrap_or(c.state.config.retention.session_days));
    value["agent_count"] = json!(c.state.agents.of_account(&account.id).len());
    value
}

pub(super) fn me(c: &Context) -> Result<Reply> {
    let caller = c.caller();
    let teams: Vec<Team> = c.state.store.load_all(Some(c.account()))?;
    let own: Vec<Value> = teams
        .iter()
        .filter(|team| caller.user.team_ids.contains(&team.id))
        .map(|team| json!({ "id": team.id, "name": team.name }))
        .collect();
    Ok(Reply::ok(&json!({
        "user": user_json(&caller.user),
        "account": account_brief(&caller.account),
        "role": caller.user.role,
        "teams": own,
        "permissions": caller.scopes.names(),
        "token": caller.token.as_ref().map(super::tokens::shown),
    })))
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    let account = &c.caller().account;
    Ok(Reply::ok(&json!({ "account": shown(c, account) })).etag(account.revision))
}

pub(super) fn update(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let known = [
        "name",
        "deletion_profile",
        "default_delete_mode",
        "restore_window_days",
        "agent_limit",
        "session_retention_days",
    ];
    if body.contains_key("agent_limit") && !c.caller().user.instance_admin {
        return Err(ApiError::forbidden("instance_admin", ""));
    }
    let _changing = c.state.agents.change();
    // As it is now: what came with the credential may be out of date.
    let account: Option<Account> = c.state.store.load(c.account())?;
    let mut account = account.ok_or_else(|| ApiError::internal(&"a user without an account"))?;
    let mut f = Fields::new(&body, &known);
    for name in ["name", "deletion_profile", "default_delete_mode", "restore_window_days"] {
        if f.has(name) {
            f.require(name);
        }
    }
    if let Some(name) = f.line("name", 1, 64) {
        account.name = name;
    }
    if let Some(profile) = f.one_of("deletion_profile", Profile::parse, Profile::NAMES) {
        account.deletion_profile = profile;
    }
    let modes = ["hard", "soft"];
    let mode = |text: &str| modes.contains(&text).then(|| Mode::parse(text)).flatten();
    if let Some(mode) = f.one_of("default_delete_mode", mode, &modes) {
        account.default_delete_mode = mode;
    }
    if let Some(days) = f.number("restore_window_days", 1, 365) {
        account.restore_window_days = days as u32;
    }
    if f.has("agent_limit") {
        account.agent_limit = f.number("agent_limit", 0, 100_000).map(|limit| limit as u32);
    }
    if f.has("session_retention_days") {
        account.session_retention_days = f.number("session_retention_days", 1, 3650).map(|days| days as u32);
    }
    f.finish()?;
    c.precondition().check(account.revision)?;
    if !body.is_empty() {
        let fields: Vec<&String> = body.keys().collect();
        c.state
            .audit
            .append_one(c.caller().event(EventKind::SettingsUpdated).data("fields", json!(fields)))?;
        account.revision += 1;
        c.state.store.save(&account)?;
    }
    Ok(Reply::ok(&json!({ "account": shown(c, &account) })).etag(account.revision))
}
