use std::fmt;

use super::Conversation;
use super::forms::{Form, LOOK_BEHIND, Next, Reading, Which};
use super::nesting::{Source, Syntax, escaped};
use super::state::State;
use crate::token::{Token, cut_off, redacted};
use crate::vault::Opened;
use crate::{Error, Kind, Masker, Restored};

/// JSON is read in pieces of this size, so that only what is replaced takes room beside it.
const PIECE: usize = 1 << 16;
/// What stands for a token that was cut off before its kind was told.
const REDACTED: &str = "[REDACTED]";

/// What a stream ended in the middle of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dangling {
    /// Bytes at the end that might have become a token or an alias, had more come. They were given out as they are.
    pub bytes: usize,
    /// They are the beginning of a token.
    pub is_token: bool,
    /// The kind that this token names, if it goes that far.
    pub kind: Option<Kind>,
}

/// Restores text that comes in parts of any size: what it gives is, joined, what the whole text would give.
///
/// It holds back only an end that may still become a token or an alias that is alive in the conversation.
///
/// ```
/// use masker_core::{Masker, Role};
///
/// let conversation = Masker::new()?.conversation("call 20");
/// let token = conversation.mask_turn(Role::User, "415-555-0142")?.text;
/// let mut stream = conversation.stream_rehydrator();
/// assert_eq!(stream.push("Calling ")?, "Calling ");
/// assert_eq!(stream.push(&token[..9])?, "");
/// assert_eq!(stream.held(), 9);
/// assert_eq!(stream.push(&token[9..])?, "");
/// assert_eq!(stream.push(".")?, "415-555-0142.");
/// let (rest, dangling) = stream.flush()?;
/// assert_eq!((rest.as_str(), dangling.bytes), ("", 0));
/// # Ok::<(), masker_core::Error>(())
/// ```
pub struct StreamRehydrator {
    conversation: Conversation,
    syntax: Syntax,
    /// What came last, with the part that is given out already but tells where words begin.
    source: Source,
    done: usize,
    /// How much of an unfinished escape behind the text is given out.
    given: usize,
    totals: Restored,
}

impl fmt::Debug for StreamRehydrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRehydrator").field("held", &self.held()).finish_non_exhaustive()
    }
}

impl StreamRehydrator {
    pub(super) fn new(conversation: Conversation, syntax: Syntax) -> Self {
        Self {
            conversation,
            syntax,
            source: Source::new(syntax),
            done: 0,
            given: 0,
            totals: Restored::default(),
        }
    }

    /// Takes the next part; gives what has become certain, restored.
    ///
    /// # Errors
    ///
    /// When the vault cannot be read. Nothing is lost: the next call tries again.
    pub fn push(&mut self, text: &str) -> Result<String, Error> {
        Masker::check_length_of(self.source.text().len() + text.len())?;
        self.source.push(text);
        self.restore(false)
    }

    /// Ends the text: gives what was held back, and tells whether it ended in the middle of something. Then another may
    /// begin.
    ///
    /// # Errors
    ///
    /// As [`StreamRehydrator::push`].
    pub fn flush(&mut self) -> Result<(String, Dangling), Error> {
        let bytes = self.held();
        let held = &self.source.text()[self.done..];
        let (is_token, kind) = cut_off(held);
        let before = self.totals.clone();
        let text = self.restore(true)?;
        // A token that only waited for what follows it is complete.
        let complete =
            self.totals.restored + self.totals.unknown + self.totals.foreign + self.totals.ambiguous
                > before.restored + before.unknown + before.foreign + before.ambiguous;
        self.source = Source::new(self.syntax);
        (self.done, self.given) = (0, 0);
        let dangling = if complete { Dangling::default() } else { Dangling { bytes, is_token, kind } };
        Ok((text, dangling))
    }

    /// [`StreamRehydrator::flush`] for what goes to a person: half a token at the end becomes its marker, and is counted as
    /// unknown.
    pub(crate) fn end(&mut self) -> Result<String, Error> {
        let (mut text, dangling) = self.flush()?;
        if dangling.is_token {
            text.truncate(text.len() - dangling.bytes);
            text.push_str(&dangling.kind.as_ref().map_or_else(|| REDACTED.to_owned(), redacted));
            self.totals.unknown += 1;
            self.totals.lost.extend(dangling.kind);
        }
        Ok(text)
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        let text = self.source.text();
        self.source.raw(self.done..text.len()).len() + self.source.unread().len() - self.given
    }

    /// What was restored so far and what was not; its text is empty.
    pub fn totals(&self) -> Restored {
        self.totals.clone()
    }

    fn restore(&mut self, complete: bool) -> Result<String, Error> {
        let reading = Reading { which: Which::Live, complete };
        let (mut restored, until) =
            self.conversation.restore_from(&self.source, self.done, self.given, reading)?;
        let mut text = std::mem::take(&mut restored.text);
        let all = self.source.text().len();
        // What is given of an escape is given once: it is part of the text as soon as it is read.
        let unread = self.source.unread();
        if until > self.done || unread.is_empty() {
            self.given = 0;
        }
        self.done = until;
        self.totals.add(restored);
        if until == all && (complete || !self.conversation.may_begin(self.source.unread_codes())) {
            text.push_str(&unread[self.given..]);
            self.given = unread.len();
        }
        let mut from = self.done.saturating_sub(LOOK_BEHIND);
        while !self.source.text().is_char_boundary(from) {
            from -= 1;
        }
        self.source.forget(from);
        self.done -= from;
        Ok(text)
    }
}

impl Conversation {
    pub(super) fn restore_whole(&self, text: &str) -> Result<Restored, Error> {
        Masker::check_length_of(text.len())?;
        let mut source = Source::new(Syntax::Text);
        source.push(text);
        let reading = Reading { which: Which::Live, complete: true };
        Ok(self.restore_from(&source, 0, 0, reading)?.0)
    }

    pub(super) fn restore_json(&self, text: &str) -> Result<Restored, Error> {
        Masker::check_length_of(text.len())?;
        let mut stream = StreamRehydrator::new(self.clone(), Syntax::Json);
        let mut restored = String::new();
        for piece in pieces(text) {
            restored.push_str(&stream.push(piece)?);
        }
        restored.push_str(&stream.flush()?.0);
        Ok(Restored { text: restored, ..stream.totals })
    }

    /// Whether a character can begin a form, of which the code is known so far.
    fn may_begin(&self, codes: Option<std::ops::Range<u32>>) -> bool {
        let state = self.shared.state();
        codes.is_some_and(|codes| codes.contains(&u32::from('\\')) || state.aliases.may_begin_with(codes))
    }

    /// Restores a text from a byte on, up to where more has to be known. Of what is written there, `given` bytes were given
    /// out already.
    fn restore_from(
        &self,
        source: &Source,
        from: usize,
        given: usize,
        reading: Reading,
    ) -> Result<(Restored, usize), Error> {
        let text = source.text();
        let state = self.shared.state();
        let mut forms = Vec::new();
        let mut at = from;
        let until = loop {
            match state.aliases.next(text, at, reading) {
                Next::Found(start, end, form) => {
                    // A key that is a plain word is the name of a field.
                    let is_name =
                        matches!(form, Form::Alias { is_bracketed: false, .. }) && source.place(start).is_key;
                    if !is_name {
                        forms.push((start, end, form));
                    }
                    at = end;
                }
                Next::Hold(start) => break start,
                Next::Nothing => break text.len(),
            }
        };
        let plans: Vec<Plan<'_>> = forms.iter().map(|(.., form)| self.plan(&state, form)).collect();
        let tokens: Vec<&Token> = plans
            .iter()
            .filter_map(|plan| match plan {
                Plan::Open { token, .. } | Plan::OpenForeign { token } => Some(*token),
                _ => None,
            })
            .collect();
        let records = self.shared.masker.records(&self.shared.scope);
        let mut opened = if tokens.is_empty() { Vec::new() } else { records.restore(&tokens)? }.into_iter();
        let mut restored = Restored::default();
        let mut copied = from;
        for ((start, end, form), plan) in forms.iter().zip(&plans) {
            restored.text.push_str(source.raw(copied..*start));
            copied = *end;
            let lost = match plan {
                Plan::Leave => {
                    restored.ambiguous += 1;
                    restored.text.push_str(source.raw(*start..*end));
                    continue;
                }
                Plan::Open { .. } | Plan::OpenForeign { .. } => match opened.next() {
                    Some(Opened::Original(row)) => {
                        // The row says that the value may be restored, the conversation how it was written last.
                        let original = match plan {
                            Plan::Open { value, .. } => state.values[*value as usize].spelling.expose(),
                            _ => row.expose(),
                        };
                        match source.place(*start).depth {
                            0 => restored.text.push_str(original),
                            depth => restored.text.push_str(&escaped(original, depth)),
                        }
                        restored.text.push_str(source.raw(form.tail(*end)));
                        restored.restored += 1;
                        continue;
                    }
                    Some(Opened::Foreign) => Lost::Foreign,
                    _ => Lost::Unknown,
                },
                Plan::Lost(lost) => *lost,
            };
            match lost {
                Lost::Foreign => restored.foreign += 1,
                Lost::Unknown => restored.unknown += 1,
            }
            let kind = kind_of(&state, form);
            restored.text.push_str(&redacted(&kind));
            restored.text.push_str(source.raw(form.tail(*end)));
            restored.lost.push(kind);
        }
        restored.text.push_str(source.raw(copied..until));
        // No form begins with what is given out of an escape, so it is at the very front.
        restored.text.drain(..given.min(restored.text.len()));
        Ok((restored, until))
    }

    /// What to do with a form.
    fn plan<'a>(&self, state: &'a State, form: &'a Form) -> Plan<'a> {
        match form {
            Form::Alias { kind, number, .. } => {
                let value = state.aliases.kinds[*kind].numbers[number];
                Plan::Open { value, token: &state.values[value as usize].token }
            }
            Form::Bare(kind) => {
                let numbers = &state.aliases.kinds[*kind].numbers;
                match numbers.first_key_value() {
                    Some((_, &value)) if numbers.len() == 1 && !state.aliases.kinds[*kind].bare_is_taken => {
                        Plan::Open { value, token: &state.values[value as usize].token }
                    }
                    _ => Plan::Leave,
                }
            }
            Form::Token(token) => match state.value_of(token) {
                Some(value) => Plan::Open { value, token },
                None if self.shared.shares_scope => Plan::OpenForeign { token },
                None if self.shared.masker.keys().contains(token.kid()) => Plan::Lost(Lost::Unknown),
                None => Plan::Lost(Lost::Foreign),
            },
        }
    }
}

enum Plan<'a> {
    Leave,
    Lost(Lost),
    Open {
        value: u32,
        token: &'a Token,
    },
    /// A token of another conversation of the scope, if it is one.
    OpenForeign {
        token: &'a Token,
    },
}

#[derive(Clone, Copy)]
enum Lost {
    Foreign,
    Unknown,
}

fn kind_of(state: &State, form: &Form) -> Kind {
    match form {
        Form::Alias { kind, .. } | Form::Bare(kind) => state.aliases.kinds[*kind].kind.clone(),
        Form::Token(token) => token.kind().clone(),
    }
}

/// A text in pieces.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = text.len().min(PIECE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        Some(piece).filter(|piece| !piece.is_empty())
    })
}
