//! What is measured: texts with the number of findings each must have, and texts made to be slow; and how it is timed.

mod calls;
mod payloads;
mod resident;
mod rounds;
mod worst;

use masker_core::Masker;

pub use self::calls::sixty_turns;
pub use self::payloads::{CHAT, CLEAN, DENSE, PROSE, Payload, TEXTS, TRANSCRIPT, TURN, UTTERANCE};
pub use self::resident::{peak_kb, resident_kb};
pub use self::rounds::{Job, interleave};
pub use self::worst::{WORST, Worst};

/// A masker with every built-in pass and a vault in memory.
///
/// # Panics
///
/// When the system gives no random bytes.
pub fn masker() -> Masker {
    Masker::new().expect("the built-in policy is valid")
}

/// Runs the programs of the pages as doc tests. They stand here because this crate is never published, and the pages are no
/// part of one that is.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/adding-a-kind.md")]
    mod adding_a_kind {}
    #[doc = include_str!("../../docs/conversations.md")]
    mod conversations {}
    #[doc = include_str!("../../docs/policy.md")]
    mod policy {}
    #[doc = include_str!("../../docs/rust.md")]
    mod rust {}
    #[doc = include_str!("../../README.md")]
    mod workspace {}
    #[doc = include_str!("../../masker-core/README.md")]
    mod core {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_findings() {
        let masker = masker();
        for payload in TEXTS.iter().chain([&CHAT]) {
            payload.check(&masker);
        }
    }

    #[test]
    fn payloads_have_their_sizes() {
        let within = |text: &str, size: usize| (size * 17 / 20..=size * 23 / 20).contains(&text.len());
        assert!(within(UTTERANCE.text, 200), "{}", UTTERANCE.text.len());
        assert!(within(TURN.text, 2048), "{}", TURN.text.len());
        for payload in [CLEAN, PROSE, DENSE, TRANSCRIPT] {
            for piece in payload.pieces() {
                assert!(within(piece, 1024), "{} bytes of {}", piece.len(), payload.name);
            }
        }
        assert!(PROSE.text.len() > 64 << 10, "{}", PROSE.text.len());
        for worst in WORST {
            assert!(within(&worst.text(1 << 20), 1 << 20), "{}", worst.name);
        }
    }
}
