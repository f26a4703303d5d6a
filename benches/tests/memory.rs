//! What stays small: the process, calls without findings, streams.

use std::process::Command;

use allocation_counter::measure;
use masker_benches::{CLEAN, masker, peak_kb};
use masker_core::Role;

/// Allocations of one call for a kilobyte in which nothing is found, at most.
const CLEAN_ALLOCATIONS: f64 = 20.0;

#[test]
fn a_clean_text_costs_few_allocations() {
    let masker = masker();
    let pieces = CLEAN.pieces();
    let detect = || {
        for piece in &pieces {
            assert_eq!(masker.detect(piece).unwrap(), []);
        }
    };
    // The first time fills what is kept between calls.
    detect();
    let info = measure(detect);
    let each = info.count_total as f64 / pieces.len() as f64;
    assert!(each <= CLEAN_ALLOCATIONS, "{each} allocations a call, {} bytes in all", info.bytes_total);
    assert_eq!(info.count_current, 0, "something is left behind");
}

#[test]
fn a_stream_needs_no_more_for_more_text() {
    let masker = masker();
    let peak = |times: usize| {
        let mut stream = masker.conversation("long").stream_masker(Role::User);
        let info = measure(|| {
            for _ in 0..times {
                for part in CLEAN.text.as_bytes().chunks(4096) {
                    stream.push(std::str::from_utf8(part).unwrap()).unwrap();
                }
            }
            stream.finish().unwrap();
        });
        info.bytes_max
    };
    // Long enough that nothing of the message is remembered any more.
    let (short, long) = (peak(20), peak(60));
    assert!(long <= short + short / 20, "{short} bytes for a megabyte, {long} for three");
}

#[test]
fn a_masker_is_resident_in_forty_megabytes() {
    // A process of its own: this one holds the harness and other tests.
    let output = Command::new(env!("CARGO_BIN_EXE_first_mask")).output().unwrap();
    assert!(output.status.success());
    let kilobytes: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    // Only Linux says it.
    assert!(kilobytes > 0 || peak_kb().is_none());
    assert!(kilobytes < 40 << 10, "{kilobytes} KB");
}
