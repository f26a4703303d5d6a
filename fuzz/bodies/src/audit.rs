//! Audit logs: whatever was done to the file, `verify` says so, and the writer takes up only what holds.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use masker_core::audit::{
    AuditEvent, AuditKeys, AuditLog, AuditOptions, Checks, EventKind, Fsync, Head, Layout, MemoryHead,
    OpenCheck, ReportKey, ReportSigner, prove, read_event, verify, verify_report,
};
use masker_core::{Masker, Policy};
use serde_json::{Map, Value, json};

use crate::input::Input;

thread_local! {
    static WRITTEN: Written = Written::new();
}

/// A log and a report as they were written.
struct Written {
    folder: tempfile::TempDir,
    runs: Cell<u64>,
    log: Vec<u8>,
    head: Head,
    event_id: String,
    signer: ReportSigner,
    report: String,
}

/// The bytes 00 to 1f, under which the line in the documentation of `verify` holds.
fn key() -> [u8; 32] {
    std::array::from_fn(|at| at as u8)
}

fn keys() -> AuditKeys {
    AuditKeys::new(key())
}

impl Written {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("written");
        let log = AuditLog::open(&path, &keys(), options()).unwrap();
        let masker = Masker::builder().policy(Policy::healthcare_default()).build().unwrap();
        let masked = masker.mask("this is Ann Reed at 415-555-0142").unwrap();
        let mut events: Vec<AuditEvent> = masked
            .events
            .iter()
            .map(|event| AuditEvent::redaction("acc_a", event).session("sess_a"))
            .collect();
        events.push(AuditEvent::new(EventKind::CallEnded, "acc_a").data("turns", 2));
        let stored = log.append(events).unwrap();
        let head = log.head().unwrap();
        drop(log);

        let signer = ReportSigner::new(key());
        let (start, root, tree) = ("0".repeat(64), "1".repeat(64), "2".repeat(64));
        let mut report: Map<String, Value> = serde_json::from_value(json!({
            "schema": "masker-audit/v1", "id": "rep_a", "scope": "account",
            "audit": {
                "event_count": 3, "start_hash": start, "audit_root_hash": root, "merkle_root_hex": tree, "verified": true,
            },
            "audit_root_hash": root, "merkle_root_hex": tree,
        }))
        .unwrap();
        signer.sign(&mut report).unwrap();
        Self {
            log: std::fs::read(&path).unwrap(),
            folder,
            runs: Cell::new(0),
            head,
            event_id: stored[0].event_id.clone(),
            signer,
            report: serde_json::to_string(&report).unwrap(),
        }
    }

    fn fresh_path(&self) -> PathBuf {
        self.runs.set(self.runs.get() + 1);
        self.folder.path().join(self.runs.get().to_string())
    }
}

fn options() -> AuditOptions {
    AuditOptions::default().head(Arc::new(MemoryHead::default())).fsync(Fsync::Never)
}

pub(crate) fn run(data: &[u8]) {
    WRITTEN.with(|written| {
        let mut input = Input::new(data);
        let choice = input.below(16);
        let changed = input.edit(&written.log);
        match choice {
            0 => takes_up(written, &changed),
            1 => takes_up(written, &[&written.log, input.rest()].concat()),
            2 => writes(written, &input),
            3 => reports(written, &mut input),
            4..8 => {
                let _ = verify(input.rest(), &keys(), &checks(&mut input)).unwrap();
                let _ = prove(input.rest(), &written.event_id, &checks(&mut input));
            }
            8 => is_checked(written, &[&written.log, input.rest()].concat()),
            _ => is_checked(written, &changed),
        }
    });
}

fn checks(input: &mut Input<'_>) -> Checks {
    let mut number = || input.flag().then(|| u64::from(input.byte()));
    Checks { from_seq: number(), to_seq: number(), ..Checks::default() }
}

fn events(log: &[u8]) -> Vec<Option<Map<String, Value>>> {
    log.split_inclusive(|byte| *byte == b'\n').map(read_event).collect()
}

/// A log that is not what was written does not verify against the head kept elsewhere.
fn is_checked(written: &Written, log: &[u8]) {
    let head = Checks { head: Some(written.head), ..Checks::default() };
    let checked = verify(log, &keys(), &head).unwrap();
    assert!(!checked.ok || events(log) == events(&written.log), "a change of the log is not noticed");
    assert_eq!(checked.ok, checked.reason.is_none());
    if log == written.log {
        assert!(checked.ok, "{checked:?}");
    }
    let other = verify(log, &AuditKeys::new([0xa5; 32]), &Checks::default()).unwrap();
    assert!(!other.ok || other.event_count == 0, "another key vouches for it");
    if let Some(proof) = prove(log, &written.event_id, &Checks::default()).unwrap_or(None) {
        let root = masker_core::audit::merkle_root_from_path(
            &proof.this_hash,
            proof.leaf_index,
            proof.tree_size,
            &proof.path,
        );
        assert_eq!(root, Some(proof.root));
    }
}

/// A log on disk is refused, or goes on as a log that holds.
fn takes_up(written: &Written, log: &[u8]) {
    let path = written.fresh_path();
    std::fs::write(&path, log).unwrap();
    if let Ok(log) = AuditLog::open(&path, &keys(), options().check(OpenCheck::Full)) {
        log.append(vec![AuditEvent::new(EventKind::CallEnded, "acc_a")]).unwrap();
        holds(&path, log.head());
    }
    remove(&path);
}

/// Whatever events hold, what is written is one line each and holds.
fn writes(written: &Written, input: &Input<'_>) {
    let path = written.fresh_path();
    let log = AuditLog::open(&path, &keys(), options()).unwrap();
    let text = input.text();
    let (name, value) = text.split_once('\u{1e}').unwrap_or((&text, &text));
    let parsed = serde_json::from_str::<Value>(value).unwrap_or_else(|_| Value::from(value));
    let event = AuditEvent::new(EventKind::SettingsUpdated, "acc_a")
        .session(&text)
        .data(name.to_owned(), parsed.clone());
    let _ = log.append(vec![event]);
    let _ =
        log.append(vec![AuditEvent::new(EventKind::SettingsUpdated, value).member(name.to_owned(), parsed)]);
    log.append(vec![AuditEvent::new(EventKind::CallEnded, "acc_a")]).unwrap();
    holds(&path, log.head());
    drop(log);
    remove(&path);
}

fn holds(path: &PathBuf, head: Option<Head>) {
    let log = std::fs::read(path).unwrap();
    let checked = verify(&*log, &keys(), &Checks { head, ..Checks::default() }).unwrap();
    assert!(checked.ok, "{checked:?}");
}

fn remove(path: &PathBuf) {
    let _ = std::fs::remove_file(path);
    let mut lock = path.clone().into_os_string();
    lock.push(".lock");
    let _ = std::fs::remove_file(lock);
}

/// A signed report is what was signed, or does not verify.
fn reports(written: &Written, input: &mut Input<'_>) {
    let layouts = [Layout::Any, Layout::AsIssued];
    let layout = *input.pick(&layouts);
    let keys = [written.signer.public()];
    let changed = input.edit(written.report.as_bytes());
    let changed = String::from_utf8_lossy(&changed);
    assert!(verify_report(&written.report, &keys, layout).is_ok());
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    if verify_report(&changed, &keys, layout).is_ok() {
        assert_eq!(read(&changed), read(&written.report), "a change of the report is not noticed");
    }
    assert!(verify_report(&input.text(), &keys, layout).is_err());
    let _ = ReportKey::from_base64(&input.text());
}
