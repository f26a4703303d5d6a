//! Shapes: letters for letters, digits for digits, words for words.

use std::borrow::Cow;

use super::draw::Draw;

const DIGIT_WORDS: [&str; 10] =
    ["oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// Letters for letters of the same case, digits for digits, everything else kept.
pub(super) fn shaped(form: &str, draw: &mut Draw) -> String {
    shaped_from(form, 26, draw)
}

/// The same with the first `letters` letters of the alphabet alone.
pub(super) fn shaped_from(form: &str, letters: u32, draw: &mut Draw) -> String {
    form.chars()
        .map(|c| match c {
            _ if c.is_numeric() => draw.digit(),
            _ if c.is_uppercase() => char::from(b'A' + draw.below(letters) as u8),
            _ if c.is_alphabetic() => char::from(b'a' + draw.below(letters) as u8),
            _ => c,
        })
        .collect()
}

pub(super) fn digits_of(form: &str) -> String {
    form.chars().filter(char::is_ascii_digit).collect()
}

/// Puts `digits` where the digits of the form are; those beyond them are drawn.
pub(super) fn fill(form: &str, digits: &str, draw: &mut Draw) -> String {
    let mut digits = digits.chars();
    form.chars()
        .map(|c| if c.is_ascii_digit() { digits.next().unwrap_or_else(|| draw.digit()) } else { c })
        .collect()
}

/// Replaces every run of letters and digits, with the apostrophes and hyphens inside it taken as letters; a possessive
/// ending stays.
pub(super) fn replace_words(text: &str, mut replace: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        // Marks and invisible characters inside a word belong to it.
        let is_inside = |c: char| {
            c.is_alphanumeric()
                || matches!(c, '\'' | '’' | '-' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{300}'..='\u{36f}')
        };
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
pub(super) fn match_case(model: &str, word: &str) -> String {
    let mut letters = model.chars().filter(|c| c.is_alphabetic());
    let first_upper = letters.next().is_some_and(char::is_uppercase);
    let rest_lower = letters.clone().any(char::is_lowercase);
    let has_rest = letters.next().is_some();
    let word = word.to_lowercase();
    match (first_upper, has_rest && !rest_lower) {
        (true, true) => word.to_uppercase(),
        (true, false) => {
            let mut chars = word.chars();
            chars.next().map(char::to_uppercase).into_iter().flatten().chain(chars).collect()
        }
        (false, _) => word,
    }
}

/// Digits as words and letters one by one, as a caller says them.
pub(super) fn spoken(form: &str) -> String {
    let words: Vec<Cow<'_, str>> = form
        .chars()
        .filter_map(|c| match c.to_digit(10) {
            Some(digit) => Some(DIGIT_WORDS[digit as usize].into()),
            None if c == '+' => Some("plus".into()),
            None => c.is_alphabetic().then(|| c.to_lowercase().to_string().into()),
        })
        .collect();
    words.join(" ")
}

/// A number below a hundred in words.
pub(super) fn cardinal(number: u32) -> String {
    let number = number % 100;
    match (number / 10, number % 10) {
        (0 | 1, _) => UNITS[number as usize].to_owned(),
        (tens, 0) => TENS[tens as usize - 2].to_owned(),
        (tens, unit) => format!("{} {}", TENS[tens as usize - 2], UNITS[unit as usize]),
    }
}

/// The day of a month as a caller says it.
pub(super) fn ordinal(number: u32) -> String {
    match (number / 10, number % 10) {
        (0 | 1, _) => ORDINALS[number as usize].to_owned(),
        (tens, 0) => TENS[tens as usize - 2].replace("ty", "tieth"),
        (tens, unit) => format!("{} {}", TENS[tens as usize - 2], ORDINALS[unit as usize]),
    }
}

/// A year as a caller says it: "nineteen eighty two", "nineteen oh five", "two thousand four", "twenty twenty one".
pub(super) fn year(year: i64) -> String {
    let (century, rest) = ((year / 100) as u32, (year % 100) as u32);
    match (century % 10, rest) {
        (0, 0..=9) if rest > 0 => format!("{} thousand {}", cardinal(century / 10), cardinal(rest)),
        (0, 0) => format!("{} thousand", cardinal(century / 10)),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

/// Another number word of the same size for a number word; nothing for any other word.
pub(super) fn other_number(word: &str, draw: &mut Draw) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let is = |list: &[&str]| list.contains(&lower.as_str());
    if lower == "oh" || lower == "zero" {
        return Some(if lower == "oh" { "oh" } else { "zero" });
    }
    if is(&["double", "triple"]) {
        return Some(if lower == "double" { "double" } else { "triple" });
    }
    if is(&["hundred", "thousand"]) {
        return Some(if lower == "hundred" { "hundred" } else { "thousand" });
    }
    let lists: [&[&'static str]; 6] =
        [&UNITS[1..10], &UNITS[10..], &TENS, &ORDINALS[1..10], &ORDINALS[10..], &["hundredth", "thousandth"]];
    lists.into_iter().find(|list| is(list)).map(|list| draw.pick(list))
}

/// `st`, `nd`, `rd` or `th`.
pub(super) fn ordinal_ending(number: u32) -> &'static str {
    match (number / 10 % 10, number % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        for (number, text) in
            [(1982, "nineteen eighty two"), (2000, "two thousand"), (2004, "two thousand four")]
        {
            assert_eq!(year(number), text);
        }
        assert_eq!(
            (year(1905), year(2021), year(1900)),
            ("nineteen oh five".into(), "twenty twenty one".into(), "nineteen hundred".into())
        );
        assert_eq!(
            (ordinal(1), ordinal(20), ordinal(31)),
            ("first".into(), "twentieth".into(), "thirty first".into())
        );
        assert_eq!(
            (cardinal(0), cardinal(13), cardinal(95)),
            ("zero".into(), "thirteen".into(), "ninety five".into())
        );
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal_ending),
            ["st", "nd", "rd", "th", "th", "th", "th", "st", "th"]
        );
    }

    #[test]
    fn letter_case_follows_the_model_in_every_script() {
        for (model, word, expected) in [
            ("Ann", "иван", "Иван"),
            ("ANN", "élodie", "ÉLODIE"),
            ("ann", "Élodie", "élodie"),
            ("A", "beth", "Beth"),
            ("王", "李", "李"),
        ] {
            assert_eq!(match_case(model, word), expected);
        }
    }
}
