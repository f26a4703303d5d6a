use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::http::header;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;

use super::stub;
use super::turn::Turn;
use crate::error::{ApiError, Code, Result};
use crate::state::State;

/// The longest answer that is read whole, in bytes.
const MOST_ANSWER: usize = 64 << 20;
/// The longest error of an upstream that is looked at.
const MOST_ERROR: usize = 1 << 16;

/// Bytes of an answer as they come. An error is that it was cut off.
pub(super) type Chunks = Pin<Box<dyn Stream<Item = std::result::Result<Bytes, ()>> + Send>>;

pub(super) fn unreadable() -> ApiError {
    ApiError::new(Code::UpstreamError, "The upstream sent an answer that cannot be read.")
        .with("upstream_status", Value::Null)
}

pub(super) fn timeout() -> ApiError {
    ApiError::new(Code::UpstreamTimeout, "The upstream did not answer in time.")
}

/// Sends the masked request on; gives the answer once its head is there.
pub(super) async fn send(state: &State, turn: &mut Turn) -> Result<Chunks> {
    turn.upstream_since = Some(Instant::now());
    if let Some(options) = turn.stub.clone() {
        let answered = stub::answer(turn, &options, state.config.upstream.timeout).await;
        turn.upstream_status = Some(options.status);
        return answered;
    }
    let base = state.config.upstream.openai_base_url.as_str();
    let url = if base.ends_with("/v1") {
        format!("{base}/chat/completions")
    } else {
        format!("{base}/v1/chat/completions")
    };
    let mut request = state
        .http
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, if turn.wants_stream { "text/event-stream" } else { "application/json" })
        .body(turn.masked.clone());
    if let Some(key) = &turn.key {
        request = request.header(header::AUTHORIZATION, key);
    }
    let sent = tokio::time::timeout(state.config.upstream.timeout, request.send()).await;
    let response = match sent {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_timeout() => {
            state.upstream_gauge.note(false);
            return Err(timeout());
        }
        Ok(Err(_)) => {
            state.upstream_gauge.note(false);
            return Err(ApiError::new(Code::UpstreamError, "The upstream could not be reached.")
                .with("upstream_status", Value::Null));
        }
        Err(_) => {
            state.upstream_gauge.note(false);
            return Err(timeout());
        }
    };
    let status = response.status().as_u16();
    turn.upstream_status = Some(status);
    let is_good = (200..300).contains(&status);
    state.upstream_gauge.note(is_good);
    let retry = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let chunks: Chunks = Box::pin(response.bytes_stream().map(|chunk| chunk.map_err(|_| ())));
    if is_good {
        return Ok(chunks);
    }
    let text = read(chunks, state.config.upstream.timeout, MOST_ERROR).await.unwrap_or_default();
    Err(refused(turn, status, retry.as_deref(), &text).await)
}

/// The error for an upstream that said no, with its words masked.
pub(super) async fn refused(turn: &Turn, status: u16, retry: Option<&str>, text: &[u8]) -> ApiError {
    let said = serde_json::from_slice::<Value>(text).ok();
    let said = said.as_ref().and_then(|value| value.pointer("/error/message")).and_then(Value::as_str);
    let mut message = format!("The upstream answered {status}.");
    if let Some(said) = said {
        let (masker, said) = (turn.runtime.masker.clone(), said.chars().take(1000).collect::<String>());
        let masked = tokio::task::spawn_blocking(move || masker.mask(&said)).await;
        // What cannot be masked is not repeated.
        if let Ok(Ok(masked)) = masked {
            message = format!("The upstream answered {status}: {}", masked.text);
        }
    }
    let error = ApiError::new(Code::UpstreamError, message).with("upstream_status", status);
    match retry {
        Some(retry) => error.header(header::RETRY_AFTER, retry),
        None => error,
    }
}

async fn read(mut chunks: Chunks, silence: Duration, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(silence, chunks.next()).await {
            Err(_) => return Err(timeout()),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(()))) => return Err(unreadable()),
            Ok(Some(Ok(chunk))) => {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > most {
                    return Err(unreadable());
                }
            }
        }
    }
}

/// Reads an answer to its end.
pub(super) async fn read_whole(chunks: Chunks, silence: Duration) -> Result<String> {
    String::from_utf8(read(chunks, silence, MOST_ANSWER).await?).map_err(|_| unreadable())
}
