//! Making, checking and connecting to the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::options::{Durability, SqliteOptions};
use super::schema::{check_version, migrate};
use super::transaction::Failure;
use crate::vault::VaultError;

const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Makes the file where there is none, readable by its owner alone, and looks at the first page of one that is there.
pub(super) fn inspect(path: &Path) -> Result<(), VaultError> {
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

pub(super) fn connect(path: &Path, options: SqliteOptions) -> Result<Connection, VaultError> {
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
