use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock};

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Query, Reply, object};
use crate::auth::Caller;
use crate::error::{ApiError, Code, Result};
use crate::ids::{self, Prefix};
use crate::limits::Verdict;
use crate::state::State;
use crate::store::model::Role;
use crate::store::{Claimed, KeptAnswer};
use crate::time;

/// A request on its way through a handler.
pub(crate) struct Context {
    pub(crate) state: Arc<State>,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
    pub(crate) caller: Option<Caller>,
    pub(crate) request_id: String,
    pub(crate) client: IpAddr,
    pub(crate) received: std::time::Instant,
    pub(crate) received_at: i64,
    /// What the bucket said that the request took from, if any.
    pub(crate) verdict: Arc<OnceLock<Verdict>>,
    pub(crate) claim: Arc<Mutex<Claim>>,
}

/// What became of the request's idempotency key.
#[derive(Debug, Default)]
pub(crate) enum Claim {
    /// It has none, or its handler has not come so far.
    #[default]
    None,
    /// Its answer is to be kept.
    Taken(Taken),
    /// The answer of its first run.
    Replay(Reply),
}

/// An idempotency key that a request has. It is given free when this is dropped, unless an answer was kept under it: a handler
/// that panics leaves none.
pub(crate) struct Taken {
    state: Arc<State>,
    /// Credential, path and key; nothing once the key is settled.
    place: Option<(String, String, String)>,
}

impl Taken {
    /// Keeps an answer for repeats of the request.
    ///
    /// # Errors
    ///
    /// When it cannot be kept; the key is given free then.
    pub(crate) fn keep(mut self, answer: &KeptAnswer) -> Result<()> {
        if let Some((credential, path, key)) = &self.place {
            self.state.store.settle(credential, path, key, Some(answer))?;
        }
        self.place = None;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some((credential, path, key)) = self.place.take() else { return };
        let free = move |state: &State| Ok(state.store.settle(&credential, &path, &key, None)?);
        // A repeat would be told that the request is running until the key has had its day.
        if free(&self.state).is_err() {
            self.state.owed.add(free);
        }
    }
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taken").finish_non_exhaustive()
    }
}

/// What `If-Match` asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Precondition(Option<Vec<String>>);

impl Precondition {
    /// No condition.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// # Errors
    ///
    /// 412 where the resource has another revision.
    pub(crate) fn check(&self, revision: u64) -> Result<()> {
        let tag = format!("\"{revision}\"");
        self.holds(|asked| asked == "*" || asked == tag)
    }

    /// # Errors
    ///
    /// 412 where any revision is asked for, of a resource that is yet to be made.
    pub(crate) fn check_absent(&self) -> Result<()> {
        self.holds(|_| false)
    }

    fn holds(&self, fits: impl Fn(&str) -> bool) -> Result<()> {
        match &self.0 {
            Some(tags) if !tags.iter().any(|tag| fits(tag)) => Err(ApiError::new(
                Code::PreconditionFailed,
                "The resource has changed since the ETag given in If-Match.",
            )),
            _ => Ok(()),
        }
    }
}

impl Context {
    /// Who asks. Only for routes that need a credential.
    pub(crate) fn caller(&self) -> &Caller {
        self.caller.as_ref().expect("the route needs a credential, which was checked before the handler")
    }

    pub(crate) fn account(&self) -> &str {
        &self.caller().user.account_id
    }

    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// An id in the path, or nothing where it is none of this prefix.
    pub(crate) fn id(&self, name: &str, prefix: Prefix) -> Option<String> {
        ids::parse(prefix, self.param(name))
    }

    pub(crate) fn object(&self) -> Result<Map<String, Value>> {
        object(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn precondition(&self) -> Precondition {
        let tags = self.header("if-match");
        Precondition(
            tags.map(|tags| {
                tags.split(',').map(|tag| tag.trim().trim_start_matches("W/").to_owned()).collect()
            }),
        )
    }

    /// Notes what a bucket says, which the answer tells, and refuses where it is empty.
    ///
    /// # Errors
    ///
    /// 429 where the request has to wait.
    pub(crate) fn admit(&self, verdict: Verdict) -> Result<()> {
        // A request takes from one bucket.
        let _ = self.verdict.set(verdict);
        if verdict.allowed {
            return Ok(());
        }
        let seconds = verdict.retry_seconds;
        Err(ApiError::new(Code::RateLimited, "Too many requests; wait a little.")
            .with("retry_after", seconds)
            .header(axum::http::header::RETRY_AFTER, &seconds.to_string()))
    }

    /// Refuses who has not at least this role.
    pub(crate) fn need_role(&self, role: Role) -> Result<()> {
        if self.caller().user.role < role {
            return Err(ApiError::forbidden("role", role.as_str()));
        }
        Ok(())
    }

    /// Takes the request's idempotency key, once its syntax is known to be good; what was done already is answered from memory.
    ///
    /// # Errors
    ///
    /// When the key was used for something else, or for the same and is not done. A replay is an error for the handler only: it
    /// ends there, and the answer of the first run is given.
    pub(crate) fn begin(&self) -> Result<()> {
        let Some(value) = self.headers.get("idempotency-key") else { return Ok(()) };
        let key = value.to_str().unwrap_or_default();
        if !(1..=128).contains(&key.len()) || !key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let message = "1 to 128 printable ASCII characters are needed.";
            return Err(ApiError::field("Idempotency-Key", "bad_format", message));
        }
        let credential = self.caller().credential_id();
        let body = crate::crypto::sha256(&self.body);
        match self.state.store.claim(&credential, &self.path, key, &body, time::now())? {
            Claimed::New => {
                let place = Some((credential, self.path.clone(), key.to_owned()));
                let claim = Claim::Taken(Taken { state: self.state.clone(), place });
                *self.claim.lock().expect("nothing panics with the claim in hand") = claim;
                Ok(())
            }
            Claimed::Running => Err(ApiError::new(
                Code::IdempotencyInProgress,
                "The first request with this key is still running.",
            )
            .header(axum::http::header::RETRY_AFTER, "1")),
            Claimed::Different => Err(ApiError::new(
                Code::IdempotencyKeyReused,
                "The key was used for a request with another body.",
            )),
            Claimed::Done(answer) => {
                let mut reply = Reply::bytes(answer.status, "application/json", answer.body);
                for line in answer.headers.lines() {
                    if let Some((name, value)) = line.split_once(": ")
                        && let Ok(name) = axum::http::HeaderName::from_bytes(name.as_bytes())
                    {
                        reply = reply.with(name, value);
                    }
                }
                let reply = reply.named("idempotency-replayed", "true");
                *self.claim.lock().expect("nothing panics with the claim in hand") = Claim::Replay(reply);
                Err(ApiError::new(Code::IdempotencyInProgress, "answered from memory"))
            }
        }
    }
}
