#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| masker_fuzz_bodies::run("tokens", data));
