//! What stands before a date, as evidence for what it is the date of.

use super::hit::DateHit;
use crate::Kind;
use crate::detect::context::Context;
use crate::detect::cues::{CueHit, Role};
use crate::detect::document::Document;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DateCue {
    None,
    Date,
    Birth,
}

/// What the words around a date say it is.
pub(super) fn date_cue(
    document: &Document<'_>,
    cues: &[CueHit],
    context: &Context,
    hit: &DateHit,
) -> DateCue {
    let of = |kind: u8| match Kind::BUILT_IN[kind as usize] {
        Kind::Dob => Some(DateCue::Birth),
        Kind::Date => Some(DateCue::Date),
        _ => None,
    };
    let after = cues[cues.partition_point(|cue| cue.start < hit.end)..]
        .iter()
        .take_while(|cue| cue.start <= hit.end + 3)
        .find(|cue| {
            cue.role == Role::After && of(cue.kind).is_some() && document.same_turn(hit.end - 1, cue.start)
        });
    if let Some(cue) = after {
        return of(cue.kind).unwrap_or(DateCue::None);
    }
    let from = cues.partition_point(|cue| cue.start + 16 < hit.start);
    let to = cues.partition_point(|cue| cue.start < hit.start);
    let nearest = cues[from..to]
        .iter()
        // "born in" introduces a place; before a date it is "born".
        .filter(|cue| Kind::BUILT_IN[cue.kind as usize] != Kind::Address)
        .filter(|cue| cue.role == Role::Label && cue.end <= hit.start && hit.start - cue.end <= 8)
        .filter(|cue| {
            let reach = if document.same_sentence(cue.end - 1, hit.start) { 8 } else { 4 };
            hit.start - cue.end <= reach && document.same_turn(cue.end - 1, hit.start)
        })
        .max_by_key(|cue| cue.end);
    if let Some(cue) = nearest {
        return of(cue.kind).unwrap_or(DateCue::None);
    }
    context.answered(document, hit.start).and_then(|(kind, _)| of(kind)).unwrap_or(DateCue::None)
}
