//! The vault in a file: SQLite with a write-ahead log, for any number of threads and processes on one machine.

mod file;
mod options;
mod row;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod transaction;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use self::file::{connect, inspect};
pub use self::options::{Durability, SqliteOptions};
use self::row::{Content, Stored};
use self::statements::{
    IS_BURIED, LINK, bury, bury_marked, condition, counts, mark_erasure, reference_id, row_limit,
};
use self::transaction::{BEGIN_WRITING, Failure, Running};
use super::cache::{Cache, CachedRow};
use super::{
    Lookup, Put, Query, Reference, Reseal, Row, RowKey, Sealed, Selection, Vault, VaultError, VaultStats,
    Write, tombstone,
};
use crate::Kind;
use crate::token::Kid;

/// Rows that one statement reads where all of them are walked.
const PAGE: usize = 10_000;

/// Pages of the write-ahead log from which it is begun anew.
const LONG_LOG: i64 = 4_096;

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
