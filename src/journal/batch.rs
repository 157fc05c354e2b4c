//! Commands in batches, each with a trailer that shows whether it is whole.
//!
//! A batch is any number of commands as sent by clients, and a trailer:
//!
//! ```text
//! *3\r\n$5\r\nRPUSH\r\n$4\r\njobs\r\n$5\r\npaint\r\n
//! *2\r\n$4\r\nPING\r\n$72\r\n
//! TG1+000000000000005d 0000000000000024 000000000000005d e6300f8b 88ffc3bf\r\n
//! ```
//!
//! To Redis the trailer is a PING that changes nothing. So Redis loads the file, and cuts off a torn
//! trailer like any torn command. The fields of its payload, in lower-case hexadecimal:
//!
//! | field | digits | meaning |
//! |---|---|---|
//! | version | `TG1` | format of the other fields |
//! | kind | `+` `.` | `+`: more may follow; `.`: the file is finished |
//! | start | 16 | offset of the batch in its file, in bytes: detects a misplaced block |
//! | length | 16 | bytes of the commands, without the trailer |
//! | durable | 16 | up to here the file was known to be synced when the batch was written |
//! | previous | 8 | checksum in the previous trailer; in the first one, of the file's name and version |
//! | checksum | 8 | CRC-32C of the commands and of the payload up to here |
//!
//! A batch that overwrites [preallocated space](super::preallocated) has a pad between its commands and
//! its trailer. Its length and checksum include the pad.
//!
//! Each batch can be verified by itself, and `previous` shows that none is missing between two. A file
//! begins with an empty batch, the opening. It distinguishes the file from one of Redis, and shows that
//! the beginning is not lost.
//!
//! # A torn tail or damage
//!
//! After a power failure, any part of what was not synced may be missing: a file may end in the middle,
//! or have a hole with whole batches behind it. That is a torn tail, and no reason to refuse the file. A
//! flipped bit in durable data is damage. `durable` distinguishes the two: if a whole batch behind the
//! break knew that something after the break was durable, it is damage. If none did, no reply promised
//! the broken batch, and [`Rest::judge`](super::rest::Rest::judge) calls it a torn tail. So damage in
//! the last batch, or in batches that no later batch confirms, looks like a torn tail. A writer that
//! syncs before it ends can confirm all batches with an empty one. A finished file, or one with another
//! file after it, has no torn tail: its last batch must exist and be of the finished kind.

use super::preallocated::is_preallocated;
use crate::resp::{Limits, Parsed, ProtocolError, RequestParser};
use std::ops::Range;
use thiserror::Error;

/// Size of a trailer.
pub const TRAILER_BYTES: usize = TEMPLATE.len();

/// A trailer with empty fields.
const TEMPLATE: &[u8; 93] = b"*2\r\n$4\r\nPING\r\n$72\r\nTG1+\
    0000000000000000 0000000000000000 0000000000000000 00000000 00000000\r\n";

/// Beginning of all trailers: a command that no one else sends.
pub(super) const PREFIX: &[u8] = TEMPLATE.first_chunk::<22>().expect("a trailer is longer");

const PAYLOAD_START: usize = 19;
const KIND: usize = 22;
const START: Range<usize> = 23..39;
const LENGTH: Range<usize> = 40..56;
const DURABLE: Range<usize> = 57..73;
const PREVIOUS: Range<usize> = 74..82;
const CHECKSUM: Range<usize> = 83..91;

/// The `previous` field of a file's first trailer. It detects a file under another file's name.
pub fn first_chain(file_name: &str) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(b"TG1 "), file_name.as_bytes())
}

/// Whether a file with these first bytes begins with our opening. Pass at least a trailer's length, if
/// the file has it.
pub fn is_opening(bytes: &[u8]) -> bool {
    bytes.starts_with(PREFIX)
}

/// Seals the batches of one file, one after another.
///
/// Clone it before `seal`: the clone is the state to return to when the batch could not be written and
/// the written part was cut off.
#[derive(Clone, Debug)]
pub struct Sealer {
    at: u64,
    chain: u32,
}

impl Sealer {
    /// For a new file of this name; also returns the file's opening, which must be durable before a
    /// manifest names the file.
    pub fn begin(file_name: &str) -> (Sealer, Vec<u8>) {
        let mut sealer = Sealer { at: 0, chain: first_chain(file_name) };
        let mut opening = Vec::new();
        sealer.seal(&mut opening, 0);
        (sealer, opening)
    }

    /// Continues after the last batch of a file: its [`Batch::end`] and [`Batch::chain`]. If something
    /// was cut off there, sync the file before calling anything durable.
    pub fn resume(at: u64, chain: u32) -> Sealer {
        Sealer { at, chain }
    }

    /// The offset in the file of the next batch, in bytes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Appends the trailer to whole commands, to be written together at `at()`. Without commands the
    /// batch only records what is durable.
    ///
    /// The file is known to be synced up to `durable`, the end of an earlier batch.
    ///
    /// # Panics
    /// If `durable` is beyond `at()`: a later reader would take a torn tail for damage.
    pub fn seal(&mut self, commands: &mut Vec<u8>, durable: u64) {
        self.close(commands, durable, false);
    }

    /// The same for the last batch of a file. Without it, the loss of a file's last batches would go
    /// unnoticed.
    ///
    /// # Panics
    /// As [`Sealer::seal`].
    pub fn seal_last(&mut self, commands: &mut Vec<u8>, durable: u64) {
        self.close(commands, durable, true);
    }

    fn close(&mut self, commands: &mut Vec<u8>, durable: u64, is_last: bool) {
        assert!(durable <= self.at, "durable up to {durable}, written up to {}", self.at);
        let length = commands.len() as u64;
        let previous = self.chain;
        let mut trailer =
            Trailer { is_last, start: self.at, length, durable, previous, checksum: 0 };
        trailer.checksum = checksum_of(crc32c::crc32c(commands), &trailer.to_bytes());
        commands.extend_from_slice(&trailer.to_bytes());
        self.at = trailer.end();
        self.chain = trailer.checksum;
    }
}

/// The next part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole batch that follows the one before.
    Batch(Batch<'a>),
    /// The window ends in the middle of a batch. With more bytes, ask again. If the file has no more, it
    /// breaks here.
    Partial,
    /// The window is empty. If the file has no more, it ends with a whole batch, or lacks even an
    /// opening.
    End,
    /// These bytes are not the batch that follows the one before.
    Broken {
        /// Offset in the file where this was noticed. The error may be anywhere between the end of the
        /// last batch and here.
        at: u64,
        /// What was noticed.
        reason: Reason,
    },
}

/// A whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// The commands, without pad and trailer.
    pub commands: &'a [u8],
    /// Offset of the next batch in the file.
    pub end: u64,
    /// The `previous` field of the next batch.
    pub chain: u32,
    /// Up to here the file was known to be synced when the batch was written.
    pub durable: u64,
    /// Whether this batch finishes the file.
    pub is_last: bool,
}

/// Why bytes are not the next batch of their file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A command must begin with its number of arguments.
    #[error("expected '*' and a command, got byte 0x{0:02x}")]
    NotACommand(u8),
    /// A command without a name.
    #[error("expected a command, got an array of no elements")]
    EmptyCommand,
    /// A command with an error further on.
    #[error("expected a command: {0}")]
    Protocol(ProtocolError),
    /// A trailer with fields that no writer makes.
    #[error("expected a trailer of {TRAILER_BYTES} bytes, got one with impossible fields")]
    Trailer,
    /// A batch from another place.
    #[error("expected a batch that begins at {expected}, got the end of one that began at {found}")]
    Misplaced {
        /// Where the previous batch ends.
        expected: u64,
        /// Where this one began, according to its trailer.
        found: u64,
    },
    /// The length differs from the trailer's.
    #[error("expected {expected} bytes of commands, as the trailer says, got {found}")]
    Length {
        /// Bytes according to the trailer.
        expected: u64,
        /// Bytes between the previous batch and the trailer.
        found: u64,
    },
    /// The batch differs from what was written.
    #[error("expected checksum {expected:08x}, as the trailer says, got {found:08x}")]
    Checksum {
        /// According to the trailer.
        expected: u32,
        /// Of the actual bytes.
        found: u32,
    },
    /// A whole batch, but it follows a different batch, or is from another file.
    #[error(
        "expected a batch that follows checksum {expected:08x}, got one that follows {found:08x}"
    )]
    Chain {
        /// Of the previous batch.
        expected: u32,
        /// Of the batch that it follows, according to its trailer.
        found: u32,
    },
}

/// Looks for the batch at the start of `window`, which has the file's bytes from offset `at` on, or the
/// first part of them. `at` and `chain` are the end and the chain of the previous batch, or 0 and
/// [`first_chain`].
///
/// It walks from command to command, so that nothing inside an argument is taken for a trailer. After
/// [`Next::Partial`] the walk starts again: with a doubling window the total cost at most doubles.
pub fn next_batch(window: &[u8], at: u64, chain: u32) -> Next<'_> {
    if window.is_empty() {
        return Next::End;
    }
    let mut parser = RequestParser::default();
    // Where the commands end, if a pad follows.
    let mut pad = None;
    let mut position = 0;
    loop {
        let rest = &window[position..];
        let broken = |reason| Next::Broken { at: at + position as u64, reason };
        match rest {
            [] => return Next::Partial,
            [b'*', ..] => {}
            [other, ..] => return broken(Reason::NotACommand(*other)),
        }
        if let Some(bytes) = rest.first_chunk()
            && bytes.starts_with(PREFIX)
        {
            return match verified(&window[..position], bytes, at, chain) {
                Ok(mut batch) => {
                    batch.commands = &window[..pad.unwrap_or(position)];
                    Next::Batch(batch)
                }
                Err(reason) => broken(reason),
            };
        }
        if is_preallocated(rest) {
            pad.get_or_insert(position);
        }
        match parser.parse(rest, Limits::NONE) {
            Ok(Parsed::Request { end }) => position += end,
            Ok(Parsed::Incomplete) => return Next::Partial,
            Ok(Parsed::Nothing { .. }) => return broken(Reason::EmptyCommand),
            Err(error) => return broken(Reason::Protocol(error)),
        }
    }
}

/// The batch of these commands and trailer, if it is the expected one.
fn verified<'a>(
    commands: &'a [u8],
    bytes: &[u8; TRAILER_BYTES],
    at: u64,
    chain: u32,
) -> Result<Batch<'a>, Reason> {
    let trailer = Trailer::from_bytes(bytes).ok_or(Reason::Trailer)?;
    if trailer.start != at {
        return Err(Reason::Misplaced { expected: at, found: trailer.start });
    }
    let length = commands.len() as u64;
    if trailer.length != length {
        return Err(Reason::Length { expected: trailer.length, found: length });
    }
    let checksum = checksum_of(crc32c::crc32c(commands), bytes);
    if trailer.checksum != checksum {
        return Err(Reason::Checksum { expected: trailer.checksum, found: checksum });
    }
    if trailer.previous != chain {
        return Err(Reason::Chain { expected: chain, found: trailer.previous });
    }
    let Trailer { is_last, durable, .. } = trailer;
    Ok(Batch { commands, end: trailer.end(), chain: checksum, durable, is_last })
}

/// Of the commands, whose own checksum is `commands`, and of the payload without its checksum.
pub(super) fn checksum_of(commands: u32, trailer: &[u8; TRAILER_BYTES]) -> u32 {
    crc32c::crc32c_append(commands, &trailer[PAYLOAD_START..CHECKSUM.start])
}

/// The fields of a trailer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer {
    is_last: bool,
    /// Where its batch begins.
    pub start: u64,
    /// Bytes of the commands.
    pub length: u64,
    /// Up to here the file was synced when it was written.
    pub durable: u64,
    previous: u32,
    /// Of the commands and of the other fields.
    pub checksum: u32,
}

impl Trailer {
    fn to_bytes(self) -> [u8; TRAILER_BYTES] {
        let mut bytes = *TEMPLATE;
        if self.is_last {
            bytes[KIND] = b'.';
        }
        put_hex(&mut bytes[START], self.start);
        put_hex(&mut bytes[LENGTH], self.length);
        put_hex(&mut bytes[DURABLE], self.durable);
        put_hex(&mut bytes[PREVIOUS], self.previous.into());
        put_hex(&mut bytes[CHECKSUM], self.checksum.into());
        bytes
    }

    /// Parses a trailer; `None` if no writer can have made it.
    pub(super) fn from_bytes(bytes: &[u8; TRAILER_BYTES]) -> Option<Trailer> {
        let trailer = Trailer {
            is_last: bytes[KIND] == b'.',
            start: hex(&bytes[START])?,
            length: hex(&bytes[LENGTH])?,
            durable: hex(&bytes[DURABLE])?,
            previous: hex(&bytes[PREVIOUS])?.try_into().ok()?,
            checksum: hex(&bytes[CHECKSUM])?.try_into().ok()?,
        };
        // The end must be a valid offset too.
        let end = trailer.start.checked_add(trailer.length)?.checked_add(TRAILER_BYTES as u64);
        let is_possible = end.is_some() && trailer.durable <= trailer.start;
        (is_possible && trailer.to_bytes() == *bytes).then_some(trailer)
    }

    /// Where the batch ends: after the trailer.
    fn end(&self) -> u64 {
        self.start + self.length + TRAILER_BYTES as u64
    }
}

fn put_hex(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn hex(field: &[u8]) -> Option<u64> {
    field.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests;
