use std::borrow::Cow;
use std::fmt;

use crate::detect::Pass;
use crate::policy::Action;
use crate::token::{Kid, TokenKind};
use crate::{Finding, Kind, Span};

/// A masked text with the events of its making.
///
/// `Debug` prints the length of the text in place of the text: its tokens open originals.
#[derive(Clone)]
#[non_exhaustive]
pub struct Masked {
    /// The text with every acted-on finding replaced.
    pub text: String,
    /// What was found and done, in order of the spans, which are bytes of the original text.
    pub events: Vec<Event>,
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masked")
            .field("len", &self.text.len())
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl Masked {
    /// How many findings were replaced; those that pass through do not count.
    pub fn redaction_count(&self) -> usize {
        self.events.iter().filter(|event| event.action != Action::Passthrough).count()
    }
}

/// A finding that was acted on. It holds no text, original or token.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// What it is.
    pub kind: Kind,
    /// Where it stood, in bytes of the original text.
    pub span: Span,
    /// How sure the pass was, 0 to 1.
    pub confidence: f32,
    /// The stage that found it.
    pub pass: Pass,
    /// The pattern, list or plug-in that found it.
    pub recognizer: Cow<'static, str>,
    /// What was done.
    pub action: Action,
    /// What stands in its place; nothing where it passed through.
    pub token_kind: Option<TokenKind>,
    /// The key id of the token, where it has one.
    pub kid: Option<Kid>,
}

impl Event {
    pub(crate) fn new(
        finding: Finding,
        action: Action,
        token_kind: Option<TokenKind>,
        kid: Option<Kid>,
    ) -> Self {
        let Finding { kind, span, confidence, pass, recognizer } = finding;
        Self { kind, span, confidence, pass, recognizer, action, token_kind, kid }
    }
}

/// A text with originals put back, and what became of its tokens.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "holds originals")]
#[non_exhaustive]
pub struct Restored {
    /// The text.
    pub text: String,
    /// Tokens replaced by their originals.
    pub restored: usize,
    /// Tokens of a known key that do not open: purged, damaged, or of another scope. Now `[REDACTED:KIND]`.
    pub unknown: usize,
    /// Tokens of another instance, whose key is not here. Now `[REDACTED:KIND]`.
    pub foreign: usize,
    /// Aliases that more than one value could stand for; left as they are.
    pub ambiguous: usize,
    /// Kinds of the tokens that were not restored, in order.
    pub lost: Vec<Kind>,
}

/// One candidate, and whether it was chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The candidate.
    pub finding: Finding,
    /// Whether it decided the kind of the finding that covers it.
    pub chosen: bool,
    /// The finding that covers it.
    pub within: Option<Span>,
}

impl Restored {
    /// Adds the counts of a further part.
    pub(crate) fn add(&mut self, more: Self) {
        self.restored += more.restored;
        self.unknown += more.unknown;
        self.foreign += more.foreign;
        self.ambiguous += more.ambiguous;
        self.lost.extend(more.lost);
    }
}
