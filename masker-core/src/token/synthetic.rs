//! Surrogates: plausible values without any marker, never reversible.

use std::borrow::Cow;

use super::keys::random_bytes;
use super::normalise::{
    MONTHS, TITLES, WEEKDAYS, WrittenDate, ordinal_suffix, parse_date, position, split_extension,
};
use super::{KeyError, enc, normalise};
use crate::Kind;
use crate::policy::Normalization;
use crate::secret::KeyBytes;

const SEED_CONTEXT: &str = "masker 2026 synthetic seed v1";
/// A surrogate that is the original, or taken, is drawn again this often before a plain label stands in.
const ATTEMPTS: u32 = 64;
const WEEK: u32 = 7;
/// No shift of dates is longer, in days, however small epsilon is.
const SHIFT_MAX: u32 = 36_500;

#[rustfmt::skip]
const GIVEN: [&str; 48] = [
    "Adele", "Alba", "Arlo", "Asha", "Basil", "Beth", "Bruno", "Cara", "Celia", "Clive", "Dana", "Della", "Edgar",
    "Elsa", "Enid", "Ezra", "Faye", "Flora", "Gavin", "Greta", "Hana", "Hugo", "Ida", "Ines", "Ivan", "Jonas",
    "Juno", "Karl", "Kira", "Lars", "Leona", "Lila", "Magnus", "Mina", "Nadia", "Niles", "Odette", "Otis", "Petra",
    "Quinn", "Rhea", "Rufus", "Selma", "Silas", "Tessa", "Viola", "Wanda", "Yara",
];
#[rustfmt::skip]
const FAMILY: [&str; 48] = [
    "Abbott", "Ames", "Barlow", "Beck", "Birch", "Bowen", "Calder", "Conway", "Cross", "Dalton", "Denham", "Drake",
    "Easton", "Ellery", "Farrow", "Finch", "Frost", "Garner", "Glover", "Hale", "Harlow", "Holt", "Ingram", "Joyce",
    "Keller", "Kirby", "Lowell", "Marsh", "Mercer", "Nash", "Norwood", "Oakes", "Paxton", "Pryor", "Quade", "Ramsey",
    "Ridley", "Sawyer", "Sloane", "Stroud", "Thorne", "Tilden", "Upton", "Vance", "Wilder", "Winslow", "Yates", "Zeller",
];
#[rustfmt::skip]
const PLACES: [&str; 24] = [
    "Alder", "Ashby", "Briar", "Brook", "Cedar", "Clover", "Cobble", "Dover", "Fern", "Glen", "Hazel", "Heron",
    "Juniper", "Linden", "Maple", "Meadow", "Orchard", "Poplar", "Quarry", "Rowan", "Sorrel", "Spruce", "Tansy", "Willow",
];
/// Words of addresses that say what a part is and not which.
#[rustfmt::skip]
const ADDRESS_WORDS: [&str; 38] = [
    "and", "apartment", "apt", "ave", "avenue", "blvd", "boulevard", "box", "circle", "court", "ct", "drive", "e",
    "east", "floor", "highway", "hwy", "in", "lane", "ln", "n", "north", "of", "place", "po", "rd", "road", "route",
    "s", "south", "square", "st", "street", "suite", "unit", "w", "way", "west",
];
const AREA_CODES: [&str; 24] = [
    "202", "206", "210", "213", "216", "303", "305", "312", "313", "404", "408", "412", "414", "415", "502",
    "503", "512", "602", "612", "617", "702", "713", "801", "901",
];
const DIGIT_WORDS: [&str; 10] =
    ["oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// Documentation ranges of RFC 5737.
const TEST_NETS: [&str; 3] = ["192.0.2", "198.51.100", "203.0.113"];

/// Makes surrogates: values of the same kind and form as the originals, from reserved or fictional ranges where there are
/// any.
///
/// Under one seed equal values get equal surrogates, on any machine. Whoever knows the seed can test guesses about the
/// originals, so surrogates of a fixed seed are not a way to de-identify; without one, the key behind them is random and
/// lives as long as this value.
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
    /// By how many days every date moves.
    shift: i64,
}

impl Synthesizer {
    /// Draws from a fixed seed. Dates move by at most 730/`epsilon` days, all by the same number, so their order and
    /// distances stay; and by whole weeks, where that is at least one, so that the days of the week stay as well.
    pub fn seeded(seed: u64, epsilon: f64) -> Self {
        Self::with_key(&mut blake3::derive_key(SEED_CONTEXT, &seed.to_le_bytes()), epsilon)
    }

    /// Draws from a random key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the operating system gives no random bytes.
    pub fn random(epsilon: f64) -> Result<Self, KeyError> {
        Ok(Self::with_key(&mut random_bytes()?, epsilon))
    }

    fn with_key(key: &mut [u8; 32], epsilon: f64) -> Self {
        let key = KeyBytes::new(key);
        // A cast of a number out of range, or of none, saturates.
        let most = ((730.0 / epsilon) as u32).clamp(1, SHIFT_MAX);
        let mut draw = Draw::new(&key, "shift", "", 0);
        let unit = if most >= WEEK { WEEK } else { 1 };
        let days = i64::from((draw.below(most / unit) + 1) * unit);
        let shift = if draw.below(2) == 0 { days } else { -days };
        Self { key, shift }
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
        let is_free = |text: &str| {
            !text.eq_ignore_ascii_case(original)
                && normalise(kind, text, None, Normalization::Value).expose() != normalised
                && !is_taken(text)
        };
        let mut attempt = 0;
        loop {
            let text = if attempt < ATTEMPTS {
                self.draw(kind, original, normalised, attempt)
            } else {
                // A value without letters and digits, or with too few of them, has no form to fill.
                format!("{} {}", kind.as_str().to_ascii_lowercase(), attempt - ATTEMPTS + 1)
            };
            if is_free(&text) {
                return text;
            }
            attempt += 1;
        }
    }

    fn draw(&self, kind: &Kind, original: &str, normalised: &str, attempt: u32) -> String {
        let mut draw = Draw::new(&self.key, kind.as_str(), normalised, attempt);
        // Spoken values have no digits of their own; their canonical form gives the shape, and the words the style.
        let is_spoken =
            !original.bytes().any(|b| b.is_ascii_digit()) && normalised.bytes().any(|b| b.is_ascii_digit());
        let form: Cow<'_, str> = if is_spoken { normalised.into() } else { original.into() };
        let drawn = match kind {
            Kind::Name => return self.name(original, attempt),
            Kind::Dob | Kind::Date => return self.date(original, normalised, attempt, &mut draw),
            Kind::Email => return self.email(original, normalised, attempt, &mut draw),
            Kind::Address => return address(original, &mut draw),
            Kind::Organization => {
                return format!("{} {}", draw.pick(&PLACES), draw.pick(&["Group", "Partners", "Works"]));
            }
            Kind::Url => return url(original, &mut draw),
            Kind::IpAddress => return ip_address(original, &mut draw),
            Kind::AgeOver89 => age(&form, &mut draw),
            Kind::CreditCard => card(&form, &mut draw),
            Kind::Phone | Kind::Fax => phone(&form, &mut draw),
            Kind::Ssn => ssn(&form, &mut draw),
            Kind::Zip => zip(&form, &mut draw),
            _ => shaped(&form, &mut draw),
        };
        if is_spoken { spoken(&drawn) } else { drawn }
    }

    /// A name of as many words in the same case, titles kept. Each word has its own surrogate, so that the given name alone
    /// stays the one of the full name.
    fn name(&self, original: &str, attempt: u32) -> String {
        let words = original.split_whitespace().count();
        let mut index = 0;
        replace_words(original, |word| {
            index += 1;
            let folded = word.to_lowercase();
            if TITLES.contains(&folded.as_str()) && words > 1 {
                return word.to_owned();
            }
            if word.chars().count() == 1 {
                let mut draw = Draw::new(&self.key, "name", &folded, attempt);
                return match_case(word, &char::from(b'a' + draw.below(26) as u8).to_string());
            }
            let list = if index > 1 && index >= words { &FAMILY } else { &GIVEN };
            match_case(word, self.name_for(&folded, list, attempt))
        })
    }

    /// The surrogate of one word of a name, in lower case.
    fn name_for(&self, folded: &str, list: &[&'static str], attempt: u32) -> &'static str {
        let mut draw = Draw::new(&self.key, "name", folded, attempt);
        loop {
            let drawn = draw.pick(list);
            if !drawn.eq_ignore_ascii_case(folded) {
                return drawn;
            }
        }
    }

    /// An address whose owner has the name that the words of the original's local part have elsewhere, so that a person stays
    /// one. The number tells owners of one name apart.
    fn email(&self, original: &str, normalised: &str, attempt: u32, draw: &mut Draw) -> String {
        let local = normalised.split('@').next().unwrap_or_default().to_lowercase();
        let mut words = local.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 1);
        let (first, last) = (words.next(), words.next_back());
        let given = first.map_or_else(|| draw.pick(&GIVEN), |word| self.name_for(word, &GIVEN, attempt));
        let family = last.map_or_else(|| draw.pick(&FAMILY), |word| self.name_for(word, &FAMILY, attempt));
        let number = draw.below(90) + 10;
        if original.contains('@') {
            let address = format!("{given}.{family}{number}@example.com");
            if original.bytes().any(|b| b.is_ascii_lowercase()) {
                address.to_lowercase()
            } else {
                address.to_uppercase()
            }
        } else {
            let digits = spoken(&number.to_string());
            format!("{given} dot {family} {digits} at example dot com").to_lowercase()
        }
    }

    fn date(&self, original: &str, normalised: &str, attempt: u32, draw: &mut Draw) -> String {
        let unit = if self.shift.unsigned_abs() >= u64::from(WEEK) { WEEK } else { 1 };
        let shift = self.shift + i64::from(attempt * unit);
        // Places in the lower-case text are those of the original only where no letter changes its length.
        if let Some(date) = parse_date(original).filter(|_| original.is_ascii()) {
            return write_date(original, &date, shift);
        }
        match parse_date(normalised) {
            Some(date) => {
                let (year, month, day) = moved(&date, shift);
                let month = match_case(original.trim(), MONTHS[month as usize - 1]);
                match (date.day, date.year) {
                    (Some(_), Some(_)) => format!("{month} {day} {year}"),
                    (Some(_), None) => format!("{month} {day}"),
                    (None, _) => format!("{month} {year}"),
                }
            }
            None => shaped(original, draw),
        }
    }
}

/// A stream of numbers that a key, a kind, a value and an attempt determine.
struct Draw(blake3::OutputReader);

impl Draw {
    fn new(key: &KeyBytes, kind: &str, value: &str, attempt: u32) -> Self {
        let mut input = zeroize::Zeroizing::new(Vec::with_capacity(64));
        enc(&mut input, kind.as_bytes());
        enc(&mut input, value.as_bytes());
        input.extend_from_slice(&attempt.to_le_bytes());
        let mut hasher = blake3::Hasher::new_keyed(key.expose());
        hasher.update(&input);
        Self(hasher.finalize_xof())
    }

    /// A number below `limit`, which is above 0. The bias of the reduction is below 2^-32.
    fn below(&mut self, limit: u32) -> u32 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        ((u128::from(u64::from_le_bytes(bytes)) * u128::from(limit)) >> 64) as u32
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u32) as usize]
    }

    fn digit(&mut self) -> char {
        char::from(b'0' + self.below(10) as u8)
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.digit()).collect()
    }
}

/// Letters for letters of the same case, digits for digits, everything else kept.
fn shaped(form: &str, draw: &mut Draw) -> String {
    form.chars()
        .map(|c| match c {
            _ if c.is_numeric() => draw.digit(),
            _ if c.is_uppercase() => char::from(b'A' + draw.below(26) as u8),
            _ if c.is_alphabetic() => char::from(b'a' + draw.below(26) as u8),
            _ => c,
        })
        .collect()
}

fn digits_of(form: &str) -> String {
    form.chars().filter(char::is_ascii_digit).collect()
}

/// Puts `digits` where the digits of the form are; those beyond them are drawn.
fn fill(form: &str, digits: &str, draw: &mut Draw) -> String {
    let mut digits = digits.chars();
    form.chars()
        .map(|c| if c.is_ascii_digit() { digits.next().unwrap_or_else(|| draw.digit()) } else { c })
        .collect()
}

/// 555-01xx, the range that is never given out; the country stays.
fn phone(form: &str, draw: &mut Draw) -> String {
    let (number, _) = split_extension(form);
    let old = digits_of(number);
    let area = draw.pick(&AREA_CODES);
    let local = format!("55501{}", draw.digits(2));
    let new = match old.len() {
        7 => local,
        10 => area.to_owned() + &local,
        11 if old.starts_with('1') => format!("1{area}{local}"),
        // London numbers from 020 7946 0000 on are kept for drama.
        12 if old.starts_with("44") => format!("442079460{}", draw.digits(3)),
        _ if number.trim_start().starts_with('+') => old[..old.len().min(2)].to_owned(),
        _ => String::new(),
    };
    fill(form, &new, draw)
}

/// Area 900 and up, group 01 to 49: neither a social security number nor an ITIN.
fn ssn(form: &str, draw: &mut Draw) -> String {
    let new = if digits_of(form).len() == 9 {
        format!("9{}{:02}{}", draw.digits(2), draw.below(49) + 1, draw.digits(4))
    } else {
        String::new()
    };
    fill(form, &new, draw)
}

/// Fails the Luhn check, so that it can be nobody's card.
fn card(form: &str, draw: &mut Draw) -> String {
    let mut digits = draw.digits(digits_of(form).len());
    if passes_luhn(&digits)
        && let Some(last) = digits.pop().and_then(|last| last.to_digit(10))
    {
        digits.extend(char::from_digit((last + 1) % 10, 10));
    }
    fill(form, &digits, draw)
}

fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| match u32::from(b - b'0') << (i % 2) {
            doubled @ 10.. => doubled - 9,
            value => value,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn zip(form: &str, draw: &mut Draw) -> String {
    let first: String = digits_of(form).chars().take(1).collect();
    fill(form, &first, draw)
}

fn age(form: &str, draw: &mut Draw) -> String {
    let new = (90 + draw.below(10)).to_string();
    match form.find(|c: char| c.is_ascii_digit()) {
        Some(start) => {
            let rest = form[start..].trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{}{new}{rest}", &form[..start])
        }
        None => new,
    }
}

fn url(original: &str, draw: &mut Draw) -> String {
    let scheme = original.find("://").map_or("", |at| &original[..at + 3]);
    let page = format!("{}-{}", draw.pick(&PLACES), draw.below(9_000) + 1_000).to_lowercase();
    format!("{scheme}example.com/{page}")
}

/// A host of the documentation ranges, RFC 5737 and RFC 3849.
fn ip_address(original: &str, draw: &mut Draw) -> String {
    if original.contains(':') {
        format!("2001:db8::{:x}:{:x}", draw.below(0xffff) + 1, draw.below(0xffff) + 1)
    } else {
        format!("{}.{}", draw.pick(&TEST_NETS), draw.below(254) + 1)
    }
}

fn address(original: &str, draw: &mut Draw) -> String {
    replace_words(original, |word| {
        if ADDRESS_WORDS.contains(&word.to_lowercase().as_str()) {
            word.to_owned()
        } else if word.bytes().any(|b| b.is_ascii_digit()) {
            shaped(word, draw)
        } else {
            match_case(word, draw.pick(&PLACES))
        }
    })
}

/// Replaces every run of letters and digits, with the apostrophes and hyphens inside it taken as letters; a possessive
/// ending stays.
fn replace_words(text: &str, mut replace: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_inside = |c: char| c.is_alphanumeric() || c == '\'' || c == '’' || c == '-';
        let word = &rest[..rest.find(|c| !is_inside(c)).unwrap_or(rest.len())];
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let word = word
            .strip_suffix("'s")
            .or_else(|| word.strip_suffix("’s"))
            .filter(|w| !w.is_empty())
            .unwrap_or(word);
        out.push_str(&replace(word));
        rest = &rest[word.len()..];
        // What is left of a possessive is no word of its own.
        for ending in ["'s", "’s"] {
            if let Some(after) = rest.strip_prefix(ending) {
                out.push_str(ending);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// `word` in the letter case of `model`.
fn match_case(model: &str, word: &str) -> String {
    let mut letters = model.chars().filter(|c| c.is_alphabetic());
    let first_upper = letters.next().is_some_and(char::is_uppercase);
    let rest_lower = letters.clone().any(char::is_lowercase);
    let has_rest = letters.next().is_some();
    let word = word.to_lowercase();
    match (first_upper, has_rest && !rest_lower) {
        (true, true) => word.to_uppercase(),
        (true, false) => word[..1].to_uppercase() + &word[1..],
        (false, _) => word,
    }
}

/// Digits as words and letters one by one, as a caller says them.
fn spoken(form: &str) -> String {
    let words: Vec<Cow<'_, str>> = form
        .chars()
        .filter_map(|c| match c.to_digit(10) {
            Some(digit) => Some(DIGIT_WORDS[digit as usize].into()),
            None => c.is_alphabetic().then(|| c.to_lowercase().to_string().into()),
        })
        .collect();
    words.join(" ")
}

/// The date `shift` days later; a missing year counts as 2000 and a missing day as the 15th.
fn moved(date: &WrittenDate, shift: i64) -> (i64, u32, u32) {
    let year = i64::from(date.full_year().unwrap_or(2000));
    let day = date.day.map_or(15, |day| day.value);
    civil(days(year, date.month.value, day) + shift)
}

/// The date moved and written as the original is: order, separators, names, leading zeros, endings, case.
fn write_date(original: &str, date: &WrittenDate, shift: i64) -> String {
    let (year, month, day) = moved(date, shift);
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    if let Some(part) = date.year {
        let text = if part.len == 2 { format!("{:02}", year % 100) } else { format!("{year:04}") };
        edits.push((part.at, part.len, text));
    }
    let part = date.month;
    if part.is_word {
        let name = MONTHS[month as usize - 1];
        let model = &original[part.at..part.at + part.len];
        let is_short = part.len < MONTHS[part.value as usize - 1].len();
        edits.push((part.at, part.len, match_case(model, if is_short { &name[..3] } else { name })));
    } else {
        edits.push((part.at, part.len, padded(month, part.len)));
    }
    if let Some(part) = date.day {
        let suffix = ordinal_suffix(&original[part.at + part.len..]);
        let ending = if suffix.is_empty() { String::new() } else { match_case(suffix, ordinal(day)) };
        edits.push((part.at, part.len + suffix.len(), padded(day, part.len) + &ending));
    }
    edits.sort_unstable_by_key(|edit| edit.0);
    let mut out = String::with_capacity(original.len() + 8);
    let mut at = 0;
    // 1970-01-01 was a Thursday.
    let weekday = WEEKDAYS[(days(year, month, day) + 3).rem_euclid(7) as usize];
    let between = |text: &str| {
        replace_words(text, |word| match position(&WEEKDAYS, &word.to_lowercase()) {
            Some(old) if word.len() < WEEKDAYS[old].len() => match_case(word, &weekday[..3]),
            Some(_) => match_case(word, weekday),
            None => word.to_owned(),
        })
    };
    for (start, len, text) in edits {
        out.push_str(&between(&original[at..start]));
        out.push_str(&text);
        at = start + len;
    }
    out.push_str(&between(&original[at..]));
    out
}

/// A number with a leading zero where the place had two digits.
fn padded(value: u32, len: usize) -> String {
    if len == 2 { format!("{value:02}") } else { value.to_string() }
}

fn ordinal(day: u32) -> &'static str {
    match (day / 10, day % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is the last.
pub(super) fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`].
pub(crate) fn civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn make(seed: u64, kind: &Kind, text: &str) -> String {
        let form = normalise(kind, text, None, Normalization::Value);
        Synthesizer::seeded(seed, 0.5).surrogate(kind, text, form.expose(), |_| false)
    }

    fn shape(text: &str) -> String {
        let sign = |c: char| if c.is_ascii_digit() { '9' } else { c };
        text.chars().map(sign).collect()
    }

    #[test]
    fn numbers_keep_their_form_and_are_nobodys() {
        for seed in 0..200 {
            let phone = make(seed, &Kind::Phone, "(415) 555-0142");
            assert_eq!(shape(&phone), "(999) 999-9999");
            assert!(phone.contains(" 555-01"), "{phone}");
            assert!(make(seed, &Kind::Phone, "+44 20 7946 0958").starts_with("+44 20 7946 0"));
            assert!(make(seed, &Kind::Phone, "+1 415 555 0142").starts_with("+1 "));

            let ssn = make(seed, &Kind::Ssn, "900-12-3456");
            assert_eq!(shape(&ssn), "999-99-9999");
            assert!(ssn.starts_with('9') && (1..50).contains(&ssn[4..6].parse::<u32>().unwrap()), "{ssn}");

            let card = make(seed, &Kind::CreditCard, "4111 1111 1111 1111");
            assert_eq!(shape(&card), "9999 9999 9999 9999");
            assert!(!passes_luhn(&digits_of(&card)), "{card}");

            let zip = make(seed, &Kind::Zip, "94110-1234");
            assert!(shape(&zip) == "99999-9999" && zip.starts_with('9'), "{zip}");
            let age: u32 = make(seed, &Kind::AgeOver89, "93").parse().unwrap();
            assert!((90..100).contains(&age) && age != 93);
        }
        assert!(passes_luhn("4111111111111111"));
    }

    #[test]
    fn names_keep_words_case_and_titles() {
        let full = make(1, &Kind::Name, "Dr. Sarah Chen");
        assert!(full.starts_with("Dr. ") && full.split(' ').count() == 3, "{full}");
        let given = make(1, &Kind::Name, "Sarah");
        assert_eq!(full.split(' ').nth(1), Some(given.as_str()), "the given name stays one person's");
        assert_eq!(make(1, &Kind::Name, "SARAH"), given.to_uppercase());
        assert_eq!(make(1, &Kind::Name, "sarah's"), format!("{}'s", given.to_lowercase()));
        assert_eq!(make(1, &Kind::Name, "Ann B Reed").split(' ').nth(1).map(str::len), Some(1));
    }

    #[test]
    fn a_person_stays_one_over_names_and_addresses() {
        for seed in 0..50 {
            let full = make(seed, &Kind::Name, "Sarah Chen").to_lowercase();
            let (given, family) = full.split_once(' ').unwrap();
            assert_eq!(make(seed, &Kind::Name, "sarah"), given);
            assert_eq!(make(seed, &Kind::Name, "Ms. Chen").to_lowercase(), format!("ms. {family}"));
            for address in ["sarah.chen@example.org", "Sarah_Chen7@example.org", "SARAH-M-CHEN@EXAMPLE.ORG"] {
                let new = make(seed, &Kind::Email, address).to_lowercase();
                assert!(new.starts_with(&format!("{given}.{family}")), "{full} wrote from {new}");
                assert!(new.ends_with("@example.com"));
            }
            let form = "sarah.chen@example.org";
            let said = Synthesizer::seeded(seed, 0.5).surrogate(
                &Kind::Email,
                "sarah dot chen at example dot org",
                form,
                |_| false,
            );
            assert!(said.starts_with(&format!("{given} dot {family} ")), "{said}");
            let alone = make(seed, &Kind::Email, "sarah42@example.org");
            assert!(alone.starts_with(&format!("{given}.")), "{alone}");
        }
    }

    #[test]
    fn dates_move_together_and_keep_their_form() {
        for seed in 0..100 {
            let synthesizer = Synthesizer::seeded(seed, 0.5);
            let iso = |text: &str| normalise(&Kind::Date, text, None, Normalization::Value);
            let number = |text: &str| {
                let form = iso(text);
                let date = parse_date(form.expose()).unwrap();
                days(i64::from(date.full_year().unwrap()), date.month.value, date.day.unwrap().value)
            };
            let move_date =
                |text: &str| synthesizer.surrogate(&Kind::Date, text, iso(text).expose(), |_| false);
            let moved_by = number(&move_date("1982-03-14")) - number("1982-03-14");
            assert!(moved_by != 0 && moved_by.abs() <= 1_460, "{moved_by}");
            for text in
                ["3/4/1982", "03/14/1982", "March 14th, 1982", "MAR 14 1982", "14 march 1982", "03141982"]
            {
                let new = move_date(text);
                assert_eq!(number(&new) - number(text), moved_by, "{text} became {new}");
                assert_eq!(new.contains(','), text.contains(','));
            }
            // 14 March 1982 was a Sunday.
            let new = move_date("Sunday, March 14, 1982");
            let weekday = WEEKDAYS[(number(&new) + 3).rem_euclid(7) as usize];
            assert!(new.to_lowercase().starts_with(weekday), "{new}");
            assert_eq!(weekday, "sunday", "whole weeks keep the days of the week");
        }
        for (text, day) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("1969-12-31", -1)] {
            let date = parse_date(text).unwrap();
            let parts = (1970.max(date.full_year().unwrap()), date.month.value, date.day.unwrap().value);
            let year = i64::from(date.full_year().unwrap());
            assert_eq!(days(year, parts.1, parts.2), day);
            assert_eq!(civil(day), (year, parts.1, parts.2));
        }
        assert_eq!(Synthesizer::seeded(1, 1e9).shift.abs(), 1, "a large epsilon stays close");
        assert!(Synthesizer::seeded(1, f64::NAN).shift.abs() <= i64::from(SHIFT_MAX));
    }

    #[test]
    fn spoken_values_stay_spoken() {
        let synthesizer = Synthesizer::seeded(3, 0.5);
        let say = |kind, text, form| synthesizer.surrogate(&kind, text, form, |_| false);
        let phone = say(Kind::Phone, "four one five five five five oh one four two", "+14155550142");
        assert!(phone.contains("five five five oh one"), "{phone}");
        assert!(!phone.bytes().any(|b| b.is_ascii_digit()));
        let email = say(Kind::Email, "jane dot doe at example dot com", "jane.doe@example.com");
        assert!(email.ends_with(" at example dot com"), "{email}");
        let date = say(Kind::Dob, "march third eighty two", "1982-03-03");
        assert!(MONTHS.iter().any(|month| date.starts_with(month)), "{date}");
    }

    #[test]
    fn contacts_are_reserved_ones() {
        assert!(make(1, &Kind::Email, "Jane.Doe@example.org").ends_with("@example.com"));
        assert!(make(1, &Kind::Url, "https://example.org/a").starts_with("https://example.com/"));
        let ip = make(1, &Kind::IpAddress, "192.0.2.7");
        assert!(TEST_NETS.iter().any(|net| ip.starts_with(net)));
        assert!(make(1, &Kind::IpAddress, "2001:db8::1").starts_with("2001:db8::"));
        let address = make(1, &Kind::Address, "12 Elm Street, Apt 4");
        assert!(address.contains(" Street, Apt ") && !address.contains("Elm"), "{address}");
    }

    #[test]
    fn taken_values_are_avoided_and_a_form_without_letters_gets_a_label() {
        let synthesizer = Synthesizer::seeded(9, 0.5);
        let first = synthesizer.surrogate(&Kind::Phone, "415-555-0142", "+14155550142", |_| false);
        let second =
            synthesizer.surrogate(&Kind::Phone, "415-555-0142", "+14155550142", |text| text == first);
        assert_ne!(first, second);
        assert_eq!(synthesizer.surrogate(&Kind::Id, "--", "--", |_| false), "id 1");
        assert_eq!(synthesizer.surrogate(&Kind::Id, "7", "7", |text| text.len() == 1), "id 1");
    }

    #[test]
    fn seeds_matter_and_random_keys_differ() {
        let dashed = make(1, &Kind::Mrn, "mrn-4827193");
        assert_eq!(make(1, &Kind::Mrn, "MRN4827193"), dashed.replace('-', "").to_uppercase());
        assert_ne!(make(1, &Kind::Mrn, "4827193"), make(2, &Kind::Mrn, "4827193"));
        let random =
            || Synthesizer::random(0.5).unwrap().surrogate(&Kind::Mrn, "4827193482", "4827193482", |_| false);
        assert_ne!(random(), random());
    }

    proptest! {
        #[test]
        fn never_the_original(seed: u64, text in "\\PC{0,24}|[0-9]{1,3}|[A-Z][a-z]{1,6} [A-Z][a-z]{1,6}", epsilon in 0.001f64..10.0) {
            let synthesizer = Synthesizer::seeded(seed, epsilon);
            for kind in Kind::BUILT_IN {
                let form = normalise(kind, &text, None, Normalization::Value);
                let surrogate = synthesizer.surrogate(kind, &text, form.expose(), |_| false);
                prop_assert!(!surrogate.eq_ignore_ascii_case(&text), "{}", kind);
                prop_assert_eq!(surrogate, synthesizer.surrogate(kind, &text, form.expose(), |_| false));
            }
        }
    }
}
