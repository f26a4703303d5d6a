//! An upstream without a network: it says what it was told, as it was told.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::turn::Turn;
use super::upstream::{Chunks, refused, timeout};
use crate::error::Result;

/// What a caller wants of the stub.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    delay: Duration,
    chunk_bytes: usize,
    chunk_delay: Duration,
    pub(super) status: u16,
    tool: bool,
}

impl Options {
    /// Reads `delay_ms=500,chunk_bytes=7,chunk_delay_ms=20,status=503,tool=1`; what is not understood is left out.
    pub(super) fn read(text: Option<&str>) -> Self {
        let number = |name: &str| -> Option<u64> {
            text?.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        let milliseconds = |name: &str| Duration::from_millis(number(name).unwrap_or(0).min(600_000));
        Self {
            delay: milliseconds("delay_ms"),
            chunk_bytes: number("chunk_bytes").map_or(16, |bytes| bytes.clamp(1, 1 << 20) as usize),
            chunk_delay: milliseconds("chunk_delay_ms"),
            status: number("status").filter(|status| (200..600).contains(status)).unwrap_or(200) as u16,
            tool: number("tool") == Some(1),
        }
    }
}

/// What the stub reads of a request.
#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
    #[serde(default)]
    model: Value,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

fn read(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// The text of the last message of a user, as it came.
fn last_words(request: &Request<'_>) -> String {
    let last = request.messages.iter().rev().find(|message| message.role == "user");
    match read(last.and_then(|message| message.content)) {
        Value::String(text) => text,
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("")
        }
        _ => String::new(),
    }
}

fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

pub(super) async fn answer(turn: &Turn, options: &Options, patience: Duration) -> Result<Chunks> {
    if options.delay > patience {
        tokio::time::sleep(patience).await;
        return Err(timeout());
    }
    if !options.delay.is_zero() {
        tokio::time::sleep(options.delay).await;
    }
    if options.status >= 300 {
        let text = json!({ "error": { "message": "The stub was told to fail." } }).to_string();
        return Err(refused(turn, options.status, None, text.as_bytes()).await);
    }
    let request: Request<'_> = serde_json::from_str(&turn.masked).unwrap_or_default();
    let words = last_words(&request);
    let id = format!("chatcmpl-stub-{}", &crate::crypto::sha256_hex(turn.masked.as_bytes())[..16]);
    let tools = read(request.tools.filter(|_| options.tool));
    let model = request.model;
    let tool = tools.pointer("/0/function/name").and_then(Value::as_str);
    let (said, arguments) = match tool {
        Some(_) => (String::new(), json!({ "text": words }).to_string()),
        None => (format!("Echo: {words}"), String::new()),
    };
    let answer_tokens = tokens(&said) + tokens(&arguments);
    let prompt_tokens = tokens(&turn.masked);
    let usage = json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": answer_tokens,
        "total_tokens": prompt_tokens + answer_tokens,
    });
    let finish = if tool.is_some() { "tool_calls" } else { "stop" };
    if !turn.wants_stream {
        let message = match tool {
            Some(name) => json!({
                "role": "assistant",
                "content": null,
                "tool_calls": [{ "id": "call_stub_0", "type": "function", "function": { "name": name, "arguments": arguments } }],
            }),
            None => json!({ "role": "assistant", "content": said }),
        };
        let body = json!({
            "id": id, "object": "chat.completion", "created": 0, "model": model,
            "choices": [{ "index": 0, "message": message, "finish_reason": finish, "logprobs": null }],
            "usage": usage,
        });
        return Ok(Box::pin(stream::iter([Ok(Bytes::from(body.to_string()))])));
    }
    let head = match tool {
        Some(name) => {
            json!({ "role": "assistant", "tool_calls": [{ "index": 0, "id": "call_stub_0", "type": "function", "function": { "name": name, "arguments": "" } }] })
        }
        None => json!({ "role": "assistant" }),
    };
    let is_tool = tool.is_some();
    let piece = move |text: &str| {
        if is_tool {
            json!({ "tool_calls": [{ "index": 0, "function": { "arguments": text } }] })
        } else {
            json!({ "content": text })
        }
    };
    let mut last = chunk(&id, &model, json!({}), finish.into());
    if turn.include_usage {
        let frame = json!({ "id": id, "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [], "usage": usage });
        last.push_str(&format!("data: {frame}\n\n"));
    }
    last.push_str("data: [DONE]\n\n");
    let text = if is_tool { arguments } else { said };
    let first = chunk(&id, &model, head, Value::Null);
    let (delay, size) = (options.chunk_delay, options.chunk_bytes);
    // Frames are made as they are sent: a slow stream holds its text and no more.
    let frames = stream::unfold((Some(first), 0, Some(last)), move |(first, mut at, mut last)| {
        let frame = first.or_else(|| {
            let next = piece_at(&text, at, size);
            at += next.len();
            if next.is_empty() { last.take() } else { Some(chunk(&id, &model, piece(next), Value::Null)) }
        });
        async move {
            let frame = frame?;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            Some((Ok(Bytes::from(frame)), (None, at, last)))
        }
    });
    Ok(Box::pin(frames))
}

fn chunk(id: &str, model: &Value, delta: Value, finish: Value) -> String {
    let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish, "logprobs": null }]);
    let chunk = json!({ "id": id, "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices });
    format!("data: {chunk}\n\n")
}

/// The piece of a text that begins at a byte: at most this many bytes, or one character; empty at the end.
fn piece_at(text: &str, at: usize, size: usize) -> &str {
    let rest = &text[at..];
    let mut end = size.min(rest.len());
    while !rest.is_char_boundary(end) {
        end += 1;
    }
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_characters_whole() {
        let text = "a\u{e9}\u{1f600}bc";
        for size in 1..6 {
            let mut joined = String::new();
            while joined.len() < text.len() {
                joined.push_str(piece_at(text, joined.len(), size));
            }
            assert_eq!(joined, text);
            assert_eq!(piece_at(text, text.len(), size), "");
        }
        assert_eq!((piece_at("abcdef", 0, 4), piece_at("abcdef", 4, 4)), ("abcd", "ef"));
    }

    #[test]
    fn options_are_read_and_bounded() {
        let options = Options::read(Some("delay_ms=5, chunk_bytes=0,status=999,tool=1,what=3"));
        assert_eq!(
            (options.delay, options.chunk_bytes, options.status, options.tool),
            (Duration::from_millis(5), 1, 200, true)
        );
    }
}
