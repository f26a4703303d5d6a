//! The webhook of Vapi: tells the platform which assistant to run, with this proxy as its model.

use std::time::Duration;

use masker_core::Role;
use masker_core::audit::{AuditEvent, EventKind};
use serde_json::{Map, Value, json};

use super::begin::{bad_signature, find, secrets};
use super::request::is_key;
use crate::agents::Runtime;
use crate::auth::signature::{self, Outcome};
use crate::error::{ApiError, Code, Detail, Result};
use crate::http::{Context, Reply};
use crate::outgoing;
use crate::sessions::{self, Admission, Ended, Live};
use crate::store::model::Status;

/// How long the owner of an assistant may take to describe it.
const CALLBACK: Duration = Duration::from_secs(3);
/// Types that end a call.
const ENDINGS: [&str; 3] = ["end-of-call-report", "hang", "status-update"];

/// Serves one event.
pub(crate) fn webhook(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let slot = find(c)?;
    let runtime = slot.runtime();
    let own = secrets(state, &runtime);
    let outcome = signature::check(
        &c.headers,
        &c.body,
        own,
        state.config.platform.vapi_mode,
        runtime.agent.webhook_auth.as_ref(),
        c.received_at,
    );
    let unsigned_is_fine = !own.any() && state.config.dev;
    if outcome == Outcome::Wrong || outcome == Outcome::Absent && !unsigned_is_fine {
        return Err(bad_signature());
    }
    if let Some(limiter) = &state.proxy_limiter {
        c.admit(limiter.take(&slot.account_id))?;
    }
    let body = c.object()?;
    let message = body.get("message").and_then(Value::as_object).unwrap_or(&body);
    let Some(kind) = message.get("type").and_then(Value::as_str) else {
        return Err(ApiError::field("type", "missing", "The type of the event is needed."));
    };
    if ENDINGS.contains(&kind) && state.config.platform.vapi_call_events {
        return end_of_call(c, message, kind);
    }
    if kind != "assistant-request" {
        let detail = Detail::new("type", "bad_value", "Only assistant-request is answered here.");
        let error = ApiError::new(Code::UnsupportedEvent, "This type of event is not answered here.");
        return Err(error.with("details", json!([detail])));
    }
    let Some(call) = message.get("call").and_then(Value::as_object) else {
        return Err(ApiError::field("call", "missing", "The call is needed."));
    };
    check_status(runtime.agent.status)?;
    let key = call.get("id").and_then(Value::as_str).filter(|id| is_key(id));
    let assistant_id = call.get("assistantId").and_then(Value::as_str).filter(|id| is_key(id));
    let number = message
        .get("customer")
        .or_else(|| call.get("customer"))
        .and_then(|customer| customer.get("number"))
        .and_then(Value::as_str);
    let mut token = None;
    if let Some(key) = key {
        let Admission { live, is_new } =
            Live::admit(state, &slot, &runtime.masker, Some(key), false, c.received_at)?;
        // The caller's number is masked before it is used, and known to the session from here on.
        token = number
            .map(|number| live.conversation.mask_turn(Role::User, &format!("my phone number is {number}")))
            .transpose()?
            .and_then(|masked| masked.text.strip_prefix("my phone number is ").map(str::to_owned));
        if is_new {
            let event = AuditEvent::new(EventKind::CallStarted, &slot.account_id)
                .agent(&slot.id)
                .session(&live.id)
                .actor("platform", "vapi")
                .data("platform", "vapi")
                .data("call_id", live.external_id.clone())
                .data("assistant_id", assistant_id)
                .data("model", runtime.default_model(&state.config.upstream));
            if let Err(error) = live.log(state, event) {
                sessions::end(state, &live, Ended::Normally)?;
                return Err(error);
            }
        }
    }
    let called_back = callback(c, &runtime, key, assistant_id, token.as_deref());
    let assistant = assistant(c, &runtime, key, called_back);
    Ok(Reply::ok(&json!({ "assistant": assistant })))
}

fn check_status(status: Status) -> Result<()> {
    let (code, message) = match status {
        Status::Active => return Ok(()),
        Status::Paused => (Code::AgentPaused, "The agent is paused and takes no new sessions."),
        Status::Archived => (Code::AgentArchived, "The agent is archived and takes no new sessions."),
        _ => (Code::AgentEnded, "The agent has ended."),
    };
    Err(ApiError::new(code, message))
}

/// Asks the agent's owner how the assistant is to be; any failure means as it is written.
fn callback(
    c: &Context,
    runtime: &Runtime,
    key: Option<&str>,
    assistant_id: Option<&str>,
    number: Option<&str>,
) -> Map<String, Value> {
    let Some(url) = &runtime.agent.assistant_callback_url else { return Map::new() };
    let body = json!({
        "agent_id": runtime.agent.id,
        "call_id": key,
        "assistant_id": assistant_id,
        "customer": { "number": number },
    });
    let Ok(handle) = tokio::runtime::Handle::try_current() else { return Map::new() };
    let post = outgoing::post(&c.state, url, runtime.secret("webhook_secret"), &body, CALLBACK);
    let answer = handle.block_on(async { tokio::time::timeout(CALLBACK, post).await });
    match answer {
        Ok(Ok((200, bytes))) => match serde_json::from_slice::<Value>(&bytes) {
            Ok(Value::Object(mut answer)) => match answer.remove("assistant") {
                Some(Value::Object(assistant)) => assistant,
                _ => Map::new(),
            },
            _ => Map::new(),
        },
        _ => {
            tracing::warn!(request_id = c.request_id, "the assistant callback gave no answer");
            Map::new()
        }
    }
}

/// The assistant as it is written, overlaid with what was answered, with this proxy as its model.
fn assistant(c: &Context, runtime: &Runtime, key: Option<&str>, overlay: Map<String, Value>) -> Value {
    let mut assistant = match &runtime.agent.assistant {
        Some(Value::Object(members)) => members.clone(),
        _ => Map::new(),
    };
    assistant.extend(overlay);
    let public = &c.state.config.public_url;
    let id = &runtime.agent.id;
    let url = match key.filter(|_| runtime.agent.pin_session_in_url) {
        Some(key) => format!("{public}/proxy/{id}/s/{key}/v1/chat/completions"),
        None => format!("{public}/proxy/{id}/v1/chat/completions"),
    };
    let mut model = match assistant.remove("model") {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let settings = &c.state.config.upstream;
    let asked = model.get("model").and_then(Value::as_str);
    let named = asked.filter(|asked| runtime.takes_model(settings, asked));
    let named = named.unwrap_or_else(|| runtime.default_model(settings)).to_owned();
    model.insert("provider".to_owned(), "custom-llm".into());
    model.insert("url".to_owned(), url.into());
    model.insert("model".to_owned(), named.into());
    let mut answer = Map::new();
    answer.insert("model".to_owned(), Value::Object(model));
    answer.extend(assistant);
    Value::Object(answer)
}

fn end_of_call(c: &Context, message: &Map<String, Value>, kind: &str) -> Result<Reply> {
    let done = Reply::ok(&json!({}));
    if kind == "status-update" && message.get("status").and_then(Value::as_str) != Some("ended") {
        return Ok(done);
    }
    let slot = find(c)?;
    let key = message.get("call").and_then(|call| call.get("id")).and_then(Value::as_str);
    let live = key.and_then(|key| slot.open().by_key.get(key).cloned());
    if let Some(live) = live {
        let event = AuditEvent::new(EventKind::CallEnded, &slot.account_id)
            .agent(&slot.id)
            .session(&live.id)
            .actor("platform", "vapi")
            .data("platform", "vapi")
            .data("call_id", live.external_id.clone());
        live.log(&c.state, event)?;
        sessions::end(&c.state, &live, Ended::Normally)?;
    }
    Ok(done)
}
