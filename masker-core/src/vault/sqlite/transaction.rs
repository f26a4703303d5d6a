//! One transaction, and why one did not succeed.

use std::io;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::vault::VaultError;

/// Takes the lock for writing at once, rather than failing half way.
pub(super) const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";

/// A transaction. That of the library compiles its statements anew each time.
pub(super) struct Running<'a>(&'a Connection);

impl<'a> Running<'a> {
    pub(super) fn begin(connection: &'a Connection, begin: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(begin)?.execute([])?;
        Ok(Self(connection))
    }

    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Drop for Running<'_> {
    /// Takes back what was not committed.
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// Why a transaction did not succeed.
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    /// A stored value that this code never writes.
    Malformed,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    pub(super) fn into_error(self, path: &Path) -> VaultError {
        let path = || path.to_owned();
        let Self::Sqlite(error) = self else { return VaultError::Corrupt };
        match &error {
            rusqlite::Error::SqliteFailure(cause, _) => match cause.code {
                ErrorCode::CannotOpen => VaultError::Open { path: path(), kind: io::ErrorKind::Other },
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => VaultError::Busy,
                ErrorCode::DatabaseCorrupt => VaultError::Corrupt,
                ErrorCode::DiskFull => VaultError::Full,
                ErrorCode::NotADatabase => VaultError::NotAVault { path: path() },
                ErrorCode::PermissionDenied | ErrorCode::ReadOnly => VaultError::ReadOnly { path: path() },
                // The longer message of the error may quote a statement; this one is SQLite's fixed text for the code.
                _ => VaultError::Storage { reason: cause.to_string() },
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => VaultError::Corrupt,
            _ => VaultError::Storage { reason: "unexpected answer from SQLite".to_owned() },
        }
    }
}
