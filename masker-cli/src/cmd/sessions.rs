//! `masker sessions`.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use serde_json::{Value, json};

use super::agents::print_rows;
use crate::args::{SessionsCommand, SessionsTail};
use crate::config::Settings;
use crate::error::{Exit, Result};
use crate::remote::{Listing, Remote, segment};
use crate::ui::Ui;

/// How long to wait before a stream that broke is taken up again.
const PAUSE: Duration = Duration::from_secs(2);

pub(crate) fn run(command: &SessionsCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        SessionsCommand::List(wish) => {
            let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
            let listing = Listing::new("/api/v1/sessions")
                .filter("agent_id", wish.agent.as_ref())
                .filter("since", wish.since.as_ref())
                .filter("status", wish.status.as_ref())
                .filter("min_redactions", wish.min_redactions);
            let rows = remote.list(&listing, wish.limit)?;
            let columns = ["id", "agent_name", "started_at", "status", "duration_ms", "redaction_count"];
            print_rows(ui, &rows, wish.jsonl, &columns)
        }
        SessionsCommand::Show(id) => {
            let remote = Remote::open(settings, ui, id.auth.token_file.as_deref())?;
            ui.print_json(&remote.get(&format!("/api/v1/sessions/{}", segment(&id.id)))?["session"])?;
            Ok(Exit::Success)
        }
        SessionsCommand::Tail(wish) => tail(wish, ui, settings),
        SessionsCommand::Terminate(id) => {
            let remote = Remote::open(settings, ui, id.auth.token_file.as_deref())?;
            let path = format!("/api/v1/sessions/{}/terminate", segment(&id.id));
            ui.print_json(&remote.post(&path, &json!({}))?)?;
            Ok(Exit::Success)
        }
    }
}

/// One line for each session that ends, until the user has seen enough. A connection that breaks is taken up again where it was.
fn tail(wish: &SessionsTail, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
    let query: Vec<(&str, String)> = wish.agent.iter().map(|agent| ("agent_id", agent.clone())).collect();
    let mut last: Option<String> = None;
    let mut connected = false;
    loop {
        let response = match remote.stream("/api/v1/sessions/stream", &query, last.as_deref()) {
            Ok(response) => response,
            // Once it has worked, a server that is away for a while is waited for.
            Err(error) if connected && error.exit == Exit::Unreachable => {
                std::thread::sleep(PAUSE);
                continue;
            }
            Err(error) => return Err(error),
        };
        connected = true;
        for line in BufReader::new(response).lines() {
            let Ok(line) = line else { break };
            if let Some(id) = line.strip_prefix("id: ") {
                last = Some(id.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ")
                && let Ok(session) = serde_json::from_str::<Value>(data)
            {
                ui.print(&format!("{session}\n"))?;
            }
        }
        ui.note("the connection broke; connecting again");
        std::thread::sleep(PAUSE);
    }
}
