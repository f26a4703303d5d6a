//! The hash under which the lexicon keeps its words. Its values are stored in the packed table, so it never changes
//! without packing again.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// Hash of a word or of a phrase of several words.
///
/// It has no key, so whoever sees one can try words on it: `Debug` prints nothing of it.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WordHash(pub u64);

impl fmt::Debug for WordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WordHash(..)")
    }
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const FACTOR: u64 = 0xD6E8_FEB8_6659_FD93;

/// Hashes the bytes of one lower-case word.
///
/// ```
/// use masker_core::view::hash_word;
///
/// let san_jose = hash_word(b"san").then(hash_word(b"jose"));
/// assert_ne!(san_jose, hash_word(b"jose").then(hash_word(b"san")));
/// ```
pub fn hash_word(word: &[u8]) -> WordHash {
    hash_part(word, 0, word.len())
}

/// Hashes the bytes `start..end` of a text.
#[inline]
pub(super) fn hash_part(text: &[u8], start: usize, end: usize) -> WordHash {
    let mut hash = SEED;
    let mut at = start;
    while at < end {
        let inside = end - at;
        let keep = if inside < 8 { (1 << (inside * 8)) - 1 } else { u64::MAX };
        hash = mix(hash ^ (load(text, at) & keep));
        at += 8;
    }
    WordHash(hash)
}

/// Hashes a word of one to eight bytes, in little-endian order with zeros behind them.
#[inline]
pub(super) fn hash_short(word: u64) -> WordHash {
    WordHash(mix(SEED ^ word))
}

/// Hashes a word of eight to fifteen bytes: the first eight, and the others in little-endian order with zeros behind them.
#[inline]
pub(super) fn hash_two(first: u64, rest: u64) -> WordHash {
    let hash = mix(SEED ^ first);
    WordHash(if rest == 0 { hash } else { mix(hash ^ rest) })
}

/// Eight bytes of a text from `at` on, little-endian, with zeros beyond its end.
#[inline]
pub(super) fn load(text: &[u8], at: usize) -> u64 {
    if let Some(eight) = load_inside(text, at) {
        return eight;
    }
    let rest = text.get(at..).unwrap_or_default();
    let mut eight = [0; 8];
    eight[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(eight)
}

/// Eight bytes of a text from `at` on, little-endian, where it has so many.
#[inline(always)]
pub(super) fn load_inside(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..at + 8).map(|eight| u64::from_le_bytes(eight.try_into().expect("eight bytes were taken")))
}

impl WordHash {
    /// The hash of the phrase that goes on with another word.
    pub fn then(self, next: Self) -> Self {
        Self(mix(self.0.rotate_left(23) ^ next.0))
    }
}

/// The two halves of a product of 128 bits, folded: every bit of the input reaches every bit of the result.
#[inline]
fn mix(hash: u64) -> u64 {
    let product = u128::from(hash) * u128::from(FACTOR);
    (product as u64) ^ (product >> 64) as u64
}

/// Builds hash tables over [`WordHash`], which is mixed already.
pub(crate) type WordHashBuilder = BuildHasherDefault<PassThrough>;

/// Takes the hash as it is.
#[derive(Default)]
pub(crate) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
