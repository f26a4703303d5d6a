//! What a conversation remembers: values with their tokens and aliases, and what became of each message.

use std::collections::HashMap;

use super::Role;
use super::forms::Aliases;
use crate::detect::{Context, Lesson};
use crate::engine::Surrogates;
use crate::secret::KeyBytes;
use crate::token::Token;
use crate::{Error, Kind, Masked, SecretText};

/// The most values and tokens that a conversation holds; beyond it masking fails with [`Error::Full`].
pub const MAX_CONVERSATION_VALUES: usize = 65_536;
/// The most bytes of masked messages that a conversation remembers: 8 MiB. Beyond it those that were not sent for longest go,
/// and are masked anew.
pub const MAX_REMEMBERED_BYTES: usize = 8 << 20;
/// The most numbers that the input may keep aliases from; beyond it what would do so is replaced.
const MAX_RESERVED: usize = 1_024;

/// A keyed hash.
pub(super) type Hash = [u8; 16];

/// A value that was masked.
pub(super) struct Value {
    pub(super) kind: Kind,
    /// The number of its alias, 0 where it has none.
    pub(super) number: u32,
    /// The token that it got last.
    pub(super) token: Token,
    /// As it was written last.
    pub(super) spelling: SecretText,
    /// The hash under which it is found again.
    pub(super) key: Hash,
}

/// What became of a message.
pub(super) struct Message {
    pub(super) masked: Masked,
    pub(super) lesson: Lesson,
    pub(super) used: u64,
}

impl Message {
    fn bytes(&self) -> usize {
        self.masked.text.len() + self.masked.events.len() * 160 + self.lesson.learnt.len() * 16 + 96
    }
}

pub(super) struct State {
    pub(super) hash_key: KeyBytes,
    pub(super) aliases: Aliases,
    pub(super) values: Vec<Value>,
    pub(super) by_key: HashMap<Hash, u32>,
    /// By the hash of the token.
    pub(super) by_token: HashMap<Hash, u32>,
    pub(super) surrogates: Surrogates,
    /// The last message, as the end of a chain of hashes.
    pub(super) tip: Hash,
    /// What the messages up to the last one taught.
    pub(super) context: Context,
    pub(super) messages: HashMap<Hash, Message>,
    remembered: usize,
    tick: u64,
}

impl State {
    pub(super) fn new(hash_key: KeyBytes, kinds: impl Iterator<Item = Kind>) -> Self {
        Self {
            hash_key,
            aliases: Aliases::new(kinds),
            values: Vec::new(),
            by_key: HashMap::new(),
            by_token: HashMap::new(),
            surrogates: Surrogates::default(),
            tip: Hash::default(),
            context: Context::default(),
            messages: HashMap::new(),
            remembered: 0,
            tick: 0,
        }
    }

    fn hash(&self, use_of_it: u8, parts: &[&[u8]]) -> Hash {
        let mut hasher = blake3::Hasher::new_keyed(self.hash_key.expose());
        hasher.update(&[use_of_it]);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        truncated(&hasher)
    }

    /// The hash of a value, or of a spelling of it.
    pub(super) fn value_key(&self, kind: &Kind, value: &str) -> Hash {
        self.hash(1, &[kind.as_str().as_bytes(), value.as_bytes()])
    }

    pub(super) fn token_key(&self, token: &Token) -> Hash {
        self.hash(2, &[token.text().as_bytes()])
    }

    /// Starts the hash of a message that follows another.
    pub(super) fn message_hasher(&self, before: &Hash, role: Role) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(self.hash_key.expose());
        hasher.update(&[3, role.number()]);
        hasher.update(before);
        hasher
    }

    /// The value behind a token that this conversation has given out.
    pub(super) fn value_of(&self, token: &Token) -> Option<u32> {
        self.by_token.get(&self.token_key(token)).copied()
    }

    /// Notes a value with its token; gives its index.
    pub(super) fn note(
        &mut self,
        kind: &Kind,
        key: Hash,
        token: Token,
        original: &str,
        aliased: bool,
    ) -> Result<u32, Error> {
        let token_key = self.token_key(&token);
        let full = || Error::Full { limit: MAX_CONVERSATION_VALUES };
        let index = if let Some(&index) = self.by_key.get(&key) {
            let value = &mut self.values[index as usize];
            if aliased && value.number == 0 {
                let kind = self.aliases.known(kind);
                value.number = self.aliases.add(kind, index);
            }
            if value.spelling.expose() != original {
                value.spelling = SecretText::new(original.to_owned());
            }
            value.token = token;
            index
        } else {
            if self.values.len() >= MAX_CONVERSATION_VALUES {
                return Err(full());
            }
            let index = self.values.len() as u32;
            let number = if aliased {
                let kind = self.aliases.known(kind);
                self.aliases.add(kind, index)
            } else {
                0
            };
            let spelling = SecretText::new(original.to_owned());
            self.values.push(Value { kind: kind.clone(), number, token, spelling, key });
            self.by_key.insert(key, index);
            index
        };
        // With aliases a token never stands in a text: the last one is enough.
        if !aliased && !self.by_token.contains_key(&token_key) {
            if self.by_token.len() >= MAX_CONVERSATION_VALUES {
                return Err(full());
            }
            self.by_token.insert(token_key, index);
        }
        Ok(index)
    }

    /// The alias of a value that has one.
    pub(super) fn alias_text(&self, index: u32) -> String {
        let value = &self.values[index as usize];
        format!("[{}_{}]", value.kind, value.number)
    }

    /// Keeps a number from being given out; whether that is done.
    pub(super) fn reserve(&mut self, kind: usize, number: u32) -> bool {
        let reserved = &mut self.aliases.kinds[kind].reserved;
        reserved.contains(&number) || (reserved.len() < MAX_RESERVED && reserved.insert(number))
    }

    /// What a message became, if it is remembered.
    pub(super) fn recall(&mut self, hash: &Hash) -> Option<&Message> {
        self.tick += 1;
        let message = self.messages.get_mut(hash)?;
        message.used = self.tick;
        Some(message)
    }

    /// Remembers what a message became, and forgets others where there is no room.
    pub(super) fn remember(&mut self, hash: Hash, masked: Masked, lesson: Lesson) {
        self.tick += 1;
        let message = Message { masked, lesson, used: self.tick };
        self.remembered += message.bytes();
        if let Some(before) = self.messages.insert(hash, message) {
            self.remembered -= before.bytes();
        }
        if self.remembered <= MAX_REMEMBERED_BYTES {
            return;
        }
        // A quarter goes at once, so that going through all of them is rare.
        let mut by_age: Vec<(u64, Hash)> = self.messages.iter().map(|(hash, m)| (m.used, *hash)).collect();
        by_age.sort_unstable();
        for (_, hash) in by_age {
            if self.remembered <= MAX_REMEMBERED_BYTES / 4 * 3 {
                break;
            }
            if let Some(message) = self.messages.remove(&hash) {
                self.remembered -= message.bytes();
            }
        }
    }

    /// What the first messages of a history taught; all of them are remembered.
    pub(super) fn context_after(&self, history: &[Hash]) -> Context {
        let mut context = Context::default();
        for message in history.iter().filter_map(|hash| self.messages.get(hash)) {
            context.recall(&message.lesson);
        }
        context
    }
}

pub(super) fn truncated(hasher: &blake3::Hasher) -> Hash {
    *hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}
