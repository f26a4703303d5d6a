//! `/api/v1/agents`

use std::sync::Arc;

use axum::http::header;
use masker_core::audit::EventKind;
use serde_json::{Map, Value, json};

use crate::agents::delete::{self as deletion, Asked};
use crate::agents::{self, Slot, fields};
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Page, Precondition, Reply};
use crate::ids::{self, Prefix};
use crate::sessions;
use crate::state::State;
use crate::store::model::{Agent, Cleanup, Mode, OnActive, Profile, Role, Status};
use crate::time;
use crate::webhooks::{self, Event};

fn shown(c: &Context, slot: &Slot) -> Result<Value> {
    agents::detail(&c.state, &slot.runtime().agent, Some(slot))
}

/// The agent in the path, alive and visible.
pub(super) fn alive(c: &Context) -> Result<Arc<Slot>> {
    let id = c.id("agent_id", Prefix::Agent);
    let (_, slot) = deletion::find(&c.state, c.caller(), id.as_deref())?;
    slot.ok_or_else(|| ApiError::agent_not_found(id.as_deref()))
}

pub(super) fn create(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let state = &c.state;
    let mut agent = fields::blank(c.account(), &c.caller().user.id, time::now());
    if body.get("team_id").is_some_and(|team| !team.is_null()) {
        c.need_role(Role::Admin)?;
    }
    let wishes = fields::apply(state, &body, &mut agent, true)?;
    if let Some(status) = wishes.status {
        agent.status = status;
    }
    c.begin()?;
    if !c.caller().reaches_agent(&agent.id) {
        return Err(ApiError::forbidden("scope", "agent_ids"));
    }
    let _changing = state.agents.change();
    agents::check_unique(state, &agent)?;
    agents::check_limit(state, &agent.account_id)?;
    // Made ready first: nothing is logged of an agent that cannot be.
    let runtime = agents::Runtime::build(state, agent.clone())?;
    let event = c
        .caller()
        .event(EventKind::AgentCreated)
        .agent(&agent.id)
        .data("policy_name", runtime.policy.name.clone())
        .data("policy_version", runtime.policy.revision)
        .data("upstream", agent.upstream.clone());
    state.audit.append_one(event)?;
    let revision = agent.revision;
    let slot = agents::insert(state, agent)?;
    let status = slot.runtime().agent.status;
    webhooks::emit(
        state,
        &slot.account_id,
        Event::AgentCreated,
        || json!({ "agent_id": slot.id, "status": status }),
    );
    let reply = Reply::json(201, &json!({ "agent": shown(c, &slot)? }));
    Ok(reply.with(header::LOCATION, &format!("/api/v1/agents/{}", slot.id)).etag(revision))
}

pub(super) fn list(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let names = ["name_contains", "status", "team_id", "platform", "created_after", "created_before"];
    let page = Page::read(&c.query, &state.keys, "agents", c.account(), &names)?;
    let q = &page.query;
    let part = q.text("name_contains", 64)?.map(agents::folded);
    let statuses = q
        .list("status", Status::parse, Status::NAMES)?
        .unwrap_or_else(|| vec![Status::Active, Status::Paused, Status::Archived, Status::Ended]);
    let team = q.text("team_id", 64)?.map(str::to_ascii_uppercase);
    let platform = q.one_of(
        "platform",
        |text| fields::PLATFORMS.contains(&text).then(|| text.to_owned()),
        &fields::PLATFORMS,
    )?;
    let (after, before) = (q.instant("created_after")?, q.instant("created_before")?);
    if statuses.contains(&Status::Deleted) {
        c.need_role(Role::Admin)?;
    }
    let caller = c.caller();
    let mut agents: Vec<Agent> = state.store.load_all(Some(c.account()))?;
    agents.retain(|agent| {
        statuses.contains(&agent.status)
            && part.as_ref().is_none_or(|part| agents::folded(&agent.name).contains(part.as_str()))
            && team
                .as_ref()
                .is_none_or(|team| agent.team_id.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(team)))
            && platform.as_ref().is_none_or(|platform| agent.platform.as_ref() == Some(platform))
            && after.is_none_or(|at| agent.created_at >= at)
            && before.is_none_or(|at| agent.created_at < at)
            && caller.sees_team(agent.team_id.as_deref())
            && caller.reaches_agent(&agent.id)
            && page.after().is_none_or(|(at, id)| (agent.created_at, &agent.id) < (*at, id))
    });
    agents.truncate(page.limit + 1);
    let counts = state.store.day_counts(c.account(), time::now())?;
    let mut items = Vec::with_capacity(agents.len());
    for agent in &agents {
        let count = counts.get(&agent.id).copied().unwrap_or(0);
        items.push(((agent.created_at, agent.id.clone()), agents::list_item(state, agent, count)?));
    }
    let answer = page.answer(items, (None, 0), &state.keys, |(place, _)| place.clone(), |(_, item)| item);
    Ok(Reply::ok(&answer))
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    let include_deleted = c.query.flag("include_deleted")?;
    let id = c.id("agent_id", Prefix::Agent);
    let (agent, slot) = deletion::find(&c.state, c.caller(), id.as_deref())?;
    if slot.is_none() && !(include_deleted && c.caller().user.role >= Role::Admin) {
        return Err(ApiError::agent_not_found(id.as_deref()));
    }
    let body = json!({ "agent": agents::detail(&c.state, &agent, slot.as_deref())? });
    Ok(Reply::ok(&body).etag(agent.revision))
}

pub(super) fn update(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let precondition = c.precondition();
    let state = &c.state;
    if body.contains_key("team_id") {
        c.need_role(Role::Admin)?;
    }
    // Mistakes in the body are told before it is looked whether the agent is there, on an agent of nobody's.
    let mut trial = fields::blank(c.account(), "", 0);
    let wishes = fields::apply(state, &body, &mut trial, false)?;
    let slot = alive(c)?;
    let changing = state.agents.change();
    let before = slot.runtime().agent.clone();
    if !slot.is_alive() {
        return Err(ApiError::agent_not_found(Some(&slot.id)));
    }
    precondition.check(before.revision)?;
    let mut agent = before.clone();
    let mut events = Vec::new();
    // The state first: what a relaunch clears may be given anew.
    if let Some(status) = wishes.status.filter(|status| *status != before.status) {
        let action = Action::towards(before.status, status);
        let action = action.ok_or_else(|| invalid_transition(before.status))?;
        check_room(c, before.status)?;
        action.apply(&mut agent);
        events.push(c.caller().event(action.event()));
    }
    fields::apply(state, &body, &mut agent, false)?;
    agents::check_unique(state, &agent)?;
    let changed: Vec<&String> = wishes.given.iter().filter(|name| *name != "status").collect();
    if !changed.is_empty() {
        events.push(c.caller().event(EventKind::AgentUpdated).data("fields", json!(changed)));
    }
    if !events.is_empty() {
        state.audit.append(events.into_iter().map(|event| event.agent(&slot.id)).collect())?;
        agents::update(state, &slot, agent)?;
        status_changed(state, &slot, before.status);
    }
    drop(changing);
    let revision = slot.runtime().agent.revision;
    Ok(Reply::ok(&json!({ "agent": shown(c, &slot)? })).etag(revision))
}

/// What brings an agent from one state to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    Activate,
    Archive,
    End,
    Pause,
    Relaunch,
    Resume,
}

impl Action {
    /// States it leads from, and the one it leads to.
    fn path(self) -> (&'static [Status], Status) {
        match self {
            Self::Activate => (&[Status::Archived], Status::Active),
            Self::Archive => (&[Status::Active, Status::Paused], Status::Archived),
            Self::End => (&[Status::Active, Status::Paused, Status::Archived], Status::Ended),
            Self::Pause => (&[Status::Active], Status::Paused),
            Self::Relaunch => (&[Status::Ended], Status::Paused),
            Self::Resume => (&[Status::Paused], Status::Active),
        }
    }

    fn towards(from: Status, to: Status) -> Option<Self> {
        let all = [Self::Activate, Self::Archive, Self::End, Self::Pause, Self::Relaunch, Self::Resume];
        all.into_iter().find(|action| action.path().0.contains(&from) && action.path().1 == to)
    }

    fn event(self) -> EventKind {
        match self {
            Self::Activate => EventKind::AgentActivated,
            Self::Archive => EventKind::AgentArchived,
            Self::End => EventKind::AgentEnded,
            Self::Pause => EventKind::AgentPaused,
            Self::Relaunch => EventKind::AgentRelaunched,
            Self::Resume => EventKind::AgentResumed,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Activate => "Agent activated",
            Self::Archive => "Agent archived",
            Self::End => "Agent ended",
            Self::Pause => "Agent paused",
            Self::Relaunch => "Agent relaunched",
            Self::Resume => "Agent resumed",
        }
    }

    fn apply(self, agent: &mut Agent) {
        agent.status = self.path().1;
        match self {
            Self::Archive => agent.archived_at = Some(time::now()),
            Self::Activate => agent.archived_at = None,
            Self::End => agent.ended_at = Some(time::now()),
            Self::Relaunch => {
                agent.ended_at = None;
                agent.secrets.clear();
                agent.external_resources.clear();
            }
            Self::Pause | Self::Resume => {}
        }
    }
}

fn invalid_transition(from: Status) -> ApiError {
    let all = [Status::Active, Status::Paused, Status::Archived, Status::Ended];
    let allowed: Vec<&str> =
        all.into_iter().filter(|to| Action::towards(from, *to).is_some()).map(Status::as_str).collect();
    let message = format!("An agent that is {} cannot go there.", from.as_str());
    ApiError::new(Code::InvalidTransition, message.clone()).with("current_status", from.as_str()).with(
        "details",
        json!([{ "field": "status", "issue": "bad_value", "message": message, "allowed": allowed }]),
    )
}

/// An agent that counts already takes no further place.
fn check_room(c: &Context, from: Status) -> Result<()> {
    if from == Status::Archived { agents::check_limit(&c.state, c.account()) } else { Ok(()) }
}

fn act(c: &Context, action: Action) -> Result<Reply> {
    let body = c.object()?;
    Fields::new(&body, &[]).finish()?;
    c.begin()?;
    let slot = alive(c)?;
    transition(c, &slot, action, false)?;
    let message = action.message();
    let revision = slot.runtime().agent.revision;
    Ok(Reply::ok(&json!({ "message": message, "agent": shown(c, &slot)? })).etag(revision))
}

fn transition(c: &Context, slot: &Slot, action: Action, only_idle: bool) -> Result<()> {
    let state = &c.state;
    let _changing = state.agents.change();
    if !slot.is_alive() {
        return Err(ApiError::agent_not_found(Some(&slot.id)));
    }
    let mut agent = slot.runtime().agent.clone();
    let (from, to) = action.path();
    if agent.status == to && action != Action::Relaunch {
        return Ok(());
    }
    if !from.contains(&agent.status) {
        return Err(if action == Action::Relaunch {
            let message = "This agent can be relaunched only when its status is ended.";
            ApiError::new(Code::InvalidStatus, message)
                .with("current_status", agent.status.as_str())
                .with("currentStatus", agent.status.as_str())
                .with("required_status", json!(["ended"]))
        } else {
            invalid_transition(agent.status)
        });
    }
    if to != Status::Ended {
        check_room(c, agent.status)?;
    }
    // Counted under the lock that opening a session needs, and nothing opens until the state is set.
    let open = slot.open();
    if only_idle {
        deletion::check_active(
            "end",
            &slot.id,
            open.sessions.values().filter(|live| live.is_active(state)).count(),
        )?;
    }
    state.audit.append_one(c.caller().event(action.event()).agent(&slot.id))?;
    let before = agent.status;
    action.apply(&mut agent);
    agents::update(state, slot, agent)?;
    status_changed(state, slot, before);
    Ok(())
}

/// Tells who listens that an agent has come into another state, if it has.
fn status_changed(state: &State, slot: &Slot, before: Status) {
    let status = slot.runtime().agent.status;
    if status != before {
        let data = || json!({ "agent_id": slot.id, "status": status, "status_before": before });
        webhooks::emit(state, &slot.account_id, Event::AgentStatusChanged, data);
    }
}

pub(super) fn pause(c: &Context) -> Result<Reply> {
    act(c, Action::Pause)
}

pub(super) fn resume(c: &Context) -> Result<Reply> {
    act(c, Action::Resume)
}

pub(super) fn archive(c: &Context) -> Result<Reply> {
    act(c, Action::Archive)
}

pub(super) fn activate(c: &Context) -> Result<Reply> {
    act(c, Action::Activate)
}

pub(super) fn relaunch(c: &Context) -> Result<Reply> {
    act(c, Action::Relaunch)
}

pub(super) fn end(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["on_active"]);
    let on_active = f.one_of("on_active", OnActive::parse, OnActive::NAMES).unwrap_or(OnActive::Drain);
    f.finish()?;
    c.begin()?;
    let slot = alive(c)?;
    transition(c, &slot, Action::End, on_active == OnActive::Reject)?;
    if on_active == OnActive::Terminate {
        cut_off(c, &slot)?;
    }
    let revision = slot.runtime().agent.revision;
    Ok(Reply::ok(&json!({ "message": Action::End.message(), "agent": shown(c, &slot)? })).etag(revision))
}

fn cut_off(c: &Context, slot: &Slot) -> Result<usize> {
    let live: Vec<_> =
        slot.open().sessions.values().filter(|live| live.is_active(&c.state)).cloned().collect();
    for live in &live {
        sessions::terminate(&c.state, live, c.caller().event(EventKind::SessionTerminated))?;
    }
    Ok(live.len())
}

pub(super) fn terminate_calls(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["reason"]);
    f.line("reason", 0, 200);
    f.finish()?;
    c.begin()?;
    let slot = alive(c)?;
    Ok(Reply::ok(&json!({ "terminated": cut_off(c, &slot)? })))
}

pub(super) fn delete(c: &Context) -> Result<Reply> {
    let plan = Asked::read(&c.query)?.plan(&c.caller().account);
    let id = c.id("agent_id", Prefix::Agent);
    let done = deletion::delete(&c.state, c.caller(), id.as_deref(), &plan, &c.precondition())?;
    if plan.dry_run {
        return Ok(Reply::ok(&json!({ "would_delete": true, "plan": deletion::plan_json(&done) })));
    }
    let reply = if plan.with_message {
        let receipt = deletion::receipt(&done);
        Reply::ok(&json!({ "message": "Agent deleted successfully", "deletion": receipt }))
    } else {
        Reply::empty(204)
    };
    Ok(reply.named("masker-deletion-id", &done.id))
}

pub(super) fn restore(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["name"]);
    let name = f.line("name", 1, 64);
    f.finish()?;
    c.begin()?;
    let id = c.id("agent_id", Prefix::Agent);
    let (slot, lost) = deletion::restore(&c.state, c.caller(), id.as_deref(), name)?;
    let revision = slot.runtime().agent.revision;
    Ok(Reply::ok(&json!({ "agent": shown(c, &slot)?, "phone_numbers_lost": lost })).etag(revision))
}

pub(super) fn bulk_delete(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let known = ["ids", "filter", "profile", "mode", "on_active", "cleanup", "limit", "dry_run"];
    let mut f = Fields::new(&body, &known);
    let ids = f.texts("ids", 100).map(|ids| ids.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let asked = Asked {
        profile: f.one_of("profile", Profile::parse, Profile::NAMES),
        mode: f.one_of("mode", Mode::parse, Mode::NAMES),
        on_active: f.one_of("on_active", OnActive::parse, OnActive::NAMES),
        cleanup: f.one_of("cleanup", Cleanup::parse, Cleanup::NAMES),
        dry_run: f.flag("dry_run").unwrap_or(false),
        ..Asked::default()
    };
    let limit = f.number("limit", 1, 100).unwrap_or(100) as usize;
    let empty = Map::new();
    let filter = f.map("filter").unwrap_or(&empty);
    let mut inner = Fields::below(filter, "filter", &["status", "team_id", "ended_before"]);
    let statuses: Vec<Status> = inner
        .texts("status", 5)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|text| Status::parse(text).filter(|status| *status != Status::Deleted))
        .collect();
    if inner.value("status").and_then(Value::as_array).is_some_and(|given| given.len() != statuses.len()) {
        inner.fail("status", "bad_value", "States that are not deleted are needed.");
    }
    let team = inner.text("team_id").map(str::to_owned);
    let ended_before = inner.text("ended_before").map(time::parse_or_day);
    if ended_before == Some(None) {
        inner.fail("ended_before", "bad_format", "A timestamp or a day is needed.");
    }
    f.absorb(inner);
    if ids.is_some() && f.value("filter").is_some() {
        f.fail("filter", "conflicts_with", "Either ids or filter is needed, not both.");
    }
    if ids.as_ref().is_none_or(Vec::is_empty) && statuses.is_empty() {
        f.fail("ids", "missing", "ids or filter.status is needed.");
    }
    f.finish()?;
    c.begin()?;
    let caller = c.caller();
    let parse = |id: &str| ids::parse(Prefix::Agent, id);
    let mut ids = ids.unwrap_or_else(|| {
        let ended_before = ended_before.flatten();
        let is_meant = |agent: &Agent| {
            let in_team =
                |team: &String| agent.team_id.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(team));
            statuses.contains(&agent.status)
                && team.as_ref().is_none_or(in_team)
                && ended_before.is_none_or(|before| agent.ended_at.is_some_and(|at| at < before))
                && caller.reaches_agent(&agent.id)
        };
        let agents = c.state.agents.of_account(c.account());
        let meant = agents.iter().filter(|slot| is_meant(&slot.runtime().agent));
        meant.map(|slot| slot.id.clone()).collect()
    });
    // Oldest first, as their ids tell; what is none comes last.
    ids.sort_by_cached_key(|id| parse(id).map_or(i64::MAX, |id| ids::time_of(&id)));
    let plan = asked.plan(&caller.account);
    let remaining = ids.len().saturating_sub(limit);
    let (mut results, mut deleted) = (Vec::new(), 0);
    let none = Precondition::none();
    for id in ids.iter().take(limit) {
        let parsed = parse(id);
        let id = parsed.as_ref().unwrap_or(id);
        match deletion::delete(&c.state, caller, parsed.as_deref(), &plan, &none) {
            Ok(done) if plan.dry_run => {
                deleted += 1;
                results.push(json!({ "id": id, "success": true, "plan": deletion::plan_json(&done) }));
            }
            Ok(done) => {
                deleted += 1;
                results.push(json!({ "id": id, "success": true, "deletion_id": done.id }));
            }
            Err(error) => results.push(json!({ "id": id, "success": false, "error": error.summary() })),
        }
    }
    let failed = results.len() - deleted;
    Ok(Reply::ok(
        &json!({ "results": results, "deleted": deleted, "failed": failed, "remaining": remaining }),
    ))
}
