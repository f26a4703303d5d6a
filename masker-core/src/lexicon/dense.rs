//! The tables as `build.rs` writes them for the feature `small`: how long they are, a bit for every eight bytes that are not all
//! zero, and those bytes.

/// The packed tables again.
pub(super) fn expand(dense: &[u8]) -> Vec<u8> {
    let (length, rest) = dense.split_first_chunk::<8>().expect("the length stands first");
    let mut packed = vec![0; u64::from_le_bytes(*length) as usize];
    let (taken, mut values) = rest.split_at(packed.len().div_ceil(64));
    for (byte, words) in taken.iter().zip(packed.chunks_mut(64)) {
        for (bit, word) in words.chunks_mut(8).enumerate() {
            if byte & (1 << bit) != 0 {
                let (value, behind) = values.split_at(word.len());
                word.copy_from_slice(value);
                values = behind;
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_lost() {
        let packed: &[u8] = include_bytes!("../../data/packed/lexicon.bin");
        assert!(super::super::packed() == packed);
    }
}
