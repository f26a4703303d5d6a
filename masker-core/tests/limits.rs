//! Every limit is as docs/limits.md says: what reaches it is taken, what is beyond it is refused with the error that is named.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use masker_core::detect::{Context, DetectorSet};
use masker_core::payload::{JsonRules, MAX_EVENT_BYTES, MAX_JSON_BYTES, MAX_JSON_DEPTH, SseDecoder};
use masker_core::policy::{
    MAX_ALIAS_NODES, MAX_DESCRIPTION_CHARS, MAX_DICTIONARY_BYTES, MAX_DICTIONARY_WORDS, MAX_PATTERN_BYTES,
    MAX_PATTERN_CHARS, MAX_PATTERNS, MAX_POLICY_BYTES, MAX_POLICY_DEPTH, MAX_RECOGNIZER_PATTERNS, Surface,
};
use masker_core::resolve::Order;
use masker_core::{
    Error, Kid, Kind, MAX_CONVERSATION_VALUES, MAX_REMEMBERED_BYTES, MAX_SCOPE_BYTES, MAX_SEALED_BYTES,
    MAX_TEXT_BYTES, Masker, MemoryVault, Policy, PolicyErrorCode, PolicyErrors, Role, Scheme, Scope,
};

use self::common::{masker, with_vault};

/// A row of the page, and what shows that it is true: given the number, it gives the code beyond the limit, or what the page
/// says instead, having seen that the number itself is taken.
struct Limit {
    constant: &'static str,
    number: Option<usize>,
    beyond: fn(usize) -> String,
}

const fn limit(constant: &'static str, number: usize, beyond: fn(usize) -> String) -> Limit {
    Limit { constant, number: Some(number), beyond }
}

const LIMITS: &[Limit] = &[
    limit("MAX_TEXT_BYTES", MAX_TEXT_BYTES, |most| {
        // Zero pages that nobody touches: the refusal looks at the length alone.
        let text = String::from_utf8(vec![0; most + 1]).unwrap();
        code(Masker::new().unwrap().mask(&text))
    }),
    limit("MAX_SEALED_BYTES", MAX_SEALED_BYTES, |most| {
        let source = Policy::preset_source("healthcare-default").unwrap();
        let all_tokens = Policy::from_yaml(&source.replace("action: redact", "action: tokenize")).unwrap();
        let masker = masker(all_tokens.with_scheme(Scheme::ReversibleAead));
        let url = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
        assert!(masker.mask(&url(most)).unwrap().text.starts_with("MSK1.URL."));
        assert_eq!(masker.mask(&url(most + 1)).unwrap().text, "[REDACTED:URL]");
        "the value is redacted".to_owned()
    }),
    limit("MAX_CONVERSATION_VALUES", MAX_CONVERSATION_VALUES, |most| {
        let conversation = masker(Policy::healthcare_default()).conversation("call");
        let mails =
            |range: std::ops::Range<usize>| range.map(|at| format!("a{at}@example.com ")).collect::<String>();
        conversation.mask_turn(Role::User, &mails(0..most)).unwrap();
        assert_eq!(conversation.value_count(), most);
        code(conversation.mask_turn(Role::User, &mails(most..most + 1)))
    }),
    limit("MAX_REMEMBERED_BYTES", MAX_REMEMBERED_BYTES, |most| {
        let conversation = masker(Policy::healthcare_default()).conversation("call");
        for _ in 0..10 {
            conversation.mask_turn(Role::User, &" ".repeat(most / 8)).unwrap();
        }
        let held = conversation.to_bytes().unwrap().len();
        assert!((most / 2..most + 4_096).contains(&held), "{held}");
        "the oldest are masked anew when they are sent again".to_owned()
    }),
    limit("Conversation", 32_768, |most| {
        let (set, mut context) = (DetectorSet::all_kinds(), Context::default());
        let mut count = |text: &str| set.detect(text, &[], &mut context, Order::Longest).unwrap().len();
        for n in 1..most {
            assert_eq!(count(&format!("mrn {}", 1_000_000 + n)), 1);
        }
        for (number, found_again) in [("7734215", 1), ("8834215", 0)] {
            assert_eq!(count(&format!("mrn {number}")), 1);
            // What was asked for last is answered by any number: another question takes its place.
            assert_eq!(count("how is the weather today?"), 0);
            assert_eq!(count(&format!("{number} you said")), found_again, "{number}");
        }
        "no more is learnt".to_owned()
    }),
    limit("Conversation", 1_024, |most| {
        let policy = Policy::healthcare_default().with_surface(Surface::Alias);
        let conversation = masker(policy).conversation("call");
        let said = |text: &str| conversation.mask_turn(Role::User, text).unwrap().text;
        let kept: String = (1..=most).map(|n| format!("[PHONE_{n}] ")).collect();
        assert_eq!(said(&kept), kept);
        assert_eq!(said("[PHONE_9]"), "[PHONE_9]");
        format!("what would keep another becomes {}", said("[PHONE_9999]").replace("PHONE", "KIND"))
    }),
    Limit {
        constant: "MemoryVault::with_limit",
        number: None,
        beyond: |_| {
            let vault = MemoryVault::with_limit(2);
            let masker = with_vault(Policy::healthcare_default(), Arc::new(vault), "");
            masker.mask("a1@example.com a2@example.com").unwrap();
            code(masker.mask("a3@example.com"))
        },
    },
    limit("MAX_SCOPE_BYTES", MAX_SCOPE_BYTES, does_not_parse::<Scope>),
    limit("Kid", 32, does_not_parse::<Kid>),
    limit("Kind", 32, does_not_parse::<Kind>),
    limit("payload::MAX_JSON_BYTES", MAX_JSON_BYTES, |most| {
        let json = |length: usize| format!("{}1", " ".repeat(length - 1));
        let (masker, rules) = (Masker::new().unwrap(), JsonRules::everything());
        masker.mask_json(&json(most), &rules).unwrap();
        code(masker.mask_json(&json(most + 1), &rules))
    }),
    limit("payload::MAX_JSON_DEPTH", MAX_JSON_DEPTH, |most| {
        let json = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let (masker, rules) = (Masker::new().unwrap(), JsonRules::everything());
        masker.mask_json(&json(most), &rules).unwrap();
        // What looks like JSON in a string and nests too deep is a text.
        let string = serde_json::to_string(&[json(most)]).unwrap();
        assert_eq!(masker.mask_json(&string, &rules).unwrap().json, string);
        code(masker.mask_json(&json(most + 1), &rules)) + "; JSON inside a string is text there"
    }),
    limit("payload::MAX_EVENT_BYTES", MAX_EVENT_BYTES, |most| {
        let event = |length: usize| [&b"data:"[..], &vec![b'a'; length - 5], b"\n\n"].concat();
        assert_eq!(SseDecoder::new().push(&event(most)).unwrap().len(), 1);
        code(SseDecoder::new().push(&event(most + 1)))
    }),
    limit("policy::MAX_POLICY_BYTES", MAX_POLICY_BYTES, |most| {
        let comment = |length: usize| HEAD.to_owned() + "#" + &"x".repeat(length - HEAD.len() - 1);
        policy_code(&comment(most), &comment(most + 1))
    }),
    limit("policy::MAX_POLICY_DEPTH", MAX_POLICY_DEPTH, |most| {
        // The mapping around it is one level.
        let nested = |depth: usize| format!("{HEAD}x: {}{}\n", "[".repeat(depth - 1), "]".repeat(depth - 1));
        let within = Policy::from_yaml(&nested(most)).unwrap_err();
        assert_eq!(codes(&within), [PolicyErrorCode::UnknownField]);
        codes(&Policy::from_yaml(&nested(most + 1)).unwrap_err())[0].to_string()
    }),
    limit("policy::MAX_ALIAS_NODES", MAX_ALIAS_NODES, |most| {
        let list = |nodes: usize| format!("{HEAD}x: &x [{}]\ny: *x\n", vec!["1"; nodes - 1].join(", "));
        let within = Policy::from_yaml(&list(most)).unwrap_err();
        assert!(codes(&within).iter().all(|code| *code == PolicyErrorCode::UnknownField), "{within}");
        codes(&Policy::from_yaml(&list(most + 1)).unwrap_err())[0].to_string()
    }),
    limit("policy::MAX_DESCRIPTION_CHARS", MAX_DESCRIPTION_CHARS, |most| {
        let described = |length: usize| format!("{HEAD}description: {}\n", "\u{e4}".repeat(length));
        policy_code(&described(most), &described(most + 1))
    }),
    limit("policy::MAX_DICTIONARY_BYTES", MAX_DICTIONARY_BYTES, |most| {
        dictionary_code(&["x\n#".as_bytes(), &vec![b'y'; most - 3]].concat(), b"y")
    }),
    limit("policy::MAX_DICTIONARY_WORDS", MAX_DICTIONARY_WORDS, |most| {
        dictionary_code("a\n".repeat(most).as_bytes(), b"b\n")
    }),
    limit("policy::MAX_PATTERN_CHARS", MAX_PATTERN_CHARS, |most| {
        policy_code(&pattern(&"\u{e4}".repeat(most)), &pattern(&"\u{e4}".repeat(most + 1)))
    }),
    limit("policy::MAX_PATTERN_BYTES", MAX_PATTERN_BYTES, |most| {
        // Each repetition of a letter is a few dozen bytes of an automaton.
        let times = |count: usize| pattern(&format!("(?:a{{100}}){{{count}}}"));
        policy_code(&times(most / 100 / 100), &times(most / 100))
    }),
    limit("policy::MAX_RECOGNIZER_PATTERNS", MAX_RECOGNIZER_PATTERNS, |most| {
        policy_code(&recognizers(1, most), &recognizers(1, most + 1))
    }),
    limit("policy::MAX_PATTERNS", MAX_PATTERNS, |most| {
        let within = recognizers(most / MAX_RECOGNIZER_PATTERNS, MAX_RECOGNIZER_PATTERNS);
        policy_code(&within, &format!("{within}allow: [{{ regex: a }}]\n"))
    }),
    limit("PolicyErrors::LIMIT", PolicyErrors::LIMIT, |most| {
        let wrong: String = (0..most + 7).map(|at| format!("field_{at}: 1\n")).collect();
        let errors = Policy::from_yaml(&format!("{HEAD}{wrong}")).unwrap_err();
        assert_eq!((errors.len(), errors.omitted()), (most, 7));
        "the others are counted".to_owned()
    }),
];

const HEAD: &str = "name: t\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\npasses: [regex, dictionary]\n\
                    entities: { MRN: {}, NAME: {} }\n";

fn code<T>(result: Result<T, Error>) -> String {
    result.err().expect("it is beyond the limit").code().to_owned()
}

fn codes(errors: &PolicyErrors) -> Vec<PolicyErrorCode> {
    errors.iter().map(|error| error.code).collect()
}

fn does_not_parse<T: std::str::FromStr>(most: usize) -> String {
    assert!("A".repeat(most).parse::<T>().is_ok());
    assert!("A".repeat(most + 1).parse::<T>().is_err());
    "it does not parse".to_owned()
}

fn policy_code(within: &str, beyond: &str) -> String {
    if let Err(errors) = Policy::from_yaml(within) {
        panic!("{errors}");
    }
    let errors = Policy::from_yaml(beyond).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors}");
    errors.first().code.to_string()
}

fn dictionary_code(within: &[u8], more: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    fs::write(&file, format!("{HEAD}dictionaries: [{{ name: d, entity: NAME, file: words.txt }}]\n"))
        .unwrap();
    let load = |words: &[u8]| {
        fs::write(folder.path().join("words.txt"), words).unwrap();
        Policy::from_path(&file)
    };
    load(within).unwrap();
    load(&[within, more].concat()).unwrap_err().first().code.to_string()
}

fn pattern(regex: &str) -> String {
    format!("{HEAD}allow: [{{ regex: '{regex}' }}]\n")
}

fn recognizers(count: usize, patterns: usize) -> String {
    let mut yaml = format!("{HEAD}recognizers:\n");
    for at in 0..count {
        let list = "{ regex: a }, ".repeat(patterns);
        let _ = writeln!(yaml, "  - {{ name: r{at}, entity: MRN, patterns: [{list}] }}");
    }
    yaml
}

/// The rows of the tables with four columns: number, constant and what is beyond.
fn rows() -> Vec<[String; 3]> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/limits.md");
    let page = fs::read_to_string(page).unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = |line: &str| match cells(line).as_slice() {
        [_, _, number, constant, beyond, _] => Some([number.clone(), constant.clone(), beyond.clone()]),
        _ => None,
    };
    page.lines().filter_map(row).filter(|[number, ..]| number != "number" && number != "---").collect()
}

#[test]
fn the_page_is_true() {
    let rows = rows();
    let documented: Vec<&str> = rows.iter().map(|[_, constant, _]| constant.trim_matches('`')).collect();
    let tested: Vec<&str> = LIMITS.iter().map(|limit| limit.constant).collect();
    assert_eq!(documented, tested);
    for (limit, [number, constant, beyond]) in LIMITS.iter().zip(&rows) {
        let digits = number.replace(',', "");
        assert_eq!(digits.parse().ok(), limit.number, "{constant}");
        let shown = (limit.beyond)(limit.number.unwrap_or_default());
        assert_eq!(beyond.replace('`', ""), shown, "{constant}");
    }
}

#[test]
fn an_error_of_a_limit_says_the_limit() {
    let masker = Masker::new().unwrap();
    let deep = "[".repeat(MAX_JSON_DEPTH + 1);
    let error = masker.mask_json(&deep, &JsonRules::everything()).unwrap_err();
    assert_eq!(error.to_string(), "the JSON is nested deeper than 128 levels; mask its parts by themselves");
    let error = SseDecoder::new().push(&vec![b'a'; MAX_EVENT_BYTES + 1]).unwrap_err();
    assert!(error.to_string().contains("16777216 bytes; give it in parts"), "{error}");
    let error = Policy::from_yaml(&recognizers(1, MAX_RECOGNIZER_PATTERNS + 1)).unwrap_err();
    assert!(error.to_string().contains("at most 50 patterns"), "{error}");
}
