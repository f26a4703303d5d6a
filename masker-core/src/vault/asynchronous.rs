//! Vault calls that wait on threads of their own.

use std::fmt;
use std::sync::Arc;

use super::{
    Checked, Rewrap, Selection, Transfer, Vault, VaultError, VaultStats, export, read_export, rewrap, verify,
};
use crate::token::{KeyRing, Kid};

/// Runs `call` on a thread for blocking work and waits for it without holding up the executor, whichever that is.
///
/// Up to 500 such threads are started as they are needed, and end when they are idle. When the future is dropped first, a call that
/// has begun still runs to its end: what it wrote stays written.
///
/// ```
/// use masker_core::{Masker, off_executor};
///
/// # futures_lite::future::block_on(async {
/// let masker = Masker::new()?;
/// let found = off_executor(move || masker.detect("my email is ada@example.com")).await?;
/// assert_eq!(found.len(), 1);
/// # Ok::<(), masker_core::Error>(())
/// # }).unwrap();
/// ```
///
/// # Panics
///
/// Where `call` panics.
pub async fn off_executor<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    blocking::unblock(call).await
}

/// A vault whose calls do not hold up an executor; see [`off_executor`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vault.db");
/// # #[cfg(feature = "vault-sqlite")]
/// # futures_lite::future::block_on(async {
/// use masker_core::vault::Selection;
/// use masker_core::{AsyncVault, SqliteVault};
///
/// let vault = AsyncVault::open(move || SqliteVault::open(path)).await?;
/// assert_eq!(vault.stats().await?.rows, 0);
/// assert_eq!(vault.delete(Selection::Subject("f00d".to_owned())).await?, 0);
/// # Ok::<(), masker_core::VaultError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct AsyncVault {
    vault: Arc<dyn Vault>,
}

impl AsyncVault {
    /// Wraps a vault that is open.
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault }
    }

    /// Opens a vault, which waits for files and servers as well.
    ///
    /// # Errors
    ///
    /// Those of `open`.
    pub async fn open<V: Vault + 'static>(
        open: impl FnOnce() -> Result<V, VaultError> + Send + 'static,
    ) -> Result<Self, VaultError> {
        Ok(Self::new(off_executor(move || open().map(Arc::new)).await?))
    }

    /// The vault itself, for a [`MaskerBuilder`](crate::MaskerBuilder).
    pub fn vault(&self) -> Arc<dyn Vault> {
        Arc::clone(&self.vault)
    }

    /// Any call of the vault.
    pub async fn run<T: Send + 'static>(&self, call: impl FnOnce(&dyn Vault) -> T + Send + 'static) -> T {
        let vault = self.vault();
        off_executor(move || call(&*vault)).await
    }

    /// [`Vault::stats`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn stats(&self) -> Result<VaultStats, VaultError> {
        self.run(|vault| vault.stats()).await
    }

    /// [`Vault::count`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn count(&self, which: Selection) -> Result<u64, VaultError> {
        self.run(move |vault| vault.count(&which)).await
    }

    /// [`Vault::delete`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn delete(&self, which: Selection) -> Result<u64, VaultError> {
        self.run(move |vault| vault.delete(&which)).await
    }

    /// [`verify`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn verify(&self, keys: KeyRing) -> Result<Checked, VaultError> {
        self.run(move |vault| verify(&keys, vault)).await
    }

    /// [`rewrap`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn rewrap(&self, keys: KeyRing, from: Option<Kid>, to: Kid) -> Result<Rewrap, VaultError> {
        self.run(move |vault| rewrap(&keys, vault, from.as_ref(), &to)).await
    }

    /// [`export`] into `out`, which comes back with the counts.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn export<W: std::io::Write + Send + 'static>(
        &self,
        keys: KeyRing,
        kid: Kid,
        mut out: W,
    ) -> Result<(W, Transfer), VaultError> {
        self.run(move |vault| export(&keys, &kid, vault, &mut out).map(|done| (out, done))).await
    }

    /// [`import`](super::import).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn import(
        &self,
        keys: KeyRing,
        mut input: impl std::io::Read + Send + 'static,
    ) -> Result<Transfer, VaultError> {
        self.run(move |vault| read_export(&keys, &mut input)?.merge_into(vault)).await
    }
}

impl fmt::Debug for AsyncVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncVault").finish_non_exhaustive()
    }
}
