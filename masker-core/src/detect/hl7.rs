//! Values in segments of HL7 v2 messages, by the fields they stand in: `PID|1||4471023^^^MRN||REED^ADA||19820314`.
//!
//! The numbers of fields and components are those of HL7 v2.5.1, chapters 2A (data types), 3 (PID, NK1, PV1), 4 (ORC, OBR) and
//! 6 (GT1, IN1).

use super::Pass;
use super::candidate::Candidate;
use super::document::Document;
use crate::Kind;

/// More than a label in a text is worth.
const CERTAIN: f32 = 0.95;

/// The components of a field that hold values, counted from 0.
type Parts = &'static [(usize, Kind)];

/// XPN: family name, given name, further names.
const NAME: Parts = &[(0, Kind::Name), (1, Kind::Name), (2, Kind::Name)];
/// XCN: an identifier, then a name.
const PERSON: Parts = &[(0, Kind::License), (1, Kind::Name), (2, Kind::Name), (3, Kind::Name)];
/// XAD: street, other designation, city, state, ZIP code.
const PLACE: Parts = &[(0, Kind::Address), (1, Kind::Address), (2, Kind::Address), (4, Kind::Zip)];
/// XTN: the number as text, or in parts, and an e-mail address.
const PHONE: Parts = &[(0, Kind::Phone), (3, Kind::Email), (5, Kind::Phone), (6, Kind::Phone)];
const ACCOUNT: Parts = &[(0, Kind::Account)];
const BIRTH: Parts = &[(0, Kind::Dob)];
const DATE: Parts = &[(0, Kind::Date)];
const ID: Parts = &[(0, Kind::Id)];
const LICENSE: Parts = &[(0, Kind::License)];
const MRN: Parts = &[(0, Kind::Mrn)];
const PLAN: Parts = &[(0, Kind::HealthPlan)];
const SSN: Parts = &[(0, Kind::Ssn)];

/// Segments with the fields of theirs that hold values.
const SEGMENTS: [(&str, &[(usize, Parts)]); 7] = [
    (
        "pid",
        &[
            (2, MRN),
            (3, MRN),
            (4, MRN),
            (5, NAME),
            (6, NAME),
            (7, BIRTH),
            (9, NAME),
            (11, PLACE),
            (13, PHONE),
            (14, PHONE),
            (18, ACCOUNT),
            (19, SSN),
            (20, LICENSE),
            (21, MRN),
            (29, DATE),
        ],
    ),
    (
        "nk1",
        &[
            (2, NAME),
            (4, PLACE),
            (5, PHONE),
            (6, PHONE),
            (16, BIRTH),
            (30, NAME),
            (31, PHONE),
            (32, PLACE),
            (37, SSN),
        ],
    ),
    ("gt1", &[(2, ID), (3, NAME), (4, NAME), (5, PLACE), (6, PHONE), (7, PHONE), (8, BIRTH), (12, SSN)]),
    ("in1", &[(8, PLAN), (16, NAME), (18, BIRTH), (19, PLACE), (36, PLAN), (49, PLAN)]),
    (
        "pv1",
        &[
            (7, PERSON),
            (8, PERSON),
            (9, PERSON),
            (17, PERSON),
            (19, ID),
            (44, DATE),
            (45, DATE),
            (52, PERSON),
        ],
    ),
    ("orc", &[(12, PERSON)]),
    ("obr", &[(7, DATE), (16, PERSON)]),
];

pub(super) fn find(document: &Document<'_>, out: &mut Vec<Candidate>) {
    let text = document.view.text();
    if memchr::memchr(b'|', text.as_bytes()).is_none() {
        return;
    }
    let mut start = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        // What is looked at before the piece at hand need not begin with a line.
        let is_whole = start > 0 || document.begin() == 0;
        let name = line.get(..3).filter(|_| line.as_bytes().get(3) == Some(&b'|'));
        let segment = name.and_then(|name| SEGMENTS.iter().find(|(segment, _)| *segment == name));
        if let Some((_, fields)) = segment.filter(|_| is_whole) {
            find_in_segment(document, line, start, fields, out);
        }
        start += line.len();
    }
}

fn find_in_segment(
    document: &Document<'_>,
    line: &str,
    start: usize,
    fields: &[(usize, Parts)],
    out: &mut Vec<Candidate>,
) {
    let mut at = start;
    for (number, field) in line.split('|').enumerate() {
        if let Some((_, parts)) = fields.iter().find(|(wanted, _)| *wanted == number) {
            let mut begin = at;
            for repetition in field.split('~') {
                let mut first = begin;
                for (index, component) in repetition.split('^').enumerate() {
                    let kind = parts.iter().find(|(wanted, _)| *wanted == index).map(|(_, kind)| kind);
                    if let Some(kind) = kind.filter(|_| component.contains(char::is_alphanumeric)) {
                        out.push(candidate(document, first, component, kind));
                    }
                    first += component.len() + 1;
                }
                begin += repetition.len() + 1;
            }
        }
        at += field.len() + 1;
    }
}

/// The value that a component, which begins at a byte of the view, holds.
fn candidate(document: &Document<'_>, start: usize, component: &str, kind: &Kind) -> Candidate {
    let start = start + component.len() - component.trim_start().len();
    Candidate {
        kind: kind.clone(),
        span: document.view.source_span(start, start + component.trim().len()),
        score: CERTAIN,
        validated: false,
        pass: if *kind == Kind::Name { Pass::Dictionary } else { Pass::Regex },
        recognizer: "hl7_field".into(),
    }
}
