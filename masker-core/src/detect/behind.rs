//! Finds what shows only once the findings are replaced.
//!
//! Masked text that is masked again stays as it is, so whatever its reading would bring to light is found at once: a value that
//! another finding's words explained away, or that stood in its shadow.

use std::ops::Range;

use super::candidate::Candidate;
use super::context::{Carried, Context};
use super::document::Document;
use super::set::{DetectorSet, outside, reaches};
use crate::Span;

/// Every reading covers more. What one value after another brings to light for longer than that is no text that somebody wrote:
/// the rest of the turn is covered with it, which ends it.
const READINGS: usize = 16;

/// A piece of a text that was read once.
pub(crate) struct Piece<'a> {
    /// The piece with what is looked at around it.
    pub(crate) document: &'a Document<'a>,
    /// What it was read without.
    pub(crate) protected: &'a [Span],
    /// What was found with the pieces before it.
    pub(crate) tail: &'a [Span],
    /// The bytes in which findings begin.
    pub(crate) within: Range<usize>,
    /// Where the next piece begins.
    pub(crate) next: Option<usize>,
    /// What it carries over to the next piece as it was read.
    pub(crate) heard: Carried,
}

impl DetectorSet {
    /// Adds what the replacement of the findings brings to light. Gives what the last reading, which found nothing more, carries
    /// over to the next piece.
    ///
    /// Every turn is read until nothing more is found before the next one is, as where they are given one by one. Where nothing was
    /// found in a turn, and what came before it says the same, the first reading holds.
    pub(crate) fn find_behind(
        &self,
        piece: &Piece<'_>,
        context: &Context,
        found: &mut Vec<Candidate>,
    ) -> Carried {
        let Piece { document, within, .. } = piece;
        let mut before = context.masked();
        let mut carried = None;
        for turn in context.turns(document).skip_while(|turn| turn.is_before(document.begin())) {
            let next = piece.next.filter(|_| carried.is_none());
            if next.is_none() && turn.bytes.start >= within.end {
                break;
            }
            let next = next.filter(|&next| turn.holds(document, next));
            if context.reads_alike(document, &turn, before) && !piece.has_found(&turn.bytes, found) {
                let after = |next| context.after_alike(document, next, before, piece.heard);
                carried = next.map(after).or(carried);
                before = Carried::after_turn(turn.asked);
                continue;
            }
            let (again, reading) = self.read_behind(piece, &turn.bytes, before, found);
            let after = |next: usize| reading.after(&again, Some(next.saturating_sub(turn.bytes.start)));
            carried = next.map(after).or(carried);
            before = reading.after(&again, None);
        }
        carried.unwrap_or(before)
    }

    /// Reads a turn until nothing more is found, and gives the last reading.
    fn read_behind<'a>(
        &self,
        piece: &Piece<'a>,
        turn: &Range<usize>,
        before: Carried,
        found: &mut Vec<Candidate>,
    ) -> (Document<'a>, Context) {
        let text = &piece.document.view.source()[turn.clone()];
        let within = piece.within.start.max(turn.start)..piece.within.end.min(turn.end);
        let mut readings = 0;
        loop {
            let covered = piece.replaced(turn, found);
            let again = if text.len() == piece.document.view.source().len() {
                piece.document.covered(&covered, before.capitals())
            } else {
                let begin = piece.document.piece.saturating_sub(turn.start);
                Document::part(text, &covered, begin, before.capitals())
            };
            let mut context = Context::behind(before);
            let mut more = self.find_admitted(&again, &covered, &mut context);
            more.retain_mut(|candidate| reaches(text, &mut candidate.span, within.start - turn.start));
            if readings == READINGS
                && within.start < within.end
                && let Some(first) = more.first()
            {
                let rest = Span::new(within.start - turn.start, within.end - turn.start);
                more.push(Candidate { span: rest, ..first.clone() });
                outside(&covered, &mut more, text);
            }
            if more.is_empty() || readings > READINGS {
                return (again, context);
            }
            found.extend(more.into_iter().map(|candidate| candidate.moved(turn.start)));
            readings += 1;
        }
    }
}

impl Piece<'_> {
    fn all_found(&self, found: &[Candidate]) -> impl Iterator<Item = Span> {
        self.tail.iter().copied().chain(found.iter().map(|candidate| candidate.span))
    }

    /// Whether anything was found in a turn.
    fn has_found(&self, turn: &Range<usize>, found: &[Candidate]) -> bool {
        self.all_found(found).any(|span| span.start < turn.end && span.end > turn.start)
    }

    /// What is replaced in a turn, counted from its start, disjoint and in order; spans that only touch stay apart.
    pub(super) fn replaced(&self, turn: &Range<usize>, found: &[Candidate]) -> Vec<Span> {
        let within = |span: Span| {
            let (start, end) = (span.start.max(turn.start), span.end.min(turn.end));
            (start < end).then(|| Span::new(start - turn.start, end - turn.start))
        };
        let all = self.protected.iter().copied().chain(self.all_found(found));
        let mut replaced: Vec<Span> = all.filter_map(within).collect();
        replaced.sort_unstable();
        replaced.dedup_by(|next, last| {
            let joined = last.overlaps(*next);
            if joined {
                *last = last.cover(*next);
            }
            joined
        });
        replaced
    }
}
