use masker_core::Masker;
use pyo3::prelude::*;

use crate::errors::to_python;

/// Masks text with the policy `healthcare-default` and a random key that lives as long as this value.
#[pyclass(name = "Masker", module = "masker", frozen)]
pub(crate) struct PyMasker {
    inner: Masker,
}

#[pymethods]
impl PyMasker {
    #[new]
    fn new() -> PyResult<Self> {
        let inner = Masker::new().map_err(|error| to_python(&error))?;
        Ok(Self { inner })
    }

    /// Returns the text with every piece of PHI replaced.
    fn mask(&self, py: Python<'_>, text: &str) -> PyResult<String> {
        py.detach(|| self.inner.mask(text)).map(|masked| masked.text).map_err(|error| to_python(&error))
    }

    /// Whether the key dies with this value.
    #[getter]
    fn is_ephemeral(&self) -> bool {
        self.inner.is_ephemeral()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_under_an_interpreter() {
        Python::initialize();
        Python::attach(|py| {
            let masked = PyMasker::new().unwrap().mask(py, "please call 415-555-0142").unwrap();
            assert!(masked.starts_with("please call MSKV1.PHONE.EPHEMERAL."), "{masked}");
        });
    }
}
