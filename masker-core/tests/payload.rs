//! Payloads: the positions of the documentation, whole requests, streams cut anywhere, and what never changes.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use masker_core::payload::{
    JsonRules, MAX_JSON_BYTES, Said, SseDecoder, SseEvent, SseRehydrator, StreamMode, StreamRestorer,
    StreamTally, TextWorker, mask_chat,
};
use masker_core::policy::NonText;
use masker_core::{Error, ErrorKind, KeyRing, Kid, Masked, Masker, Policy, Restored, Role, find_markers};
use proptest::prelude::*;
use serde_json::{Value, json};

const PHONE: &str = "415-555-0142";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The key of the published vectors: bytes 00 to 1f.
fn masker() -> Masker {
    with_policy(Policy::healthcare_default())
}

fn with_policy(policy: Policy) -> Masker {
    let kid: Kid = "K_HEALTHCARE".parse().unwrap();
    let key = std::array::from_fn(|at| at as u8);
    Masker::builder().policy(policy).keys(KeyRing::builder().key(&kid, key).build().unwrap()).build().unwrap()
}

/// Restoring gives the spelling that was masked, so that bytes can be compared.
fn exact() -> Masker {
    let yaml = read("configs/mask_policy.yaml");
    assert!(!yaml.contains("normalization:"));
    with_policy(Policy::from_yaml(&format!("{yaml}\nnormalization: exact\n")).unwrap())
}

#[derive(Debug)]
struct Position {
    section: String,
    name: String,
    treatment: String,
    path: Option<String>,
    json: String,
}

fn positions() -> Vec<Position> {
    let table: toml::Table = read("fixtures/chat/positions.toml").parse().unwrap();
    table["position"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row.get(key).map(|value| value.as_str().unwrap().to_owned());
            Position {
                section: text("section").unwrap(),
                name: text("name").unwrap(),
                treatment: text("treatment").unwrap(),
                path: text("path"),
                json: text("json").unwrap(),
            }
        })
        .collect()
}

#[derive(Debug, serde::Deserialize)]
struct Stream {
    section: String,
    name: String,
    treatment: String,
    path: String,
    #[serde(default)]
    before: Vec<String>,
    piece: Option<String>,
    whole: Option<String>,
    #[serde(default)]
    after: Vec<String>,
}

fn streams() -> Vec<Stream> {
    let table: toml::Table = read("fixtures/chat/positions.toml").parse().unwrap();
    table["stream"].clone().try_into().unwrap()
}

#[test]
fn every_position_of_a_stream_is_treated_as_its_row_says() {
    let yaml = read("configs/mask_policy.yaml");
    let policy = Policy::from_yaml(&format!("{yaml}\nsurface: alias\n")).unwrap();
    let conversation = with_policy(policy).conversation("call 1");
    let name = "Sarah \"Sally\" Chen";
    let known = json!({ "full_name": name, "phone": PHONE }).to_string();
    conversation.mask_chat(&json!([{"role": "tool", "content": known}]).to_string()).unwrap();
    assert_eq!(conversation.rehydrate("[NAME_1] [PHONE_1]").unwrap().text, format!("{name} {PHONE}"));

    for stream in streams() {
        let Stream { name: row, treatment, path, before, piece, whole, after, .. } = &stream;
        let json = r#"{"to":"[NAME_1]","in":"{\"a\":\"[PHONE_1] [NAME_1]\"}"}"#.to_owned();
        let (said, expected) = match treatment.as_str() {
            "kept" => ("[NAME_1]".to_owned(), "[NAME_1]".to_owned()),
            "text" => ("to [NAME_1], [name 1".to_owned() + "]", format!("to {name}, {name}")),
            "JSON" => (json.clone(), conversation.rehydrate_json(&json).unwrap().text),
            other => panic!("{row}: {other}"),
        };
        for size in [1, 2, 5, 1000] {
            let mut events = before.clone();
            let template = piece.as_ref().or(whole.as_ref()).unwrap();
            let size = if piece.is_some() && treatment != "kept" { size } else { 1000 };
            for piece in pieces(&said, size) {
                let quoted = serde_json::to_string(&piece).unwrap();
                events.push(template.replace('@', &quoted[1..quoted.len() - 1]));
            }
            events.extend(after.iter().cloned());
            let bytes: String = events.iter().map(|data| format!("data: {data}\n\n")).collect();
            let mut rehydrator = conversation.sse_rehydrator();
            let mut out = Vec::new();
            for piece in bytes.as_bytes().chunks(1 + size % 7) {
                out.extend(rehydrator.push(piece).unwrap());
            }
            out.extend(rehydrator.finish().unwrap());
            let sent: Vec<String> =
                SseDecoder::new().push(&out).unwrap().into_iter().filter_map(|event| event.data).collect();
            let values: Vec<Value> = sent.iter().filter_map(|data| serde_json::from_str(data).ok()).collect();
            let got: String = values.iter().map(|value| text(value, path)).collect();
            assert_eq!(got, expected, "{row}, by {size}");
            // What is around the text comes through, and nothing comes after the end.
            for event in before.iter().chain(after) {
                assert!(sent.contains(event), "{row}: {event} in {sent:?}");
            }
            assert_eq!(sent.last(), events.last().filter(|_| !after.is_empty()).or(sent.last()), "{row}");
            let restored = usize::from(treatment != "kept") * expected.matches("Sally").count();
            assert!(rehydrator.tally().restored >= restored, "{row}");
        }
    }
}

#[test]
fn every_position_is_treated_as_its_row_says() {
    let masker = masker();
    for position in positions() {
        let Position { name, json, path, .. } = &position;
        assert_eq!(json.matches(PHONE).count(), 1, "{name}");
        let masked = masker.mask_chat(json);
        match position.treatment.as_str() {
            "kept" => {
                assert_eq!(&masked.unwrap().json, json, "{name}");
                assert_eq!(&masker.rehydrate_chat(json).unwrap().json, json, "{name}");
            }
            "text" | "JSON" => {
                let masked = masked.unwrap();
                assert!(!masked.json.contains("0142"), "{name}: {}", masked.json);
                assert_eq!(masked.redaction_count(), 1, "{name}");
                assert_eq!(Some(&masked.events[0].path), path.as_ref(), "{name}");
                serde_json::from_str::<Value>(&masked.json).unwrap();
                let restored = masker.rehydrate_chat(&masked.json).unwrap();
                assert_eq!(&restored.json, json, "{name}");
                assert_eq!(restored.restored, 1, "{name}");
            }
            "not text" => {
                let error = masked.unwrap_err();
                assert_eq!(
                    (error.code(), error.kind()),
                    ("unmaskable_content", ErrorKind::Payload),
                    "{name}"
                );
                let Error::Unmaskable { path: place } = &error else { panic!("{name}") };
                assert_eq!(Some(place), path.as_ref(), "{name}");
                assert!(!error.to_string().contains("0142"));
                let mut worker = &masker;
                assert_eq!(&mask_chat(&mut worker, NonText::Pass, json).unwrap().json, json, "{name}");
                let dropped = mask_chat(&mut worker, NonText::Drop, json).unwrap().json;
                assert!(!dropped.contains("0142") && dropped.contains("hi"), "{name}: {dropped}");
                serde_json::from_str::<Value>(&dropped).unwrap();
                assert_eq!(&masker.rehydrate_chat(json).unwrap().json, json, "{name}");
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn the_documentation_lists_the_positions_that_are_tested() {
    let page = read("docs/payloads.md");
    let mut section = "";
    let mut documented = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", position, treatment @ ("text" | "JSON" | "kept" | "not text"), ""] = cells[..] {
            documented.push((section.to_owned(), position.to_owned(), treatment.to_owned()));
        }
    }
    let mut tested: Vec<_> = positions().into_iter().map(|p| (p.section, p.name, p.treatment)).collect();
    tested.extend(streams().into_iter().map(|s| (s.section, s.name, s.treatment)));
    assert!(tested.len() > 130);
    assert_eq!(documented, tested);
}

#[test]
fn whole_requests_are_masked_as_recorded_and_restored_byte_for_byte() {
    for name in ["openai_request", "responses_request", "anthropic_request"] {
        let request = read(&format!("fixtures/chat/{name}.json"));
        let masked = masker().mask_chat(&request).unwrap();
        assert_eq!(masked.json, read(&format!("fixtures/chat/{name}.masked.json")), "{name}");
        assert_eq!(masker().mask_chat(&masked.json).unwrap().json, masked.json, "{name}: masked again");

        let masker = exact();
        let masked = masker.mask_chat(&request).unwrap();
        let restored = masker.rehydrate_chat(&masked.json).unwrap();
        assert_eq!(restored.restored, masked.redaction_count(), "{name}");
        assert_eq!((restored.unknown, restored.foreign, restored.ambiguous), (0, 0, 0), "{name}");
        // A number that was replaced comes back as a string: the one change of form. Inside arguments it is escaped.
        let strings = restored
            .json
            .replace(r#"\"phone\": \"4155550142\""#, r#"\"phone\": 4155550142"#)
            .replace(r#"\"mrn\":\"7734215\""#, r#"\"mrn\":7734215"#)
            .replace(r#""zip":"94110""#, r#""zip":94110"#);
        assert_eq!(strings, request, "{name}");
    }
}

#[test]
fn arguments_stay_json_whatever_the_originals_hold() {
    struct Worker;
    impl TextWorker for Worker {
        fn mask(&mut self, _: &[Said<'_>]) -> Result<Vec<Masked>, Error> {
            unreachable!("nothing is masked")
        }
        fn rehydrate(&mut self, text: &str) -> Result<Restored, Error> {
            let mut restored = Restored::default();
            restored.text = text.replace("[NAME_1]", NASTY);
            Ok(restored)
        }
    }
    const NASTY: &str = "Ann \"A\\B\" Reed\n\t\u{1}é\u{2028}😀";
    let inner = json!({"note": "for [NAME_1]", "list": ["[NAME_1]"]}).to_string();
    let arguments = json!({"who": "[NAME_1]", "form": inner, "n": 1.50, "[NAME_1]": true}).to_string();
    let reply = json!({"choices": [{"message": {"content": "Hi [NAME_1]", "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]}}]})
    .to_string();
    let restored = masker_core::payload::rehydrate_chat(&mut Worker, &reply).unwrap().json;
    let restored: Value = serde_json::from_str(&restored).unwrap();
    let message = &restored["choices"][0]["message"];
    assert_eq!(message["content"], format!("Hi {NASTY}"));
    let arguments: Value =
        serde_json::from_str(message["tool_calls"][0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments["who"], NASTY);
    assert_eq!(arguments[NASTY], true);
    let form: Value = serde_json::from_str(arguments["form"].as_str().unwrap()).unwrap();
    assert_eq!(form, json!({"note": format!("for {NASTY}"), "list": [NASTY]}));
}

#[test]
fn mistakes_are_told_by_place_and_never_by_text() {
    let masker = masker();
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    for (json, code, kind) in [
        ("{\"a\": 415-555-0142}", "not_json", ErrorKind::Payload),
        ("call 415-555-0142", "not_json", ErrorKind::Payload),
        ("{\"a\": \"415-555-0142\"}", "not_a_chat", ErrorKind::Payload),
        ("[\"415-555-0142\"]", "not_a_chat", ErrorKind::Payload),
        ("{\"messages\": \"415-555-0142\"}", "not_a_chat", ErrorKind::Payload),
        (deep.as_str(), "too_deep", ErrorKind::Limit),
    ] {
        let error = masker.mask_chat(json).unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, kind), "{json}");
        assert!(!error.to_string().contains("0142"), "{error}");
    }
    let long = format!("\"{}\"", "x".repeat(MAX_JSON_BYTES));
    assert_eq!(masker.mask_json(&long, &JsonRules::everything()).unwrap_err().code(), "too_long");
    assert_eq!(
        masker.mask_json("{\n\"a\":}", &JsonRules::everything()).unwrap_err().to_string(),
        "not JSON: line 2, column 5"
    );
}

#[test]
fn rules_names_numbers_and_keys_of_a_document() {
    let masker = masker();
    let json = r#"{"id":7734215,"mrn":7734215,"born":{"dob":"1982-03-14"},"415-555-0142":{"phone_1":"x"},"same":{"mrn":7734215}}"#;
    let rules = JsonRules::everything().leave("/same".parse().unwrap());
    let masked = masker.mask_json(json, &rules).unwrap();
    let value: Value = serde_json::from_str(&masked.json).unwrap();
    let members: BTreeMap<&str, &Value> = value.as_object().unwrap().iter().map(|(k, v)| (&**k, v)).collect();
    assert!(members["mrn"].as_str().unwrap().starts_with("MSKV1.MRN."));
    assert!(members["born"]["dob"].as_str().unwrap().starts_with("MSKV1.DOB."));
    assert_eq!(members["same"], &json!({"mrn": 7_734_215}));
    assert!(members.keys().any(|key| key.starts_with("MSKV1.PHONE.")));
    let paths: Vec<&str> = masked.events.iter().map(|event| event.path.as_str()).collect();
    assert_eq!(paths, ["/mrn", "/born/dob", ""]);
}

#[test]
fn numbers_order_and_equal_keys_of_a_chat_stay_as_written() {
    let arguments = r#"{\"z\":1e400,\"a\":-0,\"m\":1.0,\"m\":12345678901234567890123,\"in\":\"{\\\"b\\\":-0.0E+5,\\\"a\\\":1E3}\",\"to\":\"415-555-0142\"}"#;
    let chat = format!(
        "{{ \"temperature\" : 1.0,\"seed\":12345678901234567890123,\r\n\"top_p\":1e-0,\"zz\":-0,\"zz\":1e400 , \"messages\":[\
         {{\"content\":\"hi\",\"role\":\"user\",\"content\":\"call 415-555-0142\"}},\
         {{\"role\":\"assistant\",\"tool_calls\":[{{\"function\":{{\"arguments\":\"{arguments}\",\"name\":\"f\"}},\"id\":\"c\"}}]}}],\
         \"model\":\"m\\u006d\", \"n\": 1 }}\n"
    );
    for masker in [exact(), aliases()] {
        let conversation = masker.conversation("call 1");
        let masked = conversation.mask_chat(&chat).unwrap();
        assert_eq!(masked.redaction_count(), 2, "{}", masked.json);
        let token = conversation.mask_turn(Role::User, PHONE).unwrap().text;
        assert_eq!(masked.json, chat.replace(PHONE, &token));
        assert_eq!(conversation.rehydrate_chat(&masked.json).unwrap().json, chat);
    }
    let masker = masker();
    // A content that is a number is none of the protocols', and is masked all the same.
    let number = masker.mask_chat(r#"[{"role":"user","content":4155550142}]"#).unwrap();
    assert!(!number.json.contains("4155550142"), "{}", number.json);
    // Both of two equal keys are masked, and one that says image is enough.
    let twice = format!(r#"[{{"role":"user","content":"{PHONE}","content":"{PHONE}"}}]"#);
    assert_eq!(masker.mask_chat(&twice).unwrap().redaction_count(), 2);
    for part in [
        r#"{"type":"image_url","type":"text","text":"hi","image_url":{"url":"data:,"}}"#,
        r#"{"type":"text","type":"image","text":"hi"}"#,
        r#"{"type":7,"text":"hi"}"#,
        r#"{"type":null,"image_url":"data:,"}"#,
        r#"{"image_url":"data:,"}"#,
        r#"{"type":"text","text":"hi","input_audio":{"data":""}}"#,
    ] {
        let chat = format!(r#"[{{"role":"user","content":[{part}]}}]"#);
        assert!(matches!(masker.mask_chat(&chat), Err(Error::Unmaskable { .. })), "{part}");
    }
}

#[test]
fn log_probabilities_of_a_text_that_changed_are_left_out() {
    let masker = masker();
    let token = masker.mask(PHONE).unwrap().text;
    let reply = |text: &str| {
        json!({"choices": [{"message": {"content": text}, "logprobs": {"content": [{"token": "415"}]}}]})
            .to_string()
    };
    let masked: Value = serde_json::from_str(&masker.mask_chat(&reply(PHONE)).unwrap().json).unwrap();
    assert_eq!(masked["choices"][0]["logprobs"], Value::Null);
    let restored: Value = serde_json::from_str(&masker.rehydrate_chat(&reply(&token)).unwrap().json).unwrap();
    assert_eq!(restored["choices"][0]["logprobs"], Value::Null);
    assert_eq!(masker.rehydrate_chat(&reply("hi")).unwrap().json, reply("hi"));
}

/// Holds back a run of the characters of tokens, and restores by the masker.
struct Double<'m> {
    masker: &'m Masker,
    mode: StreamMode,
    held: String,
    tally: StreamTally,
}

impl Double<'_> {
    fn restore(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut copied = 0;
        for found in find_markers(text) {
            let restored = self.masker.rehydrate(&text[found.span.range()]).unwrap();
            self.tally.restored += restored.restored;
            self.tally.unknown += restored.unknown;
            out.push_str(&text[copied..found.span.start]);
            match self.mode {
                StreamMode::JsonString => {
                    let quoted = serde_json::to_string(&restored.text).unwrap();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
                _ => out.push_str(&restored.text),
            }
            copied = found.span.end;
        }
        out.push_str(&text[copied..]);
        out
    }
}

impl StreamRestorer for Double<'_> {
    fn push(&mut self, piece: &str) -> Result<String, Error> {
        self.held.push_str(piece);
        let run = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        let keep = self.held.trim_end_matches(run).len();
        let rest = self.held.split_off(keep);
        let certain = std::mem::replace(&mut self.held, rest);
        Ok(self.restore(&certain))
    }

    fn finish(&mut self) -> Result<String, Error> {
        let held = std::mem::take(&mut self.held);
        Ok(self.restore(&held))
    }

    fn tally(&self) -> StreamTally {
        self.tally
    }
}

fn pieces(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size.max(1)).map(|piece| piece.iter().collect()).collect()
}

fn restore_stream(masker: &Masker, stream: &[u8], cut: usize) -> (Vec<String>, StreamTally) {
    let mut rehydrator = SseRehydrator::new(|mode| Double {
        masker,
        mode,
        held: String::new(),
        tally: StreamTally::default(),
    });
    let mut out = Vec::new();
    for piece in stream.chunks(cut) {
        out.extend(rehydrator.push(piece).unwrap());
    }
    out.extend(rehydrator.finish().unwrap());
    let mut decoder = SseDecoder::new();
    let events = decoder.push(&out).unwrap();
    assert_eq!(decoder.finish(), None);
    (events.into_iter().filter_map(|event| event.data).collect(), rehydrator.tally())
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// An answer of two choices, the first with words and two tool calls, in pieces of one size.
fn openai_stream(words: &str, arguments: [&str; 2], size: usize) -> String {
    let mut stream = ": ping\r\n\r\n".to_owned();
    let mut send = |choices: Value, usage: Value| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "m", "choices": choices, "usage": usage});
        write!(stream, "data: {chunk}\r\n\r\n").unwrap();
    };
    let choice = |index: usize, delta: Value| json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": null}]);
    send(choice(0, json!({"role": "assistant", "content": ""})), Value::Null);
    let both = pieces(words, size);
    for piece in &both {
        send(choice(0, json!({"content": piece})), Value::Null);
        send(choice(1, json!({"content": piece})), Value::Null);
    }
    send(json!([{"index": 1, "delta": {}, "finish_reason": "stop"}]), Value::Null);
    for (index, arguments) in arguments.iter().enumerate() {
        let call = json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": {"name": "f", "arguments": ""}});
        send(choice(0, json!({"tool_calls": [call]})), Value::Null);
        for piece in pieces(arguments, size) {
            send(
                choice(0, json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})),
                Value::Null,
            );
        }
    }
    send(json!([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]), Value::Null);
    send(json!([]), json!({"prompt_tokens": 3}));
    stream + "data: [DONE]\r\n\r\n"
}

#[test]
fn openai_chunks_give_the_restored_answer_for_every_cut() {
    let masker = masker();
    let words = masker.mask("It is 415-555-0142 for Sarah Chen, é😀 bye 415-555-0100").unwrap().text;
    let nasty = masker
        .mask_json(
            r#"{"full_name":"Sarah \"Sally\" Chen","email":"o'neil@example.com"}"#,
            &JsonRules::everything(),
        )
        .unwrap()
        .json;
    let first = masker
        .mask_json(r#"{"phone":"415-555-0142","quote":"a \"b\" \\ \n"}"#, &JsonRules::everything())
        .unwrap()
        .json;
    let restored_words = masker.rehydrate(&words).unwrap().text;
    for size in [1, 2, 3, 7, 1000] {
        let stream = openai_stream(&words, [&first, &nasty], size);
        for cut in [1, 2, 5, stream.len()] {
            let (data, tally) = restore_stream(&masker, stream.as_bytes(), cut);
            assert_eq!(data.last().map(String::as_str), Some("[DONE]"));
            let mut contents = [String::new(), String::new()];
            let mut arguments = [String::new(), String::new()];
            let mut finished = [false, false];
            let mut in_calls = false;
            for data in &data[..data.len() - 1] {
                let chunk: Value = serde_json::from_str(data).unwrap();
                assert_eq!(chunk["id"], "chatcmpl-1");
                if chunk["choices"] == json!([]) {
                    assert_eq!(chunk["usage"], json!({"prompt_tokens": 3}));
                    continue;
                }
                assert_eq!(chunk["usage"], Value::Null);
                for choice in chunk["choices"].as_array().unwrap() {
                    let index = choice["index"].as_u64().unwrap() as usize;
                    let content = text(choice, "/delta/content");
                    assert!(!finished[index], "text after the end");
                    assert!(content.is_empty() || index == 1 || !in_calls, "words after a call began");
                    assert!(
                        !content.is_empty()
                            || choice["delta"]["content"].is_null()
                            || choice["delta"]["role"].is_string(),
                        "an empty piece was made up"
                    );
                    contents[index] += content;
                    for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                        in_calls = true;
                        arguments[call["index"].as_u64().unwrap() as usize] +=
                            text(call, "/function/arguments");
                    }
                    finished[index] |= choice["finish_reason"].is_string();
                }
            }
            assert_eq!(finished, [true, true]);
            assert_eq!(contents, [restored_words.clone(), restored_words.clone()], "{size} {cut}");
            for (streamed, masked) in arguments.iter().zip([&first, &nasty]) {
                assert_eq!(streamed, &masker.rehydrate_json(masked).unwrap().json);
                serde_json::from_str::<Value>(streamed).unwrap();
            }
            assert_eq!(tally.restored, 2 * 3 + 3);
        }
    }
}

#[test]
fn an_answer_that_is_json_stays_json_in_a_stream() {
    let masker = masker();
    let answer = r#"{"full_name":"Sarah \"Sally\" Chen"}"#;
    let masked = masker.mask_json(answer, &JsonRules::everything()).unwrap().json;
    let open = |mode| Double { masker: &masker, mode, held: String::new(), tally: StreamTally::default() };
    let mut rehydrator = SseRehydrator::new(open).json_answer();
    let mut streamed = String::new();
    for piece in pieces(&masked, 3) {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
        for event in rehydrator.event(SseEvent::data(chunk.to_string())).unwrap() {
            let chunk: Value = serde_json::from_str(&event.data.unwrap()).unwrap();
            streamed += text(&chunk, "/choices/0/delta/content");
        }
    }
    assert_eq!(streamed, answer);
    let whole = json!({"choices": [{"message": {"content": masked}}]}).to_string();
    let whole: Value = serde_json::from_str(&masker.rehydrate_chat(&whole).unwrap().json).unwrap();
    assert_eq!(text(&whole, "/choices/0/message/content"), answer);
}

#[test]
fn a_stream_that_breaks_off_gives_what_was_held() {
    let masker = masker();
    let token = masker.mask(PHONE).unwrap().text;
    let chunk = json!({"id": "a", "choices": [{"index": 0, "delta": {"content": token}}]});
    for ending in ["", "\n", "\n\n", "\n\ndata: [DONE]\n\n"] {
        let (data, tally) = restore_stream(&masker, format!("data: {chunk}{ending}").as_bytes(), 3);
        let answer: String = data
            .iter()
            .filter_map(|data| serde_json::from_str::<Value>(data).ok())
            .map(|chunk| text(&chunk, "/choices/0/delta/content").to_owned())
            .collect();
        assert_eq!(answer, PHONE);
        assert_eq!(tally.restored, 1);
    }
}

fn aliases() -> Masker {
    let yaml = read("configs/mask_policy.yaml");
    assert!(!yaml.contains("surface:"));
    with_policy(Policy::from_yaml(&format!("{yaml}\nsurface: alias\n")).unwrap())
}

#[test]
fn a_chat_that_grows_keeps_its_masked_beginning() {
    let conversation = aliases().conversation("call 1");
    let call = json!({"id": "c1", "type": "function", "function": {"name": "find",
        "arguments": r#"{"dob":"1982-03-14","phone":4155550142}"#}});
    let mut messages = vec![
        json!({"role": "assistant", "content": "What is your date of birth?"}),
        json!({"role": "user", "content": "march fourteenth nineteen eighty two"}),
        json!({"role": "assistant", "content": null, "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": "c1", "content": r#"{"mrn":"7734215","email":"ann@example.com"}"#}),
        json!({"role": "user", "content": "text me at 415-555-0100, or 415-555-0142"}),
    ];
    let mut before = String::new();
    for turn in 0..12 {
        messages.push(json!({"role": "user", "content": format!("and 415-555-01{}", 50 + turn)}));
        let chat = serde_json::to_string(&messages).unwrap();
        let masked = conversation.mask_chat(&chat).unwrap();
        assert!(
            !masked.json.contains("555") && !masked.json.contains("ann@") && !masked.json.contains("7734215")
        );
        assert!(masked.json.starts_with(before.trim_end_matches(']')), "{turn}");
        assert!(masked.json.contains(r#"{\"dob\":\"[DOB_"#), "{}", masked.json);
        let paths: Vec<&str> = masked.events.iter().map(|event| event.path.as_str()).collect();
        assert_eq!(
            paths[..7],
            [
                "/1/content",
                "/2/tool_calls/0/function/arguments/dob",
                "/2/tool_calls/0/function/arguments/phone",
                "/3/content/mrn",
                "/3/content/email",
                "/4/content",
                "/4/content"
            ]
        );
        let dob = &masked.events[1].event;
        assert_eq!((dob.kind.as_str(), dob.span.range()), ("DOB", 0..10));
        before = masked.json;
    }
    let other = aliases().conversation("call 2");
    assert_eq!(other.rehydrate_chat(&before).unwrap().restored, 0);
}

#[test]
fn streams_of_a_conversation_are_restored_for_every_cut() {
    let conversation = aliases().conversation("call 3");
    let chat =
        json!([{"role": "user", "content": "I am Sarah Chen, 415-555-0142, ann@example.com"}]).to_string();
    conversation.mask_chat(&chat).unwrap();
    let words = "Thanks [NAME_1], I call [PHONE_1] [not a token] é😀";
    let calls = [r#"{"phone":"[PHONE_1]","n":1.0}"#, r#"{"to":["[EMAIL_1]"]}"#];
    for size in [1, 2, 1000] {
        let stream = openai_stream(words, calls, size);
        for cut in [1, 2, stream.len()] {
            let mut rehydrator = conversation.sse_rehydrator();
            let mut out = Vec::new();
            for piece in stream.as_bytes().chunks(cut) {
                out.extend(rehydrator.push(piece).unwrap());
            }
            out.extend(rehydrator.finish().unwrap());
            let (mut said, mut called) = (String::new(), [String::new(), String::new()]);
            for event in SseDecoder::new().push(&out).unwrap() {
                let Ok(chunk) = serde_json::from_str::<Value>(&event.data.unwrap_or_default()) else {
                    continue;
                };
                if chunk["choices"][0]["index"] == 0 {
                    said += text(&chunk, "/choices/0/delta/content");
                    let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
                    if let Some(index) = call["index"].as_u64() {
                        called[index as usize] += text(call, "/function/arguments");
                    }
                }
            }
            assert_eq!(said, "Thanks Sarah Chen, I call 415-555-0142 [not a token] é😀");
            assert_eq!(called, [r#"{"phone":"415-555-0142","n":1.0}"#, r#"{"to":["ann@example.com"]}"#]);
            assert_eq!(rehydrator.tally().restored, 2 * 2 + 2);
        }
    }
}

#[test]
fn what_is_no_answer_passes_as_it_is() {
    let masker = masker();
    let token = masker.mask(PHONE).unwrap().text;
    for data in [
        format!("not json {token}"),
        format!("{{\"error\":{{\"message\":\"{token}\"}}}}"),
        format!(
            "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"thinking_delta\",\"thinking\":\"{token}\"}}}}"
        ),
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":null},\"x\":1.0}]}".to_owned(),
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"plain, \"},\"logprobs\":{\"a\":1e5}}]}"
            .to_owned(),
    ] {
        assert_eq!(restore_stream(&masker, format!("data: {data}\n\n").as_bytes(), 4).0, [data]);
    }
}

#[test]
fn anthropic_events_give_the_restored_answer_for_every_cut() {
    let masker = masker();
    let words = masker.mask("It is 415-555-0142 for Sarah Chen").unwrap().text;
    let input = masker.mask_json(r#"{"phone":"415-555-0142"}"#, &JsonRules::everything()).unwrap().json;
    for size in [1, 3, 1000] {
        let mut stream = String::new();
        let mut send = |event: Value| {
            write!(stream, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()).unwrap();
        };
        send(json!({"type": "message_start", "message": {"id": "m", "content": []}}));
        for (index, (kind, field, whole)) in
            [("text_delta", "text", &words), ("input_json_delta", "partial_json", &input)]
                .into_iter()
                .enumerate()
        {
            send(
                json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}),
            );
            for piece in pieces(whole, size) {
                send(
                    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}}),
                );
            }
            send(json!({"type": "content_block_stop", "index": index}));
        }
        send(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}));
        send(json!({"type": "message_stop"}));
        for cut in [1, 2, stream.len()] {
            let (data, tally) = restore_stream(&masker, stream.as_bytes(), cut);
            let events: Vec<Value> = data.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
            let mut blocks = [String::new(), String::new()];
            let mut stopped = [false, false];
            for event in &events {
                let index = event["index"].as_u64().unwrap_or_default() as usize;
                if event["type"] == "content_block_delta" {
                    assert!(!stopped[index], "text after the end of its block");
                    blocks[index] += text(event, "/delta/text");
                    blocks[index] += text(event, "/delta/partial_json");
                }
                stopped[index] |= event["type"] == "content_block_stop";
            }
            assert_eq!(blocks[0], masker.rehydrate(&words).unwrap().text);
            assert_eq!(blocks[1], masker.rehydrate_json(&input).unwrap().json);
            assert_eq!(events.last().unwrap()["type"], "message_stop");
            assert_eq!(tally.restored, 3);
        }
    }
}

/// JSON as people and programs write it: odd numbers, odd spacing, equal keys.
fn json_text(leaf: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        leaf,
        prop_oneof![
            Just("1.0"),
            Just("1e5"),
            Just("-0"),
            Just("0.10"),
            Just("1E+2"),
            Just("123"),
            Just("true"),
            Just("null")
        ]
        .prop_map(str::to_owned),
    ];
    let space = || prop_oneof![Just(""), Just(" "), Just("\n\t")];
    let key = || prop_oneof![Just("a"), Just("b_c"), Just("dose"), Just("deep-er")];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..4), space())
                .prop_map(|(items, s)| format!("[{s}{}{s}]", items.join(&format!("{s},")))),
            (proptest::collection::vec((key(), inner), 0..4), space()).prop_map(|(members, s)| {
                let members: Vec<String> =
                    members.iter().map(|(k, v)| format!("\"{k}\"{s}:{s}{v}")).collect();
                format!("{{{s}{}{s}}}", members.join(","))
            }),
        ]
    })
}

fn said() -> impl Strategy<Value = String> {
    let values = [
        "call 415-555-0142",
        "ann@example.com",
        "five milligrams twice a day",
        "this is Sarah Chen",
        "a \"b\" \\ c\nd",
        "é😀",
        "dob 03/14/1982",
        "[PHONE_NUMBER_1]",
        "",
        "{\"n\": 1.0, \"phone\": \"415-555-0142\"}",
    ];
    proptest::sample::select(values.to_vec()).prop_map(|text| serde_json::to_string(text).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn json_without_findings_keeps_every_byte(json in json_text(
        prop_oneof![Just(r#""plain \u0041\/ words""#), Just(r#""{\"n\": 1.00 }""#), Just(r#""x""#)].prop_map(str::to_owned)
    )) {
        let masker = masker();
        prop_assert_eq!(&masker.mask_json(&json, &JsonRules::everything()).unwrap().json, &json);
        prop_assert_eq!(&masker.rehydrate_json(&json).unwrap().json, &json);
    }

    #[test]
    fn json_comes_back_byte_for_byte(json in json_text(said())) {
        let masker = exact();
        let masked = masker.mask_json(&json, &JsonRules::everything()).unwrap();
        prop_assert!(!masked.json.contains("0142") && !masked.json.contains("ann@"));
        prop_assert!(serde_json::from_str::<Value>(&masked.json).is_ok());
        prop_assert_eq!(&masker.mask_json(&masked.json, &JsonRules::everything()).unwrap().json, &masked.json);
        prop_assert_eq!(&masker.rehydrate_json(&masked.json).unwrap().json, &json);
    }

    #[test]
    fn chats_come_back_byte_for_byte(
        contents in proptest::collection::vec((proptest::sample::select(vec!["user", "assistant", "system", "tool"]), said()), 0..5),
        arguments in json_text(said()),
        extra in json_text(said()),
    ) {
        let mut messages: Vec<String> = contents
            .iter()
            .map(|(role, content)| format!("{{ \"role\":\"{role}\", \"content\": {content} }}"))
            .collect();
        let arguments = serde_json::to_string(&arguments).unwrap();
        messages.push(format!(r#"{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}}"#));
        let chat = format!("{{\"model\":\"m\",\"temperature\":0.50,\"messages\":[{}],\"extra\":{extra}}}\n", messages.join(",\n"));
        let masker = exact();
        let masked = masker.mask_chat(&chat).unwrap();
        prop_assert!(!masked.json.contains("0142") && !masked.json.contains("ann@"));
        prop_assert_eq!(&masker.rehydrate_chat(&masked.json).unwrap().json, &chat);
    }
}
