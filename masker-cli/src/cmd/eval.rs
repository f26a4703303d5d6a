//! `masker eval`.

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use masker_core::{Kind, OffsetUnit, Span, convert_spans};
use serde_json::{Map, Value, json};

use crate::args;
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io::{Source, not_utf8};
use crate::score::{Counts, Label, Scores};
use crate::setup;
use crate::ui::{Table, Ui};

/// One line of labelled text.
struct Case {
    text: String,
    labels: Vec<Label>,
    ignore: Vec<(usize, usize)>,
}

pub(crate) fn run(command: &args::Eval, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let masker = setup::detector(setup::policy(settings, ui)?)?;
    let source = Source::from_arg(Some(&command.data));
    let unit = setup::unit(command.offsets);
    let progress = ui.progress(source.size());
    let mut input = source.open()?;
    let (mut scores, mut took, mut characters) = (Scores::default(), Duration::ZERO, 0_u64);
    let (mut line, mut number, mut offset) = (Vec::new(), 0_u64, 0_u64);
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|e| source.read_error(&e))?;
        if read == 0 {
            break;
        }
        number += 1;
        let place = |e: CliError| e.at(&format!("line {number}"));
        let text =
            std::str::from_utf8(&line).map_err(|e| place(not_utf8(offset + e.valid_up_to() as u64)))?;
        let text = if offset == 0 { text.trim_start_matches('\u{feff}') } else { text };
        offset += read as u64;
        progress.inc(read as u64);
        if text.trim().is_empty() {
            continue;
        }
        let case = parse(text).and_then(|case| check(&case, unit).map(|()| case)).map_err(place)?;
        let started = Instant::now();
        let found = masker.detect(&case.text).map_err(|e| place(setup::core_error(&e)))?;
        took += started.elapsed();
        characters += case.text.chars().count() as u64;
        let spans: Vec<Span> = found.iter().map(|f| f.span).collect();
        let found: Vec<Label> = found
            .iter()
            .zip(convert_spans(&case.text, &spans, unit))
            .map(|(f, (start, end))| Label { start, end, kind: f.kind.to_string() })
            .collect();
        scores.add(&case.labels, &found, &case.ignore, command.matching);
    }
    progress.finish_and_clear();
    if number == 0 {
        return Err(CliError::failure("there is no labelled text in the input").code("no_data"));
    }
    let speed = (characters as f64 / took.as_secs_f64().max(1e-9)).round() as u64;
    report(command, &scores, characters, speed, number, ui)?;
    let recall = scores.overall().recall();
    match command.min_recall {
        Some(floor) if recall < f64::from(floor) => {
            Err(CliError::refused(format!("recall {recall:.4} is below the floor {floor}"))
                .code("below_floor"))
        }
        _ => Ok(Exit::Success),
    }
}

fn report(
    command: &args::Eval,
    scores: &Scores,
    characters: u64,
    speed: u64,
    lines: u64,
    ui: &Ui,
) -> Result<()> {
    if ui.wants_table() {
        let mut table = Table::new(&["KIND", "PRECISION", "RECALL", "F1", "RIGHT", "WRONG", "MISSED"]);
        let mut row = |name: &str, c: Counts| {
            let share = |x: f64| format!("{x:.4}");
            table.row([
                name.to_owned(),
                share(c.precision()),
                share(c.recall()),
                share(c.f1()),
                c.right.to_string(),
                c.wrong.to_string(),
                c.missed.to_string(),
            ]);
        };
        if command.by_kind {
            for (kind, counts) in &scores.kinds {
                row(kind, *counts);
            }
        }
        row("overall", scores.overall());
        return ui.print(&format!(
            "{}\n{lines} lines, {characters} characters, {speed} characters per second\n",
            table.render(ui.color())
        ));
    }
    let by_kind: Map<String, Value> =
        scores.kinds.iter().map(|(kind, counts)| (kind.clone(), counts.to_json())).collect();
    let matching = match command.matching {
        args::Match::Exact => "exact",
        args::Match::Partial => "partial",
        args::Match::Type => "type",
    };
    ui.print_json(&json!({
        "match": matching,
        "lines": lines,
        "overall": scores.overall().to_json(),
        "by_kind": by_kind,
        "characters": characters,
        "chars_per_second": speed,
    }))
}

fn parse(line: &str) -> Result<Case> {
    let bad = |what: &str| CliError::failure(format!("the record {what}")).code("bad_record");
    let value: Value =
        serde_json::from_str(line).map_err(|e| bad(&format!("is not JSON at column {}", e.column())))?;
    let text = value.get("text").and_then(Value::as_str).ok_or_else(|| bad("has no text"))?.to_owned();
    let list = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(&[][..]),
        Some(Value::Array(items)) => Ok(items.as_slice()),
        Some(_) => Err(bad(&format!("has a member {name} that is not a list"))),
    };
    let ends = |item: &Value| {
        let end =
            |index: usize, name: &str| item.get(index).or_else(|| item.get(name)).and_then(Value::as_u64);
        let (start, end) = (end(0, "start")?, end(1, "end")?);
        (start < end).then_some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
    };
    if value.get("spans").is_none() {
        return Err(bad("has no spans"));
    }
    let mut labels = Vec::new();
    for item in list("spans")? {
        let (start, end) = ends(item).ok_or_else(|| bad("has a span without start and end"))?;
        let kind = item.get(2).or_else(|| item.get("kind")).and_then(Value::as_str);
        let kind: Kind =
            kind.and_then(|k| k.parse().ok()).ok_or_else(|| bad("has a span whose kind is not one"))?;
        labels.push(Label { start, end, kind: kind.to_string() });
    }
    let ignore: Option<Vec<_>> = list("ignore")?.iter().map(ends).collect();
    Ok(Case {
        text,
        labels,
        ignore: ignore.ok_or_else(|| bad("has an ignored region without start and end"))?,
    })
}

/// A label outside the text means that the unit is wrong, and every figure with it.
fn check(case: &Case, unit: OffsetUnit) -> Result<()> {
    let length = match unit {
        OffsetUnit::CodePoint => case.text.chars().count(),
        OffsetUnit::Utf16 => case.text.chars().map(char::len_utf16).sum(),
        _ => case.text.len(),
    };
    if case.labels.iter().map(|l| l.end).chain(case.ignore.iter().map(|r| r.1)).all(|end| end <= length) {
        return Ok(());
    }
    Err(CliError::failure("the record has a span that ends after the text")
        .code("bad_record")
        .hint("--offsets says in which unit the spans count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_spans_are_read() {
        let case = parse(r#"{"text": "abcdef", "spans": [[0, 2, "NAME"], {"start": 3, "end": 4, "kind": "RX_NUMBER"}], "ignore": [{"start": 4, "end": 6}]}"#).unwrap();
        let label = |start, end, kind: &str| Label { start, end, kind: kind.to_owned() };
        assert_eq!(case.labels, [label(0, 2, "NAME"), label(3, 4, "RX_NUMBER")]);
        assert_eq!(case.ignore, [(4, 6)]);
    }

    #[test]
    fn bad_records_are_errors_without_their_text() {
        for line in [
            "secret",
            r#"{"spans": []}"#,
            r#"{"text": "secret"}"#,
            r#"{"text": "secret", "spans": 5}"#,
            r#"{"text": "secret", "spans": [[2, 1, "NAME"]]}"#,
            r#"{"text": "secret", "spans": [[1, 2, "secret"]]}"#,
            r#"{"text": "secret", "spans": [], "ignore": [1]}"#,
        ] {
            let error = parse(line).err().unwrap().render();
            assert!(!error.contains("secret"), "{error}");
        }
        let case = parse(r#"{"text": "é", "spans": [[0, 2, "NAME"]]}"#).unwrap();
        assert!(check(&case, OffsetUnit::Byte).is_ok());
        assert!(check(&case, OffsetUnit::CodePoint).is_err());
    }
}
