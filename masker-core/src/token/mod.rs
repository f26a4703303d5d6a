//! What stands in the text instead of a value: its forms, the keys behind them, and how values are made comparable.

pub(crate) mod calendar;
mod error;
mod format;
pub(crate) mod keyed;
pub(crate) mod keys;
mod normalise;
mod provider;
pub(crate) mod sealed;
pub(crate) mod synthetic;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;
use zeroize::Zeroize as _;

pub use self::error::{KeyError, ParseKidError, ParseScopeError, ParseTokenError, TokenError};
pub use self::format::{Found, Marker, Token, TokenForm, find_markers, redacted};
pub(crate) use self::format::{cut_off, is_unfinished_token, settled, token_at};
pub use self::keys::{KeyRing, KeyRingBuilder, Kid, OldKey};
pub use self::normalise::normalise;
pub use self::provider::{EnvKeys, FileKeys, KeyProvider};
pub use self::sealed::{MAX_SEALED_BYTES, seal, unseal};
pub use self::synthetic::Synthesizer;

/// What a masked value was replaced by, as events name it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TokenKind {
    /// A token of scheme `reversible-aead`.
    Msk1,
    /// A token of scheme `vault-deterministic`.
    Mskv1,
    /// The marker `[REDACTED:KIND]`.
    Redacted,
    /// A surrogate without any marker.
    Synthetic,
}

impl TokenKind {
    /// The name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Msk1 => "MSK1",
            Self::Mskv1 => "MSKV1",
            Self::Redacted => "REDACTED",
            Self::Synthetic => "SYNTHETIC",
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for TokenKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The longest scope id, in bytes.
pub const MAX_SCOPE_BYTES: usize = 256;

/// How far "same value, same token" reaches, and the only place where a token is restored.
///
/// The scope id goes into every token and is part of every vault row's key. The empty one, [`Scope::default`], is the
/// library's; servers use account, agent or session ids.
///
/// ```
/// use masker_core::Scope;
///
/// assert_eq!(Scope::default().as_str(), "");
/// assert_eq!("sess_1".parse::<Scope>().unwrap().as_str(), "sess_1");
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The scope id, empty for the default scope.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self("".into())
    }
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        if text.len() <= MAX_SCOPE_BYTES && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(ParseScopeError)
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends `part` after its length in bytes as a little-endian 32-bit number, so that no two sequences of parts have the
/// same bytes.
pub(crate) fn enc(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&length_of(part));
    out.extend_from_slice(part);
}

fn length_of(part: &[u8]) -> [u8; 4] {
    let length = u32::try_from(part.len()).expect("parts of tokens are below 4 GiB, the input limit");
    length.to_le_bytes()
}

/// Lets `read` see parts as [`enc`] writes them one after the other. Short ones lie on the stack; the last one, which may be a
/// value, is wiped afterwards.
pub(crate) fn with_encoded<R>(parts: &[&[u8]], read: impl FnOnce(&[u8]) -> R) -> R {
    let total = parts.iter().map(|part| part.len() + 4).sum();
    let mut encoded: SmallVec<[u8; 256]> = SmallVec::from_elem(0, total);
    let mut rest = &mut encoded[..];
    for part in parts {
        let (length, behind) = rest.split_at_mut(4);
        length.copy_from_slice(&length_of(part));
        let (bytes, behind) = behind.split_at_mut(part.len());
        bytes.copy_from_slice(part);
        rest = behind;
    }
    let result = read(&encoded);
    let last = parts.last().map_or(0, |part| part.len());
    encoded[total - last..].zeroize();
    result
}
