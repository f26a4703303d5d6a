//! The vault in PostgreSQL, for any number of machines.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::postgres_tls::{self, Target};
use super::{
    Lookup, Put, Query, Reference, Reseal, Row, RowKey, Sealed, Selection, Vault, VaultError, VaultStats,
    Write, tombstone,
};
use crate::Kind;
use crate::token::{Kid, Scope};

/// Connections that one vault opens at most, unless told otherwise.
const CONNECTIONS: usize = 8;
/// How long a call waits for another's lock, and for a server to answer at all.
const WAIT: Duration = Duration::from_secs(10);
/// A connection that was used this lately is taken for alive.
const FRESH: Duration = Duration::from_secs(1);
/// Rows that one statement adds at most.
const PAGE: usize = 5_000;
/// "MSKV": the advisory lock that keeps writing and removing apart.
const LOCK: i64 = 0x4d53_4b56;

const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;
/// What leads from each version of the schema to the next. Scopes and tokens compare by their bytes, as everywhere.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE masker_rows (
        scope text COLLATE \"C\" NOT NULL,
        token text COLLATE \"C\" NOT NULL,
        kind text NOT NULL,
        kid text NOT NULL,
        bytes bytea NOT NULL,
        created bigint NOT NULL,
        used bigint NOT NULL,
        expires bigint,
        PRIMARY KEY (scope, token)
    );
    CREATE TABLE masker_issued (
        scope text COLLATE \"C\" NOT NULL,
        token text COLLATE \"C\" NOT NULL,
        agent text COLLATE \"C\" NOT NULL,
        subject text COLLATE \"C\" NOT NULL,
        PRIMARY KEY (scope, token, agent, subject),
        FOREIGN KEY (scope, token) REFERENCES masker_rows ON DELETE CASCADE
    );
    CREATE INDEX masker_issued_agent ON masker_issued (agent);
    CREATE INDEX masker_issued_subject ON masker_issued (subject);
    CREATE TABLE masker_tombstones (hash bytea PRIMARY KEY);
    CREATE TABLE masker_state (version bigint NOT NULL, erasure_pending boolean NOT NULL);
    INSERT INTO masker_state VALUES (0, false);
"];

/// How a PostgreSQL vault is reached, beside its URL.
///
/// ```
/// use masker_core::PostgresOptions;
///
/// let options = PostgresOptions::default().connections(16);
/// assert!(format!("{options:?}").contains("16"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresOptions {
    connections: usize,
    roots: Option<Vec<u8>>,
}

impl Default for PostgresOptions {
    /// Eight connections; certificates are checked against those of the system.
    fn default() -> Self {
        Self { connections: CONNECTIONS, roots: None }
    }
}

impl PostgresOptions {
    /// Sets how many connections are opened at most, at least one. A call that finds all of them lent waits ten seconds.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: connections.max(1), ..self }
    }

    /// Trusts these certificates, in PEM form, in the place of the system's.
    pub fn root_certificates(self, pem: &[u8]) -> Self {
        Self { roots: Some(pem.to_vec()), ..self }
    }
}

/// A vault in a PostgreSQL database.
///
/// Calls block on the network: on an async executor they belong on a thread for blocking work (`AsyncVault` with the feature
/// `async`). Connections are made as they are needed and made again when the server went away.
///
/// # TLS
///
/// A server on another host is asked for TLS 1.2 or later and must show a certificate for its name: `sslmode=disable` in the URL
/// turns that off, and a socket or the loopback address does without unless the URL asks for it. `require`, `verify-ca` and
/// `verify-full` all mean that the certificate is checked in full; with `prefer` the connection is plain where the server has no
/// TLS. `sslrootcert=/path/ca.pem` names the certificates to trust, as does [`PostgresOptions::root_certificates`].
///
/// # Erasure
///
/// After rows were removed their tables are rewritten. What the server's own write-ahead log, replicas and backups keep is
/// outside of it; there rows are ciphertext as everywhere.
///
/// ```no_run
/// use masker_core::{PostgresVault, Vault};
///
/// let vault = PostgresVault::connect("postgres://masker@db.example.com/masker?sslmode=verify-full")?;
/// assert_eq!(vault.stats()?.rows, 0);
/// # Ok::<(), masker_core::VaultError>(())
/// ```
pub struct PostgresVault {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    pool: Mutex<Pool>,
    returned: Condvar,
    /// How long a call waits for a connection to come back.
    patience: Duration,
}

struct Pool {
    /// With the moment when each was used last.
    idle: Vec<(Client, Instant)>,
    /// Connections that may still be opened.
    room: usize,
}

impl PostgresVault {
    /// Connects, and makes the tables where there are none, in the first schema of the connection's search path.
    ///
    /// # Errors
    ///
    /// When the URL is malformed, the server does not answer, or the tables are of a later version.
    pub fn connect(url: &str) -> Result<Self, VaultError> {
        Self::connect_with(url, &PostgresOptions::default())
    }

    /// Connects as [`PostgresVault::connect`] does, with options.
    ///
    /// # Errors
    ///
    /// As there; also when a certificate cannot be read.
    pub fn connect_with(url: &str, options: &PostgresOptions) -> Result<Self, VaultError> {
        let Target { mut config, tls } = postgres_tls::target(url, options.roots.as_deref())?;
        config
            .connect_timeout(WAIT)
            .tcp_user_timeout(WAIT)
            .keepalives_idle(3 * WAIT)
            .application_name("masker");
        let vault = Self {
            config,
            tls,
            pool: Mutex::new(Pool { idle: Vec::new(), room: options.connections }),
            returned: Condvar::new(),
            patience: WAIT,
        };
        vault.migrate()?;
        Ok(vault)
    }

    fn migrate(&self) -> Result<(), VaultError> {
        self.write(Access::Alone, |transaction| {
            let exists: bool =
                transaction.query_one("SELECT to_regclass('masker_state') IS NOT NULL", &[])?.get(0);
            let version: i64 = if exists {
                transaction.query_one("SELECT version FROM masker_state", &[])?.get(0)
            } else {
                0
            };
            let present = usize::try_from(version).unwrap_or(usize::MAX);
            let Some(missing) = MIGRATIONS.get(present..) else {
                return Ok(Err(VaultError::Version { found: version, expected: VERSION }));
            };
            if !missing.is_empty() {
                for migration in missing {
                    transaction.batch_execute(migration)?;
                }
                transaction.execute("UPDATE masker_state SET version = $1", &[&VERSION])?;
            }
            Ok(Ok(()))
        })?
    }

    /// Lends a connection to `run`. One that broke is not lent again.
    fn with<T>(&self, run: impl FnOnce(&mut Client) -> Result<T, Failure>) -> Result<T, VaultError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = loop {
            match pool.idle.pop() {
                Some((client, _)) if client.is_closed() => pool.room += 1,
                Some(idle) => break Some(idle),
                None if pool.room > 0 => {
                    pool.room -= 1;
                    break None;
                }
                None => {
                    let waited = self
                        .returned
                        .wait_timeout(pool, self.patience)
                        .unwrap_or_else(PoisonError::into_inner);
                    pool = waited.0;
                    if waited.1.timed_out() && pool.idle.is_empty() && pool.room == 0 {
                        return Err(VaultError::Busy);
                    }
                }
            }
        };
        drop(pool);
        let mut lent = Lent { vault: self, client: None };
        let connect = || -> Result<Client, Failure> {
            let mut client = match &self.tls {
                Some(tls) => self.config.connect(tls.clone())?,
                None => self.config.connect(NoTls)?,
            };
            let wait = WAIT.as_millis();
            client.batch_execute(&format!("SET lock_timeout = {wait}; SET client_min_messages = warning"))?;
            Ok(client)
        };
        // A server that was restarted is noticed by asking alone. That costs a round trip, so busy connections are not asked.
        let idle = idle.and_then(|(mut client, since)| {
            (since.elapsed() < FRESH || client.is_valid(WAIT).is_ok()).then_some(client)
        });
        let client = idle.map_or_else(connect, Ok).map_err(Failure::into_error)?;
        run(lent.client.insert(client)).map_err(Failure::into_error)
    }

    fn read<T>(&self, run: impl FnOnce(&mut Client) -> Result<T, Failure>) -> Result<T, VaultError> {
        self.with(run)
    }

    /// Runs a transaction that writes rows beside others, or removes them with no other writing.
    fn write<T>(
        &self,
        access: Access,
        run: impl FnOnce(&mut Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, VaultError> {
        self.with(|client| {
            let mut transaction = client.transaction()?;
            let lock = match access {
                Access::Alone => "pg_advisory_xact_lock",
                Access::Shared => "pg_advisory_xact_lock_shared",
            };
            transaction.batch_execute(&format!("SELECT {lock}({LOCK})"))?;
            let value = run(&mut transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    /// Rewrites the tables without the rows that went. What cannot be done now is remembered and done with the next removal.
    fn erase(&self) {
        let _ = self.with(|client| {
            if client.query_one("SELECT erasure_pending FROM masker_state", &[])?.get(0) {
                client.batch_execute("VACUUM FULL masker_rows")?;
                client.batch_execute("VACUUM FULL masker_issued")?;
                client.batch_execute("UPDATE masker_state SET erasure_pending = false")?;
            }
            Ok(())
        });
    }
}

#[derive(Clone, Copy)]
enum Access {
    Alone,
    Shared,
}

/// A connection on loan; it goes back, or makes room for another.
struct Lent<'a> {
    vault: &'a PostgresVault,
    client: Option<Client>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.vault.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => pool.idle.push((client, Instant::now())),
            None => pool.room += 1,
        }
        drop(pool);
        self.vault.returned.notify_one();
    }
}

impl Drop for PostgresVault {
    /// Closes the connections on a thread of its own: each has a runtime inside, which must not end on a thread of an async executor.
    fn drop(&mut self) {
        let pool = self.pool.get_mut().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut pool.idle);
        if !idle.is_empty() {
            // A thread that cannot be started leaves them to the end of the process.
            let _ = std::thread::Builder::new().spawn(move || drop(idle)).map(std::thread::JoinHandle::join);
        }
    }
}

impl fmt::Debug for PostgresVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresVault").finish_non_exhaustive()
    }
}

/// Why a call did not succeed.
enum Failure {
    Database(postgres::Error),
    /// A stored value that this code never writes.
    Malformed,
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    fn into_error(self) -> VaultError {
        let Self::Database(error) = self else { return VaultError::Corrupt };
        // The server's message may quote values; its code cannot.
        match error.code() {
            Some(code)
                if [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::T_R_DEADLOCK_DETECTED].contains(&code) =>
            {
                VaultError::Busy
            }
            Some(code) if [&SqlState::DISK_FULL, &SqlState::OUT_OF_MEMORY].contains(&code) => {
                VaultError::Full
            }
            Some(code) => failed(&format!("PostgreSQL answered with SQLSTATE {}", code.code())),
            None => postgres_tls::refusal(&error).unwrap_or_else(|| failed("PostgreSQL does not answer")),
        }
    }
}

pub(super) fn failed(reason: &str) -> VaultError {
    VaultError::Storage { reason: reason.to_owned() }
}

fn scope_of(text: &str) -> Result<Scope, Failure> {
    text.parse().map_err(|_| Failure::Malformed)
}

fn kid_of(text: &str) -> Result<Kid, Failure> {
    text.parse().map_err(|_| Failure::Malformed)
}

/// The condition of a selection over `masker_rows r`, with `$1` for its parameter.
fn condition(which: &Selection) -> (&'static str, Box<dyn ToSql + Sync + Send>) {
    match which {
        Selection::Agent(agent) => (
            "(scope, token) IN (SELECT scope, token FROM masker_issued WHERE agent = $1)
             AND NOT EXISTS (SELECT 1 FROM masker_issued i
                             WHERE i.scope = r.scope AND i.token = r.token AND agent <> $1)",
            Box::new(agent.clone()),
        ),
        Selection::Expired(now) => ("expires <= $1", Box::new(*now)),
        Selection::Kid(kid) => ("kid = $1", Box::new(kid.as_str().to_owned())),
        Selection::Scope(scope) => ("scope = $1", Box::new(scope.as_str().to_owned())),
        Selection::Subject(subject) => (
            "(scope, token) IN (SELECT scope, token FROM masker_issued WHERE subject = $1)
             AND NOT EXISTS (SELECT 1 FROM masker_issued i
                             WHERE i.scope = r.scope AND i.token = r.token AND subject <> $1)",
            Box::new(subject.clone()),
        ),
        Selection::UnusedSince(time) => ("used < $1", Box::new(*time)),
    }
}

/// Leaves the tombstones of rows that a statement removed.
fn bury(transaction: &mut Transaction<'_>, gone: &[postgres::Row]) -> Result<(), Failure> {
    if gone.is_empty() {
        return Ok(());
    }
    let hashes = gone
        .iter()
        .map(|row| Ok(tombstone(&scope_of(row.get(0))?, row.get(1)).to_vec()))
        .collect::<Result<Vec<_>, Failure>>()?;
    mark(transaction, &hashes)?;
    transaction.execute("UPDATE masker_state SET erasure_pending = true", &[])?;
    Ok(())
}

/// Adds the rows that are neither here nor dead, and the references of all that are here then; gives how many are new.
fn add_rows(transaction: &mut Transaction<'_>, rows: &[Row]) -> Result<u64, Failure> {
    let scopes: Vec<&str> = rows.iter().map(|row| row.key.scope.as_str()).collect();
    let tokens: Vec<&str> = rows.iter().map(|row| &*row.key.token).collect();
    let hashes: Vec<Vec<u8>> =
        rows.iter().map(|row| tombstone(&row.key.scope, &row.key.token).to_vec()).collect();
    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    let kids: Vec<&str> = rows.iter().map(|row| row.kid.as_str()).collect();
    let bytes: Vec<&[u8]> = rows.iter().map(|row| &*row.bytes).collect();
    let created: Vec<i64> = rows.iter().map(|row| row.created).collect();
    let used: Vec<i64> = rows.iter().map(|row| row.used).collect();
    let expires: Vec<Option<i64>> = rows.iter().map(|row| row.expires).collect();
    let new = transaction.execute(
        "INSERT INTO masker_rows
         SELECT q.scope, q.token, q.kind, q.kid, q.bytes, q.created, q.used, q.expires
         FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::bigint[],
                     $8::bigint[], $9::bigint[])
              AS q (scope, token, hash, kind, kid, bytes, created, used, expires)
         WHERE NOT EXISTS (SELECT 1 FROM masker_tombstones t WHERE t.hash = q.hash)
         ON CONFLICT DO NOTHING",
        &[&scopes, &tokens, &hashes, &kinds, &kids, &bytes, &created, &used, &expires],
    )?;
    let owned = || rows.iter().flat_map(|row| row.references.iter().map(move |reference| (row, reference)));
    let scopes: Vec<&str> = owned().map(|(row, _)| row.key.scope.as_str()).collect();
    let tokens: Vec<&str> = owned().map(|(row, _)| &*row.key.token).collect();
    let agents: Vec<&str> = owned().map(|(_, reference)| &*reference.agent).collect();
    let subjects: Vec<&str> = owned().map(|(_, reference)| &*reference.subject).collect();
    transaction.execute(
        "INSERT INTO masker_issued
         SELECT q.scope, q.token, q.agent, q.subject
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS q (scope, token, agent, subject)
         JOIN masker_rows r ON r.scope = q.scope AND r.token = q.token
         ON CONFLICT DO NOTHING",
        &[&scopes, &tokens, &agents, &subjects],
    )?;
    Ok(new)
}

fn mark(transaction: &mut Transaction<'_>, hashes: &[Vec<u8>]) -> Result<(), Failure> {
    let sql = "INSERT INTO masker_tombstones SELECT DISTINCT unnest($1::bytea[]) ON CONFLICT DO NOTHING";
    transaction.execute(sql, &[&hashes])?;
    Ok(())
}

impl Vault for PostgresVault {
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        let scope = query.scope.as_str();
        let tokens: Vec<&str> = query.tokens.iter().map(|token| token.text()).collect();
        let hashes: Vec<Vec<u8>> =
            tokens.iter().map(|token| tombstone(query.scope, token).to_vec()).collect();
        let agent = query.reference.map(|reference| &*reference.agent);
        let subject = query.reference.map(|reference| &*reference.subject);
        self.read(|client| {
            let statement = client.prepare_typed(
                "SELECT r.kid, r.bytes, r.used, r.expires,
                        EXISTS (SELECT 1 FROM masker_issued i WHERE i.scope = $1 AND i.token = q.token
                                AND i.agent = $4 AND i.subject = $5),
                        t.hash IS NOT NULL
                 FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS q (token, hash, place)
                 LEFT JOIN masker_rows r ON r.scope = $1 AND r.token = q.token
                 LEFT JOIN masker_tombstones t ON t.hash = q.hash
                 ORDER BY q.place",
                &[Type::TEXT, Type::TEXT_ARRAY, Type::BYTEA_ARRAY, Type::TEXT, Type::TEXT],
            )?;
            let rows = client.query(&statement, &[&scope, &tokens, &hashes, &agent, &subject])?;
            rows.iter()
                .map(|row| {
                    let Some(kid) = row.get::<_, Option<&str>>(0) else {
                        return Ok(if row.get(5) { Lookup::Purged } else { Lookup::Absent });
                    };
                    if row.get::<_, Option<i64>>(3).is_some_and(|end| end <= query.now) {
                        return Ok(Lookup::Purged);
                    }
                    Ok(Lookup::Found(Sealed {
                        kid: kid_of(kid)?,
                        bytes: row.get::<_, &[u8]>(1).into(),
                        used: row.get(2),
                        referenced: row.get(4),
                    }))
                })
                .collect()
        })
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        let scope = write.scope.as_str();
        let tokens: Vec<&str> = write.rows.iter().map(|row| row.token.text()).collect();
        let hashes: Vec<Vec<u8>> =
            tokens.iter().map(|token| tombstone(write.scope, token).to_vec()).collect();
        let kinds: Vec<&str> = write.rows.iter().map(|row| row.token.kind().as_str()).collect();
        let kids: Vec<&str> = write.rows.iter().map(|row| row.kid.as_str()).collect();
        let bytes: Vec<&[u8]> = write.rows.iter().map(|row| &*row.bytes).collect();
        // In the order of tokens, so that two batches with the same rows wait for one another in one direction only.
        let stored = self.write(Access::Shared, |transaction| {
            Ok(transaction.query(
                "WITH stored AS (
                     INSERT INTO masker_rows AS r
                     SELECT $1, q.token, q.kind, q.kid, q.bytes, $7, $7, $8
                     FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[])
                          AS q (token, hash, kind, kid, bytes)
                     WHERE NOT EXISTS (SELECT 1 FROM masker_tombstones t WHERE t.hash = q.hash)
                     ORDER BY q.token COLLATE \"C\"
                     ON CONFLICT (scope, token) DO UPDATE
                     SET kid = excluded.kid, bytes = excluded.bytes, used = greatest(r.used, excluded.used),
                         expires = excluded.expires
                     WHERE r.expires IS NULL OR r.expires > $7
                     RETURNING token
                 ), linked AS (
                     INSERT INTO masker_issued SELECT $1, token, $9, $10 FROM stored ON CONFLICT DO NOTHING
                 )
                 SELECT token FROM stored",
                &[
                    &scope,
                    &tokens,
                    &hashes,
                    &kinds,
                    &kids,
                    &bytes,
                    &write.now,
                    &write.expires,
                    &&*write.reference.agent,
                    &&*write.reference.subject,
                ],
            )?)
        })?;
        let stored: HashSet<&str> = stored.iter().map(|row| row.get(0)).collect();
        let answer = |token: &&str| if stored.contains(token) { Put::Stored } else { Put::Purged };
        Ok(tokens.iter().map(answer).collect())
    }

    fn count(&self, which: &Selection) -> Result<u64, VaultError> {
        let (condition, value) = condition(which);
        self.read(|client| {
            let sql = format!("SELECT count(*) FROM masker_rows r WHERE {condition}");
            Ok(client.query_one(&sql, &[&*value])?.get::<_, i64>(0) as u64)
        })
    }

    fn delete(&self, which: &Selection) -> Result<u64, VaultError> {
        let (condition, value) = condition(which);
        let gone = self.write(Access::Alone, |transaction| {
            let sql = format!("DELETE FROM masker_rows r WHERE {condition} RETURNING scope, token");
            let gone = transaction.query(&sql, &[&*value])?;
            bury(transaction, &gone)?;
            let owner = match which {
                Selection::Agent(_) => "agent",
                Selection::Subject(_) => "subject",
                _ => return Ok(gone.len()),
            };
            let sql = format!("DELETE FROM masker_issued WHERE {owner} = $1");
            if transaction.execute(&sql, &[&*value])? > 0 {
                transaction.execute("UPDATE masker_state SET erasure_pending = true", &[])?;
            }
            Ok(gone.len())
        })?;
        self.erase();
        Ok(gone as u64)
    }

    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError> {
        // Every row comes after the empty scope and token.
        let (scope, token) = after.map_or(("", ""), |key| (key.scope.as_str(), &*key.token));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|client| {
            let rows = client.query(
                "SELECT scope, token, kind, kid, bytes, created, used, expires,
                        ARRAY (SELECT agent FROM masker_issued i WHERE i.scope = r.scope AND i.token = r.token
                               ORDER BY agent, subject),
                        ARRAY (SELECT subject FROM masker_issued i WHERE i.scope = r.scope AND i.token = r.token
                               ORDER BY agent, subject)
                 FROM masker_rows r WHERE (scope, token) > ($1, $2)
                 ORDER BY scope, token LIMIT $3",
                &[&scope, &token, &limit],
            )?;
            rows.iter()
                .map(|row| {
                    let agents: Vec<&str> = row.get(8);
                    let subjects: Vec<&str> = row.get(9);
                    Ok(Row {
                        key: RowKey { scope: scope_of(row.get(0))?, token: row.get::<_, &str>(1).into() },
                        kind: row.get::<_, &str>(2).parse().map_err(|_| Failure::Malformed)?,
                        kid: kid_of(row.get(3))?,
                        bytes: row.get::<_, &[u8]>(4).into(),
                        created: row.get(5),
                        used: row.get(6),
                        expires: row.get(7),
                        references: agents.iter().zip(subjects).map(|(a, s)| Reference::new(a, s)).collect(),
                        damaged: false,
                    })
                })
                .collect()
        })
    }

    fn tombstones(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<[u8; 32]>, VaultError> {
        let after = after.map_or([].as_slice(), |hash| hash.as_slice());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|client| {
            let sql = "SELECT hash FROM masker_tombstones WHERE hash > $1 ORDER BY hash LIMIT $2";
            let rows = client.query(sql, &[&after, &limit])?;
            rows.iter().map(|row| row.get::<_, &[u8]>(0).try_into().map_err(|_| Failure::Malformed)).collect()
        })
    }

    fn reseal(&self, rows: &[Reseal]) -> Result<u64, VaultError> {
        let scopes: Vec<&str> = rows.iter().map(|row| row.key.scope.as_str()).collect();
        let tokens: Vec<&str> = rows.iter().map(|row| &*row.key.token).collect();
        let kids: Vec<&str> = rows.iter().map(|row| row.kid.as_str()).collect();
        let before: Vec<&[u8]> = rows.iter().map(|row| &*row.before).collect();
        let new: Vec<&[u8]> = rows.iter().map(|row| &*row.after).collect();
        self.write(Access::Alone, |transaction| {
            Ok(transaction.execute(
                "UPDATE masker_rows r SET kid = q.kid, bytes = q.new
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
                      AS q (scope, token, kid, before, new)
                 WHERE r.scope = q.scope AND r.token = q.token AND r.bytes = q.before",
                &[&scopes, &tokens, &kids, &before, &new],
            )?)
        })
    }

    fn merge(&self, rows: &[Row], tombstones: &[[u8; 32]]) -> Result<u64, VaultError> {
        let new = self.write(Access::Alone, |transaction| {
            if !tombstones.is_empty() {
                let hashes: Vec<Vec<u8>> = tombstones.iter().map(|hash| hash.to_vec()).collect();
                mark(transaction, &hashes)?;
                let marked: HashSet<&[u8; 32]> = tombstones.iter().collect();
                let (mut scopes, mut tokens) = (Vec::new(), Vec::new());
                for row in transaction.query("SELECT scope, token FROM masker_rows", &[])? {
                    let (scope, token): (String, String) = (row.get(0), row.get(1));
                    if marked.contains(&tombstone(&scope_of(&scope)?, &token)) {
                        scopes.push(scope);
                        tokens.push(token);
                    }
                }
                let gone = transaction.query(
                    "DELETE FROM masker_rows r USING unnest($1::text[], $2::text[]) AS q (scope, token)
                     WHERE r.scope = q.scope AND r.token = q.token RETURNING r.scope, r.token",
                    &[&scopes, &tokens],
                )?;
                bury(transaction, &gone)?;
            }
            let mut new = 0;
            for rows in rows.chunks(PAGE) {
                new += add_rows(transaction, rows)?;
            }
            Ok(new)
        })?;
        self.erase();
        Ok(new)
    }

    fn stats(&self) -> Result<VaultStats, VaultError> {
        self.read(|client| {
            let mut transaction = client
                .build_transaction()
                .isolation_level(postgres::IsolationLevel::RepeatableRead)
                .start()?;
            let row = transaction.query_one(
                "SELECT count(*), min(created), max(created), (SELECT count(*) FROM masker_tombstones),
                        (SELECT erasure_pending FROM masker_state),
                        pg_total_relation_size('masker_rows') + pg_total_relation_size('masker_issued')
                          + pg_total_relation_size('masker_tombstones')
                 FROM masker_rows",
                &[],
            )?;
            let mut stats = VaultStats {
                rows: row.get::<_, i64>(0) as u64,
                oldest: row.get(1),
                newest: row.get(2),
                tombstones: row.get::<_, i64>(3) as u64,
                erasure_pending: row.get(4),
                bytes: row.get::<_, i64>(5) as u64,
                ..VaultStats::default()
            };
            let mut counts = |column| -> Result<BTreeMap<String, u64>, Failure> {
                let sql = format!("SELECT {column}, count(*) FROM masker_rows GROUP BY {column}");
                let rows = transaction.query(&sql, &[])?;
                Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1) as u64)).collect())
            };
            for (kind, rows) in counts("kind")? {
                stats.by_kind.push((kind.parse::<Kind>().map_err(|_| Failure::Malformed)?, rows));
            }
            for (kid, rows) in counts("kid")? {
                stats.by_kid.push((kid_of(&kid)?, rows));
            }
            Ok(stats)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::env;
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::token::{KeyRing, Token};
    use crate::vault::{Mention, Opened, Records, conformance};

    const URL: &str = "MASKER_TEST_POSTGRES";

    /// The URL of a server for tests. `MASKER_REQUIRE_POSTGRES` makes its absence a failure.
    fn server() -> Option<String> {
        let url = env::var(URL).ok().filter(|url| !url.is_empty());
        if url.is_none() {
            assert!(env::var_os("MASKER_REQUIRE_POSTGRES").is_none(), "{URL} is not set");
            eprintln!("skipped: {URL} names no PostgreSQL server");
        }
        url
    }

    /// The URL of an empty schema.
    fn schema(url: &str, name: &str) -> String {
        let mut client = url.parse::<Config>().unwrap().connect(NoTls).unwrap();
        client.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).unwrap();
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}options=-csearch_path%3D{name}")
    }

    #[test]
    fn conforms() {
        let Some(url) = server() else { return };
        let number = Cell::new(0);
        conformance::run(&|| {
            number.set(number.get() + 1);
            let url = schema(&url, &format!("masker_conformance_{}", number.get()));
            Arc::new(PostgresVault::connect(&url).unwrap())
        });
    }

    #[test]
    fn vaults_with_many_threads_make_one_row_a_value() {
        let Some(url) = server() else { return };
        let url = schema(&url, "masker_threads");
        let tokens: Vec<Vec<Token>> = thread::scope(|s| {
            // Each vault has connections of its own, as another machine would.
            let workers: Vec<_> = (0..2)
                .map(|_| Arc::new(PostgresVault::connect(&url).unwrap()))
                .flat_map(|vault| (0..8).map(move |worker| (Arc::clone(&vault), worker)))
                .map(|(vault, worker)| {
                    s.spawn(move || {
                        let keys = KeyRing::builder().key(&"K1".parse().unwrap(), [1; 32]).build().unwrap();
                        let (scope, reference) = (Scope::default(), Reference::default());
                        let kid = "K1".parse().unwrap();
                        let step = [7, 11, 13, 17, 19, 23, 29, 31][worker];
                        let texts: Vec<String> = (0..1_000).map(|n| (n * step % 1_000).to_string()).collect();
                        let mut tokens = Vec::new();
                        for texts in texts.chunks(20) {
                            let mentions: Vec<Mention<'_>> = texts
                                .iter()
                                .map(|text| Mention {
                                    kind: &Kind::Id,
                                    kid: &kid,
                                    original: text,
                                    normalised: text,
                                })
                                .collect();
                            let records = Records::new(&keys, &*vault, &scope, &reference);
                            tokens.extend(records.mint(&mentions).unwrap());
                            let last = records.restore(&[tokens.last().unwrap()]).unwrap().remove(0);
                            assert!(matches!(last, Opened::Original(text) if text.expose() == texts[19]));
                        }
                        tokens.sort_by(|a, b| a.text().cmp(b.text()));
                        tokens
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        assert!(tokens.iter().all(|list| *list == tokens[0]));
        let vault = PostgresVault::connect(&url).unwrap();
        assert_eq!(vault.stats().unwrap().rows, 1_000);
        assert_eq!(vault.orphans().unwrap(), 0);
    }

    #[test]
    fn a_server_that_does_not_answer_is_an_error_without_its_address() {
        let error = PostgresVault::connect("postgres://masker:hidden@127.0.0.1:1/masker").unwrap_err();
        assert_eq!(error.to_string(), "vault storage failed: PostgreSQL does not answer");
        let error = PostgresVault::connect("postgres://masker:hid den@:::/").unwrap_err();
        assert!(!format!("{error:?}").contains("hid"));
    }

    #[test]
    fn a_pool_whose_connections_are_all_lent_is_busy_and_recovers() {
        let Some(url) = server() else { return };
        let url = schema(&url, "masker_pool");
        let mut vault =
            PostgresVault::connect_with(&url, &PostgresOptions::default().connections(2)).unwrap();
        vault.patience = Duration::from_millis(100);
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    vault
                        .with(|client| {
                            client.batch_execute("SELECT pg_sleep(1)")?;
                            Ok(())
                        })
                        .unwrap();
                });
            }
            thread::sleep(Duration::from_millis(500));
            assert!(matches!(vault.stats(), Err(VaultError::Busy)));
        });
        assert_eq!(vault.stats().unwrap().rows, 0);
        let broken = vault.with(|client| {
            client.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")?;
            Ok(())
        });
        assert!(broken.is_err());
        thread::sleep(FRESH);
        assert_eq!(vault.stats().unwrap().rows, 0, "a connection that broke is made again");
    }

    /// Makes a certificate for these names; gives it and its key.
    fn certificate(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// Lets the server write a file of its own, readable by itself alone.
    fn give(client: &mut Client, name: &str, text: &str) {
        let rows: Vec<String> = text.lines().map(|line| format!("('{line}')")).collect();
        client
            .batch_execute(&format!(
                "COPY (SELECT line FROM (VALUES {}) AS t (line)) TO PROGRAM 'umask 077; cat > {name}'",
                rows.join(",")
            ))
            .unwrap();
    }

    #[test]
    fn tls_is_used_and_certificates_are_checked() {
        let Some(url) = server() else { return };
        let url = schema(&url, "masker_tls");
        let mut admin = url.parse::<Config>().unwrap().connect(NoTls).unwrap();
        let (root, key) = certificate(&["localhost", "127.0.0.1"]);
        let (other, _) = certificate(&["localhost", "127.0.0.1"]);
        give(&mut admin, "masker-test.crt", &root);
        give(&mut admin, "masker-test.key", &key);
        for setting in ["ssl_cert_file = 'masker-test.crt'", "ssl_key_file = 'masker-test.key'", "ssl = on"] {
            admin.batch_execute(&format!("ALTER SYSTEM SET {setting}")).unwrap();
        }
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, &root).unwrap();
        let with = |more: &str| PostgresVault::connect(&format!("{url}{more}"));
        let trusted = format!("&sslrootcert={}", path.display());
        let is_encrypted = |vault: &PostgresVault| {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            vault.with(|client| Ok(client.query_one(sql, &[])?.get::<_, bool>(0))).unwrap()
        };
        let started = std::time::Instant::now();
        let vault = loop {
            match with(&format!("&sslmode=verify-full{trusted}")) {
                Ok(vault) => break vault,
                Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
            }
            thread::sleep(Duration::from_millis(100));
        };
        assert!(is_encrypted(&vault));
        for mode in ["require", "verify-ca", "prefer"] {
            assert!(is_encrypted(&with(&format!("&sslmode={mode}{trusted}")).unwrap()), "{mode}");
        }
        assert!(!is_encrypted(&with("&sslmode=disable").unwrap()));
        assert!(!is_encrypted(&with("").unwrap()), "the loopback address needs no TLS");

        let options = PostgresOptions::default().root_certificates(root.as_bytes());
        assert!(is_encrypted(
            &PostgresVault::connect_with(&format!("{url}&sslmode=require"), &options).unwrap()
        ));
        let strange = PostgresOptions::default().root_certificates(other.as_bytes());
        let refused = PostgresVault::connect_with(&format!("{url}&sslmode=require"), &strange).unwrap_err();
        assert!(refused.to_string().contains("certificate"), "{refused}");
        let elsewhere = url.replace("127.0.0.1", "localhost.localdomain");
        if elsewhere != url {
            let refused = PostgresVault::connect_with(&format!("{elsewhere}&sslmode=require"), &options);
            assert!(refused.is_err(), "a certificate for another name is none");
        }
        for setting in ["ssl", "ssl_cert_file", "ssl_key_file"] {
            admin.batch_execute(&format!("ALTER SYSTEM RESET {setting}")).unwrap();
        }
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    }
}
