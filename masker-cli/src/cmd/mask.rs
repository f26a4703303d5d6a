//! `masker mask`.

use std::sync::atomic::{AtomicU64, Ordering};

use masker_core::payload::visit_chat;
use masker_core::policy::Surface;
use masker_core::{Masker, OffsetUnit};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{answer_lines, format, source, watched};
use crate::answer;
use crate::args::{self, Format};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io::Source;
use crate::jsonl::Answer;
use crate::setup::{self, KeyRules, Rows};
use crate::ui::Ui;

pub(crate) fn run(command: &args::Mask, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let mut policy = setup::with_passes(setup::policy(settings, ui)?, &command.passes)?;
    if let Some(scheme) = command.scheme {
        policy = policy.with_scheme(setup::scheme(scheme));
    }
    if policy.surface() == Surface::Alias {
        return Err(CliError::policy("the policy says surface: alias, and aliases live in a conversation")
            .code("alias_needs_conversation")
            .hint("use surface: token for masking on the command line"));
    }
    let source = source(&command.input, ui)?;
    let format = format(&command.shape, &source)?;
    let rules = KeyRules {
        ephemeral: command.ephemeral_key,
        required: command.strict_keys || command.vault.is_some(),
        restoring: false,
    };
    let rows = command.vault.as_deref().map_or(Rows::Nowhere, Rows::File);
    let masker = setup::masker(policy, rules, rows, command.seed, ui)?;
    let unit = setup::unit(command.shape.offsets);
    let count = match format {
        Format::Text => text(command, &masker, &source, unit, ui)?,
        Format::Chat => messages(command, &masker, &source, unit, ui)?,
        Format::Jsonl => lines(command, &masker, &source, unit, ui)?,
    };
    if count == 0 && command.require_match {
        return Err(CliError::refused("nothing was replaced").code("no_match"));
    }
    Ok(Exit::Success)
}

fn text(command: &args::Mask, masker: &Masker, source: &Source, unit: OffsetUnit, ui: &Ui) -> Result<u64> {
    let text = source.read_text()?;
    let masked = watched(&text, "masking", ui, || masker.mask(&text)).map_err(|e| setup::core_error(&e))?;
    if command.text_only {
        ui.print(&masked.text)?;
    } else {
        ui.print_json(&document(
            masker,
            masked.text.as_str(),
            &answer::events(&text, &masked.events, unit, None),
            masked.redaction_count(),
        ))?;
    }
    Ok(masked.redaction_count() as u64)
}

fn messages(
    command: &args::Mask,
    masker: &Masker,
    source: &Source,
    unit: OffsetUnit,
    ui: &Ui,
) -> Result<u64> {
    let text = source.read_text()?;
    let (mut events, mut count) = (Vec::new(), 0);
    let request = watched(&text, "masking", ui, || {
        visit_chat(&text, masker.policy().non_text(), |place| -> Result<_> {
            let masked = match place.label {
                Some(label) => masker.mask_field(label, place.text),
                None => masker.mask(place.text),
            }?;
            events.extend(answer::events(place.text, &masked.events, unit, Some(place.path)));
            count += masked.redaction_count();
            Ok(Some(masked.text))
        })
    })?;
    if command.text_only {
        ui.print(&format!("{}\n", request.trim_end()))?;
    } else {
        // As it was written: a number that was read and written again can change its form.
        let request = RawValue::from_string(request).expect("a masked request is JSON");
        ui.print_json(&document(masker, &request, &events, count))?;
    }
    Ok(count as u64)
}

fn lines(command: &args::Mask, masker: &Masker, source: &Source, unit: OffsetUnit, ui: &Ui) -> Result<u64> {
    let count = AtomicU64::new(0);
    let work = |text: &str| {
        let masked = masker.mask(text).map_err(|e| setup::core_error(&e))?;
        count.fetch_add(masked.redaction_count() as u64, Ordering::Relaxed);
        if command.text_only {
            return Ok(Answer::Bare(masked.text));
        }
        Ok(Answer::Members(LineMasked {
            events: answer::events(text, &masked.events, unit, None),
            redaction_count: masked.redaction_count(),
            masked: masked.text,
        }))
    };
    answer_lines(source, &command.shape.lines, ui, &work)?;
    Ok(count.into_inner())
}

#[derive(Serialize)]
struct LineMasked {
    masked: String,
    events: Vec<Value>,
    redaction_count: usize,
}

#[derive(Serialize)]
struct Document<'a, M: ?Sized> {
    masked: &'a M,
    events: &'a [Value],
    redaction_count: usize,
    policy_name: &'a str,
    policy_version: u32,
}

fn document<'a, M: Serialize + ?Sized>(
    masker: &'a Masker,
    masked: &'a M,
    events: &'a [Value],
    redaction_count: usize,
) -> Document<'a, M> {
    Document {
        masked,
        events,
        redaction_count,
        policy_name: masker.policy().name(),
        policy_version: masker.policy().version(),
    }
}
