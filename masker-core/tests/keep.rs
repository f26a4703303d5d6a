//! Policies that leave a part of a value in clear.

use masker_core::{KeyRing, Kid, Masker, Policy, TokenKind};

const TEXT: &str = "DOB 03/14/1982, card number 4111 1111 1111 1111, zip 94110, mail ada.reed@example.com, \
                    she lives at 12 Elm Street, Springfield, IL 62701. Seen 2021-07-04, born 1982-03-14. Zip 03601.";

fn policy(action: &str, scheme: &str) -> Policy {
    Policy::from_yaml(&format!(
        "name: kept
tokenization: {scheme}
kid: K1
version: 1
passes: [regex, dictionary, spoken]
entities:
  DOB: {{ regex: true, dictionary: true, spoken: true, action: {action}, keep: year }}
  DATE: {{ regex: true, dictionary: true, spoken: true, action: {action}, keep: year }}
  CREDIT_CARD: {{ regex: true, dictionary: true, spoken: true, action: {action}, keep: last4 }}
  ZIP: {{ regex: true, dictionary: true, spoken: true, action: {action}, keep: zip3 }}
  EMAIL: {{ regex: true, dictionary: true, spoken: true, action: {action}, keep: domain }}
  ADDRESS: {{ regex: true, dictionary: true, spoken: true, action: {action}, keep: state }}
  URL: {{ regex: true, dictionary: true, spoken: true, action: {action} }}
  ACCOUNT: {{ regex: true, dictionary: true, spoken: true, action: {action} }}
  ID: {{ regex: true, dictionary: true, spoken: true, action: {action} }}
"
    ))
    .expect("the policy is valid")
}

fn masker(action: &str, scheme: &str) -> Masker {
    let kid: Kid = "K1".parse().expect("a key id");
    let keys = KeyRing::builder().key(&kid, [3; 32]).build().expect("sound keys");
    Masker::builder().policy(policy(action, scheme)).keys(keys).build().expect("a masker")
}

#[test]
fn kept_parts_stay_and_the_rest_comes_back_exactly() {
    for scheme in ["vault-deterministic", "reversible-aead"] {
        let masker = masker("tokenize", scheme);
        let masked = masker.mask(TEXT).unwrap();
        for kept in ["/1982", " 1111,", "zip 941M", "@example.com", "2021-M", "1982-M"] {
            assert!(masked.text.contains(kept), "{kept} is not in {}", masked.text);
        }
        for hidden in ["03/14", "4111", "94110", "ada", "Elm", "Springfield", "07-04", "036", "62701"] {
            assert!(!masked.text.contains(hidden), "{hidden} is in {}", masked.text);
        }
        let restored = masker.rehydrate(&masked.text).unwrap();
        assert_eq!(restored.text, TEXT);
        assert_eq!(restored.unknown + restored.foreign, 0);
        let again = masker.mask(&masked.text).unwrap();
        assert_eq!(again.text, masked.text, "masking again changes nothing");
        assert!(again.events.is_empty(), "{:?}", again.events);
        for event in &masked.events {
            assert!(event.token_kind.is_some() && event.kid.is_some());
            assert!(event.span.end <= TEXT.len() && event.span.start < event.span.end);
        }
    }
}

#[test]
fn redaction_keeps_as_well_and_small_areas_become_000() {
    let masker = masker("redact", "vault-deterministic");
    let masked = masker.mask(TEXT).unwrap();
    for kept in [
        "DOB [REDACTED:DOB]/1982,",
        "[REDACTED:CREDIT_CARD] 1111,",
        "zip 941[REDACTED:ZIP],",
        "mail [REDACTED:EMAIL]@example.com,",
        "Zip 000[REDACTED:ZIP].",
    ] {
        assert!(masked.text.contains(kept), "{kept} is not in {}", masked.text);
    }
    assert!(masked.events.iter().all(|event| event.token_kind == Some(TokenKind::Redacted)));
    assert_eq!(masker.mask(&masked.text).unwrap().text, masked.text, "masking again changes nothing");
}

#[test]
fn parts_of_different_values_share_no_token() {
    let masker = masker("tokenize", "vault-deterministic");
    let masked = masker.mask("zip 94110, zip 10010, zip 94110").unwrap().text;
    let tokens: Vec<&str> = masked.split(", ").map(|part| &part[7..]).collect();
    assert_eq!(tokens[0], tokens[2]);
    assert_ne!(tokens[0], tokens[1], "equal ends of different values do not show");
}

#[test]
fn ages_become_ninety_and_more() {
    let policy = |action| {
        let yaml = format!(
            "name: ages\ntokenization: vault-deterministic\nkid: K1\nversion: 1\npasses: [regex, spoken]\nentities:\n  \
             AGE_OVER_89: {{ action: {action}, keep: over_89 }}\n"
        );
        let keys = KeyRing::builder().key(&"K1".parse::<Kid>().unwrap(), [3; 32]).build().unwrap();
        Masker::builder().policy(Policy::from_yaml(&yaml).unwrap()).keys(keys).build().unwrap()
    };
    let redacting = policy("redact");
    let text = "she is 93 years old, he is ninety four years old";
    let masked = redacting.mask(text).unwrap().text;
    let expected = "she is 90+[REDACTED:AGE_OVER_89] years old, he is 90+[REDACTED:AGE_OVER_89] years old";
    assert_eq!(masked, expected);
    assert_eq!(redacting.mask(&masked).unwrap().text, masked);
    let tokenizing = policy("tokenize");
    let masked = tokenizing.mask(text).unwrap().text;
    assert!(!masked.contains("93") && !masked.contains("90+"));
    assert_eq!(tokenizing.rehydrate(&masked).unwrap().text, text);
    let misplaced = "name: a\ntokenization: synthetic\nkid: K1\nversion: 1\npasses: [regex]\nentities:\n  DOB: { keep: over_89 }\n";
    assert!(Policy::from_yaml(misplaced).is_err());
}
