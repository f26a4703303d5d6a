//! Conversations as cases (`fixtures/turns`): the same values are found turn by turn and in one transcript.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use masker_core::Policy;
use masker_core::detect::{Context, DetectorSet};
use masker_core::resolve::Order;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// "Agent: …" or "Caller: …".
    turns: Vec<String>,
    /// Of every turn.
    findings: Vec<Vec<Found>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Found {
    kind: String,
    text: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/turns");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let cases: Vec<Case> = paths
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let cases: Cases =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            cases.case
        })
        .collect();
    assert!(cases.len() >= 35, "only {} cases", cases.len());
    for case in &cases {
        assert_eq!(case.turns.len(), case.findings.len(), "{}", case.name);
        for (turn, findings) in case.turns.iter().zip(&case.findings) {
            assert!(findings.iter().all(|found| turn.contains(&found.text)), "{}: {turn}", case.name);
        }
    }
    cases
}

/// The kinds of the shipped default, so that a ZIP code is a part of an address.
fn detectors() -> DetectorSet {
    let policy = Policy::healthcare_default();
    let mut set = DetectorSet::all_kinds();
    set.rules.retain(|kind, _| policy.entities().iter().any(|entity| entity.kind == *kind));
    set
}

fn found(set: &DetectorSet, text: &str, context: &mut Context) -> Vec<Found> {
    set.detect(text, &[], context, Order::Longest)
        .unwrap()
        .iter()
        .map(|finding| Found { kind: finding.kind.to_string(), text: text[finding.span.range()].to_owned() })
        .collect()
}

fn said(turn: &str) -> &str {
    turn.split_once(": ").expect("a turn begins with its speaker").1
}

#[test]
fn turn_by_turn() {
    let set = detectors();
    let (mut failures, mut count) = (String::new(), 0);
    for case in cases() {
        let mut context = Context::default();
        let got: Vec<Vec<Found>> =
            case.turns.iter().map(|turn| found(&set, said(turn), &mut context)).collect();
        if got != case.findings {
            count += 1;
            let _ = writeln!(failures, "{}\n    wanted {:?}\n    got    {got:?}", case.name, case.findings);
        }
    }
    assert!(count == 0, "{count} cases fail:\n{failures}");
}

#[test]
fn as_one_transcript() {
    let set = detectors();
    let (mut failures, mut count) = (String::new(), 0);
    for case in cases() {
        let got = found(&set, &case.turns.join("\n"), &mut Context::default());
        let wanted = case.findings.concat();
        if got != wanted {
            count += 1;
            let _ = writeln!(failures, "{}\n    wanted {wanted:?}\n    got    {got:?}", case.name);
        }
    }
    assert!(count == 0, "{count} cases fail:\n{failures}");
}

/// The answers are found because of what came before them.
#[test]
fn an_answer_alone_is_found_less_often() {
    let set = detectors();
    let (mut with, mut without) = (0, 0);
    for case in cases() {
        for (turn, findings) in case.turns.iter().zip(&case.findings) {
            with += findings.len();
            without += findings
                .iter()
                .filter(|&f| found(&set, said(turn), &mut Context::default()).contains(f))
                .count();
        }
    }
    assert!(without * 3 < with * 2, "{without} of {with} need no context: the cases do not test it");
}
