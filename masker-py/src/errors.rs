use masker_core::Error;
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyException;

create_exception!(masker, MaskerError, PyException, "Masking failed, and no text was produced.");

/// The Python exception for an error of the core, whose message holds no text of the input.
pub(crate) fn to_python(error: &Error) -> PyErr {
    MaskerError::new_err(error.to_string())
}
