//! What `cargo xtask instructions` counts: every job once inside [`measured`], everything else outside.
//!
//! Prints one line for each job, in order: name, tab, bytes. Keys are fixed, so that a run does what the run before did.
#![expect(clippy::print_stdout, reason = "read by xtask")]

use std::hint::black_box;

use masker_benches::{CHAT, CLEAN, DENSE, PROSE, TRANSCRIPT, TURN, UTTERANCE, WORST};
use masker_core::{KeyRing, Kid, Masker};

/// Two lengths of every text that is made to be slow: twice the text may cost twice the work.
const LENGTHS: [usize; 2] = [32 << 10, 64 << 10];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let detector = masker()?;
    for payload in [UTTERANCE, TURN, CLEAN, PROSE, DENSE, TRANSCRIPT] {
        let pieces = payload.pieces();
        let detect = || {
            for piece in &pieces {
                black_box(detector.detect(black_box(piece)).expect("text alone is no error"));
            }
        };
        // The first time fills what is kept between calls.
        detect();
        count(&format!("detect {}", payload.name), pieces.iter().map(|piece| piece.len()).sum(), detect);
    }
    for payload in [UTTERANCE, TURN, PROSE, DENSE, TRANSCRIPT] {
        let pieces = payload.pieces();
        // Its vault holds none of the values.
        let masker = masker()?;
        count(&format!("mask {}", payload.name), pieces.iter().map(|piece| piece.len()).sum(), || {
            for piece in &pieces {
                black_box(masker.mask(black_box(piece)).expect("the vault is memory"));
            }
        });
        let masked = masker.mask_batch(&pieces)?;
        count(
            &format!("rehydrate {}", payload.name),
            masked.iter().map(|masked| masked.text.len()).sum(),
            || {
                for masked in &masked {
                    black_box(masker.rehydrate(black_box(&masked.text)).expect("the vault is memory"));
                }
            },
        );
    }
    let masker = masker()?;
    count("mask chat", CHAT.text.len(), || {
        black_box(masker.mask_chat(black_box(CHAT.text)).expect("a chat is no error"));
    });
    for worst in WORST {
        for length in LENGTHS {
            let text = worst.text(length);
            count(&format!("worst {} {}", worst.name, length >> 10), text.len(), || {
                black_box(detector.detect(black_box(&text)).expect("text alone is no error"));
            });
        }
    }
    Ok(())
}

/// A masker with fixed keys that has seen one text.
fn masker() -> Result<Masker, Box<dyn std::error::Error>> {
    let kid: Kid = "K_HEALTHCARE".parse()?;
    let keys = KeyRing::builder().key(&kid, [7; 32]).build()?;
    let masker = Masker::builder().keys(keys).build()?;
    masker.mask("nothing to find here")?;
    Ok(masker)
}

fn count(name: &str, bytes: usize, mut work: impl FnMut()) {
    measured(&mut work);
    println!("{}\t{bytes}", name.escape_debug());
}

/// The counter is switched on at the entry of this function and off at its end, by its name.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // Without this the call above becomes a jump, and the function has no end.
    black_box(());
}
