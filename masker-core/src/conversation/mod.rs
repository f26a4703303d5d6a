//! Turns that share context and aliases: masking a growing history, and restoring what comes back, whole or as a stream.

mod bytes;
mod forms;
mod message;
mod nesting;
mod restore;
mod state;
mod stream;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::message::Draft;
use self::nesting::Syntax;
pub use self::restore::{Dangling, StreamRehydrator};
use self::state::{Hash, State, truncated};
pub use self::state::{MAX_CONVERSATION_VALUES, MAX_REMEMBERED_BYTES};
pub use self::stream::StreamMasker;
use crate::detect::Context;
use crate::policy::{Surface, TokenScope};
use crate::secret::KeyBytes;
use crate::token::{Kid, Scope};
use crate::{Error, Masked, Masker, Restored};

/// Who says something.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Role {
    /// The model.
    Assistant,
    /// The application: instructions and descriptions.
    System,
    /// A tool's result.
    Tool,
    /// The caller.
    User,
}

impl Role {
    /// Stored, so it never changes.
    fn number(self) -> u8 {
        match self {
            Self::Assistant => 0,
            Self::System => 1,
            Self::Tool => 2,
            Self::User => 3,
        }
    }
}

/// One call or chat: what earlier turns say about later ones, and which tokens and aliases stand for which values.
///
/// Cheap to clone; clones are the same conversation, and may be used from several threads, one call after the other. It
/// holds originals in memory, in the spelling masked last. At most 65,536 values fit ([`Error::Full`] beyond); of what
/// messages became, the last 8 MiB are remembered.
///
/// ```
/// use masker_core::{Masker, Policy, Role};
///
/// let policy = Policy::from_yaml(&format!("{}\nsurface: alias\n", Policy::preset_source("healthcare-default").unwrap()))?;
/// let conversation = Masker::builder().policy(policy).build()?.conversation("call 17");
///
/// let masked = conversation.mask_turn(Role::User, "I'm Ann Reed, call me at 415-555-0142")?;
/// assert_eq!(masked.text, "I'm [NAME_1], call me at [PHONE_1]");
/// let masked = conversation.mask_turn(Role::User, "that was 4 1 5, 5 5 5, 0 1 4 2")?;
/// assert_eq!(masked.text, "that was [PHONE_1]");
///
/// let reply = conversation.rehydrate("Thank you, [name 1]. I have **PHONE_1**.")?;
/// assert_eq!(reply.text, "Thank you, Ann Reed. I have **4 1 5, 5 5 5, 0 1 4 2**.");
/// assert_eq!(reply.restored, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Conversation {
    shared: Arc<Shared>,
}

/// What all clones and streams of a conversation share.
struct Shared {
    masker: Masker,
    id: Box<str>,
    scope: Scope,
    /// The policy puts aliases in the text.
    aliased: bool,
    /// Tokens are restored that others of the same scope gave out.
    shares_scope: bool,
    state: Mutex<State>,
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        f.debug_struct("Conversation")
            .field("values", &state.values.len())
            .field("messages", &state.messages.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done that matters: a value is noted before it is used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Masker {
    /// Begins a conversation.
    ///
    /// Under `token_scope: session` the id is the scope of its tokens, and must not be shared with another conversation;
    /// otherwise it only names the conversation.
    pub fn conversation(&self, id: &str) -> Conversation {
        self.conversation_with(id, self.state(id), false)
    }

    /// Begins a conversation that also restores tokens which other conversations of the same scope gave out.
    ///
    /// Whoever can put text before the model can then have a token turned back that they got hold of: give such a
    /// conversation a scope that is as narrow as it may be. Under `token_scope: session` there is no other conversation
    /// in the scope.
    ///
    /// ```
    /// use masker_core::{Masker, Role};
    ///
    /// let masker = Masker::new()?;
    /// let token = masker.conversation("call 1").mask_turn(Role::User, "415-555-0142")?.text;
    /// assert_eq!(masker.conversation("call 2").rehydrate(&token)?.text, "[REDACTED:PHONE]");
    /// assert_eq!(masker.conversation_in_scope("call 2").rehydrate(&token)?.text, "415-555-0142");
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    pub fn conversation_in_scope(&self, id: &str) -> Conversation {
        self.conversation_with(id, self.state(id), true)
    }

    fn state(&self, id: &str) -> State {
        State::new(self.hash_key(id), self.policy().entities().iter().map(|entity| entity.kind.clone()))
    }

    fn conversation_with(&self, id: &str, state: State, shares_scope: bool) -> Conversation {
        let scope = match self.policy().token_scope() {
            TokenScope::Session => id.parse().unwrap_or_else(|_| {
                // An id that cannot be a scope id gives one that says as much as it.
                let hash = blake3::hash(id.as_bytes()).to_hex();
                hash.parse().expect("hexadecimal digits are a scope id")
            }),
            _ => self.scope().clone(),
        };
        let aliased = self.policy().surface() == Surface::Alias;
        let state = Mutex::new(state);
        let shared = Shared { masker: self.clone(), id: id.into(), scope, aliased, shares_scope, state };
        Conversation { shared: Arc::new(shared) }
    }

    /// A key for the hashes of a conversation.
    fn hash_key(&self, id: &str) -> KeyBytes {
        let subkeys = self.keys().active(&self.own_kid());
        let subkeys = subkeys.expect("a masker is built with the keys of its policy");
        let mut hasher = blake3::Hasher::new_keyed(subkeys.memory.expose());
        hasher.update(self.scope().as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(id.as_bytes());
        KeyBytes::new(&mut { *hasher.finalize().as_bytes() })
    }

    /// The key id of the policy, or the only one of an ephemeral ring.
    fn own_kid(&self) -> Kid {
        let keys = self.keys();
        match keys.kids().next() {
            Some(only) if keys.is_ephemeral() => only.clone(),
            _ => self.policy().kid().parse().expect("a policy has checked its key ids"),
        }
    }
}

impl Conversation {
    /// The id it was begun with.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Masks what is said next.
    ///
    /// # Errors
    ///
    /// As [`Masker::mask`], and [`Error::Full`].
    pub fn mask_turn(&self, role: Role, text: &str) -> Result<Masked, Error> {
        let mut state = self.shared.state();
        let tip = state.tip;
        let context = state.context.clone();
        let (masked, hash, context) = self.mask_message(&mut state, &tip, role, text, context)?;
        state.tip = hash;
        state.context = context;
        Ok(masked)
    }

    /// Masks a history as clients of language models resend it every turn, from its first message on.
    ///
    /// Messages that were masked before as the same history, by this method or by [`Conversation::mask_turn`], come back byte
    /// for byte and cost next to nothing. From the first message on that differs, everything is masked anew, in the light of
    /// the history as it is now; values keep their aliases.
    ///
    /// ```
    /// use masker_core::{Masker, Role};
    ///
    /// let conversation = Masker::new()?.conversation("call 18");
    /// let history = [(Role::Assistant, "What is your phone number?"), (Role::User, "415 555 0142")];
    /// let first = conversation.mask_history(&history[..1])?;
    /// let second = conversation.mask_history(&history)?;
    /// assert_eq!(first[0].text, second[0].text);
    /// assert_eq!(second[1].redaction_count(), 1);
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Conversation::mask_turn`]; then no message is returned.
    pub fn mask_history<S: AsRef<str>>(&self, history: &[(Role, S)]) -> Result<Vec<Masked>, Error> {
        let mut state = self.shared.state();
        let mut hashes: Vec<Hash> = Vec::with_capacity(history.len());
        let mut masked = Vec::with_capacity(history.len());
        let mut last = Hash::default();
        let mut known_tip = (state.tip == last).then_some(0);
        for (role, text) in history {
            let hash = message_hash(&state, &last, *role, text.as_ref());
            let Some(message) = state.recall(&hash) else { break };
            masked.push(message.masked.clone());
            hashes.push(hash);
            last = hash;
            if state.tip == hash {
                known_tip = Some(hashes.len());
            }
        }
        let mut context = if known_tip == Some(hashes.len()) {
            state.context.clone()
        } else {
            state.context_after(&hashes)
        };
        for (role, text) in &history[hashes.len()..] {
            let (message, hash, after) =
                self.mask_message(&mut state, &last, *role, text.as_ref(), context)?;
            masked.push(message);
            last = hash;
            context = after;
        }
        state.tip = last;
        state.context = context;
        Ok(masked)
    }

    fn mask_message(
        &self,
        state: &mut State,
        before: &Hash,
        role: Role,
        text: &str,
        context: Context,
    ) -> Result<(Masked, Hash, Context), Error> {
        let mut draft = Draft::whole(role, context, text)?;
        let masked = draft.finish(&self.shared, state)?;
        let mut context = draft.context;
        let hash = message_hash(state, before, role, text);
        state.remember(hash, masked.clone(), context.take_lesson());
        Ok((masked, hash, context))
    }

    /// Puts originals back in the place of the tokens and aliases that this conversation gave out.
    ///
    /// Every other token becomes `[REDACTED:KIND]` and is counted; what looks like an alias and is none stays. A kind in
    /// brackets without its number is restored where one alias of the kind is alive, and counted as ambiguous where several
    /// are.
    ///
    /// # Errors
    ///
    /// When the text is above [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES) or the vault cannot be read.
    pub fn rehydrate(&self, text: &str) -> Result<Restored, Error> {
        self.restore_whole(text)
    }

    /// [`Conversation::rehydrate`] for a JSON text, or a part of one: what is restored is escaped as JSON strings need it.
    ///
    /// # Errors
    ///
    /// As [`Conversation::rehydrate`].
    pub fn rehydrate_json(&self, text: &str) -> Result<Restored, Error> {
        self.restore_json(text)
    }

    /// Masks what is said next while it is being said.
    ///
    /// The turns of a conversation come one after the other: between this call and [`StreamMasker::finish`] no other turn may
    /// be masked, or the later one is not remembered as part of the history.
    pub fn stream_masker(&self, role: Role) -> StreamMasker {
        StreamMasker::new(self.clone(), role)
    }

    /// Restores text that comes in parts.
    pub fn stream_rehydrator(&self) -> StreamRehydrator {
        StreamRehydrator::new(self.clone(), Syntax::Text)
    }

    /// Restores JSON text that comes in parts, such as the arguments of a function call.
    pub fn stream_json_rehydrator(&self) -> StreamRehydrator {
        StreamRehydrator::new(self.clone(), Syntax::Json)
    }

    /// Restores text that comes in parts and is JSON if it begins like it, as the words of a model may be.
    pub(crate) fn stream_rehydrator_of_either(&self) -> StreamRehydrator {
        StreamRehydrator::new(self.clone(), Syntax::Perhaps)
    }

    /// What to tell a model about the aliases, in its instructions; empty where the policy puts none in the text. The same
    /// bytes every time, so that prompt caches hold.
    pub fn system_hint(&self) -> &'static str {
        if self.shared.aliased { HINT } else { "" }
    }

    /// The masker it was begun by.
    pub fn masker(&self) -> &Masker {
        &self.shared.masker
    }

    /// How many values have been masked.
    pub fn value_count(&self) -> usize {
        self.shared.state().values.len()
    }
}

// The example is no alias itself, or the hint in a masked history would keep its number from being given out.
const HINT: &str = "Words in square brackets that end in a number, of the form [PHONE_n] or [NAME_n], stand for private values. \
Treat each as the value itself: repeat it exactly as written, brackets included, wherever the value belongs, also in function \
arguments. Never change, split, translate, explain or invent one.";

fn message_hash(state: &State, before: &Hash, role: Role, text: &str) -> Hash {
    let mut hasher = state.message_hasher(before, role);
    hasher.update(text.as_bytes());
    truncated(&hasher)
}
