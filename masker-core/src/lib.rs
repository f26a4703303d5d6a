//! Finds PHI in text, replaces it with reversible tokens, and restores it.
//!
//! A [`Masker`] joins a [`Policy`], keys ([`KeyRing`]) and a [`Vault`]; made with nothing given it works at once:
//!
//! ```
//! use masker_core::Masker;
//!
//! let masker = Masker::new()?;
//! let masked = masker.mask("this is ann reed, my number is four one five, five five five, oh one four two")?;
//! assert_eq!(masked.redaction_count(), 2);
//! assert!(!masked.text.contains("reed"));
//! # Ok::<(), masker_core::Error>(())
//! ```
//!
//! A [`Conversation`] keeps context and aliases between the turns of one call, and masks and restores streams;
//! [`payload`] walks chat requests, replies and other JSON. [`kinds`] says what is looked for, [`detect`] finds it,
//! [`policy`] decides what happens to it.
//!
//! On any error no text is returned. Results, errors and `Debug` output hold kinds, positions and lengths, never the text.
//! Nothing here opens a socket on its own, and only key files, the vault and the audit log touch files. The environment is never
//! read: [`EnvKeys`] takes variables that the caller collected.
//!
//! # Features
//!
//! None is on by default, and none changes what a call does.
//!
//! - `async`: forms of the calls that wait for a file or a database away from the executor, for any executor.
//! - `vault-sqlite`: a vault in an SQLite file.
//! - `vault-postgres`: a vault in a PostgreSQL database, for several machines, with TLS.
//! - `audit`: the hash-chained audit log, and signed reports about it.
//! - `small`: a smaller binary, for a few milliseconds at the first text.
//! - `testing`: the conformance suite for stores, for crates that bring their own.
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

#[cfg(feature = "audit")]
pub mod audit;
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

pub use self::conversation::{
    Conversation, Dangling, MAX_CONVERSATION_VALUES, MAX_REMEMBERED_BYTES, Role, StreamMasker,
    StreamRehydrator,
};
pub use self::detect::{Finding, Pass, Recognizer, RecognizerError, RecognizerHit};
pub use self::engine::{Event, Explanation, MAX_TEXT_BYTES, Masked, Masker, MaskerBuilder, Restored};
pub use self::error::{Error, ErrorKind};
pub use self::kinds::Kind;
pub use self::offsets::{OffsetMap, OffsetUnit, convert_spans};
pub use self::payload::{JsonRules, MaskedPayload, PayloadEvent, RestoredPayload};
pub use self::policy::{
    Action, KidCheck, KidState, Normalization, Policy, PolicyError, PolicyErrorCode, PolicyErrors,
    PolicyLoader, PolicyNotice, Scheme,
};
pub use self::secret::SecretText;
pub use self::span::Span;
pub use self::token::{
    EnvKeys, FileKeys, Found, KeyError, KeyProvider, KeyRing, KeyRingBuilder, Kid, MAX_SCOPE_BYTES,
    MAX_SEALED_BYTES, Marker, OldKey, ParseKidError, ParseScopeError, ParseTokenError, Scope, Synthesizer,
    Token, TokenError, TokenForm, TokenKind, find_markers, normalise, redacted, seal, unseal,
};
#[cfg(feature = "async")]
pub use self::vault::{AsyncVault, off_executor};
#[cfg(feature = "vault-sqlite")]
pub use self::vault::{Durability, SqliteOptions, SqliteVault};
pub use self::vault::{MemoryVault, Mention, Opened, Records, Reference, Vault, VaultError, VaultStats};
#[cfg(feature = "vault-postgres")]
pub use self::vault::{PostgresOptions, PostgresVault};
