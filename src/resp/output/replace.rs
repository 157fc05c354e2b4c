//! Replies that are replaced while they are pending.

use super::Output;
use std::iter::Peekable;
use std::ops::Range;

impl Output {
    /// Replaces each of these ranges of bytes, which are in order, by the same text. Places stay valid; those
    /// of messages within a range are gaps then. Copies all that is in the buffer.
    pub fn replace(&mut self, ranges: &[Range<usize>], text: &[u8]) {
        let mut ranges = ranges.iter().cloned().peekable();
        let mut buffer = Vec::with_capacity(self.buffer.len());
        let (mut at, mut offset) = (self.taken, 0);
        for (position, message) in &mut self.shared {
            copy_replaced(&self.buffer[at..*position], &mut offset, &mut ranges, text, &mut buffer);
            at = std::mem::replace(position, buffer.len());
            let end = offset + message.len();
            if ranges.peek().is_none_or(|next| end <= next.start) {
                offset = end;
                continue;
            }
            let mut replaced = Vec::new();
            copy_replaced(message, &mut offset, &mut ranges, text, &mut replaced);
            self.gaps += usize::from(replaced.is_empty() && !message.is_empty());
            self.shared_bytes = self.shared_bytes + replaced.len() - message.len();
            *message = replaced.into();
        }
        copy_replaced(&self.buffer[at..], &mut offset, &mut ranges, text, &mut buffer);
        (self.buffer, self.taken) = (buffer, 0);
        if !self.keeps_places {
            self.close_gaps();
        }
    }
}

/// Copies bytes that begin at an offset of the output, with the ranges in them replaced by a text, which is
/// where a range begins. Ranges that have ended are taken.
fn copy_replaced(
    bytes: &[u8],
    offset: &mut usize,
    ranges: &mut Peekable<impl Iterator<Item = Range<usize>>>,
    text: &[u8],
    to: &mut Vec<u8>,
) {
    let start = std::mem::replace(offset, *offset + bytes.len());
    let mut copied = start;
    while let Some(range) = ranges.peek().filter(|range| range.start < *offset) {
        if range.start >= start {
            to.extend_from_slice(&bytes[copied - start..range.start - start]);
            to.extend_from_slice(text);
        }
        copied = range.end.min(*offset);
        if range.end > *offset {
            return;
        }
        ranges.next();
    }
    to.extend_from_slice(&bytes[copied - start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the bytes are in, and however much of them was taken, the ranges are replaced, and
        /// messages outside of them keep their places.
        #[test]
        fn ranges_are_replaced(
            pieces in prop::collection::vec((0u8..5, 1usize..60), 1..20),
            (taken, cuts) in (0usize..50, prop::collection::vec(0usize..1200, 0..8)),
        ) {
            let mut output = Output::new(Protocol::Resp2);
            for (number, (kind, length)) in pieces.into_iter().enumerate() {
                let piece = vec![b'a' + number as u8; length];
                match kind {
                    0 | 1 => output.raw(&piece),
                    2 => output.bulk(&vec![b'L'; 1000 * length]),
                    3 => output.share(piece.into()),
                    _ => drop(output.share_in_place(piece.into())),
                }
            }
            output.advance(taken.min(output.len()));
            let mut expected = Vec::new();
            output.copy_to(&mut expected, usize::MAX);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (expected.len() + 1)).collect();
            cuts.sort_unstable();
            let pairs = cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]);
            let ranges: Vec<Range<usize>> = pairs.filter(|range| !range.is_empty()).collect();
            let messages = |output: &Output| -> Vec<(usize, Bytes)> {
                let places = (0..output.next_place()).filter(|place| output.has_message(*place));
                places.map(|place| (place, output.shared[place].1.clone())).collect()
            };
            let before = messages(&output);
            let offsets: Vec<usize> = before.iter().map(|(at, _)| output.offset_of(*at)).collect();
            output.replace(&ranges, b"-ERR\r\n");
            for range in ranges.iter().rev() {
                expected.splice(range.clone(), *b"-ERR\r\n");
            }
            output.check_invariants();
            if output.keeps_places {
                for ((place, message), offset) in before.iter().zip(offsets) {
                    let is_outside = |range: &Range<usize>| {
                        offset + message.len() <= range.start || range.end <= offset
                    };
                    if ranges.iter().all(is_outside) {
                        prop_assert_eq!(&output.shared[*place].1, message);
                    }
                }
            }
            prop_assert_eq!(output.take_all(), expected);
        }
    }
}
