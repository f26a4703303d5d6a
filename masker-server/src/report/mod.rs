//! Reports over sessions: what was replaced, what the policy covers, and that the audit log behind it holds.

mod coverage;
mod paper;
mod pdf;

use std::collections::BTreeMap;

use masker_core::audit::{Checks, Hash, ReportSigner, Verification, hash_hex, merkle_root};
use serde_json::{Value, json};

use crate::agents::{self, Runtime};
use crate::auth::Caller;
use crate::error::{ApiError, Code, Result};
use crate::ids::{self, Prefix};
use crate::state::State;
use crate::store::model::{Agent, Deletion, Mode, SessionDetail};
use crate::store::{SessionQuery, SessionRow};
use crate::time;

/// Samples of what was sent, at most.
const SAMPLES: usize = 20;
/// Ids of sessions in a report, at most.
const LISTED: usize = 10_000;
/// Sessions read at once.
const PAGE: usize = 1_000;
/// What of an agent's id is shown where the report may be mailed around.
const SHORT: usize = 10;

/// What a report is about.
pub(crate) enum Scope {
    Account { since: Option<i64>, until: i64 },
    Agent { id: String, since: Option<i64>, until: i64 },
    Session(Box<SessionRow>),
}

impl Scope {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Account { .. } => "account",
            Self::Agent { .. } => "agent",
            Self::Session(_) => "session",
        }
    }

    /// What exactly it spans.
    fn extent(&self) -> String {
        match self {
            Self::Account { since, until } => format!("{since:?}/{until}"),
            Self::Agent { id, since, until } => format!("{id}/{since:?}/{until}"),
            Self::Session(row) => row.id.clone(),
        }
    }
}

/// How it is shown.
pub(crate) struct Form {
    pub(crate) generated_at: i64,
    pub(crate) full_ids: bool,
}

/// What the sessions in scope add up to.
#[derive(Default)]
struct Sums {
    sessions: Vec<String>,
    session_count: i64,
    redactions: i64,
    errors: i64,
    degraded: i64,
    by_kind: BTreeMap<String, i64>,
    by_pass: BTreeMap<String, i64>,
    by_action: BTreeMap<String, i64>,
    passed_cards: i64,
    leaks: Vec<Value>,
    /// Policies in force, by digest: name, revision, first and last use.
    policies: BTreeMap<String, (String, i64, i64, i64)>,
    agents: BTreeMap<String, String>,
    with_payloads: Vec<String>,
}

impl Sums {
    fn add(&mut self, row: &SessionRow) {
        let detail: SessionDetail = serde_json::from_str(&row.doc).unwrap_or_default();
        self.session_count += 1;
        if self.sessions.len() < LISTED {
            self.sessions.push(row.id.clone());
        }
        self.redactions += row.redactions;
        self.errors += i64::from(row.status == "error");
        self.degraded += i64::from(detail.error_code.as_deref() == Some("detection_degraded"));
        let add = |to: &mut BTreeMap<String, i64>, from: &BTreeMap<String, i64>| {
            for (name, count) in from {
                *to.entry(name.clone()).or_default() += count;
            }
        };
        add(&mut self.by_kind, &detail.redactions_by_kind);
        add(&mut self.by_pass, &detail.redactions_by_pass);
        add(&mut self.by_action, &detail.redactions_by_action);
        self.passed_cards += detail.cards_passed_through;
        let leaks = detail.leaks.iter();
        self.leaks.extend(
            leaks.map(|(turn, reason)| json!({ "session_id": row.id, "turn": turn, "reason": reason })),
        );
        let seen = self.policies.entry(detail.policy_sha256.clone());
        let seen = seen.or_insert((
            detail.policy_name.clone(),
            detail.policy_version,
            row.started_at,
            row.started_at,
        ));
        seen.2 = seen.2.min(row.started_at);
        seen.3 = seen.3.max(row.started_at);
        self.agents.entry(row.agent.clone()).or_insert_with(|| row.agent_name.clone());
        if detail.payloads_stored {
            self.with_payloads.push(row.id.clone());
        }
    }
}

/// What the audit log says of the scope.
struct Trail {
    count: u64,
    start: Option<Hash>,
    root: Option<Hash>,
    merkle: Option<Hash>,
}

fn broken(result: &Verification) -> ApiError {
    ApiError::new(Code::ReportGenerationFailed, "The audit chain is broken; no report is made over it.")
        .with("reason", "audit_chain_broken")
        .with("first_bad_seq", result.first_bad_seq)
}

/// The report as it is answered.
pub(crate) fn build(state: &State, caller: &Caller, scope: &Scope, form: &Form) -> Result<Value> {
    let trail = trail(state, caller, scope)?;
    let sums = sums(state, caller, scope)?;
    let short = |id: &str| if form.full_ids { id.to_owned() } else { id.chars().take(SHORT).collect() };
    let policies: Vec<coverage::Used> = sums
        .policies
        .iter()
        .map(|(sha256, (name, revision, first, last))| {
            let yaml = state.store.meta(&agents::text_name(sha256))?.unwrap_or_default();
            Ok(coverage::Used { name: name.clone(), revision: *revision, first: *first, last: *last, yaml })
        })
        .collect::<Result<_>>()?;
    let coverage = coverage::matrix(&policies, &state.policies.stand_in().policy);
    let alerts = sums.leaks.len() as i64 + sums.degraded + sums.errors;
    let (since, until) = match scope {
        Scope::Account { since, until } | Scope::Agent { since, until, .. } => {
            (since.map(time::format), Some(time::format(*until)))
        }
        Scope::Session(row) => (Some(time::format(row.started_at)), row.ended_at.map(time::format)),
    };
    let action = |name: &str| sums.by_action.get(name).copied().unwrap_or(0);
    let cards = sums.by_kind.get("CREDIT_CARD").copied().unwrap_or(0);
    let hex = |hash: &Option<Hash>| hash.as_ref().map(hash_hex);
    let agents = agents_json(state, caller, scope, &sums, &short)?;
    let samples = samples(state, scope, form, &sums)?;
    let mut report = json!({
        "schema": "masker-audit/v1",
        "id": id(caller, scope, form),
        "scope": scope.name(),
        "account": { "id": caller.account.id, "name": caller.account.name },
        "window": { "since": since, "until": until },
        "generated_at": time::format(form.generated_at),
        "server_version": env!("CARGO_PKG_VERSION"),
        "summary": {
            "sessions": sums.session_count,
            "redactions": sums.redactions,
            "alerts": alerts,
            "coverage_percent": coverage.percent,
        },
        "redactions_by_kind": sums.by_kind,
        "redactions_by_pass": sums.by_pass,
        "redactions_by_action": {
            "tokenize": action("tokenize"),
            "redact": action("redact"),
            "passthrough": action("passthrough"),
        },
        "safe_harbor_coverage": coverage.values,
        "safe_harbor_tally": coverage.tally,
        "pci": {
            "card_numbers_detected": cards + sums.passed_cards,
            "luhn_valid": cards + sums.passed_cards,
            "passed_through": sums.passed_cards,
        },
        "leaks": sums.leaks,
        "retention": {
            "payloads_stored": !sums.with_payloads.is_empty(),
            "payload_retention_days": state.config.retention.payload_days,
            "session_retention_days":
                caller.account.session_retention_days.unwrap_or(state.config.retention.session_days),
            "audit_retention_days": state.policies.longest_audit_retention(),
        },
        "baa_chain": agents.1,
        "sample_transcripts": { "available": sums.with_payloads.len(), "included": samples },
        "audit": {
            "event_count": trail.count,
            "start_hash": hex(&trail.start),
            "audit_root_hash": hex(&trail.root),
            "merkle_root_hex": hex(&trail.merkle),
            "verified": true,
        },
        "audit_root_hash": hex(&trail.root),
        "merkle_root_hex": hex(&trail.merkle),
        "agents": agents.0,
        "sessions": sums.sessions,
        "session_count": sums.session_count,
    });
    match scope {
        Scope::Session(row) => {
            report["session_id"] = row.id.clone().into();
            report["agent_id"] = short(&row.agent).into();
            report["policy_snapshot"] = policies.first().map(coverage::Used::snapshot).into();
        }
        Scope::Agent { id, .. } => {
            report["agent_id"] = short(id).into();
            report["policy_snapshots"] = policies.iter().map(coverage::Used::json).collect();
        }
        Scope::Account { .. } => {
            report["policy_snapshots"] = policies.iter().map(coverage::Used::json).collect();
        }
    }
    report["signature"] = Value::Null;
    if let (Some(key), Some(members)) = (&state.config.report_key, report.as_object_mut()) {
        let signed = ReportSigner::new(*key.expose()).sign(members);
        signed.map_err(|_| ApiError::new(Code::ReportGenerationFailed, "The report cannot be signed."))?;
    }
    Ok(json!({ "report": report }))
}

/// The document of a report that was built.
///
/// # Errors
///
/// When it cannot be rendered.
pub(crate) fn document(report: &Value, form: &Form) -> Result<Vec<u8>> {
    pdf::render(&report["report"], form.generated_at)
        .ok_or_else(|| ApiError::new(Code::ReportGenerationFailed, "The document cannot be rendered."))
}

/// The id of a report: a repeat that pins its time has the same.
fn id(caller: &Caller, scope: &Scope, form: &Form) -> String {
    let text = format!("{}/{}/{}", caller.account.id, scope.name(), scope.extent());
    ids::at(Prefix::Report, form.generated_at, &crate::crypto::sha256(text.as_bytes()))
}

/// Checks the chain and gathers what of it is about the scope.
fn trail(state: &State, caller: &Caller, scope: &Scope) -> Result<Trail> {
    if let Scope::Session(row) = scope {
        let checks = Checks { session: Some(row.id.clone()), ..Checks::default() };
        let result = state.audit.verify(&checks)?;
        if !result.ok {
            return Err(broken(&result));
        }
        return Ok(Trail {
            count: result.event_count,
            start: result.start_hash.filter(|_| result.event_count > 0),
            root: result.root_hash.filter(|_| result.event_count > 0),
            merkle: result.merkle_root,
        });
    }
    // A range keeps it from standing in the way of a walk that somebody asked for.
    let result = state.audit.verify(&Checks { from_seq: Some(1), ..Checks::default() })?;
    if !result.ok {
        return Err(broken(&result));
    }
    let (agent, since, until) = match scope {
        Scope::Agent { id, since, until } => (Some(id.as_str()), *since, *until),
        Scope::Account { since, until } => (None, *since, *until),
        Scope::Session(_) => (None, None, i64::MAX),
    };
    let mut hashes: Vec<Hash> = Vec::new();
    let mut start = None;
    state.audit.each(|_, event| {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let at = time::parse(text("ts")).unwrap_or_default();
        let is_meant = text("account_id") == caller.account.id
            && agent.is_none_or(|agent| text("agent_id") == agent)
            && since.is_none_or(|since| at >= since)
            && at < until;
        if is_meant {
            let hash = |name: &str| crate::crypto::unhex(text(name)).and_then(|hash| hash.try_into().ok());
            if hashes.is_empty() {
                start = hash("prev_hash");
            }
            hashes.extend(hash("this_hash"));
        }
        true
    })?;
    Ok(Trail {
        count: hashes.len() as u64,
        start,
        root: hashes.last().copied(),
        merkle: merkle_root(&hashes),
    })
}

fn sums(state: &State, caller: &Caller, scope: &Scope) -> Result<Sums> {
    let mut sums = Sums::default();
    let (agent, since, until) = match scope {
        Scope::Session(row) => {
            sums.add(row);
            return Ok(sums);
        }
        Scope::Agent { id, since, until } => (Some(id.clone()), *since, *until),
        Scope::Account { since, until } => (None, *since, *until),
    };
    let mut query = SessionQuery {
        account: caller.account.id.clone(),
        agent,
        since,
        until,
        statuses: ["ok", "partial", "error"].map(str::to_owned).to_vec(),
        teams: (caller.user.role < crate::store::model::Role::Admin).then(|| caller.user.team_ids.clone()),
        agents: caller.token.as_ref().map(|token| token.agent_ids.clone()).filter(|ids| !ids.is_empty()),
        limit: PAGE,
        ..SessionQuery::default()
    };
    loop {
        let rows = state.store.sessions(&query)?;
        let Some(last) = rows.last() else { return Ok(sums) };
        query.after = Some((last.started_at, last.id.clone()));
        for row in &rows {
            sums.add(row);
        }
    }
}

/// The agents in scope, and what their contracts say.
fn agents_json(
    state: &State,
    caller: &Caller,
    scope: &Scope,
    sums: &Sums,
    short: &impl Fn(&str) -> String,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut ids: BTreeMap<String, String> = sums.agents.clone();
    if let Scope::Agent { id, .. } = scope {
        ids.entry(id.clone()).or_default();
    }
    let (mut shown, mut contracts) = (Vec::new(), Vec::new());
    for (id, name) in ids {
        let runtime = match state.agents.find(&id) {
            Some(slot) => Some(slot.runtime()),
            None => match state.store.load::<Agent>(&id)? {
                Some(agent) => Some(std::sync::Arc::new(Runtime::build(state, agent)?)),
                None => None,
            },
        };
        let Some(runtime) = runtime else {
            let deleted: Option<Deletion> =
                state.store.load_page(&caller.account.id, Some(&id), None, 1)?.pop();
            let snapshot = deleted.and_then(|deletion| deletion.config_snapshot).unwrap_or(Value::Null);
            shown.push(json!({
                "id": short(&id),
                "name": name,
                "status": "deleted",
                "upstream": snapshot["upstream"],
                "tokenization": snapshot["tokenization"],
                "policy_name": snapshot["policy_name"],
                "policy_version": null,
                "config_snapshot": snapshot,
            }));
            continue;
        };
        let agent = &runtime.agent;
        contracts.extend(agent.baa_chain.iter().cloned());
        shown.push(json!({
            "id": short(&id),
            "name": agent.name,
            "status": agent.status,
            "upstream": agent.upstream,
            "tokenization": runtime.tokenization(),
            "policy_name": runtime.policy.name,
            "policy_version": runtime.policy.revision,
            "config_snapshot": agents::snapshot(&runtime),
        }));
    }
    contracts.sort_by_key(Value::to_string);
    contracts.dedup();
    Ok((shown, contracts))
}

/// Masked requests of some sessions, the same for everybody who holds the same report.
fn samples(state: &State, scope: &Scope, form: &Form, sums: &Sums) -> Result<Vec<Value>> {
    let seed = crate::crypto::sha256(
        format!("{}/{}/{}", scope.name(), scope.extent(), form.generated_at).as_bytes(),
    );
    let mut drawn: Vec<([u8; 32], &String)> = sums
        .with_payloads
        .iter()
        .map(|id| (crate::crypto::sha256(&[&seed[..], id.as_bytes()].concat()), id))
        .collect();
    drawn.sort();
    let mut samples = Vec::new();
    for (_, id) in drawn.into_iter().take(SAMPLES) {
        let stored = state.store.payloads(id)?;
        let masked = stored.iter().find(|(field, _)| field == "masked");
        let text = masked.and_then(|(_, bytes)| state.keys.open_payload(&format!("{id}/masked"), bytes));
        if let Some(text) = text.and_then(|text| String::from_utf8(text).ok()) {
            samples.push(json!({ "session_id": id, "masked": text }));
        }
    }
    Ok(samples)
}

/// Whether an agent can be reported on: it is there, or a receipt says that it was and that its history was kept.
pub(crate) fn is_known(state: &State, account: &str, agent: &str) -> Result<bool> {
    if state.agents.find(agent).is_some_and(|slot| slot.account_id == account) {
        return Ok(true);
    }
    if state.store.load::<Agent>(agent)?.is_some_and(|agent| agent.account_id == account) {
        return Ok(true);
    }
    let last: Option<Deletion> = state.store.load_page(account, Some(agent), None, 1)?.pop();
    Ok(last.is_some_and(|deletion| deletion.mode != Mode::Purge))
}
