//! What a user adds: patterns with context words, word lists, and text that is never masked.

use std::borrow::Cow;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;

use super::Pass;
use super::candidate::{Candidate, FLOOR};
use super::document::Document;
use crate::kinds::Verdict;
use crate::view::{NormalView, split_words};
use crate::{Kind, Span};

/// A recogniser made of patterns.
#[derive(Clone, Debug)]
pub struct CustomRecognizer {
    /// Name used in events.
    pub name: Arc<str>,
    /// The kind of what it finds.
    pub kind: Kind,
    /// Its patterns, over the source text.
    pub patterns: Vec<CustomPattern>,
    /// Words nearby that raise the score.
    pub context: Vec<String>,
    /// How many words on either side are nearby.
    pub context_window: usize,
    /// How much a word nearby adds.
    pub context_boost: f32,
    /// Judges the text found; a rejected one is dropped.
    pub check: fn(&str) -> Verdict,
    /// The pass it belongs to.
    pub pass: Pass,
}

/// One pattern of a [`CustomRecognizer`].
#[derive(Clone, Debug)]
pub struct CustomPattern {
    /// The expression.
    pub regex: Regex,
    /// Score of a hit, 0 to 1.
    pub score: f32,
    /// The capture group that is the finding; 0 is the whole match.
    pub group: usize,
}

/// A list of words and phrases to find.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the words may be sensitive")]
pub struct WordList {
    name: Arc<str>,
    kind: Kind,
    automaton: AhoCorasick,
    whole_word: bool,
    score: f32,
}

impl WordList {
    /// Prepares a list.
    ///
    /// # Panics
    ///
    /// When the words together have 2 GiB or more, far above what a policy may hold.
    pub fn new(
        name: Arc<str>,
        kind: Kind,
        words: &[String],
        case_sensitive: bool,
        whole_word: bool,
        score: f32,
    ) -> Self {
        Self { name, kind, automaton: automaton(words, case_sensitive), whole_word, score }
    }

    fn find(&self, text: &str, out: &mut Vec<Candidate>) {
        for found in self.automaton.find_iter(text) {
            if self.whole_word && !is_whole(text, found.start(), found.end()) {
                continue;
            }
            out.push(Candidate {
                kind: self.kind.clone(),
                span: Span::new(found.start(), found.end()),
                score: self.score,
                validated: false,
                pass: Pass::Dictionary,
                recognizer: Cow::Owned(self.name.to_string()),
            });
        }
    }
}

/// Text that is never masked.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the words may be sensitive")]
pub struct AllowList {
    matcher: Matcher,
    kinds: Option<Vec<Kind>>,
}

#[derive(Clone)]
enum Matcher {
    Words(AhoCorasick),
    Regex(Regex),
}

impl AllowList {
    /// Lets words through, in any case, for the kinds given or for all.
    ///
    /// # Panics
    ///
    /// When the words together have 2 GiB or more, far above what a policy may hold.
    pub fn words(words: &[String], kinds: Option<Vec<Kind>>) -> Self {
        Self { matcher: Matcher::Words(automaton(words, false)), kinds }
    }

    /// Lets matches of an expression through.
    pub fn regex(regex: Regex, kinds: Option<Vec<Kind>>) -> Self {
        Self { matcher: Matcher::Regex(regex), kinds }
    }

    /// The allowed stretches of a text.
    fn spans(&self, text: &str) -> Vec<Span> {
        match &self.matcher {
            Matcher::Words(automaton) => automaton
                .find_iter(text)
                .filter(|found| is_whole(text, found.start(), found.end()))
                .map(|found| Span::new(found.start(), found.end()))
                .collect(),
            Matcher::Regex(regex) => regex
                .find_iter(text)
                .filter(|found| !found.is_empty())
                .map(|found| Span::new(found.start(), found.end()))
                .collect(),
        }
    }
}

/// Drops the candidates that an allow list covers as a whole.
pub(crate) fn apply_allow_lists(text: &str, lists: &[AllowList], candidates: &mut Vec<Candidate>) {
    for list in lists {
        if candidates.is_empty() {
            return;
        }
        let allowed = list.spans(text);
        candidates.retain(|candidate| {
            let concerned = list.kinds.as_ref().is_none_or(|kinds| kinds.contains(&candidate.kind));
            let next = allowed.partition_point(|span| span.end < candidate.span.end);
            !(concerned && allowed.get(next).is_some_and(|span| span.contains(candidate.span)))
        });
    }
}

pub(crate) fn find(
    document: &Document<'_>,
    recognizers: &[CustomRecognizer],
    lists: &[WordList],
    out: &mut Vec<Candidate>,
) {
    let text = document.view.source();
    for recognizer in recognizers {
        for pattern in &recognizer.patterns {
            for captures in pattern.regex.captures_iter(text) {
                let Some(found) = captures.get(pattern.group).filter(|found| !found.is_empty()) else {
                    continue;
                };
                let verdict = (recognizer.check)(found.as_str());
                if verdict == Verdict::Reject {
                    continue;
                }
                let near = has_context(document, recognizer, found.start(), found.end());
                let boost = if near { recognizer.context_boost } else { 0.0 };
                let score = (pattern.score + boost).min(1.0);
                if score < FLOOR {
                    continue;
                }
                out.push(Candidate {
                    kind: recognizer.kind.clone(),
                    span: Span::new(found.start(), found.end()),
                    score,
                    validated: verdict == Verdict::Valid,
                    pass: recognizer.pass,
                    recognizer: Cow::Owned(recognizer.name.to_string()),
                });
            }
        }
    }
    for list in lists {
        list.find(text, out);
    }
}

fn has_context(document: &Document<'_>, recognizer: &CustomRecognizer, start: usize, end: usize) -> bool {
    if recognizer.context.is_empty() {
        return false;
    }
    // Words know their place in the view; the source is compared through it.
    let source_start = |at: usize| {
        let word = &document.words[at];
        document.view.source_span(word.start as usize, word.end as usize).start
    };
    let words = document.len();
    let first = partition(words, |at| source_start(at) < start);
    let last = partition(words, |at| source_start(at) < end);
    let near = first.saturating_sub(recognizer.context_window)..(last + recognizer.context_window).min(words);
    recognizer.context.iter().any(|phrase| {
        let view = NormalView::new(phrase, &[]);
        let wanted: Vec<_> = split_words(&view).iter().map(|word| word.hash).collect();
        !wanted.is_empty()
            && near.clone().any(|at| {
                let outside = at + wanted.len() <= first || at >= last;
                outside
                    && at + wanted.len() <= words
                    && wanted.iter().enumerate().all(|(i, hash)| document.hash(at + i) == *hash)
            })
    })
}

fn partition(len: usize, below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = usize::midpoint(low, high);
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn automaton(words: &[String], case_sensitive: bool) -> AhoCorasick {
    AhoCorasick::builder()
        .ascii_case_insensitive(!case_sensitive)
        .match_kind(MatchKind::LeftmostLongest)
        // The other forms need many times the memory for a million words.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(words)
        .expect("an automaton holds what a policy may list")
}

fn is_whole(text: &str, start: usize, end: usize) -> bool {
    !text[..start].chars().next_back().is_some_and(char::is_alphanumeric)
        && !text[end..].chars().next().is_some_and(char::is_alphanumeric)
}
