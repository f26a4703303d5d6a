//! Finds PHI in text, replaces it with reversible tokens, and restores it.
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

mod conversation;
pub mod detect;
mod engine;
mod error;
pub mod kinds;
pub mod lexicon;
mod offsets;
pub mod payload;
pub mod policy;
pub mod resolve;
mod secret;
mod span;
pub mod token;
pub mod vault;
pub mod view;

pub use self::conversation::{Conversation, Dangling, Role, StreamMasker, StreamRehydrator};
pub use self::detect::{Finding, Pass, Recognizer, RecognizerError, RecognizerHit};
pub use self::engine::{Event, Explanation, MAX_TEXT_BYTES, Masked, Masker, MaskerBuilder, Restored};
pub use self::error::{Error, ErrorKind};
pub use self::kinds::Kind;
pub use self::offsets::{OffsetUnit, convert_spans};
pub use self::payload::{JsonRules, MaskedPayload, PayloadEvent, RestoredPayload};
pub use self::policy::{
    Action, KidCheck, KidState, Normalization, Policy, PolicyError, PolicyErrorCode, PolicyErrors,
    PolicyLoader, PolicyNotice, Scheme,
};
pub use self::secret::SecretText;
pub use self::span::Span;
pub use self::token::{
    Found, KeyError, KeyRing, KeyRingBuilder, Kid, MAX_SEALED_BYTES, Marker, ParseKidError, ParseScopeError,
    ParseTokenError, Scope, Synthesizer, Token, TokenError, TokenForm, TokenKind, find_markers, normalise,
    redacted, seal, unseal,
};
#[cfg(feature = "vault-postgres")]
pub use self::vault::PostgresVault;
#[cfg(feature = "vault-sqlite")]
pub use self::vault::{Durability, SqliteVault};
pub use self::vault::{MemoryVault, Mention, Opened, Records, Reference, Vault, VaultError, VaultStats};
