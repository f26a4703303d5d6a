//! Street lines, post office boxes, towns and counties: every place smaller than a state.

use std::borrow::Cow;

use super::Pass;
use super::candidate::Candidate;
use super::context::Context;
use super::cues::{CueHit, Role, label_before};
use super::document::Document;
use super::starts::{Flags, WordSet};
use super::vocabulary::Tags;
use crate::Kind;
use crate::lexicon::Entry;
use crate::view::{Case, Class, Gap, Shape};

pub(crate) fn find(document: &Document<'_>, cues: &[CueHit], context: &Context, out: &mut Vec<Candidate>) {
    let mut floor = 0;
    let cues = &*with_answers(document, cues, context);
    let asked = asked_for(document, cues);
    for at in document.starts.places(&asked).iter() {
        if at < floor {
            continue;
        }
        let entry = document.entry(at);
        let town = entry.town() | entry.begins_town() != 0;
        let county = entry.county() | entry.begins_county() != 0
            && document.starts.any(Flags::STATE, at + 1, at + TOWN_WORDS + 1);
        let number = document.words[at].shape != Shape::Letters || document.is(at, Tags::NUMBER);
        let street = number || entry.unit() == 1 || leads_to_street(document, at);
        let post_box_here = document.is(at, Tags::POST_BOX);
        let crossing_here = document.is(at, Tags::CROSSING);
        if !(town || county || street || post_box_here || crossing_here) {
            continue;
        }
        let found = post_box_here
            .then(|| post_box(document, at))
            .flatten()
            .or_else(|| crossing_here.then(|| crossing(document, at)).flatten())
            .or_else(|| street.then(|| self::street(document, cues, at, floor)).flatten())
            .or_else(|| {
                (town && tells_town(document, &asked, at)).then(|| self::town(document, cues, at)).flatten()
            })
            .or_else(|| county.then(|| self::county(document, at)).flatten());
        if let Some(found) = found {
            let end = found.end;
            let spoken = (found.start..end).any(|word| {
                matches!(document.class(word), Class::Digit | Class::Teen | Class::Tens | Class::Oh)
            });
            let pass = if spoken {
                Pass::Spoken
            } else if found.recognizer == "town" || found.recognizer == "county" {
                Pass::Dictionary
            } else {
                Pass::Regex
            };
            out.push(Candidate {
                kind: found.kind,
                span: document.span(found.start, end),
                score: found.score,
                validated: found.recognizer == "street_address" || found.recognizer == "post_box",
                pass,
                recognizer: found.recognizer.into(),
            });
            if let Some((start, zip_end)) = found.zip {
                let spoken = document.words[start].shape == Shape::Letters;
                out.push(Candidate {
                    kind: Kind::Zip,
                    span: document.span(start, zip_end),
                    score: 0.9,
                    validated: false,
                    pass: if spoken { Pass::Spoken } else { Pass::Regex },
                    recognizer: "zip_after_state".into(),
                });
                floor = zip_end;
            } else {
                floor = end;
            }
        }
    }
}

/// How far a label says that a place comes, in words.
const LABEL_REACH: usize = 3;

/// Cues with a label before each answer to a question for a place.
fn with_answers<'c>(document: &Document<'_>, cues: &'c [CueHit], context: &Context) -> Cow<'c, [CueHit]> {
    let mut cues = Cow::Borrowed(cues);
    for (start, kind) in context.answers(document, &Kind::Address) {
        let place = cues.partition_point(|cue| cue.start < start);
        cues.to_mut().insert(place, CueHit { start, end: start, kind, role: Role::Label });
    }
    cues
}

/// The words at which a label says that a place may begin.
fn asked_for(document: &Document<'_>, cues: &[CueHit]) -> WordSet {
    let mut asked = document.starts.no_words();
    for cue in cues {
        if cue.role == Role::Label && Kind::BUILT_IN[usize::from(cue.kind)] == Kind::Address {
            for at in cue.end..document.len().min(cue.end + LABEL_REACH + 1) {
                asked.add(at);
            }
        }
    }
    asked
}

/// The longest name of a street before its suffix, in words, with a direction.
const STREET_WORDS: usize = 8;
/// The longest name of a town, in words.
const TOWN_WORDS: usize = 6;

/// Whether a street without a number may begin at a word: something leads to it, and the word for a street follows.
fn leads_to_street(document: &Document<'_>, at: usize) -> bool {
    document.is_before(at, Tags::LEADS_STREET) && document.starts.any(Flags::SUFFIX, at, at + STREET_WORDS)
}

/// Whether something around a word tells that a town may begin there.
fn tells_town(document: &Document<'_>, asked: &WordSet, at: usize) -> bool {
    if document.is_cased(at) && document.words[at].case == Case::Lower {
        return false;
    }
    asked.has(at)
        || document.is_before(at, Tags::LEADS_TOWN)
        || document.starts.any(Flags::STATE, at + 1, at + TOWN_WORDS + 1)
}

struct Found {
    kind: Kind,
    start: usize,
    end: usize,
    score: f32,
    recognizer: &'static str,
    /// A ZIP code that stands apart from the place.
    zip: Option<(usize, usize)>,
}

fn close(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).only(Gap::SPACE.with(Gap::HYPHEN).with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE))
        && (!document.gap(at).has(Gap::SENTENCE) || !document.begins_sentence(at))
}

/// "PO Box 118", "p o box seven oh nine", "RR 2 Box 152".
fn post_box(document: &Document<'_>, at: usize) -> Option<Found> {
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

fn street(document: &Document<'_>, cues: &[CueHit], at: usize, floor: usize) -> Option<Found> {
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
        let (end, zip) = tail(document, street_that_crosses(document, end).unwrap_or(end));
        return Some(Found { kind: Kind::Address, start: at, end, score: 0.7, recognizer: "street", zip });
    }
    // "apartment 8C"
    if document.entry(at).unit() == 1 && matches!(document.stem(at), "apartment" | "apt" | "suite" | "ste") {
        let end = unit(document, at)?;
        return Some(Found {
            kind: Kind::Address,
            start: at,
            end,
            score: 0.8,
            recognizer: "unit",
            zip: None,
        });
    }
    None
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
            // "86th St", "5 Mile Road"
            let text = word.text(&document.view);
            let ordinal =
                text.ends_with("th") || text.ends_with("st") || text.ends_with("nd") || text.ends_with("rd");
            if !ordinal {
                return None;
            }
        }
        next += 1;
    }
    None
}

/// Whether the suffix word at `last` is one here: common ones are, the others need capitals around them.
fn suffix_counts(document: &Document<'_>, first: usize, last: usize, numbered: bool) -> bool {
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

fn close_or_comma(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).only(Gap::SPACE.with(Gap::STOP).with(Gap::COMMA).with(Gap::LINE))
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
        return Some(if letter { end + 1 } else { end });
    }
    (word.len() == 1
        && matches!(document.stem(at), "apartment" | "apt" | "suite" | "ste" | "unit" | "building" | "bldg"))
    .then_some(next + 1)
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
fn is_in_street_name(document: &Document<'_>, at: usize) -> bool {
    at < document.len()
        && close(document, at)
        && document.words[at].shape == Shape::Letters
        && !is_function_word(document, at)
        && document.class(at) == Class::None
        && document.entry(at).unit() == 0
}

/// "corner of fifth and main", "intersection of Oak and Lincoln".
fn crossing(document: &Document<'_>, at: usize) -> Option<Found> {
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
fn street_that_crosses(document: &Document<'_>, at: usize) -> Option<usize> {
    if !joins_streets(document, at) {
        return None;
    }
    let end = crossing_street(document, at + 1)?;
    let suffixed = end > at + 2 && document.entry(end - 1).street_suffix() > 0;
    (suffixed || ends_clause(document, end)).then_some(end)
}

/// "at fifth and madison", "near 5th and Pine": the end of two streets that cross, the first of which has a number.
fn numbered_crossing(document: &Document<'_>, at: usize) -> Option<usize> {
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

/// Whether nothing is said behind a word that goes on with it.
fn ends_clause(document: &Document<'_>, end: usize) -> bool {
    document.begins_clause(end)
        || matches!(document.stem(end), "in" | "near" | "by" | "and" | "across" | "downtown")
}

/// "fifth", "5th".
fn is_ordinal(document: &Document<'_>, at: usize) -> bool {
    let text = document.stem(at);
    let written = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    document.class(at) == Class::Ordinal
        || written && ["st", "nd", "rd", "th"].iter().any(|ending| text.ends_with(ending))
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

/// What follows a street line: a town, a state, a ZIP code. Gives the word after what belongs to the line, and a ZIP code that
/// stands apart because a state is between.
fn tail(document: &Document<'_>, at: usize) -> (usize, Option<(usize, usize)>) {
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
            let within = next > at && !document.is_cased(next) && !elsewhere && entry.common() < 3;
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
    match zip_end(document, next).or_else(|| postcode_end(document, next)) {
        Some(zip) if end > at => (zip, None),
        _ => (end, None),
    }
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
fn state_end(document: &Document<'_>, at: usize) -> Option<usize> {
    let (end, entry) = document.longest_phrase(at, |entry| entry.state() > 0)?;
    let plain = entry.state() == 3 || document.words[at].case == Case::Upper;
    let title = document.words[at].case == Case::Title && entry.state() == 1;
    (plain || title).then_some(end)
}

/// The word after a ZIP code at `at`, written or spoken.
fn zip_end(document: &Document<'_>, at: usize) -> Option<usize> {
    let word = document.words.get(at)?;
    if !document.gap(at).only(Gap::SPACE.with(Gap::COMMA).with(Gap::LINE)) {
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

/// A town by what stands around it: a state behind it, or "live in" before it.
fn town(document: &Document<'_>, cues: &[CueHit], at: usize) -> Option<Found> {
    let (end, entry) = document.longest_phrase(at, |entry| entry.town() > 0)?;
    let word = &document.words[at];
    if word.shape != Shape::Letters || (word.len() < 3 && end == at + 1) || document.is_possessive(end - 1) {
        return None;
    }
    let cased = document.is_cased(at);
    if cased && word.case == Case::Lower {
        return None;
    }
    // "from Denmark", "in the United States", "Independence Day", "Huntington disease"; but "in poland maine"
    let other = matches!(document.stem(end), "states" | "kingdom" | "day" | "disease" | "syndrome");
    let abroad = entry.country() == 1 && state_end(document, end).is_none();
    if end == at + 1 && (abroad || other) {
        return None;
    }
    let found =
        |end, score, zip| Some(Found { kind: Kind::Address, start: at, end, score, recognizer: "town", zip });
    let is_state = document.longest_phrase(at, |e| e.state() == 3).is_some_and(|(state, _)| state >= end);
    // "Toledo OH 43604", "Tempe, AZ", "duluth minnesota": the state shows that it is a town.
    let soft = Gap::SPACE.with(Gap::COMMA);
    if document.gap(end).only(soft)
        && let Some(state) = state_end(document, end)
    {
        let abbreviated = document.words[end].len() == 2;
        let plausible = !is_state || abbreviated;
        if plausible
            && (cased
                || !is_common(entry, document, at, end)
                || at > 0 && is_place_preposition(document.stem(at - 1)))
        {
            let zip = zip_end(document, state);
            if document.gap(end).has(Gap::COMMA) && abbreviated {
                return found(zip.unwrap_or(state), 0.9, None);
            }
            return found(end, 0.9, zip.map(|zip| (state, zip)));
        }
    }
    let label =
        label_before(cues, &Kind::Address, at, 1).filter(|cue| document.same_sentence(cue.last_word(), at));
    let labelled = label.is_some();
    // "in ninety six": a town in South Carolina, and a year everywhere else.
    let is_number = (at..end).all(|at| document.is(at, Tags::NUMBER));
    if (is_state || is_number) && !labelled {
        return None;
    }
    let before = document.stem_before(at, 1);
    let sentence = document.begins_sentence(at);
    if labelled && (!is_state || entry.town() == 3) {
        let answer = label.is_some_and(|label| label.last_word() == at);
        let capital = cased && word.case != Case::Lower && !sentence && !answer;
        let single_word_common = end == at + 1 && is_common(entry, document, at, end) && !capital;
        if !(single_word_common || is_state && document.stem(at) != "new") {
            return (!is_state).then(|| found(end, 0.85, None))?;
        }
    }
    // "in Dallas", "downtown Asheville".
    let prepared = is_place_preposition(before) && !sentence;
    if prepared && entry.town() >= 2 {
        let name_like = entry.given_name() >= 4 && end == at + 1;
        let institution = is_institution_ahead(document, end);
        if cased
            && word.case == Case::Title
            && !institution
            && (!name_like || before == "in" || (before == "from" && entry.town() == 3))
        {
            return found(end, 0.7, None);
        }
        if !cased
            && !is_common(entry, document, at, end)
            && !institution
            && matches!(before, "in" | "from" | "near" | "downtown")
            && !name_like
        {
            return found(end, 0.6, None);
        }
    }
    if entry.town() >= 2 && !is_common(entry, document, at, end) && is_end_of_way(document, at, end) {
        return found(end, 0.6, None);
    }
    // "our Sacramento office"
    let site = matches!(
        document.stem(end),
        "office" | "clinic" | "location" | "branch" | "campus" | "site" | "facility" | "area" | "residence"
    );
    let only_town = entry.given_name() < 2
        && entry.family_name() < 3
        && entry.common() == 0
        && entry.medical() == 0
        && entry.institution() == 0;
    let known = if cased {
        entry.town() >= 2 || only_town && word.case == Case::Title
    } else {
        only_town && word.len() >= 4
    };
    if matches!(before, "our" | "the" | "your" | "their" | "in") && site && known {
        return found(end, 0.6, None);
    }
    // "Marta B. from Lakewood,"
    let alone = document.gap(end).has(Gap::COMMA.with(Gap::SENTENCE).with(Gap::BARRIER));
    if before == "from"
        && !sentence
        && cased
        && alone
        && entry.given_name() < 3
        && !is_common(entry, document, at, end)
    {
        return found(end, 0.5, None);
    }
    let beside = before == "by"
        && at >= 2
        && matches!(document.stem(at - 2), "out" | "over" | "down" | "up" | "right");
    let there = beside || matches!(before, "in" | "downtown" | "near" | "from" | "past" | "outside" | "into");
    if there && entry.town() == 1 && !is_institution_ahead(document, end) {
        let several = end > at + 1;
        let written = cased && word.case == Case::Title && (several && !sentence || only_town);
        // "past pecan gap", "in yellow springs"
        let said = !cased
            && matches!(before, "in" | "near" | "past" | "outside")
            && entry.medical() == 0
            && (several || only_town && word.len() >= 4);
        // "we drove up from saco"
        let left = !cased && before == "from" && only_town && word.len() >= 4 && document.begins_clause(end);
        if written || said || left {
            return found(end, 0.55, None);
        }
    }
    None
}

/// "from tulsa to topeka": whether a town is one of two that somebody goes from and to.
fn is_end_of_way(document: &Document<'_>, at: usize, end: usize) -> bool {
    let town = |at: usize| {
        let (end, entry) = document.longest_phrase(at, |entry| entry.town() > 0)?;
        (entry.town() >= 2 && !is_common(entry, document, at, end)).then_some(end)
    };
    let (before, spaced) = (document.stem_before(at, 1), |at: usize| document.gap(at).only(Gap::SPACE));
    if before == "from" {
        return document.stem(end) == "to" && spaced(end) && spaced(end + 1) && town(end + 1).is_some();
    }
    before == "to"
        && (2..=TOWN_WORDS).any(|words| {
            let Some(start) = (at - 1).checked_sub(words - 1) else { return false };
            document.stem_before(start, 1) == "from" && town(start) == Some(at - 1)
        })
}

fn is_place_preposition(text: &str) -> bool {
    matches!(text, "in" | "from" | "near" | "downtown" | "to" | "at" | "of" | "outside" | "around")
}

/// A word that is likelier an ordinary word than a town.
fn is_common(_entry: Entry, document: &Document<'_>, at: usize, end: usize) -> bool {
    end == at + 1 && (document.entry(at).common() >= 3 || document.entry(at).medical() == 2)
}

fn is_institution_ahead(document: &Document<'_>, at: usize) -> bool {
    (at..at + 3).any(|i| {
        matches!(
            document.stem(i),
            "hospital"
                | "clinic"
                | "university"
                | "college"
                | "medical"
                | "health"
                | "center"
                | "school"
                | "general"
                | "memorial"
                | "pharmacy"
        ) && document.same_sentence(at.saturating_sub(1), i.min(document.len() - 1))
    })
}

/// "Kern County".
fn county(document: &Document<'_>, at: usize) -> Option<Found> {
    let (end, _) = document.longest_phrase(at, |entry| entry.county() == 1)?;
    let after = document.stem(end);
    let named = matches!(after, "county" | "parish" | "borough") && document.gap(end) == Gap::SPACE;
    let titled = document.words[at].case != Case::Lower || !document.is_cased(at);
    let common = document.entry(at).common() >= 5 && end == at + 1 && document.words[at].case == Case::Lower;
    (named && titled && !common).then(|| Found {
        kind: Kind::Address,
        start: at,
        end: end + 1,
        score: 0.75,
        recognizer: "county",
        zip: None,
    })
}
