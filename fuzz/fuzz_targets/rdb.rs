#![no_main]

#[path = "../../tests/fuzz_properties/rdb.rs"]
mod rdb;

libfuzzer_sys::fuzz_target!(|data: &[u8]| rdb::check(data));
