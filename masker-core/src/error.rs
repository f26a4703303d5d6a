//! One error over the modules' errors.

use std::fmt;

use crate::detect::DetectError;
use crate::policy::PolicyErrors;
use crate::token::{KeyError, TokenError};
use crate::vault::VaultError;
use crate::{Kind, Span};

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The policy refuses the text: do not send it on.
    Blocked,
    /// A key is missing or malformed, or does not open what it is asked to: correct the configuration of keys.
    Key,
    /// A stated limit is reached: give the text in parts, or begin another conversation.
    Limit,
    /// The payload is not the JSON that was asked for, or holds what cannot be masked: correct the request.
    Payload,
    /// The policy is not valid: correct it; the error lists every mistake.
    Policy,
    /// A plugged-in recogniser failed: mend it, or try again.
    Recognizer,
    /// The vault cannot be read or written: mend it, or try again.
    Vault,
}

/// Why detecting, masking or rehydrating failed. No part of a text, original or token is ever in it.
///
/// On an error nothing partly masked is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy blocks a kind that was found.
    #[error("blocked by policy: {kind} at bytes {}..{}", span.start, span.end)]
    Blocked {
        /// The kind.
        kind: Kind,
        /// Where it stands.
        span: Span,
    },
    /// The bytes of a conversation do not open: they are damaged, or another key, scope or version made them.
    #[error(
        "the conversation does not open under the keys and the scope at hand; give those that it was written under"
    )]
    Conversation,
    /// A recogniser could not judge the text.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// A conversation holds as many values as it may.
    #[error("the conversation holds {limit} values, which is the limit; begin another")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// A key is missing or malformed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The JSON is neither a chat request nor a reply, nor a list of messages.
    #[error("the JSON is neither a chat request or reply nor a list of messages, at {}", Place(path))]
    NotAChat {
        /// JSON Pointer of the value that is something else.
        path: String,
    },
    /// The payload is not JSON.
    #[error("not JSON: line {line}, column {column}")]
    NotJson {
        /// The line of the mistake, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// The policy is not valid.
    #[error(transparent)]
    Policy(#[from] PolicyErrors),
    /// Arrays, objects and JSON inside strings are nested too deep.
    #[error("the JSON is nested deeper than {limit} levels; mask its parts by themselves")]
    TooDeep {
        /// The deepest nesting taken.
        limit: usize,
    },
    /// The text is too long.
    #[error("a text of {len} bytes is above the limit of {limit} bytes; give it in parts")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A token could not be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An image, audio or file cannot be masked, and the policy says `non_text: reject`.
    #[error(
        "the part at {} is not text and cannot be masked; leave it out, or let the policy's non_text drop or pass it",
        Place(path)
    )]
    Unmaskable {
        /// JSON Pointer of the part.
        path: String,
    },
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A JSON Pointer in a message.
struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the top" } else { self.0 })
    }
}

impl Error {
    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Blocked { .. } => ErrorKind::Blocked,
            Self::Detect(_) => ErrorKind::Recognizer,
            Self::Conversation | Self::Key(_) | Self::Token(_) | Self::Vault(VaultError::Key(_)) => {
                ErrorKind::Key
            }
            Self::NotAChat { .. } | Self::NotJson { .. } | Self::Unmaskable { .. } => ErrorKind::Payload,
            Self::Policy(_) => ErrorKind::Policy,
            Self::Full { .. } | Self::TooDeep { .. } | Self::TooLong { .. } => ErrorKind::Limit,
            Self::Vault(_) => ErrorKind::Vault,
        }
    }

    /// A stable name in snake case, for programs; it never changes its meaning.
    ///
    /// ```
    /// use masker_core::{Error, Masker};
    ///
    /// let error = Masker::builder().policy(masker_core::Policy::healthcare_default()).keys(masker_core::KeyRing::builder().build().unwrap()).build();
    /// assert_eq!(error.unwrap_err().code(), "unknown_kid");
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Self::Blocked { .. } => "blocked_by_policy",
            Self::Conversation => "invalid_conversation",
            Self::Detect(_) => "recognizer_failed",
            Self::Full { .. } => "conversation_full",
            Self::Key(error) | Self::Token(TokenError::Key(error)) | Self::Vault(VaultError::Key(error)) => {
                match error {
                    KeyError::UnknownKid { .. } => "unknown_kid",
                    _ => "invalid_key",
                }
            }
            Self::NotAChat { .. } => "not_a_chat",
            Self::NotJson { .. } => "not_json",
            Self::Policy(_) => "invalid_policy",
            Self::TooDeep { .. } => "too_deep",
            Self::TooLong { .. } => "too_long",
            Self::Token(_) => "invalid_token",
            Self::Unmaskable { .. } => "unmaskable_content",
            Self::Vault(error) => match error {
                VaultError::Busy => "vault_busy",
                VaultError::Full => "vault_full",
                _ => "vault_failed",
            },
        }
    }
}
