//! Promise 8: whatever the library says of its work holds no text, no original and no token body.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod common;

use std::fmt::{Debug, Display, Write as _};
use std::sync::Arc;

use masker_core::detect::{Context, DetectorSet};
use masker_core::vault::{Selection, Vault as _};
use masker_core::{
    Error, KeyRing, Kid, Masker, MemoryVault, Policy, Recognizer, RecognizerError, RecognizerHit, Reference,
    Scheme, Token, find_markers,
};
use proptest::prelude::*;
use serde::Serialize;

use self::common::{kid, masker, policy, with_vault};

/// Values that stand in no message of the library by chance.
const TEXT: &str = "This is Zebediah Quixworth at (415) 555-0187, born March 14 1982, MRN 90817263, \
                    zeb.quixworth@example.com, social 219-09-9999, card 4111 1111 1111 1111, password: Zxcv99qq, \
                    from 192.0.2.177, https://example.com/zq/7";
const SECRETS: &[&str] = &[
    "zebediah",
    "quixworth",
    "555-0187",
    "5550187",
    "march 14",
    "90817263",
    "219-09-9999",
    "219099999",
    "4111",
    "zxcv99qq",
    "192.0.2.177",
    "example.com",
];

/// Everything the library said, looked through for what must not be in it.
#[derive(Default)]
struct Said(String);

impl Said {
    fn debug(&mut self, what: &impl Debug) {
        let _ = writeln!(self.0, "{what:?}\n{what:#?}");
    }

    fn display(&mut self, what: &impl Display) {
        let _ = writeln!(self.0, "{what}");
    }

    fn json(&mut self, what: &impl Serialize) {
        self.0.push_str(&serde_json::to_string(what).unwrap());
        self.0.push('\n');
    }

    fn error(&mut self, error: &(dyn std::error::Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            let _ = writeln!(self.0, "{error}\n{error:?}\n{error:#?}");
            next = error.source();
        }
    }

    /// The secret, or the body of a token, that was said.
    fn leak(&self, tokens: &[Token]) -> Option<String> {
        let said = self.0.to_lowercase();
        let secrets = SECRETS.iter().map(|secret| (*secret).to_owned());
        let bodies = tokens.iter().map(|token| body(token).to_lowercase());
        secrets.chain(bodies).find(|secret| said.contains(secret))
    }
}

fn body(token: &Token) -> &str {
    token.text().rsplit('.').next().unwrap()
}

fn tokens(text: &str) -> Vec<Token> {
    find_markers(text).iter().filter_map(|found| text[found.span.range()].parse().ok()).collect()
}

struct Failing(&'static str);

impl Recognizer for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        if self.0 == "span" {
            let kind = masker_core::Kind::Name;
            return Ok(vec![RecognizerHit { kind, start: 1, end: text.len() + 1, confidence: 0.9 }]);
        }
        Err(RecognizerError::new("out of order"))
    }
}

#[test]
fn the_marker_text_is_found_and_replaced() {
    let masked = masker(policy(Scheme::VaultDeterministic)).mask(TEXT).unwrap();
    let lower = masked.text.to_lowercase();
    let left: Vec<_> = SECRETS.iter().filter(|secret| lower.contains(**secret)).collect();
    assert!(left.is_empty(), "{left:?} in {}", masked.text);
}

#[test]
fn promise_8_no_phi_in_results() {
    for scheme in [Scheme::VaultDeterministic, Scheme::ReversibleAead, Scheme::Synthetic] {
        let vault = Arc::new(MemoryVault::new());
        let masker = with_vault(policy(scheme), vault.clone(), "sess_1");
        let mut said = Said::default();
        let masked = masker.mask(TEXT).unwrap();
        for event in &masked.events {
            said.debug(event);
            said.debug(&event.kind);
            said.display(&event.kind);
            said.json(&event.kind);
            said.json(&event.pass);
            said.json(&event.action);
            said.json(&event.token_kind);
            said.debug(&event.kid);
        }
        said.debug(&masked);
        said.debug(&masker.detect(TEXT).unwrap());
        said.debug(&masker.explain(TEXT).unwrap());
        said.debug(&masker);
        said.debug(&*vault);
        said.debug(&vault.stats().unwrap());
        said.debug(&vault.page(None, 100).unwrap());
        said.debug(&vault.page(None, 100).unwrap().iter().map(|row| row.key.clone()).collect::<Vec<_>>());
        let tokens = tokens(&masked.text);
        assert_eq!(tokens.is_empty(), scheme == Scheme::Synthetic);
        said.debug(&tokens);
        said.debug(&find_markers(&masked.text));
        assert_eq!(said.leak(&tokens), None, "{scheme:?}");
    }
}

#[test]
fn promise_8_no_phi_in_the_context_of_a_conversation() {
    let mut context = Context::default();
    let set = DetectorSet::all_kinds();
    let mut said = Said::default();
    said.debug(&set.explain(TEXT, &[], &mut context).unwrap());
    said.debug(&context);
    assert_eq!(said.leak(&[]), None);
}

#[test]
fn promise_8_no_phi_in_errors() {
    let mut said = Said::default();
    for failing in ["span", "error"] {
        let masker = Masker::builder().recognizer(Arc::new(Failing(failing))).build().unwrap();
        said.error(&masker.mask(TEXT).unwrap_err());
        said.error(&masker.detect(TEXT).unwrap_err());
        said.error(&masker.explain(TEXT).unwrap_err());
    }
    let source = Policy::preset_source("healthcare-default").unwrap();
    let blocking = masker(Policy::from_yaml(&source.replace("action: tokenize", "action: block")).unwrap());
    said.error(&blocking.mask(TEXT).unwrap_err());
    let full = with_vault(policy(Scheme::VaultDeterministic), Arc::new(MemoryVault::with_limit(1)), "");
    let error = full.mask(TEXT).unwrap_err();
    assert_eq!(error.code(), "vault_full");
    said.error(&error);

    // Text where a configuration should be.
    for text in [TEXT.to_owned(), format!("name: {TEXT}"), format!("name: a\nkid: \"{TEXT}\"")] {
        let Err(errors) = Policy::from_yaml(&text) else { continue };
        said.error(&Error::from(errors));
    }
    said.error(&TEXT.parse::<Kid>().unwrap_err());
    said.error(&format!("{TEXT}\n").parse::<masker_core::Scope>().unwrap_err());
    said.error(&TEXT.parse::<Token>().unwrap_err());
    said.error(&KeyRing::builder().key_base64(&kid(), TEXT).build().unwrap_err());
    let vars = [("MASKER_KEY_K1".to_owned(), TEXT.to_owned())];
    said.error(&KeyRing::from_vars(vars).unwrap_err());
    assert_eq!(said.leak(&[]), None, "{}", said.0);
}

#[test]
fn promise_8_keys_and_references_print_nothing() {
    let mut said = Said::default();
    let key: [u8; 32] = *b"Zebediah-Quixworth-zxcv99qq-keys";
    let ring = KeyRing::builder().key(&kid(), key).old_key(&kid(), [7; 32]).build().unwrap();
    said.debug(&ring);
    said.debug(&ring.pseudonym(&kid(), "zebediah").unwrap().len());
    said.debug(&Reference::new("agent", "zebediah quixworth"));
    said.debug(&Selection::Expired(7));
    assert_eq!(said.leak(&[]), None, "{}", said.0);
    let numbers: Vec<String> = key.iter().map(u8::to_string).collect();
    assert!(!said.0.contains(&numbers[..4].join(", ")), "the key is printed as numbers");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_8_no_phi_in_by_products(name in "[a-z]{4}quix[a-z]{2}", number in "[2-9]0[2-9]5550[0-9]{3}") {
        let text = format!("my email is {name}@example.com and my phone number is {number}");
        let masker = masker(policy(Scheme::VaultDeterministic));
        let masked = masker.mask(&text).unwrap();
        prop_assert_eq!(masked.redaction_count(), 2);
        let mut said = Said::default();
        said.debug(&masked);
        said.debug(&masker.explain(&text).unwrap());
        said.debug(&masker);
        prop_assert!(!said.0.contains(&name) && !said.0.contains(&number), "{}", said.0);
        for token in tokens(&masked.text) {
            prop_assert!(!said.0.contains(body(&token)), "{}", said.0);
        }
    }
}
