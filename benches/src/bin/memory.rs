//! What calls ask of the allocator, and what a stream holds.
//!
//! `memory allocations` prints one line for each call: name, tab, allocations, tab, bytes. `memory stream <megabytes>` masks a
//! message of that size in parts of 4 KB, and prints the most kilobytes that ever lay in memory.
#![expect(clippy::print_stdout, reason = "read by xtask")]

use allocation_counter::measure;
use masker_benches::{CLEAN, Payload, TRANSCRIPT, TURN, UTTERANCE, masker, peak_kb};
use masker_core::{Masker, Role};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["allocations"] => allocations(),
        ["stream", megabytes] => stream(megabytes.parse()?)?,
        _ => return Err("usage: memory <allocations | stream MEGABYTES>".into()),
    }
    Ok(())
}

/// Means over the pieces of each payload, once everything was seen before.
fn allocations() {
    let masker = masker();
    let show = |call: &str, payload: &Payload, work: &dyn Fn(&Masker, &str)| {
        let pieces = payload.pieces();
        let all = || {
            for piece in &pieces {
                work(&masker, piece);
            }
        };
        all();
        let info = measure(all);
        let each = |total: u64| total as f64 / pieces.len() as f64;
        println!("{call} {}\t{:.1}\t{:.0}", payload.name, each(info.count_total), each(info.bytes_total));
    };
    for payload in [&CLEAN, &UTTERANCE, &TURN, &TRANSCRIPT] {
        show("detect", payload, &|masker, piece| {
            masker.detect(piece).expect("text alone is no error");
        });
        show("mask", payload, &|masker, piece| {
            masker.mask(piece).expect("the vault is memory");
        });
    }
}

fn stream(megabytes: usize) -> Result<(), masker_core::Error> {
    let conversation = masker().conversation("long");
    let mut stream = conversation.stream_masker(Role::User);
    let text = CLEAN.text.repeat(2);
    let mut left = megabytes * 1_000_000;
    while left > 0 {
        // Nothing in the text is longer than a byte, so every cut is one between characters.
        for part in text.as_bytes().chunks(4096) {
            stream.push(std::str::from_utf8(part).expect("the text is ASCII"))?;
        }
        left = left.saturating_sub(text.len());
    }
    stream.finish()?;
    println!("{}", peak_kb().unwrap_or_default());
    Ok(())
}
