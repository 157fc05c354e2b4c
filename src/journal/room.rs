//! Room in an append file: commands that mean nothing, behind the last batch, to be overwritten by
//! the batches to come.
//!
//! A sync of bytes that made the file longer writes down the file's new length as well, and where
//! the bytes are: on a common file system one more trip to the disk, half as long again. Where
//! each sync serves few small batches, that is most of what they wait for, so room for many of them
//! is made at once. Databases do the same with their logs.
//!
//! Room is made of whole commands, `PING` with some text, so that Redis loads the file at any time:
//!
//! ```text
//! … batch │ batch + pad │ PING room… │ PING room… │ PING room…
//!                       ↑ the next batch goes here, and ends with a pad where another PING begins
//! ```

/// Bytes of each command that room is made of.
pub const UNIT_BYTES: usize = 64;

/// The shortest and the longest command that can be made: the length of its text has two digits.
const SHORTEST: usize = COMMAND.len() + b"$10\r\n".len() + 10 + b"\r\n".len();
const LONGEST: usize = SHORTEST + UNIT_BYTES - 1;

const COMMAND: &[u8] = b"*2\r\n$4\r\nPING\r\n";

/// What the text begins with. No trailer does.
const MARK: &[u8] = b"room";

/// Adds room for so many bytes, in whole units.
pub fn add_room(to: &mut Vec<u8>, bytes: usize) {
    for _ in 0..bytes / UNIT_BYTES {
        add_command(to, UNIT_BYTES);
    }
}

/// Adds a pad to a batch that leaves `gap` bytes of room, so that what is left then is whole units.
/// Where less is left than a pad takes, it goes beyond the end, and nothing is left.
pub fn add_pad(to: &mut Vec<u8>, gap: usize) {
    match gap % UNIT_BYTES {
        0 => {}
        bytes if bytes < SHORTEST => add_command(to, bytes + UNIT_BYTES),
        bytes => add_command(to, bytes),
    }
}

/// Adds a command of so many bytes.
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

/// Whether a command, which begins with these bytes, is room or a pad. One that is torn off before
/// it can be told is not.
pub fn is_room(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(COMMAND).and_then(|rest| rest.get(b"$10\r\n".len()..));
    text.is_some_and(|text| text.starts_with(MARK))
}

/// How many of the bytes stand before the room that they end with, whose last unit may be torn.
pub fn without_room(bytes: &[u8]) -> usize {
    let mut room = RoomAtEnd::default();
    room.add(bytes);
    room.begins_at() as usize
}

/// Finds the room that bytes end with, which come in parts.
pub struct RoomAtEnd {
    unit: Vec<u8>,
    /// Bytes so far.
    bytes: u64,
    /// The last of them that are units, the last of which may not be whole yet.
    matching: u64,
}

impl Default for RoomAtEnd {
    fn default() -> RoomAtEnd {
        let mut unit = Vec::with_capacity(UNIT_BYTES);
        add_command(&mut unit, UNIT_BYTES);
        RoomAtEnd { unit, bytes: 0, matching: 0 }
    }
}

impl RoomAtEnd {
    /// The next part.
    pub fn add(&mut self, mut part: &[u8]) {
        self.bytes += part.len() as u64;
        while !part.is_empty() {
            let expected = &self.unit[(self.matching % UNIT_BYTES as u64) as usize..];
            let common = expected.iter().zip(part).take_while(|(one, other)| one == other).count();
            self.matching += common as u64;
            part = &part[common..];
            if common < expected.len() && !part.is_empty() {
                // Only the first byte of a unit is an asterisk: within what matched, none begins.
                self.matching = 0;
                let other = usize::from(common == 0);
                let next = memchr::memchr(self.unit[0], &part[other..]);
                part = next.map_or(&[], |at| &part[other + at..]);
            }
        }
    }

    /// How many bytes stand before the room. Less than a unit is room only if there is nothing else.
    pub fn begins_at(&self) -> u64 {
        let is_room = self.matching >= UNIT_BYTES as u64 || self.matching == self.bytes;
        if is_room { self.bytes - self.matching } else { self.bytes }
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
            assert!(pad.is_empty() || is_one_command(&pad) && is_room(&pad), "a gap of {gap}");
        }
    }

    #[test]
    fn room_is_told_from_what_stands_before() {
        let mut room = Vec::new();
        add_room(&mut room, 4 * UNIT_BYTES + 5);
        assert_eq!(room.len(), 4 * UNIT_BYTES);
        assert!(is_one_command(&room[..UNIT_BYTES]) && is_room(&room));
        for end in 0..=room.len() {
            assert_eq!(without_room(&room[..end]), 0, "the first {end} bytes");
            let bytes = [b"batch\r\n", &room[..end]].concat();
            // Less than a unit might be anything.
            let expected = if end < UNIT_BYTES { bytes.len() } else { 7 };
            assert_eq!(without_room(&bytes), expected, "{end} bytes behind a batch");
            for part_bytes in [1, 3, UNIT_BYTES] {
                let mut in_parts = RoomAtEnd::default();
                bytes.chunks(part_bytes).for_each(|part| in_parts.add(part));
                assert_eq!(in_parts.begins_at() as usize, expected, "parts of {part_bytes}");
            }
        }
        for at in 0..room.len() {
            let mut broken = room.clone();
            broken[at] ^= 1;
            assert!(without_room(&broken) > at, "a bit fell over at {at}");
        }
    }
}
