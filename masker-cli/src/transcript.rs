//! Reads transcripts: lists of messages, WebVTT, SubRip, and `Speaker: text` lines.

use std::collections::HashMap;

use serde_json::Value;

use crate::error::{CliError, Result};

/// One turn of a conversation.
#[derive(Debug, PartialEq)]
pub(crate) struct Turn {
    /// A role, or `speaker_1` and so on in order of appearance: a label can be a person's name and is never shown.
    pub(crate) speaker: Option<String>,
    pub(crate) text: String,
    /// Where the transcript says so, milliseconds from its start.
    pub(crate) start_ms: Option<u64>,
}

/// How a transcript is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Messages,
    Cues,
    Lines,
}

/// Labels that say what somebody is, not who.
const ROLES: [&str; 27] = [
    "agent",
    "assistant",
    "bot",
    "caller",
    "caregiver",
    "clinician",
    "customer",
    "developer",
    "doctor",
    "dr",
    "human",
    "ivr",
    "member",
    "nurse",
    "operator",
    "parent",
    "patient",
    "pharmacist",
    "provider",
    "receptionist",
    "representative",
    "rep",
    "scheduler",
    "system",
    "tool",
    "user",
    "voicemail",
];

/// The turns of a transcript. With `diarize`, speakers are taken from roles and prefixes.
///
/// # Errors
///
/// When the text does not have the form. Messages name lines, never text.
pub(crate) fn parse(text: &str, form: Form, diarize: bool) -> Result<Vec<Turn>> {
    let mut speakers = Speakers { diarize, seen: HashMap::new() };
    let turns = match form {
        Form::Messages => messages(text, &mut speakers)?,
        Form::Cues => cues(text, &mut speakers)?,
        Form::Lines => lines(text, &mut speakers),
    };
    if turns.is_empty() {
        return Err(CliError::failure("the transcript has no turns")
            .hint("expected: .json with messages, .vtt, .srt, or `Speaker: text` lines"));
    }
    Ok(turns)
}

struct Speakers {
    diarize: bool,
    seen: HashMap<String, usize>,
}

impl Speakers {
    fn name(&mut self, label: &str) -> Option<String> {
        if !self.diarize {
            return None;
        }
        let label = label.trim().to_lowercase();
        if label.is_empty() {
            return None;
        }
        if ROLES.contains(&label.as_str()) {
            return Some(label);
        }
        let next = self.seen.len() + 1;
        Some(format!("speaker_{}", self.seen.entry(label).or_insert(next)))
    }

    /// Splits `Speaker: text`. Without diarization the whole line is text.
    fn split<'t>(&mut self, line: &'t str) -> (Option<String>, &'t str) {
        if self.diarize
            && let Some((label, rest)) = line.split_once(':')
            && is_label(label)
            && (rest.is_empty() || rest.starts_with([' ', '\t']))
        {
            return (self.name(label), rest.trim());
        }
        (None, line)
    }
}

/// Whether the words before a colon name a speaker rather than start a sentence: one word, or up to four that each start with
/// a capital or a digit.
fn is_label(label: &str) -> bool {
    let words: Vec<&str> = label.split_whitespace().collect();
    let plain = |w: &&str| {
        w.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '\'' | '’' | '-' | '_' | '(' | ')'))
    };
    let capital = |w: &&str| w.starts_with(|c: char| c.is_uppercase() || c.is_numeric() || c == '(');
    match words.len() {
        1 => label.chars().count() <= 40 && words.iter().all(plain),
        2..=4 => {
            label.chars().count() <= 60
                && words.iter().all(plain)
                && (words.iter().all(capital) || words[0].eq_ignore_ascii_case("speaker"))
        }
        _ => false,
    }
}

fn messages(text: &str, speakers: &mut Speakers) -> Result<Vec<Turn>> {
    let value: Value = serde_json::from_str(text).map_err(|e| {
        CliError::failure(format!("the transcript is not JSON: line {}, column {}", e.line(), e.column()))
    })?;
    let list = match &value {
        Value::Array(list) => list,
        Value::Object(members) => ["messages", "turns", "transcript"]
            .iter()
            .find_map(|key| members.get(*key).and_then(Value::as_array))
            .ok_or_else(|| CliError::failure("the transcript has no list of messages"))?,
        _ => return Err(CliError::failure("the transcript has no list of messages")),
    };
    let mut turns = Vec::new();
    for (index, message) in list.iter().enumerate() {
        let bad = || CliError::failure(format!("message {index} has no text content"));
        let member = |names: [&str; 2]| names.iter().find_map(|name| message.get(*name));
        let text = match member(["content", "text"]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                let texts: Option<Vec<&str>> =
                    parts.iter().map(|p| p.as_str().or_else(|| p.get("text")?.as_str())).collect();
                texts.ok_or_else(bad)?.join("\n")
            }
            // A message that only calls tools says nothing.
            Some(Value::Null) | None if message.get("tool_calls").is_some() => continue,
            _ => return Err(bad()),
        };
        let speaker =
            member(["role", "speaker"]).and_then(Value::as_str).and_then(|label| speakers.name(label));
        turns.push(Turn { speaker, text, start_ms: None });
    }
    Ok(turns)
}

/// WebVTT and SubRip: blocks between blank lines, each with a line of times.
fn cues(text: &str, speakers: &mut Speakers) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut index = 0;
    while index < lines.len() {
        let block_start = index;
        let block: Vec<&str> = lines[index..].iter().take_while(|l| !l.trim().is_empty()).copied().collect();
        index += block.len().max(1);
        let Some(first) = block.first() else { continue };
        let is_header = block_start == 0 && first.starts_with("WEBVTT");
        let is_comment = ["NOTE", "STYLE", "REGION"].iter().any(|word| {
            first.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        });
        let timing = block.iter().take(2).position(|l| l.contains("-->"));
        let Some(timing) = timing else {
            if is_header || is_comment {
                continue;
            }
            return Err(CliError::failure(format!("line {}: a cue without times", block_start + 1)));
        };
        let start_ms = block[timing].split("-->").next().and_then(milliseconds);
        let Some(start_ms) = start_ms else {
            return Err(CliError::failure(format!(
                "line {}: the times of the cue cannot be read",
                block_start + timing + 1
            )));
        };
        let mut label = None;
        let payload: Vec<String> =
            block[timing + 1..].iter().map(|line| strip_tags(line, &mut label)).collect();
        let payload = payload.join("\n");
        let (prefix, said) = speakers.split(payload.trim());
        let said = said.to_owned();
        if said.is_empty() {
            continue;
        }
        let speaker = label.and_then(|l| speakers.name(&l)).or(prefix);
        turns.push(Turn { speaker, text: said, start_ms: Some(start_ms) });
    }
    Ok(turns)
}

/// `01:02:03.456`, `02:03.456`, and SubRip's comma.
fn milliseconds(text: &str) -> Option<u64> {
    let (clock, fraction) = text.trim().split_once(['.', ','])?;
    let mut seconds = 0_u64;
    for part in clock.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    if fraction.len() != 3 {
        return None;
    }
    seconds.checked_mul(1000)?.checked_add(fraction.parse().ok()?)
}

/// The line without markup; `<v Ann Reed>` names the speaker. An angle bracket that opens no tag is text.
fn strip_tags(line: &str, label: &mut Option<String>) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let tag = rest[open + 1..].split_once('>').filter(|(tag, _)| {
            tag.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphanumeric()) && !tag.contains('<')
        });
        let Some((tag, after)) = tag else {
            text.push('<');
            rest = &rest[open + 1..];
            continue;
        };
        if let Some((voice, name)) = tag.split_once([' ', '\t'])
            && (voice == "v" || voice.starts_with("v."))
        {
            *label = Some(name.to_owned());
        }
        rest = after;
    }
    text.push_str(rest);
    // Entities would hide letters and spaces from detection. The ampersand comes last, so that nothing is read twice.
    for (entity, plain) in
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u{a0}"), ("&lrm;", ""), ("&rlm;", ""), ("&amp;", "&")]
    {
        if text.contains(entity) {
            text = text.replace(entity, plain);
        }
    }
    text
}

fn lines(text: &str, speakers: &mut Speakers) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (speaker, said) = speakers.split(line);
        match turns.last_mut() {
            // A line without a speaker goes on with what the last one said.
            Some(last) if speaker.is_none() && last.speaker.is_some() => {
                if !last.text.is_empty() {
                    last.text.push('\n');
                }
                last.text.push_str(said);
            }
            _ => turns.push(Turn { speaker, text: said.to_owned(), start_ms: None }),
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(speaker: Option<&str>, text: &str, start_ms: Option<u64>) -> Turn {
        Turn { speaker: speaker.map(str::to_owned), text: text.to_owned(), start_ms }
    }

    #[test]
    fn lines_with_speakers_continue_until_the_next_speaker() {
        let text = "Agent: how can I help?\nAnn Reed: hi\nmy number is: 5\n\ncaller: at 10:30\nAnn Reed: bye";
        assert_eq!(
            parse(text, Form::Lines, true).unwrap(),
            [
                turn(Some("agent"), "how can I help?", None),
                turn(Some("speaker_1"), "hi\nmy number is: 5", None),
                turn(Some("caller"), "at 10:30", None),
                turn(Some("speaker_1"), "bye", None),
            ]
        );
        assert_eq!(parse("Agent: hi\n", Form::Lines, false).unwrap(), [turn(None, "Agent: hi", None)]);
    }

    #[test]
    fn vtt_and_srt_have_times_and_voices() {
        let vtt = "WEBVTT - x\n\nNOTE a comment\nwith two lines\n\nintro\n00:01.500 --> 00:02.000 align:start\n<v.loud Ann Reed>hello <b>there</b>\n1 < 2 &amp;lt;\n\n01:00:00.000 --> 01:00:01.000\nCaller: yes";
        assert_eq!(
            parse(vtt, Form::Cues, true).unwrap(),
            [
                turn(Some("speaker_1"), "hello there\n1 < 2 &lt;", Some(1500)),
                turn(Some("caller"), "yes", Some(3_600_000))
            ]
        );
        let srt = "1\r\n00:00:01,000 --> 00:00:02,000\r\nhello\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nyes\r\n";
        assert_eq!(
            parse(srt, Form::Cues, true).unwrap(),
            [turn(None, "hello", Some(1000)), turn(None, "yes", Some(3000))]
        );
    }

    #[test]
    fn a_cue_that_cannot_be_read_is_an_error_not_a_loss() {
        let error = parse("WEBVTT\n\n00:01.000 --> 00:02.000\na\n\nsecret words\n", Form::Cues, true)
            .unwrap_err()
            .render();
        assert!(error.contains("line 6") && !error.contains("secret"), "{error}");
        assert!(parse("soon --> later\nx", Form::Cues, true).is_err());
    }

    #[test]
    fn messages_come_as_list_or_request() {
        let text = r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": []},
            {"speaker": "Ann Reed", "text": "yes"}, {"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}]}"#;
        assert_eq!(
            parse(text, Form::Messages, true).unwrap(),
            [
                turn(Some("user"), "hi", None),
                turn(Some("speaker_1"), "yes", None),
                turn(Some("user"), "a\nb", None)
            ]
        );
        for text in [
            "{}",
            "5",
            "[]",
            "[{\"role\": \"user\"}]",
            "[{\"content\": [{\"type\": \"image_url\"}]}]",
            "[",
            "",
        ] {
            assert!(parse(text, Form::Messages, true).is_err(), "{text}");
        }
    }
}
