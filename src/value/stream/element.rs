//! The elements of a listpack: integers and strings, each with its own length behind it, so that it can be
//! read from both sides. A block of a stream is written to files as it is stored, and takes as much memory.
//!
//! `rdb/listpack.rs` describes the format, and reads listpacks that come from elsewhere. The elements here
//! were written here, so a damaged one does not occur; it reads as an empty string.

use crate::resp::parse_integer;

/// Longer strings are no numbers: an i64 has at most 20 digits, including the sign.
const DIGITS_MAX: usize = 20;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element<'a> {
    /// The text of a number in its shortest form.
    Integer(i64),
    /// Any other bytes.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// Returns the element that stores these bytes.
    #[inline]
    pub(super) fn of(bytes: &'a [u8]) -> Element<'a> {
        let number = if bytes.len() <= DIGITS_MAX { parse_integer(bytes) } else { None };
        number.map_or(Element::Bytes(bytes), Element::Integer)
    }

    /// Passes the bytes to `read`; returns its result.
    #[inline]
    pub(crate) fn with<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Element::Integer(number) => read(itoa::Buffer::new().format(number).as_bytes()),
            Element::Bytes(bytes) => read(bytes),
        }
    }

    /// Returns the number; zero of a string.
    pub(super) fn number(self) -> i64 {
        match self {
            Element::Integer(number) => number,
            Element::Bytes(_) => 0,
        }
    }

    /// Appends the element.
    #[inline]
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Element::Integer(number) => write_integer(out, number),
            Element::Bytes(bytes) => {
                match bytes.len() {
                    len @ 0..64 => out.push(0x80 | len as u8),
                    len @ 64..4096 => out.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]),
                    len => {
                        out.push(0xf0);
                        // A stream refuses longer ones.
                        out.extend_from_slice(&(len as u32).to_le_bytes());
                    }
                }
                out.extend_from_slice(bytes);
            }
        }
        write_own_length(out, out.len() - start);
    }

    /// Returns the bytes that `write` appends.
    pub(super) fn written_bytes(self) -> usize {
        let length = match self {
            Element::Integer(number) => match number {
                0..128 => 1,
                -4096..4096 => 2,
                -0x8000..0x8000 => 3,
                -0x80_0000..0x80_0000 => 4,
                -0x8000_0000..0x8000_0000 => 5,
                _ => 9,
            },
            Element::Bytes(bytes) => match bytes.len() {
                len @ 0..64 => 1 + len,
                len @ 64..4096 => 2 + len,
                len => 5 + len,
            },
        };
        length + own_length_bytes(length)
    }
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        0..128 => out.push(number as u8),
        -4096..4096 => {
            let bits = number as u16 & 0x1fff;
            out.extend_from_slice(&[0xc0 | (bits >> 8) as u8, bits as u8]);
        }
        -0x8000..0x8000 => {
            out.push(0xf1);
            out.extend_from_slice(&(number as i16).to_le_bytes());
        }
        -0x80_0000..0x80_0000 => {
            let [low, middle, high, _] = (number as i32).to_le_bytes();
            out.extend_from_slice(&[0xf2, low, middle, high]);
        }
        -0x8000_0000..0x8000_0000 => {
            out.push(0xf3);
            out.extend_from_slice(&(number as i32).to_le_bytes());
        }
        _ => {
            out.push(0xf4);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// The bytes of an element's own length behind it. The bounds are Redis'.
fn own_length_bytes(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Appends an element's own length: seven bits in a byte, the lowest last; all but the first byte have the
/// highest bit set.
fn write_own_length(out: &mut Vec<u8>, length: usize) {
    let count = own_length_bytes(length);
    for at in (0..count).rev() {
        let bits = (length >> (7 * at)) as u8 & 0x7f;
        out.push(if at + 1 == count { bits } else { bits | 0x80 });
    }
}

/// Reads elements one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Elements<'a> {
        Elements { bytes, at }
    }

    /// Returns the offset of the next element.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether there are no more.
    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    fn array<const N: usize>(&self) -> [u8; N] {
        let behind = self.bytes.get(self.at + 1..).and_then(<[u8]>::first_chunk);
        behind.copied().unwrap_or([0; N])
    }

    /// Returns the bytes of the header and of the string behind it.
    #[inline]
    fn lengths(&self, first: u8) -> (usize, usize) {
        match first {
            0x80..=0xbf => (1, usize::from(first & 0x3f)),
            0xe0..=0xef => {
                let [low] = self.array();
                (2, usize::from(first & 0x0f) << 8 | usize::from(low))
            }
            0xf0 => (5, u32::from_le_bytes(self.array()) as usize),
            0xc0..=0xdf => (2, 0),
            0xf1 => (3, 0),
            0xf2 => (4, 0),
            0xf3 => (5, 0),
            0xf4 => (9, 0),
            _ => (1, 0),
        }
    }

    /// Takes the next element.
    #[inline]
    pub(super) fn next(&mut self) -> Element<'a> {
        let first = self.bytes.get(self.at).copied().unwrap_or(0x80);
        if first < 0x80 {
            self.at += 2;
            return Element::Integer(i64::from(first));
        }
        let (header, length) = self.lengths(first);
        let element = match first {
            0xc0..=0xdf => {
                let [low] = self.array();
                let bits = i64::from(first & 0x1f) << 8 | i64::from(low);
                Element::Integer(if bits < 1 << 12 { bits } else { bits - (1 << 13) })
            }
            0xf1 => Element::Integer(i16::from_le_bytes(self.array()).into()),
            0xf2 => {
                let [low, middle, high] = self.array();
                Element::Integer((i32::from_le_bytes([0, low, middle, high]) >> 8).into())
            }
            0xf3 => Element::Integer(i32::from_le_bytes(self.array()).into()),
            0xf4 => Element::Integer(i64::from_le_bytes(self.array())),
            _ => {
                let start = self.at + header;
                Element::Bytes(self.bytes.get(start..start + length).unwrap_or_default())
            }
        };
        self.pass(header + length);
        element
    }

    #[inline]
    fn pass(&mut self, length: usize) {
        self.at += length + own_length_bytes(length);
    }

    /// Passes over elements.
    #[inline]
    pub(super) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            let first = self.bytes.get(self.at).copied().unwrap_or(0x80);
            if first < 0x80 {
                self.at += 2;
            } else {
                let (header, length) = self.lengths(first);
                self.pass(header + length);
            }
        }
    }

    /// Goes back before the element that ends here.
    #[inline]
    pub(super) fn back(&mut self) {
        let mut length = 0;
        let mut count = 0;
        while let Some(at) = self.at.checked_sub(count + 1) {
            let byte = self.bytes.get(at).copied().unwrap_or_default();
            length |= usize::from(byte & 0x7f) << (7 * count);
            count += 1;
            if byte & 0x80 == 0 || count == 5 {
                break;
            }
        }
        self.at = self.at.saturating_sub(length + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::parse_integer;

    #[test]
    fn elements_are_read_from_both_sides() {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for bit in 0..63 {
            for number in [1i64 << bit, (1 << bit) - 1, -(1 << bit), -(1 << bit) - 1] {
                texts.push(number.to_string().into_bytes());
            }
        }
        texts.extend([i64::MAX, i64::MIN].map(|number| number.to_string().into_bytes()));
        for length in [0, 1, 63, 64, 127, 128, 4095, 4096, 16_381, 16_382, 16_383, 2_097_150] {
            texts.push(vec![b'x'; length]);
        }
        texts.push(b"-0".to_vec());
        let mut bytes = Vec::new();
        let mut starts = Vec::new();
        for text in &texts {
            starts.push(bytes.len());
            let element = Element::of(text);
            assert_eq!(matches!(element, Element::Integer(_)), parse_integer(text).is_some());
            let before = bytes.len();
            element.write(&mut bytes);
            assert_eq!(bytes.len() - before, element.written_bytes());
        }
        let mut elements = Elements::new(&bytes, 0);
        let mut skipped = Elements::new(&bytes, 0);
        for text in &texts {
            assert!(!elements.is_at_end());
            assert_eq!(elements.next().with(<[u8]>::to_vec), *text);
            skipped.skip(1);
            assert_eq!(skipped.at(), elements.at());
        }
        assert!(elements.is_at_end());
        for start in starts.into_iter().rev() {
            elements.back();
            assert_eq!(elements.at(), start);
        }
    }
}
