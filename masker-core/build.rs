//! Writes the word tables without their free slots, for the feature `small`.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    const PACKED: &str = "data/packed/lexicon.bin";
    println!("cargo::rerun-if-changed={PACKED}");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_SMALL").is_none() {
        return;
    }
    let packed = fs::read(PACKED).expect("the packed tables are part of the crate");
    let words: Vec<&[u8]> = packed.chunks(8).collect();
    let mut taken = vec![0_u8; words.len().div_ceil(8)];
    let mut values = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if word.len() < 8 || word.iter().any(|byte| *byte != 0) {
            taken[index / 8] |= 1 << (index % 8);
            values.extend_from_slice(word);
        }
    }
    let length = (packed.len() as u64).to_le_bytes();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder")).join("lexicon.dense");
    fs::write(out, [&length[..], &taken, &values].concat()).expect("cargo's folder can be written");
}
