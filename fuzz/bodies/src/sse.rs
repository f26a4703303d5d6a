//! Event streams cut anywhere, against the same whole; and answers in them against the same text restored at once.

use masker_core::payload::{SseDecoder, SseEvent, StreamTally};
use masker_core::{Conversation, Role};
use serde_json::{Value, json};

use crate::input::{Cuts, Input};
use crate::world::World;

thread_local! {
    static WORLD: World = World::of_conversations();
}

pub(crate) fn run(data: &[u8]) {
    WORLD.with(|world| {
        let mut input = Input::new(data);
        let conversation = input.pick(world.begin()).conversation("a");
        conversation.mask_turn(Role::User, "this is Ann Reed, ada@example.com, 415-555-0142").unwrap();
        let cuts = Cuts::new(&mut input);
        let is_json = input.flag();
        events(input.rest(), cuts);
        restored(&conversation, input.rest(), is_json, cuts);
        answer(&conversation, &input.text(), cuts);
    });
}

fn decode(parts: &[&[u8]]) -> Vec<SseEvent> {
    let mut decoder = SseDecoder::new();
    let mut events: Vec<SseEvent> = parts.iter().flat_map(|part| decoder.push(part).unwrap()).collect();
    events.extend(decoder.finish());
    events
}

fn events(bytes: &[u8], cuts: Cuts) {
    let whole = decode(&[bytes]);
    assert_eq!(decode(&cuts.bytes(bytes)), whole);
    for event in whole {
        let sent = event.to_string();
        assert_eq!(decode(&[sent.as_bytes()]), [event], "{sent:?}");
    }
}

fn restore(conversation: &Conversation, parts: &[&[u8]], is_json: bool) -> (Vec<u8>, StreamTally) {
    let mut rehydrator = conversation.sse_rehydrator();
    if is_json {
        rehydrator = rehydrator.json_answer();
    }
    let mut out: Vec<u8> = parts.iter().flat_map(|part| rehydrator.push(part).unwrap()).collect();
    out.extend(rehydrator.finish().unwrap());
    assert!(rehydrator.finish().unwrap().is_empty(), "the end comes once");
    (out, rehydrator.tally())
}

fn restored(conversation: &Conversation, bytes: &[u8], is_json: bool, cuts: Cuts) {
    let (whole, tally) = restore(conversation, &[bytes], is_json);
    let (cut, tally_of_parts) = restore(conversation, &cuts.bytes(bytes), is_json);
    assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
    assert_eq!(tally_of_parts, tally);
    let is_json =
        |event: &SseEvent| event.data.as_ref().is_none_or(|data| serde_json::from_str::<Value>(data).is_ok());
    if decode(&[bytes]).iter().all(is_json) {
        assert!(decode(&[&whole]).iter().all(is_json), "data that was JSON stays JSON");
    }
}

/// The words of an answer, in pieces, are restored as the whole text is.
fn answer(conversation: &Conversation, text: &str, cuts: Cuts) {
    // Words that begin like JSON are restored as JSON.
    if text.trim_start().starts_with(['{', '[']) {
        return;
    }
    let mut stream = String::new();
    for part in cuts.text(text) {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": null}]});
        stream += &SseEvent::data(chunk.to_string()).to_string();
    }
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    stream += &SseEvent::data(last.to_string()).to_string();
    stream += "data: [DONE]\n\n";
    let (out, _) = restore(conversation, &[stream.as_bytes()], false);
    let mut given = String::new();
    for event in decode(&[&out]) {
        let Some(data) = event.data.filter(|data| data != "[DONE]") else { continue };
        let chunk: Value = serde_json::from_str(&data).expect("a chunk is JSON");
        given += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
    }
    let expected = conversation.rehydrate(text).unwrap().text;
    let mut stream = conversation.stream_rehydrator();
    stream.push(text).unwrap();
    let (_, dangling) = stream.flush().unwrap();
    if dangling.is_token {
        // Half a token at the end of what goes to a person becomes its marker.
        let before = &expected[..expected.len() - dangling.bytes];
        assert!(given.strip_prefix(before).is_some_and(|rest| rest.starts_with("[REDACTED")), "{given:?}");
    } else {
        assert_eq!(given, expected);
    }
}
