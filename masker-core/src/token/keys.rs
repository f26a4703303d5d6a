//! Key ids, key rings, and the subkeys derived from each root key.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::error::{KeyError, ParseKidError};
use super::provider::{EnvKeys, KeyProvider as _};
use super::sealed::Derived;
use crate::secret::KeyBytes;

const PRF_CONTEXT: &str = "masker 2026 token prf v1";
const RECORD_CONTEXT: &str = "masker 2026 vault record v1";
const AEAD_CONTEXT: &str = "masker 2026 aead token v1";
const NONCE_CONTEXT: &str = "masker 2026 aead nonce v1";
const PSEUDONYM_CONTEXT: &str = "masker 2026 pseudonym v1";
const RECORD_NONCE_CONTEXT: &str = "masker 2026 vault nonce v1";
const EXPORT_CONTEXT: &str = "masker 2026 vault export v1";
const CONVERSATION_CONTEXT: &str = "masker 2026 conversation v1";
const MEMORY_CONTEXT: &str = "masker 2026 conversation memory v1";
const FINGERPRINT_CONTEXT: &str = "masker 2026 key fingerprint v1";

/// How long an old key is expected to stay, in days, where nothing else is said.
const GRACE_DAYS: u32 = 30;
const GRACE_DAYS_MAX: u32 = 3_650;
const DAY: i64 = 86_400_000;
const EPHEMERAL_KID: &str = "EPHEMERAL";

/// The name of a key: `[A-Z][A-Z0-9_]{0,31}`, not ending in `_OLD` or `_FILE`, which would collide with the names of
/// environment variables.
///
/// ```
/// use masker_core::Kid;
///
/// assert_eq!("K_HEALTHCARE".parse::<Kid>().unwrap().as_str(), "K_HEALTHCARE");
/// assert!("K_HEALTHCARE_OLD".parse::<Kid>().is_err());
/// assert!("k1".parse::<Kid>().is_err());
/// ```
// Kept in place: tokens and events of all threads name the same few keys, and would wait for one another to count a shared text.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kid {
    /// Zeros behind the name.
    bytes: [u8; KID_MAX],
    length: u8,
}

/// The longest key id.
const KID_MAX: usize = 32;

impl Kid {
    /// The name as text.
    #[expect(clippy::missing_panics_doc, reason = "only ASCII is ever put in")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("a key id is ASCII")
    }

    /// Takes a well-formed name.
    fn of(text: &str) -> Self {
        let mut bytes = [0; KID_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self { bytes, length: text.len() as u8 }
    }
}

impl FromStr for Kid {
    type Err = ParseKidError;

    fn from_str(text: &str) -> Result<Self, ParseKidError> {
        let mut bytes = text.bytes();
        let well_formed = text.len() <= KID_MAX
            && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !text.ends_with("_OLD")
            && !text.ends_with("_FILE");
        if well_formed { Ok(Self::of(text)) } else { Err(ParseKidError) }
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kid").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Kid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Keys by key id: one active key each, and any number of old ones that still open what they sealed.
///
/// The root keys themselves are wiped as soon as their subkeys are derived. Cloning is cheap and shares the keys;
/// `Debug` prints key ids and how many keys each has.
///
/// ```
/// use masker_core::KeyRing;
///
/// let kid = "K_HEALTHCARE".parse()?;
/// let ring = KeyRing::builder().key(&kid, [7; 32]).old_key(&kid, [6; 32]).build()?;
/// assert!(ring.contains(&kid));
/// assert_eq!(format!("{ring:?}"), r#"KeyRing {"K_HEALTHCARE": 2}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<BTreeMap<Kid, KeySet>>,
    grace_days: u32,
    ephemeral: bool,
}

/// Subkeys are boxed, so that building and moving a set copies none of them.
struct KeySet {
    active: Box<Subkeys>,
    old: Vec<(OldKey, Box<Subkeys>)>,
}

/// What may be said of an old key: nothing that helps to find it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OldKey {
    /// The key id it was active under.
    pub kid: Kid,
    /// Eight hexadecimal digits that tell it from other keys, derived with a context of their own.
    pub fingerprint: String,
    /// When it stopped being the active one, in milliseconds since 1970, where that is known.
    pub retired: Option<i64>,
}

/// What is derived from one root key: a key for each use.
pub(crate) struct Subkeys {
    /// Keys the hash that makes vault tokens.
    pub(crate) prf: KeyBytes,
    /// Seals vault rows.
    pub(crate) record: Aes256GcmSiv,
    /// Keys the hash that makes nonces of vault rows.
    pub(crate) record_nonce: KeyBytes,
    /// What that key gave lately.
    pub(crate) record_nonces: Derived,
    /// Seals `MSK1` tokens.
    pub(crate) aead: Aes256GcmSiv,
    /// Keys the hash that makes nonces of deterministic `MSK1` tokens.
    pub(crate) nonce: KeyBytes,
    /// Keys the hash that makes pseudonyms.
    pub(crate) pseudonym: KeyBytes,
    /// Keys the hash that authenticates vault exports.
    pub(crate) export: KeyBytes,
    /// Seals conversations.
    pub(crate) conversation: Aes256GcmSiv,
    /// Keys the hash that makes the hash key of a conversation.
    pub(crate) memory: KeyBytes,
}

impl Subkeys {
    fn derive(root: &KeyBytes) -> Box<Self> {
        let subkey = |context| derived(context, root);
        let cipher = |context| Aes256GcmSiv::new(subkey(context).expose().into());
        Box::new(Self {
            prf: subkey(PRF_CONTEXT),
            record: cipher(RECORD_CONTEXT),
            record_nonce: subkey(RECORD_NONCE_CONTEXT),
            record_nonces: Derived::default(),
            aead: cipher(AEAD_CONTEXT),
            nonce: subkey(NONCE_CONTEXT),
            pseudonym: subkey(PSEUDONYM_CONTEXT),
            export: subkey(EXPORT_CONTEXT),
            conversation: cipher(CONVERSATION_CONTEXT),
            memory: subkey(MEMORY_CONTEXT),
        })
    }
}

fn derived(context: &str, root: &KeyBytes) -> KeyBytes {
    KeyBytes::new(&mut blake3::derive_key(context, root.expose()))
}

impl KeyRing {
    /// Starts an empty ring.
    pub fn builder() -> KeyRingBuilder {
        KeyRingBuilder { active: Vec::new(), old: Vec::new(), grace_days: GRACE_DAYS, error: None }
    }

    /// One random key under the key id `EPHEMERAL`. What it makes cannot be restored once the ring is gone.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the operating system gives no random bytes.
    pub fn ephemeral() -> Result<Self, KeyError> {
        let mut ring = Self::builder().key(&Kid::of(EPHEMERAL_KID), random_bytes()?).build()?;
        ring.ephemeral = true;
        Ok(ring)
    }

    /// Reads keys from environment variables that the caller collected, which is [`EnvKeys`] in one call:
    /// `KeyRing::from_vars(std::env::vars_os())`.
    ///
    /// ```
    /// use masker_core::KeyRing;
    ///
    /// let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    /// let ring = KeyRing::from_vars([("MASKER_KEY_K1", key)])?;
    /// assert_eq!(ring.kids().map(|kid| kid.as_str()).collect::<Vec<_>>(), ["K1"]);
    /// # Ok::<(), masker_core::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`EnvKeys::load`](crate::KeyProvider::load).
    pub fn from_vars<N: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, KeyError> {
        EnvKeys::new(vars).load()
    }

    /// The key ids of the ring, in order.
    pub fn kids(&self) -> impl Iterator<Item = &Kid> {
        self.keys.keys()
    }

    /// Whether the ring has a key under this key id.
    pub fn contains(&self, kid: &Kid) -> bool {
        self.keys.contains_key(kid)
    }

    /// Whether this is a random ring made by [`KeyRing::ephemeral`].
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// The old keys, by key id and then as they were given.
    pub fn old_keys(&self) -> impl Iterator<Item = &OldKey> {
        self.keys.values().flat_map(|set| set.old.iter().map(|(key, _)| key))
    }

    /// For how many days after a rotation an old key is expected to be needed: 30 unless set.
    pub fn grace_days(&self) -> u32 {
        self.grace_days
    }

    /// The old keys whose grace period is over at `now`, in milliseconds since 1970. They still open what they sealed, until
    /// they are taken out of the ring: a warning is due, not a refusal.
    ///
    /// `noted` tells since when the caller knows a key as an old one, for keys whose retirement the provider did not date; a
    /// key without either is never overdue.
    ///
    /// ```
    /// use masker_core::KeyRing;
    ///
    /// let kid = "K1".parse()?;
    /// let ring = KeyRing::builder().key(&kid, [2; 32]).retired_key(&kid, [1; 32], 0).grace_days(7).build()?;
    /// assert!(ring.overdue(7 * 86_400_000, |_| None).is_empty());
    /// assert_eq!(ring.overdue(7 * 86_400_000 + 1, |_| None)[0].kid, kid);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn overdue(&self, now: i64, noted: impl Fn(&OldKey) -> Option<i64>) -> Vec<&OldKey> {
        let grace = i64::from(self.grace_days) * DAY;
        let is_overdue = |key: &&OldKey| {
            key.retired.or_else(|| noted(key)).is_some_and(|since| now.saturating_sub(since) > grace)
        };
        self.old_keys().filter(is_overdue).collect()
    }

    /// A name for a person or thing that says nothing about it: keyed BLAKE3 of `id` under the pseudonym subkey of the
    /// active key, 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`KeyError::UnknownKid`].
    pub fn pseudonym(&self, kid: &Kid, id: &str) -> Result<String, KeyError> {
        let hash = blake3::keyed_hash(self.active(kid)?.pseudonym.expose(), id.as_bytes());
        Ok(HEXLOWER.encode(&hash.as_bytes()[..16]))
    }

    /// The subkeys that new tokens and rows use.
    pub(crate) fn active(&self, kid: &Kid) -> Result<&Subkeys, KeyError> {
        match self.keys.get(kid) {
            Some(set) => Ok(&set.active),
            None => Err(KeyError::UnknownKid { kid: kid.clone() }),
        }
    }

    /// The subkeys to try when opening, the active ones first; nothing for an unknown key id.
    pub(crate) fn candidates(&self, kid: &Kid) -> impl Iterator<Item = &Subkeys> {
        self.keys.get(kid).into_iter().flat_map(|set| {
            std::iter::once(&*set.active).chain(set.old.iter().map(|(_, subkeys)| &**subkeys))
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing ")?;
        let counts = self.keys.iter().map(|(kid, set)| (kid.as_str(), 1 + set.old.len()));
        f.debug_map().entries(counts).finish()
    }
}

/// Collects keys for a [`KeyRing`].
#[expect(missing_debug_implementations, reason = "holds keys")]
pub struct KeyRingBuilder {
    active: Vec<(Kid, KeyBytes)>,
    old: Vec<(Kid, KeyBytes, Option<i64>)>,
    grace_days: u32,
    error: Option<KeyError>,
}

impl KeyRingBuilder {
    /// Sets the active key of a key id.
    pub fn key(mut self, kid: &Kid, mut bytes: [u8; 32]) -> Self {
        self.active.push((kid.clone(), KeyBytes::new(&mut bytes)));
        self
    }

    /// Adds an old key, which opens and never seals.
    pub fn old_key(mut self, kid: &Kid, mut bytes: [u8; 32]) -> Self {
        self.old.push((kid.clone(), KeyBytes::new(&mut bytes), None));
        self
    }

    /// Adds an old key that stopped being the active one at `retired`, in milliseconds since 1970; see
    /// [`KeyRing::overdue`].
    pub fn retired_key(mut self, kid: &Kid, mut bytes: [u8; 32], retired: i64) -> Self {
        self.old.push((kid.clone(), KeyBytes::new(&mut bytes), Some(retired)));
        self
    }

    /// Sets the grace period after a rotation, 0 to 3,650 days. More becomes the error of [`KeyRingBuilder::build`].
    pub fn grace_days(mut self, days: u32) -> Self {
        if days > GRACE_DAYS_MAX {
            self.error = self.error.or(Some(KeyError::InvalidGrace));
        }
        self.grace_days = days;
        self
    }

    /// Sets the active key from standard base64. A bad value becomes the error of [`KeyRingBuilder::build`].
    pub fn key_base64(self, kid: &Kid, text: &str) -> Self {
        self.active_from(kid.clone(), text, &format!("the key {kid}"))
    }

    /// Adds an old key from standard base64. A bad value becomes the error of [`KeyRingBuilder::build`].
    pub fn old_key_base64(self, kid: &Kid, text: &str) -> Self {
        self.old_from(kid.clone(), text, None, &format!("an old key {kid}"))
    }

    /// An active key that errors call `origin`.
    pub(super) fn active_from(mut self, kid: Kid, text: &str, origin: &str) -> Self {
        match decode(text, origin) {
            Ok(key) => self.active.push((kid, key)),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// An old key that errors call `origin`.
    pub(super) fn old_from(mut self, kid: Kid, text: &str, retired: Option<i64>, origin: &str) -> Self {
        match decode(text, origin) {
            Ok(key) => self.old.push((kid, key, retired)),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// Derives the subkeys and wipes the keys given.
    ///
    /// # Errors
    ///
    /// When a key id has two active keys, or old ones only, or a key was not base64 of 32 bytes.
    pub fn build(self) -> Result<KeyRing, KeyError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut keys = BTreeMap::new();
        for (kid, root) in self.active {
            let set = KeySet { active: Subkeys::derive(&root), old: Vec::new() };
            if keys.insert(kid.clone(), set).is_some() {
                return Err(KeyError::DuplicateKid { kid });
            }
        }
        for (kid, root, retired) in self.old {
            let Some(set) = keys.get_mut(&kid) else { return Err(KeyError::NoActiveKey { kid }) };
            let fingerprint = HEXLOWER.encode(&derived(FINGERPRINT_CONTEXT, &root).expose()[..4]);
            set.old.push((OldKey { kid, fingerprint, retired }, Subkeys::derive(&root)));
        }
        Ok(KeyRing { keys: Arc::new(keys), grace_days: self.grace_days, ephemeral: false })
    }
}

/// Thirty-two bytes from the operating system.
pub(super) fn random_bytes() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

fn decode(text: &str, origin: &str) -> Result<KeyBytes, KeyError> {
    let invalid = || KeyError::InvalidKey { origin: origin.to_owned() };
    let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).map_err(|_| invalid())?);
    let mut key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| invalid())?;
    Ok(KeyBytes::new(&mut key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kid(text: &str) -> Kid {
        text.parse().unwrap()
    }

    #[test]
    fn key_ids() {
        let longest = "A".repeat(32);
        for good in ["K", "K1", "K_HEALTHCARE", "OLD", "FILE", "OLD_K", "K_OLDER", longest.as_str()] {
            assert_eq!(good.parse::<Kid>().unwrap().to_string(), good);
        }
        let too_long = "A".repeat(33);
        for bad in [
            "",
            "k",
            "1K",
            "_K",
            "K-1",
            "K 1",
            "K\u{c4}",
            "K_OLD",
            "K_FILE",
            "_OLD",
            "K_OLD_FILE",
            too_long.as_str(),
        ] {
            assert!(bad.parse::<Kid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn old_keys_are_told_apart_and_dated() {
        let ring = KeyRing::builder()
            .key(&kid("K1"), [1; 32])
            .old_key(&kid("K1"), [2; 32])
            .retired_key(&kid("K1"), [3; 32], 10 * DAY)
            .grace_days(5)
            .build()
            .unwrap();
        let old: Vec<&OldKey> = ring.old_keys().collect();
        assert_eq!(old.iter().map(|key| key.retired).collect::<Vec<_>>(), [None, Some(10 * DAY)]);
        assert!(old[0].fingerprint != old[1].fingerprint && old[0].fingerprint.len() == 8);
        assert_eq!(ring.overdue(15 * DAY, |_| None), [] as [&OldKey; 0]);
        assert_eq!(ring.overdue(15 * DAY + 1, |_| None), [old[1]]);
        assert_eq!(
            ring.overdue(15 * DAY + 1, |_| Some(0)),
            old,
            "what the caller noted counts where no date is given"
        );
        assert!(ring.overdue(i64::MIN, |_| Some(0)).is_empty());
        let long = KeyRing::builder().key(&kid("K1"), [1; 32]).grace_days(3_651).build();
        assert!(matches!(long, Err(KeyError::InvalidGrace)));
        assert_eq!(KeyRing::builder().build().unwrap().grace_days(), 30);
    }

    #[test]
    fn random_rings_differ() {
        let (one, two) = (KeyRing::ephemeral().unwrap(), KeyRing::ephemeral().unwrap());
        assert!(one.is_ephemeral());
        let name = |ring: &KeyRing| ring.pseudonym(&kid("EPHEMERAL"), "ann").unwrap();
        assert_eq!(name(&one), name(&one));
        assert_ne!(name(&one), name(&two));
        assert_eq!(name(&one).len(), 32);
        assert!(matches!(one.pseudonym(&kid("K1"), "ann"), Err(KeyError::UnknownKid { .. })));
    }

    #[test]
    fn no_subkey_is_another_or_the_root() {
        let root = std::array::from_fn(|i| i as u8);
        let contexts = [
            PRF_CONTEXT,
            RECORD_CONTEXT,
            AEAD_CONTEXT,
            NONCE_CONTEXT,
            PSEUDONYM_CONTEXT,
            EXPORT_CONTEXT,
            RECORD_NONCE_CONTEXT,
            CONVERSATION_CONTEXT,
            MEMORY_CONTEXT,
            FINGERPRINT_CONTEXT,
        ];
        let mut keys: Vec<[u8; 32]> =
            contexts.iter().map(|context| blake3::derive_key(context, &root)).collect();
        keys.push(root);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), contexts.len() + 1);
    }

    proptest! {
        #[test]
        fn debug_shows_no_key(root: [u8; 32]) {
            let ring = KeyRing::builder().key(&kid("K1"), root).old_key(&kid("K1"), root).build().unwrap();
            prop_assert_eq!(format!("{ring:?}"), r#"KeyRing {"K1": 2}"#);
            prop_assert_eq!(format!("{ring:#?}"), "KeyRing {\n    \"K1\": 2,\n}");
        }
    }
}
