use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use super::behind::Piece;
use super::candidate::{Candidate, LABELLED};
use super::codes::{self, CodeRuns};
use super::context::Context;
use super::cues::CUES;
use super::custom::{self, AllowList, CustomRecognizer, WordList};
use super::document::Document;
use super::patterns::PatternTable;
use super::segment::{Cut, before_cut, left_of, next_cut};
use super::{Finding, Pass, Recognizer, RecognizerError, ages, dates, hl7, names, network, places};
use crate::{Kind, Span};

static PATTERNS: LazyLock<PatternTable> = LazyLock::new(PatternTable::new);

/// For one kind, the least score with which a hit of each pass counts; `None` where the pass may not find it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KindRule {
    /// For the pass `regex`.
    pub regex: Option<f32>,
    /// For the pass `dictionary`.
    pub dictionary: Option<f32>,
    /// For the pass `spoken`.
    pub spoken: Option<f32>,
    /// For the pass `ner`.
    pub ner: Option<f32>,
    /// Breaks ties between overlapping hits; the higher wins.
    pub priority: i32,
}

impl KindRule {
    /// Every pass may find the kind, with any score.
    pub const ALL: Self =
        Self { regex: Some(0.0), dictionary: Some(0.0), spoken: Some(0.0), ner: Some(0.0), priority: 0 };

    fn floor(&self, pass: Pass) -> Option<f32> {
        match pass {
            Pass::Regex => self.regex,
            Pass::Dictionary => self.dictionary,
            Pass::Spoken => self.spoken,
            Pass::Ner => self.ner,
            Pass::Diarize => None,
        }
    }
}

/// Everything that detection needs, prepared once: which passes may find which kinds, and what the user added.
///
/// ```
/// use masker_core::detect::{Context, DetectorSet};
/// use masker_core::resolve::Order;
/// use masker_core::Kind;
///
/// let set = DetectorSet::all_kinds();
/// let findings = set.detect("my email is ada@example.com", &[], &mut Context::default(), Order::Longest)?;
/// assert_eq!(findings[0].kind, Kind::Email);
/// # Ok::<(), masker_core::detect::DetectError>(())
/// ```
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "holds the user's words and plug-ins")]
pub struct DetectorSet {
    /// What may be found; a kind that is not in it is off. A plug-in may give built-in kinds, and others that are in it.
    pub rules: BTreeMap<Kind, KindRule>,
    /// The user's patterns.
    pub recognizers: Vec<CustomRecognizer>,
    /// The user's word lists.
    pub word_lists: Vec<WordList>,
    /// Text that is never masked.
    pub allow_lists: Vec<AllowList>,
    /// The user's models.
    pub plugins: Vec<Arc<dyn Recognizer>>,
    /// Whether every run of six or more digits that no kind explains is an `ID`.
    pub strict_numbers: bool,
}

/// Detection could not judge a text. Only a plug-in can fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// A plug-in gave a confidence that is not between 0 and 1.
    #[error("the recognizer {name} gave a confidence that is not between 0 and 1")]
    BadConfidence {
        /// Its name.
        name: String,
    },
    /// A plug-in failed.
    #[error("the recognizer {name} failed")]
    Recognizer {
        /// Its name.
        name: String,
        /// What it said.
        #[source]
        source: RecognizerError,
    },
    /// A plug-in gave a span that is not a part of the text.
    #[error(
        "the recognizer {name} gave {start}..{end}, which is not a range of characters in the text of {len} bytes"
    )]
    BadSpan {
        /// Its name.
        name: String,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// Length of the text.
        len: usize,
    },
    /// A plug-in gave a kind that is neither built in nor one of those that the rules know. It would be dropped without a word, and
    /// what it stands for would leak.
    #[error(
        "the recognizer {name} gave a kind that is neither built in nor in the policy; map its labels to built-in kinds, or list \
         the kind under entities"
    )]
    UnknownKind {
        /// Its name.
        name: String,
    },
}

impl DetectorSet {
    /// All built-in kinds but `ORGANIZATION`, found by every pass.
    pub fn all_kinds() -> Self {
        let kinds = Kind::BUILT_IN.iter().filter(|kind| **kind != Kind::Organization).cloned();
        Self { rules: kinds.map(|kind| (kind, KindRule::ALL)).collect(), ..Self::default() }
    }

    /// What every pass found before overlaps are resolved, in order of the spans.
    ///
    /// `protected` spans (tokens and labels, sorted and disjoint) are not looked into. `context` is what earlier texts of the
    /// conversation said; it takes up what this one says.
    ///
    /// # Errors
    ///
    /// When a plug-in fails, or gives what is no part of the text, no confidence or no known kind. Text alone never causes an error.
    pub fn explain(
        &self,
        text: &str,
        protected: &[Span],
        context: &mut Context,
    ) -> Result<Vec<Finding>, DetectError> {
        let mut candidates = self.candidates(text, protected, context)?;
        candidates.sort_by_key(|candidate| candidate.span);
        Ok(candidates.iter().map(|candidate| candidate.finding(candidate.span)).collect())
    }

    /// What the passes found, filtered by the rules and allow lists, in no order and possibly overlapping.
    pub(crate) fn candidates(
        &self,
        text: &str,
        protected: &[Span],
        context: &mut Context,
    ) -> Result<Vec<Candidate>, DetectError> {
        let mut found = self.added_by_user(text, protected)?;
        let mut pieces = Pieces::default();
        while let Some(cut) = next_cut(text, pieces.start, protected, text.len(), true) {
            self.find_in_piece(text, protected, Some(cut), &mut pieces, context, &mut found);
        }
        self.find_in_piece(text, protected, None, &mut pieces, context, &mut found);
        custom::apply_allow_lists(text, &self.allow_lists, &mut found);
        Ok(found)
    }

    /// Whether what is found in a message depends on a bounded number of bytes to the right only. Nothing is known of what a
    /// user's patterns, lists and models look at.
    pub(crate) fn is_bounded(&self) -> bool {
        self.recognizers.is_empty()
            && self.word_lists.is_empty()
            && self.allow_lists.is_empty()
            && self.plugins.is_empty()
    }

    /// What the user's patterns, lists and models find: they see the text whole.
    fn added_by_user(&self, text: &str, protected: &[Span]) -> Result<Vec<Candidate>, DetectError> {
        let mut found = Vec::new();
        if !(self.recognizers.is_empty() && self.word_lists.is_empty()) {
            let document = Document::new(text, protected);
            custom::find(&document, &self.recognizers, &self.word_lists, &mut found);
        }
        self.ask_plugins(text, &mut found)?;
        found.retain_mut(|candidate| self.admits(candidate));
        outside(protected, &mut found, text);
        to_ends_of_words(protected, &mut found, text);
        Ok(found)
    }

    /// Finds what begins in the piece of a text that ends at a cut, or in the rest of it, and goes on to the next piece.
    pub(crate) fn find_in_piece(
        &self,
        text: &str,
        protected: &[Span],
        cut: Option<Cut>,
        pieces: &mut Pieces,
        context: &mut Context,
        found: &mut Vec<Candidate>,
    ) {
        let end = cut.map_or(text.len(), |cut| cut.at);
        let right = cut.map_or(text.len(), |cut| cut.right);
        let window = &text[pieces.left..right];
        let protected = if window.len() == text.len() {
            Cow::Borrowed(protected)
        } else {
            let from = protected.partition_point(|span| span.end <= pieces.left);
            let to = protected.partition_point(|span| span.start < right);
            let shifted = |span: &Span| Span::new(span.start - pieces.left, span.end - pieces.left);
            Cow::Owned(protected[from..to].iter().map(shifted).collect())
        };
        let start = pieces.start - pieces.left;
        let mut document = Document::part(window, &protected, start, context.carried().capitals());
        document.settle(end - pieces.left);
        // What reaches behind the last cut is not looked at again.
        let floor = pieces.floor.max(pieces.start) - pieces.left;
        let within = floor..end - pieces.left;
        context.begin(&document);
        let mut here = self.find_admitted(&document, &protected, context);
        here.retain_mut(|candidate| reaches(window, &mut candidate.span, floor));
        let shifted = |span: &Span| Span::new(span.start.saturating_sub(pieces.left), span.end - pieces.left);
        let tail: SmallVec<[Span; 4]> = pieces.tail.iter().map(shifted).collect();
        let next = cut.map(|cut| cut.at - pieces.left);
        let heard = context.after(&document, next);
        let piece = Piece { document: &document, protected: &protected, tail: &tail, within, next, heard };
        let masked = self.find_behind(&piece, context, &mut here);
        context.end(heard, masked);
        let left = next.map(|next| {
            let near = before_cut(next);
            let in_window = |value: Span| Span::new(value.start + near.start, value.end + near.start);
            let values: Vec<Span> = piece.replaced(&near, &here).into_iter().map(in_window).collect();
            left_of(window, next, &values)
        });
        let base = pieces.left;
        let here = here.into_iter().filter(|candidate| candidate.span.start < piece.within.end);
        let here = here.map(|candidate| candidate.moved(base));
        let first = found.len();
        found.extend(here);
        if let Some((cut, left)) = cut.zip(left) {
            let left = left + base;
            let spans = || found[first..].iter().map(|candidate| candidate.span);
            *pieces = Pieces {
                left,
                start: cut.at,
                floor: spans().map(|span| span.end).fold(floor + base, usize::max),
                tail: spans().filter(|span| span.end > left).collect(),
            };
        }
    }

    /// A value that its place gives away, as far as the rules and allow lists let it count.
    pub(crate) fn given(
        &self,
        kind: Kind,
        text: &str,
        span: Span,
        recognizer: &'static str,
    ) -> Option<Finding> {
        let words = matches!(kind, Kind::Name | Kind::Address);
        let mut candidate = Candidate {
            kind,
            span,
            score: LABELLED,
            validated: false,
            pass: if words { Pass::Dictionary } else { Pass::Regex },
            recognizer: recognizer.into(),
        };
        let mut found: Vec<Candidate> =
            self.admits(&mut candidate).then_some(candidate).into_iter().collect();
        custom::apply_allow_lists(text, &self.allow_lists, &mut found);
        found.first().map(|candidate| candidate.finding(candidate.span))
    }

    /// What the built-in passes find, as far as the rules let it count, outside the protected spans.
    pub(super) fn find_admitted(
        &self,
        document: &Document<'_>,
        protected: &[Span],
        context: &mut Context,
    ) -> Vec<Candidate> {
        let mut found = Vec::new();
        self.find_built_in(document, context, &mut found);
        found.retain_mut(|candidate| self.admits(candidate));
        outside(protected, &mut found, document.view.source());
        to_ends_of_words(protected, &mut found, document.view.source());
        found
    }

    fn find_built_in(&self, document: &Document<'_>, context: &mut Context, found: &mut Vec<Candidate>) {
        let cues = CUES.find(document);
        context.read_turns(document, &cues);
        let runs = CodeRuns::of(document);
        PATTERNS.find(document, &cues, found);
        PATTERNS.find_labelled(document, &cues, found);
        codes::find(document, &cues, &runs, context, self.strict_numbers, found);
        dates::find(document, &cues, &runs, context, found);
        ages::find(document, &runs, context, found);
        hl7::find(document, found);
        network::find(document, found);
        network::find_usernames(document, &cues, found);
        network::find_passwords(document, &cues, found);
        network::find_answers(document, context, found);
        places::find(document, &cues, context, found);
        names::find(document, &cues, &runs, context, found);
    }

    /// Whether the rules let a candidate count, under its own kind or under the neighbour that covers it.
    fn admits(&self, candidate: &mut Candidate) -> bool {
        let passes = |kind: &Kind| {
            let rule = self.rules.get(kind)?;
            Some(rule.floor(candidate.pass).is_some_and(|floor| candidate.score >= floor))
        };
        if let Some(passes) = passes(&candidate.kind) {
            return passes;
        }
        let neighbour = candidate.kind.neighbour().filter(|kind| passes(kind) == Some(true));
        match neighbour {
            Some(kind) => {
                candidate.kind = kind;
                true
            }
            None => false,
        }
    }

    fn ask_plugins(&self, text: &str, found: &mut Vec<Candidate>) -> Result<(), DetectError> {
        for plugin in &self.plugins {
            let name = || plugin.name().to_owned();
            let hits =
                plugin.recognize(text).map_err(|source| DetectError::Recognizer { name: name(), source })?;
            for hit in hits {
                if hit.start >= hit.end || text.get(hit.start..hit.end).is_none() {
                    return Err(DetectError::BadSpan {
                        name: name(),
                        start: hit.start,
                        end: hit.end,
                        len: text.len(),
                    });
                }
                if !(0.0..=1.0).contains(&hit.confidence) {
                    return Err(DetectError::BadConfidence { name: name() });
                }
                if !hit.kind.is_built_in() && !self.rules.contains_key(&hit.kind) {
                    return Err(DetectError::UnknownKind { name: name() });
                }
                found.push(Candidate {
                    kind: hit.kind,
                    span: Span::new(hit.start, hit.end),
                    score: hit.confidence,
                    validated: false,
                    pass: Pass::Ner,
                    recognizer: Cow::Owned(name()),
                });
            }
        }
        Ok(())
    }
}

/// How far the pieces of a text have been looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    /// Where the text begins that is looked at with the next piece.
    pub(crate) left: usize,
    /// Where the next piece begins.
    pub(crate) start: usize,
    /// Where what was found so far ends.
    pub(crate) floor: usize,
    /// What was found that the next piece is looked at together with.
    pub(crate) tail: SmallVec<[Span; 4]>,
}

/// Takes what stands before `floor` off a span; whether a letter or digit is left.
pub(super) fn reaches(text: &str, span: &mut Span, floor: usize) -> bool {
    if span.start >= floor {
        return true;
    }
    if span.end <= floor {
        return false;
    }
    match text[floor..span.end].find(char::is_alphanumeric) {
        Some(at) => {
            *span = Span::new(floor + at, span.end);
            true
        }
        None => false,
    }
}

/// Cuts the protected spans out of the candidates: what a plug-in or a user's pattern finds may reach into them.
pub(super) fn outside(protected: &[Span], candidates: &mut Vec<Candidate>, text: &str) {
    if protected.is_empty() {
        return;
    }
    let mut cut = Vec::with_capacity(candidates.len());
    for candidate in candidates.drain(..) {
        let mut start = candidate.span.start;
        let first = protected.partition_point(|span| span.end <= candidate.span.start);
        let mut keep = |start: usize, end: usize| {
            if text[start..end].chars().any(char::is_alphanumeric) {
                cut.push(Candidate { span: Span::new(start, end), ..candidate.clone() });
            }
        };
        for span in protected[first..].iter().take_while(|span| span.start < candidate.span.end) {
            if start < span.start {
                keep(start, span.start);
            }
            start = start.max(span.end);
        }
        if start < candidate.span.end {
            keep(start, candidate.span.end);
        }
    }
    *candidates = cut;
}

/// Lets what ends inside a run of ASCII letters and digits end with it: a token that one of them follows is read as none, so it
/// would neither come back nor be left alone.
fn to_ends_of_words(protected: &[Span], candidates: &mut [Candidate], text: &str) {
    let bytes = text.as_bytes();
    // The run at hand, since very many candidates may end in one.
    let mut run = 0..0;
    for candidate in candidates {
        let end = candidate.span.end;
        if !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        if !run.contains(&end) {
            let next = protected.get(protected.partition_point(|span| span.start < end));
            let rest = &bytes[end..next.map_or(bytes.len(), |span| span.start)];
            run = end..end + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        }
        candidate.span = Span::new(candidate.span.start, run.end.max(end));
    }
}
