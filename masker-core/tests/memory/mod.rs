//! Looks into the memory of the process. Tests of the server use it too.
#![allow(unreachable_pub, reason = "it is a module of several tests")]

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};

/// Flips every bit that tells the needle from what is looked for, so that the search does not find itself.
pub const VEIL: u8 = 0x5a;

/// How often the veiled bytes are in the writable memory outside this thread's stack, where values that were moved leave copies.
pub fn copies(veiled: &[u8]) -> usize {
    let here = &raw const veiled as usize;
    let maps = fs::read_to_string("/proc/self/maps").expect("the system shows the memory map");
    let mut memory = File::open("/proc/self/mem").expect("the system shows a process its memory");
    let mut found = 0;
    let mut block = vec![0_u8; 1 << 20];
    for line in maps.lines() {
        let mut parts = line.split_whitespace();
        let (range, access) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (start, end) = range.split_once('-').expect("a range has two ends");
        let parse = |text| usize::from_str_radix(text, 16).expect("addresses are hexadecimal");
        let (start, end) = (parse(start), parse(end));
        if !access.starts_with("rw") || (start..end).contains(&here) || line.ends_with("[stack]") {
            continue;
        }
        let mut at = start;
        while at < end {
            let len = block.len().min(end - at);
            let read =
                memory.seek(SeekFrom::Start(at as u64)).and_then(|_| memory.read_exact(&mut block[..len]));
            if read.is_err() {
                break;
            }
            let own = block.as_ptr() as usize;
            let is_match = |(offset, window): (usize, &[u8])| {
                let place = at + offset;
                !(own..own + block.len()).contains(&place)
                    && window.iter().zip(veiled).all(|(a, b)| *a ^ VEIL == *b)
            };
            found += block[..len].windows(veiled.len()).enumerate().filter(|hit| is_match(*hit)).count();
            // A needle may lie across two blocks.
            at += if len == end - at { len } else { len - veiled.len() + 1 };
        }
    }
    block.fill(0);
    found
}

/// What is looked for, so that it is not itself in memory.
pub fn veil(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ VEIL).collect()
}
