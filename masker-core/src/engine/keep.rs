//! The part of a value that a policy leaves in clear: what `keep` asks for, and never more.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::lexicon::lookup;
use crate::policy::{Action, Keep};
use crate::token::calendar::civil;
use crate::view::{WordHash, hash_word};
use crate::{Kind, Span};

/// ZIP areas whose first three digits stand for too few people, or whose count is not known, by the census of 2000 or of
/// 2020; 45 CFR 164.514(b)(2)(i)(B).
#[rustfmt::skip]
const RESTRICTED_ZIP3: [u16; 45] = [
    5, 36, 55, 59, 63, 102, 192, 202, 203, 204, 205, 311, 332, 340, 369, 375, 399, 459, 509, 555, 556, 569, 649, 692,
    733, 753, 772, 790, 821, 823, 830, 831, 842, 878, 879, 884, 885, 889, 890, 893, 901, 938, 942, 962, 963,
];
const RESTRICTED_ZIP3_LAST: u16 = 965;
/// Years of birth this long ago and earlier say that somebody may be ninety.
const OLDEST_YEARS: u32 = 90;
/// More characters than this between a token and what is kept of its value are no separator.
const GAP_MAX: usize = 3;

/// One stretch of a value.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Segment<'t> {
    /// Left as it is.
    Clear(&'t str),
    /// Replaced as the action says.
    Hidden(&'t str),
    /// Stands for the hidden text after it in a more general form, where nothing is to be restored.
    Instead(&'static str),
}

/// Divides a value. Where nothing can be kept, or a token beside the kept part could not be told from it, the whole value is
/// hidden.
pub(super) fn segments<'t>(keep: Keep, action: Action, kind: &Kind, value: &'t str) -> Vec<Segment<'t>> {
    let whole = || vec![Segment::Hidden(value)];
    let reversible = action == Action::Tokenize;
    if keep == Keep::Zip3 && zip3(value).is_some_and(|range| is_restricted(&value[range])) {
        return if reversible { whole() } else { vec![Segment::Instead("000"), Segment::Hidden(value)] };
    }
    // A token gives the age back, so beside it the general form would stand for nothing.
    if keep == Keep::Over89 {
        return if reversible { whole() } else { vec![Segment::Instead("90+"), Segment::Hidden(value)] };
    }
    let Some(range) = kept(keep, kind, value) else { return whole() };
    let (before, clear, after) = (&value[..range.start], &value[range.clone()], &value[range.end..]);
    let starts_word = clear.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    if reversible && !before.is_empty() && starts_word {
        return whole();
    }
    let mut segments = Vec::with_capacity(3);
    if !before.is_empty() {
        segments.push(Segment::Hidden(before));
    }
    segments.push(Segment::Clear(clear));
    if !after.is_empty() {
        segments.push(Segment::Hidden(after));
    }
    segments
}

/// The stretch that stays, with what separates it from the rest.
fn kept(keep: Keep, kind: &Kind, value: &str) -> Option<Range<usize>> {
    match keep {
        Keep::Domain => {
            let at = value.rfind('@').filter(|at| *at > 0)?;
            (value.len() > at + 1).then_some(at..value.len())
        }
        Keep::Last4 => last4(value),
        Keep::State => state(value),
        Keep::Year => year(kind, value),
        Keep::Zip3 => zip3(value),
        _ => None,
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn digits_back(text: &str) -> usize {
    text.bytes().rev().take_while(u8::is_ascii_digit).count()
}

/// The length of the separators at the end of `text`.
fn gap_back(text: &str) -> usize {
    text.len() - text.trim_end_matches(|c: char| !c.is_alphanumeric()).len()
}

/// The length of the separators at the start of `text`.
fn gap(text: &str) -> usize {
    text.len() - text.trim_start_matches(|c: char| !c.is_alphanumeric()).len()
}

fn last4(value: &str) -> Option<Range<usize>> {
    let count = value.bytes().filter(u8::is_ascii_digit).count();
    // Of a shorter number the last four digits are most of it.
    if count < 8 || digits_back(value) < 4 {
        return None;
    }
    let start = value.len() - 4;
    Some(start - gap_back(&value[..start])..value.len())
}

fn zip3(value: &str) -> Option<Range<usize>> {
    (digits(value) == 5).then_some(0..3)
}

fn is_restricted(zip3: &str) -> bool {
    zip3.parse()
        .is_ok_and(|area| area == RESTRICTED_ZIP3_LAST || RESTRICTED_ZIP3.binary_search(&area).is_ok())
}

/// The only run of four digits that is a year.
fn year(kind: &Kind, value: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = 0;
    while at < value.len() {
        let run = digits(&value[at..]);
        if run == 4 && value[at..at + 4].parse().is_ok_and(|year: u32| (1850..2150).contains(&year)) {
            if found.is_some() {
                return None;
            }
            found = Some(at);
        }
        at += run.max(1);
        while !value.is_char_boundary(at) {
            at += 1;
        }
    }
    let start = found?;
    let year: u32 = value[start..start + 4].parse().ok()?;
    if *kind == Kind::Dob && year + OLDEST_YEARS <= this_year() {
        return None;
    }
    let from = start - gap_back(&value[..start]);
    Some(from..start + 4 + gap(&value[start + 4..]))
}

fn this_year() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(civil(i64::try_from(seconds / 86_400).unwrap_or_default()).0).unwrap_or_default()
}

/// The last state in an address, by postal abbreviation or name.
fn state(value: &str) -> Option<Range<usize>> {
    let mut end = value.len();
    while end > 0 {
        let last = value[..end].trim_end_matches(|c: char| !c.is_alphabetic()).len();
        if let Some(start) = state_before(&value[..last]) {
            let from = start - gap_back(&value[..start]);
            return Some(from..last + gap(&value[last..]));
        }
        end = value[..last].trim_end_matches(char::is_alphabetic).len();
    }
    None
}

/// Where the state begins that ends this text.
fn state_before(text: &str) -> Option<usize> {
    let mut start = text.len();
    for words in 1..=3 {
        let head = text[..start].trim_end_matches(' ');
        if words > 1 && head.len() == start {
            return None;
        }
        start = head.trim_end_matches(char::is_alphabetic).len();
        let name = &text[start..];
        if name.is_empty() {
            return None;
        }
        if is_state(name) {
            return Some(start);
        }
    }
    None
}

fn is_state(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(' ').map(|word| hash_word(word.as_bytes()));
    let Some(phrase) = words.reduce(WordHash::then) else { return false };
    let entry = lookup(phrase);
    match entry.state() {
        2 => name.len() == 2 && name.bytes().all(|b| b.is_ascii_uppercase()),
        3 => true,
        _ => false,
    }
}

/// The span of a marker together with what was kept beside it, so that a masked text is masked no further.
pub(super) fn with_kept(keep: Keep, text: &str, marker: Span) -> Span {
    let (before, after) = (&text[..marker.start], &text[marker.end..]);
    let gap_after = Some(gap(after)).filter(|gap| *gap <= GAP_MAX && !after[..*gap].contains('\n'));
    let gap_before = Some(gap_back(before)).filter(|gap| *gap <= GAP_MAX);
    let ahead = match keep {
        Keep::Domain => after.starts_with('@').then(|| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-');
            let name =
                after[..after.find(|c| !is_name(c)).unwrap_or(after.len())].trim_end_matches(['.', '-']);
            name.len()
        }),
        Keep::Last4 | Keep::Year => gap_after.filter(|gap| digits(&after[*gap..]) == 4).map(|gap| gap + 4),
        Keep::State => gap_after.and_then(|gap| {
            let rest = &after[gap..];
            (1..=3).find_map(|words| {
                let mut end = 0;
                for _ in 0..words {
                    end += rest[end..].len() - rest[end..].trim_start_matches(' ').len();
                    end += rest[end..].find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len() - end);
                }
                is_state(&rest[..end]).then_some(gap + end)
            })
        }),
        _ => None,
    };
    let behind = match keep {
        Keep::Year => {
            gap_before.filter(|gap| digits_back(&before[..before.len() - gap]) == 4).map(|gap| gap + 4)
        }
        Keep::Zip3 => (digits_back(before) == 3).then_some(3),
        Keep::Over89 => before.ends_with("90+").then_some(3),
        _ => None,
    };
    Span::new(marker.start - behind.unwrap_or(0), marker.end + ahead.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(keep: Keep, action: Action, kind: &Kind, value: &str) -> String {
        segments(keep, action, kind, value)
            .iter()
            .map(|segment| match segment {
                Segment::Clear(text) => (*text).to_owned(),
                Segment::Hidden(text) => format!("<{text}>"),
                Segment::Instead(text) => format!("={text}="),
            })
            .collect()
    }

    #[test]
    fn what_is_kept_of_each_form() {
        for (keep, kind, value, expected) in [
            (Keep::Year, Kind::Date, "03/14/2011", "<03/14>/2011"),
            (Keep::Year, Kind::Date, "2011-03-14", "2011-<03-14>"),
            (Keep::Year, Kind::Date, "March 14th, 2011", "<March 14th>, 2011"),
            (Keep::Year, Kind::Date, "14.3.2011", "<14.3>.2011"),
            (Keep::Year, Kind::Date, "Mon 2011 March 3", "<Mon> 2011 <March 3>"),
            (Keep::Year, Kind::Date, "2011", "2011"),
            (Keep::Year, Kind::Date, "03142011", "<03142011>"),
            (Keep::Year, Kind::Date, "March 14", "<March 14>"),
            (Keep::Year, Kind::Date, "2011 to 2012", "<2011 to 2012>"),
            (Keep::Year, Kind::Date, "1911-03-14", "1911-<03-14>"),
            (Keep::Year, Kind::Dob, "1911-03-14", "<1911-03-14>"),
            (Keep::Year, Kind::Dob, "1991-03-14", "1991-<03-14>"),
            (Keep::Year, Kind::Date, "march third nineteen eighty", "<march third nineteen eighty>"),
            (Keep::Zip3, Kind::Zip, "94110", "941<10>"),
            (Keep::Zip3, Kind::Zip, "94110-1234", "941<10-1234>"),
            (Keep::Zip3, Kind::Zip, "03601", "<03601>"),
            (Keep::Zip3, Kind::Zip, "96501", "<96501>"),
            (Keep::Zip3, Kind::Zip, "nine four one", "<nine four one>"),
            (Keep::Last4, Kind::CreditCard, "4111 1111 1111 1111", "<4111 1111 1111> 1111"),
            (Keep::Last4, Kind::CreditCard, "4111-1111-1111-1111", "<4111-1111-1111>-1111"),
            (Keep::Last4, Kind::CreditCard, "4111111111111111", "<4111111111111111>"),
            (Keep::Last4, Kind::Account, "12-3456", "<12-3456>"),
            (Keep::Domain, Kind::Email, "ada@example.com", "<ada>@example.com"),
            (Keep::Domain, Kind::Email, "ada at example dot com", "<ada at example dot com>"),
            (
                Keep::State,
                Kind::Address,
                "12 Elm St, Springfield, IL 62701",
                "<12 Elm St, Springfield>, IL <62701>",
            ),
            (
                Keep::State,
                Kind::Address,
                "12 Elm St, Fargo, North Dakota",
                "<12 Elm St, Fargo>, North Dakota",
            ),
            (Keep::State, Kind::Address, "12 Elm Street", "<12 Elm Street>"),
            (Keep::None, Kind::Zip, "94110", "<94110>"),
        ] {
            assert_eq!(parts(keep, Action::Tokenize, &kind, value), expected);
        }
        let redacted = |keep, kind, value| parts(keep, Action::Redact, &kind, value);
        assert_eq!(redacted(Keep::Zip3, Kind::Zip, "03601"), "=000=<03601>");
        assert_eq!(redacted(Keep::Over89, Kind::AgeOver89, "ninety three"), "=90+=<ninety three>");
        assert_eq!(parts(Keep::Over89, Action::Tokenize, &Kind::AgeOver89, "93"), "<93>");
        assert_eq!(redacted(Keep::Last4, Kind::CreditCard, "4111111111111111"), "<411111111111>1111");
    }

    #[test]
    fn the_table_of_areas_is_in_order() {
        assert!(RESTRICTED_ZIP3.windows(2).all(|pair| pair[0] < pair[1]));
        for area in
            ["036", "059", "102", "203", "205", "369", "556", "692", "821", "823", "878", "879", "884", "893"]
        {
            assert!(is_restricted(area), "{area}");
        }
        assert!(!is_restricted("941") && !is_restricted("100"));
    }
}
