//! Link settings of a Node addon.

use std::env;

fn main() {
    napi_build::setup();
    // Functions that are compiled to the same instructions are kept once: a twelfth of the code.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
    {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--icf=all");
    }
}
