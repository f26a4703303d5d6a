//! The primitives against what is published of them: RFC 8452, Wycheproof, and the BLAKE3 vectors.

use std::fs;
use std::path::Path;

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SivCases {
    case: Vec<SivCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SivCase {
    section: String,
    key: String,
    nonce: String,
    associated: String,
    text: String,
    result: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashCases {
    key: String,
    context: String,
    case: Vec<HashCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashCase {
    length: usize,
    hash: String,
    keyed_hash: String,
    derive_key: String,
}

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors").join(name);
    let text = fs::read_to_string(path).expect("the vectors are in the repository");
    toml::from_str(&text).expect("the vectors have their form")
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).expect("the vectors are hexadecimal")
}

fn cipher(key: &[u8]) -> Aes256GcmSiv {
    Aes256GcmSiv::new_from_slice(key).expect("the keys have 32 bytes")
}

fn nonce(bytes: &[u8]) -> Nonce {
    Nonce::from(<[u8; 12]>::try_from(bytes).expect("the nonces have 12 bytes"))
}

#[test]
fn rfc_8452() {
    let cases: SivCases = fixture("rfc8452.toml");
    assert_eq!(cases.case.iter().filter(|case| case.section == "C.2").count(), 24);
    assert_eq!(cases.case.iter().filter(|case| case.section == "C.3").count(), 2);
    for case in cases.case {
        let cipher = cipher(&bytes(&case.key));
        let nonce = nonce(&bytes(&case.nonce));
        let (text, aad, result) = (bytes(&case.text), bytes(&case.associated), bytes(&case.result));
        assert_eq!(cipher.encrypt(&nonce, Payload { msg: &text, aad: &aad }).unwrap(), result);
        assert_eq!(cipher.decrypt(&nonce, Payload { msg: &result, aad: &aad }).unwrap(), text);
        for at in 0..result.len() {
            let mut bad = result.clone();
            bad[at] ^= 1;
            assert!(cipher.decrypt(&nonce, Payload { msg: &bad, aad: &aad }).is_err());
        }
    }
}

#[test]
fn wycheproof() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcmSiv).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let cipher = cipher(&test.key);
            let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
            let is_valid = test.result == wycheproof::TestResult::Valid;
            let Ok(nonce) = <[u8; 12]>::try_from(test.nonce.as_slice()) else {
                assert!(!is_valid, "case {}: no nonce of another length is valid", test.tc_id);
                invalid += 1;
                continue;
            };
            let nonce = Nonce::from(nonce);
            let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &test.aad });
            if is_valid {
                assert_eq!(opened.as_deref(), Ok(test.pt.as_slice()), "case {}", test.tc_id);
                let payload = Payload { msg: &test.pt, aad: &test.aad };
                assert_eq!(cipher.encrypt(&nonce, payload).unwrap(), sealed, "case {}", test.tc_id);
                valid += 1;
            } else {
                assert!(opened.is_err(), "case {}", test.tc_id);
                invalid += 1;
            }
        }
    }
    assert!(valid >= 40 && invalid >= 20, "{valid} valid and {invalid} invalid cases");
}

#[test]
fn blake3_modes() {
    let cases: HashCases = fixture("blake3.toml");
    let key: [u8; 32] = cases.key.as_bytes().try_into().unwrap();
    assert!(cases.case.len() >= 10);
    for case in cases.case {
        let input: Vec<u8> = (0..251).cycle().take(case.length).collect();
        assert_eq!(blake3::hash(&input).to_hex().as_str(), case.hash, "length {}", case.length);
        assert_eq!(blake3::keyed_hash(&key, &input).to_hex().as_str(), case.keyed_hash);
        assert_eq!(HEXLOWER.encode(&blake3::derive_key(&cases.context, &input)), case.derive_key);
    }
}
