use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;
use masker_core::payload::{SseDecoder, SseEvent, SseRehydrator, StreamMode, StreamRestorer, StreamTally};
use masker_core::{Conversation, Error, Kind, StreamRehydrator};
use serde_json::Value;
use tokio::sync::mpsc;

use super::answer::{reasons, redacted, rename, unfinished};
use super::turn::{Outcome, Turn};
use super::upstream::{Chunks, timeout, unreadable};
use crate::error::ApiError;
use crate::sessions::terminated_error;
use crate::state::State;

/// Frames that wait for a slow caller before upstream has to wait too.
const WAITING: usize = 8;

/// Tokens lost in any of the texts of a stream.
type Lost = Arc<Mutex<Vec<(&'static str, Kind)>>>;

/// Restores one text of a stream; half a token at its end is replaced.
struct Restorer {
    inner: StreamRehydrator,
    lost: Lost,
}

impl StreamRestorer for Restorer {
    fn push(&mut self, piece: &str) -> Result<String, Error> {
        self.inner.push(piece)
    }

    fn finish(&mut self) -> Result<String, Error> {
        let (mut text, dangling) = self.inner.flush()?;
        let totals = self.inner.totals();
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.extend(reasons(totals.unknown, totals.foreign, totals.lost));
        if dangling.bytes > 0
            && let Some((at, kind)) = unfinished(&text)
        {
            text.truncate(at);
            text.push_str(&redacted(kind.as_ref()));
            lost.push(("truncated", kind.unwrap_or(Kind::Id)));
        }
        Ok(text)
    }

    fn tally(&self) -> StreamTally {
        let totals = self.inner.totals();
        StreamTally {
            restored: totals.restored,
            unknown: totals.unknown,
            foreign: totals.foreign,
            ambiguous: totals.ambiguous,
        }
    }
}

type Open = Box<dyn FnMut(StreamMode) -> Restorer + Send>;

/// What reads the upstream's events and writes the caller's.
struct Reader {
    rehydrator: SseRehydrator<Restorer, Open>,
    decoder: SseDecoder,
    names: std::collections::HashMap<String, String>,
    /// The words as they came, and what was sent on, where payloads are kept.
    returned: String,
    raw: Option<String>,
    sent: Option<String>,
    finish_reason: Option<String>,
    done: bool,
}

impl Reader {
    fn new(turn: &Turn, lost: &Lost) -> Self {
        let (conversation, lost): (Conversation, Lost) = (turn.conversation().clone(), lost.clone());
        let open: Open = Box::new(move |mode| {
            let inner = match mode {
                StreamMode::JsonString => conversation.stream_json_rehydrator(),
                _ => conversation.stream_rehydrator(),
            };
            Restorer { inner, lost: lost.clone() }
        });
        let rehydrator = SseRehydrator::new(open);
        Self {
            rehydrator: if turn.json_answer { rehydrator.json_answer() } else { rehydrator },
            decoder: SseDecoder::new(),
            names: turn.names.clone(),
            returned: String::new(),
            raw: turn.keep_payloads.then(String::new),
            sent: turn.keep_payloads.then(String::new),
            finish_reason: None,
            done: false,
        }
    }

    /// Takes bytes; gives those to send on, the closing event left out.
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for event in self.decoder.push(bytes)? {
            self.event(event, &mut out)?;
        }
        Ok(out)
    }

    fn end(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        if let Some(event) = self.decoder.finish() {
            self.event(event, &mut out)?;
        }
        let rest = self.rehydrator.finish()?;
        if !self.done {
            out.extend(rest);
        }
        Ok(out)
    }

    fn event(&mut self, event: SseEvent, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.done {
            return Ok(());
        }
        self.look(&event);
        for mut event in self.rehydrator.event(event)? {
            if event.data.as_deref().is_some_and(|data| data.trim() == "[DONE]") {
                self.done = true;
                continue;
            }
            self.put_names_back(&mut event);
            let text = event.to_string();
            if let Some(sent) = &mut self.sent {
                sent.push_str(&text);
            }
            out.extend(text.into_bytes());
        }
        Ok(())
    }

    /// Notes what the session is told of an event.
    fn look(&mut self, event: &SseEvent) {
        let Some(data) = &event.data else { return };
        if let Some(raw) = &mut self.raw {
            raw.push_str(&event.to_string());
        }
        let Ok(value) = serde_json::from_str::<Value>(data) else { return };
        for choice in value["choices"].as_array().into_iter().flatten() {
            if let Some(reason) = choice["finish_reason"].as_str() {
                self.finish_reason = Some(reason.to_owned());
            }
            let delta = &choice["delta"];
            for name in ["content", "refusal", "reasoning_content", "reasoning"] {
                self.returned.push_str(delta[name].as_str().unwrap_or_default());
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                self.returned.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
        }
    }

    fn put_names_back(&self, event: &mut SseEvent) {
        if self.names.is_empty() {
            return;
        }
        let Some(mut value) = event.data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok())
        else {
            return;
        };
        let mut changed = false;
        for choice in value.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
            changed |= choice.get_mut("delta").is_some_and(|delta| rename(delta, &self.names));
        }
        if changed {
            event.data = Some(value.to_string());
        }
    }
}

/// Answers with a stream that is restored as it comes.
pub(super) fn respond(turn: Turn, chunks: Chunks) -> Response {
    let (sender, receiver) = mpsc::channel::<Bytes>(WAITING);
    let session = turn.live.id.clone();
    let redactions = turn.redactions;
    tokio::spawn(pump(turn, chunks, sender));
    let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|bytes| (Ok::<_, Infallible>(bytes), receiver))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert("masker-session-id", HeaderValue::from_str(&session).expect("ids are ASCII"));
    headers.insert("masker-redactions", redactions.into());
    // Proxies in between would otherwise gather what should be heard at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Why a stream ended.
enum Stop {
    /// The caller went away.
    Closed,
    /// It said that it was done, or simply ended.
    Ended,
    Failed(&'static str, ApiError),
}

async fn pump(mut turn: Turn, mut chunks: Chunks, sender: mpsc::Sender<Bytes>) {
    let _busy = turn.state.busy.clone();
    let lost = Lost::default();
    let mut reader = Reader::new(&turn, &lost);
    let silence = turn.state.config.upstream.timeout;
    let mut terminated = turn.live.watch();
    let stop = loop {
        let chunk = tokio::select! {
            biased;
            () = sender.closed() => break Stop::Closed,
            _ = terminated.wait_for(|terminated| *terminated) => break Stop::Failed("terminated", terminated_error()),
            chunk = tokio::time::timeout(silence, chunks.next()) => chunk,
        };
        let bytes = match chunk {
            Err(_) => break Stop::Failed("upstream_timeout", timeout()),
            Ok(None) => break Stop::Ended,
            Ok(Some(Err(()))) => break Stop::Failed("stream_cut", unreadable()),
            Ok(Some(Ok(bytes))) => bytes,
        };
        let since = Instant::now();
        let (back, out) = match work(&turn.state, reader, move |reader| reader.push(&bytes)).await {
            Ok(done) => done,
            Err(error) => return drop_with(turn, error, &sender).await,
        };
        reader = back;
        turn.restored_for(since);
        match out {
            Ok(out) if out.is_empty() => {}
            Ok(out) => {
                if sender.send(Bytes::from(out)).await.is_err() {
                    break Stop::Closed;
                }
            }
            Err(error) => break Stop::Failed("internal_error", error.into()),
        }
        if reader.done {
            break Stop::Ended;
        }
    };
    // Dropping it tells upstream that nobody listens any more.
    drop(chunks);
    turn.upstream_done();
    if let Stop::Closed = stop {
        let outcome = outcome(&mut reader, &lost, "partial", Some("client_disconnected"));
        // Nobody is left to be told.
        let _ = finish(turn, outcome).await;
        return;
    }
    let since = Instant::now();
    let (back, rest) = match work(&turn.state, reader, Reader::end).await {
        Ok(done) => done,
        Err(error) => return drop_with(turn, error, &sender).await,
    };
    reader = back;
    turn.restored_for(since);
    let stop = match (stop, &rest) {
        (_, Err(_)) => Stop::Failed("internal_error", ApiError::internal(&"restoring failed")),
        (Stop::Ended, Ok(_)) if !reader.done && reader.finish_reason.is_none() => {
            Stop::Failed("stream_cut", unreadable())
        }
        (stop, _) => stop,
    };
    let mut last = rest.unwrap_or_default();
    let (status, code, failure) = match stop {
        Stop::Failed(code, error) => {
            (if code == "terminated" { "error" } else { "partial" }, Some(code), Some(error))
        }
        _ => ("ok", None, None),
    };
    let request_id = turn.request_id.clone();
    let outcome = outcome(&mut reader, &lost, status, code);
    // The row is there before the caller has the last byte; where it cannot be, the answer does not come to its end.
    let written = finish(turn, outcome).await;
    if let Some(error) = failure.or(written.err()) {
        let body = error.body(&request_id, true);
        last.extend(SseEvent::data(body.to_string()).to_string().into_bytes());
    }
    last.extend_from_slice(b"data: [DONE]\n\n");
    let _ = sender.send(Bytes::from(last)).await;
}

fn outcome(reader: &mut Reader, lost: &Lost, status: &'static str, code: Option<&'static str>) -> Outcome {
    Outcome {
        status,
        error_code: code,
        finish_reason: reader.finish_reason.take(),
        lost: std::mem::take(&mut *lost.lock().unwrap_or_else(PoisonError::into_inner)),
        returned: std::mem::take(&mut reader.returned),
        upstream_response: reader.raw.take(),
        response: reader.sent.take(),
    }
}

async fn finish(turn: Turn, outcome: Outcome) -> crate::error::Result<()> {
    let state = turn.state.clone();
    let finished = state.briefly(move || turn.finish(outcome)).await;
    finished.unwrap_or_else(|_| Err(ApiError::internal(&"writing a turn down panicked")))
}

/// Runs a step that may wait for the vault.
async fn work<T: Send + 'static>(
    state: &State,
    mut reader: Reader,
    step: impl FnOnce(&mut Reader) -> T + Send + 'static,
) -> Result<(Reader, T), ApiError> {
    let done = state.briefly(move || {
        let out = step(&mut reader);
        (reader, out)
    });
    done.await.map_err(|_| ApiError::internal(&"restoring panicked"))
}

async fn drop_with(turn: Turn, error: ApiError, sender: &mpsc::Sender<Bytes>) {
    let body = error.body(&turn.request_id, true);
    let outcome = Outcome { status: "partial", error_code: Some("internal_error"), ..Outcome::default() };
    // The caller is told of the first failure.
    let _ = finish(turn, outcome).await;
    let text = format!("{}data: [DONE]\n\n", SseEvent::data(body.to_string()));
    let _ = sender.send(Bytes::from(text)).await;
}
