//! Wrappers for plaintext and key bytes: nothing printable, wiped on drop; and the switch for wiping what is not wrapped.

use std::cell::Cell;

use zeroize::{Zeroize, Zeroizing};

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

/// Thirty-two bytes of key material, wiped on drop. They live on the heap, so that moving the value copies no key.
pub(crate) struct KeyBytes(Box<Zeroizing<[u8; 32]>>);

impl KeyBytes {
    /// Takes the key over and wipes the bytes given.
    pub(crate) fn new(bytes: &mut [u8; 32]) -> Self {
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(bytes);
        bytes.zeroize();
        Self(key)
    }

    /// The bytes themselves, for the primitive that needs them.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

thread_local! {
    static WIPING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, [`discard`] on this thread overwrites what it is given.
pub(crate) struct Wiping {
    before: bool,
}

impl Wiping {
    /// Switches wiping on where `wanted`; it is never switched off before the value that switched it on goes.
    pub(crate) fn begin(wanted: bool) -> Self {
        Self { before: WIPING.replace(wanted || WIPING.get()) }
    }
}

impl Drop for Wiping {
    fn drop(&mut self) {
        WIPING.set(self.before);
    }
}

/// Overwrites a buffer that held text, where that is wanted. Frequent and mostly not, so it costs nothing then.
pub(crate) fn discard(buffer: &mut String) {
    if WIPING.get() {
        buffer.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_wiped_only_while_it_is_switched_on() {
        let wiped = || {
            let mut buffer = "text".to_owned();
            discard(&mut buffer);
            buffer.is_empty()
        };
        assert!(!wiped());
        {
            let _outer = Wiping::begin(true);
            assert!(wiped());
            drop(Wiping::begin(false));
            assert!(wiped(), "an inner switch does not end an outer one");
        }
        assert!(!wiped());
    }
}
