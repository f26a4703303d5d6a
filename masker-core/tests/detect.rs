//! Detection as cases: `fixtures/detect`, and the examples and near misses of every kind.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod cases;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use masker_core::kinds::specs;
use masker_core::{Finding, Kind, Masker, Policy};

use self::cases::{Detect, files};

fn masker(policy: &str) -> Masker {
    Masker::builder().policy(Policy::preset(policy).unwrap()).build().unwrap()
}

/// Findings for people: each kind with its text.
fn show<'t>(findings: impl IntoIterator<Item = (&'t str, &'t str)>) -> String {
    let shown: Vec<String> = findings.into_iter().map(|(kind, text)| format!("{kind} {text:?}")).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}

fn parts<'t>(text: &'t str, findings: &'t [Finding]) -> impl Iterator<Item = (&'t str, &'t str)> {
    findings.iter().map(|finding| (finding.kind.as_str(), &text[finding.span.range()]))
}

/// Failures as one table, so that a run shows all of them.
#[derive(Default)]
struct Failures {
    table: String,
    count: usize,
    cases: usize,
}

impl Failures {
    fn add(&mut self, place: &str, text: &str, wanted: &str, got: &str) {
        self.count += 1;
        let _ = writeln!(self.table, "{place}\n    text   {text:?}\n    wanted {wanted}\n    got    {got}");
    }

    fn check(self, what: &str) {
        assert!(self.cases > 0, "no {what}");
        assert!(self.count == 0, "{} of {} {what} fail:\n{}", self.count, self.cases, self.table);
    }
}

#[test]
fn fixtures() {
    let maskers: BTreeMap<&str, Masker> = Policy::preset_names().map(|name| (name, masker(name))).collect();
    let mut failures = Failures::default();
    for (file, cases) in files::<Detect>("detect") {
        for case in cases {
            failures.cases += 1;
            for expected in &case.findings {
                assert!(case.text.contains(&expected.text), "{}: {:?}", case.name, expected.text);
            }
            let findings = maskers[case.policy()].detect(&case.text).unwrap();
            let wanted = show(case.findings.iter().map(|e| (e.kind.as_str(), e.text.as_str())));
            let got = show(parts(&case.text, &findings));
            if wanted != got {
                failures.add(&format!("{file} {}", case.name), &case.text, &wanted, &got);
            }
        }
    }
    failures.check("fixtures");
}

#[test]
fn names_of_fixtures_are_unique() {
    for (file, cases) in files::<Detect>("detect") {
        let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{file}");
    }
}

#[test]
fn examples_of_every_kind() {
    let masker = masker("strict");
    let mut failures = Failures::default();
    for spec in specs() {
        for example in spec.examples {
            failures.cases += 1;
            let findings = masker.detect(example.text).unwrap();
            let kind = spec.kind.as_str();
            let wanted = show(example.found.iter().map(|&part| (kind, part)));
            let of_kind = parts(example.text, &findings).filter(|part| part.0 == kind);
            if wanted != show(of_kind) {
                let got = show(parts(example.text, &findings));
                failures.add(kind, example.text, &wanted, &got);
            }
        }
    }
    failures.check("examples");
}

#[test]
fn near_misses_of_every_kind() {
    let masker = masker("strict");
    let mut failures = Failures::default();
    for spec in specs() {
        for text in spec.near_misses {
            failures.cases += 1;
            let findings = masker.detect(text).unwrap();
            if findings.iter().any(|finding| finding.kind == spec.kind) {
                let got = show(parts(text, &findings));
                failures.add(spec.kind.as_str(), text, "none of the kind", &got);
            }
        }
    }
    failures.check("near misses");
}

#[test]
fn every_kind_has_examples_and_near_misses() {
    // Organisations are found by plug-ins and word lists only.
    for spec in specs().filter(|spec| spec.kind != Kind::Organization) {
        assert!(!spec.examples.is_empty(), "{}", spec.kind);
        assert!(!spec.near_misses.is_empty(), "{}", spec.kind);
    }
    assert_eq!(specs().count(), Kind::BUILT_IN.len());
}
