//! The public surface: what types promise, and what a masker does under each part of its configuration.

mod common;

use std::fmt::Debug;
use std::sync::Arc;

use masker_core::vault::{Selection, rewrap};
use masker_core::{
    Action, Error, ErrorKind, Event, Explanation, Finding, KeyRing, Kid, Kind, MAX_TEXT_BYTES, Masked,
    Masker, MaskerBuilder, MemoryVault, Normalization, OffsetUnit, Pass, Policy, PolicyErrorCode, Recognizer,
    RecognizerError, RecognizerHit, Restored, Scheme, Scope, SecretText, Span, Token, TokenKind, Vault,
};

use self::common::{keys, kid, masker, policy, policy_with, with_vault};

fn shared<T: Send + Sync + 'static>() {}

fn value<T: Send + Sync + Clone + Debug + PartialEq + 'static>() {}

#[test]
fn types_can_be_shared_between_threads() {
    shared::<Masker>();
    shared::<MaskerBuilder>();
    shared::<Policy>();
    shared::<KeyRing>();
    shared::<MemoryVault>();
    shared::<Arc<dyn Vault>>();
    shared::<Arc<dyn Recognizer>>();
    shared::<Masked>();
    shared::<Restored>();
    shared::<Token>();
    shared::<Error>();
    shared::<SecretText>();
    #[cfg(feature = "vault-sqlite")]
    shared::<masker_core::SqliteVault>();
    value::<Finding>();
    value::<Event>();
    value::<Explanation>();
    value::<Kind>();
    value::<Span>();
    value::<Kid>();
    value::<Scope>();
    value::<Pass>();
    value::<Action>();
    value::<TokenKind>();
    value::<OffsetUnit>();
    value::<ErrorKind>();
    value::<PolicyErrorCode>();
}

#[test]
fn clones_share_the_vault() {
    let one = Masker::new().unwrap();
    let masked = one.clone().mask("ada@example.com").unwrap();
    assert_eq!(one.rehydrate(&masked.text).unwrap().text, "ada@example.com");
}

#[test]
fn batches_keep_the_order() {
    let masker = masker(policy(Scheme::VaultDeterministic));
    let texts: Vec<String> = (0..500).map(|n| format!("{n} mail ada{n}@example.com")).collect();
    let masked = masker.mask_batch(&texts).unwrap();
    let found = masker.detect_batch(&texts).unwrap();
    for (n, ((text, masked), found)) in texts.iter().zip(&masked).zip(&found).enumerate() {
        assert!(masked.text.starts_with(&format!("{n} mail MSKV1.EMAIL.")), "{}", masked.text);
        assert_eq!(masked.text, masker.mask(text).unwrap().text);
        assert_eq!(*found, masker.detect(text).unwrap());
    }
    let tokens: Vec<&str> = masked.iter().map(|masked| masked.text.as_str()).collect();
    let restored = masker.rehydrate_batch(&tokens).unwrap();
    assert!(restored.iter().zip(&texts).all(|(restored, text)| restored.text == *text));
    assert!(masker.mask_batch::<&str>(&[]).unwrap().is_empty());
}

#[test]
fn a_batch_fails_with_its_first_failure() {
    let source = Policy::preset_source("healthcare-default").unwrap();
    let source = source
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("EMAIL:") {
                line.replace("tokenize", "block")
            } else {
                line.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let masker = masker(Policy::from_yaml(&source).unwrap());
    let mut texts = vec!["nothing here"; 100];
    texts[60] = "mail ada@example.com";
    let error = masker.mask_batch(&texts).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Blocked, "blocked_by_policy"));
    let Error::Blocked { kind, span } = error else { panic!("another error") };
    assert_eq!((kind, span), (Kind::Email, Span::new(5, 20)));
    // Blocking is for masking; what is there can still be looked at.
    assert_eq!(masker.detect(texts[60]).unwrap().len(), 1);
}

#[test]
fn nothing_given_is_ephemeral_and_works() {
    let one = Masker::new().unwrap();
    assert!(one.is_ephemeral());
    assert_eq!(one.policy().name(), "healthcare-default");
    assert_eq!(*one.scope(), Scope::default());
    let masked = one.mask("ada@example.com").unwrap();
    assert!(masked.text.starts_with("MSKV1.EMAIL.EPHEMERAL."));
    assert_eq!(masked.events[0].kid.as_ref().unwrap().as_str(), "EPHEMERAL");
    assert_eq!(one.rehydrate(&masked.text).unwrap().restored, 1);
    // Another value has another key.
    let two = Masker::new().unwrap();
    assert_ne!(two.mask("ada@example.com").unwrap().text, masked.text);
    let restored = two.rehydrate(&masked.text).unwrap();
    assert_eq!((restored.text.as_str(), restored.unknown), ("[REDACTED:EMAIL]", 1));
    assert_eq!(restored.lost, [Kind::Email]);
    assert!(!masker(Policy::healthcare_default()).is_ephemeral());
}

#[test]
fn events_say_what_was_done() {
    let masker = masker(policy(Scheme::VaultDeterministic));
    let text = "é ada@example.com from 192.0.2.77";
    let masked = masker.mask(text).unwrap();
    let [email, ip] = masked.events.as_slice() else { panic!("{:?}", masked.events) };
    assert_eq!(&text[email.span.range()], "ada@example.com");
    assert_eq!((email.action, email.token_kind), (Action::Tokenize, Some(TokenKind::Mskv1)));
    assert_eq!((email.kid.clone(), email.pass), (Some(kid()), Pass::Regex));
    assert!(email.confidence > 0.0 && email.confidence <= 1.0);
    assert_eq!((ip.kind.clone(), ip.action), (Kind::IpAddress, Action::Redact));
    assert_eq!((ip.token_kind, ip.kid.clone()), (Some(TokenKind::Redacted), None));
    assert_eq!(masked.redaction_count(), 2);
}

#[test]
fn passthrough_stays_and_does_not_count() {
    let source =
        Policy::preset_source("healthcare-default").unwrap().replace("action: redact", "action: passthrough");
    let masker = masker(Policy::from_yaml(&source).unwrap());
    let masked = masker.mask("from 192.0.2.77 by ada@example.com").unwrap();
    assert!(masked.text.starts_with("from 192.0.2.77 by MSKV1."));
    assert_eq!((masked.events.len(), masked.redaction_count()), (2, 1));
    assert_eq!(masked.events[0].action, Action::Passthrough);
}

#[test]
fn kinds_that_are_off_leave_their_text() {
    let yaml = "name: few\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\npasses: [regex]\n\
                entities: { EMAIL: {}, PHONE: { enabled: false } }\n";
    let masker = masker(Policy::from_yaml(yaml).unwrap());
    let masked = masker.mask("ada@example.com or 415-555-0142").unwrap();
    assert!(masked.text.ends_with(" or 415-555-0142") && masked.redaction_count() == 1, "{}", masked.text);
}

#[test]
fn a_neighbour_covers_a_kind_that_is_off() {
    let yaml = "name: few\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\npasses: [regex]\n\
                entities: { PHONE: {} }\n";
    let masker = masker(Policy::from_yaml(yaml).unwrap());
    let masked = masker.mask("fax it to 415-555-0142").unwrap();
    assert!(masked.text.starts_with("fax it to MSKV1.PHONE."), "{}", masked.text);
}

#[test]
fn kept_parts_stay_in_clear() {
    for (kind, keep, text, kept) in [
        ("EMAIL", "domain", "write to ada@example.com", "example.com"),
        ("CREDIT_CARD", "last4", "visa 4111 1111 1111 1111", "1111"),
        ("DOB", "year", "born March 14 1982", "1982"),
    ] {
        let yaml = format!(
            "name: keep\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\npasses: [regex, spoken]\n\
             entities: {{ {kind}: {{ keep: {keep} }} }}\n"
        );
        let masker = masker(Policy::from_yaml(&yaml).unwrap());
        let masked = masker.mask(text).unwrap();
        assert_eq!(masked.redaction_count(), 1, "{kind}");
        assert!(masked.text.contains(kept), "{kind}: {}", masked.text);
        assert_ne!(masked.text, text, "{kind}");
        assert_eq!(masker.rehydrate(&masked.text).unwrap().text, text, "{kind}");
    }
}

#[test]
fn a_text_above_the_limit_is_refused() {
    // Zero pages that nobody touches: the refusal looks at the length alone.
    let text = String::from_utf8(vec![0; MAX_TEXT_BYTES + 1]).unwrap();
    let masker = Masker::new().unwrap();
    for error in [masker.mask(&text).err(), masker.detect(&text).err(), masker.rehydrate(&text).err()] {
        let error = error.unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "too_long"));
    }
}

#[test]
fn a_long_original_is_redacted_where_no_token_can_hold_it() {
    let source =
        Policy::preset_source("healthcare-default").unwrap().replace("action: redact", "action: tokenize");
    let masker = masker(Policy::from_yaml(&source).unwrap().with_scheme(Scheme::ReversibleAead));
    let text = format!("mail ada@example.com or see https://example.com/{}", "a".repeat(6000));
    let masked = masker.mask(&text).unwrap();
    assert!(masked.text.ends_with(" or see [REDACTED:URL]"), "{}", masked.text);
}

#[test]
fn a_token_never_runs_into_a_letter_or_digit_behind_it() {
    let source =
        Policy::preset_source("healthcare-default").unwrap().replace("action: redact", "action: tokenize");
    let list =
        "normalization: exact\ndictionaries: [{ name: d, entity: NAME, words: [Zeb], whole_word: false }]\n";
    for text in
        ["at 2001:db8::NUMBER_1]", "2001:db8::x", "for Zebediah1, Zeb2 and Zebra", "Zebada@example.com"]
    {
        for scheme in [Scheme::VaultDeterministic, Scheme::ReversibleAead] {
            let masker = masker(Policy::from_yaml(&format!("{list}{source}")).unwrap().with_scheme(scheme));
            let masked = masker.mask(text).unwrap();
            assert_eq!(masker.mask(&masked.text).unwrap().text, masked.text, "{text}");
            let restored = masker.rehydrate(&masked.text).unwrap();
            assert_eq!((restored.text.as_str(), restored.restored), (text, masked.redaction_count()));
        }
    }
}

#[test]
fn scopes_are_apart_and_have_tokens_of_their_own() {
    let vault = Arc::new(MemoryVault::new());
    let one = with_vault(policy(Scheme::VaultDeterministic), vault.clone(), "agent_1");
    let two = with_vault(policy(Scheme::VaultDeterministic), vault, "agent_2");
    let masked = one.mask("ada@example.com").unwrap().text;
    assert_ne!(two.mask("ada@example.com").unwrap().text, masked);
    let restored = two.rehydrate(&masked).unwrap();
    assert_eq!((restored.text.as_str(), restored.unknown, restored.foreign), ("[REDACTED:EMAIL]", 1, 0));
    assert_eq!(one.rehydrate(&masked).unwrap().text, "ada@example.com");
}

#[test]
fn old_keys_still_open_and_no_longer_make() {
    let (old, new) = ([1; 32], [2; 32]);
    let build = |scheme, vault: Arc<MemoryVault>, ring| {
        Masker::builder().policy(policy(scheme)).keys(ring).vault(vault).build().unwrap()
    };
    for scheme in [Scheme::VaultDeterministic, Scheme::ReversibleAead] {
        let vault = Arc::new(MemoryVault::new());
        let before = build(scheme, vault.clone(), KeyRing::builder().key(&kid(), old).build().unwrap());
        let masked = before.mask("ada@example.com").unwrap().text;
        let ring = || KeyRing::builder().key(&kid(), new).old_key(&kid(), old).build().unwrap();
        let after = build(scheme, vault.clone(), ring());
        assert_eq!(after.rehydrate(&masked).unwrap().text, "ada@example.com");
        assert_ne!(after.mask("ada@example.com").unwrap().text, masked);
        let without = build(scheme, vault.clone(), KeyRing::builder().key(&kid(), new).build().unwrap());
        assert_eq!(without.rehydrate(&masked).unwrap().unknown, 1);
        if scheme == Scheme::VaultDeterministic {
            // A vault under the new key needs the old one no more.
            rewrap(&ring(), &*vault, None, &kid()).unwrap();
            assert_eq!(without.rehydrate(&masked).unwrap().text, "ada@example.com");
        }
    }
}

#[test]
fn a_purged_token_is_unknown_and_does_not_come_back() {
    let vault = Arc::new(MemoryVault::new());
    let masker = with_vault(policy(Scheme::VaultDeterministic), vault.clone(), "agent_1");
    let masked = masker.mask("ada@example.com").unwrap().text;
    assert_eq!(vault.delete(&Selection::Scope("agent_1".parse().unwrap())).unwrap(), 1);
    let restored = masker.rehydrate(&masked).unwrap();
    assert_eq!((restored.text.as_str(), restored.unknown), ("[REDACTED:EMAIL]", 1));
    // The value gets another token; the dead one stays dead.
    let again = masker.mask("ada@example.com").unwrap().text;
    assert_ne!(again, masked);
    assert_eq!(masker.rehydrate(&again).unwrap().text, "ada@example.com");
    assert_eq!(masker.rehydrate(&masked).unwrap().unknown, 1);
}

#[test]
fn a_key_that_is_missing_is_named() {
    let other: Kid = "K_OTHER".parse().unwrap();
    let ring = KeyRing::builder().key(&other, [1; 32]).build().unwrap();
    let error = Masker::builder().keys(ring).build().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Key, "unknown_kid"));
    assert!(error.to_string().contains("K_HEALTHCARE"));
}

#[test]
fn a_token_of_another_instance_is_foreign() {
    let other: Kid = "K_OTHER".parse().unwrap();
    let ring = KeyRing::builder().key(&kid(), [1; 32]).key(&other, [2; 32]).build().unwrap();
    let yaml =
        Policy::preset_source("healthcare-default").unwrap().replace("kid: K_HEALTHCARE", "kid: K_OTHER");
    let two = Masker::builder().policy(Policy::from_yaml(&yaml).unwrap()).keys(ring).build().unwrap();
    let masked = two.mask("ada@example.com").unwrap().text;
    let restored = masker(Policy::healthcare_default()).rehydrate(&masked).unwrap();
    assert_eq!((restored.text.as_str(), restored.foreign), ("[REDACTED:EMAIL]", 1));
}

#[test]
fn normalization_decides_what_is_equal() {
    let texts =
        ["call 415-555-0142", "call (415) 555-0142", "call four one five five five five oh one four two"];
    let value = masker(policy_with("normalization: value"));
    let exact = masker(policy_with("normalization: exact"));
    assert_eq!(exact.policy().normalization(), Normalization::Exact);
    let masked = |masker: &Masker| texts.map(|text| masker.mask(text).unwrap().text);
    let equal = masked(&value);
    assert!(equal.iter().all(|text| *text == equal[0]), "{equal:?}");
    let apart = masked(&exact);
    assert!(apart[0] != apart[1] && apart[1] != apart[2], "{apart:?}");
    for (masked, text) in apart.iter().zip(texts) {
        assert_eq!(exact.rehydrate(masked).unwrap().text, text);
    }
}

#[test]
fn synthetic_values_are_plausible_seeded_and_final() {
    let build = |seed| {
        let builder = Masker::builder().policy(policy(Scheme::Synthetic)).keys(keys());
        builder.seed(seed).build().unwrap()
    };
    let text = "this is Sarah Chen, call 415-555-0142 or (415) 555-0142";
    let masked = build(7).mask(text).unwrap();
    assert!(!masked.text.contains("Sarah") && !masked.text.contains("555-0142"), "{}", masked.text);
    assert!(masked.events.iter().all(|event| event.token_kind == Some(TokenKind::Synthetic)));
    assert_eq!(build(7).mask(text).unwrap().text, masked.text);
    assert_ne!(build(8).mask(text).unwrap().text, masked.text);
    assert_eq!(build(7).rehydrate(&masked.text).unwrap().text, masked.text);
}

struct Wards;

impl Recognizer for Wards {
    fn name(&self) -> &'static str {
        "wards"
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let hit = |(start, part): (usize, &str)| RecognizerHit {
            kind: Kind::Name,
            start,
            end: start + part.len(),
            confidence: if part.ends_with('?') { 0.3 } else { 0.95 },
        };
        Ok(text.match_indices("qqq?").map(hit).chain(text.match_indices("zzz").map(hit)).collect())
    }
}

#[test]
fn a_plug_in_finds_what_it_is_sure_of() {
    let masker = Masker::builder().recognizer(Arc::new(Wards)).build().unwrap();
    let findings = masker.detect("the zzz and the qqq? of it").unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].span, findings[0].pass), (Span::new(4, 7), Pass::Ner));
    assert_eq!(findings[0].recognizer, "wards");
}

/// Gives one hit, whatever the text.
struct Gives(RecognizerHit);

impl Recognizer for Gives {
    fn name(&self) -> &'static str {
        "gives"
    }

    fn recognize(&self, _: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        Ok(vec![self.0.clone()])
    }
}

#[test]
fn a_hit_that_would_be_dropped_without_a_word_is_an_error() {
    let masked = |kind: &str, confidence: f32| {
        let hit = RecognizerHit { kind: kind.parse().unwrap(), start: 0, end: 3, confidence };
        let lines = "recognizers: [{ name: wards, entity: WARD, patterns: [{ regex: W }] }, { name: beds, entity: BED, patterns: [{ regex: B }] }]";
        let kinds = "\nentities:\n  WARD: { action: redact }\n  BED: { enabled: false }";
        let source = Policy::preset_source("healthcare-default").unwrap().replacen("\nentities:", kinds, 1);
        let source = format!("{lines}\n{source}");
        let builder = Masker::builder().policy(Policy::from_yaml(&source).unwrap());
        builder.recognizer(Arc::new(Gives(hit))).build().unwrap().mask("zzz").map(|masked| masked.text)
    };
    assert_eq!(masked("WARD", 0.9).unwrap(), "[REDACTED:WARD]");
    // The policy knows them and does not look for them.
    assert_eq!(masked("BED", 0.9).unwrap(), "zzz");
    assert_eq!(masked("ORGANIZATION", 0.9).unwrap(), "zzz");
    for (kind, confidence) in [("PATIENT", 0.9), ("NAME", f32::NAN), ("NAME", 1.01), ("NAME", -0.1)] {
        let error = masked(kind, confidence).unwrap_err();
        assert_eq!(error.code(), "recognizer_failed", "{kind} {confidence}");
        assert!(error.to_string().starts_with("the recognizer gives gave a "), "{error}");
    }
}

#[test]
fn lists_of_a_policy_count() {
    let lines = "recognizers: [{ name: northside, entity: MRN, patterns: [{ regex: 'NS-[0-9]{4}', score: 0.9 }] }]\n\
                 dictionaries: [{ name: sites, entity: ADDRESS, words: [Pavilion Bee] }]\n\
                 allow: [{ words: [help@example.com] }]";
    let masker = masker(policy_with(lines));
    let text = "NS-4711 at pavilion bee, help@example.com, ada@example.com";
    let found: Vec<_> = masker
        .detect(text)
        .unwrap()
        .iter()
        .map(|f| (f.kind.clone(), text[f.span.range()].to_owned()))
        .collect();
    let wanted = [
        (Kind::Mrn, "NS-4711".to_owned()),
        (Kind::Address, "pavilion bee".to_owned()),
        (Kind::Email, "ada@example.com".to_owned()),
    ];
    assert_eq!(found, wanted);
}

#[cfg(feature = "vault-sqlite")]
#[test]
fn a_vault_file_outlives_the_masker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let open = || {
        let vault = masker_core::SqliteVault::open(&path).unwrap();
        with_vault(policy(Scheme::VaultDeterministic), Arc::new(vault), "")
    };
    let text = "this is Sarah Chen, 415-555-0142, ada@example.com";
    let masked = open().mask(text).unwrap();
    assert_eq!(open().rehydrate(&masked.text).unwrap().text, text);
    assert_eq!(open().mask(text).unwrap().text, masked.text);
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for original in ["Sarah", "555-0142", "4155550142", "ada@example"] {
        assert!(
            !bytes.windows(original.len()).any(|window| window == original.as_bytes()),
            "{original} is in the file"
        );
    }
}
