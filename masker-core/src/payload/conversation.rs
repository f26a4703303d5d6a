use super::stream::{SseRehydrator, StreamMode, StreamRestorer, StreamTally};
use super::{MaskedPayload, RestoredPayload, Said, TextWorker};
use crate::conversation::{Conversation, Role, StreamRehydrator};
use crate::{Error, Masked, Restored};

impl TextWorker for &Conversation {
    fn mask(&mut self, texts: &[Said<'_>]) -> Result<Vec<Masked>, Error> {
        // Under a label a value is masked as the end of a line that names it, and the name is cut off again. The line is a
        // message like any other, so that a payload that is sent again, longer, is remembered.
        let lines: Vec<(Role, String)> = texts
            .iter()
            .map(|said| match said.label.and_then(crate::engine::label) {
                Some(label) => (said.role, format!("{label}: {}", said.text)),
                None => (said.role, said.text.to_owned()),
            })
            .collect();
        let masked = self.mask_history(&lines)?;
        texts
            .iter()
            .zip(lines.iter().zip(masked))
            .map(|(said, ((_, line), masked))| match line.len() - said.text.len() {
                0 => Ok(masked),
                name => match without_name(&line[..name], masked) {
                    Some(masked) => Ok(masked),
                    None => self.mask_turn(said.role, said.text),
                },
            })
            .collect()
    }

    fn rehydrate(&mut self, text: &str) -> Result<Restored, Error> {
        restored(self.stream_rehydrator(), text)
    }

    fn rehydrate_nested(&mut self, text: &str, mode: StreamMode) -> Result<Restored, Error> {
        restored(self.rehydrator_of(mode), text)
    }
}

/// Restores a text as a stream of one piece, so that both give the same.
fn restored(mut stream: StreamRehydrator, text: &str) -> Result<Restored, Error> {
    let restored = stream.push(text)? + &stream.end()?;
    Ok(Restored { text: restored, ..stream.totals() })
}

/// What is left of a masked line without the name before the value; nothing where the name itself was masked.
fn without_name(name: &str, mut masked: Masked) -> Option<Masked> {
    if masked.events.iter().any(|event| event.span.start < name.len()) {
        return None;
    }
    masked.text = masked.text.strip_prefix(name)?.to_owned();
    for event in &mut masked.events {
        event.span.start -= name.len();
        event.span.end -= name.len();
    }
    Some(masked)
}

impl StreamRestorer for StreamRehydrator {
    fn push(&mut self, piece: &str) -> Result<String, Error> {
        StreamRehydrator::push(self, piece)
    }

    fn finish(&mut self) -> Result<String, Error> {
        self.end()
    }

    fn tally(&self) -> StreamTally {
        let totals = self.totals();
        StreamTally {
            restored: totals.restored,
            unknown: totals.unknown,
            foreign: totals.foreign,
            ambiguous: totals.ambiguous,
        }
    }
}

impl Conversation {
    /// Masks a chat as [`Masker::mask_chat`](crate::Masker::mask_chat) does, in the light of this conversation. A chat that is
    /// sent again, longer, is masked the same up to where it was.
    ///
    /// ```
    /// use masker_core::{Masker, Policy};
    ///
    /// let policy = Policy::from_yaml(&format!("{}\nsurface: alias\n", Policy::preset_source("healthcare-default").unwrap()))?;
    /// let conversation = Masker::builder().policy(policy).build()?.conversation("call 17");
    /// let chat = r#"[{"role": "user", "content": "call 415-555-0142"}]"#;
    /// assert_eq!(conversation.mask_chat(chat)?.json, r#"[{"role": "user", "content": "call [PHONE_1]"}]"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Masker::mask_chat`](crate::Masker::mask_chat) and [`Conversation::mask_turn`].
    pub fn mask_chat(&self, json: &str) -> Result<MaskedPayload, Error> {
        super::mask_chat(&mut &*self, self.masker().policy().non_text(), json)
    }

    /// Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
    ///
    /// # Errors
    ///
    /// As [`Masker::rehydrate_chat`](crate::Masker::rehydrate_chat) and [`Conversation::rehydrate`].
    pub fn rehydrate_chat(&self, json: &str) -> Result<RestoredPayload, Error> {
        super::rehydrate_chat(&mut &*self, json)
    }

    /// Restores the answers in a stream of server-sent events.
    pub fn sse_rehydrator(
        &self,
    ) -> SseRehydrator<StreamRehydrator, impl FnMut(StreamMode) -> StreamRehydrator + use<>> {
        let conversation = self.clone();
        SseRehydrator::new(move |mode| conversation.rehydrator_of(mode))
    }

    fn rehydrator_of(&self, mode: StreamMode) -> StreamRehydrator {
        match mode {
            StreamMode::JsonString => self.stream_json_rehydrator(),
            StreamMode::Text => self.stream_rehydrator(),
            StreamMode::TextOrJson => self.stream_rehydrator_of_either(),
        }
    }
}
