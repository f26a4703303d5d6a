//! masker for Python: converts arguments, calls the core, converts results.
//!
//! Every call into the core runs with the interpreter detached, so other Python threads go on. What the names do is
//! documented for their users in `python/masker/_masker.pyi`; the first paragraph of each stands here too, because `help` cannot
//! read that file, and a test holds them equal.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "the macros of pyo3 decide how arguments arrive"
)]

use pyo3::prelude::*;

mod arguments;
mod column;
mod conversation;
mod errors;
mod keys;
mod kinds;
mod masker;
mod payload;
mod policy;
mod recognizer;
mod report;
mod text;
mod vault;

#[pymodule(gil_used = false)]
mod _masker {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use super::conversation::{PyConversation, PySseRehydrator, PyStreamMasker, PyStreamRehydrator};
    #[pymodule_export]
    use super::keys::{PyKeyRing, PyOldKey};
    #[pymodule_export]
    use super::kinds::{PyKindInfo, kinds};
    #[pymodule_export]
    use super::masker::PyMasker;
    #[pymodule_export]
    use super::policy::{PyPolicy, PyPolicyChange, PyPolicyProblem};
    #[pymodule_export]
    use super::report::{
        PyEvent, PyExplanation, PyFinding, PyMasked, PyMaskedPayload, PyRestored, PyRestoredPayload,
    };
    #[pymodule_export]
    use super::vault::{PyVault, PyVaultCheck, PyVaultRewrap, PyVaultStats};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let kinds = masker_core::Kind::BUILT_IN.iter().map(masker_core::Kind::as_str);
        module.add("KINDS", PyTuple::new(module.py(), kinds.collect::<Vec<_>>())?)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
