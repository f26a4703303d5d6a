//! The tables as `build.rs` writes them for the feature `small`: how long they are, a bit for every eight bytes that are not all
//! zero, the 255 commonest values of the lower two of such eight, a code for the lower two of each, their upper six, and the
//! lower two of those whose code says that they are none of the 255.

/// How many values have a code.
const FREQUENT: usize = 255;

/// The packed tables again.
pub(super) fn expand(dense: &[u8]) -> Vec<u8> {
    let (length, rest) = dense.split_first_chunk::<8>().expect("the length stands first");
    let mut packed = vec![0; u64::from_le_bytes(*length) as usize];
    let (taken, rest) = rest.split_at(packed.len().div_ceil(64));
    let count: usize = taken.iter().map(|byte| byte.count_ones() as usize).sum();
    let (frequent, rest) = rest.split_at(2 * FREQUENT);
    let (codes, rest) = rest.split_at(count);
    let (upper, others) = rest.split_at(6 * count);
    let (frequent, mut others) = (frequent.as_chunks::<2>().0, others.as_chunks::<2>().0.iter());
    let mut values = codes.iter().zip(upper.as_chunks::<6>().0);
    for (byte, words) in taken.iter().zip(packed.chunks_mut(64)) {
        for (bit, word) in words.chunks_mut(8).enumerate() {
            if byte & (1 << bit) != 0 {
                let (code, upper) = values.next().expect("there is a value for every bit");
                let lower = frequent.get(usize::from(*code)).or_else(|| others.next());
                word[..2].copy_from_slice(lower.expect("what has no code follows apart"));
                word[2..].copy_from_slice(upper);
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
