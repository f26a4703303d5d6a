//! What is thrown: an `Error` with a `code`, made of what the core says.

use masker_core::{Error, KeyError, Kind, PolicyError, PolicyErrors, PolicyNotice, VaultError};
use napi::{Env, JsValue};

use crate::prelude;
use crate::recognizer::Thrown;
use crate::text;

/// Why a call did not do what it was asked to. No text is in it.
pub(crate) enum Failure {
    /// An argument is of another type or outside its range.
    Argument(String),
    /// The policy blocks a kind, which stands there in UTF-16 units.
    Blocked(Kind, Option<(usize, usize)>),
    Core(Error),
    /// A value of Node-API could not be made or read.
    Js(napi::Error),
    /// An option that does not exist.
    Option {
        of: String,
        name: String,
        nearest: Option<String>,
    },
    /// A recogniser called the masker that is waiting for it.
    Reentrant,
    /// The work ended in a panic.
    Stopped,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // Its place is in bytes of a text that is not known here.
            Error::Blocked { kind, .. } => Self::Blocked(kind, None),
            other => Self::Core(other),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Core(error.into())
    }
}

impl From<PolicyErrors> for Failure {
    fn from(error: PolicyErrors) -> Self {
        Self::Core(error.into())
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Core(error.into())
    }
}

impl From<napi::Error> for Failure {
    fn from(error: napi::Error) -> Self {
        Self::Js(error)
    }
}

impl Failure {
    /// An error of the core about a text, its place in UTF-16 units.
    pub(crate) fn of(error: Error, of: &str) -> Self {
        match error {
            Error::Blocked { kind, span } if span.end <= of.len() => {
                Self::Blocked(kind, text::in_units(of, &[span]).first().copied())
            }
            other => other.into(),
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::Argument(_) => "invalid_argument",
            Self::Blocked(..) => "blocked_by_policy",
            Self::Core(error) => error.code(),
            Self::Js(error) => error.status.as_ref(),
            Self::Option { .. } => "unknown_option",
            Self::Reentrant => "reentrant_call",
            Self::Stopped => "internal_error",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Argument(message) => message.clone(),
            Self::Blocked(kind, Some((start, end))) => format!("blocked by policy: {kind} at {start}..{end}"),
            Self::Blocked(kind, None) => format!("blocked by policy: {kind}"),
            Self::Core(error) => {
                let mut message = error.to_string();
                let mut source = std::error::Error::source(error);
                while let Some(inner) = source.filter(|inner| !inner.is::<Thrown>()) {
                    // A recogniser is named already.
                    let inner_message = inner.to_string();
                    let inner_message =
                        inner_message.strip_prefix("recognizer failed: ").unwrap_or(&inner_message);
                    message = format!("{message}: {inner_message}");
                    source = inner.source();
                }
                message
            }
            Self::Js(error) => error.reason.clone(),
            Self::Option { of, name, nearest } => match nearest {
                Some(nearest) => format!("{of} has no {name:?}; did you mean {nearest:?}?"),
                None => format!("{of} has no {name:?}"),
            },
            Self::Reentrant => "a recogniser must not call the masker that waits for it".to_owned(),
            Self::Stopped => "the work stopped unexpectedly, and no text was produced".to_owned(),
        }
    }

    /// What a recogniser of JavaScript threw.
    fn thrown(&self) -> Option<&napi::Error> {
        let Self::Core(error) = self else { return None };
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(Thrown(thrown)) = inner.downcast_ref() {
                return Some(thrown);
            }
            source = inner.source();
        }
        None
    }

    /// The error to throw.
    pub(crate) fn into_js(self, env: &Env) -> napi::Error {
        if let Self::Js(error) = self {
            return error;
        }
        let is_type_error = matches!(self, Self::Argument(_) | Self::Option { .. });
        let made = prelude::with(env, |prelude| {
            let original = self.thrown().and_then(|thrown| thrown.try_clone().ok());
            let mut error = prelude.error(env, is_type_error, self.code(), &self.message(), original)?;
            if let Self::Blocked(kind, place) = &self {
                error.set("kind", kind.as_str())?;
                if let Some((start, end)) = place {
                    error.set("start", *start as u32)?;
                    error.set("end", *end as u32)?;
                }
            }
            if let Self::Core(Error::Policy(problems)) = &self {
                let problems: Vec<PolicyProblem> = problems.iter().map(PolicyProblem::from).collect();
                error.set("problems", problems)?;
            }
            Ok(error.to_unknown())
        });
        match made {
            Ok(error) => error.into(),
            Err(error) => error,
        }
    }
}

/// One mistake, warning or note of a policy.
#[napi_derive::napi(object, object_from_js = false)]
pub struct PolicyProblem {
    /// What kind of mistake, such as `unknown_field`.
    pub code: String,
    /// The field: `entities.PHONE.action`; empty for the file as a whole.
    pub path: String,
    /// Line in the file, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// One sentence for people.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl From<&PolicyNotice> for PolicyProblem {
    fn from(notice: &PolicyNotice) -> Self {
        Self {
            code: notice.code.as_str().to_owned(),
            path: notice.path.clone(),
            line: notice.line as u32,
            column: notice.column as u32,
            message: notice.message.clone(),
            suggestion: None,
        }
    }
}

impl From<&PolicyError> for PolicyProblem {
    fn from(error: &PolicyError) -> Self {
        Self {
            code: error.code.as_str().to_owned(),
            path: error.path.clone(),
            line: error.line as u32,
            column: error.column as u32,
            message: error.message.clone(),
            suggestion: error.suggestion.clone(),
        }
    }
}

/// What every function here throws, or rejects with. No text that was to be masked is in it.
#[napi_derive::napi(object, object_from_js = false, object_to_js = false)]
pub struct MaskerError {
    #[napi(ts_type = "'MaskerError'")]
    pub name: String,
    /// A stable word for programs.
    #[napi(ts_type = "ErrorCode")]
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Every mistake of a policy, with `invalid_policy`.
    pub problems: Option<Vec<PolicyProblem>>,
    /// What was found, with `blocked_by_policy`.
    #[napi(ts_type = "Kind")]
    pub kind: Option<String>,
    /// Where it begins, with `blocked_by_policy` for one text.
    pub start: Option<u32>,
    /// Where it ends.
    pub end: Option<u32>,
    /// What a recogniser threw, with `recognizer_failed`. It may hold the text, so nothing prints it that prints an error.
    #[napi(ts_type = "unknown")]
    pub original: Option<()>,
}
