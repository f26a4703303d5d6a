use std::sync::Arc;
use std::time::Instant;

use axum::http::header;
use masker_core::audit::{AuditEvent, EventKind};
use masker_core::{Action, MaskedPayload, PayloadEvent};
use serde_json::Value;

use super::request::{self, Prepared};
use super::stub;
use super::turn::{Masked, Turn, tokens};
use crate::agents::{self, Runtime, Slot};
use crate::auth::signature::{self, Outcome, Secrets};
use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::http::Context;
use crate::ids::{self, Prefix};
use crate::sessions::{Admission, Live};
use crate::state::State;
use crate::store::model::ProxyAuth;

pub(crate) fn bad_signature() -> ApiError {
    ApiError::new(Code::BadSignature, "The signature is missing or wrong.")
}

/// The secrets that a call for an agent may be signed with.
pub(super) fn secrets<'a>(state: &'a State, runtime: &'a Runtime) -> Secrets<'a> {
    let platform = &state.config.platform;
    Secrets {
        agent: runtime.secret("webhook_secret"),
        vapi: platform.vapi_secret.as_ref().map(crate::config::SecretString::expose),
        bolna: platform.bolna_secret.as_ref().map(crate::config::SecretString::expose),
    }
}

/// The agent in the path.
pub(super) fn find(c: &Context) -> Result<Arc<Slot>> {
    let id = c.id("agent_id", Prefix::Agent);
    let slot = id.as_deref().and_then(|id| c.state.agents.find(id));
    slot.ok_or_else(|| ApiError::agent_not_found(id.as_deref()))
}

/// Checks that the caller may use the agent's proxy, and how often.
pub(crate) fn authorise(c: &Context) -> Result<(Arc<Slot>, Arc<Runtime>)> {
    let state = &c.state;
    let slot = find(c)?;
    let runtime = slot.runtime();
    let platform = &state.config.platform;
    let scheme = runtime.agent.webhook_auth.as_ref();
    let outcome = signature::check(
        &c.headers,
        &c.body,
        secrets(state, &runtime),
        platform.vapi_mode,
        scheme,
        c.received_at,
    );
    if outcome == Outcome::Wrong {
        return Err(bad_signature());
    }
    match runtime.agent.proxy_auth {
        ProxyAuth::Bearer => check_proxy_key(c, &runtime)?,
        ProxyAuth::Hmac if outcome != Outcome::Good => return Err(bad_signature()),
        _ => {}
    }
    if platform.proxy_needs_hmac && outcome != Outcome::Good {
        return Err(bad_signature());
    }
    if let Some(limiter) = &state.proxy_limiter {
        c.admit(limiter.take(&slot.account_id))?;
    }
    Ok((slot, runtime))
}

fn check_proxy_key(c: &Context, runtime: &Runtime) -> Result<()> {
    let given = c.header("authorization").and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case("bearer ").then(|| key.trim())
    });
    let holds = match (given, runtime.secret("proxy_key")) {
        (Some(given), Some(key)) => {
            crypto::same(&crypto::sha256(given.as_bytes()), &crypto::sha256(key.as_bytes()))
        }
        _ => false,
    };
    if holds {
        return Ok(());
    }
    let error = ApiError::new(Code::Unauthenticated, "The agent's proxy key is missing or wrong.");
    Err(error.header(header::WWW_AUTHENTICATE, "Bearer realm=\"masker\""))
}

/// The key that goes upstream: the agent's, the server's, or the caller's own.
fn upstream_key(c: &Context, runtime: &Runtime) -> Option<String> {
    let by_caller = runtime.agent.proxy_auth != ProxyAuth::Bearer;
    let own = c.header("authorization").filter(|_| by_caller).map(str::to_owned);
    if c.header("masker-upstream-auth") == Some("caller") && by_caller {
        return own;
    }
    let bearer = |key: &str| format!("Bearer {key}");
    let configured = c.state.config.upstream.openai_api_key.as_ref();
    let of_server = || configured.map(|key| bearer(key.expose()));
    runtime.secret("upstream_api_key").map(bearer).or_else(of_server).or(own)
}

/// Everything up to the point where the masked request may go on.
pub(super) fn begin(c: &Context) -> Result<Turn> {
    let state = &c.state;
    let (slot, runtime) = authorise(c)?;
    let original = c.object()?;
    let key = request::session_key(c, &original)?;
    let prepared = request::prepare(state, &runtime, original)?;
    let subject = request::subject(state, &c.headers, &slot.account_id)?;
    let masker = match &subject {
        Some(subject) => agents::masker(state, &runtime.agent, &runtime.policy, subject)?,
        None => runtime.masker.clone(),
    };
    let admission = Live::admit(state, &slot, &masker, key.as_deref(), true, c.received_at)?;
    let mut entered = Entered { state, admission, is_begun: false };
    let turn = mask_and_log(c, &entered.admission.live, &runtime, prepared)?;
    entered.is_begun = true;
    Ok(turn)
}

/// A turn in a session. One that is refused, or whose masking panics, is taken back.
struct Entered<'a> {
    state: &'a State,
    admission: Admission,
    is_begun: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if !self.is_begun {
            self.admission.live.retract(self.state, self.admission.is_new);
        }
    }
}

fn mask_and_log(c: &Context, live: &Arc<Live>, runtime: &Arc<Runtime>, prepared: Prepared) -> Result<Turn> {
    let state = &c.state;
    let number = live.next_turn();
    let Prepared { body, model, wants_stream, include_usage, json_answer, names } = prepared;
    let is_stub = runtime.agent.upstream == "stub" || state.config.upstream.force_stub;
    let detecting = Instant::now();
    let masked = mask(state, live, &Value::Object(body).to_string())?;
    let detection_us = detecting.elapsed().as_micros() as u64;
    let storing = Instant::now();
    let logged = runtime.policy.policy.audit().log_events;
    let events = audit_events(live, runtime, number, &masked);
    let stored = live.begun(state, &masked.json, events, |progress| {
        progress.detail.upstream_model.clone_from(&model);
        for event in &masked.events {
            let event = &event.event;
            progress.count(event.kind.as_str(), event.pass.as_str(), event.action.as_str());
            if event.action != Action::Passthrough {
                state.metrics.redacted(event.kind.as_str(), event.pass.as_str());
            }
        }
    })?;
    if wants_stream {
        // The head of a stream names the session, which has to be there for whoever asks then.
        live.show(state)?;
    }
    let redactions = masked.redaction_count() as i64;
    let mode = runtime.policy.log_payloads();
    let keep_payloads = state.config.retention.payload_days > 0 && mode.as_str() != "false";
    let kept =
        (keep_payloads && mode.as_str() == "true").then(|| String::from_utf8_lossy(&c.body).into_owned());
    let events = if logged {
        let tokens = tokens(&masked.json, &masked.events);
        let mut ids = stored.iter().map(|stored| stored.event_id.clone());
        masked
            .events
            .into_iter()
            .zip(tokens)
            .map(|(event, token)| Masked {
                event,
                event_id: ids.next().unwrap_or_else(|| ids::new(Prefix::Event)),
                token,
            })
            .collect()
    } else {
        Vec::new()
    };
    let storing_us = storing.elapsed().as_micros() as u64;
    Ok(Turn {
        state: state.clone(),
        live: live.clone(),
        runtime: runtime.clone(),
        number,
        request_id: c.request_id.clone(),
        received: c.received,
        started_at: c.received_at,
        wants_stream,
        json_answer,
        include_usage,
        masked: masked.json,
        events,
        redactions,
        names,
        key: upstream_key(c, runtime),
        stub: is_stub.then(|| stub::Options::read(c.header("masker-stub"))),
        original: kept,
        keep_payloads,
        stages_us: [detection_us, storing_us, 0, 0],
        upstream_since: None,
        upstream_status: None,
        done: false,
        given_up: false,
    })
}

/// Masks a request. Platforms that ask again while their caller goes on speaking repeat themselves, and where the settings say
/// so a repeat gets what the request before it got.
fn mask(state: &State, live: &Live, body: &str) -> Result<MaskedPayload> {
    if !state.config.repeats_are_reused || !live.is_keyed() {
        return Ok(state.masked(live.conversation.mask_chat(body))?);
    }
    let hash = crypto::sha256(body.as_bytes());
    if let Some((last, masked)) = &live.progress().last_request
        && *last == hash
    {
        return Ok(masked.clone());
    }
    let masked = state.masked(live.conversation.mask_chat(body))?;
    live.progress().last_request = Some((hash, masked.clone()));
    Ok(masked)
}

/// What the log is told of a turn: every finding, or once that findings are not logged.
fn audit_events(live: &Live, runtime: &Runtime, turn: i64, masked: &MaskedPayload) -> Vec<AuditEvent> {
    let account = &live.slot.account_id;
    let about = |event: AuditEvent| event.agent(&live.slot.id).session(&live.id);
    if !runtime.policy.policy.audit().log_events {
        let told = std::mem::replace(&mut live.progress().log_gap_told, true);
        let gap = || about(AuditEvent::new(EventKind::LogGap, account)).data("reason", "log_events is off");
        return (!told).then(gap).into_iter().collect();
    }
    let event = |event: &PayloadEvent| {
        about(AuditEvent::redaction(account, &event.event))
            .member("turn", turn)
            .member("path", event.path.clone())
            .member("policy_name", runtime.policy.name.clone())
            .member("policy_version", runtime.policy.revision)
    };
    masked.events.iter().map(event).collect()
}
