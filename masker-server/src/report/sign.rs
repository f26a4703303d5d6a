//! Signatures of reports: Ed25519 over RFC 8785.

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::members;
use crate::config::Secret;
use crate::crypto::{hex, sha256};

/// Signs reports.
pub(crate) struct Signer(SigningKey);

impl Signer {
    pub(crate) fn new(seed: &Secret) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// The name of the key: `rk_` and the first 8 digits of SHA-256 over the public key.
    pub(crate) fn key_id(&self) -> String {
        format!("rk_{}", hex(&sha256(self.0.verifying_key().as_bytes())[..4]))
    }

    pub(crate) fn public_key(&self) -> String {
        BASE64.encode(self.0.verifying_key().as_bytes())
    }

    /// The member `signature` of a report, over the report without it.
    pub(crate) fn sign(&self, report: &Value) -> Value {
        let mut members = members(report);
        members.remove("signature");
        let text = canonical(&Value::Object(members));
        let signature = self.0.sign(text.as_bytes());
        json!({ "alg": "Ed25519", "key_id": self.key_id(), "sig": BASE64.encode(&signature.to_bytes()) })
    }
}

/// RFC 8785: keys in the order of their UTF-16 units, no spaces. The numbers of a report are whole, or have one decimal, which
/// both forms write alike.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<(Vec<u16>, &String, &Value)> =
                members.iter().map(|(name, value)| (name.encode_utf16().collect(), name, value)).collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            let inner: Vec<String> = sorted
                .iter()
                .map(|(_, name, value)| format!("{}:{}", Value::String((*name).clone()), canonical(value)))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Array(items) => {
            let inner: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", inner.join(","))
        }
        // A float without a fraction is written as a whole number.
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_canonical() {
        let value =
            json!({ "b": [1, 2.5, 50.0, null, true], "a": "x\n\u{1f}\"é", "\u{10000}": 1, "\u{fb33}": 2 });
        let expected =
            "{\"a\":\"x\\n\\u001f\\\"é\",\"b\":[1,2.5,50,null,true],\"\u{10000}\":1,\"\u{fb33}\":2}";
        assert_eq!(canonical(&value), expected);
    }

    #[test]
    fn a_changed_report_does_not_verify() {
        let signer = Signer::new(&Secret::from_bytes([7; 32]));
        let report = json!({ "id": "rep_1", "summary": { "coverage_percent": 52.9 }, "signature": null });
        let signature = signer.sign(&report);
        assert_eq!(signature["key_id"], signer.key_id());
        let bytes: [u8; 64] =
            BASE64.decode(signature["sig"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&bytes);
        let text = canonical(&json!({ "id": "rep_1", "summary": { "coverage_percent": 52.9 } }));
        let key = signer.0.verifying_key();
        assert!(key.verify_strict(text.as_bytes(), &signature).is_ok());
        assert!(key.verify_strict(text.replace("52.9", "53.9").as_bytes(), &signature).is_err());
    }
}
