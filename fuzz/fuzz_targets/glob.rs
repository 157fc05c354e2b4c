#![no_main]

#[path = "../../tests/fuzz_properties/glob.rs"]
mod glob;

libfuzzer_sys::fuzz_target!(|data: &[u8]| glob::check(data));
