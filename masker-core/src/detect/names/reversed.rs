//! Names whose family name comes first, before a comma.

use super::before::nearest_label;
use super::words::{is_family_name_alone, is_rare_word};
use crate::detect::cues::{CueHit, Role};
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Gap, Shape};
use crate::{Kind, lexicon};

/// Whether a capitalised word stands before a comma, as a family name does that comes first.
pub(super) fn begins_reversed(document: &Document<'_>, at: usize) -> bool {
    document.words[at].case != Case::Lower && document.gap(at + 1).has(Gap::COMMA)
}

/// "SMITH, JOHN A": a family name before a comma and a given name, on a line of its own or behind a label; the word after it.
pub(super) fn reversed(document: &Document<'_>, cues: &[CueHit], at: usize) -> Option<usize> {
    let (family, given) = (document.words.get(at)?, document.words.get(at + 1)?);
    let written = family.shape == Shape::Letters
        && given.shape == Shape::Letters
        && family.case != Case::Lower
        && (family.case == given.case || given.len() == 1 && given.case == Case::Title)
        && given.gap.only(Gap::COMMA.with(Gap::SPACE))
        && given.gap.has(Gap::COMMA)
        && family.len() > 1;
    if !written || document.is_possessive(at) {
        return None;
    }
    // "Subscriber: PRIDEAUX, JOANN", though a number may follow the word as well.
    let of_person = family.gap.has(Gap::COLON)
        && at > 0
        && (document.is(at - 1, Tags::ROLE.with(Tags::RELATION))
            || matches!(
                document.stem(at - 1),
                "attending" | "insured" | "member" | "provider" | "subscriber"
            ));
    let placed = of_person
        || family.gap.has(Gap::START.with(Gap::LINE).with(Gap::BARRIER))
        || (family.gap.has(Gap::COLON)
            && nearest_label(document, cues, at, 1).is_none_or(|kind| kind == Kind::Name));
    let (first, second) = (document.entry(at), document.entry(at + 1));
    let labelled = of_person
        || family.gap.has(Gap::COLON)
            && cues[..cues.partition_point(|cue| cue.start < at)].iter().rev().take(6).any(|cue| {
                cue.end == at
                    && matches!(cue.role, Role::Label | Role::Hint)
                    && Kind::BUILT_IN[cue.kind as usize] == Kind::Name
            });
    let patient = family.gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE))
        && at > 0
        && matches!(document.stem(at - 1), "pt" | "patient");
    let ends = Gap::STOP.with(Gap::LINE).with(Gap::SENTENCE).with(Gap::BARRIER);
    let initial = given.len() == 1 && document.gap(at + 2).has(ends);
    let unknown = |entry: lexicon::Entry| entry == lexicon::Entry::default();
    let introduced = labelled
        && (first.family_name() > 0 || unknown(first) || first.given_name() > 0)
        && first.common() < 5
        && first.medical() == 0
        // "Provider: Kaiser, Oakland"
        && first.institution() == 0
        && (second.town() < 3 || second.given_name() >= 4)
        && (initial
            || given.len() > 2
                && (unknown(second) || second.given_name() > 0 || is_family_name_alone(document, at + 1)))
        && !document.is(at, Tags::NO_NAME.with(Tags::ACKNOWLEDGES))
        && !document.is(at + 1, Tags::NO_NAME.with(Tags::TITLE));
    let names = introduced
        || first.family_name() >= 2
            && first.common() < 5
            && first.town() < 3
            && first.medical() < 2
            && given.len() > 1
            && second.given_name() >= 3
            && second.not_name() < 6
            && second.state() == 0
        // "Wintergreen, Bartholomew"
        || is_rare_word(first)
            && first.town() <= 1
            && given.len() > 2
            && second.given_name() >= 3
            && second.not_name() == 0
            && second.common() == 0
            && second.town() <= 1
        // "Verhoeven, H; Okonkwo, C."
        || is_family_name_alone(document, at)
            && first.family_name() >= 2
            && given.len() == 1
            && document.gap(at + 2).has(ends.with(Gap::COLON));
    // "Pt Smith, J. refused meds."
    let shortened = (patient || of_person)
        && first.family_name() >= 4
        && given.len() == 1
        && document.gap(at + 2).has(Gap::STOP);
    if !((placed || patient) && (names || shortened)) {
        return None;
    }
    let mut end = at + 2;
    while end < at + 4 && end < document.len() && document.gap(end) == Gap::SPACE {
        let word = &document.words[end];
        let initial = word.len() == 1 && word.case == Case::Title;
        let middle = word.case == given.case && document.entry(end).given_name() >= 3;
        if !(initial || middle) {
            break;
        }
        end += 1;
    }
    Some(end)
}
