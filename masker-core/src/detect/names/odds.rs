//! How likely a word is part of a name, as log odds, from the word and its letters alone; and what is enough.

use super::words::{has_medical_ending, is_contraction, is_plain, may_be_raised};
use crate::Kind;
use crate::detect::Pass;
use crate::detect::candidate::Candidate;
use crate::detect::context::Context;
use crate::detect::document::Document;
use crate::detect::starts::Flags;
use crate::detect::vocabulary::Tags;
use crate::lexicon::{self, Entry};
use crate::view::{Case, Class, Gap, Shape};

/// Log odds from which a candidate is a name.
pub(super) const ACCEPT: f32 = 1.0;

/// Log odds of the first word with what stands before it, from which the rest is looked at.
pub(super) const WORTH_A_LOOK: f32 = -1.5;

/// What leads to a name without being a cue is worth no more than this.
pub(super) const LEAST_LEAD: f32 = 0.65;

/// Log odds from which its words are learnt for the rest of the conversation.
pub(super) const LEARN: f32 = 2.5;

/// Below these log odds the first word makes no name, whatever leads to it.
pub(super) const HOPELESS: f32 = -4.5;

/// Below these log odds a word that nothing leads to is no name of one word, whatever comes after it that is no
/// [`Tags::FOLLOWS_NAME`].
pub(super) const ALONE: f32 = ACCEPT - LEAST_LEAD - 0.5 - 0.01;

/// What follows a name that is neither a spelling of it nor a [`Tags::FOLLOWS_NAME`] is worth no more than this as evidence for it,
/// and a little for the order of adding up.
pub(super) const LEAST_FOLLOWING: f32 = 0.51;

/// Log odds of a word of three letters or more that no list has.
const UNKNOWN: f32 = -1.2;

/// Words that are a name with these log odds.
pub(super) fn candidate(
    document: &Document<'_>,
    start: usize,
    end: usize,
    score: f32,
    recognizer: &'static str,
) -> Candidate {
    Candidate {
        kind: Kind::Name,
        span: document.span(start, end),
        score: (1.0 / (1.0 + (-0.8 * score).exp())).clamp(0.7, 0.98),
        validated: false,
        pass: Pass::Dictionary,
        recognizer: recognizer.into(),
    }
}

/// Log odds that a word is part of a name, from the word and its letters alone.
pub(super) fn prior(document: &Document<'_>, context: &Context, at: usize) -> f32 {
    let word = &document.words[at];
    if word.shape != Shape::Letters {
        return -9.0;
    }
    if word.apostrophe && is_contraction(word.stem(&document.view))
        || document.is(at, Tags::TITLE.with(Tags::NO_NAME))
    {
        return -9.0;
    }
    let entry = document.entry(at);
    let (given, family) = (entry.given_name(), entry.family_name());
    // Accents tell a name from the plain word of the same letters.
    let accented = given.max(family) > 0 && document.has_accent(at);
    let not_name = if accented { 0 } else { entry.not_name() };
    let cased = document.is_cased(at);
    let class = document.class(at);
    let title = word.case == Case::Title;
    let first = || document.begins_sentence(at) || starts_quote(document, at);
    if cased && word.case == Case::Lower {
        return if context.knows_name(word.hash) && not_name < 2 && entry.common() == 0 { 0.5 } else { -6.0 };
    }
    if matches!(class, Class::Weekday) || entry.state() >= 2 && (word.len() == 2 || entry.given_name() < 5) {
        return -5.0;
    }
    if class == Class::Month {
        return if matches!(document.stem(at), "april" | "june" | "may" | "august" | "jan") {
            -2.5
        } else {
            -6.0
        };
    }
    if context.knows_name(word.hash) && (!cased || title) && (not_name < 6 || (title && !first())) {
        return if title && not_name >= 4 && first() { 0.8 } else { 3.0 };
    }
    let listed = given > 0 || family > 0;
    let plain = entry.common() > 0 || entry.medical() > 0 || entry.town() > 0 || not_name > 0;
    if !plain && (!cased || title) && context.nearly_knows_name(document.stem(at)) {
        return 1.5;
    }
    let inside = cased && title && !first();
    let base = if !listed {
        let unknown = entry == lexicon::Entry::default();
        if unknown && has_medical_ending(document.stem(at)) {
            -4.0
        } else if unknown && word.len() >= 3 {
            if inside { -0.4 } else { UNKNOWN }
        } else if inside && entry.common() == 0 && entry.town() < 3 {
            -1.0
        } else {
            unlisted(entry)
        }
    } else if inside {
        // A capital inside a sentence: most such words are names.
        let known = f32::from(given.max(family)) * 0.22;
        if not_name == 0 && (entry.common() == 0 || accented) {
            // A rare name alone may as well be a brand.
            if given.max(family) <= 2 { 0.4 } else { 1.2 + known }
        } else {
            let share = f32::from(entry.name_if_capital()) / 7.0;
            (share.clamp(0.03, 0.95) / (1.0 - share.clamp(0.03, 0.95))).ln() * 0.8 + known - 0.4
        }
    } else {
        listed_alone(entry, not_name)
    };
    // An acronym, unless the whole turn is in capitals.
    let upper = match word.case {
        Case::Upper if !listed && !cased && word.len() > 3 && is_among_capitals(document, at) => 0.0,
        Case::Upper if !listed => -4.0,
        Case::Upper if cased => {
            if word.len() > 3 {
                -0.5
            } else {
                -4.0
            }
        }
        // "ADA" among small letters.
        Case::Upper if word.len() <= 3 && is_among_small_letters(document, at) => -4.0,
        _ => 0.0,
    };
    base + upper + against(entry, not_name)
}

/// Log odds of a word that is known but as no name.
fn unlisted(entry: Entry) -> f32 {
    if entry.nickname() == 1 && entry.common() == 0 { 0.5 } else { -6.0 }
}

/// Log odds of a listed name where no capital says more.
fn listed_alone(entry: Entry, not_name: u8) -> f32 {
    let (given, family) = (entry.given_name(), entry.family_name());
    let known = match given.max(family) {
        0..=1 => -0.9,
        2 => -0.2,
        3 => 0.3,
        4 => 0.9,
        5 => 1.3,
        _ => 1.7,
    };
    let plain = match not_name {
        0 if entry.common() == 0 => 0.0,
        0 => -0.3,
        1 => -0.5,
        2 => -1.0,
        3 => -1.8,
        4 => -2.5,
        5 => -3.2,
        6 => -4.2,
        _ => -6.0,
    };
    // A word that is a given name and nothing else needs little more.
    let only_name = not_name == 0
        && entry.common() == 0
        && entry.medical() == 0
        && entry.town() <= u8::from(given >= 3)
        && entry.institution() == 0;
    let mostly = given >= 4 && not_name <= 1 && entry.common() <= 2 && entry.medical() == 0;
    let known = match (only_name, mostly) {
        (true, _) if given >= 2 => known + 0.7,
        (_, true) => known + 0.4,
        _ => known,
    };
    // A family name alone in lower-case speech is weaker than a given name.
    let family_only = if given <= 2 && family > 0 && family >= given { -0.6 } else { 0.0 };
    known + plain + family_only
}

/// What a word is besides a name, as log odds against that.
fn against(entry: Entry, not_name: u8) -> f32 {
    let given = entry.given_name();
    let listed = given > 0 || entry.family_name() > 0;
    let medical = match entry.medical() {
        2 => -4.0,
        1 if not_name >= 4 || !listed => -1.5,
        1 => -0.3,
        _ => 0.0,
    };
    let place = match entry.town() {
        3 if given < 5 => -1.0,
        2 if given < 4 => -0.5,
        _ => 0.0,
    };
    let country = if entry.country() == 1 && given < 5 { -3.0 } else { 0.0 };
    let brand = if entry.institution() == 1 { -2.0 } else { 0.0 };
    brand + medical + place + country
}

/// Whether a word may be a name by itself, in small letters and with a capital: no where [`prior`] cannot give enough for what
/// stands before it, as far as nothing was learnt and no accent tells more.
pub(in crate::detect) fn flags_of(entry: Entry, tags: Tags) -> Flags {
    /// What the order of adding up can make of a sum.
    const ROUNDING: f32 = 0.01;
    let listed = entry.given_name() | entry.family_name() != 0;
    let particle = tags.has(Tags::PARTICLE);
    let alone = match entry == Entry::default() {
        true => UNKNOWN,
        false if listed => listed_alone(entry, entry.not_name()),
        false => unlisted(entry),
    };
    let odds = alone + against(entry, entry.not_name()) + ROUNDING;
    let small = !is_plain(entry) && odds + LEAST_LEAD >= WORTH_A_LOOK;
    // Months are judged by themselves.
    let led = odds >= HOPELESS || may_be_raised(entry) || tags.has(Tags::DATE);
    let barred = tags.has(Tags::TITLE.with(Tags::NO_NAME));
    let capital =
        !barred && (listed || entry == Entry::default() || entry.common() == 0 || entry.nickname() == 1);
    Flags::SMALL_NAME
        .when(particle || small)
        .with(Flags::CAPITAL_NAME.when(particle || capital))
        .with(Flags::SMALL_LEARNT.when(particle || !is_plain(entry)))
        .with(Flags::SMALL_LED.when(particle || led))
        .with(Flags::CAPITAL_LED.when(particle || !barred || may_be_raised(entry)))
}

/// Whether a word beside one is in small letters.
fn is_among_small_letters(document: &Document<'_>, at: usize) -> bool {
    let small = |at: usize| document.words[at].case == Case::Lower && document.words[at].len() > 1;
    !document.gap(at + 1).has(Gap::BARRIER) && small(at + 1) || at > 0 && small(at - 1)
}

/// Whether the words beside one are in capitals too, and long enough to be words.
fn is_among_capitals(document: &Document<'_>, at: usize) -> bool {
    let capitals = |at: usize| document.words[at].case == Case::Upper && document.words[at].len() > 1;
    let last = document.gap(at + 1).has(Gap::BARRIER);
    at > 0 && document.words[at - 1].len() > 2 && capitals(at - 1) && (last || capitals(at + 1))
}

fn starts_quote(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).has(Gap::QUOTE.with(Gap::JOINT).with(Gap::OTHER))
}
