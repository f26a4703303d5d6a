//! Compares findings with labelled spans.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::args::Match;

/// A span with its kind, in the unit of the labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: String,
}

impl Label {
    fn overlap(&self, start: usize, end: usize) -> usize {
        self.end.min(end).saturating_sub(self.start.max(start))
    }
}

/// How many were right, wrong and missed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) right: u64,
    pub(crate) wrong: u64,
    pub(crate) missed: u64,
}

impl Counts {
    /// Share of the findings that are right; 1 where there are none.
    pub(crate) fn precision(self) -> f64 {
        share(self.right, self.wrong)
    }

    /// Share of the labels that were found; 1 where there are none.
    pub(crate) fn recall(self) -> f64 {
        share(self.right, self.missed)
    }

    /// Harmonic mean of the two.
    pub(crate) fn f1(self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
    }

    pub(crate) fn to_json(self) -> Value {
        let round = |x: f64| (x * 10_000.0).round() / 10_000.0;
        json!({
            "precision": round(self.precision()), "recall": round(self.recall()), "f1": round(self.f1()),
            "true_positives": self.right, "false_positives": self.wrong, "false_negatives": self.missed,
        })
    }
}

fn share(part: u64, rest: u64) -> f64 {
    if part + rest == 0 { 1.0 } else { part as f64 / (part + rest) as f64 }
}

/// Counts by kind over any number of texts.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    pub(crate) kinds: BTreeMap<String, Counts>,
}

impl Scores {
    pub(crate) fn overall(&self) -> Counts {
        self.kinds.values().fold(Counts::default(), |sum, c| Counts {
            right: sum.right + c.right,
            wrong: sum.wrong + c.wrong,
            missed: sum.missed + c.missed,
        })
    }

    /// Adds one text. Every label is matched with at most one finding and every finding with at most one label; equal spans are
    /// paired first, then the pairs that share most. What touches an ignored region counts neither way.
    pub(crate) fn add(
        &mut self,
        labels: &[Label],
        found: &[Label],
        ignore: &[(usize, usize)],
        matching: Match,
    ) {
        let counts = |l: &&Label| !ignore.iter().any(|&(start, end)| l.overlap(start, end) > 0);
        let labels: Vec<&Label> = labels.iter().filter(counts).collect();
        let found: Vec<&Label> = found.iter().filter(counts).collect();
        let mut pairs = Vec::new();
        for (l, label) in labels.iter().enumerate() {
            for (f, finding) in found.iter().enumerate() {
                let shared = label.overlap(finding.start, finding.end);
                let same_ends = (label.start, label.end) == (finding.start, finding.end);
                let same_kind = label.kind == finding.kind;
                let is_match = match matching {
                    Match::Exact => same_ends && same_kind,
                    Match::Partial => shared > 0,
                    Match::Type => shared > 0 && same_kind,
                };
                if is_match {
                    pairs.push((!same_kind, !same_ends, usize::MAX - shared, l, f));
                }
            }
        }
        pairs.sort_unstable();
        let (mut label_done, mut finding_done) = (vec![false; labels.len()], vec![false; found.len()]);
        for (.., l, f) in pairs {
            if !label_done[l] && !finding_done[f] {
                label_done[l] = true;
                finding_done[f] = true;
            }
        }
        for (label, done) in labels.iter().zip(label_done) {
            let counts = self.kinds.entry(label.kind.clone()).or_default();
            *(if done { &mut counts.right } else { &mut counts.missed }) += 1;
        }
        for (finding, _) in found.iter().zip(finding_done).filter(|(_, done)| !done) {
            self.kinds.entry(finding.kind.clone()).or_default().wrong += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(start: usize, end: usize, kind: &str) -> Label {
        Label { start, end, kind: kind.to_owned() }
    }

    fn overall(
        labels: &[Label],
        found: &[Label],
        ignore: &[(usize, usize)],
        matching: Match,
    ) -> (u64, u64, u64) {
        let mut scores = Scores::default();
        scores.add(labels, found, ignore, matching);
        let counts = scores.overall();
        (counts.right, counts.wrong, counts.missed)
    }

    #[test]
    fn the_three_ways_to_match_differ_as_documented() {
        let labels = [label(0, 5, "NAME"), label(10, 15, "PHONE"), label(20, 25, "DATE")];
        let found = [label(0, 5, "NAME"), label(11, 15, "PHONE"), label(20, 25, "DOB")];
        assert_eq!(overall(&labels, &found, &[], Match::Exact), (1, 2, 2));
        assert_eq!(overall(&labels, &found, &[], Match::Type), (2, 1, 1));
        assert_eq!(overall(&labels, &found, &[], Match::Partial), (3, 0, 0));
    }

    #[test]
    fn one_finding_counts_for_one_label() {
        let labels = [label(0, 5, "NAME"), label(6, 10, "NAME")];
        assert_eq!(overall(&labels, &[label(0, 10, "NAME")], &[], Match::Type), (1, 0, 1));
    }

    #[test]
    fn ignored_regions_count_neither_way() {
        let labels = [label(0, 5, "NAME")];
        let found = [label(2, 8, "NAME"), label(20, 25, "NAME")];
        assert_eq!(overall(&labels, &found, &[(0, 9)], Match::Exact), (0, 1, 0));
    }

    #[test]
    fn shares_of_nothing_are_whole() {
        let none = Counts::default();
        assert!((none.precision() - 1.0).abs() < f64::EPSILON && (none.f1() - 1.0).abs() < f64::EPSILON);
        let missed = Counts { missed: 2, ..none };
        assert!(missed.recall().abs() < f64::EPSILON && missed.f1().abs() < f64::EPSILON);
    }
}
