//! Statements that several calls share.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use super::transaction::Failure;
use crate::vault::{Reference, Selection, tombstone};

pub(super) const IS_BURIED: &str = "SELECT 1 FROM tombstones WHERE hash = ?1";
pub(super) const LINK: &str = "INSERT OR IGNORE INTO issued VALUES (?1, ?2)";

/// The condition of a selection over `rows`, with `?1` for its parameter.
pub(super) fn condition(which: &Selection) -> (&'static str, Value) {
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

pub(super) fn mark_erasure(transaction: &Connection) -> Result<(), Failure> {
    transaction.execute("UPDATE erasure SET pending = 1", [])?;
    Ok(())
}

/// Removes rows with their references and leaves their tombstones.
pub(super) fn bury(transaction: &Connection, doomed: &[(i64, String, String)]) -> Result<(), Failure> {
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

/// Removes the rows whose tombstones came from elsewhere.
pub(super) fn bury_marked(transaction: &Connection, tombstones: &[[u8; 32]]) -> Result<(), Failure> {
    let marked: HashSet<&[u8; 32]> = tombstones.iter().collect();
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

pub(super) fn reference_id(transaction: &Connection, reference: &Reference) -> Result<i64, Failure> {
    let values = params![&*reference.agent, &*reference.subject];
    let mut find = transaction.prepare_cached("SELECT id FROM refs WHERE agent = ?1 AND subject = ?2")?;
    if let Some(id) = find.query_row(values, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    Ok(transaction.prepare_cached("INSERT INTO refs (agent, subject) VALUES (?1, ?2)")?.insert(values)?)
}

pub(super) fn counts<T: std::str::FromStr>(
    transaction: &Connection,
    sql: &str,
) -> Result<Vec<(T, u64)>, Failure> {
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

pub(super) fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
