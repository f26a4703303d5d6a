use serde_json::{Map, Value, json};

use super::{Runtime, SECRETS, Slot};
use crate::error::Result;
use crate::state::State;
use crate::store::model::{Agent, Deletion, PolicySource, Status};
use crate::time;

/// The fields that every answer about an agent has.
fn common(state: &State, agent: &Agent, runtime: &Runtime) -> Map<String, Value> {
    let public = &state.config.public_url;
    let value = json!({
        "id": agent.id,
        "name": agent.name,
        "status": agent.status,
        "upstream": agent.upstream,
        "allowed_models": agent.allowed_models,
        "tokenization": runtime.tokenization(),
        "policy_name": runtime.policy.name,
        "policy_version": runtime.policy.revision,
        "policy_source": if matches!(agent.policy, PolicySource::Named(_)) { "named" } else { "inline" },
        "proxy_url": format!("{public}/proxy/{}/v1/chat/completions", agent.id),
        "webhook_url": format!("{public}/vapi/webhook/{}", agent.id),
        "proxy_auth": agent.proxy_auth,
        "platform": agent.platform,
        "phone_numbers": agent.phone_numbers,
        "team_id": agent.team_id,
        "created_at": time::format(agent.created_at),
        "updated_at": time::format(agent.updated_at),
    });
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// An agent in a list.
pub(crate) fn list_item(state: &State, agent: &Agent, sessions_day: i64) -> Result<Value> {
    let runtime = runtime_of(state, agent)?;
    let mut members = common(state, agent, &runtime);
    members.insert("session_count_24h".to_owned(), sessions_day.into());
    if agent.status == Status::Deleted {
        members.insert("deleted_at".to_owned(), agent.deleted_at.map(time::format).into());
        members.insert("purge_after".to_owned(), agent.purge_after.map(time::format).into());
    }
    Ok(Value::Object(members))
}

/// An agent's runtime, made for the occasion where the agent is deleted.
fn runtime_of(state: &State, agent: &Agent) -> Result<std::sync::Arc<Runtime>> {
    match state.agents.find(&agent.id) {
        Some(slot) => Ok(slot.runtime()),
        None => Ok(std::sync::Arc::new(Runtime::build(state, agent.clone())?)),
    }
}

/// Everything about an agent that may be shown.
pub(crate) fn detail(state: &State, agent: &Agent, slot: Option<&Slot>) -> Result<Value> {
    let runtime = runtime_of(state, agent)?;
    let mut members = common(state, agent, &runtime);
    let stats = state.store.agent_stats(&agent.account_id, &agent.id, time::now())?;
    let deletion: Option<Deletion> = match &agent.deletion_id {
        Some(id) => state.store.load(id)?,
        None => None,
    };
    let more = json!({
        "policy_yaml": runtime.policy.yaml,
        "rehydrate_scope": agent.rehydrate_scope,
        "pin_session_in_url": agent.pin_session_in_url,
        "forward_unknown_fields": agent.forward_unknown_fields,
        "assistant": agent.assistant,
        "assistant_callback_url": agent.assistant_callback_url,
        "webhook_auth": agent.webhook_auth,
        "baa_chain": agent.baa_chain,
        "external_resources": agent.external_resources,
        "metadata": agent.metadata,
        "created_by": agent.created_by,
        "archived_at": agent.archived_at.map(time::format),
        "ended_at": agent.ended_at.map(time::format),
        "deleted_at": agent.deleted_at.map(time::format),
        "purge_after": agent.purge_after.map(time::format),
        "active_calls": slot.map_or(0, |slot| slot.active_calls(state)),
        "session_count_24h": stats.sessions_day,
        "stats": {
            "session_count_24h": stats.sessions_day,
            "session_count_7d": stats.sessions_week,
            "redaction_count_24h": stats.redactions_day,
            "p50_latency_ms": percentile(&stats.durations_ms, 50),
            "p95_latency_ms": percentile(&stats.durations_ms, 95),
            "p50_overhead_ms": percentile(&stats.overheads_us, 50).map(|us| us as f64 / 1000.0),
            "p95_overhead_ms": percentile(&stats.overheads_us, 95).map(|us| us as f64 / 1000.0),
        },
        "deletion": deletion.as_ref().map(super::delete::receipt),
    });
    if let Value::Object(more) = more {
        members.extend(more);
    }
    for name in SECRETS {
        members.insert(format!("has_{name}"), agent.secrets.contains_key(name).into());
    }
    Ok(Value::Object(members))
}

/// The value that this many of a hundred do not exceed.
fn percentile(values: &[i64], percent: usize) -> Option<i64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied()
}

/// Every writable field without secrets, so that an agent can be made again by hand.
pub(crate) fn snapshot(runtime: &Runtime) -> Value {
    let agent = &runtime.agent;
    json!({
        "name": agent.name,
        "upstream": agent.upstream,
        "allowed_models": agent.allowed_models,
        "tokenization": runtime.tokenization(),
        "policy_name": runtime.policy.name,
        "policy_yaml": runtime.policy.yaml,
        "proxy_auth": agent.proxy_auth,
        "rehydrate_scope": agent.rehydrate_scope,
        "pin_session_in_url": agent.pin_session_in_url,
        "forward_unknown_fields": agent.forward_unknown_fields,
        "platform": agent.platform,
        "phone_numbers": agent.phone_numbers,
        "assistant": agent.assistant,
        "assistant_callback_url": agent.assistant_callback_url,
        "webhook_auth": agent.webhook_auth,
        "baa_chain": agent.baa_chain,
        "external_resources": agent.external_resources,
        "team_id": agent.team_id,
        "metadata": agent.metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occur() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 95), Some(7));
        let values: Vec<i64> = (1..=100).rev().collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95)), (Some(50), Some(95)));
    }
}
