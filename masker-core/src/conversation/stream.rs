use std::fmt;

use super::message::Draft;
use super::state::{Hash, MAX_REMEMBERED_BYTES, truncated};
use super::{Conversation, Role};
use crate::detect::Context;
use crate::{Error, Event, Masked};

/// Masks a message that comes in parts of any size: what it gives is, joined, what the whole message would give.
///
/// It looks at text in pieces of 1 to 1.5 KiB that end with a sentence, a line or a word, so no more than 2 KiB are held back;
/// a word or token that is longer is held until its end. With patterns, word lists, allow lists or models of the user's, which
/// may look at anything, the whole message is held.
///
/// ```
/// use masker_core::{Masker, Role};
///
/// let conversation = Masker::new()?.conversation("call 19");
/// let mut stream = conversation.stream_masker(Role::User);
/// assert_eq!(stream.interim("my number is 415 555 0142")?, "my number is [REDACTED:PHONE]");
/// let mut text = stream.push("my number is 415 55")?;
/// text += &stream.push("5 0142 thanks")?;
/// let rest = stream.finish()?;
/// text += &rest.text;
/// assert!(text.starts_with("my number is MSKV1.PHONE.") && text.ends_with(" thanks"));
/// assert_eq!(rest.events[0].span.range(), 13..25);
/// # Ok::<(), masker_core::Error>(())
/// ```
pub struct StreamMasker {
    conversation: Conversation,
    role: Role,
    draft: Draft,
    hasher: blake3::Hasher,
    /// What was given out, as long as it may be remembered.
    masked: Option<String>,
    events: Vec<Event>,
}

impl fmt::Debug for StreamMasker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMasker")
            .field("role", &self.role)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

impl StreamMasker {
    pub(super) fn new(conversation: Conversation, role: Role) -> Self {
        let (draft, hasher) = Self::begin(&conversation, role);
        Self { conversation, role, draft, hasher, masked: Some(String::new()), events: Vec::new() }
    }

    fn begin(conversation: &Conversation, role: Role) -> (Draft, blake3::Hasher) {
        let state = conversation.shared.state();
        let context: Context = state.context.clone();
        let before: Hash = state.tip;
        (Draft::new(role, context), state.message_hasher(&before, role))
    }

    /// Takes the next part; gives what has become certain, masked.
    ///
    /// # Errors
    ///
    /// As [`Conversation::mask_turn`]. The part has been taken all the same; what was given before stands.
    pub fn push(&mut self, text: &str) -> Result<String, Error> {
        self.hasher.update(text.as_bytes());
        let shared = &self.conversation.shared;
        let masked = self.draft.push(shared, &mut shared.state(), text)?;
        self.note(&masked.text);
        self.events.extend(masked.events);
        Ok(masked.text)
    }

    /// How the message would go on if `text` came next and were its end, with what is held back before it. Nothing is
    /// remembered: a value that is new is shown as `[REDACTED:KIND]`, one that is known as it will be.
    ///
    /// This is for the partial results of speech recognisers, which are taken back.
    ///
    /// # Errors
    ///
    /// As [`Conversation::mask_turn`].
    pub fn interim(&self, text: &str) -> Result<String, Error> {
        let shared = &self.conversation.shared;
        self.draft.preview(shared, &mut shared.state(), text)
    }

    /// Ends the message: gives the rest of its text, and the events of all of it. What is pushed then is the next message.
    ///
    /// # Errors
    ///
    /// As [`Conversation::mask_turn`]; then the message goes on.
    pub fn finish(&mut self) -> Result<Masked, Error> {
        let shared = &self.conversation.shared;
        let mut state = shared.state();
        let rest = self.draft.finish(shared, &mut state)?;
        let mut context = std::mem::take(&mut self.draft.context);
        let lesson = context.take_lesson();
        state.tip = truncated(&self.hasher);
        state.context = context;
        let mut events = std::mem::take(&mut self.events);
        events.extend(rest.events);
        if let Some(before) = self.masked.take() {
            let masked = Masked { text: before + &rest.text, events: events.clone() };
            let tip = state.tip;
            state.remember(tip, masked, lesson);
        }
        drop(state);
        (self.draft, self.hasher) = Self::begin(&self.conversation, self.role);
        self.masked = Some(String::new());
        Ok(Masked { text: rest.text, events })
    }

    /// How many bytes of the message are held back.
    pub fn held(&self) -> usize {
        self.draft.held()
    }

    fn note(&mut self, text: &str) {
        self.masked =
            self.masked.take().filter(|masked| masked.len() + text.len() <= MAX_REMEMBERED_BYTES / 8);
        if let Some(masked) = &mut self.masked {
            masked.push_str(text);
        }
    }
}
