#![no_main]

#[path = "../../tests/fuzz_properties/broker.rs"]
mod broker;

libfuzzer_sys::fuzz_target!(|data: &[u8]| broker::check(data));
