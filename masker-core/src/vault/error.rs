use std::io;
use std::path::PathBuf;

use crate::token::KeyError;

/// A vault could not do what was asked. Nothing was half done: a failed call changed no row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The file is held by another process for longer than the wait allowed.
    #[error("vault is busy: another process holds it")]
    Busy,
    /// The file is damaged.
    #[error("vault file is damaged or cut short")]
    Corrupt,
    /// The export is damaged, cut short, or made under a key that is not in the ring.
    #[error("export does not authenticate: damaged, cut short, or made under another key")]
    Export,
    /// The vault has as many rows as it may have, or the disk is full.
    #[error("vault is full")]
    Full,
    /// The export could not be written or read.
    #[error("export input or output failed")]
    Io(#[from] io::Error),
    /// A key is missing.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file is something else.
    #[error("not a vault: {}", path.display())]
    NotAVault {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be opened.
    #[error("vault {} cannot be opened: {kind}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// The file or its folder cannot be written.
    #[error("vault {} is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The store failed in another way.
    #[error("vault storage failed: {reason}")]
    Storage {
        /// The store's own words for the failure, without any data.
        reason: String,
    },
    /// The file was made by another version of masker.
    #[error("vault has schema version {found}; this build reads version {expected}")]
    Version {
        /// The version of the file.
        found: i64,
        /// The version this build reads and writes.
        expected: i64,
    },
}
