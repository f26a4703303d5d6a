//! The vault in a file: SQLite with a write-ahead log, for any number of threads and processes on one machine.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::{
    Lookup, Put, Query, Reference, Reseal, Row, RowKey, Sealed, Selection, Vault, VaultError, VaultStats,
    Write, tombstone,
};

/// "MSKV": marks the file as ours.
const APPLICATION_ID: i64 = 0x4d53_4b56;
const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;
const HEADER: &[u8; 16] = b"SQLite format 3\0";
/// How long a call waits for another process.
const WAIT: Duration = Duration::from_secs(10);
const PAGE: usize = 10_000;

/// What leads from each version of the schema to the next, the first from an empty file.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE rows (
        id INTEGER PRIMARY KEY,
        scope TEXT NOT NULL,
        token TEXT NOT NULL,
        kind TEXT NOT NULL,
        kid TEXT NOT NULL,
        bytes BLOB NOT NULL,
        created INTEGER NOT NULL,
        used INTEGER NOT NULL,
        expires INTEGER,
        UNIQUE (scope, token)
    ) STRICT;
    CREATE TABLE refs (
        id INTEGER PRIMARY KEY,
        agent TEXT NOT NULL,
        subject TEXT NOT NULL,
        UNIQUE (agent, subject)
    ) STRICT;
    CREATE TABLE issued (
        row INTEGER NOT NULL REFERENCES rows (id),
        ref INTEGER NOT NULL REFERENCES refs (id),
        PRIMARY KEY (row, ref)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX issued_by_ref ON issued (ref);
    CREATE TABLE tombstones (hash BLOB PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
    ",
    "
    CREATE TABLE erasure (pending INTEGER NOT NULL) STRICT;
    INSERT INTO erasure VALUES (1);
    ",
];

/// What a row survives once [`Vault::put`] has returned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// A loss of power. Every write waits for the disk.
    Power,
    /// The end of the process at any instant. A loss of power may take the last rows, and never damages the file.
    #[default]
    Process,
}

/// A vault in an SQLite file.
///
/// The file is made with mode 0600 and holds originals as ciphertext only. Several processes may use it at once; a call
/// waits up to ten seconds for another process's write.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vault.db");
/// use masker_core::{SqliteVault, Vault};
///
/// assert_eq!(SqliteVault::open(&path)?.stats()?.rows, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteVault {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl SqliteVault {
    /// Opens the vault at `path`, making it where there is none, with [`Durability::Process`].
    ///
    /// # Errors
    ///
    /// When the file is not a vault, is damaged or of another version, or cannot be opened and written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, VaultError> {
        Self::open_with(path, Durability::default())
    }

    /// Opens the vault at `path`, making it where there is none.
    ///
    /// # Errors
    ///
    /// As [`SqliteVault::open`].
    pub fn open_with(path: impl AsRef<Path>, durability: Durability) -> Result<Self, VaultError> {
        // An absolute path is never one of SQLite's special names.
        let path = std::path::absolute(path.as_ref())
            .map_err(|error| VaultError::Open { path: path.as_ref().to_owned(), kind: error.kind() })?;
        inspect(&path)?;
        // Two processes that make one vault at the same instant meet locks that SQLite's own wait does not cover.
        let started = Instant::now();
        loop {
            match connect(&path, durability) {
                Err(VaultError::Busy) if started.elapsed() < WAIT => thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(error),
                Ok(connection) => {
                    let vault = Self { connection: Mutex::new(connection), path };
                    // A purge that another process or a kill kept from its end; the vault can be used all the same.
                    let _ = vault.erase(Duration::ZERO);
                    return Ok(vault);
                }
            }
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    // A transaction that a panic cuts short is rolled back when it is dropped.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, run: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>) -> Result<T, VaultError> {
        self.transact(TransactionBehavior::Deferred, run)
    }

    fn write<T>(&self, run: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>) -> Result<T, VaultError> {
        self.transact(TransactionBehavior::Immediate, run)
    }

    /// Rewrites the file without the rows that went, if any did. Zeroing what is deleted, which SQLite does as well, is not
    /// enough: pages that were split or merged keep copies of rows in their unused part.
    fn erase(&self, wait: Duration) -> Result<(), VaultError> {
        let connection = self.lock();
        let result = (|| {
            let pending: bool =
                connection.query_row("SELECT max(pending) FROM erasure", [], |row| row.get(0))?;
            if !pending {
                return Ok(());
            }
            connection.busy_timeout(wait)?;
            connection.execute_batch("VACUUM")?;
            let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if !busy {
                connection.execute("UPDATE erasure SET pending = 0", [])?;
            }
            Ok(())
        })();
        let restored = connection.busy_timeout(WAIT);
        result.and(restored).map_err(|error: rusqlite::Error| Failure::from(error).into_error(&self.path))
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, VaultError> {
        let mut connection = self.lock();
        let result = (|| {
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = run(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|failure: Failure| failure.into_error(&self.path))
    }
}

impl fmt::Debug for SqliteVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteVault").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a transaction did not succeed.
enum Failure {
    Sqlite(rusqlite::Error),
    /// A stored value that this code never writes.
    Malformed,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn into_error(self, path: &Path) -> VaultError {
        let path = || path.to_owned();
        let Self::Sqlite(error) = self else { return VaultError::Corrupt };
        match &error {
            rusqlite::Error::SqliteFailure(cause, _) => match cause.code {
                ErrorCode::CannotOpen => VaultError::Open { path: path(), kind: io::ErrorKind::Other },
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => VaultError::Busy,
                ErrorCode::DatabaseCorrupt => VaultError::Corrupt,
                ErrorCode::DiskFull => VaultError::Full,
                ErrorCode::NotADatabase => VaultError::NotAVault { path: path() },
                ErrorCode::PermissionDenied | ErrorCode::ReadOnly => VaultError::ReadOnly { path: path() },
                // The longer message of the error may quote a statement; this one is SQLite's fixed text for the code.
                _ => VaultError::Storage { reason: cause.to_string() },
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => VaultError::Corrupt,
            _ => VaultError::Storage { reason: "unexpected answer from SQLite".to_owned() },
        }
    }
}

/// Makes the file where there is none, readable by its owner alone, and looks at the first page of one that is there.
fn inspect(path: &Path) -> Result<(), VaultError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            VaultError::ReadOnly { path: path.to_owned() }
        }
        kind => VaultError::Open { path: path.to_owned(), kind },
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    let mut header = Vec::with_capacity(100);
    Read::by_ref(&mut file).take(100).read_to_end(&mut header).map_err(failed)?;
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(HEADER) && !HEADER.starts_with(&header) {
        return Err(VaultError::NotAVault { path: path.to_owned() });
    }
    // In this order: another process may be writing the log's pages back, and the file has all of them before the log goes.
    let has_log = has_log(path);
    let length = file.metadata().map_err(failed)?.len();
    if header.len() < 100 || (length < stated_length(&header) && !has_log) {
        return Err(VaultError::Corrupt);
    }
    Ok(())
}

/// The length that the header of an SQLite file states: page size at byte 16, page count at byte 28.
fn stated_length(header: &[u8]) -> u64 {
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    page_size * u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]))
}

/// Whether pages may be in the write-ahead log that the file itself still lacks.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    File::open(log).and_then(|file| file.metadata()).is_ok_and(|data| data.len() > 0)
}

fn connect(path: &Path, durability: Durability) -> Result<Connection, VaultError> {
    let failed = |error: rusqlite::Error| Failure::from(error).into_error(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(WAIT).map_err(failed)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    check_version(&*connection.transaction().map_err(failed)?, path)?;
    if mode != "wal" {
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    }
    let synchronous = match durability {
        Durability::Power => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// The schema version of the file, 0 where it is empty; an error where it is something else or of a later version. It asks
/// several questions, so it must run inside a transaction.
fn check_version(connection: &Connection, path: &Path) -> Result<usize, VaultError> {
    let failed = |error: rusqlite::Error| Failure::from(error).into_error(path);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    match (application, version) {
        (APPLICATION_ID, 1..=VERSION) => Ok(version as usize),
        (APPLICATION_ID, found) => Err(VaultError::Version { found, expected: VERSION }),
        (0, 0) if number("SELECT count(*) FROM sqlite_master")? == 0 => Ok(0),
        _ => Err(VaultError::NotAVault { path: path.to_owned() }),
    }
}

/// Brings the file to the present version, from an empty one or an earlier one.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), VaultError> {
    let failed = |error: rusqlite::Error| Failure::from(error).into_error(path);
    if check_version(&*connection.transaction().map_err(failed)?, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have done it while this one waited.
    let present = check_version(&transaction, path)?;
    if present < MIGRATIONS.len() {
        for migration in &MIGRATIONS[present..] {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// The condition of a selection over `rows`, with `?1` for its parameter.
fn condition(which: &Selection) -> (&'static str, Value) {
    match which {
        Selection::Agent(agent) => (
            "id IN (SELECT row FROM issued WHERE ref IN (SELECT id FROM refs WHERE agent = ?1))
             AND NOT EXISTS (SELECT 1 FROM issued JOIN refs ON refs.id = ref
                             WHERE row = rows.id AND agent <> ?1)",
            Value::from(agent.clone()),
        ),
        Selection::Expired(now) => ("expires <= ?1", Value::from(*now)),
        Selection::Kid(kid) => ("kid = ?1", Value::from(kid.as_str().to_owned())),
        Selection::Scope(scope) => ("scope = ?1", Value::from(scope.as_str().to_owned())),
        Selection::Subject(subject) => (
            "id IN (SELECT row FROM issued WHERE ref IN (SELECT id FROM refs WHERE subject = ?1))
             AND NOT EXISTS (SELECT 1 FROM issued JOIN refs ON refs.id = ref
                             WHERE row = rows.id AND subject <> ?1)",
            Value::from(subject.clone()),
        ),
        Selection::UnusedSince(time) => ("used < ?1", Value::from(*time)),
    }
}

fn mark_erasure(transaction: &Transaction<'_>) -> Result<(), Failure> {
    transaction.execute("UPDATE erasure SET pending = 1", [])?;
    Ok(())
}

/// Removes rows with their references and leaves their tombstones.
fn bury(transaction: &Transaction<'_>, doomed: &[(i64, String, String)]) -> Result<(), Failure> {
    if !doomed.is_empty() {
        mark_erasure(transaction)?;
    }
    let mut mark = transaction.prepare_cached("INSERT OR IGNORE INTO tombstones VALUES (?1)")?;
    let mut unlink = transaction.prepare_cached("DELETE FROM issued WHERE row = ?1")?;
    let mut remove = transaction.prepare_cached("DELETE FROM rows WHERE id = ?1")?;
    for (id, scope, token) in doomed {
        let scope = scope.parse().map_err(|_| Failure::Malformed)?;
        mark.execute([tombstone(&scope, token).as_slice()])?;
        unlink.execute([id])?;
        remove.execute([id])?;
    }
    Ok(())
}

fn is_buried(transaction: &Transaction<'_>, hash: &[u8; 32]) -> Result<bool, Failure> {
    let mut find = transaction.prepare_cached("SELECT 1 FROM tombstones WHERE hash = ?1")?;
    Ok(find.exists([hash.as_slice()])?)
}

fn reference_id(transaction: &Transaction<'_>, reference: &Reference) -> Result<i64, Failure> {
    let values = params![&*reference.agent, &*reference.subject];
    transaction
        .prepare_cached("INSERT OR IGNORE INTO refs (agent, subject) VALUES (?1, ?2)")?
        .execute(values)?;
    let mut find = transaction.prepare_cached("SELECT id FROM refs WHERE agent = ?1 AND subject = ?2")?;
    Ok(find.query_row(values, |row| row.get(0))?)
}

fn link(transaction: &Transaction<'_>, row: i64, reference: i64) -> Result<(), Failure> {
    transaction.prepare_cached("INSERT OR IGNORE INTO issued VALUES (?1, ?2)")?.execute([row, reference])?;
    Ok(())
}

impl Vault for SqliteVault {
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        self.read(|transaction| {
            let mut find = transaction.prepare_cached(
                "SELECT kid, bytes, used, expires,
                        EXISTS (SELECT 1 FROM issued JOIN refs ON refs.id = ref
                                WHERE row = rows.id AND agent = ?3 AND subject = ?4)
                 FROM rows WHERE scope = ?1 AND token = ?2",
            )?;
            let (agent, subject) = match query.reference {
                Some(reference) => (Some(&*reference.agent), Some(&*reference.subject)),
                None => (None, None),
            };
            let lookup = |token: &&crate::token::Token| {
                let row = find
                    .query_row(params![query.scope.as_str(), token.text(), agent, subject], |row| {
                        Ok((
                            row.get::<_, String>(0)?,
                            row.get::<_, Vec<u8>>(1)?,
                            row.get::<_, i64>(2)?,
                            row.get::<_, Option<i64>>(3)?,
                            row.get::<_, bool>(4)?,
                        ))
                    })
                    .optional()?;
                Ok(match row {
                    Some((_, _, _, Some(expires), _)) if expires <= query.now => Lookup::Purged,
                    Some((kid, bytes, used, _, referenced)) => Lookup::Found(Sealed {
                        kid: kid.parse().map_err(|_| Failure::Malformed)?,
                        bytes: bytes.into(),
                        used,
                        referenced,
                    }),
                    None if is_buried(transaction, &tombstone(query.scope, token.text()))? => Lookup::Purged,
                    None => Lookup::Absent,
                })
            };
            query.tokens.iter().map(lookup).collect()
        })
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        self.write(|transaction| {
            let reference = reference_id(transaction, write.reference)?;
            let mut find =
                transaction.prepare_cached("SELECT id, expires FROM rows WHERE scope = ?1 AND token = ?2")?;
            let mut update = transaction.prepare_cached(
                "UPDATE rows SET kid = ?2, bytes = ?3, used = max(used, ?4), expires = ?5 WHERE id = ?1",
            )?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO rows (scope, token, kind, kid, bytes, created, used, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
            )?;
            let store = |row: &super::NewRow<'_>| {
                let (scope, token) = (write.scope.as_str(), row.token.text());
                let found = find
                    .query_row([scope, token], |row| {
                        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
                    })
                    .optional()?;
                let id = match found {
                    Some((_, Some(expires))) if expires <= write.now => return Ok(Put::Purged),
                    Some((id, _)) => {
                        update.execute(params![
                            id,
                            row.kid.as_str(),
                            &*row.bytes,
                            write.now,
                            write.expires
                        ])?;
                        id
                    }
                    None if is_buried(transaction, &tombstone(write.scope, token))? => {
                        return Ok(Put::Purged);
                    }
                    None => insert.insert(params![
                        scope,
                        token,
                        row.token.kind().as_str(),
                        row.kid.as_str(),
                        &*row.bytes,
                        write.now,
                        write.expires
                    ])?,
                };
                link(transaction, id, reference)?;
                Ok(Put::Stored)
            };
            write.rows.iter().map(store).collect()
        })
    }

    fn count(&self, which: &Selection) -> Result<u64, VaultError> {
        let (condition, value) = condition(which);
        self.read(|transaction| {
            let sql = format!("SELECT count(*) FROM rows WHERE {condition}");
            Ok(transaction.query_row(&sql, [value], |row| row.get::<_, i64>(0))? as u64)
        })
    }

    fn delete(&self, which: &Selection) -> Result<u64, VaultError> {
        let (condition, value) = condition(which);
        let gone = self.write(|transaction| {
            let sql = format!("SELECT id, scope, token FROM rows WHERE {condition} LIMIT {PAGE}");
            let mut select = transaction.prepare(&sql)?;
            let mut gone = 0;
            loop {
                let doomed = select
                    .query_map([&value], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect::<Result<Vec<_>, _>>()?;
                if doomed.is_empty() {
                    break;
                }
                bury(transaction, &doomed)?;
                gone += doomed.len() as u64;
            }
            let owner = match which {
                Selection::Agent(_) => "agent",
                Selection::Subject(_) => "subject",
                _ => return Ok(gone),
            };
            transaction.execute(
                &format!("DELETE FROM issued WHERE ref IN (SELECT id FROM refs WHERE {owner} = ?1)"),
                [&value],
            )?;
            if transaction.execute(&format!("DELETE FROM refs WHERE {owner} = ?1"), [&value])? > 0 {
                mark_erasure(transaction)?;
            }
            Ok(gone)
        })?;
        // The rows are gone whatever becomes of this; what is left to do is remembered in the file.
        let _ = self.erase(WAIT);
        Ok(gone)
    }

    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT id, scope, token, kind, kid, bytes, created, used, expires FROM rows
                 WHERE ?1 IS NULL OR (scope, token) > (?1, ?2) ORDER BY scope, token LIMIT ?3",
            )?;
            let mut owners = transaction.prepare_cached(
                "SELECT agent, subject FROM issued JOIN refs ON refs.id = ref WHERE row = ?1
                 ORDER BY agent, subject",
            )?;
            let after = after.map(|key| (key.scope.as_str(), &*key.token));
            let mut rows = select.query(params![after.map(|a| a.0), after.map(|a| a.1), row_limit(limit)])?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                let references = owners
                    .query_map([row.get::<_, i64>(0)?], |row| {
                        Ok(Reference::new(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?))
                    })?
                    .collect::<Result<Vec<_>, _>>()?;
                let text = |column| row.get::<_, String>(column);
                page.push(Row {
                    key: RowKey {
                        scope: text(1)?.parse().map_err(|_| Failure::Malformed)?,
                        token: text(2)?.into_boxed_str(),
                    },
                    kind: text(3)?.parse().map_err(|_| Failure::Malformed)?,
                    kid: text(4)?.parse().map_err(|_| Failure::Malformed)?,
                    bytes: row.get::<_, Vec<u8>>(5)?.into(),
                    created: row.get(6)?,
                    used: row.get(7)?,
                    expires: row.get(8)?,
                    references,
                });
            }
            Ok(page)
        })
    }

    fn tombstones(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<[u8; 32]>, VaultError> {
        self.read(|transaction| {
            let mut select = transaction
                .prepare_cached("SELECT hash FROM tombstones WHERE hash > ?1 ORDER BY hash LIMIT ?2")?;
            // Every hash comes after the empty one.
            let after = after.map_or([].as_slice(), |hash| hash.as_slice());
            let hashes = select.query_map(params![after, row_limit(limit)], |row| row.get(0))?;
            Ok(hashes.collect::<Result<Vec<_>, _>>()?)
        })
    }

    fn reseal(&self, rows: &[Reseal]) -> Result<u64, VaultError> {
        self.write(|transaction| {
            let mut update = transaction.prepare_cached(
                "UPDATE rows SET kid = ?1, bytes = ?2 WHERE scope = ?3 AND token = ?4 AND bytes = ?5",
            )?;
            let mut changed = 0;
            for Reseal { key, before, kid, after } in rows {
                let values = params![kid.as_str(), &**after, key.scope.as_str(), &*key.token, &**before];
                changed += update.execute(values)? as u64;
            }
            Ok(changed)
        })
    }

    fn merge(&self, rows: &[Row], tombstones: &[[u8; 32]]) -> Result<u64, VaultError> {
        let new = self.write(|transaction| {
            let mut mark = transaction.prepare_cached("INSERT OR IGNORE INTO tombstones VALUES (?1)")?;
            for hash in tombstones {
                mark.execute([hash.as_slice()])?;
            }
            if !tombstones.is_empty() {
                bury_marked(transaction, tombstones)?;
            }
            let mut find =
                transaction.prepare_cached("SELECT id FROM rows WHERE scope = ?1 AND token = ?2")?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO rows (scope, token, kind, kid, bytes, created, used, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            let mut new = 0;
            for row in rows {
                let (scope, token) = (row.key.scope.as_str(), &*row.key.token);
                if is_buried(transaction, &tombstone(&row.key.scope, token))? {
                    continue;
                }
                let found = find.query_row([scope, token], |row| row.get(0)).optional()?;
                let id = if let Some(id) = found {
                    id
                } else {
                    new += 1;
                    insert.insert(params![
                        scope,
                        token,
                        row.kind.as_str(),
                        row.kid.as_str(),
                        &*row.bytes,
                        row.created,
                        row.used,
                        row.expires
                    ])?
                };
                for reference in &row.references {
                    link(transaction, id, reference_id(transaction, reference)?)?;
                }
            }
            Ok(new)
        })?;
        let _ = self.erase(WAIT);
        Ok(new)
    }

    fn orphans(&self) -> Result<u64, VaultError> {
        self.read(|transaction| {
            let count = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
            let mut orphans = count(
                "SELECT (SELECT count(*) FROM rows WHERE NOT EXISTS (SELECT 1 FROM issued WHERE row = rows.id))
                      + (SELECT count(*) FROM issued WHERE NOT EXISTS (SELECT 1 FROM rows WHERE id = row)
                                                        OR NOT EXISTS (SELECT 1 FROM refs WHERE id = ref))",
            )? as u64;
            if count("SELECT EXISTS (SELECT 1 FROM tombstones)")? != 0 {
                let mut rows = transaction.prepare("SELECT scope, token FROM rows")?;
                let mut rows = rows.query([])?;
                while let Some(row) = rows.next()? {
                    let (scope, token) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                    let scope = scope.parse().map_err(|_| Failure::Malformed)?;
                    orphans += u64::from(is_buried(transaction, &tombstone(&scope, &token))?);
                }
            }
            Ok(orphans)
        })
    }

    fn stats(&self) -> Result<VaultStats, VaultError> {
        self.read(|transaction| {
            let number = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
            let mut stats = transaction.query_row(
                "SELECT count(*), min(created), max(created) FROM rows",
                [],
                |row| {
                    Ok(VaultStats {
                        rows: row.get::<_, i64>(0)? as u64,
                        oldest: row.get(1)?,
                        newest: row.get(2)?,
                        ..VaultStats::default()
                    })
                },
            )?;
            stats.erasure_pending = number("SELECT max(pending) FROM erasure")? != 0;
            stats.tombstones = number("SELECT count(*) FROM tombstones")? as u64;
            stats.bytes = (number("PRAGMA page_count")? * number("PRAGMA page_size")?) as u64;
            stats.by_kind =
                counts(transaction, "SELECT kind, count(*) FROM rows GROUP BY kind ORDER BY kind")?;
            stats.by_kid = counts(transaction, "SELECT kid, count(*) FROM rows GROUP BY kid ORDER BY kid")?;
            Ok(stats)
        })
    }
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn counts<T: std::str::FromStr>(transaction: &Transaction<'_>, sql: &str) -> Result<Vec<(T, u64)>, Failure> {
    let mut select = transaction.prepare(sql)?;
    let mut rows = select.query([])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push((
            row.get::<_, String>(0)?.parse().map_err(|_| Failure::Malformed)?,
            row.get::<_, i64>(1)? as u64,
        ));
    }
    Ok(out)
}

/// Removes the rows whose tombstones came from elsewhere.
fn bury_marked(transaction: &Transaction<'_>, tombstones: &[[u8; 32]]) -> Result<(), Failure> {
    let marked: std::collections::HashSet<&[u8; 32]> = tombstones.iter().collect();
    let mut select = transaction.prepare("SELECT id, scope, token FROM rows")?;
    let mut rows = select.query([])?;
    let mut doomed = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, scope, token): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let hash = tombstone(&scope.parse().map_err(|_| Failure::Malformed)?, &token);
        if marked.contains(&hash) {
            doomed.push((id, scope, token));
        }
    }
    drop(rows);
    bury(transaction, &doomed)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::Kind;
    use crate::token::{KeyRing, Kid, Scope, Token};
    use crate::vault::{Mention, Opened, Records, conformance};

    fn kid() -> Kid {
        "K1".parse().unwrap()
    }

    fn ring() -> KeyRing {
        KeyRing::builder().key(&kid(), [1; 32]).build().unwrap()
    }

    fn mint(vault: &SqliteVault, texts: &[String]) -> Vec<Token> {
        let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
        let mentions: Vec<Mention<'_>> = texts
            .iter()
            .map(|text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text })
            .collect();
        Records::new(&keys, vault, &scope, &reference).mint(&mentions).unwrap()
    }

    fn restores(vault: &SqliteVault, token: &Token, expected: &str) -> bool {
        let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
        let opened = Records::new(&keys, vault, &scope, &reference).restore(&[token]).unwrap().remove(0);
        matches!(opened, Opened::Original(text) if text.expose() == expected)
    }

    fn texts(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("Q7marked-original-{n:05}")).collect()
    }

    #[test]
    fn conforms() {
        let folder = TempDir::new().unwrap();
        let number = std::cell::Cell::new(0);
        conformance::run(&|| {
            number.set(number.get() + 1);
            Arc::new(SqliteVault::open(folder.path().join(format!("{}.db", number.get()))).unwrap())
        });
    }

    #[test]
    fn rows_outlive_the_vault_and_two_vaults_share_a_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let one = SqliteVault::open(&path).unwrap();
        let two = SqliteVault::open_with(&path, Durability::Power).unwrap();
        let texts = texts(20);
        let tokens = mint(&one, &texts);
        assert_eq!(mint(&two, &texts), tokens);
        assert!(restores(&two, &tokens[3], &texts[3]));
        drop((one, two));
        let again = SqliteVault::open(&path).unwrap();
        assert!(restores(&again, &tokens[3], &texts[3]));
        assert_eq!(again.stats().unwrap().rows, 20);
    }

    #[test]
    fn vaults_opened_at_once_make_one_file_and_one_row_a_value() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let texts = texts(100);
        thread::scope(|s| {
            for _ in 0..6 {
                s.spawn(|| {
                    let vault = SqliteVault::open(&path).unwrap();
                    texts.chunks(7).for_each(|chunk| drop(mint(&vault, chunk)));
                });
            }
        });
        assert_eq!(SqliteVault::open(&path).unwrap().stats().unwrap().rows, 100);
    }

    #[test]
    fn no_original_is_in_any_file() {
        let folder = TempDir::new().unwrap();
        let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
        mint(&vault, &texts(500));
        let looks_clean = || {
            fs::read_dir(folder.path()).unwrap().all(|entry| {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                memchr::memmem::find(&bytes, b"Q7marked").is_none()
            })
        };
        assert!(folder.path().join("vault.db-wal").exists());
        assert!(looks_clean());
        vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap();
        drop(vault);
        assert!(looks_clean());
    }

    #[test]
    fn what_is_purged_leaves_no_ciphertext() {
        let folder = TempDir::new().unwrap();
        let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
        mint(&vault, &texts(300));
        let rows = vault.page(None, 300).unwrap();
        vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            for row in &rows {
                assert!(memchr::memmem::find(&bytes, &row.bytes).is_none());
                assert!(memchr::memmem::find(&bytes, row.key.token.as_bytes()).is_none());
            }
        }
    }

    #[test]
    fn what_is_purged_among_other_rows_leaves_no_ciphertext() {
        let folder = TempDir::new().unwrap();
        let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
        let (keys, scope, kid) = (ring(), Scope::default(), kid());
        let mut number = 0_u32;
        for round in 0..6 {
            // Subjects take turns, with originals of many lengths, so that pages split, merge and move their rows.
            for turn in 0..120 {
                let reference = Reference::new("agent", &format!("subject-{}", turn % 5));
                let texts: Vec<String> = (0..7)
                    .map(|_| {
                        number += 1;
                        format!("{number} {}", "x".repeat(number as usize * 37 % 700))
                    })
                    .collect();
                let mentions: Vec<Mention<'_>> = texts
                    .iter()
                    .map(|text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text })
                    .collect();
                Records::new(&keys, &vault, &scope, &reference).mint(&mentions).unwrap();
            }
            let doomed = format!("subject-{}", round % 5);
            let rows = vault.page(None, 10_000).unwrap();
            let is_doomed = |row: &&Row| row.references.iter().all(|r| *r.subject == *doomed);
            let rows: Vec<&Row> = rows.iter().filter(is_doomed).collect();
            assert!(rows.len() >= 168);
            assert_eq!(vault.delete(&Selection::Subject(doomed.clone())).unwrap(), rows.len() as u64);
            for entry in fs::read_dir(folder.path()).unwrap() {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                for row in &rows {
                    // Any twenty bytes of a ciphertext are its own.
                    let middle = row.bytes.len() / 2;
                    let parts = [&row.bytes[..20], &row.bytes[middle..middle + 20], row.key.token.as_bytes()];
                    for part in parts {
                        assert!(memchr::memmem::find(&bytes, part).is_none(), "round {round}");
                    }
                }
                assert!(memchr::memmem::find(&bytes, doomed.as_bytes()).is_none(), "round {round}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = TempDir::new().unwrap();
        let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
        mint(&vault, &texts(1));
        for entry in fs::read_dir(folder.path()).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn something_else_is_not_a_vault() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("file");
        for content in
            ["x", "SQLite", "not a database at all, but longer than any header would be".repeat(9).as_str()]
        {
            fs::write(&path, content).unwrap();
            let error = SqliteVault::open(&path).unwrap_err();
            let expected = matches!(error, VaultError::NotAVault { .. })
                || (content == "SQLite" && matches!(error, VaultError::Corrupt));
            assert!(expected, "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "a stranger's file is left alone");
        }
        let other = folder.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(SqliteVault::open(&other), Err(VaultError::NotAVault { .. })));
        assert!(matches!(SqliteVault::open(folder.path()), Err(VaultError::Open { .. })));
        let nowhere = folder.path().join("missing/vault.db");
        assert!(matches!(
            SqliteVault::open(nowhere),
            Err(VaultError::Open { kind: io::ErrorKind::NotFound, .. })
        ));
    }

    #[test]
    fn another_version_is_named() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        drop(SqliteVault::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
        let error = SqliteVault::open(&path).unwrap_err();
        assert!(matches!(error, VaultError::Version { found: 3, expected: 2 }));
        assert_eq!(error.to_string(), "vault has schema version 3; this build reads version 2");
    }

    #[test]
    fn an_earlier_version_is_migrated_with_its_rows() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let texts = texts(20);
        let tokens = mint(&SqliteVault::open(&path).unwrap(), &texts);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("DROP TABLE erasure; PRAGMA user_version = 1").unwrap();
        drop(connection);
        let vault = SqliteVault::open(&path).unwrap();
        assert!(restores(&vault, &tokens[7], &texts[7]));
        assert!(
            !vault.stats().unwrap().erasure_pending,
            "what an earlier build left behind is erased as well"
        );
        assert_eq!(vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap(), 20);
    }

    #[test]
    fn an_erasure_that_was_kept_waiting_is_made_good() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open(&path).unwrap();
        mint(&vault, &texts(50));
        let rows = vault.page(None, 100).unwrap();
        let holds_any = || {
            fs::read_dir(folder.path()).unwrap().any(|entry| {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                rows.iter().any(|row| memchr::memmem::find(&bytes, &row.bytes).is_some())
            })
        };
        // The removal alone, as a kill right after it would leave the file.
        vault
            .write(|transaction| {
                let mut select = transaction.prepare("SELECT id, scope, token FROM rows")?;
                let doomed = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                bury(transaction, &doomed.collect::<Result<Vec<_>, _>>()?)
            })
            .unwrap();
        assert!(vault.stats().unwrap().erasure_pending && holds_any());
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM rows").unwrap();
        vault.erase(Duration::ZERO).unwrap();
        assert!(vault.stats().unwrap().erasure_pending, "a reader still needs the old pages");
        drop(reader);
        drop(SqliteVault::open(&path).unwrap());
        assert!(!vault.stats().unwrap().erasure_pending && !holds_any());
    }

    #[test]
    fn a_full_vault_refuses_whole_batches_and_goes_on_with_more_room() {
        let folder = TempDir::new().unwrap();
        let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
        let set = |pragma: &str| vault.lock().execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        set("max_page_count = 60");
        let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
        let try_mint = |texts: &[String]| {
            let mentions: Vec<Mention<'_>> = texts
                .iter()
                .map(|text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text })
                .collect();
            Records::new(&keys, &vault, &scope, &reference).mint(&mentions)
        };
        let texts = texts(2_000);
        let mut done = 0;
        let error = loop {
            match try_mint(&texts[done..done + 50]) {
                Ok(_) => done += 50,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, VaultError::Full), "{error}");
        assert!(done > 0);
        assert_eq!(vault.stats().unwrap().rows, done as u64, "a refused batch leaves no row");
        set("max_page_count = 100000");
        set("query_only = 1");
        assert!(matches!(try_mint(&texts[done..]), Err(VaultError::ReadOnly { .. })));
        assert_eq!(vault.stats().unwrap().rows, done as u64);
        set("query_only = 0");
        try_mint(&texts).unwrap();
        assert_eq!(vault.stats().unwrap().rows, 2_000);
    }

    #[test]
    fn a_file_cut_short_is_damaged() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open(&path).unwrap();
        mint(&vault, &texts(500));
        drop(vault);
        let whole = fs::read(&path).unwrap();
        for len in [50, 99, 100, 1_000, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(matches!(SqliteVault::open(&path), Err(VaultError::Corrupt)), "cut to {len}");
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(SqliteVault::open(&path).unwrap().stats().unwrap().rows, 500);
    }

    #[test]
    fn damaged_pages_are_an_error_or_an_unknown_token() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open(&path).unwrap();
        let texts = texts(200);
        let tokens = mint(&vault, &texts);
        drop(vault);
        let whole = fs::read(&path).unwrap();
        let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
        for at in (100..whole.len()).step_by(whole.len() / 97) {
            let mut bytes = whole.clone();
            bytes[at..whole.len().min(at + 64)].fill(0xa5);
            fs::write(&path, &bytes).unwrap();
            let Ok(vault) = SqliteVault::open(&path) else { continue };
            for (token, text) in tokens.iter().zip(&texts) {
                let Ok(opened) = Records::new(&keys, &vault, &scope, &reference).restore(&[token]) else {
                    continue;
                };
                if let Opened::Original(original) = &opened[0] {
                    assert_eq!(original.expose(), text);
                }
            }
        }
    }

    #[test]
    fn errors_name_the_file_and_no_data() {
        let path = PathBuf::from("vault.db");
        let code = |code| {
            let error =
                rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some("secret".to_owned()));
            Failure::from(error).into_error(&path)
        };
        assert!(matches!(code(rusqlite::ffi::SQLITE_BUSY), VaultError::Busy));
        assert!(matches!(code(rusqlite::ffi::SQLITE_FULL), VaultError::Full));
        assert_eq!(code(rusqlite::ffi::SQLITE_READONLY).to_string(), "vault vault.db is read-only");
        assert!(!code(rusqlite::ffi::SQLITE_IOERR).to_string().contains("secret"));
    }
}
