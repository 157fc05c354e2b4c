#![no_main]

#[path = "../../tests/fuzz_properties/applier.rs"]
mod applier;

libfuzzer_sys::fuzz_target!(|data: &[u8]| applier::check(data));
