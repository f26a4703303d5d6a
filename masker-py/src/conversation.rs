use std::sync::{Mutex, MutexGuard, PoisonError};

use masker_core::payload::{SseRehydrator, StreamMode, StreamTally};
use masker_core::{Conversation, Error, Role, StreamMasker, StreamRehydrator};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::arguments::{History, Texts};
use crate::errors;
use crate::masker::{PyMasker, in_thread};
use crate::payload::{InCodePoints, json_text, rules};
use crate::report::{PyMasked, PyMaskedPayload, PyRestored, PyRestoredPayload};
use crate::text::{Joint, read, write};

/// One call or chat: what earlier turns say about later ones, and which tokens and aliases stand for which
/// values.
#[pyclass(name = "Conversation", module = "masker", frozen, weakref)]
pub(crate) struct PyConversation {
    pub(crate) inner: Conversation,
}

fn role(name: &str) -> PyResult<Role> {
    Ok(match name {
        "assistant" => Role::Assistant,
        "system" | "developer" => Role::System,
        "tool" | "function" => Role::Tool,
        "user" => Role::User,
        _ => {
            return Err(PyValueError::new_err(
                "a role is user, assistant, system, developer, tool or function",
            ));
        }
    })
}

#[pymethods]
impl PyConversation {
    /// The id it was begun with.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        write(py, self.inner.id())
    }

    /// The masker it was begun by.
    #[getter]
    fn masker(&self) -> PyMasker {
        PyMasker { inner: self.inner.masker().clone() }
    }

    /// What to tell a model about the aliases, in its instructions; empty where the policy puts none in the
    /// text.
    #[getter]
    fn system_hint(&self) -> &'static str {
        self.inner.system_hint()
    }

    /// How many values have been masked.
    #[getter]
    fn value_count(&self, py: Python<'_>) -> usize {
        py.detach(|| self.inner.value_count())
    }

    /// Mask what is said next.
    fn mask_turn(&self, py: Python<'_>, role: &str, text: &Bound<'_, PyString>) -> PyResult<PyMasked> {
        let (role, text) = (self::role(role)?, read(text)?);
        match py.detach(|| self.inner.mask_turn(role, &text)) {
            Ok(masked) => PyMasked::make(py, &text, masked),
            Err(error) => Err(errors::about_text(py, &error, &text)),
        }
    }

    /// Mask a history as clients of language models resend it every turn, from its first message on.
    fn mask_history(&self, py: Python<'_>, history: History<'_>) -> PyResult<Vec<PyMasked>> {
        let turns = history
            .0
            .iter()
            .map(|(role, text)| Ok((self::role(role)?, read(text)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let masked = py.detach(|| self.inner.mask_history(&turns));
        let masked = masked.map_err(|error| errors::to_python(py, &error))?;
        turns.iter().zip(masked).map(|((_, text), masked)| PyMasked::make(py, text, masked)).collect()
    }

    /// Put originals back in the place of the tokens and aliases that this conversation gave out. Every other
    /// token becomes ``[REDACTED:KIND]``.
    fn rehydrate(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<PyRestored> {
        let text = read(text)?;
        let restored = py.detach(|| self.inner.rehydrate(&text));
        PyRestored::make(py, restored.map_err(|error| errors::to_python(py, &error))?)
    }

    /// :meth:`rehydrate` for JSON text, or a part of it: what is restored is escaped as JSON strings need it.
    fn rehydrate_json(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<PyRestored> {
        let text = read(text)?;
        let restored = py.detach(|| self.inner.rehydrate_json(&text));
        PyRestored::make(py, restored.map_err(|error| errors::to_python(py, &error))?)
    }

    /// :meth:`Masker.mask_json` in this conversation, so that :meth:`rehydrate_json` restores what it
    /// replaced.
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
        let masked =
            py.detach(|| masker_core::payload::mask_json(&mut InCodePoints(&self.inner), &json, &rules));
        let masked = masked.map_err(|error| errors::to_python(py, &error))?;
        PyMaskedPayload::placed(py, &masked.json, masked.events)
    }

    /// :meth:`Masker.mask_chat` in the light of this conversation. A chat that is sent again, longer, is
    /// masked the same up to where it was.
    fn mask_chat(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyMaskedPayload> {
        let json = json_text(data)?;
        let json = read(&json)?;
        let masked = py.detach(|| {
            let non_text = self.inner.masker().policy().non_text();
            masker_core::payload::mask_chat(&mut InCodePoints(&self.inner), non_text, &json)
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

    /// Mask what is said next while it is being said.
    fn stream_masker(&self, role: &str) -> PyResult<PyStreamMasker> {
        let inner = self.inner.stream_masker(self::role(role)?);
        Ok(PyStreamMasker {
            inner: Mutex::new(MaskerState { inner, said: String::new(), joint: Joint::default() }),
        })
    }

    /// Restore text that comes in parts.
    fn stream_rehydrator(&self) -> PyStreamRehydrator {
        PyStreamRehydrator::new(self.inner.stream_rehydrator())
    }

    /// Restore JSON text that comes in parts, such as the arguments of a function call.
    fn stream_json_rehydrator(&self) -> PyStreamRehydrator {
        PyStreamRehydrator::new(self.inner.stream_json_rehydrator())
    }

    /// Restore the answers in a stream of server-sent events. ``json_answer`` says that the answer is JSON
    /// text.
    #[pyo3(signature = (*, json_answer = false))]
    fn sse_rehydrator(&self, json_answer: bool) -> PySseRehydrator {
        let inner = self.inner.sse_rehydrator();
        PySseRehydrator { inner: Mutex::new(Box::new(if json_answer { inner.json_answer() } else { inner })) }
    }

    /// The conversation as encrypted bytes, for a process that stops in the middle of a call.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.inner.to_bytes());
        Ok(PyBytes::new(py, &bytes.map_err(|error| errors::to_python(py, &error))?))
    }

    /// Take a conversation up again, with a masker that has the keys, the scope and the vault of the first.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, masker: &Bound<'_, PyMasker>, data: &[u8]) -> PyResult<Self> {
        let masker = &masker.get().inner;
        let inner = py.detach(|| Conversation::from_bytes(masker, data));
        Ok(Self { inner: inner.map_err(|error| errors::to_python(py, &error))? })
    }

    /// :meth:`mask_turn` in a thread of the event loop's pool.
    fn amask_turn<'py>(
        slf: &Bound<'py, Self>,
        role: &Bound<'py, PyAny>,
        text: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask_turn", &[role, text], None)
    }

    /// :meth:`mask_history` in a thread of the event loop's pool.
    fn amask_history<'py>(
        slf: &Bound<'py, Self>,
        history: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask_history", &[history], None)
    }

    /// :meth:`rehydrate` in a thread of the event loop's pool.
    fn arehydrate<'py>(slf: &Bound<'py, Self>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate", &[text], None)
    }

    /// :meth:`rehydrate_json` in a thread of the event loop's pool.
    fn arehydrate_json<'py>(slf: &Bound<'py, Self>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate_json", &[text], None)
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

    /// :meth:`mask_chat` in a thread of the event loop's pool.
    fn amask_chat<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "mask_chat", &[data], None)
    }

    /// :meth:`rehydrate_chat` in a thread of the event loop's pool.
    fn arehydrate_chat<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "rehydrate_chat", &[data], None)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        // The id may be a caller's number.
        format!("<Conversation: {} values>", self.value_count(py))
    }

    fn __reduce__(&self) -> PyResult<Py<PyBytes>> {
        Err(PyTypeError::new_err("a Conversation cannot be pickled; use to_bytes and from_bytes"))
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // The core leaves a stream as it was when a call fails.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct MaskerState {
    inner: StreamMasker,
    /// The message so far, for the places of its events.
    said: String,
    joint: Joint,
}

/// Masks a message that comes in parts of any size: what it gives is, joined, what the whole message would
/// give.
#[pyclass(name = "StreamMasker", module = "masker", frozen)]
pub(crate) struct PyStreamMasker {
    inner: Mutex<MaskerState>,
}

#[pymethods]
impl PyStreamMasker {
    /// Take the next part; give what has become certain, masked.
    fn push<'py>(&self, py: Python<'py>, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
        let text = read(text)?;
        let masked = py.detach(|| {
            let state = &mut *lock(&self.inner);
            state.said.push_str(&text);
            let masked = state.inner.push(&text)?;
            Ok(state.joint.next(&masked, false).into_owned())
        });
        write(py, &masked.map_err(|error| errors::to_python(py, &error))?)
    }

    /// How the message would go on if ``text`` came next and were its end. Nothing is remembered: this is for
    /// the partial results of speech recognisers.
    fn interim<'py>(&self, py: Python<'py>, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
        let text = read(text)?;
        let masked = py.detach(|| lock(&self.inner).inner.interim(&text));
        write(py, &masked.map_err(|error| errors::to_python(py, &error))?)
    }

    /// End the message: the rest of it, and the events of all of it. What is pushed then is the next message.
    fn finish(&self, py: Python<'_>) -> PyResult<PyMasked> {
        let finished = py.detach(|| {
            let state = &mut *lock(&self.inner);
            let mut masked = state.inner.finish()?;
            masked.text = state.joint.next(&masked.text, true).into_owned();
            Ok((masked, std::mem::take(&mut state.said)))
        });
        let (masked, said) = finished.map_err(|error| errors::to_python(py, &error))?;
        PyMasked::make(py, &said, masked)
    }

    /// How many bytes of UTF-8 are held back.
    #[getter]
    fn held(&self, py: Python<'_>) -> usize {
        py.detach(|| lock(&self.inner).inner.held())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<StreamMasker: {} bytes held>", self.held(py))
    }
}

/// Restores text that comes in parts of any size, and holds back only an end that may still become a token or
/// a live alias.
#[pyclass(name = "StreamRehydrator", module = "masker", frozen)]
pub(crate) struct PyStreamRehydrator {
    inner: Mutex<RehydratorState>,
}

struct RehydratorState {
    inner: StreamRehydrator,
    joint: Joint,
    dangling: usize,
}

impl PyStreamRehydrator {
    fn new(inner: StreamRehydrator) -> Self {
        Self { inner: Mutex::new(RehydratorState { inner, joint: Joint::default(), dangling: 0 }) }
    }
}

#[pymethods]
impl PyStreamRehydrator {
    /// Take the next part; give what has become certain, restored.
    fn push<'py>(&self, py: Python<'py>, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
        let text = read(text)?;
        let restored = py.detach(|| {
            let state = &mut *lock(&self.inner);
            let restored = state.inner.push(&text)?;
            Ok(state.joint.next(&restored, false).into_owned())
        });
        write(py, &restored.map_err(|error| errors::to_python(py, &error))?)
    }

    /// End the text and give what was held back. Then another may begin.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let rest = py.detach(|| {
            let state = &mut *lock(&self.inner);
            let (rest, dangling) = state.inner.flush()?;
            state.dangling = dangling.bytes;
            Ok(state.joint.next(&rest, true).into_owned())
        });
        write(py, &rest.map_err(|error| errors::to_python(py, &error))?)
    }

    /// How many bytes of UTF-8 are held back.
    #[getter]
    fn held(&self, py: Python<'_>) -> usize {
        py.detach(|| lock(&self.inner).inner.held())
    }

    /// How many bytes the last :meth:`flush` gave as they were, that might have become a token.
    #[getter]
    fn dangling(&self, py: Python<'_>) -> usize {
        py.detach(|| lock(&self.inner).dangling)
    }

    /// What was restored so far and what was not; its text is empty.
    #[getter]
    fn totals(&self, py: Python<'_>) -> PyResult<PyRestored> {
        let totals = py.detach(|| lock(&self.inner).inner.totals());
        PyRestored::make(py, totals)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<StreamRehydrator: {} bytes held>", self.held(py))
    }
}

/// A rehydrator of a stream whose way to make others has no name.
trait Sse: Send {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error>;
    fn finish(&mut self) -> Result<Vec<u8>, Error>;
    fn tally(&self) -> StreamTally;
}

impl<F: FnMut(StreamMode) -> StreamRehydrator + Send> Sse for SseRehydrator<StreamRehydrator, F> {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        SseRehydrator::push(self, bytes)
    }

    fn finish(&mut self) -> Result<Vec<u8>, Error> {
        SseRehydrator::finish(self)
    }

    fn tally(&self) -> StreamTally {
        SseRehydrator::tally(self)
    }
}

/// Restores the answers in the server-sent events of OpenAI chat completions and responses and Anthropic
/// messages, bytes to bytes. Every choice, tool call, item and block is a text of its own, and what one holds
/// back is sent before it ends.
#[pyclass(name = "SseRehydrator", module = "masker", frozen)]
pub(crate) struct PySseRehydrator {
    inner: Mutex<Box<dyn Sse>>,
}

#[pymethods]
impl PySseRehydrator {
    /// Take bytes from the server, cut anywhere, and give the bytes to send on.
    fn push<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let restored = py.detach(|| lock(&self.inner).push(data));
        Ok(PyBytes::new(py, &restored.map_err(|error| errors::to_python(py, &error))?))
    }

    /// End the stream and give the bytes that are left.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let rest = py.detach(|| lock(&self.inner).finish());
        Ok(PyBytes::new(py, &rest.map_err(|error| errors::to_python(py, &error))?))
    }

    /// What was restored so far and what was not; its text and its list of lost kinds are empty.
    #[getter]
    fn totals(&self, py: Python<'_>) -> PyResult<PyRestored> {
        PyRestored::counted(py, py.detach(|| lock(&self.inner).tally()))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<SseRehydrator: {} restored>", py.detach(|| lock(&self.inner).tally()).restored)
    }
}
