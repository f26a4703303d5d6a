//! JSON in and out of Python, with places in code points.

use std::borrow::Cow;

use masker_core::payload::{Said, TextWorker};
use masker_core::{Error, JsonRules, Masked, Restored, Span};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::arguments::Texts;
use crate::errors;
use crate::text::{code_points, read};

/// The JSON text of an argument: a string is JSON already, bytes are UTF-8, anything else is written as JSON.
pub(crate) fn json_text<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = data.cast::<PyString>() {
        return Ok(text.clone());
    }
    let py = data.py();
    if let Ok(bytes) = data.cast::<PyBytes>() {
        // The decoder's own error would show the bytes around the mistake.
        let text = std::str::from_utf8(bytes.as_bytes());
        let text = text.map_err(|_| PyValueError::new_err("the bytes are not UTF-8"))?;
        return Ok(PyString::new(py, text.strip_prefix('\u{feff}').unwrap_or(text)));
    }
    let options = PyDict::new(py);
    options.set_item("ensure_ascii", false)?;
    options.set_item("allow_nan", false)?;
    Ok(py.import("json")?.call_method("dumps", (data,), Some(&options))?.cast_into::<PyString>()?)
}

/// Which values are masked.
pub(crate) fn rules(only: Option<Texts<'_>>, leave: Texts<'_>) -> PyResult<JsonRules> {
    let mut rules = match &only {
        Some(_) => JsonRules::nothing(),
        None => JsonRules::everything(),
    };
    for pointer in only.unwrap_or_default().0 {
        rules = rules.mask(pointer.to_str()?.parse().map_err(errors::value)?);
    }
    for pointer in leave.0 {
        rules = rules.leave(pointer.to_str()?.parse().map_err(errors::value)?);
    }
    Ok(rules)
}

/// Gives the events of another worker places in code points of the texts, which the walkers do not give out.
pub(crate) struct InCodePoints<W>(pub(crate) W);

impl<W: TextWorker> TextWorker for InCodePoints<W> {
    fn mask(&mut self, texts: &[Said<'_>]) -> Result<Vec<Masked>, Error> {
        let mut masked = self.0.mask(texts)?;
        for (said, masked) in texts.iter().zip(&mut masked) {
            let spans: Vec<Span> = masked.events.iter().map(|event| event.span).collect();
            for (event, (start, end)) in masked.events.iter_mut().zip(code_points(said.text, &spans)) {
                event.span = Span::new(start, end);
            }
        }
        Ok(masked)
    }

    fn rehydrate(&mut self, text: &str) -> Result<Restored, Error> {
        self.0.rehydrate(text)
    }
}

/// The texts of many strings.
pub(crate) fn read_all<'a>(strings: &'a [Bound<'_, PyString>]) -> PyResult<Vec<Cow<'a, str>>> {
    strings.iter().map(read).collect()
}
