//! The tables of the file, and what leads from an earlier version of them to the present one.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::PAGE;
use super::row::Stored;
use super::transaction::Failure;
use crate::vault::VaultError;

/// "MSKV": marks the file as ours.
const APPLICATION_ID: i64 = 0x4d53_4b56;
pub(super) const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;

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

/// The schema version of the file, 0 where it is empty; an error where it is something else or of a later version. It asks
/// several questions, so it must run inside a transaction.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<usize, VaultError> {
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
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), VaultError> {
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
