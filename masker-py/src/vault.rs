use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use masker_core::vault::{Checked, Selection, export, import};
use masker_core::{Durability, Kid, MemoryVault, SqliteVault, Vault, VaultError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::arguments::Whole;
use crate::errors;
use crate::keys::PyKeyRing;

/// What a vault holds: counts, sizes and times only.
#[pyclass(name = "VaultStats", module = "masker", frozen, eq, get_all)]
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct PyVaultStats {
    /// Rows.
    rows: u64,
    /// Tokens that are gone for good.
    tombstones: u64,
    /// Size of the file, or of the ciphertexts of a vault without one.
    bytes: u64,
    /// When the oldest row was made, in milliseconds since 1970.
    oldest: Option<i64>,
    /// When the newest row was made.
    newest: Option<i64>,
    /// Rows by kind.
    by_kind: BTreeMap<String, u64>,
    /// Rows by the key that sealed them.
    by_kid: BTreeMap<String, u64>,
    /// Whether removed rows may still stand in the file as free space.
    erasure_pending: bool,
}

type StatsArguments =
    (u64, u64, u64, Option<i64>, Option<i64>, BTreeMap<String, u64>, BTreeMap<String, u64>, bool);

#[pymethods]
impl PyVaultStats {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "what pickle rebuilds it from")]
    fn new(
        rows: u64,
        tombstones: u64,
        bytes: u64,
        oldest: Option<i64>,
        newest: Option<i64>,
        by_kind: BTreeMap<String, u64>,
        by_kid: BTreeMap<String, u64>,
        erasure_pending: bool,
    ) -> Self {
        Self { rows, tombstones, bytes, oldest, newest, by_kind, by_kid, erasure_pending }
    }

    fn __repr__(&self) -> String {
        let Self { rows, tombstones, bytes, .. } = self;
        format!("VaultStats(rows={rows}, tombstones={tombstones}, bytes={bytes})")
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, StatsArguments) {
        let this = slf.get().clone();
        let arguments = (
            this.rows,
            this.tombstones,
            this.bytes,
            this.oldest,
            this.newest,
            this.by_kind,
            this.by_kid,
            this.erasure_pending,
        );
        (slf.get_type(), arguments)
    }
}

type CheckArguments = (u64, u64, u64, BTreeMap<String, u64>, u64);

/// What :meth:`Vault.verify` found.
#[pyclass(name = "VaultCheck", module = "masker", frozen, eq, get_all)]
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct PyVaultCheck {
    /// Rows that open.
    readable: u64,
    /// Rows that no key of the ring opens.
    unreadable: u64,
    /// What belongs to nothing; a sound vault has none.
    orphans: u64,
    /// Of the unreadable rows those whose key is not in the ring, by key id.
    keyless: BTreeMap<String, u64>,
    /// Of the unreadable rows those that the store knows to be damaged.
    damaged: u64,
}

#[pymethods]
impl PyVaultCheck {
    #[new]
    #[pyo3(signature = (readable, unreadable, orphans, keyless, damaged = 0))]
    fn new(
        readable: u64,
        unreadable: u64,
        orphans: u64,
        keyless: BTreeMap<String, u64>,
        damaged: u64,
    ) -> Self {
        Self { readable, unreadable, orphans, keyless, damaged }
    }

    fn __repr__(&self) -> String {
        let Self { readable, unreadable, orphans, .. } = self;
        format!("VaultCheck(readable={readable}, unreadable={unreadable}, orphans={orphans})")
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, CheckArguments) {
        let this = slf.get().clone();
        (slf.get_type(), (this.readable, this.unreadable, this.orphans, this.keyless, this.damaged))
    }
}

/// What :meth:`Vault.rewrap` did.
#[pyclass(name = "VaultRewrap", module = "masker", frozen, eq, get_all)]
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct PyVaultRewrap {
    /// Rows sealed anew.
    rewrapped: u64,
    /// Rows that the active key of the new key id sealed already.
    current: u64,
    /// Rows that no key of the ring opens; they are left as they are.
    unreadable: u64,
}

#[pymethods]
impl PyVaultRewrap {
    #[new]
    fn new(rewrapped: u64, current: u64, unreadable: u64) -> Self {
        Self { rewrapped, current, unreadable }
    }

    fn __repr__(&self) -> String {
        let Self { rewrapped, current, unreadable } = self;
        format!("VaultRewrap(rewrapped={rewrapped}, current={current}, unreadable={unreadable})")
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, (u64, u64, u64)) {
        let this = slf.get();
        (slf.get_type(), (this.rewrapped, this.current, this.unreadable))
    }
}

/// Remembers originals, encrypted. One vault may serve many maskers.
#[pyclass(name = "Vault", module = "masker", frozen)]
pub(crate) struct PyVault {
    pub(crate) inner: Arc<dyn Vault>,
    name: &'static str,
}

impl PyVault {
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&dyn Vault) -> Result<T, VaultError> + Send,
    ) -> PyResult<T> {
        py.detach(|| run(&*self.inner)).map_err(|error| errors::vault(py, error))
    }
}

/// Milliseconds since 1970, a number of days ago.
fn days_ago(days: f64) -> PyResult<i64> {
    if !(0.0..=1e6).contains(&days) {
        return Err(PyValueError::new_err("days must be between 0 and 1,000,000"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    Ok(now - (days * 86_400_000.0) as i64)
}

#[pymethods]
impl PyVault {
    /// In memory, with at most ``limit`` rows.
    #[staticmethod]
    #[pyo3(signature = (limit = None))]
    fn memory(limit: Option<Whole<usize>>) -> Self {
        let vault = limit.map_or_else(MemoryVault::new, |limit| MemoryVault::with_limit(limit.0));
        Self { inner: Arc::new(vault), name: "memory" }
    }

    /// In a file, made where there is none, which several processes may use at once. A row survives the end
    /// of the process; with ``"power"`` every write waits for the disk.
    #[staticmethod]
    #[pyo3(signature = (path, *, durability = "process"))]
    fn sqlite(py: Python<'_>, path: PathBuf, durability: &str) -> PyResult<Self> {
        let durability = match durability {
            "process" => Durability::Process,
            "power" => Durability::Power,
            _ => return Err(PyValueError::new_err("durability is process or power")),
        };
        let vault = py.detach(|| SqliteVault::open_with(path, durability));
        Ok(Self { inner: Arc::new(vault.map_err(|error| errors::vault(py, error))?), name: "sqlite" })
    }

    /// In a PostgreSQL database, for several machines. ``NotImplementedError`` where the package was built
    /// without the cargo feature ``vault-postgres``.
    #[cfg(feature = "vault-postgres")]
    #[staticmethod]
    fn postgres(py: Python<'_>, url: &str) -> PyResult<Self> {
        let vault = py.detach(|| masker_core::PostgresVault::connect(url));
        Ok(Self { inner: Arc::new(vault.map_err(|error| errors::vault(py, error))?), name: "postgres" })
    }

    /// In a PostgreSQL database, for several machines. ``NotImplementedError`` where the package was built
    /// without the cargo feature ``vault-postgres``.
    #[cfg(not(feature = "vault-postgres"))]
    #[staticmethod]
    fn postgres(url: &str) -> PyResult<Self> {
        let _ = url;
        Err(pyo3::exceptions::PyNotImplementedError::new_err(
            "this build has no PostgreSQL; build the package with the cargo feature vault-postgres",
        ))
    }

    /// What the vault holds.
    fn stats(&self, py: Python<'_>) -> PyResult<PyVaultStats> {
        let stats = self.run(py, |vault| vault.stats())?;
        Ok(PyVaultStats {
            rows: stats.rows,
            tombstones: stats.tombstones,
            bytes: stats.bytes,
            oldest: stats.oldest,
            newest: stats.newest,
            by_kind: stats.by_kind.iter().map(|(kind, rows)| (kind.to_string(), *rows)).collect(),
            by_kid: stats.by_kid.iter().map(|(kid, rows)| (kid.to_string(), *rows)).collect(),
            erasure_pending: stats.erasure_pending,
        })
    }

    /// Remove rows for good, chosen in exactly one way, and tell how many. ``dry_run`` only counts. Their
    /// tokens stay dead: a value that comes again gets another one.
    #[pyo3(signature = (*, subject = None, agent = None, scope = None, kid = None, unused_for_days = None, expired = false, dry_run = false))]
    #[expect(clippy::too_many_arguments, reason = "one of them is given, by name")]
    fn delete(
        &self,
        py: Python<'_>,
        subject: Option<String>,
        agent: Option<String>,
        scope: Option<&str>,
        kid: Option<&str>,
        unused_for_days: Option<f64>,
        expired: bool,
        dry_run: bool,
    ) -> PyResult<u64> {
        let mut which = Vec::new();
        which.extend(subject.map(Selection::Subject));
        which.extend(agent.map(Selection::Agent));
        if let Some(scope) = scope {
            which.push(Selection::Scope(scope.parse().map_err(errors::value)?));
        }
        if let Some(kid) = kid {
            which.push(Selection::Kid(kid.parse().map_err(errors::value)?));
        }
        if let Some(days) = unused_for_days {
            which.push(Selection::UnusedSince(days_ago(days)?));
        }
        if expired {
            which.push(Selection::Expired(days_ago(0.0)?));
        }
        let [which] = which.as_slice() else {
            return Err(PyTypeError::new_err(
                "give exactly one of subject, agent, scope, kid, unused_for_days and expired",
            ));
        };
        self.run(py, |vault| if dry_run { vault.count(which) } else { vault.delete(which) })
    }

    /// Seal rows anew under another key, those of ``from_`` or all. Old tokens still restore. It may be
    /// stopped and begun again: rows that are done are skipped.
    #[pyo3(signature = (keys, *, to, from_ = None))]
    fn rewrap(
        &self,
        py: Python<'_>,
        keys: Bound<'_, PyKeyRing>,
        to: &str,
        from_: Option<&str>,
    ) -> PyResult<PyVaultRewrap> {
        let keys = &keys.get().inner;
        let to: Kid = to.parse().map_err(errors::value)?;
        let from: Option<Kid> = from_.map(str::parse).transpose().map_err(errors::value)?;
        let done = self.run(py, |vault| masker_core::vault::rewrap(keys, vault, from.as_ref(), &to))?;
        Ok(PyVaultRewrap { rewrapped: done.rewrapped, current: done.current, unreadable: done.unreadable })
    }

    /// Open every row, and look for what belongs to nothing.
    fn verify(&self, py: Python<'_>, keys: Bound<'_, PyKeyRing>) -> PyResult<PyVaultCheck> {
        let keys = &keys.get().inner;
        let Checked { readable, unreadable, orphans, damaged, keyless, .. } =
            self.run(py, |vault| masker_core::vault::verify(keys, vault))?;
        let keyless = keyless.iter().map(|(kid, rows)| (kid.to_string(), *rows)).collect();
        Ok(PyVaultCheck { readable, unreadable, orphans, keyless, damaged })
    }

    /// Write every row to a file, still sealed and authenticated under ``kid``, and tell how many.
    fn export_to(
        &self,
        py: Python<'_>,
        path: PathBuf,
        keys: Bound<'_, PyKeyRing>,
        kid: &str,
    ) -> PyResult<u64> {
        let keys = &keys.get().inner;
        let kid: Kid = kid.parse().map_err(errors::value)?;
        self.run(py, |vault| {
            let mut file = BufWriter::new(File::create(path)?);
            let moved = export(keys, &kid, vault, &mut file)?;
            file.flush()?;
            Ok(moved.rows)
        })
    }

    /// Take over the rows of an exported file and tell how many were new.
    fn import_from(&self, py: Python<'_>, path: PathBuf, keys: Bound<'_, PyKeyRing>) -> PyResult<u64> {
        let keys = &keys.get().inner;
        self.run(py, |vault| {
            let mut file = BufReader::new(File::open(path)?);
            Ok(import(keys, vault, &mut file)?.rows)
        })
    }

    fn __repr__(&self) -> String {
        format!("<Vault: {}>", self.name)
    }
}
