use data_encoding::HEXLOWER;
use masker_core::audit::{hash_hex, merkle_root};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::limits::DETAIL_EVENTS;
use crate::metrics::STAGES;
use crate::state::State;
use crate::store::model::SessionDetail;
use crate::store::{EventFilter, SessionRow};
use crate::time;

/// The summary of a session.
pub(crate) fn summary(row: &SessionRow, agent_deleted: bool) -> Value {
    let detail: SessionDetail = serde_json::from_str(&row.doc).unwrap_or_default();
    summary_of(row, &detail, agent_deleted)
}

/// The summary of a session whose details are at hand.
pub(crate) fn summary_of(row: &SessionRow, detail: &SessionDetail, agent_deleted: bool) -> Value {
    Value::Object(summary_members(row, detail, agent_deleted))
}

fn summary_members(row: &SessionRow, detail: &SessionDetail, agent_deleted: bool) -> Map<String, Value> {
    let value = json!({
        "id": row.id,
        "agent_id": row.agent,
        "agent_name": row.agent_name,
        "agent_deleted": agent_deleted,
        "started_at": time::format(row.started_at),
        "ended_at": row.ended_at.map(time::format),
        "duration_ms": row.duration_ms,
        "status": row.status,
        "redaction_count": row.redactions,
        "redactions_by_kind": detail.redactions_by_kind,
        "upstream_model": detail.upstream_model,
        "turn_count": row.turns,
        "external_id": row.external_id,
    });
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Everything about a session. Payloads are shown as `payloads` says: their texts, or nothing.
pub(crate) fn detail(
    state: &State,
    row: &SessionRow,
    payloads: Option<Vec<(String, String)>>,
) -> Result<Value> {
    let detail: SessionDetail = serde_json::from_str(&row.doc).unwrap_or_default();
    let mut members = summary_members(row, &detail, !state.agents.is_alive(&row.agent));
    let mut events = event_page(state, &row.id, &EventFilter::default(), -1, DETAIL_EVENTS + 1)?;
    let truncated = events.len() > DETAIL_EVENTS;
    events.truncate(DETAIL_EVENTS);
    let turns: Vec<Value> =
        state.store.turns(&row.id)?.iter().filter_map(|turn| serde_json::from_str(turn).ok()).collect();
    let hashes = state.store.audit_hashes(&row.id)?;
    let hashes: Vec<[u8; 32]> =
        hashes.chunks_exact(32).map(|hash| hash.try_into().expect("a chunk has 32 bytes")).collect();
    let stages = |unit: u64| -> Map<String, Value> {
        STAGES
            .iter()
            .zip(detail.stages_us)
            .map(|(name, us)| ((*name).to_owned(), (us / unit).into()))
            .collect()
    };
    let payload =
        |name: &str| payloads.iter().flatten().find(|(field, _)| field == name).map(|(_, text)| text.clone());
    let more = json!({
        "policy_name": detail.policy_name,
        "policy_version": detail.policy_version,
        "tokenization": detail.tokenization,
        "platform": detail.platform,
        "stage_durations_ms": stages(1000),
        "stage_durations_us": stages(1),
        "turns": turns,
        "events": events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(),
        "events_truncated": truncated,
        "payloads": {
            "request": payload("request"),
            "masked": payload("masked"),
            "response": payload("response"),
            "upstream_response": payload("upstream_response"),
        },
        "payloads_withheld": payloads.is_none(),
        "masked_transcript_sha256": detail.masked_sha256,
        "merkle_root_hex": merkle_root(&hashes).as_ref().map(hash_hex),
        "audit_start_hash": detail.audit_start_hash,
        "audit_root_hash": hashes.last().map(|hash| HEXLOWER.encode(hash)),
        "error_code": detail.error_code,
    });
    if let Value::Object(more) = more {
        members.extend(more);
    }
    Ok(Value::Object(members))
}

/// Events of a session with their numbers.
pub(crate) fn event_page(
    state: &State,
    session: &str,
    filter: &EventFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Value)>> {
    let rows = state.store.session_events(session, filter, after, limit)?;
    Ok(rows.into_iter().filter_map(|(n, doc)| Some((n, serde_json::from_str(&doc).ok()?))).collect())
}
