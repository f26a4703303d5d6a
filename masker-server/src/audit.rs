//! The audit log of the server: one writer, and nothing visible before its event is in.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use masker_core::audit::{
    AuditError, AuditEvent, AuditLog, AuditOptions, Checks, EventKind, Head, HeadStore, Stored, Verification,
    hash_hex, read_event, verify,
};
use serde_json::{Map, Value};

use crate::config::{AuditConfig, StartError};
use crate::error::{ApiError, Code, Result};
use crate::metrics::Metrics;
use crate::state::Gauge;
use crate::store::Store;

const HEAD: &str = "audit_head";

/// The head in the database.
struct DatabaseHead(Arc<dyn Store>);

impl HeadStore for DatabaseHead {
    fn load(&self) -> std::result::Result<Option<Head>, AuditError> {
        let Some(text) = self.0.meta(HEAD).map_err(|_| AuditError::Head)? else { return Ok(None) };
        let (seq, hash) = text.split_once(' ').ok_or(AuditError::Head)?;
        let hash =
            crate::crypto::unhex(hash).and_then(|hash| hash.try_into().ok()).ok_or(AuditError::Head)?;
        Ok(Some(Head { seq: seq.parse().map_err(|_| AuditError::Head)?, hash }))
    }

    fn save(&self, head: &Head) -> std::result::Result<(), AuditError> {
        let text = format!("{} {}", head.seq, hash_hex(&head.hash));
        self.0.set_meta(HEAD, &text).map_err(|_| AuditError::Head)
    }
}

/// The log, open or found broken.
pub(crate) struct Audit {
    config: AuditConfig,
    log: std::result::Result<AuditLog, Verification>,
    metrics: Arc<Metrics>,
    outbox: std::sync::Mutex<()>,
    verifying: std::sync::atomic::AtomicBool,
    gauge: Gauge,
}

fn unavailable() -> ApiError {
    ApiError::new(Code::AuditUnavailable, "The audit log cannot be written, so nothing was done.")
}

impl Audit {
    /// Opens the log. A chain that does not hold is no reason not to start: health tells of it.
    pub(crate) fn open(
        config: &AuditConfig,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
    ) -> std::result::Result<Self, StartError> {
        if let Some(folder) = config.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            crate::config::make_folder(folder)
                .map_err(|error| StartError::Failure(format!("{}: {}", folder.display(), error.kind())))?;
        }
        let options = AuditOptions::default()
            .head(Arc::new(DatabaseHead(store)))
            .fsync(config.fsync)
            .check(config.check);
        let log = match AuditLog::open(&config.path, &config.keys, options) {
            Ok(log) => Ok(log),
            Err(AuditError::Broken { verification }) => {
                tracing::error!(seq = verification.first_bad_seq, "the audit chain is broken");
                Err(*verification)
            }
            Err(error) => return Err(StartError::Failure(format!("{error} ({})", error.code()))),
        };
        Ok(Self {
            config: config.clone(),
            log,
            metrics,
            outbox: std::sync::Mutex::new(()),
            verifying: std::sync::atomic::AtomicBool::new(false),
            gauge: Gauge::default(),
        })
    }

    pub(crate) fn is_up(&self) -> bool {
        self.log.is_ok()
    }

    /// Whether the last event could not be appended, and not long ago.
    pub(crate) fn has_failed(&self) -> bool {
        self.gauge.has_failed()
    }

    /// Whether the proxy may go on without the log.
    pub(crate) fn may_be_skipped(&self) -> bool {
        self.config.fail_open
    }

    /// The first bad event of a chain that was found broken.
    pub(crate) fn broken_at(&self) -> Option<u64> {
        self.log.as_ref().err().and_then(|verification| verification.first_bad_seq)
    }

    /// Appends events, all or none. Where there are none, it still says whether there is a log to append to.
    pub(crate) fn append(&self, events: Vec<AuditEvent>) -> Result<Vec<Stored>> {
        let Ok(log) = &self.log else { return Err(unavailable()) };
        let count = events.len();
        let started = std::time::Instant::now();
        let appended = log.append(events);
        self.gauge.note(appended.is_ok());
        let stored = appended.map_err(|error| {
            tracing::error!(reason = error.code(), "the audit log cannot be written");
            unavailable()
        })?;
        self.metrics.audited(count, started.elapsed());
        Ok(stored)
    }

    pub(crate) fn append_one(&self, event: AuditEvent) -> Result<Stored> {
        let mut stored = self.append(vec![event])?;
        Ok(stored.remove(0))
    }

    /// Appends what commands beside the server left for it.
    pub(crate) fn deliver(&self, store: &dyn Store) -> Result<()> {
        let _one_at_a_time = self.outbox.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waiting = store.outbox()?;
        let Some((last, _)) = waiting.last() else { return Ok(()) };
        let last = *last;
        let events = waiting.iter().filter_map(|(_, text)| left_event(text)).collect::<Vec<_>>();
        self.append(events)?;
        Ok(store.clear_outbox(last)?)
    }

    fn reader(&self) -> Result<BufReader<std::fs::File>> {
        std::fs::File::open(&self.config.path).map(BufReader::new).map_err(|_| unavailable())
    }

    /// Checks the chain; of two whole walks at once one is refused.
    pub(crate) fn verify(&self, checks: &Checks) -> Result<Verification> {
        use std::sync::atomic::Ordering;
        let is_whole = checks.from_seq.is_none() && checks.to_seq.is_none() && checks.session.is_none();
        if is_whole && self.verifying.swap(true, Ordering::AcqRel) {
            return Err(ApiError::new(
                Code::VerifyInProgress,
                "Another walk over the whole chain is running.",
            ));
        }
        let result = self.verify_now(checks);
        if is_whole {
            self.verifying.store(false, Ordering::Release);
        }
        result
    }

    fn verify_now(&self, checks: &Checks) -> Result<Verification> {
        let mut checks = checks.clone();
        // Appending goes on while the file is read: what counts is the chain up to the present end.
        let head = self.log.as_ref().ok().and_then(AuditLog::head);
        if checks.session.is_none()
            && let Some(head) = head
        {
            checks.to_seq = Some(checks.to_seq.map_or(head.seq, |seq| seq.min(head.seq)));
            if checks.to_seq == Some(head.seq) && checks.expected_root.is_none() {
                checks.expected_root = Some(head.hash);
            }
        }
        verify(self.reader()?, &self.config.keys, &checks).map_err(|_| unavailable())
    }

    /// Calls `visit` for every event from the first on, until it returns false.
    pub(crate) fn each(&self, mut visit: impl FnMut(&[u8], &Map<String, Value>) -> bool) -> Result<()> {
        let mut reader = self.reader()?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|_| unavailable())?;
            // A last line without its end is one that is being written.
            if read == 0 || line.last() != Some(&b'\n') {
                return Ok(());
            }
            line.pop();
            if let Some(event) = read_event(&line)
                && !visit(&line, &event)
            {
                return Ok(());
            }
        }
    }

    /// Calls `visit` for every event from the last one back, until it returns false.
    pub(crate) fn each_back(&self, mut visit: impl FnMut(Map<String, Value>) -> bool) -> Result<()> {
        const BLOCK: u64 = 1 << 16;
        let mut file = self.reader()?.into_inner();
        let mut at = file.seek(SeekFrom::End(0)).map_err(|_| unavailable())?;
        // Bytes before the first line end seen so far, the end of a line that begins further left.
        let mut tail: Vec<u8> = Vec::new();
        let mut is_last = true;
        while at > 0 {
            let length = BLOCK.min(at);
            at -= length;
            let mut block = vec![0; length as usize];
            file.seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(&mut block))
                .map_err(|_| unavailable())?;
            block.extend_from_slice(&tail);
            let mut end = block.len();
            while let Some(newline) = block[..end].iter().rposition(|byte| *byte == b'\n') {
                let line = &block[newline + 1..end];
                // What follows the last line end is being written.
                if !std::mem::take(&mut is_last)
                    && let Some(event) = read_event(line)
                    && !visit(event)
                {
                    return Ok(());
                }
                end = newline;
            }
            block.truncate(end);
            tail = block;
        }
        if !is_last && let Some(event) = read_event(&tail) {
            visit(event);
        }
        Ok(())
    }

    /// Removes events that are older, and tells how many.
    pub(crate) fn prune(&self, before: i64) -> Result<u64> {
        let Ok(log) = &self.log else { return Err(unavailable()) };
        log.prune(before).map_err(|_| unavailable())
    }
}

fn left_event(text: &str) -> Option<AuditEvent> {
    let value: Value = serde_json::from_str(text).ok()?;
    let kind: EventKind = value["kind"].as_str()?.parse().ok()?;
    let mut event =
        AuditEvent::new(kind, value["account_id"].as_str()?).actor("system", "cli").at(value["at"].as_i64()?);
    for (name, value) in value["data"].as_object()? {
        event = event.data(name.clone(), value.clone());
    }
    Some(event)
}

/// The answer to a request to verify.
pub(crate) fn verification_json(result: &Verification) -> Value {
    let mut answer = result.to_json();
    answer["verified_at"] = crate::time::format(crate::time::now()).into();
    answer
}
