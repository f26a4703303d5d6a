//! Sealed tokens: they carry the original inside and need the key, but no vault.
//!
//! `cargo run -p masker-core --example token`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::{KeyRing, Masker, Policy};

const POLICY: &str = "
name: sealed
version: 1
kid: K_CLINIC
tokenization: reversible-aead
passes: [regex, dictionary, spoken]
entities:
  PHONE: { action: tokenize }
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A service reads its keys from a secret store; EnvKeys and FileKeys read MASKER_KEY_<KID>.
    let kid = "K_CLINIC".parse()?;
    let masker = |key: [u8; 32]| -> Result<Masker, Box<dyn std::error::Error>> {
        let keys = KeyRing::builder().key(&kid, key).build()?;
        Ok(Masker::builder().policy(Policy::from_yaml(POLICY)?).keys(keys).build()?)
    };

    let said = "my number is 415-555-0142";
    let masked = masker([7; 32])?.mask(said)?;
    println!("{}", masked.text);

    // Another process with the same key restores it. One with another key gets the marker.
    assert_eq!(masker([7; 32])?.rehydrate(&masked.text)?.text, said);
    println!("{}", masker([8; 32])?.rehydrate(&masked.text)?.text);
    Ok(())
}
