//! Reports, as JSON for programs and as PDF for people.

use axum::http::header;
use masker_core::audit::{EventKind, ReportSigner};
use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::http::{Context, Reply};
use crate::ids::Prefix;
use crate::report::{self, Form, Scope};
use crate::store::model::Role;

/// How a report is asked for: its form, and whether as a PDF.
fn form(c: &Context) -> Result<(Form, bool)> {
    let named = c.query.one_of(
        "format",
        |text| match text {
            "json" => Some(false),
            "pdf" => Some(true),
            _ => None,
        },
        &["json", "pdf"],
    )?;
    let accepted = c.header("accept").unwrap_or_default().split(',');
    let accepts_pdf = accepted.filter_map(|part| part.split(';').next()).any(|part| part.trim() == PDF);
    let generated_at = c.query.instant("generated_at")?;
    if generated_at.is_some_and(|at| at > c.received_at) {
        return Err(ApiError::field("generated_at", "bad_value", "The time has not come yet."));
    }
    let is_pdf = named.unwrap_or(accepts_pdf);
    // A document is mailed around, and the id of an agent opens its proxy.
    let full_ids = c.query.flag("full_ids")? && !is_pdf;
    Ok((Form { generated_at: generated_at.unwrap_or(c.received_at), full_ids }, is_pdf))
}

const PDF: &str = "application/pdf";

/// `since` and `until`, as of when the report is made: what comes later is in no report of that time.
fn window(c: &Context, form: &Form) -> Result<(Option<i64>, i64)> {
    let window = c.query.window("30d", form.generated_at)?;
    Ok((window.since, window.until.min(form.generated_at)))
}

fn answer(c: &Context, scope: &Scope, (form, is_pdf): (Form, bool), name: &str) -> Result<Reply> {
    // What is reported on is not a part of what happened in it: its ids are data of this event.
    let event = c.caller().event(EventKind::ReportGenerated).data("scope", scope.name());
    let event = match scope {
        Scope::Session(row) => event.data("session_id", row.id.clone()).data("agent_id", row.agent.clone()),
        Scope::Agent { id, .. } => event.data("agent_id", id.clone()),
        Scope::Account { .. } => event,
    };
    let body = report::build(&c.state, c.caller(), scope, &form)?;
    let document = is_pdf.then(|| report::document(&body, &form)).transpose()?;
    let id = body["report"]["id"].as_str().unwrap_or_default().to_owned();
    c.state.audit.append_one(event.data("report_id", id))?;
    let disposition = |how: &str, ending: &str| format!("{how}; filename=\"masker-{name}.{ending}\"");
    Ok(match document {
        Some(bytes) => {
            Reply::bytes(200, PDF, bytes).with(header::CONTENT_DISPOSITION, &disposition("attachment", "pdf"))
        }
        None => Reply::ok(&body).with(header::CONTENT_DISPOSITION, &disposition("inline", "json")),
    })
}

pub(super) fn of_session(c: &Context) -> Result<Reply> {
    let form = form(c)?;
    let row = super::sessions::visible(c)?;
    let name = format!("session-{}", row.id);
    answer(c, &Scope::Session(Box::new(row)), form, &name)
}

pub(super) fn of_agent(c: &Context) -> Result<Reply> {
    let form = form(c)?;
    let (since, until) = window(c, &form.0)?;
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
    answer(c, &Scope::Agent { id, since, until }, form, &name)
}

pub(super) fn of_account(c: &Context) -> Result<Reply> {
    let form = form(c)?;
    let (since, until) = window(c, &form.0)?;
    let name = format!("account-{}", c.account());
    answer(c, &Scope::Account { since, until }, form, &name)
}

pub(super) fn keys(c: &Context) -> Result<Reply> {
    let key = c.state.config.report_key.as_ref().map(|key| ReportSigner::new(*key.expose()).public());
    let keys: Vec<Value> = key
        .iter()
        .map(|key| json!({ "key_id": key.id(), "alg": "Ed25519", "public_key": key.to_base64() }))
        .collect();
    Ok(Reply::ok(&json!({ "keys": keys })))
}
