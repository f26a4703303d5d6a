//! What is written: events of a closed set of kinds, with members that hold no text of anybody.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::error::AuditError;
use crate::Event;
use crate::token::calendar::civil;

macro_rules! kinds {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// What an event is about.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum EventKind {
            $(#[doc = $doc] $variant,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in the log.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    AgentActivated "agent_activated" "An agent was switched on.",
    AgentArchived "agent_archived" "An agent was archived.",
    AgentCreated "agent_created" "An agent was made.",
    AgentDeleted "agent_deleted" "An agent was deleted.",
    AgentEnded "agent_ended" "An agent came to its end.",
    AgentPaused "agent_paused" "An agent was paused.",
    AgentPurgedByRetention "agent_purged_by_retention" "An agent went with the end of its retention.",
    AgentRelaunched "agent_relaunched" "An agent was started again.",
    AgentRestored "agent_restored" "A deleted agent was brought back.",
    AgentResumed "agent_resumed" "A paused agent was resumed.",
    AgentUpdated "agent_updated" "An agent was changed.",
    AuditExported "audit_exported" "Events were exported.",
    AuditPruned "audit_pruned" "The oldest events were removed; holds where the chain now begins.",
    CallEnded "call_ended" "A call ended.",
    CallStarted "call_started" "A call began.",
    DetectionDegraded "detection_degraded" "A pass was left out of one detection.",
    InvitationCreated "invitation_created" "Somebody was invited.",
    KeyRotated "key_rotated" "From here on another key links the chain.",
    LogGap "log_gap" "Something was not written, or was cut off half written.",
    LoginFailed "login_failed" "A sign-in failed.",
    LoginSucceeded "login_succeeded" "Somebody signed in.",
    Logout "logout" "Somebody signed out.",
    MemberAdded "member_added" "A member joined an account.",
    MemberRemoved "member_removed" "A member left an account.",
    PayloadViewed "payload_viewed" "A stored payload was looked at.",
    PolicyCreated "policy_created" "A policy was made.",
    PolicyDeleted "policy_deleted" "A policy was deleted.",
    PolicyReloadFailed "policy_reload_failed" "Policies could not be reloaded.",
    PolicyReloaded "policy_reloaded" "Policies were reloaded.",
    PolicyUpdated "policy_updated" "A policy was changed.",
    Redaction "redaction" "Something was found and acted on.",
    RehydrateCalled "rehydrate_called" "Originals were asked for.",
    RehydrationFailed "rehydration_failed" "A token could not be restored.",
    ReportGenerated "report_generated" "A report was made.",
    RoleChanged "role_changed" "A member's role was changed.",
    ServerStarted "server_started" "The server began.",
    ServerStopped "server_stopped" "The server ended.",
    SessionCompleted "session_completed" "A session came to its end.",
    SessionTerminated "session_terminated" "A session was ended by somebody.",
    SettingsUpdated "settings_updated" "Settings were changed.",
    TokenCreated "token_created" "An API token was made.",
    TokenRevoked "token_revoked" "An API token was revoked.",
    VaultExported "vault_exported" "The vault was exported.",
    VaultKeyRotated "vault_key_rotated" "The vault was sealed under another key.",
    VaultPurged "vault_purged" "Vault rows were removed.",
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(AuditError::Event)
    }
}

/// Members that the log sets itself.
const RESERVED: &[&str] =
    &["v", "seq", "ts", "event_id", "account_id", "kind", "data", "hk", "prev_hash", "this_hash"];

/// An event before it has a place in the chain.
///
/// Members are ids, counts, spans and names of kinds. Nothing that a person said, wrote or is called belongs in one.
///
/// ```
/// use masker_core::audit::{AuditEvent, EventKind};
///
/// let event = AuditEvent::new(EventKind::VaultPurged, "acc_1").actor("user", "usr_1").data("rows", 12);
/// assert_eq!(event.kind(), EventKind::VaultPurged);
/// ```
#[derive(Clone)]
pub struct AuditEvent {
    kind: EventKind,
    account: String,
    at: Option<i64>,
    id: Option<String>,
    members: Members,
    data: Members,
}

/// Names and values in the order in which they are written.
pub(super) type Members = Vec<(Cow<'static, str>, Value)>;

/// Most events have no more members than these.
const USUAL_MEMBERS: usize = 24;

impl fmt::Debug for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEvent").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl AuditEvent {
    /// An event of an account; the library and the command line have the account `""`.
    pub fn new(kind: EventKind, account_id: &str) -> Self {
        Self {
            kind,
            account: account_id.to_owned(),
            at: None,
            id: None,
            members: Vec::new(),
            data: Vec::new(),
        }
    }

    /// What masking did with one finding, with all that the log may hold of it.
    pub fn redaction(account_id: &str, event: &Event) -> Self {
        // Scores are single precision; their short decimal form is what a reader expects to see.
        let confidence: f64 = event.confidence.to_string().parse().unwrap_or(f64::from(event.confidence));
        let mut new = Self::new(EventKind::Redaction, account_id)
            .member("pass", event.pass.as_str())
            .member("recognizer", &*event.recognizer)
            .member("entity_kind", event.kind.as_str())
            .member("span", json!([event.span.start, event.span.end]))
            .member("action", event.action.as_str())
            .member("confidence", confidence);
        if let Some(token_kind) = event.token_kind {
            new = new.member("token_kind", token_kind.as_str());
        }
        if let Some(kid) = &event.kid {
            new = new.member("kid", kid.as_str());
        }
        new
    }

    /// What it is about.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Sets when it happened, in milliseconds since 1970; the moment of appending if it is not set.
    pub fn at(mut self, now: i64) -> Self {
        self.at = Some(now);
        self
    }

    /// Sets the id; a new one is made if it is not set.
    pub fn id(mut self, event_id: &str) -> Self {
        self.id = Some(event_id.to_owned());
        self
    }

    /// Names the agent.
    pub fn agent(self, agent_id: &str) -> Self {
        self.member("agent_id", agent_id)
    }

    /// Names the session.
    pub fn session(self, session_id: &str) -> Self {
        self.member("session_id", session_id)
    }

    /// Names who did it: `user`, `token`, `system` or `platform`, and its id.
    pub fn actor(self, kind: &str, id: &str) -> Self {
        self.member("actor", json!({ "type": kind, "id": id }))
    }

    /// Adds a member of the event.
    pub fn member(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.members.push((name.into(), value.into()));
        self
    }

    /// Adds a member of the event's `data`.
    pub fn data(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.data.push((name.into(), value.into()));
        self
    }

    /// The event at its place, without its hashes.
    pub(super) fn build(self, seq: u64, key_id: Option<&str>) -> Result<Members, AuditError> {
        let at = self.at.unwrap_or_else(now);
        let id = match self.id {
            Some(id) => id,
            None => new_id(at)?,
        };
        let mut all: Members = Vec::with_capacity(USUAL_MEMBERS);
        all.push(("v".into(), 1.into()));
        all.push(("seq".into(), seq.into()));
        all.push(("ts".into(), timestamp(at).into()));
        all.push(("event_id".into(), id.into()));
        all.push(("account_id".into(), self.account.into()));
        all.push(("kind".into(), self.kind.as_str().into()));
        if let Some(key_id) = key_id {
            all.push(("hk".into(), key_id.into()));
        }
        for (name, value) in self.members {
            if RESERVED.contains(&&*name) || all.iter().any(|(known, _)| *known == name) {
                return Err(AuditError::Event);
            }
            all.push((name, value));
        }
        if !self.data.is_empty() {
            let mut data = Map::new();
            for (name, value) in self.data {
                if data.insert(name.into_owned(), value).is_some() {
                    return Err(AuditError::Event);
                }
            }
            all.push(("data".into(), Value::Object(data)));
        }
        Ok(all)
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn timestamp(milliseconds: i64) -> String {
    const DAY: i64 = 86_400_000;
    let (year, month, day) = civil(milliseconds.div_euclid(DAY));
    let rest = milliseconds.rem_euclid(DAY);
    let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    let mut text = String::with_capacity(24);
    write!(text, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", rest % 1000)
        .expect("a string takes every write");
    text
}

/// `evt_` and a ULID: 48 bits of time and 80 random ones in Crockford's base 32.
fn new_id(at: i64) -> Result<String, AuditError> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes[6..]).map_err(|_| AuditError::Random)?;
    bytes[..6].copy_from_slice(&at.max(0).to_be_bytes()[2..]);
    let value = u128::from_be_bytes(bytes);
    let digit = |i: u32| char::from(ALPHABET[(value >> (5 * i)) as usize & 31]);
    let mut id = String::with_capacity(30);
    id.push_str("evt_");
    id.extend((0..26).rev().map(digit));
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ids_have_their_form() {
        assert_eq!(timestamp(1_772_442_904_120), "2026-03-02T09:15:04.120Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999Z");
        let id = new_id(1_772_442_904_120).unwrap();
        assert!(id.len() == 30 && id.starts_with("evt_01KJ"), "{id}");
        assert_ne!(id, new_id(1_772_442_904_120).unwrap());
    }

    #[test]
    fn kinds_have_one_name_each() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse::<EventKind>().unwrap(), *kind);
        }
        assert!("redactions".parse::<EventKind>().is_err());
    }

    #[test]
    fn members_are_given_once_and_none_is_the_logs_own() {
        let event = || AuditEvent::new(EventKind::Logout, "");
        assert!(event().member("turn", 1).build(1, None).is_ok());
        assert!(event().member("turn", 1).member("turn", 1).build(1, None).is_err());
        assert!(event().data("a", 1).data("a", 1).build(1, None).is_err());
        for name in RESERVED {
            assert!(event().member(*name, 1).build(1, None).is_err(), "{name}");
        }
    }

    #[test]
    fn a_finding_becomes_an_event_without_its_text() {
        let masker = crate::Masker::new().unwrap();
        let masked = masker.mask("my email is Q7marked@example.com").unwrap();
        let event = AuditEvent::redaction("acc_1", &masked.events[0]).build(7, None).unwrap();
        let map: Map<String, Value> =
            event.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        assert_eq!(map["entity_kind"], "EMAIL");
        assert_eq!(map["span"], json!([12, 32]));
        assert_eq!(map["token_kind"], "MSKV1");
        let text = Value::Object(map).to_string();
        assert!(!text.contains("Q7marked") && !text.contains("MSKV1."), "{text}");
    }
}
