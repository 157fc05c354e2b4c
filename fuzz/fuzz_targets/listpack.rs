#![no_main]

#[path = "../../tests/fuzz_properties/listpack.rs"]
mod listpack;

libfuzzer_sys::fuzz_target!(|data: &[u8]| listpack::check(data));
