//! `masker report verify`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use masker_core::audit::{
    Checks, Hash, Layout, ReportError, ReportKey, ReportSigner, SignedReport, hash_hex, read_event, verify,
    verify_report,
};
use serde_json::{Value, json};

use super::audit::{audit_error, keys, secret};
use crate::args::{ReportCommand, ReportVerify};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::ui::Ui;

const SIGNING_KEY: &str = "MASKER_REPORT_SIGNING_KEY";

pub(crate) fn run(command: &ReportCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        ReportCommand::Verify(command) => verify_file(command, ui, settings),
    }
}

fn verify_file(command: &ReportVerify, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let key = public_key(command)?;
    let bytes = fs::read(&command.file).map_err(|e| CliError::file("read report", &command.file, &e))?;
    let text = String::from_utf8(bytes).map_err(|_| refused(&ReportError::BadJson))?;
    let layout = if command.reformatted { Layout::Any } else { Layout::AsIssued };
    let report = verify_report(&text, &[key], layout).map_err(|e| refused(&e))?;
    if let Some(log) = &command.log {
        look_up(&report, log)?;
    }
    if settings.json {
        ui.print_json(&json!({
            "ok": true,
            "id": report.id,
            "scope": report.scope,
            "key_id": report.key_id,
            "event_count": report.event_count,
            "audit_root_hash": report.audit_root_hash.as_ref().map(hash_hex),
            "merkle_root_hex": report.merkle_root.as_ref().map(hash_hex),
            "found_in_log": command.log.is_some(),
        }))?;
    } else {
        ui.print(&format!(
            "report ok ({}, {} events, signed by {})\n",
            report.id, report.event_count, report.key_id
        ))?;
    }
    Ok(Exit::Success)
}

fn public_key(command: &ReportVerify) -> Result<ReportKey> {
    if let Some(text) = &command.public_key {
        return ReportKey::from_base64(text)
            .map_err(|e| CliError::usage(format!("the value of --public-key is {e}")).code(e.code()));
    }
    let Some(seed) = secret(SIGNING_KEY)? else {
        return Err(CliError::usage("there is no key to check the signature with").hint(
            "give the signer's key with --public-key; a server shows its own at /api/v1/reports/keys",
        ));
    };
    Ok(ReportSigner::from_base64(&seed).map_err(|e| audit_error(&e))?.public())
}

fn refused(error: &ReportError) -> CliError {
    let refused = CliError::refused(error.to_string()).code(error.code());
    match error {
        ReportError::Layout => refused.hint("if a program wrote the JSON anew, add --reformatted"),
        ReportError::UnknownKey => refused.hint("give the key of its signer with --public-key"),
        _ => refused,
    }
}

/// Fails where the log is broken or does not hold what the report says of it.
fn look_up(report: &SignedReport, path: &Path) -> Result<()> {
    let unreadable = |e| CliError::file("read audit log", path, &e);
    let open = || File::open(path).map(BufReader::new).map_err(unreadable);
    let session = report.session_id.clone().filter(|_| report.scope == "session");
    let is_session = session.is_some();
    let checks = Checks { session, ..Checks::default() };
    let found = verify(open()?, &keys()?, &checks).map_err(unreadable)?;
    if let (Some(reason), Some(seq)) = (found.reason, found.first_bad_seq) {
        return Err(
            CliError::refused(format!("chain broken at event {seq}: {reason}")).code("audit_chain_broken")
        );
    }
    // The events of a session are known by its id; of a wider scope only its two ends can be looked up.
    let agrees = if is_session {
        (found.event_count, found.start_hash, found.root_hash, found.merkle_root)
            == (report.event_count, report.start_hash, report.audit_root_hash, report.merkle_root)
    } else {
        let (mut starts, mut ends) = (report.start_hash.is_none(), report.audit_root_hash.is_none());
        for line in open()?.lines() {
            let event = read_event(line.map_err(unreadable)?.as_bytes()).unwrap_or_default();
            let is = |name, hash: Option<Hash>| {
                hash.is_some_and(|hash| event.get(name).and_then(Value::as_str) == Some(&hash_hex(&hash)))
            };
            starts |= is("prev_hash", report.start_hash);
            ends |= is("this_hash", report.audit_root_hash);
        }
        starts && ends
    };
    if agrees {
        return Ok(());
    }
    Err(CliError::refused("the audit log does not hold what the report says of it").code("root_mismatch"))
}
