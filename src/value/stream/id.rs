//! The ids of entries: a time in milliseconds, and a number among those of the same time.

use crate::resp::parse_integer;

/// The id of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId {
    /// Unix milliseconds.
    pub(crate) ms: u64,
    /// The number among the ids of the same millisecond.
    pub(crate) seq: u64,
}

/// An id as a command names it, which may leave the second number to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewId {
    /// `*`: the current time.
    Now,
    /// `ms-*`: the next one of this millisecond.
    In(u64),
    /// Exactly this one.
    Exactly(StreamId),
}

/// The longest id that is read, in bytes.
const TEXT_BYTES_MAX: usize = 127;

impl StreamId {
    /// The lowest id, which no entry has.
    pub(crate) const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The highest id.
    pub(crate) const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// Returns the id after this one, unless it is the highest.
    pub(crate) fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// Returns the id before this one, unless it is the lowest.
    pub(crate) fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Reads an id, of which the second number may be missing.
    pub(crate) fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match NewId::parse_within(text, missing_seq)? {
            NewId::Exactly(id) => Some(id),
            NewId::Now | NewId::In(_) => None,
        }
    }

    /// As `parse`, but `-` and `+` are the lowest and the highest id.
    pub(crate) fn parse_bound(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match text {
            b"-" => Some(StreamId::MIN),
            b"+" => Some(StreamId::MAX),
            _ => StreamId::parse(text, missing_seq),
        }
    }

    /// Passes the text to `read`; returns its result.
    pub(crate) fn with_text<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        // Two numbers of up to 20 digits.
        let mut text = [b'-'; 41];
        let mut digits = itoa::Buffer::new();
        let ms = digits.format(self.ms).as_bytes();
        let behind = ms.len() + 1;
        text[..ms.len()].copy_from_slice(ms);
        let seq = digits.format(self.seq).as_bytes();
        text[behind..behind + seq.len()].copy_from_slice(seq);
        read(&text[..behind + seq.len()])
    }

    /// Returns the text.
    pub(crate) fn to_text(self) -> Vec<u8> {
        self.with_text(<[u8]>::to_vec)
    }

    /// Returns the bytes in the order of the ids.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// Returns the id with these bytes.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let number = u128::from_be_bytes(bytes);
        StreamId { ms: (number >> 64) as u64, seq: number as u64 }
    }
}

impl NewId {
    /// Reads the id of a new entry.
    pub(crate) fn parse(text: &[u8]) -> Option<NewId> {
        if text == b"*" {
            return Some(NewId::Now);
        }
        NewId::parse_within(text, 0)
    }

    fn parse_within(text: &[u8], missing_seq: u64) -> Option<NewId> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        // Redis reads a C string.
        let end = memchr::memchr(0, text).unwrap_or(text.len());
        let text = text.get(..end)?;
        let Some(dash) = memchr::memchr(b'-', text) else {
            return Some(NewId::Exactly(StreamId { ms: parse_number(text)?, seq: missing_seq }));
        };
        let (ms, seq) = (parse_number(text.get(..dash)?)?, text.get(dash + 1..)?);
        if seq == b"*" {
            return Some(NewId::In(ms));
        }
        Some(NewId::Exactly(StreamId { ms, seq: parse_number(seq)? }))
    }
}

/// Reads a number as Redis does: a decimal one, or whatever C's strtoull takes.
fn parse_number(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_integer(text) {
        return u64::try_from(number).ok();
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | 9..=13))?;
    let (is_negative, digits) = match text.get(start..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0u64;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if is_negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    #[test]
    fn ids_are_read_as_redis_does() {
        for (text, expected) in [
            ("5", Some(id(5, 9))),
            ("5-0", Some(id(5, 0))),
            ("0-0", Some(id(0, 0))),
            ("18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            ("18446744073709551616-0", None),
            ("-", None),
            ("+", None),
            ("", None),
            ("5-", None),
            ("-5", None),
            ("5-*", None),
            ("*", None),
            ("5-1-1", None),
            ("007-+1", Some(id(7, 1))),
            (" 7- 1", Some(id(7, 1))),
            ("7--1", None),
            ("7--01", Some(id(7, u64::MAX))),
            ("7 -1", None),
            ("7-1\0x", Some(id(7, 1))),
            ("x", None),
        ] {
            assert_eq!(StreamId::parse(text.as_bytes(), 9), expected, "{text}");
        }
        let long = [b'0'; 128];
        assert_eq!(StreamId::parse(&long, 0), None);
        assert_eq!(StreamId::parse(&long[..127], 0), Some(StreamId::MIN));
        assert_eq!(StreamId::parse_bound(b"-", 1), Some(StreamId::MIN));
        assert_eq!(StreamId::parse_bound(b"+", 1), Some(StreamId::MAX));
        assert_eq!(NewId::parse(b"*"), Some(NewId::Now));
        assert_eq!(NewId::parse(b"3-*"), Some(NewId::In(3)));
        assert_eq!(NewId::parse(b"3"), Some(NewId::Exactly(id(3, 0))));
        assert_eq!(NewId::parse(b"3-**"), None);
    }

    #[test]
    fn neighbours_and_texts() {
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(id(2, 0).previous(), Some(id(1, u64::MAX)));
        assert_eq!(StreamId::MIN.previous(), None);
        for id in [StreamId::MIN, StreamId::MAX, id(12, 345)] {
            assert_eq!(StreamId::parse(&id.to_text(), 7), Some(id));
            assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        }
    }
}
