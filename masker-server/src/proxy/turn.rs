use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use masker_core::payload::visit_chat;
use masker_core::policy::NonText;
use masker_core::{Action, Conversation, Error, Kid, Kind, Marker, PayloadEvent, TokenKind, find_markers};
use serde::Serialize;

use crate::agents::Runtime;
use crate::error::Result;
use crate::routes::text::{confidence, token_kind};
use crate::sessions::{Live, TurnRecord};
use crate::state::State;
use crate::store::EventRow;
use crate::store::model::Turn as TurnJson;
use crate::time;

/// One request on its way, from masking to the end of its answer. However it ends, it is written down once.
pub(crate) struct Turn {
    pub(super) state: Arc<State>,
    pub(super) live: Arc<Live>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) number: i64,
    pub(super) request_id: String,
    pub(super) received: Instant,
    pub(super) started_at: i64,
    pub(super) wants_stream: bool,
    /// The words of the answer are JSON.
    pub(super) json_answer: bool,
    pub(super) include_usage: bool,
    /// The request as it goes upstream.
    pub(super) masked: String,
    pub(super) events: Vec<Masked>,
    pub(super) redactions: i64,
    /// Function names that go upstream under another, by that one.
    pub(super) names: HashMap<String, String>,
    pub(super) key: Option<String>,
    pub(super) stub: Option<super::stub::Options>,
    /// The request as it came, where payloads are kept.
    pub(super) original: Option<String>,
    pub(super) keep_payloads: bool,
    pub(super) stages_us: [u64; 4],
    pub(super) upstream_since: Option<Instant>,
    pub(super) upstream_status: Option<u16>,
    pub(super) done: bool,
    /// It was given to a thread that may wait, and is not given on once more.
    pub(super) given_up: bool,
}

/// An event of masking with its audit id and the token that stands for it, where that can be told.
pub(crate) struct Masked {
    pub(super) event: PayloadEvent,
    pub(super) event_id: String,
    pub(super) token: Option<String>,
}

/// How a turn ended.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(super) status: &'static str,
    pub(super) error_code: Option<&'static str>,
    pub(super) finish_reason: Option<String>,
    /// Tokens that came back and could not be restored.
    pub(super) lost: Vec<(&'static str, Kind)>,
    /// The words that came back, before restoring.
    pub(super) returned: String,
    pub(super) upstream_response: Option<String>,
    pub(super) response: Option<String>,
}

/// An event as a session shows it.
#[derive(Serialize)]
struct EventDoc<'a> {
    event_id: &'a str,
    turn: i64,
    pass: &'a str,
    recognizer: &'a str,
    entity_kind: &'a str,
    path: &'a str,
    span: [usize; 2],
    confidence: Option<f64>,
    action: &'a str,
    token_kind: Option<&'a str>,
    kid: Option<&'a str>,
    rehydrated: Option<bool>,
}

impl Turn {
    pub(super) fn conversation(&self) -> &Conversation {
        &self.live.conversation
    }

    /// Notes that upstream has said all it will.
    pub(super) fn upstream_done(&mut self) {
        if let Some(since) = self.upstream_since.take() {
            self.stages_us[2] += since.elapsed().as_micros() as u64;
        }
    }

    /// Notes time spent restoring.
    pub(super) fn restored_for(&mut self, since: Instant) {
        self.stages_us[3] += since.elapsed().as_micros() as u64;
    }

    /// Writes the turn down. It may wait for the disk.
    ///
    /// # Errors
    ///
    /// When it could not be: the caller gets this in the place of the end of the answer.
    pub(super) fn finish(mut self, outcome: Outcome) -> Result<()> {
        self.write(outcome)
    }

    fn write(&mut self, outcome: Outcome) -> Result<()> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(());
        }
        self.upstream_done();
        let total = self.received.elapsed();
        let upstream_us = self.stages_us[2];
        let all_restored = outcome.lost.is_empty();
        let mut events = std::mem::take(&mut self.events);
        let returned =
            Returned::new(&outcome.returned, events.iter().filter_map(|masked| masked.token.as_deref()));
        events.sort_by(|a, b| {
            (&a.event.path, a.event.event.span.start).cmp(&(&b.event.path, b.event.event.span.start))
        });
        let rows =
            events.into_iter().map(|masked| self.event_row(&masked, &returned, all_restored)).collect();
        let status = match outcome.status {
            "ok" if !outcome.lost.is_empty() => "partial",
            status => status,
        };
        let mut payloads = Vec::new();
        if self.keep_payloads {
            payloads.extend(self.original.take().map(|text| ("request", text)));
            payloads.push(("masked", self.masked.clone()));
            payloads.extend(outcome.upstream_response.map(|text| ("upstream_response", text)));
            if self.runtime.policy.log_payloads().as_str() == "true" {
                payloads.extend(outcome.response.map(|text| ("response", text)));
            }
        }
        let record = TurnRecord {
            number: self.number,
            turn: TurnJson {
                turn: self.number,
                started_at: time::format(self.started_at),
                duration_ms: total.as_millis() as i64,
                status: status.to_owned(),
                upstream_status: self.upstream_status,
                stream: self.wants_stream,
                redaction_count: self.redactions,
                finish_reason: outcome.finish_reason,
                request_id: self.request_id.clone(),
            },
            events: rows,
            stages_us: self.stages_us,
            overhead_us: (total.as_micros() as u64).saturating_sub(upstream_us) as i64,
            payloads,
            error_code: outcome.error_code,
            lost: outcome.lost,
        };
        self.state.metrics.staged(&self.stages_us, total);
        self.live.leave();
        let written = self.live.finished(&self.state, record);
        if let Err(error) = &written {
            tracing::error!(
                request_id = self.request_id,
                reason = error.message(),
                "a turn was not written down"
            );
        }
        written
    }

    /// Whether a token that came back was restored; nothing where it did not come back.
    fn rehydrated(&self, token: Option<&str>, returned: &Returned, all_restored: bool) -> Option<bool> {
        let token = token.filter(|token| returned.has(token))?;
        // Asked once more where something was lost, which is seldom: what was lost is told by its kind alone.
        let is_restored = || self.conversation().rehydrate(token).is_ok_and(|again| again.restored == 1);
        Some(all_restored || is_restored())
    }

    fn event_row(&self, masked: &Masked, returned: &Returned, all_restored: bool) -> EventRow {
        let event = &masked.event.event;
        let doc = EventDoc {
            event_id: &masked.event_id,
            turn: self.number,
            pass: event.pass.as_str(),
            recognizer: &event.recognizer,
            entity_kind: event.kind.as_str(),
            path: &masked.event.path,
            span: [event.span.start, event.span.end],
            confidence: confidence(event.confidence),
            action: event.action.as_str(),
            token_kind: token_kind(event.token_kind),
            kid: event.kid.as_ref().map(Kid::as_str),
            rehydrated: self.rehydrated(masked.token.as_deref(), returned, all_restored),
        };
        EventRow {
            turn: self.number,
            kind: event.kind.as_str().to_owned(),
            pass: event.pass.as_str(),
            doc: json_of(&doc),
        }
    }
}

impl Drop for Turn {
    /// A turn that is dropped was given up by its caller.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let outcome =
            Outcome { status: "partial", error_code: Some("client_disconnected"), ..Outcome::default() };
        // The row may wait for the disk, which the executor must not; outside of one there is nobody to keep waiting. An
        // executor that ends takes no more work and drops it, and the turn comes here again.
        if self.given_up || tokio::runtime::Handle::try_current().is_err() {
            // Nobody is left to be told.
            let _ = self.write(outcome);
            return;
        }
        let turn = Turn {
            state: self.state.clone(),
            live: self.live.clone(),
            runtime: self.runtime.clone(),
            request_id: std::mem::take(&mut self.request_id),
            masked: std::mem::take(&mut self.masked),
            events: std::mem::take(&mut self.events),
            names: std::mem::take(&mut self.names),
            key: None,
            stub: None,
            original: self.original.take(),
            upstream_since: self.upstream_since.take(),
            given_up: true,
            ..*self
        };
        self.done = true;
        tokio::task::spawn_blocking(move || turn.finish(outcome));
    }
}

fn json_of(doc: &EventDoc<'_>) -> String {
    // As long as they come, or the text would grow several times.
    let mut json = Vec::with_capacity(512);
    serde_json::to_writer(&mut json, doc).expect("an event is texts and numbers");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// Of the tokens and aliases that stand for events those that came back.
struct Returned(HashSet<String>);

impl Returned {
    /// Looks for all of them at once: there may be as many as the text is long.
    fn new<'t>(text: &str, tokens: impl Iterator<Item = &'t str>) -> Self {
        let (aliases, tokens): (HashSet<&str>, HashSet<&str>) =
            tokens.partition(|token| token.starts_with('['));
        let mut back = HashSet::new();
        if !tokens.is_empty() {
            back.extend(durable_tokens(text).filter(|token| tokens.contains(token.as_str())));
        }
        if aliases.is_empty() {
            return Self(back);
        }
        // Aliases are matched however they are written.
        let wanted: HashMap<String, &str> = aliases.iter().map(|alias| (squash(alias), *alias)).collect();
        let lengths: BTreeSet<usize> = wanted.keys().map(String::len).collect();
        let words = squash(text);
        let is_digit = |at: usize| words.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        // Every alias ends in a number, and a digit behind it would make it another.
        for end in (1..=words.len()).filter(|end| is_digit(end - 1) && !is_digit(*end)) {
            let found = lengths.iter().take_while(|length| **length <= end);
            back.extend(
                found
                    .filter_map(|length| wanted.get(&words[end - length..end]))
                    .map(|alias| (*alias).to_owned()),
            );
        }
        Self(back)
    }

    fn has(&self, token: &str) -> bool {
        self.0.contains(token)
    }
}

/// What has the form of a durable token, in capitals, whatever stands around it: the text may be JSON.
fn durable_tokens(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("MSK").filter_map(|(at, _)| {
        let token = &text[at..];
        let longest = if token.starts_with("MSKV1.") {
            26
        } else if token.starts_with("MSK1.") {
            8_192
        } else {
            return None;
        };
        let (dot, _) = token.match_indices('.').nth(2)?;
        let body = token[dot + 1..].bytes().take(longest).take_while(u8::is_ascii_alphanumeric).count();
        Some(token[..=dot + body].to_ascii_uppercase())
    })
}

/// Letters and digits alone.
fn squash(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// The token that stands for each event; nothing where it cannot be told.
pub(super) fn tokens(masked: &str, events: &[PayloadEvent]) -> Vec<Option<String>> {
    in_order(masked, events).unwrap_or_else(|| along_texts(masked, events))
}

/// Takes the tokens of the text one after the other, where there are as many as events and they are of the same kinds: events
/// are in order of the text.
fn in_order(masked: &str, events: &[PayloadEvent]) -> Option<Vec<Option<String>>> {
    let mut found = find_markers(masked).into_iter().filter_map(|found| match found.marker {
        Marker::Token(token) => Some((token, found.span)),
        _ => None,
    });
    let mut tokens = Vec::with_capacity(events.len());
    for PayloadEvent { event, .. } in events {
        tokens.push(match event.token_kind {
            None if event.action == Action::Passthrough => None,
            Some(TokenKind::Mskv1 | TokenKind::Msk1) => {
                let (_, span) = found.next().filter(|(token, _)| *token.kind() == event.kind)?;
                Some(masked.get(span.range())?.to_owned())
            }
            _ => return None,
        });
    }
    found.next().is_none().then_some(tokens)
}

/// Goes along each text of the masked request: between its events it is as it was.
fn along_texts(masked: &str, events: &[PayloadEvent]) -> Vec<Option<String>> {
    // Where the events of a path stand; nothing where the path does not tell which text they are of, as those of keys.
    let mut places: HashMap<&str, Option<Range<usize>>> = HashMap::new();
    let mut at = 0;
    while let Some(PayloadEvent { path, .. }) = events.get(at) {
        let count = events[at..].iter().take_while(|event| event.path == *path).count();
        places.entry(path.as_str()).and_modify(|place| *place = None).or_insert(Some(at..at + count));
        at += count;
    }
    let mut tokens = vec![None; events.len()];
    let walked = visit_chat(masked, NonText::Pass, |place| {
        if let Some(range) = places.get_mut(place.path).and_then(Option::take) {
            tokens[range.clone()].clone_from_slice(&aligned(place.text, &events[range]));
        }
        Ok::<_, Error>(None)
    });
    debug_assert!(walked.is_ok(), "what was masked as a chat is one");
    tokens
}

fn aligned(after: &str, events: &[PayloadEvent]) -> Vec<Option<String>> {
    let markers = find_markers(after);
    let (mut copied, mut out) = (0, 0);
    let mut tokens = Vec::with_capacity(events.len());
    let mut lost = false;
    for event in events {
        let span = event.event.span;
        out += span.start.saturating_sub(copied);
        let marker = markers.binary_search_by_key(&out, |found| found.span.start).ok().filter(|_| !lost);
        let found = marker.and_then(|at| after.get(markers[at].span.range()));
        match found {
            Some(token) => out += token.len(),
            None if event.event.action == Action::Passthrough => out += span.end - span.start,
            None => lost = true,
        }
        copied = span.end;
        let restorable = found.filter(|text| !text.starts_with("[REDACTED"));
        tokens.push(restorable.map(str::to_owned));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use masker_core::Masker;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_finds_its_token() {
        let masker = Masker::new().unwrap();
        let original = json!({ "messages": [{ "role": "user", "content": "I'm Ann Reed, 415-555-0142, see https://example.com/a" }] });
        let masked = masker.mask_chat(&original.to_string()).unwrap();
        let found = tokens(&masked.json, &masked.events);
        assert_eq!(found, along_texts(&masked.json, &masked.events));
        let starts: Vec<Option<&str>> =
            found.iter().map(|t| t.as_deref().and_then(|t| t.get(..10))).collect();
        assert_eq!(starts, [Some("MSKV1.NAME"), Some("MSKV1.PHON"), None], "{}", masked.json);
    }

    /// That many numbers in one text, and as many in JSON inside a string; what is redacted for good makes each text be looked at.
    fn masked_numbers(count: usize) -> masker_core::MaskedPayload {
        let numbers: Vec<String> =
            (0..count).map(|n| format!("{}-555-01{:02}", 212 + n / 100, n % 100)).collect();
        let inner = json!({ "see": "https://example.com/a", "more": json!(["415-555-0142"]).to_string(), "calls": numbers });
        let request = json!({ "messages": [
            { "role": "user", "content": numbers.join(", ") },
            { "role": "tool", "tool_call_id": "1", "content": inner.to_string() },
        ] });
        Masker::new().unwrap().mask_chat(&request.to_string()).unwrap()
    }

    #[test]
    fn events_in_json_inside_strings_find_their_tokens() {
        let masked = masked_numbers(2);
        let found = tokens(&masked.json, &masked.events);
        let kinds: Vec<Option<&str>> =
            found.iter().map(|token| token.as_deref().and_then(|t| t.get(..11))).collect();
        let phone = Some("MSKV1.PHONE");
        assert_eq!(kinds, [phone, phone, None, phone, phone, phone], "{}", masked.json);
        assert!(found.iter().flatten().all(|token| masked.json.contains(token)));
    }

    #[test]
    fn very_many_events_take_time_in_proportion() {
        let time = |count: usize| {
            let masked = masked_numbers(count);
            let run = || {
                let start = Instant::now();
                let found = tokens(&masked.json, &masked.events);
                let returned = Returned::new(&masked.json, found.iter().flatten().map(String::as_str));
                assert!(found.iter().flatten().all(|token| returned.has(token)));
                let aliases: Vec<String> = (0..count).map(|n| format!("[PHONE_{n}]")).collect();
                let returned = Returned::new(&aliases.concat(), aliases.iter().map(String::as_str));
                assert!(aliases.iter().all(|alias| returned.has(alias)));
                start.elapsed()
            };
            (0..3).map(|_| run()).min().unwrap()
        };
        let (some, many) = (time(500), time(4_000));
        assert!(many < some * 24, "{some:?} for 500, {many:?} for 4,000");
    }

    #[test]
    fn aliases_and_tokens_are_recognised_however_they_are_written() {
        let token = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
        let other = "MSKV1.PHONE.K_HEALTHCARE.AAAAAAAAAAAAAAAAAAAAAAAAAA";
        let stands = ["[PHONE_1]", "[NAME_12]", "[NAME_1]", "[PHONE_2]", token, other];
        let text = format!("I have **phone-1** and [NAME_12].\\n{}s", token.replace("HSEM", "hsem"));
        let returned = Returned::new(&text, stands.into_iter());
        let found: Vec<bool> = stands.iter().map(|token| returned.has(token)).collect();
        assert_eq!(found, [true, true, false, false, true, false]);
    }
}
