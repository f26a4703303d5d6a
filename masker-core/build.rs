//! Writes the word tables in less room than they have at work, for the feature `small`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::{env, fs};

/// Values of the lower 16 bits that are written as one byte; the last code of a byte says that another value follows apart.
const FREQUENT: usize = 255;

fn main() {
    const PACKED: &str = "data/packed/lexicon.bin";
    println!("cargo::rerun-if-changed={PACKED}");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_SMALL").is_none() {
        return;
    }
    let packed = fs::read(PACKED).expect("the packed tables are part of the crate");
    let (words, rest) = packed.as_chunks::<8>();
    assert!(rest.is_empty(), "the packed tables are whole words");
    let mut taken = vec![0_u8; words.len().div_ceil(8)];
    for (index, word) in words.iter().enumerate() {
        taken[index / 8] |= u8::from(*word != [0; 8]) << (index % 8);
    }
    let values: Vec<&[u8; 8]> = words.iter().filter(|word| **word != [0; 8]).collect();

    let lower = |word: &[u8; 8]| [word[0], word[1]];
    let mut counts: HashMap<[u8; 2], usize> = HashMap::new();
    for value in &values {
        *counts.entry(lower(value)).or_default() += 1;
    }
    let mut frequent: Vec<[u8; 2]> = counts.keys().copied().collect();
    frequent.sort_by_key(|lower| (std::cmp::Reverse(counts[lower]), *lower));
    frequent.resize(FREQUENT, [0; 2]);
    let codes: HashMap<[u8; 2], u8> = frequent.iter().copied().zip(0..).collect();

    let mut out = (packed.len() as u64).to_le_bytes().to_vec();
    out.extend(&taken);
    out.extend(frequent.as_flattened());
    out.extend(values.iter().map(|value| codes.get(&lower(value)).copied().unwrap_or(u8::MAX)));
    out.extend(values.iter().flat_map(|value| &value[2..]));
    out.extend(values.iter().map(|value| lower(value)).filter(|lower| !codes.contains_key(lower)).flatten());
    let path = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder")).join("lexicon.dense");
    fs::write(path, out).expect("cargo's folder can be written");
}
