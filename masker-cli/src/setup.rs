//! From settings to a working masker: policy, keys, vault.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use masker_core::policy::{EffectiveKind, Scheme};
use masker_core::vault::VaultError;
use masker_core::{
    Action, Error, ErrorKind, KeyError, KeyRing, Kid, Masker, OffsetUnit, Policy, PolicyErrors, PolicyNotice,
    SqliteVault,
};

use crate::args::{self, Offsets};
use crate::config::Settings;
use crate::discard::Discard;
use crate::error::{CliError, Result};
use crate::time;
use crate::ui::Ui;

/// Used where nothing else is said and the file is there.
const DEFAULT_POLICY: &str = "configs/mask_policy.yaml";

/// The policy in force, with its warnings told.
pub(crate) fn policy(settings: &Settings, ui: &Ui) -> Result<Policy> {
    let path = match &settings.policy {
        Some(path) => path.clone(),
        None if Path::new(DEFAULT_POLICY).is_file() => PathBuf::from(DEFAULT_POLICY),
        None => return Ok(Policy::healthcare_default()),
    };
    let policy = policy_at(&path)?;
    for notice in policy.notices() {
        let line = notice_line(&path, notice);
        if notice.is_note() { ui.note(&line) } else { ui.warn(&line) }
    }
    Ok(policy)
}

/// The policy with the passes of the flag, if it names any.
pub(crate) fn with_passes(policy: Policy, passes: &[String]) -> Result<Policy> {
    if passes.is_empty() {
        return Ok(policy);
    }
    policy.with_passes(&passes.join(",")).map_err(|e| bad_flag("--passes", &e))
}

/// A built-in policy by name, or a policy file.
pub(crate) fn policy_at(path: &Path) -> Result<Policy> {
    if let Some(policy) = path.to_str().and_then(Policy::preset) {
        return Ok(policy);
    }
    readable(path)?;
    Policy::from_path(path).map_err(|errors| invalid_policy(path, &errors))
}

/// Tells a file that is not there from one that is wrong.
pub(crate) fn readable(path: &Path) -> Result<()> {
    let failed = |e: &std::io::Error| {
        let error = CliError::file("read policy", path, e);
        if path.components().count() > 1 || path.extension().is_some() {
            return error.hint("check the path");
        }
        error.hint(format!(
            "a policy is a file or one of {}",
            Policy::preset_names().collect::<Vec<_>>().join(", ")
        ))
    };
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(failed(&std::io::ErrorKind::IsADirectory.into())),
        Ok(_) => fs::File::open(path).map(drop).map_err(|e| failed(&e)),
        Err(e) => Err(failed(&e)),
    }
}

/// Every mistake with its place.
pub(crate) fn invalid_policy(path: &Path, errors: &PolicyErrors) -> CliError {
    let count = errors.len() + errors.omitted();
    let mut lines: Vec<String> = errors
        .iter()
        .map(|e| located(path, e.line, e.column, "", &e.path, &e.message, e.code.as_str()))
        .collect();
    if errors.omitted() > 0 {
        lines.push(format!("and {} more", errors.omitted()));
    }
    let mistakes = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
    CliError::policy(format!("the policy is invalid: {mistakes}")).details(lines)
}

/// One line about a place in a file, in the form that editors jump to. The word, if any, says how bad it is.
pub(crate) fn located(
    file: &Path,
    line: usize,
    column: usize,
    word: &str,
    path: &str,
    message: &str,
    code: &str,
) -> String {
    let parts = [word, path, message]
        .map(|part| if part.is_empty() { String::new() } else { format!(" {part}:") })
        .concat();
    format!("{}:{line}:{column}:{} ({code})", file.display(), parts.trim_end_matches(':'))
}

fn notice_line(file: &Path, notice: &PolicyNotice) -> String {
    located(file, notice.line, notice.column, "", &notice.path, &notice.message, notice.code.as_str())
}

/// The error for a mistake in the value of a flag that changes the policy.
pub(crate) fn bad_flag(flag: &str, errors: &PolicyErrors) -> CliError {
    CliError::usage(format!("{flag}: {}", errors.first().message)).code(errors.first().code.as_str())
}

/// How to come by the keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRules {
    /// A random key, whatever the environment holds.
    pub(crate) ephemeral: bool,
    /// A missing key is an error.
    pub(crate) required: bool,
    /// Tokens are opened, which needs keys even where the policy makes none.
    pub(crate) restoring: bool,
}

/// Where the rows of vault tokens go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows<'a> {
    /// Into this file.
    File(&'a Path),
    /// Into memory, to be restored by this run.
    Memory,
    /// Nowhere: this run only masks.
    Nowhere,
}

/// A masker with keys from the environment, or with a random one where that is allowed and none is there.
pub(crate) fn masker(
    policy: Policy,
    rules: KeyRules,
    rows: Rows<'_>,
    seed: Option<u64>,
    ui: &Ui,
) -> Result<Masker> {
    let mut builder = Masker::builder();
    if !rules.ephemeral {
        let needed = needed_kids(&policy, rules);
        let ring = keys(ui)?;
        let missing: Vec<&Kid> = needed.iter().filter(|kid| !ring.contains(kid)).collect();
        match missing.first() {
            None if needed.is_empty() => {}
            None => {
                if matches!(rows, Rows::Nowhere) && uses_vault(&policy) {
                    ui.note("no vault rows are kept: tokens of this run cannot be restored without --vault");
                }
                builder = builder.keys(ring);
            }
            // With some of the keys there, a random one would hide a mistake.
            Some(kid) if rules.required || missing.len() < needed.len() => return Err(missing_key(kid)),
            Some(kid) => ui.warn(&format!(
                "MASKER_KEY_{kid} is not set: a random key is used for this run, and its tokens cannot be restored later (masker keygen makes a key)"
            )),
        }
    }
    match rows {
        Rows::File(path) => builder = builder.vault(Arc::new(open_vault(path)?)),
        Rows::Memory => {}
        Rows::Nowhere => builder = builder.vault(Arc::new(Discard)),
    }
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    builder.policy(policy).build().map_err(|e| core_error(&e))
}

/// A masker that only finds: it needs no key and asks for none.
pub(crate) fn detector(policy: Policy) -> Result<Masker> {
    Masker::builder().policy(policy).build().map_err(|e| core_error(&e))
}

/// What holds for the kinds that the policy replaces by tokens that can be restored.
fn tokenized(policy: &Policy) -> impl Iterator<Item = EffectiveKind> {
    policy
        .entities()
        .iter()
        .map(|rule| policy.effective(&rule.kind, false))
        .filter(|e| e.enabled() && e.action == Action::Tokenize && e.scheme != Scheme::Synthetic)
}

/// The keys that the policy needs: every one it names, or none where it makes no token.
fn needed_kids(policy: &Policy, rules: KeyRules) -> BTreeSet<Kid> {
    if !rules.restoring && tokenized(policy).next().is_none() {
        return BTreeSet::new();
    }
    policy
        .kids()
        .into_iter()
        .map(|kid| kid.parse().expect("a policy's key ids are checked on loading"))
        .collect()
}

fn uses_vault(policy: &Policy) -> bool {
    tokenized(policy).any(|e| e.scheme == Scheme::VaultDeterministic)
}

/// The keys of the environment. An old key that should be gone by now is worth a warning.
pub(crate) fn keys(ui: &Ui) -> Result<KeyRing> {
    let ring = KeyRing::from_vars(env::vars_os()).map_err(|e| key_error(&e))?;
    for key in ring.overdue(time::now(), |_| None) {
        ui.warn(&format!(
            "the old key {} under {} was retired more than {} days ago: seal its rows anew (masker vault rotate-key) and take it out of MASKER_KEY_{}_OLD",
            key.fingerprint, key.kid, ring.grace_days(), key.kid
        ));
    }
    Ok(ring)
}

/// Fails where the environment has no key under `kid`.
pub(crate) fn require_key(kid: &Kid) -> Result<()> {
    let ring = KeyRing::from_vars(env::vars_os()).map_err(|e| key_error(&e))?;
    if ring.contains(kid) { Ok(()) } else { Err(missing_key(kid)) }
}

/// The keys of the environment, among them one under `kid`.
pub(crate) fn keys_with(kid: &Kid, ui: &Ui) -> Result<KeyRing> {
    let ring = keys(ui)?;
    if ring.contains(kid) { Ok(ring) } else { Err(missing_key(kid)) }
}

fn missing_key(kid: &Kid) -> CliError {
    CliError::policy(format!("no key for key id {kid}: MASKER_KEY_{kid} is not set"))
        .code("unknown_kid")
        .hint(format!(
            "set the key that made the tokens, or make a new one: export \"$(masker keygen --kid {kid})\""
        ))
}

/// Opens a vault, making the file if it is not there.
pub(crate) fn open_vault(path: &Path) -> Result<SqliteVault> {
    SqliteVault::open(path).map_err(|e| vault_error(&e))
}

/// Opens a vault that must be there.
pub(crate) fn existing_vault(path: &Path) -> Result<SqliteVault> {
    fs::metadata(path)
        .map_err(|e| CliError::file("open vault", path, &e).hint("name the file that mask --vault wrote"))?;
    open_vault(path)
}

pub(crate) fn key_error(error: &KeyError) -> CliError {
    match error {
        KeyError::UnknownKid { kid } => missing_key(kid),
        KeyError::InvalidKey { .. } => CliError::policy(error.to_string())
            .code("invalid_key")
            .hint("masker keygen prints a key in the right form"),
        KeyError::Random => CliError::failure(error.to_string()),
        _ => CliError::policy(error.to_string()).code("invalid_key"),
    }
}

pub(crate) fn vault_error(error: &VaultError) -> CliError {
    // Most of them say themselves what to do.
    let (code, hint) = match error {
        VaultError::Key(error) => return key_error(error),
        VaultError::Busy => ("vault_busy", None),
        VaultError::Corrupt => ("vault_corrupt", None),
        VaultError::Version { .. } => ("vault_version", None),
        VaultError::NotAVault { .. } => ("not_a_vault", Some("mask --vault makes one")),
        VaultError::ReadOnly { .. } => ("vault_unavailable", None),
        VaultError::Open { .. } => {
            ("vault_unavailable", Some("check that the file and its folder can be read and written"))
        }
        VaultError::Export => ("invalid_export", Some("masker vault export makes one")),
        VaultError::Full => ("vault_full", Some("masker vault purge removes rows")),
        _ => ("vault_failed", Some("nothing was half done; try again")),
    };
    let error = CliError::failure(error.to_string()).code(code);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        core_error(&error)
    }
}

/// The one place where errors of the core become exit codes.
pub(crate) fn core_error(error: &Error) -> CliError {
    match error {
        Error::Key(error) => key_error(error),
        Error::Vault(error) => vault_error(error),
        Error::NotJson { .. } => CliError::failure(error.to_string())
            .code(error.code())
            .hint("use --format text to read it as plain text"),
        Error::NotAChat { .. } => CliError::failure(error.to_string())
            .code(error.code())
            .hint("use --format text to read it as plain text, or --format jsonl for one record a line"),
        _ => match error.kind() {
            ErrorKind::Policy | ErrorKind::Key => CliError::policy(error.to_string()),
            ErrorKind::Blocked => CliError::refused(error.to_string()),
            _ => CliError::failure(error.to_string()),
        }
        .code(error.code()),
    }
}

pub(crate) fn scheme(scheme: args::Scheme) -> Scheme {
    match scheme {
        args::Scheme::VaultDeterministic => Scheme::VaultDeterministic,
        args::Scheme::ReversibleAead => Scheme::ReversibleAead,
        args::Scheme::Synthetic => Scheme::Synthetic,
    }
}

pub(crate) fn unit(offsets: Offsets) -> OffsetUnit {
    match offsets {
        Offsets::Byte => OffsetUnit::Byte,
        Offsets::Codepoint => OffsetUnit::CodePoint,
        Offsets::Utf16 => OffsetUnit::Utf16,
    }
}
