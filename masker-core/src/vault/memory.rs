//! The vault of a process: gone when it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    Lookup, Put, Query, Reference, Reseal, Row, RowKey, Sealed, Selection, Vault, VaultError, VaultStats,
    Write, tombstone,
};
use crate::Kind;
use crate::token::{Kid, Scope};

/// A vault in memory.
///
/// ```
/// use masker_core::{MemoryVault, Vault};
///
/// assert_eq!(MemoryVault::new().stats()?.rows, 0);
/// # Ok::<(), masker_core::VaultError>(())
/// ```
pub struct MemoryVault {
    /// Rows are spread by the ends of their tokens, which are hashes, so that threads seldom wait for one another. Whoever locks
    /// several does so in order.
    shards: [RwLock<Shard>; SHARDS],
    /// Locked after shards, by whoever needs both.
    tombstones: RwLock<BTreeSet<[u8; 32]>>,
    rows: AtomicUsize,
    limit: Option<usize>,
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Shard {
    scopes: HashMap<Scope, HashMap<Box<str>, Entry>>,
}

impl Shard {
    fn entry(&self, scope: &Scope, token: &str) -> Option<&Entry> {
        self.scopes.get(scope)?.get(token)
    }
}

/// The shard of a row.
fn place(token: &str) -> usize {
    let last = token.as_bytes().last_chunk::<4>().copied().unwrap_or_default();
    // The low bits of letters and digits overlap; a product spreads them over the high ones.
    u32::from_le_bytes(last).wrapping_mul(0x9E37_79B9) as usize >> (u32::BITS - SHARDS.ilog2())
}

/// Whether a row was purged. Where none was, nothing is hashed.
fn is_buried(tombstones: &BTreeSet<[u8; 32]>, scope: &Scope, token: &str) -> bool {
    !tombstones.is_empty() && tombstones.contains(&tombstone(scope, token))
}

struct Entry {
    kind: Kind,
    kid: Kid,
    bytes: Arc<[u8]>,
    created: i64,
    used: i64,
    expires: Option<i64>,
    references: BTreeSet<Reference>,
}

impl Default for MemoryVault {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            tombstones: RwLock::default(),
            rows: AtomicUsize::new(0),
            limit: None,
        }
    }
}

impl MemoryVault {
    /// An empty vault without a bound.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty vault that holds at most `rows` rows; one more is [`VaultError::Full`], and no row is dropped for it.
    pub fn with_limit(rows: usize) -> Self {
        Self { limit: Some(rows), ..Self::default() }
    }

    // Every change below is complete before anything can panic, so a poisoned lock guards a sound state.
    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write().unwrap_or_else(PoisonError::into_inner)
    }

    fn buried(&self) -> RwLockReadGuard<'_, BTreeSet<[u8; 32]>> {
        self.tombstones.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn bury(&self) -> RwLockWriteGuard<'_, BTreeSet<[u8; 32]>> {
        self.tombstones.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_all(&self) -> Vec<RwLockReadGuard<'_, Shard>> {
        (0..SHARDS).map(|shard| self.read(shard)).collect()
    }

    fn write_all(&self) -> Vec<RwLockWriteGuard<'_, Shard>> {
        (0..SHARDS).map(|shard| self.write(shard)).collect()
    }

    /// Makes room for rows that are about to be added.
    fn reserve(&self, added: usize) -> Result<(), VaultError> {
        let limit = self.limit.unwrap_or(usize::MAX);
        let grown = |rows: usize| rows.checked_add(added).filter(|rows| *rows <= limit);
        match self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown) {
            Ok(_) => Ok(()),
            Err(_) => Err(VaultError::Full),
        }
    }
}

impl fmt::Debug for MemoryVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryVault")
            .field("rows", &self.rows.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Entry {
    fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// The references that would go, and whether the row goes with them.
    fn loses(&self, scope: &Scope, which: &Selection) -> bool {
        match which {
            Selection::Agent(agent) => self.references.iter().all(|r| *r.agent == **agent),
            Selection::Expired(now) => self.is_expired(*now),
            Selection::Kid(kid) => self.kid == *kid,
            Selection::Scope(wanted) => scope == wanted,
            Selection::Subject(subject) => self.references.iter().all(|r| *r.subject == **subject),
            Selection::UnusedSince(time) => self.used < *time,
        }
    }
}

impl Vault for MemoryVault {
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        let lookup = |token: &&crate::token::Token| {
            let shard = self.read(place(token.text()));
            match shard.entry(query.scope, token.text()) {
                Some(entry) if entry.is_expired(query.now) => Lookup::Purged,
                Some(entry) => Lookup::Found(Sealed {
                    kid: entry.kid.clone(),
                    bytes: Arc::clone(&entry.bytes),
                    used: entry.used,
                    referenced: query.reference.is_some_and(|r| entry.references.contains(r)),
                }),
                None if is_buried(&self.buried(), query.scope, token.text()) => Lookup::Purged,
                None => Lookup::Absent,
            }
        };
        Ok(query.tokens.iter().map(lookup).collect())
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        let needed: BTreeSet<usize> = write.rows.iter().map(|row| place(row.token.text())).collect();
        let mut shards: Vec<Option<RwLockWriteGuard<'_, Shard>>> = (0..SHARDS).map(|_| None).collect();
        for shard in needed {
            shards[shard] = Some(self.write(shard));
        }
        let mut answers = Vec::with_capacity(write.rows.len());
        let mut added = 0;
        let buried = self.buried();
        for row in write.rows {
            let token = row.token.text();
            let shard = shards[place(token)].as_ref().expect("the shard of every row is locked");
            let entry = shard.entry(write.scope, token);
            let dead = entry
                .map_or_else(|| is_buried(&buried, write.scope, token), |entry| entry.is_expired(write.now));
            added += usize::from(entry.is_none() && !dead);
            answers.push(if dead { Put::Purged } else { Put::Stored });
        }
        self.reserve(added)?;
        for (row, answer) in write.rows.iter().zip(&answers) {
            if *answer == Put::Purged {
                continue;
            }
            let shard = shards[place(row.token.text())].as_mut().expect("the shard of every row is locked");
            let rows = shard.scopes.entry(write.scope.clone()).or_default();
            if let Some(entry) = rows.get_mut(row.token.text()) {
                entry.kid = row.kid.clone();
                entry.bytes = Arc::clone(&row.bytes);
                entry.used = entry.used.max(write.now);
                entry.expires = write.expires;
                entry.references.insert(write.reference.clone());
            } else {
                rows.insert(
                    row.token.text().into(),
                    Entry {
                        kind: row.token.kind().clone(),
                        kid: row.kid.clone(),
                        bytes: Arc::clone(&row.bytes),
                        created: write.now,
                        used: write.now,
                        expires: write.expires,
                        references: BTreeSet::from([write.reference.clone()]),
                    },
                );
            }
        }
        Ok(answers)
    }

    fn count(&self, which: &Selection) -> Result<u64, VaultError> {
        let shards = self.read_all();
        let count = |(scope, rows): (&Scope, &HashMap<Box<str>, Entry>)| {
            rows.values().filter(|entry| entry.loses(scope, which)).count() as u64
        };
        Ok(shards.iter().flat_map(|shard| &shard.scopes).map(count).sum())
    }

    fn delete(&self, which: &Selection) -> Result<u64, VaultError> {
        let mut gone = 0;
        let mut shards = self.write_all();
        let mut buried = self.bury();
        for shard in &mut shards {
            for (scope, rows) in &mut shard.scopes {
                rows.retain(|token, entry| {
                    let goes = entry.loses(scope, which);
                    if goes {
                        buried.insert(tombstone(scope, token));
                        gone += 1;
                    } else {
                        match which {
                            Selection::Agent(agent) => entry.references.retain(|r| *r.agent != **agent),
                            Selection::Subject(subject) => {
                                entry.references.retain(|r| *r.subject != **subject);
                            }
                            _ => {}
                        }
                    }
                    !goes
                });
            }
            shard.scopes.retain(|_, rows| !rows.is_empty());
        }
        self.rows.fetch_sub(gone, Ordering::Relaxed);
        Ok(gone as u64)
    }

    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError> {
        let shards = self.read_all();
        let mut keys: Vec<(&Scope, &str, &Entry)> = shards
            .iter()
            .flat_map(|shard| &shard.scopes)
            .filter(|(scope, _)| after.is_none_or(|after| **scope >= after.scope))
            .flat_map(|(scope, rows)| rows.iter().map(move |(token, entry)| (scope, &**token, entry)))
            .filter(|(scope, token, _)| {
                after.is_none_or(|after| (*scope, *token) > (&after.scope, &*after.token))
            })
            .collect();
        let order = |a: &(&Scope, &str, &Entry), b: &(&Scope, &str, &Entry)| (a.0, a.1).cmp(&(b.0, b.1));
        if keys.len() > limit && limit > 0 {
            keys.select_nth_unstable_by(limit - 1, order);
        }
        keys.truncate(limit);
        keys.sort_unstable_by(order);
        let row = |(scope, token, entry): (&Scope, &str, &Entry)| Row {
            key: RowKey { scope: scope.clone(), token: token.into() },
            kind: entry.kind.clone(),
            kid: entry.kid.clone(),
            bytes: Arc::clone(&entry.bytes),
            created: entry.created,
            used: entry.used,
            expires: entry.expires,
            references: entry.references.iter().cloned().collect(),
            damaged: false,
        };
        Ok(keys.into_iter().map(row).collect())
    }

    fn tombstones(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<[u8; 32]>, VaultError> {
        let from = after.map_or(Bound::Unbounded, |hash| Bound::Excluded(*hash));
        Ok(self.buried().range((from, Bound::Unbounded)).take(limit).copied().collect())
    }

    fn reseal(&self, rows: &[Reseal]) -> Result<u64, VaultError> {
        let mut changed = 0;
        for row in rows {
            let mut shard = self.write(place(&row.key.token));
            let entry = shard.scopes.get_mut(&row.key.scope).and_then(|rows| rows.get_mut(&row.key.token));
            if let Some(entry) = entry.filter(|entry| entry.bytes == row.before) {
                entry.kid = row.kid.clone();
                entry.bytes = Arc::clone(&row.after);
                changed += 1;
            }
        }
        Ok(changed)
    }

    fn merge(&self, rows: &[Row], tombstones: &[[u8; 32]]) -> Result<u64, VaultError> {
        let mut shards = self.write_all();
        let mut buried = self.bury();
        let dead: HashSet<&[u8; 32]> = tombstones.iter().collect();
        let hashes: Vec<[u8; 32]> =
            rows.iter().map(|row| tombstone(&row.key.scope, &row.key.token)).collect();
        // What is taken over is counted before anything changes, each row once however often it is given.
        let mut incoming = HashSet::new();
        for (row, hash) in rows.iter().zip(&hashes) {
            let exists = shards[place(&row.key.token)].entry(&row.key.scope, &row.key.token).is_some();
            if !exists && !dead.contains(hash) && !buried.contains(hash) {
                incoming.insert(hash);
            }
        }
        self.reserve(incoming.len())?;
        let mut gone = 0;
        buried.extend(tombstones);
        if !tombstones.is_empty() {
            for shard in &mut shards {
                for (scope, rows) in &mut shard.scopes {
                    let before = rows.len();
                    rows.retain(|token, _| !dead.contains(&tombstone(scope, token)));
                    gone += before - rows.len();
                }
            }
        }
        for (row, hash) in rows.iter().zip(&hashes) {
            if buried.contains(hash) {
                continue;
            }
            let shard = &mut shards[place(&row.key.token)];
            let scope = shard.scopes.entry(row.key.scope.clone()).or_default();
            if let Some(entry) = scope.get_mut(&row.key.token) {
                entry.references.extend(row.references.iter().cloned());
                continue;
            }
            scope.insert(
                row.key.token.clone(),
                Entry {
                    kind: row.kind.clone(),
                    kid: row.kid.clone(),
                    bytes: Arc::clone(&row.bytes),
                    created: row.created,
                    used: row.used,
                    expires: row.expires,
                    references: row.references.iter().cloned().collect(),
                },
            );
        }
        for shard in &mut shards {
            shard.scopes.retain(|_, rows| !rows.is_empty());
        }
        self.rows.fetch_sub(gone, Ordering::Relaxed);
        Ok(incoming.len() as u64)
    }

    fn stats(&self) -> Result<VaultStats, VaultError> {
        let shards = self.read_all();
        let mut by_kind = BTreeMap::new();
        let mut by_kid = BTreeMap::new();
        let mut stats = VaultStats::default();
        for entry in shards.iter().flat_map(|shard| shard.scopes.values()).flat_map(HashMap::values) {
            stats.rows += 1;
            stats.bytes += entry.bytes.len() as u64;
            stats.oldest = Some(stats.oldest.map_or(entry.created, |t| t.min(entry.created)));
            stats.newest = Some(stats.newest.map_or(entry.created, |t| t.max(entry.created)));
            by_kind.entry(entry.kind.as_str()).or_insert((&entry.kind, 0)).1 += 1;
            *by_kid.entry(entry.kid.clone()).or_insert(0) += 1;
        }
        stats.tombstones = self.buried().len() as u64;
        stats.by_kind =
            by_kind.into_values().map(|(kind, rows): (&Kind, u64)| (kind.clone(), rows)).collect();
        stats.by_kid = by_kid.into_iter().collect();
        Ok(stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::KeyRing;
    use crate::vault::{Mention, Records, conformance};

    #[test]
    fn conforms() {
        conformance::run(&|| Arc::new(MemoryVault::new()));
    }

    #[test]
    fn a_full_vault_is_an_error_and_loses_nothing() {
        let (keys, vault) = (KeyRing::ephemeral().unwrap(), MemoryVault::with_limit(2));
        let (scope, reference) = (Scope::default(), Reference::default());
        let records = Records::new(&keys, &vault, &scope, &reference);
        let kid = "EPHEMERAL".parse().unwrap();
        let mention = |text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text };
        records.mint(&[mention("a")]).unwrap();
        assert!(matches!(records.mint(&[mention("b"), mention("c")]), Err(VaultError::Full)));
        assert_eq!(vault.stats().unwrap().rows, 1);
        records.mint(&[mention("a"), mention("b")]).unwrap();
        assert_eq!(vault.stats().unwrap().rows, 2);
    }
}
