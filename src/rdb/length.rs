//! Reads lengths and fixed parts from bytes of which more may come.

use super::error::Problem;
use super::format::{
    LENGTH_6_BITS, LENGTH_14_BITS, LENGTH_32_BITS, LENGTH_64_BITS, LENGTH_MASK, STRING_FORM,
};

/// Why an item cannot be read.
#[derive(Debug)]
pub(super) enum Stop {
    /// The item has at least this many bytes from its beginning, and not all of them are here.
    Needs(u64),
    /// It is wrong.
    Wrong(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Wrong(problem)
    }
}

/// A length, or what stands in the place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// This many.
    Of(u64),
    /// A string in this form.
    Form(u8),
}

/// Walks through the bytes of one item.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Returns one at the beginning of an item.
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// Returns the bytes taken.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the bytes that are here and not taken.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Takes this many bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count));
        let Some(taken) = taken else {
            return Err(Stop::Needs((self.at as u64).saturating_add(count)));
        };
        self.at += taken.len();
        Ok(taken)
    }

    /// Takes a fixed number of bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// Takes one byte.
    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        self.array().map(|[byte]| byte)
    }

    /// Takes a length.
    pub(super) fn length(&mut self) -> Result<u64, Stop> {
        match self.length_or_form()? {
            Length::Of(length) => Ok(length),
            Length::Form(form) => Err(Problem::NotALength(STRING_FORM | form).into()),
        }
    }

    /// Takes a length, or the form of a string in its place.
    pub(super) fn length_or_form(&mut self) -> Result<Length, Stop> {
        let first = self.byte()?;
        let low = first & !LENGTH_MASK;
        match (first & LENGTH_MASK, first) {
            (LENGTH_6_BITS, _) => Ok(Length::Of(low.into())),
            (LENGTH_14_BITS, _) => Ok(Length::Of(u64::from(low) << 8 | u64::from(self.byte()?))),
            (STRING_FORM, _) => Ok(Length::Form(low)),
            (_, LENGTH_32_BITS) => Ok(Length::Of(u32::from_be_bytes(self.array()?).into())),
            (_, LENGTH_64_BITS) => Ok(Length::Of(u64::from_be_bytes(self.array()?))),
            _ => Err(Problem::NotALength(first).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_length() {
        let cases: &[(&[u8], u64)] = &[
            (&[0], 0),
            (&[63], 63),
            (&[0x40, 64], 64),
            (&[0x7f, 0xff], 16_383),
            (&[0x80, 0, 0, 0x40, 0], 16_384),
            (&[0x80, 0xff, 0xff, 0xff, 0xff], u32::MAX.into()),
            (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
            (&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], u64::MAX),
        ];
        for (bytes, expected) in cases {
            let mut cursor = Cursor::new(bytes);
            assert_eq!(cursor.length().expect("whole"), *expected);
            assert_eq!((cursor.at(), cursor.left()), (bytes.len(), 0));
            for end in 0..bytes.len() {
                let stop = Cursor::new(&bytes[..end]).length().expect_err("cut");
                let needed = if end == 0 { 1 } else { bytes.len() as u64 };
                assert!(matches!(stop, Stop::Needs(bytes) if bytes == needed));
            }
        }
    }

    #[test]
    fn other_first_bytes_are_no_lengths() {
        for first in [0x82, 0x90, 0xbf, 0xc0, 0xff] {
            let stop = Cursor::new(&[first; 9]).length().expect_err("wrong");
            assert!(matches!(stop, Stop::Wrong(Problem::NotALength(byte)) if byte == first));
        }
        assert_eq!(Cursor::new(&[0xc3]).length_or_form().expect("whole"), Length::Form(3));
    }

    #[test]
    fn a_length_beyond_the_memory_only_waits() {
        let mut cursor = Cursor::new(b"ab");
        assert_eq!(cursor.byte().expect("whole"), b'a');
        let stop = cursor.take(u64::MAX).expect_err("cut");
        assert!(matches!(stop, Stop::Needs(u64::MAX)));
        assert_eq!(cursor.take(1).expect("whole"), b"b");
    }
}
