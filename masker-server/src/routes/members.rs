//! Members, invitations and teams.

use axum::http::header;
use masker_core::audit::{AuditEvent, EventKind};
use serde_json::{Value, json};

use crate::auth::codes;
use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Page, Reply};
use crate::ids::{self, Prefix};
use crate::store::model::{ApiToken, Invitation, Role, Team, User};
use crate::store::{Change, Kind};
use crate::time::{self, DAY};

fn shown(user: &User) -> Value {
    json!({
        "id": user.id,
        "login": user.login,
        "name": user.name,
        "role": user.role,
        "team_ids": user.team_ids,
        "last_seen_at": user.last_seen_at.map(time::format),
    })
}

/// Rows of a record kind, page by page, newest first.
fn page_of<T: crate::store::Document>(
    c: &Context,
    name: &str,
    show: impl FnMut(T) -> Value,
) -> Result<Reply> {
    let page = Page::read(&c.query, &c.state.keys, name, c.account(), &[])?;
    let rows: Vec<T> = c.state.store.load_page(c.account(), None, page.after(), page.limit + 1)?;
    let place = |row: &T| {
        let (id, _, _, at) = row.place();
        (at, id.to_owned())
    };
    Ok(Reply::ok(&page.answer(rows, (None, 0), &c.state.keys, place, show)))
}

pub(super) fn list(c: &Context) -> Result<Reply> {
    page_of(c, "members", |user: User| shown(&user))
}

fn find(c: &Context) -> Result<User> {
    let found: Option<User> = match c.id("user_id", Prefix::User) {
        Some(id) => c.state.store.load(&id)?,
        None => None,
    };
    found
        .filter(|user| user.account_id == c.account())
        .ok_or_else(|| ApiError::new(Code::MemberNotFound, "There is no member with this id."))
}

/// Owners are owners' business.
fn check_rank(c: &Context, user: &User) -> Result<()> {
    if user.role == Role::Owner { c.need_role(Role::Owner) } else { Ok(()) }
}

/// Refuses to leave an account without an owner.
fn check_last_owner(c: &Context, user: &User) -> Result<()> {
    let users: Vec<User> = c.state.store.load_all(Some(c.account()))?;
    let others = users.iter().any(|other| other.role == Role::Owner && other.id != user.id);
    if user.role != Role::Owner || others {
        return Ok(());
    }
    Err(ApiError::new(Code::LastOwner, "An account keeps at least one owner."))
}

/// Ids of teams of the account.
fn teams(c: &Context, f: &mut Fields<'_>) -> Result<Option<Vec<String>>> {
    let Some(given) = f.texts("team_ids", 100) else { return Ok(None) };
    let mut teams = Vec::new();
    for team in given {
        let found =
            ids::parse(Prefix::Team, team).map(|id| c.state.store.load::<Team>(&id)).transpose()?.flatten();
        let found = found.filter(|team| team.account_id == c.account());
        teams.push(found.ok_or_else(team_not_found)?.id);
    }
    teams.sort();
    teams.dedup();
    Ok(Some(teams))
}

pub(super) fn update(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["role", "team_ids"]);
    let role = f.one_of("role", Role::parse, Role::NAMES);
    f.texts("team_ids", 100);
    f.finish()?;
    let _changing = c.state.agents.change();
    let mut user = find(c)?;
    check_rank(c, &user)?;
    let given = teams(c, &mut Fields::new(&body, &["role", "team_ids"]))?;
    let team_ids = given.or_else(|| body.contains_key("team_ids").then(Vec::new));
    if let Some(role) = role.filter(|role| *role != user.role) {
        if role == Role::Owner {
            c.need_role(Role::Owner)?;
        }
        check_last_owner(c, &user)?;
        let event = c.caller().event(EventKind::RoleChanged);
        let event = event.data("user_id", user.id.clone()).data("role", role.as_str());
        c.state.audit.append_one(event)?;
        user.role = role;
    }
    if let Some(team_ids) = team_ids.filter(|teams| *teams != user.team_ids) {
        let event = c.caller().event(EventKind::SettingsUpdated);
        c.state
            .audit
            .append_one(event.data("user_id", user.id.clone()).data("fields", json!(["team_ids"])))?;
        user.team_ids = team_ids;
    }
    c.state.store.save(&user)?;
    Ok(Reply::ok(&json!({ "member": shown(&user) })))
}

pub(super) fn remove(c: &Context) -> Result<Reply> {
    let _changing = c.state.agents.change();
    let user = find(c)?;
    check_rank(c, &user)?;
    check_last_owner(c, &user)?;
    c.state.audit.append_one(c.caller().event(EventKind::MemberRemoved).data("user_id", user.id.clone()))?;
    let tokens: Vec<ApiToken> = c.state.store.load_all(Some(c.account()))?;
    let mut changes: Vec<Change> = tokens
        .into_iter()
        .filter(|token| token.user_id == user.id)
        .map(|token| Change::Delete(Kind::Token, token.id))
        .collect();
    changes.push(Change::DeleteByKey(Kind::Cookie, user.id.clone()));
    changes.push(Change::Delete(Kind::User, user.id));
    c.state.store.write(changes)?;
    Ok(Reply::empty(204))
}

pub(super) fn login_code(c: &Context) -> Result<Reply> {
    Fields::new(&c.object()?, &[]).finish()?;
    let user = find(c)?;
    check_rank(c, &user)?;
    let event = c.caller().event(EventKind::SettingsUpdated);
    c.state.audit.append_one(event.data("user_id", user.id.clone()).data("fields", json!(["login_code"])))?;
    let (code, expires_at) = codes::make(&*c.state.store, &user, codes::CODE_LIFE)?;
    let url = format!("{}/login#code={code}", c.state.config.public_url);
    Ok(Reply::json(201, &json!({ "login_code": code, "url": url, "expires_at": time::format(expires_at) })))
}

fn invitation_json(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id,
        "login": invitation.login,
        "github_login": invitation.github_login,
        "role": invitation.role,
        "team_ids": invitation.team_ids,
        "created_at": time::format(invitation.created_at),
        "expires_at": time::format(invitation.expires_at),
    })
}

pub(super) fn invite(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let known = ["login", "github_login", "role", "team_ids", "expires_in_days"];
    let mut f = Fields::new(&body, &known);
    let login = |f: &mut Fields<'_>, name: &str| {
        let login = f.text(name).map(str::to_owned);
        if login.as_deref().is_some_and(|login| !codes::is_login(login)) {
            f.fail(name, "bad_format", "1 to 64 letters, digits, dots, hyphens and underscores are needed.");
        }
        login
    };
    let (local, github_login) = (login(&mut f, "login"), login(&mut f, "github_login"));
    let role = f.one_of("role", Role::parse, Role::NAMES).unwrap_or(Role::Member);
    let days = f.number("expires_in_days", 1, 90).unwrap_or(7);
    f.texts("team_ids", 100);
    if role == Role::Owner && c.caller().user.role < Role::Owner {
        f.fail("role", "bad_value", "Only an owner invites owners.");
    }
    f.finish()?;
    let team_ids = teams(c, &mut Fields::new(&body, &known))?.unwrap_or_default();
    let code = crypto::new_code();
    let now = time::now();
    let invitation = Invitation {
        id: ids::new(Prefix::Invitation),
        account_id: c.account().to_owned(),
        hash: codes::hash(&code),
        login: local,
        github_login,
        role,
        team_ids,
        created_at: now,
        expires_at: now + days * DAY,
    };
    let event = c.caller().event(EventKind::InvitationCreated);
    c.state
        .audit
        .append_one(event.data("invitation_id", invitation.id.clone()).data("role", role.as_str()))?;
    c.state.store.save(&invitation)?;
    let mut value = invitation_json(&invitation);
    value["url"] = format!("{}/login#invitation={code}", c.state.config.public_url).into();
    Ok(Reply::json(201, &json!({ "invitation": value })))
}

pub(super) fn invitations(c: &Context) -> Result<Reply> {
    page_of(c, "invitations", |invitation: Invitation| invitation_json(&invitation))
}

pub(super) fn withdraw(c: &Context) -> Result<Reply> {
    let found: Option<Invitation> = match c.id("invitation_id", Prefix::Invitation) {
        Some(id) => c.state.store.load(&id)?,
        None => None,
    };
    let found = found.filter(|invitation| invitation.account_id == c.account());
    let Some(invitation) = found else {
        return Err(ApiError::new(Code::InvitationNotFound, "There is no invitation with this id."));
    };
    c.state.store.write(vec![Change::Delete(Kind::Invitation, invitation.id)])?;
    Ok(Reply::empty(204))
}

pub(super) fn accept(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["code", "login", "name"]);
    f.require("code");
    let code = f.line("code", 1, 256).unwrap_or_default();
    let wish = f.text("login").map(str::to_owned);
    if wish.as_deref().is_some_and(|login| !codes::is_login(login)) {
        f.fail("login", "bad_format", "1 to 64 letters, digits, dots, hyphens and underscores are needed.");
    }
    let name = f.line("name", 1, 200);
    f.finish()?;
    let invitation: Option<Invitation> = c.state.store.take_one(&codes::hash(&code))?;
    let invitation = invitation.filter(|invitation| invitation.expires_at > time::now());
    let Some(invitation) = invitation else { return Err(codes::invalid_code()) };
    let user = match join(c, &invitation, wish, name) {
        Ok(user) => user,
        Err(error) => {
            // Nobody has joined, so it stays open.
            c.state.store.save(&invitation)?;
            return Err(error);
        }
    };
    c.state.store.save(&user)?;
    super::auth::sign_in(c, &user, "invitation")
}

/// The member that an invitation was for, in the log and yet to be stored.
pub(super) fn join(
    c: &Context,
    invitation: &Invitation,
    login: Option<String>,
    name: Option<String>,
) -> Result<User> {
    let user = User {
        id: ids::new(Prefix::User),
        account_id: invitation.account_id.clone(),
        login: invitation.login.clone().or(login).unwrap_or_else(|| "member".to_owned()),
        github_login: None,
        github_id: None,
        name,
        email: None,
        avatar_url: None,
        role: invitation.role,
        instance_admin: false,
        team_ids: invitation.team_ids.clone(),
        created_at: time::now(),
        last_seen_at: None,
    };
    let event = AuditEvent::new(EventKind::MemberAdded, &user.account_id)
        .actor("user", &user.id)
        .data("user_id", user.id.clone())
        .data("role", user.role.as_str());
    c.state.audit.append_one(event)?;
    Ok(user)
}

fn team_not_found() -> ApiError {
    ApiError::new(Code::TeamNotFound, "There is no team with this id.")
}

fn team_json(c: &Context, team: &Team) -> Result<Value> {
    let users: Vec<User> = c.state.store.load_all(Some(c.account()))?;
    let members = users.iter().filter(|user| user.team_ids.contains(&team.id)).count();
    let agents = c.state.agents.of_account(c.account());
    let agents = agents.iter().filter(|slot| slot.runtime().agent.team_id.as_ref() == Some(&team.id)).count();
    Ok(json!({
        "id": team.id,
        "name": team.name,
        "member_count": members,
        "agent_count": agents,
        "created_at": time::format(team.created_at),
    }))
}

fn find_team(c: &Context) -> Result<Team> {
    let found: Option<Team> = match c.id("team_id", Prefix::Team) {
        Some(id) => c.state.store.load(&id)?,
        None => None,
    };
    found.filter(|team| team.account_id == c.account()).ok_or_else(team_not_found)
}

fn team_name(c: &Context) -> Result<String> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["name"]);
    f.require("name");
    let name = f.line("name", 1, 64).unwrap_or_default();
    f.finish()?;
    Ok(name)
}

fn check_team_name(c: &Context, name: &str, own: Option<&str>) -> Result<()> {
    let teams: Vec<Team> = c.state.store.load_all(Some(c.account()))?;
    let folded = crate::agents::folded(name);
    if teams.iter().any(|team| Some(team.id.as_str()) != own && crate::agents::folded(&team.name) == folded) {
        return Err(ApiError::new(Code::NameTaken, "Another team of this account has the name."));
    }
    Ok(())
}

pub(super) fn team_list(c: &Context) -> Result<Reply> {
    page_of(c, "teams", |team: Team| team_json(c, &team).unwrap_or_default())
}

pub(super) fn team_create(c: &Context) -> Result<Reply> {
    let name = team_name(c)?;
    c.begin()?;
    let _changing = c.state.agents.change();
    check_team_name(c, &name, None)?;
    let team = Team {
        id: ids::new(Prefix::Team),
        account_id: c.account().to_owned(),
        name,
        created_at: time::now(),
    };
    let event = c.caller().event(EventKind::SettingsUpdated);
    c.state.audit.append_one(event.data("team_id", team.id.clone()).data("fields", json!(["team"])))?;
    c.state.store.save(&team)?;
    let reply = Reply::json(201, &json!({ "team": team_json(c, &team)? }));
    Ok(reply.with(header::LOCATION, &format!("/api/v1/teams/{}", team.id)))
}

pub(super) fn team_get(c: &Context) -> Result<Reply> {
    Ok(Reply::ok(&json!({ "team": team_json(c, &find_team(c)?)? })))
}

pub(super) fn team_update(c: &Context) -> Result<Reply> {
    let name = team_name(c)?;
    let _changing = c.state.agents.change();
    let mut team = find_team(c)?;
    check_team_name(c, &name, Some(&team.id))?;
    let event = c.caller().event(EventKind::SettingsUpdated);
    c.state.audit.append_one(event.data("team_id", team.id.clone()).data("fields", json!(["name"])))?;
    team.name = name;
    c.state.store.save(&team)?;
    Ok(Reply::ok(&json!({ "team": team_json(c, &team)? })))
}

pub(super) fn team_delete(c: &Context) -> Result<Reply> {
    let wish = c.query.text("reassign_to", 64)?;
    let to = match wish {
        None | Some("none") => None,
        Some(text) => {
            let bad = || ApiError::field("reassign_to", "bad_value", "The id of a team, or none, is needed.");
            Some(ids::parse(Prefix::Team, text).ok_or_else(bad)?)
        }
    };
    let state = &c.state;
    let _changing = state.agents.change();
    let team = find_team(c)?;
    if let Some(to) = &to {
        let target: Option<Team> = state.store.load(to)?;
        target.filter(|t| t.account_id == c.account() && t.id != team.id).ok_or_else(team_not_found)?;
    }
    let agents = state.agents.of_account(c.account());
    let agents: Vec<_> =
        agents.into_iter().filter(|slot| slot.runtime().agent.team_id.as_ref() == Some(&team.id)).collect();
    if !agents.is_empty() && wish.is_none() {
        let message = "Agents belong to this team; say where they go with reassign_to.";
        return Err(ApiError::new(Code::TeamInUse, message).with("current", agents.len()));
    }
    let event = c.caller().event(EventKind::SettingsUpdated);
    state.audit.append_one(event.data("team_id", team.id.clone()).data("fields", json!(["team"])))?;
    for slot in agents {
        let mut agent = slot.runtime().agent.clone();
        agent.team_id.clone_from(&to);
        crate::agents::update(state, &slot, agent)?;
    }
    let users: Vec<User> = state.store.load_all(Some(c.account()))?;
    let mut changes: Vec<Change> = users
        .into_iter()
        .filter(|user| user.team_ids.contains(&team.id))
        .map(|mut user| {
            user.team_ids.retain(|id| *id != team.id);
            Change::put(&user)
        })
        .collect();
    changes.push(Change::Delete(Kind::Team, team.id));
    state.store.write(changes)?;
    Ok(Reply::empty(204))
}
