//! Payloads: JSON of any form and chats stay JSON of the same shape, and come back.

use masker_core::payload::{JsonRules, MaskedPayload, RestoredPayload, mask_chat};
use masker_core::policy::NonText;
use masker_core::{Error, ErrorKind, Masker};
use serde_json::Value;

use crate::input::Input;
use crate::promises;
use crate::world::{World, all_tokens};

thread_local! {
    static WORLD: World = World::new(vec![
        all_tokens("normalization: exact"),
        all_tokens("normalization: exact\nsurface: alias"),
    ]);
}

pub(crate) fn run(data: &[u8]) {
    WORLD.with(|world| {
        let mut input = Input::new(data);
        let masker = input.pick(world.begin());
        let is_chat = input.flag();
        let non_text = *input.pick(&[NonText::Reject, NonText::Drop, NonText::Pass]);
        let rules = match input.below(4) {
            0 => JsonRules::nothing().mask("/a".parse().unwrap()),
            1 => JsonRules::everything().leave("/messages/*/content".parse().unwrap()),
            _ => JsonRules::everything(),
        };
        let text = input.text();
        if is_chat {
            walk(
                masker,
                &text,
                |text| mask_chat(&mut &*masker, non_text, text),
                |text| masker.rehydrate_chat(text),
            );
            in_a_conversation(masker, &text);
        } else {
            walk(masker, &text, |text| masker.mask_json(text, &rules), |text| masker.rehydrate_json(text));
        }
    });
}

fn walk(
    masker: &Masker,
    text: &str,
    mask: impl Fn(&str) -> Result<MaskedPayload, Error>,
    restore: impl Fn(&str) -> Result<RestoredPayload, Error>,
) {
    let read: Option<Value> = serde_json::from_str(text).ok();
    let masked = match mask(text) {
        Ok(masked) => masked,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Payload | ErrorKind::Limit), "{error}");
            let is_syntax = matches!(error, Error::NotJson { .. });
            assert!(!is_syntax || read.is_none(), "what another reader reads is JSON: {error}");
            return;
        }
    };
    assert_eq!(masked.redaction_count() == 0, masked.events.iter().all(|e| e.event.token_kind.is_none()));
    if masked.events.is_empty() && masker.policy().non_text() != NonText::Drop && !text.contains("\"type\"") {
        assert_eq!(masked.json, text, "where nothing is found nothing is changed");
    }
    if text.len().max(masked.json.len()) < promises::ONE_PIECE {
        let again = mask(&masked.json).unwrap();
        assert_eq!(again.redaction_count(), 0, "{again:?} when masked again");
        assert_eq!(again.json, masked.json);
    }
    let restored = restore(&masked.json).unwrap();
    let Some(read) = read else { return };
    let masked: Value = serde_json::from_str(&masked.json).expect("masked JSON is JSON");
    let returned: Value = serde_json::from_str(&restored.json).expect("restored JSON is JSON");
    assert!(same_shape(&read, &masked), "the shape of the JSON is changed");
    let has_tokens = text.to_ascii_lowercase().contains("msk") || text.contains("\\u");
    if !has_tokens && !text.contains("\"type\"") {
        assert!(came_back(&read, &returned), "the round trip");
    }
}

/// In a conversation the same holds, and a reply to it comes back as text and as a stream.
fn in_a_conversation(masker: &Masker, text: &str) {
    let conversation = masker.conversation("a");
    let Ok(masked) = conversation.mask_chat(text) else { return };
    let again = conversation.mask_chat(text).unwrap();
    assert_eq!(again.json, masked.json, "a history that is sent again is the same");
    let restored = conversation.rehydrate_chat(&masked.json).unwrap();
    if serde_json::from_str::<Value>(text).is_ok() {
        assert!(serde_json::from_str::<Value>(&restored.json).is_ok(), "restored JSON is JSON");
    }
}

/// Objects, arrays and leaves lie where they lay. Keys may be replaced, numbers may have become strings, and lists may have
/// lost what is no text.
fn same_shape(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            after.len() <= before.len()
                && (after.len() < before.len() || before.iter().zip(after).all(|(a, b)| same_shape(a, b)))
        }
        (Value::Object(before), Value::Object(after)) => {
            after.len() <= before.len()
                && before
                    .iter()
                    .all(|(key, value)| after.get(key).is_none_or(|after| same_shape(value, after)))
        }
        (Value::Number(_) | Value::String(_), Value::String(_)) => true,
        // A list of nothing but images becomes an empty text.
        (Value::Array(_), Value::String(text)) => text.is_empty(),
        _ => before == after,
    }
}

/// Equal but for numbers, which come back as strings.
fn came_back(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(a, b)| came_back(a, b))
        }
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before.iter().all(|(key, a)| after.get(key).is_some_and(|b| came_back(a, b)))
        }
        (Value::Number(number), Value::String(text)) => text.parse::<f64>().ok() == number.as_f64(),
        _ => before == after,
    }
}
