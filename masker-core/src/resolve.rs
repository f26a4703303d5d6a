//! Overlapping candidates to disjoint, ordered ones: the one place for tie rules.

use crate::Span;
use crate::detect::{Candidate, Context, DetectError, DetectorSet, Finding};

/// Which of two overlapping candidates wins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Order {
    /// Validated before unvalidated, then longer, then higher priority, then higher score, then earlier.
    #[default]
    Longest,
    /// Higher priority first, then as `Longest`.
    Priority,
    /// Higher score first, then as `Longest`.
    Score,
}

impl DetectorSet {
    /// The findings in a text, disjoint and in order; no byte of any candidate is left uncovered.
    ///
    /// `protected` spans (tokens and labels, sorted and disjoint) are not looked into. `context` is what earlier texts of the
    /// conversation said; it takes up what this one says.
    ///
    /// # Errors
    ///
    /// When a plug-in fails or gives a span that is not a part of the text. Text alone never causes an error.
    pub fn detect(
        &self,
        text: &str,
        protected: &[Span],
        context: &mut Context,
        order: Order,
    ) -> Result<Vec<Finding>, DetectError> {
        Ok(self.resolve(&self.candidates(text, protected, context)?, order))
    }

    /// The findings among candidates.
    pub(crate) fn resolve(&self, candidates: &[Candidate], order: Order) -> Vec<Finding> {
        let ranks: Vec<Rank> = candidates.iter().map(|candidate| Rank::of(candidate, self)).collect();
        resolve(&ranks, order).into_iter().map(|(winner, span)| candidates[winner].finding(span)).collect()
    }
}

/// What the rules need to know of a candidate.
#[derive(Clone, Copy, Debug)]
struct Rank {
    span: Span,
    validated: bool,
    priority: i32,
    score: f32,
}

impl Rank {
    fn of(candidate: &Candidate, set: &DetectorSet) -> Self {
        Self {
            span: candidate.span,
            validated: candidate.validated,
            priority: set.rules.get(&candidate.kind).map_or(0, |rule| rule.priority),
            score: candidate.score,
        }
    }
}

/// Groups overlapping candidates; gives for every group the index of the winner and the span that the group covers.
fn resolve(ranks: &[Rank], order: Order) -> Vec<(usize, Span)> {
    let mut by_start: Vec<usize> = (0..ranks.len()).collect();
    by_start.sort_unstable_by_key(|&index| (ranks[index].span, index));
    let mut groups: Vec<(usize, Span)> = Vec::new();
    for index in by_start {
        let rank = &ranks[index];
        match groups.last_mut() {
            Some((winner, span)) if span.overlaps(rank.span) => {
                *span = span.cover(rank.span);
                if beats(rank, &ranks[*winner], order) {
                    *winner = index;
                }
            }
            _ => groups.push((index, rank.span)),
        }
    }
    groups
}

fn beats(a: &Rank, b: &Rank, order: Order) -> bool {
    let longest = || {
        a.validated
            .cmp(&b.validated)
            .then(a.span.len().cmp(&b.span.len()))
            .then(a.priority.cmp(&b.priority))
            .then(a.score.total_cmp(&b.score))
            .then(b.span.start.cmp(&a.span.start))
    };
    let ordering = match order {
        Order::Longest => longest(),
        Order::Priority => a.priority.cmp(&b.priority).then_with(longest),
        Order::Score => a.score.total_cmp(&b.score).then_with(longest),
    };
    ordering.is_gt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_are_disjoint_ordered_and_cover_everything(
            spans in proptest::collection::vec((0usize..60, 1usize..12, any::<bool>(), 0i32..3, 0u8..10), 0..24)
        ) {
            let ranks: Vec<Rank> = spans
                .iter()
                .map(|&(start, len, validated, priority, score)| Rank {
                    span: Span::new(start, start + len),
                    validated,
                    priority,
                    score: f32::from(score) / 10.0,
                })
                .collect();
            for order in [Order::Longest, Order::Priority, Order::Score] {
                let groups = resolve(&ranks, order);
                prop_assert!(groups.windows(2).all(|pair| pair[0].1.end <= pair[1].1.start));
                prop_assert!(ranks.iter().all(|rank| groups.iter().any(|(_, span)| span.contains(rank.span))));
                prop_assert!(groups.iter().all(|(winner, span)| span.contains(ranks[*winner].span)));
            }
        }
    }
}
