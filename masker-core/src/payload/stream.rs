//! Restoring in streams of server-sent events: OpenAI chat completion chunks and Anthropic message events.

use std::collections::BTreeMap;

use super::json::{Data, Edits, MAX_JSON_DEPTH, Value, parse, quoted};
use super::sse::{SseDecoder, SseEvent};
use crate::Error;

/// How restored values are written into a stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum StreamMode {
    /// The pieces make one JSON text, such as the arguments of a tool call: restored values are escaped as the content of a
    /// JSON string.
    JsonString,
    /// The pieces make a plain text.
    Text,
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
            Self::Block | Self::BlockInput => 0,
            Self::Call(_) | Self::CustomCall(_) | Self::FunctionCall => 2,
        }
    }

    /// A delta with a text at the place of this field.
    fn delta(&self, text: &str) -> String {
        let text = quoted(text);
        match self {
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
/// Every choice, tool call and block is a text of its own, with a [`StreamRestorer`] made by `open`. What one holds back is
/// sent before `finish_reason`, before the choice goes on with something else, before a block stops, and before the stream
/// ends. An event of which all text is held back is not sent, so that no empty pieces are made up. Ids, usage, signed
/// thinking and whatever is no text of an answer pass as they are; log probabilities of a text that changed become null.
#[expect(missing_debug_implementations, reason = "holds text")]
pub struct SseRehydrator<S, F> {
    open: F,
    decoder: SseDecoder,
    streams: BTreeMap<(u64, Field), S>,
    tally: StreamTally,
    /// The last chunk, from which a chunk for held text can be made.
    template: String,
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
            words: StreamMode::Text,
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
            Some("content_block_start" | "content_block_delta") => self.block_delta(&event, data, &value),
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

    fn mode(&self, field: &Field) -> StreamMode {
        match field {
            Field::Call(_) | Field::FunctionCall | Field::BlockInput => StreamMode::JsonString,
            Field::Member("content") | Field::Block => self.words,
            Field::Member(_) | Field::CustomCall(_) => StreamMode::Text,
        }
    }

    fn push_piece(&mut self, key: (u64, Field), piece: &str) -> Result<String, Error> {
        let mode = self.mode(&key.1);
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
            let (pieces, has_more) = pieces(delta);
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
                edits.replace(logprobs.start, logprobs.end, "null".to_owned());
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
            _ => (None, Field::Block),
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
    match value.get("index").map(|index| &index.data) {
        Some(Data::Number(text)) => text.parse().unwrap_or(position as u64),
        _ => position as u64,
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
                format!("[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":null}}]")
            }
            "usage" => "null".to_owned(),
            _ => continue,
        };
        edits.replace(member.value.start, member.value.end, with);
    }
    SseEvent { event: event.event.clone(), ..SseEvent::data(edits.apply(source)) }
}
