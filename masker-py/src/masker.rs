use std::borrow::Cow;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use masker_core::policy::Surface;
use masker_core::{Masker, Pass, Policy, Reference, Scope};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::arguments::{Texts, Whole};
use crate::column::{self, Column};
use crate::conversation::PyConversation;
use crate::errors;
use crate::keys::PyKeyRing;
use crate::payload::{InCodePoints, json_text, read_all, rules};
use crate::policy::PyPolicy;
use crate::recognizer::{PyRecognizer, WhenLate};
use crate::report::{
    PlacedMasked, PyExplanation, PyFinding, PyMasked, PyMaskedPayload, PyRestored, PyRestoredPayload,
};
use crate::text::read;
use crate::vault::PyVault;

/// Detects, masks and rehydrates under one policy, with one key ring and one vault.
#[pyclass(name = "Masker", module = "masker", frozen, weakref)]
pub(crate) struct PyMasker {
    pub(crate) inner: Masker,
}

/// A policy, or the name of a shipped one.
struct PolicyArgument(Policy);

impl FromPyObject<'_, '_> for PolicyArgument {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(policy) = given.cast::<PyPolicy>() {
            return Ok(Self(policy.get().inner.clone()));
        }
        let name = given.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(
                "policy is a Policy, or the name of a shipped one; a file is read by Policy.from_path",
            )
        })?;
        Ok(Self(PyPolicy::named(name.to_str()?)?))
    }
}

fn duration(name: &str, seconds: f64, without: &str) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| PyValueError::new_err(format!("{name} must be above 0; None {without}")))
}

/// Runs a method in a thread of the running event loop's pool; the answer is to be awaited.
pub(crate) fn in_thread<'py>(
    of: &Bound<'py, PyAny>,
    method: &str,
    arguments: &[&Bound<'py, PyAny>],
    named: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = of.py();
    let method = of.getattr(method)?;
    let all: Vec<_> = std::iter::once(&method).chain(arguments.iter().copied()).collect();
    py.import("asyncio")?.getattr("to_thread")?.call(PyTuple::new(py, all)?, named)
}

/// The callables of an argument that is one, or a sequence of them.
fn callables<'py>(recognizer: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if recognizer.is_callable() {
        return Ok(vec![recognizer.clone()]);
    }
    let refused =
        || PyTypeError::new_err("recognizer must be a callable that takes a str, or a sequence of such");
    recognizer.extract().map_err(|_| refused())
}

#[pymethods]
impl PyMasker {
    #[new]
    #[pyo3(signature = (
        policy = None,
        *,
        surface = None,
        keys = None,
        vault = None,
        recognizer = None,
        recognizer_timeout = 1.0,
        on_timeout = "reject",
        scope = "",
        agent = "",
        subject = "",
        seed = None,
        threads = None,
        row_lifetime = None,
        wipe_buffers = false,
    ))]
    #[expect(clippy::too_many_arguments, reason = "all but the first are given by name")]
    fn new(
        py: Python<'_>,
        policy: Option<PolicyArgument>,
        surface: Option<&str>,
        keys: Option<Bound<'_, PyKeyRing>>,
        vault: Option<Bound<'_, PyVault>>,
        recognizer: Option<Bound<'_, PyAny>>,
        recognizer_timeout: Option<f64>,
        on_timeout: &str,
        scope: &str,
        agent: &str,
        subject: &str,
        seed: Option<Whole<u64>>,
        threads: Option<Whole<usize>>,
        row_lifetime: Option<f64>,
        wipe_buffers: bool,
    ) -> PyResult<Self> {
        let mut policy = policy.map_or_else(Policy::healthcare_default, |policy| policy.0);
        if let Some(surface) = surface {
            policy = policy.with_surface(surface.parse::<Surface>().map_err(errors::value)?);
        }
        let scope: Scope = scope.parse().map_err(errors::value)?;
        let mut builder = Masker::builder()
            .policy(policy.clone())
            .scope(scope)
            .reference(Reference::new(agent, subject))
            .wipe_buffers(wipe_buffers);
        if let Some(keys) = keys {
            builder = builder.keys(keys.get().inner.clone());
        }
        if let Some(vault) = vault {
            builder = builder.vault(Arc::clone(&vault.get().inner));
        }
        if let Some(Whole(seed)) = seed {
            builder = builder.seed(seed);
        }
        if let Some(Whole(threads)) = threads {
            let threads = NonZero::new(threads);
            builder =
                builder.threads(threads.ok_or_else(|| PyValueError::new_err("threads must be above 0"))?);
        }
        if let Some(seconds) = row_lifetime {
            builder =
                builder.row_lifetime(duration("row_lifetime", seconds, "keeps rows until they are deleted")?);
        }
        let timeout = recognizer_timeout
            .map(|seconds| duration("recognizer_timeout", seconds, "waits for ever"))
            .transpose()?;
        if !matches!(on_timeout, "reject" | "degrade") {
            return Err(PyValueError::new_err("on_timeout is reject or degrade"));
        }
        let timeout = policy.pass(Pass::Ner).and_then(|rule| rule.timeout).or(timeout);
        for recognizer in recognizer.as_ref().map(callables).transpose()?.unwrap_or_default() {
            let when_late = if on_timeout == "degrade" {
                let stand_in = Masker::builder().policy(policy.clone()).build();
                WhenLate::Degrade(stand_in.map_err(|error| errors::to_python(py, &error))?)
            } else {
                WhenLate::Reject
            };
            let recognizer = PyRecognizer::new(&recognizer, timeout, when_late)?;
            builder = builder.recognizer(Arc::new(recognizer));
        }
        let inner = py.detach(|| builder.build()).map_err(|error| errors::to_python(py, &error))?;
        Ok(Self { inner })
    }

    /// The policy in force.
    #[getter]
    fn policy(&self) -> PyPolicy {
        PyPolicy { inner: self.inner.policy().clone() }
    }

    /// Whether the keys die with this value.
    #[getter]
    fn is_ephemeral(&self) -> bool {
        self.inner.is_ephemeral()
    }

    /// Where tokens are made and restored; empty if none was given.
    #[getter]
    fn scope(&self) -> &str {
        self.inner.scope().as_str()
    }

    /// Find PHI: disjoint findings in order, whatever the policy does with them.
    fn detect(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<Vec<PyFinding>> {
        let text = read(text)?;
        match py.detach(|| self.inner.detect(&text)) {
            Ok(findings) => Ok(PyFinding::list(&text, findings)),
            Err(error) => Err(errors::about_text(py, &error, &text)),
        }
    }

    /// :meth:`detect` for many texts of any iterable on all cores; the answers keep the order.
    fn detect_many(&self, py: Python<'_>, texts: Texts<'_>) -> PyResult<Vec<Vec<PyFinding>>> {
        let texts = read_all(&texts.0)?;
        let found = py.detach(|| self.inner.detect_batch(&texts));
        let found = found.map_err(|error| errors::to_python(py, &error))?;
        Ok(texts.iter().zip(found).map(|(text, findings)| PyFinding::list(text, findings)).collect())
    }

    /// :meth:`detect` for the value of a named field, whose name is read as a label of the value.
    fn detect_field(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        text: &Bound<'_, PyString>,
    ) -> PyResult<Vec<PyFinding>> {
        let (name, text) = (read(name)?, read(text)?);
        match py.detach(|| self.inner.detect_field(&name, &text)) {
            Ok(findings) => Ok(PyFinding::list(&text, findings)),
            Err(error) => Err(errors::about_text(py, &error, &text)),
        }
    }

    /// Tell what every pass found, and which of it was acted on: for tuning a policy.
    fn explain(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<Vec<PyExplanation>> {
        let text = read(text)?;
        match py.detach(|| self.inner.explain(&text)) {
            Ok(explained) => Ok(PyExplanation::list(&text, explained)),
            Err(error) => Err(errors::about_text(py, &error, &text)),
        }
    }

    /// Replace PHI as the policy says.
    fn mask(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<PyMasked> {
        let text = read(text)?;
        match py.detach(|| self.inner.mask(&text)) {
            Ok(masked) => PyMasked::make(py, &text, masked),
            Err(error) => Err(errors::about_text(py, &error, &text)),
        }
    }

    /// :meth:`mask` for many texts of any iterable on all cores; the answers keep the order. The first text
    /// that fails fails the call.
    fn mask_many(&self, py: Python<'_>, texts: Texts<'_>) -> PyResult<Vec<Py<PyMasked>>> {
        let texts = read_all(&texts.0)?;
        let mut chunks = Vec::new();
        let answer = |text: &Cow<'_, str>, masked| PlacedMasked::new(text, masked);
        let done = py.detach(|| {
            self.inner.mask_batch_each(&texts, answer, |start, masked| {
                let made = Python::attach(|py| {
                    let make = |masked: &PlacedMasked| Py::new(py, PyMasked::of(py, masked)?);
                    masked.iter().map(make).collect::<PyResult<Vec<_>>>()
                });
                chunks.push((start, made));
            })
        });
        done.map_err(|error| errors::to_python(py, &error))?;
        chunks.sort_unstable_by_key(|(start, _)| *start);
        let mut made = Vec::with_capacity(texts.len());
        for (_, chunk) in chunks {
            made.extend(chunk?);
        }
        Ok(made)
    }

    /// :meth:`mask` for the value of a named field, whose name is read as a label of the value.
    fn mask_field(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        text: &Bound<'_, PyString>,
    ) -> PyResult<PyMasked> {
        let (name, text) = (read(name)?, read(text)?);
        match py.detach(|| self.inner.mask_field(&name, &text)) {
            Ok(masked) => PyMasked::make(py, &text, masked),
            Err(error) => Err(errors::about_text(py, &error, &text)),
        }
    }

    /// :meth:`mask_field` for many values of one field, such as a column of a table, on all cores; the
    /// answers keep the order.
    fn mask_field_many(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        texts: Texts<'_>,
    ) -> PyResult<Vec<PyMasked>> {
        let (name, texts) = (read(name)?, read_all(&texts.0)?);
        let masked = py.detach(|| self.inner.mask_field_batch(&name, &texts));
        let masked = masked.map_err(|error| errors::to_python(py, &error))?;
        texts.iter().zip(masked).map(|(text, masked)| PyMasked::make(py, text, masked)).collect()
    }

    /// Put originals back in the place of tokens.
    fn rehydrate(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<PyRestored> {
        let text = read(text)?;
        match py.detach(|| self.inner.rehydrate(&text)) {
            Ok(restored) => PyRestored::make(py, restored),
            Err(error) => Err(errors::to_python(py, &error)),
        }
    }

    /// :meth:`rehydrate` for many texts on all cores; the answers keep the order.
    fn rehydrate_many(&self, py: Python<'_>, texts: Texts<'_>) -> PyResult<Vec<PyRestored>> {
        let texts = read_all(&texts.0)?;
        let restored = py.detach(|| self.inner.rehydrate_batch(&texts));
        let restored = restored.map_err(|error| errors::to_python(py, &error))?;
        restored.into_iter().map(|restored| PyRestored::make(py, restored)).collect()
    }

    /// Mask the strings of a JSON document, and its whole numbers of four or more digits.
    #[pyo3(signature = (data, *, only = None, leave = Texts::default()))]
    fn mask_json(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        only: Option<Texts<'_>>,
        leave: Texts<'_>,
    ) -> PyResult<PyMaskedPayload> {
        let json = json_text(data)?;
        let (json, rules) = (read(&json)?, rules(only, leave)?);
        let masked = py.detach(|| {
            let mut worker = InCodePoints(&self.inner);
            masker_core::payload::mask_json(&mut worker, &json, &rules)
        });
        let masked = masked.map_err(|error| errors::to_python(py, &error))?;
        PyMaskedPayload::placed(py, &masked.json, masked.events)
    }

    /// Put originals back into a JSON document, escaped so that it stays JSON.
    fn rehydrate_json(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyRestoredPayload> {
        let json = json_text(data)?;
        let json = read(&json)?;
        let restored = py.detach(|| self.inner.rehydrate_json(&json));
        PyRestoredPayload::make(py, restored.map_err(|error| errors::to_python(py, &error))?)
    }

    /// Mask a chat: a request or reply of OpenAI chat completions, OpenAI responses or Anthropic messages, or
    /// a list of messages. Model names, ids, function names and schemas stay.
    fn mask_chat(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyMaskedPayload> {
        let json = json_text(data)?;
        let json = read(&json)?;
        let masked = py.detach(|| {
            let mut worker = InCodePoints(&self.inner);
            masker_core::payload::mask_chat(&mut worker, self.inner.policy().non_text(), &json)
        });
        let masked = masked.map_err(|error| errors::to_python(py, &error))?;
        PyMaskedPayload::placed(py, &masked.json, masked.events)
    }

    /// Put originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
    fn rehydrate_chat(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyRestoredPayload> {
        let json = json_text(data)?;
        let json = read(&json)?;
        let restored = py.detach(|| self.inner.rehydrate_chat(&json));
        PyRestoredPayload::make(py, restored.map_err(|error| errors::to_python(py, &error))?)
    }

    /// Begin a conversation. Under ``token_scope: session`` the id is the scope of its tokens; without one it
    /// is random.
    #[pyo3(signature = (id = None))]
    fn conversation(&self, py: Python<'_>, id: Option<&Bound<'_, PyString>>) -> PyResult<PyConversation> {
        let inner = if let Some(id) = id {
            self.inner.conversation(&read(id)?)
        } else {
            let id: String = py.import("uuid")?.call_method0("uuid4")?.getattr("hex")?.extract()?;
            self.inner.conversation(&id)
        };
        Ok(PyConversation { inner })
    }

    /// :meth:`mask` in a thread of the event loop's pool, for vaults that are a file or a database.
    fn amask<'py>(slf: &Bound<'py, Self>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask", &[text], None)
    }

    /// :meth:`mask_many` in a thread of the event loop's pool.
    fn amask_many<'py>(slf: &Bound<'py, Self>, texts: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask_many", &[texts], None)
    }

    /// :meth:`rehydrate` in a thread of the event loop's pool.
    fn arehydrate<'py>(slf: &Bound<'py, Self>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate", &[text], None)
    }

    /// :meth:`rehydrate_many` in a thread of the event loop's pool.
    fn arehydrate_many<'py>(
        slf: &Bound<'py, Self>,
        texts: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate_many", &[texts], None)
    }

    /// :meth:`mask_json` in a thread of the event loop's pool.
    #[pyo3(signature = (data, **rules))]
    fn amask_json<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        rules: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask_json", &[data], rules)
    }

    /// :meth:`rehydrate_json` in a thread of the event loop's pool.
    fn arehydrate_json<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate_json", &[data], None)
    }

    /// :meth:`mask_chat` in a thread of the event loop's pool.
    fn amask_chat<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask_chat", &[data], None)
    }

    /// :meth:`rehydrate_chat` in a thread of the event loop's pool.
    fn arehydrate_chat<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate_chat", &[data], None)
    }

    /// Seconds that the core itself takes for one `mask` of the text, for measuring the border.
    fn _time_mask(&self, py: Python<'_>, text: &Bound<'_, PyString>, rounds: u32) -> PyResult<f64> {
        let text = read(text)?;
        let started = std::time::Instant::now();
        let done = py.detach(|| (0..rounds).try_for_each(|_| self.inner.mask(&text).map(drop)));
        done.map_err(|error| errors::to_python(py, &error))?;
        Ok(started.elapsed().as_secs_f64() / f64::from(rounds.max(1)))
    }

    #[pyo3(signature = (data, offsets, width, validity, bit, label))]
    #[expect(clippy::too_many_arguments, reason = "the parts of an Arrow column")]
    fn _mask_column<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        offsets: &[u8],
        width: usize,
        validity: Option<&[u8]>,
        bit: usize,
        label: Option<&str>,
    ) -> PyResult<Column<'py>> {
        column::mask(py, &self.inner, column::Source { data, offsets, width, validity, bit }, label)
    }

    fn _rehydrate_column<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        offsets: &[u8],
        width: usize,
        validity: Option<&[u8]>,
        bit: usize,
    ) -> PyResult<Column<'py>> {
        column::rehydrate(py, &self.inner, column::Source { data, offsets, width, validity, bit })
    }

    fn __repr__(&self) -> String {
        let key = if self.is_ephemeral() { "ephemeral key" } else { "given keys" };
        format!("<Masker: policy {}, {key}>", self.inner.policy().name())
    }

    fn __reduce__(&self) -> PyResult<Py<PyBytes>> {
        Err(pyo3::exceptions::PyTypeError::new_err(
            "a Masker cannot be pickled, because it holds keys: make one where it is used",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_under_an_interpreter() {
        Python::initialize();
        Python::attach(|py| {
            let masker = PyMasker { inner: Masker::new().unwrap() };
            let text = PyString::new(py, "please call 415-555-0142");
            let masked = Bound::new(py, masker.mask(py, &text).unwrap()).unwrap();
            let masked: String = masked.getattr("text").unwrap().extract().unwrap();
            assert!(masked.starts_with("please call MSKV1.PHONE.EPHEMERAL."), "{masked}");
        });
    }
}
