//! `masker replay`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use masker_core::{Action, Masker, OffsetUnit, Pass, Role};
use serde_json::{Value, json};

use crate::answer;
use crate::args;
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io::{Source, write_output};
use crate::setup::{self, KeyRules, Rows};
use crate::transcript::{self, Form, Turn};
use crate::ui::{Table, Ui};

const AUDIO: [&str; 14] =
    ["aac", "aif", "aiff", "amr", "flac", "m4a", "mp3", "mp4", "oga", "ogg", "opus", "wav", "webm", "wma"];

pub(crate) fn run(command: &args::Replay, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let source = Source::from_arg(Some(&command.input));
    if command.asr_provider.is_some() || AUDIO.iter().any(|ending| source.has_ending(ending)) {
        return Err(CliError::refused(
            "speech recognition is out of scope: masker reads transcripts, not audio",
        )
        .code("audio_not_supported")
        .hint("transcribe the call first and give the .json, .vtt, .srt or .txt file"));
    }
    let text = source.read_text()?;
    let turns = transcript::parse(&text, form(&source, &text), command.diarize)?;
    let policy = setup::policy(settings, ui)?;
    let masker = setup::masker(
        policy,
        KeyRules { ephemeral: false, required: false, restoring: false },
        Rows::Memory,
        None,
        ui,
    )?;
    let output = command.output.as_deref().unwrap_or(Path::new("-"));
    if command.stream {
        write_output(output, |out| {
            let mut out = BufWriter::new(out);
            let totals =
                replay(&masker, &turns, command.diarize, ui, &mut |turn| write_line(&mut out, turn))?;
            write_line(&mut out, &totals)
        })?;
        return Ok(Exit::Success);
    }
    let mut list = Vec::with_capacity(turns.len());
    let totals = replay(&masker, &turns, command.diarize, ui, &mut |turn| {
        list.push(turn.clone());
        Ok(())
    })?;
    if command.output.is_none() && ui.wants_table() {
        ui.print(&table(&list, &totals, ui.color()))?;
        return Ok(Exit::Success);
    }
    let document = json!({
        "turns": list,
        "totals": totals["totals"],
        "policy_name": masker.policy().name(),
        "policy_version": masker.policy().version(),
    });
    match &command.output {
        Some(path) if path.as_path() != Path::new("-") => {
            write_output(path, |out| write_line(out, &document))?;
        }
        _ => ui.print_json(&document)?,
    }
    Ok(Exit::Success)
}

fn form(source: &Source, text: &str) -> Form {
    if source.has_ending("json") {
        Form::Messages
    } else if source.has_ending("vtt") || source.has_ending("srt") || text.starts_with("WEBVTT") {
        Form::Cues
    } else {
        Form::Lines
    }
}

fn write_line(out: &mut dyn Write, value: &Value) -> Result<()> {
    let mut line = value.to_string();
    line.push('\n');
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(|e| CliError::stdout(&e))
}

/// Sends every turn through one conversation as a proxy would: the whole history with each request, a stub that echoes what it
/// was sent, and the echo restored on its way back. Gives each turn to `each` and answers the totals.
fn replay(
    masker: &Masker,
    turns: &[Turn],
    diarize: bool,
    ui: &Ui,
    each: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<Value> {
    let speakers =
        masker.policy().speakers().filter(|_| diarize && masker.policy().pass(Pass::Diarize).is_some());
    // Only a role that the policy leaves out goes unmasked; somebody unknown never does.
    let is_masked = |turn: &Turn| match (speakers, &turn.speaker) {
        (Some(masked), Some(role)) if !role.starts_with("speaker_") => {
            masked.iter().any(|m| m.eq_ignore_ascii_case(role))
        }
        _ => true,
    };
    let conversation = masker.conversation("replay");
    let mut history: Vec<(Role, &str)> = Vec::with_capacity(turns.len());
    let mut totals = Totals::default();
    let progress = ui.progress(Some(turns.iter().map(|t| t.text.len() as u64).sum()));
    for (index, turn) in turns.iter().enumerate() {
        let mut answer = json!({ "turn": index + 1 });
        if let Some(speaker) = &turn.speaker {
            answer["speaker"] = speaker.as_str().into();
        }
        if let Some(start) = turn.start_ms {
            answer["start_ms"] = start.into();
        }
        let mut sent = turn.text.clone();
        let (mut events, mut redactions) = (Vec::new(), 0);
        let failed = |error| setup::core_error(&error).at(&format!("turn {}", index + 1));
        let role = role(turn.speaker.as_deref());
        history.push((role, turn.text.as_str()));
        let arrived = Instant::now();
        // What goes unmasked is listened to all the same: a question throws light on its answer.
        let masked = conversation.mask_turn(role, &turn.text).map_err(failed)?;
        if is_masked(turn) {
            let took = arrived.elapsed();
            totals.mask += took;
            answer["mask_us"] = micros(took);
            events = answer::events(&turn.text, &masked.events, OffsetUnit::Byte, None);
            redactions = masked.redaction_count();
            for event in masked.events.iter().filter(|e| e.action != Action::Passthrough) {
                *totals.by_kind.entry(event.kind.to_string()).or_default() += 1;
            }
            sent = masked.text;
        }
        if role != Role::Assistant {
            conversation.mask_history(&history).map_err(failed)?;
            let took = arrived.elapsed();
            totals.requests += 1;
            totals.request = totals.request.max(took);
            answer["request_us"] = micros(took);
            let reply = format!("Echo: {sent}");
            let started = Instant::now();
            let restored = conversation.rehydrate(&reply).map_err(failed)?;
            let took = started.elapsed();
            totals.rehydrate += took;
            totals.restored += restored.restored;
            answer["rehydrate_us"] = micros(took);
            answer["restored"] = restored.restored.into();
        }
        totals.redactions += redactions;
        totals.characters += turn.text.chars().count();
        answer["masked"] = sent.into();
        answer["events"] = events.into();
        answer["redaction_count"] = redactions.into();
        each(&answer)?;
        progress.inc(turn.text.len() as u64);
    }
    progress.finish_and_clear();
    Ok(totals.to_json(turns.len()))
}

/// Who says something to the upstream, or is the upstream.
fn role(speaker: Option<&str>) -> Role {
    match speaker {
        Some("assistant" | "agent" | "bot") => Role::Assistant,
        Some("developer" | "system") => Role::System,
        Some("tool") => Role::Tool,
        _ => Role::User,
    }
}

fn micros(time: Duration) -> Value {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).into()
}

#[derive(Default)]
struct Totals {
    requests: usize,
    redactions: usize,
    restored: usize,
    characters: usize,
    by_kind: BTreeMap<String, u64>,
    mask: Duration,
    rehydrate: Duration,
    /// The slowest request.
    request: Duration,
}

impl Totals {
    fn to_json(&self, turns: usize) -> Value {
        json!({ "totals": {
            "turns": turns,
            "requests": self.requests,
            "characters": self.characters,
            "redaction_count": self.redactions,
            "redactions_by_kind": self.by_kind,
            "restored": self.restored,
            "mask_us": micros(self.mask),
            "rehydrate_us": micros(self.rehydrate),
            "slowest_request_us": micros(self.request),
        }})
    }
}

fn table(turns: &[Value], totals: &Value, color: bool) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut table = Table::new(&["TURN", "SPEAKER", "REDACTIONS", "MASK_US", "REQUEST_US", "MASKED"]);
    for turn in turns {
        table.row(
            ["turn", "speaker", "redaction_count", "mask_us", "request_us", "masked"]
                .map(|key| cell(&turn[key])),
        );
    }
    let totals = &totals["totals"];
    let kinds = totals["redactions_by_kind"].as_object().into_iter().flatten();
    let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{kind} {count}")).collect();
    format!(
        "{}\n{} turns, {} redactions ({}), {} restored, masking took {} us\n",
        table.render(color),
        totals["turns"],
        totals["redaction_count"],
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") },
        totals["restored"],
        totals["mask_us"],
    )
}
