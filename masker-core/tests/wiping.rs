//! What is left in the memory of the process once keys and texts are dropped: none of them.
//!
//! The test reads its own memory, so it runs where the system shows a process its own.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::{Mutex, PoisonError};

use masker_core::{KeyRing, Kid, Masker, Policy, Scheme};

/// One look at the memory at a time, with no other test at work.
static ALONE: Mutex<()> = Mutex::new(());

/// Flips every bit that tells the needle from what is looked for, so that the search does not find itself.
const VEIL: u8 = 0x5a;

/// How often the veiled bytes are in the writable memory outside this thread's stack, where values that were moved leave copies.
fn copies(veiled: &[u8]) -> usize {
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

fn veil(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ VEIL).collect()
}

fn kid() -> Kid {
    "K_HEALTHCARE".parse().expect("a key id")
}

fn root() -> [u8; 32] {
    std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ 0xc3)
}

#[test]
fn keys_subkeys_and_expanded_keys_are_wiped() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let needles: Vec<Vec<u8>> = {
        let mut root = root();
        let contexts = ["token prf", "vault record", "aead token", "aead nonce", "vault nonce", "pseudonym"];
        let mut needles: Vec<Vec<u8>> = contexts
            .iter()
            .map(|name| veil(&blake3::derive_key(&format!("masker 2026 {name} v1"), &root)))
            .collect();
        needles.push(veil(&root));
        root.fill(0);
        needles
    };
    let ring = KeyRing::builder().key(&kid(), root()).build().expect("a sound key");
    let masker =
        Masker::builder().policy(Policy::healthcare_default()).keys(ring.clone()).build().expect("a masker");
    let masked = masker.mask("call (415) 555-0142 or ada@example.com").expect("masking succeeds");
    masker.rehydrate(&masked.text).expect("restoring succeeds");
    assert!(copies(&needles[0]) > 0, "the search finds a subkey while it is in use");
    drop((masker, ring));
    for (needle, name) in
        needles.iter().zip(["prf", "record", "aead", "nonce", "record nonce", "pseudonym", "root"])
    {
        assert_eq!(copies(needle), 0, "the {name} key is still in memory");
    }
}

#[test]
fn working_buffers_are_wiped_where_that_is_asked_for() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Spelled by number, so that the program itself does not hold it.
    let letters = |first: u8| (0..20).map(move |i| first + (i * 7 % 26));
    let veiled = |first| letters(first).map(|b| b ^ VEIL).collect::<Vec<u8>>();
    for scheme in [Scheme::VaultDeterministic, Scheme::ReversibleAead] {
        let masker = Masker::builder()
            .policy(Policy::healthcare_default().with_scheme(scheme))
            .wipe_buffers(true)
            .build()
            .expect("a masker");
        // The text is in capitals, so the lower-case needle is in the copies of detection and in the comparison form alone.
        // So long that what is allocated afterwards cannot cover all of a buffer that was merely freed.
        let mut text = zeroize::Zeroizing::new(String::with_capacity(100_000));
        for _ in 0..1_000 {
            text.push_str("My E-MAIL is ");
            text.extend(letters(b'A').map(char::from));
            text.push_str("@EXAMPLE.COM and that is all. ");
        }
        let masked = masker.mask(&text).expect("masking succeeds");
        assert_eq!(masked.redaction_count(), 1_000);
        assert_eq!(copies(&veiled(b'a')), 0, "{scheme:?}: a folded copy is still in memory");
        let restored =
            zeroize::Zeroizing::new(masker.rehydrate(&masked.text).expect("restoring succeeds").text);
        assert!(*restored == *text);
        drop((restored, text));
        assert_eq!(copies(&veiled(b'A')), 0, "{scheme:?}: the original is still in memory");
    }
}
