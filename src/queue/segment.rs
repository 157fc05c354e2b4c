//! One run of messages, back to back in a single allocation.

use super::stored::{Messages, append, offset_of, read_at, read_before, stored_bytes, write_at};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// A run of messages. The live ones begin at `start`; the bytes before it were popped, or are slack for
/// pushes at the front.
#[derive(Debug)]
pub(super) struct Segment {
    buffer: Buffer,
    start: usize,
    count: usize,
}

/// The bytes. A shared buffer is never written to: popping moves `start` and `end`, pushing goes
/// elsewhere, and a change in the middle copies first.
#[derive(Debug)]
enum Buffer {
    Owned(Vec<u8>),
    /// Shared with a snapshot. The live messages end at `end`.
    Shared {
        bytes: Arc<Vec<u8>>,
        end: usize,
    },
}

impl Buffer {
    /// The bytes up to the end of the live messages.
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Buffer::Owned(bytes) => bytes,
            Buffer::Shared { bytes, end } => &bytes[..*end],
        }
    }

    /// Ends the live messages at `at`.
    #[inline]
    fn truncate(&mut self, at: usize) {
        match self {
            Buffer::Owned(bytes) => bytes.truncate(at),
            Buffer::Shared { end, .. } => *end = at,
        }
    }

    /// The bytes, for changes. Shared bytes are copied up to the end of the live messages, or taken back
    /// if the snapshot is gone.
    #[inline]
    fn to_mut(&mut self) -> &mut Vec<u8> {
        if let Buffer::Shared { bytes, end } = self {
            let bytes = match Arc::get_mut(bytes) {
                Some(bytes) => {
                    bytes.truncate(*end);
                    std::mem::take(bytes)
                }
                None => bytes[..*end].to_vec(),
            };
            *self = Buffer::Owned(bytes);
        }
        match self {
            Buffer::Owned(bytes) => bytes,
            Buffer::Shared { .. } => unreachable!("it was made owned above"),
        }
    }
}

impl Segment {
    /// An empty segment with slack for `capacity` bytes of stored messages after its end.
    pub(super) fn for_back(capacity: usize) -> Segment {
        Segment::owned(Vec::with_capacity(capacity), 0, 0)
    }

    /// An empty segment with slack of `capacity` bytes before its start.
    pub(super) fn for_front(capacity: usize) -> Segment {
        Segment::owned(vec![0; capacity], capacity, 0)
    }

    /// `count` messages that begin at `start` and end where the bytes end.
    pub(super) fn owned(bytes: Vec<u8>, start: usize, count: usize) -> Segment {
        Segment { buffer: Buffer::Owned(bytes), start, count }
    }

    /// A second segment with the same messages, without copying them.
    pub(super) fn share(&mut self) -> Segment {
        if let Buffer::Owned(bytes) = &mut self.buffer {
            let end = bytes.len();
            self.buffer = Buffer::Shared { bytes: Arc::new(std::mem::take(bytes)), end };
        }
        let buffer = match &self.buffer {
            Buffer::Shared { bytes, end } => Buffer::Shared { bytes: Arc::clone(bytes), end: *end },
            Buffer::Owned(_) => unreachable!("it was shared above"),
        };
        Segment { buffer, start: self.start, count: self.count }
    }

    /// Whether a snapshot shares the bytes.
    pub(super) fn is_shared(&self) -> bool {
        matches!(&self.buffer, Buffer::Shared { bytes, .. } if Arc::strong_count(bytes) > 1)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of the live messages, including their lengths.
    pub(super) fn live_bytes(&self) -> usize {
        self.bytes().len() - self.start
    }

    /// Bytes that the segment's buffer takes from the allocator.
    pub(super) fn capacity(&self) -> usize {
        match &self.buffer {
            Buffer::Owned(bytes) => bytes.capacity(),
            Buffer::Shared { bytes, .. } => bytes.capacity(),
        }
    }

    #[inline]
    pub(super) fn slack_at_front(&self) -> usize {
        match &self.buffer {
            Buffer::Owned(_) => self.start,
            Buffer::Shared { .. } => 0,
        }
    }

    /// Moves the live messages to a buffer of `capacity` bytes, with all slack at the back.
    pub(super) fn regrow_for_back(&mut self, capacity: usize) {
        if self.start == 0 && !self.is_shared() {
            let bytes = self.buffer.to_mut();
            bytes.reserve_exact(capacity.saturating_sub(bytes.len()));
            return;
        }
        let mut grown = Vec::with_capacity(capacity);
        grown.extend_from_slice(&self.bytes()[self.start..]);
        self.buffer = Buffer::Owned(grown);
        self.start = 0;
    }

    /// Moves the live messages to a buffer without slack.
    pub(super) fn fit(&mut self) {
        self.buffer = Buffer::Owned(self.stored().to_vec());
        self.start = 0;
    }

    /// Moves the live messages to the end of a buffer of `capacity` bytes.
    pub(super) fn regrow_for_front(&mut self, capacity: usize) {
        let live = self.live_bytes();
        let start = capacity.saturating_sub(live);
        let mut grown = vec![0; start + live];
        grown[start..].copy_from_slice(&self.bytes()[self.start..]);
        self.buffer = Buffer::Owned(grown);
        self.start = start;
    }

    /// Adds a message, which takes `stored` bytes, at the back, if there is slack for it without copying
    /// the others.
    #[inline]
    pub(super) fn push_back_into_slack(&mut self, message: &[u8], stored: usize) -> bool {
        match &mut self.buffer {
            Buffer::Owned(bytes) if bytes.capacity() - bytes.len() >= stored => {
                append(bytes, message);
                self.count += 1;
                true
            }
            _ => false,
        }
    }

    /// As `push_back_into_slack`, at the front.
    #[inline]
    pub(super) fn push_front_into_slack(&mut self, message: &[u8], stored: usize) -> bool {
        let has_slack = self.slack_at_front() >= stored;
        if has_slack {
            self.push_front(message);
        }
        has_slack
    }

    pub(super) fn push_back(&mut self, message: &[u8]) {
        append(self.buffer.to_mut(), message);
        self.count += 1;
    }

    /// The caller has made sure of the slack at the front.
    pub(super) fn push_front(&mut self, message: &[u8]) {
        let stored = stored_bytes(message.len());
        let at = self.start - stored;
        self.write_at(at, message);
        self.start = at;
        self.count += 1;
    }

    fn write_at(&mut self, at: usize, message: &[u8]) {
        write_at(self.buffer.to_mut(), at, message);
    }

    #[inline]
    fn read_at(&self, at: usize) -> (&[u8], usize) {
        read_at(self.bytes(), at)
    }

    #[inline]
    fn read_before(&self, end: usize) -> (&[u8], usize) {
        read_before(self.bytes(), end)
    }

    /// Pops the first message, after passing it to `read`; `None` if there is none.
    #[inline]
    pub(super) fn pop_front<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.count = self.count.checked_sub(1)?;
        let (message, next) = self.read_at(self.start);
        let seen = read(message);
        self.start = next;
        Some(seen)
    }

    /// Pops the last message, after passing it to `read`; `None` if there is none.
    #[inline]
    pub(super) fn pop_back<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.count = self.count.checked_sub(1)?;
        let (message, cut) = self.read_before(self.bytes().len());
        let seen = read(message);
        self.buffer.truncate(cut);
        Some(seen)
    }

    /// Takes the only message, with the buffer; `None`, and no change, if there are others, or if a
    /// snapshot shares the buffer.
    pub(super) fn take_only_message(&mut self) -> Option<Bytes> {
        let start = self.start;
        let (message, _) = self.read_at(start);
        let length = message.len();
        let Buffer::Owned(bytes) = &mut self.buffer else { return None };
        if self.count != 1 {
            return None;
        }
        let data_end =
            bytes.len() - stored_bytes(length) + length + (stored_bytes(length) - length) / 2;
        let bytes = Bytes::from(std::mem::take(bytes));
        (self.start, self.count) = (0, 0);
        Some(bytes.slice(data_end - length..data_end))
    }

    /// The live messages in their stored form.
    pub(super) fn stored(&self) -> &[u8] {
        &self.bytes()[self.start..]
    }

    pub(super) fn iter(&self) -> Messages<'_> {
        Messages::new(self.stored(), self.count)
    }

    /// Where the stored form of message `index` begins.
    fn offset_of(&self, index: usize) -> usize {
        self.start + offset_of(self.stored(), self.count, index)
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        (index < self.count).then(|| self.read_at(self.offset_of(index)).0)
    }

    /// Inserts `message` before message `index`; at `count` it becomes the last one.
    pub(super) fn insert(&mut self, index: usize, message: &[u8]) {
        let at = self.offset_of(index);
        let space = std::iter::repeat_n(0, stored_bytes(message.len()));
        self.buffer.to_mut().splice(at..at, space);
        self.write_at(at, message);
        self.count += 1;
    }

    /// Replaces message `index`.
    pub(super) fn set(&mut self, index: usize, message: &[u8]) {
        let at = self.offset_of(index);
        let end = self.read_at(at).1;
        let stored = stored_bytes(message.len());
        if end - at != stored {
            self.buffer.to_mut().splice(at..end, std::iter::repeat_n(0, stored));
        }
        self.write_at(at, message);
    }

    /// Splits the segment before message `index`; returns the second part.
    pub(super) fn split_off(&mut self, index: usize) -> Segment {
        let at = self.offset_of(index);
        let bytes = self.buffer.to_mut();
        let rest = bytes[at..].to_vec();
        bytes.truncate(at);
        let count = self.count - index;
        self.count = index;
        Segment::owned(rest, 0, count)
    }

    /// Removes up to `count` messages from message `index` on; returns their number. Messages are moved,
    /// or copied if shared, only if others remain on both sides.
    pub(super) fn cut(&mut self, index: usize, count: usize) -> usize {
        let count = count.min(self.count - index);
        let at = self.offset_of(index);
        let end = self.offset_of(index + count);
        if index == 0 {
            self.start = end;
        } else if index + count < self.count {
            self.buffer.to_mut().drain(at..end);
        } else {
            self.buffer.truncate(at);
        }
        self.count -= count;
        count
    }

    /// Removes the messages that `keep` refuses, in order; returns their number.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) -> usize {
        let before = self.count;
        let mut kept_end = self.start;
        let mut at = self.start;
        while at < self.bytes().len() {
            let (message, next) = self.read_at(at);
            if keep(message) {
                self.move_stored(at..next, kept_end);
                kept_end += next - at;
            } else {
                self.count -= 1;
            }
            at = next;
        }
        if self.count < before {
            self.buffer.to_mut().truncate(kept_end);
        }
        before - self.count
    }

    /// As `retain`, but from the last message to the first.
    pub(super) fn retain_from_back(&mut self, mut keep: impl FnMut(&[u8]) -> bool) -> usize {
        let before = self.count;
        let mut kept_start = self.bytes().len();
        let mut end = self.bytes().len();
        while end > self.start {
            let (message, at) = self.read_before(end);
            if keep(message) {
                kept_start -= end - at;
                self.move_stored(at..end, kept_start);
            } else {
                self.count -= 1;
            }
            end = at;
        }
        self.start = kept_start;
        before - self.count
    }

    /// Moves a stored message to another position, unless it is the same: until one was removed, nothing
    /// moves, and nothing shared must be copied.
    fn move_stored(&mut self, from: Range<usize>, to: usize) {
        if from.start != to {
            self.buffer.to_mut().copy_within(from, to);
        }
    }
}
