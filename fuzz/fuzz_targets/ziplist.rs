#![no_main]

#[path = "../../tests/fuzz_properties/ziplist.rs"]
mod ziplist;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ziplist::check(data));
