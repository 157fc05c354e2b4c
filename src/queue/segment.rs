//! One run of messages, back to back in a single allocation.

use super::stored::{Messages, append, offset_of, read_at, read_before, stored_bytes, write_at};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// A run of messages; the live ones begin at `start` (what is before it was popped, or is room
/// for pushes at the front).
#[derive(Debug)]
pub(super) struct Segment {
    buffer: Buffer,
    start: usize,
    count: usize,
}

/// Where the bytes are. A shared buffer is never written to: popping moves `start` and `end`,
/// pushing goes elsewhere, and what changes in the middle is copied first.
#[derive(Debug)]
enum Buffer {
    Owned(Vec<u8>),
    /// Also part of a snapshot. The live messages end at `end`.
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

    /// The bytes, to be changed. If they are shared, they are copied, up to the end of the live
    /// ones; if the snapshot has gone meanwhile, they are taken back.
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
    /// An empty segment with room for `capacity` bytes of stored messages after its end.
    pub(super) fn for_back(capacity: usize) -> Segment {
        Segment::owned(Vec::with_capacity(capacity), 0, 0)
    }

    /// An empty segment whose room of `capacity` bytes is before its start.
    pub(super) fn for_front(capacity: usize) -> Segment {
        Segment::owned(vec![0; capacity], capacity, 0)
    }

    /// `count` messages that begin at `start` and end where the bytes do.
    pub(super) fn owned(bytes: Vec<u8>, start: usize, count: usize) -> Segment {
        Segment { buffer: Buffer::Owned(bytes), start, count }
    }

    /// The same messages once more, without a copy of them.
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

    /// Whether a snapshot has the same bytes.
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

    /// Bytes of the live messages with their lengths.
    pub(super) fn live_bytes(&self) -> usize {
        self.bytes().len() - self.start
    }

    /// Bytes the segment's buffer takes from the allocator.
    pub(super) fn capacity(&self) -> usize {
        match &self.buffer {
            Buffer::Owned(bytes) => bytes.capacity(),
            Buffer::Shared { bytes, .. } => bytes.capacity(),
        }
    }

    #[inline]
    pub(super) fn room_at_front(&self) -> usize {
        match &self.buffer {
            Buffer::Owned(_) => self.start,
            Buffer::Shared { .. } => 0,
        }
    }

    /// Moves the live messages into a buffer of `capacity` bytes, with all its room at the back.
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

    /// Moves the live messages into a buffer that has no more bytes.
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

    /// Adds a message, which takes `stored` bytes, at the back, if there is room for it without a copy
    /// of what is there.
    #[inline]
    pub(super) fn push_back_into_room(&mut self, message: &[u8], stored: usize) -> bool {
        match &mut self.buffer {
            Buffer::Owned(bytes) if bytes.capacity() - bytes.len() >= stored => {
                append(bytes, message);
                self.count += 1;
                true
            }
            _ => false,
        }
    }

    pub(super) fn push_back(&mut self, message: &[u8]) {
        append(self.buffer.to_mut(), message);
        self.count += 1;
    }

    /// The caller has made sure of the room at the front.
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

    /// Takes the first message away, after `read` has seen it; none if there is none.
    #[inline]
    pub(super) fn pop_front<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.count = self.count.checked_sub(1)?;
        let (message, next) = self.read_at(self.start);
        let seen = read(message);
        self.start = next;
        Some(seen)
    }

    /// Takes the last message away, after `read` has seen it; none if there is none.
    #[inline]
    pub(super) fn pop_back<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.count = self.count.checked_sub(1)?;
        let (message, cut) = self.read_before(self.bytes().len());
        let seen = read(message);
        self.buffer.truncate(cut);
        Some(seen)
    }

    /// The only message, with the buffer; none, and nothing done, if there are others, or if a snapshot
    /// has the buffer too.
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

    /// Puts `message` before message `index`; at `count` it becomes the last one.
    pub(super) fn insert(&mut self, index: usize, message: &[u8]) {
        let at = self.offset_of(index);
        let room = std::iter::repeat_n(0, stored_bytes(message.len()));
        self.buffer.to_mut().splice(at..at, room);
        self.write_at(at, message);
        self.count += 1;
    }

    /// Puts `message` in the place of message `index`.
    pub(super) fn set(&mut self, index: usize, message: &[u8]) {
        let at = self.offset_of(index);
        let end = self.read_at(at).1;
        let stored = stored_bytes(message.len());
        if end - at != stored {
            self.buffer.to_mut().splice(at..end, std::iter::repeat_n(0, stored));
        }
        self.write_at(at, message);
    }

    /// Cuts the segment before message `index`; what follows is returned as a segment.
    pub(super) fn split_off(&mut self, index: usize) -> Segment {
        let at = self.offset_of(index);
        let bytes = self.buffer.to_mut();
        let rest = bytes[at..].to_vec();
        bytes.truncate(at);
        let count = self.count - index;
        self.count = index;
        Segment::owned(rest, 0, count)
    }

    /// Forgets up to `count` messages from message `index` on; says how many those were. Only what
    /// has messages on both sides is moved, or copied if it is shared.
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

    /// Forgets the messages that `keep` refuses, in order; says how many those were.
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

    /// As `retain`, but asking from the last message to the first.
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

    /// Moves a stored message to another place, if that is another: until one was dropped, nothing
    /// moves, and nothing shared has to be copied.
    fn move_stored(&mut self, from: Range<usize>, to: usize) {
        if from.start != to {
            self.buffer.to_mut().copy_within(from, to);
        }
    }
}
