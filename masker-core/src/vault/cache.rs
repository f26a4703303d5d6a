//! Rows that a file was asked for lately.

use std::collections::HashMap;
use std::sync::Arc;

use super::Reference;
use crate::token::Kid;

/// Rows with longer ciphertexts are not kept: they would push too many others out of memory.
const LONGEST: usize = 1_024;

/// A row as it was read or written.
#[derive(Clone)]
pub(super) struct CachedRow {
    pub(super) kid: Kid,
    pub(super) bytes: Arc<[u8]>,
    pub(super) used: i64,
    pub(super) expires: Option<i64>,
    /// A reference that the row has for certain.
    pub(super) reference: Option<Reference>,
}

/// The most recent rows by their tombstones, at most twice `limit`: when the younger half is full, the older half goes. Rows are
/// ciphertexts here as everywhere.
///
/// What it holds is true for one `version` of the store, a number that changes with every commit of others.
pub(super) struct Cache {
    limit: usize,
    version: i64,
    young: HashMap<[u8; 32], CachedRow>,
    old: HashMap<[u8; 32], CachedRow>,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, version: 0, young: HashMap::new(), old: HashMap::new() }
    }

    fn is_off(&self) -> bool {
        self.limit == 0
    }

    /// Forgets everything where the store is no longer at the version that it was at.
    pub(super) fn renew(&mut self, version: i64) {
        if version != self.version {
            self.clear();
            self.version = version;
        }
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// Whether it would have to be asked: what it does not hold needs no look at the version of the store.
    pub(super) fn holds_any(&self, keys: &[[u8; 32]]) -> bool {
        keys.iter().any(|key| self.young.contains_key(key) || self.old.contains_key(key))
    }

    pub(super) fn get(&mut self, key: &[u8; 32]) -> Option<&CachedRow> {
        if let Some(row) = self.old.remove(key) {
            self.put(*key, row);
        }
        self.young.get(key)
    }

    pub(super) fn put(&mut self, key: [u8; 32], row: CachedRow) {
        if self.is_off() || row.bytes.len() > LONGEST {
            self.young.remove(&key);
            self.old.remove(&key);
            return;
        }
        if self.young.len() >= self.limit && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(len: usize) -> CachedRow {
        let bytes = vec![0; len].into();
        CachedRow { kid: "K1".parse().unwrap(), bytes, used: 0, expires: None, reference: None }
    }

    fn key(n: usize) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_le_bytes());
        key
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        let mut cache = Cache::new(100);
        for n in 0..10_000 {
            cache.put(key(n), row(40));
            assert!(cache.get(&key(0)).is_some(), "a row that is asked for stays");
            assert!(cache.young.len() + cache.old.len() <= 200);
        }
        assert!(cache.get(&key(9_999)).is_some() && cache.get(&key(5_000)).is_none());
        cache.renew(0);
        assert!(cache.get(&key(0)).is_some());
        cache.renew(1);
        assert!(cache.get(&key(0)).is_none());
    }

    #[test]
    fn a_row_that_grew_too_long_is_not_kept_in_its_old_form() {
        let mut cache = Cache::new(100);
        cache.put(key(1), row(40));
        cache.put(key(1), row(LONGEST + 1));
        assert!(cache.get(&key(1)).is_none());
        let mut off = Cache::new(0);
        off.put(key(1), row(40));
        assert!(off.is_off() && off.get(&key(1)).is_none());
    }
}
