//! Wrappers for plaintext and key bytes: nothing printable, wiped on drop.

use zeroize::Zeroizing;

/// Text that must not be seen: an original, or its normalised form.
///
/// It has no `Debug`, `Display`, `Clone` or `Serialize`, and its memory is wiped when it is dropped.
///
/// ```
/// use masker_core::SecretText;
///
/// let secret = SecretText::new("415-555-0142".to_owned());
/// assert_eq!(secret.expose(), "415-555-0142");
/// ```
#[expect(missing_debug_implementations, reason = "a secret must not be printable")]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over. The caller's buffer becomes the wiped one; earlier copies are the caller's concern.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Every use of this method is a place where plaintext leaves its wrapper.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Wraps a copy of decrypted bytes, or `None` where they are not UTF-8.
    pub(crate) fn from_utf8(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Self::new(text.to_owned()))
    }
}

/// Thirty-two bytes of key material, wiped on drop.
pub(crate) struct KeyBytes(Zeroizing<[u8; 32]>);

impl KeyBytes {
    /// Takes the key over.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves, for the primitive that needs them.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}
