//! What stands behind a street or a town: town, state, ZIP code or another postcode.

use super::found::close;
use crate::detect::document::Document;
use crate::view::{Case, Class, Gap, Shape};

/// What follows a street line: a town, a state, a ZIP code. Gives the word after what belongs to the line, and a ZIP code that
/// stands apart because a state is between.
pub(super) fn tail(document: &Document<'_>, at: usize) -> (usize, Option<(usize, usize)>) {
    let mut end = at;
    let soft = Gap::SPACE.with(Gap::COMMA).with(Gap::LINE).with(Gap::STOP);
    let mut next = at;
    if document.stem(next) == "in" && close(document, next) {
        next += 1;
    }
    if next < document.len() && document.gap(next).only(soft) {
        let town = document
            .longest_phrase(next, |entry| entry.town() > 0)
            .filter(|_| document.entry(next).state() != 2 || document.words[next].len() > 2);
        if let Some((after, _)) = town {
            let has_comma = document.gap(next).has(Gap::COMMA.with(Gap::LINE));
            let titled = document.words[next].case != Case::Lower;
            let state = state_end(document, after).is_some();
            // "sunset circle in dayton"
            let entry = document.entry(next);
            let elsewhere = after == next + 1 && (entry.state() >= 2 || entry.country() == 1);
            let spoken = !document.is_cased(next) && !elsewhere && entry.common() < 3;
            let last = || document.begins_clause(after) || zip_end(document, after).is_some();
            let within = spoken && (next > at || last());
            if titled || state || within || (has_comma && !document.is_cased(next)) {
                end = after;
                next = after;
            }
        } else if document.gap(next).has(Gap::COMMA) && document.words[next].case == Case::Title {
            // A town that no list has, before a state.
            let mut after = next + 1;
            while after < next + 3
                && close(document, after)
                && document.words[after].case == Case::Title
                && state_end(document, after).is_none()
            {
                after += 1;
            }
            if state_end(document, after).is_some()
                || document.entry(after - 1).town() > 0
                || document.stem(after - 1) == "city"
            {
                end = after;
                next = after;
            }
        }
    }
    if let Some(state) = state_end(document, next)
        && document.gap(next).only(soft)
        && (end > at || document.words[next].case == Case::Upper)
    {
        if let Some(zip) = zip_end(document, state) {
            return (zip, None);
        }
        return (state, None);
    }
    let province = next + usize::from(is_province(document, next));
    match zip_end(document, next).or_else(|| postcode_end(document, province)) {
        Some(zip) if end > at => (zip, None),
        _ => (end, None),
    }
}

/// Whether a word in capitals is a province or territory of Canada, as postal addresses shorten it.
fn is_province(document: &Document<'_>, at: usize) -> bool {
    document.words.get(at).is_some_and(|word| word.case == Case::Upper)
        && document.gap(at).only(Gap::SPACE.with(Gap::COMMA))
        && matches!(
            document.stem(at),
            "ab" | "bc" | "mb" | "nb" | "nl" | "ns" | "nt" | "nu" | "on" | "pe" | "qc" | "sk" | "yt"
        )
}

/// The word after a postcode of the United Kingdom or Canada at `at`: "SW1A 2AA", "K1A 0B1".
fn postcode_end(document: &Document<'_>, at: usize) -> Option<usize> {
    let shaped = |at: usize, shapes: &[&str]| {
        let shape = || document.stem(at).bytes().map(|b| if b.is_ascii_digit() { b'9' } else { b'a' });
        document.words.get(at).is_some_and(|word| word.shape == Shape::Mixed)
            && shapes.iter().any(|wanted| wanted.bytes().eq(shape()))
    };
    let soft = Gap::SPACE.with(Gap::COMMA).with(Gap::LINE);
    let british = shaped(at, &["a9", "a99", "aa9", "aa99", "a9a", "aa9a"]) && shaped(at + 1, &["9aa"]);
    let canadian = shaped(at, &["a9a"]) && shaped(at + 1, &["9a9"]);
    let joined = document.gap(at).only(soft) && document.gap(at + 1) == Gap::SPACE;
    (joined && (british || canadian)).then_some(at + 2)
}

/// The word after a state at `at`, by name or abbreviation.
pub(super) fn state_end(document: &Document<'_>, at: usize) -> Option<usize> {
    let (end, entry) = document.longest_phrase(at, |entry| entry.state() > 0)?;
    let plain = entry.state() == 3 || document.words[at].case == Case::Upper;
    let title = document.words[at].case == Case::Title && entry.state() == 1;
    (plain || title).then_some(end)
}

/// The word after a ZIP code at `at`, written or spoken.
pub(super) fn zip_end(document: &Document<'_>, at: usize) -> Option<usize> {
    let word = document.words.get(at)?;
    // "N.Y. 12477"
    let abbreviated =
        at > 0 && document.words[at - 1].len() == 1 && document.words[at - 1].case != Case::Lower;
    let soft = Gap::SPACE.with(Gap::COMMA).with(Gap::LINE);
    let soft = if abbreviated { soft.with(Gap::STOP).with(Gap::SENTENCE) } else { soft };
    if !document.gap(at).only(soft) {
        return None;
    }
    if word.shape == Shape::Digits {
        if word.len() != 5 {
            return None;
        }
        let plus = document
            .words
            .get(at + 1)
            .is_some_and(|w| w.shape == Shape::Digits && w.len() == 4 && w.gap == Gap::HYPHEN);
        return Some(at + 1 + usize::from(plus));
    }
    let mut end = at;
    let mut digits = 0;
    while end < document.len()
        && digits < 9
        && (end == at || document.gap(end).only(Gap::SPACE.with(Gap::HYPHEN)))
    {
        match document.class(end) {
            Class::Digit | Class::Oh => digits += 1,
            Class::Teen => digits += 2,
            Class::Tens => {
                digits += 2;
                if document.class(end + 1) == Class::Digit && digits != 5 {
                    end += 1;
                }
            }
            Class::Dash if digits == 5 => {}
            _ => break,
        }
        end += 1;
        if digits == 5 && document.class(end) != Class::Dash {
            break;
        }
    }
    (digits == 5 || digits == 9).then_some(end)
}
