use std::path::PathBuf;

use masker_core::policy::{Change, Surface};
use masker_core::{KidState, Kind, Policy, PolicyError, PolicyLoader, Scheme};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::arguments::{Texts, Whole};
use crate::errors;
use crate::keys::PyKeyRing;

/// One mistake, warning or note of a policy. It never holds a word of a list.
#[pyclass(name = "PolicyProblem", module = "masker", frozen, eq, hash, get_all)]
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct PyPolicyProblem {
    /// What kind of mistake, such as ``unknown_field``.
    code: String,
    /// The field: ``entities.PHONE.action``; empty for the file as a whole.
    path: String,
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// One sentence, without position.
    message: String,
    /// What was probably meant.
    suggestion: Option<String>,
}

impl From<&PolicyError> for PyPolicyProblem {
    fn from(error: &PolicyError) -> Self {
        Self {
            code: error.code.as_str().to_owned(),
            path: error.path.clone(),
            line: error.line,
            column: error.column,
            message: error.message.clone(),
            suggestion: error.suggestion.clone(),
        }
    }
}

type ProblemArguments = (String, String, usize, usize, String, Option<String>);

#[pymethods]
impl PyPolicyProblem {
    #[new]
    #[pyo3(signature = (code, path, line, column, message, suggestion = None))]
    fn new(
        code: String,
        path: String,
        line: usize,
        column: usize,
        message: String,
        suggestion: Option<String>,
    ) -> Self {
        Self { code, path, line, column, message, suggestion }
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("code", "path")
    }

    fn __str__(&self) -> String {
        let Self { code, path, line, column, message, .. } = self;
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("line {line}, column {column}: {path}{message} ({code})")
    }

    fn __repr__(&self) -> String {
        let Self { code, path, line, column, .. } = self;
        format!("PolicyProblem(code='{code}', path='{path}', line={line}, column={column})")
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, ProblemArguments) {
        let problem = slf.get().clone();
        let Self { code, path, line, column, message, suggestion } = problem;
        (slf.get_type(), (code, path, line, column, message, suggestion))
    }
}

/// One difference between two policies. ``str`` shows it as one line, with words of lists counted, not shown.
#[pyclass(name = "PolicyChange", module = "masker", frozen, eq, hash, get_all)]
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct PyPolicyChange {
    /// The field: ``entities.PHONE.action``.
    path: String,
    /// How it was; ``absent`` for what was added.
    before: String,
    /// How it is; ``absent`` for what was removed.
    after: String,
    /// ``weaker`` where more is let through, kept or linkable, ``stronger`` where less is, else ``neutral``.
    effect: String,
}

impl From<&Change> for PyPolicyChange {
    fn from(change: &Change) -> Self {
        let Change { path, before, after, effect, .. } = change.clone();
        Self { path, before, after, effect: effect.as_str().to_owned() }
    }
}

#[pymethods]
impl PyPolicyChange {
    #[new]
    fn new(path: String, before: String, after: String, effect: String) -> Self {
        Self { path, before, after, effect }
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("path", "effect")
    }

    fn __str__(&self) -> String {
        format!("{}: {} -> {} ({})", self.path, self.before, self.after, self.effect)
    }

    fn __repr__(&self) -> String {
        format!("PolicyChange(path='{}', effect='{}')", self.path, self.effect)
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, (String, String, String, String)) {
        let Self { path, before, after, effect } = slf.get().clone();
        (slf.get_type(), (path, before, after, effect))
    }
}

/// What is looked for and what happens to it; valid by construction. ``docs/policy.md`` describes the file.
#[pyclass(name = "Policy", module = "masker", frozen)]
pub(crate) struct PyPolicy {
    pub(crate) inner: Policy,
}

impl PyPolicy {
    /// A policy, or the name of a shipped one.
    pub(crate) fn named(name: &str) -> PyResult<Policy> {
        Policy::preset(name).ok_or_else(|| {
            let names: Vec<&str> = Policy::preset_names().collect();
            PyValueError::new_err(format!(
                "no such policy; shipped are {}; a file is read by Policy.from_path",
                names.join(", ")
            ))
        })
    }
}

fn load(
    py: Python<'_>,
    keys: Option<&Bound<'_, PyKeyRing>>,
    load: impl FnOnce(PolicyLoader<'_>) -> Result<Policy, masker_core::PolicyErrors>,
) -> PyResult<PyPolicy> {
    let known = |kid: &str| {
        let has = |ring: &PyKeyRing| kid.parse().is_ok_and(|kid| ring.inner.contains(&kid));
        if keys.is_none_or(|keys| has(keys.get())) { KidState::Known } else { KidState::Unknown }
    };
    let mut loader = PolicyLoader::new();
    if keys.is_some() {
        loader = loader.keys(&known);
    }
    match load(loader) {
        Ok(inner) => Ok(PyPolicy { inner }),
        Err(errors) => Err(errors::policy(py, &errors)),
    }
}

#[pymethods]
impl PyPolicy {
    /// Every identifier that text shows, tokens for almost all.
    #[staticmethod]
    fn healthcare_default() -> Self {
        Self { inner: Policy::healthcare_default() }
    }

    /// The nine kinds and two passes that every policy of this format knows.
    #[staticmethod]
    fn healthcare_minimum() -> Self {
        Self { inner: Policy::healthcare_minimum() }
    }

    /// Every kind, removed without a way back.
    #[staticmethod]
    fn strict() -> Self {
        Self { inner: Policy::strict() }
    }

    /// A shipped policy by its name.
    #[staticmethod]
    fn preset(name: &str) -> PyResult<Self> {
        Ok(Self { inner: Self::named(name)? })
    }

    /// The names of the shipped policies.
    #[staticmethod]
    fn preset_names() -> Vec<&'static str> {
        Policy::preset_names().collect()
    }

    /// The YAML of a shipped policy, to start one's own from.
    #[staticmethod]
    fn preset_source(name: &str) -> PyResult<&'static str> {
        Self::named(name)?;
        Ok(Policy::preset_source(name).expect("every shipped policy has a source"))
    }

    /// The JSON Schema (draft 7) of the policy file, for editors. Loading finds what needs two places at once, too.
    #[staticmethod]
    fn schema() -> &'static str {
        Policy::schema()
    }

    /// Check a policy; with ``keys``, also that every key it names is there. :class:`masker.PolicyError`
    /// lists every mistake. Its dictionaries may not name files.
    #[staticmethod]
    #[pyo3(signature = (text, *, keys = None))]
    fn from_yaml(py: Python<'_>, text: &str, keys: Option<Bound<'_, PyKeyRing>>) -> PyResult<Self> {
        load(py, keys.as_ref(), |loader| loader.from_yaml(text))
    }

    /// Read and check a policy file and the dictionary files beside it.
    #[staticmethod]
    #[pyo3(signature = (path, *, keys = None))]
    fn from_path(py: Python<'_>, path: PathBuf, keys: Option<Bound<'_, PyKeyRing>>) -> PyResult<Self> {
        load(py, keys.as_ref(), |loader| loader.from_path(&path))
    }

    /// Every mistake of a policy, at most 100; none where it is valid.
    #[staticmethod]
    fn check(text: &str) -> Vec<PyPolicyProblem> {
        let problems = Policy::from_yaml(text).err();
        problems.iter().flatten().map(PyPolicyProblem::from).collect()
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// What it says about itself.
    #[getter]
    fn description(&self) -> &str {
        self.inner.description()
    }

    /// The key id of its tokens.
    #[getter]
    fn kid(&self) -> &str {
        self.inner.kid()
    }

    /// Every key id it names.
    #[getter]
    fn kids(&self) -> Vec<&str> {
        self.inner.kids()
    }

    /// The version of the format.
    #[getter]
    fn version(&self) -> u32 {
        self.inner.version()
    }

    /// How tokens are made, where a kind says nothing else: the field ``tokenization``.
    #[getter]
    fn scheme(&self) -> &'static str {
        self.inner.scheme().as_str()
    }

    /// Within what equal values get equal tokens.
    #[getter]
    fn token_scope(&self) -> &'static str {
        self.inner.token_scope().as_str()
    }

    /// Which spellings of a value count as equal.
    #[getter]
    fn normalization(&self) -> &'static str {
        self.inner.normalization().as_str()
    }

    /// What becomes of images, sound and files in chats.
    #[getter]
    fn non_text(&self) -> &'static str {
        self.inner.non_text().as_str()
    }

    /// What stands in the text of a conversation.
    #[getter]
    fn surface(&self) -> &'static str {
        self.inner.surface().as_str()
    }

    /// The kinds that are looked for.
    #[getter]
    fn kinds(&self) -> Vec<&str> {
        let on = self.inner.entities().iter().filter(|entity| entity.enabled);
        on.map(|entity| entity.kind.as_str()).collect()
    }

    /// Warnings and notes that do not stop it from loading.
    #[getter]
    fn notices(&self) -> Vec<PyPolicyProblem> {
        let notice = |notice: &masker_core::PolicyNotice| PyPolicyProblem {
            code: notice.code.as_str().to_owned(),
            path: notice.path.clone(),
            line: notice.line,
            column: notice.column,
            message: notice.message.clone(),
            suggestion: None,
        };
        self.inner.notices().iter().map(notice).collect()
    }

    /// What happens to a kind; nothing where it is off.
    fn action(&self, kind: &str) -> PyResult<Option<&'static str>> {
        let kind: Kind = kind.parse().map_err(errors::value)?;
        Ok(self.inner.entity(&kind).filter(|entity| entity.enabled).map(|entity| entity.action.as_str()))
    }

    /// The policy with every default filled in. Word lists show their length only.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let json = serde_json::to_string(&self.inner).expect("a policy has only keys that are text");
        py.import("json")?.call_method1("loads", (json,))
    }

    /// The policy with another scheme, for kinds that have their own too.
    fn with_scheme(&self, scheme: &str) -> PyResult<Self> {
        let scheme: Scheme = scheme.parse().map_err(errors::value)?;
        Ok(Self { inner: self.inner.clone().with_scheme(scheme) })
    }

    /// The policy with ``alias`` or ``token`` as what stands in the text of a conversation.
    fn with_surface(&self, surface: &str) -> PyResult<Self> {
        let surface: Surface = surface.parse().map_err(errors::value)?;
        Ok(Self { inner: self.inner.clone().with_surface(surface) })
    }

    /// The policy with other passes. A pass that was listed before keeps its options.
    fn with_passes(&self, py: Python<'_>, passes: Texts<'_>) -> PyResult<Self> {
        let passes = passes.0.iter().map(PyStringMethods::to_str).collect::<PyResult<Vec<_>>>()?;
        let inner = self.inner.clone().with_passes(&passes.join(","));
        Ok(Self { inner: inner.map_err(|error| errors::policy(py, &error))? })
    }

    /// The policy with one threshold, 0 to 1, for every kind and pass.
    fn with_threshold(&self, py: Python<'_>, threshold: f64) -> PyResult<Self> {
        let inner = self.inner.clone().with_threshold(threshold);
        Ok(Self { inner: inner.map_err(|error| errors::policy(py, &error))? })
    }

    /// The policy with a fixed seed for synthetic values, or with none.
    fn with_seed(&self, seed: Option<Whole<u64>>) -> Self {
        Self { inner: self.inner.clone().with_seed(seed.map(|seed| seed.0)) }
    }

    /// The policy with another epsilon for synthetic values, above 0 and at most 10.
    fn with_epsilon(&self, py: Python<'_>, epsilon: f64) -> PyResult<Self> {
        let inner = self.inner.clone().with_epsilon(epsilon);
        Ok(Self { inner: inner.map_err(|error| errors::policy(py, &error))? })
    }

    /// What changes from this policy to ``next``: defaults, order of fields and comments do not count.
    fn diff(&self, next: &Bound<'_, Self>) -> Vec<PyPolicyChange> {
        self.inner.diff(&next.get().inner).changes().iter().map(PyPolicyChange::from).collect()
    }

    fn __repr__(&self) -> String {
        format!("<Policy {}: {} kinds>", self.inner.name(), self.inner.entities().len())
    }
}
