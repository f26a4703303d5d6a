//! `masker synthesize`.

use std::collections::BTreeMap;

use masker_core::policy::Scheme;
use serde_json::json;

use super::{source, watched};
use crate::args;
use crate::config::Settings;
use crate::error::{Exit, Result};
use crate::setup::{self, KeyRules, Rows};
use crate::ui::Ui;

pub(crate) fn run(command: &args::Synthesize, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let mut policy = setup::policy(settings, ui)?.with_scheme(Scheme::Synthetic);
    if let Some(epsilon) = command.epsilon {
        policy = policy.with_epsilon(epsilon).map_err(|e| setup::bad_flag("--epsilon", &e))?;
    }
    let seed = command.seed.or(policy.seed());
    let rules = KeyRules { ephemeral: true, required: false, restoring: false };
    let masker = setup::masker(policy, rules, Rows::Nowhere, seed, ui)?;
    let text = source(&command.input, ui)?.read_text()?;
    let masked = watched(&text, "inventing", ui, || masker.mask(&text)).map_err(|e| setup::core_error(&e))?;
    if command.text_only {
        ui.print(&masked.text)?;
        return Ok(Exit::Success);
    }
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for event in masked.events.iter().filter(|e| e.action != masker_core::Action::Passthrough) {
        *by_kind.entry(event.kind.as_str()).or_default() += 1;
    }
    ui.print_json(&json!({
        "text": masked.text,
        "replacements": masked.redaction_count(),
        "replacements_by_kind": by_kind,
        "seeded": seed.is_some(),
    }))?;
    Ok(Exit::Success)
}
