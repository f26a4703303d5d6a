//! Streets with a number, units in a house, and post office boxes.

use super::LABEL_REACH;
use super::crossing::{numbered_crossing, street_that_crosses};
use super::found::{Found, close, close_or_comma};
use super::tail::{state_end, tail};
use crate::Kind;
use crate::detect::cues::{CueHit, label_before};
use crate::detect::document::Document;
use crate::detect::starts::Flags;
use crate::lexicon::Entry;
use crate::view::{Case, Class, Gap, Shape};

/// "PO Box 118", "p o box seven oh nine", "RR 2 Box 152".
pub(super) fn post_box(document: &Document<'_>, at: usize) -> Option<Found> {
    let stem = |n: usize| document.stem(at + n);
    let words = match (stem(0), stem(1), stem(2), stem(3)) {
        ("p", "o", "box", _) | ("post", "office", "box", _) => 3,
        ("po", "box", ..) => 2,
        ("pob", ..) => 1,
        ("rr" | "hc" | "psc" | "cmr" | "unit", _, "box", _)
            if document.words.get(at + 1)?.shape == Shape::Digits =>
        {
            3
        }
        ("rural", "route", _, "box") => 4,
        _ => return None,
    };
    let mut end = at + words;
    if document.stem(end) == "number" {
        end += 1;
    }
    let number = number_end(document, end, 6)?;
    let (end, zip) = tail(document, number);
    Some(Found { kind: Kind::Address, start: at, end, score: 0.95, recognizer: "post_box", zip })
}

/// The word after a number that begins at `at`, written or spoken, of at most `words` words.
fn number_end(document: &Document<'_>, at: usize, words: usize) -> Option<usize> {
    let word = document.words.get(at)?;
    if word.shape != Shape::Letters {
        let text = word.text(&document.view);
        // "12B" is a house number, "50yo" is none.
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        return (digits > 0 && text.len() <= 7 && text.len() - digits <= 1).then_some(at + 1);
    }
    let mut end = at;
    while end < document.len()
        && end < at + words
        && (end == at || document.gap(end).only(Gap::SPACE.with(Gap::HYPHEN)))
        && (matches!(
            document.class(end),
            Class::Digit
                | Class::Oh
                | Class::Teen
                | Class::Tens
                | Class::Hundred
                | Class::Thousand
                | Class::Repeat
        ) || joins_number(document, at, end))
    {
        end += 1;
    }
    (end > at && !(end == at + 1 && document.class(at) == Class::Oh)).then_some(end)
}

/// The "and" of "five hundred and six".
fn joins_number(document: &Document<'_>, start: usize, at: usize) -> bool {
    document.class(at) == Class::And
        && at > start
        && matches!(document.class(at - 1), Class::Hundred | Class::Thousand)
        && matches!(document.class(at + 1), Class::Digit | Class::Teen | Class::Tens)
        && document.gap(at + 1).only(Gap::SPACE)
}

/// Suffixes that name a street even without a number before it.
fn is_plain_suffix(text: &str) -> bool {
    matches!(
        text,
        "street"
            | "st"
            | "avenue"
            | "ave"
            | "road"
            | "rd"
            | "boulevard"
            | "blvd"
            | "lane"
            | "ln"
            | "drive"
            | "parkway"
            | "pkwy"
            | "highway"
    )
}

pub(super) fn street(document: &Document<'_>, cues: &[CueHit], at: usize, floor: usize) -> Option<Found> {
    let word = &document.words[at];
    let numbered = number_end(document, at, 6).filter(|_| {
        let written = word.shape != Shape::Letters;
        let gap = document.gap(at);
        // "10mg", decimals and dates are no house numbers.
        let glued = written
            && at > floor
            && document.words[at - 1].shape != Shape::Letters
            && gap.only(Gap::SLASH.with(Gap::STOP).with(Gap::HYPHEN));
        !glued && document.class(at) != Class::Unit
    });
    if let Some(mut next) = numbered {
        // "eighty one uh lakeview terrace"
        if document.class(next) == Class::Filler && close_or_comma(document, next) {
            next += 1;
        }
        // "10-15 Queens Plaza"
        if document.words[at].shape == Shape::Digits
            && document.gap(next) == Gap::HYPHEN
            && document.words.get(next)?.shape == Shape::Digits
        {
            next += 1;
        }
        if let Some(end) = street_name(document, next, true)
            .or_else(|| street_with_unit(document, next))
            .or_else(|| street_before_town(document, at, next))
        {
            let (end, zip) = tail(document, end);
            return Some(Found {
                kind: Kind::Address,
                start: at,
                end,
                score: 0.95,
                recognizer: "street_address",
                zip,
            });
        }
        if let Some(end) = labelled_street(document, cues, at, next) {
            let (end, zip) = tail(document, end);
            return Some(Found {
                kind: Kind::Address,
                start: at,
                end,
                score: 0.8,
                recognizer: "street_labelled",
                zip,
            });
        }
        return None;
    }
    if let Some(end) = numbered_crossing(document, at) {
        let (end, zip) = tail(document, end);
        return Some(Found { kind: Kind::Address, start: at, end, score: 0.8, recognizer: "crossing", zip });
    }
    if word.shape != Shape::Letters {
        return None;
    }
    // "apartment 8C"
    if document.entry(at).unit() == 1
        && matches!(document.stem(at), "apartment" | "apt" | "suite" | "ste")
        && let Some(end) = unit(document, at)
        // "an apartment 8 miles away"
        && document.class(end) != Class::Unit
    {
        return Some(Found {
            kind: Kind::Address,
            start: at,
            end,
            score: 0.8,
            recognizer: "unit",
            zip: None,
        });
    }
    // "on Main Street": a street without a number needs a preposition.
    let before = document.stem_before(at, 1);
    if matches!(before, "on" | "at" | "off" | "down" | "from" | "to" | "near" | "and")
        && !document.begins_sentence(at)
    {
        let end = street_name(document, at, false)?;
        let titled = document.words[at].case != Case::Lower;
        if document.is_cased(at) && !titled {
            return None;
        }
        if (before == "to" || before == "from" || before == "and") && !titled {
            return None;
        }
        let end = road_number(document, at, end).unwrap_or(end);
        let (end, zip) = tail(document, street_that_crosses(document, end).unwrap_or(end));
        return Some(Found { kind: Kind::Address, start: at, end, score: 0.7, recognizer: "street", zip });
    }
    None
}

/// "county road forty two", "State Highway 9": the word after the number of a road that has no other name.
fn road_number(document: &Document<'_>, start: usize, end: usize) -> Option<usize> {
    let numbered = matches!(document.stem(start), "county" | "state" | "township" | "ranch")
        && matches!(document.stem(end - 1), "road" | "rd" | "highway" | "hwy");
    (numbered && close(document, end)).then(|| number_end(document, end, 3)).flatten()
}

/// The end of a street name that begins at `at`: up to four words and a suffix, with directions around it.
fn street_name(document: &Document<'_>, at: usize, numbered: bool) -> Option<usize> {
    let mut next = at;
    if !close_or_comma(document, next) {
        return None;
    }
    if document.entry(next).direction() == 1 && close(document, next) {
        next += 1;
        // "708 North" … "first Street"
        if document.entry(next).direction() == 1 {
            next += 1;
        }
    }
    let first = next;
    // "2200 Highway 41 North"
    if numbered
        && matches!(document.stem(next), "highway" | "hwy" | "route" | "rte")
        && close(document, next + 1)
        && let Some(mut end) = number_end(document, next + 1, 3)
    {
        if close(document, end) && document.entry(end).direction() == 1 {
            end += 1;
        }
        return Some(unit(document, end).unwrap_or(end));
    }
    for words in 0..=4 {
        let word = document.words.get(next)?;
        if next > at && !close(document, next) {
            return None;
        }
        let suffix = document.entry(next).street_suffix();
        if words >= 1 && suffix > 0 {
            // The last suffix wins: "Pine Hollow Drive".
            let mut end = next + 1;
            while end < document.len()
                && close(document, end)
                && document.entry(end).street_suffix() > 0
                && end < next + 3
                && !is_function_word(document, end)
                && (suffix_counts(document, first, end, numbered) || document.entry(end).street_suffix() == 2)
            {
                end += 1;
            }
            let last = end - 1;
            if suffix_counts(document, first, last, numbered) {
                if close(document, end)
                    && document.entry(end).direction() == 1
                    && document.stem(end).len() <= 9
                    && document.words[end].case != Case::Lower
                {
                    end += 1;
                }
                return Some(unit(document, end).unwrap_or(end));
            }
        }
        // "twenty ninth street"
        let ordinal = document.class(next) == Class::Tens
            && document.class(next + 1) == Class::Ordinal
            && document.gap(next + 1).only(Gap::SPACE.with(Gap::HYPHEN));
        if ordinal {
            next += 1;
        } else if word.shape == Shape::Letters {
            if is_function_word(document, next) {
                return None;
            }
        } else {
            // "86th St"
            document.before_ordinal_ending(next)?;
        }
        next += 1;
    }
    None
}

/// Whether the suffix word at `last` is one here: common ones are, the others need capitals around them.
pub(super) fn suffix_counts(document: &Document<'_>, first: usize, last: usize, numbered: bool) -> bool {
    let suffix = document.entry(last).street_suffix();
    let text = document.stem(last);
    if !numbered {
        let certain = !matches!(text, "drive" | "highway") || document.words[last].case == Case::Title;
        return is_plain_suffix(text) && last > first && certain;
    }
    let titled = document.words[last].case == Case::Title && document.words[first].case != Case::Lower;
    let cased = document.is_cased(last);
    match suffix {
        2 => !cased || titled || is_plain_suffix(text) || document.words[first].shape != Shape::Letters,
        1 => {
            titled
                || (!cased
                    && matches!(
                        text,
                        "expressway"
                            | "trace"
                            | "hollow"
                            | "crossing"
                            | "ridge"
                            | "terrace"
                            | "heights"
                            | "park"
                    ))
        }
        _ => false,
    }
}

/// "Apt 12B", "suite two ten", "#4": the word after it.
fn unit(document: &Document<'_>, at: usize) -> Option<usize> {
    let soft = Gap::SPACE.with(Gap::COMMA).with(Gap::LINE).with(Gap::STOP).with(Gap::HASH);
    if !document.gap(at).only(soft) {
        return None;
    }
    if document.gap(at).has(Gap::HASH) {
        return number_end(document, at, 4);
    }
    // "six thousand one north shepherd number two twelve"
    if document.stem(at) == "number" && close(document, at) && close(document, at + 1) {
        return number_end(document, at + 1, 4);
    }
    unit_here(document, at)
}

/// A unit that begins with its designator at `at`, whatever stands before it.
fn unit_here(document: &Document<'_>, at: usize) -> Option<usize> {
    if document.entry(at).unit() == 0 {
        return None;
    }
    let mut next = at + 1;
    if document.stem(next) == "number" {
        next += 1;
    }
    if !document.gap(next).only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE).with(Gap::HASH)) {
        return None;
    }
    let word = document.words.get(next)?;
    if let Some(end) = number_end(document, next, 4) {
        let letter = document.words.get(end).is_some_and(|w| {
            w.len() == 1 && w.shape == Shape::Letters && w.gap.only(Gap::SPACE.with(Gap::HYPHEN))
        });
        let letter = letter && !matches!(document.stem(end), "a" | "i");
        return Some(if letter { explained(document, end + 1) } else { end });
    }
    (word.len() == 1
        && matches!(document.stem(at), "apartment" | "apt" | "suite" | "ste" | "unit" | "building" | "bldg"))
    .then(|| explained(document, next + 1))
}

/// The word after "as in bravo", which says what letter was meant, if that stands here.
fn explained(document: &Document<'_>, at: usize) -> usize {
    let explains = document.stem(at) == "as" && document.stem(at + 1) == "in" && at + 2 < document.len();
    if explains && (at..at + 3).all(|at| document.gap(at) == Gap::SPACE) { at + 3 } else { at }
}

/// After "my address is 42 Winding …": a number and one to three capitalised or unknown words count as a street.
fn labelled_street(document: &Document<'_>, cues: &[CueHit], at: usize, next: usize) -> Option<usize> {
    let labelled = || {
        label_before(cues, &Kind::Address, at, LABEL_REACH)
            .is_some_and(|cue| document.same_turn(cue.last_word(), at))
    };
    let written = document.words[at].shape == Shape::Digits && document.words[at].len() >= 2;
    let said = document.words[at].shape == Shape::Letters;
    // "my address is one of …", "send it to twenty people": what is said as a number begins other things too.
    let entry = document.entry(next);
    let listed = entry.family_name() > 0 || entry.town() > 0 && entry.medical() == 0;
    let name_like = entry == Entry::default() || listed && entry.common() < 5;
    let large = next >= at + 3
        || name_like && (next > at + 1 || matches!(document.class(at), Class::Teen | Class::Tens));
    let suffix = is_plain_suffix(document.stem(next));
    if !(written || said && (large || suffix)) || !labelled() {
        return None;
    }
    // "address fifty avenue"
    if suffix && close(document, next) {
        return Some(next + 1);
    }
    let mut end = next;
    while end < next + 3 && is_in_street_name(document, end) {
        // Behind the first word of a street that is said, plain words are of the sentence.
        if said && end > next && document.entry(end).common() >= 5 {
            break;
        }
        end += 1;
    }
    // "address 13 Suite 694": what comes before the number says the street.
    unit(document, end).or_else(|| (end > next).then_some(end))
}

/// "1242 west maple apartment 6b": a street without its suffix, by the unit behind it.
fn street_with_unit(document: &Document<'_>, next: usize) -> Option<usize> {
    if !document.starts.any(Flags::PLACE, next + 1, next + 4) {
        return None;
    }
    let mut end = next;
    let mut named = false;
    while end < next + 3 && is_in_street_name(document, end) && document.entry(end).medical() == 0 {
        named |= document.entry(end).direction() == 0;
        end += 1;
    }
    let designated = matches!(document.stem(end), "apartment" | "apt" | "suite" | "ste" | "unit");
    if !(named && designated) || document.gap(end).has(Gap::HASH) {
        return None;
    }
    unit(document, end)
}

/// "1200 Peachtree, Atlanta, GA": a street without its suffix, by the town and state behind it; the word after the street.
fn street_before_town(document: &Document<'_>, at: usize, next: usize) -> Option<usize> {
    let capital = |at: usize| document.words.get(at).is_some_and(|word| word.case == Case::Title);
    let number = &document.words[at];
    let numbered = number.shape == Shape::Digits && (2..=5).contains(&number.len());
    if !numbered || !capital(next) || document.is_bare_year(at) {
        return None;
    }
    let mut end = next;
    while end < next + 3
        && capital(end)
        && is_in_street_name(document, end)
        && document.entry(end).medical() == 0
    {
        end += 1;
    }
    if end == next
        || !document.gap(end).only(Gap::COMMA.with(Gap::SPACE))
        || !document.gap(end).has(Gap::COMMA)
    {
        return None;
    }
    let (town, _) = document.longest_phrase(end, |entry| entry.town() > 0)?;
    let state = state_end(document, town)?;
    let abbreviated = state == town + 1 && document.words[town].len() == 2;
    (abbreviated && document.gap(town).only(Gap::COMMA.with(Gap::SPACE))).then_some(end)
}

/// Whether a word goes on with the name of a street that has no suffix.
pub(super) fn is_in_street_name(document: &Document<'_>, at: usize) -> bool {
    at < document.len()
        && close(document, at)
        && document.words[at].shape == Shape::Letters
        && !is_function_word(document, at)
        && document.class(at) == Class::None
        && document.entry(at).unit() == 0
}

/// Words that cannot be in the name of a street.
fn is_function_word(document: &Document<'_>, at: usize) -> bool {
    match document.class(at) {
        Class::Ordinal => return false,
        Class::None | Class::Letter | Class::Month | Class::Nato | Class::Weekday | Class::Slip => {}
        _ => return true,
    }
    let entry = document.entry(at);
    matches!(
        document.stem(at),
        "the"
            | "a"
            | "an"
            | "in"
            | "on"
            | "at"
            | "to"
            | "is"
            | "are"
            | "was"
            | "and"
            | "or"
            | "my"
            | "your"
            | "his"
            | "her"
            | "their"
            | "our"
            | "it"
            | "that"
            | "this"
            | "for"
            | "with"
            | "from"
            | "by"
            | "we"
            | "i"
            | "you"
            | "he"
            | "she"
            | "they"
            | "not"
            | "no"
            | "so"
            | "but"
            | "if"
            | "per"
            | "every"
            | "each"
            | "some"
            | "more"
            | "than"
            | "about"
            | "out"
            | "up"
            | "down"
            | "off"
            | "over"
            | "under"
            | "into"
            | "near"
            | "around"
            | "took"
            | "take"
            | "went"
            | "get"
            | "got"
            | "have"
            | "had"
            | "has"
            | "be"
            | "been"
            | "can"
            | "will"
            | "would"
            | "just"
            | "like"
            | "times"
            | "percent"
            | "then"
            | "as"
            | "all"
    ) || document.class(at) == Class::Unit
        || (entry.common() == 7
            && entry.family_name() == 0
            && entry.street_suffix() == 0
            && entry.direction() == 0)
}
