//! `masker agents`.

use std::fs;

use serde_json::{Map, Value, json};

use crate::args::{AgentsCommand, AgentsCreate, AgentsDelete, AgentsId};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::remote::{Listing, Remote, segment};
use crate::ui::{Table, Ui};

pub(crate) fn run(command: &AgentsCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let act = |id: &AgentsId, action: &str| -> Result<Exit> {
        let remote = Remote::open(settings, ui, id.auth.token_file.as_deref())?;
        let answer = remote.post(&format!("/api/v1/agents/{}/{action}", segment(&id.id)), &json!({}))?;
        ui.print_json(&answer)?;
        Ok(Exit::Success)
    };
    match command {
        AgentsCommand::List(wish) => {
            let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
            let listing = Listing::new("/api/v1/agents")
                .filter("status", wish.status.as_ref())
                .filter("name_contains", wish.name_contains.as_ref());
            let rows = remote.list(&listing, wish.limit)?;
            print_rows(ui, &rows, wish.jsonl, &["id", "name", "status", "upstream", "policy_name"])
        }
        AgentsCommand::Create(wish) => create(wish, ui, settings),
        AgentsCommand::Show(id) => {
            let remote = Remote::open(settings, ui, id.auth.token_file.as_deref())?;
            let answer = remote.get(&format!("/api/v1/agents/{}", segment(&id.id)))?;
            ui.print_json(&answer["agent"])?;
            Ok(Exit::Success)
        }
        AgentsCommand::Delete(wish) => delete(wish, ui, settings),
        AgentsCommand::Pause(id) => act(id, "pause"),
        AgentsCommand::Resume(id) => act(id, "resume"),
        AgentsCommand::Archive(id) => act(id, "archive"),
        AgentsCommand::Activate(id) => act(id, "activate"),
        AgentsCommand::End(id) => act(id, "end"),
        AgentsCommand::Relaunch(id) => act(id, "relaunch"),
        AgentsCommand::Restore(id) => act(id, "restore"),
        AgentsCommand::TerminateCalls(id) => act(id, "terminate-calls"),
        AgentsCommand::Cleanup(wish) => {
            let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
            let mut body = json!({ "filter": { "status": wish.status.split(',').collect::<Vec<_>>() }, "dry_run": wish.dry_run });
            if let Some(profile) = wish.profile {
                body["profile"] = profile.as_str().into();
            }
            if !wish.dry_run
                && !wish.yes
                && !ui.confirm(&format!("Delete every agent that is {}?", wish.status))?
            {
                return Ok(Exit::Success);
            }
            let answer = remote.post("/api/v1/agents/bulk-delete", &body)?;
            ui.print_json(&answer)?;
            Ok(if answer["failed"] == 0 { Exit::Success } else { Exit::Refused })
        }
    }
}

/// Rows as a table for people, as JSON or lines of it for programs.
pub(super) fn print_rows(ui: &Ui, rows: &[Value], jsonl: bool, columns: &[&str]) -> Result<Exit> {
    if jsonl {
        ui.print(&rows.iter().map(|row| format!("{row}\n")).collect::<String>())?;
    } else if ui.wants_table() {
        let mut table = Table::new(columns);
        for row in rows {
            table.row(columns.iter().map(|column| match &row[*column] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            }));
        }
        ui.print(&table.render(ui.color()))?;
    } else {
        ui.print_json(&rows)?;
    }
    Ok(Exit::Success)
}

fn create(wish: &AgentsCreate, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
    let mut body = Map::new();
    body.insert("name".to_owned(), wish.name.clone().into());
    body.insert("upstream".to_owned(), wish.upstream.clone().into());
    if let Some(scheme) = &wish.tokenization {
        body.insert("tokenization".to_owned(), scheme.clone().into());
    }
    if let Some(name) = &wish.policy_name {
        body.insert("policy_name".to_owned(), name.clone().into());
    }
    if let Some(path) = &wish.policy_file {
        let text = fs::read_to_string(path).map_err(|e| CliError::file("read policy", path, &e))?;
        body.insert("policy_yaml".to_owned(), text.into());
    }
    let agent = remote.post("/api/v1/agents", &Value::Object(body))?["agent"].take();
    if ui.wants_table() {
        let line = |name: &str| format!("{name:12} {}\n", agent[name].as_str().unwrap_or_default());
        ui.print(&["id", "proxy_url", "webhook_url"].map(line).concat())?;
    } else {
        ui.print_json(&agent)?;
    }
    Ok(Exit::Success)
}

fn delete(wish: &AgentsDelete, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
    let path = format!("/api/v1/agents/{}", segment(&wish.id));
    if !wish.yes && !wish.dry_run {
        let agent = remote.get(&path)?;
        let name = agent["agent"]["name"].as_str().unwrap_or_default().to_owned();
        if !ui.confirm_name(&format!("Type the agent's name ({name}) to delete it:"), &name)? {
            return Err(CliError::refused("nothing was deleted").code("not_confirmed"));
        }
    }
    let mut query: Vec<(&str, String)> = Vec::new();
    if let Some(profile) = wish.profile {
        query.push(("profile", profile.as_str().to_owned()));
    }
    if let Some(mode) = wish.mode {
        query.push(("mode", mode.as_str().to_owned()));
    }
    if let Some(on_active) = wish.on_active {
        query.push(("on_active", on_active.as_str().to_owned()));
    }
    query.extend(wish.require_status.as_ref().map(|status| ("require_status", status.clone())));
    if wish.dry_run {
        query.push(("dry_run", "true".to_owned()));
    }
    let answer = remote.delete(&path, &query)?;
    if answer.is_null() {
        ui.remark("deleted");
    } else {
        ui.print_json(&answer)?;
    }
    Ok(Exit::Success)
}
