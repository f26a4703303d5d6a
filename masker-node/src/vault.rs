use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::sync::Arc;

use masker_core::vault::{Selection, export, import, rewrap, verify};
use masker_core::{Durability, MemoryVault, Scope, SqliteVault, Vault};
use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

use crate::errors::Failure;
use crate::keys::{JsKeyRing, kid};
use crate::options::Options;
use crate::report::Plain;
use crate::text::Text;
use crate::work::{Promised, done_here, here, later};

/// Remembers the originals behind vault tokens, encrypted.
///
/// ```js
/// const vault = await Vault.sqlite('vault.db')
/// ```
#[derive(Clone)]
#[napi(js_name = "Vault")]
pub struct JsVault {
    pub(crate) inner: Arc<dyn Vault>,
}

/// What a memory vault may hold.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct MemoryVaultOptions {
    /// The most rows; one more is `vault_full`, and none is dropped for it. Without it there is no bound.
    pub max_rows: Option<u32>,
}

/// How an SQLite vault is opened.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct SqliteVaultOptions {
    /// What a row survives once a call has returned: the end of the process (default), or a loss of power too.
    #[napi(ts_type = "'process' | 'power'")]
    pub durability: Option<String>,
}

/// Which rows; exactly one member.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct VaultSelection {
    /// Rows issued for this agent and for no other.
    pub agent: Option<String>,
    /// Rows issued for this subject and for no other.
    pub subject: Option<String>,
    /// Rows of this scope.
    pub scope: Option<String>,
    /// Rows sealed by this key.
    pub kid: Option<String>,
    /// Rows last minted before this time, milliseconds since 1970.
    pub unused_since: Option<f64>,
    /// Rows that end at or before this time, milliseconds since 1970.
    pub expired: Option<f64>,
}

/// How many rows of a kind, or under a key, there are.
#[napi(object, object_from_js = false)]
pub struct VaultCount {
    /// The kind or the key id.
    pub name: String,
    /// How many.
    pub rows: f64,
}

/// What a vault holds.
#[napi(object, object_from_js = false)]
pub struct VaultStats {
    /// Rows.
    pub rows: f64,
    /// Tokens that are gone for good.
    pub tombstones: f64,
    /// Size of the file, or of the ciphertexts of a vault without one.
    pub bytes: f64,
    /// When the oldest row was first minted, milliseconds since 1970.
    pub oldest: Option<f64>,
    /// When the newest row was first minted, milliseconds since 1970.
    pub newest: Option<f64>,
    /// Rows by kind, in order.
    pub by_kind: Vec<VaultCount>,
    /// Rows by the key that sealed them, in order.
    pub by_kid: Vec<VaultCount>,
    /// Whether removed rows may still stand in the file as free space.
    pub erasure_pending: bool,
}

/// What `rewrap` did.
#[napi(object, object_from_js = false)]
pub struct VaultRewrap {
    /// Rows sealed anew.
    pub rewrapped: f64,
    /// Rows that were under the key already.
    pub current: f64,
    /// Rows that no key opens.
    pub unreadable: f64,
}

/// What `verify` found.
#[napi(object, object_from_js = false)]
pub struct VaultCheck {
    /// Rows that open.
    pub readable: f64,
    /// Rows that no key opens.
    pub unreadable: f64,
    /// What belongs to nothing.
    pub orphans: f64,
    /// Of the unreadable rows those that the store knows to be damaged.
    pub damaged: f64,
    /// Of the unreadable rows those whose key is not in the ring, by key id.
    pub keyless: Vec<VaultCount>,
}

#[napi]
impl JsVault {
    /// A vault in memory, gone when the process ends.
    ///
    /// @throws `unknown_option`
    #[napi]
    pub fn memory(
        env: &Env,
        #[napi(ts_arg_type = "MemoryVaultOptions")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Self> {
        done_here(env, || {
            let options = Options::read("the options of a memory vault", options, &["maxRows"])?;
            let max_rows = options.map_or(Ok(None), |options| options.whole("maxRows", 1))?;
            let vault = match max_rows {
                Some(rows) => MemoryVault::with_limit(usize::try_from(rows).unwrap_or(usize::MAX)),
                None => MemoryVault::new(),
            };
            Ok(Self { inner: Arc::new(vault) })
        })
    }

    /// Opens a vault in an SQLite file, making it where there is none. Several processes may use it at once.
    ///
    /// @throws `vault_failed`, `vault_busy`
    #[napi(ts_return_type = "Vault")]
    pub fn sqlite_sync<'env>(
        env: &'env Env,
        #[napi(ts_arg_type = "string")] path: Text,
        #[napi(ts_arg_type = "SqliteVaultOptions")] options: Option<Unknown<'env>>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || {
            let durability = durability(options)?;
            sqlite(path.as_str(), durability)
        })
    }

    /// `sqliteSync` behind a promise.
    #[napi(ts_return_type = "Promise<Vault>")]
    pub fn sqlite<'env>(
        env: &'env Env,
        #[napi(ts_arg_type = "string")] path: Text,
        #[napi(ts_arg_type = "SqliteVaultOptions")] options: Option<Unknown<'env>>,
    ) -> napi::Result<Promised<'env>> {
        let durability = done_here(env, || durability(options))?;
        later(env, move || sqlite(path.as_str(), durability))
    }

    /// What the vault holds: counts, sizes and times only.
    #[napi(ts_return_type = "VaultStats")]
    pub fn stats_sync<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        here(env, || stats(&*self.inner))
    }

    /// `statsSync` behind a promise.
    #[napi(ts_return_type = "Promise<VaultStats>")]
    pub fn stats<'env>(&self, env: &'env Env) -> napi::Result<Promised<'env>> {
        let vault = self.inner.clone();
        later(env, move || stats(&*vault))
    }

    /// Counts the rows that `delete` would remove.
    #[napi(ts_return_type = "number")]
    pub fn count_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "VaultSelection")] which: Unknown<'env>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(Plain(self.inner.count(&selection(which)?)? as f64)))
    }

    /// `countSync` behind a promise.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn count<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "VaultSelection")] which: Unknown<'env>,
    ) -> napi::Result<Promised<'env>> {
        let which = done_here(env, || selection(which))?;
        let vault = self.inner.clone();
        later(env, move || Ok(Plain(vault.count(&which)? as f64)))
    }

    /// Removes rows for good and returns how many went. Their tokens are never minted again.
    #[napi(ts_return_type = "number")]
    pub fn delete_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "VaultSelection")] which: Unknown<'env>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(Plain(self.inner.delete(&selection(which)?)? as f64)))
    }

    /// `deleteSync` behind a promise.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn delete<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "VaultSelection")] which: Unknown<'env>,
    ) -> napi::Result<Promised<'env>> {
        let which = done_here(env, || selection(which))?;
        let vault = self.inner.clone();
        later(env, move || Ok(Plain(vault.delete(&which)? as f64)))
    }

    /// Seals rows anew under the active key `to`, those of `from` or all; tokens stay valid. Can be begun again after an
    /// interruption.
    ///
    /// @throws `unknown_kid`
    #[napi(ts_return_type = "Promise<VaultRewrap>")]
    pub fn rewrap<'env>(
        &self,
        env: &'env Env,
        keys: &JsKeyRing,
        #[napi(ts_arg_type = "string")] to: Text,
        #[napi(ts_arg_type = "string")] from: Option<Text>,
    ) -> napi::Result<Promised<'env>> {
        let to = done_here(env, || kid(to.as_str()))?;
        let from = done_here(env, || from.map(|from| kid(from.as_str())).transpose())?;
        let (vault, keys) = (self.inner.clone(), keys.inner.clone());
        later(env, move || {
            let done = rewrap(&keys, &*vault, from.as_ref(), &to)?;
            Ok(Plain(VaultRewrap {
                rewrapped: done.rewrapped as f64,
                current: done.current as f64,
                unreadable: done.unreadable as f64,
            }))
        })
    }

    /// Opens every row, without showing any.
    #[napi(ts_return_type = "Promise<VaultCheck>")]
    pub fn verify<'env>(&self, env: &'env Env, keys: &JsKeyRing) -> napi::Result<Promised<'env>> {
        let (vault, keys) = (self.inner.clone(), keys.inner.clone());
        later(env, move || {
            let found = verify(&keys, &*vault)?;
            Ok(Plain(VaultCheck {
                readable: found.readable as f64,
                unreadable: found.unreadable as f64,
                orphans: found.orphans as f64,
                damaged: found.damaged as f64,
                keyless: found.keyless.iter().map(|(kid, rows)| count(kid.as_str(), *rows)).collect(),
            }))
        })
    }

    /// Writes an encrypted copy to a new file, authenticated under the key `kid`, and returns how many rows it has.
    ///
    /// @throws `unknown_kid`, `vault_failed`
    #[napi(ts_return_type = "Promise<number>")]
    pub fn export_to<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] path: Text,
        keys: &JsKeyRing,
        #[napi(ts_arg_type = "string")] kid: Text,
    ) -> napi::Result<Promised<'env>> {
        let kid = done_here(env, || self::kid(kid.as_str()))?;
        let (vault, keys) = (self.inner.clone(), keys.inner.clone());
        later(env, move || {
            let mut file =
                BufWriter::new(File::create_new(path.as_str()).map_err(masker_core::VaultError::Io)?);
            let done = export(&keys, &kid, &*vault, &mut file)?;
            file.flush().map_err(masker_core::VaultError::Io)?;
            Ok(Plain(done.rows as f64))
        })
    }

    /// Takes over the rows of a file that `exportTo` wrote, and returns how many are new.
    ///
    /// @throws `vault_failed`
    #[napi(ts_return_type = "Promise<number>")]
    pub fn import_from<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] path: Text,
        keys: &JsKeyRing,
    ) -> napi::Result<Promised<'env>> {
        let (vault, keys) = (self.inner.clone(), keys.inner.clone());
        later(env, move || {
            let mut file = BufReader::new(File::open(path.as_str()).map_err(masker_core::VaultError::Io)?);
            Ok(Plain(import(&keys, &*vault, &mut file)?.rows as f64))
        })
    }
}

fn durability(options: Option<Unknown<'_>>) -> Result<Durability, Failure> {
    let Some(options) = Options::read("the options of an SQLite vault", options, &["durability"])? else {
        return Ok(Durability::default());
    };
    let choices = [("process", Durability::Process), ("power", Durability::Power)];
    Ok(options.choice("durability", &choices)?.unwrap_or_default())
}

fn sqlite(path: &str, durability: Durability) -> Result<Plain<JsVault>, Failure> {
    Ok(Plain(JsVault { inner: Arc::new(SqliteVault::open_with(path, durability)?) }))
}

fn selection(which: Unknown<'_>) -> Result<Selection, Failure> {
    const KNOWN: [&str; 6] = ["agent", "subject", "scope", "kid", "unusedSince", "expired"];
    let options = Options::object("the selection", which, &KNOWN)?;
    let mut chosen = Vec::new();
    if let Some(agent) = options.text("agent")? {
        chosen.push(Selection::Agent(agent));
    }
    if let Some(subject) = options.text("subject")? {
        chosen.push(Selection::Subject(subject));
    }
    if let Some(scope) = options.text("scope")? {
        chosen.push(Selection::Scope(self::scope(&scope)?));
    }
    if let Some(of) = options.text("kid")? {
        chosen.push(Selection::Kid(kid(&of)?));
    }
    if let Some(time) = options.whole("unusedSince", 0)? {
        chosen.push(Selection::UnusedSince(time.cast_signed()));
    }
    if let Some(time) = options.whole("expired", 0)? {
        chosen.push(Selection::Expired(time.cast_signed()));
    }
    match (chosen.pop(), chosen.is_empty()) {
        (Some(selection), true) => Ok(selection),
        _ => Err(Failure::Argument(format!("the selection must have exactly one of {}", KNOWN.join(", ")))),
    }
}

pub(crate) fn scope(text: &str) -> Result<Scope, Failure> {
    text.parse().map_err(|error: masker_core::ParseScopeError| Failure::Argument(error.to_string()))
}

fn count(name: &str, rows: u64) -> VaultCount {
    VaultCount { name: name.to_owned(), rows: rows as f64 }
}

fn stats(vault: &dyn Vault) -> Result<Plain<VaultStats>, Failure> {
    let stats = vault.stats()?;
    Ok(Plain(VaultStats {
        rows: stats.rows as f64,
        tombstones: stats.tombstones as f64,
        bytes: stats.bytes as f64,
        oldest: stats.oldest.map(|time| time as f64),
        newest: stats.newest.map(|time| time as f64),
        by_kind: stats.by_kind.iter().map(|(kind, rows)| count(kind.as_str(), *rows)).collect(),
        by_kid: stats.by_kid.iter().map(|(kid, rows)| count(kid.as_str(), *rows)).collect(),
        erasure_pending: stats.erasure_pending,
    }))
}
