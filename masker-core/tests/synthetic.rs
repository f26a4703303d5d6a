//! Scheme `synthetic` as a whole: what people see in a text and in a conversation.

use std::collections::{HashMap, HashSet};

use masker_core::{Kind, Masker, Policy, Role, Scheme, TokenKind};

const TEXT: &str = "Hi this is Sarah Chen, my email is sarah.chen@example.org and my phone number is 415-555-0142. \
                    Sarah's husband is John Chen. Date of birth March 14th, 1982, seen on 06/03/2019 and 06/10/2019. \
                    MRN 4827193, SSN 900-12-3456, zip 94110.";

fn masker(seed: Option<u64>) -> Masker {
    let policy = Policy::healthcare_default().with_scheme(Scheme::Synthetic);
    let builder = Masker::builder().policy(policy);
    let builder = if let Some(seed) = seed { builder.seed(seed) } else { builder };
    builder.build().expect("a masker")
}

/// The original and the surrogate of every finding, in order.
fn pairs(masker: &Masker, text: &str) -> Vec<(Kind, String, String)> {
    let masked = masker.mask(text).expect("masking succeeds");
    let mut rest = masked.text.as_str();
    let mut pairs = Vec::new();
    let spans: Vec<_> = masked.events.iter().map(|event| event.span).collect();
    for (n, event) in masked.events.iter().enumerate() {
        let before = &text[if n == 0 { 0 } else { spans[n - 1].end }..event.span.start];
        rest = rest.strip_prefix(before).expect("what is between two findings stays");
        let next = spans.get(n + 1).map_or(text.len(), |span| span.start);
        let between = &text[event.span.end..next];
        let end = if between.is_empty() { rest.len() } else { rest.find(between).expect("the text goes on") };
        pairs.push((event.kind.clone(), text[event.span.range()].to_owned(), rest[..end].to_owned()));
        assert_eq!(
            event.token_kind,
            Some(TokenKind::Synthetic)
                .filter(|_| !rest.starts_with("[REDACTED"))
                .or(Some(TokenKind::Redacted))
        );
        rest = &rest[end..];
    }
    pairs
}

#[test]
fn a_person_stays_one_and_no_original_is_left() {
    for seed in [None, Some(1), Some(2), Some(77)] {
        let masker = masker(seed);
        for _ in 0..10 {
            let pairs = pairs(&masker, TEXT);
            let of = |original: &str| {
                let found = pairs.iter().find(|(_, text, _)| text == original);
                found.unwrap_or_else(|| panic!("{original} is not in {pairs:?}")).2.to_lowercase()
            };
            let full = of("Sarah Chen");
            let (given, family) = full.split_once(' ').unwrap();
            assert!(of("sarah.chen@example.org").starts_with(&format!("{given}.{family}")), "{pairs:?}");
            assert!(of("John Chen").ends_with(family), "{pairs:?}");
            assert_ne!(of("John Chen"), full);
            let originals: HashSet<String> = pairs.iter().map(|(_, text, _)| text.to_lowercase()).collect();
            assert!(pairs.iter().all(|(_, _, new)| !originals.contains(&new.to_lowercase())), "{pairs:?}");
        }
    }
}

#[test]
fn dates_keep_their_distance() {
    let days = |text: &str| {
        let parts: Vec<i64> = text.split('/').map(|part| part.parse().unwrap()).collect();
        // Two dates of one week differ by seven whatever the length of the months between them.
        parts[2] * 372 + parts[0] * 31 + parts[1]
    };
    for seed in 0..30 {
        let pairs = pairs(&masker(Some(seed)), TEXT);
        let of = |original: &str| days(&pairs.iter().find(|(_, text, _)| text == original).unwrap().2);
        assert!(of("06/03/2019") < of("06/10/2019"), "{pairs:?}");
    }
}

#[test]
fn a_seed_repeats_and_no_seed_does_not() {
    let text = |seed| masker(seed).mask(TEXT).unwrap().text;
    assert_eq!(text(Some(5)), text(Some(5)));
    assert_ne!(text(Some(5)), text(Some(6)));
    assert_ne!(text(None), text(None));
    assert!(
        masker(Some(5)).rehydrate(&text(Some(5))).unwrap().text == text(Some(5)),
        "nothing is to be restored"
    );
}

#[test]
fn two_values_of_one_text_never_share_a_surrogate() {
    let numbers: Vec<String> = (0..100).map(|n| format!("call 415-555-01{n:02}.")).collect();
    let text = numbers.join(" ");
    let masker = masker(None);
    let mut owners: HashMap<String, String> = HashMap::new();
    for (_, original, new) in pairs(&masker, &text) {
        let before = owners.insert(new.clone(), original.clone());
        assert!(before.is_none_or(|before| before == original), "{new} is two numbers");
    }
    assert!(owners.len() >= 100, "{}", owners.len());
}

#[test]
fn a_conversation_keeps_its_people() {
    for _ in 0..10 {
        let masker = masker(None);
        let conversation = masker.conversation("call-1");
        let say = |text: &str| conversation.mask_turn(Role::User, text).unwrap().text;
        let first = say("this is Ann Reed");
        let name = first.strip_prefix("this is ").unwrap().to_owned();
        let family = name.split(' ').nth(1).unwrap();
        assert_eq!(say("thanks, this is Ann Reed again"), format!("thanks, this is {name} again"));
        assert_eq!(say("my name is Mrs. Reed"), format!("my name is Mrs. {family}"));
        let mail = say("write to ann.reed@example.org");
        assert!(mail.starts_with(&format!("write to {}@", name.to_lowercase().replace(' ', "."))), "{mail}");
    }
}
