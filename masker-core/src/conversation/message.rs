//! Masks one message, given whole or in parts: both go through the same code, so both give the same.

use std::borrow::Cow;

use super::forms::{Form, Next, Reading, Which};
use super::state::{MAX_CONVERSATION_VALUES, State};
use super::{Role, Shared};
use crate::detect::{Context, Cut, Pieces, next_cut};
use crate::engine::Replacement;
use crate::policy::Action;
use crate::token::{TokenForm, redacted, settled};
use crate::{Error, Event, Finding, Masked, Masker, Span};

/// How much of the text before a piece is kept: enough to tell where words and labels begin.
const KEPT: usize = 64;
/// No piece is finished with less text than this.
const LEAST: usize = 1_152;

/// A message that is being masked.
#[derive(Clone)]
pub(super) struct Draft {
    role: Role,
    /// The part of the message that is still needed.
    text: String,
    /// Where that part begins in the message.
    base: usize,
    /// How much of `text` has been masked.
    done: usize,
    pieces: Pieces,
    /// Nothing is tried before the text has this length.
    next_try: usize,
    pub(super) context: Context,
}

/// Whether values get tokens, or are only shown as masked.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Commit {
    No,
    Yes,
}

/// How far a message has been masked.
struct Cursor {
    done: usize,
    pieces: Pieces,
    context: Context,
}

/// What stands in the place of some bytes.
struct Edit {
    span: Span,
    text: String,
}

impl Draft {
    pub(super) fn new(role: Role, context: Context) -> Self {
        Self {
            role,
            text: String::new(),
            base: 0,
            done: 0,
            pieces: Pieces::default(),
            next_try: LEAST,
            context,
        }
    }

    /// A message that is there as a whole.
    pub(super) fn whole(role: Role, context: Context, text: &str) -> Result<Self, Error> {
        Masker::check_length_of(text.len())?;
        Ok(Self { text: text.to_owned(), ..Self::new(role, context) })
    }

    /// How many bytes are held back.
    pub(super) fn held(&self) -> usize {
        self.text.len() - self.done
    }

    /// Takes a part of the message; gives what has become certain, masked.
    pub(super) fn push(&mut self, shared: &Shared, state: &mut State, text: &str) -> Result<Masked, Error> {
        Masker::check_length_of(self.base + self.text.len() + text.len())?;
        self.text.push_str(text);
        if self.text.len() < self.next_try || !shared.masker.detectors().is_bounded() {
            return Ok(Masked { text: String::new(), events: Vec::new() });
        }
        let masked = self.run(shared, state, false, Commit::Yes)?;
        // Growing steps, so that a piece whose end is long in coming is not looked at again for every byte.
        let pending = self.text.len() - self.pieces.start;
        self.next_try = self.text.len().max(self.pieces.start + LEAST) + (pending / 16).max(16);
        Ok(masked)
    }

    /// Gives the rest of the message, masked.
    pub(super) fn finish(&mut self, shared: &Shared, state: &mut State) -> Result<Masked, Error> {
        self.run(shared, state, true, Commit::Yes)
    }

    /// What `finish` would give if `text` were the rest, without tokens for values that have none yet.
    pub(super) fn preview(&self, shared: &Shared, state: &mut State, text: &str) -> Result<String, Error> {
        Masker::check_length_of(self.base + self.text.len() + text.len())?;
        let mut draft = self.clone();
        draft.text.push_str(text);
        Ok(draft.run(shared, state, true, Commit::No)?.text)
    }

    fn run(
        &mut self,
        shared: &Shared,
        state: &mut State,
        complete: bool,
        commit: Commit,
    ) -> Result<Masked, Error> {
        let markers = shared.masker.protected_spans(&self.text);
        let known = if complete { self.text.len() } else { settled(&self.text) };
        let bounded = shared.masker.detectors().is_bounded();
        let cut_at = |start| next_cut(&self.text, start, &markers, known, complete).filter(|_| bounded);
        let mut masked = Masked { text: String::new(), events: Vec::new() };
        let mut cut = cut_at(self.pieces.start);
        if cut.is_none() && !complete {
            return Ok(masked);
        }
        // On an error the message stays as it was.
        let mut cursor =
            Cursor { done: self.done, pieces: self.pieces.clone(), context: self.context.clone() };
        while cut.is_some() {
            self.piece(shared, state, &mut cursor, &markers, cut, commit, &mut masked)?;
            cut = cut_at(cursor.pieces.start);
        }
        if complete {
            self.piece(shared, state, &mut cursor, &markers, None, commit, &mut masked)?;
        }
        Cursor { done: self.done, pieces: self.pieces, context: self.context } = cursor;
        if !complete {
            self.forget();
        }
        Ok(masked)
    }

    /// Masks one piece.
    #[expect(clippy::too_many_arguments, reason = "the parts of one step, which no other code shares")]
    fn piece(
        &self,
        shared: &Shared,
        state: &mut State,
        cursor: &mut Cursor,
        markers: &[Span],
        cut: Option<Cut>,
        commit: Commit,
        masked: &mut Masked,
    ) -> Result<(), Error> {
        let (text, masker) = (self.text.as_str(), &shared.masker);
        let end = cut.map_or(text.len(), |cut| cut.at);
        let right = cut.map_or(text.len(), |cut| cut.right);
        let mut edits = Vec::new();
        let mut aliases = Vec::new();
        if shared.aliased {
            let from = cursor.done.max(cursor.pieces.start);
            self.read_aliases(state, &text[..right], cursor.pieces.left, commit, &mut aliases, &mut edits);
            edits.retain(|edit: &Edit| (from..end).contains(&edit.span.start));
        }
        let protected = joined(markers, aliases);
        let findings = self.findings(masker, &protected, cut, cursor)?;
        match commit {
            Commit::Yes => self.replace(shared, state, findings, &mut edits, &mut masked.events)?,
            Commit::No => self.show(shared, state, &findings, &mut edits)?,
        }
        edits.sort_by_key(|edit| edit.span);
        for edit in edits {
            masked.text.push_str(&text[cursor.done..edit.span.start]);
            masked.text.push_str(&edit.text);
            cursor.done = edit.span.end;
        }
        if cursor.done < end {
            masked.text.push_str(&text[cursor.done..end]);
            cursor.done = end;
        }
        Ok(())
    }

    fn findings(
        &self,
        masker: &Masker,
        protected: &[Span],
        cut: Option<Cut>,
        cursor: &mut Cursor,
    ) -> Result<Vec<Finding>, Error> {
        let _wiping = masker.wiping();
        let (detectors, context) = (masker.detectors(), &mut cursor.context);
        let mut found = Vec::new();
        if detectors.is_bounded() {
            detectors.find_in_piece(&self.text, protected, cut, &mut cursor.pieces, context, &mut found);
        } else {
            found = detectors.candidates(&self.text, protected, context)?;
        }
        Ok(detectors.resolve(&found, masker.order()))
    }

    /// Looks for what has the form of an alias: a live one is not looked into, and a forged one goes; what is none yet is kept
    /// from becoming one.
    fn read_aliases(
        &self,
        state: &mut State,
        text: &str,
        from: usize,
        commit: Commit,
        spans: &mut Vec<Span>,
        edits: &mut Vec<Edit>,
    ) {
        let reading = Reading { which: Which::Any, complete: true };
        let outside = matches!(self.role, Role::Tool | Role::User);
        let mut at = from;
        while let Next::Found(start, end, form) = state.aliases.next(text, at, reading) {
            at = end;
            let (kind, live, kept) = match form {
                Form::Alias { kind, number, .. } => {
                    let live = state.aliases.kinds[kind].numbers.contains_key(&number);
                    (kind, live, live || commit == Commit::No || state.reserve(kind, number))
                }
                Form::Bare(kind) => {
                    let of_kind = &mut state.aliases.kinds[kind];
                    let live = !of_kind.numbers.is_empty();
                    of_kind.bare_is_taken |= outside && !live && commit == Commit::Yes;
                    (kind, live, true)
                }
                Form::Token(_) => continue,
            };
            let forged = outside && live || !kept;
            let span = Span::new(start, end);
            if live || forged {
                spans.push(span);
            }
            if forged {
                edits.push(Edit { span, text: redacted(&state.aliases.kinds[kind].kind) });
            }
        }
    }

    /// Replaces the findings as the policy says.
    fn replace(
        &self,
        shared: &Shared,
        state: &mut State,
        findings: Vec<Finding>,
        edits: &mut Vec<Edit>,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        if state.surrogates.drawn.len() >= MAX_CONVERSATION_VALUES {
            return Err(Error::Full { limit: MAX_CONVERSATION_VALUES });
        }
        let outcomes = shared
            .masker
            .outcomes(&self.text, &findings, &shared.scope, &mut state.surrogates)
            .map_err(|error| self.shifted(error))?;
        for (mut finding, outcome) in findings.into_iter().zip(outcomes) {
            for (span, replacement) in outcome.replaced {
                let text = match replacement {
                    Replacement::Text(text) => text,
                    Replacement::Token(token, normalised) => {
                        let original = &self.text[span.range()];
                        // A sealed token holds one spelling; an alias and a vault row stand for a value.
                        let sealed = !shared.aliased && token.form() == TokenForm::Aead;
                        let value = if sealed { original } else { normalised.expose() };
                        let key = state.value_key(&finding.kind, value);
                        let token_text = token.text().to_owned();
                        let index = state.note(&finding.kind, key, token, original, shared.aliased)?;
                        if shared.aliased { state.alias_text(index) } else { token_text }
                    }
                };
                edits.push(Edit { span, text });
            }
            let span = finding.span;
            finding.span = Span::new(span.start + self.base, span.end + self.base);
            events.push(Event::new(finding, outcome.action, outcome.token_kind, outcome.kid));
        }
        Ok(())
    }

    /// Replaces the findings by what stands for their values already, or by the marker.
    fn show(
        &self,
        shared: &Shared,
        state: &State,
        findings: &[Finding],
        edits: &mut Vec<Edit>,
    ) -> Result<(), Error> {
        shared.masker.check_blocked(findings).map_err(|error| self.shifted(error))?;
        for finding in findings {
            let action = shared.masker.action(&finding.kind);
            if action == Action::Passthrough {
                continue;
            }
            let original = &self.text[finding.span.range()];
            let normalised = shared.masker.normalised(&self.text, finding);
            let known = || {
                let keys = [normalised.expose(), original].map(|value| state.value_key(&finding.kind, value));
                let index = keys.iter().find_map(|key| state.by_key.get(key))?;
                let value = &state.values[*index as usize];
                if shared.aliased {
                    (value.number > 0).then(|| state.alias_text(*index))
                } else {
                    Some(value.token.text().to_owned())
                }
            };
            let drawn =
                || state.surrogates.known(&finding.kind, original, normalised.expose()).map(str::to_owned);
            let text = if action == Action::Tokenize { known().or_else(drawn) } else { None };
            edits.push(Edit { span: finding.span, text: text.unwrap_or_else(|| redacted(&finding.kind)) });
        }
        Ok(())
    }

    /// An error with its place in the message.
    fn shifted(&self, error: Error) -> Error {
        match error {
            Error::Blocked { kind, span } => {
                Error::Blocked { kind, span: Span::new(span.start + self.base, span.end + self.base) }
            }
            other => other,
        }
    }

    /// Lets go of the text that nothing looks at any more.
    fn forget(&mut self) {
        let mut from = self.pieces.left.min(self.done).saturating_sub(KEPT);
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        self.text.drain(..from);
        self.base += from;
        self.done -= from;
        let Pieces { left, start, floor, tail } = &mut self.pieces;
        let ends = tail.iter_mut().flat_map(|span| [&mut span.start, &mut span.end]);
        for place in [left, start, floor].into_iter().chain(ends) {
            *place = place.saturating_sub(from);
        }
    }
}

/// The markers and aliases of a text as one list; an alias covers the marker inside it.
fn joined(markers: &[Span], aliases: Vec<Span>) -> Cow<'_, [Span]> {
    if aliases.is_empty() {
        return Cow::Borrowed(markers);
    }
    let covered = |marker: &Span| {
        let next = aliases.partition_point(|alias| alias.end <= marker.start);
        aliases.get(next).is_some_and(|alias| alias.overlaps(*marker))
    };
    let mut spans: Vec<Span> = markers.iter().copied().filter(|marker| !covered(marker)).collect();
    spans.extend(aliases);
    spans.sort_unstable();
    Cow::Owned(spans)
}
