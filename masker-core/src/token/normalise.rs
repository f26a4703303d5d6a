//! The form of a value under which it is compared: equal forms share a token.
//!
//! The result goes into every vault token, so a change here is a new token version.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::Kind;
use crate::policy::Normalization;
use crate::secret::SecretText;

/// Words before a name that are not part of it.
pub(super) const TITLES: [&str; 12] =
    ["mr", "mrs", "ms", "miss", "mx", "dr", "doctor", "prof", "professor", "rev", "reverend", "sir"];
pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
pub(super) const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Two-digit years up to this one are of this century.
const LAST_SHORT_YEAR: u32 = 29;

/// Brings a value into the form under which it is compared.
///
/// `source` is the text as it stands; `canonical` is the written form of a spoken one ("4155550142" for "four one five…"),
/// where the detector supplies it. [`Normalization::Exact`] takes `source` as it is.
///
/// - telephone and fax numbers: E.164, a number without a country taken as one of the United States; an extension
///   follows as `;ext=`
/// - SSN, card, account, record, plan, licence, vehicle, device and other numbers: upper-case letters and digits
/// - e-mail addresses: lower case
/// - names: case folded, single spaces, without the titles before them
/// - dates: ISO 8601, month before day where digits leave it open; `--MM-DD` without a year
/// - everything else: trimmed, single spaces
///
/// each after Unicode normalisation form KC. A value that does not have the shape of its kind falls back to the last rule,
/// in lower case where case says nothing.
///
/// ```
/// use masker_core::{Kind, Normalization, normalise};
///
/// let form = |kind, text, canonical| normalise(&kind, text, canonical, Normalization::Value);
/// assert_eq!(form(Kind::Phone, "(415) 555-0142", None).expose(), "+14155550142");
/// assert_eq!(form(Kind::Phone, "four one five…", Some("4155550142")).expose(), "+14155550142");
/// assert_eq!(form(Kind::Name, "Dr.  Sarah CHEN", None).expose(), "sarah chen");
/// assert_eq!(form(Kind::Dob, "March 14th, 1982", None).expose(), "1982-03-14");
/// ```
pub fn normalise(kind: &Kind, source: &str, canonical: Option<&str>, mode: Normalization) -> SecretText {
    if mode == Normalization::Exact {
        return SecretText::new(source.to_owned());
    }
    let composed = compose(canonical.unwrap_or(source));
    let text = &*composed;
    let form = match kind {
        Kind::Phone | Kind::Fax => phone(text).unwrap_or_else(|| single_spaces(text).to_lowercase()),
        Kind::Ssn
        | Kind::CreditCard
        | Kind::Account
        | Kind::Mrn
        | Kind::HealthPlan
        | Kind::License
        | Kind::Vehicle
        | Kind::Device
        | Kind::Id => compact(text).unwrap_or_else(|| single_spaces(text)),
        Kind::Email => text.trim().to_lowercase(),
        Kind::Name => name(text),
        Kind::Dob | Kind::Date => date(text).unwrap_or_else(|| single_spaces(text).to_lowercase()),
        _ => single_spaces(text),
    };
    if let Cow::Owned(composed) = composed {
        drop(Zeroizing::new(composed));
    }
    SecretText::new(form)
}

fn compose(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfkc().collect()) }
}

fn single_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn compact(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| c.is_alphanumeric()) {
        out.extend(c.to_uppercase());
    }
    (!out.is_empty()).then_some(out)
}

fn phone(text: &str) -> Option<String> {
    let (number, extension) = split_extension(text.trim());
    // A letter left in the number means that it is not one: spoken, or a name spelled on a keypad.
    if number.chars().any(char::is_alphabetic) {
        return None;
    }
    let international = number.trim_start_matches(['(', ' ']).starts_with('+');
    let digits = || number.chars().filter(char::is_ascii_digit);
    let (prefix, skipped) = match (international, digits().count()) {
        (_, 0) => return None,
        (true, _) => ("+", 0),
        (false, 10) => ("+1", 0),
        (false, 11) if digits().next() == Some('1') => ("+", 0),
        (false, 11..) if digits().take(3).eq("011".chars()) => ("+", 3),
        // A local number has no country to complete.
        (false, _) => ("", 0),
    };
    let mut out = String::with_capacity(number.len().max(24));
    out.push_str(prefix);
    out.extend(digits().skip(skipped));
    Some(with_extension(out, &extension))
}

fn with_extension(mut number: String, extension: &str) -> String {
    if !extension.is_empty() {
        number.push_str(";ext=");
        number.push_str(extension);
    }
    number
}

/// A number and the digits of the extension after it.
pub(super) fn split_extension(text: &str) -> (&str, String) {
    let Some(at) = text.find(|c: char| c.is_ascii_alphabetic() || c == '#') else {
        return (text, String::new());
    };
    let (number, rest) = text.split_at(at);
    let word_len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, after) = rest.split_at(word_len.max(1));
    let digits: String = after.chars().filter(char::is_ascii_digit).collect();
    let introduces = ["x", "ext", "extension", "#"].iter().any(|w| w.eq_ignore_ascii_case(word));
    let only_digits = after.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || ".:#=".contains(c));
    if introduces && only_digits && !digits.is_empty() && !number.trim().is_empty() {
        (number, digits)
    } else {
        (text, String::new())
    }
}

fn name(text: &str) -> String {
    let folded = Zeroizing::new(if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        let folded: String = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        if folded.is_ascii() { folded } else { folded.nfkc().collect() }
    });
    let mut words = folded.split_whitespace().peekable();
    let is_title = |word: &str| TITLES.contains(&word.trim_end_matches('.'));
    let mut rest = words.clone();
    while words.next_if(|word| is_title(word)).is_some() {}
    // A title alone is all the name there is.
    if words.peek().is_some() {
        rest = words;
    }
    let mut out = String::with_capacity(folded.len());
    for word in rest {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// A piece of a date: a number, or the name of a month.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) value: u32,
    /// First byte in the text.
    pub(super) at: usize,
    /// Length in bytes.
    pub(super) len: usize,
    pub(super) is_word: bool,
}

/// A date as it is written.
pub(super) struct WrittenDate {
    pub(super) year: Option<Part>,
    pub(super) month: Part,
    pub(super) day: Option<Part>,
}

impl WrittenDate {
    /// The year with its century.
    pub(super) fn full_year(&self) -> Option<u32> {
        let year = self.year?;
        let century = match year.len {
            2 if year.value <= LAST_SHORT_YEAR => 2000,
            2 => 1900,
            _ => 0,
        };
        Some(century + year.value)
    }
}

fn date(text: &str) -> Option<String> {
    if is_iso(text) {
        return Some(text.to_owned());
    }
    let date = parse_date(text)?;
    let month = date.month.value;
    Some(match (date.full_year(), date.day) {
        (Some(year), Some(day)) => format!("{year:04}-{month:02}-{:02}", day.value),
        (Some(year), None) => format!("{year:04}-{month:02}"),
        (None, Some(day)) => format!("--{month:02}-{:02}", day.value),
        (None, None) => return None,
    })
}

/// Whether a text is a date in the form that a spoken one has: reading it would give it back.
fn is_iso(text: &str) -> bool {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text.as_bytes() else { return false };
    let digits = [a, b, c, d, e, f, g, h].iter().all(u8::is_ascii_digit);
    // No month has fewer days.
    digits && (b"01"..=b"12").contains(&&[e, f]) && (b"01"..=b"28").contains(&&[g, h])
}

/// Reads a written date, month before day where digits leave it open. Places are those of the text in lower case.
pub(super) fn parse_date(text: &str) -> Option<WrittenDate> {
    let (numbers, month) = date_parts(text)?;
    let (year, month, day) = match (month, numbers.as_slice()) {
        (Some(month), &[year]) if year.len == 4 => (Some(year), month, None),
        (Some(month), &[day]) => (None, month, Some(day)),
        (Some(month), &[year, day]) if year.len == 4 => (Some(year), month, Some(day)),
        (Some(month), &[day, year]) => (Some(year), month, Some(day)),
        (None, &[year, month, day]) if year.len == 4 => (Some(year), month, Some(day)),
        (None, &[day, month, year]) if day.value > 12 => (Some(year), month, Some(day)),
        (None, &[month, day, year]) => (Some(year), month, Some(day)),
        (None, &[month, year]) if year.len == 4 => (Some(year), month, None),
        (None, &[year, month]) if year.len == 4 => (Some(year), month, None),
        (None, &[day, month]) if day.value > 12 => (None, month, Some(day)),
        (None, &[month, day]) => (None, month, Some(day)),
        (None, &[run]) if run.len == 8 => split_run(run),
        _ => return None,
    };
    let date = WrittenDate { year, month, day };
    let last = days_in(month.value, date.full_year().unwrap_or(2000));
    let possible = year.is_none_or(|year| year.len == 4 || year.len == 2)
        && (1..=12).contains(&month.value)
        && day.is_none_or(|day| (1..=last).contains(&day.value));
    possible.then_some(date)
}

/// Eight digits without separators: the year first where that gives a year of use, else last.
fn split_run(run: Part) -> (Option<Part>, Part, Option<Part>) {
    let part = |value, from, len| Part { value, at: run.at + from, len, is_word: false };
    let (first, middle) = (run.value / 10_000, run.value / 100 % 100);
    if (1800..2200).contains(&first) && (1..=12).contains(&middle) {
        (Some(part(first, 0, 4)), part(middle, 4, 2), Some(part(run.value % 100, 6, 2)))
    } else {
        let day = part(first % 100, 2, 2);
        (Some(part(run.value % 10_000, 4, 4)), part(first / 100, 0, 2), Some(day))
    }
}

/// The numbers of a date in order and its month, where that is a word; `None` where anything else stands in it.
fn date_parts(text: &str) -> Option<(Vec<Part>, Option<Part>)> {
    let lower = Zeroizing::new(text.to_lowercase());
    let mut numbers = Vec::with_capacity(3);
    let mut month = None;
    let mut at = 0;
    while let Some(c) = lower[at..].chars().next() {
        let rest = &lower[at..];
        let run = |accept: fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
        if c.is_ascii_digit() {
            let len = run(|c| c.is_ascii_digit());
            if len > 8 {
                return None;
            }
            numbers.push(Part { value: rest[..len].parse().ok()?, at, len, is_word: false });
            at += len + ordinal_suffix(&rest[len..]).len();
        } else if c.is_alphabetic() {
            let len = run(char::is_alphabetic);
            let word = &rest[..len];
            if let Some(index) = position(&MONTHS, word) {
                if month.replace(Part { value: index as u32 + 1, at, len, is_word: true }).is_some() {
                    return None;
                }
            } else if !["of", "the"].contains(&word) && position(&WEEKDAYS, word).is_none() {
                return None;
            }
            at += len;
        } else {
            at += c.len_utf8();
        }
    }
    Some((numbers, month))
}

/// The ending of an ordinal, as in "14th", or nothing.
pub(super) fn ordinal_suffix(rest: &str) -> &str {
    let word = &rest[..rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len())];
    let is_suffix = ["st", "nd", "rd", "th"].iter().any(|suffix| suffix.eq_ignore_ascii_case(word));
    if is_suffix { word } else { "" }
}

/// The index of the name that `word` is, or abbreviates to three letters or more.
pub(super) fn position(names: &[&str], word: &str) -> Option<usize> {
    names.iter().position(|name| word.len() >= 3 && name.starts_with(word))
}

fn days_in(month: u32, year: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(kind: &Kind, text: &str) -> String {
        normalise(kind, text, None, Normalization::Value).expose().to_owned()
    }

    fn all(kind: &Kind, rows: &[(&str, &str)]) {
        for (text, expected) in rows {
            assert_eq!(form(kind, text), *expected, "{text}");
            assert_eq!(form(kind, expected), *expected, "the form of a form is itself: {text}");
        }
    }

    #[test]
    fn phones() {
        all(
            &Kind::Phone,
            &[
                ("(415) 555-0142", "+14155550142"),
                ("415.555.0142", "+14155550142"),
                ("4 1 5 5 5 5 0 1 4 2", "+14155550142"),
                ("+1 415 555 0142", "+14155550142"),
                ("1-415-555-0142", "+14155550142"),
                ("４１５-555-0142", "+14155550142"),
                ("+44 20 7946 0958", "+442079460958"),
                ("011 44 20 7946 0958", "+442079460958"),
                ("415-555-0142 ext. 12", "+14155550142;ext=12"),
                ("415-555-0142x12", "+14155550142;ext=12"),
                ("555-0142", "5550142"),
                ("Four One  five", "four one five"),
            ],
        );
    }

    #[test]
    fn numbers_and_codes() {
        all(&Kind::Ssn, &[("900-12-3456", "900123456"), ("900 12 3456", "900123456")]);
        all(&Kind::CreditCard, &[("4111 1111 1111 1111", "4111111111111111")]);
        all(&Kind::Mrn, &[("mrn-48 27193", "MRN4827193"), ("--", "--")]);
        all(&Kind::Device, &[("00:1b:44:11:3a:b7", "001B44113AB7")]);
        all(&Kind::Email, &[(" Jane.Doe@Example.COM ", "jane.doe@example.com")]);
    }

    #[test]
    fn names() {
        all(
            &Kind::Name,
            &[
                ("Sarah Chen", "sarah chen"),
                ("  SARAH\u{a0} chen ", "sarah chen"),
                ("Dr. Sarah Chen", "sarah chen"),
                ("Prof. Dr Sarah Chen", "sarah chen"),
                ("Dr", "dr"),
                ("Groß", "gross"),
                ("GROSS", "gross"),
                ("ﬁnn", "finn"),
                ("Zoe\u{308}", "zoë"),
                ("ΝΊΚΟΣ", "νίκοσ"),
                ("Νίκος", "νίκοσ"),
            ],
        );
    }

    #[test]
    fn dates() {
        all(
            &Kind::Dob,
            &[
                ("03/14/1982", "1982-03-14"),
                ("3-14-82", "1982-03-14"),
                ("14.03.1982", "1982-03-14"),
                ("March 14, 1982", "1982-03-14"),
                ("Mar 14th 82", "1982-03-14"),
                ("the 14th of March 1982", "1982-03-14"),
                ("Sunday, 14 march 1982", "1982-03-14"),
                ("1982/3/14", "1982-03-14"),
                ("03141982", "1982-03-14"),
                ("19820314", "1982-03-14"),
                ("1/2/05", "2005-01-02"),
                ("March 1982", "1982-03"),
                ("March 14", "--03-14"),
                ("3/14", "--03-14"),
                ("02/30/1982", "02/30/1982"),
                ("March Third  eighty two", "march third eighty two"),
                ("1982", "1982"),
            ],
        );
    }

    #[test]
    fn everything_else_is_trimmed() {
        all(&Kind::Address, &[("  12  Elm\tSt ", "12 Elm St"), ("１２ Elm St", "12 Elm St")]);
        all(&"RX_NUMBER".parse().unwrap(), &[(" rx 12 ", "rx 12")]);
    }

    #[test]
    fn the_detectors_form_wins_and_exact_takes_neither() {
        let spoken = "four one five five five five oh one four two";
        let form = |mode| normalise(&Kind::Phone, spoken, Some("4155550142"), mode).expose().to_owned();
        assert_eq!(form(Normalization::Value), "+14155550142");
        assert_eq!(form(Normalization::Exact), spoken);
    }

    proptest! {
        #[test]
        fn any_text_has_a_form_and_case_and_space_do_not_matter(text in "\\PC{0,40}") {
            for kind in Kind::BUILT_IN {
                form(kind, &text);
            }
            prop_assert_eq!(form(&Kind::Name, &text), form(&Kind::Name, &format!(" {text} ")));
        }

        #[test]
        fn written_dates_agree(year in 1900u32..2100, month in 1u32..=12, day in 1u32..=28) {
            let iso = format!("{year}-{month:02}-{day:02}");
            prop_assert_eq!(form(&Kind::Date, &format!("{month}/{day}/{year}")), iso.clone());
            let word = MONTHS[month as usize - 1];
            prop_assert_eq!(form(&Kind::Date, &format!("{word} {day}, {year}")), iso.clone());
            prop_assert_eq!(form(&Kind::Date, &iso.replace('-', "")), iso.clone());
            let read = parse_date(&iso).unwrap();
            prop_assert_eq!((read.full_year(), read.month.value), (Some(year), month));
            prop_assert!(is_iso(&iso) && read.day.unwrap().value == day);
        }
    }
}
