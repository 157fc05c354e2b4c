//! How messages are stored in memory, one after another.
//!
//! Each message is between two copies of its length: `length data htgnel`. The first is a LEB128 number,
//! the second the same bytes in reverse order, so that the run can be walked and cut from both ends in
//! constant time. A message below 128 bytes costs two extra bytes.

/// Maximum LEB128 bytes of a length, a `u64`.
const LENGTH_BYTES_MAX: usize = 10;

/// A length in its stored form.
pub(super) struct Length {
    bytes: [u8; LENGTH_BYTES_MAX],
    used: usize,
}

impl Length {
    #[inline]
    fn encode(mut value: usize) -> Length {
        let mut bytes = [0; LENGTH_BYTES_MAX];
        let mut used = 0;
        while value >= 0x80 {
            bytes[used] = (value as u8) | 0x80;
            value >>= 7;
            used += 1;
        }
        bytes[used] = value as u8;
        Length { bytes, used: used + 1 }
    }

    #[inline]
    pub(super) fn forward(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    #[inline]
    pub(super) fn reversed(&mut self) -> &[u8] {
        self.bytes[..self.used].reverse();
        &self.bytes[..self.used]
    }
}

/// The stored form of a length.
#[inline]
pub(super) fn encode_length(length: usize) -> Length {
    Length::encode(length)
}

/// How many bytes a message of `length` takes in a segment.
#[inline]
pub(super) fn stored_bytes(length: usize) -> usize {
    if length < 0x80 {
        return length + 2;
    }
    let bits = (usize::BITS - (length | 1).leading_zeros()) as usize;
    length + 2 * bits.div_ceil(7)
}

/// Appends a message in its stored form.
#[inline(always)]
pub(super) fn append(bytes: &mut Vec<u8>, message: &[u8]) {
    if message.len() < 0x80 {
        let length = message.len() as u8;
        // Tells the compiler that the capacity suffices.
        bytes.reserve(message.len() + 2);
        bytes.push(length);
        bytes.extend_from_slice(message);
        bytes.push(length);
    } else {
        let mut length = Length::encode(message.len());
        bytes.extend_from_slice(length.forward());
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(length.reversed());
    }
}

/// Reads a length from an iterator of its bytes, least significant first; returns the value and the
/// number of bytes. Only this file writes them, so a length is always complete.
#[inline]
fn decode<'a>(bytes: impl Iterator<Item = &'a u8>) -> (usize, usize) {
    let mut value = 0;
    let mut used = 0;
    for &byte in bytes {
        value |= usize::from(byte & 0x7f) << (7 * used);
        used += 1;
        if byte < 0x80 {
            break;
        }
    }
    (value, used)
}

/// Writes a message in its stored form at `at`, over the existing bytes.
#[inline]
pub(super) fn write_at(bytes: &mut [u8], at: usize, message: &[u8]) {
    if message.len() < 0x80 {
        let length = message.len() as u8;
        let stored = &mut bytes[at..at + message.len() + 2];
        stored[0] = length;
        stored[1..=message.len()].copy_from_slice(message);
        stored[message.len() + 1] = length;
        return;
    }
    let mut length = Length::encode(message.len());
    let data = at + length.used;
    bytes[at..data].copy_from_slice(length.forward());
    bytes[data..data + message.len()].copy_from_slice(message);
    let trailer = data + message.len();
    bytes[trailer..trailer + length.used].copy_from_slice(length.reversed());
}

/// The message whose stored form begins at `at`, and where the next one begins.
#[inline]
pub(super) fn read_at(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let (length, used) = match bytes[at] {
        short @ 0..0x80 => (usize::from(short), 1),
        _ => decode(bytes[at..].iter()),
    };
    let data = at + used;
    (&bytes[data..data + length], data + length + used)
}

/// The message whose stored form ends at `end`, and where it begins.
#[inline]
pub(super) fn read_before(bytes: &[u8], end: usize) -> (&[u8], usize) {
    let (length, used) = decode(bytes[..end].iter().rev());
    let data = end - used - length;
    (&bytes[data..data + length], data - used)
}

/// Where the stored form of message `index` of `count` begins, walking from the nearer end.
pub(super) fn offset_of(bytes: &[u8], count: usize, index: usize) -> usize {
    if index <= count / 2 {
        let mut at = 0;
        for _ in 0..index {
            at = read_at(bytes, at).1;
        }
        at
    } else {
        let mut at = bytes.len();
        for _ in index..count {
            at = read_before(bytes, at).1;
        }
        at
    }
}

/// A run of messages, from either end.
pub(super) struct Messages<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
    left: usize,
}

impl<'a> Messages<'a> {
    /// The `count` messages stored in these bytes.
    pub(super) fn new(bytes: &'a [u8], count: usize) -> Messages<'a> {
        Messages { bytes, front: 0, back: bytes.len(), left: count }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (message, next) = read_at(self.bytes, self.front);
        self.front = next;
        Some(message)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a> DoubleEndedIterator for Messages<'a> {
    fn next_back(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (message, at) = read_before(self.bytes, self.back);
        self.back = at;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_agrees_with_what_is_written() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let message = vec![7; length];
            let mut appended = Vec::new();
            append(&mut appended, &message);
            assert_eq!(appended.len(), stored_bytes(length), "length {length}");
            let mut written = vec![1; appended.len()];
            write_at(&mut written, 0, &message);
            assert!(appended == written, "length {length}");
            assert_eq!(read_at(&written, 0), (&message[..], written.len()));
            assert_eq!(read_before(&written, written.len()), (&message[..], 0));
        }
    }
}
