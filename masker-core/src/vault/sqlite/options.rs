//! How a vault in a file is opened.

use std::time::Duration;

/// How long a call waits for another process unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);
/// Rows kept in memory unless told otherwise: one to two megabytes.
const CACHED: usize = 4_096;

/// What a row survives once [`Vault::put`](crate::Vault::put) has returned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// A loss of power. Every write waits for the disk.
    Power,
    /// The end of the process at any instant. A loss of power may take the last rows, and never damages the file.
    #[default]
    Process,
}

/// How an SQLite vault is opened.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vault.db");
/// use masker_core::{Durability, SqliteOptions, SqliteVault};
///
/// let options = SqliteOptions::default().durability(Durability::Power).exclusive(true);
/// let vault = SqliteVault::open_with(&path, options)?;
/// assert_eq!(vault.path(), path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct SqliteOptions {
    pub(super) durability: Durability,
    pub(super) exclusive: bool,
    pub(super) cached_rows: usize,
    pub(super) wait: Duration,
    pub(super) checkpoints_apart: bool,
}

impl Default for SqliteOptions {
    /// [`Durability::Process`], shared with other processes, 4,096 rows in memory, ten seconds of patience.
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            exclusive: false,
            cached_rows: CACHED,
            wait: WAIT,
            checkpoints_apart: false,
        }
    }
}

impl SqliteOptions {
    /// Sets what a row survives.
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Keeps every other process, and every other vault value, out for as long as the vault is open: for them it is
    /// [`VaultError::Busy`](crate::VaultError::Busy). Locks are then taken once and not with each call.
    pub fn exclusive(self, exclusive: bool) -> Self {
        Self { exclusive, ..self }
    }

    /// Sets how many of the rows used last are kept in memory, as ciphertext: up to twice this number, those up to a kilobyte.
    /// 0 keeps none. A row that another process removes or changes is never answered from memory.
    pub fn cached_rows(self, rows: usize) -> Self {
        Self { cached_rows: rows, ..self }
    }

    /// Leaves it to [`Vault::tidy`](crate::Vault::tidy) to copy the write-ahead log into the file, which otherwise some call does now and
    /// then and waits for the disk. Whoever sets it calls that method every second or so, or the log grows.
    pub fn checkpoints_apart(self, apart: bool) -> Self {
        Self { checkpoints_apart: apart, ..self }
    }

    /// Sets how long a call waits for another process before it is [`VaultError::Busy`](crate::VaultError::Busy).
    pub fn wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }
}

impl From<Durability> for SqliteOptions {
    fn from(durability: Durability) -> Self {
        Self::default().durability(durability)
    }
}
