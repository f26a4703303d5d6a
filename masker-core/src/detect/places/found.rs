//! What a place is, and words that part one place from the next.

use super::TOWN_WORDS;
use crate::Kind;
use crate::detect::document::Document;
use crate::view::{Class, Gap};

pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: f32,
    pub(super) recognizer: &'static str,
    /// A ZIP code that stands apart from the place.
    pub(super) zip: Option<(usize, usize)>,
}

pub(super) fn close(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).only(Gap::SPACE.with(Gap::HYPHEN).with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE))
        && (!document.gap(at).has(Gap::SENTENCE) || !document.begins_sentence(at))
}

/// Words that cannot be in the name of a street.
pub(super) fn is_function_word(document: &Document<'_>, at: usize) -> bool {
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

pub(super) fn close_or_comma(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).only(Gap::SPACE.with(Gap::STOP).with(Gap::COMMA).with(Gap::LINE))
}

/// Whether nothing is said behind a word that goes on with it.
pub(super) fn ends_clause(document: &Document<'_>, end: usize) -> bool {
    document.begins_clause(end)
        || matches!(document.stem(end), "in" | "near" | "by" | "and" | "across" | "downtown")
}

/// "from tulsa to topeka": whether a town is one of two that somebody goes from and to.
pub(super) fn is_end_of_way(document: &Document<'_>, at: usize, end: usize) -> bool {
    let town = |at: usize| {
        let (end, entry) = document.longest_phrase(at, |entry| entry.town() > 0)?;
        (entry.town() >= 2 && !is_common(document, at, end)).then_some(end)
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

pub(super) fn is_place_preposition(text: &str) -> bool {
    matches!(text, "in" | "from" | "near" | "downtown" | "to" | "at" | "of" | "outside" | "around")
}

/// A word that is likelier an ordinary word than a town.
pub(super) fn is_common(document: &Document<'_>, at: usize, end: usize) -> bool {
    end == at + 1 && (document.entry(at).common() >= 3 || document.entry(at).medical() == 2)
}

pub(super) fn is_institution_ahead(document: &Document<'_>, at: usize) -> bool {
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
