use std::io;
use std::path::PathBuf;

use crate::token::KeyError;

/// A vault could not do what was asked. Nothing was half done: a failed call changed no row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The file is held by another process for longer than the wait allowed.
    #[error("vault is busy: another process holds it; try again when it is done")]
    Busy,
    /// The file is damaged.
    #[error("vault file is damaged or cut short; it was left as it is: restore it from a backup")]
    Corrupt,
    /// The export is damaged, cut short, or made under a key that is not in the ring.
    #[error(
        "export does not authenticate: damaged, cut short, or made under another key; give all of it, and the key it was made under"
    )]
    Export,
    /// The vault has as many rows as it may have, or the disk is full.
    #[error("vault is full; make room, or purge rows")]
    Full,
    /// The export could not be written or read.
    #[error("export input or output failed")]
    Io(#[from] io::Error),
    /// A key is missing.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file is something else.
    #[error("not a vault: {}; it was left as it is: name another file", path.display())]
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
    #[error("vault {} is read-only; let the file and its folder be written", path.display())]
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
    #[error(
        "vault has schema version {found}, and this build reads version {expected}; open it with the masker that wrote it"
    )]
    Version {
        /// The version of the file.
        found: i64,
        /// The version this build reads and writes.
        expected: i64,
    },
}
