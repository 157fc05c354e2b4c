#![no_main]

#[path = "../../tests/fuzz_properties/lzf.rs"]
mod lzf;

libfuzzer_sys::fuzz_target!(|data: &[u8]| lzf::check(data));
