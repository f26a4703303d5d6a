//! Keys, vaults and maskers that the bodies share, one set for each thread.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use masker_core::vault::{Lookup, Put, Query, Reseal, Row, RowKey, Selection, Write};
use masker_core::{KeyRing, Kid, Masker, MemoryVault, Policy, Scheme, Vault, VaultError, VaultStats};

/// The root key. Not that of the published vectors, or their tokens would open.
pub(crate) fn root_key() -> [u8; 32] {
    std::array::from_fn(|at| 0x40 + at as u8)
}

/// The key id of the shipped policies.
pub(crate) fn kid() -> Kid {
    "K_HEALTHCARE".parse().unwrap()
}

pub(crate) fn keys() -> KeyRing {
    KeyRing::builder().key(&kid(), root_key()).build().unwrap()
}

/// The shipped default with lines of YAML before it, and its kinds all made tokens.
pub(crate) fn all_tokens(head: &str) -> Policy {
    let source = Policy::preset_source("healthcare-default").unwrap();
    Policy::from_yaml(&format!("{head}\n{}", source.replace("action: redact", "action: tokenize"))).unwrap()
}

pub(crate) fn aliased(head: &str) -> Policy {
    all_tokens(&format!("{head}\nsurface: alias\n"))
}

/// A vault that can be emptied between two runs, so that the thousandth starts where the first did.
#[derive(Default)]
pub(crate) struct Forgetful(RwLock<MemoryVault>);

impl Forgetful {
    pub(crate) fn forget(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = MemoryVault::new();
    }

    fn inner(&self) -> RwLockReadGuard<'_, MemoryVault> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for Forgetful {
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        self.inner().get(query)
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        self.inner().put(write)
    }

    fn count(&self, which: &Selection) -> Result<u64, VaultError> {
        self.inner().count(which)
    }

    fn delete(&self, which: &Selection) -> Result<u64, VaultError> {
        self.inner().delete(which)
    }

    fn page(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, VaultError> {
        self.inner().page(after, limit)
    }

    fn tombstones(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<[u8; 32]>, VaultError> {
        self.inner().tombstones(after, limit)
    }

    fn reseal(&self, rows: &[Reseal]) -> Result<u64, VaultError> {
        self.inner().reseal(rows)
    }

    fn merge(&self, rows: &[Row], tombstones: &[[u8; 32]]) -> Result<u64, VaultError> {
        self.inner().merge(rows, tombstones)
    }

    fn stats(&self) -> Result<VaultStats, VaultError> {
        self.inner().stats()
    }
}

/// Maskers that share a vault which is emptied before each run.
pub(crate) struct World {
    vault: Arc<Forgetful>,
    /// One for each scheme, the strictest policy, and all kinds as tokens that give every spelling back.
    pub(crate) maskers: Vec<Masker>,
}

impl World {
    pub(crate) fn new(policies: Vec<Policy>) -> Self {
        let vault = Arc::new(Forgetful::default());
        let maskers = policies.into_iter().map(|policy| Self::masker(policy, vault.clone(), "")).collect();
        Self { vault, maskers }
    }

    /// Policies under which texts are masked whole.
    pub(crate) fn of_texts() -> Self {
        let default = Policy::healthcare_default();
        Self::new(vec![
            default.clone(),
            default.clone().with_scheme(Scheme::ReversibleAead),
            Policy::strict(),
            all_tokens("normalization: exact"),
            all_tokens("").with_scheme(Scheme::ReversibleAead),
            all_tokens("aead: { deterministic: true }").with_scheme(Scheme::ReversibleAead),
            Policy::healthcare_minimum(),
            default.with_scheme(Scheme::Synthetic),
        ])
    }

    /// Policies of conversations: every value comes back in its own spelling.
    pub(crate) fn of_conversations() -> Self {
        Self::new(vec![
            aliased("normalization: exact"),
            all_tokens("normalization: exact"),
            aliased("").with_scheme(Scheme::ReversibleAead),
            aliased("aead: { deterministic: true }").with_scheme(Scheme::ReversibleAead),
        ])
    }

    pub(crate) fn masker(policy: Policy, vault: Arc<dyn Vault>, scope: &str) -> Masker {
        Masker::builder()
            .policy(policy)
            .keys(keys())
            .vault(vault)
            .scope(scope.parse().unwrap())
            .build()
            .unwrap()
    }

    /// The same for every run.
    pub(crate) fn begin(&self) -> &[Masker] {
        self.vault.forget();
        &self.maskers
    }
}
