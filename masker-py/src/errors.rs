//! Errors of the core as Python exceptions. The classes stand in `python/masker/errors.py`.

use std::error::Error as StdError;
use std::fmt;

use masker_core::{Error, ErrorKind, KeyError, PolicyErrors, Span, VaultError};
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::policy::PyPolicyProblem;
use crate::text::code_points;

/// What a Python recogniser raised. It prints nothing of it, because its message may hold the text.
pub(crate) struct Raised(pub(crate) PyErr);

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raised").finish_non_exhaustive()
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Python exception")
    }
}

impl StdError for Raised {}

fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Blocked => "BlockedError",
        ErrorKind::Key => "KeyRingError",
        ErrorKind::Limit => "LimitError",
        ErrorKind::Payload => "PayloadError",
        ErrorKind::Policy => "PolicyError",
        ErrorKind::Recognizer => "RecognizerError",
        ErrorKind::Vault => "VaultError",
        _ => "MaskerError",
    }
}

fn make(py: Python<'_>, class: &str, message: &str, code: &str, more: &Bound<'_, PyDict>) -> PyResult<PyErr> {
    let class = py.import("masker.errors")?.getattr(class)?;
    let arguments = PyDict::new(py);
    arguments.set_item("code", code)?;
    arguments.update(more.as_mapping())?;
    Ok(PyErr::from_value(class.call((message,), Some(&arguments))?))
}

/// The exception for an error about `text`; places are in code points of it.
pub(crate) fn about_text(py: Python<'_>, error: &Error, text: &str) -> PyErr {
    let place = |span: Span| code_points(text, &[span])[0];
    convert(py, error, Some(&place)).unwrap_or_else(|failure| failure)
}

/// The exception for an error about something else than one text, or about one of many.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    convert(py, error, None).unwrap_or_else(|failure| failure)
}

fn convert(py: Python<'_>, error: &Error, place: Option<&dyn Fn(Span) -> (usize, usize)>) -> PyResult<PyErr> {
    let more = PyDict::new(py);
    let mut message = error.to_string();
    match error {
        Error::Blocked { kind, span } => {
            more.set_item("kind", kind.as_str())?;
            message = format!("blocked by policy: {kind}");
            if let Some(place) = place {
                let (start, end) = place(*span);
                more.set_item("start", start)?;
                more.set_item("end", end)?;
                message += &format!(" at {start}..{end}");
            }
        }
        Error::Policy(errors) => return from_policy(py, errors),
        Error::Detect(_) | Error::Vault(VaultError::Io(_)) => {
            // What the model or the system said stands one level below.
            if let Some(source) = error.source() {
                message += &format!(": {source}");
            }
        }
        _ => {}
    }
    let exception = make(py, class(error.kind()), &message, error.code(), &more)?;
    let mut source = error.source();
    while let Some(below) = source {
        if let Some(raised) = below.downcast_ref::<Raised>() {
            if !raised.0.is_instance_of::<PyException>(py) {
                // Not a failure of the model: the program is to stop.
                return Ok(raised.0.clone_ref(py));
            }
            exception.value(py).setattr("original", raised.0.value(py))?;
        }
        source = below.source();
    }
    Ok(exception)
}

fn from_policy(py: Python<'_>, errors: &PolicyErrors) -> PyResult<PyErr> {
    let problems: Vec<PyPolicyProblem> = errors.iter().map(PyPolicyProblem::from).collect();
    let more = PyDict::new(py);
    more.set_item("problems", PyTuple::new(py, problems)?)?;
    more.set_item("omitted", errors.omitted())?;
    make(py, "PolicyError", &errors.to_string(), "invalid_policy", &more)
}

/// The exception for an error of a policy.
pub(crate) fn policy(py: Python<'_>, errors: &PolicyErrors) -> PyErr {
    from_policy(py, errors).unwrap_or_else(|failure| failure)
}

/// The exception for an error of a key ring.
pub(crate) fn key(py: Python<'_>, error: KeyError) -> PyErr {
    to_python(py, &Error::from(error))
}

/// The exception for an error of a vault.
pub(crate) fn vault(py: Python<'_>, error: VaultError) -> PyErr {
    to_python(py, &Error::from(error))
}

/// `ValueError` for an argument that does not parse. The message of the parse error holds none of it.
pub(crate) fn value(error: impl fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
