//! Towns and counties.

use super::TOWN_WORDS;
use super::found::Found;
use super::tail::{state_end, zip_end};
use crate::Kind;
use crate::detect::cues::{CueHit, label_before};
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Gap, Shape};

/// A town by what stands around it: a state behind it, or "live in" before it.
pub(super) fn town(document: &Document<'_>, cues: &[CueHit], at: usize) -> Option<Found> {
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
                || !is_common(document, at, end)
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
        let single_word_common = end == at + 1 && is_common(document, at, end) && !capital;
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
            && !is_common(document, at, end)
            && !institution
            && matches!(before, "in" | "from" | "near" | "downtown")
            && !name_like
        {
            return found(end, 0.6, None);
        }
    }
    if entry.town() >= 2 && !is_common(document, at, end) && is_end_of_way(document, at, end) {
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
        && !is_common(document, at, end)
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

/// "Kern County".
pub(super) fn county(document: &Document<'_>, at: usize) -> Option<Found> {
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

/// "from tulsa to topeka": whether a town is one of two that somebody goes from and to.
fn is_end_of_way(document: &Document<'_>, at: usize, end: usize) -> bool {
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

fn is_place_preposition(text: &str) -> bool {
    matches!(text, "in" | "from" | "near" | "downtown" | "to" | "at" | "of" | "outside" | "around")
}

/// A word that is likelier an ordinary word than a town.
fn is_common(document: &Document<'_>, at: usize, end: usize) -> bool {
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
