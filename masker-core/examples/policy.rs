//! Decides per kind what happens to a finding, and teaches masker a number format of one's own.
//!
//! `cargo run -p masker-core --example policy`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::{Masker, Policy};

const POLICY: &str = r"
name: front-desk
version: 1
kid: EPHEMERAL
tokenization: vault-deterministic
passes: [regex, dictionary, spoken]
entities:
  PHONE: { action: tokenize }
  EMAIL: { action: redact }
  RX_NUMBER: { action: tokenize, ner: false }
recognizers:
  - name: rx_number
    entity: RX_NUMBER
    patterns: [{ regex: '\bRX\d{8}\b' }]
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let masker = Masker::builder().policy(Policy::from_yaml(POLICY)?).build()?;
    let masked = masker.mask("refill RX20418877, call 415-555-0142 or write to ada@example.com")?;
    println!("{}", masked.text);
    assert!(masked.text.contains("[REDACTED:EMAIL]"));

    // Every mistake of a policy is reported at once, each with its place.
    let broken = POLICY.replace("PHONE:", "PHNOE:").replace("action: redact", "acton: redact");
    if let Err(mistakes) = Policy::from_yaml(&broken) {
        for mistake in &mistakes {
            println!("{mistake}");
        }
    }
    Ok(())
}
