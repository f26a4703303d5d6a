use std::borrow::Cow;

use super::{Finding, Pass};
use crate::{Kind, Span};

/// A possible finding, before overlaps are resolved.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    pub(crate) score: f32,
    /// A check digit or exact grammar confirms it.
    pub(crate) validated: bool,
    pub(crate) pass: Pass,
    pub(crate) recognizer: Cow<'static, str>,
}

impl Candidate {
    /// The finding that covers `span`.
    pub(crate) fn finding(&self, span: Span) -> Finding {
        Finding {
            kind: self.kind.clone(),
            span,
            confidence: self.score,
            pass: self.pass,
            recognizer: self.recognizer.clone(),
        }
    }

    /// The candidate in a text that has so many bytes more before it.
    pub(crate) fn moved(self, by: usize) -> Self {
        Self { span: Span::new(self.span.start + by, self.span.end + by), ..self }
    }
}

/// Below this a score is dropped whatever the policy says.
pub(crate) const FLOOR: f32 = 0.4;
/// What a label cue raises a score to.
pub(crate) const LABELLED: f32 = 0.85;
/// What a hint adds.
pub(crate) const HINT: f32 = 0.25;
/// The most that a hint raises a score to: less than a label does.
pub(crate) const HINTED: f32 = 0.8;
/// What a contradicting cue takes away.
pub(crate) const AGAINST: f32 = 0.5;
/// The least score of a validated value.
pub(crate) const VALIDATED: f32 = 0.9;
