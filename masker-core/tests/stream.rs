//! Streams give, joined, what the whole text gives, wherever it is cut.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use masker_core::{Conversation, Masker, Policy, Role};

fn masker(surface: &str) -> Masker {
    let source = Policy::preset_source("healthcare-default").unwrap();
    let policy = Policy::from_yaml(&format!("{source}\nsurface: {surface}\n")).unwrap();
    Masker::builder().policy(policy).build().unwrap()
}

/// xorshift64: enough to vary test data, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const FRAGMENTS: &[&str] = &[
    "hi there, this is Ann Reed",
    "my number is 415-555-0142",
    "four one five five five five oh one four two",
    "jane dot doe at example dot com",
    "write to ada@example.com",
    "my date of birth is March 3rd 1982",
    "born on march third nineteen eighty two",
    "I live at 42 Winding Lane, Springfield, IL 62701",
    "that's M as in Mary, R as in Robert",
    "my ssn is 078 05 1120",
    "the card is 4111 1111 1111 1111",
    "take five milligrams twice a day",
    "blood pressure was 120 over 80",
    "see you at 3:30 pm on Tuesday",
    "thanks Reed",
    "Dr. Okafor said so",
    "\u{1f44d}\u{1f3fd} ok \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "Jose\u{301} Nu\u{303}ez",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd} 415-555-0143 \u{5ea}\u{5d5}\u{5d3}\u{5d4}",
    "\u{627}\u{644}\u{633}\u{644}\u{627}\u{645} \u{664}\u{661}\u{665}",
    "\u{ff3b}PHONE_1\u{ff3d}",
    "[PHONE_1]",
    "[phone 1]",
    "PHONE_1's",
    "[PHONE_7]",
    "[[NAME_1]]",
    "\\[NAME\\_1\\]",
    "[NAME]",
    "[",
    "\\",
    "M",
    "MSK",
    "MSKV1.",
    "MSKV1.PHONE.K_OTHER.HSEMBUYQUW2TTUOL35UE5SIDMY",
    "MSKV1.PHONE.K_OTHER.HSEMBUYQUW2TTUO",
    "[REDACTED:PHONE]",
    "[PHONE_NUMBER_1]",
    "####",
    "***-**-****",
    "## Heading",
    "**bold**",
    "<PERSON>",
    "&#64;",
    "https://example.com/a/b?c=d&e=f#g",
    "Agent: what's your phone number?",
    "\u{200b}",
    "\u{fb01}",
];

const JOINTS: &[&str] = &[" ", " ", " ", ". ", ", ", "\n", "? ", "", "\r\n", "\t", " - "];

fn chat(random: &mut Random, tokens: &[String]) -> String {
    // One in five is long enough to be masked in several pieces.
    let fragments = if random.below(5) == 0 { 60 + random.below(90) } else { 1 + random.below(12) };
    let mut text = String::new();
    for _ in 0..fragments {
        if random.below(8) == 0 && !tokens.is_empty() {
            text += random.pick(tokens).as_str();
        } else {
            text += *random.pick(FRAGMENTS);
        }
        text += *random.pick(JOINTS);
    }
    text
}

/// The text cut every `step` characters, or at random where it is 0.
fn parts<'t>(text: &'t str, step: usize, random: &mut Random) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = if step == 0 { 1 + random.below(200) } else { step };
        let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

fn live_tokens(conversation: &Conversation) -> Vec<String> {
    ["415-555-0142", "Ann Reed", "ada@example.com"]
        .iter()
        .map(|value| {
            let text = format!("this is for {value} ok");
            let masked = conversation.mask_turn(Role::User, &text).unwrap().text;
            let masked = masked.strip_prefix("this is for ").unwrap_or(&masked).to_owned();
            masked.strip_suffix(" ok").unwrap_or(&masked).to_owned()
        })
        .collect()
}

#[test]
fn a_masked_stream_is_the_masked_whole() {
    for surface in ["token", "alias"] {
        let masker = masker(surface);
        let mut random = Random(0x5eed_0001);
        let mut longest_held = 0;
        for case in 0..500 {
            let role = *random.pick(&[Role::User, Role::Tool, Role::Assistant, Role::System]);
            let (whole, streamed) = (masker.conversation("whole"), masker.conversation("streamed"));
            let tokens = live_tokens(&whole);
            assert_eq!(tokens, live_tokens(&streamed));
            let text = chat(&mut random, &tokens);
            let expected = whole.mask_turn(role, &text).unwrap();
            let next = whole.mask_turn(Role::User, "thanks Reed, 415-555-0199").unwrap();
            for step in [1, 2, 0] {
                // Every case one way of cutting, the short ones all.
                if text.len() > 1000 && case % 3 != step {
                    continue;
                }
                let conversation = Conversation::from_bytes(&masker, &streamed.to_bytes().unwrap()).unwrap();
                let mut stream = conversation.stream_masker(role);
                let mut masked = String::new();
                for part in parts(&text, step, &mut random) {
                    masked += &stream.push(part).unwrap();
                    longest_held = longest_held.max(stream.held());
                }
                let rest = stream.finish().unwrap();
                masked += &rest.text;
                assert_eq!(masked, expected.text, "{surface} {role:?} {step} {text:?}");
                assert_eq!(rest.events, expected.events, "{text:?}");
                let after = conversation.mask_turn(Role::User, "thanks Reed, 415-555-0199").unwrap();
                assert_eq!(after.text, next.text, "what the stream taught");
            }
        }
        assert!((1024..2300).contains(&longest_held), "{longest_held}");
    }
}

#[test]
fn a_restored_stream_is_the_restored_whole() {
    for (surface, json) in [("token", false), ("alias", false), ("alias", true)] {
        let masker = masker(surface);
        let conversation = masker.conversation("call");
        let tokens = live_tokens(&conversation);
        let mut random = Random(0x5eed_0002);
        let mut restored = 0;
        for _ in 0..500 {
            let mut text = chat(&mut random, &tokens);
            if json {
                text = text.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
            }
            let expected =
                if json { conversation.rehydrate_json(&text) } else { conversation.rehydrate(&text) }
                    .unwrap();
            restored += expected.restored;
            for step in [1, 2, 0] {
                let mut stream = if json {
                    conversation.stream_json_rehydrator()
                } else {
                    conversation.stream_rehydrator()
                };
                let mut out = String::new();
                let mut seen = String::new();
                for part in parts(&text, step, &mut random) {
                    out += &stream.push(part).unwrap();
                    seen += part;
                    let held = &seen[seen.len() - stream.held()..];
                    assert!(may_be_held(held, surface == "alias"), "{held:?} after {seen:?}");
                }
                let (rest, _) = stream.flush().unwrap();
                out += &rest;
                assert_eq!(out, expected.text, "{surface} {step} {text:?}");
                let totals = stream.totals();
                let counts = |r: &masker_core::Restored| (r.restored, r.unknown, r.foreign, r.ambiguous);
                assert_eq!(counts(&totals), counts(&expected));
                assert_eq!(totals.lost, expected.lost);
            }
        }
        assert!(restored > 200, "{restored}");
    }
}

/// Whether text may be held back: it begins a token, or an alias that is alive (`PHONE_1`, `NAME_1`, `EMAIL_1`).
fn may_be_held(held: &str, aliases: bool) -> bool {
    if held.is_empty()
        || "MSKV1.".starts_with(held)
        || held.starts_with("MSKV1.")
        || held.starts_with("MSK1.")
    {
        return true;
    }
    let plain: String = held
        .chars()
        .filter(|c| !matches!(c, '\\' | '[' | ']' | '\u{ff3b}' | '\u{ff3d}'))
        .map(|c| if matches!(c, ' ' | '-') { '_' } else { c.to_ascii_uppercase() })
        .collect();
    // One character behind a bare alias may have to be known: "PHONE_1." and "PHONE_1.csv".
    let word = plain.trim_end_matches(['.', '/', ':', '@', '=', '_']);
    aliases && ["PHONE_1", "NAME_1", "EMAIL_1"].iter().any(|a| a.starts_with(&plain) || *a == word)
}

#[test]
fn ordinary_text_is_never_held() {
    for surface in ["token", "alias"] {
        let conversation = masker(surface).conversation("call");
        live_tokens(&conversation);
        let mut stream = conversation.stream_rehydrator();
        let text = "Good day, your visit is on the list (bring a card) and it costs $20; so far so good.";
        for part in text.split_inclusive(' ') {
            // Nothing here begins with a letter of PHONE, NAME or EMAIL, or ends with an M.
            let part = part.trim_end();
            assert_eq!(stream.push(part).unwrap(), part);
            assert_eq!(stream.push(" ").unwrap(), " ");
        }
        assert_eq!(stream.push("1234567890 ").unwrap(), "1234567890 ");
        assert_eq!(stream.held(), 0);
    }
}

#[test]
fn what_cannot_become_a_live_alias_is_not_held() {
    let conversation = masker("alias").conversation("call");
    let mut stream = conversation.stream_rehydrator();
    assert_eq!(stream.push("[PHO").unwrap(), "[PHO", "no alias is alive");
    live_tokens(&conversation);
    let mut stream = conversation.stream_rehydrator();
    assert_eq!(stream.push("[PHO").unwrap(), "");
    assert_eq!(stream.held(), 4);
    assert_eq!(stream.push("TO").unwrap(), "[PHOTO");
    assert_eq!(stream.push(" [PHONE_").unwrap(), " ");
    assert_eq!(stream.push("2").unwrap(), "[PHONE_2", "no second telephone number is alive");
    assert_eq!(stream.push("] [SSN_").unwrap(), "] [SSN_", "no alias of the kind is alive");
    assert_eq!(stream.push(" [NAME_").unwrap(), " ");
    let (rest, dangling) = stream.flush().unwrap();
    assert_eq!((rest.as_str(), dangling.bytes), ("[NAME_", 6));
}

#[test]
fn a_truncated_token_is_reported_and_stays() {
    let conversation = masker("token").conversation("call");
    let token = conversation.mask_turn(Role::User, "415-555-0142").unwrap().text;
    for end in 1..token.len() {
        let mut stream = conversation.stream_rehydrator();
        let out = stream.push(&token[..end]).unwrap();
        let (rest, dangling) = stream.flush().unwrap();
        assert_eq!(out + &rest, token[..end]);
        assert_eq!(dangling.bytes, end);
        assert_eq!(stream.totals().restored, 0);
    }
    let mut stream = conversation.stream_rehydrator();
    assert_eq!(stream.push(&token).unwrap(), "");
    let (rest, dangling) = stream.flush().unwrap();
    assert_eq!((rest.as_str(), dangling.bytes), ("415-555-0142", 0));
}

#[test]
fn an_interim_result_commits_nothing() {
    for surface in ["token", "alias"] {
        let conversation = masker(surface).conversation("call");
        let known = conversation.mask_turn(Role::User, "415-555-0142").unwrap().text;
        let mut stream = conversation.stream_masker(Role::User);
        let shown = stream.interim("my name is Ann Reed and it's 415 555 0142").unwrap();
        assert_eq!(shown, format!("my name is [REDACTED:NAME] and it's {known}"));
        assert_eq!(conversation.value_count(), 1);
        assert_eq!(stream.interim("my name is Ann Reed").unwrap(), "my name is [REDACTED:NAME]");
        assert_eq!(stream.push("my name is ").unwrap(), "");
        assert_eq!(stream.interim("Ann").unwrap(), "my name is [REDACTED:NAME]");
        let end = stream.push("Ann Reed").unwrap() + &stream.finish().unwrap().text;
        assert!(!end.contains("Reed"));
        assert_eq!(conversation.rehydrate(&end).unwrap().text, "my name is Ann Reed");
        assert_eq!(conversation.value_count(), 2);
        assert_eq!(stream.held(), 0, "the next message begins");
        let next = stream.push("thanks reed").unwrap() + &stream.finish().unwrap().text;
        assert!(!next.contains("reed"), "the name was learnt");
    }
}

#[test]
fn a_message_held_for_a_users_pattern_is_whole() {
    let source = Policy::preset_source("healthcare-default").unwrap();
    let policy = format!("{source}\nallow: [{{ words: [Reed] }}]\n");
    let masker = Masker::builder().policy(Policy::from_yaml(&policy).unwrap()).build().unwrap();
    let text = "this is Ann Reed at 415-555-0142. ".repeat(100);
    let expected = masker.conversation("whole").mask_turn(Role::User, &text).unwrap().text;
    let conversation = masker.conversation("streamed");
    let mut stream = conversation.stream_masker(Role::User);
    for part in text.split_inclusive(' ') {
        assert_eq!(stream.push(part).unwrap(), "");
    }
    assert_eq!(stream.held(), text.len());
    assert_eq!(stream.finish().unwrap().text, expected);
}

#[test]
fn long_runs_are_masked_in_linear_time() {
    let conversation = masker("alias").conversation("call");
    for pattern in ["#", "1", "M", "[PHONE_", "MSKV1.A.B.", "\u{e9}", " ", "a@", "\\["] {
        let text = pattern.repeat(200_000 / pattern.len());
        let begin = std::time::Instant::now();
        let mut stream = conversation.stream_masker(Role::Assistant);
        let mut out = String::new();
        for part in parts(&text, 97, &mut Random(1)) {
            out += &stream.push(part).unwrap();
        }
        out += &stream.finish().unwrap().text;
        assert!(!out.is_empty());
        let mut back = conversation.stream_rehydrator();
        for part in parts(&text, 97, &mut Random(1)) {
            back.push(part).unwrap();
        }
        let took = begin.elapsed();
        assert!(took.as_secs() < 20, "{pattern:?} took {took:?}");
    }
}
