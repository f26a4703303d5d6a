//! `masker detect`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use masker_core::payload::visit_chat;
use masker_core::{Finding, Masker, OffsetUnit, Span, convert_spans};

use super::{answer_lines, format, source, watched};
use crate::answer::{self, LineFindings};
use crate::args::{self, Format};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io::Source;
use crate::jsonl::Answer;
use crate::setup;
use crate::ui::{Table, Ui, kind_style, printable};

pub(crate) fn run(command: &args::Detect, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let mut policy = setup::with_passes(setup::policy(settings, ui)?, &command.passes)?;
    if let Some(threshold) = command.threshold {
        policy =
            policy.with_threshold(f64::from(threshold)).map_err(|e| setup::bad_flag("--threshold", &e))?;
    }
    let source = source(&command.input, ui)?;
    let format = format(&command.shape, &source)?;
    let masker = setup::detector(policy)?;
    let unit = setup::unit(command.shape.offsets);
    let count = match format {
        Format::Text => text(command, &masker, &source, unit, ui)?,
        Format::Chat => messages(command, &masker, &source, unit, ui)?,
        Format::Jsonl => lines(command, &masker, &source, unit, ui)?,
    };
    if count == 0 && command.require_match {
        return Err(CliError::refused("nothing was found").code("no_match"));
    }
    Ok(Exit::Success)
}

fn text(command: &args::Detect, masker: &Masker, source: &Source, unit: OffsetUnit, ui: &Ui) -> Result<u64> {
    let text = source.read_text()?;
    let found =
        watched(&text, "detecting", ui, || masker.detect(&text)).map_err(|e| setup::core_error(&e))?;
    if ui.wants_table() {
        ui.print(&page(&text, &found, unit, !command.no_text, ui.color()))?;
    } else {
        ui.print_json(&answer::findings(&text, &found, unit, !command.no_text, None))?;
    }
    Ok(found.len() as u64)
}

fn messages(
    command: &args::Detect,
    masker: &Masker,
    source: &Source,
    unit: OffsetUnit,
    ui: &Ui,
) -> Result<u64> {
    let (mut list, mut pages) = (Vec::new(), String::new());
    visit_chat(&source.read_text()?, masker.policy().non_text(), |place| -> Result<_> {
        let (path, text) = (place.path, place.text);
        let found = match place.label {
            Some(label) => masker.detect_field(label, text),
            None => masker.detect(text),
        }?;
        if ui.wants_table() && !found.is_empty() {
            let _ = writeln!(pages, "{path}\n{}", page(text, &found, unit, !command.no_text, ui.color()));
        }
        list.extend(answer::findings(text, &found, unit, !command.no_text, Some(path)));
        Ok(None)
    })?;
    if ui.wants_table() {
        ui.print(if pages.is_empty() { "nothing found\n" } else { &pages })?;
    } else {
        ui.print_json(&list)?;
    }
    Ok(list.len() as u64)
}

fn lines(command: &args::Detect, masker: &Masker, source: &Source, unit: OffsetUnit, ui: &Ui) -> Result<u64> {
    let count = AtomicU64::new(0);
    let work = |text: &str| {
        let found = masker.detect(text).map_err(|e| setup::core_error(&e))?;
        count.fetch_add(found.len() as u64, Ordering::Relaxed);
        Ok(Answer::Members(LineFindings::new(text, found, unit)))
    };
    answer_lines(source, &command.shape.lines, ui, &work)?;
    Ok(count.into_inner())
}

/// The text with its findings highlighted by kind, and a table of them.
fn page(text: &str, found: &[Finding], unit: OffsetUnit, with_text: bool, color: bool) -> String {
    let mut page = String::new();
    if with_text {
        let mut at = 0;
        for finding in found {
            page.push_str(&printable(&text[at..finding.span.start], true));
            let inner = printable(&text[finding.span.range()], true);
            if color {
                let style = kind_style(&finding.kind);
                let _ = write!(page, "{style}{inner}{style:#}");
            } else {
                let _ = write!(page, "[{inner}]");
            }
            at = finding.span.end;
        }
        page.push_str(&printable(&text[at..], true));
        if !page.ends_with('\n') {
            page.push('\n');
        }
        page.push('\n');
    }
    if found.is_empty() {
        page.push_str("nothing found\n");
        return page;
    }
    let mut headings = vec!["KIND", "SPAN", "CONFIDENCE", "PASS", "RECOGNIZER"];
    if with_text {
        headings.push("TEXT");
    }
    let spans: Vec<Span> = found.iter().map(|f| f.span).collect();
    let mut table = Table::new(&headings);
    for (finding, (start, end)) in found.iter().zip(convert_spans(text, &spans, unit)) {
        let mut cells = vec![
            finding.kind.to_string(),
            format!("{start}..{end}"),
            format!("{:.2}", finding.confidence),
            finding.pass.as_str().to_owned(),
            finding.recognizer.to_string(),
        ];
        if with_text {
            cells.push(text[finding.span.range()].to_owned());
        }
        table.row(cells);
    }
    page.push_str(&table.render(color));
    page
}
