//! One-shot text: mask, detect, rehydrate, synthesize. Nothing of a text is kept but its originals in the vault.

use std::sync::Arc;

use masker_core::audit::EventKind;
use masker_core::{
    Action, Event, Finding, Kid, Marker, Masker, Opened, Policy, Records, Reference, Scheme,
    Scope as TokenScope, Span, Token, TokenKind, find_markers,
};
use serde_json::{Map, Value, json};

use crate::agents;
use crate::auth::Scope;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Reply};
use crate::ids::{self, Prefix};
use crate::limits::TEXTS;
use crate::policies::{self, Loaded};

/// What to work on, and by which rules.
struct Asked {
    texts: Vec<String>,
    /// `texts` was given, so the answer is a list.
    is_list: bool,
    loaded: Arc<Loaded>,
    policy: Policy,
    agent: Option<Arc<agents::Runtime>>,
}

fn shared(c: &Context, body: &Map<String, Value>, own: &[&str]) -> Result<Asked> {
    let mut known = vec!["text", "texts", "policy", "policy_yaml", "agent_id"];
    known.extend_from_slice(own);
    let mut f = Fields::new(body, &known);
    let text = f.text("text").map(str::to_owned);
    let texts = f.texts("texts", TEXTS).map(|texts| texts.into_iter().map(str::to_owned).collect::<Vec<_>>());
    if text.is_some() && texts.is_some() {
        f.fail("texts", "conflicts_with", "Either text or texts is needed, not both.");
    }
    if f.value("text").is_none() && f.value("texts").is_none() {
        f.fail("text", "missing", "text or texts is needed.");
    }
    let (name, yaml, agent) = (f.text("policy"), f.text("policy_yaml"), f.text("agent_id"));
    if [name, yaml, agent].iter().flatten().count() > 1 {
        f.fail("policy", "conflicts_with", "Only one of policy, policy_yaml and agent_id can be given.");
    }
    if own.contains(&"passes") {
        f.texts("passes", 10);
    }
    if let Some(value) = f.value("threshold")
        && !value.as_f64().is_some_and(|value| (0.0..=1.0).contains(&value))
    {
        f.fail("threshold", "out_of_range", "A number from 0 to 1 is needed.");
    }
    if let Some(value) = f.value("epsilon")
        && !value.as_f64().is_some_and(|value| value > 0.0 && value <= 10.0)
    {
        f.fail("epsilon", "out_of_range", "A number above 0 and at most 10 is needed.");
    }
    if let Some(value) = f.value("seed")
        && value.as_u64().is_none()
    {
        f.fail("seed", "out_of_range", "A whole number from 0 to 2^64-1 is needed.");
    }
    for name in ["return_events", "include_text", "preserve_locale"] {
        f.flag(name);
    }
    if own.contains(&"scheme") {
        let names = ["vault-deterministic", "reversible-aead", "synthetic"];
        f.one_of("scheme", |text| names.contains(&text).then_some(()), &names);
    }
    f.finish()?;
    let state = &c.state;
    let mut runtime = None;
    let loaded = if let Some(yaml) = yaml {
        let checked = policies::check(yaml, &state.config.keys, state.config.retention.payload_days);
        let policy = checked.map_err(|errors| ApiError::policy_invalid(&errors))?;
        Arc::new(Loaded::inline(yaml, policy, 1, c.received_at))
    } else if let Some(agent) = agent {
        let id = ids::parse(Prefix::Agent, agent);
        let slot =
            id.as_deref().and_then(|id| state.agents.find(id)).filter(|slot| slot.account_id == c.account());
        let slot = slot.ok_or_else(|| ApiError::agent_not_found(id.as_deref()))?;
        let agent = slot.runtime();
        c.caller().check_agent(&slot.id, agent.agent.team_id.as_deref())?;
        let loaded = agent.policy.clone();
        runtime = Some(agent);
        loaded
    } else {
        let name = name.unwrap_or(policies::DEFAULT);
        let unknown = || ApiError::new(Code::UnknownPolicy, "There is no policy of that name.");
        state.policies.find(c.account(), name).ok_or_else(unknown)?
    };
    let mut policy = match &runtime {
        Some(runtime) => runtime.masker.policy().clone(),
        None => loaded.policy.clone(),
    };
    if let Some(passes) = body.get("passes").and_then(Value::as_array) {
        let list: Vec<&str> = passes.iter().filter_map(Value::as_str).collect();
        policy = policy
            .with_passes(&list.join(","))
            .map_err(|errors| ApiError::field("passes", "bad_value", &sentence(&errors.first().message)))?;
    }
    Ok(Asked {
        is_list: texts.is_some(),
        texts: texts.unwrap_or_else(|| text.into_iter().collect()),
        loaded,
        policy,
        agent: runtime,
    })
}

fn sentence(text: &str) -> String {
    format!("{text}.")
}

/// A masker whose tokens are of the account, or of this call alone.
fn masker(c: &Context, asked: &Asked, policy: Policy, scope: &str) -> Result<Masker> {
    let agent = asked.agent.as_ref().map_or("", |agent| agent.agent.id.as_str());
    let builder =
        Masker::builder().policy(policy).keys(c.state.config.keys.clone()).vault(c.state.vault.clone());
    let scope: TokenScope = scope.parse().expect("ids are scope ids");
    let builder = builder.wipe_buffers(c.state.config.wipe_buffers);
    Ok(builder.scope(scope).reference(Reference::new(agent, "")).build()?)
}

/// The scope of tokens: whoever may not restore could else guess values and compare tokens.
fn token_scope(c: &Context, asked: &Asked) -> String {
    if !c.caller().scopes.has(Scope::TextRehydrate) {
        return format!("{}/{}", c.account(), c.request_id);
    }
    match &asked.agent {
        Some(agent) => agent.masker.scope().as_str().to_owned(),
        None => c.account().to_owned(),
    }
}

/// The short decimal form of a single, not the long one of the double it becomes.
pub(crate) fn confidence(value: f32) -> Option<f64> {
    value.to_string().parse().ok()
}

pub(super) fn finding_json(finding: &Finding, text: Option<&str>) -> Value {
    let mut value = json!({
        "pass": finding.pass.as_str(),
        "recognizer": &*finding.recognizer,
        "kind": finding.kind.as_str(),
        "entity_kind": finding.kind.as_str(),
        "span": [finding.span.start, finding.span.end],
        "confidence": confidence(finding.confidence),
    });
    if let Some(text) = text {
        value["text"] = text[finding.span.range()].into();
    }
    value
}

/// How a replacement is named in events; what is only removed has no name.
pub(crate) fn token_kind(kind: Option<TokenKind>) -> Option<&'static str> {
    match kind? {
        TokenKind::Redacted => None,
        TokenKind::Synthetic => Some("SYN"),
        other => Some(other.as_str()),
    }
}

fn event_json(event: &Event) -> Value {
    json!({
        "pass": event.pass.as_str(),
        "recognizer": &*event.recognizer,
        "kind": event.kind.as_str(),
        "entity_kind": event.kind.as_str(),
        "span": [event.span.start, event.span.end],
        "confidence": confidence(event.confidence),
        "action": event.action.as_str(),
        "token_kind": token_kind(event.token_kind),
        "kid": event.kid.as_ref().map(Kid::as_str),
    })
}

fn results(is_list: bool, mut answers: Vec<Value>) -> Reply {
    if is_list {
        return Reply::ok(&json!({ "results": answers }));
    }
    Reply::ok(&answers.pop().unwrap_or_default())
}

pub(super) fn mask(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let asked = shared(c, &body, &["scheme", "passes", "return_events"])?;
    let mut policy = asked.policy.clone();
    if let Some(scheme) =
        body.get("scheme").and_then(Value::as_str).and_then(|name| name.parse::<Scheme>().ok())
    {
        policy = policy.with_scheme(scheme);
    }
    let with_events = body.get("return_events").and_then(Value::as_bool).unwrap_or(true);
    let masker = masker(c, &asked, policy, &token_scope(c, &asked))?;
    let masked =
        asked.texts.iter().map(|text| masker.mask(text)).collect::<std::result::Result<Vec<_>, _>>()?;
    let total: usize = masked.iter().map(masker_core::Masked::redaction_count).sum();
    // Counts alone: what was masked is nobody's business but the caller's.
    let event = c
        .caller()
        .event(EventKind::Redaction)
        .data("call", "mask")
        .data("texts", masked.len())
        .data("redaction_count", total)
        .data("policy_name", asked.loaded.name.clone())
        .data("policy_version", asked.loaded.revision);
    c.state.audit.append_one(event)?;
    let answers = masked.into_iter().map(|masked| {
        let count = masked.redaction_count();
        for event in masked.events.iter().filter(|event| event.action != Action::Passthrough) {
            c.state.metrics.redacted(event.kind.as_str(), event.pass.as_str());
        }
        let mut answer = json!({
            "masked": masked.text,
            "redaction_count": count,
            "policy_name": asked.loaded.name,
            "policy_version": asked.loaded.revision,
        });
        if with_events {
            answer["events"] = masked.events.iter().map(event_json).collect();
        }
        answer
    });
    Ok(results(asked.is_list, answers.collect()))
}

pub(super) fn detect(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let asked = shared(c, &body, &["passes", "threshold", "include_text"])?;
    let mut policy = asked.policy.clone();
    if let Some(threshold) = body.get("threshold").and_then(Value::as_f64) {
        policy = policy
            .with_threshold(threshold)
            .map_err(|_| ApiError::field("threshold", "out_of_range", "A number from 0 to 1 is needed."))?;
    }
    let with_text = body.get("include_text").and_then(Value::as_bool).unwrap_or(false);
    let masker = masker(c, &asked, policy, c.account())?;
    let mut answers = Vec::new();
    for text in &asked.texts {
        let findings = masker.detect(text)?;
        let events: Vec<Value> = findings
            .iter()
            .map(|finding| finding_json(finding, with_text.then_some(text.as_str())))
            .collect();
        answers.push(json!({
            "events": events,
            "policy_name": asked.loaded.name,
            "policy_version": asked.loaded.revision,
        }));
    }
    Ok(results(asked.is_list, answers))
}

pub(super) fn rehydrate(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["text"]);
    f.require("text");
    let text = f.text("text").unwrap_or_default().to_owned();
    f.finish()?;
    let found = find_markers(&text);
    let tokens: Vec<(Span, &Token)> = found
        .iter()
        .filter_map(|found| match &found.marker {
            Marker::Token(token) => Some((found.span, token)),
            _ => None,
        })
        .collect();
    let event = c.caller().event(EventKind::RehydrateCalled).data("tokens", tokens.len());
    c.state.audit.append_one(event)?;
    let opened = open(c, &tokens.iter().map(|(_, token)| *token).collect::<Vec<_>>())?;
    let (mut out, mut copied, mut restored, mut failed) = (String::new(), 0, 0, Vec::new());
    for ((span, token), opened) in tokens.iter().zip(&opened) {
        out.push_str(&text[copied..span.start]);
        copied = span.end;
        let reason = match opened {
            Opened::Original(original) => {
                out.push_str(original.expose());
                restored += 1;
                continue;
            }
            Opened::Foreign => "unknown_key",
            Opened::Unknown => "no_vault_row",
        };
        out.push_str(&masker_core::redacted(token.kind()));
        failed.push(json!({ "entity_kind": token.kind().as_str(), "reason": reason }));
    }
    out.push_str(&text[copied..]);
    Ok(Reply::ok(&json!({ "text": out, "restored": restored, "failed": failed })))
}

/// Opens tokens of the account: those that all its agents share, and those that are one agent's own.
fn open(c: &Context, tokens: &[&Token]) -> Result<Vec<Opened>> {
    let state = &c.state;
    let reference = Reference::default();
    let restore = |scope: &str, tokens: &[&Token]| {
        let scope: TokenScope = scope.parse().expect("ids are scope ids");
        let records = Records::new(&state.config.keys, &*state.vault, &scope, &reference);
        records.restore(tokens).map_err(|error| ApiError::from(masker_core::Error::from(error)))
    };
    let mut opened = restore(c.account(), tokens)?;
    let is_open = |opened: &Opened| !matches!(opened, Opened::Unknown);
    if opened.iter().all(is_open) {
        return Ok(opened);
    }
    for agent in agents::ever(state, c.account())? {
        let closed: Vec<usize> = (0..tokens.len()).filter(|i| !is_open(&opened[*i])).collect();
        if closed.is_empty() {
            break;
        }
        let left: Vec<&Token> = closed.iter().map(|i| tokens[*i]).collect();
        for (i, found) in closed.into_iter().zip(restore(&agent, &left)?) {
            if matches!(found, Opened::Original(_)) {
                opened[i] = found;
            }
        }
    }
    Ok(opened)
}

pub(super) fn synthesize(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let asked = shared(c, &body, &["seed", "epsilon", "preserve_locale"])?;
    let seed = body.get("seed").and_then(Value::as_u64);
    let mut policy = asked.policy.clone().with_scheme(Scheme::Synthetic).with_seed(seed);
    if let Some(epsilon) = body.get("epsilon").and_then(Value::as_f64) {
        policy = policy.with_epsilon(epsilon).map_err(|_| {
            ApiError::field("epsilon", "out_of_range", "A number above 0 and at most 10 is needed.")
        })?;
    }
    if let Some(preserve) = body.get("preserve_locale").and_then(Value::as_bool) {
        policy = policy.with_preserved_locale(preserve);
    }
    let masker = masker(c, &asked, policy, c.account())?;
    // One call is one conversation, so that equal values of different texts stay equal.
    let mut answers = Vec::new();
    for text in &asked.texts {
        let masked = masker.mask(text)?;
        let mut by_kind = std::collections::BTreeMap::<&str, usize>::new();
        for event in masked.events.iter().filter(|event| event.action != Action::Passthrough) {
            *by_kind.entry(event.kind.as_str()).or_default() += 1;
        }
        answers.push(json!({
            "text": masked.text,
            "replacements": masked.redaction_count(),
            "replacements_by_kind": by_kind,
            "seeded": seed.is_some(),
        }));
    }
    Ok(results(asked.is_list, answers))
}
