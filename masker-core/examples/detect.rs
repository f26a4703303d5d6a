//! Prints what is found in a text given as argument: kind, place, score, and what found it.
//!
//! `cargo run -p masker-core --example detect -- "call me at 415-555-0142"`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::{Masker, OffsetUnit, convert_spans};

fn main() -> Result<(), masker_core::Error> {
    let text = std::env::args().nth(1).unwrap_or_else(|| {
        "hi this is sarah chen, born march fourteenth nineteen eighty two 😀 call 415-555-0142".into()
    });
    let findings = Masker::new()?.detect(&text)?;

    // Spans are bytes; other languages count differently, and one pass converts them all.
    let spans: Vec<_> = findings.iter().map(|finding| finding.span).collect();
    let code_points = convert_spans(&text, &spans, OffsetUnit::CodePoint);
    for (finding, (start, end)) in findings.iter().zip(code_points) {
        println!(
            "{:<12} bytes {}..{}, code points {start}..{end}, score {:.2}, {} {}",
            finding.kind,
            finding.span.start,
            finding.span.end,
            finding.confidence,
            finding.pass.as_str(),
            finding.recognizer,
        );
    }
    Ok(())
}
