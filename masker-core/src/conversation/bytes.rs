//! A conversation as encrypted bytes. What they hold and in which order is this module's alone; another version of it is
//! refused, not guessed at.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::state::{Hash, Message, State, Value};
use super::{Conversation, Shared};
use crate::detect::{Learnt, Lesson, Pass};
use crate::policy::Action;
use crate::secret::KeyBytes;
use crate::token::sealed::{open_state, seal_state};
use crate::token::{Kid, TokenKind, enc};
use crate::view::WordHash;
use crate::{Error, Event, Kind, Masked, Masker, SecretText, Span};

/// Name and version of the format.
const MAGIC: &[u8; 5] = b"MSKC\x02";

impl Conversation {
    /// The conversation as bytes for [`Conversation::from_bytes`], for a process that stops in the middle of a call. They are
    /// encrypted (AES-256-GCM-SIV) under a subkey of the policy's key that has no other use, and bound to the masker's scope;
    /// their length tells about how much was said.
    ///
    /// # Errors
    ///
    /// When the operating system gives no random bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let masker = &self.shared.masker;
        let kid = masker.own_kid();
        let plain = {
            let state = self.shared.state();
            let mut out = Writer::default();
            write(&self.shared, &state, &mut out);
            out.0
        };
        let cipher = &masker.keys().active(&kid)?.conversation;
        let sealed = seal_state(cipher, &associated_data(masker, &kid), &plain)?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(kid.as_str().len() as u8);
        bytes.extend_from_slice(kid.as_str().as_bytes());
        bytes.extend_from_slice(&sealed);
        Ok(bytes)
    }

    /// Takes a conversation up again, with a masker that has the keys, the scope and the vault of the one it was begun with.
    ///
    /// Under another policy, or another release of this crate, its values and aliases live on; what its messages became is
    /// not remembered, since they might be masked otherwise now.
    ///
    /// ```
    /// use masker_core::{Conversation, Masker, Role};
    ///
    /// let masker = Masker::new()?;
    /// let conversation = masker.conversation("call 21");
    /// let token = conversation.mask_turn(Role::User, "415-555-0142")?.text;
    /// let bytes = conversation.to_bytes()?;
    /// let again = Conversation::from_bytes(&masker, &bytes)?;
    /// assert_eq!(again.rehydrate(&token)?.text, "415-555-0142");
    /// assert!(Conversation::from_bytes(&Masker::new()?, &bytes).is_err());
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Conversation`] whatever the reason.
    pub fn from_bytes(masker: &Masker, bytes: &[u8]) -> Result<Self, Error> {
        open(masker, bytes).ok_or(Error::Conversation)
    }
}

fn associated_data(masker: &Masker, kid: &Kid) -> Vec<u8> {
    let mut out = Vec::new();
    for part in ["masker conversation v1", kid.as_str(), masker.scope().as_str()] {
        enc(&mut out, part.as_bytes());
    }
    out
}

/// What detection depends on.
fn fingerprint(masker: &Masker) -> Hash {
    let text = format!("{} {:?}", env!("CARGO_PKG_VERSION"), masker.policy());
    *blake3::hash(text.as_bytes()).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

fn open(masker: &Masker, bytes: &[u8]) -> Option<Conversation> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (&length, rest) = rest.split_first()?;
    let (kid, sealed) = rest.split_at_checked(usize::from(length))?;
    let kid: Kid = std::str::from_utf8(kid).ok()?.parse().ok()?;
    let associated = associated_data(masker, &kid);
    let plain = masker
        .keys()
        .candidates(&kid)
        .find_map(|subkeys| open_state(&subkeys.conversation, &associated, sealed))?;
    read(masker, &mut Reader(&plain))
}

fn write(shared: &Shared, state: &State, out: &mut Writer) {
    out.text(&shared.id);
    out.bytes(&fingerprint(&shared.masker));
    out.bytes(state.hash_key.expose());
    out.list(&state.values, |out, value| {
        out.text(value.kind.as_str());
        out.number(value.number.into());
        out.text(value.token.text());
        out.text(value.spelling.expose());
        out.bytes(&value.key);
    });
    out.list(&state.by_token, |out, (hash, value)| {
        out.bytes(hash);
        out.number((*value).into());
    });
    out.list(&state.aliases.kinds, |out, kind| {
        out.text(kind.kind.as_str());
        out.list(&kind.reserved, |out, number| out.number((*number).into()));
        out.number(kind.bare_is_taken.into());
    });
    out.list(&state.surrogates.drawn, |out, ((kind, value), surrogate)| {
        out.text(kind.as_str());
        out.text(value);
        out.text(surrogate);
    });
    out.list(&state.surrogates.originals, |out, original| out.text(original));
    out.bytes(&state.tip);
    out.lesson(&state.context.summary());
    let mut messages: Vec<(&Hash, &Message)> = state.messages.iter().collect();
    messages.sort_unstable_by_key(|(_, message)| message.used);
    out.list(messages, |out, (hash, message)| {
        out.bytes(hash);
        out.text(&message.masked.text);
        out.list(&message.masked.events, Writer::event);
        out.lesson(&message.lesson);
    });
}

fn read(masker: &Masker, from: &mut Reader<'_>) -> Option<Conversation> {
    let id = from.text()?;
    let same = from.array()? == fingerprint(masker);
    let hash_key = KeyBytes::new(&mut from.array()?);
    let mut state = State::new(hash_key, masker.policy().entities().iter().map(|entity| entity.kind.clone()));
    for _ in 0..from.number()? {
        let kind: Kind = from.text()?.parse().ok()?;
        let number = u32::try_from(from.number()?).ok()?;
        let token = from.text()?.parse().ok()?;
        let spelling = SecretText::new(from.text()?.to_owned());
        let key = from.array()?;
        let index = state.values.len() as u32;
        if number > 0 {
            let known = state.aliases.known(&kind);
            state.aliases.insert(known, number, index);
        }
        state.by_key.insert(key, index);
        state.values.push(Value { kind, number, token, spelling, key });
    }
    for _ in 0..from.number()? {
        let hash = from.array()?;
        let value = u32::try_from(from.number()?).ok()?;
        state.values.get(value as usize)?;
        state.by_token.insert(hash, value);
    }
    for _ in 0..from.number()? {
        let kind = state.aliases.known(&from.text()?.parse().ok()?);
        for _ in 0..from.number()? {
            state.aliases.kinds[kind].reserved.insert(u32::try_from(from.number()?).ok()?);
        }
        state.aliases.kinds[kind].bare_is_taken = from.number()? != 0;
    }
    for _ in 0..from.number()? {
        let key = (from.text()?.parse().ok()?, from.text()?.to_owned());
        state.surrogates.drawn.insert(key, from.text()?.to_owned());
    }
    for _ in 0..from.number()? {
        state.surrogates.originals.insert(from.text()?.to_owned());
    }
    state.tip = from.array()?;
    state.context.recall(&from.lesson()?);
    for _ in 0..from.number()? {
        let hash = from.array()?;
        let text = from.text()?.to_owned();
        let events = (0..from.number()?).map(|_| from.event()).collect::<Option<Vec<Event>>>()?;
        let lesson = from.lesson()?;
        if same {
            state.remember(hash, Masked { text, events }, lesson);
        }
    }
    from.0.is_empty().then(|| masker.conversation_with(id, state, false))
}

/// Numbers are little-endian 64-bit, texts and lists come after their length.
#[derive(Default)]
struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn list<I: IntoIterator>(&mut self, items: I, item: impl Fn(&mut Self, I::Item))
    where
        I::IntoIter: ExactSizeIterator,
    {
        let items = items.into_iter();
        self.number(items.len() as u64);
        for each in items {
            item(self, each);
        }
    }

    fn lesson(&mut self, lesson: &Lesson) {
        let code = |asked: Option<u8>| asked.map_or(0, |kind| u64::from(kind) + 1);
        let masked = if lesson.asked_masked == lesson.asked { 0 } else { 1 + code(lesson.asked_masked) };
        self.number(code(lesson.asked) + (masked << 8));
        self.list(&lesson.learnt, |out, (hash, what)| {
            out.number(hash.0);
            out.bytes(&[what.code()]);
        });
    }

    fn event(&mut self, event: &Event) {
        self.text(event.kind.as_str());
        self.number(event.span.start as u64);
        self.number(event.span.end as u64);
        self.bytes(&event.confidence.to_le_bytes());
        self.text(event.pass.as_str());
        self.text(&event.recognizer);
        self.text(event.action.as_str());
        self.text(event.token_kind.map_or("", TokenKind::as_str));
        self.text(event.kid.as_ref().map_or("", Kid::as_str));
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn lesson(&mut self) -> Option<Lesson> {
        let decoded = |code: u64| match code {
            0 => Some(None),
            _ => {
                u8::try_from(code - 1).ok().filter(|&kind| usize::from(kind) < Kind::BUILT_IN.len()).map(Some)
            }
        };
        let number = self.number()?;
        let asked = decoded(number & 0xFF)?;
        let asked_masked = match number >> 8 {
            0 => asked,
            masked => decoded(masked - 1)?,
        };
        let learnt = (0..self.number()?)
            .map(|_| {
                let hash = WordHash(self.number()?);
                let [code] = self.array()?;
                Some((hash, Learnt::from_code(code)?))
            })
            .collect::<Option<_>>()?;
        Some(Lesson { asked, asked_masked, learnt })
    }

    fn event(&mut self) -> Option<Event> {
        const PASSES: [Pass; 5] = [Pass::Regex, Pass::Dictionary, Pass::Spoken, Pass::Ner, Pass::Diarize];
        const TOKENS: [TokenKind; 4] =
            [TokenKind::Msk1, TokenKind::Mskv1, TokenKind::Redacted, TokenKind::Synthetic];
        let kind = self.text()?.parse().ok()?;
        let (start, end) = (usize::try_from(self.number()?).ok()?, usize::try_from(self.number()?).ok()?);
        let confidence = f32::from_le_bytes(self.array()?);
        let pass = self.text()?;
        let pass = PASSES.into_iter().find(|known| known.as_str() == pass)?;
        let recognizer = Cow::Owned(self.text()?.to_owned());
        let action: Action = self.text()?.parse().ok()?;
        let token_kind = match self.text()? {
            "" => None,
            name => Some(TOKENS.into_iter().find(|known| known.as_str() == name)?),
        };
        let kid = match self.text()? {
            "" => None,
            name => Some(name.parse().ok()?),
        };
        let span = (start <= end).then(|| Span::new(start, end))?;
        Some(Event { kind, span, confidence, pass, recognizer, action, token_kind, kid })
    }
}
