//! The pages: every block of them is run or read by a machine, and everything they point at is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(unix, feature = "server"))]

mod languages;
#[path = "../like/mod.rs"]
mod like;
mod links;
mod page;
mod policies;
mod shell;
