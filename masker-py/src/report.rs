//! What calls give: frozen values that can be pickled and print no text.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use masker_core::payload::StreamTally;
use masker_core::{
    Action, Event, Explanation, Finding, Kid, Kind, Masked, Pass, PayloadEvent, Restored, RestoredPayload,
    TokenKind,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::errors;
use crate::text::{code_points, write};

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// As short as it was written: 0.85, not 0.8500000238418579.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn pass(name: &str) -> PyResult<Pass> {
    let passes = [Pass::Regex, Pass::Dictionary, Pass::Spoken, Pass::Ner, Pass::Diarize];
    passes
        .into_iter()
        .find(|pass| pass.as_str() == name)
        .ok_or_else(|| PyValueError::new_err("a pass is regex, dictionary, spoken, ner or diarize"))
}

fn kind(name: &str) -> PyResult<Kind> {
    name.parse().map_err(errors::value)
}

fn span(start: usize, end: usize) -> PyResult<()> {
    if start < end { Ok(()) } else { Err(PyValueError::new_err("start must be below end")) }
}

fn tuple_of<T: for<'py> IntoPyObject<'py>>(py: Python<'_>, items: Vec<T>) -> PyResult<Py<PyTuple>> {
    Ok(PyTuple::new(py, items)?.unbind())
}

/// Rebuilds a value from its constructor's arguments.
type Rebuild<'py, A> = (Bound<'py, PyType>, A);

/// Something found: its kind and where it stands in code points, so that ``text[start:end]`` is it. Never the
/// text itself.
#[pyclass(name = "Finding", module = "masker", frozen, eq, from_py_object)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyFinding {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) confidence: f32,
    pass: Pass,
    recognizer: Cow<'static, str>,
}

impl PyFinding {
    pub(crate) fn list(text: &str, findings: Vec<Finding>) -> Vec<Self> {
        let spans: Vec<_> = findings.iter().map(|finding| finding.span).collect();
        let places = code_points(text, &spans);
        findings.into_iter().zip(places).map(|(finding, place)| Self::new_at(finding, place)).collect()
    }

    fn new_at(finding: Finding, (start, end): (usize, usize)) -> Self {
        let Finding { kind, confidence, pass, recognizer, .. } = finding;
        Self { kind, start, end, confidence, pass, recognizer }
    }
}

#[pymethods]
impl PyFinding {
    #[new]
    #[pyo3(signature = (kind, start, end, confidence = 1.0, pass_ = "ner", recognizer = ""))]
    fn new(
        kind: &str,
        start: usize,
        end: usize,
        confidence: f32,
        pass_: &str,
        recognizer: &str,
    ) -> PyResult<Self> {
        span(start, end)?;
        let (kind, pass) = (self::kind(kind)?, pass(pass_)?);
        Ok(Self { kind, start, end, confidence, pass, recognizer: recognizer.to_owned().into() })
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str) {
        ("kind", "start", "end")
    }

    /// What it is, such as ``PHONE``.
    #[getter]
    fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// The first code point.
    #[getter]
    fn start(&self) -> usize {
        self.start
    }

    /// One past the last code point.
    #[getter]
    fn end(&self) -> usize {
        self.end
    }

    /// Both of them.
    #[getter]
    fn span(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// How sure the pass is, 0 to 1.
    #[getter]
    fn confidence(&self) -> f64 {
        shortest(self.confidence)
    }

    /// The stage that found it.
    #[getter]
    fn pass_(&self) -> &'static str {
        self.pass.as_str()
    }

    /// The pattern, list or plug-in that found it.
    #[getter]
    fn recognizer(&self) -> &str {
        &self.recognizer
    }

    fn __hash__(&self) -> u64 {
        hash_of((&self.kind, self.start, self.end))
    }

    fn __repr__(&self) -> String {
        let Self { kind, start, end, pass, recognizer, .. } = self;
        let confidence = shortest(self.confidence);
        format!(
            "Finding(kind='{kind}', start={start}, end={end}, confidence={confidence}, pass_='{}', recognizer='{recognizer}')",
            pass.as_str()
        )
    }

    fn __reduce__(slf: Bound<'_, Self>) -> Rebuild<'_, (String, usize, usize, f64, &'static str, String)> {
        let this = slf.get();
        let arguments = (
            this.kind.to_string(),
            this.start,
            this.end,
            this.confidence(),
            this.pass.as_str(),
            this.recognizer.to_string(),
        );
        (slf.get_type(), arguments)
    }
}

/// A finding that was acted on. It holds no text, original or token.
#[pyclass(name = "Event", module = "masker", frozen, eq, from_py_object)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyEvent {
    kind: Kind,
    start: usize,
    end: usize,
    confidence: f32,
    pass: Pass,
    recognizer: Cow<'static, str>,
    action: Action,
    token_kind: Option<TokenKind>,
    kid: Option<Kid>,
    path: Option<String>,
}

impl PyEvent {
    fn new_at(event: Event, (start, end): (usize, usize), path: Option<String>) -> Self {
        let Event { kind, confidence, pass, recognizer, action, token_kind, kid, .. } = event;
        Self { kind, start, end, confidence, pass, recognizer, action, token_kind, kid, path }
    }

    fn is_redaction(&self) -> bool {
        self.action != Action::Passthrough
    }
}

#[pymethods]
impl PyEvent {
    #[new]
    #[pyo3(signature = (kind, start, end, confidence, pass_, recognizer, action, token_kind = None, kid = None, path = None))]
    #[expect(clippy::too_many_arguments, reason = "what pickle rebuilds it from")]
    fn new(
        kind: &str,
        start: usize,
        end: usize,
        confidence: f32,
        pass_: &str,
        recognizer: String,
        action: &str,
        token_kind: Option<&str>,
        kid: Option<&str>,
        path: Option<String>,
    ) -> PyResult<Self> {
        span(start, end)?;
        let token_kinds = [TokenKind::Msk1, TokenKind::Mskv1, TokenKind::Redacted, TokenKind::Synthetic];
        let token_kind = match token_kind {
            Some(name) => {
                Some(token_kinds.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
                    PyValueError::new_err("a token_kind is MSK1, MSKV1, REDACTED or SYNTHETIC")
                })?)
            }
            None => None,
        };
        Ok(Self {
            kind: self::kind(kind)?,
            start,
            end,
            confidence,
            pass: pass(pass_)?,
            recognizer: recognizer.into(),
            action: action.parse().map_err(errors::value)?,
            token_kind,
            kid: kid.map(str::parse).transpose().map_err(errors::value)?,
            path,
        })
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str, &'static str) {
        ("kind", "start", "end", "action")
    }

    /// What it is, such as ``PHONE``.
    #[getter]
    fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// The first code point in the original text.
    #[getter]
    fn start(&self) -> usize {
        self.start
    }

    /// One past the last code point.
    #[getter]
    fn end(&self) -> usize {
        self.end
    }

    /// Both of them.
    #[getter]
    fn span(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// How sure the pass was, 0 to 1.
    #[getter]
    fn confidence(&self) -> f64 {
        shortest(self.confidence)
    }

    /// The stage that found it.
    #[getter]
    fn pass_(&self) -> &'static str {
        self.pass.as_str()
    }

    /// The pattern, list or plug-in that found it.
    #[getter]
    fn recognizer(&self) -> &str {
        &self.recognizer
    }

    /// What was done.
    #[getter]
    fn action(&self) -> &'static str {
        self.action.as_str()
    }

    /// What stands in its place; nothing where it passed through.
    #[getter]
    fn token_kind(&self) -> Option<&'static str> {
        self.token_kind.map(TokenKind::as_str)
    }

    /// The key id of the token, where it has one.
    #[getter]
    fn kid(&self) -> Option<&str> {
        self.kid.as_ref().map(Kid::as_str)
    }

    /// In a payload, the JSON Pointer of the value that the places are counted in.
    #[getter]
    fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    fn __hash__(&self) -> u64 {
        hash_of((&self.kind, self.start, self.end, self.action, &self.path))
    }

    fn __repr__(&self) -> String {
        let Self { kind, start, end, pass, recognizer, action, .. } = self;
        let confidence = shortest(self.confidence);
        // The path is left out: keys of the user's own may stand in it.
        format!(
            "Event(kind='{kind}', start={start}, end={end}, confidence={confidence}, pass_='{}', recognizer='{recognizer}', action='{action}')",
            pass.as_str()
        )
    }

    #[expect(clippy::type_complexity, reason = "the arguments of the constructor, in order")]
    fn __reduce__(
        slf: Bound<'_, Self>,
    ) -> Rebuild<
        '_,
        (
            String,
            usize,
            usize,
            f64,
            &'static str,
            String,
            &'static str,
            Option<&'static str>,
            Option<String>,
            Option<String>,
        ),
    > {
        let this = slf.get();
        let arguments = (
            this.kind.to_string(),
            this.start,
            this.end,
            this.confidence(),
            this.pass.as_str(),
            this.recognizer.to_string(),
            this.action.as_str(),
            this.token_kind(),
            this.kid.as_ref().map(Kid::to_string),
            this.path.clone(),
        );
        (slf.get_type(), arguments)
    }
}

/// `2 redactions (NAME, PHONE)`
fn summary(events: &[PyEvent]) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    let redactions = events.iter().filter(|event| event.is_redaction());
    let count = redactions.clone().count();
    for event in redactions {
        if !kinds.contains(&event.kind.as_str()) {
            kinds.push(event.kind.as_str());
        }
    }
    let noun = if count == 1 { "redaction" } else { "redactions" };
    if kinds.is_empty() {
        format!("{count} {noun}")
    } else {
        format!("{count} {noun} ({})", kinds.join(", "))
    }
}

/// A masked text with the events of its making. It can be pickled, and ``repr`` shows lengths and kinds only.
#[pyclass(name = "Masked", module = "masker", frozen)]
pub(crate) struct PyMasked {
    text: Py<PyString>,
    events: Vec<PyEvent>,
}

/// A masked text with its events in code points: all of the answer that can be made without the interpreter.
pub(crate) struct PlacedMasked {
    text: String,
    events: Vec<PyEvent>,
}

impl PlacedMasked {
    pub(crate) fn new(original: &str, masked: Masked) -> Self {
        let spans: Vec<_> = masked.events.iter().map(|event| event.span).collect();
        let places = code_points(original, &spans);
        let events = masked.events.into_iter().zip(places);
        let events = events.map(|(event, place)| PyEvent::new_at(event, place, None)).collect();
        Self { text: masked.text, events }
    }
}

impl PyMasked {
    pub(crate) fn make(py: Python<'_>, original: &str, masked: Masked) -> PyResult<Self> {
        let PlacedMasked { text, events } = PlacedMasked::new(original, masked);
        Ok(Self { text: write(py, &text)?.unbind(), events })
    }

    /// A copy for Python of what another thread keeps.
    pub(crate) fn of(py: Python<'_>, masked: &PlacedMasked) -> PyResult<Self> {
        Ok(Self { text: write(py, &masked.text)?.unbind(), events: masked.events.clone() })
    }
}

#[pymethods]
impl PyMasked {
    #[new]
    fn new(text: Py<PyString>, events: Vec<PyEvent>) -> Self {
        Self { text, events }
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("text", "events")
    }

    /// The text with every acted-on finding replaced.
    #[getter]
    fn text(&self, py: Python<'_>) -> Py<PyString> {
        self.text.clone_ref(py)
    }

    /// What was found and done, in order.
    #[getter]
    fn events(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        tuple_of(py, self.events.clone())
    }

    /// How many findings were replaced; those that pass through do not count.
    #[getter]
    fn redaction_count(&self) -> usize {
        self.events.iter().filter(|event| event.is_redaction()).count()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else { return Ok(false) };
        let other = other.get();
        Ok(self.events == other.events && self.text.bind(py).as_any().eq(&other.text)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.text.bind(py).hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Masked: {} characters, {}>", self.text.bind(py).len()?, summary(&self.events)))
    }

    fn __reduce__(slf: Bound<'_, Self>) -> PyResult<Rebuild<'_, (Py<PyString>, Py<PyTuple>)>> {
        let this = slf.get();
        Ok((slf.get_type(), (this.text(slf.py()), this.events(slf.py())?)))
    }
}

/// A masked payload with the events of its making.
#[pyclass(name = "MaskedPayload", module = "masker", frozen)]
pub(crate) struct PyMaskedPayload {
    json: Py<PyString>,
    events: Vec<PyEvent>,
}

impl PyMaskedPayload {
    /// Events whose spans are in code points already.
    pub(crate) fn placed(py: Python<'_>, json: &str, events: Vec<PayloadEvent>) -> PyResult<Self> {
        let mut placed = Vec::with_capacity(events.len());
        for PayloadEvent { path, event, .. } in events {
            let place = (event.span.start, event.span.end);
            placed.push(PyEvent::new_at(event, place, Some(path)));
        }
        Ok(Self { json: write(py, json)?.unbind(), events: placed })
    }
}

#[pymethods]
impl PyMaskedPayload {
    #[new]
    fn new(json: Py<PyString>, events: Vec<PyEvent>) -> Self {
        Self { json, events }
    }

    /// The JSON text.
    #[getter]
    fn json(&self, py: Python<'_>) -> Py<PyString> {
        self.json.clone_ref(py)
    }

    /// The JSON text as Python values.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (&self.json,))
    }

    /// What was found and done, in order, each with its path.
    #[getter]
    fn events(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        tuple_of(py, self.events.clone())
    }

    /// How many findings were replaced.
    #[getter]
    fn redaction_count(&self) -> usize {
        self.events.iter().filter(|event| event.is_redaction()).count()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else { return Ok(false) };
        let other = other.get();
        Ok(self.events == other.events && self.json.bind(py).as_any().eq(&other.json)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.json.bind(py).hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<MaskedPayload: {} characters, {}>", self.json.bind(py).len()?, summary(&self.events)))
    }

    fn __reduce__(slf: Bound<'_, Self>) -> PyResult<Rebuild<'_, (Py<PyString>, Py<PyTuple>)>> {
        let this = slf.get();
        Ok((slf.get_type(), (this.json(slf.py()), this.events(slf.py())?)))
    }
}

/// What became of the tokens of a text.
#[derive(Clone, PartialEq)]
struct Tally {
    restored: usize,
    unknown: usize,
    foreign: usize,
    ambiguous: usize,
    lost: Vec<Kind>,
}

impl Tally {
    fn describe(&self) -> String {
        let Self { restored, unknown, foreign, ambiguous, .. } = self;
        format!("{restored} restored, {unknown} unknown, {foreign} foreign, {ambiguous} ambiguous")
    }

    fn lost(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        tuple_of(py, self.lost.iter().map(Kind::to_string).collect())
    }
}

type TallyArguments = (Py<PyString>, usize, usize, usize, usize, Py<PyTuple>);

macro_rules! restored_class {
    ($(#[$meta:meta])* $name:ident, $text:ident, $what:literal, $title:literal, { $($more:tt)* }) => {
        $(#[$meta])*
        pub(crate) struct $name {
            $text: Py<PyString>,
            tally: Tally,
        }

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($text, restored = 0, unknown = 0, foreign = 0, ambiguous = 0, lost = Vec::new()))]
            fn new(
                $text: Py<PyString>,
                restored: usize,
                unknown: usize,
                foreign: usize,
                ambiguous: usize,
                lost: Vec<String>,
            ) -> PyResult<Self> {
                let lost = lost.iter().map(|name| kind(name)).collect::<PyResult<_>>()?;
                Ok(Self { $text, tally: Tally { restored, unknown, foreign, ambiguous, lost } })
            }

            #[doc = $what]
            #[getter]
            fn $text(&self, py: Python<'_>) -> Py<PyString> {
                self.$text.clone_ref(py)
            }

            $($more)*

            /// Tokens replaced by their originals.
            #[getter]
            fn restored(&self) -> usize {
                self.tally.restored
            }

            /// Tokens of a known key that do not open: purged, damaged, or of another scope. Now
            /// ``[REDACTED:KIND]``.
            #[getter]
            fn unknown(&self) -> usize {
                self.tally.unknown
            }

            /// Tokens whose key is not here. Now ``[REDACTED:KIND]``.
            #[getter]
            fn foreign(&self) -> usize {
                self.tally.foreign
            }

            /// Aliases that more than one value could stand for; left as they are.
            #[getter]
            fn ambiguous(&self) -> usize {
                self.tally.ambiguous
            }

            /// Kinds of the tokens that were not restored, in order.
            #[getter]
            fn lost(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
                self.tally.lost(py)
            }

            fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
                let Ok(other) = other.cast::<Self>() else { return Ok(false) };
                let other = other.get();
                Ok(self.tally == other.tally && self.$text.bind(py).as_any().eq(&other.$text)?)
            }

            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                self.$text.bind(py).hash()
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let length = self.$text.bind(py).len()?;
                Ok(format!(concat!("<", $title, ": {} characters, {}>"), length, self.tally.describe()))
            }

            fn __reduce__(slf: Bound<'_, Self>) -> PyResult<Rebuild<'_, TallyArguments>> {
                let (py, this) = (slf.py(), slf.get());
                let Tally { restored, unknown, foreign, ambiguous, .. } = this.tally;
                let arguments =
                    (this.$text(py), restored, unknown, foreign, ambiguous, this.tally.lost(py)?);
                Ok((slf.get_type(), arguments))
            }
        }
    };
}

restored_class! {
    /// A text with originals put back, and what became of its tokens. ``repr`` shows no text.
    #[pyclass(name = "Restored", module = "masker", frozen)]
    PyRestored, text, "The text.", "Restored", {}
}

restored_class! {
    /// A payload with originals put back, and what became of its tokens; see :class:`Restored`.
    #[pyclass(name = "RestoredPayload", module = "masker", frozen)]
    PyRestoredPayload, json, "The JSON text.", "RestoredPayload", {
        /// The JSON text as Python values.
        #[getter]
        fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            py.import("json")?.call_method1("loads", (&self.json,))
        }
    }
}

impl PyRestored {
    pub(crate) fn make(py: Python<'_>, restored: Restored) -> PyResult<Self> {
        let Restored { text, restored, unknown, foreign, ambiguous, lost, .. } = restored;
        let tally = Tally { restored, unknown, foreign, ambiguous, lost };
        Ok(Self { text: write(py, &text)?.unbind(), tally })
    }

    /// The counts of a stream, without a text.
    pub(crate) fn counted(py: Python<'_>, of: StreamTally) -> PyResult<Self> {
        let StreamTally { restored, unknown, foreign, ambiguous } = of;
        let tally = Tally { restored, unknown, foreign, ambiguous, lost: Vec::new() };
        Ok(Self { text: write(py, "")?.unbind(), tally })
    }
}

impl PyRestoredPayload {
    pub(crate) fn make(py: Python<'_>, restored: RestoredPayload) -> PyResult<Self> {
        let RestoredPayload { json, restored, unknown, foreign, ambiguous, lost, .. } = restored;
        let tally = Tally { restored, unknown, foreign, ambiguous, lost };
        Ok(Self { json: write(py, &json)?.unbind(), tally })
    }
}

type ExplanationArguments = (PyFinding, bool, Option<(usize, usize)>);

/// One candidate, and whether it was chosen.
#[pyclass(name = "Explanation", module = "masker", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyExplanation {
    finding: PyFinding,
    chosen: bool,
    within: Option<(usize, usize)>,
}

impl PyExplanation {
    pub(crate) fn list(text: &str, explained: Vec<Explanation>) -> Vec<Self> {
        let own: Vec<_> = explained.iter().map(|e| e.finding.span).collect();
        let around: Vec<_> = explained.iter().filter_map(|e| e.within).collect();
        let (own, around) = (code_points(text, &own), code_points(text, &around));
        let mut around = around.into_iter();
        let place = |(explanation, place): (Explanation, _)| {
            let Explanation { finding, chosen, within, .. } = explanation;
            let within = within.and_then(|_| around.next());
            Self { finding: PyFinding::new_at(finding, place), chosen, within }
        };
        explained.into_iter().zip(own).map(place).collect()
    }
}

#[pymethods]
impl PyExplanation {
    #[new]
    #[pyo3(signature = (finding, chosen, within = None))]
    fn new(finding: PyFinding, chosen: bool, within: Option<(usize, usize)>) -> Self {
        Self { finding, chosen, within }
    }

    /// The candidate.
    #[getter]
    fn finding(&self) -> PyFinding {
        self.finding.clone()
    }

    /// Whether it decided the kind of the finding that covers it.
    #[getter]
    fn chosen(&self) -> bool {
        self.chosen
    }

    /// The finding that covers it, in code points.
    #[getter]
    fn within(&self) -> Option<(usize, usize)> {
        self.within
    }

    fn __hash__(&self) -> u64 {
        hash_of((self.finding.__hash__(), self.chosen, self.within))
    }

    fn __repr__(&self) -> String {
        let chosen = if self.chosen { "True" } else { "False" };
        format!("Explanation({}, chosen={chosen})", self.finding.__repr__())
    }

    fn __reduce__(slf: Bound<'_, Self>) -> Rebuild<'_, ExplanationArguments> {
        let this = slf.get();
        (slf.get_type(), (this.finding.clone(), this.chosen, this.within))
    }
}
