//! What is left in the memory of a server: no key once it has ended, and no working copy of a text where that is asked for.
//!
//! The test reads its own memory, so it runs where the system shows a process its own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "../../masker-core/tests/memory/mod.rs"]
mod memory;

use std::sync::{Mutex, PoisonError};

use common::Server;
use memory::{VEIL, copies, veil};
use serde_json::json;
use tokio::runtime::Builder;

/// One look at the memory at a time, with no other test at work.
static ALONE: Mutex<()> = Mutex::new(());

const KEYS: [&str; 5] = [
    "MASKER_KEY_K_HEALTHCARE",
    "MASKER_AEAD_KEY",
    "MASKER_AUDIT_HMAC_KEY",
    "MASKER_SESSION_SECRET",
    "MASKER_REPORT_SIGNING_KEY",
];

/// Runs on this thread alone, whose stack the search leaves out.
fn run<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn keys_are_wiped_with_the_server() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Made by number, so that the program itself does not hold them.
    let key =
        |n: usize| -> [u8; 32] { std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ (0xc3 + 7 * n as u8)) };
    let needles: Vec<Vec<u8>> = (0..KEYS.len()).map(|n| veil(&key(n))).collect();
    let written: Vec<String> = (0..KEYS.len()).map(|n| data_encoding::BASE64.encode(&key(n))).collect();
    run(async {
        let vars: Vec<(&str, &str)> = KEYS.into_iter().zip(written.iter().map(String::as_str)).collect();
        let server = Server::with(&vars);
        let secret = json!({ "webhook_secret": "quillfeather-quillfeather" });
        let agent = server.agent("a", secret).await;
        server.chat(&agent, "I'm Ann Reed, call 415-555-0142").await.expect(200);
        server.get("/api/v1/reports").await.expect(200);
        assert!(copies(&needles[1]) > 0, "the search finds a key while it is in use");
    });
    for (needle, name) in needles.iter().zip(KEYS) {
        assert_eq!(copies(needle), 0, "{name} is still in memory");
    }
}

#[test]
fn working_buffers_are_wiped_where_that_is_asked_for() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Spelled by number, so that the program itself does not hold it.
    let letters = |first: u8, seed: u8| (0..20).map(move |i| first + (i * 7 + seed) % 26);
    let copies_left = |setting: &str, seed: u8| {
        let server = Server::with(&[("MASKER_ZEROIZE_BUFFERS", setting)]);
        let lower: Vec<u8> = letters(b'a', seed).map(|b| b ^ VEIL).collect();
        // The text is in capitals, so the lower-case needle is in the copies of detection and in the comparison form alone. It
        // is so long that what is allocated afterwards hardly covers all of a buffer that was merely freed.
        let mut text = String::new();
        for _ in 0..1_000 {
            text.push_str("My E-MAIL is ");
            text.extend(letters(b'A', seed).map(char::from));
            text.push_str("@EXAMPLE.COM and that is all. ");
        }
        run(async {
            let agent = server.agent("a", json!({})).await;
            server.chat(&agent, &text).await.expect(200);
            let masked = server.post("/api/v1/mask", json!({ "text": text })).await.expect(200);
            assert_eq!(masked["redaction_count"], 1_000);
        });
        copies(&lower)
    };
    assert_eq!(copies_left("1", 1), 0);
    // What was freed may go back to the system, and be gone by that, now and then.
    assert!((2..8).any(|seed| copies_left("0", seed) > 0), "the search finds what is not wiped");
}
