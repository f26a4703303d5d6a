//! The audit log: what was done, in a file whose every line is chained to the one before by a keyed hash.
//!
//! [`AuditLog`] is the one writer. [`verify`] walks a log, and [`prove`] shows that one event is in it without showing the
//! others. [`ReportSigner`] signs what is reported about a log, and [`verify_report`] checks it. A log tells that something happened, never what was said.

mod chain;
mod error;
mod event;
mod head;
mod json;
mod log;
mod merkle;
mod report;
mod verify;

pub use self::chain::{AuditKeys, hash_hex};
pub use self::error::AuditError;
pub use self::event::{AuditEvent, EventKind};
pub use self::head::{FileHead, Head, HeadStore, MemoryHead};
pub use self::log::{AuditLog, AuditOptions, Fsync, OpenCheck, Stored};
pub use self::merkle::{Hash, merkle_path, merkle_root, merkle_root_from_path};
pub use self::report::{Layout, ReportError, ReportKey, ReportSigner, SignedReport, verify_report};
pub use self::verify::{BadReason, Checks, Proof, Verification, prove, read_event, verify};
