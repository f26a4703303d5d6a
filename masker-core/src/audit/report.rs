//! Signs reports over an audit log, and checks what was signed.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::chain::parse_hash;
use super::error::AuditError;
use super::json;
use super::merkle::Hash;

const KEY_VARIABLE: &str = "MASKER_REPORT_SIGNING_KEY";
const SCHEMA: &str = "masker-audit/v1";
const ALGORITHM: &str = "Ed25519";
const SIGNATURE: &str = "signature";

/// The key that signs reports: Ed25519, RFC 8032. It is wiped on drop, and `Debug` prints its id alone.
///
/// ```
/// use masker_core::audit::{Layout, ReportSigner, verify_report};
///
/// let signer = ReportSigner::new([7; 32]);
/// let mut report = serde_json::json!({
///     "schema": "masker-audit/v1", "id": "rep_1", "scope": "session", "session_id": "sess_1",
///     "audit": { "event_count": 0, "start_hash": null, "audit_root_hash": null, "merkle_root_hex": null, "verified": true },
///     "audit_root_hash": null, "merkle_root_hex": null,
/// });
/// let members = report.as_object_mut().expect("the report is an object");
/// signer.sign(members)?;
///
/// let text = report.to_string();
/// let keys = [signer.public()];
/// assert_eq!(verify_report(&text, &keys, Layout::AsIssued)?.id, "rep_1");
/// assert!(verify_report(&text.replace("rep_1", "rep_2"), &keys, Layout::AsIssued).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReportSigner {
    key: SigningKey,
}

impl ReportSigner {
    /// Takes the seed of the key.
    pub fn new(mut seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        seed.zeroize();
        Self { key }
    }

    /// Reads the value of `MASKER_REPORT_SIGNING_KEY`: a seed, base64 of 32 bytes.
    ///
    /// # Errors
    ///
    /// [`AuditError::Key`], which names the variable and never its value.
    pub fn from_base64(text: &str) -> Result<Self, AuditError> {
        let invalid = || AuditError::Key { variable: KEY_VARIABLE };
        let bytes = Zeroizing::new(BASE64.decode(text.trim().as_bytes()).map_err(|_| invalid())?);
        Ok(Self::new(bytes.as_slice().try_into().map_err(|_| invalid())?))
    }

    /// The key that checks what this one signs.
    pub fn public(&self) -> ReportKey {
        ReportKey { key: self.key.verifying_key() }
    }

    /// Sets the member `signature` of a report, over its canonical form (RFC 8785) without that member.
    ///
    /// # Errors
    ///
    /// [`AuditError::Event`] where the report has a number without a canonical form.
    pub fn sign(&self, report: &mut Map<String, Value>) -> Result<(), AuditError> {
        report.remove(SIGNATURE);
        // What would not read back as it was signed is refused here rather than found by its reader.
        let text = Value::Object(std::mem::take(report)).to_string();
        *report = json::parse(&text).ok_or(AuditError::Event)?;
        let signature = self.key.sign(json::canonical(json::members(report)).as_bytes());
        let signature = serde_json::json!({
            "alg": ALGORITHM,
            "key_id": self.public().id(),
            "sig": BASE64.encode(&signature.to_bytes()),
        });
        report.insert(SIGNATURE.to_owned(), signature);
        Ok(())
    }
}

impl fmt::Debug for ReportSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReportSigner").field(&self.public().id()).finish()
    }
}

/// The public key of a [`ReportSigner`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReportKey {
    key: VerifyingKey,
}

impl ReportKey {
    /// Reads a public key: base64 of its 32 bytes.
    ///
    /// # Errors
    ///
    /// [`ReportError::PublicKey`].
    pub fn from_base64(text: &str) -> Result<Self, ReportError> {
        let bytes = BASE64.decode(text.trim().as_bytes()).map_err(|_| ReportError::PublicKey)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| ReportError::PublicKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| ReportError::PublicKey)?;
        // A weak key would let a signature hold for reports that nobody signed.
        if key.is_weak() { Err(ReportError::PublicKey) } else { Ok(Self { key }) }
    }

    /// The key as base64.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.key.as_bytes())
    }

    /// The name by which reports refer to it: `rk_` and the first 8 hexadecimal digits of SHA-256 over the key.
    pub fn id(&self) -> String {
        format!("rk_{}", HEXLOWER.encode(&Sha256::digest(self.key.as_bytes())[..4]))
    }
}

/// How much of a report's text must be as it was issued. A signature covers what the JSON means, not its spaces.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Layout {
    /// Every byte: JSON on one line, or indented by two spaces, as masker writes it.
    #[default]
    AsIssued,
    /// Another program may have written the JSON anew.
    Any,
}

/// What a report that holds is about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignedReport {
    /// The id of the report.
    pub id: String,
    /// `session`, `agent` or `account`.
    pub scope: String,
    /// The session, where it is about one.
    pub session_id: Option<String>,
    /// The id of the key that signed it.
    pub key_id: String,
    /// Events in scope.
    pub event_count: u64,
    /// What the first of them follows; `None` where there is none, as in the two members below.
    pub start_hash: Option<Hash>,
    /// The hash of the last of them.
    pub audit_root_hash: Option<Hash>,
    /// The root of the tree over them.
    pub merkle_root: Option<Hash>,
}

/// A report does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The text is not a report.
    #[error("not a report: a JSON object with schema masker-audit/v1 is needed, every key given once")]
    BadJson,
    /// The layout is another than masker writes.
    #[error("the report is not byte for byte as it was issued")]
    Layout,
    /// The text is no public key.
    #[error("not a public key: base64 of the 32 bytes of an Ed25519 key is needed")]
    PublicKey,
    /// The hashes of the audit log contradict one another, or the report was made over a broken chain.
    #[error("the report's hashes of the audit log contradict one another")]
    Roots,
    /// The signature does not hold: the report was changed, or signed by another key of that name.
    #[error("the signature does not hold: the report was changed after it was signed")]
    Signature,
    /// Another key signed it.
    #[error("the report is signed by a key that is not at hand")]
    UnknownKey,
    /// It has no signature.
    #[error("the report is not signed")]
    Unsigned,
}

impl ReportError {
    /// A stable name in snake case, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::Layout => "report_reformatted",
            Self::PublicKey => "invalid_public_key",
            Self::Roots => "root_mismatch",
            Self::Signature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::Unsigned => "report_unsigned",
        }
    }
}

/// Checks a report, alone or as the one member `report` of an object, as the server answers it: its form, its signature by one
/// of `keys`, and that its hashes of the audit log agree. Whether the log itself has them is for
/// [`verify`](super::verify) to say.
///
/// # Errors
///
/// See [`ReportError`].
pub fn verify_report(text: &str, keys: &[ReportKey], layout: Layout) -> Result<SignedReport, ReportError> {
    let mut document = json::parse(text).ok_or(ReportError::BadJson)?;
    if layout == Layout::AsIssued && !is_as_issued(text, &document) {
        return Err(ReportError::Layout);
    }
    if document.len() == 1
        && let Some(Value::Object(inner)) = document.remove("report")
    {
        document = inner;
    }
    if document.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return Err(ReportError::BadJson);
    }
    let key_id = check_signature(&document, keys)?;
    claims(&document, key_id).ok_or(ReportError::Roots)
}

fn is_as_issued(text: &str, document: &Map<String, Value>) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let same = |written: serde_json::Result<String>| written.is_ok_and(|written| written == text);
    same(serde_json::to_string(document)) || same(serde_json::to_string_pretty(document))
}

fn check_signature(report: &Map<String, Value>, keys: &[ReportKey]) -> Result<String, ReportError> {
    let signature = match report.get(SIGNATURE) {
        None | Some(Value::Null) => return Err(ReportError::Unsigned),
        // Its own members are the only ones that it does not cover.
        Some(Value::Object(signature)) if signature.len() == 3 => signature,
        Some(_) => return Err(ReportError::Signature),
    };
    let text = |name| signature.get(name).and_then(Value::as_str).ok_or(ReportError::Signature);
    if text("alg")? != ALGORITHM {
        return Err(ReportError::Signature);
    }
    let key_id = text("key_id")?;
    let bytes = BASE64.decode(text("sig")?.as_bytes()).map_err(|_| ReportError::Signature)?;
    let bytes = Signature::from_slice(&bytes).map_err(|_| ReportError::Signature)?;
    let key = keys.iter().find(|key| key.id() == key_id).ok_or(ReportError::UnknownKey)?;
    let signed = json::canonical(json::members(report).filter(|(name, _)| *name != SIGNATURE));
    key.key.verify_strict(signed.as_bytes(), &bytes).map_err(|_| ReportError::Signature)?;
    Ok(key_id.to_owned())
}

/// What the report says of the audit log, where it says it in one voice.
fn claims(report: &Map<String, Value>, key_id: String) -> Option<SignedReport> {
    let text = |name| report.get(name).and_then(Value::as_str).map(str::to_owned);
    let audit = report.get("audit")?.as_object()?;
    let hash = |value: Option<&Value>| match value? {
        Value::Null => Some(None),
        Value::String(text) => parse_hash(text).map(Some),
        _ => None,
    };
    let inner = |name| hash(audit.get(name));
    let root = inner("audit_root_hash")?;
    let merkle = inner("merkle_root_hex")?;
    let start = inner("start_hash")?;
    let event_count = audit.get("event_count")?.as_u64()?;
    let agrees = hash(report.get("audit_root_hash"))? == root
        && hash(report.get("merkle_root_hex"))? == merkle
        && [root, merkle, start].iter().all(|hash| hash.is_some() == (event_count > 0))
        && audit.get("verified")? == true;
    agrees.then_some(SignedReport {
        id: text("id")?,
        scope: text("scope")?,
        session_id: text("session_id"),
        key_id,
        event_count,
        start_hash: start,
        audit_root_hash: root,
        merkle_root: merkle,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        let hash = "3e3f154a14ea755eda3db6d40b35d949f1eb363b00bdd58a4f98c1aaaa531d9f";
        let root = "c03079b500dcc25381ef306b170c355eb6be7c7d45e66bf21ecfe378564653e4";
        json!({
            "schema": SCHEMA,
            "id": "rep_01JZ8QC4T5V6W7X8Y9Z0A1B2C3",
            "scope": "session",
            "session_id": "sess_01JZ8Q7ABCDEFGHJKMNPQRSTVW",
            "summary": { "sessions": 1, "coverage_percent": 52.9 },
            "leaks": [],
            "retention": { "payloads_stored": false },
            "policy_snapshot": "name: healthcare-default\n# \u{e4}\u{1f600}\n",
            "audit": {
                "event_count": 3, "start_hash": "0".repeat(64), "audit_root_hash": hash, "merkle_root_hex": root,
                "verified": true,
            },
            "audit_root_hash": hash,
            "merkle_root_hex": root,
        })
    }

    fn signer() -> ReportSigner {
        ReportSigner::new(std::array::from_fn(|i| i as u8))
    }

    fn signed(mut report: Value) -> Value {
        signer().sign(report.as_object_mut().unwrap()).unwrap();
        report
    }

    fn check(text: &str) -> Result<SignedReport, ReportError> {
        verify_report(text, &[signer().public()], Layout::AsIssued)
    }

    // RFC 8032, section 7.1, test 1: the signature is the one the format names.
    #[test]
    fn rfc_8032_empty_message() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
                         d25bf5f0595bbe24655141438e7a100b";
        let signer = ReportSigner::new(HEXLOWER.decode(seed.as_bytes()).unwrap().try_into().unwrap());
        assert_eq!(HEXLOWER.encode(signer.public().key.as_bytes()), public);
        assert_eq!(HEXLOWER.encode(&signer.key.sign(b"").to_bytes()), signature);
    }

    #[test]
    fn a_signed_report_holds_in_both_layouts_alone_or_in_its_envelope() {
        let report = signed(report());
        let found = check(&report.to_string()).unwrap();
        assert_eq!((found.scope.as_str(), found.event_count), ("session", 3));
        assert_eq!(found.key_id, signer().public().id());
        assert!(found.key_id.starts_with("rk_") && found.key_id.len() == 11);
        let envelope = json!({ "report": report });
        for text in [
            serde_json::to_string_pretty(&report).unwrap(),
            envelope.to_string() + "\n",
            serde_json::to_string_pretty(&envelope).unwrap(),
        ] {
            assert_eq!(check(&text).unwrap(), found);
        }
        let key = ReportKey::from_base64(&signer().public().to_base64()).unwrap();
        assert_eq!(verify_report(&report.to_string(), &[key], Layout::AsIssued).unwrap(), found);
    }

    #[test]
    fn a_report_that_is_changed_in_any_byte_fails() {
        for text in [
            json!({ "report": signed(report()) }).to_string(),
            serde_json::to_string_pretty(&signed(report())).unwrap(),
        ] {
            for at in 0..text.len() {
                for bit in 0..8 {
                    let mut bad = text.clone().into_bytes();
                    bad[at] ^= 1 << bit;
                    if let Ok(bad) = String::from_utf8(bad) {
                        assert!(check(&bad).is_err(), "bit {bit} of byte {at}");
                    }
                }
                for other in
                    [b' ', b'\t', b'\n', b'0', b'"'].into_iter().filter(|b| *b != text.as_bytes()[at])
                {
                    let mut bad = text.clone().into_bytes();
                    bad[at] = other;
                    if let Ok(bad) = String::from_utf8(bad) {
                        assert!(check(&bad).is_err(), "byte {at} replaced by {other}");
                    }
                }
                if text.is_char_boundary(at) {
                    assert!(check(&text[..at]).is_err(), "cut to {at}");
                    let longer = format!("{} {}", &text[..at], &text[at..]);
                    assert!(check(&longer).is_err(), "a space before byte {at}");
                }
            }
            assert!(check(&(text.clone() + " ")).is_err() && check(&(text + "\n\n")).is_err());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = signed(report()).to_string();
        assert_eq!(check("[]"), Err(ReportError::BadJson));
        assert_eq!(check("{}"), Err(ReportError::BadJson));
        assert_eq!(check(&report().to_string()), Err(ReportError::Unsigned));
        assert_eq!(check(&text.replace("52.9", "53.9")), Err(ReportError::Signature));
        assert_eq!(check(&text.replace("52.9", "52.90")), Err(ReportError::Layout));
        assert_eq!(check(&text.replace("Ed25519", "Ed25518")), Err(ReportError::Signature));
        assert_eq!(
            check(&text.replace("\"leaks\":[]", "\"leaks\":[],\"leaks\":[]")),
            Err(ReportError::BadJson)
        );
        let more = text.replace("\"alg\"", "\"more\":1,\"alg\"");
        assert_eq!(check(&more), Err(ReportError::Signature), "nothing unsigned rides along");
        let beside = format!("{{\"report\":{text},\"more\":1}}");
        assert_eq!(check(&beside), Err(ReportError::BadJson));
        let stranger = ReportSigner::new([9; 32]).public();
        assert_eq!(verify_report(&text, &[stranger], Layout::Any), Err(ReportError::UnknownKey));
        let spaced = text.replace(',', ", ");
        assert_eq!(check(&spaced), Err(ReportError::Layout));
        assert!(verify_report(&spaced, &[signer().public()], Layout::Any).is_ok());

        for (pointer, value) in [
            ("/audit_root_hash", json!("0".repeat(64))),
            ("/merkle_root_hex", json!(null)),
            ("/audit/event_count", json!(0)),
            ("/audit/start_hash", json!("0000")),
            ("/audit/verified", json!(false)),
        ] {
            let mut bad = report();
            *bad.pointer_mut(pointer).unwrap() = value;
            assert_eq!(check(&signed(bad).to_string()), Err(ReportError::Roots), "{pointer}");
        }
    }

    #[test]
    fn keys_are_read_strictly_and_never_shown() {
        for bad in ["", "c2hvcnQ=", "not base64", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
            assert_eq!(ReportKey::from_base64(bad), Err(ReportError::PublicKey), "{bad}");
        }
        let error = ReportSigner::from_base64("c2hvcnQ=").unwrap_err();
        assert_eq!(error.to_string(), "MASKER_REPORT_SIGNING_KEY is not base64 of exactly 32 bytes");
        let signer = ReportSigner::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        assert_eq!(format!("{signer:?}"), format!("ReportSigner(\"{}\")", signer.public().id()));
        let mut odd = json!({ "n": u64::MAX });
        assert!(matches!(signer.sign(odd.as_object_mut().unwrap()), Err(AuditError::Event)));
    }
}
