//! masker for Python: converts arguments, calls the core, converts results.

use pyo3::prelude::*;

mod errors;
mod masker;

#[pymodule]
mod _masker {
    #[pymodule_export]
    use super::errors::MaskerError;
    #[pymodule_export]
    use super::masker::PyMasker;
}
