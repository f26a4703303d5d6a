//! `/api/v1/policies`

use std::sync::Arc;

use axum::http::header;
use masker_core::Policy;
use masker_core::audit::{AuditEvent, EventKind};
use serde_json::{Value, json};

use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Page, Reply};
use crate::policies::{self, Loaded};
use crate::state::State;
use crate::store::model::PolicySource;
use crate::time;

fn users(c: &Context, name: &str) -> Vec<String> {
    let agents = c.state.agents.of_account(c.account());
    let mut ids: Vec<String> = agents
        .iter()
        .filter(|slot| slot.runtime().agent.policy == PolicySource::Named(name.to_owned()))
        .map(|slot| slot.id.clone())
        .collect();
    ids.sort();
    ids
}

fn shown(c: &Context, loaded: &Loaded) -> Value {
    json!({
        "name": loaded.name,
        "version": loaded.revision,
        "schema_version": loaded.policy.version(),
        "sha256": loaded.sha256,
        "description": loaded.policy.description(),
        "passes": loaded.policy.passes().iter().map(|pass| pass.pass.as_str()).collect::<Vec<_>>(),
        "tokenization": loaded.policy.scheme().as_str(),
        "source": if loaded.is_file { "file" } else { "api" },
        "active": true,
        "used_by_agents": users(c, &loaded.name).len(),
        "updated_at": time::format(loaded.updated_at),
    })
}

fn whole(c: &Context, loaded: &Loaded) -> Result<Value> {
    let mut value = shown(c, loaded);
    value["yaml"] = loaded.yaml.clone().into();
    value["parsed"] = serde_json::to_value(&loaded.policy).map_err(|error| ApiError::internal(&error))?;
    Ok(value)
}

fn find(c: &Context) -> Result<Arc<Loaded>> {
    let found = c.state.policies.find(c.account(), c.param("name"));
    found.ok_or_else(|| ApiError::new(Code::PolicyNotFound, "There is no policy of this name."))
}

/// By name.
pub(super) fn list(c: &Context) -> Result<Reply> {
    let keys = &c.state.keys;
    let page = Page::read(&c.query, keys, "policies", c.account(), &[])?;
    let mut all = c.state.policies.all(c.account());
    all.retain(|loaded| page.after().is_none_or(|(_, name)| loaded.name > *name));
    let place = |loaded: &Arc<Loaded>| (0, loaded.name.clone());
    Ok(Reply::ok(&page.answer(all, (None, 0), keys, place, |loaded| shown(c, &loaded))))
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    let version = match c.query.get("version") {
        Some(_) => Some(c.query.number("version", 1, 1, 1_000_000_000)?),
        None => None,
    };
    let loaded = find(c)?;
    let Some(version) = version.filter(|version| *version != loaded.revision) else {
        return Ok(Reply::ok(&json!({ "policy": whole(c, &loaded)? })).etag(loaded.revision as u64));
    };
    let old = c.state.policies.revision(c.account(), &loaded.name, version, &*c.state.store)?;
    let old = old.ok_or_else(|| ApiError::new(Code::PolicyNotFound, "There is no such revision."))?;
    let policy = Policy::from_yaml(&old.yaml).map_err(|errors| ApiError::internal(&errors))?;
    let old = Loaded {
        name: old.name,
        revision: old.revision,
        sha256: old.sha256,
        yaml: old.yaml,
        policy,
        is_file: loaded.is_file,
        updated_at: old.created_at,
    };
    let mut value = whole(c, &old)?;
    value["active"] = false.into();
    Ok(Reply::ok(&json!({ "policy": value })).etag(version as u64))
}

fn read_yaml(c: &Context) -> Result<String> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["yaml"]);
    f.require("yaml");
    let yaml = f.text("yaml").unwrap_or_default().to_owned();
    f.finish()?;
    Ok(yaml)
}

fn checked(c: &Context, yaml: &str) -> Result<Policy> {
    policies::check(yaml, &c.state.config.keys, c.state.config.retention.payload_days)
        .map_err(|errors| ApiError::policy_invalid(&errors))
}

pub(super) fn put(c: &Context) -> Result<Reply> {
    let yaml = read_yaml(c)?;
    let policy = checked(c, &yaml)?;
    let state = &c.state;
    let name = c.param("name");
    if policy.name() != name {
        return Err(ApiError::field(
            "yaml",
            "conflicts_with",
            "The policy's name is not the one in the path.",
        ));
    }
    let _changing = state.agents.change();
    let before = state.policies.find(c.account(), name);
    if before.as_ref().is_some_and(|before| before.is_file) {
        return Err(read_only());
    }
    match &before {
        Some(before) => c.precondition().check(before.revision as u64)?,
        None => c.precondition().check_absent()?,
    }
    let unchanged = before.as_ref().is_some_and(|before| before.yaml == yaml);
    if !unchanged {
        let kind = if before.is_some() { EventKind::PolicyUpdated } else { EventKind::PolicyCreated };
        let event = c
            .caller()
            .event(kind)
            .data("policy_name", name)
            .data("policy_version", before.as_ref().map_or(1, |before| before.revision + 1))
            .data("sha256", crate::crypto::sha256_hex(yaml.as_bytes()));
        state.audit.append_one(event)?;
    }
    let (loaded, changed) = state.policies.put(c.account(), name, &yaml, policy, &*state.store)?;
    if changed {
        let account = c.account().to_owned();
        state.agents.refresh(state, |agent| {
            agent.account_id == account && agent.policy == PolicySource::Named(name.to_owned())
        })?;
    }
    let status = if before.is_some() { 200 } else { 201 };
    let reply = Reply::json(status, &json!({ "policy": whole(c, &loaded)? })).etag(loaded.revision as u64);
    Ok(if status == 201 { reply.with(header::LOCATION, &format!("/api/v1/policies/{name}")) } else { reply })
}

fn read_only() -> ApiError {
    ApiError::new(Code::PolicyReadOnly, "This policy comes from a file or is built in; it changes there.")
}

pub(super) fn delete(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let _changing = state.agents.change();
    let loaded = find(c)?;
    if loaded.is_file {
        return Err(read_only());
    }
    c.precondition().check(loaded.revision as u64)?;
    let users = users(c, &loaded.name);
    if !users.is_empty() {
        return Err(ApiError::new(Code::PolicyInUse, "Agents use this policy.").with("agents", users));
    }
    let event = c
        .caller()
        .event(EventKind::PolicyDeleted)
        .data("policy_name", loaded.name.clone())
        .data("policy_version", loaded.revision)
        .data("sha256", loaded.sha256.clone());
    state.audit.append_one(event)?;
    state.policies.remove(c.account(), &loaded.name, &*state.store)?;
    Ok(Reply::empty(204))
}

pub(super) fn validate(c: &Context) -> Result<Reply> {
    let yaml = read_yaml(c)?;
    c.begin()?;
    let checked = policies::check(&yaml, &c.state.config.keys, c.state.config.retention.payload_days);
    let (errors, notices) = match &checked {
        Ok(policy) => (json!([]), policy.notices()),
        Err(errors) => (json!(errors), errors.notices()),
    };
    let (notes, warnings): (Vec<_>, Vec<_>) = notices.iter().partition(|notice| notice.is_note());
    let body = json!({ "valid": checked.is_ok(), "errors": errors, "warnings": warnings, "notes": notes });
    Ok(Reply::ok(&body))
}

pub(super) fn diff(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["a", "b"]);
    let mut sides = Vec::new();
    for side in ["a", "b"] {
        f.require(side);
        let Some(members) = f.map(side) else { continue };
        let mut inner = Fields::below(members, side, &["name", "yaml"]);
        let (name, yaml) = (inner.text("name").map(str::to_owned), inner.text("yaml").map(str::to_owned));
        if name.is_some() == yaml.is_some() {
            inner.fail("name", "conflicts_with", "Exactly one of name and yaml is needed.");
        }
        f.absorb(inner);
        sides.push((name, yaml));
    }
    f.finish()?;
    c.begin()?;
    let mut policies = Vec::new();
    for (name, yaml) in sides {
        policies.push(match (name, yaml) {
            (_, Some(yaml)) => checked(c, &yaml)?,
            (name, None) => {
                let found = c.state.policies.find(c.account(), &name.unwrap_or_default());
                let found = found
                    .ok_or_else(|| ApiError::new(Code::PolicyNotFound, "There is no policy of this name."))?;
                found.policy.clone()
            }
        });
    }
    Ok(Reply::ok(&json!(policies[0].diff(&policies[1]))))
}

pub(super) fn reload(c: &Context) -> Result<Reply> {
    Fields::new(&c.object()?, &[]).finish()?;
    c.begin()?;
    let state = &c.state;
    let changed = reload_now(state, |kind| c.caller().event(kind))?;
    let reloaded: Vec<Value> = changed
        .iter()
        .map(|(loaded, changed)| json!({ "name": loaded.name, "version": loaded.revision, "changed": changed }))
        .collect();
    let warnings: Vec<Value> = changed
        .iter()
        .flat_map(|(loaded, _)| {
            let name = loaded.name.clone();
            loaded.policy.notices().iter().filter(|notice| !notice.is_note()).map(move |notice| {
                json!({ "policy": name, "code": notice.code, "path": notice.path, "message": notice.message })
            })
        })
        .collect();
    Ok(Reply::ok(&json!({ "reloaded": reloaded, "warnings": warnings })))
}

/// Reads the files again; agents use what they hold from here on. The audit log has it first, in events that `event` begins. Gives the
/// policies with whether each changed.
pub(crate) fn reload_now(
    state: &State,
    event: impl Fn(EventKind) -> AuditEvent,
) -> Result<Vec<(Arc<Loaded>, bool)>> {
    let log = |changed: &[(Arc<Loaded>, bool)]| {
        let reloaded = |loaded: &Loaded| {
            event(EventKind::PolicyReloaded)
                .data("policy_name", loaded.name.clone())
                .data("policy_version", loaded.revision)
                .data("sha256", loaded.sha256.clone())
        };
        let events = changed.iter().filter(|(_, changed)| *changed).map(|(loaded, _)| reloaded(loaded));
        state.audit.append(events.collect()).map(drop)
    };
    let _changing = state.agents.change();
    let changed = match state.policies.reload(&state.config, &*state.store, log) {
        Ok(changed) => changed,
        Err(error) => {
            let failed = event(EventKind::PolicyReloadFailed).data("code", error.code().as_str());
            state.audit.append_one(failed)?;
            return Err(error);
        }
    };
    state.agents.refresh(state, |agent| matches!(agent.policy, PolicySource::Named(_)))?;
    Ok(changed)
}
