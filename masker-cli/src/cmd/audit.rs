//! `masker audit`.

use std::collections::VecDeque;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use masker_core::audit::{
    AuditError, AuditKeys, Checks, EventKind, FileHead, Hash, HeadStore as _, prove, read_event, verify,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::args::{AuditAt, AuditCommand, AuditProve, AuditRange, AuditTail, AuditVerify};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::remote::Remote;
use crate::ui::Ui;

const KEY: &str = "MASKER_AUDIT_HMAC_KEY";
const OLD_KEYS: &str = "MASKER_AUDIT_HMAC_KEY_OLD";

pub(crate) fn run(command: &AuditCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        AuditCommand::Verify(command) => verify_log(command, ui, settings),
        AuditCommand::Tail(command) => tail(command, ui, settings),
        AuditCommand::Prove(command) => prove_event(command, ui, settings),
    }
}

/// The log named on the command line or in the environment.
fn open(at: &AuditAt, settings: &Settings) -> Result<(BufReader<File>, PathBuf)> {
    if at.file.is_none() && settings.server.is_some() {
        return Err(
            CliError::usage("this build does not ask a server for its audit log").hint("name a local file")
        );
    }
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path =
        at.file.clone().or_else(|| set("MASKER_AUDIT_LOG_PATH")).unwrap_or_else(|| {
            set("MASKER_DATA_DIR").unwrap_or_else(|| PathBuf::from("data")).join("audit.log")
        });
    let file = File::open(&path).map_err(|e| CliError::file("open audit log", &path, &e))?;
    Ok((BufReader::new(file), path))
}

fn checks(range: &AuditRange) -> Checks {
    Checks {
        from_seq: range.from_seq,
        to_seq: range.to_seq,
        session: range.session.clone(),
        ..Checks::default()
    }
}

/// Asks the server to check its own chain.
fn verify_remote(command: &AuditVerify, ui: &Ui, settings: &Settings) -> Result<Exit> {
    if command.head.is_some() {
        return Err(CliError::usage("--head is for a local file"));
    }
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("from_seq", command.range.from_seq.map(Value::from));
    set("to_seq", command.range.to_seq.map(Value::from));
    set("session_id", command.range.session.clone().map(Value::from));
    set("expected_root_hash", command.expected_root.clone().map(Value::from));
    let answer = Remote::open(settings, ui, None)?.post("/api/v1/audit/verify", &Value::Object(body))?;
    if settings.json {
        ui.print_json(&answer)?;
    } else if answer["ok"] == true {
        ui.print(&format!("chain ok ({} events)\n", answer["event_count"]))?;
    }
    if answer["ok"] == true {
        return Ok(Exit::Success);
    }
    let reason = answer["reason"].as_str().unwrap_or_default();
    Err(CliError::refused(format!("chain broken at event {}: {reason}", answer["first_bad_seq"]))
        .code("audit_chain_broken"))
}

fn verify_log(command: &AuditVerify, ui: &Ui, settings: &Settings) -> Result<Exit> {
    if command.at.file.is_none() && settings.server.is_some() {
        return verify_remote(command, ui, settings);
    }
    let mut checks = checks(&command.range);
    if let Some(root) = &command.expected_root {
        checks.expected_root = Some(hash(root)?);
    }
    let (log, path) = open(&command.at, settings)?;
    let keys = keys()?;
    let head_path = command.head.clone().unwrap_or_else(|| {
        let mut name = path.clone().into_os_string();
        name.push(".head");
        name.into()
    });
    if command.head.is_some() || head_path.exists() {
        checks.head = FileHead::new(&head_path, &keys).load().map_err(|e| audit_error(&e))?;
    }
    let result = verify(log, &keys, &checks).map_err(|e| CliError::file("read audit log", &path, &e))?;
    if settings.json {
        ui.print_json(&result.to_json())?;
    } else if result.ok {
        ui.print(&format!("chain ok ({} events)\n", result.event_count))?;
    }
    match (result.reason, result.first_bad_seq) {
        (Some(reason), Some(seq)) => Err(CliError::refused(format!("chain broken at event {seq}: {reason}"))
            .code("audit_chain_broken")
            .hint("keep the file as it is; nothing was changed")),
        _ => Ok(Exit::Success),
    }
}

fn tail(command: &AuditTail, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let kinds = command
        .kind
        .iter()
        .map(|name| {
            name.parse::<EventKind>().map_err(|_| {
                CliError::usage("a value of --kind is no kind of event")
                    .hint("for example --kind redaction,agent_deleted")
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let (mut log, path) = open(&command.at, settings)?;
    let mut last = VecDeque::with_capacity(command.lines.min(1_000));
    let mut line = String::new();
    loop {
        line.clear();
        match log.read_line(&mut line) {
            Ok(0) => break,
            // A last line without its end is one that is being written.
            Ok(_) if !line.ends_with('\n') => break,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(not_a_log(&path)),
            Err(e) => return Err(CliError::file("read audit log", &path, &e)),
        }
        let event = read_event(line.trim_end().as_bytes()).ok_or_else(|| not_a_log(&path))?;
        let kind = event.get("kind").and_then(Value::as_str);
        if kinds.is_empty() || kinds.iter().any(|wanted| Some(wanted.as_str()) == kind) {
            last.push_back(line.clone());
            if last.len() > command.lines {
                last.pop_front();
            }
        }
    }
    ui.print(&last.into_iter().collect::<String>())?;
    Ok(Exit::Success)
}

fn prove_event(command: &AuditProve, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let (log, path) = open(&command.at, settings)?;
    let proof = prove(log, &command.event, &checks(&command.range)).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => not_a_log(&path),
        _ => CliError::file("read audit log", &path, &e),
    })?;
    match proof {
        Some(proof) => ui.print_json(&proof.to_json())?,
        None => {
            return Err(CliError::refused("no such event among those asked for").code("event_not_found"));
        }
    }
    Ok(Exit::Success)
}

fn not_a_log(path: &Path) -> CliError {
    CliError::failure(format!("{} has a line that is no event", path.display()))
        .code("bad_json")
        .hint("masker audit verify names the first bad event")
}

fn hash(text: &str) -> Result<Hash> {
    let bytes = HEXLOWER.decode(text.to_ascii_lowercase().as_bytes()).unwrap_or_default();
    bytes.try_into().map_err(|_| CliError::usage("the value of --expected-root is not 64 hexadecimal digits"))
}

/// The keys of the environment.
pub(super) fn keys() -> Result<AuditKeys> {
    let Some(key) = secret(KEY)? else {
        return Err(CliError::policy(format!("{KEY} is not set"))
            .code("unknown_kid")
            .hint("set the key that the log was written under"));
    };
    let old = secret(OLD_KEYS)?.unwrap_or_default();
    AuditKeys::from_base64(&key, &old).map_err(|e| audit_error(&e))
}

/// The value of a variable, or of the file that its `_FILE` form names.
pub(super) fn secret(name: &str) -> Result<Option<Zeroizing<String>>> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let file = format!("{name}_FILE");
    match (set(name), set(&file)) {
        (Some(_), Some(_)) => {
            Err(CliError::policy(format!("{name} and {file} are both set; set one of them"))
                .code("invalid_key"))
        }
        (Some(value), None) => Ok(Some(Zeroizing::new(value))),
        (None, Some(path)) => {
            let text = fs::read_to_string(&path).map(Zeroizing::new).map_err(|e| {
                CliError::policy(format!("the file named by {file} cannot be read: {}", e.kind()))
                    .code("invalid_key")
            })?;
            let text = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        (None, None) => Ok(None),
    }
}

pub(super) fn audit_error(error: &AuditError) -> CliError {
    let message = error.to_string();
    let new = match error {
        AuditError::Key { .. } => CliError::policy(message),
        AuditError::Head => CliError::refused(message),
        _ => CliError::failure(message),
    };
    new.code(error.code())
}
