//! Turns and replies cut anywhere, against the same whole.

use masker_core::{Conversation, Masker, Restored, Role};

use crate::input::{Cuts, Input};
use crate::world::World;

thread_local! {
    static WORLD: World = World::of_conversations();
}

const ROLES: [Role; 4] = [Role::User, Role::Tool, Role::Assistant, Role::System];
/// Stands between the messages of an input.
const BETWEEN: char = '\u{1e}';
const MESSAGES: usize = 6;

pub(crate) fn run(data: &[u8]) {
    WORLD.with(|world| {
        let mut input = Input::new(data);
        let masker = input.pick(world.begin());
        let cuts = Cuts::new(&mut input);
        let roles = [(); MESSAGES].map(|()| *input.pick(&ROLES));
        let text = input.text();
        let messages: Vec<(Role, &str)> = roles.into_iter().zip(text.split(BETWEEN)).collect();
        turns(masker, &messages, cuts);
    });
}

fn turns(masker: &Masker, messages: &[(Role, &str)], cuts: Cuts) {
    let (whole, streamed) = (masker.conversation("a"), masker.conversation("a"));
    let mut masked = Vec::new();
    for (role, text) in messages {
        let expected = whole.mask_turn(*role, text).unwrap();
        let mut stream = streamed.stream_masker(*role);
        let mut given = String::new();
        for (at, part) in cuts.text(text).into_iter().enumerate() {
            // Each looks at all that is held back, so a few are enough.
            if at % 16 == 1 {
                let known = streamed.value_count();
                stream.interim(part).unwrap();
                assert_eq!(streamed.value_count(), known, "an interim result commits nothing");
            }
            given += &stream.push(part).unwrap();
        }
        let rest = stream.finish().unwrap();
        given += &rest.text;
        // Only under a vault or a derived nonce is a value the same token twice.
        if masker.policy().scheme() == masker_core::Scheme::VaultDeterministic
            || masker.policy().aead_deterministic()
            || masker.policy().surface() == masker_core::policy::Surface::Alias
        {
            assert_eq!(given, expected.text, "{role:?}, masked in parts");
        }
        assert_eq!(rest.events, expected.events, "{role:?}, masked in parts");
        assert_eq!(stream.held(), 0);
        masked.push(expected.text);
    }
    // A history that is sent again is the same byte for byte, and one that is new is masked like its turns.
    let history = whole.mask_history(messages).unwrap();
    assert!(history.iter().map(|masked| &masked.text).eq(&masked), "sent again");

    let reply = masked.join(" ") + " " + messages.last().map_or("", |(_, text)| text);
    replies(&whole, &reply, cuts);
    if let Some((_, text)) = messages.last() {
        replies(&whole, text, cuts);
    }
}

/// Restores a reply whole and in parts, as text and as JSON.
fn replies(conversation: &Conversation, reply: &str, cuts: Cuts) {
    let quoted = serde_json::json!({ "text": reply, "more": [reply] }).to_string();
    for (text, json) in [(reply, false), (&quoted, true), (reply, true)] {
        let (whole, mut stream) = if json {
            (conversation.rehydrate_json(text).unwrap(), conversation.stream_json_rehydrator())
        } else {
            (conversation.rehydrate(text).unwrap(), conversation.stream_rehydrator())
        };
        let mut given = String::new();
        for part in cuts.text(text) {
            given += &stream.push(part).unwrap();
        }
        given += &stream.flush().unwrap().0;
        assert_eq!(given, whole.text, "restored in parts, JSON: {json}");
        assert_eq!(counts(&stream.totals()), counts(&whole));
        if json && serde_json::from_str::<serde_json::Value>(text).is_ok() {
            assert!(serde_json::from_str::<serde_json::Value>(&given).is_ok(), "JSON stays JSON");
        }
    }
}

fn counts(restored: &Restored) -> (usize, usize, usize, usize) {
    (restored.restored, restored.unknown, restored.foreign, restored.ambiguous)
}
