#![no_main]

#[path = "../../tests/fuzz_properties/settings.rs"]
mod settings;

libfuzzer_sys::fuzz_target!(|data: &[u8]| settings::check(data));
