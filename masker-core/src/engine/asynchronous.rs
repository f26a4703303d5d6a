//! The calls that use the vault, for asynchronous code.

use super::{Masked, Masker, Restored};
use crate::Error;
use crate::vault::off_executor;

impl Masker {
    /// [`Masker::mask`] on a thread for blocking work, so that a vault in a file or a database holds up no executor; see
    /// [`off_executor`](crate::off_executor), which takes every other call of this type in the same way.
    ///
    /// With a vault in memory [`Masker::mask`] itself takes microseconds and waits for nobody: call that one.
    ///
    /// ```
    /// use masker_core::Masker;
    ///
    /// # futures_lite::future::block_on(async {
    /// let masker = Masker::new()?;
    /// let masked = masker.mask_async("my email is ada@example.com").await?;
    /// assert_eq!(masker.rehydrate_async(masked.text).await?.text, "my email is ada@example.com");
    /// # Ok::<(), masker_core::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Masker::mask`].
    pub async fn mask_async(&self, text: impl Into<String>) -> Result<Masked, Error> {
        let (masker, text) = (self.clone(), text.into());
        off_executor(move || masker.mask(&text)).await
    }

    /// [`Masker::mask_batch`] on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// As [`Masker::mask_batch`].
    pub async fn mask_batch_async(&self, texts: Vec<String>) -> Result<Vec<Masked>, Error> {
        let masker = self.clone();
        off_executor(move || masker.mask_batch(&texts)).await
    }

    /// [`Masker::rehydrate`] on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// As [`Masker::rehydrate`].
    pub async fn rehydrate_async(&self, text: impl Into<String>) -> Result<Restored, Error> {
        let (masker, text) = (self.clone(), text.into());
        off_executor(move || masker.rehydrate(&text)).await
    }

    /// [`Masker::rehydrate_batch`] on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// As [`Masker::rehydrate_batch`].
    pub async fn rehydrate_batch_async(&self, texts: Vec<String>) -> Result<Vec<Restored>, Error> {
        let masker = self.clone();
        off_executor(move || masker.rehydrate_batch(&texts)).await
    }
}
