//! `masker tokens`.

use serde_json::json;

use super::agents::print_rows;
use crate::args::TokensCommand;
use crate::config::Settings;
use crate::error::{Exit, Result};
use crate::remote::{Listing, Remote, segment};
use crate::ui::Ui;

pub(crate) fn run(command: &TokensCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        TokensCommand::Create(wish) => {
            let remote = Remote::open(settings, ui, wish.auth.token_file.as_deref())?;
            let body =
                json!({ "name": wish.name, "scopes": wish.scopes, "expires_in_days": wish.expires_in_days });
            let made = remote.post("/api/v1/tokens", &body)?;
            ui.remark("this secret is shown once; keep it somewhere safe");
            ui.print(&format!("{}\n", made["secret"].as_str().unwrap_or_default()))?;
        }
        TokensCommand::List(auth) => {
            let remote = Remote::open(settings, ui, auth.token_file.as_deref())?;
            let rows = remote.list(&Listing::new("/api/v1/tokens"), None)?;
            return print_rows(
                ui,
                &rows,
                false,
                &["id", "name", "prefix", "created_at", "expires_at", "last_used_at"],
            );
        }
        TokensCommand::Revoke(id) => {
            let remote = Remote::open(settings, ui, id.auth.token_file.as_deref())?;
            remote.delete(&format!("/api/v1/tokens/{}", segment(&id.id)), &[])?;
            ui.remark("revoked");
        }
    }
    Ok(Exit::Success)
}
