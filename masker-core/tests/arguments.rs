//! Arguments of tool calls: JSON, JSON in its strings, and JSON in theirs, stays JSON whatever comes back, whole and as a
//! stream of each protocol.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod random;

use std::fmt::Write as _;
use std::sync::Arc;

use masker_core::payload::SseDecoder;
use masker_core::{Conversation, Kind, Masker, Policy, Recognizer, RecognizerError, RecognizerHit, Role};
use serde_json::{Value, json};

use self::random::{Random, cases, parts, seed};

/// Takes what stands between two signs for a name, so that values of any form can be had.
struct Signs;

impl Recognizer for Signs {
    fn name(&self) -> &'static str {
        "signs"
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let inside = |(at, _)| {
            let start = at + '⟦'.len_utf8();
            let end = start + text[start..].find('⟧')?;
            Some(RecognizerHit { kind: Kind::Name, start, end, confidence: 1.0 })
        };
        Ok(text.match_indices('⟦').filter_map(inside).collect())
    }
}

const NASTY: &[&str] = &[
    "Sarah \"Sally\" O'Neil",
    "a\\b\\\\c",
    "one\ntwo\r\nthree\tfour",
    "x\u{1}y\u{8}z\u{c}w\u{1f}v\u{7f}u",
    "\u{1f600}\u{1d54f} \u{fc} \u{301}e",
    "{\"x\":[1,\"]\"]}",
    "\"}],",
    "\\u0041\\n",
    "</script>&amp;",
    "\"",
    "\\",
    "\u{5d0}\u{5d1} \u{202e}abc",
];

/// A conversation that knows the nasty values, and what stands for each of them.
fn conversation(surface: &str) -> (Conversation, Vec<String>) {
    let source = Policy::preset_source("healthcare-default").unwrap();
    let policy = Policy::from_yaml(&format!("{source}\nsurface: {surface}\n")).unwrap();
    let masker = Masker::builder().policy(policy).recognizer(Arc::new(Signs)).build().unwrap();
    let conversation = masker.conversation("call");
    let tokens = NASTY
        .iter()
        .map(|value| {
            let masked = conversation.mask_turn(Role::User, &format!("⟦{value}⟧")).unwrap().text;
            let token = masked.trim_matches(['⟦', '⟧']).to_owned();
            assert_eq!(conversation.rehydrate(&token).unwrap().text, *value);
            token
        })
        .collect();
    (conversation, tokens)
}

enum Tree {
    Leaf(String),
    /// JSON in a string.
    Nested(Box<Tree>),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    Plain(&'static str),
}

fn tree(random: &mut Random, tokens: &[String], depth: usize, strings: usize) -> Tree {
    let (inner, nested) = (depth.saturating_sub(1), strings.saturating_sub(1));
    match random.below(8) {
        0 | 1 if depth > 0 => {
            Tree::List((0..random.below(4)).map(|_| tree(random, tokens, inner, strings)).collect())
        }
        2..=4 if depth > 0 => {
            let keys = ["to", "note", "name_1", "phone", "a b", "\u{e9}\"", "NAME_2"];
            let member = |random: &mut Random| {
                ((*random.pick(&keys)).to_owned(), tree(random, tokens, inner, strings))
            };
            Tree::Object((0..=random.below(3)).map(|_| member(random)).collect())
        }
        5 | 6 if strings > 0 => {
            let inside = match tree(random, tokens, depth.max(1), nested) {
                whole @ (Tree::List(_) | Tree::Object(_)) => whole,
                other => Tree::Object(vec![("in".to_owned(), other)]),
            };
            Tree::Nested(Box::new(inside))
        }
        7 => Tree::Plain(random.pick::<&str>(&[
            "1.0",
            "-0",
            "1e400",
            "12345678901234567890123",
            "true",
            "null",
            "[]",
            "{}",
        ])),
        _ => {
            let mut leaf = String::new();
            for _ in 0..random.below(4) {
                match random.below(3) {
                    0 => leaf += &random.noise(),
                    1 => {
                        let token = random.pick(tokens).clone();
                        leaf += &if token.starts_with('[') { random.garbled(&token) } else { token };
                    }
                    _ => leaf += *random.pick(&[" and ", "\"", "\\", "\n", ", ", "\u{1f600}", "M", "["]),
                }
            }
            // A text that only begins like JSON has a test of its own.
            if leaf.trim_start().starts_with(['{', '[']) {
                leaf.insert(0, '~');
            }
            Tree::Leaf(leaf)
        }
    }
}

/// JSON as one writer or another has it: with escapes that need not be, and with space.
fn quoted(random: &mut Random, text: &str, often: usize) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        if often > 0 && (!c.is_ascii() || random.one_in(often)) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            let plain = serde_json::to_string(&c).unwrap();
            out += &plain[1..plain.len() - 1];
        }
    }
    out + "\""
}

fn write_tree(random: &mut Random, tree: &Tree, often: usize) -> String {
    let space = if random.one_in(3) { " " } else { "" };
    match tree {
        Tree::Leaf(text) => quoted(random, text, often),
        Tree::Nested(inside) => {
            let json = write_tree(random, inside, often);
            quoted(random, &json, often)
        }
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(|item| write_tree(random, item, often)).collect();
            format!("[{space}{}]", items.join(&format!(",{space}")))
        }
        Tree::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    format!("{}:{space}{}", quoted(random, key, often), write_tree(random, value, often))
                })
                .collect();
            format!("{{{}{space}}}", members.join(","))
        }
        Tree::Plain(text) => (*text).to_owned(),
    }
}

/// Whether JSON is a tree with its leaves restored; what is no JSON is told.
fn check(conversation: &Conversation, tree: &Tree, json: &str) {
    let raw: Box<serde_json::value::RawValue> =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    match tree {
        Tree::Leaf(text) => {
            let said: String = serde_json::from_str(raw.get()).unwrap();
            assert_eq!(said, conversation.rehydrate(text).unwrap().text, "{json}");
        }
        Tree::Nested(inside) => {
            let said: String = serde_json::from_str(raw.get()).unwrap();
            check(conversation, inside, &said);
        }
        Tree::List(items) => {
            let found: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(raw.get()).unwrap();
            assert_eq!(found.len(), items.len());
            items.iter().zip(found).for_each(|(item, found)| check(conversation, item, found.get()));
        }
        Tree::Object(members) => {
            let found: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
                serde_json::from_str(raw.get()).unwrap();
            for (key, found) in found {
                let (_, value) = members.iter().rev().find(|(of, _)| *of == key).unwrap();
                check(conversation, value, found.get());
            }
        }
        Tree::Plain(text) => assert_eq!(raw.get(), *text),
    }
}

fn object(random: &mut Random, tokens: &[String]) -> Tree {
    let members = (0..=random.below(3)).map(|at| (format!("arg{at}"), tree(random, tokens, 3, 3)));
    Tree::Object(members.collect())
}

#[test]
fn json_in_strings_stays_json_whole_and_cut() {
    for (surface, seed_of) in [("alias", 0xa1), ("token", 0xa2)] {
        let (conversation, tokens) = conversation(surface);
        let mut random = seed(seed_of);
        for case in 0..cases(200) {
            let tree = object(&mut random, &tokens);
            let often = *random.pick(&[0, 0, 1, 3, 9]);
            let json = write_tree(&mut random, &tree, often);
            let whole = conversation.rehydrate_json(&json).unwrap().text;
            check(&conversation, &tree, &whole);
            let cut = |parts: &[&str]| {
                let mut stream = conversation.stream_json_rehydrator();
                let out: String = parts.iter().map(|part| stream.push(part).unwrap()).collect();
                assert_eq!(out + &stream.flush().unwrap().0, whole, "{parts:?}");
            };
            // Where every character is escaped at every level, the text is long and much the same.
            for step in if json.len() < 2000 { [1, 2, 0] } else { [0; 3] } {
                cut(&parts(&json, step, &mut random));
            }
            if case % 4 == 0 && json.len() < 300 {
                json.char_indices().for_each(|(at, _)| cut(&[&json[..at], &json[at..]]));
            }
        }
    }
}

#[test]
fn what_is_no_json_in_the_end_leaves_the_json_around_it_whole() {
    let (conversation, tokens) = conversation("alias");
    let name = &tokens[0];
    for inside in [
        format!("{{\"a\":\"{name}"),
        format!("{{a: \"{name}\"}}"),
        format!("[{name}, \"{name}\"]"),
        format!("{{\"a\":{name}}}"),
        format!("[1] \"{name}\""),
        format!("{{\"a\":\"\\{name}\""),
        format!("{{\"a\":\"{name}\\u00\"}}"),
        format!("[[[\"{name}\"]] "),
        format!(" \n[\"{name}\"] [\"{name}\"]"),
    ] {
        let json = json!({ "note": inside, "to": [name] }).to_string();
        let whole = conversation.rehydrate_json(&json).unwrap().text;
        let value: Value = serde_json::from_str(&whole).unwrap_or_else(|error| panic!("{error}: {whole}"));
        assert_eq!(value["to"][0], NASTY[0]);
        assert!(value["note"].as_str().unwrap().contains("Sally"), "{whole}");
        let mut stream = conversation.stream_json_rehydrator();
        let out: String = json.chars().map(|c| stream.push(c.encode_utf8(&mut [0; 4])).unwrap()).collect();
        assert_eq!(out + &stream.flush().unwrap().0, whole);
    }
    // Half a surrogate pair is kept as it is.
    let json = format!(r#"{{"a":"\ud800 {name} \udc00\uD83D","b":"{{\"c\":\"\\ud800{name}\"}}"}}"#);
    let back = conversation.rehydrate_json(&json).unwrap().text;
    assert!(back.contains(r#""\ud800 Sarah \"Sally\" O'Neil \udc00\uD83D""#), "{back}");
    assert!(back.contains(r#"{\"c\":\"\\ud800Sarah \\\"Sally\\\" O'Neil\"}"#), "{back}");
    // The name of a field is no alias, and a field in brackets is.
    let json = r#"{"name_1":"NAME_1","[NAME_3]":{"NAME_1 x":1}}"#;
    let back = conversation.rehydrate_json(json).unwrap().text;
    assert!(back.starts_with(r#"{"name_1":"Sarah \"Sally\" O'Neil","one\ntwo"#), "{back}");
    // What is only a part of a JSON text is taken as the inside of a string.
    assert_eq!(conversation.rehydrate_json("to NAME_1").unwrap().text, "to Sarah \\\"Sally\\\" O'Neil");
}

/// What a stream of events brings, with what it repeats as a whole.
#[derive(Default)]
struct Answer {
    words: String,
    arguments: String,
    repeated: Vec<(String, String)>,
}

fn receive(conversation: &Conversation, stream: &str, cut: usize) -> Answer {
    let mut rehydrator = conversation.sse_rehydrator();
    let mut bytes = Vec::new();
    for piece in stream.as_bytes().chunks(cut) {
        bytes.extend(rehydrator.push(piece).unwrap());
    }
    bytes.extend(rehydrator.finish().unwrap());
    let mut answer = Answer::default();
    let text = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut sequence = 0;
    for event in SseDecoder::new().push(&bytes).unwrap() {
        let data = event.data.unwrap_or_default();
        if data == "[DONE]" {
            continue;
        }
        let value: Value = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
        let name = text(&value, "/type");
        if let Some(number) = value.get("sequence_number") {
            assert!(number.as_u64().unwrap() >= sequence, "{data}");
            sequence = number.as_u64().unwrap();
            assert_eq!(event.event.as_deref(), Some(name.as_str()));
        }
        match name.as_str() {
            "response.output_text.delta" => answer.words += &text(&value, "/delta"),
            "response.function_call_arguments.delta" => answer.arguments += &text(&value, "/delta"),
            "response.output_text.done" => answer.repeated.push((text(&value, "/text"), String::new())),
            "response.function_call_arguments.done" => {
                answer.repeated.push((String::new(), text(&value, "/arguments")));
            }
            "response.content_part.done" => {
                answer.repeated.push((text(&value, "/part/text"), String::new()));
            }
            "response.output_item.done" => {
                answer.repeated.push((text(&value, "/item/content/0/text"), text(&value, "/item/arguments")));
            }
            "response.completed" => answer.repeated.push((
                text(&value, "/response/output/0/content/0/text"),
                text(&value, "/response/output/1/arguments"),
            )),
            "content_block_delta" => {
                answer.words += &text(&value, "/delta/text");
                answer.arguments += &text(&value, "/delta/partial_json");
            }
            _ => {
                answer.words += &text(&value, "/choices/0/delta/content");
                answer.arguments += &text(&value, "/choices/0/delta/tool_calls/0/function/arguments");
            }
        }
    }
    answer
}

fn chat_chunks(words: &[&str], arguments: &[&str]) -> String {
    let mut stream = String::new();
    let mut send = |delta: Value, finish: Option<&str>| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        write!(stream, "data: {chunk}\n\n").unwrap();
    };
    send(json!({"role": "assistant", "content": ""}), None);
    for piece in words {
        send(json!({"content": piece}), None);
    }
    let call = |function: Value| json!({"tool_calls": [{"index": 0, "function": function}]});
    send(call(json!({"name": "f", "arguments": ""})), None);
    for piece in arguments {
        send(call(json!({"arguments": piece})), None);
    }
    send(json!({}), Some("tool_calls"));
    stream + "data: [DONE]\n\n"
}

fn response_events(words: &[&str], arguments: &[&str]) -> String {
    let (all_words, all_arguments) = (words.concat(), arguments.concat());
    let part = json!({"type": "output_text", "text": all_words, "annotations": [], "logprobs": []});
    let message =
        json!({"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]});
    let call = json!({"type": "function_call", "id": "f1", "call_id": "call_1", "name": "f", "arguments": all_arguments});
    let mut stream = String::new();
    let mut number = 0;
    let mut send = |name: &str, members: Value| {
        let mut event = json!({"type": name, "sequence_number": number});
        number += 1;
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        write!(stream, "event: {name}\ndata: {event}\n\n").unwrap();
    };
    send("response.created", json!({"response": {"id": "r", "output": []}}));
    send(
        "response.output_item.added",
        json!({"output_index": 0, "item": {"type": "message", "role": "assistant", "content": []}}),
    );
    send(
        "response.content_part.added",
        json!({"output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
    );
    for piece in words {
        send(
            "response.output_text.delta",
            json!({"item_id": "m1", "output_index": 0, "content_index": 0, "delta": piece, "logprobs": []}),
        );
    }
    send(
        "response.output_text.done",
        json!({"item_id": "m1", "output_index": 0, "content_index": 0, "text": all_words}),
    );
    send("response.content_part.done", json!({"output_index": 0, "content_index": 0, "part": part}));
    send("response.output_item.done", json!({"output_index": 0, "item": message}));
    for piece in arguments {
        send(
            "response.function_call_arguments.delta",
            json!({"item_id": "f1", "output_index": 1, "delta": piece}),
        );
    }
    send(
        "response.function_call_arguments.done",
        json!({"item_id": "f1", "output_index": 1, "arguments": all_arguments}),
    );
    send("response.output_item.done", json!({"output_index": 1, "item": call}));
    send(
        "response.completed",
        json!({"response": {"id": "r", "output": [message, call], "usage": {"total_tokens": 3}}}),
    );
    stream
}

fn message_events(words: &[&str], arguments: &[&str]) -> String {
    let mut stream = String::new();
    let mut send = |event: Value| {
        write!(stream, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()).unwrap();
    };
    send(
        json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {}}}),
    );
    send(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}));
    for piece in words {
        send(
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
        );
    }
    send(json!({"type": "content_block_stop", "index": 0}));
    send(
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}),
    );
    for piece in arguments {
        send(
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}),
        );
    }
    send(json!({"type": "content_block_stop", "index": 1}));
    send(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {}}));
    send(json!({"type": "message_stop"}));
    stream
}

#[test]
fn the_streams_of_all_protocols_give_the_whole_reply() {
    // Two at once: with many cases it runs longer than all other tests.
    std::thread::scope(|scope| {
        for seed_of in [0xa3, 0xa5] {
            scope.spawn(move || streams_give_the_whole_reply(seed_of, cases(25).div_ceil(2)));
        }
    });
}

fn streams_give_the_whole_reply(seed_of: u64, cases: usize) {
    let (conversation, tokens) = conversation("alias");
    let mut random = seed(seed_of);
    for _ in 0..cases {
        let tree = object(&mut random, &tokens);
        let often = *random.pick(&[0, 0, 2]);
        let arguments = write_tree(&mut random, &tree, often);
        let words = match random.below(4) {
            0 => write_tree(&mut random, &tree, 0),
            // Broken off, as where a limit of length is reached.
            1 => arguments.chars().take(random.below(40)).collect(),
            _ => {
                let token = random.pick(&tokens).clone();
                format!("Hi {}, {}", random.garbled(&token), random.noise())
            }
        };
        let reply = json!({"choices": [{"message": {"role": "assistant", "content": words,
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}}]});
        let whole: Value =
            serde_json::from_str(&conversation.rehydrate_chat(&reply.to_string()).unwrap().json).unwrap();
        let whole_words = whole["choices"][0]["message"]["content"].as_str().unwrap();
        let whole_arguments =
            whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        check(&conversation, &tree, whole_arguments);
        for step in [1, 2, 0] {
            let words = parts(&words, step, &mut random);
            let arguments = parts(&arguments, step, &mut random);
            for (protocol, stream) in [
                ("chat", chat_chunks(&words, &arguments)),
                ("responses", response_events(&words, &arguments)),
                ("messages", message_events(&words, &arguments)),
            ] {
                let cut = *random.pick(&[1, 2, 7, 1000]);
                let answer = receive(&conversation, &stream, cut);
                assert_eq!(answer.words, whole_words, "{protocol} {step} {words:?}");
                assert_eq!(answer.arguments, whole_arguments, "{protocol} {step}");
                for (words, arguments) in answer.repeated {
                    assert!(words.is_empty() || words == whole_words, "{words}");
                    assert!(arguments.is_empty() || arguments == whole_arguments, "{arguments}");
                }
            }
        }
    }
}

#[test]
fn damaged_streams_and_chats_break_nothing() {
    let (conversation, tokens) = conversation("alias");
    let mut random = seed(0xa4);
    for _ in 0..cases(150) {
        let words = format!("{{\"a\":\"{}\"}} {}", random.pick(&tokens), random.noise());
        let step = 1 + random.below(9);
        let words = parts(&words, step, &mut random);
        let stream = match random.below(3) {
            0 => chat_chunks(&words, &words),
            1 => response_events(&words, &words),
            _ => message_events(&words, &words),
        };
        let mut bytes = stream.into_bytes();
        for _ in 0..=random.below(8) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, *random.pick(b"{}[]\",:\\0n\n")),
                _ => bytes.truncate(at.max(9)),
            }
        }
        let mut rehydrator = conversation.sse_rehydrator();
        for piece in bytes.chunks(1 + random.below(50)) {
            rehydrator.push(piece).unwrap();
        }
        rehydrator.finish().unwrap();
        // Whatever is in an event, it is an error or a chat.
        for event in String::from_utf8_lossy(&bytes).split("data: ") {
            let masked = conversation.mask_chat(event).map(|masked| masked.json);
            let back = conversation.rehydrate_chat(event).map(|restored| restored.json);
            for json in [masked, back].into_iter().flatten() {
                assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{json}");
            }
        }
    }
}

#[test]
fn a_reply_that_is_broken_off_ends_with_a_marker_and_not_with_half_a_token() {
    let (conversation, tokens) = conversation("token");
    for end in 6..tokens[0].len() {
        let half = &tokens[0][..end];
        let marker = if end > "MSKV1.NAME".len() { "[REDACTED:NAME]" } else { "[REDACTED]" };
        let reply = json!({"choices": [{"message": {"role": "assistant", "content": format!("to {half}")}}]});
        let back = conversation.rehydrate_chat(&reply.to_string()).unwrap();
        assert_eq!(back.json, reply.to_string().replace(half, marker), "{half}");
        assert_eq!((back.restored, back.unknown), (0, 1));
        let answer = receive(&conversation, &chat_chunks(&["to ", half], &[]), 5);
        assert_eq!(answer.words, format!("to {marker}"));
        let arguments = format!("{{\"to\":\"{half}");
        let answer = receive(&conversation, &response_events(&[], &[&arguments]), 5);
        assert_eq!(answer.arguments, format!("{{\"to\":\"{marker}"));
    }
}

#[test]
fn tokens_of_a_stream_are_counted_once() {
    let (conversation, tokens) = conversation("alias");
    let arguments = format!("{{\"to\":\"{}\"}}", tokens[1]);
    for stream in [
        chat_chunks(&[&tokens[0], ", ", &tokens[1]], &[&arguments]),
        response_events(&[&tokens[0], ", ", &tokens[1]], &[&arguments]),
        message_events(&[&tokens[0], ", ", &tokens[1]], &[&arguments]),
    ] {
        let mut rehydrator = conversation.sse_rehydrator();
        rehydrator.push(stream.as_bytes()).unwrap();
        rehydrator.finish().unwrap();
        assert_eq!(rehydrator.tally().restored, 3, "{stream}");
    }
    // An item that is not streamed is counted where it comes whole, and only there.
    let stream = response_events(&[&tokens[0]], &[&arguments]);
    let whole: String = stream.split_inclusive("\n\n").filter(|event| !event.contains(".delta")).collect();
    let mut rehydrator = conversation.sse_rehydrator();
    rehydrator.push(whole.as_bytes()).unwrap();
    rehydrator.finish().unwrap();
    assert_eq!(rehydrator.tally().restored, 2);
}
