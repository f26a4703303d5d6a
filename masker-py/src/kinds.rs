use masker_core::kinds::specs;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// A kind of PHI.
#[pyclass(name = "KindInfo", module = "masker", frozen, eq, hash, get_all)]
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct PyKindInfo {
    /// Its name.
    kind: String,
    /// Its letter in the Safe Harbor list, 45 CFR 164.514(b)(2)(i); ``-`` where it has none.
    letter: String,
    /// What it is, in words.
    title: String,
}

#[pymethods]
impl PyKindInfo {
    #[new]
    fn new(kind: String, letter: String, title: String) -> Self {
        Self { kind, letter, title }
    }

    fn __repr__(&self) -> String {
        format!("KindInfo(kind='{}', letter='{}')", self.kind, self.letter)
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, (String, String, String)) {
        let Self { kind, letter, title } = slf.get().clone();
        (slf.get_type(), (kind, letter, title))
    }
}

/// The built-in kinds and what they are.
#[pyfunction]
pub(crate) fn kinds() -> Vec<PyKindInfo> {
    specs()
        .map(|spec| PyKindInfo {
            kind: spec.kind.as_str().to_owned(),
            letter: spec.letter.to_string(),
            title: spec.title.to_owned(),
        })
        .collect()
}
