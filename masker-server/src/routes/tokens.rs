//! `/api/v1/tokens`

use masker_core::audit::EventKind;
use serde_json::{Value, json};

use crate::auth::{self, Scope, Scopes, codes};
use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Page, Reply};
use crate::ids::{self, Prefix};
use crate::store::model::{ApiToken, Role};
use crate::store::{Change, Kind};
use crate::time::{self, DAY, SECOND};

pub(super) fn shown(token: &ApiToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "agent_ids": token.agent_ids,
        "prefix": token.prefix,
        "created_at": time::format(token.created_at),
        "expires_at": token.expires_at.map(time::format),
        "last_used_at": token.last_used_at.map(time::format),
    })
}

pub(super) fn create(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["name", "scopes", "expires_in_days", "agent_ids"]);
    f.require("name");
    f.require("scopes");
    let name = f.line("name", 1, 64);
    let mut scopes: Vec<String> =
        f.texts("scopes", 64).unwrap_or_default().into_iter().map(str::to_owned).collect();
    if let Some(i) = scopes.iter().position(|scope| Scope::parse(scope).is_none()) {
        f.fail(&format!("scopes.{i}"), "bad_value", "There is no such scope.");
    }
    if f.value("scopes").is_some_and(|scopes| scopes.as_array().is_some_and(Vec::is_empty)) {
        f.fail("scopes", "too_short", "At least one scope is needed.");
    }
    let days = f.number("expires_in_days", 1, 3650);
    let agents: Vec<String> =
        f.texts("agent_ids", 100).unwrap_or_default().into_iter().map(str::to_owned).collect();
    f.finish()?;
    let caller = c.caller();
    let wanted = Scopes::parse(&scopes);
    if let Some(missing) = Scope::ALL.iter().find(|scope| wanted.has(**scope) && !caller.scopes.has(**scope))
    {
        return Err(ApiError::forbidden("scope", missing.as_str()));
    }
    let mut agent_ids = Vec::new();
    for agent in &agents {
        let id = ids::parse(Prefix::Agent, agent);
        let slot = id.as_deref().and_then(|id| c.state.agents.find(id));
        let slot = slot.filter(|slot| slot.account_id == c.account());
        let slot = slot.ok_or_else(|| ApiError::agent_not_found(id.as_deref()))?;
        caller.check_agent(&slot.id, slot.runtime().agent.team_id.as_deref())?;
        agent_ids.push(slot.id.clone());
    }
    if let Some(own) = caller.token.as_ref().filter(|token| !token.agent_ids.is_empty())
        && agent_ids.is_empty()
    {
        // A token for some agents makes none for all.
        agent_ids.clone_from(&own.agent_ids);
    }
    scopes.sort();
    scopes.dedup();
    let now = time::now();
    let (mut token, secret) = codes::new_token(&caller.user, &name.unwrap_or_default(), scopes, now);
    token.agent_ids = agent_ids;
    token.expires_at = days.map(|days| now + days * DAY);
    c.state.audit.append_one(caller.event(EventKind::TokenCreated).data("token_id", token.id.clone()))?;
    c.state.store.save(&token)?;
    Ok(Reply::json(201, &json!({ "token": shown(&token), "secret": secret })))
}

pub(super) fn list(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let page = Page::read(&c.query, &state.keys, "tokens", c.account(), &["all"])?;
    let all = page.query.flag("all")?;
    if all {
        c.need_role(Role::Admin)?;
    }
    let mut tokens: Vec<ApiToken> = state.store.load_all(Some(c.account()))?;
    tokens.retain(|token| {
        (all || token.user_id == c.caller().user.id)
            && page.after().is_none_or(|(at, id)| (token.created_at, &token.id) < (*at, id))
    });
    tokens.truncate(page.limit + 1);
    let place = |token: &ApiToken| (token.created_at, token.id.clone());
    Ok(Reply::ok(&page.answer(tokens, (None, 0), &state.keys, place, |token| shown(&token))))
}

/// The token in the path: one's own, or as an admin anybody's of the account.
fn find(c: &Context) -> Result<ApiToken> {
    let found: Option<ApiToken> = match c.id("token_id", Prefix::Token) {
        Some(id) => c.state.store.load(&id)?,
        None => None,
    };
    let caller = c.caller();
    found
        .filter(|token| {
            token.account_id == c.account()
                && (token.user_id == caller.user.id || caller.user.role >= Role::Admin)
        })
        .ok_or_else(|| ApiError::new(Code::TokenNotFound, "There is no token with this id."))
}

pub(super) fn revoke(c: &Context) -> Result<Reply> {
    let _changing = c.state.agents.change();
    let token = find(c)?;
    c.state.audit.append_one(c.caller().event(EventKind::TokenRevoked).data("token_id", token.id.clone()))?;
    c.state.store.write(vec![Change::Delete(Kind::Token, token.id)])?;
    Ok(Reply::empty(204))
}

pub(super) fn rotate(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["grace_seconds"]);
    let grace = f.number("grace_seconds", 0, 86_400).unwrap_or(0);
    f.finish()?;
    let _changing = c.state.agents.change();
    let mut token = find(c)?;
    let secret = crypto::new_token();
    c.state.audit.append_one(
        c.caller().event(EventKind::TokenCreated).data("token_id", token.id.clone()).data("rotated", true),
    )?;
    if grace > 0 {
        auth::keep_old_secret(&c.state, &token, time::now() + grace * SECOND)?;
    }
    token.hash = crypto::sha256_hex(secret.as_bytes());
    secret[..8].clone_into(&mut token.prefix);
    c.state.store.save(&token)?;
    Ok(Reply::ok(&json!({ "token": shown(&token), "secret": secret })))
}
