//! Commands without checksums, written by another program such as Redis.

use super::preallocated::is_preallocated;
use super::skim::{Skimmed, Skimmer};
use crate::resp::{Limits, Parsed, RequestParser};
use std::io;

/// A piece of another program's commands that can be run.
pub(super) enum Unit {
    /// A line that begins with `#`, such as Redis' time stamps, or our preallocated space.
    Nothing { end: usize },
    /// Whole commands, and whole transactions.
    Commands { end: usize },
    /// More bytes are needed.
    Partial,
    /// Not a command.
    Wrong { at: usize, reason: String },
}

/// Commands are passed on in pieces of this size, since each piece has a small cost.
const UNIT_BYTES: usize = 256 * 1024;

/// Beginning of Redis' time stamps.
const TIME_STAMP: &[u8] = b"#TS:";

/// Whether another program has written after our last whole batch: whether the commands there include
/// one that we never write.
pub(super) fn goes_on(mut rest: Skimmer) -> io::Result<bool> {
    loop {
        match rest.next_command()? {
            Skimmed::Command(name) if name == b"SELECT" => return Ok(true),
            Skimmed::Command(_) => {}
            Skimmed::Other(bytes) => return Ok(bytes.starts_with(TIME_STAMP)),
            Skimmed::End | Skimmed::Partial => return Ok(false),
        }
    }
}

/// Whether there is a whole unit that can be run: a command or a transaction.
pub(super) fn has_whole_unit(mut rest: Skimmer) -> io::Result<bool> {
    let mut is_in_transaction = false;
    while let Skimmed::Command(name) = rest.next_command()? {
        is_in_transaction = after(&name, is_in_transaction);
        if !is_in_transaction {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the next command is inside a transaction.
fn after(name: &[u8], is_in_transaction: bool) -> bool {
    match name {
        name if name.eq_ignore_ascii_case(b"multi") => true,
        name if name.eq_ignore_ascii_case(b"exec") => false,
        _ => is_in_transaction,
    }
}

/// The next unit in `bytes`.
pub(super) fn next_unit(bytes: &[u8]) -> Unit {
    if bytes.first() == Some(&b'#') {
        return match memchr::memchr(b'\n', bytes) {
            Some(at) => Unit::Nothing { end: at + 1 },
            None => Unit::Partial,
        };
    }
    let mut parser = RequestParser::default();
    let (mut at, mut whole, mut is_in_transaction) = (0, 0, false);
    while at < bytes.len() && whole < UNIT_BYTES {
        if bytes[at] != b'*' {
            if bytes[at] == b'#' && !is_in_transaction {
                break;
            }
            let reason = format!("expected '*' and a command, got byte 0x{:02x}", bytes[at]);
            return if whole > 0 { break } else { Unit::Wrong { at, reason } };
        }
        match parser.parse(&bytes[at..], Limits::NONE) {
            Ok(Parsed::Request { end }) => {
                if is_preallocated(&bytes[at..]) && !is_in_transaction {
                    return if whole > 0 { break } else { Unit::Nothing { end: at + end } };
                }
                let request = parser.request(&bytes[at..]);
                is_in_transaction = after(request.name(), is_in_transaction);
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

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] =
        b"*2\r\n$6\r\nselect\r\n$1\r\n3\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$1\r\nb\r\n";
    const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
    const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";

    fn goes_on(bytes: &[u8]) -> bool {
        super::goes_on(Skimmer::new(Box::new(io::Cursor::new(bytes.to_vec())))).expect("memory")
    }

    #[test]
    fn redis_is_recognized_by_commands_we_never_write() {
        for theirs in [SELECT, b"#TS:1795542607\r\n", &[MULTI, SELECT].concat()] {
            assert!(goes_on(theirs));
            // Redis has cut off the trailer of our last batch.
            assert!(goes_on(&[OURS, theirs].concat()));
            assert!(goes_on(&[OURS, theirs, b"*3\r\n$5\r\nRPU"].concat()));
        }
    }

    #[test]
    fn a_torn_tail_of_ours_is_not_taken_for_theirs() {
        let message = [b"*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$23\r\n", SELECT, b"\r\n"].concat();
        let ours = [MULTI, OURS, &message, b"*2\r\n$4\r\nPING\r\n$72\r\nTG1+00"].concat();
        for end in 0..=ours.len() {
            assert!(!goes_on(&ours[..end]), "the first {end} bytes");
        }
        // A hole, and bytes written after it.
        assert!(!goes_on(&[OURS, &[0; 100], SELECT].concat()));
    }
}
