//! The proxy: masks a chat request, sends it on, restores what comes back.
//!
//! Nothing goes upstream unless it was masked and the events about it are in the log.

mod answer;
mod begin;
mod request;
mod stream;
mod stub;
mod turn;
mod upstream;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;

pub(crate) use self::begin::authorise;
pub(crate) use self::webhook::webhook;
use crate::error::{ApiError, Code, Result};
use crate::http::Context;
use crate::state::wait;

/// How long a turn takes before it is written down that it goes on.
const SHOWN_AFTER: Duration = Duration::from_millis(50);

/// Serves one chat completion request.
pub(crate) async fn chat(context: Context) -> Result<Response> {
    let state = context.state.clone();
    let begun = wait(move || begin::begin(&context)).await;
    let mut turn = begun.map_err(|_| ApiError::internal(&"masking panicked"))??;
    if !turn.wants_stream {
        show_later(&turn);
    }
    let mut terminated = turn.live.watch();
    let sent = tokio::select! {
        sent = upstream::send(&state, &mut turn) => sent,
        _ = terminated.wait_for(|terminated| *terminated) => Err(crate::sessions::terminated_error()),
    };
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Err(fail(turn, error).await),
    };
    if turn.wants_stream {
        return Ok(stream::respond(turn, response));
    }
    let whole = tokio::select! {
        whole = upstream::read_whole(response, state.config.upstream.timeout) => whole,
        _ = terminated.wait_for(|terminated| *terminated) => Err(crate::sessions::terminated_error()),
    };
    match whole {
        Ok(text) => {
            turn.upstream_done();
            let answered = wait(move || answer::restore(turn, &text)).await;
            answered.map_err(|_| ApiError::internal(&"restoring panicked"))?
        }
        Err(error) => Err(fail(turn, error).await),
    }
}

/// Lets a turn be seen that does not end at once.
fn show_later(turn: &turn::Turn) {
    // What is over by then is held no longer for this.
    let (state, live) = (Arc::downgrade(&turn.state), Arc::downgrade(&turn.live));
    tokio::spawn(async move {
        tokio::time::sleep(SHOWN_AFTER).await;
        let (Some(state), Some(live)) = (state.upgrade(), live.upgrade()) else { return };
        if live.is_shown() {
            return;
        }
        if let Err(error) = state.blocking(move |state| live.show(state)).await {
            tracing::error!(reason = error.message(), "an open session was not written down");
        }
    });
}

/// Ends a turn that got no answer.
async fn fail(mut turn: turn::Turn, error: ApiError) -> ApiError {
    turn.upstream_done();
    let code = match error.code() {
        Code::UpstreamTimeout => "upstream_timeout",
        Code::UpstreamError => "upstream_error",
        Code::SessionTerminated => "terminated",
        _ => "internal_error",
    };
    let done = wait(move || {
        turn.finish(turn::Outcome { error_code: Some(code), status: "error", ..turn::Outcome::default() });
    });
    let _ = done.await;
    error
}
