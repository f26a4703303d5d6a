use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use masker_core::{FileKeys, KeyProvider as _, KeyRing, KeyRingBuilder, Kid, OldKey, Token, seal, unseal};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};

use crate::arguments::{Items, Whole};
use crate::errors;
use crate::text::{read, write};

/// Keys by key id: one active key each, and any number of old ones that still open what they sealed.
#[pyclass(name = "KeyRing", module = "masker", frozen)]
pub(crate) struct PyKeyRing {
    pub(crate) inner: KeyRing,
}

/// An old key of a ring, without the key.
#[pyclass(name = "OldKey", module = "masker", frozen, eq, hash, get_all)]
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct PyOldKey {
    /// The key id it belongs to.
    kid: String,
    /// Names the key and tells nothing of it.
    fingerprint: String,
    /// Since when it is not the active key, in milliseconds since 1970, where that is known
    /// (``KEY@2026-01-31``).
    retired: Option<i64>,
}

impl From<&OldKey> for PyOldKey {
    fn from(key: &OldKey) -> Self {
        Self { kid: key.kid.to_string(), fingerprint: key.fingerprint.clone(), retired: key.retired }
    }
}

#[pymethods]
impl PyOldKey {
    #[new]
    #[pyo3(signature = (kid, fingerprint, retired = None))]
    fn new(kid: String, fingerprint: String, retired: Option<i64>) -> Self {
        Self { kid, fingerprint, retired }
    }

    fn __repr__(&self) -> String {
        format!("OldKey(kid='{}', fingerprint='{}')", self.kid, self.fingerprint)
    }

    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyType>, (String, String, Option<i64>)) {
        let Self { kid, fingerprint, retired } = slf.get().clone();
        (slf.get_type(), (kid, fingerprint, retired))
    }
}

/// A key as 32 bytes or as base64.
fn add(builder: KeyRingBuilder, kid: &Kid, key: &Bound<'_, PyAny>, is_old: bool) -> PyResult<KeyRingBuilder> {
    if let Ok(bytes) = key.cast::<PyBytes>() {
        let bytes = <[u8; 32]>::try_from(bytes.as_bytes()).map_err(|_| {
            errors::key(key.py(), masker_core::KeyError::InvalidKey { origin: format!("the key {kid}") })
        })?;
        return Ok(if is_old { builder.old_key(kid, bytes) } else { builder.key(kid, bytes) });
    }
    let Ok(text) = key.cast::<PyString>() else {
        return Err(PyTypeError::new_err("a key is 32 bytes, or a str with base64 of 32 bytes"));
    };
    let text = text.to_str()?;
    Ok(if is_old { builder.old_key_base64(kid, text) } else { builder.key_base64(kid, text) })
}

#[pymethods]
impl PyKeyRing {
    #[new]
    #[pyo3(signature = (keys, *, old = None, grace_days = None))]
    fn new(
        py: Python<'_>,
        keys: Items<String, Bound<'_, PyAny>>,
        old: Option<Items<String, Vec<Bound<'_, PyAny>>>>,
        grace_days: Option<Whole<u32>>,
    ) -> PyResult<Self> {
        let mut builder = KeyRing::builder();
        if let Some(Whole(days)) = grace_days {
            builder = builder.grace_days(days);
        }
        for (kid, key) in keys.0 {
            builder = add(builder, &kid.parse().map_err(errors::value)?, &key, false)?;
        }
        for (kid, keys) in old.map(|old| old.0).unwrap_or_default() {
            let kid = kid.parse().map_err(errors::value)?;
            for key in keys {
                builder = add(builder, &kid, &key, true)?;
            }
        }
        Ok(Self { inner: builder.build().map_err(|error| errors::key(py, error))? })
    }

    /// Read ``MASKER_KEY_<KID>`` and ``MASKER_KEY_<KID>_OLD``, each also as ``..._FILE``, from
    /// :data:`os.environ` or from what is given. The ring may come out empty.
    #[staticmethod]
    #[pyo3(signature = (environ = None))]
    fn from_env(py: Python<'_>, environ: Option<Items<OsString, OsString>>) -> PyResult<Self> {
        // Python's own view of the environment: reading the process's while another thread writes it is not safe.
        let Items(variables) = match environ {
            Some(variables) => variables,
            None => py.import("os")?.getattr("environ")?.extract()?,
        };
        let ring = KeyRing::from_vars(variables).map_err(|error| errors::key(py, error))?;
        Ok(Self { inner: ring })
    }

    /// Read a file of such variables, one ``NAME=value`` a line; empty lines and lines that begin with ``#``
    /// do not count.
    #[staticmethod]
    fn from_path(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let ring = py.detach(|| FileKeys::new(path).load());
        Ok(Self { inner: ring.map_err(|error| errors::key(py, error))? })
    }

    /// One random key under ``EPHEMERAL``. What it makes cannot be restored once the ring is gone.
    #[staticmethod]
    fn ephemeral(py: Python<'_>) -> PyResult<Self> {
        Ok(Self { inner: KeyRing::ephemeral().map_err(|error| errors::key(py, error))? })
    }

    /// The key ids, in order.
    #[getter]
    fn kids(&self) -> Vec<String> {
        self.inner.kids().map(Kid::to_string).collect()
    }

    /// Whether this is a random ring.
    #[getter]
    fn is_ephemeral(&self) -> bool {
        self.inner.is_ephemeral()
    }

    /// The old keys, by key id and then as they were given.
    #[getter]
    fn old_keys(&self) -> Vec<PyOldKey> {
        self.inner.old_keys().map(PyOldKey::from).collect()
    }

    /// For how many days after a rotation an old key is expected to be needed: 30 unless set.
    #[getter]
    fn grace_days(&self) -> u32 {
        self.inner.grace_days()
    }

    /// The old keys with a date whose grace period is over, now or at ``now`` in milliseconds since 1970.
    /// They still open what they sealed: a warning is due, not a refusal.
    #[pyo3(signature = (now = None))]
    fn overdue(&self, now: Option<i64>) -> Vec<PyOldKey> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = now.unwrap_or(since_1970.as_millis() as i64);
        self.inner.overdue(now, |_| None).into_iter().map(PyOldKey::from).collect()
    }

    /// A name for a person or thing that says nothing about it: 32 hexadecimal digits, keyed.
    fn pseudonym(&self, py: Python<'_>, kid: &str, id: &str) -> PyResult<String> {
        let kid = kid.parse().map_err(errors::value)?;
        self.inner.pseudonym(&kid, id).map_err(|error| errors::key(py, error))
    }

    /// A ``MSK1`` token that carries a text, encrypted and authenticated; nothing where it is longer than
    /// 5,087 bytes. With ``deterministic`` equal texts give equal tokens.
    #[pyo3(signature = (kid, kind, text, *, scope = "", deterministic = false))]
    fn seal(
        &self,
        py: Python<'_>,
        kid: &str,
        kind: &str,
        text: &Bound<'_, PyString>,
        scope: &str,
        deterministic: bool,
    ) -> PyResult<Option<String>> {
        let (kid, kind) = (kid.parse().map_err(errors::value)?, kind.parse().map_err(errors::value)?);
        let scope = scope.parse().map_err(errors::value)?;
        let token = seal(&self.inner, &scope, &kind, &kid, &read(text)?, deterministic);
        let token = token.map_err(|error| errors::key(py, error))?;
        Ok(token.map(|token| token.text().to_owned()))
    }

    /// The text of a token. :class:`masker.KeyRingError` where it does not open: forged, damaged, or of
    /// another key or scope; ``ValueError`` where it is none.
    #[pyo3(signature = (token, *, scope = ""))]
    fn unseal<'py>(&self, py: Python<'py>, token: &str, scope: &str) -> PyResult<Bound<'py, PyString>> {
        let scope = scope.parse().map_err(errors::value)?;
        let token: Token = token.parse().map_err(errors::value)?;
        let text = unseal(&self.inner, &scope, &token);
        write(py, text.map_err(|error| errors::to_python(py, &error.into()))?.expose())
    }

    fn __contains__(&self, kid: &str) -> bool {
        kid.parse().is_ok_and(|kid| self.inner.contains(&kid))
    }

    fn __len__(&self) -> usize {
        self.inner.kids().count()
    }

    fn __repr__(&self) -> String {
        let kids: Vec<&str> = self.inner.kids().map(Kid::as_str).collect();
        format!("<KeyRing: {}>", kids.join(", "))
    }

    fn __reduce__(&self) -> PyResult<Py<PyBytes>> {
        Err(PyTypeError::new_err(
            "a KeyRing cannot be pickled: make it where it is used, from the environment",
        ))
    }
}
