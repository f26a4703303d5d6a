//! Hostile policies, JSON and Unicode: a stated error or a right answer, in time that grows with the input, and never a panic.
//!
//! Megabytes of one pattern as plain text are in `properties.rs` (promise 9) and in `benches`; numbers of limits in `limits.rs`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod common;

use std::time::{Duration, Instant};

use masker_core::payload::{JsonRules, SseDecoder};
use masker_core::policy::{MAX_DICTIONARY_WORDS, MAX_POLICY_BYTES};
use masker_core::{
    Conversation, Error, ErrorKind, Masker, OffsetUnit, Policy, PolicyErrorCode, Role, Scheme, Span,
    convert_spans,
};

use self::common::{masker, policy, policy_with};

const HEAD: &str = "name: t\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\n\
                    passes: [regex, dictionary]\nentities: { MRN: {}, NAME: {} }\n";

/// Text in every script, long enough for every pass to look twice.
const PHI: &str = "call 415-555-0142";

/// Panics where four times the input takes far more than four times the time.
fn grows_linearly(name: &str, make: impl Fn(usize) -> String, work: impl Fn(&str)) {
    let size = if cfg!(debug_assertions) { 16_000 } else { 250_000 };
    let (part, whole) = (make(size / 4), make(size));
    let time = |text: &str| {
        let once = || {
            let start = Instant::now();
            work(text);
            start.elapsed()
        };
        (0..2).map(|_| once()).min().unwrap()
    };
    // A busy machine makes some measurements wrong, not all.
    let mut growth = (0..16).map(|_| {
        let quarter = time(&part).max(Duration::from_micros(500));
        time(&whole).as_secs_f64() / quarter.as_secs_f64()
    });
    assert!(growth.any(|growth| growth < 11.0), "{name}: far more than four times a quarter");
}

fn repeated(pattern: &str) -> impl Fn(usize) -> String + '_ {
    move |size| pattern.repeat(size.div_ceil(pattern.len()))
}

fn refusal(yaml: &str) -> Vec<PolicyErrorCode> {
    let start = Instant::now();
    let errors = Policy::from_yaml(yaml).expect_err("it is refused");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?} for {} bytes", start.elapsed(), yaml.len());
    for error in &errors {
        assert!(error.message.len() < 1_000, "{}", error.message.len());
    }
    errors.iter().map(|error| error.code).collect()
}

#[test]
fn policies_that_blow_up_are_refused_at_once() {
    let laughs: String = (0..9)
        .map(|level| {
            let items = if level == 0 { "l, ".repeat(9) } else { format!("*a{}, ", level - 1).repeat(9) };
            format!("a{level}: &a{level} [{items}]\n")
        })
        .collect();
    let many_aliases = format!("x: &x [{}]\ny: [{}]\n", "1, ".repeat(400), "*x, ".repeat(60_000));
    let merged: String = format!("x: &x {{ a: 1 }}\n{}", "y: { <<: *x }\n".repeat(10_000));
    for (name, yaml, code) in [
        ("a thousand million laughs", laughs, PolicyErrorCode::YamlSyntax),
        ("aliases by the thousand", many_aliases, PolicyErrorCode::YamlSyntax),
        ("merge keys", merged, PolicyErrorCode::YamlSyntax),
        ("flow nesting", "[".repeat(MAX_POLICY_BYTES), PolicyErrorCode::YamlSyntax),
        ("mappings", "{a: ".repeat(60_000), PolicyErrorCode::YamlSyntax),
        ("block nesting", "- ".repeat(100_000), PolicyErrorCode::YamlSyntax),
        ("indentation", (0..600).map(|n| " ".repeat(n) + "a:\n").collect(), PolicyErrorCode::YamlSyntax),
        ("explicit keys", "? ".repeat(100_000), PolicyErrorCode::YamlSyntax),
        ("an alias in itself", "x: &x [*x]\n".to_owned(), PolicyErrorCode::YamlSyntax),
        ("one byte more", "#".repeat(MAX_POLICY_BYTES + 1), PolicyErrorCode::TooLarge),
    ] {
        assert_eq!(refusal(&yaml)[0], code, "{name}");
    }
    let keys = |count: usize| "name: x\n".repeat(count);
    assert!(refusal(&keys(30_000)).contains(&PolicyErrorCode::DuplicateKey));
    let unknown: String = (0..12_000).map(|at| format!("entitie{at}: 1\n")).collect();
    assert!(refusal(&unknown).contains(&PolicyErrorCode::UnknownField));
    let kinds: String = (0..15_000).map(|at| format!("  PHON{at}: {{}}\n")).collect();
    Policy::from_yaml(&format!("name: t\nversion: 1\nkid: K\npasses: [regex]\nentities:\n{kinds}"))
        .unwrap_err();
}

#[test]
fn patterns_that_grow_are_refused_and_the_largest_that_are_taken_stay_bounded() {
    let pattern = |regex: &str| format!("{HEAD}allow: [{{ regex: '{regex}' }}]\n");
    for regex in [
        "((a{100}){100}){100}",
        "(?:\\pL{50}){50}",
        "(?i)(?:[^\\x00]{255}){255}",
        "a{4294967295}",
        "(?:(?:(?:a?){50}){50}){50}",
        "(",
        "(?P<n>a)(?P<n>b)",
        "\\",
        "a**{9999999999}",
    ] {
        assert_eq!(refusal(&pattern(regex)), [PolicyErrorCode::InvalidRegex], "{regex}");
    }
    let nested = "(".repeat(500) + "a" + &")".repeat(500);
    assert_eq!(refusal(&pattern(&nested)), [PolicyErrorCode::InvalidRegex]);

    // As many as one file may have, each large: it loads in a bounded time, and masks.
    let list = "{ regex: 'Q\\pL{10}Z' }, ".repeat(50);
    let recognizers: String =
        (0..10).map(|at| format!("  - {{ name: r{at}, entity: MRN, patterns: [{list}] }}\n")).collect();
    let start = Instant::now();
    let policy = Policy::from_yaml(&format!("{HEAD}recognizers:\n{recognizers}")).unwrap();
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
    masker(policy).mask(&"Qabcdefghijklmnopqrstuvwxyz ".repeat(50)).unwrap();
}

#[test]
fn long_lists_are_taken_and_found() {
    let words: Vec<String> = (0..20_000).map(|at| format!("Zq{at}x")).collect();
    let list = words.join(", ");
    let yaml = format!("{HEAD}dictionaries: [{{ name: d, entity: NAME, words: [{list}] }}]\n");
    let masked =
        masker(Policy::from_yaml(&yaml).unwrap()).mask("for Zq17x and Zq19999x, not Zq20000x").unwrap();
    assert_eq!(masked.redaction_count(), 2, "{}", masked.text);
    assert!(masked.text.ends_with("not Zq20000x"));

    let folder = tempfile::tempdir().unwrap();
    let all: String = (0..MAX_DICTIONARY_WORDS).map(|at| format!("zq{at}x\n")).collect();
    std::fs::write(folder.path().join("words.txt"), all).unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, format!("{HEAD}dictionaries: [{{ name: d, entity: NAME, file: words.txt }}]\n"))
        .unwrap();
    let masked = masker(Policy::from_path(&file).unwrap()).mask("for zq999999x, not zq1000000x").unwrap();
    assert_eq!(masked.redaction_count(), 1, "{}", masked.text);
}

/// Patterns of a policy that match nothing, everything, or each letter, and words that are no words.
#[test]
fn patterns_without_sense_do_no_harm() {
    let text = "call 415-555-0142, caf\u{e9} \u{1f600}";
    for regex in
        ["", "a*", "\\b", "^", "$", ".*", ".", "\\z", "(?s:.)", "(?m)^", "[^a]?", "()", "a|", "\\PL*"]
    {
        let recognizer = format!(
            "recognizers: [{{ name: r, entity: MRN, patterns: [{{ regex: '{regex}', score: 1.0 }}] }}]"
        );
        for allow in ["", &format!("allow: [{{ regex: '{regex}' }}]\n")] {
            let yaml = format!("{HEAD}normalization: exact\n{recognizer}\n{allow}");
            let Ok(policy) = Policy::from_yaml(&yaml) else { continue };
            let masker = masker(policy);
            let masked = masker.mask(text).unwrap();
            assert_eq!(masker.rehydrate(&masked.text).unwrap().text, text, "{regex}");
        }
    }
    for word in ["\"\"", "\" \"", "\"\\0\"", "\"\\u200b\"", "\".\"", "\"[REDACTED:NAME]\"", "\"MSKV1.\""] {
        let yaml = format!(
            "{HEAD}dictionaries: [{{ name: d, entity: NAME, words: [{word}] }}]\nallow: [{{ words: [{word}] }}]\n"
        );
        let Ok(policy) = Policy::from_yaml(&yaml) else { continue };
        masker(policy).mask("a . [REDACTED:NAME] \0 \u{200b} MSKV1. b").unwrap();
    }
}

fn mask_json(json: &str) -> Result<String, Error> {
    masker(policy(Scheme::VaultDeterministic))
        .mask_json(json, &JsonRules::everything())
        .map(|masked| masked.json)
}

#[test]
fn json_that_nests_too_deep_is_refused_and_not_walked() {
    for opening in ["[", "{\"a\":", "[{\"a\":[", "[[],"] {
        let error = mask_json(&opening.repeat(1_000_000 / opening.len())).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("too_deep", ErrorKind::Limit), "{opening}");
    }
    // Quotes double their escapes with every level of JSON inside strings.
    let mut inside = "\"415-555-0142\"".to_owned();
    for _ in 0..14 {
        inside = serde_json::to_string(&serde_json::json!([inside])).unwrap();
    }
    let masked = mask_json(&inside).unwrap();
    assert!(!masked.contains("0142"));
    assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok());
}

#[test]
fn equal_keys_are_all_masked_and_all_kept() {
    let masked =
        mask_json(r#"{"a":"415-555-0142","a":"415-555-0143","a":{"a":"415-555-0144","a":1}}"#).unwrap();
    assert_eq!(masked.matches("\"a\":").count(), 5);
    assert_eq!(masked.matches("MSKV1.PHONE.").count(), 3);
    assert!(!masked.contains("555"));
    let chat =
        r#"{"messages":[],"messages":[{"role":"user","role":"x","content":"a","content":"415-555-0142"}]}"#;
    let masked = masker(policy(Scheme::VaultDeterministic)).mask_chat(chat).unwrap().json;
    assert!(!masked.contains("0142"), "{masked}");
}

#[test]
fn giant_numbers_are_kept_as_they_are_written_or_masked_whole() {
    let digits = "9".repeat(5_000);
    for number in ["1e999999", "-0.0", "1E+5", "0.1000000000000000055511151231257827", "12e-7"] {
        let json = format!("[{number}]");
        assert_eq!(mask_json(&json).unwrap(), json);
    }
    for number in [digits.clone(), format!("-{digits}"), format!("0.{digits}"), format!("1e{digits}")] {
        let masked = mask_json(&format!("[{number},\"x\"]")).unwrap();
        assert!(
            masked == format!("[{number},\"x\"]")
                || masked.starts_with("[\"") && masked.ends_with("\",\"x\"]")
        );
    }
    for bad in ["01", "1.", ".1", "+1", "1e", "-", "0x10", "NaN", "Infinity", "1_000", "--1"] {
        assert_eq!(mask_json(bad).unwrap_err().code(), "not_json", "{bad}");
    }
}

#[test]
fn invalid_escapes_are_named_by_their_place_and_half_pairs_are_read() {
    for bad in [
        r#""\x41""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\"#,
        r#""\u"#,
        "\"\u{1}\"",
        "\"\n\"",
        r#""\U0041""#,
        "'a'",
        r#""a"#,
        r#"{"a" 1}"#,
        r"{a: 1}",
        "[1,]",
        "{,}",
        "",
        " ",
        "nul",
        "truefalse",
        "[] []",
        "\u{feff}\u{feff}[]",
    ] {
        let error = mask_json(bad).unwrap_err();
        assert!(matches!(error, Error::NotJson { .. }), "{bad:?}: {error}");
        assert_eq!(error.code(), "not_json");
    }
    for half in [r"\ud83d", r"\ude00", r"\ud83d\ud83d", r"\ude00\ud83d", r"\ud83d\u0041"] {
        let json = format!(r#"{{"a":"{half}","b":"call 415-555-0142 {half}"}}"#);
        let masked = mask_json(&json).unwrap();
        assert!(masked.starts_with(&format!(r#"{{"a":"{half}","#)), "what holds nothing is kept: {masked}");
        assert!(!masked.contains("0142"), "{masked}");
    }
    // Escaped digits are digits.
    assert!(!mask_json(r#"["call \u0034\u0031\u0035-555-0142"]"#).unwrap().contains("0142"));
    // Bytes that are no UTF-8 reach the core in event streams alone.
    let events = SseDecoder::new().push(b"data: \xff\xfe\xed\xa0\xbd\n\n").unwrap();
    assert!(events[0].data.as_ref().unwrap().starts_with('\u{fffd}'));
}

#[test]
fn megabytes_of_json_take_time_in_proportion() {
    let wrapped = |piece: &'static str| move |size: usize| format!("[{}0]", piece.repeat(size / piece.len()));
    let masker = masker(policy(Scheme::VaultDeterministic));
    for piece in [
        "[],",
        "{},",
        "0,",
        "\"\",",
        "\"\\u0061\",",
        "\"a\\\\\",",
        "\"[1]\",",
        "\"{\\\"a\\\":1}\",",
        "12345,",
        "{\"a\":{}},",
    ] {
        grows_linearly(piece, wrapped(piece), |json| {
            masker.mask_json(json, &JsonRules::everything()).unwrap();
            masker.rehydrate_json(json).unwrap();
        });
    }
    let chat = |piece: &'static str| {
        move |size: usize| {
            let messages = piece.repeat(size / piece.len());
            format!("{{\"messages\":[{}]}}", messages.trim_end_matches(','))
        }
    };
    for piece in [
        "{\"role\":\"user\",\"content\":\"\"},",
        "{\"role\":\"tool\",\"content\":\"{}\"},",
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},",
        "{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{}\"}}]},",
    ] {
        grows_linearly(piece, chat(piece), |json| {
            masker.mask_chat(json).unwrap();
            masker.conversation("call").mask_chat(json).unwrap();
        });
    }
    let keys = |size: usize| {
        let members: Vec<String> = (0..size / 12).map(|at| format!("\"k{at}\":\"x\"")).collect();
        format!("{{\"role\":\"user\",\"content\":\"x\",{}}}", members.join(","))
    };
    grows_linearly("keys", keys, |json| drop(masker.mask_chat(json).unwrap()));
}

#[test]
fn megabytes_of_events_take_time_in_proportion() {
    let masker = masker(policy_with("surface: alias"));
    let conversation = masker.conversation("call");
    conversation.mask_turn(Role::User, "this is Ann Reed, 415-555-0142").unwrap();
    for pattern in [
        ":\n",
        "\n",
        "\r",
        "\r\n",
        "data\n",
        "data:\n\n",
        "data: x\n",
        "event: x\n",
        "id: \0\n",
        "retry: 99999999999999999999\n",
        "data: {}\n\n",
        "data: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"[PHONE_\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":7,\"delta\":{\"tool_calls\":[{\"index\":3,\"function\":{\"arguments\":\"[\"}}]}}]}\n\n",
        "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"M\"}\n\n",
    ] {
        grows_linearly(pattern, repeated(pattern), |stream| {
            let mut rehydrator = conversation.sse_rehydrator();
            for part in stream.as_bytes().chunks(1_000) {
                rehydrator.push(part).unwrap();
            }
            rehydrator.finish().unwrap();
        });
    }
}

/// Characters that break programs.
const STRANGE: &[(&str, &str)] = &[
    ("combining marks", "\u{301}\u{308}\u{489}\u{20dd}"),
    ("bidi controls", "\u{202e}\u{202d}\u{2066}\u{2069}\u{200f}\u{61c}"),
    ("zero width", "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{180e}"),
    ("NUL", "\0"),
    ("controls", "\u{1}\u{7f}\u{85}\u{9b}"),
    ("unassigned", "\u{378}\u{2fffe}\u{e0fff}"),
    ("noncharacters", "\u{fdd0}\u{fffe}\u{ffff}\u{10ffff}"),
    ("private use", "\u{e000}\u{f0000}"),
    ("tags", "\u{e0001}\u{e0041}\u{e007f}"),
    ("variation selectors", "\u{fe0f}\u{e0100}"),
    ("replacement", "\u{fffd}"),
    ("line separators", "\u{2028}\u{2029}\u{b}\u{c}"),
    ("expanding", "\u{fdfa}\u{3300}\u{1f2}\u{df}\u{130}\u{149}"),
    ("Hangul", "\u{1100}\u{1161}\u{11a8}"),
    ("Zalgo", "Z\u{321}\u{317}\u{318}\u{347}\u{34d}\u{33f}"),
];

fn promises_hold(masker: &Masker, text: &str, name: &str) {
    let masked = masker.mask(text).unwrap();
    assert_eq!(masker.mask(&masked.text).unwrap().text, masked.text, "{name}: masked again");
    let spans: Vec<Span> = masked.events.iter().map(|event| event.span).collect();
    for (span, (start, end)) in spans.iter().zip(convert_spans(text, &spans, OffsetUnit::CodePoint)) {
        let value: String = text.chars().skip(start).take(end - start).collect();
        assert_eq!(value, text[span.range()], "{name}");
    }
    let all = masked.events.iter().all(|event| event.token_kind.is_some_and(|kind| kind.as_str() == "MSKV1"));
    if all {
        assert_eq!(masker.rehydrate(&masked.text).unwrap().text, text, "{name}: round trip");
    }
}

#[test]
fn floods_of_strange_characters_break_no_promise() {
    let masker = masker(policy_with("normalization: exact"));
    for (name, flood) in STRANGE {
        for times in [1, 3, 1_000] {
            let flood = flood.repeat(times);
            for text in [
                flood.clone(),
                format!("{flood}{PHI}{flood}"),
                format!("{PHI}{flood}{PHI}"),
                format!("my name is A{flood}nn Re{flood}ed, thanks"),
                format!("415-5{flood}55-0142 and ada{flood}@example.com"),
                format!("[PHONE{flood}_1] MSKV1{flood}.PHONE.K.AAAA [REDACTED:{flood}SSN]"),
                PHI.chars().flat_map(|c| [c.to_string(), flood.chars().take(20).collect()]).collect(),
            ] {
                promises_hold(&masker, &text, name);
            }
        }
    }
}

#[test]
fn floods_take_time_in_proportion() {
    let masker = masker(policy(Scheme::VaultDeterministic));
    let conversation = |masker: &Masker| -> Conversation {
        let conversation = masker.conversation("call");
        conversation.mask_turn(Role::User, PHI).unwrap();
        conversation
    };
    for (name, flood) in STRANGE {
        for pattern in [(*flood).to_owned(), format!("a{flood}"), format!("5{flood}"), format!("[{flood}")] {
            grows_linearly(name, repeated(&pattern), |text| {
                masker.mask(text).unwrap();
                conversation(&masker).rehydrate(text).unwrap();
            });
        }
    }
}

/// Each candidate is told by which finding it is covered, and there are as many of both as the text is long.
#[test]
fn explaining_takes_time_in_proportion() {
    let masker = Masker::new().unwrap();
    for pattern in ["mary ", "www.", "call 415-555-0142 "] {
        grows_linearly(pattern, repeated(pattern), |text| drop(masker.explain(text).unwrap()));
    }
}

/// What cannot be seen does not hide a value.
#[test]
fn invisible_characters_hide_nothing() {
    let masker = masker(policy(Scheme::VaultDeterministic));
    for (name, invisible) in [
        ("zero width space", "\u{200b}"),
        ("zero width joiner", "\u{200d}"),
        ("soft hyphen", "\u{ad}"),
        ("word joiner", "\u{2060}"),
        ("byte order mark", "\u{feff}"),
        ("left-to-right mark", "\u{200e}"),
        ("right-to-left override", "\u{202e}"),
        ("isolate", "\u{2066}"),
        ("variation selector", "\u{fe0f}"),
        ("many", "\u{200b}\u{ad}\u{2060}\u{200d}"),
    ] {
        for value in ["415-555-0142", "219-09-9999", "ada@example.com", "4111 1111 1111 1111"] {
            let hidden: String = value.chars().flat_map(|c| [c.to_string(), invisible.to_owned()]).collect();
            let masked = masker.mask(&format!("it is {hidden}, thanks")).unwrap();
            assert!(masked.redaction_count() > 0, "{name} hides {value}");
            let left: String = masked.text.chars().filter(char::is_ascii).collect();
            assert!(
                !left.contains(&value[value.len() - 4..]),
                "{name} hides a part of {value}: {}",
                masked.text
            );
        }
    }
}
