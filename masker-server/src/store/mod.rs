//! What the server remembers beside vault and audit log: one trait, so that another database may come without a handler
//! noticing.

pub(crate) mod model;
mod sqlite;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::sqlite::SqliteStore;

/// The store could not be read or written. It never holds a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// What is stored is not what this release writes.
    #[error("a record of kind {0} cannot be read")]
    Corrupt(&'static str),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(String),
    /// A later release has written it.
    #[error("the database has version {found}, this release knows {known}")]
    Version {
        /// Its version.
        found: usize,
        /// The latest version known.
        known: usize,
    },
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Account,
    Agent,
    Code,
    Cookie,
    Deletion,
    Delivery,
    Invitation,
    Policy,
    Team,
    Token,
    User,
    Webhook,
}

impl Kind {
    /// Stored, so it never changes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Agent => "agent",
            Self::Code => "code",
            Self::Cookie => "cookie",
            Self::Deletion => "deletion",
            Self::Delivery => "delivery",
            Self::Invitation => "invitation",
            Self::Policy => "policy",
            Self::Team => "team",
            Self::Token => "token",
            Self::User => "user",
            Self::Webhook => "webhook",
        }
    }
}

/// A record as the store keeps it: where it is found, and what it says as JSON.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// The account it belongs to, empty where it belongs to none.
    pub(crate) account: String,
    /// A second name by which it is found; not unique.
    pub(crate) key: String,
    /// The time that orders it.
    pub(crate) at: i64,
    pub(crate) doc: String,
}

/// Something that is kept as a record.
pub(crate) trait Document: Serialize + DeserializeOwned {
    const KIND: Kind;

    /// Id, account, key and time of the record.
    fn place(&self) -> (&str, &str, &str, i64);
}

/// One step of a write.
#[derive(Debug)]
pub(crate) enum Change {
    Delete(Kind, String),
    /// Every record of this kind with this key.
    DeleteByKey(Kind, String),
    /// Every record of this kind whose `expires_at` is before a time.
    DeleteExpired(Kind, i64),
    /// Deletes sessions of an agent with everything that hangs on them, and whose they were.
    PurgeSessions {
        account: String,
        agent: String,
    },
    Put(Record),
    /// Lets an agent, and with it its sessions, belong to a team or to none. It outlives the agent.
    SetTeam {
        account: String,
        agent: String,
        team: Option<String>,
    },
    /// Sets one time in a record, if it is still there; the rest of it stays as others have left it.
    Touch {
        kind: Kind,
        id: String,
        field: &'static str,
        at: i64,
    },
    /// Of the records of this kind with this key only so many stay, the latest.
    Trim(Kind, String, usize),
}

impl Change {
    pub(crate) fn put<D: Document>(document: &D) -> Self {
        let (id, account, key, at) = document.place();
        Self::Put(Record {
            kind: D::KIND,
            id: id.to_owned(),
            account: account.to_owned(),
            key: key.to_owned(),
            at,
            doc: serde_json::to_string(document).expect("records have string keys and finite numbers"),
        })
    }
}

/// The summary of a session, with the columns that lists filter by.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) agent: String,
    pub(crate) agent_name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    /// When the last turn ended.
    pub(crate) last_at: i64,
    pub(crate) status: String,
    pub(crate) redactions: i64,
    pub(crate) turns: i64,
    pub(crate) duration_ms: Option<i64>,
    /// Time spent in this server alone.
    pub(crate) overhead_us: i64,
    /// The rest, as JSON; see [`model::SessionDetail`].
    pub(crate) doc: String,
    /// Kinds with a comma on either side of each.
    pub(crate) kinds: String,
}

/// One event of a session.
#[derive(Clone, Debug)]
pub(crate) struct EventRow {
    pub(crate) turn: i64,
    pub(crate) kind: String,
    pub(crate) pass: &'static str,
    pub(crate) doc: String,
}

/// What one step of a session adds, all of it or nothing.
#[derive(Debug, Default)]
pub(crate) struct SessionWrite {
    pub(crate) row: SessionRow,
    /// The turn that ended, by its number, as JSON.
    pub(crate) turn: Option<(i64, String)>,
    pub(crate) events: Vec<EventRow>,
    /// Hashes of audit events about it, 32 bytes each.
    pub(crate) audit_hashes: Vec<u8>,
    /// Encrypted payloads: turn, field, bytes.
    pub(crate) payloads: Vec<(i64, &'static str, Vec<u8>)>,
}

/// Which sessions a list shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionQuery {
    pub(crate) account: String,
    pub(crate) agent: Option<String>,
    pub(crate) since: Option<i64>,
    pub(crate) until: i64,
    pub(crate) statuses: Vec<String>,
    pub(crate) min_redactions: i64,
    pub(crate) kind: Option<String>,
    pub(crate) external_id: Option<String>,
    /// Teams whose agents' sessions are seen, beside those of agents without a team; `None` for all.
    pub(crate) teams: Option<Vec<String>>,
    /// Agents whose sessions are seen; `None` for all.
    pub(crate) agents: Option<Vec<String>>,
    /// Time and id of the last row of the page before.
    pub(crate) after: Option<(i64, String)>,
    pub(crate) limit: usize,
}

/// What the sessions of an agent say about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentStats {
    pub(crate) sessions_day: i64,
    pub(crate) sessions_week: i64,
    pub(crate) redactions_day: i64,
    /// Durations in milliseconds of the last day's sessions that have ended.
    pub(crate) durations_ms: Vec<i64>,
    pub(crate) overheads_us: Vec<i64>,
}

/// An answer kept for a repeat of its request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeptAnswer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

/// What a request with an idempotency key meets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Claimed {
    Different,
    Done(KeptAnswer),
    New,
    Running,
}

/// Where the server keeps accounts, agents, sessions and credentials.
///
/// An implementation promises that a write is whole or not there, that it outlives the end of the process at any instant once
/// it returned, and that calls from any number of threads neither lose one nor deadlock. Calls may wait; they belong on a
/// thread that may.
pub(crate) trait Store: Send + Sync {
    /// One record.
    fn get(&self, kind: Kind, id: &str) -> Result<Option<String>>;
    /// The records with this key.
    fn by_key(&self, kind: Kind, key: &str) -> Result<Vec<String>>;
    /// All records of an account, or of all accounts, newest first.
    fn list(&self, kind: Kind, account: Option<&str>) -> Result<Vec<String>>;
    /// Some records of an account, newest first, by key where one is given, strictly after a place.
    fn page(
        &self,
        kind: Kind,
        account: &str,
        key: Option<&str>,
        after: Option<&(i64, String)>,
        limit: usize,
    ) -> Result<Vec<String>>;
    /// Removes the records with this key and gives them, so that of two callers one gets them.
    fn take(&self, kind: Kind, key: &str) -> Result<Vec<String>>;
    /// Does all changes or none.
    fn write(&self, changes: Vec<Change>) -> Result<()>;

    /// Stores a step of a session.
    fn write_session(&self, write: SessionWrite) -> Result<()>;
    /// One session.
    fn session(&self, id: &str) -> Result<Option<SessionRow>>;
    /// Sessions, newest first.
    fn sessions(&self, query: &SessionQuery) -> Result<Vec<SessionRow>>;
    /// The team that an agent of the account belongs to, or did before it was deleted.
    fn team_of(&self, account: &str, agent: &str) -> Result<Option<String>>;
    /// How many sessions an agent of the account has.
    fn session_count(&self, account: &str, agent: &str) -> Result<i64>;
    /// How many payloads of an agent of the account are stored.
    fn payload_count(&self, account: &str, agent: &str) -> Result<i64>;
    /// Whether a session of this agent of the account with this external id was terminated.
    fn was_terminated(&self, account: &str, agent: &str, external_id: &str) -> Result<bool>;
    /// The turns of a session, in order.
    fn turns(&self, session: &str) -> Result<Vec<String>>;
    /// Events of a session with their number, from 0, after a number.
    fn session_events(
        &self,
        session: &str,
        filter: &EventFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, String)>>;
    /// Hashes of the audit events about a session.
    fn audit_hashes(&self, session: &str) -> Result<Vec<u8>>;
    /// The stored payloads of the last turn that has any: field and bytes.
    fn payloads(&self, session: &str) -> Result<Vec<(String, Vec<u8>)>>;
    /// Numbers about an agent's sessions.
    fn agent_stats(&self, account: &str, agent: &str, now: i64) -> Result<AgentStats>;
    /// Sessions begun within the last day, by agent.
    fn day_counts(&self, account: &str, now: i64) -> Result<std::collections::HashMap<String, i64>>;
    /// Removes sessions of an account that began before, and payloads that were stored before; how many of each.
    fn sweep(&self, account: &str, sessions_before: i64, payloads_before: i64) -> Result<(usize, usize)>;

    /// Takes an idempotency key for a request, or says what became of the one that has it.
    fn claim(&self, credential: &str, path: &str, key: &str, body: &[u8; 32], now: i64) -> Result<Claimed>;
    /// Keeps the answer, or gives the key free.
    fn settle(&self, credential: &str, path: &str, key: &str, answer: Option<&KeptAnswer>) -> Result<()>;

    /// A small value under a name.
    fn meta(&self, name: &str) -> Result<Option<String>>;
    /// Sets one.
    fn set_meta(&self, name: &str, value: &str) -> Result<()>;
    /// Leaves an audit event for the server to append.
    fn post(&self, event: &str) -> Result<()>;
    /// Audit events left, with their numbers.
    fn outbox(&self) -> Result<Vec<(i64, String)>>;
    /// Removes the events up to a number.
    fn clear_outbox(&self, upto: i64) -> Result<()>;
    /// Does what may wait for the disk and need not be done within a call; to be called every second or so.
    fn tidy(&self) -> Result<()>;
    /// Whether it answers.
    fn ping(&self) -> Result<()>;
}

/// Which events of a session are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventFilter {
    pub(crate) kind: Option<String>,
    pub(crate) pass: Option<String>,
    pub(crate) turn: Option<i64>,
}

/// The typed face of the records.
impl dyn Store + '_ {
    pub(crate) fn load<D: Document>(&self, id: &str) -> Result<Option<D>> {
        self.get(D::KIND, id)?.map(|doc| parse(&doc)).transpose()
    }

    pub(crate) fn load_by_key<D: Document>(&self, key: &str) -> Result<Vec<D>> {
        self.by_key(D::KIND, key)?.iter().map(|doc| parse(doc)).collect()
    }

    pub(crate) fn load_all<D: Document>(&self, account: Option<&str>) -> Result<Vec<D>> {
        self.list(D::KIND, account)?.iter().map(|doc| parse(doc)).collect()
    }

    pub(crate) fn load_page<D: Document>(
        &self,
        account: &str,
        key: Option<&str>,
        after: Option<&(i64, String)>,
        limit: usize,
    ) -> Result<Vec<D>> {
        self.page(D::KIND, account, key, after, limit)?.iter().map(|doc| parse(doc)).collect()
    }

    pub(crate) fn take_one<D: Document>(&self, key: &str) -> Result<Option<D>> {
        self.take(D::KIND, key)?.first().map(|doc| parse(doc)).transpose()
    }

    pub(crate) fn save<D: Document>(&self, document: &D) -> Result<()> {
        self.write(vec![Change::put(document)])
    }
}

fn parse<D: Document>(doc: &str) -> Result<D> {
    serde_json::from_str(doc).map_err(|_| StoreError::Corrupt(D::KIND.as_str()))
}
