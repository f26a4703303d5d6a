//! A report as a document to be read and filed. It says what the JSON of the same report says, and nothing beside it.

use std::collections::BTreeMap;

use masker_core::kinds::{self, SAFE_HARBOR};
use serde_json::{Map, Value};

use super::coverage;
use super::paper::{About, Paper, column, number};

/// Letters of a sample that are shown; the JSON has the whole.
const SAMPLE: usize = 1_500;

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A word of the interface as people write it.
fn plain(word: &str) -> String {
    word.replace('_', " ")
}

fn counts(value: &Value) -> Vec<(String, i64)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, count)| (name.clone(), count.as_i64().unwrap_or(0))).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Redactions by the letter of their kind; kinds of a policy's own are other codes.
fn by_letter(report: &Value) -> BTreeMap<char, i64> {
    let mut sums = BTreeMap::new();
    for (kind, count) in counts(&report["redactions_by_kind"]) {
        let spec = kinds::specs().find(|spec| spec.kind.as_str() == kind);
        *sums.entry(spec.map_or('R', |spec| spec.letter)).or_default() += count;
    }
    sums
}

/// The document of a report, by what the report says. Nothing where it cannot be made.
pub(super) fn render(report: &Value, generated_at: i64) -> Option<Vec<u8>> {
    let mut paper = Paper::new();
    cover(&mut paper, report);
    paper.new_page();
    summary(&mut paper, report);
    safe_harbor(&mut paper, report);
    redactions(&mut paper, report);
    cards(&mut paper, report);
    alerts(&mut paper, report);
    retention(&mut paper, report);
    contracts(&mut paper, report);
    samples(&mut paper, report);
    integrity(&mut paper, report);
    configuration(&mut paper, report);
    appendix(&mut paper, report);
    let about = About {
        id: text(&report["id"]),
        title: format!("masker report: {}", text(&report["scope"])),
        keywords: vec![text(&report["merkle_root_hex"])],
        at: generated_at,
    };
    paper.finish(about)
}

fn cover(paper: &mut Paper, report: &Value) {
    paper.space(120.0);
    paper.title("De-identification report");
    paper.space(20.0);
    let mut facts = vec![
        ("Account", format!("{} ({})", text(&report["account"]["name"]), text(&report["account"]["id"]))),
        ("Scope", text(&report["scope"])),
    ];
    for (label, name) in [("Session", "session_id"), ("Agent", "agent_id")] {
        if let Some(id) = report[name].as_str() {
            facts.push((label, id.to_owned()));
        }
    }
    let window = &report["window"];
    let since = window["since"].as_str().unwrap_or("the beginning");
    let until = window["until"].as_str().unwrap_or("open");
    facts.extend([
        ("Window", format!("{since} to {until}")),
        ("Generated at", text(&report["generated_at"])),
        ("Server version", text(&report["server_version"])),
        ("Report id", text(&report["id"])),
        ("Audit root hash", text(&report["audit_root_hash"])),
        ("Merkle root", text(&report["merkle_root_hex"])),
    ]);
    paper.facts(&facts);
    paper.paragraph(
        "This report holds counts, states and hashes. It holds no original value: whoever reads it learns that \
         something was replaced, and not what.",
    );
}

fn summary(paper: &mut Paper, report: &Value) {
    paper.heading("2  Summary");
    let summary = &report["summary"];
    paper.facts(&[
        ("Sessions", text(&summary["sessions"])),
        ("Redactions", text(&summary["redactions"])),
        ("Alerts", text(&summary["alerts"])),
        ("Safe Harbor coverage", format!("{} %", text(&summary["coverage_percent"]))),
    ]);
}

fn safe_harbor(paper: &mut Paper, report: &Value) {
    paper.heading("3  Safe Harbor matrix");
    paper.paragraph(
        "The identifiers of 45 CFR 164.514(b)(2)(i). Coverage is computed from what detection was measured to find and \
         what the policies in force let it do; redactions are those in scope.",
    );
    let sums = by_letter(report);
    let rows: Vec<Vec<String>> = coverage::CATEGORIES
        .iter()
        .zip(SAFE_HARBOR)
        .map(|((letter, name), (_, title))| {
            let found = sums.get(letter).copied().unwrap_or(0);
            let value = plain(&text(&report["safe_harbor_coverage"][*name]));
            vec![format!("{letter}  {title}"), value, found.to_string()]
        })
        .collect();
    paper.table(&[column("Category", 5.0), column("Coverage", 2.0), number("Redactions", 1.5)], &rows);
    let tally = counts(&report["safe_harbor_tally"]);
    let words: Vec<String> = tally.iter().map(|(name, count)| format!("{} {count}", plain(name))).collect();
    paper.paragraph(&format!("Sums: {}.", words.join(", ")));
}

fn redactions(paper: &mut Paper, report: &Value) {
    paper.heading("4  Redactions");
    let mut by_kind = counts(&report["redactions_by_kind"]);
    by_kind.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if by_kind.is_empty() {
        paper.paragraph("Nothing was replaced.");
    }
    if !by_kind.is_empty() {
        paper.subheading("By kind");
        paper.bars(&by_kind);
    }
    for (title, name) in [("By pass", "redactions_by_pass"), ("By action", "redactions_by_action")] {
        let rows: Vec<Vec<String>> =
            counts(&report[name]).into_iter().map(|(name, count)| vec![name, count.to_string()]).collect();
        if !rows.is_empty() {
            paper.subheading(title);
            paper.table(&[column("Name", 4.0), number("Count", 1.0)], &rows);
        }
    }
}

fn cards(paper: &mut Paper, report: &Value) {
    paper.heading("5  Card data");
    let pci = &report["pci"];
    paper.facts(&[
        ("Card numbers detected", text(&pci["card_numbers_detected"])),
        ("With a valid check digit", text(&pci["luhn_valid"])),
        ("Passed through", text(&pci["passed_through"])),
    ]);
}

fn alerts(paper: &mut Paper, report: &Value) {
    paper.heading("6  Leaks and alerts");
    let leaks = items(&report["leaks"]);
    paper.facts(&[("Alerts", text(&report["summary"]["alerts"])), ("Leaks", leaks.len().to_string())]);
    if leaks.is_empty() {
        paper.paragraph("Every token that came back was restored.");
        return;
    }
    let rows: Vec<Vec<String>> = leaks
        .iter()
        .map(|leak| vec![text(&leak["session_id"]), text(&leak["turn"]), plain(&text(&leak["reason"]))])
        .collect();
    paper.table(&[column("Session", 4.0), number("Turn", 1.0), column("Reason", 3.0)], &rows);
}

fn retention(paper: &mut Paper, report: &Value) {
    paper.heading("7  Retention");
    let retention = &report["retention"];
    let stored = if retention["payloads_stored"] == true { "yes, encrypted" } else { "no" };
    paper.facts(&[
        ("Payloads stored", stored.to_owned()),
        ("Payloads kept", format!("{} days", text(&retention["payload_retention_days"]))),
        ("Sessions kept", format!("{} days", text(&retention["session_retention_days"]))),
        ("Audit events kept", format!("{} days", text(&retention["audit_retention_days"]))),
    ]);
}

fn contracts(paper: &mut Paper, report: &Value) {
    paper.heading("8  Business associates");
    let rows: Vec<Vec<String>> = items(&report["baa_chain"])
        .iter()
        .map(|row| vec![text(&row["vendor"]), plain(&text(&row["role"])), text(&row["reference"])])
        .collect();
    if rows.is_empty() {
        paper.paragraph("No agreement is written down for the agents in scope.");
    } else {
        paper.table(&[column("Vendor", 3.0), column("Role", 3.0), column("Reference", 3.0)], &rows);
    }
}

fn samples(paper: &mut Paper, report: &Value) {
    paper.heading("9  Sample transcripts");
    let samples = &report["sample_transcripts"];
    let available = samples["available"].as_i64().unwrap_or(0);
    if available == 0 {
        paper.paragraph("No transcript is stored, so none can be shown: 0 available.");
        return;
    }
    let included = items(&samples["included"]);
    paper.paragraph(&format!("{available} available, {} shown, as they were sent: masked.", included.len()));
    for sample in included {
        paper.subheading(&text(&sample["session_id"]));
        let request: Value = serde_json::from_str(&text(&sample["masked"])).unwrap_or_default();
        for message in items(&request["messages"]) {
            let said = match &message["content"] {
                Value::String(said) => said.clone(),
                other => text(other),
            };
            let shown: String = said.chars().take(SAMPLE).collect();
            let rest = if shown.len() < said.len() { " […]" } else { "" };
            paper.source(&format!("{}: {shown}{rest}", text(&message["role"])));
        }
    }
}

fn integrity(paper: &mut Paper, report: &Value) {
    paper.heading("10  Audit log");
    let audit = &report["audit"];
    paper.facts(&[
        ("Events in scope", text(&audit["event_count"])),
        ("Start hash", text(&audit["start_hash"])),
        ("Root hash", text(&audit["audit_root_hash"])),
        ("Merkle root", text(&audit["merkle_root_hex"])),
        ("Chain verified", if audit["verified"] == true { "yes" } else { "no" }.to_owned()),
    ]);
    let signature = &report["signature"];
    if signature.is_object() {
        paper.paragraph(&format!(
            "The JSON of this report is signed with {} under key {}: {}",
            text(&signature["alg"]),
            text(&signature["key_id"]),
            text(&signature["sig"])
        ));
    }
}

fn configuration(paper: &mut Paper, report: &Value) {
    paper.heading("11  Configuration");
    for agent in items(&report["agents"]) {
        paper.subheading(&format!("Agent {} ({})", text(&agent["name"]), text(&agent["id"])));
        let empty = Map::new();
        let snapshot = agent["config_snapshot"].as_object().unwrap_or(&empty);
        let mut facts =
            vec![("status", text(&agent["status"])), ("policy_version", text(&agent["policy_version"]))];
        // The text of the policy stands below, once.
        facts.extend(
            snapshot
                .iter()
                .filter(|(name, _)| *name != "policy_yaml")
                .map(|(name, value)| (name.as_str(), text(value))),
        );
        paper.facts(&facts);
    }
    if let Some(yaml) = report["policy_snapshot"].as_str() {
        paper.subheading("Policy in force at the session");
        paper.source(yaml);
    }
    for used in items(&report["policy_snapshots"]) {
        paper.subheading(&format!(
            "Policy {}, revision {}, used from {} to {}",
            text(&used["policy_name"]),
            text(&used["policy_version"]),
            text(&used["first_used_at"]),
            text(&used["last_used_at"])
        ));
        paper.source(&text(&used["policy_yaml"]));
    }
}

fn appendix(paper: &mut Paper, report: &Value) {
    paper.heading("12  Sessions");
    let listed = items(&report["sessions"]);
    let total = report["session_count"].as_u64().unwrap_or(0) as usize;
    let rows: Vec<Vec<String>> =
        listed.chunks(2).map(|pair| pair.iter().map(text).collect::<Vec<String>>()).collect();
    if !rows.is_empty() {
        paper.table(&[column("Session", 1.0), column("Session", 1.0)], &rows);
    }
    let more = total.saturating_sub(listed.len());
    let rest = if more > 0 { format!(", and {more} more that are not listed") } else { String::new() };
    paper.paragraph(&format!("{} listed{rest}.", listed.len()));
}
