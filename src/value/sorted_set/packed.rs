//! A small sorted set: elements in order, in one buffer.
//!
//! ```text
//! element  bytes of the member (7 bits in each byte, the lowest first; all but the last have the highest bit),
//!          the score, the member
//! score    one byte: an integer up to `BYTE_MAX`, or a form, followed by a number, the lowest byte first
//! ```

use crate::dict::Buffer;
use crate::tree::{Cut, compare};
use std::ops::Range;

/// Integers up to this are in one byte.
const BYTE_MAX: u8 = 247;
/// Forms of other scores: integers, thousandths, and floating-point numbers.
const INTEGER_16: u8 = 248;
const INTEGER_32: u8 = 249;
const THOUSANDTHS_16: u8 = 250;
const THOUSANDTHS_32: u8 = 251;
const FLOAT_32: u8 = 252;
const FLOAT_64: u8 = 253;

/// The longest head of an element: what is before its member.
const HEAD_BYTES_MAX: usize = 19;

/// Elements in order, in one buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    bytes: &'a [u8],
    len: usize,
}

/// An element, and where it is.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    start: usize,
    end: usize,
    score: f64,
    member: &'a [u8],
}

/// The head of a new element.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: usize,
}

impl Head {
    fn of(score: f64, member_bytes: usize) -> Head {
        let mut head = Head::default();
        let mut left = member_bytes;
        while left > 0x7f {
            head.push(&[left as u8 | 0x80]);
            left >>= 7;
        }
        head.push(&[left as u8]);
        head.push_score(score);
        head
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn push_form(&mut self, form: u8, bytes: &[u8]) {
        self.push(&[form]);
        self.push(bytes);
    }

    /// Chooses the shortest form from which the same number is read.
    fn push_score(&mut self, score: f64) {
        let (integer, thousandths) = (score as i32, (score * 1000.0).round() as i32);
        if f64::from(integer).to_bits() == score.to_bits() {
            match (u8::try_from(integer), i16::try_from(integer)) {
                (Ok(small), _) if small <= BYTE_MAX => self.push(&[small]),
                (_, Ok(short)) => self.push_form(INTEGER_16, &short.to_le_bytes()),
                _ => self.push_form(INTEGER_32, &integer.to_le_bytes()),
            }
        } else if of_thousandths(thousandths).to_bits() == score.to_bits() {
            match i16::try_from(thousandths) {
                Ok(short) => self.push_form(THOUSANDTHS_16, &short.to_le_bytes()),
                Err(_) => self.push_form(THOUSANDTHS_32, &thousandths.to_le_bytes()),
            }
        } else if f64::from(score as f32).to_bits() == score.to_bits() {
            self.push_form(FLOAT_32, &(score as f32).to_le_bytes());
        } else {
            self.push_form(FLOAT_64, &score.to_le_bytes());
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn of_thousandths(number: i32) -> f64 {
    f64::from(number) / 1000.0
}

/// Reads a score; returns what is behind it.
#[inline]
fn read_score(bytes: &[u8]) -> Option<(f64, &[u8])> {
    let (&form, rest) = bytes.split_first()?;
    if form <= BYTE_MAX {
        return Some((form.into(), rest));
    }
    match form {
        INTEGER_16 | THOUSANDTHS_16 => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = i16::from_le_bytes(*number);
            let is_whole = form == INTEGER_16;
            let score = if is_whole { number.into() } else { of_thousandths(number.into()) };
            Some((score, rest))
        }
        INTEGER_32 | THOUSANDTHS_32 => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = i32::from_le_bytes(*number);
            let is_whole = form == INTEGER_32;
            Some((if is_whole { number.into() } else { of_thousandths(number) }, rest))
        }
        FLOAT_32 => {
            let (number, rest) = rest.split_first_chunk()?;
            Some((f32::from_le_bytes(*number).into(), rest))
        }
        _ => {
            let (number, rest) = rest.split_first_chunk()?;
            Some((f64::from_le_bytes(*number), rest))
        }
    }
}

impl<'a> Packed<'a> {
    /// The elements in a buffer.
    #[inline]
    pub(super) fn of(buffer: &'a impl Buffer) -> Packed<'a> {
        Packed { bytes: buffer.bytes(), len: buffer.count() }
    }

    /// Returns the element that begins at an offset.
    #[inline]
    fn at(self, start: usize) -> Option<Found<'a>> {
        let (&first, mut rest) = self.bytes.get(start..)?.split_first()?;
        let mut length = usize::from(first & 0x7f);
        let (mut byte, mut shift) = (first, 7);
        while byte & 0x80 != 0 {
            (byte, rest) = rest.split_first().map(|(byte, rest)| (*byte, rest))?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let (score, rest) = read_score(rest)?;
        let member = rest.get(..length)?;
        let end = self.bytes.len() - rest.len() + length;
        Some(Found { start, end, score, member })
    }

    /// Returns all elements from the one that begins at an offset on.
    #[inline]
    fn found_from(self, start: usize) -> impl Iterator<Item = Found<'a>> {
        let mut next = start;
        std::iter::from_fn(move || {
            let found = self.at(next)?;
            next = found.end;
            Some(found)
        })
    }

    /// Returns the rank and the score of a member.
    pub(super) fn find(self, member: &[u8]) -> Option<(usize, f64)> {
        let found = self.found_from(0).enumerate().find(|(_, found)| found.member == member);
        found.map(|(rank, found)| (rank, found.score))
    }

    /// Returns where the element of a rank begins.
    fn offset(self, rank: usize) -> usize {
        match rank.checked_sub(1) {
            None => 0,
            Some(before) if rank < self.len => {
                self.found_from(0).nth(before).map_or(0, |before| before.end)
            }
            Some(_) => self.bytes.len(),
        }
    }

    /// Returns the number of elements before a cut.
    pub(super) fn rank(self, cut: &Cut<'_>) -> usize {
        let is_before = |found: &Found<'_>| cut.is_behind(found.score, || found.member);
        self.found_from(0).take_while(is_before).count()
    }

    /// Returns the elements of these ranks.
    pub(super) fn range(self, ranks: Range<usize>) -> PackedRange<'a> {
        let end = ranks.end.min(self.len);
        let left = end.saturating_sub(ranks.start);
        PackedRange { packed: self, next: self.offset(ranks.start), left, starts: None }
    }
}

/// Adds a member, which is not there yet. Returns `None`, and does nothing, if there is no space for it.
pub(super) fn insert(buffer: &mut impl Buffer, score: f64, member: &[u8]) -> Option<()> {
    let packed = Packed::of(buffer);
    let is_behind =
        |found: &Found<'_>| compare((score, member), (found.score, found.member)).is_lt();
    let next = packed.found_from(0).find(is_behind);
    let at = next.map_or(packed.bytes.len(), |next| next.start);
    let len = packed.len;
    let head = Head::of(score, member.len());
    let head = head.as_bytes();
    let place = buffer.splice(at, 0, head.len() + member.len())?;
    let (first, second) = place.split_at_mut_checked(head.len())?;
    first.copy_from_slice(head);
    second.copy_from_slice(member);
    buffer.set_count(len + 1);
    Some(())
}

/// Removes the elements of these ranks.
pub(super) fn remove(buffer: &mut impl Buffer, ranks: Range<usize>) {
    let packed = Packed::of(buffer);
    let count = ranks.end.min(packed.len).saturating_sub(ranks.start);
    if count == 0 {
        return;
    }
    let (start, left) = (packed.offset(ranks.start), packed.len - count);
    let end = packed.found_from(start).take(count).last().map_or(start, |last| last.end);
    buffer.splice(start, end - start, 0);
    buffer.set_count(left);
}

/// Some elements, from both ends.
#[derive(Clone, Debug)]
pub(super) struct PackedRange<'a> {
    packed: Packed<'a>,
    next: usize,
    left: usize,
    /// Where the elements begin that are left, once they are also taken from the back.
    starts: Option<Vec<usize>>,
}

impl<'a> Iterator for PackedRange<'a> {
    type Item = (f64, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(f64, &'a [u8])> {
        self.left = self.left.checked_sub(1)?;
        let found = self.packed.at(self.next)?;
        self.next = found.end;
        Some((found.score, found.member))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for PackedRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let packed = self.packed;
        let starts = self.starts.get_or_insert_with(|| {
            packed.found_from(self.next).take(self.left).map(|found| found.start).collect()
        });
        self.left = self.left.checked_sub(1)?;
        let found = packed.at(starts.pop()?)?;
        Some((found.score, found.member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::compact::Compact;

    type Elements = Compact<u8>;

    #[test]
    fn scores_are_kept_exactly_in_few_bytes() {
        for (score, bytes) in [
            (0.0, 1),
            (247.0, 1),
            (248.0, 3),
            (-1.0, 3),
            (32_768.0, 5),
            (f64::from(i32::MIN), 5),
            (0.1, 3),
            (-32.768, 3),
            (1234.567, 5),
            (f64::from(1.0e-20_f32), 5),
            (0.000_1, 9),
            (2_147_483_648.0, 5),
            (7_355_971_298_705_408.0, 9),
            (f64::MAX, 9),
            (f64::INFINITY, 5),
            (f64::NEG_INFINITY, 5),
            (f64::MIN_POSITIVE, 9),
            (-0.0, 5),
        ] {
            let mut elements = Elements::default();
            assert_eq!(insert(&mut elements, score, b"m"), Some(()));
            assert_eq!(elements.bytes().len(), 2 + bytes, "{score}");
            let found = Packed::of(&elements).at(0).map(|found| found.score.to_bits());
            assert_eq!(found, Some(score.to_bits()), "{score}");
        }
    }

    #[test]
    fn elements_are_in_order() {
        let mut elements = Elements::default();
        let long = [b'x'; 300];
        for (score, member) in [(2.0, &b"b"[..]), (1.0, b""), (2.0, b"a"), (-1.0, &long)] {
            assert_eq!(insert(&mut elements, score, member), Some(()));
        }
        let packed = Packed::of(&elements);
        let expected = [(-1.0, &long[..]), (1.0, b""), (2.0, b"a"), (2.0, b"b")];
        assert!(packed.range(0..9).eq(expected));
        assert!(packed.range(1..3).rev().eq([expected[2], expected[1]]));
        assert_eq!(packed.find(b"a"), Some((2, 2.0)));
        assert_eq!(packed.find(b"c"), None);
        assert_eq!(packed.rank(&Cut::BehindScore(1.0)), 2);
        let mut both = packed.range(0..4);
        assert_eq!((both.next(), both.next_back()), (Some(expected[0]), Some(expected[3])));
        assert_eq!((both.next_back(), both.next_back()), (Some(expected[2]), Some(expected[1])));
        assert_eq!((both.next_back(), both.next()), (None, None));
        remove(&mut elements, 1..3);
        assert!(Packed::of(&elements).range(0..9).eq([expected[0], expected[3]]));
        remove(&mut elements, 0..2);
        assert_eq!((elements.count(), elements.bytes().len()), (0, 0));
    }
}
