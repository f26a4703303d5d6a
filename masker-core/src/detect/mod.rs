//! From text to findings: candidates of every pass, judged by validators and by the words around them, then resolved.

mod ages;
mod behind;
mod candidate;
mod canonical;
mod codes;
mod context;
mod cues;
mod custom;
mod dates;
mod document;
mod finding;
mod hl7;
mod names;
mod network;
mod patterns;
mod places;
mod segment;
mod set;
mod speaker;
mod starts;
mod vocabulary;

pub(crate) use self::candidate::Candidate;
pub use self::canonical::canonical;
pub use self::context::Context;
pub(crate) use self::context::{Learnt, Lesson};
pub use self::custom::{AllowList, CustomPattern, CustomRecognizer, WordList};
pub use self::finding::{Finding, Pass, Recognizer, RecognizerError, RecognizerHit};
pub(crate) use self::segment::{Cut, next_cut};
pub(crate) use self::set::Pieces;
pub use self::set::{DetectError, DetectorSet, KindRule};
