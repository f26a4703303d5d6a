use std::io;
use std::path::PathBuf;

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
    #[error("key id {kid} has two active keys; give one of them as an old key")]
    DuplicateKid {
        /// The key id.
        kid: Kid,
    },
    /// A line of a key file is not `NAME=value`, or names a variable a second time.
    #[error("line {line} of key file {} is not NAME=value, or sets a variable again", path.display())]
    InvalidFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The grace period is not a number of days from 0 to 3650.
    #[error("the grace period of key rotation is not a number of days from 0 to 3650")]
    InvalidGrace,
    /// A key is not base64 of exactly 32 bytes.
    #[error("{origin} is not base64 of exactly 32 bytes")]
    InvalidKey {
        /// The variable, or the key id, that the key was given under.
        origin: String,
    },
    /// Old keys were given for a key id without an active key.
    #[error("key id {kid} has old keys and no active key; give it one, or take the old ones out")]
    NoActiveKey {
        /// The key id.
        kid: Kid,
    },
    /// A key service did not give its keys.
    #[error("the key service gave no keys: {reason}")]
    Provider {
        /// What went wrong, in words without any key material: it is shown and logged.
        reason: String,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// No key is known under this key id.
    #[error(
        "no key for key id {kid}; add it to the key ring, as MASKER_KEY_{kid} where keys come from variables"
    )]
    UnknownKid {
        /// The key id.
        kid: Kid,
    },
    /// A key file could not be read.
    #[error("key file {} cannot be read: {kind}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
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
