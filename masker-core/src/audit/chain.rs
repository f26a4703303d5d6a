//! The keys of the chain and the hash that links its events.

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::AuditError;
use super::json;
use super::merkle::Hash;
use crate::secret::KeyBytes;

const HEAD_CONTEXT: &str = "masker 2026 audit head v1";
const KEY_VARIABLE: &str = "MASKER_AUDIT_HMAC_KEY";
const OLD_VARIABLE: &str = "MASKER_AUDIT_HMAC_KEY_OLD";

/// The keys of an audit log: one that writes, and any number of old ones that verify what they wrote.
///
/// Cloning shares them; `Debug` prints how many there are.
#[derive(Clone)]
pub struct AuditKeys {
    /// The writing key first.
    keys: Vec<Arc<AuditKey>>,
}

pub(super) struct AuditKey {
    key: KeyBytes,
    /// The first 8 hexadecimal digits of SHA-256 over the key, by which events name it.
    pub(super) id: String,
}

impl AuditKeys {
    /// Takes the writing key.
    pub fn new(mut key: [u8; 32]) -> Self {
        Self { keys: vec![Arc::new(AuditKey::new(&mut key))] }
    }

    /// Adds a key from before a rotation.
    pub fn old(mut self, mut key: [u8; 32]) -> Self {
        self.keys.push(Arc::new(AuditKey::new(&mut key)));
        self
    }

    /// Reads the values of `MASKER_AUDIT_HMAC_KEY`, base64 of 32 bytes, and of `MASKER_AUDIT_HMAC_KEY_OLD`, a
    /// comma-separated list of such.
    ///
    /// ```
    /// use masker_core::audit::AuditKeys;
    ///
    /// let keys = AuditKeys::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "")?;
    /// assert_eq!(format!("{keys:?}"), "AuditKeys(1)");
    /// assert!(AuditKeys::from_base64("c2hvcnQ=", "").is_err());
    /// # Ok::<(), masker_core::audit::AuditError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AuditError::Key`], which names the variable and never its value.
    pub fn from_base64(key: &str, old: &str) -> Result<Self, AuditError> {
        let mut keys = Self { keys: vec![Arc::new(AuditKey::decode(key, KEY_VARIABLE)?)] };
        for part in old.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            keys.keys.push(Arc::new(AuditKey::decode(part, OLD_VARIABLE)?));
        }
        Ok(keys)
    }

    pub(super) fn writing(&self) -> &AuditKey {
        &self.keys[0]
    }

    pub(super) fn all(&self) -> &[Arc<AuditKey>] {
        &self.keys
    }
}

impl fmt::Debug for AuditKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKeys({})", self.keys.len())
    }
}

impl AuditKey {
    fn new(key: &mut [u8; 32]) -> Self {
        let id = HEXLOWER.encode(&Sha256::digest(*key)[..4]);
        Self { key: KeyBytes::new(key), id }
    }

    fn decode(text: &str, variable: &'static str) -> Result<Self, AuditError> {
        let invalid = || AuditError::Key { variable };
        let bytes = Zeroizing::new(BASE64.decode(text.trim().as_bytes()).map_err(|_| invalid())?);
        let mut key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| invalid())?;
        Ok(Self::new(&mut key))
    }

    /// `HMAC-SHA256(key, ascii(hex(prev)) ‖ canonical event)`, the event without its two hashes.
    pub(super) fn link<'a>(&self, prev: &Hash, event: impl Iterator<Item = (&'a str, &'a Value)>) -> Hash {
        let canonical =
            json::canonical(event.filter(|(name, _)| !matches!(*name, "prev_hash" | "this_hash")));
        self.mac([HEXLOWER.encode(prev).as_bytes(), canonical.as_bytes()])
    }

    /// Authenticates a head under a key of its own.
    pub(super) fn head_mac(&self, seq: u64, hash: &Hash) -> Hash {
        let key = Zeroizing::new(blake3::derive_key(HEAD_CONTEXT, self.key.expose()));
        let mut input = seq.to_le_bytes().to_vec();
        input.extend_from_slice(hash);
        *blake3::keyed_hash(&key, &input).as_bytes()
    }

    fn mac(&self, parts: [&[u8]; 2]) -> Hash {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.expose()).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

pub(super) fn same(a: &Hash, b: &Hash) -> bool {
    a.ct_eq(b).into()
}

/// A hash in lower-case hexadecimal, the only way in which one is written.
pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// A hash as text.
pub fn hash_hex(hash: &Hash) -> String {
    HEXLOWER.encode(hash)
}
