//! Restoring in streams of server-sent events: OpenAI chat completion chunks, OpenAI response events and Anthropic message
//! events.

use std::collections::{BTreeMap, BTreeSet};

use super::chat::{no_logprobs, walk_event};
use super::json::{Data, Edits, MAX_JSON_DEPTH, Value, parse, quoted};
use super::sse::{SseDecoder, SseEvent};
use super::walk::{Form, Place};
use crate::Error;

/// How restored values are written into a stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum StreamMode {
    /// The pieces make one JSON text, such as the arguments of a tool call: restored values are escaped as the content of a
    /// JSON string, and once more for every string of JSON around it.
    JsonString,
    /// The pieces make a plain text.
    Text,
    /// The pieces make a text that may be JSON: from where it begins as an object or array does, and for as long as it goes
    /// on like one, restored values are escaped in its strings, and in the strings of JSON inside them.
    TextOrJson,
}

/// Restores one text that comes in pieces.
///
/// The pieces it gives, one after the other and with what `finish` gives, are the restored text. It holds back no more than
/// an ending that may still become a token.
pub trait StreamRestorer {
    /// Takes a piece and gives what is certain by now, which may be nothing.
    ///
    /// # Errors
    ///
    /// When the vault cannot be read.
    fn push(&mut self, piece: &str) -> Result<String, Error>;

    /// Ends the text and gives what was held back.
    ///
    /// # Errors
    ///
    /// When the vault cannot be read.
    fn finish(&mut self) -> Result<String, Error>;

    /// What became of the tokens so far.
    fn tally(&self) -> StreamTally;
}

/// What became of the tokens of a stream; see [`Restored`](crate::Restored).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StreamTally {
    /// Tokens replaced by their originals.
    pub restored: usize,
    /// Tokens of a known key that do not open.
    pub unknown: usize,
    /// Tokens of another instance.
    pub foreign: usize,
    /// Aliases that more than one value could stand for.
    pub ambiguous: usize,
}

impl StreamTally {
    fn add(&mut self, other: Self) {
        self.restored += other.restored;
        self.unknown += other.unknown;
        self.foreign += other.foreign;
        self.ambiguous += other.ambiguous;
    }
}

/// A text of its own inside a stream.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Field {
    /// A member of the delta of an OpenAI chunk that is text.
    Member(&'static str),
    /// The arguments of a tool call.
    Call(u64),
    /// The input of a custom tool, which is text.
    CustomCall(u64),
    FunctionCall,
    /// The text of an Anthropic block.
    Block,
    /// The input of an Anthropic tool call.
    BlockInput,
    /// The text of a choice of the old completions.
    Completion,
    /// A text of an item of an OpenAI response: what the events that bring it are called, and the index of its part.
    Item(String, u64),
    /// What the sound of an answer says.
    Transcript,
}

/// Members of a delta that are pieces of text. Those of one group come side by side; a new group ends the others.
const MEMBERS: [(&str, u8); 5] =
    [("content", 0), ("refusal", 0), ("reasoning", 1), ("reasoning_content", 1), ("thinking", 1)];

impl Field {
    fn group(&self) -> u8 {
        match self {
            Self::Member(name) => {
                MEMBERS.iter().find(|(member, _)| member == name).map_or(0, |(_, group)| *group)
            }
            Self::Block | Self::BlockInput | Self::Completion | Self::Item(..) | Self::Transcript => 0,
            Self::Call(_) | Self::CustomCall(_) | Self::FunctionCall => 2,
        }
    }

    /// How restored values are written into it, if the words of the answer are written as given.
    fn mode(&self, words: StreamMode) -> StreamMode {
        match self {
            Self::Call(_) | Self::FunctionCall | Self::BlockInput => StreamMode::JsonString,
            Self::Member("content") | Self::Block => words,
            Self::Item(name, _) if name.ends_with("output_text") => words,
            Self::Item(name, _) if name.ends_with("arguments") => StreamMode::JsonString,
            Self::Member(_) | Self::CustomCall(_) | Self::Item(..) | Self::Transcript => {
                StreamMode::TextOrJson
            }
            Self::Completion => StreamMode::Text,
        }
    }

    /// A delta with a text at the place of this field; for a text of no delta, the text.
    fn delta(&self, text: &str) -> String {
        let text = quoted(text);
        match self {
            Self::Completion | Self::Item(..) => text,
            Self::Transcript => format!("{{\"audio\":{{\"transcript\":{text}}}}}"),
            Self::Member(name) => format!("{{\"{name}\":{text}}}"),
            Self::Call(index) => {
                format!("{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":{text}}}}}]}}")
            }
            Self::CustomCall(index) => {
                format!("{{\"tool_calls\":[{{\"index\":{index},\"custom\":{{\"input\":{text}}}}}]}}")
            }
            Self::FunctionCall => format!("{{\"function_call\":{{\"arguments\":{text}}}}}"),
            Self::Block => format!("{{\"type\":\"text_delta\",\"text\":{text}}}"),
            Self::BlockInput => format!("{{\"type\":\"input_json_delta\",\"partial_json\":{text}}}"),
        }
    }
}

/// Restores the answers in a stream of server-sent events, event by event.
///
/// Every choice, tool call, block and part of an item is a text of its own, with a [`StreamRestorer`] made by `open`. What
/// one holds back is sent before `finish_reason`, before the choice goes on with something else, before a block, part or item
/// is done, and before the stream ends. An event of which all text is held back is not sent, so that no empty pieces are made
/// up. Events that repeat a text as a whole are restored as a whole. Ids, usage, thinking and whatever is no text of an answer
/// pass as they are; log probabilities of a text that changed are taken out.
#[expect(missing_debug_implementations, reason = "holds text")]
pub struct SseRehydrator<S, F> {
    open: F,
    decoder: SseDecoder,
    streams: BTreeMap<(u64, Field), S>,
    tally: StreamTally,
    /// The last chunk, from which a chunk for held text can be made.
    template: String,
    /// The last event of each text of an item, for the same.
    last: BTreeMap<(u64, Field), SseEvent>,
    /// Items of which tokens were counted: what repeats them is not counted again.
    counted: BTreeSet<u64>,
    /// How the words of an answer are written.
    words: StreamMode,
}

impl<S: StreamRestorer, F: FnMut(StreamMode) -> S> SseRehydrator<S, F> {
    /// A rehydrator at the start of a stream; `open` makes a restorer for each text in it.
    pub fn new(open: F) -> Self {
        Self {
            open,
            decoder: SseDecoder::new(),
            streams: BTreeMap::new(),
            tally: StreamTally::default(),
            template: String::new(),
            last: BTreeMap::new(),
            counted: BTreeSet::new(),
            words: StreamMode::TextOrJson,
        }
    }

    /// Says that the words of the answer are JSON themselves, because the request asked for it (`response_format`): originals
    /// are escaped in them as they are in arguments.
    #[must_use]
    pub fn json_answer(mut self) -> Self {
        self.words = StreamMode::JsonString;
        self
    }

    /// What became of the tokens so far.
    pub fn tally(&self) -> StreamTally {
        let mut tally = self.tally;
        for stream in self.streams.values() {
            tally.add(stream.tally());
        }
        tally
    }

    /// Takes bytes from the server and gives the bytes to send on.
    ///
    /// # Errors
    ///
    /// When an event is too long, or a restorer fails.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for event in self.decoder.push(bytes)? {
            for event in self.event(event)? {
                out.extend(event.to_string().into_bytes());
            }
        }
        Ok(out)
    }

    /// Ends the stream and gives the bytes that are left.
    ///
    /// # Errors
    ///
    /// When a restorer fails.
    pub fn finish(&mut self) -> Result<Vec<u8>, Error> {
        let mut events = Vec::new();
        if let Some(event) = self.decoder.finish() {
            events.extend(self.event(event)?);
        }
        events.extend(self.flush_all()?);
        Ok(events.iter().flat_map(|event| event.to_string().into_bytes()).collect())
    }

    /// Takes one event and gives those to send on, for a caller that frames events itself.
    ///
    /// # Errors
    ///
    /// When a restorer fails.
    pub fn event(&mut self, event: SseEvent) -> Result<Vec<SseEvent>, Error> {
        let Some(data) = &event.data else { return Ok(vec![event]) };
        if data.trim() == "[DONE]" {
            let mut events = self.flush_all()?;
            events.push(event);
            return Ok(events);
        }
        // What is no JSON holds no answer, and no token is restored in it.
        let Ok(value) = parse(data, MAX_JSON_DEPTH) else { return Ok(vec![event]) };
        if let Some(choices) = value.get("choices").and_then(Value::items) {
            return self.chunk(&event, data, &value, choices);
        }
        match value.get("type").and_then(Value::text) {
            Some(name) if name.starts_with("response.") => self.response_event(&event, data, &value, name),
            Some("message_start") => self.whole(&event, data, &value),
            Some("content_block_start" | "content_block_delta") => self.block_delta(&event, data, &value),
            Some("error") => {
                let mut events = self.flush_all()?;
                events.push(event);
                Ok(events)
            }
            Some("content_block_stop") => {
                let mut events = self.flush_block(index_of(&value, 0))?;
                events.push(event);
                Ok(events)
            }
            Some("message_delta" | "message_stop") => {
                let mut events = self.flush_all()?;
                events.push(event);
                Ok(events)
            }
            _ => Ok(vec![event]),
        }
    }

    fn push_piece(&mut self, key: (u64, Field), piece: &str) -> Result<String, Error> {
        let mode = key.1.mode(self.words);
        self.streams.entry(key).or_insert_with(|| (self.open)(mode)).push(piece)
    }

    /// Ends one text and gives what it held back.
    fn end(&mut self, key: &(u64, Field)) -> Result<String, Error> {
        let Some(mut stream) = self.streams.remove(key) else { return Ok(String::new()) };
        let held = stream.finish()?;
        self.tally.add(stream.tally());
        Ok(held)
    }

    fn flush_all(&mut self) -> Result<Vec<SseEvent>, Error> {
        let mut events = Vec::new();
        let keys: Vec<(u64, Field)> = self.streams.keys().cloned().collect();
        let template = std::mem::take(&mut self.template);
        for (index, field) in keys {
            if matches!(field, Field::Block | Field::BlockInput) {
                events.extend(self.flush_block(index)?);
                continue;
            }
            if matches!(field, Field::Item(..)) {
                events.extend(self.flush_item(&(index, field))?);
                continue;
            }
            let held = self.end(&(index, field.clone()))?;
            if let (false, Ok(value)) = (held.is_empty(), parse(&template, MAX_JSON_DEPTH)) {
                let like = SseEvent::default();
                events.push(chunk_like(&like, &template, &value, index, &field, &held));
            }
        }
        Ok(events)
    }

    fn chunk(
        &mut self,
        event: &SseEvent,
        source: &str,
        chunk: &Value<'_>,
        choices: &[Value<'_>],
    ) -> Result<Vec<SseEvent>, Error> {
        let mut events = Vec::new();
        let mut edits = Edits::default();
        let mut held_back = false;
        let mut is_left =
            chunk.get("usage").is_some_and(|usage| !usage.is_null(source)) || choices.is_empty();
        for (position, choice) in choices.iter().enumerate() {
            let index = index_of(choice, position);
            let is_last = choice.get("finish_reason").is_some_and(|reason| !reason.is_null(source));
            let delta = choice.get("delta");
            let (mut pieces, has_more) = pieces(delta);
            if let Some(value) =
                choice.get("text").filter(|value| value.text().is_some_and(|text| !text.is_empty()))
            {
                pieces.push(Piece { field: Field::Completion, value });
            }
            is_left |= is_last || has_more;
            let groups: Vec<u8> = pieces.iter().map(|piece| piece.field.group()).collect();
            let ends = |field: &Field| groups.iter().any(|group| *group != field.group());
            let passed: Vec<(u64, Field)> = self
                .streams
                .keys()
                .filter(|(of, field)| {
                    let goes_on = pieces.iter().any(|piece| piece.field == *field);
                    *of == index && !goes_on && (is_last || ends(field) && field.group() < 2)
                })
                .cloned()
                .collect();
            for key in passed {
                let held = self.end(&key)?;
                if !held.is_empty() {
                    events.push(chunk_like(event, source, chunk, index, &key.1, &held));
                }
            }
            let changes = edits.len();
            let mut emptied = Vec::new();
            for piece in &pieces {
                let Some(text) = piece.value.text().filter(|text| !text.is_empty()) else { continue };
                let key = (index, piece.field.clone());
                let mut restored = self.push_piece(key.clone(), text)?;
                if is_last || ends(&piece.field) && piece.field.group() < 2 {
                    restored.push_str(&self.end(&key)?);
                }
                is_left |= !restored.is_empty();
                held_back |= restored.is_empty();
                match piece.field {
                    Field::Member(name) if restored.is_empty() => emptied.push(name),
                    _ if restored != text => {
                        edits.replace(piece.value.start, piece.value.end, quoted(&restored));
                    }
                    _ => {}
                }
            }
            if let (false, Some(members)) = (emptied.is_empty(), delta.and_then(Value::members)) {
                // A member without its text is left out: some clients read an empty one as the end of a turn.
                let places: Vec<(usize, usize)> = members.iter().map(|m| (m.start, m.value.end)).collect();
                edits.leave_out(&places, |at| emptied.contains(&&*members[at].key));
            }
            let logprobs = choice.get("logprobs").filter(|value| !value.is_null(source));
            if let (true, Some(logprobs)) = (edits.len() > changes, logprobs) {
                edits.replace(logprobs.start, logprobs.end, no_logprobs(logprobs).to_owned());
            }
        }
        if !self.streams.is_empty() {
            source.clone_into(&mut self.template);
        }
        if is_left || !held_back {
            let mut event = event.clone();
            if !edits.is_empty() {
                event.data = Some(edits.apply(source));
            }
            events.push(event);
        }
        Ok(events)
    }

    fn block_delta(
        &mut self,
        event: &SseEvent,
        source: &str,
        value: &Value<'_>,
    ) -> Result<Vec<SseEvent>, Error> {
        let is_start = value.get("content_block").is_some();
        let Some(delta) = value.get("delta").or_else(|| value.get("content_block")) else {
            return Ok(vec![event.clone()]);
        };
        let (text, field) = match delta.get("type").and_then(Value::text) {
            Some("text" | "text_delta") => (delta.get("text"), Field::Block),
            Some("input_json_delta") => (delta.get("partial_json"), Field::BlockInput),
            // Signed, and to be sent back byte for byte.
            Some("thinking" | "redacted_thinking" | "thinking_delta" | "signature_delta") => {
                (None, Field::Block)
            }
            _ => return self.whole(event, source, value),
        };
        let Some((place, piece)) =
            text.and_then(|place| Some((place, place.text()?))).filter(|(_, piece)| !piece.is_empty())
        else {
            return Ok(vec![event.clone()]);
        };
        let restored = self.push_piece((index_of(value, 0), field), piece)?;
        if restored.is_empty() && !is_start {
            return Ok(Vec::new());
        }
        let mut event = event.clone();
        if restored != piece {
            let mut edits = Edits::default();
            edits.replace(place.start, place.end, quoted(&restored));
            event.data = Some(edits.apply(source));
        }
        Ok(vec![event])
    }

    /// An event of an OpenAI response.
    fn response_event(
        &mut self,
        event: &SseEvent,
        source: &str,
        value: &Value<'_>,
        name: &str,
    ) -> Result<Vec<SseEvent>, Error> {
        let item = number(value.get("output_index"));
        let part = number(value.get("content_index").or_else(|| value.get("summary_index"))).unwrap_or(0);
        // Sound is the one thing that comes in pieces and is no text.
        if let (Some(stem), Some(piece)) = (name.strip_suffix(".delta"), value.get("delta"))
            && let Some(text) = piece.text().filter(|_| !stem.ends_with("audio"))
        {
            let key = (item.unwrap_or(0), Field::Item(stem.to_owned(), part));
            let restored = self.push_piece(key.clone(), text)?;
            self.last.insert(key, event.clone());
            return Ok(if restored.is_empty() && !text.is_empty() {
                Vec::new()
            } else {
                vec![with_delta(event, source, value, text, &restored)]
            });
        }
        let ended: Vec<(u64, Field)> = match (name.strip_suffix(".done"), item) {
            (Some(stem), _)
                if self
                    .streams
                    .keys()
                    .any(|(_, field)| matches!(field, Field::Item(of, _) if of == stem)) =>
            {
                vec![(item.unwrap_or(0), Field::Item(stem.to_owned(), part))]
            }
            (Some(_), Some(item)) => self.items(|of| of == item),
            _ if ENDINGS.contains(&name) => self.items(|_| true),
            _ => Vec::new(),
        };
        let mut events = Vec::new();
        for key in ended {
            events.extend(self.flush_item(&key)?);
        }
        events.extend(self.whole(event, source, value)?);
        Ok(events)
    }

    /// The texts of some items.
    fn items(&self, which: impl Fn(u64) -> bool) -> Vec<(u64, Field)> {
        let is_one = |(item, field): &&(u64, Field)| matches!(field, Field::Item(..)) && which(*item);
        self.streams.keys().filter(is_one).cloned().collect()
    }

    /// Ends a text of an item; what it held back is sent like the piece before.
    fn flush_item(&mut self, key: &(u64, Field)) -> Result<Option<SseEvent>, Error> {
        let before = self.tally;
        let held = self.end(key)?;
        if self.tally != before {
            self.counted.insert(key.0);
        }
        let Some(last) = self.last.remove(key).filter(|_| !held.is_empty()) else { return Ok(None) };
        let source = last.data.clone().unwrap_or_default();
        let value = parse(&source, MAX_JSON_DEPTH)?;
        let like = SseEvent { event: last.event, ..SseEvent::default() };
        Ok(Some(with_delta(&like, &source, &value, "", &held)))
    }

    /// An event that holds texts as a whole.
    fn whole(&mut self, event: &SseEvent, source: &str, value: &Value<'_>) -> Result<Vec<SseEvent>, Error> {
        let item = number(value.get("output_index"));
        let name = value.get("type").and_then(Value::text).unwrap_or_default();
        let is_response = name.starts_with("response.");
        let is_answer = !name.contains("reasoning");
        let mut counted = BTreeSet::new();
        let restored = walk_event::<Error>(source, value, |place: &Place<'_>| {
            let mode = match place.form {
                Form::Number => return Ok(None),
                Form::Arguments => StreamMode::JsonString,
                Form::Nested if is_answer && place.path.ends_with("/text") => self.words,
                Form::Nested => StreamMode::TextOrJson,
                Form::Key | Form::Text => StreamMode::Text,
            };
            let mut stream = (self.open)(mode);
            let restored = stream.push(place.text)? + &stream.finish()?;
            let tally = stream.tally();
            let of = item
                .or_else(|| place.path.strip_prefix("/response/output/")?.split('/').next()?.parse().ok());
            let is_new = match of {
                Some(item) => !self.counted.contains(&item),
                // The request is repeated in the reply.
                None => !is_response,
            };
            if is_new && tally != StreamTally::default() {
                self.tally.add(tally);
                counted.extend(of);
            }
            Ok(Some(restored))
        })?;
        self.counted.extend(counted);
        Ok(vec![SseEvent { data: Some(restored), ..event.clone() }])
    }

    fn flush_block(&mut self, index: u64) -> Result<Vec<SseEvent>, Error> {
        let mut events = Vec::new();
        for field in [Field::Block, Field::BlockInput] {
            let held = self.end(&(index, field.clone()))?;
            if !held.is_empty() {
                let delta = field.delta(&held);
                let data =
                    format!("{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}");
                events
                    .push(SseEvent { event: Some("content_block_delta".to_owned()), ..SseEvent::data(data) });
            }
        }
        Ok(events)
    }
}

/// Events that end an OpenAI response.
const ENDINGS: [&str; 4] =
    ["response.cancelled", "response.completed", "response.failed", "response.incomplete"];

/// An event with another text as its delta.
fn with_delta(event: &SseEvent, source: &str, value: &Value<'_>, before: &str, delta: &str) -> SseEvent {
    let mut edits = Edits::default();
    for member in value.members().unwrap_or_default() {
        let with = match &*member.key {
            "delta" if delta != before => quoted(delta),
            "logprobs" if delta != before => no_logprobs(&member.value).to_owned(),
            _ => continue,
        };
        edits.replace(member.value.start, member.value.end, with);
    }
    SseEvent { data: Some(edits.apply(source)), ..event.clone() }
}

/// A piece of text in a delta.
struct Piece<'v, 's> {
    field: Field,
    value: &'v Value<'s>,
}

/// The texts of a delta in order, and whether it says anything beside them.
fn pieces<'v, 's>(delta: Option<&'v Value<'s>>) -> (Vec<Piece<'v, 's>>, bool) {
    let mut pieces = Vec::new();
    let mut has_more = false;
    for member in delta.and_then(Value::members).unwrap_or_default() {
        let value = &member.value;
        let known = MEMBERS.iter().find(|(name, _)| *name == member.key);
        match (&*member.key, &value.data) {
            (_, Data::Text(text)) if known.is_some() => {
                if let (Some((name, _)), false) = (known, text.is_empty()) {
                    pieces.push(Piece { field: Field::Member(name), value });
                }
            }
            (_, Data::Literal) if known.is_some() => {}
            ("tool_calls", Data::Array(calls)) => {
                for (position, call) in calls.iter().enumerate() {
                    let index = index_of(call, position);
                    let arguments = call.get("function").and_then(|function| function.get("arguments"));
                    let input = call.get("custom").and_then(|custom| custom.get("input"));
                    let texts = [(arguments, Field::Call(index)), (input, Field::CustomCall(index))];
                    for (value, field) in texts {
                        pieces.extend(
                            value.filter(|value| value.text().is_some()).map(|value| Piece { field, value }),
                        );
                    }
                    has_more |= call.get("id").is_some_and(|id| id.text().is_some())
                        || ["function", "custom"].iter().any(|key| {
                            call.get(key)
                                .and_then(|function| function.get("name"))
                                .is_some_and(|name| name.text().is_some())
                        });
                }
            }
            ("audio", Data::Object(members)) => {
                has_more |= members.iter().any(|member| member.key != "transcript");
                let transcript = value.get("transcript").filter(|value| value.text().is_some());
                pieces.extend(transcript.map(|value| Piece { field: Field::Transcript, value }));
            }
            ("function_call", Data::Object(_)) => {
                has_more |= value.get("name").is_some();
                pieces
                    .extend(value.get("arguments").map(|value| Piece { field: Field::FunctionCall, value }));
            }
            _ => has_more = true,
        }
    }
    (pieces, has_more)
}

fn index_of(value: &Value<'_>, position: usize) -> u64 {
    number(value.get("index")).unwrap_or(position as u64)
}

fn number(value: Option<&Value<'_>>) -> Option<u64> {
    match &value?.data {
        Data::Number(text) => text.parse().ok(),
        _ => None,
    }
}

/// A chunk like another one, with nothing but one text in it.
fn chunk_like(
    event: &SseEvent,
    source: &str,
    chunk: &Value<'_>,
    index: u64,
    field: &Field,
    text: &str,
) -> SseEvent {
    let mut edits = Edits::default();
    for member in chunk.members().unwrap_or_default() {
        let with = match &*member.key {
            "choices" => {
                let delta = field.delta(text);
                let name = if *field == Field::Completion { "text" } else { "delta" };
                format!("[{{\"index\":{index},\"{name}\":{delta},\"finish_reason\":null}}]")
            }
            "usage" => "null".to_owned(),
            _ => continue,
        };
        edits.replace(member.value.start, member.value.end, with);
    }
    SseEvent { event: event.event.clone(), ..SseEvent::data(edits.apply(source)) }
}
