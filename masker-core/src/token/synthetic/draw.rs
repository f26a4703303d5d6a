use crate::secret::KeyBytes;
use crate::token::enc;

/// A stream of numbers that a key, a kind, a value and an attempt determine.
pub(super) struct Draw(blake3::OutputReader);

impl Draw {
    pub(super) fn new(key: &KeyBytes, kind: &str, value: &str, attempt: u32) -> Self {
        let mut input = zeroize::Zeroizing::new(Vec::with_capacity(kind.len() + value.len() + 12));
        enc(&mut input, kind.as_bytes());
        enc(&mut input, value.as_bytes());
        input.extend_from_slice(&attempt.to_le_bytes());
        let mut hasher = blake3::Hasher::new_keyed(key.expose());
        hasher.update(&input);
        Self(hasher.finalize_xof())
    }

    /// A number below `limit`, which is above 0. The bias of the reduction is below 2^-32.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        ((u128::from(u64::from_le_bytes(bytes)) * u128::from(limit)) >> 64) as u32
    }

    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u32) as usize]
    }

    pub(super) fn digit(&mut self) -> char {
        char::from(b'0' + self.below(10) as u8)
    }

    pub(super) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.digit()).collect()
    }
}
