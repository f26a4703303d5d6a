//! Payloads: JSON documents, chats of the common protocols, and their server-sent events. No input or output is done here.
//!
//! A payload is rewritten in place: what is not replaced keeps its bytes, so key order, the form of numbers, spacing and
//! unknown members survive. A string that is replaced is written with no more escapes than needed, and a number that is
//! replaced becomes a string; nothing else changes. `docs/payloads.md` lists the positions.

mod chat;
mod conversation;
mod json;
mod rules;
mod sse;
mod stream;
mod walk;

use std::fmt;

pub use self::json::{MAX_JSON_BYTES, MAX_JSON_DEPTH};
pub use self::rules::{JsonRules, ParsePointerError, Pointer};
pub use self::sse::{MAX_EVENT_BYTES, SseDecoder, SseEvent};
pub use self::stream::{SseRehydrator, StreamMode, StreamRestorer, StreamTally};
use self::walk::Purpose;
pub use self::walk::{Form, Place};
use crate::conversation::Role;
use crate::policy::NonText;
use crate::{Error, Event, Kind, Masked, Masker, Restored};

/// One text of a payload.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds text")]
#[non_exhaustive]
pub struct Said<'a> {
    /// Who says it.
    pub role: Role,
    /// The name of its field, where the field is the caller's own.
    pub label: Option<&'a str>,
    /// The text.
    pub text: &'a str,
}

/// What masks and restores the texts of a payload.
pub trait TextWorker {
    /// Masks the texts of one payload, given all at once and in order so that earlier ones can throw light on later ones.
    /// The spans of events are bytes of the text.
    ///
    /// Answers every text, in the same order.
    ///
    /// # Errors
    ///
    /// As [`Masker::mask`].
    fn mask(&mut self, texts: &[Said<'_>]) -> Result<Vec<Masked>, Error>;

    /// Puts originals back into one text.
    ///
    /// # Errors
    ///
    /// As [`Masker::rehydrate`].
    fn rehydrate(&mut self, text: &str) -> Result<Restored, Error>;

    /// Puts originals back into a text that is JSON, or may be, so that JSON stays JSON.
    ///
    /// Given here: if the text is an object or array, each string in it is restored by itself, through JSON inside strings;
    /// else the text is.
    ///
    /// # Errors
    ///
    /// As [`TextWorker::rehydrate`].
    fn rehydrate_nested(&mut self, text: &str, mode: StreamMode) -> Result<Restored, Error> {
        let _ = mode;
        walk::restore_leaves(text, |leaf| self.rehydrate(leaf))
    }
}

impl TextWorker for &Masker {
    fn mask(&mut self, texts: &[Said<'_>]) -> Result<Vec<Masked>, Error> {
        let mask = |said: &Said<'_>| match said.label {
            Some(label) => self.mask_field(label, said.text),
            None => Masker::mask(self, said.text),
        };
        texts.iter().map(mask).collect()
    }

    fn rehydrate(&mut self, text: &str) -> Result<Restored, Error> {
        Masker::rehydrate(self, text)
    }
}

/// An event and where in the payload it happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PayloadEvent {
    /// JSON Pointer of the value, through JSON inside strings; of the object, where a key was replaced.
    pub path: String,
    /// What was done; its span is bytes of the value's own text, unescaped.
    pub event: Event,
}

/// A masked payload with the events of its making.
#[derive(Clone)]
#[non_exhaustive]
pub struct MaskedPayload {
    /// The JSON text.
    pub json: String,
    /// What was found and done, in order of the text.
    pub events: Vec<PayloadEvent>,
}

impl fmt::Debug for MaskedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskedPayload")
            .field("len", &self.json.len())
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl MaskedPayload {
    /// How many findings were replaced; those that pass through do not count.
    pub fn redaction_count(&self) -> usize {
        self.events.iter().filter(|e| e.event.action != crate::Action::Passthrough).count()
    }
}

/// A payload with originals put back, and what became of its tokens; see [`Restored`].
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "holds originals")]
#[non_exhaustive]
pub struct RestoredPayload {
    /// The JSON text.
    pub json: String,
    /// Tokens replaced by their originals.
    pub restored: usize,
    /// Tokens of a known key that do not open.
    pub unknown: usize,
    /// Tokens of another instance.
    pub foreign: usize,
    /// Aliases that more than one value could stand for.
    pub ambiguous: usize,
    /// Kinds of the tokens that were not restored, in order.
    pub lost: Vec<Kind>,
}

/// Masks the strings of a JSON document, its whole numbers of four or more digits, and keys that are no plain identifiers.
///
/// # Errors
///
/// When `json` is not JSON, above [`MAX_JSON_BYTES`] or nested deeper than [`MAX_JSON_DEPTH`]; as [`Masker::mask`].
pub fn mask_json(worker: &mut dyn TextWorker, json: &str, rules: &JsonRules) -> Result<MaskedPayload, Error> {
    mask_in_two_walks(worker, |visit| {
        walk::walk_json(json, Some(rules), Purpose::Mask(NonText::Reject), visit)
    })
}

/// Puts originals back into a JSON document, escaped so that it stays JSON, in strings inside strings too.
///
/// # Errors
///
/// When `json` is not JSON, too long or nested too deep; as [`Masker::rehydrate`].
pub fn rehydrate_json(worker: &mut dyn TextWorker, json: &str) -> Result<RestoredPayload, Error> {
    let mut restored = RestoredPayload::default();
    restored.json = walk::walk_json(json, None, Purpose::Rehydrate, restoring(worker, &mut restored))?;
    Ok(restored)
}

/// Masks a chat: a request of OpenAI chat completions, OpenAI responses or Anthropic messages, a reply of theirs, or a list
/// of messages.
///
/// # Errors
///
/// As [`mask_json`]; when the JSON is no chat; when it holds an image, audio or file and `non_text` says `Reject`.
pub fn mask_chat(worker: &mut dyn TextWorker, non_text: NonText, json: &str) -> Result<MaskedPayload, Error> {
    mask_in_two_walks(worker, |visit| chat::walk_chat(json, Purpose::Mask(non_text), visit))
}

/// Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
///
/// # Errors
///
/// As [`rehydrate_json`]; when the JSON is no chat.
pub fn rehydrate_chat(worker: &mut dyn TextWorker, json: &str) -> Result<RestoredPayload, Error> {
    let mut restored = RestoredPayload::default();
    restored.json = chat::walk_chat(json, Purpose::Rehydrate, restoring(worker, &mut restored))?;
    Ok(restored)
}

/// Visits the texts of a chat in order and puts in their place what `visit` answers, if anything.
///
/// ```
/// use masker_core::Error;
/// use masker_core::payload::visit_chat;
/// use masker_core::policy::NonText;
///
/// let mut paths = Vec::new();
/// let chat = r#"[{"role": "user", "content": "hello"}]"#;
/// let shouted = visit_chat(chat, NonText::Reject, |place| {
///     paths.push(place.path.to_owned());
///     Ok::<_, Error>(Some(place.text.to_uppercase()))
/// })?;
/// assert_eq!(shouted, r#"[{"role": "user", "content": "HELLO"}]"#);
/// assert_eq!(paths, ["/0/content"]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// As [`mask_chat`], and what `visit` fails with.
pub fn visit_chat<E: From<Error>>(
    json: &str,
    non_text: NonText,
    visit: impl FnMut(&Place<'_>) -> Result<Option<String>, E>,
) -> Result<String, E> {
    chat::walk_chat(json, Purpose::Mask(non_text), visit)
}

/// A visit of a payload.
type Visit<'a> = dyn FnMut(&Place<'_>) -> Result<Option<String>, Error> + 'a;

/// Gathers the texts in one walk, has them masked together, and puts them in their places in another.
fn mask_in_two_walks(
    worker: &mut dyn TextWorker,
    walk: impl Fn(&mut Visit<'_>) -> Result<String, Error>,
) -> Result<MaskedPayload, Error> {
    let mut gathered: Vec<(Role, Option<String>, String)> = Vec::new();
    walk(&mut |place| {
        gathered.push((place.role, place.label.map(str::to_owned), place.text.to_owned()));
        Ok(None)
    })?;
    let texts: Vec<Said<'_>> = gathered
        .iter()
        .map(|(role, label, text)| Said { role: *role, label: label.as_deref(), text })
        .collect();
    let masked = worker.mask(&texts)?;
    assert_eq!(masked.len(), texts.len(), "a worker answers every text");
    let mut answers = masked.into_iter();
    let mut events = Vec::new();
    let json = walk(&mut |place| {
        let masked = answers.next().expect("both walks visit the same texts");
        events.extend(
            masked.events.into_iter().map(|event| PayloadEvent { path: place.path.to_owned(), event }),
        );
        Ok(Some(masked.text))
    })?;
    Ok(MaskedPayload { json, events })
}

fn restoring(
    worker: &mut dyn TextWorker,
    total: &mut RestoredPayload,
) -> impl FnMut(&Place<'_>) -> Result<Option<String>, Error> {
    |place| {
        let restored = match place.form {
            Form::Number => return Ok(None),
            Form::Arguments => worker.rehydrate_nested(place.text, StreamMode::JsonString)?,
            Form::Nested => worker.rehydrate_nested(place.text, StreamMode::TextOrJson)?,
            Form::Key | Form::Text => worker.rehydrate(place.text)?,
        };
        total.restored += restored.restored;
        total.unknown += restored.unknown;
        total.foreign += restored.foreign;
        total.ambiguous += restored.ambiguous;
        total.lost.extend(restored.lost);
        Ok(Some(restored.text))
    }
}

impl Masker {
    /// Masks the strings of a JSON document, its whole numbers of four or more digits, and keys that are no plain identifiers, as the rules say.
    ///
    /// The name of a field is read as a label of its value. See [`JsonRules`] for an example.
    ///
    /// # Errors
    ///
    /// When `json` is not JSON, too long or nested too deep; as [`Masker::mask`].
    pub fn mask_json(&self, json: &str, rules: &JsonRules) -> Result<MaskedPayload, Error> {
        mask_json(&mut &*self, json, rules)
    }

    /// Puts originals back into a JSON document, escaped so that it stays JSON.
    ///
    /// # Errors
    ///
    /// When `json` is not JSON, too long or nested too deep; as [`Masker::rehydrate`].
    pub fn rehydrate_json(&self, json: &str) -> Result<RestoredPayload, Error> {
        rehydrate_json(&mut &*self, json)
    }

    /// Masks a chat request, a reply or a list of messages. Images, audio and files are treated as the policy says.
    ///
    /// ```
    /// use masker_core::Masker;
    ///
    /// let masker = Masker::new()?;
    /// let request = r#"{"model": "m", "messages": [{"role": "user", "content": "call 415-555-0142"}]}"#;
    /// let masked = masker.mask_chat(request)?;
    /// assert!(!masked.json.contains("0142"));
    /// assert_eq!(masked.events[0].path, "/messages/0/content");
    /// assert_eq!(masker.rehydrate_chat(&masked.json)?.json, request);
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When `json` is not JSON, too long, nested too deep or no chat; when it holds what the policy refuses; as
    /// [`Masker::mask`].
    pub fn mask_chat(&self, json: &str) -> Result<MaskedPayload, Error> {
        mask_chat(&mut &*self, self.policy().non_text(), json)
    }

    /// Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
    ///
    /// # Errors
    ///
    /// When `json` is not JSON, too long, nested too deep or no chat; as [`Masker::rehydrate`].
    pub fn rehydrate_chat(&self, json: &str) -> Result<RestoredPayload, Error> {
        rehydrate_chat(&mut &*self, json)
    }
}
