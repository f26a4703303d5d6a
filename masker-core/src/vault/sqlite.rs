//! The vault in a file: SQLite with a write-ahead log, for any number of threads and processes on one machine.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::cache::{Cache, CachedRow};
use super::{
    Lookup, Put, Query, Reference, Reseal, Row, RowKey, Sealed, Selection, Vault, VaultError, VaultStats,
    Write, tombstone,
};
use crate::Kind;
use crate::token::{Kid, enc};

/// "MSKV": marks the file as ours.
const APPLICATION_ID: i64 = 0x4d53_4b56;
const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;
const HEADER: &[u8; 16] = b"SQLite format 3\0";
/// How long a call waits for another process unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);
const PAGE: usize = 10_000;
/// Rows kept in memory unless told otherwise: one to two megabytes.
const CACHED: usize = 4_096;

/// What leads from one version of the schema to the next.
enum Migration {
    /// Gives every row its checksum.
    Checksums,
    Sql(&'static str),
}

/// The first leads from an empty file.
const MIGRATIONS: &[Migration] = &[
    Migration::Sql(
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
    ),
    Migration::Sql(
        "
    CREATE TABLE erasure (pending INTEGER NOT NULL) STRICT;
    INSERT INTO erasure VALUES (1);
    ",
    ),
    Migration::Sql("ALTER TABLE rows ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0"),
    Migration::Checksums,
];

/// Pages of the write-ahead log from which it is begun anew.
const LONG_LOG: i64 = 4_096;

/// What a row survives once [`Vault::put`] has returned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// A loss of power. Every write waits for the disk.
    Power,
    /// The end of the process at any instant. A loss of power may take the last rows, and never damages the file.
    #[default]
    Process,
}

/// How an SQLite vault is opened.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vault.db");
/// use masker_core::{Durability, SqliteOptions, SqliteVault};
///
/// let options = SqliteOptions::default().durability(Durability::Power).exclusive(true);
/// let vault = SqliteVault::open_with(&path, options)?;
/// assert_eq!(vault.path(), path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct SqliteOptions {
    durability: Durability,
    exclusive: bool,
    cached_rows: usize,
    wait: Duration,
    checkpoints_apart: bool,
}

impl Default for SqliteOptions {
    /// [`Durability::Process`], shared with other processes, 4,096 rows in memory, ten seconds of patience.
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            exclusive: false,
            cached_rows: CACHED,
            wait: WAIT,
            checkpoints_apart: false,
        }
    }
}

impl SqliteOptions {
    /// Sets what a row survives.
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Keeps every other process, and every other vault value, out for as long as the vault is open: for them it is
    /// [`VaultError::Busy`]. Locks are then taken once and not with each call.
    pub fn exclusive(self, exclusive: bool) -> Self {
        Self { exclusive, ..self }
    }

    /// Sets how many of the rows used last are kept in memory, as ciphertext: up to twice this number, those up to a kilobyte.
    /// 0 keeps none. A row that another process removes or changes is never answered from memory.
    pub fn cached_rows(self, rows: usize) -> Self {
        Self { cached_rows: rows, ..self }
    }

    /// Leaves it to [`Vault::tidy`] to copy the write-ahead log into the file, which otherwise some call does now and
    /// then and waits for the disk. Whoever sets it calls that method every second or so, or the log grows.
    pub fn checkpoints_apart(self, apart: bool) -> Self {
        Self { checkpoints_apart: apart, ..self }
    }

    /// Sets how long a call waits for another process before it is [`VaultError::Busy`].
    pub fn wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }
}

impl From<Durability> for SqliteOptions {
    fn from(durability: Durability) -> Self {
        Self::default().durability(durability)
    }
}

/// A vault in an SQLite file.
///
/// The file is made with mode 0600 and holds originals as ciphertext only. Several processes may use it at once; a call
/// waits up to ten seconds for another process's write, unless [`SqliteOptions`] say otherwise. Every row has a checksum, so that damage of the file is told from a row
/// that was never there.
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
    store: Mutex<Store>,
    path: PathBuf,
    wait: Duration,
}

struct Store {
    connection: Connection,
    cache: Cache,
}

impl SqliteVault {
    /// Opens the vault at `path`, making it where there is none, with [`Durability::Process`].
    ///
    /// # Errors
    ///
    /// When the file is not a vault, is damaged or of another version, or cannot be opened and written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, VaultError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens the vault at `path`, making it where there is none, with [`SqliteOptions`] or a [`Durability`] alone.
    ///
    /// # Errors
    ///
    /// As [`SqliteVault::open`]; [`VaultError::Busy`] where somebody has it for themselves, or where exclusive use is asked for and
    /// somebody has it at all.
    pub fn open_with(path: impl AsRef<Path>, options: impl Into<SqliteOptions>) -> Result<Self, VaultError> {
        let options = options.into();
        // An absolute path is never one of SQLite's special names.
        let path = std::path::absolute(path.as_ref())
            .map_err(|error| VaultError::Open { path: path.as_ref().to_owned(), kind: error.kind() })?;
        inspect(&path)?;
        // Two processes that make one vault at the same instant meet locks that SQLite's own wait does not cover.
        let started = Instant::now();
        loop {
            match connect(&path, options) {
                Err(VaultError::Busy) if started.elapsed() < options.wait => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error),
                Ok(connection) => {
                    let cache = Cache::new(options.cached_rows);
                    let store = Mutex::new(Store { connection, cache });
                    let vault = Self { store, path, wait: options.wait };
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
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, run: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, VaultError> {
        self.transact(&mut self.lock(), "BEGIN", |connection, _| run(connection))
    }

    /// Changes rows in ways that the cache does not follow.
    fn write<T>(&self, run: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, VaultError> {
        let mut store = self.lock();
        store.cache.clear();
        self.transact(&mut store, BEGIN_WRITING, |connection, _| run(connection))
    }

    /// Rewrites the file without the rows that went, if any did. Zeroing what is deleted, which SQLite does as well, is not
    /// enough: pages that were split or merged keep copies of rows in their unused part.
    fn erase(&self, wait: Duration) -> Result<(), VaultError> {
        let store = self.lock();
        let connection = &store.connection;
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
        let restored = connection.busy_timeout(self.wait);
        result.and(restored).map_err(|error: rusqlite::Error| Failure::from(error).into_error(&self.path))
    }

    fn transact<T>(
        &self,
        store: &mut Store,
        begin: &str,
        run: impl FnOnce(&Connection, &mut Cache) -> Result<T, Failure>,
    ) -> Result<T, VaultError> {
        let Store { connection, cache } = store;
        let result = (|| {
            let transaction = Running::begin(connection, begin)?;
            let value = run(connection, cache)?;
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

/// Takes the lock for writing at once, rather than failing half way.
const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";

/// A transaction. That of the library compiles its statements anew each time.
struct Running<'a>(&'a Connection);

impl<'a> Running<'a> {
    fn begin(connection: &'a Connection, begin: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(begin)?.execute([])?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Drop for Running<'_> {
    /// Takes back what was not committed.
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
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

fn connect(path: &Path, options: SqliteOptions) -> Result<Connection, VaultError> {
    let failed = |error: rusqlite::Error| Failure::from(error).into_error(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(options.wait).map_err(failed)?;
    if options.exclusive {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failed)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    check_version(&*connection.transaction().map_err(failed)?, path)?;
    if mode != "wal" {
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    }
    let synchronous = match options.durability {
        Durability::Power => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
    if options.checkpoints_apart {
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
    }
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    // Without it a statement is compiled anew for every value that a condition is asked with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    migrate(&mut connection, path)?;
    if options.exclusive {
        // The lock is taken with the first write and kept from then on.
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
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
            match migration {
                Migration::Checksums => add_checksums(&transaction).map_err(|f| f.into_error(path))?,
                Migration::Sql(sql) => transaction.execute_batch(sql).map_err(failed)?,
            }
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// The first eight bytes of BLAKE3 over all of a row. It is no protection against anybody: whoever writes the file can make it.
#[derive(Clone, Copy)]
struct Content<'a> {
    scope: &'a str,
    token: &'a str,
    kind: &'a str,
    kid: &'a str,
    bytes: &'a [u8],
    created: i64,
    used: i64,
    expires: Option<i64>,
}

impl Content<'_> {
    fn checksum(&self) -> i64 {
        let mut input = Vec::with_capacity(160 + self.bytes.len());
        for part in [self.scope, self.token, self.kind, self.kid] {
            enc(&mut input, part.as_bytes());
        }
        enc(&mut input, self.bytes);
        for time in [self.created, self.used, self.expires.unwrap_or(i64::MAX)] {
            input.extend_from_slice(&time.to_le_bytes());
        }
        i64::from_le_bytes(*blake3::hash(&input).as_bytes().first_chunk().expect("a hash has 32 bytes"))
    }
}

/// A row as the file has it.
struct Stored {
    id: i64,
    scope: String,
    token: String,
    kind: String,
    kid: String,
    bytes: Vec<u8>,
    created: i64,
    used: i64,
    expires: Option<i64>,
    checksum: i64,
}

impl Stored {
    const COLUMNS: &str = "id, scope, token, kind, kid, bytes, created, used, expires, checksum";

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        // Where the name of a kind or a key is no text any more, the row is damaged and not the whole file.
        let lenient = |column: usize| match row.get_ref(column)? {
            ValueRef::Text(text) => Ok::<_, rusqlite::Error>(String::from_utf8_lossy(text).into_owned()),
            _ => Ok(String::new()),
        };
        Ok(Self {
            id: row.get(0)?,
            scope: row.get(1)?,
            token: row.get(2)?,
            kind: lenient(3)?,
            kid: lenient(4)?,
            bytes: row.get(5)?,
            created: row.get(6)?,
            used: row.get(7)?,
            expires: row.get(8)?,
            checksum: row.get(9)?,
        })
    }

    fn content(&self) -> Content<'_> {
        let Self { scope, token, kind, kid, bytes, created, used, expires, .. } = self;
        Content { scope, token, kind, kid, bytes, created: *created, used: *used, expires: *expires }
    }

    fn is_whole(&self) -> bool {
        self.content().checksum() == self.checksum
    }
}

fn add_checksums(transaction: &Connection) -> Result<(), Failure> {
    let mut update = transaction.prepare("UPDATE rows SET checksum = ?2 WHERE id = ?1")?;
    let mut after = i64::MIN;
    loop {
        // In pages, so that no row is read while another is written.
        let sql = format!("SELECT {} FROM rows WHERE id > ?1 ORDER BY id LIMIT {PAGE}", Stored::COLUMNS);
        let page = transaction
            .prepare_cached(&sql)?
            .query_map([after], Stored::read)?
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for row in &page {
            update.execute([row.id, row.content().checksum()])?;
        }
    }
    Ok(())
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

fn mark_erasure(transaction: &Connection) -> Result<(), Failure> {
    transaction.execute("UPDATE erasure SET pending = 1", [])?;
    Ok(())
}

/// Removes rows with their references and leaves their tombstones.
fn bury(transaction: &Connection, doomed: &[(i64, String, String)]) -> Result<(), Failure> {
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

const IS_BURIED: &str = "SELECT 1 FROM tombstones WHERE hash = ?1";
const LINK: &str = "INSERT OR IGNORE INTO issued VALUES (?1, ?2)";

fn reference_id(transaction: &Connection, reference: &Reference) -> Result<i64, Failure> {
    let values = params![&*reference.agent, &*reference.subject];
    let mut find = transaction.prepare_cached("SELECT id FROM refs WHERE agent = ?1 AND subject = ?2")?;
    if let Some(id) = find.query_row(values, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    Ok(transaction.prepare_cached("INSERT INTO refs (agent, subject) VALUES (?1, ?2)")?.insert(values)?)
}

impl Vault for SqliteVault {
    /// Copies what stands in the write-ahead log into the file, on a connection of its own: calls go on meanwhile, but for an
    /// instant where the log has grown long and is begun anew. Where it fails the log is kept, and nothing is lost.
    fn tidy(&self) -> Result<(), VaultError> {
        let run = || -> Result<(), Failure> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.path, flags)?;
            let pages: i64 = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
            if pages > LONG_LOG {
                connection.busy_timeout(self.wait.min(Duration::from_millis(100)))?;
                connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
            }
            Ok(())
        };
        run().map_err(|failure| failure.into_error(&self.path))
    }

    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        let keys: Vec<[u8; 32]> =
            query.tokens.iter().map(|token| tombstone(query.scope, token.text())).collect();
        let mut store = self.lock();
        let mut answers: Vec<Option<Lookup>> = if store.cache.holds_any(&keys) {
            let version =
                data_version(&store.connection).map_err(|e| Failure::from(e).into_error(&self.path))?;
            store.cache.renew(version);
            keys.iter().map(|key| from_cache(store.cache.get(key)?, query)).collect()
        } else {
            keys.iter().map(|_| None).collect()
        };
        if answers.iter().all(Option::is_some) {
            return Ok(answers.into_iter().flatten().collect());
        }
        self.transact(&mut store, "BEGIN", |transaction, cache| {
            let sql = format!("SELECT {} FROM rows WHERE scope = ?1 AND token = ?2", Stored::COLUMNS);
            let mut find = transaction.prepare_cached(&sql)?;
            let mut buried = transaction.prepare_cached(IS_BURIED)?;
            let mut owned = transaction.prepare_cached(
                "SELECT 1 FROM issued JOIN refs ON refs.id = ref WHERE row = ?1 AND agent = ?2 AND subject = ?3",
            )?;
            for ((answer, token), key) in answers.iter_mut().zip(query.tokens).zip(&keys) {
                if answer.is_some() {
                    continue;
                }
                let row =
                    find.query_row([query.scope.as_str(), token.text()], Stored::read).optional()?;
                *answer = Some(match row {
                    None if buried.exists([key.as_slice()])? => Lookup::Purged,
                    None => Lookup::Absent,
                    Some(row) if !row.is_whole() => Lookup::Damaged,
                    Some(Stored { expires: Some(expires), .. }) if expires <= query.now => Lookup::Purged,
                    Some(row) => {
                        let referenced = match query.reference {
                            Some(r) => owned.exists(params![row.id, &*r.agent, &*r.subject])?,
                            None => false,
                        };
                        let cached = CachedRow {
                            kid: row.kid.parse().map_err(|_| Failure::Malformed)?,
                            bytes: row.bytes.into(),
                            used: row.used,
                            expires: row.expires,
                            reference: query.reference.filter(|_| referenced).cloned(),
                        };
                        let sealed = Sealed {
                            kid: cached.kid.clone(),
                            bytes: Arc::clone(&cached.bytes),
                            used: cached.used,
                            referenced,
                        };
                        cache.put(*key, cached);
                        Lookup::Found(sealed)
                    }
                });
            }
            Ok(())
        })?;
        Ok(answers.into_iter().flatten().collect())
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        let mut store = self.lock();
        let mut fresh = Vec::with_capacity(write.rows.len());
        let answers = self.transact(&mut store, BEGIN_WRITING, |transaction, _| {
            let reference = reference_id(transaction, write.reference)?;
            let sql = format!("SELECT {} FROM rows WHERE scope = ?1 AND token = ?2", Stored::COLUMNS);
            let mut find = transaction.prepare_cached(&sql)?;
            let mut update = transaction.prepare_cached(
                "UPDATE rows SET kid = ?2, bytes = ?3, used = ?4, expires = ?5, checksum = ?6 WHERE id = ?1",
            )?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO rows (scope, token, kind, kid, bytes, created, used, expires, checksum)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8
                 WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE hash = ?9)
                 ON CONFLICT (scope, token) DO NOTHING",
            )?;
            let mut link = transaction.prepare_cached(LINK)?;
            let store = |row: &super::NewRow<'_>| {
                let (scope, token) = (write.scope.as_str(), row.token.text());
                let key = tombstone(write.scope, token);
                let mut content = Content {
                    scope,
                    token,
                    kind: row.token.kind().as_str(),
                    kid: row.kid.as_str(),
                    bytes: &row.bytes,
                    created: write.now,
                    used: write.now,
                    expires: write.expires,
                };
                // Most rows are new.
                let inserted = insert.execute(params![
                    scope,
                    token,
                    content.kind,
                    content.kid,
                    content.bytes,
                    content.created,
                    content.expires,
                    content.checksum(),
                    key.as_slice()
                ])?;
                let id = if inserted == 1 {
                    transaction.last_insert_rowid()
                } else {
                    match find.query_row([scope, token], Stored::read).optional()? {
                        // Writing over it would hide what else the damage reached.
                        Some(found) if !found.is_whole() => return Err(Failure::Malformed),
                        Some(Stored { expires: Some(expires), .. }) if expires <= write.now => {
                            return Ok(Put::Purged);
                        }
                        Some(found) => {
                            content.created = found.created;
                            content.used = found.used.max(write.now);
                            update.execute(params![
                                found.id,
                                content.kid,
                                content.bytes,
                                content.used,
                                content.expires,
                                content.checksum()
                            ])?;
                            found.id
                        }
                        None => return Ok(Put::Purged),
                    }
                };
                link.execute([id, reference])?;
                fresh.push((
                    key,
                    CachedRow {
                        kid: row.kid.clone(),
                        bytes: Arc::clone(&row.bytes),
                        used: content.used,
                        expires: content.expires,
                        reference: Some(write.reference.clone()),
                    },
                ));
                Ok(Put::Stored)
            };
            write.rows.iter().map(store).collect()
        })?;
        // Only now: a transaction that failed stored nothing.
        for (key, row) in fresh {
            store.cache.put(key, row);
        }
        Ok(answers)
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
        let _ = self.erase(self.wait);
        Ok(gone)
    }

    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError> {
        self.read(|transaction| {
            // Every row comes after the empty scope and token. A condition with OR would walk the index from its start.
            let sql = format!(
                "SELECT {} FROM rows WHERE (scope, token) > (?1, ?2) ORDER BY scope, token LIMIT ?3",
                Stored::COLUMNS
            );
            let mut select = transaction.prepare_cached(&sql)?;
            let mut owners = transaction.prepare_cached(
                "SELECT agent, subject FROM issued JOIN refs ON refs.id = ref WHERE row = ?1
                 ORDER BY agent, subject",
            )?;
            let (scope, token) = after.map_or(("", ""), |key| (key.scope.as_str(), &*key.token));
            let mut rows = select.query(params![scope, token, row_limit(limit)])?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                let row = Stored::read(row)?;
                let references = owners
                    .query_map([row.id], |row| {
                        Ok(Reference::new(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?))
                    })?
                    .collect::<Result<Vec<_>, _>>()?;
                let (kind, kid) = (row.kind.parse(), row.kid.parse());
                let damaged = !row.is_whole() || kind.is_err() || kid.is_err();
                page.push(Row {
                    key: RowKey {
                        scope: row.scope.parse().map_err(|_| Failure::Malformed)?,
                        token: row.token.into_boxed_str(),
                    },
                    kind: kind.unwrap_or(Kind::Id),
                    kid: kid.unwrap_or_else(|_| unreadable_kid()),
                    bytes: row.bytes.into(),
                    created: row.created,
                    used: row.used,
                    expires: row.expires,
                    references,
                    damaged,
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
            let sql = format!("SELECT {} FROM rows WHERE scope = ?1 AND token = ?2", Stored::COLUMNS);
            let mut find = transaction.prepare_cached(&sql)?;
            let mut update = transaction
                .prepare_cached("UPDATE rows SET kid = ?2, bytes = ?3, checksum = ?4 WHERE id = ?1")?;
            let mut changed = 0;
            for Reseal { key, before, kid, after } in rows {
                let found = find.query_row([key.scope.as_str(), &*key.token], Stored::read).optional()?;
                let Some(row) = found.filter(|row| row.bytes == **before && row.is_whole()) else { continue };
                let new = Content { kid: kid.as_str(), bytes: after, ..row.content() };
                update.execute(params![row.id, new.kid, new.bytes, new.checksum()])?;
                changed += 1;
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
            let mut buried = transaction.prepare_cached(IS_BURIED)?;
            let mut link = transaction.prepare_cached(LINK)?;
            let mut find =
                transaction.prepare_cached("SELECT id FROM rows WHERE scope = ?1 AND token = ?2")?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO rows (scope, token, kind, kid, bytes, created, used, expires, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            let mut new = 0;
            for row in rows {
                let (scope, token) = (row.key.scope.as_str(), &*row.key.token);
                if buried.exists([tombstone(&row.key.scope, token).as_slice()])? {
                    continue;
                }
                let found = find.query_row([scope, token], |row| row.get(0)).optional()?;
                let id = if let Some(id) = found {
                    id
                } else {
                    new += 1;
                    let Row { kind, kid, bytes, created, used, expires, .. } = row;
                    let (kind, kid) = (kind.as_str(), kid.as_str());
                    let (created, used, expires) = (*created, *used, *expires);
                    let content = Content { scope, token, kind, kid, bytes, created, used, expires };
                    insert.insert(params![
                        scope,
                        token,
                        kind,
                        kid,
                        content.bytes,
                        created,
                        used,
                        expires,
                        content.checksum()
                    ])?
                };
                for reference in &row.references {
                    link.execute([id, reference_id(transaction, reference)?])?;
                }
            }
            Ok(new)
        })?;
        let _ = self.erase(self.wait);
        Ok(new)
    }

    fn orphans(&self) -> Result<u64, VaultError> {
        self.read(|transaction| {
            // Tables and their indexes must say the same: a row that only one of them has was damaged.
            let sound: String =
                transaction.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if sound != "ok" {
                return Err(Failure::Malformed);
            }
            let count = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
            let mut orphans = count(
                "SELECT (SELECT count(*) FROM rows WHERE NOT EXISTS (SELECT 1 FROM issued WHERE row = rows.id))
                      + (SELECT count(*) FROM issued WHERE NOT EXISTS (SELECT 1 FROM rows WHERE id = row)
                                                        OR NOT EXISTS (SELECT 1 FROM refs WHERE id = ref))",
            )? as u64;
            if count("SELECT EXISTS (SELECT 1 FROM tombstones)")? != 0 {
                let mut buried = transaction.prepare_cached(IS_BURIED)?;
                let mut rows = transaction.prepare("SELECT scope, token FROM rows")?;
                let mut rows = rows.query([])?;
                while let Some(row) = rows.next()? {
                    let (scope, token) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                    let scope = scope.parse().map_err(|_| Failure::Malformed)?;
                    let is_buried = buried.exists([tombstone(&scope, &token).as_slice()])?;
                    orphans += u64::from(is_buried);
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

/// A number that changes with every commit of another connection, in this process or elsewhere.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// What a kept row says to a query; nothing where the file has to be asked.
fn from_cache(row: &CachedRow, query: &Query<'_>) -> Option<Lookup> {
    if row.expires.is_some_and(|expires| expires <= query.now) {
        return Some(Lookup::Purged);
    }
    // That another reference is not known here does not mean that the row lacks it.
    let referenced = match query.reference {
        Some(wanted) => row.reference.as_ref().filter(|known| *known == wanted).map(|_| true)?,
        None => false,
    };
    let CachedRow { kid, bytes, used, .. } = row;
    Some(Lookup::Found(Sealed { kid: kid.clone(), bytes: Arc::clone(bytes), used: *used, referenced }))
}

/// Stands for the name of a key that can no longer be read.
fn unreadable_kid() -> Kid {
    "DAMAGED".parse().expect("the name is a key id")
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn counts<T: std::str::FromStr>(transaction: &Connection, sql: &str) -> Result<Vec<(T, u64)>, Failure> {
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
fn bury_marked(transaction: &Connection, tombstones: &[[u8; 32]]) -> Result<(), Failure> {
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

    use tempfile::TempDir;

    use super::*;
    use crate::token::{KeyRing, Scope, Token};
    use crate::vault::{Mention, Opened, Records, conformance, export, rewrap, verify};

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
    fn the_log_is_copied_apart_from_the_calls() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open_with(&path, SqliteOptions::default().checkpoints_apart(true)).unwrap();
        let length = |ending: &str| fs::metadata(format!("{}{ending}", path.display())).unwrap().len();
        let before = length("");
        let texts = texts(4_000);
        let tokens: Vec<Token> = texts.chunks(10).flat_map(|chunk| mint(&vault, chunk)).collect();
        assert_eq!(length(""), before, "no call has copied anything");
        vault.tidy().unwrap();
        let copied = length("");
        assert!(copied > before + 400_000, "{copied}");
        // A log that had grown long is begun anew rather than growing further.
        let long = length("-wal");
        texts.chunks(10).take(20).for_each(|chunk| {
            mint(&vault, &chunk.iter().map(|text| format!("{text}x")).collect::<Vec<_>>());
        });
        assert!(long > 16 << 20 && length("-wal") == long, "{long}");
        assert!(restores(&vault, &tokens[3_999], &texts[3_999]));
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
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
        let error = SqliteVault::open(&path).unwrap_err();
        assert!(matches!(error, VaultError::Version { found: 9, expected: VERSION }));
        assert_eq!(
            error.to_string(),
            "vault has schema version 9, and this build reads version 4; open it with the masker that wrote it"
        );
    }

    #[test]
    fn an_earlier_version_is_migrated_with_its_rows() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let texts = texts(20);
        let tokens = mint(&SqliteVault::open(&path).unwrap(), &texts);
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "DROP TABLE erasure; ALTER TABLE rows DROP COLUMN checksum; PRAGMA user_version = 1",
            )
            .unwrap();
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
        let set = |pragma: &str| vault.lock().connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
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

    /// Opens a damaged file and says whether anything of the damage is noticed. A wrong value is a failure.
    fn is_noticed(path: &Path, tokens: &[Token], texts: &[String]) -> bool {
        let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
        let Ok(vault) = SqliteVault::open(path) else { return true };
        let records = Records::new(&keys, &vault, &scope, &reference);
        let mut noticed = false;
        for (token, text) in tokens.iter().zip(texts) {
            match records.restore(&[token]).as_deref() {
                Ok([Opened::Original(original)]) => assert_eq!(original.expose(), text),
                _ => noticed = true,
            }
        }
        noticed || !verify(&keys, &vault).is_ok_and(|found| (found.unreadable, found.orphans) == (0, 0))
    }

    #[test]
    fn a_flipped_bit_in_any_byte_of_a_row_is_noticed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open(&path).unwrap();
        let texts = texts(3);
        let tokens = mint(&vault, &texts);
        drop(vault);
        let whole = fs::read(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        let columns = format!("SELECT {} FROM rows WHERE token = ?1", Stored::COLUMNS);
        let row = connection.query_row(&columns, [tokens[1].text()], Stored::read).unwrap();
        drop(connection);
        // The row as the file has it: scope is empty, so its token is the first text; its checksum is the last value.
        let start = memchr::memmem::find(&whole, &[tokens[1].text(), "IDK1"].concat().into_bytes()).unwrap();
        let checksum = row.checksum.to_be_bytes();
        let end = start + memchr::memmem::find(&whole[start..], &checksum).unwrap() + checksum.len();
        // Before the values stand length, number and the types of the ten columns. SQLite takes the id from the number, and what its
        // type says is read by nobody.
        let type_of_id = start - 11;
        let mut missed = Vec::new();
        for bit in (start - 14) * 8..end * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            if !is_noticed(&path, &tokens, &texts) && bit / 8 != type_of_id {
                missed.push((bit / 8).cast_signed() - start.cast_signed());
            }
        }
        assert!(end - start > 100, "{}", end - start);
        assert!(missed.is_empty(), "{missed:?}");
    }

    #[test]
    fn a_flipped_bit_anywhere_in_the_file_restores_no_wrong_value() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open(&path).unwrap();
        let texts = texts(2);
        let tokens = mint(&vault, &texts);
        drop(vault);
        let whole = fs::read(&path).unwrap();
        let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
        for (n, at) in used.into_iter().enumerate() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (n % 8);
            fs::write(&path, &bytes).unwrap();
            is_noticed(&path, &tokens, &texts);
        }
    }

    #[test]
    fn a_damaged_row_is_told_apart_and_harms_no_other() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let vault = SqliteVault::open_with(&path, SqliteOptions::default().cached_rows(0)).unwrap();
        let texts = texts(3);
        let tokens = mint(&vault, &texts);
        vault.lock().connection.execute("UPDATE rows SET expires = 1 WHERE id = 2", []).unwrap();
        assert!(restores(&vault, &tokens[0], &texts[0]) && !restores(&vault, &tokens[1], &texts[1]));
        let checked = verify(&ring(), &vault).unwrap();
        assert_eq!((checked.readable, checked.unreadable, checked.damaged), (2, 1, 1));
        let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
        let mention = Mention { kind: &Kind::Id, kid: &kid, original: &texts[1], normalised: &texts[1] };
        let minted = Records::new(&keys, &vault, &scope, &reference).mint(&[mention]);
        assert!(
            matches!(minted, Err(VaultError::Corrupt)),
            "no second token for a value whose row is damaged"
        );
        let mut data = Vec::new();
        assert!(matches!(export(&keys, &kid, &vault, &mut data), Err(VaultError::Corrupt)));
        assert_eq!(rewrap(&keys, &vault, None, &kid).unwrap().unreadable, 1);
        assert_eq!(vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap(), 3, "it can be removed");
    }

    #[test]
    fn rows_in_memory_are_never_older_than_the_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let (one, two) = (SqliteVault::open(&path).unwrap(), SqliteVault::open(&path).unwrap());
        let texts = texts(20);
        let tokens = mint(&one, &texts);
        let cached = |vault: &SqliteVault| {
            let mut store = vault.lock();
            tokens
                .iter()
                .filter(|t| store.cache.get(&tombstone(&Scope::default(), t.text())).is_some())
                .count()
        };
        assert_eq!((cached(&one), cached(&two)), (20, 0), "what was written is at hand");
        let all_restore =
            |vault: &SqliteVault| tokens.iter().zip(&texts).all(|(t, text)| restores(vault, t, text));
        assert!(all_restore(&two));
        assert_eq!(cached(&two), 20, "and what was read");
        assert!(all_restore(&two) && all_restore(&one));

        // Another subject's rows, so that the file is written and these rows are not touched.
        two.delete(&Selection::Subject("nobody".to_owned())).unwrap();
        assert!(all_restore(&one));
        two.delete(&Selection::UnusedSince(i64::MAX)).unwrap();
        assert!(!restores(&one, &tokens[0], &texts[0]), "an erased row is not answered from memory");
        assert!(!restores(&two, &tokens[0], &texts[0]));
        assert_eq!((cached(&one), cached(&two)), (0, 0));
        assert_ne!(mint(&one, &texts), tokens, "and its token is dead here too");
    }

    #[test]
    fn a_failed_write_leaves_nothing_in_memory() {
        let folder = TempDir::new().unwrap();
        let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
        vault.lock().connection.execute_batch("PRAGMA query_only = 1").unwrap();
        let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
        let mention = Mention { kind: &Kind::Id, kid: &kid, original: "one", normalised: "one" };
        let records = Records::new(&keys, &vault, &scope, &reference);
        assert!(matches!(records.mint(&[mention]), Err(VaultError::ReadOnly { .. })));
        vault.lock().connection.execute_batch("PRAGMA query_only = 0").unwrap();
        assert_eq!(vault.stats().unwrap().rows, 0);
        let token = records.mint(&[mention]).unwrap().remove(0);
        assert!(restores(&vault, &token, "one"));
        assert_eq!(vault.stats().unwrap().rows, 1);
    }

    #[test]
    fn exclusive_use_keeps_others_out_until_it_ends() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vault.db");
        let alone = SqliteVault::open_with(&path, SqliteOptions::default().exclusive(true)).unwrap();
        let texts = texts(5);
        let tokens = mint(&alone, &texts);
        let options = SqliteOptions::default().wait(Duration::from_millis(50));
        assert!(matches!(SqliteVault::open_with(&path, options), Err(VaultError::Busy)));
        assert!(restores(&alone, &tokens[0], &texts[0]));
        alone.delete(&Selection::UnusedSince(0)).unwrap();
        drop(alone);
        let shared = SqliteVault::open(&path).unwrap();
        assert!(restores(&shared, &tokens[4], &texts[4]));
        let refused = SqliteVault::open_with(&path, options.exclusive(true));
        assert!(matches!(refused, Err(VaultError::Busy)), "somebody has it");
        assert_eq!(mint(&shared, &texts), tokens);
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
        assert!(code(rusqlite::ffi::SQLITE_READONLY).to_string().starts_with("vault vault.db is read-only;"));
        assert!(!code(rusqlite::ffi::SQLITE_IOERR).to_string().contains("secret"));
    }
}
