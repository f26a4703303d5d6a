//! Streams give, joined, what the whole text gives, wherever it is cut.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod random;

use masker_core::{Conversation, Masker, Policy, Restored, Role};

use self::random::{Random, cases, parts, seed};

fn masker(surface: &str) -> Masker {
    let source = Policy::preset_source("healthcare-default").unwrap();
    let policy = Policy::from_yaml(&format!("{source}\nsurface: {surface}\n")).unwrap();
    Masker::builder().policy(policy).build().unwrap()
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

/// What one side says, with live tokens and aliases, written in all ways, and beginnings of them.
fn message(random: &mut Random, live: &[String]) -> String {
    // One in twenty is long enough to be masked in several pieces.
    let fragments = if random.one_in(20) { 60 + random.below(60) } else { 1 + random.below(7) };
    let mut text = String::new();
    for _ in 0..fragments {
        match random.below(10) {
            0 | 1 => text += &random.noise(),
            2 if !live.is_empty() => text += random.pick(live).as_str(),
            3 | 4 if !live.is_empty() => {
                let token = random.pick(live).clone();
                let token = if token.starts_with('[') { random.garbled(&token) } else { token };
                let end = if random.one_in(4) { random.below(token.chars().count()) } else { usize::MAX };
                text.extend(token.chars().take(end));
            }
            5 => {
                let dead = format!("[{}_{}]", random.pick(&["PHONE", "NAME", "SSN"]), random.below(30));
                text += &random.garbled(&dead);
            }
            _ => text += *random.pick(FRAGMENTS),
        }
        text += *random.pick(JOINTS);
    }
    text
}

/// The tokens and aliases in masked texts.
fn live_in(masked: &[String]) -> Vec<String> {
    let mut live: Vec<String> = Vec::new();
    for text in masked {
        for found in masker_core::find_markers(text) {
            let marker = &text[found.span.range()];
            if !marker.starts_with("[REDACTED") && !live.iter().any(|known| known == marker) {
                live.push(marker.to_owned());
            }
        }
    }
    live
}

/// A chat masked whole in one conversation, and cut in every way in others.
struct Chat {
    whole: Conversation,
    masked: Vec<String>,
    live: Vec<String>,
}

fn mask_in_all_ways(masker: &Masker, random: &mut Random, longest_held: &mut usize) -> Chat {
    let whole = masker.conversation("whole");
    let steps = [1, 2, 0];
    let streamed = steps.map(|_| masker.conversation("streamed"));
    let mut masked: Vec<String> = Vec::new();
    for _ in 0..=random.below(4) {
        let live = live_in(&masked);
        let role = *random.pick(&[Role::User, Role::User, Role::Tool, Role::Assistant, Role::System]);
        let text = message(random, &live);
        let expected = whole.mask_turn(role, &text).unwrap();
        for (conversation, step) in streamed.iter().zip(steps) {
            let mut stream = conversation.stream_masker(role);
            let mut out = String::new();
            for part in parts(&text, step, random) {
                out += &stream.push(part).unwrap();
                *longest_held = stream.held().max(*longest_held);
            }
            let rest = stream.finish().unwrap();
            assert_eq!(out + &rest.text, expected.text, "{role:?} {step} {text:?}");
            assert_eq!(rest.events, expected.events, "{role:?} {step} {text:?}");
            assert_eq!(stream.held(), 0);
        }
        masked.push(expected.text);
    }
    let live = live_in(&masked);
    Chat { whole, masked, live }
}

#[test]
fn random_chats_are_the_same_whole_and_cut() {
    for (surface, seed_of) in [("alias", 0x5eed_0001), ("token", 0x5eed_0002)] {
        let masker = masker(surface);
        let mut random = seed(seed_of);
        let (mut longest_held, mut restored) = (0, 0);
        let cases = cases(1_000).div_ceil(2);
        for _ in 0..cases {
            let chat = mask_in_all_ways(&masker, &mut random, &mut longest_held);
            let mut reply = chat.masked.join(" ");
            reply.truncate(reply.char_indices().nth(300).map_or(reply.len(), |(at, _)| at));
            reply += &message(&mut random, &chat.live);
            restored += restore_in_all_ways(&chat, &reply, &mut random);
        }
        assert!((1_100..=2_048).contains(&longest_held), "{longest_held}");
        assert!(restored > cases, "{restored} in {cases}");
    }
}

/// Restores a reply whole and cut in every way; gives how many values came back.
fn restore_in_all_ways(chat: &Chat, reply: &str, random: &mut Random) -> usize {
    let conversation = &chat.whole;
    let as_json = serde_json::json!({ "text": reply, "again": [reply] }).to_string();
    let mut restored = 0;
    for (text, json) in [(reply, false), (&as_json, true)] {
        let stream = || {
            if json { conversation.stream_json_rehydrator() } else { conversation.stream_rehydrator() }
        };
        let whole =
            if json { conversation.rehydrate_json(text) } else { conversation.rehydrate(text) }.unwrap();
        restored += whole.restored;
        for step in [1, 2, 0] {
            let mut stream = stream();
            let (mut out, mut seen) = (String::new(), String::new());
            for part in parts(text, step, random) {
                out += &stream.push(part).unwrap();
                seen += part;
                let held = &seen[seen.len() - stream.held()..];
                let live = &chat.live;
                assert!(may_become_live(held, live, json), "{held:?} held after {seen:?}, with {live:?}");
            }
            out += &stream.flush().unwrap().0;
            assert_eq!(out, whole.text, "{step} {text:?}");
            let counts = |r: &Restored| (r.restored, r.unknown, r.foreign, r.ambiguous, r.lost.clone());
            assert_eq!(counts(&stream.totals()), counts(&whole));
        }
        // Two parts, cut at every place.
        if text.len() < 250 {
            for (at, _) in text.char_indices() {
                let mut stream = stream();
                let out = stream.push(&text[..at]).unwrap() + &stream.push(&text[at..]).unwrap();
                assert_eq!(out + &stream.flush().unwrap().0, whole.text, "{at} {text:?}");
            }
        }
        if json {
            let value: serde_json::Value = serde_json::from_str(&whole.text).unwrap();
            let plain = conversation.rehydrate(reply).unwrap().text;
            assert!(reply.starts_with(['{', '[']) || value["text"] == plain, "{reply:?}");
        }
    }
    restored
}

/// Whether more text may make a live token or alias of this one. Told without the code under test: by what is left of the
/// text when everything is taken away in which writings of an alias differ.
fn may_become_live(held: &str, live: &[String], json: bool) -> bool {
    let (read, is_cut) = if json { unescaped(held) } else { (held.to_owned(), false) };
    let is_token = |begin: &&str| begin.starts_with(read.as_str()) || read.starts_with(*begin);
    if held.is_empty() || ["MSKV1.", "MSK1."].iter().any(is_token) || read.is_empty() && is_cut {
        return true;
    }
    let mut word = String::new();
    for c in read.chars() {
        let c = match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap(),
            '\u{660}'..='\u{669}' => char::from_digit(c as u32 - 0x660, 10).unwrap(),
            '\u{966}'..='\u{96f}' => char::from_digit(c as u32 - 0x966, 10).unwrap(),
            '\u{1d7ce}'..='\u{1d7ff}' => char::from_digit((c as u32 - 0x1d7ce) % 10, 10).unwrap(),
            c => c,
        };
        match c {
            '[' | ']' | '\u{3010}' | '\u{3011}' | '\\' | '<' | '>' | '{' | '}' | '\'' | '\u{2019}' => {}
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {}
            '\u{61c}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => {}
            c if c.is_alphanumeric() => word.extend(c.to_uppercase()),
            _ if word.ends_with('_') => {}
            _ => word.push('_'),
        }
    }
    let word = word.trim_start_matches('_');
    // What follows a complete alias may have to be known: "PHONE_1." and "PHONE_1.csv", "[PHONE_1's]".
    let complete = word.trim_end_matches('_');
    let complete = complete.strip_suffix('S').unwrap_or(complete);
    live.iter().filter(|alias| alias.starts_with('[')).any(|alias| {
        let alias = alias.trim_matches(['[', ']']);
        alias.starts_with(word) || alias.starts_with(word.trim_end_matches('_')) || alias == complete
    })
}

/// What a part of JSON strings says, and whether it ends in the middle of an escape.
fn unescaped(raw: &str) -> (String, bool) {
    let mut text = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                if digits.len() < 4 {
                    return (text, true);
                }
                let code = u32::from_str_radix(&digits, 16).unwrap();
                text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some(c) => text.push(c),
            None => return (text, true),
        }
    }
    (text, false)
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
        let prefix = "MSKV1.PHONE.".len();
        assert_eq!(dangling.is_token, end >= "MSKV1.".len());
        assert_eq!(dangling.kind.is_some(), end >= prefix);
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
    live_tokens(&conversation);
    for pattern in [
        "#",
        "1",
        "M",
        "[PHONE_",
        "[PHONE_1",
        "MSKV1.A.B.",
        "\u{e9}",
        " ",
        "a@",
        "\\[",
        "<",
        "{{N",
        "[\u{ad}",
    ] {
        let text = pattern.repeat(100_000 / pattern.len());
        let begin = std::time::Instant::now();
        let mut stream = conversation.stream_masker(Role::Assistant);
        let mut out = String::new();
        for part in parts(&text, 97, &mut Random(1)) {
            out += &stream.push(part).unwrap();
        }
        out += &stream.finish().unwrap().text;
        assert!(!out.is_empty());
        let took = begin.elapsed();
        assert!(took.as_secs() < 20, "{pattern:?} took {took:?}");
    }
}

#[test]
fn long_runs_are_restored_in_linear_time() {
    let conversation = masker("alias").conversation("call");
    live_tokens(&conversation);
    let sealed = format!("MSK1.A.B.{}", "A".repeat(500));
    for pattern in [
        "[",
        "[[",
        "\\[",
        "<",
        "{",
        "{{",
        "[P",
        "[PHONE",
        "[PHONE ",
        "[PHONE_1",
        "[PHONE_1]",
        "PHONE_",
        "P",
        "M",
        "MSK",
        "MSKV1.A.B.",
        "MSK1.A.B.",
        &sealed,
        "[\u{200b}",
        "[PHONE\u{ad}",
        "\u{3010}",
        "\u{ff3b}",
        "\u{e9}",
        "\\",
        "\\u",
        "\\u0",
        "\\u005b",
        "{\"",
        "\"",
        "{\"a\":\"",
        "[1,",
        "\\\"",
        "\\\\\"",
        "\\ud800",
        " ",
        "a",
    ] {
        let text = pattern.repeat(60_000 / pattern.len());
        let quoted = serde_json::to_string(&text).unwrap();
        let begin = std::time::Instant::now();
        let whole = conversation.rehydrate(&text).unwrap().text;
        assert!(whole.len() >= text.len() || pattern == "[PHONE_1]");
        for json in [text.clone(), quoted, format!("{{\"a\":\"{text}")] {
            conversation.rehydrate_json(&json).unwrap();
            let mut stream = conversation.stream_json_rehydrator();
            for part in parts(&json, 23, &mut Random(1)) {
                stream.push(part).unwrap();
                assert!(stream.held() < 8_400 * 6, "{} of {pattern:?}", stream.held());
            }
            stream.flush().unwrap();
        }
        let took = begin.elapsed();
        assert!(took.as_secs() < 20, "{pattern:?} took {took:?}");
    }
}
