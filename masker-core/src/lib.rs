//! Finds PHI in text, replaces it with reversible tokens, and restores it.
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

pub mod detect;
pub mod kinds;
pub mod lexicon;
mod offsets;
pub mod policy;
pub mod resolve;
mod secret;
mod span;
pub mod view;

pub use self::detect::{Finding, Pass, Recognizer, RecognizerError, RecognizerHit};
pub use self::kinds::Kind;
pub use self::offsets::{OffsetUnit, convert_spans};
pub use self::policy::{
    Action, KidCheck, KidState, Normalization, Policy, PolicyError, PolicyErrorCode, PolicyErrors,
    PolicyLoader, PolicyNotice, Scheme,
};
pub use self::secret::SecretText;
pub use self::span::Span;
