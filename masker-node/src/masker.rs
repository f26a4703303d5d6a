use masker_core::Masker;
use napi_derive::napi;

use crate::errors::to_js;

/// Masks text with the policy `healthcare-default` and a random key that lives as long as this value. Originals are kept
/// encrypted in memory; nothing is written or sent anywhere.
#[derive(Debug)]
#[napi(js_name = "Masker")]
pub struct JsMasker {
    inner: Masker,
}

#[napi]
impl JsMasker {
    /// Makes a masker that works at once.
    ///
    /// @throws with the core's `code`
    #[napi(constructor)]
    pub fn new() -> Result<Self, napi::Error<&'static str>> {
        let inner = Masker::new().map_err(|error| to_js(&error))?;
        Ok(Self { inner })
    }

    /// Returns the text with every piece of PHI replaced.
    ///
    /// @throws with the core's `code`, and then no text was produced
    #[napi]
    pub fn mask_sync(&self, text: String) -> Result<String, napi::Error<&'static str>> {
        self.inner.mask(&text).map(|masked| masked.text).map_err(|error| to_js(&error))
    }

    /// Whether the key dies with this value.
    #[napi(getter)]
    pub fn is_ephemeral(&self) -> bool {
        self.inner.is_ephemeral()
    }
}
