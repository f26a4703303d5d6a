//! Open sessions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use masker_core::audit::{AuditEvent, EventKind, Stored, hash_hex};
use masker_core::{Conversation, Kind, MaskedPayload, Masker};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::agents::{Open, Runtime, Slot};
use crate::error::{ApiError, Code, Result};
use crate::ids::{self, Prefix};
use crate::state::State;
use crate::store::model::{RehydrateScope, SessionDetail, Status, Turn};
use crate::store::{EventRow, SessionQuery, SessionRow, SessionWrite};
use crate::time;
use crate::webhooks::{self, Event};

/// One open session.
pub(crate) struct Live {
    pub(crate) id: String,
    pub(crate) slot: Arc<Slot>,
    /// The configuration it began with; each turn has its own.
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) key: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) conversation: Conversation,
    terminated: watch::Sender<bool>,
    in_flight: AtomicUsize,
    last_at: AtomicI64,
    /// Held while an event is appended and until its hash has its place: the hashes of a session stand in the order of the log.
    /// Of the locks it comes before that of the slot's open sessions.
    progress: Mutex<Progress>,
}

/// What is known of a session so far.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) turns: i64,
    /// The number of the last turn that began. One that was refused does not count, and its number is not given again.
    last_number: i64,
    pub(crate) overhead_us: i64,
    pub(crate) detail: SessionDetail,
    masked: Sha256,
    answered: bool,
    flawed: bool,
    pub(crate) log_gap_told: bool,
    /// How and when it ended, once it has.
    ended: Option<(&'static str, i64)>,
    stored: bool,
    /// Hashes of audit events that its row does not have yet.
    unwritten_hashes: Vec<u8>,
    last_turn_end: i64,
    /// The hash of the last request and what masking made of it, where repeats are reused.
    pub(crate) last_request: Option<([u8; 32], MaskedPayload)>,
}

/// What a turn that is over changes, and one that is lost did not.
#[derive(Clone, Copy, Default)]
struct SoFar {
    answered: bool,
    payloads_stored: bool,
}

/// How a session comes to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    Normally,
    Terminated,
}

/// What a turn leaves behind.
pub(crate) struct TurnRecord {
    pub(crate) number: i64,
    pub(crate) turn: Turn,
    pub(crate) events: Vec<EventRow>,
    pub(crate) stages_us: [u64; 4],
    pub(crate) overhead_us: i64,
    pub(crate) payloads: Vec<(&'static str, String)>,
    /// Why it is not simply `ok`.
    pub(crate) error_code: Option<&'static str>,
    /// Tokens that could not be restored, by reason and kind.
    pub(crate) lost: Vec<(&'static str, Kind)>,
}

/// A session that a turn may go on in.
pub(crate) struct Admission {
    pub(crate) live: Arc<Live>,
    /// Whether it was opened for this turn.
    pub(crate) is_new: bool,
}

impl Live {
    fn new(
        slot: &Arc<Slot>,
        runtime: Arc<Runtime>,
        masker: &Masker,
        key: Option<&str>,
        external_id: Option<String>,
        started_at: i64,
    ) -> Self {
        let id = ids::new(Prefix::Session);
        let now = time::now();
        let detail = SessionDetail {
            policy_name: runtime.policy.name.clone(),
            policy_version: runtime.policy.revision,
            policy_sha256: runtime.policy.sha256.clone(),
            tokenization: runtime.tokenization().to_owned(),
            platform: runtime.agent.platform.clone(),
            upstream_model: runtime.model().to_owned(),
            ..SessionDetail::default()
        };
        let conversation = match runtime.agent.rehydrate_scope {
            RehydrateScope::Agent => masker.conversation_in_scope(&id),
            RehydrateScope::Session => masker.conversation(&id),
        };
        Self {
            conversation,
            id,
            slot: slot.clone(),
            runtime,
            key: key.map(str::to_owned),
            external_id,
            started_at,
            terminated: watch::Sender::new(false),
            in_flight: AtomicUsize::new(0),
            last_at: AtomicI64::new(now),
            progress: Mutex::new(Progress { detail, last_turn_end: now, ..Progress::default() }),
        }
    }

    /// Opens a session, or finds the one with this key; from here until [`Live::leave`] the turn counts as in flight.
    pub(crate) fn admit(
        state: &State,
        slot: &Arc<Slot>,
        masker: &Masker,
        key: Option<&str>,
        takes_part: bool,
        received_at: i64,
    ) -> Result<Admission> {
        let external_id = key.map(|key| shown_key(state, &slot.runtime(), key));
        loop {
            let mut open = slot.open();
            if open.closed {
                return Err(ApiError::agent_not_found(Some(&slot.id)));
            }
            let runtime = slot.runtime();
            if let Some(live) = key.and_then(|key| open.by_key.get(key)).cloned() {
                if live.is_idle(state) {
                    drop(open);
                    end(state, &live, Ended::Normally)?;
                    continue;
                }
                live.enter(takes_part);
                return Ok(Admission { live, is_new: false });
            }
            check_status(runtime.agent.status)?;
            if let Some(external_id) = &external_id
                && state.store.was_terminated(&slot.account_id, &slot.id, external_id)?
            {
                return Err(terminated_error());
            }
            let live = Arc::new(Self::new(slot, runtime, masker, key, external_id, received_at));
            live.enter(takes_part);
            open.sessions.insert(live.id.clone(), live.clone());
            if let Some(key) = key {
                open.by_key.insert(key.to_owned(), live.clone());
            }
            state.metrics.active_sessions.inc();
            return Ok(Admission { live, is_new: true });
        }
    }

    fn enter(&self, takes_part: bool) {
        self.last_at.store(time::now(), Ordering::Release);
        if takes_part {
            self.in_flight.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Ends the turn's part.
    pub(crate) fn leave(&self) {
        self.last_at.store(time::now(), Ordering::Release);
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it counts as an active call.
    pub(crate) fn is_active(&self, state: &State) -> bool {
        !self.is_idle(state)
    }

    fn is_idle(&self, state: &State) -> bool {
        let idle = state.config.platform.session_idle.as_millis() as i64;
        self.is_at_rest() && time::now() - self.last_at.load(Ordering::Acquire) > idle
    }

    /// Whether no turn is in flight.
    fn is_at_rest(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0
    }

    pub(crate) fn is_terminated(&self) -> bool {
        *self.terminated.borrow()
    }

    /// Tells when it is terminated.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.terminated.subscribe()
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a turn that begins.
    pub(crate) fn next_turn(&self) -> i64 {
        let mut progress = self.progress();
        progress.turns += 1;
        progress.last_number += 1;
        progress.last_number
    }

    /// The team that sees it: that of the agent, wherever that has gone.
    fn team(&self) -> Option<String> {
        self.slot.runtime().agent.team_id.clone()
    }

    fn row(&self, progress: &Progress, status: &str, ended_at: Option<i64>) -> SessionRow {
        let kinds: String =
            progress.detail.redactions_by_kind.keys().map(|kind| format!(",{kind}")).collect();
        SessionRow {
            id: self.id.clone(),
            account: self.slot.account_id.clone(),
            agent: self.slot.id.clone(),
            agent_name: self.runtime.agent.name.clone(),
            external_id: self.external_id.clone(),
            started_at: self.started_at,
            ended_at,
            last_at: progress.last_turn_end,
            status: status.to_owned(),
            redactions: progress.detail.redaction_count(),
            turns: progress.turns,
            duration_ms: ended_at.map(|at| (at - self.started_at).max(0)),
            overhead_us: progress.overhead_us,
            doc: serde_json::to_string(&progress.detail).expect("details have string keys"),
            kinds: if kinds.is_empty() { kinds } else { kinds + "," },
        }
    }

    /// Notes audit events about it, for its hashes.
    fn noted(progress: &mut Progress, stored: &[Stored]) {
        if let (None, Some(first)) = (&progress.detail.audit_start_hash, stored.first()) {
            progress.detail.audit_start_hash = Some(hash_hex(&first.prev_hash));
        }
        progress.unwritten_hashes.extend(stored.iter().flat_map(|stored| stored.this_hash));
    }

    /// Writes a step of it down.
    fn put(&self, state: &State, progress: &mut Progress, write: SessionWrite) -> Result<()> {
        let written = self.try_put(state, progress, write);
        if written.is_err() {
            state.metrics.unwritten.inc();
        }
        written
    }

    /// Writes a step of it down. Where that fails, the hashes wait for the next write.
    fn try_put(&self, state: &State, progress: &mut Progress, write: SessionWrite) -> Result<()> {
        let hashes = write.audit_hashes.clone();
        let written = self.slot.unless_purged(|| Ok(state.store.write_session(write)?));
        state.store_gauge.note(written.is_ok());
        if written.is_ok() {
            progress.stored = true;
        } else {
            progress.unwritten_hashes.splice(0..0, hashes);
        }
        written
    }

    /// Its row as it is now, with the hashes that no row has yet.
    fn open_write(&self, progress: &mut Progress) -> SessionWrite {
        let audit_hashes = std::mem::take(&mut progress.unwritten_hashes);
        SessionWrite { row: self.row(progress, "in_progress", None), audit_hashes, ..SessionWrite::default() }
    }

    /// Puts what a turn found into the log and notes that it has begun. [`Live::show`] writes it down, but where the session was
    /// over meanwhile and its row would lack the events.
    ///
    /// # Errors
    ///
    /// When the session was cut off, or the events are not in the log and may not be missing; then the turn goes no further.
    pub(crate) fn begun(
        &self,
        state: &State,
        masked: &str,
        events: Vec<AuditEvent>,
        note: impl FnOnce(&mut Progress),
    ) -> Result<Vec<Stored>> {
        let mut progress = self.progress();
        if self.is_terminated() {
            return Err(terminated_error());
        }
        let stored = match state.audit.append(events) {
            Err(_) if state.audit.may_be_skipped() => Vec::new(),
            appended => appended?,
        };
        Self::noted(&mut progress, &stored);
        note(&mut progress);
        progress.masked.update(masked.as_bytes());
        let hash: [u8; 32] = progress.masked.clone().finalize().into();
        progress.detail.masked_sha256 = Some(crate::crypto::hex(&hash));
        if progress.ended.is_some() {
            self.write_ended(state, &mut progress)?;
        }
        Ok(stored)
    }

    /// The row of a session that is over and has one, with what was noted since it was written.
    fn ended_write(&self, progress: &mut Progress) -> Option<SessionWrite> {
        let (status, ended_at) = progress.ended.filter(|_| progress.stored)?;
        let audit_hashes = std::mem::take(&mut progress.unwritten_hashes);
        let row = self.row(progress, status, Some(ended_at));
        Some(SessionWrite { row, audit_hashes, ..SessionWrite::default() })
    }

    /// Writes the row of a session that is over once more.
    fn write_ended(&self, state: &State, progress: &mut Progress) -> Result<()> {
        match self.ended_write(progress) {
            Some(write) => self.put(state, progress, write),
            None => Ok(()),
        }
    }

    /// Writes down that it is over, which could not be written when it was.
    fn end_at_last(&self, state: &State) -> Result<()> {
        let mut progress = self.progress();
        let Some(write) = self.ended_write(&mut progress) else { return Ok(()) };
        let summary = self.summary(&write.row, &progress);
        self.try_put(state, &mut progress, write)?;
        drop(progress);
        self.announce(state, summary);
        Ok(())
    }

    /// Writes down an open session that is not written down yet, so that it can be seen and cut off. A turn that is over at
    /// once is written down once, with its end.
    pub(crate) fn show(&self, state: &State) -> Result<()> {
        let mut progress = self.progress();
        if progress.stored || progress.ended.is_some() {
            return Ok(());
        }
        let write = self.open_write(&mut progress);
        self.put(state, &mut progress, write)
    }

    /// Puts an event that is no turn into the log, and writes the session down with it.
    pub(crate) fn log(&self, state: &State, event: AuditEvent) -> Result<()> {
        let mut progress = self.progress();
        let stored = state.audit.append_one(event)?;
        Self::noted(&mut progress, &[stored]);
        if progress.ended.is_some() {
            return self.write_ended(state, &mut progress);
        }
        let write = self.open_write(&mut progress);
        self.put(state, &mut progress, write)
    }

    /// Writes down a turn that is over; without a key the session is over too.
    ///
    /// # Errors
    ///
    /// When it is not in the store, or the log lacks that tokens were lost. Then the caller must not have the answer.
    pub(crate) fn finished(self: &Arc<Self>, state: &State, record: TurnRecord) -> Result<()> {
        let is_last = !self.is_keyed();
        let mut audit = Vec::new();
        for (reason, kind) in &record.lost {
            state.metrics.not_restored(reason);
            audit.push(
                AuditEvent::new(EventKind::RehydrationFailed, &self.slot.account_id)
                    .agent(&self.slot.id)
                    .session(&self.id)
                    .member("entity_kind", kind.as_str())
                    .data("reason", *reason),
            );
        }
        if !record.lost.is_empty() {
            webhooks::emit(state, &self.slot.account_id, Event::RehydrationFailed, || {
                let lost: Vec<_> = record
                    .lost
                    .iter()
                    .map(|(reason, kind)| json!({ "entity_kind": kind.as_str(), "reason": reason }))
                    .collect();
                json!({ "session_id": self.id, "agent_id": self.slot.id, "turn": record.number, "failures": lost })
            });
        }
        let mut progress = self.progress();
        let mut logged = Ok(());
        if !audit.is_empty() {
            match state.audit.append(audit) {
                Ok(stored) => Self::noted(&mut progress, &stored),
                Err(_) if state.audit.may_be_skipped() => {}
                // The turn has its row all the same.
                Err(error) => logged = Err(error),
            }
        }
        if progress.ended.is_some() {
            return self.write_ended(state, &mut progress).and(logged);
        }
        let before = progress.so_far();
        progress.last_turn_end = time::now();
        progress.overhead_us += record.overhead_us;
        let fully = record.error_code.is_none() && record.lost.is_empty();
        let answered = matches!(record.turn.status.as_str(), "ok" | "partial");
        progress.answered |= answered;
        progress.flawed |= !fully;
        for (total, us) in progress.detail.stages_us.iter_mut().zip(record.stages_us) {
            *total += us;
        }
        for (reason, _) in &record.lost {
            progress.detail.leaks.push((record.number, (*reason).to_owned()));
        }
        let code = record.error_code.or((!record.lost.is_empty()).then_some("rehydration_failed"));
        if let Some(code) = code {
            progress.detail.error_code = Some(code.to_owned());
        }
        let payloads: Vec<(i64, &'static str, Vec<u8>)> = record
            .payloads
            .iter()
            .map(|(field, text)| {
                let place = format!("{}/{field}", self.id);
                (record.number, *field, state.keys.seal_payload(&place, text.as_bytes()))
            })
            .collect();
        progress.detail.payloads_stored |= !payloads.is_empty();
        let turn = serde_json::to_string(&record.turn).expect("turns are texts and numbers");
        let turn = Some((record.number, turn));
        if is_last {
            // Both steps are one write, so that nothing half done is ever seen.
            let write = SessionWrite { turn, events: record.events, payloads, ..SessionWrite::default() };
            return self.close(state, progress, Ended::Normally, write).and(logged);
        }
        let write = SessionWrite { turn, events: record.events, payloads, ..self.open_write(&mut progress) };
        let written = self.put(state, &mut progress, write);
        if written.is_err() {
            progress.lose_turn(before);
        }
        written.and(logged)
    }

    fn close(
        self: &Arc<Self>,
        state: &State,
        mut progress: MutexGuard<'_, Progress>,
        how: Ended,
        mut write: SessionWrite,
    ) -> Result<()> {
        if progress.ended.is_some() {
            return Ok(());
        }
        if how == Ended::Terminated {
            progress.detail.error_code = Some("terminated".to_owned());
        }
        let ended_at = progress.last_turn_end.max(self.started_at);
        self.remove(state);
        self.log_end(state, &mut progress, how, ended_at);
        if !progress.stored && progress.turns == 0 {
            return Ok(());
        }
        // A turn that ends its session is the only one of it.
        let is_turn = write.turn.is_some();
        write.row = self.row(&progress, progress.status(how), Some(ended_at));
        write.audit_hashes = std::mem::take(&mut progress.unwritten_hashes);
        let summary = self.summary(&write.row, &progress);
        // Still with the lock in hand, so that whoever is late writes its hashes after these.
        if let Err(error) = self.put(state, &mut progress, write) {
            if is_turn {
                progress.lose_turn(SoFar::default());
                self.log_end(state, &mut progress, how, ended_at);
            }
            if progress.stored {
                // Its row says that it goes on.
                self.owe_end(state);
            }
            return Err(error);
        }
        drop(progress);
        self.announce(state, summary);
        Ok(())
    }

    /// Notes that it is over, and tells the log.
    fn log_end(&self, state: &State, progress: &mut Progress, how: Ended, ended_at: i64) {
        let status = progress.status(how);
        progress.ended = Some((status, ended_at));
        let completed = AuditEvent::new(EventKind::SessionCompleted, &self.slot.account_id)
            .agent(&self.slot.id)
            .session(&self.id)
            .data("status", status)
            .data("redaction_count", progress.detail.redaction_count())
            .data("turn_count", progress.turns)
            .data("masked_transcript_sha256", progress.detail.masked_sha256.clone());
        // The one event that may be missing: what it tells of has happened.
        let stored = state.audit.append(vec![completed]).unwrap_or_default();
        Self::noted(progress, &stored);
    }

    fn summary(&self, row: &SessionRow, progress: &Progress) -> Value {
        super::summary_of(row, &progress.detail, !self.slot.is_alive())
    }

    /// Tells listeners that it is over.
    fn announce(&self, state: &State, summary: Value) {
        webhooks::emit(state, &self.slot.account_id, Event::SessionCompleted, || {
            let names = [
                "agent_id",
                "external_id",
                "started_at",
                "ended_at",
                "status",
                "redaction_count",
                "turn_count",
            ];
            let mut data = serde_json::Map::from_iter([("session_id".to_owned(), summary["id"].clone())]);
            data.extend(names.map(|name| (name.to_owned(), summary[name].clone())));
            data.into()
        });
        state.feed.publish(&self.slot.account_id, &self.slot.id, self.team(), summary);
    }

    fn remove(&self, state: &State) {
        self.remove_from(&mut self.slot.open(), state);
    }

    fn remove_from(&self, open: &mut Open, state: &State) {
        if open.sessions.remove(&self.id).is_some() {
            state.metrics.active_sessions.dec();
        }
        if let Some(key) = &self.key
            && open.by_key.get(key).is_some_and(|live| live.id == self.id)
        {
            open.by_key.remove(key);
        }
    }

    /// Takes back a turn that did not begin, and the session that was opened for it unless others are in it by its key.
    pub(crate) fn retract(self: &Arc<Self>, state: &State, is_new: bool) {
        let mut progress = self.progress();
        progress.turns -= 1;
        let mut open = self.slot.open();
        self.leave();
        if !is_new || progress.turns > 0 || !self.is_at_rest() {
            return;
        }
        self.remove_from(&mut open, state);
        drop(open);
        progress.ended = Some(("error", progress.last_turn_end));
        if progress.stored {
            // Others saw it, before something failed that should not.
            progress.detail.error_code = Some("internal_error".to_owned());
            if self.write_ended(state, &mut progress).is_err() {
                self.owe_end(state);
            }
        }
    }

    /// Has its end written later. There is one such write at most for each session that could be written down when it began, so
    /// that a store which stays broken does not fill the memory.
    fn owe_end(self: &Arc<Self>, state: &State) {
        let live = self.clone();
        state.owed.add(move |state| live.end_at_last(state));
    }
}

/// Ends an open session; one that has ended is left as it is.
pub(crate) fn end(state: &State, live: &Arc<Live>, how: Ended) -> Result<()> {
    live.close(state, live.progress(), how, SessionWrite::default())
}

/// Cuts a session off: what is in flight ends with an error, and its key opens nothing any more.
pub(crate) fn terminate(state: &State, live: &Arc<Live>, actor: AuditEvent) -> Result<()> {
    let event = actor.agent(&live.slot.id).session(&live.id);
    let mut progress = live.progress();
    let stored = state.audit.append(vec![event])?;
    live.terminated.send_replace(true);
    progress.last_turn_end = time::now();
    Live::noted(&mut progress, &stored);
    live.close(state, progress, Ended::Terminated, SessionWrite::default())
}

pub(crate) fn terminated_error() -> ApiError {
    ApiError::new(Code::SessionTerminated, "The session was terminated.")
}

fn check_status(status: Status) -> Result<()> {
    let (code, message) = match status {
        Status::Active => return Ok(()),
        Status::Paused => (Code::AgentPaused, "The agent is paused and takes no new sessions."),
        Status::Archived => (Code::AgentArchived, "The agent is archived and takes no new sessions."),
        Status::Ended => (Code::AgentEnded, "The agent has ended."),
        Status::Deleted => (Code::AgentNotFound, "No agent with this id is visible to you."),
    };
    Err(ApiError::new(code, message))
}

/// A session key as it is stored: one that is an identifier of somebody is replaced by a name that says nothing.
pub(crate) fn shown_key(state: &State, runtime: &Runtime, key: &str) -> String {
    let is_identifier = |findings: &[masker_core::Finding]| findings.iter().any(|f| f.kind != Kind::Id);
    match runtime.masker.detect(key) {
        Ok(findings) if !is_identifier(&findings) => key.to_owned(),
        _ => format!("hmac:{}", &state.keys.pseudonym("session key", key)[..16]),
    }
}

/// Ends keyed sessions that nobody has used for too long, and those of deleted agents, to which no turn can come any more.
pub(crate) fn close_idle(state: &State) {
    for slot in state.agents.all().into_iter().chain(state.agents.draining()) {
        let is_over = |live: &&Arc<Live>| live.is_idle(state) || (!slot.is_alive() && live.is_at_rest());
        let over: Vec<Arc<Live>> = slot.open().sessions.values().filter(is_over).cloned().collect();
        for live in over {
            if let Err(error) = end(state, &live, Ended::Normally) {
                tracing::error!(reason = error.message(), "an idle session could not be closed");
            }
        }
    }
}

/// Closes what an earlier run left open: a session is never half written.
pub(crate) fn close_orphans(state: &State) -> Result<usize> {
    let mut count = 0;
    let accounts: Vec<crate::store::model::Account> = state.store.load_all(None)?;
    for account in accounts {
        loop {
            let query = SessionQuery {
                account: account.id.clone(),
                until: i64::MAX,
                statuses: vec!["in_progress".to_owned()],
                limit: 100,
                ..SessionQuery::default()
            };
            let rows = state.store.sessions(&query)?;
            if rows.is_empty() {
                break;
            }
            count += rows.len();
            for row in rows {
                close_orphan(state, row)?;
            }
        }
    }
    Ok(count)
}

fn close_orphan(state: &State, mut row: SessionRow) -> Result<()> {
    let turns: Vec<Turn> =
        state.store.turns(&row.id)?.iter().filter_map(|turn| serde_json::from_str(turn).ok()).collect();
    let answered = turns.iter().any(|turn| turn.status != "error");
    let cut = (turns.len() as i64) < row.turns || turns.is_empty();
    let flawed = cut || turns.iter().any(|turn| turn.status != "ok");
    let status = match (answered, flawed) {
        (false, _) => "error",
        (true, true) => "partial",
        (true, false) => "ok",
    };
    status.clone_into(&mut row.status);
    row.ended_at = Some(row.last_at);
    row.duration_ms = Some((row.last_at - row.started_at).max(0));
    row.turns = turns.len() as i64;
    let mut detail: SessionDetail = serde_json::from_str(&row.doc).unwrap_or_default();
    row.redactions = detail.redaction_count();
    if cut && detail.error_code.is_none() {
        detail.error_code = Some("internal_error".to_owned());
    }
    row.doc = serde_json::to_string(&detail).expect("details have string keys");
    let event = AuditEvent::new(EventKind::SessionCompleted, &row.account)
        .agent(&row.agent)
        .session(&row.id)
        .data("status", row.status.clone())
        .data("redaction_count", row.redactions)
        .data("turn_count", row.turns)
        .data("masked_transcript_sha256", detail.masked_sha256);
    let stored = state.audit.append_one(event)?;
    let audit_hashes = stored.this_hash.to_vec();
    Ok(state.store.write_session(SessionWrite { row, audit_hashes, ..SessionWrite::default() })?)
}

impl Progress {
    fn status(&self, how: Ended) -> &'static str {
        match (how, self.answered, self.flawed) {
            (Ended::Terminated, ..) => "error",
            (_, false, flawed) if flawed || self.turns > 0 => "error",
            (_, _, true) => "partial",
            _ => "ok",
        }
    }

    fn so_far(&self) -> SoFar {
        SoFar { answered: self.answered, payloads_stored: self.detail.payloads_stored }
    }

    /// Takes back a turn that could not be written down: its caller was told that it failed, and nobody finds it.
    fn lose_turn(&mut self, before: SoFar) {
        self.turns -= 1;
        self.answered = before.answered;
        self.detail.payloads_stored = before.payloads_stored;
        self.flawed = true;
        self.detail.error_code = Some("internal_error".to_owned());
    }

    /// Counts what was found in a turn that begins.
    pub(crate) fn count(&mut self, kind: &str, pass: &str, action: &str) {
        let add = |map: &mut BTreeMap<String, i64>, name: &str| *map.entry(name.to_owned()).or_default() += 1;
        add(&mut self.detail.redactions_by_action, action);
        if action == "passthrough" {
            self.detail.cards_passed_through += i64::from(kind == "CREDIT_CARD");
            return;
        }
        add(&mut self.detail.redactions_by_kind, kind);
        add(&mut self.detail.redactions_by_pass, pass);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::state::testing;

    /// A server with one agent over the stub.
    async fn slot() -> (tempfile::TempDir, Arc<State>, Arc<Slot>) {
        let (folder, state, token) = testing::opened();
        let request = Request::post("/api/v1/agents")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(r#"{"name":"a","upstream":"stub"}"#));
        let made = crate::app(state.clone()).oneshot(request.unwrap()).await.unwrap();
        assert_eq!(made.status(), 201);
        let slot = state.agents.all().remove(0);
        (folder, state, slot)
    }

    fn admit(state: &State, slot: &Arc<Slot>, key: Option<&str>) -> Admission {
        let admission = Live::admit(state, slot, &slot.runtime().masker, key, true, time::now()).unwrap();
        admission.live.next_turn();
        admission
    }

    #[tokio::test]
    async fn a_refused_turn_takes_only_its_own_session_with_it() {
        let (_folder, state, slot) = slot().await;
        let refused = admit(&state, &slot, Some("call-1"));
        let other = admit(&state, &slot, Some("call-1"));
        assert!(refused.is_new && !other.is_new && refused.live.id == other.live.id);
        refused.live.retract(&state, refused.is_new);
        assert_eq!(slot.active_calls(&state), 1, "the other goes on");
        other.live.show(&state).unwrap();
        assert!(state.store.session(&other.live.id).unwrap().is_some());
        for key in [None, Some("call-2")] {
            let alone = admit(&state, &slot, key);
            alone.live.retract(&state, alone.is_new);
            assert_eq!(slot.open().sessions.len(), 1);
            assert!(state.store.session(&alone.live.id).unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_session_that_was_seen_ends_when_its_turn_is_taken_back() {
        let (_folder, state, slot) = slot().await;
        let admission = admit(&state, &slot, None);
        admission.live.show(&state).unwrap();
        admission.live.retract(&state, true);
        let row = state.store.session(&admission.live.id).unwrap().unwrap();
        assert_eq!((row.status.as_str(), row.turns, row.ended_at.is_some()), ("error", 0, true));
        assert_eq!(slot.active_calls(&state), 0);
    }
}
