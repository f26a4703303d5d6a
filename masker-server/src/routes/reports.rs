//! Reports in JSON.

use axum::http::header;
use masker_core::audit::{EventKind, ReportSigner};
use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::http::{Context, Reply};
use crate::ids::Prefix;
use crate::report::{self, Form, Scope};
use crate::store::model::Role;

fn form(c: &Context) -> Result<Form> {
    c.query.one_of("format", |text| (text == "json").then_some(()), &["json"])?;
    Ok(Form {
        generated_at: c.query.instant("generated_at")?.unwrap_or(c.received_at),
        full_ids: c.query.flag("full_ids")?,
    })
}

fn answer(c: &Context, scope: &Scope, form: &Form, name: &str) -> Result<Reply> {
    let event = c.caller().event(EventKind::ReportGenerated).data("scope", scope.name());
    let event = match scope {
        Scope::Session(row) => event.session(&row.id).agent(&row.agent),
        Scope::Agent { id, .. } => event.agent(id),
        Scope::Account { .. } => event,
    };
    let body = report::build(&c.state, c.caller(), scope, form)?;
    let id = body["report"]["id"].as_str().unwrap_or_default().to_owned();
    c.state.audit.append_one(event.data("report_id", id))?;
    let disposition = format!("inline; filename=\"masker-{name}.json\"");
    Ok(Reply::ok(&body).with(header::CONTENT_DISPOSITION, &disposition))
}

pub(super) fn of_session(c: &Context) -> Result<Reply> {
    let form = form(c)?;
    let row = super::sessions::visible(c)?;
    let name = format!("session-{}", row.id);
    answer(c, &Scope::Session(Box::new(row)), &form, &name)
}

pub(super) fn of_agent(c: &Context) -> Result<Reply> {
    let form = form(c)?;
    let window = c.query.window("30d", c.received_at)?;
    let id = c.id("agent_id", Prefix::Agent).ok_or_else(|| ApiError::agent_not_found(None))?;
    let is_known = report::is_known(&c.state, c.account(), &id)?;
    let slot = c.state.agents.find(&id);
    match &slot {
        Some(slot) if is_known => c.caller().check_agent(&id, slot.runtime().agent.team_id.as_deref())?,
        // One that is deleted is an administrator's business.
        None if is_known && c.caller().user.role >= Role::Admin => c.caller().check_agent(&id, None)?,
        _ => return Err(ApiError::agent_not_found(Some(&id))),
    }
    let name = format!("agent-{}", id.chars().take(10).collect::<String>());
    answer(c, &Scope::Agent { id, since: window.since, until: window.until }, &form, &name)
}

pub(super) fn of_account(c: &Context) -> Result<Reply> {
    let form = form(c)?;
    let window = c.query.window("30d", c.received_at)?;
    let name = format!("account-{}", c.account());
    answer(c, &Scope::Account { since: window.since, until: window.until }, &form, &name)
}

pub(super) fn keys(c: &Context) -> Result<Reply> {
    let key = c.state.config.report_key.as_ref().map(|key| ReportSigner::new(*key.expose()).public());
    let keys: Vec<Value> = key
        .iter()
        .map(|key| json!({ "key_id": key.id(), "alg": "Ed25519", "public_key": key.to_base64() }))
        .collect();
    Ok(Reply::ok(&json!({ "keys": keys })))
}
