//! masker for Node: converts arguments, calls the core, converts results.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript arrive as owned values")]

mod errors;
mod masker;
