//! What is left in the memory of the process once keys and texts are dropped: none of them.
//!
//! The test reads its own memory, so it runs where the system shows a process its own.
#![cfg(target_os = "linux")]

mod memory;

use std::sync::{Mutex, PoisonError};

use masker_core::{KeyRing, Kid, Masker, Policy, Scheme};
use memory::{VEIL, copies, veil};

/// One look at the memory at a time, with no other test at work.
static ALONE: Mutex<()> = Mutex::new(());

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
