//! Arguments that Python gives in several forms, and what is said of those that do not fit.

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};

/// The name of the type of a value, which tells nothing of the value.
pub(crate) fn type_of(value: &Bound<'_, PyAny>) -> String {
    value.get_type().qualname().map_or_else(|_| "value".to_owned(), |name| name.to_string())
}

/// Texts of any iterable, but for one text, which is an iterable of its characters, and for a dictionary, whose texts would
/// be its keys.
#[derive(Default)]
pub(crate) struct Texts<'py>(pub(crate) Vec<Bound<'py, PyString>>);

impl<'py> FromPyObject<'_, 'py> for Texts<'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.is_instance_of::<PyString>() || given.is_instance_of::<PyDict>() {
            let message = format!("expected a list of str, not one {}", type_of(&given));
            return Err(PyTypeError::new_err(message));
        }
        let mut texts = Vec::with_capacity(given.len().unwrap_or_default().min(1 << 16));
        for (at, item) in given.try_iter()?.enumerate() {
            let text = item?.cast_into::<PyString>().map_err(|error| {
                PyTypeError::new_err(format!("item {at} is no str but a {}", type_of(&error.into_inner())))
            })?;
            texts.push(text);
        }
        Ok(Self(texts))
    }
}

/// What is said, with who says it.
pub(crate) struct History<'py>(pub(crate) Vec<(String, Bound<'py, PyString>)>);

impl<'py> FromPyObject<'_, 'py> for History<'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let turn = |(at, item): (usize, PyResult<Bound<'py, PyAny>>)| {
            item?.extract().map_err(|_| {
                PyTypeError::new_err(format!(
                    "item {at} is no (role, text), a tuple of two str; messages in the form of a chat go to mask_chat"
                ))
            })
        };
        Ok(Self(given.try_iter()?.enumerate().map(turn).collect::<PyResult<_>>()?))
    }
}

/// The items of any mapping, such as a `dict` or `os.environ`.
pub(crate) struct Items<K, V>(pub(crate) Vec<(K, V)>);

impl<'py, K: FromPyObjectOwned<'py>, V: FromPyObjectOwned<'py>> FromPyObject<'_, 'py> for Items<K, V> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let items = given.cast::<PyMapping>()?.items()?;
        Ok(Self(items.iter().map(|item| item.extract()).collect::<PyResult<_>>()?))
    }
}

/// A whole number that is not negative.
pub(crate) struct Whole<T>(pub(crate) T);

impl<'a, 'py, T: FromPyObject<'a, 'py>> FromPyObject<'a, 'py> for Whole<T> {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        given.extract::<T>().map(Self).map_err(|error| {
            let error: PyErr = error.into();
            if error.is_instance_of::<PyOverflowError>(given.py()) {
                PyValueError::new_err("expected a number that is neither negative nor too large")
            } else {
                error
            }
        })
    }
}
