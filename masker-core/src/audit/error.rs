use std::io;
use std::path::PathBuf;

use super::verify::Verification;

/// The audit log could not do what was asked. Messages hold paths, numbers and reasons, never members of events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The chain does not hold; the log is left as it is.
    #[error("audit chain broken at event {}: {}", verification.first_bad_seq.unwrap_or_default(), verification.reason.map_or("", |reason| reason.as_str()))]
    Broken {
        /// What was found.
        verification: Box<Verification>,
    },
    /// An event cannot be part of the chain: a member is set twice, reserved, or a number has no canonical form.
    #[error("event has a member that is reserved, given twice, or a number without a canonical form")]
    Event,
    /// The head beside the log does not authenticate.
    #[error("the head of the audit log is damaged or was made under another key")]
    Head,
    /// The log or its head cannot be read or written.
    #[error("audit log {}: {}", path.display(), source.kind())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A key is not base64 of 32 bytes, or missing.
    #[error("{variable} is not base64 of exactly 32 bytes")]
    Key {
        /// The variable.
        variable: &'static str,
    },
    /// Another process writes the log.
    #[error("audit log {} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl AuditError {
    /// A stable name in snake case, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broken { .. } => "audit_chain_broken",
            Self::Event => "invalid_event",
            Self::Head => "audit_head_invalid",
            Self::Io { .. } => "audit_unavailable",
            Self::Key { .. } => "invalid_key",
            Self::Locked { .. } => "audit_log_locked",
            Self::Random => "no_random",
        }
    }
}
