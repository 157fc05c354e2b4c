//! Commands in batches, each closed by a trailer that says whether it is whole.
//!
//! A batch is any number of commands as clients send them, and one more:
//!
//! ```text
//! *3\r\n$5\r\nRPUSH\r\n$4\r\njobs\r\n$5\r\npaint\r\n
//! *2\r\n$4\r\nPING\r\n$72\r\n
//! TG1+000000000000005d 0000000000000024 000000000000005d e6300f8b 88ffc3bf\r\n
//! ```
//!
//! To Redis the trailer is a PING that changes nothing, so it loads the file, and cuts a torn
//! trailer off as it cuts any torn command. The fields of its payload, in lower-case hexadecimal:
//!
//! | field | digits | meaning |
//! |---|---|---|
//! | version | `TG1` | what the rest means |
//! | kind | `+` `.` | `+`: more may follow; `.`: the file is finished |
//! | start | 16 | offset of the batch in its file, in bytes: tells a misplaced block |
//! | length | 16 | bytes of the commands, without the trailer |
//! | durable | 16 | up to here the file was known to be synced when the batch was written |
//! | previous | 8 | checksum in the trailer before; of the file's name and version in the first |
//! | checksum | 8 | CRC-32C of the commands and of the payload up to here |
//!
//! A batch that overwrites [room](super::room) has a pad between its commands and its trailer, and
//! its length and checksum cover that too.
//!
//! Each batch can be verified by itself, and `previous` says that none is lost between two. A file
//! begins with an empty batch, so that it can be told from one that Redis has written, and whoever
//! comes upon a file without it knows that its beginning is gone.
//!
//! # A torn tail or damage
//!
//! A loss of power leaves any part of what was not synced: a file may end in the middle, but it
//! may as well have a hole and whole batches behind it. That is no reason to refuse it; a bit
//! that fell over in what was durable is. What tells one from the other is `durable`: if a whole
//! batch behind the break knew that something from the break on was durable, it is damage. If
//! none did, then nobody was promised that the broken batch would be there, and
//! [`Rest::judge`](super::rest::Rest::judge) calls
//! it a torn tail. Damage in the last batch, or in such as no later batch vouches for, therefore
//! looks like a torn tail; a writer that syncs before it ends can vouch for all with an empty
//! batch. In a file that is finished, or that another follows, there is no torn tail: its last
//! batch must be there, and be of the finished kind.

use super::room::is_room;
use crate::resp::{Limits, Parsed, ProtocolError, RequestParser};
use std::ops::Range;
use thiserror::Error;

/// Bytes that a trailer adds to each batch.
pub const TRAILER_BYTES: usize = TEMPLATE.len();

/// A trailer with nothing in its fields.
const TEMPLATE: &[u8; 93] = b"*2\r\n$4\r\nPING\r\n$72\r\nTG1+\
    0000000000000000 0000000000000000 0000000000000000 00000000 00000000\r\n";

/// What all trailers begin with: a command that is nobody else's.
pub(super) const PREFIX: &[u8] = TEMPLATE.first_chunk::<22>().expect("a trailer is longer");

const PAYLOAD_START: usize = 19;
const KIND: usize = 22;
const START: Range<usize> = 23..39;
const LENGTH: Range<usize> = 40..56;
const DURABLE: Range<usize> = 57..73;
const PREVIOUS: Range<usize> = 74..82;
const CHECKSUM: Range<usize> = 83..91;

/// What the first trailer of a file refers to as the one before, so that a file under another
/// file's name is noticed.
pub fn first_chain(file_name: &str) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(b"TG1 "), file_name.as_bytes())
}

/// Whether a file that begins with these bytes, as long as a trailer if it is so long, begins as ours
/// do.
pub fn is_opening(bytes: &[u8]) -> bool {
    bytes.starts_with(PREFIX)
}

/// Closes one batch after another of one file.
///
/// A clone taken before `seal` is the way back, if the batch could not be written and what was
/// written of it has been cut off.
#[derive(Clone, Debug)]
pub struct Sealer {
    at: u64,
    chain: u32,
}

impl Sealer {
    /// For a new file of this name, and the opening that the file begins with. It must be durable
    /// before a manifest names the file.
    pub fn begin(file_name: &str) -> (Sealer, Vec<u8>) {
        let mut sealer = Sealer { at: 0, chain: first_chain(file_name) };
        let mut opening = Vec::new();
        sealer.seal(&mut opening, 0);
        (sealer, opening)
    }

    /// To go on behind the last batch of a file: its [`Batch::end`] and [`Batch::chain`]. If
    /// something was cut off there, the file must be synced before anything is called durable.
    pub fn resume(at: u64, chain: u32) -> Sealer {
        Sealer { at, chain }
    }

    /// The offset in the file where the next batch begins, in bytes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Puts the trailer behind whole commands, which together are to be written at `at()`.
    /// There may be none: then the batch only tells what is durable.
    ///
    /// The file is known to be synced up to `durable`, the end of an earlier batch.
    ///
    /// # Panics
    /// If `durable` is beyond `at()`: a later reader would take a torn tail for damage.
    pub fn seal(&mut self, commands: &mut Vec<u8>, durable: u64) {
        self.close(commands, durable, false);
    }

    /// The same for the last batch of a file. Without it, a file that lost its last batches looks
    /// as if they had never been.
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

/// What is next in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole batch that follows the one before.
    Batch(Batch<'a>),
    /// The window ends in the middle of a batch. With more bytes, ask again; if the file has no
    /// more, this is where it breaks.
    Partial,
    /// The window is empty. If the file has no more, it ends with a whole batch, or has not even
    /// an opening.
    End,
    /// What is there is not the batch that follows the one before.
    Broken {
        /// Offset in the file where that was noticed. What is wrong may be anywhere between the
        /// end of the last batch and here.
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
    /// Offset in the file where the next batch begins.
    pub end: u64,
    /// What the next batch refers to.
    pub chain: u32,
    /// Up to here the file was known to be synced when the batch was written.
    pub durable: u64,
    /// Whether the file is finished with this batch.
    pub is_last: bool,
}

/// Why something is not the next batch of its file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A command must begin with its number of arguments.
    #[error("expected '*' and a command, got byte 0x{0:02x}")]
    NotACommand(u8),
    /// A command without a name.
    #[error("expected a command, got an array of no elements")]
    EmptyCommand,
    /// A command that is wrong further on.
    #[error("expected a command: {0}")]
    Protocol(ProtocolError),
    /// A trailer with something else in its fields than a writer puts there.
    #[error("expected a trailer of {TRAILER_BYTES} bytes, got one with impossible fields")]
    Trailer,
    /// A batch that belongs elsewhere.
    #[error("expected a batch that begins at {expected}, got the end of one that began at {found}")]
    Misplaced {
        /// Where the batch before ends.
        expected: u64,
        /// Where this one began, according to its trailer.
        found: u64,
    },
    /// A batch with another length than its trailer says.
    #[error("expected {expected} bytes of commands, as the trailer says, got {found}")]
    Length {
        /// Bytes according to the trailer.
        expected: u64,
        /// Bytes between the batch before and the trailer.
        found: u64,
    },
    /// Something in the batch is not as it was written.
    #[error("expected checksum {expected:08x}, as the trailer says, got {found:08x}")]
    Checksum {
        /// According to the trailer.
        expected: u32,
        /// Of what is there.
        found: u32,
    },
    /// A whole batch that follows another one than that before it, or is of another file.
    #[error(
        "expected a batch that follows checksum {expected:08x}, got one that follows {found:08x}"
    )]
    Chain {
        /// That of the batch before.
        expected: u32,
        /// That which the batch follows, according to its trailer.
        found: u32,
    },
}

/// Looks for the batch at the start of `window`, which is what the file holds from offset `at`
/// on, or the first part of that. `at` and `chain` are the end and the chain of the batch before,
/// or 0 and [`first_chain`].
///
/// Commands are walked from one to the next, so that nothing inside an argument is taken for a
/// trailer. After [`Next::Partial`] the walk begins anew: a caller that doubles its window pays
/// for that at most once again.
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
        if is_room(rest) {
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

/// The batch of these commands and trailer, if it is the one that has to be here.
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

/// Of the commands, whose own checksum is `commands`, and of the payload without the checksum itself.
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

    /// The trailer that has exactly these bytes, if a writer can have made it.
    pub(super) fn from_bytes(bytes: &[u8; TRAILER_BYTES]) -> Option<Trailer> {
        let trailer = Trailer {
            is_last: bytes[KIND] == b'.',
            start: hex(&bytes[START])?,
            length: hex(&bytes[LENGTH])?,
            durable: hex(&bytes[DURABLE])?,
            previous: hex(&bytes[PREVIOUS])?.try_into().ok()?,
            checksum: hex(&bytes[CHECKSUM])?.try_into().ok()?,
        };
        // The end must be an offset too.
        let end = trailer.start.checked_add(trailer.length)?.checked_add(TRAILER_BYTES as u64);
        let is_possible = end.is_some() && trailer.durable <= trailer.start;
        (is_possible && trailer.to_bytes() == *bytes).then_some(trailer)
    }

    /// Where the batch ends: behind the trailer.
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
