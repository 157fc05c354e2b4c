#![no_main]

#[path = "../../tests/fuzz_properties/http.rs"]
mod http;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http::check(data));
