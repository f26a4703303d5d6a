//! Surrogates: plausible values without any marker, never reversible.

mod codes;
mod dates;
mod draw;
mod names;
mod places;
mod words;

use std::borrow::Cow;
use std::collections::HashMap;

use self::draw::Draw;
use self::names::People;
use super::keys::random_bytes;
use super::{KeyError, normalise};
use crate::Kind;
use crate::policy::Normalization;
use crate::secret::KeyBytes;

const SEED_CONTEXT: &str = "masker 2026 synthetic seed v1";
/// A surrogate that is the original, or taken, is drawn again this often before a plain label stands in.
const ATTEMPTS: u32 = 64;
/// After as many equal draws in a row it stands in at once.
const REPEATS: u32 = 4;
const WEEK: u32 = 7;
/// No shift of dates is longer, in days, however small epsilon is.
const SHIFT_MAX: u32 = 36_500;

/// Makes surrogates: values of the same kind and form as the originals, from reserved or fictional ranges where there are
/// any.
///
/// - names: from lists of the same script and, for Spanish ones, language; titles, particles and initials kept in their places, so
///   that a person's full name, given name, initials, e-mail address and user name stay one person's
/// - telephone and fax numbers: 555-01xx in the United States and Canada, the numbers that the regulators of Australia, Britain,
///   France, Germany, Ireland and Sweden keep for fiction, elsewhere numbers that nobody is given
/// - SSN: area 900 and up with a group that is no ITIN's; cards, routing, provider and vehicle numbers: their check digits fail
/// - e-mail and web addresses: `example.com`; IP and MAC addresses: the ranges for documentation
/// - dates: all moved by the same number of whole weeks, at most 730/`epsilon` days, written as they were
/// - ZIP codes: the same first digit; addresses: the same parts, and the state where `preserve_locale` holds
/// - everything else: letters for letters, digits for digits
///
/// Under one seed equal values get equal surrogates, on any machine, unless what is drawn stands in the text as an original.
/// Whoever knows the seed can test guesses about the originals, so surrogates of a fixed seed are not a way to de-identify; without
/// one, the key behind them is random and lives as long as this value. A name that is drawn may be somebody's.
///
/// ```
/// use masker_core::{Kind, Synthesizer};
///
/// let synthesizer = Synthesizer::seeded(7, 0.5);
/// let phone = synthesizer.surrogate(&Kind::Phone, "(415) 555-0142", "+14155550142", |_| false);
/// assert_eq!(phone.len(), "(415) 555-0142".len());
/// assert!(phone.contains(") 555-01"));
/// assert_ne!(phone, "(415) 555-0142");
/// ```
#[expect(missing_debug_implementations, reason = "holds a key")]
pub struct Synthesizer {
    key: KeyBytes,
    seeded: bool,
    preserve_locale: bool,
    /// By how many days every date moves.
    shift: i64,
}

/// What a text or a conversation has given out already.
pub(crate) trait Memory {
    /// The surrogate of a part of a name, in lower case both.
    fn word(&self, word: &str) -> Option<String>;

    /// Notes it.
    fn remember(&mut self, word: &str, surrogate: &str);

    /// Whether this, in lower case, is the surrogate of something.
    fn is_used(&self, surrogate: &str) -> bool;
}

/// The memory of one value.
#[derive(Default)]
struct Forgetful(HashMap<String, String>);

impl Memory for Forgetful {
    fn word(&self, word: &str) -> Option<String> {
        self.0.get(word).cloned()
    }

    fn remember(&mut self, word: &str, surrogate: &str) {
        self.0.insert(word.to_owned(), surrogate.to_owned());
    }

    fn is_used(&self, _: &str) -> bool {
        false
    }
}

impl Synthesizer {
    /// Draws from a fixed seed. Dates move by at most 730/`epsilon` days, all by the same number, so their order and
    /// distances stay; and by whole weeks, where that is at least one, so that the days of the week stay as well.
    pub fn seeded(seed: u64, epsilon: f64) -> Self {
        Self::with_key(&mut blake3::derive_key(SEED_CONTEXT, &seed.to_le_bytes()), true, epsilon)
    }

    /// Draws from a random key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the operating system gives no random bytes.
    pub fn random(epsilon: f64) -> Result<Self, KeyError> {
        Ok(Self::with_key(&mut random_bytes()?, false, epsilon))
    }

    /// Sets whether values stay in their script, language and country, and addresses in their state; they do unless told otherwise.
    #[must_use]
    pub fn preserve_locale(self, preserve: bool) -> Self {
        Self { preserve_locale: preserve, ..self }
    }

    fn with_key(key: &mut [u8; 32], seeded: bool, epsilon: f64) -> Self {
        let key = KeyBytes::new(key);
        // A cast of a number out of range, or of none, saturates.
        let most = ((730.0 / epsilon) as u32).clamp(1, SHIFT_MAX);
        let mut draw = Draw::new(&key, "shift", "", 0);
        let unit = if most >= WEEK { WEEK } else { 1 };
        let days = i64::from((draw.below(most / unit) + 1) * unit);
        let shift = if draw.below(2) == 0 { days } else { -days };
        Self { key, seeded, preserve_locale: true, shift }
    }

    /// The surrogate of a value: `original` is the text as it stands, which gives the form, `normalised` what equal values
    /// share ([`normalise`]). It is never the original, nor anything that `is_taken` says is another value of the text.
    pub fn surrogate(
        &self,
        kind: &Kind,
        original: &str,
        normalised: &str,
        is_taken: impl Fn(&str) -> bool,
    ) -> String {
        self.surrogate_among(kind, original, normalised, &mut Forgetful::default(), &is_taken)
    }

    /// The surrogate of a value in a text or conversation that remembers the parts of names.
    pub(crate) fn surrogate_among(
        &self,
        kind: &Kind,
        original: &str,
        normalised: &str,
        memory: &mut dyn Memory,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> String {
        let mut attempt = 0;
        let mut before = String::new();
        let mut repeats = 0;
        loop {
            let text = if attempt < ATTEMPTS {
                self.draw(kind, original, normalised, attempt, memory, is_taken)
            } else {
                // A value without letters and digits, or with too few of them, has no form to fill.
                format!("{} {}", kind.as_str().to_ascii_lowercase(), attempt - ATTEMPTS + 1)
            };
            let is_free = !same_letters(&text, original)
                && normalise(kind, &text, None, Normalization::Value).expose() != normalised
                && !is_taken(&text)
                // Two people's numbers must not become one. With a seed the value decides alone.
                && (self.seeded || *kind == Kind::Name || !memory.is_used(&text.to_lowercase()));
            if is_free {
                return text;
            }
            // A form that leaves nothing to draw gives the same each time.
            repeats = if text == before { repeats + 1 } else { 0 };
            attempt = if repeats == REPEATS { ATTEMPTS.max(attempt + 1) } else { attempt + 1 };
            before = text;
        }
    }

    fn draw(
        &self,
        kind: &Kind,
        original: &str,
        normalised: &str,
        attempt: u32,
        memory: &mut dyn Memory,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> String {
        let mut draw = Draw::new(&self.key, kind.as_str(), normalised, attempt);
        // Spoken values have no digits of their own; their canonical form gives the shape, and the words the style.
        let is_spoken =
            !original.chars().any(char::is_numeric) && normalised.bytes().any(|b| b.is_ascii_digit());
        let form: Cow<'_, str> = if is_spoken { normalised.into() } else { original.into() };
        let mut people = People { synthesizer: self, memory, is_taken, attempt };
        let drawn = match kind {
            Kind::Name => return people.name(original, normalised),
            Kind::Email => return people.email(original, normalised, &mut draw),
            Kind::Username => return people.username(original, normalised, &mut draw),
            Kind::Dob | Kind::Date => {
                let unit = if self.shift.unsigned_abs() >= u64::from(WEEK) { WEEK } else { 1 };
                return dates::date(original, normalised, self.shift + i64::from(attempt * unit), &mut draw);
            }
            Kind::Address => return places::address(original, self.preserve_locale, &mut draw),
            Kind::Organization => return places::organization(original, &mut draw),
            Kind::Url => return places::url(original, &mut draw),
            Kind::IpAddress => return places::ip_address(original, &mut draw),
            Kind::AgeOver89 => return dates::age(original, is_spoken, &mut draw),
            Kind::CreditCard => codes::card(&form, &mut draw),
            Kind::Phone | Kind::Fax => codes::phone(&form, self.preserve_locale, &mut draw),
            Kind::Ssn => codes::ssn(&form, &mut draw),
            Kind::Zip => codes::zip(&form, &mut draw),
            Kind::Password | Kind::Biometric | Kind::Custom(_) => words::shaped(&form, &mut draw),
            _ => codes::code(kind, &form, &mut draw),
        };
        if is_spoken { words::spoken(&drawn) } else { drawn }
    }
}

/// Whether two texts are the same but for letter case.
fn same_letters(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests;
