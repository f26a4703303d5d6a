//! Conversations as cases (`fixtures/turns`): the same values are found turn by turn and in one transcript.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;

use std::fmt::Write as _;

use masker_core::Policy;
use masker_core::detect::{Context, DetectorSet};
use masker_core::resolve::Order;

use self::cases::{Conversation, Found};

fn cases() -> Vec<Conversation> {
    let cases: Vec<Conversation> = cases::cases("turns");
    assert!(cases.len() >= 35, "only {} cases", cases.len());
    for case in &cases {
        for (_, said, findings) in case.said() {
            assert!(findings.iter().all(|found| said.contains(&found.text)), "{}: {said}", case.name);
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

#[test]
fn turn_by_turn() {
    let set = detectors();
    let (mut failures, mut count) = (String::new(), 0);
    for case in cases() {
        let mut context = Context::default();
        let got: Vec<Vec<Found>> = case.said().map(|(_, said, _)| found(&set, said, &mut context)).collect();
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
        for (_, said, findings) in case.said() {
            with += findings.len();
            without +=
                findings.iter().filter(|&f| found(&set, said, &mut Context::default()).contains(f)).count();
        }
    }
    assert!(without * 3 < with * 2, "{without} of {with} need no context: the cases do not test it");
}
