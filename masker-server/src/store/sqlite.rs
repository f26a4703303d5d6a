//! The store in an SQLite file: one connection that writes, a few that read beside it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params, params_from_iter};

use super::{
    AgentStats, Change, Claimed, EventFilter, KeptAnswer, Kind, Result, SessionQuery, SessionRow,
    SessionWrite, Store, StoreError,
};
use crate::time::DAY;

/// Each step brings the file from one version to the next. A step that was released is never edited.
///
/// Indexes by time ascend, though lists begin with the newest and walk them backwards: SQLite leaves room at the end of a
/// tree that grows there, and hardly any at its beginning, where every other row would be written with its neighbours' pages.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE records (
        kind TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, doc TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX records_by_key ON records (kind, key, at, id);
    CREATE INDEX records_by_account ON records (kind, account, at, id);
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, agent TEXT NOT NULL, agent_name TEXT NOT NULL, team TEXT,
        external_id TEXT, started_at INTEGER NOT NULL, ended_at INTEGER, last_at INTEGER NOT NULL, status TEXT NOT NULL,
        redactions INTEGER NOT NULL, turns INTEGER NOT NULL, duration_ms INTEGER, overhead_us INTEGER NOT NULL,
        kinds TEXT NOT NULL, doc TEXT NOT NULL, audit_hashes BLOB NOT NULL DEFAULT x''
    ) STRICT;
    CREATE INDEX sessions_by_agent ON sessions (account, agent, started_at, id);
    CREATE INDEX sessions_by_account ON sessions (account, started_at, id);
    CREATE INDEX sessions_by_agent_status ON sessions (account, agent, status, started_at, id);
    CREATE INDEX sessions_by_status ON sessions (account, status, started_at, id);
    CREATE INDEX sessions_by_external ON sessions (account, external_id, started_at, id)
        WHERE external_id IS NOT NULL;
    CREATE INDEX sessions_of_agent ON sessions (agent);
    CREATE TABLE turns (
        session TEXT NOT NULL, turn INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (session, turn)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE events (
        session TEXT NOT NULL, n INTEGER NOT NULL, turn INTEGER NOT NULL, kind TEXT NOT NULL, pass TEXT NOT NULL,
        doc TEXT NOT NULL, PRIMARY KEY (session, n)
    ) STRICT;
    CREATE TABLE payloads (
        session TEXT NOT NULL, turn INTEGER NOT NULL, field TEXT NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL,
        PRIMARY KEY (session, turn, field)
    ) STRICT;
    CREATE INDEX payloads_by_time ON payloads (at);
    CREATE TABLE idempotency (
        credential TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL,
        status INTEGER, headers TEXT, answer BLOB, PRIMARY KEY (credential, path, key)
    ) STRICT;
    CREATE INDEX idempotency_by_time ON idempotency (at);
    CREATE TABLE outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT;
    CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    // What lists filter by stands in the indexes by time, so that rows which are not wanted are never looked up.
    "
    DROP INDEX sessions_of_agent;
    DROP INDEX sessions_by_agent;
    CREATE INDEX sessions_by_agent ON sessions (account, agent, started_at, id, status, redactions, kinds);
    DROP INDEX sessions_by_account;
    CREATE INDEX sessions_by_account ON sessions (account, started_at, id, agent, status, redactions, kinds);
",
    // Who sees a session is asked of its agent, also of one that is gone, so that a change of team is one row. The column of
    // sessions that said it is left unused: to drop it, SQLite would write every row anew.
    "
    CREATE TABLE agent_teams (
        account TEXT NOT NULL, agent TEXT NOT NULL, team TEXT NOT NULL, PRIMARY KEY (account, agent)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO agent_teams SELECT account, agent, max(team) FROM sessions WHERE team IS NOT NULL GROUP BY account, agent;
    INSERT OR REPLACE INTO agent_teams SELECT account, id, doc ->> '$.team_id' FROM records
        WHERE kind = 'agent' AND doc ->> '$.team_id' IS NOT NULL;
"];

/// How long a call waits for the write of another process, such as `masker admin bootstrap`.
const WAIT: Duration = Duration::from_secs(10);
const READERS: usize = 4;
/// How long the copier waits for those that read, when it begins the log anew.
const COPIER_WAIT: Duration = Duration::from_millis(100);
/// Pages of the write-ahead log from which it is begun anew.
const LONG_LOG: i64 = 4_096;

/// The store in a file.
pub(crate) struct SqliteStore {
    writer: Mutex<Connection>,
    /// Copies the write-ahead log into the file while the others go on.
    copier: Mutex<Connection>,
    readers: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // The code says enough; the text of some errors holds values.
        match error.sqlite_error_code() {
            Some(code) => Self::Database(format!("{code:?}")),
            None => Self::Database("unexpected answer".to_owned()),
        }
    }
}

impl SqliteStore {
    /// Opens the file, making it where there is none, and brings it up to date. A server may be running on it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        // Made here rather than by SQLite, so that it is its owner's alone from the start.
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(|error| StoreError::Database(error.kind().to_string()))?;
        let mut writer = connect(path)?;
        migrate(&mut writer)?;
        // A call that did it would wait for the disk, and those behind it.
        writer.pragma_update(None, "wal_autocheckpoint", 0)?;
        let copier = connect(path)?;
        copier.busy_timeout(COPIER_WAIT)?;
        let readers = (0..READERS).map(|_| Ok(Mutex::new(connect(path)?))).collect::<Result<_>>()?;
        Ok(Self {
            writer: Mutex::new(writer),
            copier: Mutex::new(copier),
            readers,
            next: AtomicUsize::new(0),
        })
    }

    /// Gives free what a kill left running, which will never end; only for a server that has the data for itself.
    pub(crate) fn forget_running(&self) -> Result<()> {
        lock(&self.writer).execute("DELETE FROM idempotency WHERE status IS NULL", [])?;
        Ok(())
    }

    fn read<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let free = self.readers.iter().find_map(|reader| reader.try_lock().ok());
        let reader = free.unwrap_or_else(|| {
            lock(&self.readers[self.next.fetch_add(1, Ordering::Relaxed) % self.readers.len()])
        });
        Ok(run(&reader)?)
    }

    fn change<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let writer = lock(&self.writer);
        let change = Writing::begin(&writer)?;
        let value = run(&writer)?;
        change.commit()?;
        Ok(value)
    }
}

/// A transaction that changes something. That of the library compiles its statements anew each time.
struct Writing<'a>(&'a Connection);

impl<'a> Writing<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Drop for Writing<'_> {
    /// Takes back what was not committed.
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

// A transaction that a panic cuts short is rolled back when it is dropped.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "secure_delete", "on")?;
    connection.set_prepared_statement_cache_capacity(128);
    // Without it a statement is compiled anew for every value that a condition is asked with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? as usize;
    if found > MIGRATIONS.len() {
        return Err(StoreError::Version { found, known: MIGRATIONS.len() });
    }
    for step in &MIGRATIONS[found..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

const SESSION_COLUMNS: &str = "id, account, agent, agent_name, external_id, started_at, ended_at, last_at, status, \
    redactions, turns, duration_ms, overhead_us, kinds, doc";

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: row.get(0)?,
        account: row.get(1)?,
        agent: row.get(2)?,
        agent_name: row.get(3)?,
        external_id: row.get(4)?,
        started_at: row.get(5)?,
        ended_at: row.get(6)?,
        last_at: row.get(7)?,
        status: row.get(8)?,
        redactions: row.get(9)?,
        turns: row.get(10)?,
        duration_ms: row.get(11)?,
        overhead_us: row.get(12)?,
        kinds: row.get(13)?,
        doc: row.get(14)?,
    })
}

fn texts(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map(values, |row| row.get(0))?.collect()
}

fn question_marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Removes everything that hangs on the sessions that a condition names.
fn drop_sessions(transaction: &Connection, condition: &str, values: &[Sql]) -> rusqlite::Result<usize> {
    for table in ["turns", "events", "payloads"] {
        let sql = format!("DELETE FROM {table} WHERE session IN (SELECT id FROM sessions WHERE {condition})");
        transaction.execute(&sql, params_from_iter(values))?;
    }
    transaction.execute(&format!("DELETE FROM sessions WHERE {condition}"), params_from_iter(values))
}

impl Store for SqliteStore {
    fn get(&self, kind: Kind, id: &str) -> Result<Option<String>> {
        self.read(|c| {
            c.prepare_cached("SELECT doc FROM records WHERE kind = ? AND id = ?")?
                .query_row(params![kind.as_str(), id], |row| row.get(0))
                .optional()
        })
    }

    fn by_key(&self, kind: Kind, key: &str) -> Result<Vec<String>> {
        self.read(|c| {
            let sql = "SELECT doc FROM records WHERE kind = ? AND key = ? ORDER BY at DESC, id DESC";
            texts(c, sql, params![kind.as_str(), key])
        })
    }

    fn list(&self, kind: Kind, account: Option<&str>) -> Result<Vec<String>> {
        self.read(|c| match account {
            Some(account) => texts(
                c,
                "SELECT doc FROM records WHERE kind = ? AND account = ? ORDER BY at DESC, id DESC",
                params![kind.as_str(), account],
            ),
            None => texts(
                c,
                "SELECT doc FROM records WHERE kind = ? ORDER BY at DESC, id DESC",
                params![kind.as_str()],
            ),
        })
    }

    fn page(
        &self,
        kind: Kind,
        account: &str,
        key: Option<&str>,
        after: Option<&(i64, String)>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let (at, id) = after.map_or((i64::MAX, "\u{10ffff}"), |(at, id)| (*at, id.as_str()));
        self.read(|c| {
            let sql = "SELECT doc FROM records WHERE kind = ?1 AND account = ?2 AND (?3 IS NULL OR key = ?3) \
                AND (at, id) < (?4, ?5) ORDER BY at DESC, id DESC LIMIT ?6";
            texts(c, sql, params![kind.as_str(), account, key, at, id, limit as i64])
        })
    }

    fn take(&self, kind: Kind, key: &str) -> Result<Vec<String>> {
        self.change(|t| {
            let mut statement =
                t.prepare_cached("DELETE FROM records WHERE kind = ? AND key = ? RETURNING doc")?;
            statement.query_map(params![kind.as_str(), key], |row| row.get(0))?.collect()
        })
    }

    fn write(&self, changes: Vec<Change>) -> Result<()> {
        self.change(|t| {
            for change in changes {
                match change {
                    Change::Delete(kind, id) => {
                        t.prepare_cached("DELETE FROM records WHERE kind = ? AND id = ?")?
                            .execute(params![kind.as_str(), id])?;
                    }
                    Change::DeleteByKey(kind, key) => {
                        t.prepare_cached("DELETE FROM records WHERE kind = ? AND key = ?")?
                            .execute(params![kind.as_str(), key])?;
                    }
                    Change::DeleteExpired(kind, now) => {
                        t.prepare_cached(
                            "DELETE FROM records WHERE kind = ? AND json_extract(doc, '$.expires_at') < ?",
                        )?
                        .execute(params![kind.as_str(), now])?;
                    }
                    Change::PurgeSessions { account, agent } => {
                        t.prepare_cached("DELETE FROM agent_teams WHERE account = ? AND agent = ?")?
                            .execute([&account, &agent])?;
                        let values = [Sql::from(account), Sql::from(agent)];
                        drop_sessions(t, "account = ?1 AND agent = ?2", &values)?;
                    }
                    Change::Put(r) => {
                        t.prepare_cached(
                            "INSERT INTO records (kind, id, account, key, at, doc) VALUES (?, ?, ?, ?, ?, ?) \
                             ON CONFLICT (kind, id) DO UPDATE SET account = excluded.account, key = excluded.key, \
                             at = excluded.at, doc = excluded.doc",
                        )?
                        .execute(params![r.kind.as_str(), r.id, r.account, r.key, r.at, r.doc])?;
                    }
                    Change::SetTeam { account, agent, team: Some(team) } => {
                        t.prepare_cached("INSERT OR REPLACE INTO agent_teams (account, agent, team) VALUES (?, ?, ?)")?
                            .execute([account, agent, team])?;
                    }
                    Change::SetTeam { account, agent, team: None } => {
                        t.prepare_cached("DELETE FROM agent_teams WHERE account = ? AND agent = ?")?
                            .execute([account, agent])?;
                    }
                    Change::Touch { kind, id, field, at } => {
                        t.prepare_cached(
                            "UPDATE records SET doc = json_set(doc, '$.' || ?3, ?4) WHERE kind = ?1 AND id = ?2",
                        )?
                        .execute(params![kind.as_str(), id, field, at])?;
                    }
                    Change::Trim(kind, key, most) => {
                        t.prepare_cached(
                            "DELETE FROM records WHERE kind = ?1 AND key = ?2 AND (at, id) <= (SELECT at, id FROM records \
                             WHERE kind = ?1 AND key = ?2 ORDER BY at DESC, id DESC LIMIT 1 OFFSET ?3)",
                        )?
                        .execute(params![kind.as_str(), key, most as i64])?;
                    }
                }
            }
            Ok(())
        })
    }

    fn write_session(&self, write: SessionWrite) -> Result<()> {
        let SessionWrite { row: r, turn, events, audit_hashes, payloads } = write;
        self.change(|t| {
            t.prepare_cached(
                "INSERT INTO sessions (id, account, agent, agent_name, external_id, started_at, ended_at, last_at, \
                 status, redactions, turns, duration_ms, overhead_us, kinds, doc, audit_hashes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
                 ON CONFLICT (id) DO UPDATE SET ended_at = ?7, last_at = ?8, status = ?9, redactions = ?10, turns = ?11, \
                 duration_ms = ?12, overhead_us = ?13, kinds = ?14, doc = ?15, \
                 audit_hashes = CAST(audit_hashes || ?16 AS BLOB)",
            )?
            .execute(params![
                r.id, r.account, r.agent, r.agent_name, r.external_id, r.started_at, r.ended_at, r.last_at,
                r.status, r.redactions, r.turns, r.duration_ms, r.overhead_us, r.kinds, r.doc, audit_hashes
            ])?;
            if let Some((number, doc)) = turn {
                t.prepare_cached("INSERT OR REPLACE INTO turns (session, turn, doc) VALUES (?, ?, ?)")?
                    .execute(params![r.id, number, doc])?;
            }
            if !events.is_empty() {
                let mut insert = t.prepare_cached(
                    "INSERT INTO events (session, n, turn, kind, pass, doc) VALUES (?, ?, ?, ?, ?, ?)",
                )?;
                for (n, event) in events.iter().enumerate() {
                    // Turns stand in their order, whichever was over first.
                    let n = (event.turn << 32) | n as i64;
                    insert.execute(params![r.id, n, event.turn, event.kind, event.pass, event.doc])?;
                }
            }
            for (turn, field, bytes) in payloads {
                t.prepare_cached(
                    "INSERT OR REPLACE INTO payloads (session, turn, field, at, bytes) VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![r.id, turn, field, r.last_at, bytes])?;
            }
            Ok(())
        })
    }

    fn session(&self, id: &str) -> Result<Option<SessionRow>> {
        self.read(|c| {
            c.prepare_cached(&format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE id = ?"))?
                .query_row([id], session_row)
                .optional()
        })
    }

    fn sessions(&self, q: &SessionQuery) -> Result<Vec<SessionRow>> {
        // The indexes by time have what a session was about, those by status do not.
        let by_content = q.kind.is_some() || q.min_redactions > 0;
        let one_status = q.statuses.len() == 1 && !by_content;
        let index = match (&q.external_id, &q.agent, one_status) {
            (Some(_), ..) => "sessions_by_external",
            (None, Some(_), true) => "sessions_by_agent_status",
            (None, Some(_), false) => "sessions_by_agent",
            (None, None, true) => "sessions_by_status",
            (None, None, false) => "sessions_by_account",
        };
        let mut sql = format!("SELECT {SESSION_COLUMNS} FROM sessions INDEXED BY {index} WHERE account = ?");
        let mut values: Vec<Sql> = vec![q.account.clone().into()];
        let mut also = |condition: &str, more: Vec<Sql>| {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.extend(more);
        };
        if let Some(external) = &q.external_id {
            also("external_id = ?", vec![external.clone().into()]);
        }
        if let Some(agent) = &q.agent {
            also("agent = ?", vec![agent.clone().into()]);
        }
        if let Some(since) = q.since {
            also("started_at >= ?", vec![since.into()]);
        }
        also("started_at < ?", vec![q.until.into()]);
        if let Some((at, id)) = &q.after {
            also("(started_at, id) < (?, ?)", vec![(*at).into(), id.clone().into()]);
        }
        if !q.statuses.is_empty() {
            let list = format!("status IN ({})", question_marks(q.statuses.len()));
            also(&list, q.statuses.iter().map(|status| status.clone().into()).collect());
        }
        if q.min_redactions > 0 {
            also("redactions >= ?", vec![q.min_redactions.into()]);
        }
        if let Some(kind) = &q.kind {
            also("instr(kinds, ?) > 0", vec![format!(",{kind},").into()]);
        }
        if let Some(teams) = &q.teams {
            // By what is not seen, which an account has less of, and which needs no list of agents that are gone.
            let hidden = format!(
                "NOT EXISTS (SELECT 1 FROM agent_teams t WHERE t.account = sessions.account AND t.agent = sessions.agent \
                 AND t.team NOT IN ({}))",
                question_marks(teams.len())
            );
            also(&hidden, teams.iter().map(|team| team.clone().into()).collect());
        }
        if let Some(agents) = &q.agents {
            let list = format!("agent IN ({})", question_marks(agents.len()));
            also(&list, agents.iter().map(|agent| agent.clone().into()).collect());
        }
        sql.push_str(" ORDER BY started_at DESC, id DESC LIMIT ?");
        values.push((q.limit as i64).into());
        self.read(|c| c.prepare_cached(&sql)?.query_map(params_from_iter(values), session_row)?.collect())
    }

    fn team_of(&self, account: &str, agent: &str) -> Result<Option<String>> {
        self.read(|c| {
            c.prepare_cached("SELECT team FROM agent_teams WHERE account = ? AND agent = ?")?
                .query_row([account, agent], |row| row.get(0))
                .optional()
        })
    }

    fn session_count(&self, account: &str, agent: &str) -> Result<i64> {
        self.read(|c| {
            c.prepare_cached("SELECT count(*) FROM sessions WHERE account = ? AND agent = ?")?
                .query_row([account, agent], |row| row.get(0))
        })
    }

    fn payload_count(&self, account: &str, agent: &str) -> Result<i64> {
        self.read(|c| {
            let sql = "SELECT count(*) FROM payloads \
                WHERE session IN (SELECT id FROM sessions WHERE account = ? AND agent = ?)";
            c.prepare_cached(sql)?.query_row([account, agent], |row| row.get(0))
        })
    }

    fn was_terminated(&self, account: &str, agent: &str, external_id: &str) -> Result<bool> {
        self.read(|c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM sessions INDEXED BY sessions_by_external \
                WHERE account = ? AND external_id = ? AND agent = ? AND doc -> '$.error_code' = '\"terminated\"')";
            c.prepare_cached(sql)?.query_row([account, external_id, agent], |row| row.get(0))
        })
    }

    fn turns(&self, session: &str) -> Result<Vec<String>> {
        self.read(|c| texts(c, "SELECT doc FROM turns WHERE session = ? ORDER BY turn", [session]))
    }

    fn session_events(
        &self,
        session: &str,
        filter: &EventFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, String)>> {
        self.read(|c| {
            let sql = "SELECT n, doc FROM events WHERE session = ?1 AND n > ?2 AND (?3 IS NULL OR kind = ?3) \
                AND (?4 IS NULL OR pass = ?4) AND (?5 IS NULL OR turn = ?5) ORDER BY n LIMIT ?6";
            let values = params![session, after, filter.kind, filter.pass, filter.turn, limit as i64];
            c.prepare_cached(sql)?.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    fn audit_hashes(&self, session: &str) -> Result<Vec<u8>> {
        self.read(|c| {
            c.prepare_cached("SELECT audit_hashes FROM sessions WHERE id = ?")?
                .query_row([session], |row| row.get(0))
        })
    }

    fn payloads(&self, session: &str) -> Result<Vec<(String, Vec<u8>)>> {
        self.read(|c| {
            let sql = "SELECT field, bytes FROM payloads WHERE session = ?1 \
                AND turn = (SELECT max(turn) FROM payloads WHERE session = ?1)";
            c.prepare_cached(sql)?.query_map([session], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    fn agent_stats(&self, account: &str, agent: &str, now: i64) -> Result<AgentStats> {
        self.read(|c| {
            let mut stats = AgentStats::default();
            let sql = "SELECT count(*), coalesce(sum(started_at >= ?4), 0), \
                coalesce(sum(CASE WHEN started_at >= ?4 THEN redactions ELSE 0 END), 0) \
                FROM sessions INDEXED BY sessions_by_agent WHERE account = ?1 AND agent = ?2 AND started_at >= ?3";
            (stats.sessions_week, stats.sessions_day, stats.redactions_day) = c
                .prepare_cached(sql)?
                .query_row(params![account, agent, now - 7 * DAY, now - DAY], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            // Of very many the latest say enough.
            let sql = "SELECT duration_ms, overhead_us FROM sessions INDEXED BY sessions_by_agent \
                WHERE account = ? AND agent = ? AND started_at >= ? AND duration_ms IS NOT NULL \
                ORDER BY started_at DESC, id DESC LIMIT 10000";
            let mut statement = c.prepare_cached(sql)?;
            let rows =
                statement.query_map(params![account, agent, now - DAY], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for row in rows {
                let (duration, overhead) = row?;
                stats.durations_ms.push(duration);
                stats.overheads_us.push(overhead);
            }
            Ok(stats)
        })
    }

    fn day_counts(&self, account: &str, now: i64) -> Result<HashMap<String, i64>> {
        self.read(|c| {
            let sql = "SELECT agent, count(*) FROM sessions INDEXED BY sessions_by_account \
                WHERE account = ? AND started_at >= ? GROUP BY agent";
            c.prepare_cached(sql)?
                .query_map(params![account, now - DAY], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    fn sweep(&self, account: &str, sessions_before: i64, payloads_before: i64) -> Result<(usize, usize)> {
        self.change(|t| {
            let payloads = t.execute(
                "DELETE FROM payloads WHERE at < ?2 AND session IN (SELECT id FROM sessions WHERE account = ?1)",
                params![account, payloads_before],
            )?;
            let condition = "account = ?1 AND started_at < ?2 AND status != 'in_progress'";
            let sessions = drop_sessions(t, condition, &[Sql::from(account.to_owned()), sessions_before.into()])?;
            t.execute("DELETE FROM idempotency WHERE at < ?", [crate::time::now() - DAY])?;
            Ok((sessions, payloads))
        })
    }

    fn claim(&self, credential: &str, path: &str, key: &str, body: &[u8; 32], now: i64) -> Result<Claimed> {
        self.change(|t| {
            t.prepare_cached(
                "DELETE FROM idempotency WHERE credential = ? AND path = ? AND key = ? AND at < ?",
            )?
            .execute(params![credential, path, key, now - DAY])?;
            let added = t
                .prepare_cached(
                    "INSERT OR IGNORE INTO idempotency (credential, path, key, body, at) VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![credential, path, key, body, now])?;
            if added == 1 {
                return Ok(Claimed::New);
            }
            t.prepare_cached(
                "SELECT body, status, headers, answer FROM idempotency WHERE credential = ? AND path = ? AND key = ?",
            )?
            .query_row([credential, path, key], |row| {
                if row.get::<_, Vec<u8>>(0)? != body {
                    return Ok(Claimed::Different);
                }
                Ok(match row.get::<_, Option<u16>>(1)? {
                    None => Claimed::Running,
                    Some(status) => {
                        Claimed::Done(KeptAnswer { status, headers: row.get(2)?, body: row.get(3)? })
                    }
                })
            })
        })
    }

    fn settle(&self, credential: &str, path: &str, key: &str, answer: Option<&KeptAnswer>) -> Result<()> {
        self.change(|t| {
            match answer {
                Some(answer) => t
                    .prepare_cached(
                        "UPDATE idempotency SET status = ?, headers = ?, answer = ? \
                         WHERE credential = ? AND path = ? AND key = ?",
                    )?
                    .execute(params![answer.status, answer.headers, answer.body, credential, path, key])?,
                None => t
                    .prepare_cached("DELETE FROM idempotency WHERE credential = ? AND path = ? AND key = ?")?
                    .execute([credential, path, key])?,
            };
            Ok(())
        })
    }

    fn meta(&self, name: &str) -> Result<Option<String>> {
        self.read(|c| {
            c.prepare_cached("SELECT value FROM meta WHERE name = ?")?
                .query_row([name], |row| row.get(0))
                .optional()
        })
    }

    fn set_meta(&self, name: &str, value: &str) -> Result<()> {
        self.change(|t| {
            t.prepare_cached(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([name, value])?;
            Ok(())
        })
    }

    fn post(&self, event: &str) -> Result<()> {
        self.change(|t| t.execute("INSERT INTO outbox (event) VALUES (?)", [event]).map(drop))
    }

    fn outbox(&self) -> Result<Vec<(i64, String)>> {
        self.read(|c| {
            c.prepare_cached("SELECT n, event FROM outbox ORDER BY n")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    fn clear_outbox(&self, upto: i64) -> Result<()> {
        self.change(|t| t.execute("DELETE FROM outbox WHERE n <= ?", [upto]).map(drop))
    }

    fn tidy(&self) -> Result<()> {
        let copier = lock(&self.copier);
        let pages: i64 = copier.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        if pages > LONG_LOG {
            copier.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        self.read(|c| c.query_row("SELECT count(*) FROM meta", [], |_| Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Record;

    fn store() -> (tempfile::TempDir, SqliteStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("masker.db")).unwrap();
        (folder, store)
    }

    fn session(n: i64) -> SessionWrite {
        let row = SessionRow {
            id: format!("sess_{n:03}"),
            account: "acc".into(),
            agent: "agt".into(),
            started_at: n / 2,
            status: "ok".into(),
            redactions: n % 3,
            kinds: if n % 2 == 0 { ",PHONE,".into() } else { String::new() },
            doc: "{}".into(),
            ..SessionRow::default()
        };
        SessionWrite { row, audit_hashes: vec![1; 32], ..SessionWrite::default() }
    }

    #[test]
    fn pages_meet_every_session_once_in_order() {
        let (_folder, store) = store();
        for n in 0..50 {
            store.write_session(session(n)).unwrap();
        }
        let mut query =
            SessionQuery { account: "acc".into(), until: 1000, limit: 7, ..SessionQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = store.sessions(&query).unwrap();
            let Some(last) = page.last() else { break };
            query.after = Some((last.started_at, last.id.clone()));
            seen.extend(page.into_iter().map(|row| row.id));
            // A newer row is no part of this walk.
            store
                .write_session(SessionWrite {
                    row: SessionRow { started_at: 900, ..session(100).row },
                    ..session(100)
                })
                .unwrap();
        }
        assert_eq!(seen, (0..50).rev().map(|n| format!("sess_{n:03}")).collect::<Vec<_>>());
    }

    #[test]
    fn filters_join_with_and() {
        let (_folder, store) = store();
        for n in 0..30 {
            store.write_session(session(n)).unwrap();
        }
        let query = SessionQuery {
            account: "acc".into(),
            agent: Some("agt".into()),
            since: Some(5),
            until: 10,
            statuses: vec!["ok".into()],
            min_redactions: 1,
            kind: Some("PHONE".into()),
            limit: 100,
            ..SessionQuery::default()
        };
        let ids: Vec<String> = store.sessions(&query).unwrap().into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["sess_016", "sess_014", "sess_010"]);
        assert!(store.sessions(&SessionQuery { account: "other".into(), ..query }).unwrap().is_empty());
    }

    #[test]
    fn audit_hashes_grow_and_a_purge_leaves_nothing() {
        let (_folder, store) = store();
        store.write_session(session(1)).unwrap();
        store
            .write_session(SessionWrite {
                turn: Some((1, "{}".into())),
                payloads: vec![(1, "request", vec![9])],
                ..session(1)
            })
            .unwrap();
        assert_eq!(store.audit_hashes("sess_001").unwrap().len(), 64);
        assert_eq!(store.payload_count("acc", "agt").unwrap(), 1);
        store.write(vec![Change::PurgeSessions { account: "acc".into(), agent: "agt".into() }]).unwrap();
        assert!(store.session("sess_001").unwrap().is_none());
        assert!(
            store.turns("sess_001").unwrap().is_empty() && store.payloads("sess_001").unwrap().is_empty()
        );
    }

    #[test]
    fn a_key_of_a_request_is_taken_once() {
        let (_folder, store) = store();
        let claim = |body: u8| store.claim("c", "/p", "k", &[body; 32], 1_000_000_000_000).unwrap();
        assert_eq!(claim(1), Claimed::New);
        assert_eq!(claim(1), Claimed::Running);
        assert_eq!(claim(2), Claimed::Different);
        let answer = KeptAnswer { status: 201, headers: String::new(), body: b"x".to_vec() };
        store.settle("c", "/p", "k", Some(&answer)).unwrap();
        assert_eq!(claim(1), Claimed::Done(answer));
        store.settle("c", "/p", "k", None).unwrap();
        assert_eq!(claim(2), Claimed::New);
    }

    #[test]
    fn of_two_takers_one_gets_it() {
        let (_folder, store) = store();
        let record = Record {
            kind: Kind::Code,
            id: "1".into(),
            account: String::new(),
            key: "hash".into(),
            at: 0,
            doc: "{}".into(),
        };
        store.write(vec![Change::Put(record)]).unwrap();
        let got: usize = std::thread::scope(|scope| {
            let takers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| store.take(Kind::Code, "hash").unwrap().len())).collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(got, 1);
    }

    #[test]
    fn a_touch_changes_one_time_and_brings_nothing_back() {
        let (_folder, store) = store();
        let touch = || {
            let (kind, id) = (Kind::User, "1".to_owned());
            store.write(vec![Change::Touch { kind, id, field: "last_seen_at", at: 7 }]).unwrap();
            store.get(Kind::User, "1").unwrap()
        };
        assert_eq!(touch(), None);
        let record = Record {
            kind: Kind::User,
            id: "1".into(),
            account: String::new(),
            key: String::new(),
            at: 0,
            doc: r#"{"role":"viewer","last_seen_at":null}"#.into(),
        };
        store.write(vec![Change::Put(record)]).unwrap();
        assert_eq!(touch().as_deref(), Some(r#"{"role":"viewer","last_seen_at":7}"#));
        store.write(vec![Change::Delete(Kind::User, "1".into())]).unwrap();
        assert_eq!(touch(), None);
    }

    #[test]
    fn what_has_come_to_its_end_is_removed() {
        let (_folder, store) = store();
        for (id, end) in [("1", 5), ("2", 9)] {
            store
                .write(vec![Change::Put(Record {
                    kind: Kind::Cookie,
                    id: id.into(),
                    account: String::new(),
                    key: String::new(),
                    at: 0,
                    doc: format!("{{\"expires_at\":{end}}}"),
                })])
                .unwrap();
        }
        store.write(vec![Change::DeleteExpired(Kind::Cookie, 7)]).unwrap();
        assert!(
            store.get(Kind::Cookie, "1").unwrap().is_none()
                && store.get(Kind::Cookie, "2").unwrap().is_some()
        );
    }

    #[test]
    fn a_change_that_fails_leaves_nothing() {
        let (_folder, store) = store();
        let failed: Result<()> = store.change(|c| {
            c.execute("INSERT INTO meta (name, value) VALUES ('a', 'b')", [])?;
            c.execute("INSERT INTO nowhere VALUES (1)", []).map(drop)
        });
        assert!(failed.is_err());
        assert_eq!(store.meta("a").unwrap(), None);
        store.set_meta("a", "c").unwrap();
        assert_eq!(store.meta("a").unwrap().as_deref(), Some("c"));
    }

    #[test]
    fn teams_that_sessions_had_become_those_of_their_agents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masker.db");
        let before = Connection::open(&path).unwrap();
        for step in &MIGRATIONS[..2] {
            before.execute_batch(step).unwrap();
        }
        before.pragma_update(None, "user_version", 2).unwrap();
        let rows = [("1", "gone", Some("tea_1")), ("2", "alive", Some("tea_1")), ("3", "free", None)];
        for (id, agent, team) in rows {
            let sql = "INSERT INTO sessions (id, account, agent, agent_name, team, started_at, last_at, status, redactions, \
                turns, overhead_us, kinds, doc) VALUES (?, 'acc', ?, 'a', ?, 5, 5, 'ok', 0, 1, 0, '', '{}')";
            before.execute(sql, params![id, agent, team]).unwrap();
        }
        for (id, team) in [("alive", "\"tea_2\""), ("fresh", "\"tea_3\""), ("free", "null")] {
            let sql = "INSERT INTO records VALUES ('agent', ?, 'acc', '', 0, ?)";
            before.execute(sql, [id, &format!("{{\"team_id\":{team}}}")]).unwrap();
        }
        drop(before);
        let store = SqliteStore::open(&path).unwrap();
        for (agent, team) in
            [("gone", Some("tea_1")), ("alive", Some("tea_2")), ("fresh", Some("tea_3")), ("free", None)]
        {
            assert_eq!(store.team_of("acc", agent).unwrap().as_deref(), team, "{agent}");
        }
        let mut query =
            SessionQuery { account: "acc".into(), until: 10, limit: 9, ..SessionQuery::default() };
        for (teams, seen) in [(vec![], 1), (vec!["tea_1".to_owned()], 2), (vec!["tea_2".to_owned()], 2)] {
            query.teams = Some(teams);
            assert_eq!(store.sessions(&query).unwrap().len(), seen, "{query:?}");
        }
    }

    #[test]
    fn a_file_of_a_later_release_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masker.db");
        drop(SqliteStore::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(SqliteStore::open(&path), Err(StoreError::Version { found: 99, .. })));
    }
}
