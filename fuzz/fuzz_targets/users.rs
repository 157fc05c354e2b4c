#![no_main]

#[path = "../../tests/fuzz_properties/users.rs"]
mod users;

libfuzzer_sys::fuzz_target!(|data: &[u8]| users::check(data));
