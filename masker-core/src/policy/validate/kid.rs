//! Names of keys.

use super::Checker;
use super::fields::Field;
use crate::policy::{KidState, PolicyErrorCode as Code};

/// Whether a text can be a key id: `[A-Z][A-Z0-9_]{0,31}`, not ending in `_OLD` or `_FILE`.
///
/// ```
/// use masker_core::policy::is_valid_kid;
///
/// assert!(is_valid_kid("K_HEALTHCARE"));
/// assert!(!is_valid_kid("K_HEALTHCARE_OLD"));
/// ```
pub fn is_valid_kid(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 32
        && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !text.ends_with("_OLD")
        && !text.ends_with("_FILE")
}

impl Checker<'_> {
    pub(super) fn kid(&mut self, field: &Field<'_>) -> Option<String> {
        let kid = self.text(field)?;
        if !is_valid_kid(kid) {
            let message =
                "a kid is 1 to 32 of A-Z, 0-9 and _, starts with a letter, and does not end in _OLD or _FILE";
            self.error(Code::InvalidValue, field.at(), &field.path, message);
            return None;
        }
        match self.loader.keys.map(|keys| keys.check(kid)) {
            Some(KidState::Unknown) => {
                let message = format!("there is no key MASKER_KEY_{kid}");
                self.error(Code::UnknownKid, field.at(), &field.path, message);
            }
            Some(KidState::Invalid) => {
                let message = format!("MASKER_KEY_{kid} is not base64 of exactly 32 bytes");
                self.error(Code::InvalidKey, field.at(), &field.path, message);
            }
            Some(KidState::Known) | None => {}
        }
        Some(kid.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kids_are_names_of_variables() {
        for good in ["K", "K_HEALTHCARE", "EPHEMERAL", "A1_", &"K".repeat(32), "OLD", "K_OLDER"] {
            assert!(is_valid_kid(good), "{good}");
        }
        for bad in ["", "k", "1K", "_K", "K-1", "K_OLD", "K_FILE", &"K".repeat(33), "K\u{c4}"] {
            assert!(!is_valid_kid(bad), "{bad}");
        }
    }
}
