//! A conversation: aliases, memory, scope of restoring.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use masker_core::vault::Selection;
use masker_core::{
    Conversation, Error, KeyRing, Kid, Kind, Masked, Masker, MemoryVault, Policy, Role, Scope, Vault,
};
use serde::Deserialize;

fn policy(more: &str) -> Policy {
    let source = Policy::preset_source("healthcare-default").unwrap();
    Policy::from_yaml(&format!("{source}\n{more}\n")).unwrap()
}

fn masker(more: &str) -> Masker {
    Masker::builder().policy(policy(more)).build().unwrap()
}

fn texts(masked: &[Masked]) -> Vec<&str> {
    masked.iter().map(|masked| masked.text.as_str()).collect()
}

#[derive(Deserialize)]
struct Garbles {
    turns: Vec<String>,
    garble: Vec<Garble>,
    lookalike: Vec<LookAlike>,
}

#[derive(Deserialize)]
struct Garble {
    text: String,
    restored: String,
}

#[derive(Deserialize)]
struct LookAlike {
    text: String,
    #[serde(default)]
    ambiguous: usize,
}

#[test]
fn garbles_are_restored_and_look_alikes_are_not() {
    let fixture = include_str!("../../fixtures/stream/garbles.toml");
    let fixture: Garbles = toml::from_str(fixture).unwrap();
    assert!(fixture.garble.len() >= 60 && fixture.lookalike.len() >= 60);
    let conversation = masker("surface: alias").conversation("garbles");
    for turn in &fixture.turns {
        conversation.mask_turn(Role::User, turn).unwrap();
    }
    let streamed = |text: &str| {
        let mut stream = conversation.stream_rehydrator();
        let mut out: String =
            text.chars().map(|c| stream.push(c.encode_utf8(&mut [0; 4])).unwrap()).collect();
        out += &stream.flush().unwrap().0;
        out
    };
    // All that fail are told at once.
    let mut wrong = Vec::new();
    for Garble { text, restored } in &fixture.garble {
        let back = conversation.rehydrate(text).unwrap();
        if back.text != *restored || back.restored == 0 || back.unknown + back.foreign + back.ambiguous > 0 {
            wrong.push(format!("{text:?} became {:?}", back.text));
        }
        assert_eq!(streamed(text), back.text, "{text:?}");
    }
    for LookAlike { text, ambiguous } in &fixture.lookalike {
        let back = conversation.rehydrate(text).unwrap();
        if back.text != *text || (back.restored, back.ambiguous) != (0, *ambiguous) {
            wrong.push(format!("{text:?} became {:?}, {} ambiguous", back.text, back.ambiguous));
        }
        assert_eq!(streamed(text), back.text, "{text:?}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A call of 60 turns in which 40 values are said, each more than once.
fn call() -> Vec<(Role, String)> {
    let names = ["Ann Reed", "Maria Lopez", "David Kim", "Susan Clark", "James Walker"];
    (0..60)
        .map(|turn| {
            let value = turn % 40;
            match turn % 4 {
                0 => (Role::User, format!("this is {}, number {value}", names[value / 4 % 5])),
                1 => (Role::Assistant, format!("I have 415-555-01{:02} for that, is it right?", value + 10)),
                2 => {
                    (Role::User, format!("write to person{value}@example.com please, and take 5 milligrams"))
                }
                _ => (
                    Role::Tool,
                    format!(r#"{{"dob":"0{}/1{}/19{}"}}"#, value % 9 + 1, value % 10, 50 + value),
                ),
            }
        })
        .collect()
}

#[test]
fn a_history_that_grows_keeps_its_masked_beginning() {
    for more in ["surface: alias", "surface: token", "tokenization: reversible-aead"] {
        let more = more.to_owned();
        let masker = if more.starts_with("tokenization") {
            let policy = Policy::healthcare_default().with_scheme(masker_core::Scheme::ReversibleAead);
            Masker::builder().policy(policy).build().unwrap()
        } else {
            masker(&more)
        };
        let conversation = masker.conversation("call");
        let history = call();
        let mut before = String::new();
        let mut values: HashMap<(usize, usize, usize), String> = HashMap::new();
        for turns in 1..=history.len() {
            let masked = conversation.mask_history(&history[..turns]).unwrap();
            let joined = texts(&masked).join("\n") + "\n";
            assert!(joined.starts_with(&before), "turn {turns}");
            before = joined;
            for (turn, message) in masked.iter().enumerate() {
                for event in &message.events {
                    let place = (turn, event.span.start, event.span.end);
                    let known = values.entry(place).or_insert_with(|| message.text.clone());
                    assert_eq!(*known, message.text);
                }
            }
        }
        assert!(conversation.value_count() >= 30, "{}", conversation.value_count());
        let again = conversation.mask_history(&history).unwrap();
        let back =
            texts(&again).iter().map(|text| conversation.rehydrate(text).unwrap().text).collect::<Vec<_>>();
        assert_eq!(back[1], history[1].1);
        assert_eq!(back[2], history[2].1);
    }
}

#[test]
fn turns_and_history_are_one() {
    for surface in ["surface: alias", "surface: token"] {
        let masker = masker(surface);
        let history = call();
        let (whole, turns) = (masker.conversation("a"), masker.conversation("a"));
        let all = whole.mask_history(&history).unwrap();
        let each: Vec<Masked> =
            history.iter().map(|(role, text)| turns.mask_turn(*role, text).unwrap()).collect();
        assert_eq!(texts(&all), texts(&each));
        // Either way the memory is the same.
        assert_eq!(texts(&turns.mask_history(&history).unwrap()), texts(&all));
    }
}

#[test]
fn the_last_turn_costs_a_tenth_of_the_whole() {
    let history = call();
    let masker = masker("surface: alias");
    let fastest = |run: &dyn Fn() -> Duration| (0..7).map(|_| run()).min().unwrap();
    let without = fastest(&|| {
        let conversation = masker.conversation("cold");
        let begin = Instant::now();
        conversation.mask_history(&history).unwrap();
        begin.elapsed()
    });
    let with = fastest(&|| {
        let conversation = masker.conversation("warm");
        conversation.mask_history(&history[..59]).unwrap();
        let begin = Instant::now();
        conversation.mask_history(&history).unwrap();
        begin.elapsed()
    });
    assert!(with * 10 <= without, "{with:?} with memory, {without:?} without");
}

#[test]
fn an_edited_history_is_masked_as_it_now_is() {
    let conversation = masker("surface: alias").conversation("call");
    let first = [
        (Role::Assistant, "What is your date of birth?"),
        (Role::User, "march third eighty two"),
        (Role::User, "and my phone is 415-555-0142"),
    ];
    let masked = conversation.mask_history(&first).unwrap();
    assert_eq!(texts(&masked)[1..], ["[DOB_1]", "and my phone is [PHONE_1]"]);
    let edited = [
        (Role::Assistant, "What is your date of birth?"),
        (Role::User, "it's 415-555-0177, sorry"),
        (Role::User, "and my phone is 415-555-0142"),
    ];
    let masked = conversation.mask_history(&edited).unwrap();
    assert_eq!(texts(&masked)[1..], ["it's [PHONE_2], sorry", "and my phone is [PHONE_1]"]);
    // The first history is still what it was.
    assert_eq!(
        texts(&conversation.mask_history(&first).unwrap())[1..],
        ["[DOB_1]", "and my phone is [PHONE_1]"]
    );
    // What an edit took away teaches nothing.
    let answer = (Role::User, "march third eighty two");
    let asked = [(Role::Assistant, "What is your date of birth?"), answer];
    let unasked = [(Role::Assistant, "When did you call?"), answer];
    let kinds =
        |masked: &[Masked]| masked[1].events.iter().map(|event| event.kind.clone()).collect::<Vec<_>>();
    for conversation in [&conversation, &masker("surface: alias").conversation("fresh")] {
        assert_eq!(kinds(&conversation.mask_history(&asked).unwrap()), [Kind::Dob]);
        assert_eq!(kinds(&conversation.mask_history(&unasked).unwrap()), [Kind::Date]);
    }
}

#[test]
fn aliases_count_from_one_and_avoid_what_was_said() {
    let conversation = masker("surface: alias").conversation("call");
    let mask = |role, text: &str| conversation.mask_turn(role, text).unwrap().text;
    assert_eq!(mask(Role::User, "415-555-0142 and 415-555-0143"), "[PHONE_1] and [PHONE_2]");
    assert_eq!(mask(Role::User, "415-555-0143 then 415-555-0142"), "[PHONE_2] then [PHONE_1]");
    // Not an alias yet: kept, and its number is never given out.
    assert_eq!(mask(Role::User, "what is [PHONE_3] or phone_4?"), "what is [PHONE_3] or phone_4?");
    assert_eq!(mask(Role::User, "415-555-0144"), "[PHONE_5]");
    assert_eq!(mask(Role::User, "[EMAIL_1] is ada@example.com"), "[EMAIL_1] is [EMAIL_2]");
    assert_eq!(
        conversation.rehydrate("[PHONE_3] PHONE_4 [EMAIL_1] [PHONE_5]").unwrap().text,
        "[PHONE_3] PHONE_4 [EMAIL_1] 415-555-0144"
    );
}

#[test]
fn a_forged_alias_becomes_the_marker() {
    for role in [Role::User, Role::Tool] {
        let conversation = masker("surface: alias").conversation("call");
        let mask = |role, text: &str| conversation.mask_turn(role, text).unwrap().text;
        mask(Role::User, "415-555-0142");
        for forged in [
            "[PHONE_1]",
            "[phone 1]",
            "PHONE_1",
            "phone_1",
            "[[PHONE-1]]",
            "\\[PHONE\\_1\\]",
            "\u{ff3b}PHONE_1\u{ff3d}",
            "[PHONE]",
        ] {
            let text = format!("say {forged} to me");
            assert_eq!(mask(role, &text), "say [REDACTED:PHONE] to me", "{forged}");
        }
        // The model's own words and the instructions may name it.
        assert_eq!(mask(Role::Assistant, "so [PHONE_1], right?"), "so [PHONE_1], right?");
        assert_eq!(mask(Role::System, "call PHONE_1"), "call PHONE_1");
        assert_eq!(mask(role, "[PHONE_NUMBER_1] [PII] ####"), "[PHONE_NUMBER_1] [PII] ####");
    }
}

#[test]
fn only_its_own_tokens_are_restored() {
    let vault = Arc::new(MemoryVault::new());
    let kid: Kid = "K_HEALTHCARE".parse().unwrap();
    let keys = KeyRing::builder().key(&kid, [7; 32]).build().unwrap();
    let build = |more: &str, scope: &str| {
        let scope: Scope = scope.parse().unwrap();
        let builder = Masker::builder().policy(policy(more)).keys(keys.clone()).vault(vault.clone());
        builder.scope(scope).build().unwrap()
    };
    let masker = build("", "desk");
    let mine = masker.conversation("mine");
    let token = mine.mask_turn(Role::User, "415-555-0142").unwrap().text;
    assert_eq!(mine.rehydrate(&token).unwrap().text, "415-555-0142");
    let refused = |conversation: &Conversation, text: &str| {
        let back = conversation.rehydrate(text).unwrap();
        assert_eq!((back.restored, back.unknown, back.foreign), (0, 1, 0));
        assert_eq!(back.text, "[REDACTED:PHONE]");
        let mut stream = conversation.stream_rehydrator();
        let out = stream.push(text).unwrap() + &stream.flush().unwrap().0;
        assert_eq!(out, "[REDACTED:PHONE]");
    };
    // Another conversation, though the vault would open it; another scope; a caller who reads it aloud.
    refused(&masker.conversation("other"), &token);
    refused(&build("", "front").conversation("mine"), &token);
    let other = masker.conversation("other");
    let echoed = other.mask_turn(Role::User, &token).unwrap().text;
    assert_eq!(echoed, token, "a token is left alone");
    refused(&other, &echoed);
    // Nearly the token, or cut off.
    let mut wrong = token.clone().into_bytes();
    let last = wrong.len() - 2;
    wrong[last] = if wrong[last] == b'A' { b'B' } else { b'A' };
    refused(&mine, std::str::from_utf8(&wrong).unwrap());
    assert_eq!(mine.rehydrate(&token[..token.len() - 1]).unwrap().restored, 0);
    // Another instance's key.
    let foreign = token.replace("K_HEALTHCARE", "K_ELSEWHERE");
    let back = mine.rehydrate(&foreign).unwrap();
    assert_eq!((back.text.as_str(), back.foreign), ("[REDACTED:PHONE]", 1));
    // A purged row.
    vault.delete(&Selection::Scope("desk".parse().unwrap())).unwrap();
    refused(&mine, &token);
    assert_ne!(mine.mask_turn(Role::User, "415-555-0142").unwrap().text, token, "dead stays dead");

    let aliased = build("surface: alias", "alias").conversation("call");
    assert_eq!(aliased.mask_turn(Role::User, "415-555-0142").unwrap().text, "[PHONE_1]");
    assert_eq!(aliased.rehydrate("[PHONE_1]").unwrap().text, "415-555-0142");
    vault.delete(&Selection::Scope("alias".parse().unwrap())).unwrap();
    refused(&aliased, "[PHONE_1]");
}

#[test]
fn sessions_have_scopes_of_their_own() {
    let masker = masker("token_scope: session");
    let token = |id: &str| masker.conversation(id).mask_turn(Role::User, "415-555-0142").unwrap().text;
    assert_eq!(token("a"), token("a"));
    assert_ne!(token("a"), token("b"));
    let strange = "\u{7}".repeat(400);
    let conversation = masker.conversation(&strange);
    let masked = conversation.mask_turn(Role::User, "415-555-0142").unwrap().text;
    assert_eq!(conversation.rehydrate(&masked).unwrap().text, "415-555-0142");
}

#[test]
fn the_spelling_masked_last_comes_back() {
    for surface in ["surface: alias", "surface: token"] {
        let conversation = masker(surface).conversation("call");
        let first = conversation.mask_turn(Role::User, "415-555-0142").unwrap().text;
        let second = conversation.mask_turn(Role::User, "(415) 555-0142").unwrap().text;
        assert_eq!(first, second);
        assert_eq!(conversation.rehydrate(&first).unwrap().text, "(415) 555-0142");
    }
}

#[test]
fn a_conversation_survives_its_process() {
    for surface in ["surface: alias", "surface: token"] {
        let masker = masker(surface);
        let conversation = masker.conversation("call 9");
        let history = call();
        let first = conversation.mask_history(&history[..30]).unwrap();
        let bytes = conversation.to_bytes().unwrap();
        for secret in ["Ann", "555", "example", "call 9", "PHONE", "dob"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
        let again = Conversation::from_bytes(&masker, &bytes).unwrap();
        assert_eq!(again.id(), "call 9");
        assert_eq!(again.value_count(), conversation.value_count());
        assert_eq!(texts(&again.mask_history(&history[..30]).unwrap()), texts(&first));
        let (left, right) =
            (conversation.mask_history(&history).unwrap(), again.mask_history(&history).unwrap());
        assert_eq!(texts(&left), texts(&right));
        assert!(left.iter().zip(&right).all(|(left, right)| left.events == right.events));
        assert_eq!(again.rehydrate(&left[2].text).unwrap().text, history[2].1);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            if at > 40 && at % 97 > 0 {
                continue;
            }
            let result = Conversation::from_bytes(&masker, &damaged);
            assert!(matches!(result, Err(Error::Conversation)), "byte {at}");
        }
        assert!(Conversation::from_bytes(&masker, &bytes[..bytes.len() / 2]).is_err());
        assert!(Conversation::from_bytes(&masker, b"").is_err());
        assert!(Conversation::from_bytes(&Masker::new().unwrap(), &bytes).is_err(), "another key");
    }
}

#[test]
fn a_conversation_outlives_a_change_of_policy_and_a_rotated_key() {
    let kid: Kid = "K_HEALTHCARE".parse().unwrap();
    let vault = Arc::new(MemoryVault::new());
    let build = |keys, more: &str| {
        Masker::builder().policy(policy(more)).keys(keys).vault(vault.clone()).build().unwrap()
    };
    let before = build(KeyRing::builder().key(&kid, [1; 32]).build().unwrap(), "surface: alias");
    let conversation = before.conversation("call");
    conversation.mask_turn(Role::User, "415-555-0142").unwrap();
    let bytes = conversation.to_bytes().unwrap();
    let rotated = KeyRing::builder().key(&kid, [2; 32]).old_key(&kid, [1; 32]).build().unwrap();
    let after = build(rotated, "surface: alias\nstrict_numbers: true");
    let again = Conversation::from_bytes(&after, &bytes).unwrap();
    assert_eq!(
        again.mask_turn(Role::User, "415-555-0142, 415-555-0143").unwrap().text,
        "[PHONE_1], [PHONE_2]"
    );
    assert_eq!(again.rehydrate("[PHONE_1]").unwrap().text, "415-555-0142");
}

#[test]
fn a_failing_call_returns_no_text_and_changes_no_history() {
    let source = Policy::preset_source("healthcare-default").unwrap();
    let source: Vec<String> = source
        .lines()
        .map(
            |line| {
                if line.starts_with("  SSN:") { line.replace("tokenize", "block") } else { line.to_owned() }
            },
        )
        .collect();
    let policy = Policy::from_yaml(&source.join("\n")).unwrap();
    let conversation = Masker::builder().policy(policy).build().unwrap().conversation("call");
    let history =
        [(Role::User, "hello"), (Role::User, "415-555-0142"), (Role::User, "my ssn is 078-05-1120")];
    let first = conversation.mask_history(&history[..2]).unwrap();
    let error = conversation.mask_history(&history).unwrap_err();
    assert!(matches!(error, Error::Blocked { span, .. } if span.range() == (10..21)), "{error}");
    assert!(conversation.mask_turn(Role::User, history[2].1).is_err());
    let mut stream = conversation.stream_masker(Role::User);
    stream.push(history[2].1).unwrap();
    assert!(stream.interim("").is_err() && stream.finish().is_err());
    assert_eq!(texts(&conversation.mask_history(&history[..2]).unwrap()), texts(&first));
}

#[test]
fn json_stays_json() {
    let conversation = masker("surface: alias").conversation("call");
    let spelling = "415 555 0142";
    let masked = conversation.mask_turn(Role::User, &format!("it's {spelling}, or \"ada\\b\"@x")).unwrap();
    assert!(masked.text.starts_with("it's [PHONE_1]"));
    let odd = conversation.mask_turn(Role::User, "my name is Ann\nReed").unwrap().text;
    let json = serde_json::json!({ "phone": "[PHONE_1]", "note": format!("x\nPHONE_1 \\[phone\\_1\\] \"q\" {odd}") }).to_string();
    let back = conversation.rehydrate_json(&json).unwrap();
    let value: serde_json::Value = serde_json::from_str(&back.text).unwrap();
    assert_eq!(value["phone"], spelling);
    let note = value["note"].as_str().unwrap();
    assert!(note.starts_with(&format!("x\n{spelling} {spelling} \"q\" ")), "{note}");
    assert!(note.contains("Ann") && note.contains("Reed"), "{note}");
    let mut stream = conversation.stream_json_rehydrator();
    let mut out: String = json.chars().map(|c| stream.push(c.encode_utf8(&mut [0; 4])).unwrap()).collect();
    out += &stream.flush().unwrap().0;
    assert_eq!(out, back.text);
}

#[test]
fn threads_share_a_conversation() {
    let conversation = masker("surface: alias").conversation("call");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let conversation = conversation.clone();
            scope.spawn(move || {
                for turn in 0..20 {
                    let text = format!("415-555-01{:02}", thread * 20 + turn + 10);
                    let masked = conversation.mask_turn(Role::User, &text).unwrap().text;
                    assert_eq!(conversation.rehydrate(&masked).unwrap().text, text);
                }
            });
        }
    });
    assert_eq!(conversation.value_count(), 80);
}

#[test]
fn nothing_shows_in_debug() {
    let conversation = masker("surface: alias").conversation("Ann's call");
    conversation.mask_turn(Role::User, "I'm Ann Reed, 415-555-0142").unwrap();
    let mut stream = conversation.stream_masker(Role::User);
    stream.push("more of Ann Reed").unwrap();
    let mut back = conversation.stream_rehydrator();
    back.push("Ann [PHONE_").unwrap();
    let shown = format!("{conversation:?} {conversation:#?} {stream:?} {back:?}");
    assert!(!["Ann", "Reed", "415", "PHONE_"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn the_hint_is_fixed() {
    let hint = masker("surface: alias").conversation("a").system_hint();
    assert_eq!(hint, masker("surface: alias").conversation("b").system_hint());
    assert!(hint.contains("[PHONE_n]") && hint.len() < 400);
    assert_eq!(masker("").conversation("a").system_hint(), "");
    // It is safe in a masked history.
    let conversation = masker("surface: alias").conversation("c");
    assert_eq!(conversation.mask_turn(Role::System, hint).unwrap().text, hint);
    assert_eq!(conversation.mask_turn(Role::User, "415-555-0142").unwrap().text, "[PHONE_1]");
}

#[test]
fn every_scheme_goes_with_a_conversation() {
    let text = "this is Ann Reed, 415-555-0142, and again Ann Reed";
    for (scheme, surface) in
        [("reversible-aead", "alias"), ("reversible-aead", "token"), ("synthetic", "token")]
    {
        let source = Policy::preset_source("healthcare-default").unwrap();
        let source = source.replace("tokenization: vault-deterministic", &format!("tokenization: {scheme}"));
        let policy = Policy::from_yaml(&format!("{source}\nsurface: {surface}\n")).unwrap();
        let masker = Masker::builder().policy(policy).seed(7).build().unwrap();
        let conversation = masker.conversation("call");
        let masked = conversation.mask_turn(Role::User, text).unwrap().text;
        let later = conversation.mask_turn(Role::User, "Ann Reed here, 415-555-0142").unwrap().text;
        let back = conversation.rehydrate(&masked).unwrap();
        match (scheme, surface) {
            ("synthetic", _) => {
                assert!(back.restored == 0 && back.text == masked && !masked.contains("Reed"));
                // One surrogate a value, also after a restart.
                let name = masked.strip_prefix("this is ").unwrap().split(',').next().unwrap();
                assert!(masked.ends_with(name) && later.starts_with(name));
                let again = Conversation::from_bytes(&masker, &conversation.to_bytes().unwrap()).unwrap();
                assert_eq!(again.mask_turn(Role::User, "Ann Reed here, 415-555-0142").unwrap().text, later);
            }
            (_, "alias") => {
                assert_eq!(masked, "this is [NAME_1], [PHONE_1], and again [NAME_1]");
                assert_eq!(later, "[NAME_1] here, [PHONE_1]");
                assert_eq!((back.text.as_str(), back.restored), (text, 3));
            }
            _ => {
                assert_eq!(masked.matches("MSK1.").count(), 3);
                assert_eq!((back.text.as_str(), back.restored), (text, 3));
                assert_eq!(conversation.rehydrate(&later).unwrap().restored, 2);
                let fresh = masker.conversation("other").rehydrate(&masked).unwrap();
                assert_eq!((fresh.restored, fresh.unknown), (0, 3));
            }
        }
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let conversation = masker("").conversation("call");
    let long = "nothing to see here, move on please. ".repeat(28_000);
    for turn in 0..12 {
        conversation.mask_turn(Role::Tool, &format!("{turn} {long}")).unwrap();
    }
    let bytes = conversation.to_bytes().unwrap();
    assert!(bytes.len() < (8 << 20) + 4096, "{}", bytes.len());
    assert!(bytes.len() > 4 << 20, "the last ones are remembered: {}", bytes.len());
}

#[test]
fn the_input_cannot_use_up_the_numbers() {
    let conversation = masker("surface: alias").conversation("call");
    let typed = (1..=3000).map(|number| format!("[PHONE_{number}]")).collect::<Vec<_>>().join(" ");
    let masked = conversation.mask_turn(Role::User, &typed).unwrap().text;
    assert!(masked.starts_with("[PHONE_1] ") && masked.ends_with(" [REDACTED:PHONE]"));
    let masked = conversation.mask_turn(Role::User, "415-555-0142").unwrap().text;
    assert_eq!(masked, "[PHONE_1025]");
}
