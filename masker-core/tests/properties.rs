//! The promises of the design, each as a property over texts that mix PHI, ordinary words, any characters, tokens and labels.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use masker_core::detect::{Context, DetectorSet};
use masker_core::resolve::Order;
use masker_core::vault::{Lookup, Put, Query, Reseal, Row, RowKey, Selection, Write};
use masker_core::{
    Action, Kind, Marker, Masker, MemoryVault, OffsetUnit, Policy, Recognizer, RecognizerError,
    RecognizerHit, Scheme, Span, Vault, VaultError, VaultStats, convert_spans, find_markers,
};
use proptest::prelude::*;
use proptest::sample::select;

use self::common::{masker, policy, policy_with, with_vault};

const PHI: &[&str] = &[
    "Sarah Chen",
    "this is maria lopez",
    "my name is Ann O'Brien",
    "Dr. Nguyen-Smith",
    "c h e n",
    "(415) 555-0142",
    "415-555-0101 ext 22",
    "four one five, five five five, oh one three two",
    "fax it to 617.555.0123",
    "my social is 219-09-9999",
    "last four of my social, six seven eight nine",
    "ada@example.com",
    "jane dot doe at example dot com",
    "https://example.com/a?b=c",
    "www.example.org",
    "192.0.2.77",
    "2001:db8::1",
    "00:00:5E:00:53:01",
    "born March 14 1982",
    "dob 03/14/1982",
    "march third nineteen eighty two",
    "on 2024-05-06",
    "she is ninety four years old",
    "94-year-old",
    "12 Elm Street, Springfield, IL 62704",
    "I live in Albany",
    "zip code is nine four one one oh",
    "MRN 4827193",
    "m r n is four eight two seven",
    "member ID: XYZ123456789",
    "1EG4-TE5-MK73",
    "account number 731950264418",
    "4111 1111 1111 1111",
    "5555-5555-5555-4444",
    "IBAN GB82 WEST 1234 5698 7654 32",
    "driver's license number A1234567",
    "VIN 1HGCM82633A004352",
    "my plate is 8XYZ321",
    "password: Hunter2!",
    "my pin is 7392",
    "username jdoe1962",
    "claim # CLM-00123456",
    "voiceprint ID VP-88213-07",
    "IMEI 490154203237518",
];

const WORDS: &[&str] = &[
    "the",
    "patient",
    "takes",
    "five",
    "milligrams",
    "of",
    "metformin",
    "may",
    "will",
    "call",
    "back",
    "order",
    "number",
    "is",
    "blood pressure",
    "120/80",
    "at",
    "dot",
    "com",
    "one",
    "double",
    "as in",
    "b as in boy",
    "yeah",
    "uh",
    "sorry",
    "okay",
    "thanks",
    "what's your date of birth?",
    "and your phone number?",
    "Parkinson's",
    "January",
    "Foley",
    "May",
    "Will",
    "Hope",
    "x",
    "7",
    "12",
    "1982",
    "(",
    ")",
    "[",
    "]",
    "{",
    "\"",
    "'",
    "<b>",
    "\\n",
    "a@",
    "@",
    "://",
    "1.",
    "-",
    "—",
    "…",
    "$40",
    "10:30",
    "ii",
    "No.",
    "Dr.",
    "St",
    "de la",
    "#",
    "*",
    "_",
    "PID|1||4471023^^^MRN||REED^ADA||19820314",
    "\"family\":\"",
    "<given>",
    "corner of fifth and main",
    "12 birch apt 4",
    "monday the fifth",
    "the sixth to the eighth of june",
    "on halloween",
    "christmas eve 2019",
    "04/12/23-04/15/23",
    "from 3/4 to 3/9",
    "area code",
    "4 1 5 5 5 5 0 1 9 9",
    "03Nov2024",
    "20241103",
    "Nov '24",
    "in her nineties",
    "1200 Peachtree, Atlanta, GA",
    "my last name is banks",
    "latitude 39.52963",
    "|",
    "^",
];

const MARKERS: &[&str] = &[
    "[PHONE_NUMBER_1]",
    "[PII]",
    "####",
    "[REDACTED:SSN]",
    "[REDACTED:",
    "[PHONE_1]",
    "[NAME_2]",
    "[name]",
    "[note_1]",
    "MSKV1.",
    "MSK1.NAME.",
    "MSKV1.PHONE.K_HEALTHCARE.AAAAAAAAAAAAAAAAAAAAAAAAAA",
    "MSKV1.SSN.K_OTHER.AAAAAAAAAAAAAAAAAAAAAAAAAA",
    "MSKV1.PHONE.K_HEALTHCARE.AAAAAAAAAAAAAAAAAAAAAAAAA",
    "mskv1.phone.k_healthcare.aaaaaaaaaaaaaaaaaaaaaaaaaa",
];

const SEPARATORS: &[&str] =
    &[" ", " ", " ", " ", ", ", ". ", "? ", "\n", ": ", "", "-", " - ", "\u{a0}", "\u{200b}", "\t", "; "];

fn piece(markers: bool) -> BoxedStrategy<String> {
    let known = |list: &'static [&'static str]| select(list).prop_map(str::to_owned);
    let strange = prop_oneof![
        "\\PC{0,6}",
        any::<char>().prop_map(String::from),
        "[0-9]{1,12}",
        "[A-Za-z]{1,9}",
        "[\u{ff10}-\u{ff19}]{3,10}",
        "[😀é中א\u{301}\u{200d}\u{ad}\u{0}]{1,4}",
    ];
    let cased = select(PHI).prop_map(|text: &str| text.to_uppercase());
    let lower = select(PHI).prop_map(|text: &str| text.to_lowercase());
    let (marked, weight) =
        if markers { (MARKERS, 2) } else { (&["[PII]", "####", "[PHONE_NUMBER_1]"][..], 1) };
    prop_oneof![
        5 => known(PHI),
        1 => cased,
        2 => lower,
        6 => known(WORDS),
        3 => strange,
        weight => known(marked),
    ]
    .boxed()
}

fn joined(markers: bool, most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec((piece(markers), select(SEPARATORS)), 0..most)
        .prop_map(|pieces| pieces.into_iter().fold(String::new(), |text, (piece, gap)| text + &piece + gap))
}

/// Texts of every sort.
fn text() -> impl Strategy<Value = String> {
    joined(true, 12)
}

/// Texts without tokens of masker's form: what restoring must give back as it was.
fn text_without_tokens() -> impl Strategy<Value = String> {
    joined(false, 12).prop_filter("no token", |text| {
        !find_markers(text).iter().any(|found| matches!(found.marker, Marker::Token(_)))
    })
}

static VAULT: LazyLock<Masker> = LazyLock::new(|| masker(policy(Scheme::VaultDeterministic)));
static AEAD: LazyLock<Masker> = LazyLock::new(|| masker(policy(Scheme::ReversibleAead)));
static STRICT: LazyLock<Masker> = LazyLock::new(|| masker(Policy::strict()));

/// A vault that refuses to work while it is told to.
struct Refusing {
    inner: MemoryVault,
    refuses: AtomicBool,
}

impl Refusing {
    fn ask(&self) -> Result<(), VaultError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(VaultError::Storage { reason: "out of order".to_owned() });
        }
        Ok(())
    }
}

impl Vault for Refusing {
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        self.ask()?;
        self.inner.get(query)
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        self.ask()?;
        self.inner.put(write)
    }

    fn count(&self, which: &Selection) -> Result<u64, VaultError> {
        self.inner.count(which)
    }

    fn delete(&self, which: &Selection) -> Result<u64, VaultError> {
        self.inner.delete(which)
    }

    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError> {
        self.inner.page(after, limit)
    }

    fn tombstones(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<[u8; 32]>, VaultError> {
        self.inner.tombstones(after, limit)
    }

    fn reseal(&self, rows: &[Reseal]) -> Result<u64, VaultError> {
        self.inner.reseal(rows)
    }

    fn merge(&self, rows: &[Row], tombstones: &[[u8; 32]]) -> Result<u64, VaultError> {
        self.inner.merge(rows, tombstones)
    }

    fn stats(&self) -> Result<VaultStats, VaultError> {
        self.inner.stats()
    }
}

/// A plug-in that answers with spans of the caller's, or fails.
struct Plugin(Option<Vec<(usize, usize)>>);

impl Recognizer for Plugin {
    fn name(&self) -> &'static str {
        "plugin"
    }

    fn recognize(&self, _: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let spans = self.0.as_ref().ok_or_else(|| RecognizerError::new("out of order"))?;
        Ok(spans
            .iter()
            .map(|&(start, end)| RecognizerHit { kind: Kind::Name, start, end, confidence: 0.99 })
            .collect())
    }
}

fn with_plugin(plugin: Plugin) -> Masker {
    Masker::builder()
        .policy(policy(Scheme::ReversibleAead))
        .keys(common::keys())
        .recognizer(Arc::new(plugin))
        .build()
        .unwrap()
}

/// The replacements of a masked text, one for each event that is no passthrough. Panics where the text around them is not
/// the original's.
fn replacements<'m>(text: &str, masked: &'m masker_core::Masked) -> Vec<&'m str> {
    let (mut copied, mut at) = (0, 0);
    let mut found = Vec::new();
    let markers = find_markers(&masked.text);
    for event in &masked.events {
        let between = &text[copied..event.span.start];
        assert!(masked.text[at..].starts_with(between), "the text before {:?} is changed", event.span);
        at += between.len();
        copied = event.span.end;
        if event.action == Action::Passthrough {
            at += event.span.len();
            continue;
        }
        let marker = markers.iter().find(|marker| marker.span.start == at);
        let marker = marker.unwrap_or_else(|| panic!("no marker for {:?} in {:?}", event.span, masked.text));
        found.push(&masked.text[marker.span.range()]);
        at = marker.span.end;
    }
    assert_eq!(&masked.text[at..], &text[copied..], "the text after the last event is changed");
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_1_fail_closed(text in text(), start in 0usize..40, end in 0usize..40) {
        // A text alone is never an error.
        let findings = VAULT.detect(&text).unwrap();
        let masked = VAULT.mask(&text).unwrap();
        VAULT.rehydrate(&text).unwrap();
        VAULT.explain(&text).unwrap();

        let vault = Refusing { inner: MemoryVault::new(), refuses: AtomicBool::new(true) };
        let refused = with_vault(policy(Scheme::VaultDeterministic), Arc::new(vault), "");
        let tokens = masked.events.iter().filter(|event| event.action == Action::Tokenize).count();
        prop_assert_eq!(refused.mask(&text).is_err(), tokens > 0);
        if tokens > 0 {
            prop_assert!(refused.rehydrate(&masked.text).is_err());
            prop_assert_eq!(refused.mask(&text).unwrap_err().code(), "vault_failed");
        }

        let failing = with_plugin(Plugin(None));
        prop_assert_eq!(failing.mask(&text).unwrap_err().code(), "recognizer_failed");
        prop_assert_eq!(failing.detect(&text).unwrap_err().code(), "recognizer_failed");
        let good = start < end && text.get(start..end).is_some();
        let answer = with_plugin(Plugin(Some(vec![(start, end)]))).mask(&text);
        prop_assert_eq!(answer.is_ok(), good);

        // A kind that is blocked gives no text at all.
        let blocking = masker(Policy::from_yaml(
            &Policy::preset_source("healthcare-default").unwrap().replace("action: tokenize", "action: block"),
        ).unwrap());
        let blocked = findings.iter().any(|finding| {
            blocking.policy().effective(&finding.kind, false).action == Action::Block
        });
        prop_assert_eq!(blocking.mask(&text).is_err(), blocked);
    }

    #[test]
    fn promise_2_no_leak(text in text()) {
        for masker in [&*VAULT, &*AEAD, &*STRICT] {
            let masked = masker.mask(&text).unwrap();
            prop_assert_eq!(replacements(&text, &masked).len(), masked.redaction_count());
            let spans: Vec<Span> = masked.events.iter().map(|event| event.span).collect();
            prop_assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
            // No fragment of what any pass found is left uncovered.
            for explained in masker.explain(&text).unwrap() {
                let span = explained.finding.span;
                prop_assert!(spans.iter().any(|outer| outer.contains(span)), "{:?}", explained);
            }
        }
    }

    #[test]
    fn promise_2_values_between_words_are_gone(
        value in select(&["ada.reed@example.com", "219-09-9999", "(415) 555-0142", "4111 1111 1111 1111", "192.0.2.77",
            "1HGCM82633A004352", "https://example.com/chart/7"][..]),
        before in prop::collection::vec(select(&["please", "send", "the", "it", "reads"][..]), 0..5),
        after in prop::collection::vec(select(&["please", "thanks", "and", "then", "okay"][..]), 0..5),
    ) {
        let text = format!("{} {value} {}", before.join(" "), after.join(" "));
        for masker in [&*VAULT, &*AEAD, &*STRICT] {
            let masked = masker.mask(&text).unwrap();
            prop_assert!(!masked.text.contains(value), "{}", masked.text);
            prop_assert_eq!(masked.redaction_count(), 1, "{}", masked.text);
        }
    }

    #[test]
    fn promise_3_round_trip(text in text_without_tokens()) {
        static EXACT: LazyLock<Masker> = LazyLock::new(|| masker(all_tokens(&policy_with("normalization: exact"))));
        static SEALED: LazyLock<Masker> = LazyLock::new(|| {
            masker(all_tokens(&policy_with("")).with_scheme(Scheme::ReversibleAead))
        });
        static SEALED_SAME: LazyLock<Masker> = LazyLock::new(|| {
            masker(all_tokens(&policy_with("aead: { deterministic: true }")).with_scheme(Scheme::ReversibleAead))
        });
        for masker in [&*EXACT, &*SEALED, &*SEALED_SAME] {
            let masked = masker.mask(&text).unwrap();
            let restored = masker.rehydrate(&masked.text).unwrap();
            prop_assert_eq!(&restored.text, &text);
            prop_assert_eq!(restored.restored, masked.events.len());
            prop_assert_eq!(restored.unknown + restored.foreign + restored.ambiguous, 0);
        }
        // Under `normalization: value` another spelling may come back, but every token does, and means the same.
        let masked = VAULT.mask(&text).unwrap();
        let restored = VAULT.rehydrate(&masked.text).unwrap();
        let tokens = masked.events.iter().filter(|event| event.action == Action::Tokenize).count();
        prop_assert_eq!((restored.restored, restored.unknown, restored.foreign), (tokens, 0, 0));
    }

    #[test]
    fn promise_4_idempotence(text in text()) {
        for masker in [&*VAULT, &*AEAD, &*STRICT] {
            let once = masker.mask(&text).unwrap();
            let twice = masker.mask(&once.text).unwrap();
            prop_assert_eq!(&twice.text, &once.text);
        }
    }

    #[test]
    fn promise_5_determinism(text in text()) {
        let other = masker(policy(Scheme::VaultDeterministic));
        let first = VAULT.mask(&text).unwrap();
        let second = std::thread::scope(|scope| scope.spawn(|| other.mask(&text).unwrap()).join().unwrap());
        prop_assert_eq!(&first.text, &second.text);
        prop_assert_eq!(&first.events, &second.events);
        let batch = VAULT.mask_batch(&vec![text.as_str(); 33]).unwrap();
        prop_assert!(batch.iter().all(|masked| masked.text == first.text));
    }

    #[test]
    fn promise_6_turns_equal_whole(
        turns in prop::collection::vec((select(&["Agent", "Caller", "Patient"][..]), joined(false, 5)), 1..6)
    ) {
        let set = DetectorSet::all_kinds();
        let lines: Vec<String> = turns
            .iter()
            .map(|(role, said)| format!("{role}: {}\n", said.replace(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}'], " ")))
            .collect();
        let whole = lines.concat();
        let at_once = set.detect(&whole, &[], &mut Context::default(), Order::Longest).unwrap();
        let at_once: Vec<(Kind, Span)> = at_once.into_iter().map(|f| (f.kind, f.span)).collect();
        let mut context = Context::default();
        let mut one_by_one = Vec::new();
        let mut offset = 0;
        for line in &lines {
            for finding in set.detect(line, &[], &mut context, Order::Longest).unwrap() {
                let span = Span::new(finding.span.start + offset, finding.span.end + offset);
                one_by_one.push((finding.kind, span));
            }
            offset += line.len();
        }
        prop_assert_eq!(one_by_one, at_once, "{}", whole);
    }

    #[test]
    fn promise_7_scope(text in text_without_tokens()) {
        let vault = Arc::new(MemoryVault::new());
        for scheme in [Scheme::VaultDeterministic, Scheme::ReversibleAead] {
            let one = with_vault(policy(scheme), vault.clone(), "sess_1");
            let two = with_vault(policy(scheme), vault.clone(), "sess_2");
            let masked = one.mask(&text).unwrap();
            let tokens = masked.events.iter().filter(|event| event.action == Action::Tokenize).count();
            let restored = two.rehydrate(&masked.text).unwrap();
            prop_assert_eq!((restored.restored, restored.unknown), (0, tokens));
            let mut redacted = masked.text.clone();
            for found in find_markers(&masked.text).iter().rev() {
                if let Marker::Token(token) = &found.marker {
                    redacted.replace_range(found.span.range(), &masker_core::redacted(token.kind()));
                }
            }
            prop_assert_eq!(restored.text, redacted);
            prop_assert_eq!(one.rehydrate(&masked.text).unwrap().restored, tokens);
        }
    }

    #[test]
    fn promise_10_offsets(text in text()) {
        let findings = STRICT.detect(&text).unwrap();
        let spans: Vec<Span> = findings.iter().map(|finding| finding.span).collect();
        let characters: Vec<char> = text.chars().collect();
        let units: Vec<u16> = text.encode_utf16().collect();
        let points = convert_spans(&text, &spans, OffsetUnit::CodePoint);
        let utf16 = convert_spans(&text, &spans, OffsetUnit::Utf16);
        for ((span, point), unit) in spans.iter().zip(points).zip(utf16) {
            let value = &text[span.range()];
            prop_assert_eq!(characters[point.0..point.1].iter().collect::<String>(), value);
            prop_assert_eq!(String::from_utf16(&units[unit.0..unit.1]).unwrap(), value);
        }
    }
}

/// A policy in which every kind that is found becomes a token.
fn all_tokens(policy: &Policy) -> Policy {
    let normalization = policy.normalization();
    let source =
        Policy::preset_source("healthcare-default").unwrap().replace("action: redact", "action: tokenize");
    let mut head = String::new();
    if normalization == masker_core::Normalization::Exact {
        head.push_str("normalization: exact\n");
    }
    if policy.aead_deterministic() {
        head.push_str("aead: { deterministic: true }\n");
    }
    Policy::from_yaml(&(head + &source)).unwrap()
}

#[test]
fn promise_9_linear_and_bounded() {
    let size = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let masker = &*STRICT;
    let best_of = |text: &str| {
        let time = || {
            let start = Instant::now();
            masker.mask(text).unwrap();
            start.elapsed()
        };
        (0..2).map(|_| time()).min().unwrap()
    };
    let repeated = |pattern: &str, size: usize| pattern.repeat(size.div_ceil(pattern.len()));
    let prose = "The patient takes the tablets in the morning with food, and the nurse will call back after lunch. \
                 Ann Reed, who was born on March 3 1982, can be reached at 415-555-0142 in the evening. ";
    let prose_time = best_of(&repeated(prose, size)).max(Duration::from_millis(1));
    let mut table = String::new();
    for pattern in [
        "1.",
        "a@a.",
        "ab:",
        "http://",
        "(",
        ")",
        "1-",
        "7",
        "1 ",
        "Aa",
        "Aa ",
        " ",
        "\n",
        "\0",
        "MSKV1.",
        "MSK1.NAME.K.",
        "[",
        "]",
        "[NAME_",
        "as in ",
        "b as in ",
        "one ",
        "double ",
        "hundred ",
        "dot ",
        "at ",
        "a dot b at ",
        "name is ",
        "my name is ",
        "mrn ",
        "phone number ",
        "what is your phone number? ",
        "\u{fffd}",
        "\u{d7ff}",
        "\u{10ffff}",
        "😀",
        "é",
        "a\u{301}",
        "\u{200b}",
        "\u{200d}",
        "１",
        "Dr. ",
        "Ann ",
        "Ann-",
        "O'",
        "march ",
        "1/",
        "march 1 ",
        ":",
        "::",
        "1:",
        "f:",
        "@",
        ".",
        "-",
        "#",
        "*",
        "x",
        "A1",
        "1a ",
        "12 Elm St ",
        "+1",
        "&#49;",
        "\\n",
        "Agent: ",
        "Agent: no\n",
        "1HGCM82633A00435",
        "4111 ",
        "uh ",
        "sorry ",
        "no wait ",
        "is ",
        "the ",
        "de la ",
        "a.",
        "www.",
        "\"",
        "'s ",
    ] {
        let measure = || {
            let time = best_of(&repeated(pattern, size));
            let quarter = best_of(&repeated(pattern, size / 4)).max(Duration::from_micros(500));
            (time.as_secs_f64() / prose_time.as_secs_f64(), time.as_secs_f64() / quarter.as_secs_f64())
        };
        let (mut against_prose, mut growth) = measure();
        // A busy machine makes one measurement wrong, not three.
        for _ in 0..2 {
            if against_prose > 20.0 || growth > 11.0 {
                let again = measure();
                (against_prose, growth) = (against_prose.min(again.0), growth.min(again.1));
            }
        }
        if against_prose > 20.0 || growth > 11.0 {
            let _ =
                writeln!(table, "{pattern:?}: {against_prose:.1} times prose, {growth:.1} times a quarter");
        }
    }
    assert!(table.is_empty(), "prose takes {prose_time:?} for {size} bytes\n{table}");
}

#[cfg(target_os = "linux")]
#[test]
fn promise_11_nothing_leaves() {
    let sockets = || -> BTreeSet<String> {
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .filter(|target| target.starts_with("socket:"))
            .collect()
    };
    let before = sockets();
    let masker = Masker::new().unwrap();
    for text in PHI {
        let masked = masker.mask(text).unwrap();
        masker.rehydrate(&masked.text).unwrap();
        assert_eq!(sockets(), before);
    }
    assert!(masker.detect_batch(PHI).unwrap().iter().any(|findings| !findings.is_empty()));
    assert_eq!(sockets(), before);
}
