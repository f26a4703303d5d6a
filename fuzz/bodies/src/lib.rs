//! What the fuzz targets do: plain functions from bytes to nothing that panic where a promise is broken.
//!
//! The programs in `fuzz/fuzz_targets` call them under libFuzzer; `tests/` calls them on a stable compiler with random bytes,
//! with the seeds and with every input that once broke a promise.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a body fails like the test that it is")]

mod audit;
mod input;
mod json;
mod offsets;
mod policy;
mod promises;
mod sse;
mod stream;
mod text;
mod tokens;
mod vault;
mod world;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folders and of its program.
    pub name: &'static str,
    /// What it does with an input. Panics where a promise is broken.
    pub body: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "audit", body: audit::run },
    Target { name: "json", body: json::run },
    Target { name: "offsets", body: offsets::run },
    Target { name: "policy", body: policy::run },
    Target { name: "sse", body: sse::run },
    Target { name: "stream", body: stream::run },
    Target { name: "text", body: text::run },
    Target { name: "tokens", body: tokens::run },
    Target { name: "vault", body: vault::run },
];

/// Runs the target of a name.
///
/// # Panics
///
/// Where the input breaks a promise, and where no target has the name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of that name").body)(data);
}
