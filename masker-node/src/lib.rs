//! masker for Node: converts arguments, calls the core, converts results.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript arrive as owned values")]
#![expect(
    clippy::elidable_lifetime_names,
    reason = "one name for what belongs to the environment, needed or not"
)]
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "what is made lives as long as the borrow of the environment"
)]
#![expect(unreachable_pub, reason = "what JavaScript sees must be public, and no other crate uses this one")]
#![expect(dead_code, reason = "the shapes of plain objects are declared for their types in TypeScript")]
#![expect(missing_debug_implementations, reason = "values of JavaScript are not printed from Rust")]

mod conversation;
mod errors;
mod keys;
mod kinds;
mod masker;
mod options;
mod policy;
mod prelude;
mod recognizer;
mod report;
mod stream;
mod text;
mod vault;
mod work;
