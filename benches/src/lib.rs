//! Payloads of the benchmarks, each with the number of findings it must have, so that nobody times a broken detector.

use masker_core::Masker;

/// One text with what must be found in it.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    /// Name in reports.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
    /// How many findings it has under `healthcare-default`.
    pub findings: usize,
}

/// A caller's turn of about 200 bytes: a name, a birth date and a telephone number, all spoken.
pub const UTTERANCE: Payload =
    Payload { name: "utterance_200b", text: include_str!("../payloads/utterance.txt"), findings: 3 };

/// A long turn of about 2 KB: who is calling and his doctor, fax, member number, birth date, telephone, e-mail, address, a month,
/// among doses and readings that stay.
pub const TURN: Payload =
    Payload { name: "turn_2kb", text: include_str!("../payloads/turn.txt"), findings: 9 };

/// Four pieces of prose of about 1 KB each, with a signature line at the end of the second.
pub const PROSE: Payload =
    Payload { name: "prose_1kb", text: include_str!("../payloads/prose.txt"), findings: 3 };

/// The 1 KB pieces of [`PROSE`].
pub fn prose_pieces() -> Vec<&'static str> {
    PROSE.text.split("\n\n").collect()
}

/// What a megabyte of one pattern is made of. A linear detector spends about the same time a byte on each.
pub const PATTERNS: &[&str] = &[
    "1",
    "1.",
    "1-",
    "1 ",
    "9,",
    "a",
    "a.",
    "a@",
    "a@a.",
    "ab:",
    "http://",
    "www.",
    "(",
    "()",
    "-",
    "+1",
    ":",
    "::",
    "/",
    "%40",
    "\u{200b}",
    "\u{ff11}",
    "one ",
    "oh ",
    "double ",
    "at ",
    "dot ",
    "mary ",
    "Mary ",
    "dr ",
    "may ",
    "my name is ",
    "st. ",
    "[PHONE_",
    "MSKV1.",
    "MSK1.A.B.",
    "\n",
    " ",
];

/// About a megabyte of one pattern.
pub fn megabyte_of(pattern: &str) -> String {
    pattern.repeat((1 << 20) / pattern.len())
}

/// A masker with every built-in pass and a vault in memory.
///
/// # Panics
///
/// When the system gives no random bytes.
pub fn masker() -> Masker {
    Masker::new().expect("the built-in policy is valid")
}

/// Fails unless a payload has its findings.
///
/// # Panics
///
/// When the number differs.
pub fn check(masker: &Masker, payload: Payload) {
    let pieces: Vec<&str> = payload.text.split("\n\n").collect();
    let findings: usize =
        pieces.iter().map(|piece| masker.detect(piece).expect("text alone is no error").len()).sum();
    assert_eq!(findings, payload.findings, "findings in {}", payload.name);
}

/// Runs the programs of the READMEs as doc tests. They stand here because this crate is never published, and the
/// workspace's README is no part of one that is.
#[cfg(doctest)]
mod readmes {
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
        for payload in [UTTERANCE, TURN, PROSE] {
            check(&masker, payload);
        }
    }

    #[test]
    fn payloads_have_their_sizes() {
        let within = |text: &str, size: usize| (size * 9 / 10..=size * 11 / 10).contains(&text.len());
        assert!(within(UTTERANCE.text, 200), "{}", UTTERANCE.text.len());
        assert!(within(TURN.text, 2048), "{}", TURN.text.len());
        for piece in prose_pieces() {
            assert!(within(piece, 1024), "{}", piece.len());
        }
        for pattern in PATTERNS {
            assert!(within(&megabyte_of(pattern), 1 << 20), "{pattern:?}");
        }
    }
}
