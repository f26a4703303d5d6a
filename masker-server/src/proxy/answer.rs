use std::time::Instant;

use axum::response::Response;
use masker_core::Kind;
use masker_core::payload::visit_chat;
use masker_core::policy::NonText;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::turn::{Outcome, Turn};
use super::upstream::unreadable;
use crate::error::Result;
use crate::http::Reply;

/// Restores a whole answer, writes the turn down, and answers the caller.
pub(super) fn restore(mut turn: Turn, text: &str) -> Result<Response> {
    let since = Instant::now();
    let restored = restore_text(&turn, text);
    turn.restored_for(since);
    let Some((json, mut outcome)) = restored else {
        turn.finish(Outcome { status: "error", error_code: Some("upstream_error"), ..Outcome::default() })?;
        return Err(unreadable());
    };
    if turn.keep_payloads {
        outcome.upstream_response = Some(text.to_owned());
        outcome.response = Some(json.clone());
    }
    let reply = Reply::bytes(200, "application/json", json)
        .named("masker-session-id", &turn.live.id)
        .named("masker-redactions", &turn.redactions.to_string());
    turn.finish(outcome)?;
    Ok(reply.into_response())
}

/// What has to be in an answer.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    choices: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
}

fn restore_text(turn: &Turn, text: &str) -> Option<(String, Outcome)> {
    let upstream: Answer<'_> = serde_json::from_str(text).ok()?;
    let restored = turn.conversation().rehydrate_chat(text).ok()?;
    let mut lost = reasons(restored.unknown, restored.foreign, restored.lost);
    let mut json = restored.json;
    // The walk is for what may hold a token, written plainly or escaped.
    if json.contains("MSK") || json.contains("\\u") {
        json = visit_chat::<masker_core::Error>(&json, NonText::Pass, |place| {
            Ok(unfinished(place.text).map(|(at, kind)| {
                lost.push(("truncated", kind.clone().unwrap_or(Kind::Id)));
                format!("{}{}", &place.text[..at], redacted(kind.as_ref()))
            }))
        })
        .ok()?;
    }
    if !turn.names.is_empty() {
        let mut value: Value = serde_json::from_str(&json).ok()?;
        for choice in value.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(message) = choice.get_mut("message") {
                rename(message, &turn.names);
            }
        }
        json = value.to_string();
    }
    let first = upstream.choices.first().and_then(|raw| serde_json::from_str::<Choice>(raw.get()).ok());
    let outcome = Outcome {
        status: "ok",
        finish_reason: first.and_then(|choice| choice.finish_reason),
        lost,
        returned: text.to_owned(),
        ..Outcome::default()
    };
    Some((json, outcome))
}

/// Puts function names back in a message or a delta; whether there was any.
pub(super) fn rename(message: &mut Value, names: &std::collections::HashMap<String, String>) -> bool {
    let mut changed = false;
    let mut put = |function: Option<&mut Value>| {
        if let Some(Value::String(name)) = function.and_then(|function| function.get_mut("name"))
            && let Some(original) = names.get(name)
        {
            name.clone_from(original);
            changed = true;
        }
    };
    if let Some(calls) = message.get_mut("tool_calls").and_then(Value::as_array_mut) {
        for call in calls {
            put(call.get_mut("function"));
        }
    }
    put(message.get_mut("function_call"));
    changed
}

/// Why tokens were lost: of a key that is here, or of none.
pub(super) fn reasons(unknown: usize, foreign: usize, lost: Vec<Kind>) -> Vec<(&'static str, Kind)> {
    let of =
        |i: usize| if foreign == 0 || unknown > 0 && i < unknown { "foreign_token" } else { "unknown_key" };
    lost.into_iter().enumerate().map(|(i, kind)| (of(i), kind)).collect()
}

/// What stands for a token that is not whole.
pub(super) fn redacted(kind: Option<&Kind>) -> String {
    kind.map_or_else(|| "[REDACTED]".to_owned(), masker_core::redacted)
}

/// Where a token begins that the end of the text cuts off, and its kind if that much of it is there.
pub(super) fn unfinished(text: &str) -> Option<(usize, Option<Kind>)> {
    let tail_start = text.len().saturating_sub(8300);
    let tail_start = (tail_start..text.len()).find(|at| text.is_char_boundary(*at))?;
    let tail = &text[tail_start..];
    let at = tail_start + tail.rfind("MSKV1.").or_else(|| tail.rfind("MSK1."))?;
    let token = &text[at..];
    let is_part = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
    let mut parts = token.split('.').skip(1);
    let kind = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let whole_body = if token.starts_with("MSKV1.") { 26 } else { 71 };
    // A token that is whole was restored or replaced before; what is left has too short a body.
    let is_cut = match rest.as_slice() {
        [] | [_] => true,
        [_, body] => body.len() < whole_body,
        _ => false,
    };
    if !is_part || !is_cut {
        return None;
    }
    let kind = if rest.is_empty() { None } else { kind.parse().ok() };
    Some((at, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_token_is_told_from_text() {
        assert_eq!(unfinished("call MSKV1.PHONE.K_HEALTHCARE.ABC"), Some((5, Some(Kind::Phone))));
        assert_eq!(unfinished("call MSKV1.PHONE"), Some((5, None)));
        assert_eq!(unfinished("call MSKV1."), Some((5, None)));
        assert_eq!(unfinished("MSK1.PHONE.K_A.AAAA"), Some((0, Some(Kind::Phone))));
        for text in ["", "call me", "MSKV1", "MSKV1.PHONE.K_A.ABC and more", "the prefix MSKV1. is ours"] {
            assert_eq!(unfinished(text), None, "{text}");
        }
        let whole = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
        assert_eq!(unfinished(whole), None);
    }
}
