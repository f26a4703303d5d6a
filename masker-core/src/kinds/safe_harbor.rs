//! The list that the letters of the kinds come from.

/// The eighteen identifiers of the Safe Harbor method, 45 CFR 164.514(b)(2)(i), by letter and in short. Of each but Q, which is
/// not text, there are kinds: those whose [`letter`](super::KindSpec::letter) it is.
///
/// ```
/// use masker_core::kinds::{self, SAFE_HARBOR};
///
/// let (letter, identifier) = SAFE_HARBOR[7];
/// assert_eq!((letter, identifier), ('H', "medical record numbers"));
/// let kinds: Vec<&str> = kinds::specs().filter(|spec| spec.letter == letter).map(|spec| spec.kind.as_str()).collect();
/// assert_eq!(kinds, ["MRN"]);
/// ```
pub const SAFE_HARBOR: [(char, &str); 18] = [
    ('A', "names"),
    ('B', "places smaller than a state"),
    ('C', "dates finer than a year, ages over 89"),
    ('D', "telephone numbers"),
    ('E', "fax numbers"),
    ('F', "e-mail addresses"),
    ('G', "social security numbers"),
    ('H', "medical record numbers"),
    ('I', "health plan numbers"),
    ('J', "account numbers"),
    ('K', "certificate and licence numbers"),
    ('L', "vehicle identifiers"),
    ('M', "device identifiers"),
    ('N', "web addresses"),
    ('O', "IP addresses"),
    ('P', "biometric identifiers"),
    ('Q', "photographs (not text)"),
    ('R', "other unique identifiers"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn every_letter_but_photographs_has_a_kind() {
        for (letter, _) in SAFE_HARBOR {
            let covered = kinds::specs().any(|spec| spec.letter == letter);
            assert_eq!(covered, letter != 'Q', "{letter}");
        }
    }
}
