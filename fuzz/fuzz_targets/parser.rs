#![no_main]

#[path = "../../tests/fuzz_properties/parser.rs"]
mod parser;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parser::check(data));
