//! `masker rehydrate`.

use masker_core::{Kid, Marker, Masker, find_markers};

use super::{source, watched};
use crate::args;
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::setup::{self, KeyRules, Rows};
use crate::ui::Ui;

pub(crate) fn run(command: &args::Rehydrate, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let policy = setup::policy(settings, ui)?;
    let kid: Kid = policy.kid().parse().expect("a policy's key ids are checked on loading");
    setup::require_key(&kid)?;
    if let Some(path) = &command.vault {
        // Reading must not leave an empty vault behind where the name was mistyped.
        setup::existing_vault(path)?;
    }
    let rules = KeyRules { ephemeral: false, required: true, restoring: true };
    let rows = command.vault.as_deref().map_or(Rows::Nowhere, Rows::File);
    let masker = setup::masker(policy, rules, rows, None, ui)?;
    let text = source(&command.input, ui)?.read_text()?;
    let restored =
        watched(&text, "restoring", ui, || masker.rehydrate(&text)).map_err(|e| setup::core_error(&e))?;
    ui.print(&restored.text)?;
    if restored.unknown + restored.foreign + restored.ambiguous == 0 {
        return Ok(Exit::Success);
    }
    let lost = lost_tokens(&masker, &text)?;
    for line in &lost {
        ui.warn(line);
    }
    if command.strict && !lost.is_empty() {
        let tokens = if lost.len() == 1 { "1 token".to_owned() } else { format!("{} tokens", lost.len()) };
        return Err(CliError::refused(format!("{tokens} could not be restored")).code("not_restored"));
    }
    Ok(Exit::Success)
}

/// Names the tokens that do not open, by place, kind and key: a body never goes into a message.
fn lost_tokens(masker: &Masker, text: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for found in find_markers(text) {
        let Marker::Token(token) = &found.marker else { continue };
        let alone = masker.rehydrate(token.text()).map_err(|e| setup::core_error(&e))?;
        if alone.restored == 0 {
            lines.push(format!(
                "byte {}: the {} token under {} was not restored",
                found.span.start,
                token.kind(),
                token.kid()
            ));
        }
    }
    Ok(lines)
}
