//! `masker vault`.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use masker_core::vault::{Selection, Vault as _, VaultError, export, read_export, rewrap, verify};
use masker_core::{Kid, SqliteVault};
use serde_json::json;

use crate::args::{self, VaultAt, VaultCommand};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io::{Source, write_output};
use crate::setup;
use crate::time;
use crate::ui::Ui;

pub(crate) fn run(command: &VaultCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        VaultCommand::Stats(at) => stats(at, ui, settings),
        VaultCommand::Export(command) => export_rows(command, ui, settings),
        VaultCommand::Import(command) => import_rows(command, ui, settings),
        VaultCommand::Purge(command) => purge(command, ui, settings),
        VaultCommand::RotateKey(command) => rotate(command, ui, settings),
        VaultCommand::Verify(at) => verify_rows(at, ui, settings),
    }
}

/// The vault named on the command line or in the environment; it must exist.
fn open(at: &VaultAt, settings: &Settings) -> Result<(SqliteVault, PathBuf)> {
    let path = path(at, settings)?;
    Ok((setup::existing_vault(&path)?, path))
}

fn path(at: &VaultAt, settings: &Settings) -> Result<PathBuf> {
    if at.vault.is_none() && settings.server.is_some() {
        return Err(CliError::usage("this build does not look after the vault of a server")
            .hint("name a local file with --vault"));
    }
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    Ok(at
        .vault
        .clone()
        .or_else(|| set("MASKER_VAULT_PATH"))
        .unwrap_or_else(|| set("MASKER_DATA_DIR").unwrap_or_else(|| PathBuf::from("data")).join("vault.db")))
}

fn stats(at: &VaultAt, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let (vault, path) = open(at, settings)?;
    let stats = vault.stats().map_err(|e| setup::vault_error(&e))?;
    let by_kind: BTreeMap<String, u64> =
        stats.by_kind.iter().map(|(kind, n)| (kind.to_string(), *n)).collect();
    let by_kid: BTreeMap<String, u64> = stats.by_kid.iter().map(|(kid, n)| (kid.to_string(), *n)).collect();
    // Rows under a key that is not here are as good as gone, and that must not go unnoticed.
    let keys = setup::keys(ui)?;
    let missing = stats.by_kid.iter().filter(|(kid, _)| !keys.contains(kid));
    let without_key: BTreeMap<String, u64> = missing.map(|(kid, n)| (kid.to_string(), *n)).collect();
    ui.print_json(&json!({
        "vault": path.display().to_string(),
        "rows": stats.rows,
        "bytes": stats.bytes,
        "oldest": stats.oldest.map(time::format),
        "newest": stats.newest.map(time::format),
        "by_kind": by_kind,
        "by_kid": by_kid,
        "without_key": without_key,
        "tombstones": stats.tombstones,
        "erasure_pending": stats.erasure_pending,
    }))?;
    Ok(Exit::Success)
}

fn export_rows(command: &args::VaultExport, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let to_stdout = command.out.as_deref().is_none_or(|path| path == Path::new("-"));
    if to_stdout && ui.stdout_is_terminal() {
        return Err(CliError::usage("an export is not text and stdout is a terminal")
            .hint("name a file with --out, or redirect stdout"));
    }
    let (vault, _) = open(&command.at, settings)?;
    let kid = policy_kid(ui, settings)?;
    let keys = setup::keys_with(&kid, ui)?;
    let mut done = None;
    write_output(command.out.as_deref().unwrap_or(Path::new("-")), |out| {
        done = Some(export(&keys, &kid, &vault, out).map_err(|e| match e {
            VaultError::Io(e) if to_stdout => CliError::stdout(&e),
            VaultError::Io(e) => {
                CliError::file("write", command.out.as_deref().unwrap_or(Path::new("-")), &e)
            }
            e => setup::vault_error(&e),
        })?);
        Ok(())
    })?;
    let done = done.expect("the export was written");
    if to_stdout {
        ui.note(&format!("{} rows and {} tombstones exported", done.rows, done.tombstones));
    } else {
        ui.print_json(&json!({ "rows": done.rows, "tombstones": done.tombstones, "kid": kid.as_str() }))?;
    }
    Ok(Exit::Success)
}

fn import_rows(command: &args::VaultImport, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let path = path(&command.at, settings)?;
    let keys = setup::keys(ui)?;
    let source = Source::from_arg(Some(&command.file));
    source.check()?;
    let mut input = source.open()?;
    // The whole export is checked before the vault is touched: a bad one must not even make an empty file.
    let checked = read_export(&keys, &mut input).map_err(|e| setup::vault_error(&e))?;
    let vault = setup::open_vault(&path)?;
    let done = checked.merge_into(&vault).map_err(|e| setup::vault_error(&e))?;
    ui.print_json(&json!({ "new_rows": done.rows, "tombstones": done.tombstones }))?;
    Ok(Exit::Success)
}

fn verify_rows(at: &VaultAt, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let (vault, _) = open(at, settings)?;
    let keys = setup::keys(ui)?;
    let found = verify(&keys, &vault).map_err(|e| setup::vault_error(&e))?;
    let without_key: BTreeMap<String, u64> =
        found.keyless.iter().map(|(kid, n)| (kid.to_string(), *n)).collect();
    let ok = found.unreadable == 0 && found.orphans == 0;
    ui.print_json(&json!({
        "ok": ok,
        "readable": found.readable,
        "unreadable": found.unreadable,
        "damaged": found.damaged,
        "without_key": without_key,
        "orphans": found.orphans,
    }))?;
    if ok {
        return Ok(Exit::Success);
    }
    let error = CliError::refused(format!(
        "rows that do not open: {}; rows and references that belong to nothing: {}",
        found.unreadable, found.orphans
    ))
    .code("vault_unsound");
    Err(if found.keyless.is_empty() {
        error.hint("restore the file from a backup, or purge what cannot be read")
    } else {
        error.hint("set the keys that are missing and run the command again")
    })
}

fn purge(command: &args::VaultPurge, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let selection = selection(&command.which, ui, settings)?;
    let (vault, _) = open(&command.at, settings)?;
    let count = vault.count(&selection).map_err(|e| setup::vault_error(&e))?;
    if command.dry_run {
        ui.print_json(&json!({ "dry_run": true, "rows": count }))?;
        return Ok(Exit::Success);
    }
    let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    if !command.yes
        && !ui.confirm(&format!("Delete {rows} for good? Their tokens will never be restored."))?
    {
        return Err(CliError::refused("nothing was deleted").code("not_confirmed"));
    }
    let purged = vault.delete(&selection).map_err(|e| setup::vault_error(&e))?;
    ui.print_json(&json!({ "dry_run": false, "rows": purged }))?;
    Ok(Exit::Success)
}

fn selection(which: &args::PurgeWhich, ui: &Ui, settings: &Settings) -> Result<Selection> {
    if let Some(date) = &which.before {
        let instant = time::parse(date).ok_or_else(|| {
            CliError::usage("the value of --before is neither a day nor an instant")
                .hint("for example --before 2026-01-31, or --before 2026-01-31T12:00:00Z")
        })?;
        return Ok(Selection::UnusedSince(instant));
    }
    if let Some(kid) = &which.kid {
        return Ok(Selection::Kid(parse_kid("--kid", kid)?));
    }
    if let Some(agent) = &which.agent {
        return Ok(Selection::Agent(agent.clone()));
    }
    if let Some(scope) = &which.scope {
        let scope = scope.parse().map_err(|e| CliError::usage(format!("the value of --scope is {e}")))?;
        return Ok(Selection::Scope(scope));
    }
    if which.expired {
        return Ok(Selection::Expired(time::now()));
    }
    let subject = which.subject.as_deref().expect("the argument group holds exactly one of the six");
    // Vaults know subjects by their pseudonym alone.
    if subject.len() == 32 && subject.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(Selection::Subject(subject.to_owned()));
    }
    let kid = policy_kid(ui, settings)?;
    let pseudonym = setup::keys_with(&kid, ui)?.pseudonym(&kid, subject).map_err(|e| setup::key_error(&e))?;
    Ok(Selection::Subject(pseudonym))
}

fn rotate(command: &args::VaultRotate, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let kid = parse_kid("--new-kid", &command.new_kid)?;
    let (vault, _) = open(&command.at, settings)?;
    let keys = setup::keys_with(&kid, ui)?;
    let done = rewrap(&keys, &vault, None, &kid).map_err(|e| setup::vault_error(&e))?;
    ui.print_json(&json!({
        "new_kid": kid.as_str(),
        "rewrapped": done.rewrapped,
        "already_current": done.current,
        "unreadable": done.unreadable,
    }))?;
    if done.unreadable > 0 {
        return Err(CliError::policy(format!(
            "{} rows were left as they are: no key in the environment opens them",
            done.unreadable
        ))
        .code("unknown_kid")
        .hint("set their keys (masker vault stats lists the key ids) and run the command again"));
    }
    Ok(Exit::Success)
}

fn parse_kid(flag: &str, text: &str) -> Result<Kid> {
    text.parse().map_err(|e| CliError::usage(format!("the value of {flag} is {e}")))
}

fn policy_kid(ui: &Ui, settings: &Settings) -> Result<Kid> {
    Ok(setup::policy(settings, ui)?.kid().parse().expect("a policy's key ids are checked on loading"))
}
