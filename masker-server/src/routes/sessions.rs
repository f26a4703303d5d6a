//! `/api/v1/sessions`

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use masker_core::audit::EventKind;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::auth::Scope;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Page, Reply};
use crate::ids::{self, Prefix};
use crate::router::Answer;
use crate::sessions::{self, Ended};
use crate::store::model::Role;
use crate::store::{EventFilter, SessionQuery, SessionRow};

const FILTERS: [&str; 7] = ["since", "until", "status", "min_redactions", "kind", "external_id", "agent_id"];
const STATUSES: [&str; 4] = ["ok", "error", "partial", "in_progress"];
/// How long a listener of the stream hears nothing at most.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn of_agent(c: &Context) -> Result<Reply> {
    let id = c.id("agent_id", Prefix::Agent);
    let (page, mut query) = read(c, &format!("sessions/{}", id.as_deref().unwrap_or_default()))?;
    let slot = super::agents::alive(c)?;
    query.agent = Some(slot.id.clone());
    answer(c, &page, query)
}

pub(super) fn list(c: &Context) -> Result<Reply> {
    let (page, mut query) = read(c, "sessions")?;
    if let Some(agent) = page.query.get("agent_id") {
        // An id that is none has no sessions.
        query.agent = Some(ids::parse(Prefix::Agent, agent).unwrap_or_default());
    }
    answer(c, &page, query)
}

/// The filters of a list, with the window frozen where the walk began.
fn read(c: &Context, name: &str) -> Result<(Page, SessionQuery)> {
    let page = Page::read(&c.query, &c.state.keys, name, c.account(), &FILTERS)?;
    let q = &page.query;
    let (since, until) = match &page.cursor {
        Some(cursor) => cursor.window,
        None => {
            let window = q.window("24h", c.received_at)?;
            (window.since, window.until)
        }
    };
    let known = |text: &str| STATUSES.contains(&text).then(|| text.to_owned());
    let statuses = q
        .list("status", known, &STATUSES)?
        .unwrap_or_else(|| ["ok", "error", "partial"].map(str::to_owned).to_vec());
    let caller = c.caller();
    let token_agents =
        caller.token.as_ref().map(|token| token.agent_ids.clone()).filter(|ids| !ids.is_empty());
    let query = SessionQuery {
        account: c.account().to_owned(),
        agent: None,
        since,
        until,
        statuses,
        min_redactions: q.number("min_redactions", 0, 0, 2_147_483_647)?,
        kind: q.text("kind", 64)?.map(str::to_owned),
        external_id: q.text("external_id", 256)?.map(str::to_owned),
        teams: (caller.user.role < Role::Admin).then(|| caller.user.team_ids.clone()),
        agents: token_agents,
        after: page.after().cloned(),
        limit: page.limit + 1,
    };
    Ok((page, query))
}

fn answer(c: &Context, page: &Page, query: SessionQuery) -> Result<Reply> {
    let state = &c.state;
    let rows = state.store.sessions(&query)?;
    let answer = page.answer(
        rows,
        (query.since, query.until),
        &state.keys,
        |row| (row.started_at, row.id.clone()),
        |row| sessions::summary(&row, !state.agents.is_alive(&row.agent)),
    );
    Ok(Reply::ok(&answer))
}

/// The session in the path, where the caller may see it.
pub(super) fn visible(c: &Context) -> Result<SessionRow> {
    let id = c.id("session_id", Prefix::Session).ok_or_else(ApiError::session_not_found)?;
    let row = c.state.store.session(&id)?.filter(|row| row.account == c.account());
    let row = row.ok_or_else(ApiError::session_not_found)?;
    c.caller().check_agent(&row.agent, c.state.store.team_of(&row.account, &row.agent)?.as_deref())?;
    Ok(row)
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    let row = visible(c)?;
    let may_read = c.caller().scopes.has(Scope::PayloadsRead);
    let stored = if may_read { c.state.store.payloads(&row.id)? } else { Vec::new() };
    let payloads = if may_read { Some(Vec::new()) } else { None };
    let payloads = if stored.is_empty() {
        payloads
    } else {
        let event = c
            .caller()
            .event(EventKind::PayloadViewed)
            .data("session_id", row.id.clone())
            .data("agent_id", row.agent.clone());
        c.state.audit.append_one(event)?;
        let open = |(field, bytes): (String, Vec<u8>)| {
            let text = c.state.keys.open_payload(&format!("{}/{field}", row.id), &bytes)?;
            Some((field, String::from_utf8(text).ok()?))
        };
        Some(stored.into_iter().filter_map(open).collect())
    };
    Ok(Reply::ok(&json!({ "session": sessions::detail(&c.state, &row, payloads)? })))
}

pub(super) fn events(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let id = c.id("session_id", Prefix::Session).unwrap_or_default();
    let page =
        Page::read(&c.query, &state.keys, &format!("events/{id}"), c.account(), &["kind", "pass", "turn"])?;
    let filter = EventFilter {
        kind: page.query.text("kind", 64)?.map(str::to_owned),
        pass: page.query.text("pass", 64)?.map(str::to_owned),
        turn: match page.query.get("turn") {
            Some(_) => Some(page.query.number("turn", 0, 0, 2_147_483_647)?),
            None => None,
        },
    };
    let row = visible(c)?;
    let after = page.after().map_or(-1, |(n, _)| *n);
    let rows = sessions::event_page(state, &row.id, &filter, after, page.limit + 1)?;
    let answer = page.answer(rows, (None, 0), &state.keys, |(n, _)| (*n, String::new()), |(_, event)| event);
    Ok(Reply::ok(&answer))
}

fn empty_body(c: &Context) -> Result<()> {
    crate::http::Fields::new(&c.object()?, &[]).finish()?;
    c.begin()
}

pub(super) fn end(c: &Context) -> Result<Reply> {
    empty_body(c)?;
    let row = visible(c)?;
    if let Some(live) = c.state.agents.live(&row.id) {
        sessions::end(&c.state, &live, Ended::Normally)?;
    }
    let row = visible(c)?;
    Ok(Reply::ok(&json!({ "session": sessions::detail(&c.state, &row, None)? })))
}

pub(super) fn terminate(c: &Context) -> Result<Reply> {
    empty_body(c)?;
    let row = visible(c)?;
    let Some(live) = c.state.agents.live(&row.id) else {
        return Err(ApiError::new(Code::SessionNotActive, "The session is over."));
    };
    sessions::terminate(&c.state, &live, c.caller().event(EventKind::SessionTerminated))?;
    let row = visible(c)?;
    Ok(Reply::ok(&json!({ "session": sessions::detail(&c.state, &row, None)? })))
}

pub(super) fn stream(c: Context) -> Answer {
    Box::pin(async move {
        let agent = c.query.get("agent_id").map(|text| ids::parse(Prefix::Agent, text).unwrap_or_default());
        let after = c.header("last-event-id").and_then(|id| id.parse().ok());
        let (missed, receiver) = c.state.feed.listen(after);
        let caller = c.caller().clone();
        let wanted = move |ended: &Arc<crate::sessions::Finished>| {
            ended.account == caller.user.account_id
                && agent.as_ref().is_none_or(|agent| *agent == ended.agent)
                && caller.sees_team(ended.team.as_deref())
                && caller.reaches_agent(&ended.agent)
        };
        let first: String = missed.iter().filter(|ended| wanted(ended)).map(|ended| frame(ended)).collect();
        let draining = c.state.draining.subscribe();
        let begin = Some(format!(": listening\n\n{first}"));
        let stream = futures_util::stream::unfold((begin, receiver), move |(begin, mut receiver)| {
            let (wanted, mut draining) = (wanted.clone(), draining.clone());
            async move {
                if let Some(text) = begin {
                    return Some((Ok::<_, Infallible>(Bytes::from(text)), (None, receiver)));
                }
                loop {
                    let next = tokio::select! {
                        next = tokio::time::timeout(HEARTBEAT, receiver.recv()) => next,
                        _ = draining.wait_for(|draining| *draining) => return None,
                    };
                    match next {
                        Err(_) => {
                            return Some((Ok(Bytes::from_static(b": still here\n\n")), (None, receiver)));
                        }
                        Ok(Ok(ended)) if wanted(&ended) => {
                            return Some((Ok(Bytes::from(frame(&ended))), (None, receiver)));
                        }
                        Ok(Ok(_)) => {}
                        // A listener that is too slow connects again and asks for what it missed.
                        Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => return None,
                    }
                }
            }
        });
        let mut response = Response::new(Body::from_stream(stream));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        Ok(response)
    })
}

fn frame(ended: &crate::sessions::Finished) -> String {
    format!("id: {}\nevent: session.completed\ndata: {}\n\n", ended.number, ended.summary)
}
