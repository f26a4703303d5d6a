//! A Python callable as the pass `ner`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use masker_core::{Kind, Masker, Policy, Recognizer, RecognizerError, RecognizerHit};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::Raised;
use crate::report::PyFinding;
use crate::text::{starts, write};

/// Calls that may run past their time at once. A call cannot be stopped from outside, so each keeps a thread.
const MAX_LATE: usize = 32;

/// What happens when the time is over.
pub(crate) enum WhenLate {
    /// The call fails and gives no text.
    Reject,
    /// Detection goes on as if no model were loaded; the masker finds what the other passes find.
    Degrade(Masker),
}

pub(crate) struct PyRecognizer {
    call: Arc<Py<PyAny>>,
    name: String,
    timeout: Option<Duration>,
    when_late: WhenLate,
    /// Kinds of the policy's own.
    custom: HashSet<Kind>,
    running: Arc<AtomicUsize>,
}

/// The name of a callable where it is one for events, else `python`.
fn name_of(call: &Bound<'_, PyAny>) -> String {
    let name = call.getattr("__name__").and_then(|name| name.extract::<String>()).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 48
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fits { name } else { "python".to_owned() }
}

impl PyRecognizer {
    pub(crate) fn new(
        call: &Bound<'_, PyAny>,
        policy: &Policy,
        timeout: Option<Duration>,
        when_late: WhenLate,
    ) -> PyResult<Self> {
        if !call.is_callable() {
            return Err(PyTypeError::new_err("recognizer must be a callable that takes a str"));
        }
        let entities = policy.entities().iter();
        Ok(Self {
            call: Arc::new(call.clone().unbind()),
            name: name_of(call),
            timeout,
            when_late,
            custom: entities.map(|entity| entity.kind.clone()).filter(|kind| !kind.is_built_in()).collect(),
            running: Arc::default(),
        })
    }

    fn late(&self, text: &str, why: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        match &self.when_late {
            WhenLate::Reject => Err(RecognizerError::new(why)),
            WhenLate::Degrade(masker) => {
                let findings = masker.detect(text).map_err(|_| RecognizerError::new(why))?;
                // What stands in has judged already, so no threshold for the model may drop it.
                let hit = |finding: masker_core::Finding| RecognizerHit {
                    kind: finding.kind,
                    start: finding.span.start,
                    end: finding.span.end,
                    confidence: 1.0,
                };
                Ok(findings.into_iter().map(hit).collect())
            }
        }
    }

    /// Places in bytes, and what kinds there are.
    fn hits(&self, text: &str, found: Vec<Hit>) -> Result<Vec<RecognizerHit>, RecognizerError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let starts = starts(text);
        let length = starts.len() - 1;
        let hit = |hit: Hit| {
            let Hit { start, end, kind, score } = hit;
            let range = (usize::try_from(start).ok(), usize::try_from(end).ok());
            let (Some(first), Some(last)) = range else {
                return Err(RecognizerError::new("it gave a negative place"));
            };
            if first >= last || last > length {
                return Err(RecognizerError::new(format!(
                    "it gave {start}..{end}, which is no range of the {length} characters of the text"
                )));
            }
            if !(0.0..=1.0).contains(&score) {
                return Err(RecognizerError::new("it gave a score that is not between 0 and 1"));
            }
            // A kind that nothing knows would be dropped in silence, and what it stands for would leak.
            let kind: Option<Kind> = kind.parse().ok();
            let kind = kind.filter(|kind| kind.is_built_in() || self.custom.contains(kind)).ok_or_else(|| {
                RecognizerError::new(
                    "it gave a kind that is neither built in nor in the policy; map its labels to masker.KINDS",
                )
            })?;
            let (start, end) = (starts[first], starts[last]);
            Ok(RecognizerHit { kind, start, end, confidence: score as f32 })
        };
        found.into_iter().map(hit).collect()
    }
}

/// What the callable gave, before it is checked.
struct Hit {
    start: i64,
    end: i64,
    kind: String,
    score: f64,
}

/// The callable failed. Its own exception stays out of the message.
struct Failure(PyErr);

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<Failure> for RecognizerError {
    fn from(Failure(error): Failure) -> Self {
        let class = Python::attach(|py| error.get_type(py).qualname().map(|name| name.to_string()));
        let class = class.unwrap_or_else(|_| "an exception".to_owned());
        Self::with_source(format!("it raised {class}"), Raised(error))
    }
}

fn ask(call: &Py<PyAny>, text: &str) -> Result<Vec<Hit>, Failure> {
    Python::attach(|py| {
        let text: Bound<'_, PyString> = write(py, text)?;
        let mut hits = Vec::new();
        for item in call.bind(py).call1((text,))?.try_iter()? {
            let item = item?;
            hits.push(if let Ok(finding) = item.cast::<PyFinding>() {
                let finding = finding.get();
                Hit {
                    start: i64::try_from(finding.start).unwrap_or(-1),
                    end: i64::try_from(finding.end).unwrap_or(-1),
                    kind: finding.kind.to_string(),
                    score: f64::from(finding.confidence),
                }
            } else {
                let (start, end, kind, score) = item.extract()?;
                Hit { start, end, kind, score }
            });
        }
        Ok(hits)
    })
}

/// Counts a call that runs.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Recognizer for PyRecognizer {
    fn name(&self) -> &str {
        &self.name
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let Some(timeout) = self.timeout else {
            return self.hits(text, ask(&self.call, text)?);
        };
        let running = Running(Arc::clone(&self.running));
        if self.running.fetch_add(1, Ordering::AcqRel) >= MAX_LATE {
            return self.late(text, "too many of its calls run past their time");
        }
        let (sender, receiver) = channel();
        let (call, own) = (Arc::clone(&self.call), text.to_owned());
        let asked = thread::Builder::new().name("masker-recognizer".to_owned()).spawn(move || {
            let _running = running;
            // Nobody listens any more where the time is over.
            let _ = sender.send(ask(&call, &own));
        });
        if asked.is_err() {
            return Err(RecognizerError::new("no thread could be started for it"));
        }
        match receiver.recv_timeout(timeout) {
            Ok(found) => self.hits(text, found?),
            Err(RecvTimeoutError::Timeout) => {
                let why = format!("it took longer than {} ms", timeout.as_millis());
                self.late(text, &why)
            }
            Err(RecvTimeoutError::Disconnected) => Err(RecognizerError::new("its thread ended early")),
        }
    }
}
