//! `/api/v1/audit`

use axum::http::header;
use data_encoding::HEXLOWER_PERMISSIVE;
use masker_core::audit::{BadReason, Checks, EventKind, Hash, hash_hex, merkle_path, merkle_root};
use serde_json::{Map, Value, json};

use crate::audit::verification_json;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Page, Reply};
use crate::ids::{self, Prefix};
use crate::time;

pub(super) const VERIFY_BODY: &str = r#"{"type":"object","additionalProperties":false,"properties":{"session_id":{"type":"string"},
    "from_seq":{"type":"integer","minimum":1},"to_seq":{"type":"integer","minimum":1},"expected_root_hash":{"type":"string","pattern":"^[0-9a-fA-F]{64}$"}}}"#;
/// How far the times of events may be from the order in which they stand, in milliseconds: they wait to be written down, and
/// clocks are set back.
const LATENESS: i64 = time::DAY;

fn text<'a>(event: &'a Map<String, Value>, name: &str) -> &'a str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an event belongs to what has this id, or tells of somebody who looked at it.
fn is_about(event: &Map<String, Value>, name: &str, id: &str) -> bool {
    let told = event.get("data").and_then(|data| data.get(name)).and_then(Value::as_str);
    text(event, name).eq_ignore_ascii_case(id) || told.is_some_and(|told| told.eq_ignore_ascii_case(id))
}

fn seq(event: &Map<String, Value>) -> i64 {
    event.get("seq").and_then(Value::as_i64).unwrap_or_default()
}

fn hash(event: &Map<String, Value>) -> Option<Hash> {
    HEXLOWER_PERMISSIVE.decode(text(event, "this_hash").as_bytes()).ok()?.try_into().ok()
}

pub(super) fn list(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let names = ["since", "until", "kind", "agent_id", "session_id", "actor_id"];
    let page = Page::read(&c.query, &state.keys, "audit", c.account(), &names)?;
    let q = &page.query;
    let (since, until) = match &page.cursor {
        Some(cursor) => cursor.window,
        None => {
            let window = q.window("24h", c.received_at)?;
            (window.since, window.until)
        }
    };
    let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kinds = q.list("kind", |text| known.contains(&text).then(|| text.to_owned()), &known)?;
    let (agent, session, actor) =
        (q.text("agent_id", 64)?, q.text("session_id", 64)?, q.text("actor_id", 64)?);
    let after = page.after().map(|(seq, _)| *seq);
    let mut found = Vec::new();
    state.audit.each_back(|event| {
        let at = time::parse(text(&event, "ts")).unwrap_or_default();
        if since.is_some_and(|since| at < since - LATENESS) {
            return false;
        }
        let is_wanted = text(&event, "account_id") == c.account()
            && since.is_none_or(|since| at >= since)
            && at < until
            && after.is_none_or(|after| seq(&event) < after)
            && kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind == text(&event, "kind")))
            && agent.is_none_or(|agent| is_about(&event, "agent_id", agent))
            && session.is_none_or(|session| is_about(&event, "session_id", session))
            && actor.is_none_or(|actor| {
                event
                    .get("actor")
                    .and_then(|a| a.get("id"))
                    .and_then(Value::as_str)
                    .is_some_and(|id| id.eq_ignore_ascii_case(actor))
            });
        if is_wanted {
            found.push(event);
        }
        found.len() <= page.limit
    })?;
    let place = |event: &Map<String, Value>| (seq(event), String::new());
    Ok(Reply::ok(&page.answer(found, (since, until), &state.keys, place, Value::Object)))
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    let not_found = || ApiError::new(Code::EventNotFound, "There is no event with this id.");
    let id = c.id("event_id", Prefix::Event).ok_or_else(not_found)?;
    let oldest = ids::time_of(&id) - LATENESS;
    let mut found = None;
    c.state.audit.each_back(|event| {
        if text(&event, "event_id") == id {
            found = Some(event);
            return false;
        }
        time::parse(text(&event, "ts")).is_none_or(|at| at >= oldest)
    })?;
    let event = found.filter(|event| text(event, "account_id") == c.account()).ok_or_else(not_found)?;
    // The proof is over the events of its session, or over those of the account up to it where it has none.
    let session = event.get("session_id").and_then(Value::as_str).map(str::to_owned);
    let own_seq = seq(&event);
    let mut hashes = Vec::new();
    let mut index = 0;
    c.state.audit.each(|_, other| {
        let is_meant = match &session {
            Some(session) => text(other, "session_id") == session,
            None => text(other, "account_id") == c.account() && seq(other) <= own_seq,
        };
        if is_meant && let Some(hash) = hash(other) {
            if seq(other) == own_seq {
                index = hashes.len();
            }
            hashes.push(hash);
        }
        session.is_some() || seq(other) < own_seq
    })?;
    let path: Vec<String> = merkle_path(&hashes, index).unwrap_or_default().iter().map(hash_hex).collect();
    Ok(Reply::ok(&json!({
        "event": event,
        "merkle_proof": path,
        "leaf_index": index,
        "tree_size": hashes.len(),
        "merkle_root_hex": merkle_root(&hashes).as_ref().map(hash_hex),
        "scope": if session.is_some() { "session" } else { "account" },
    })))
}

pub(super) fn verify(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["session_id", "from_seq", "to_seq", "expected_root_hash"]);
    let session = f.text("session_id").map(str::to_owned);
    let most = (1i64 << 53) - 1;
    let (from, to) = (f.number("from_seq", 1, most), f.number("to_seq", 1, most));
    if session.is_some() && from.or(to).is_some() {
        f.fail("session_id", "conflicts_with", "Either session_id or a range is needed, not both.");
    }
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        f.fail("to_seq", "bad_value", "to_seq must not be below from_seq.");
    }
    let expected: Option<Hash> = match f.text("expected_root_hash") {
        Some(text) => {
            let hash = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
            if hash.is_none() {
                f.fail("expected_root_hash", "bad_format", "64 hexadecimal digits are needed.");
            }
            hash
        }
        None => None,
    };
    f.finish()?;
    c.begin()?;
    let session = match session {
        Some(id) => {
            let id = ids::parse(Prefix::Session, &id).ok_or_else(ApiError::session_not_found)?;
            let row = c.state.store.session(&id)?.filter(|row| row.account == c.account());
            Some(row.ok_or_else(ApiError::session_not_found)?.id)
        }
        None => None,
    };
    let is_expected = expected.is_some();
    let checks = Checks {
        from_seq: from.map(|seq| seq as u64),
        to_seq: to.map(|seq| seq as u64),
        session,
        expected_root: expected,
        ..Checks::default()
    };
    let result = c.state.audit.verify(&checks)?;
    // A root that somebody else expected says nothing about the chain.
    let is_theirs = is_expected && result.reason == Some(BadReason::RootMismatch);
    if !(result.ok || is_theirs) {
        crate::webhooks::chain_broken(&c.state, result.first_bad_seq);
    }
    Ok(Reply::ok(&verification_json(&result)))
}

pub(super) fn export(c: &Context) -> Result<Reply> {
    let window = c.query.window("all", c.received_at)?;
    let mut lines = Vec::new();
    let mut hashes = Vec::new();
    c.state.audit.each(|line, event| {
        let at = time::parse(text(event, "ts")).unwrap_or_default();
        if text(event, "account_id") == c.account()
            && window.since.is_none_or(|since| at >= since)
            && at < window.until
            && let Some(hash) = hash(event)
        {
            lines.extend_from_slice(line);
            lines.push(b'\n');
            hashes.push(hash);
        }
        true
    })?;
    c.state.audit.append_one(c.caller().event(EventKind::AuditExported).data("event_count", hashes.len()))?;
    let root = merkle_root(&hashes).as_ref().map(hash_hex);
    let trailer = json!({ "trailer": true, "event_count": hashes.len(), "merkle_root_hex": root });
    lines.extend_from_slice(format!("{trailer}\n").as_bytes());
    Ok(Reply::bytes(200, "application/x-ndjson", lines)
        .with(header::CONTENT_DISPOSITION, "attachment; filename=\"masker-audit.jsonl\""))
}
