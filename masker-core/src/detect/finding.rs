use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::{Kind, Span};

/// A detection stage, as policies name it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Pass {
    /// Shapes with validators and cues.
    Regex,
    /// Word lists with cues and exclusions.
    Dictionary,
    /// Numbers, letters, dates and addresses spoken as words.
    Spoken,
    /// A user's own model, plugged in as a [`Recognizer`].
    Ner,
    /// Speaker roles of turn-structured input.
    Diarize,
}

impl Pass {
    /// The name in policies and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regex => "regex",
            Self::Dictionary => "dictionary",
            Self::Spoken => "spoken",
            Self::Ner => "ner",
            Self::Diarize => "diarize",
        }
    }
}

impl Serialize for Pass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Something found: its kind and where it stands, never the text itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, in bytes of the text given.
    pub span: Span,
    /// How sure the pass is, 0 to 1.
    pub confidence: f32,
    /// The stage that found it.
    pub pass: Pass,
    /// The pattern, list or plug-in that found it.
    pub recognizer: Cow<'static, str>,
}

/// Finds spans in a text: the plug-in behind the pass `ner`.
///
/// Implementations must answer for every text, keep nothing of it, and give spans on character boundaries inside it, confidences from
/// 0 to 1 and kinds that are built in or listed in the policy; anything else is an error, and masking then fails instead of going on
/// without the model. How long a call may take is theirs to keep, the policy's `timeout_ms` included: it runs on the caller's thread.
pub trait Recognizer: Send + Sync {
    /// Name used in events: lower snake case.
    fn name(&self) -> &str;

    /// The hits in `text`, in any order; they may overlap.
    ///
    /// # Errors
    ///
    /// When the model cannot judge the text. The message must not hold any of it.
    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError>;
}

/// One hit of a [`Recognizer`].
#[derive(Clone, Debug, PartialEq)]
pub struct RecognizerHit {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// 0 to 1; compared with the kind's `confidence_threshold`.
    pub confidence: f32,
}

/// A [`Recognizer`] could not judge a text.
#[derive(Debug, thiserror::Error)]
#[error("recognizer failed: {message}")]
pub struct RecognizerError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RecognizerError {
    /// Makes the error. The message must not hold any of the text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// Makes the error with what the model itself failed with. Neither it nor the message may show any of the text.
    pub fn with_source(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
    }
}
