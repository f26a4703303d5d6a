//! Dates moved together, and ages.

use unicode_normalization::UnicodeNormalization as _;

use super::draw::Draw;
use super::words::{cardinal, match_case, ordinal, ordinal_ending, replace_words, year};
use crate::token::calendar::{civil, days};
use crate::token::normalise::{MONTHS, WEEKDAYS, WrittenDate, ordinal_suffix, parse_date, position};

/// The date `shift` days later, written as the original is.
pub(super) fn date(original: &str, normalised: &str, shift: i64, draw: &mut Draw) -> String {
    // Full-width digits are read as digits; places in the lower-case text are those of the original only where no letter
    // changes its length.
    let composed: String =
        original.nfkc().filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}')).collect();
    let plain = composed.replace(['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}'], "-");
    if let Some(date) = parse_date(&plain).filter(|_| plain.is_ascii()) {
        return write_date(&plain, &date, shift);
    }
    if let Some(date) = parse_date(normalised) {
        return say_date(original, &date, shift);
    }
    // A month alone, or something that is no date at all.
    let lower = plain.to_lowercase();
    if let Some(month) = position(&MONTHS, lower.trim()) {
        let (_, month, _) = civil(days(2001, month as u32 + 1, 15) + shift);
        return match_case(&plain, MONTHS[month as usize - 1]);
    }
    let (month, day) = (draw.below(12) + 1, draw.below(28) + 1);
    if plain.bytes().any(|b| b.is_ascii_digit()) {
        format!("{month}/{day}/{}", 1950 + draw.below(70))
    } else {
        match_case(&plain, &format!("{} {}", MONTHS[month as usize - 1], ordinal(day)))
    }
}

/// The date `shift` days later; a missing year counts as 2000 and a missing day as the 15th.
fn moved(date: &WrittenDate, shift: i64) -> (i64, u32, u32) {
    let year = i64::from(date.full_year().unwrap_or(2000));
    let day = date.day.map_or(15, |day| day.value);
    civil(days(year, date.month.value, day) + shift)
}

/// 1970-01-01 was a Thursday.
fn weekday(year: i64, month: u32, day: u32) -> &'static str {
    WEEKDAYS[(days(year, month, day) + 3).rem_euclid(7) as usize]
}

/// The date moved and in words, in the manner of the original: a month by its name or by its number, a day as an ordinal or not.
fn say_date(original: &str, date: &WrittenDate, shift: i64) -> String {
    let lower = original.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let has_month = words.iter().any(|word| position(&MONTHS, word).is_some());
    let has_digits = original.chars().any(char::is_numeric);
    let (new_year, month, day) = moved(date, shift);
    let mut parts = Vec::new();
    if words.iter().any(|word| position(&WEEKDAYS, word).is_some()) {
        parts.push(weekday(new_year, month, day).to_owned());
    }
    parts.push(if has_month { MONTHS[month as usize - 1].to_owned() } else { cardinal(month) });
    if date.day.is_some() {
        parts.push(match (has_digits, has_month) {
            (true, _) => day.to_string(),
            (false, true) => ordinal(day),
            (false, false) => cardinal(day),
        });
    }
    if date.year.is_some() {
        parts.push(if has_digits { new_year.to_string() } else { year(new_year) });
    }
    let said = parts.join(" ");
    let first = words.first().copied().unwrap_or_default();
    let starts_upper = original.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_uppercase);
    let all_upper =
        !first.is_empty() && original.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
    match (starts_upper, all_upper) {
        (true, true) => said.to_uppercase(),
        (true, false) => match_case("Aa", &said),
        _ => said,
    }
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
        let ending = if suffix.is_empty() { String::new() } else { match_case(suffix, ordinal_ending(day)) };
        // Beside the name of a month a day has a zero only where one is written.
        let pads = !date.month.is_word || original[part.at..].starts_with('0');
        let day = if pads { padded(day, part.len) } else { day.to_string() };
        edits.push((part.at, part.len + suffix.len(), day + &ending));
    }
    edits.sort_unstable_by_key(|edit| edit.0);
    let mut out = String::with_capacity(original.len() + 8);
    let mut at = 0;
    let weekday = weekday(year, month, day);
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

/// Another age from 90 to 99, in figures or in words as the original is.
pub(super) fn age(original: &str, is_spoken: bool, draw: &mut Draw) -> String {
    let new = 90 + draw.below(10);
    if is_spoken || !original.chars().any(char::is_numeric) {
        let hyphen = if original.contains('-') { "-" } else { " " };
        return match_case(original, &cardinal(new)).replace(' ', hyphen);
    }
    let start = original.find(char::is_numeric).unwrap_or(0);
    let rest = original[start..].trim_start_matches(char::is_numeric);
    format!("{}{new}{rest}", &original[..start])
}
