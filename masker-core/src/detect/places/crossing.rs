//! Where two streets meet.

use super::found::Found;
use super::street::{is_in_street_name, suffix_counts};
use super::tail::tail;
use crate::Kind;
use crate::detect::document::Document;
use crate::view::{Case, Class, Gap};

/// "corner of fifth and main", "intersection of Oak and Lincoln".
pub(super) fn crossing(document: &Document<'_>, at: usize) -> Option<Found> {
    if document.stem(at + 1) != "of" || document.gap(at + 1) != Gap::SPACE {
        return None;
    }
    let start = at + 2;
    let middle = crossing_street(document, start)?;
    if !joins_streets(document, middle) {
        return None;
    }
    let (end, zip) = tail(document, crossing_street(document, middle + 1)?);
    Some(Found { kind: Kind::Address, start, end, score: 0.8, recognizer: "crossing", zip })
}

fn joins_streets(document: &Document<'_>, at: usize) -> bool {
    document.stem(at) == "and" && document.gap(at) == Gap::SPACE
}

/// "on sixth avenue and pearl street", "at Main Street and Third": behind a street, the end of the one that crosses it.
pub(super) fn street_that_crosses(document: &Document<'_>, at: usize) -> Option<usize> {
    if !joins_streets(document, at) {
        return None;
    }
    let end = crossing_street(document, at + 1)?;
    let suffixed = end > at + 2 && document.entry(end - 1).street_suffix() > 0;
    (suffixed || ends_clause(document, end)).then_some(end)
}

/// "at fifth and madison", "near 5th and Pine": the end of two streets that cross, the first of which has a number.
pub(super) fn numbered_crossing(document: &Document<'_>, at: usize) -> Option<usize> {
    let leads = matches!(document.stem_before(at, 1), "at" | "by" | "near" | "on");
    if !leads || !is_ordinal(document, at) || !joins_streets(document, at + 1) {
        return None;
    }
    let second = at + 2;
    let entry = document.entry(second);
    // "at first and mark said": what is a name of people no more than a word needs a capital.
    let named = document.words.get(second)?.case == Case::Title || entry.not_name() <= 5;
    let end = crossing_street(document, second)?;
    (named && !is_ordinal(document, second) && ends_clause(document, end)).then_some(end)
}

/// "fifth", "5th".
fn is_ordinal(document: &Document<'_>, at: usize) -> bool {
    let written = document.before_ordinal_ending(at);
    document.class(at) == Class::Ordinal
        || written.is_some_and(|number| number.bytes().next().is_some_and(|first| first.is_ascii_digit()))
}

/// The word after one of two streets that cross: an ordinal, capitalised words, or a word that families and streets are called
/// by, with a direction before it and a suffix behind it. "The corner of lip and cheek" is none.
fn crossing_street(document: &Document<'_>, at: usize) -> Option<usize> {
    let first = at + usize::from(document.entry(at).direction() == 1 && document.gap(at + 1) == Gap::SPACE);
    let is_capital = |at: usize| is_in_street_name(document, at) && document.words[at].case == Case::Title;
    if document.gap(first) != Gap::SPACE {
        return None;
    }
    let mut end = first + 1;
    if !is_ordinal(document, first) {
        let entry = document.entry(first);
        // "pearl" is a given name too; "cheek" is none.
        let medical = entry.medical() > u8::from(entry.given_name() >= 3);
        let named = entry.family_name() > 0 && !medical && !document.is_cased(first);
        if !(is_in_street_name(document, first) && (named || is_capital(first))) {
            return None;
        }
        while end < first + 3 && is_capital(end) && document.entry(end).street_suffix() == 0 {
            end += 1;
        }
    }
    let has_suffix = document.gap(end) == Gap::SPACE
        && document.entry(end).street_suffix() > 0
        && suffix_counts(document, first, end, true);
    Some(end + usize::from(has_suffix))
}

/// Whether nothing is said behind a word that goes on with it.
fn ends_clause(document: &Document<'_>, end: usize) -> bool {
    document.begins_clause(end)
        || matches!(document.stem(end), "in" | "near" | "by" | "and" | "across" | "downtown")
}
