//! A process that masks one turn and ends: what it takes is what the first text of a cold process waits for.
//!
//! Prints the kilobytes that lie in memory then.
#![expect(clippy::print_stdout, reason = "read by xtask and a test")]

use masker_benches::{UTTERANCE, masker, resident_kb};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let masker = masker();
    let masked = masker.mask(UTTERANCE.text)?;
    if masked.redaction_count() != UTTERANCE.findings {
        return Err("the first text has not its findings".into());
    }
    println!("{}", resident_kb().unwrap_or_default());
    Ok(())
}
