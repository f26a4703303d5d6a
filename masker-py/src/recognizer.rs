//! A Python callable as the pass `ner`.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use masker_core::{Masker, Recognizer, RecognizerError, RecognizerHit};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arguments::type_of;
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
    workers: Arc<Workers>,
    name: String,
    timeout: Option<Duration>,
    when_late: WhenLate,
}

/// Threads that ask the callable, kept from one call to the next.
struct Workers {
    call: Py<PyAny>,
    idle: Mutex<Vec<Sender<Job>>>,
    late: AtomicUsize,
    /// The process whose threads they are: a fork has none of them.
    process: AtomicU32,
}

/// One text to be asked about.
struct Job {
    text: String,
    answer: Sender<Result<Vec<Hit>, Failure>>,
    /// `RUNNING`, `DONE` or `ABANDONED`.
    state: Arc<AtomicU8>,
    /// The way to the worker itself. While it is idle only the list has it, so that the worker ends with the list.
    worker: Sender<Job>,
}

const RUNNING: u8 = 0;
const DONE: u8 = 1;
const ABANDONED: u8 = 2;

impl Workers {
    fn idle(&self) -> MutexGuard<'_, Vec<Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle worker, or a new one.
    fn worker(self: &Arc<Self>) -> std::io::Result<Sender<Job>> {
        let process = std::process::id();
        if self.process.swap(process, Ordering::AcqRel) != process {
            self.idle().clear();
            self.late.store(0, Ordering::Release);
        }
        if let Some(worker) = self.idle().pop() {
            return Ok(worker);
        }
        let (sender, receiver) = channel::<Job>();
        let workers = Arc::downgrade(self);
        thread::Builder::new().name("masker-recognizer".to_owned()).spawn(move || {
            for Job { text, answer, state, worker } in receiver {
                let Some(workers) = workers.upgrade() else { return };
                let found = ask(&workers.call, &text);
                let in_time =
                    state.compare_exchange(RUNNING, DONE, Ordering::AcqRel, Ordering::Acquire).is_ok();
                workers.idle().push(worker);
                if in_time {
                    // The caller waits, since the state says that an answer comes.
                    let _ = answer.send(found);
                } else {
                    workers.late.fetch_sub(1, Ordering::AcqRel);
                }
            }
        })?;
        Ok(sender)
    }
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
        timeout: Option<Duration>,
        when_late: WhenLate,
    ) -> PyResult<Self> {
        if !call.is_callable() {
            return Err(PyTypeError::new_err("every recognizer must be a callable that takes a str"));
        }
        let is_async = call.py().import("inspect")?.getattr("iscoroutinefunction")?;
        let called = call.get_type().getattr("__call__")?;
        if is_async.call1((call,))?.is_truthy()? || is_async.call1((called,))?.is_truthy()? {
            return Err(PyTypeError::new_err("a recognizer is called, not awaited: give a plain function"));
        }
        Ok(Self {
            workers: Arc::new(Workers {
                call: call.clone().unbind(),
                idle: Mutex::default(),
                late: AtomicUsize::new(0),
                process: AtomicU32::new(std::process::id()),
            }),
            name: name_of(call),
            timeout,
            when_late,
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

    /// Places in bytes. What else a hit must be is asked by the core.
    fn hits(text: &str, found: Vec<Hit>) -> Result<Vec<RecognizerHit>, RecognizerError> {
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
            let kind = kind.parse().map_err(|_| {
                RecognizerError::new("it gave what is no kind; map its labels to masker.KINDS")
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

enum Failure {
    /// The callable failed. Its own exception stays out of the message.
    Raised(PyErr),
    /// It gave a value of this type, and another was expected.
    Gave(String, &'static str),
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<Failure> for RecognizerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raised(error) => {
                let class = Python::attach(|py| type_of(error.value(py)));
                Self::with_source(format!("it raised {class}"), Raised(error))
            }
            Failure::Gave(given, expected) => Self::new(format!("it gave a {given}, not {expected}")),
        }
    }
}

fn ask(call: &Py<PyAny>, text: &str) -> Result<Vec<Hit>, Failure> {
    Python::attach(|py| {
        let text: Bound<'_, PyString> = write(py, text)?;
        let mut hits = Vec::new();
        let given = call.bind(py).call1((text,))?;
        let items = given
            .try_iter()
            .map_err(|_| Failure::Gave(type_of(&given), "an iterable of (start, end, kind, score)"))?;
        for item in items {
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
                let wrong = |_| Failure::Gave(type_of(&item), "(start, end, kind, score)");
                let (start, end, kind, score) = item.extract().map_err(wrong)?;
                Hit { start, end, kind, score }
            });
        }
        Ok(hits)
    })
}

impl Recognizer for PyRecognizer {
    fn name(&self) -> &str {
        &self.name
    }

    fn recognize(&self, text: &str) -> Result<Vec<RecognizerHit>, RecognizerError> {
        let workers = &self.workers;
        let Some(timeout) = self.timeout else {
            return Self::hits(text, ask(&workers.call, text)?);
        };
        if workers.late.load(Ordering::Acquire) >= MAX_LATE {
            return self.late(text, "too many of its calls run past their time");
        }
        let no_thread = || RecognizerError::new("no thread could be started for it");
        let worker = workers.worker().map_err(|_| no_thread())?;
        let (answer, receiver) = channel();
        let state = Arc::new(AtomicU8::new(RUNNING));
        let job = Job { text: text.to_owned(), answer, state: Arc::clone(&state), worker: worker.clone() };
        worker.send(job).map_err(|_| no_thread())?;
        let ended = || RecognizerError::new("its thread ended early");
        match receiver.recv_timeout(timeout) {
            Ok(found) => Self::hits(text, found?),
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
            Err(RecvTimeoutError::Timeout) => {
                let late =
                    state.compare_exchange(RUNNING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok();
                if !late {
                    return Self::hits(text, receiver.recv().map_err(|_| ended())??);
                }
                workers.late.fetch_add(1, Ordering::AcqRel);
                let why = format!("it took longer than {} ms", timeout.as_millis());
                self.late(text, &why)
            }
        }
    }
}
