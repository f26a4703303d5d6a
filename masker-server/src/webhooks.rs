//! Webhooks: tells the addresses that an account names of what happened, in ids, states and counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::error::Result;
use crate::ids::{self, Prefix};
use crate::outgoing::{self, CallError};
use crate::state::State;
use crate::store::model::{Delivery, Webhook};
use crate::store::{self, Change, Kind, Store};
use crate::time;

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before each further try.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Deliveries that fail one after the other before the webhook is switched off.
const MOST_FAILURES: u32 = 20;
/// Deliveries remembered of each webhook.
const KEPT: usize = 100;
/// Deliveries on their way at one time.
const AT_ONCE: usize = 16;
/// Deliveries that wait for their turn, beyond which they are given up.
const MOST_WAITING: usize = 10_000;

/// What is told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    AgentCreated,
    AgentDeleted,
    AgentRestored,
    AgentStatusChanged,
    AuditChainBroken,
    RehydrationFailed,
    SessionCompleted,
    /// Sent when somebody tries a webhook, whatever it listens to.
    Test,
}

impl Event {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AgentCreated => "agent.created",
            Self::AgentDeleted => "agent.deleted",
            Self::AgentRestored => "agent.restored",
            Self::AgentStatusChanged => "agent.status_changed",
            Self::AuditChainBroken => "audit.chain_broken",
            Self::RehydrationFailed => "rehydration.failed",
            Self::SessionCompleted => "session.completed",
            Self::Test => "webhook.test",
        }
    }
}

/// The names a webhook may listen to.
pub(crate) const NAMES: [&str; 8] = [
    "agent.created",
    "agent.status_changed",
    "agent.deleted",
    "agent.restored",
    "session.completed",
    "rehydration.failed",
    "audit.chain_broken",
    "*",
];

/// The webhooks in memory, so that an event nobody listens to costs nothing.
pub(crate) struct Webhooks {
    by_account: RwLock<HashMap<String, Vec<Arc<Webhook>>>>,
    /// Held while webhooks are made, changed or removed.
    changing: Mutex<()>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Webhooks {
    pub(crate) fn load(store: &dyn Store) -> store::Result<Self> {
        let webhooks = Self {
            by_account: RwLock::default(),
            changing: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
        };
        for webhook in store.load_all::<Webhook>(None)? {
            webhooks.set(webhook);
        }
        Ok(webhooks)
    }

    pub(crate) fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a webhook. The caller holds the right to change.
    pub(crate) fn save(&self, store: &dyn Store, webhook: Webhook) -> store::Result<()> {
        store.save(&webhook)?;
        self.set(webhook);
        Ok(())
    }

    fn set(&self, webhook: Webhook) {
        let mut all = self.by_account.write().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(webhook.account_id.clone()).or_default();
        own.retain(|other| other.id != webhook.id);
        own.push(Arc::new(webhook));
    }

    /// Removes a webhook with what is remembered of it. The caller holds the right to change.
    pub(crate) fn remove(&self, store: &dyn Store, webhook: &Webhook) -> store::Result<()> {
        let id = webhook.id.clone();
        store.write(vec![
            Change::DeleteByKey(Kind::Delivery, id.clone()),
            Change::Delete(Kind::Webhook, id),
        ])?;
        let mut all = self.by_account.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&webhook.account_id) {
            own.retain(|other| other.id != webhook.id);
        }
        Ok(())
    }

    pub(crate) fn find(&self, account: &str, id: &str) -> Option<Arc<Webhook>> {
        let all = self.by_account.read().unwrap_or_else(PoisonError::into_inner);
        all.get(account)?.iter().find(|webhook| webhook.id == id).cloned()
    }

    fn listening(&self, account: &str, event: Event) -> Vec<Arc<Webhook>> {
        let all = self.by_account.read().unwrap_or_else(PoisonError::into_inner);
        let own = all.get(account).into_iter().flatten();
        let hears = |webhook: &&Arc<Webhook>| {
            webhook.active && webhook.events.iter().any(|name| name == "*" || name == event.as_str())
        };
        own.filter(hears).cloned().collect()
    }

    fn accounts(&self) -> Vec<String> {
        self.by_account.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// Tells those of an account who listen; returns at once.
pub(crate) fn emit(state: &State, account: &str, event: Event, data: impl FnOnce() -> Value) {
    let listening = state.webhooks.listening(account, event);
    if listening.is_empty() {
        return;
    }
    let (Some(state), Ok(runtime)) = (state.itself(), tokio::runtime::Handle::try_current()) else {
        return;
    };
    let letter = letter(account, event, &data());
    for webhook in listening {
        if state.webhooks.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            state.webhooks.waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::error!(webhook = webhook.id, "too many deliveries wait; one was given up");
            continue;
        }
        let (state, letter) = (state.clone(), letter.clone());
        runtime.spawn(async move {
            // The semaphore is never closed.
            let _turn = state.webhooks.turns.clone().acquire_owned().await;
            let delivery = deliver(&state, &webhook, event, &letter).await;
            state.webhooks.waiting.fetch_sub(1, Ordering::Relaxed);
            state.blocking(move |state| note(state, &webhook, &delivery)).await;
        });
    }
}

/// Tells every account that the chain of the audit log does not hold.
pub(crate) fn chain_broken(state: &State, first_bad_seq: Option<u64>) {
    for account in state.webhooks.accounts() {
        emit(state, &account, Event::AuditChainBroken, || json!({ "first_bad_seq": first_bad_seq }));
    }
}

fn letter(account: &str, event: Event, data: &Value) -> Value {
    json!({
        "event_id": ids::new(Prefix::Event),
        "event": event.as_str(),
        "account_id": account,
        "timestamp": time::format(time::now()),
        "data": data,
    })
}

/// Tries one webhook once, whatever it listens to.
pub(crate) fn test(state: &State, webhook: &Webhook) -> Delivery {
    let letter = letter(&webhook.account_id, Event::Test, &json!({ "webhook_id": webhook.id }));
    let created_at = time::now();
    let secret = secret(state, webhook);
    let sent = outgoing::post_once(state, &webhook.url, secret.as_deref(), &letter, PATIENCE);
    let status = sent.as_ref().ok().copied();
    delivery(webhook, Event::Test, &letter, created_at, 1, status)
}

fn secret(state: &State, webhook: &Webhook) -> Option<String> {
    state.keys.open_secret(&format!("{}/secret", webhook.id), &webhook.secret)
}

fn is_good(status: Option<u16>) -> bool {
    status.is_some_and(|status| (200..300).contains(&status))
}

fn delivery(
    webhook: &Webhook,
    event: Event,
    letter: &Value,
    created_at: i64,
    attempts: u32,
    response_status: Option<u16>,
) -> Delivery {
    Delivery {
        id: format!("{}/{}", webhook.id, letter["event_id"].as_str().unwrap_or_default()),
        event_id: letter["event_id"].as_str().unwrap_or_default().to_owned(),
        account_id: webhook.account_id.clone(),
        webhook_id: webhook.id.clone(),
        event: event.as_str().to_owned(),
        succeeded: is_good(response_status),
        attempts,
        response_status,
        created_at,
        completed_at: time::now(),
    }
}

async fn deliver(state: &State, webhook: &Webhook, event: Event, letter: &Value) -> Delivery {
    let created_at = time::now();
    let secret = secret(state, webhook);
    let (mut attempts, mut status) = (0, None);
    for wait in std::iter::once(None).chain(WAITS.iter().map(Some)) {
        if let Some(wait) = wait {
            tokio::time::sleep(*wait).await;
            // One that was switched off or removed meanwhile is left alone.
            let still = state.webhooks.find(&webhook.account_id, &webhook.id);
            if !still.is_some_and(|still| still.active) || state.is_draining() {
                break;
            }
        }
        attempts += 1;
        let sent = outgoing::post(state, &webhook.url, secret.as_deref(), letter, PATIENCE).await;
        let is_refused = matches!(sent, Err(CallError::Private));
        status = sent.ok().map(|(status, _)| status);
        if is_good(status) || is_refused {
            break;
        }
    }
    delivery(webhook, event, letter, created_at, attempts, status)
}

/// Remembers a delivery, and switches off what is never reached.
fn note(state: &State, webhook: &Webhook, delivery: &Delivery) {
    let _changing = state.webhooks.change();
    let Some(webhook) = state.webhooks.find(&webhook.account_id, &webhook.id) else { return };
    if let Err(error) = write_down(state, &webhook, delivery) {
        tracing::error!(reason = error.message(), "a delivery was not written down");
    }
}

fn write_down(state: &State, webhook: &Webhook, delivery: &Delivery) -> Result<()> {
    remember(state, delivery)?;
    let failures = if delivery.succeeded { 0 } else { webhook.failures.saturating_add(1) };
    if failures == webhook.failures {
        return Ok(());
    }
    let is_off = failures >= MOST_FAILURES;
    if is_off && webhook.active {
        tracing::warn!(webhook = webhook.id, "the webhook is never reached and is switched off");
    }
    let changed = Webhook { failures, active: webhook.active && !is_off, ..webhook.clone() };
    Ok(state.webhooks.save(&*state.store, changed)?)
}

/// Keeps a delivery, and of earlier ones the latest.
pub(crate) fn remember(state: &State, delivery: &Delivery) -> Result<()> {
    let trim = Change::Trim(Kind::Delivery, delivery.webhook_id.clone(), KEPT);
    Ok(state.store.write(vec![Change::put(delivery), trim])?)
}
