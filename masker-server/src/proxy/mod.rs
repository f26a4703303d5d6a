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

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;

pub(crate) use self::begin::authorise;
pub(crate) use self::webhook::webhook;
use crate::error::{ApiError, Code, Result};
use crate::http::Context;
use crate::sessions::Live;
use crate::state::State;

/// How long a turn takes before it is written down that it goes on.
const SHOWN_AFTER: Duration = Duration::from_millis(50);

/// Serves one chat completion request.
pub(crate) async fn chat(context: Context) -> Result<Response> {
    let state = context.state.clone();
    let begun = state.briefly(move || begin::begin(&context)).await;
    let mut turn = begun.map_err(|_| ApiError::internal(&"masking panicked"))??;
    let live = turn.live.clone();
    if turn.wants_stream {
        let sent = until_terminated(&live, upstream::send(&state, &mut turn)).await;
        return match sent {
            Ok(response) => Ok(stream::respond(turn, response)),
            Err(error) => Err(fail(turn, error).await),
        };
    }
    let whole = async {
        let response = upstream::send(&state, &mut turn).await?;
        upstream::read_whole(response, state.config.upstream.timeout).await
    };
    let whole = shown_meanwhile(&state, &live, until_terminated(&live, whole)).await;
    match whole {
        Ok(text) => {
            turn.upstream_done();
            let answered = state.briefly(move || answer::restore(turn, &text)).await;
            answered.map_err(|_| ApiError::internal(&"restoring panicked"))?
        }
        Err(error) => Err(fail(turn, error).await),
    }
}

/// Waits for upstream, or for somebody to cut the session off.
async fn until_terminated<T>(live: &Live, upstream: impl Future<Output = Result<T>>) -> Result<T> {
    let mut terminated = live.watch();
    tokio::select! {
        biased;
        _ = terminated.wait_for(|terminated| *terminated) => Err(crate::sessions::terminated_error()),
        answered = upstream => answered,
    }
}

/// Lets a turn be seen that does not end at once.
async fn shown_meanwhile<T>(state: &Arc<State>, live: &Arc<Live>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    // The work comes first: what is over at once never sets a timer.
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(SHOWN_AFTER) => {}
    }
    let (shown, seen) = (state.clone(), live.clone());
    if let Ok(Err(error)) = state.briefly(move || seen.show(&shown)).await {
        tracing::error!(reason = error.message(), "an open session was not written down");
    }
    work.await
}

/// Ends a turn that got no answer.
async fn fail(mut turn: turn::Turn, error: ApiError) -> ApiError {
    turn.upstream_done();
    let state = turn.state.clone();
    let code = match error.code() {
        Code::UpstreamTimeout => "upstream_timeout",
        Code::UpstreamError => "upstream_error",
        Code::SessionTerminated => "terminated",
        _ => "internal_error",
    };
    let done = state.briefly(move || {
        turn.finish(turn::Outcome { error_code: Some(code), status: "error", ..turn::Outcome::default() })
    });
    match done.await {
        Ok(Ok(())) => error,
        Ok(Err(unwritten)) => unwritten,
        Err(_) => ApiError::internal(&"writing a turn down panicked"),
    }
}
