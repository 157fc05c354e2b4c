//! What another program wrote, such as Redis: commands without checksums.

use crate::resp::{Limits, Parsed, RequestParser};

/// What another program wrote, cut so that each part can be run.
pub(super) enum Unit {
    /// A line that begins with `#`, such as the time stamps of Redis.
    Annotation { end: usize },
    /// Whole commands, and whole transactions.
    Commands { end: usize },
    /// More is needed.
    Partial,
    /// No command.
    Wrong { at: usize, reason: String },
}

/// Commands that are given together, since each piece costs a little.
const UNIT_BYTES: usize = 256 * 1024;

/// What is next in `bytes`.
pub(super) fn next_unit(bytes: &[u8]) -> Unit {
    if bytes.first() == Some(&b'#') {
        return match memchr::memchr(b'\n', bytes) {
            Some(at) => Unit::Annotation { end: at + 1 },
            None => Unit::Partial,
        };
    }
    let mut parser = RequestParser::default();
    let limits = Limits { bulk_bytes_max: i64::MAX as u64, is_stranger: false };
    let (mut at, mut whole, mut is_in_transaction) = (0, 0, false);
    while at < bytes.len() && whole < UNIT_BYTES {
        if bytes[at] != b'*' {
            if bytes[at] == b'#' && !is_in_transaction {
                break;
            }
            let reason = format!("expected '*' and a command, got byte 0x{:02x}", bytes[at]);
            return if whole > 0 { break } else { Unit::Wrong { at, reason } };
        }
        match parser.parse(&bytes[at..], limits) {
            Ok(Parsed::Request { end }) => {
                let request = parser.request(&bytes[at..]);
                match request[0].to_ascii_lowercase().as_slice() {
                    b"multi" => is_in_transaction = true,
                    b"exec" => is_in_transaction = false,
                    _ => {}
                }
                at += end;
                if !is_in_transaction {
                    whole = at;
                }
            }
            Ok(Parsed::Incomplete) => break,
            Ok(Parsed::Nothing { .. }) | Err(_) if whole > 0 => break,
            Ok(Parsed::Nothing { .. }) => {
                return Unit::Wrong { at, reason: "expected a command, got none".into() };
            }
            Err(error) => {
                let reason = String::from_utf8_lossy(&error.to_bytes()).into_owned();
                return Unit::Wrong { at, reason };
            }
        }
    }
    if whole == 0 { Unit::Partial } else { Unit::Commands { end: whole } }
}
