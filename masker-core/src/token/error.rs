use std::io;

use super::Kid;

/// A key ring could not be made, or a key is missing. Messages name variables and key ids, never key bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Both a variable and its `_FILE` form have a value.
    #[error("{variable} and {variable}_FILE are both set; set one of them")]
    BothSet {
        /// The variable without `_FILE`.
        variable: String,
    },
    /// One key id was given two active keys.
    #[error("key id {kid} has two active keys")]
    DuplicateKid {
        /// The key id.
        kid: Kid,
    },
    /// A key is not base64 of exactly 32 bytes.
    #[error("{origin} is not base64 of exactly 32 bytes")]
    InvalidKey {
        /// The variable, or the key id, that the key was given under.
        origin: String,
    },
    /// Old keys were given for a key id without an active key.
    #[error("key id {kid} has old keys and no active key")]
    NoActiveKey {
        /// The key id.
        kid: Kid,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// No key is known under this key id.
    #[error("no key for key id {kid}")]
    UnknownKid {
        /// The key id.
        kid: Kid,
    },
    /// The file named by a `_FILE` variable could not be read.
    #[error("the file named by {variable} cannot be read: {kind}")]
    UnreadableFile {
        /// The variable, with `_FILE`.
        variable: String,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
}

/// A token could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A key is missing.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token does not open: forged, damaged, of another scope, kind or key. One error for every reason.
    #[error("token does not open")]
    Unauthentic,
}

/// The text is not a key id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a key id: key ids are 1 to 32 of A-Z, 0-9 and _, starting with a letter, not ending in _OLD or _FILE"
)]
pub struct ParseKidError;

/// The text is not a scope id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a scope id: scope ids have at most 256 bytes and no control characters")]
pub struct ParseScopeError;

/// The text is not a token in canonical form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a token")]
pub struct ParseTokenError;
