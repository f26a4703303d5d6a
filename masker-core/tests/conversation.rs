//! A conversation: aliases, memory, scope of restoring.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod random;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use masker_core::vault::Selection;
use masker_core::{
    Conversation, Error, KeyRing, Kid, Kind, Masked, Masker, MemoryVault, Policy, Recognizer,
    RecognizerError, RecognizerHit, Role, Scope, StreamMasker, StreamRehydrator, Vault,
};
use serde::Deserialize;

use self::random::{cases, seed};

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

/// How many values are said in the call.
const VALUES: usize = 40;

/// A call of 60 turns in which 40 values are said, the first of them again in the end.
fn call() -> Vec<(Role, String)> {
    const NAMES: [&str; 10] = [
        "Ann Reed",
        "Maria Lopez",
        "David Kim",
        "Susan Clark",
        "James Walker",
        "Peter Novak",
        "Laura Bianchi",
        "Kevin Murphy",
        "Julia Sanders",
        "Robert Hughes",
    ];
    (0..60)
        .map(|turn| {
            let value = turn % VALUES;
            let nth = value / 4;
            match value % 4 {
                0 => (Role::User, format!("this is {}, about the ten milligrams", NAMES[nth])),
                1 => (Role::Assistant, format!("I have 415-555-01{} for that, is it right?", nth + 10)),
                2 => (Role::User, format!("write to person{nth}@example.com please, twice a day")),
                _ => (Role::Tool, format!(r#"{{"dob":"0{}/14/19{}"}}"#, nth % 9 + 1, nth + 50)),
            }
        })
        .collect()
}

/// The same call as a client sends it.
fn as_chat(history: &[(Role, String)]) -> String {
    let messages: Vec<serde_json::Value> = history
        .iter()
        .map(|(role, text)| match role {
            Role::Tool => serde_json::json!({"role": "tool", "tool_call_id": "c1", "content": text}),
            Role::Assistant => serde_json::json!({"role": "assistant", "content": text, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "find", "arguments": format!("{{\"q\":{text:?}}}")}}]}),
            _ => serde_json::json!({"role": "user", "content": text}),
        })
        .collect();
    serde_json::json!(messages).to_string()
}

#[test]
fn a_history_that_grows_keeps_its_masked_beginning() {
    let sealed = Policy::healthcare_default().with_scheme(masker_core::Scheme::ReversibleAead);
    for (aliased, policy) in
        [(true, policy("surface: alias")), (false, policy("surface: token")), (false, sealed)]
    {
        let masker = Masker::builder().policy(policy).build().unwrap();
        let (conversation, chat) = (masker.conversation("call"), masker.conversation("chat"));
        let history = call();
        let (mut before, mut chat_before) = (String::new(), String::new());
        let mut last = Vec::new();
        for turns in 1..=history.len() {
            let masked = conversation.mask_history(&history[..turns]).unwrap();
            let joined = texts(&masked).join("\n") + "\n";
            assert!(joined.starts_with(&before), "turn {turns}");
            before = joined;
            let json = chat.mask_chat(&as_chat(&history[..turns])).unwrap().json;
            assert!(json.starts_with(chat_before.trim_end_matches(']')), "turn {turns}");
            chat_before = json;
            last = masked;
        }
        assert!(last.iter().all(|message| message.redaction_count() == 1), "a value in every turn");
        assert_eq!(conversation.value_count(), VALUES);
        for turn in 0..20 {
            assert!(!aliased || last[turn].text == last[turn + VALUES].text, "a value has one alias");
        }
        for (masked, (_, said)) in last.iter().zip(&history) {
            assert_eq!(conversation.rehydrate(&masked.text).unwrap().text, *said);
        }
        let back = chat.rehydrate_chat(&chat_before).unwrap();
        assert_eq!(back.json, as_chat(&history));
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

/// Counts what is read.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Recognizer for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        self.0.fetch_add(text.len(), Ordering::Relaxed);
        Ok(Vec::new())
    }
}

/// Work and not time is counted, so that a busy machine says nothing else; `benches/conversation.rs` has the times.
#[test]
fn only_the_last_turn_is_read_again() {
    let history = call();
    let counter = Arc::new(Counter::default());
    let masker =
        Masker::builder().policy(policy("surface: alias")).recognizer(counter.clone()).build().unwrap();
    let read = |run: &mut dyn FnMut()| {
        let before = counter.0.load(Ordering::Relaxed);
        run();
        counter.0.load(Ordering::Relaxed) - before
    };
    let turns = masker.conversation("turns");
    let chat = masker.conversation("chat");
    for turn in 1..=history.len() {
        let said = history[turn - 1].1.len();
        let with = read(&mut || drop(turns.mask_history(&history[..turn]).unwrap()));
        assert_eq!(with, said, "turn {turn}");
        // The arguments of a call repeat what was said, and fields are read with their names.
        let with = read(&mut || drop(chat.mask_chat(&as_chat(&history[..turn])).unwrap()));
        assert!((1..3 * said + 64).contains(&with), "turn {turn}: {with} for {said}");
    }
    let without = read(&mut || drop(masker.conversation("cold").mask_history(&history).unwrap()));
    assert!(history[59].1.len() * 10 <= without);
    assert_eq!(read(&mut || drop(turns.mask_history(&history).unwrap())), 0);
}

#[test]
fn what_was_typed_before_a_value_never_comes_to_stand_for_it() {
    let masker = masker("surface: alias");
    let mut random = seed(0xf0);
    let mut live = 0;
    for _ in 0..cases(60) {
        let mut conversation = masker.conversation("call");
        let mut turns: Vec<(String, String)> = Vec::new();
        for _ in 0..12 {
            let role = *random.pick(&[Role::User, Role::Tool, Role::Assistant]);
            let typed = match random.below(6) {
                // The model may say so, and mean the one that is alive.
                0 if role != Role::Assistant => format!("[{}]", random.pick(&["PHONE", "EMAIL"])),
                _ => format!("[{}_{}]", random.pick(&["PHONE", "EMAIL"]), 1 + random.below(7)),
            };
            let typed = if random.one_in(3) { typed } else { random.garbled(&typed) };
            let said = random.below(30);
            let text = match random.below(5) {
                0 => format!("415-555-01{:02} and {typed}", 10 + said),
                1 => format!("{typed}, person{said}@example.com"),
                2 => format!("415-555-01{:02}", 10 + said),
                3 => format!("say {typed} to {typed}"),
                _ => format!("person{said}@example.com"),
            };
            let masked = conversation.mask_turn(role, &text).unwrap().text;
            let back = conversation.rehydrate(&masked).unwrap();
            live += back.restored;
            turns.push((masked, back.text));
            if random.one_in(6) {
                conversation = Conversation::from_bytes(&masker, &conversation.to_bytes().unwrap()).unwrap();
            }
        }
        for (masked, back) in &turns {
            assert_eq!(conversation.rehydrate(masked).unwrap().text, *back, "{masked:?} in {turns:#?}");
        }
    }
    assert!(live > 60);
}

#[test]
fn a_kind_in_brackets_that_was_typed_stands_for_nothing() {
    let conversation = masker("surface: alias").conversation("call");
    let mask = |role, text: &str| conversation.mask_turn(role, text).unwrap().text;
    assert_eq!(mask(Role::User, "they call me [NAME], at [PHONE]"), "they call me [NAME], at [PHONE]");
    assert_eq!(mask(Role::System, "greet them: hello [EMAIL]"), "greet them: hello [EMAIL]");
    mask(Role::User, "I'm Ann Reed, 415-555-0142, ada@example.com");
    let back = conversation.rehydrate("[NAME] [PHONE] [EMAIL] [NAME_1]").unwrap();
    assert_eq!(back.text, "[NAME] [PHONE] ada@example.com Ann Reed");
    assert_eq!((back.restored, back.ambiguous), (2, 2));
    assert_eq!(mask(Role::User, "[NAME] again"), "[REDACTED:NAME] again");
}

#[test]
fn the_keys_of_a_tool_are_no_aliases() {
    let conversation = masker("surface: alias").conversation("call");
    conversation.mask_turn(Role::User, "415-555-0142").unwrap();
    let chat = |role: &str, text: &str| {
        let chat = serde_json::json!([{"role": role, "content": text}]).to_string();
        let masked: serde_json::Value =
            serde_json::from_str(&conversation.mask_chat(&chat).unwrap().json).unwrap();
        masked[0]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        chat("tool", r#"{"phone_1":"a","line_1":"b","PHONE_7":"c"}"#),
        r#"{"[REDACTED:PHONE]":"a","line_1":"b","PHONE_7":"c"}"#
    );
    assert_eq!(chat("assistant", r#"{"phone_1":"a"}"#), r#"{"phone_1":"a"}"#);
    for number in 2..9 {
        let value = format!("415-555-01{}", 50 + number);
        let masked = conversation.mask_turn(Role::User, &value).unwrap().text;
        assert_eq!(conversation.rehydrate(&masked).unwrap().text, value);
        assert_ne!(masked, "[PHONE_7]");
    }
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
        for secret in ["Ann Reed", "415-555", "@example", "call 9", "PHONE", "\"dob\""] {
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
        assert!(Conversation::from_bytes(&Masker::new().unwrap(), &bytes).is_err(), "another key");
    }
}

#[test]
fn damaged_bytes_never_open() {
    let kid: Kid = "K_HEALTHCARE".parse().unwrap();
    let build = |key: [u8; 32], scope: &str| {
        let keys = KeyRing::builder().key(&kid, key).build().unwrap();
        let builder = Masker::builder().policy(policy("surface: alias")).keys(keys);
        builder.scope(scope.parse::<Scope>().unwrap()).build().unwrap()
    };
    let masker = build([1; 32], "desk");
    let conversation = masker.conversation("call 9");
    conversation.mask_turn(Role::User, "I'm Ann Reed, 415-555-0142, see [PHONE_4]").unwrap();
    let bytes = conversation.to_bytes().unwrap();
    let is_refused = |masker: &Masker, bytes: &[u8]| {
        matches!(Conversation::from_bytes(masker, bytes), Err(Error::Conversation))
    };
    assert!(!is_refused(&masker, &bytes));
    for at in 0..bytes.len() {
        assert!(is_refused(&masker, &bytes[..at]), "cut at {at}");
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(is_refused(&masker, &damaged), "bit {bit} of byte {at}");
        }
    }
    assert!(is_refused(&masker, &[bytes.as_slice(), b"\0"].concat()));
    assert!(is_refused(&masker, &[bytes.as_slice(), bytes.as_slice()].concat()));
    assert!(is_refused(&build([2; 32], "desk"), &bytes), "another key");
    assert!(is_refused(&build([1; 32], "front"), &bytes), "another scope");
    // What was sealed is the whole of one conversation: two snapshots do not mix, and none gives away which call it is.
    let other = masker.conversation("call 8").to_bytes().unwrap();
    let header = 5 + 1 + kid.as_str().len();
    assert_eq!(bytes[..header], other[..header]);
    let mut mixed = bytes.clone();
    mixed[header..header + 12].copy_from_slice(&other[header..header + 12]);
    assert!(is_refused(&masker, &mixed));
    assert_eq!(Conversation::from_bytes(&masker, &other).unwrap().id(), "call 8");
    assert_ne!(conversation.to_bytes().unwrap(), bytes, "no nonce is used twice");
}

#[test]
fn bytes_grow_with_what_is_remembered_and_no_faster() {
    let conversation = masker("surface: alias").conversation("call");
    let size = || conversation.to_bytes().unwrap().len();
    let empty = size();
    assert!(empty < 2_500, "{empty}");
    let mut sizes = vec![empty];
    for block in 0..4 {
        for turn in 0..100 {
            let text = format!("write to person{}@example.com", block * 100 + turn);
            assert_eq!(conversation.mask_turn(Role::User, &text).unwrap().redaction_count(), 1);
        }
        sizes.push(size());
    }
    let grown: Vec<usize> = sizes.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(grown.iter().all(|grown| (10_000..60_000).contains(grown)), "{grown:?}");
    assert!(grown[3] < grown[0] * 5 / 4, "{grown:?}");
    // The same history again adds nothing.
    let again: Vec<(Role, String)> =
        (0..100).map(|turn| (Role::User, format!("write to person{turn}@example.com"))).collect();
    let before = size();
    conversation.mask_history(&again).unwrap();
    assert!(size() <= before + 64);
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
    fn is_shared<T: Send + Sync>() {}
    fn is_sent<T: Send>() {}
    is_shared::<Conversation>();
    is_sent::<StreamMasker>();
    is_sent::<StreamRehydrator>();

    let masker = masker("surface: alias");
    let conversation = masker.conversation("call");
    let masked: Vec<(String, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|thread| {
                let (masker, conversation) = (&masker, conversation.clone());
                scope.spawn(move || {
                    let mut masked = Vec::new();
                    for turn in 0..15 {
                        let text = format!("415-555-01{:02}", thread / 2 * 20 + turn + 10);
                        let out = if thread % 2 == 0 {
                            conversation.mask_turn(Role::User, &text).unwrap().text
                        } else {
                            let mut stream = conversation.stream_masker(Role::User);
                            stream.interim(&text).unwrap();
                            stream.push(&text).unwrap() + &stream.finish().unwrap().text
                        };
                        let mut back = conversation.stream_rehydrator();
                        let restored = back.push(&out).unwrap() + &back.flush().unwrap().0;
                        assert_eq!(restored, text);
                        let copy =
                            Conversation::from_bytes(masker, &conversation.to_bytes().unwrap()).unwrap();
                        assert_eq!(copy.rehydrate(&out).unwrap().text, text);
                        masked.push((text, out));
                    }
                    masked
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // Two threads each said the same; every value has one alias, and no alias two values.
    assert_eq!(conversation.value_count(), 45);
    for (text, out) in &masked {
        assert!(masked.iter().all(|(other_text, other)| (other_text == text) == (other == out)), "{out}");
    }
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
