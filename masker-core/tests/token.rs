//! Token forms: the cases of `fixtures/token`, and what must hold for every text.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use masker_core::{Found, KeyRing, Kind, Marker, Scope, Token, TokenForm, find_markers, redacted, seal};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases<T> {
    case: Vec<T>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParseCase {
    name: String,
    text: String,
    form: Option<String>,
    kind: Option<String>,
    kid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkerCase {
    name: String,
    text: String,
    found: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    what: String,
    text: String,
    kind: Option<String>,
    number: Option<u32>,
}

fn cases<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/token").join(file);
    let text = fs::read_to_string(path).expect("the fixtures stand beside the crate");
    toml::from_str::<Cases<T>>(&text).expect("the fixtures have the shape of the test").case
}

#[test]
fn whole_tokens_parse_strictly() {
    for case in cases::<ParseCase>("parse.toml") {
        match (case.text.parse::<Token>(), case.kind) {
            (Ok(token), Some(kind)) => {
                assert_eq!(token.kind().as_str(), kind, "{}", case.name);
                assert_eq!(Some(token.kid().as_str()), case.kid.as_deref(), "{}", case.name);
                let form = if token.form() == TokenForm::Vault { "vault" } else { "aead" };
                assert_eq!(Some(form), case.form.as_deref(), "{}", case.name);
                assert!(token.text().eq_ignore_ascii_case(&case.text), "{}", case.name);
                assert_eq!(token.text().parse::<Token>().unwrap(), token, "{}", case.name);
            }
            (Err(_), None) => {}
            (Ok(_), None) => panic!("{} was accepted", case.name),
            (Err(_), Some(_)) => panic!("{} was refused", case.name),
        }
    }
}

#[test]
fn sealed_bodies_have_an_upper_bound() {
    let token = |len: usize| format!("MSK1.PHONE.K1.{}", "A".repeat(len));
    for (len, good) in [(71, true), (8_192, true), (8_194, false), (16_384, false)] {
        assert_eq!(token(len).parse::<Token>().is_ok(), good, "{len}");
        assert_eq!(find_markers(&token(len)).len(), usize::from(good), "{len}");
    }
}

#[test]
fn markers_are_found_in_texts() {
    for case in cases::<MarkerCase>("markers.toml") {
        let mut from = 0;
        let expected: Vec<(String, usize, usize)> = case
            .found
            .iter()
            .map(|e| {
                let start = from + case.text[from..].find(&e.text).expect("the part is in the text");
                from = start + e.text.len();
                let detail = match e.what.as_str() {
                    "alias" => format!("alias {} {}", e.kind.as_deref().unwrap(), e.number.unwrap()),
                    "redacted" => format!("redacted {}", e.kind.as_deref().unwrap()),
                    what => what.to_owned(),
                };
                (detail, start, from)
            })
            .collect();
        let found: Vec<(String, usize, usize)> = find_markers(&case.text)
            .into_iter()
            .map(|Found { span, marker }| {
                let detail = match marker {
                    Marker::Alias { kind, number } => format!("alias {kind} {number}"),
                    Marker::Redacted(kind) => format!("redacted {kind}"),
                    Marker::Token(_) => "token".to_owned(),
                    _ => "foreign".to_owned(),
                };
                (detail, span.start, span.end)
            })
            .collect();
        assert_eq!(found, expected, "{}", case.name);
    }
}

#[test]
fn the_marker_of_a_redacted_value_is_found_again() {
    for kind in Kind::BUILT_IN {
        let found = find_markers(&redacted(kind));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].marker, Marker::Redacted(kind.clone()));
    }
}

#[test]
fn debug_shows_no_body() {
    let token: Token = "MSKV1.PHONE.K1.HSEMBUYQUW2TTUOL35UE5SIDMY".parse().unwrap();
    assert!(!format!("{token:?}").contains("HSEM"));
    assert!(!format!("{:?}", find_markers(token.text())).contains("HSEM"));
}

/// The time for `text`, the best of three runs.
fn time(text: &str) -> Duration {
    let once = || {
        let started = Instant::now();
        std::hint::black_box(find_markers(text));
        started.elapsed()
    };
    (0..3).map(|_| once()).min().expect("three runs have a fastest")
}

#[test]
fn time_grows_with_the_length_alone() {
    let token = "MSKV1.PHONE.K1.HSEMBUYQUW2TTUOL35UE5SIDMY";
    let patterns = [
        "MSKV1.",
        "MSK1.",
        "MSK",
        "MSK1.A.A.",
        "MSK1.AA.A.A",
        "[",
        "[A",
        "[REDACTED:",
        "<",
        "#",
        "#-",
        "*",
        "*-",
        "[[PHONE_1",
        "MSKMSKV1.AA.K1.AAAAAAAAAAAAAAAAAAAAAAAAA",
        token,
        "A",
        ".",
    ];
    for pattern in patterns {
        let text = pattern.repeat(1_000_000 / pattern.len());
        let (quarter, whole) = (time(&text[..text.len() / 4]), time(&text));
        // Quadratic time would be sixteen times as long; one core shared with others needs some room.
        let limit = quarter * 10 + Duration::from_millis(20);
        assert!(whole < limit, "{pattern}: {quarter:?} for a quarter, {whole:?} for all");
    }
    let long_body = format!("MSK1.AA.A.{}", "MSK".repeat(300_000));
    assert!(time(&long_body) < Duration::from_secs(1));
}

proptest! {
    #[test]
    fn markers_are_ordered_disjoint_and_on_character_boundaries(
        text in "(\\PC{0,8}|MSKV1\\.|MSK1\\.|PHONE|K1|[A-Z2-7]{26}|[.\\[\\]<>#*_ -]|PHONE_1|REDACTED:|PII){0,24}"
    ) {
        let mut end = 0;
        for Found { span, marker } in find_markers(&text) {
            prop_assert!(span.start >= end && span.end > span.start);
            end = span.end;
            let part = text.get(span.range());
            prop_assert!(part.is_some());
            if let Marker::Token(token) = marker {
                let tight: String = part.unwrap().chars().filter(|c| c.is_ascii() && *c != ' ').collect();
                prop_assert!(token.text().eq_ignore_ascii_case(&tight));
            }
        }
    }

    #[test]
    fn tokens_are_found_between_any_texts(
        before in "\\PC{0,10}[^.]", after in "(|[^A-Za-z0-9]\\PC{0,10})", value in "\\PC{0,40}"
    ) {
        let kid = "K1".parse().unwrap();
        let ring = KeyRing::builder().key(&kid, [3; 32]).build().unwrap();
        let token = seal(&ring, &Scope::default(), &Kind::Name, &kid, &value, true).unwrap().unwrap();
        for body in [token.text().to_owned(), lower_body(token.text())] {
            let text = format!("{before}{body}{after}");
            let tokens: Vec<Token> = find_markers(&text)
                .into_iter()
                .filter_map(|f| if let Marker::Token(token) = f.marker { Some(token) } else { None })
                .collect();
            prop_assert_eq!(tokens, vec![token.clone()]);
        }
    }

    #[test]
    fn one_changed_character_is_another_token_or_none(at in 0usize..60, new in "[A-Za-z0-9._ ]") {
        let text = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
        let at = at % text.len();
        let changed = format!("{}{new}{}", &text[..at], &text[at + 1..]);
        if let Ok(token) = changed.parse::<Token>() {
            prop_assert!(token.text() != text || changed.eq_ignore_ascii_case(text));
        }
    }
}

fn lower_body(text: &str) -> String {
    let (head, body) = text.rsplit_once('.').expect("a token has dots");
    format!("{head}.{}", body.to_lowercase())
}
