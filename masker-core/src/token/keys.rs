//! Key ids, key rings, and the subkeys derived from each root key.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use data_encoding::BASE64;
use serde::{Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use super::error::{KeyError, ParseKidError};
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

const VARIABLE_PREFIX: &str = "MASKER_KEY_";
/// Shares the prefix of the keys without being one.
const GRACE_VARIABLE: &str = "MASKER_KEY_ROTATION_GRACE_DAYS";
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
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kid(Arc<str>);

impl Kid {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Kid {
    type Err = ParseKidError;

    fn from_str(text: &str) -> Result<Self, ParseKidError> {
        let mut bytes = text.bytes();
        let well_formed = text.len() <= 32
            && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !text.ends_with("_OLD")
            && !text.ends_with("_FILE");
        if well_formed { Ok(Self(text.into())) } else { Err(ParseKidError) }
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Kid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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
    ephemeral: bool,
}

struct KeySet {
    active: Subkeys,
    old: Vec<Subkeys>,
}

/// What is derived from one root key: a key for each use.
pub(crate) struct Subkeys {
    /// Keys the hash that makes vault tokens.
    pub(crate) prf: KeyBytes,
    /// Seals vault rows.
    pub(crate) record: Aes256GcmSiv,
    /// Keys the hash that makes nonces of vault rows.
    pub(crate) record_nonce: KeyBytes,
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
    fn derive(root: &[u8; 32]) -> Self {
        let subkey = |context| KeyBytes::new(blake3::derive_key(context, root));
        let cipher = |context| Aes256GcmSiv::new(subkey(context).expose().into());
        Self {
            prf: subkey(PRF_CONTEXT),
            record: cipher(RECORD_CONTEXT),
            record_nonce: subkey(RECORD_NONCE_CONTEXT),
            aead: cipher(AEAD_CONTEXT),
            nonce: subkey(NONCE_CONTEXT),
            pseudonym: subkey(PSEUDONYM_CONTEXT),
            export: subkey(EXPORT_CONTEXT),
            conversation: cipher(CONVERSATION_CONTEXT),
            memory: subkey(MEMORY_CONTEXT),
        }
    }
}

impl KeyRing {
    /// Starts an empty ring.
    pub fn builder() -> KeyRingBuilder {
        KeyRingBuilder { active: Vec::new(), old: Vec::new(), error: None }
    }

    /// One random key under the key id `EPHEMERAL`. What it makes cannot be restored once the ring is gone.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the operating system gives no random bytes.
    pub fn ephemeral() -> Result<Self, KeyError> {
        let mut ring = Self::builder().key(&Kid(EPHEMERAL_KID.into()), random_bytes()?).build()?;
        ring.ephemeral = true;
        Ok(ring)
    }

    /// Reads the keys of the process environment; see [`KeyRing::from_vars`].
    ///
    /// # Errors
    ///
    /// As [`KeyRing::from_vars`].
    pub fn from_env() -> Result<Self, KeyError> {
        Self::from_vars(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            // A value that is not UTF-8 is not base64 either; an impossible value keeps it an error.
            let value = value.into_string().unwrap_or_else(|_| "\u{fffd}".to_owned());
            name.starts_with(VARIABLE_PREFIX).then_some((name, value))
        }))
    }

    /// Reads keys from variables: `MASKER_KEY_<KID>` is the active key, `MASKER_KEY_<KID>_OLD` a comma-separated list of
    /// old ones, each base64 of 32 bytes. Each has a form ending in `_FILE` that names a file with the value. Empty values
    /// count as unset; other variables are ignored. The ring may come out empty.
    ///
    /// ```
    /// use masker_core::KeyRing;
    ///
    /// let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    /// let ring = KeyRing::from_vars([("MASKER_KEY_K1".to_owned(), key.to_owned())])?;
    /// assert_eq!(ring.kids().map(|kid| kid.as_str()).collect::<Vec<_>>(), ["K1"]);
    /// # Ok::<(), masker_core::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a value and its file are both set, a file cannot be read, a key is not base64 of exactly 32 bytes, or old keys
    /// stand without an active one. The error names the variable, never its value.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, KeyError> {
        let mut found: BTreeMap<(Kid, bool), Source> = BTreeMap::new();
        for (name, value) in vars {
            let value = Zeroizing::new(value);
            if name == GRACE_VARIABLE || value.is_empty() {
                continue;
            }
            let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
            let (rest, is_file) = rest.strip_suffix("_FILE").map_or((rest, false), |rest| (rest, true));
            let (rest, is_old) = rest.strip_suffix("_OLD").map_or((rest, false), |rest| (rest, true));
            let Ok(kid) = rest.parse::<Kid>() else { continue };
            let source = found.entry((kid, is_old)).or_default();
            if is_file {
                source.file = Some(value);
            } else {
                source.value = Some(value);
            }
        }
        let mut builder = Self::builder();
        for ((kid, is_old), source) in found {
            let variable = format!("{VARIABLE_PREFIX}{kid}{}", if is_old { "_OLD" } else { "" });
            let Some((value, origin)) = source.read(&variable)? else { continue };
            if is_old {
                for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    builder.old.push((kid.clone(), decode(part, &origin)?));
                }
            } else {
                builder.active.push((kid, decode(&value, &origin)?));
            }
        }
        builder.build()
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

    /// A name for a person or thing that says nothing about it: keyed BLAKE3 of `id` under the pseudonym subkey of the
    /// active key, 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`KeyError::UnknownKid`].
    pub fn pseudonym(&self, kid: &Kid, id: &str) -> Result<String, KeyError> {
        let hash = blake3::keyed_hash(self.active(kid)?.pseudonym.expose(), id.as_bytes());
        Ok(data_encoding::HEXLOWER.encode(&hash.as_bytes()[..16]))
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
        self.keys.get(kid).into_iter().flat_map(|set| std::iter::once(&set.active).chain(&set.old))
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
    old: Vec<(Kid, KeyBytes)>,
    error: Option<KeyError>,
}

impl KeyRingBuilder {
    /// Sets the active key of a key id.
    pub fn key(mut self, kid: &Kid, mut bytes: [u8; 32]) -> Self {
        self.active.push((kid.clone(), KeyBytes::new(bytes)));
        bytes.zeroize();
        self
    }

    /// Adds an old key, which opens and never seals.
    pub fn old_key(mut self, kid: &Kid, mut bytes: [u8; 32]) -> Self {
        self.old.push((kid.clone(), KeyBytes::new(bytes)));
        bytes.zeroize();
        self
    }

    /// Sets the active key from standard base64. A bad value becomes the error of [`KeyRingBuilder::build`].
    pub fn key_base64(mut self, kid: &Kid, text: &str) -> Self {
        match decode(text, &format!("the key {kid}")) {
            Ok(key) => self.active.push((kid.clone(), key)),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// Adds an old key from standard base64. A bad value becomes the error of [`KeyRingBuilder::build`].
    pub fn old_key_base64(mut self, kid: &Kid, text: &str) -> Self {
        match decode(text, &format!("an old key {kid}")) {
            Ok(key) => self.old.push((kid.clone(), key)),
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
            let set = KeySet { active: Subkeys::derive(root.expose()), old: Vec::new() };
            if keys.insert(kid.clone(), set).is_some() {
                return Err(KeyError::DuplicateKid { kid });
            }
        }
        for (kid, root) in self.old {
            let Some(set) = keys.get_mut(&kid) else { return Err(KeyError::NoActiveKey { kid }) };
            set.old.push(Subkeys::derive(root.expose()));
        }
        Ok(KeyRing { keys: Arc::new(keys), ephemeral: false })
    }
}

/// A variable and its `_FILE` form.
#[derive(Default)]
struct Source {
    value: Option<Zeroizing<String>>,
    file: Option<Zeroizing<String>>,
}

impl Source {
    /// The value and the name of the variable it came by; nothing where the file is empty.
    fn read(self, variable: &str) -> Result<Option<(Zeroizing<String>, String)>, KeyError> {
        match (self.value, self.file) {
            (Some(_), Some(_)) => Err(KeyError::BothSet { variable: variable.to_owned() }),
            (Some(value), None) => Ok(Some((value, variable.to_owned()))),
            (None, Some(path)) => {
                let variable = format!("{variable}_FILE");
                let text = std::fs::read_to_string(path.as_str()).map_err(|error| {
                    KeyError::UnreadableFile { variable: variable.clone(), kind: error.kind() }
                })?;
                let text = Zeroizing::new(text);
                let line = text.strip_suffix('\n').unwrap_or(&text);
                let line = Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned());
                Ok(if line.is_empty() { None } else { Some((line, variable)) })
            }
            (None, None) => Ok(None),
        }
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
    let wrapped = KeyBytes::new(key);
    key.zeroize();
    Ok(wrapped)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

    fn ring(vars: &[(&str, &str)]) -> Result<KeyRing, KeyError> {
        KeyRing::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn kid(text: &str) -> Kid {
        text.parse().unwrap()
    }

    fn counts(ring: &KeyRing) -> Vec<(&str, usize)> {
        ring.kids().map(|kid| (kid.as_str(), ring.candidates(kid).count())).collect()
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
    fn variables_make_a_ring() {
        let old = format!("{OTHER}, {KEY},");
        let ring = ring(&[
            ("MASKER_KEY_K1", KEY),
            ("MASKER_KEY_K1_OLD", &old),
            ("MASKER_KEY_K2", OTHER),
            ("MASKER_KEY_K3", ""),
            ("MASKER_KEY_K2_FILE", ""),
            ("MASKER_KEY_ROTATION_GRACE_DAYS", "30"),
            ("MASKER_KEY_lower", "not a key id, so not ours"),
            ("MASKER_SESSION_SECRET", "not ours"),
        ]);
        let ring = ring.unwrap();
        assert_eq!(counts(&ring), [("K1", 3), ("K2", 1)]);
        assert!(ring.contains(&kid("K1")) && !ring.contains(&kid("K3")) && !ring.is_ephemeral());
        let same = KeyRing::builder().key(&kid("K1"), std::array::from_fn(|i| i as u8)).build().unwrap();
        assert_eq!(
            ring.active(&kid("K1")).unwrap().prf.expose(),
            same.active(&kid("K1")).unwrap().prf.expose()
        );
    }

    #[test]
    fn files_hold_keys_too() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let (key, old) = (write("key", &format!("{KEY}\n")), write("old", &format!("{OTHER},{OTHER}\r\n")));
        let from_files = ring(&[("MASKER_KEY_K1_FILE", &key), ("MASKER_KEY_K1_OLD_FILE", &old)]).unwrap();
        assert_eq!(counts(&from_files), [("K1", 3)]);
        let empty = write("empty", "\n");
        assert_eq!(counts(&ring(&[("MASKER_KEY_K1_FILE", &empty)]).unwrap()), []);

        let both = ring(&[("MASKER_KEY_K1", KEY), ("MASKER_KEY_K1_FILE", &key)]).unwrap_err();
        assert_eq!(both.to_string(), "MASKER_KEY_K1 and MASKER_KEY_K1_FILE are both set; set one of them");
        let missing = ring(&[("MASKER_KEY_K1_FILE", "/missing/key")]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the file named by MASKER_KEY_K1_FILE cannot be read: entity not found"
        );
        let bad = ring(&[("MASKER_KEY_K1_FILE", &write("bad", "c2hvcnQ=\n"))]).unwrap_err();
        assert_eq!(bad.to_string(), "MASKER_KEY_K1_FILE is not base64 of exactly 32 bytes");
    }

    #[test]
    fn bad_keys_are_named_and_not_shown() {
        let long = format!("{KEY}AAAA");
        for bad in ["c2hvcnQ=", "not base64!", &KEY[..43], &long, "\u{fffd}", " "] {
            for variable in ["MASKER_KEY_K1", "MASKER_KEY_K1_OLD"] {
                if variable.ends_with("_OLD") && bad == " " {
                    continue;
                }
                let error = ring(&[("MASKER_KEY_K1", KEY), (variable, bad)]).unwrap_err();
                assert!(matches!(&error, KeyError::InvalidKey { origin } if origin == variable), "{bad}");
                assert!(!format!("{error} {error:?}").contains(bad.trim()) || bad == " ");
            }
        }
        let orphan = ring(&[("MASKER_KEY_K1_OLD", KEY)]).unwrap_err();
        assert_eq!(orphan.to_string(), "key id K1 has old keys and no active key");
        let twice = KeyRing::builder().key(&kid("K1"), [1; 32]).key_base64(&kid("K1"), KEY).build();
        assert!(matches!(twice, Err(KeyError::DuplicateKid { .. })));
        let short = KeyRing::builder().key_base64(&kid("K1"), "c2hvcnQ=").build();
        assert!(matches!(short, Err(KeyError::InvalidKey { .. })));
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
