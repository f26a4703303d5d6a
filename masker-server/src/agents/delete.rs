//! Deleting agents and bringing them back.

use std::sync::Arc;

use masker_core::audit::EventKind;
use masker_core::vault::Selection;
use serde_json::{Value, json};

use super::{Runtime, Slot, check_limit, check_unique, snapshot};
use crate::auth::Caller;
use crate::error::{ApiError, Code, Result};
use crate::http::{Precondition, Query};
use crate::ids::{self, Prefix};
use crate::outgoing;
use crate::sessions::{self, Live};
use crate::state::State;
use crate::store::Change;
use crate::store::model::{
    Account, Agent, Cleanup, Deletion, External, ExternalState, Mode, OnActive, Profile, Role, Status,
};
use crate::time::{self, DAY};
use crate::webhooks;

/// How long failed cleanings are tried again, in milliseconds.
const RETRY_FOR: i64 = DAY;

/// How an agent is to be deleted: the profile with what was said explicitly.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) mode: Mode,
    pub(crate) mode_given: bool,
    pub(crate) on_active: OnActive,
    pub(crate) require_status: Vec<Status>,
    pub(crate) cleanup: Cleanup,
    pub(crate) with_message: bool,
    pub(crate) dry_run: bool,
}

/// What was said explicitly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) profile: Option<Profile>,
    pub(crate) mode: Option<Mode>,
    pub(crate) on_active: Option<OnActive>,
    pub(crate) require_status: Option<Vec<Status>>,
    pub(crate) cleanup: Option<Cleanup>,
    pub(crate) with_message: Option<bool>,
    pub(crate) dry_run: bool,
}

impl Asked {
    pub(crate) fn read(query: &Query) -> Result<Self> {
        let statuses = ["active", "paused", "archived", "ended"];
        Ok(Self {
            profile: query.one_of("profile", Profile::parse, Profile::NAMES)?,
            mode: query.one_of("mode", Mode::parse, Mode::NAMES)?,
            on_active: query.one_of("on_active", OnActive::parse, OnActive::NAMES)?,
            require_status: query.list(
                "require_status",
                |text| Status::parse(text).filter(|status| *status != Status::Deleted),
                &statuses,
            )?,
            cleanup: query.one_of("cleanup", Cleanup::parse, Cleanup::NAMES)?,
            with_message: query.one_of(
                "response",
                |text| match text {
                    "empty" => Some(false),
                    "message" => Some(true),
                    _ => None,
                },
                &["empty", "message"],
            )?,
            dry_run: query.flag("dry_run")?,
        })
    }

    pub(crate) fn plan(self, account: &Account) -> Plan {
        let profile = self.profile.unwrap_or(account.deletion_profile);
        let (mode, on_active, require_status, cleanup, with_message) = match profile {
            Profile::Masker => (account.default_delete_mode, OnActive::Drain, vec![], Cleanup::Skip, false),
            Profile::Ayra => (Mode::Hard, OnActive::Reject, vec![], Cleanup::BestEffort, false),
            Profile::Kakiyo => {
                (Mode::Purge, OnActive::Reject, vec![Status::Ended], Cleanup::BestEffort, true)
            }
        };
        Plan {
            profile,
            mode: self.mode.unwrap_or(mode),
            mode_given: self.mode.is_some(),
            on_active: self.on_active.unwrap_or(on_active),
            require_status: self.require_status.unwrap_or(require_status),
            cleanup: self.cleanup.unwrap_or(cleanup),
            with_message: self.with_message.unwrap_or(with_message),
            dry_run: self.dry_run,
        }
    }
}

/// The receipt as it is answered.
pub(crate) fn receipt(d: &Deletion) -> Value {
    json!({
        "id": d.id,
        "agent_id": d.agent_id,
        "agent_name": d.agent_name,
        "mode": d.mode,
        "on_active": d.on_active,
        "profile": d.profile,
        "deleted_at": time::format(d.deleted_at),
        "deleted_by": d.deleted_by,
        "restorable_until": d.restorable_until.map(time::format),
        "status_before": d.status_before,
        "active_calls_at_delete": d.active_calls_at_delete,
        "calls_terminated": d.calls_terminated,
        "sessions_retained": d.sessions_retained,
        "sessions_purged": d.sessions_purged,
        "vault_rows_purged": d.vault_rows_purged,
        "payloads_purged": d.payloads_purged,
        "phone_numbers_released": d.phone_numbers_released,
        "external_resources": d.external_resources,
        "audit_event_id": d.audit_event_id,
        "config_snapshot": d.config_snapshot,
    })
}

/// What would become of an agent: a receipt that nobody was given, of an event that is not in the log.
pub(crate) fn plan_json(d: &Deletion) -> Value {
    let mut plan = receipt(d);
    for name in ["id", "audit_event_id"] {
        plan[name] = Value::Null;
    }
    plan
}

/// The agent of this account with this id; one that is deleted softly is there for those who can bring it back.
pub(crate) fn find(state: &State, caller: &Caller, id: Option<&str>) -> Result<(Agent, Option<Arc<Slot>>)> {
    let not_found = || ApiError::agent_not_found(id);
    let id = id.ok_or_else(not_found)?;
    if let Some(slot) = state.agents.find(id).filter(|slot| slot.account_id == caller.user.account_id) {
        let agent = slot.runtime().agent.clone();
        caller.check_agent(id, agent.team_id.as_deref())?;
        return Ok((agent, Some(slot)));
    }
    if caller.user.role < Role::Admin {
        return Err(not_found());
    }
    let agent: Option<Agent> = state.store.load(id)?;
    let agent =
        agent.filter(|agent| agent.account_id == caller.user.account_id && agent.status == Status::Deleted);
    let agent = agent.ok_or_else(not_found)?;
    caller.check_agent(id, agent.team_id.as_deref())?;
    Ok((agent, None))
}

fn check_status(plan: &Plan, status: Status) -> Result<()> {
    if plan.require_status.is_empty() || plan.require_status.contains(&status) {
        return Ok(());
    }
    let names: Vec<&str> = plan.require_status.iter().map(|status| status.as_str()).collect();
    let message = format!("This agent can be deleted only when its status is {}.", names.join(" or "));
    Err(ApiError::new(Code::InvalidStatus, message)
        .with("current_status", status.as_str())
        .with("currentStatus", status.as_str())
        .with("required_status", names))
}

/// Refuses to `delete` or `end` an agent while calls are active.
pub(crate) fn check_active(verb: &str, id: &str, active: usize) -> Result<()> {
    if active == 0 {
        return Ok(());
    }
    let message = format!("Cannot {verb} an agent with active calls.");
    Err(ApiError::new(Code::AgentHasActiveCalls, message).with("active_calls", active).with("agent_id", id))
}

/// Deletes an agent as planned, or says what would happen.
pub(crate) fn delete(
    state: &State,
    caller: &Caller,
    id: Option<&str>,
    plan: &Plan,
    precondition: &Precondition,
) -> Result<Deletion> {
    let (agent, slot) = find(state, caller, id)?;
    precondition.check(agent.revision)?;
    let Some(slot) = slot else {
        // Deleted softly: only an explicit wish goes further.
        if !plan.mode_given || plan.mode == Mode::Soft {
            return Err(ApiError::agent_not_found(id));
        }
        return delete_deleted(state, caller, agent, plan);
    };
    check_status(plan, agent.status)?;
    if plan.on_active == OnActive::Reject {
        check_active("delete", &slot.id, slot.active_calls(state))?;
    }
    let deletion_id = ids::new(Prefix::Deletion);
    let mut cleaned = Vec::new();
    if plan.cleanup == Cleanup::Require && !plan.dry_run {
        cleaned = clean(state, &agent, &deletion_id, &slot.runtime());
        if let Some(failed) = cleaned.iter().find(|row| row.state == "failed") {
            return Err(ApiError::new(
                Code::ExternalCleanupFailed,
                "A resource outside could not be cleaned; nothing was deleted.",
            )
            .with("external_resource_id", failed.id.clone()));
        }
    }
    let (mut deletion, open) = commit(state, caller, &slot, plan, precondition, deletion_id)?;
    if plan.dry_run {
        return Ok(deletion);
    }
    if plan.on_active == OnActive::Terminate {
        for live in &open {
            let actor = caller.event(EventKind::SessionTerminated);
            if sessions::terminate(state, live, actor).is_ok() {
                deletion.calls_terminated += 1;
            }
        }
    }
    if plan.mode == Mode::Purge {
        purge_vault(state, &slot, &open, &mut deletion);
    }
    if plan.cleanup == Cleanup::BestEffort {
        cleaned = clean(state, &agent, &deletion.id, &slot.runtime());
        let failed: Vec<&str> =
            cleaned.iter().filter(|row| row.state == "failed").map(|row| row.id.as_str()).collect();
        deletion.retry = agent
            .external_resources
            .iter()
            .filter(|row| failed.contains(&row.id.as_str()))
            .cloned()
            .collect();
        if !deletion.retry.is_empty() {
            deletion.retry_until = time::now() + RETRY_FOR;
            deletion.retry_secret = agent.secrets.get("webhook_secret").cloned();
        }
    }
    if plan.cleanup != Cleanup::Skip {
        deletion.external_resources = cleaned;
    }
    state.store.save(&deletion)?;
    told(state, &deletion);
    Ok(deletion)
}

fn told(state: &State, deletion: &Deletion) {
    let data = || json!({ "agent_id": deletion.agent_id, "deletion_id": deletion.id, "mode": deletion.mode });
    webhooks::emit(state, &deletion.account_id, webhooks::Event::AgentDeleted, data);
}

/// The step that makes the agent unreachable, all under the locks that opening a session needs.
fn commit(
    state: &State,
    caller: &Caller,
    slot: &Arc<Slot>,
    plan: &Plan,
    precondition: &Precondition,
    deletion_id: String,
) -> Result<(Deletion, Vec<Arc<Live>>)> {
    let _changing = state.agents.change();
    let mut open = slot.open();
    if open.closed {
        return Err(ApiError::agent_not_found(Some(&slot.id)));
    }
    let runtime = slot.runtime();
    let agent = &runtime.agent;
    precondition.check(agent.revision)?;
    check_status(plan, agent.status)?;
    let live: Vec<Arc<Live>> = open.sessions.values().filter(|live| live.is_active(state)).cloned().collect();
    if plan.on_active == OnActive::Reject {
        check_active("delete", &slot.id, live.len())?;
    }
    let now = time::now();
    let purge = plan.mode == Mode::Purge;
    let sessions = state.store.session_count(&slot.account_id, &slot.id)?;
    let window = i64::from(caller.account.restore_window_days) * DAY;
    let external = agent.external_resources.iter().map(|row| ExternalState {
        id: row.id.clone(),
        kind: row.kind.clone(),
        state: "kept".to_owned(),
    });
    let mut deletion = Deletion {
        id: deletion_id,
        account_id: slot.account_id.clone(),
        agent_id: slot.id.clone(),
        agent_name: (!purge).then(|| agent.name.clone()),
        mode: plan.mode,
        on_active: plan.on_active,
        profile: plan.profile,
        deleted_at: now,
        deleted_by: caller.user.id.clone(),
        restorable_until: (plan.mode == Mode::Soft).then_some(now + window),
        status_before: agent.status,
        active_calls_at_delete: live.len(),
        calls_terminated: 0,
        sessions_retained: if purge { 0 } else { sessions },
        sessions_purged: if purge { sessions } else { 0 },
        vault_rows_purged: if purge { vault_rows(state, &slot.id)? } else { 0 },
        payloads_purged: if purge { state.store.payload_count(&slot.account_id, &slot.id)? } else { 0 },
        phone_numbers_released: (!purge).then(|| agent.phone_numbers.clone()),
        external_resources: external.collect(),
        audit_event_id: String::new(),
        config_snapshot: (!purge).then(|| snapshot(&runtime)),
        retry: Vec::new(),
        retry_until: 0,
        retry_secret: None,
    };
    if plan.dry_run {
        return Ok((deletion, Vec::new()));
    }
    let stored = state.audit.append_one(event(caller, &deletion, agent.phone_numbers.len()))?;
    deletion.audit_event_id = stored.event_id;
    let mut changes = vec![Change::put(&deletion)];
    match plan.mode {
        Mode::Soft => changes.push(Change::put(&Agent {
            status: Status::Deleted,
            status_before: Some(agent.status),
            deleted_at: Some(now),
            purge_after: deletion.restorable_until,
            deletion_id: Some(deletion.id.clone()),
            revision: agent.revision + 1,
            ..agent.clone()
        })),
        _ => changes.push(Change::Delete(crate::store::Kind::Agent, slot.id.clone())),
    }
    if purge {
        slot.set_purged(true);
        changes.push(Change::PurgeSessions { account: slot.account_id.clone(), agent: slot.id.clone() });
    }
    if let Err(error) = state.store.write(changes) {
        // It lives on, and so do its sessions.
        slot.set_purged(false);
        return Err(error.into());
    }
    open.closed = true;
    drop(open);
    state.agents.remove(state, slot);
    Ok((deletion, live))
}

fn event(caller: &Caller, d: &Deletion, phone_numbers: usize) -> masker_core::audit::AuditEvent {
    caller
        .event(EventKind::AgentDeleted)
        .agent(&d.agent_id)
        .data("deletion_id", d.id.clone())
        .data("mode", d.mode.as_str())
        .data("on_active", d.on_active.as_str())
        .data("active_calls", d.active_calls_at_delete)
        .data("sessions_retained", d.sessions_retained)
        .data("sessions_purged", d.sessions_purged)
        .data("vault_rows_purged", d.vault_rows_purged)
        .data("phone_numbers_released", phone_numbers)
}

fn vault_rows(state: &State, agent: &str) -> Result<u64> {
    state.vault.count(&Selection::Agent(agent.to_owned())).map_err(|error| ApiError::internal(&error))
}

/// Removes an agent's rows: at once, or when the calls that still need them are over.
fn purge_vault(state: &State, slot: &Arc<Slot>, open: &[Arc<Live>], deletion: &mut Deletion) {
    if slot.open().sessions.is_empty() || open.is_empty() {
        match state.vault.delete(&Selection::Agent(slot.id.clone())) {
            Ok(rows) => deletion.vault_rows_purged = rows,
            Err(error) => tracing::error!(reason = %error, "vault rows of a purged agent are left"),
        }
        return;
    }
    let (vault, slot) = (state.vault.clone(), slot.clone());
    let patience = std::time::Instant::now() + state.config.upstream.timeout * 10;
    std::thread::spawn(move || {
        while !slot.open().sessions.is_empty() && std::time::Instant::now() < patience {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        if let Err(error) = vault.delete(&Selection::Agent(slot.id.clone())) {
            tracing::error!(reason = %error, "vault rows of a purged agent are left");
        }
    });
}

/// Removes an agent that was deleted softly for good.
fn delete_deleted(state: &State, caller: &Caller, agent: Agent, plan: &Plan) -> Result<Deletion> {
    let _changing = state.agents.change();
    let purge = plan.mode == Mode::Purge;
    let sessions = state.store.session_count(&agent.account_id, &agent.id)?;
    let mut deletion = Deletion {
        id: ids::new(Prefix::Deletion),
        account_id: agent.account_id.clone(),
        agent_id: agent.id.clone(),
        agent_name: (!purge).then(|| agent.name.clone()),
        mode: plan.mode,
        on_active: plan.on_active,
        profile: plan.profile,
        deleted_at: time::now(),
        deleted_by: caller.user.id.clone(),
        restorable_until: None,
        status_before: Status::Deleted,
        active_calls_at_delete: 0,
        calls_terminated: 0,
        sessions_retained: if purge { 0 } else { sessions },
        sessions_purged: if purge { sessions } else { 0 },
        vault_rows_purged: if purge { vault_rows(state, &agent.id)? } else { 0 },
        payloads_purged: if purge { state.store.payload_count(&agent.account_id, &agent.id)? } else { 0 },
        phone_numbers_released: (!purge).then(Vec::new),
        external_resources: Vec::new(),
        audit_event_id: String::new(),
        config_snapshot: None,
        retry: Vec::new(),
        retry_until: 0,
        retry_secret: None,
    };
    if !purge {
        deletion.config_snapshot = Some(snapshot(&Runtime::build(state, agent.clone())?));
    }
    if plan.dry_run {
        return Ok(deletion);
    }
    deletion.audit_event_id = state.audit.append_one(event(caller, &deletion, 0))?.event_id;
    let mut changes =
        vec![Change::put(&deletion), Change::Delete(crate::store::Kind::Agent, agent.id.clone())];
    if purge {
        changes.push(Change::PurgeSessions { account: agent.account_id.clone(), agent: agent.id.clone() });
    }
    state.store.write(changes)?;
    if purge {
        let deleted = state.vault.delete(&Selection::Agent(agent.id.clone()));
        deletion.vault_rows_purged = deleted.map_err(|error| ApiError::internal(&error))?;
        state.store.save(&deletion)?;
    }
    told(state, &deletion);
    Ok(deletion)
}

/// Asks the owners of resources outside to remove them.
fn clean(state: &State, agent: &Agent, deletion_id: &str, runtime: &Runtime) -> Vec<ExternalState> {
    let row = |row: &External| {
        let done = row.cleanup_url.as_deref().map(|url| {
            let body = json!({
                "event": "external_resource.cleanup",
                "agent_id": agent.id,
                "type": row.kind,
                "external_id": row.external_id,
                "deletion_id": deletion_id,
            });
            outgoing::post_with_retries(state, url, runtime.secret("webhook_secret"), &body)
        });
        let outcome = match done {
            None => "kept",
            Some(true) => "cleaned",
            Some(false) => "failed",
        };
        ExternalState { id: row.id.clone(), kind: row.kind.clone(), state: outcome.to_owned() }
    };
    agent.external_resources.iter().map(row).collect()
}

/// Tries again what could not be cleaned.
pub(crate) fn retry_cleanups(state: &State) -> Result<()> {
    let now = time::now();
    let all: Vec<Deletion> = state.store.load_all(None)?;
    for mut deletion in all.into_iter().filter(|d| !d.retry.is_empty()) {
        if now > deletion.retry_until {
            deletion.retry.clear();
            deletion.retry_secret = None;
            state.store.save(&deletion)?;
            continue;
        }
        let waiting = std::mem::take(&mut deletion.retry);
        let secret = deletion.retry_secret.as_ref().and_then(|sealed| {
            state.keys.open_secret(&format!("{}/webhook_secret", deletion.agent_id), sealed)
        });
        for row in waiting {
            let body = json!({
                "event": "external_resource.cleanup",
                "agent_id": deletion.agent_id,
                "type": row.kind,
                "external_id": row.external_id,
                "deletion_id": deletion.id,
            });
            let url = row.cleanup_url.clone().unwrap_or_default();
            if outgoing::post_once(state, &url, secret.as_deref(), &body, outgoing::CLEANUP_TIMEOUT)
                .is_ok_and(outgoing::is_gone)
            {
                for state in deletion.external_resources.iter_mut().filter(|state| state.id == row.id) {
                    "cleaned".clone_into(&mut state.state);
                }
            } else {
                deletion.retry.push(row);
            }
        }
        if deletion.retry.is_empty() {
            deletion.retry_secret = None;
        }
        state.store.save(&deletion)?;
    }
    Ok(())
}

/// Brings a softly deleted agent back; gives it with the phone numbers that somebody else has by now.
pub(crate) fn restore(
    state: &State,
    caller: &Caller,
    id: Option<&str>,
    name: Option<String>,
) -> Result<(Arc<Slot>, Vec<String>)> {
    let _changing = state.agents.change();
    let (mut agent, slot) = find(state, caller, id)?;
    if slot.is_some() {
        return Err(ApiError::new(Code::NotDeleted, "The agent is not deleted."));
    }
    if agent.purge_after.is_some_and(|at| at <= time::now()) {
        return Err(ApiError::agent_not_found(id));
    }
    if let Some(name) = name {
        agent.name = name;
    }
    agent.status = agent.status_before.take().unwrap_or(Status::Active);
    agent.deleted_at = None;
    agent.purge_after = None;
    agent.deletion_id = None;
    let others = state.agents.of_account(&agent.account_id);
    let lost: Vec<String> = agent
        .phone_numbers
        .iter()
        .filter(|number| others.iter().any(|other| other.runtime().agent.phone_numbers.contains(number)))
        .cloned()
        .collect();
    agent.phone_numbers.retain(|number| !lost.contains(number));
    check_unique(state, &agent)?;
    if agent.status != Status::Archived {
        check_limit(state, &agent.account_id)?;
    }
    agent.updated_at = time::now();
    agent.revision += 1;
    state.audit.append_one(caller.event(EventKind::AgentRestored).agent(&agent.id))?;
    let slot = super::insert(state, agent)?;
    let status = slot.runtime().agent.status;
    let data = || json!({ "agent_id": slot.id, "status": status });
    webhooks::emit(state, &slot.account_id, webhooks::Event::AgentRestored, data);
    Ok((slot, lost))
}

/// Turns soft deletions whose time is over into hard ones.
pub(crate) fn sweep(state: &State) -> Result<usize> {
    let now = time::now();
    let all: Vec<Agent> = state.store.load_all(None)?;
    let over =
        |agent: &Agent| agent.status == Status::Deleted && agent.purge_after.is_some_and(|at| at <= now);
    let mut count = 0;
    for agent in all.into_iter().filter(over) {
        let _changing = state.agents.change();
        let event = masker_core::audit::AuditEvent::new(EventKind::AgentPurgedByRetention, &agent.account_id)
            .agent(&agent.id)
            .actor("system", "retention")
            .data("deletion_id", agent.deletion_id.clone());
        state.audit.append_one(event)?;
        state.store.write(vec![Change::Delete(crate::store::Kind::Agent, agent.id.clone())])?;
        count += 1;
    }
    Ok(count)
}
