//! Tokens that outlive the process: the vault is a file, the key comes from outside.
//!
//! `cargo run -p masker-core --features vault-sqlite --example vault`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::path::Path;
use std::sync::Arc;

use masker_core::{KeyRing, Masker, SqliteVault};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("calls.db");
    let key = [7; 32];

    let said = "this is sarah chen at 415-555-0142";
    let masked = open(&file, key)?.mask(said)?;
    println!("{}", masked.text);

    // The first masker is gone; a new one on the same file and key knows the originals.
    let restored = open(&file, key)?.rehydrate(&masked.text)?;
    println!("{} ({} restored)", restored.text, restored.restored);
    assert_eq!(restored.text, said);
    Ok(())
}

fn open(file: &Path, key: [u8; 32]) -> Result<Masker, Box<dyn std::error::Error>> {
    let keys = KeyRing::builder().key(&"K_HEALTHCARE".parse()?, key).build()?;
    let vault = SqliteVault::open(file)?;
    Ok(Masker::builder().keys(keys).vault(Arc::new(vault)).build()?)
}
