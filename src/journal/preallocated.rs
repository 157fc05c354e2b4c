//! Preallocated space of an append file: neutral commands after the last batch, to be overwritten by
//! later batches.
//!
//! When bytes make a file longer, their sync also writes the new length and the location of the bytes:
//! on a common file system one more trip to the disk, half as long again. If each sync serves few small
//! batches, that is most of their wait, so space for many of them is preallocated at once. Databases do
//! the same with their logs.
//!
//! The space consists of whole commands, `PING` with some text, so that Redis can load the file at any
//! time:
//!
//! ```text
//! … batch │ batch + pad │ PING room… │ PING room… │ PING room…
//!                       ↑ the next batch goes here, and ends with a pad where another PING begins
//! ```

/// Size of each command in the preallocated space.
pub const UNIT_BYTES: usize = 64;

/// The shortest and the longest possible command: the length of its text has two digits.
const SHORTEST: usize = COMMAND.len() + b"$10\r\n".len() + 10 + b"\r\n".len();
const LONGEST: usize = SHORTEST + UNIT_BYTES - 1;

const COMMAND: &[u8] = b"*2\r\n$4\r\nPING\r\n";

/// Beginning of the text, part of the file format. No trailer has it.
const MARK: &[u8] = b"room";

/// Adds this many bytes of preallocated space, in whole units.
pub fn add_preallocated(to: &mut Vec<u8>, bytes: usize) {
    for _ in 0..bytes / UNIT_BYTES {
        add_command(to, UNIT_BYTES);
    }
}

/// Adds a pad to a batch that leaves `gap` preallocated bytes, so that whole units remain. If the gap is
/// too small for a pad, the pad goes beyond the end, and nothing remains.
pub fn add_pad(to: &mut Vec<u8>, gap: usize) {
    match gap % UNIT_BYTES {
        0 => {}
        bytes if bytes < SHORTEST => add_command(to, bytes + UNIT_BYTES),
        bytes => add_command(to, bytes),
    }
}

/// Adds a command of this size.
fn add_command(to: &mut Vec<u8>, bytes: usize) {
    debug_assert!((SHORTEST..=LONGEST).contains(&bytes));
    let text_bytes = bytes - SHORTEST + 10;
    let digits = [text_bytes / 10, text_bytes % 10].map(|digit| b'0' + digit as u8);
    let end = to.len() + bytes - 2;
    to.extend_from_slice(COMMAND);
    to.push(b'$');
    to.extend_from_slice(&digits);
    to.extend_from_slice(b"\r\n");
    to.extend_from_slice(MARK);
    to.resize(end, b'.');
    to.extend_from_slice(b"\r\n");
}

/// Whether the command with these first bytes is preallocated space or a pad. False if it is torn before
/// that is clear.
pub fn is_preallocated(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(COMMAND).and_then(|rest| rest.get(b"$10\r\n".len()..));
    text.is_some_and(|text| text.starts_with(MARK))
}

/// The length without the preallocated space at the end, whose last unit may be torn.
pub fn without_preallocated(bytes: &[u8]) -> usize {
    let mut space = PreallocatedAtEnd::default();
    space.add(bytes);
    space.begins_at() as usize
}

/// Finds the preallocated space at the end of bytes that come in parts.
pub struct PreallocatedAtEnd {
    unit: Vec<u8>,
    /// Bytes so far.
    bytes: u64,
    /// How many of the last bytes are units; the last unit may be incomplete.
    matching: u64,
}

impl Default for PreallocatedAtEnd {
    fn default() -> PreallocatedAtEnd {
        let mut unit = Vec::with_capacity(UNIT_BYTES);
        add_command(&mut unit, UNIT_BYTES);
        PreallocatedAtEnd { unit, bytes: 0, matching: 0 }
    }
}

impl PreallocatedAtEnd {
    /// Adds the next part.
    pub fn add(&mut self, mut part: &[u8]) {
        self.bytes += part.len() as u64;
        while !part.is_empty() {
            let expected = &self.unit[(self.matching % UNIT_BYTES as u64) as usize..];
            let common = expected.iter().zip(part).take_while(|(one, other)| one == other).count();
            self.matching += common as u64;
            part = &part[common..];
            if common < expected.len() && !part.is_empty() {
                // Only the first byte of a unit is an asterisk: no unit begins within the matched bytes.
                self.matching = 0;
                let other = usize::from(common == 0);
                let next = memchr::memchr(self.unit[0], &part[other..]);
                part = next.map_or(&[], |at| &part[other + at..]);
            }
        }
    }

    /// How many bytes come before the preallocated space. Less than a unit counts only if there is
    /// nothing else.
    pub fn begins_at(&self) -> u64 {
        let is_preallocated = self.matching >= UNIT_BYTES as u64 || self.matching == self.bytes;
        if is_preallocated { self.bytes - self.matching } else { self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Limits, Parsed, RequestParser};

    fn is_one_command(bytes: &[u8]) -> bool {
        let parsed = RequestParser::default().parse(bytes, Limits::NONE);
        matches!(parsed, Ok(Parsed::Request { end }) if end == bytes.len())
    }

    #[test]
    fn every_pad_is_a_command_that_leaves_whole_units() {
        for gap in 0..10 * UNIT_BYTES {
            let mut pad = Vec::new();
            add_pad(&mut pad, gap);
            let is_beyond = pad.len() > gap;
            assert!(gap.abs_diff(pad.len()).is_multiple_of(UNIT_BYTES), "a gap of {gap}");
            assert!(!is_beyond || gap < UNIT_BYTES, "a gap of {gap}");
            assert!(
                pad.is_empty() || is_one_command(&pad) && is_preallocated(&pad),
                "a gap of {gap}"
            );
        }
    }

    #[test]
    fn preallocated_space_is_distinguished_from_batches() {
        let mut space = Vec::new();
        add_preallocated(&mut space, 4 * UNIT_BYTES + 5);
        assert_eq!(space.len(), 4 * UNIT_BYTES);
        assert!(is_one_command(&space[..UNIT_BYTES]) && is_preallocated(&space));
        for end in 0..=space.len() {
            assert_eq!(without_preallocated(&space[..end]), 0, "the first {end} bytes");
            let bytes = [b"batch\r\n", &space[..end]].concat();
            // Less than a unit might be anything.
            let expected = if end < UNIT_BYTES { bytes.len() } else { 7 };
            assert_eq!(without_preallocated(&bytes), expected, "{end} bytes behind a batch");
            for part_bytes in [1, 3, UNIT_BYTES] {
                let mut in_parts = PreallocatedAtEnd::default();
                bytes.chunks(part_bytes).for_each(|part| in_parts.add(part));
                assert_eq!(in_parts.begins_at() as usize, expected, "parts of {part_bytes}");
            }
        }
        for at in 0..space.len() {
            let mut broken = space.clone();
            broken[at] ^= 1;
            assert!(without_preallocated(&broken) > at, "a bit fell over at {at}");
        }
    }
}
