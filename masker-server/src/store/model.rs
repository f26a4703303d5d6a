//! The records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Document, Kind};

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub(crate) enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)*
        }

        #[allow(dead_code, reason = "every enumeration has the same three, and not each is read, written and listed")]
        impl $name {
            pub(crate) const NAMES: &[&str] = &[$($text,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// What a member of an account may do; later ones may do more.
    Role {
        Viewer = "viewer",
        Member = "member",
        Admin = "admin",
        Owner = "owner",
    }
}

named! {
    /// Whose ways of deleting are followed.
    Profile {
        Masker = "masker",
        Ayra = "ayra",
        Kakiyo = "kakiyo",
    }
}

named! {
    /// What a deletion removes.
    Mode {
        Hard = "hard",
        Soft = "soft",
        Purge = "purge",
    }
}

named! {
    /// What a deletion does to active calls.
    OnActive {
        Drain = "drain",
        Reject = "reject",
        Terminate = "terminate",
    }
}

named! {
    /// What a deletion does to resources outside.
    Cleanup {
        BestEffort = "best_effort",
        Require = "require",
        Skip = "skip",
    }
}

named! {
    /// Where an agent is in its life.
    Status {
        Active = "active",
        Paused = "paused",
        Archived = "archived",
        Ended = "ended",
        Deleted = "deleted",
    }
}

named! {
    /// Who may call an agent's proxy.
    ProxyAuth {
        Url = "url",
        Hmac = "hmac",
        Bearer = "bearer",
    }
}

named! {
    /// Whose tokens a session restores.
    RehydrateScope {
        /// Those that it gave out itself.
        Session = "session",
        /// Those of every session of the agent.
        Agent = "agent",
    }
}

impl RehydrateScope {
    /// That of agents which were stored before there was another.
    fn narrow() -> Self {
        Self::Session
    }
}

/// Several people and their agents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) plan: String,
    pub(crate) created_at: i64,
    pub(crate) deletion_profile: Profile,
    pub(crate) default_delete_mode: Mode,
    pub(crate) restore_window_days: u32,
    pub(crate) agent_limit: Option<u32>,
    pub(crate) session_retention_days: Option<u32>,
    /// Grows with every change.
    pub(crate) revision: u64,
}

impl Document for Account {
    const KIND: Kind = Kind::Account;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.id, "", self.created_at)
    }
}

/// A person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) login: String,
    pub(crate) github_login: Option<String>,
    pub(crate) github_id: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) avatar_url: Option<String>,
    pub(crate) role: Role,
    pub(crate) instance_admin: bool,
    pub(crate) team_ids: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) last_seen_at: Option<i64>,
}

impl Document for User {
    const KIND: Kind = Kind::User;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, &self.login, self.created_at)
    }
}

/// A session of a browser. The value of the cookie is not here, its hash is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cookie {
    pub(crate) hash: String,
    pub(crate) user_id: String,
    pub(crate) expires_at: i64,
}

impl Document for Cookie {
    const KIND: Kind = Kind::Cookie;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.hash, "", &self.user_id, self.expires_at)
    }
}

/// A code that signs its holder in once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoginCode {
    pub(crate) hash: String,
    pub(crate) user_id: String,
    pub(crate) expires_at: i64,
}

impl Document for LoginCode {
    const KIND: Kind = Kind::Code;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.hash, "", &self.hash, self.expires_at)
    }
}

/// An API token. Its secret is not here, its hash is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ApiToken {
    pub(crate) id: String,
    pub(crate) hash: String,
    pub(crate) user_id: String,
    pub(crate) account_id: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) agent_ids: Vec<String>,
    pub(crate) prefix: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) last_used_at: Option<i64>,
}

impl Document for ApiToken {
    const KIND: Kind = Kind::Token;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, &self.hash, self.created_at)
    }
}

/// A former secret of a token that works for a while yet. It lives beside the token, under the old hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OldSecret {
    pub(crate) token_id: String,
    pub(crate) until: i64,
}

/// A resource outside that belongs to an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct External {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) external_id: String,
    pub(crate) cleanup_url: Option<String>,
}

/// The policy of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicySource {
    Inline { yaml: String, revision: i64 },
    Named(String),
}

/// An agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) upstream: String,
    pub(crate) allowed_models: Vec<String>,
    /// The scheme, where it was given explicitly.
    pub(crate) tokenization: Option<String>,
    pub(crate) policy: PolicySource,
    pub(crate) proxy_auth: ProxyAuth,
    #[serde(default = "RehydrateScope::narrow")]
    pub(crate) rehydrate_scope: RehydrateScope,
    pub(crate) pin_session_in_url: bool,
    pub(crate) forward_unknown_fields: bool,
    pub(crate) platform: Option<String>,
    pub(crate) phone_numbers: Vec<String>,
    pub(crate) assistant: Option<Value>,
    pub(crate) assistant_callback_url: Option<String>,
    pub(crate) webhook_auth: Option<Value>,
    pub(crate) baa_chain: Vec<Value>,
    pub(crate) external_resources: Vec<External>,
    pub(crate) team_id: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    /// Encrypted, by name.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) created_by: String,
    pub(crate) archived_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) purge_after: Option<i64>,
    /// The state before a soft deletion.
    pub(crate) status_before: Option<Status>,
    pub(crate) deletion_id: Option<String>,
    /// Grows with every change.
    pub(crate) revision: u64,
}

impl Document for Agent {
    const KIND: Kind = Kind::Agent;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, "", self.created_at)
    }
}

/// What became of a resource outside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExternalState {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state: String,
}

/// The receipt of a deletion, as it is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) agent_id: String,
    pub(crate) agent_name: Option<String>,
    pub(crate) mode: Mode,
    pub(crate) on_active: OnActive,
    pub(crate) profile: Profile,
    pub(crate) deleted_at: i64,
    pub(crate) deleted_by: String,
    pub(crate) restorable_until: Option<i64>,
    pub(crate) status_before: Status,
    pub(crate) active_calls_at_delete: usize,
    pub(crate) calls_terminated: usize,
    pub(crate) sessions_retained: i64,
    pub(crate) sessions_purged: i64,
    pub(crate) vault_rows_purged: u64,
    pub(crate) payloads_purged: i64,
    pub(crate) phone_numbers_released: Option<Vec<String>>,
    pub(crate) external_resources: Vec<ExternalState>,
    pub(crate) audit_event_id: String,
    pub(crate) config_snapshot: Option<Value>,
    /// Resources whose cleaning is tried again until `retry_until`.
    pub(crate) retry: Vec<External>,
    pub(crate) retry_until: i64,
    /// The agent's secret for signing those tries, encrypted; it goes with the last of them.
    #[serde(default)]
    pub(crate) retry_secret: Option<String>,
}

impl Document for Deletion {
    const KIND: Kind = Kind::Deletion;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, &self.agent_id, self.deleted_at)
    }
}

/// One revision of a policy. Those of files belong to no account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PolicyRevision {
    pub(crate) account_id: String,
    pub(crate) name: String,
    pub(crate) revision: i64,
    pub(crate) sha256: String,
    pub(crate) yaml: String,
    pub(crate) created_at: i64,
    /// The latest revision of a policy that was deleted.
    pub(crate) deleted: bool,
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) key: String,
}

impl PolicyRevision {
    pub(crate) fn new(account: &str, name: &str, revision: i64, yaml: &str, now: i64) -> Self {
        Self {
            account_id: account.to_owned(),
            name: name.to_owned(),
            revision,
            sha256: crate::crypto::sha256_hex(yaml.as_bytes()),
            yaml: yaml.to_owned(),
            created_at: now,
            deleted: false,
            id: format!("{account}/{name}/{revision:08}"),
            key: format!("{account}/{name}"),
        }
    }
}

impl Document for PolicyRevision {
    const KIND: Kind = Kind::Policy;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, &self.key, self.revision)
    }
}

/// Several people who share agents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) name: String,
    pub(crate) created_at: i64,
}

impl Document for Team {
    const KIND: Kind = Kind::Team;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, "", self.created_at)
    }
}

/// A place in an account for somebody who has not taken it yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) hash: String,
    pub(crate) login: Option<String>,
    pub(crate) github_login: Option<String>,
    pub(crate) role: Role,
    pub(crate) team_ids: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
}

impl Document for Invitation {
    const KIND: Kind = Kind::Invitation;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, &self.hash, self.created_at)
    }
}

/// An address that is told of events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) active: bool,
    /// Encrypted.
    pub(crate) secret: String,
    /// Deliveries that failed one after the other.
    pub(crate) failures: u32,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Document for Webhook {
    const KIND: Kind = Kind::Webhook;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, "", self.created_at)
    }
}

/// What became of one event on its way to a webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) account_id: String,
    pub(crate) webhook_id: String,
    pub(crate) event: String,
    pub(crate) succeeded: bool,
    pub(crate) attempts: u32,
    pub(crate) response_status: Option<u16>,
    pub(crate) created_at: i64,
    pub(crate) completed_at: i64,
}

impl Document for Delivery {
    const KIND: Kind = Kind::Delivery;

    fn place(&self) -> (&str, &str, &str, i64) {
        (&self.id, &self.account_id, &self.webhook_id, self.created_at)
    }
}

/// What a session's row does not have as a column.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SessionDetail {
    pub(crate) policy_name: String,
    pub(crate) policy_version: i64,
    pub(crate) policy_sha256: String,
    pub(crate) tokenization: String,
    pub(crate) platform: Option<String>,
    pub(crate) upstream_model: String,
    pub(crate) redactions_by_kind: BTreeMap<String, i64>,
    pub(crate) redactions_by_pass: BTreeMap<String, i64>,
    pub(crate) redactions_by_action: BTreeMap<String, i64>,
    /// Detection, tokenize, upstream, rehydrate, in microseconds.
    pub(crate) stages_us: [u64; 4],
    pub(crate) masked_sha256: Option<String>,
    pub(crate) error_code: Option<String>,
    /// The `prev_hash` of its first audit event.
    pub(crate) audit_start_hash: Option<String>,
    /// Turns in which a token could not be restored, with the reason.
    pub(crate) leaks: Vec<(i64, String)>,
    pub(crate) cards_passed_through: i64,
    pub(crate) payloads_stored: bool,
}

impl SessionDetail {
    pub(crate) fn redaction_count(&self) -> i64 {
        self.redactions_by_kind.values().sum()
    }
}

/// One turn of a session, as it is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) turn: i64,
    pub(crate) started_at: String,
    pub(crate) duration_ms: i64,
    pub(crate) status: String,
    pub(crate) upstream_status: Option<u16>,
    pub(crate) stream: bool,
    pub(crate) redaction_count: i64,
    pub(crate) finish_reason: Option<String>,
    pub(crate) request_id: String,
}
