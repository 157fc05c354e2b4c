#![no_main]

#[path = "../../tests/fuzz_properties/inline.rs"]
mod inline;

libfuzzer_sys::fuzz_target!(|data: &[u8]| inline::check(data));
