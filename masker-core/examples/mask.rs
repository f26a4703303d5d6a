//! Masks what a caller says, lets a model answer with the tokens, and restores the answer.
//!
//! `cargo run -p masker-core --example mask`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::Masker;

fn main() -> Result<(), masker_core::Error> {
    // Ready at once: default policy, vault in memory, a key that lives as long as the masker.
    let masker = Masker::new()?;

    let said = "this is sarah chen, please call me back at 415-555-0142 about the ten milligrams";
    let masked = masker.mask(said)?;
    println!("to the model:  {}", masked.text);
    for event in &masked.events {
        println!("               {} at {}..{}", event.kind, event.span.start, event.span.end);
    }

    // A model repeats the tokens it was given.
    let number = masked.text.split(' ').find(|word| word.starts_with("MSKV1.PHONE.")).unwrap_or_default();
    let answer = format!("I will call you at {number} this afternoon.");
    let restored = masker.rehydrate(&answer)?;
    println!("to the caller: {}", restored.text);
    assert_eq!(restored.text, "I will call you at 415-555-0142 this afternoon.");
    Ok(())
}
