//! Remembers the originals behind vault tokens, as ciphertext.
//!
//! A [`Vault`] stores rows that are already sealed; [`Records`] is the one place that seals and opens them, so every
//! store gets the same protection and none sees a plaintext.

#[cfg(feature = "async")]
mod asynchronous;
#[cfg(feature = "vault-sqlite")]
mod cache;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod conformance;
mod error;
mod memory;
#[cfg(feature = "vault-postgres")]
mod postgres;
#[cfg(feature = "vault-postgres")]
mod postgres_tls;
mod records;
#[cfg(feature = "vault-sqlite")]
mod sqlite;
mod transfer;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "async")]
pub use self::asynchronous::{AsyncVault, off_executor};
pub use self::error::VaultError;
pub use self::memory::MemoryVault;
#[cfg(feature = "vault-postgres")]
pub use self::postgres::{PostgresOptions, PostgresVault};
pub use self::records::{Checked, Mention, Opened, Records, Rewrap, rewrap, verify};
#[cfg(feature = "vault-sqlite")]
pub use self::sqlite::{Durability, SqliteOptions, SqliteVault};
pub use self::transfer::{Import, Transfer, export, import, read_export};
use crate::Kind;
use crate::token::{Kid, Scope, Token};

/// A store of sealed rows, one per scope and token.
///
/// An implementation promises:
///
/// - **Durable.** When [`Vault::put`] returns, its rows outlive the process, where the store outlives it at all.
/// - **All or nothing.** A call that fails has changed no row.
/// - **Dead stays dead.** A row that goes leaves its [`tombstone`] behind in the same step, and no later call stores that
///   scope and token again.
/// - **Shared.** Calls from several threads, and several processes where the store allows them, neither lose a row nor
///   deadlock.
///
/// Times are milliseconds since 1970 and always come from the caller.
pub trait Vault: Send + Sync {
    /// Looks tokens up in one scope; the answers are in the order of `query.tokens`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. A token that is not there is an answer.
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError>;

    /// Stores rows, each new or in place of the one with its scope and token, which keeps its creation time and its
    /// references; the answers are in the order of `write.rows`.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then no row was.
    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError>;

    /// Counts the rows that [`Vault::delete`] would remove.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn count(&self, which: &Selection) -> Result<u64, VaultError>;

    /// Removes rows for good and returns how many went. With [`Selection::Agent`] and [`Selection::Subject`] the
    /// references go, and a row goes with its last one.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was removed.
    fn delete(&self, which: &Selection) -> Result<u64, VaultError>;

    /// The rows that follow `after` in the order of scope and token, at most `limit`; an empty answer is the end.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError>;

    /// The tombstones that follow `after` in byte order, at most `limit`; an empty answer is the end.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn tombstones(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<[u8; 32]>, VaultError>;

    /// Replaces ciphertexts, each only where the row still has the one that was read, and returns how many changed.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was replaced.
    fn reseal(&self, rows: &[Reseal]) -> Result<u64, VaultError>;

    /// Takes over rows and tombstones of another vault and returns how many rows are new. A row that exists keeps its
    /// ciphertext and gains references; a tombstone beats a row.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was taken over.
    fn merge(&self, rows: &[Row], tombstones: &[[u8; 32]]) -> Result<u64, VaultError>;

    /// Counts what belongs to nothing: rows without a reference, references to rows that are not there, and rows whose token
    /// is dead. A sound vault has none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn orphans(&self) -> Result<u64, VaultError> {
        const PAGE: usize = 1_000;
        let mut dead = HashSet::new();
        let mut after = None;
        loop {
            let hashes = self.tombstones(after.as_ref(), PAGE)?;
            let Some(last) = hashes.last() else { break };
            after = Some(*last);
            dead.extend(hashes);
        }
        let mut orphans = 0;
        let mut after = None;
        loop {
            let rows = self.page(after.as_ref(), PAGE)?;
            let Some(last) = rows.last() else { return Ok(orphans) };
            after = Some(last.key.clone());
            let is_orphan = |row: &&Row| {
                row.references.is_empty()
                    || (!dead.is_empty() && dead.contains(&tombstone(&row.key.scope, &row.key.token)))
            };
            orphans += rows.iter().filter(is_orphan).count() as u64;
        }
    }

    /// Does what may wait for the disk and need not be done within a call, where there is such a thing.
    ///
    /// # Errors
    ///
    /// When the store fails; then nothing is lost.
    fn tidy(&self) -> Result<(), VaultError> {
        Ok(())
    }

    /// What the vault holds.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn stats(&self) -> Result<VaultStats, VaultError>;
}

/// Who a row was issued for: one agent and one subject, either of them empty where there is none.
///
/// Subjects are pseudonyms ([`KeyRing::pseudonym`](crate::KeyRing::pseudonym)), never names: references are stored in
/// clear.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reference {
    /// The agent's id.
    pub agent: Arc<str>,
    /// The subject's pseudonym.
    pub subject: Arc<str>,
}

impl Reference {
    /// Makes a reference.
    pub fn new(agent: &str, subject: &str) -> Self {
        Self { agent: agent.into(), subject: subject.into() }
    }
}

impl Default for Reference {
    /// No agent and no subject.
    fn default() -> Self {
        Self::new("", "")
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").finish_non_exhaustive()
    }
}

/// What [`Vault::get`] is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The scope that all tokens are looked up in.
    pub scope: &'a Scope,
    /// The reference that [`Sealed::referenced`] asks about.
    pub reference: Option<&'a Reference>,
    /// The present; a row that has expired counts as purged.
    pub now: i64,
    /// The tokens.
    pub tokens: &'a [&'a Token],
}

/// What a vault says of one token.
#[derive(Debug)]
pub enum Lookup {
    /// Never seen here.
    Absent,
    /// Here, and not as it was written: the store was damaged.
    Damaged,
    /// A row.
    Found(Sealed),
    /// Was here and is gone for good.
    Purged,
}

/// The part of a row that opening it needs.
pub struct Sealed {
    /// The key that sealed it, which after a rotation is not the token's.
    pub kid: Kid,
    /// Nonce, ciphertext, tag.
    pub bytes: Arc<[u8]>,
    /// When it was last minted.
    pub used: i64,
    /// Whether the row has the reference of the query.
    pub referenced: bool,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("kid", &self.kid.as_str()).finish_non_exhaustive()
    }
}

/// What [`Vault::put`] is given.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The scope of all rows.
    pub scope: &'a Scope,
    /// Who they are issued for.
    pub reference: &'a Reference,
    /// The present.
    pub now: i64,
    /// When the rows end, `None` for never.
    pub expires: Option<i64>,
    /// The rows, no two with one token.
    pub rows: &'a [NewRow<'a>],
}

/// One row of a [`Write`].
pub struct NewRow<'a> {
    /// The token.
    pub token: &'a Token,
    /// The key that sealed it.
    pub kid: &'a Kid,
    /// Nonce, ciphertext, tag.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for NewRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRow").field("kid", &self.kid.as_str()).finish_non_exhaustive()
    }
}

/// What became of one row of a [`Write`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Put {
    /// Refused: the token was purged.
    Purged,
    /// Stored.
    Stored,
}

/// Which rows to remove. `Debug` says by what, and never whose.
#[derive(Clone)]
#[non_exhaustive]
pub enum Selection {
    /// Rows issued for this agent and for no other.
    Agent(String),
    /// Rows that end at or before this time.
    Expired(i64),
    /// Rows sealed by this key.
    Kid(Kid),
    /// Rows of this scope.
    Scope(Scope),
    /// Rows issued for this subject and for no other.
    Subject(String),
    /// Rows last minted before this time.
    UnusedSince(i64),
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(_) => f.debug_tuple("Agent").finish_non_exhaustive(),
            Self::Expired(time) => f.debug_tuple("Expired").field(time).finish(),
            Self::Kid(kid) => f.debug_tuple("Kid").field(kid).finish(),
            Self::Scope(_) => f.debug_tuple("Scope").finish_non_exhaustive(),
            Self::Subject(_) => f.debug_tuple("Subject").finish_non_exhaustive(),
            Self::UnusedSince(time) => f.debug_tuple("UnusedSince").field(time).finish(),
        }
    }
}

/// Where a row stands in the order of [`Vault::page`].
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub struct RowKey {
    /// The scope.
    pub scope: Scope,
    /// The token's text.
    pub token: Box<str>,
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowKey").finish_non_exhaustive()
    }
}

/// A whole row, as it is stored.
#[derive(Clone)]
pub struct Row {
    /// Scope and token.
    pub key: RowKey,
    /// What the value is.
    pub kind: Kind,
    /// The key that sealed it.
    pub kid: Kid,
    /// Nonce, ciphertext, tag.
    pub bytes: Arc<[u8]>,
    /// When it was first minted.
    pub created: i64,
    /// When it was last minted.
    pub used: i64,
    /// When it ends, `None` for never.
    pub expires: Option<i64>,
    /// Who it is issued for, in order.
    pub references: Vec<Reference>,
    /// Whether the store knows that this is not what was written; then no other member can be relied on.
    pub damaged: bool,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("kind", &self.kind.as_str())
            .field("kid", &self.kid.as_str())
            .field("created", &self.created)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// One replacement for [`Vault::reseal`].
pub struct Reseal {
    /// The row.
    pub key: RowKey,
    /// The ciphertext it had when it was read.
    pub before: Arc<[u8]>,
    /// The key that sealed the new one.
    pub kid: Kid,
    /// The new ciphertext.
    pub after: Arc<[u8]>,
}

impl fmt::Debug for Reseal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reseal").field("kid", &self.kid.as_str()).finish_non_exhaustive()
    }
}

/// What a vault holds: counts, sizes and times only.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct VaultStats {
    /// Rows.
    pub rows: u64,
    /// Tokens that are gone for good.
    pub tombstones: u64,
    /// Whether removed rows may still stand in the file as free space: another process was in the way when they went. It is
    /// tried again at the next removal and when the vault is opened.
    pub erasure_pending: bool,
    /// Size of the file, or of the ciphertexts of a vault without one.
    pub bytes: u64,
    /// When the oldest row was first minted.
    pub oldest: Option<i64>,
    /// When the newest row was first minted.
    pub newest: Option<i64>,
    /// Rows by kind, in order.
    pub by_kind: Vec<(Kind, u64)>,
    /// Rows by the key that sealed them, in order.
    pub by_kid: Vec<(Kid, u64)>,
}

/// What remains of a purged row: BLAKE3 over `enc(scope id) ‖ enc(token)`. The token is a keyed hash itself, so nothing of
/// the value can be guessed from it.
pub fn tombstone(scope: &Scope, token: &str) -> [u8; 32] {
    let mut input = Vec::with_capacity(128);
    crate::token::enc(&mut input, scope.as_str().as_bytes());
    crate::token::enc(&mut input, token.as_bytes());
    *blake3::hash(&input).as_bytes()
}
