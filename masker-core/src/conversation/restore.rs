use std::fmt;

use super::Conversation;
use super::forms::{Form, LOOK_BEHIND, Next, Reading, Which};
use super::state::State;
use crate::token::{Token, redacted};
use crate::vault::Opened;
use crate::{Error, Kind, Masker, Restored};

/// What a stream ended in the middle of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dangling {
    /// Bytes at the end that might have become a token or an alias, had more come. They were given out as they are.
    pub bytes: usize,
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
    json: bool,
    /// What came last, with the part that is given out already but tells where words begin.
    text: String,
    done: usize,
    totals: Restored,
}

impl fmt::Debug for StreamRehydrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRehydrator").field("held", &self.held()).finish_non_exhaustive()
    }
}

impl StreamRehydrator {
    pub(super) fn new(conversation: Conversation, json: bool) -> Self {
        Self { conversation, json, text: String::new(), done: 0, totals: Restored::default() }
    }

    /// Takes the next part; gives what has become certain, restored.
    ///
    /// # Errors
    ///
    /// When the vault cannot be read. Nothing is lost: the next call tries again.
    pub fn push(&mut self, text: &str) -> Result<String, Error> {
        Masker::check_length_of(self.text.len() + text.len())?;
        self.text.push_str(text);
        self.restore(false)
    }

    /// Ends the text: gives what was held back, and tells whether it ended in the middle of something. Then another may
    /// begin.
    ///
    /// # Errors
    ///
    /// As [`StreamRehydrator::push`].
    pub fn flush(&mut self) -> Result<(String, Dangling), Error> {
        let held = self.held();
        let before = self.totals.clone();
        let text = self.restore(true)?;
        // A token that only waited for what follows it is complete.
        let complete = self.totals.restored + self.totals.unknown + self.totals.foreign
            > before.restored + before.unknown + before.foreign;
        self.text.clear();
        self.done = 0;
        Ok((text, Dangling { bytes: if complete { 0 } else { held } }))
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.text.len() - self.done
    }

    /// What was restored so far and what was not; its text is empty.
    pub fn totals(&self) -> Restored {
        self.totals.clone()
    }

    fn restore(&mut self, complete: bool) -> Result<String, Error> {
        let reading = Reading { which: Which::Live, json: self.json, complete };
        let (mut restored, until) = self.conversation.restore_from(&self.text, self.done, reading)?;
        self.done = until;
        let text = std::mem::take(&mut restored.text);
        self.totals.add(restored);
        let mut from = self.done.saturating_sub(LOOK_BEHIND);
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        self.text.drain(..from);
        self.done -= from;
        Ok(text)
    }
}

impl Conversation {
    pub(super) fn restore_whole(&self, text: &str, json: bool) -> Result<Restored, Error> {
        Masker::check_length_of(text.len())?;
        let reading = Reading { which: Which::Live, json, complete: true };
        Ok(self.restore_from(text, 0, reading)?.0)
    }

    /// Restores a text from a byte on, up to where more has to be known.
    fn restore_from(&self, text: &str, from: usize, reading: Reading) -> Result<(Restored, usize), Error> {
        let state = self.shared.state();
        let mut forms = Vec::new();
        let mut at = from;
        let until = loop {
            match state.aliases.next(text, at, reading) {
                Next::Found(start, end, form) => {
                    forms.push((start, end, form));
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
                Plan::Open { token, .. } => Some(*token),
                _ => None,
            })
            .collect();
        let records = self.shared.masker.records(&self.shared.scope);
        let mut opened = if tokens.is_empty() { Vec::new() } else { records.restore(&tokens)? }.into_iter();
        let mut restored = Restored::default();
        let mut copied = from;
        for ((start, end, _), plan) in forms.iter().zip(&plans) {
            restored.text.push_str(&text[copied..*start]);
            copied = *end;
            let lost = match plan {
                Plan::Leave => {
                    restored.ambiguous += 1;
                    restored.text.push_str(&text[*start..*end]);
                    continue;
                }
                Plan::Open { value, .. } => match opened.next() {
                    Some(Opened::Original(_)) => {
                        // The row says that the value may be restored, the conversation how it was written last.
                        append(
                            &mut restored.text,
                            state.values[*value as usize].spelling.expose(),
                            reading.json,
                        );
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
            let kind = kind_of(&state, &forms, *start);
            restored.text.push_str(&redacted(&kind));
            restored.lost.push(kind);
        }
        restored.text.push_str(&text[copied..until]);
        Ok((restored, until))
    }

    /// What to do with a form.
    fn plan<'a>(&self, state: &'a State, form: &'a Form) -> Plan<'a> {
        match form {
            Form::Alias(kind, number) => {
                let value = state.aliases.kinds[*kind].numbers[number];
                Plan::Open { value, token: &state.values[value as usize].token }
            }
            Form::Bare(kind) => {
                let numbers = &state.aliases.kinds[*kind].numbers;
                match numbers.first_key_value() {
                    Some((_, &value)) if numbers.len() == 1 => {
                        Plan::Open { value, token: &state.values[value as usize].token }
                    }
                    _ => Plan::Leave,
                }
            }
            Form::Token(token) => match state.value_of(token) {
                Some(value) => Plan::Open { value, token },
                None if self.shared.masker.keys().contains(token.kid()) => Plan::Lost(Lost::Unknown),
                None => Plan::Lost(Lost::Foreign),
            },
        }
    }
}

enum Plan<'a> {
    Leave,
    Lost(Lost),
    Open { value: u32, token: &'a Token },
}

#[derive(Clone, Copy)]
enum Lost {
    Foreign,
    Unknown,
}

fn kind_of(state: &State, forms: &[(usize, usize, Form)], start: usize) -> Kind {
    let index = forms.partition_point(|(at, ..)| *at < start);
    match &forms[index].2 {
        Form::Alias(kind, _) | Form::Bare(kind) => state.aliases.kinds[*kind].kind.clone(),
        Form::Token(token) => token.kind().clone(),
    }
}

/// Appends an original, escaped where it goes into a JSON string.
fn append(out: &mut String, original: &str, json: bool) {
    if !json {
        out.push_str(original);
        return;
    }
    for c in original.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(DIGITS[c as usize >> 4]));
                out.push(char::from(DIGITS[c as usize & 15]));
            }
            c => out.push(c),
        }
    }
}
