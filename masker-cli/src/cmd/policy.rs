//! `masker policy`.

use std::env;
use std::path::Path;

use masker_core::kinds::{Measured, SAFE_HARBOR};
use masker_core::policy::PolicyNotice;
use masker_core::{KeyRing, KidState, Kind, Pass, Policy, PolicyError, PolicyLoader, kinds};
use serde_json::{Value, json};

use crate::args::{self, Auth, PolicyCommand, Preset};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::remote::Remote;
use crate::setup::{self, located, policy_at};
use crate::ui::{Table, Ui};

pub(crate) fn run(command: &PolicyCommand, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        PolicyCommand::Validate(command) => validate(command, ui),
        PolicyCommand::Diff(command) => diff(command, ui),
        PolicyCommand::Show(command) => {
            let policy = match &command.name {
                Some(name) => policy_at(name)?,
                None => setup::policy(settings, ui)?,
            };
            ui.print_json(&policy)?;
            Ok(Exit::Success)
        }
        PolicyCommand::Init(command) => {
            ui.print(Policy::preset_source(preset_name(command.from)).expect("every preset has a source"))?;
            Ok(Exit::Success)
        }
        PolicyCommand::Schema => {
            ui.print(Policy::schema())?;
            Ok(Exit::Success)
        }
        PolicyCommand::Reload(auth) => reload(auth, ui, settings),
        PolicyCommand::Coverage => coverage(&setup::policy(settings, ui)?, ui),
    }
}

fn preset_name(preset: Preset) -> &'static str {
    match preset {
        Preset::HealthcareDefault => "healthcare-default",
        Preset::HealthcareMinimum => "healthcare-minimum",
        Preset::Strict => "strict",
    }
}

fn validate(command: &args::PolicyValidate, ui: &Ui) -> Result<Exit> {
    for path in &command.paths {
        setup::readable(path)?;
    }
    let keys = |kid: &str| key_state(kid);
    let mut loader = PolicyLoader::new().ner_loaded(false);
    if command.no_env {
        ui.remark("keys were not checked (--no-env)");
    } else {
        let days = env::var("MASKER_PAYLOAD_RETENTION_DAYS").ok().and_then(|days| days.parse().ok());
        loader = loader.keys(&keys).payload_retention_days(days.unwrap_or(0));
    }
    let (mut report, mut lines) = (Vec::new(), String::new());
    let (mut mistakes, mut warnings) = (0, 0);
    for path in &command.paths {
        let (errors, omitted, notices) = match loader.from_path(path) {
            Ok(policy) => (Vec::new(), 0, policy.notices().to_vec()),
            Err(errors) => (errors.iter().cloned().collect(), errors.omitted(), errors.notices().to_vec()),
        };
        let (notes, warned): (Vec<PolicyNotice>, Vec<PolicyNotice>) =
            notices.into_iter().partition(PolicyNotice::is_note);
        mistakes += errors.len() + omitted;
        warnings += warned.len();
        lines.push_str(&in_words(path, &errors, omitted, &warned, &notes));
        report.push(json!({ "file": path.display().to_string(), "errors": errors, "warnings": warned, "notes": notes }));
    }
    if ui.wants_table() {
        ui.print(&lines)?;
    } else {
        ui.print_json(&report)?;
    }
    let refused = mistakes > 0 || (command.deny_warnings && warnings > 0);
    Ok(if refused { Exit::Policy } else { Exit::Success })
}

fn in_words(
    path: &Path,
    errors: &[PolicyError],
    omitted: usize,
    warned: &[PolicyNotice],
    notes: &[PolicyNotice],
) -> String {
    let mut lines: Vec<String> = errors
        .iter()
        .map(|e| located(path, e.line, e.column, "error", &e.path, &e.message, e.code.as_str()))
        .collect();
    if omitted > 0 {
        lines.push(format!("{}: and {omitted} more errors", path.display()));
    }
    let worded = |word: &'static str| {
        move |n: &PolicyNotice| located(path, n.line, n.column, word, &n.path, &n.message, n.code.as_str())
    };
    lines.extend(warned.iter().map(worded("warning")));
    lines.extend(notes.iter().map(worded("note")));
    if errors.is_empty() {
        lines.push(format!("{}: valid", path.display()));
    }
    lines.join("\n") + "\n"
}

/// Whether the environment has the key of `kid`. Only that key's variables are read: a mistake in another one is not this policy's.
fn key_state(kid: &str) -> KidState {
    let name = format!("MASKER_KEY_{kid}");
    let vars = ["", "_FILE"].into_iter().filter_map(|ending| {
        let name = format!("{name}{ending}");
        let value = env::var_os(&name)?.into_string().unwrap_or_else(|_| "\u{fffd}".to_owned());
        Some((name, value))
    });
    match KeyRing::from_vars(vars) {
        Ok(ring) if ring.kids().next().is_some() => KidState::Known,
        Ok(_) => KidState::Unknown,
        Err(_) => KidState::Invalid,
    }
}

fn diff(command: &args::PolicyDiff, ui: &Ui) -> Result<Exit> {
    let diff = policy_at(&command.a)?.diff(&policy_at(&command.b)?);
    if ui.wants_table() {
        let mut lines: Vec<String> = diff.changes().iter().map(ToString::to_string).collect();
        if lines.is_empty() {
            lines.push("no change".to_owned());
        }
        ui.print(&(lines.join("\n") + "\n"))?;
    } else {
        ui.print_json(&diff)?;
    }
    if command.fail_if_weaker && diff.is_weaker() {
        return Err(
            CliError::refused("the second policy detects or replaces less than the first").code("weaker")
        );
    }
    Ok(Exit::Success)
}

/// The passes that find things.
const FINDING: [Pass; 4] = [Pass::Regex, Pass::Dictionary, Pass::Spoken, Pass::Ner];

struct Row {
    kind: Kind,
    /// The kind it is reported as; nothing where it is not looked for.
    reported_as: Option<Kind>,
    passes: Vec<&'static str>,
    action: &'static str,
    /// On the cases of the kind, with a policy that has it.
    measured: Option<Measured>,
}

/// What changed when the server read its files again.
fn reload(auth: &Auth, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let remote = Remote::open(settings, ui, auth.token_file.as_deref())?;
    ui.print_json(&remote.post("/api/v1/admin/policy/reload", &json!({}))?)?;
    Ok(Exit::Success)
}

/// What the figures are and are not.
const MEASURED: &str = "measured on masker's own fixtures, which detection was built against";

fn coverage(policy: &Policy, ui: &Ui) -> Result<Exit> {
    let rows = |letter: char| -> Vec<Row> {
        kinds::specs().filter(|spec| spec.letter == letter).map(|spec| row(policy, &spec.kind)).collect()
    };
    let mut letters: Vec<(char, &str, Vec<Row>)> =
        SAFE_HARBOR.iter().map(|&(letter, title)| (letter, title, rows(letter))).collect();
    let mut others = rows('-');
    others.extend(policy.entities().iter().filter(|e| !e.kind.is_built_in()).map(|e| row(policy, &e.kind)));
    letters.push(('-', "no Safe Harbor identifier", others));
    if ui.wants_table() {
        let mut table = Table::new(&["", "IDENTIFIER", "KIND", "PASSES", "ACTION", "FOUND", "LEFT ALONE"]);
        for (letter, title, rows) in &letters {
            if rows.is_empty() {
                table.row([
                    letter.to_string(),
                    (*title).to_owned(),
                    "-".to_owned(),
                    "-".to_owned(),
                    "-".to_owned(),
                    "-".to_owned(),
                    "-".to_owned(),
                ]);
            }
            for (index, row) in rows.iter().enumerate() {
                let first = index == 0;
                table.row([
                    if first { letter.to_string() } else { String::new() },
                    if first { (*title).to_owned() } else { String::new() },
                    row.kind.to_string(),
                    match &row.reported_as {
                        None => "off".to_owned(),
                        Some(kind) if *kind != row.kind => format!("{} (as {kind})", row.passes.join(", ")),
                        Some(_) => row.passes.join(", "),
                    },
                    row.action.to_owned(),
                    share(row.measured.map(|m| (m.found, m.hits))),
                    share(row.measured.map(|m| (m.kept, m.near_misses))),
                ]);
            }
        }
        ui.print(&format!(
            "{}\nFOUND and LEFT ALONE are {MEASURED}, each kind switched on;\nmasker eval measures on text of your own.\n",
            table.render(ui.color())
        ))?;
        return Ok(Exit::Success);
    }
    let matrix: Vec<Value> = letters
        .iter()
        .map(|(letter, title, rows)| {
            let kinds: Vec<Value> = rows
                .iter()
                .map(|row| {
                    json!({
                        "kind": row.kind.as_str(),
                        "reported_as": row.reported_as.as_ref().map(Kind::as_str),
                        "passes": row.passes,
                        "action": row.action,
                        "measured": row.measured.map(|m| json!({
                            "hits": m.hits, "found": m.found, "near_misses": m.near_misses, "kept": m.kept,
                        })),
                    })
                })
                .collect();
            let covered = rows.iter().any(|r| !r.passes.is_empty() && r.action != "passthrough");
            json!({ "letter": letter.to_string(), "identifier": title, "covered": covered, "kinds": kinds })
        })
        .collect();
    ui.print_json(&json!({
        "policy_name": policy.name(),
        "policy_version": policy.version(),
        "measured_on": MEASURED,
        "coverage": matrix,
    }))?;
    Ok(Exit::Success)
}

fn row(policy: &Policy, kind: &Kind) -> Row {
    let reported_as = policy.covering(kind);
    let Some(effective) = reported_as.as_ref().map(|kind| policy.effective(kind, false)) else {
        return Row {
            kind: kind.clone(),
            reported_as: None,
            passes: Vec::new(),
            action: "-",
            measured: None,
        };
    };
    let passes: Vec<_> =
        FINDING.into_iter().filter(|pass| effective.floor(*pass).is_some()).map(Pass::as_str).collect();
    let measured = kinds::measured(kind).filter(|_| !passes.is_empty());
    Row { kind: kind.clone(), reported_as, passes, action: effective.action.as_str(), measured }
}

fn share(figures: Option<(u32, u32)>) -> String {
    figures.map_or_else(|| "-".to_owned(), |(part, whole)| format!("{part} of {whole}"))
}
