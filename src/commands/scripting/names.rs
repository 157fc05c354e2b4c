//! The names of scripts.

use crate::scripting::ScriptName;
use crate::sha1::sha1;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The name of a script: the SHA-1 of its text.
pub(super) fn name_of(text: &[u8]) -> ScriptName {
    let mut name = [0; 40];
    for (digits, byte) in name.as_chunks_mut::<2>().0.iter_mut().zip(sha1(text)) {
        let [high, low] = [byte >> 4, byte & 15].map(usize::from);
        *digits = [DIGITS[high], DIGITS[low]];
    }
    name
}

/// The name of a script from an argument, in any case.
pub(super) fn parse_name(arg: &[u8]) -> Option<ScriptName> {
    let name: &ScriptName = arg.try_into().ok()?;
    Some(name.map(|digit| digit.to_ascii_lowercase()))
}
