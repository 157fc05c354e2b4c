//! A queue of messages: a deque of packed segments.
//!
//! Messages lie back to back in segments of a few kilobytes, so a small message costs two bytes
//! beside its own and no allocation. Pushing and popping at both ends is O(1); reading at an
//! index skips whole segments; changing the middle rewrites one segment. A large message has a
//! segment of its own. A drained segment goes back to the allocator at once.
//!
//! A queue that is asked to keeps a stamp for each message: what is known of it beside its bytes.
//!
//! Knows nothing of Redis or of clients.

mod large;
mod segment;
mod stamped;
mod stamps;

pub use stamped::{Gathered, TakenOut};
pub use stamps::Stamp;

use crate::slack;
use segment::{Segment, stored_bytes};
use stamps::Stamps;
use std::collections::VecDeque;

/// Bytes of a full segment: small beside the processor's caches, large beside the 40 bytes of
/// bookkeeping, and 16 short of two pages, which is what the allocator adds.
const SEGMENT_BYTES: usize = 8192 - 16;

/// Bytes of a full segment of a long queue, so that a snapshot of it has few segments to share:
/// at the pace of a tenth of a microsecond each, a gigabyte takes two milliseconds.
const LONG_SEGMENT_BYTES: usize = 65_536 - 16;

/// A queue is long from so many bytes on. An eighth of it, at the most, is then in its segments at
/// either end.
const LONG_BYTES: usize = 1 << 20;

/// The first segment of a queue starts with this much room, so that thousands of tiny queues
/// stay tiny, and doubles as it fills.
const FIRST_SEGMENT_BYTES: usize = 32;

/// Later segments start with this much room, and double as well: a queue has room for as much again
/// as its last segment holds, at the most. Those of a long queue have their full size at once, a
/// sixteenth of the queue at the most, so that nothing in them is copied.
const NEXT_SEGMENT_BYTES: usize = 512;

/// A last or first segment with fewer live bytes is copied when it is shared and pushed to; with
/// more, the push begins a segment of its own.
const COPIED_BYTES_MAX: usize = 1024;

/// Which end of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The left end, index 0, where LPOP takes.
    #[default]
    Front,
    /// The right end, index -1, where RPUSH puts.
    Back,
}

/// A deque of messages.
#[derive(Debug, Default)]
pub struct Queue {
    /// No segment is empty.
    segments: VecDeque<Segment>,
    len: usize,
    /// Capacity of all segments.
    segment_bytes: usize,
    /// In a box, since most queues have none.
    stamps: Option<Box<Stamps>>,
}

impl Clone for Queue {
    /// A copy packed anew: without the room to grow that the original has, nor its count of it.
    fn clone(&self) -> Queue {
        let mut copy = Queue::new();
        for message in self.iter() {
            copy.push(End::Back, message);
        }
        copy.stamps = self.stamps.clone();
        copy
    }
}

impl Queue {
    /// An empty queue; it allocates nothing.
    pub fn new() -> Queue {
        Queue::default()
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The same messages once more, without a copy of them: their segments are shared until one
    /// of both queues changes them. Takes time for each segment, not for each message. Stamps are
    /// copied, which takes time for each run of equal ones.
    pub fn share(&mut self) -> Queue {
        Queue {
            segments: self.segments.iter_mut().map(Segment::share).collect(),
            len: self.len,
            segment_bytes: self.segment_bytes,
            stamps: self.stamps.clone(),
        }
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory that the messages take, room to grow and their stamps included.
    pub fn allocated_bytes(&self) -> usize {
        self.segment_bytes + self.segments.capacity() * size_of::<Segment>() + self.stamps_bytes()
    }

    /// Adds a message at one end.
    #[inline]
    pub fn push(&mut self, end: End, message: &[u8]) {
        self.push_message(end, message);
        if self.stamps.is_some() {
            self.push_fresh_stamp(end, message.len());
        }
    }

    /// As `push`, but without a stamp: the caller adds it.
    #[inline]
    fn push_message(&mut self, end: End, message: &[u8]) {
        match end {
            End::Front => self.push_front(message),
            End::Back => self.push_back(message),
        }
    }

    #[inline]
    fn push_back(&mut self, message: &[u8]) {
        let stored = stored_bytes(message.len());
        let last = self.segments.back_mut();
        if !last.is_some_and(|last| last.push_back_into_room(message, stored)) {
            self.push_back_growing(message, stored);
        }
        self.len += 1;
    }

    #[cold]
    fn push_back_growing(&mut self, message: &[u8], stored: usize) {
        let full = self.full_segment_bytes();
        if let Some(last) = self.segments.back_mut()
            && let Some(capacity) = grown_capacity(last, stored, full)
        {
            let before = last.capacity();
            last.regrow_for_back(capacity);
            last.push_back(message);
            self.segment_bytes = self.segment_bytes + last.capacity() - before;
            return;
        }
        let mut segment = Segment::for_back(self.new_capacity(stored));
        segment.push_back(message);
        self.segment_bytes += segment.capacity();
        self.reserve_first();
        self.segments.push_back(segment);
    }

    /// Room for one segment, where there is none: most queues have no second one.
    fn reserve_first(&mut self) {
        if self.segments.capacity() == 0 {
            self.segments.reserve_exact(1);
        }
    }

    fn push_front(&mut self, message: &[u8]) {
        let stored = stored_bytes(message.len());
        match self.segments.front_mut() {
            Some(first) if first.room_at_front() >= stored => first.push_front(message),
            _ => self.push_front_growing(message, stored),
        }
        self.len += 1;
    }

    #[cold]
    fn push_front_growing(&mut self, message: &[u8], stored: usize) {
        let full = self.full_segment_bytes();
        if let Some(first) = self.segments.front_mut()
            && let Some(capacity) = grown_capacity(first, stored, full)
        {
            let before = first.capacity();
            first.regrow_for_front(capacity);
            first.push_front(message);
            self.segment_bytes = self.segment_bytes + first.capacity() - before;
            return;
        }
        let mut segment = Segment::for_front(self.new_capacity(stored));
        segment.push_front(message);
        self.segment_bytes += segment.capacity();
        self.reserve_first();
        self.segments.push_front(segment);
    }

    /// Bytes of a full segment of this queue.
    fn full_segment_bytes(&self) -> usize {
        if self.segment_bytes < LONG_BYTES { SEGMENT_BYTES } else { LONG_SEGMENT_BYTES }
    }

    fn new_capacity(&self, stored: usize) -> usize {
        let usual = match self.full_segment_bytes() {
            LONG_SEGMENT_BYTES => LONG_SEGMENT_BYTES,
            _ if self.segments.is_empty() => FIRST_SEGMENT_BYTES,
            _ => NEXT_SEGMENT_BYTES,
        };
        stored.max(usual)
    }

    /// Takes the message at one end away, after `read` has seen it.
    #[inline]
    pub fn pop<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let mut bytes = 0;
        let seen = self.pop_message(end, |message| {
            bytes = message.len();
            read(message)
        })?;
        if self.stamps.is_some() {
            self.drop_stamps(end, 1, bytes);
        }
        Some(seen)
    }

    /// As `pop`, but leaving the stamp: the caller takes it away.
    #[inline]
    fn pop_message<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let (seen, is_drained) = match end {
            End::Front => {
                let first = self.segments.front_mut()?;
                (first.pop_front(read)?, first.count() == 0)
            }
            End::Back => {
                let last = self.segments.back_mut()?;
                (last.pop_back(read)?, last.count() == 0)
            }
        };
        self.len -= 1;
        if is_drained {
            self.drop_segment(end);
        }
        Some(seen)
    }

    /// Gives the segment at one end, which is of no use any more, back to the allocator.
    #[cold]
    fn drop_segment(&mut self, end: End) {
        let segment = match end {
            End::Front => self.segments.pop_front(),
            End::Back => self.segments.pop_back(),
        };
        self.segment_bytes -= segment.map_or(0, |segment| segment.capacity());
        if let Some(capacity) = slack::smaller(self.segments.len(), self.segments.capacity()) {
            self.segments.shrink_to(capacity);
        }
    }

    /// The segment that holds message `index`, and the index within it. `index` is below `len`.
    fn locate(&self, index: usize) -> (usize, usize) {
        if index < self.len / 2 {
            let mut left = index;
            for (number, segment) in self.segments.iter().enumerate() {
                if left < segment.count() {
                    return (number, left);
                }
                left -= segment.count();
            }
        } else {
            let mut first = self.len;
            for (number, segment) in self.segments.iter().enumerate().rev() {
                first -= segment.count();
                if index >= first {
                    return (number, index - first);
                }
            }
        }
        (self.segments.len(), 0)
    }

    /// The message at `index`, counted from the front.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        if index >= self.len {
            return None;
        }
        let (number, within) = self.locate(index);
        self.segments[number].get(within)
    }

    /// The messages from `index` on, front to back.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let (number, within) =
            if index < self.len { self.locate(index) } else { (self.segments.len(), 0) };
        self.segments.range(number..).flat_map(Segment::iter).skip(within)
    }

    /// All messages, from either end.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.segments.iter().flat_map(Segment::iter)
    }

    /// Puts `message` in the place of the one at `index`, whose stamp it keeps; false, and nothing
    /// done, if there is none.
    pub fn set(&mut self, index: usize, message: &[u8]) -> bool {
        if index >= self.len {
            return false;
        }
        if self.stamps.is_some() {
            self.resize_message(index, message.len());
        }
        let (number, within) = self.locate(index);
        self.edit(number, |segment| segment.set(within, message));
        true
    }

    /// Puts `message` before the one at `index`; at `len` and beyond it becomes the last one.
    pub fn insert(&mut self, index: usize, message: &[u8]) {
        self.insert_stamped(index, message, self.fresh_stamp());
    }

    /// As `insert`, but without a stamp: the caller adds it. `index` is below `len`.
    fn insert_message(&mut self, index: usize, message: &[u8]) {
        let (number, within) = self.locate(index);
        self.edit(number, |segment| segment.insert(within, message));
        self.len += 1;
    }

    /// Changes one segment's messages, keeping the count of memory and the bound on its size.
    fn edit(&mut self, number: usize, change: impl FnOnce(&mut Segment)) {
        // One that insertions made larger than two full ones is cut in two.
        let bytes_max = 2 * self.full_segment_bytes();
        let segment = &mut self.segments[number];
        self.segment_bytes -= segment.capacity();
        change(segment);
        let rest = (segment.live_bytes() > bytes_max && segment.count() > 1)
            .then(|| segment.split_off(segment.count() / 2));
        self.segment_bytes += segment.capacity();
        if let Some(rest) = rest {
            self.segment_bytes += rest.capacity();
            self.segments.insert(number + 1, rest);
        }
    }

    /// Takes away up to `limit` messages equal to `message`, looking from `from`; says how many.
    pub fn remove(&mut self, from: End, message: &[u8], limit: usize) -> usize {
        let is_stamped = self.stamps.is_some();
        let mut left = limit;
        let mut seen = 0;
        // Where those that go are, counted from `from`, if their stamps go as well.
        let mut places = Vec::new();
        let mut keep = |other: &[u8]| {
            let matches = left > 0 && other == message;
            left -= usize::from(matches);
            if is_stamped && matches {
                places.push(seen);
            }
            seen += 1;
            !matches
        };
        let mut removed = 0;
        match from {
            End::Front => {
                for segment in &mut self.segments {
                    removed += segment.retain(&mut keep);
                }
            }
            End::Back => {
                for segment in self.segments.iter_mut().rev() {
                    removed += segment.retain_from_back(&mut keep);
                }
            }
        }
        if let Some(stamps) = &mut self.stamps {
            if from == End::Back {
                places.iter_mut().for_each(|place| *place = self.len - 1 - *place);
                places.reverse();
            }
            stamps.remove_places(&places);
            stamps.subtract_bytes(removed * message.len());
        }
        self.len -= removed;
        if removed > 0 {
            self.segments.retain(|segment| segment.count() > 0);
            self.segment_bytes = self.segments.iter().map(Segment::capacity).sum();
        }
        removed
    }

    /// Keeps only the `count` messages from `start` on.
    pub fn trim(&mut self, start: usize, count: usize) {
        let start = start.min(self.len);
        let end = start.saturating_add(count).min(self.len);
        let behind = self.len - end;
        self.drop_many(End::Front, start);
        self.drop_many(End::Back, behind);
    }

    /// Forgets the `count` messages from `start` on, whole segments at a time where that is
    /// possible.
    pub fn trim_out(&mut self, start: usize, count: usize) {
        let start = start.min(self.len);
        let count = count.min(self.len - start);
        if start == 0 {
            self.drop_many(End::Front, count);
        } else if start + count == self.len {
            self.drop_many(End::Back, count);
        } else if count > 0 {
            let bytes = self.stamped_bytes(start, count);
            if let Some(stamps) = &mut self.stamps {
                stamps.remove_range(start, count, self.len);
                stamps.subtract_bytes(bytes);
            }
            self.cut_out(start, count);
        }
    }

    /// Takes `count` messages from `start` on out, as a queue of their own, whole segments at a time where
    /// that is possible.
    pub fn detach(&mut self, start: usize, count: usize) -> Queue {
        let mut taken = self.share();
        taken.trim(start, count);
        self.trim_out(start, count);
        taken
    }

    /// Forgets `count` messages, not none, from `start` on; there are others on both sides. The
    /// caller takes their stamps away.
    fn cut_out(&mut self, start: usize, count: usize) {
        let (number, within) = self.locate(start);
        let mut left = count;
        let mut first = number;
        if within > 0 {
            let segment = &mut self.segments[number];
            self.segment_bytes -= segment.capacity();
            left -= segment.cut(within, left);
            self.segment_bytes += segment.capacity();
            first += 1;
        }
        let mut end = first;
        while let Some(segment) = self.segments.get(end)
            && segment.count() <= left
        {
            left -= segment.count();
            self.segment_bytes -= segment.capacity();
            end += 1;
        }
        // Dropping the first messages of a segment leaves its buffer as it is.
        if let Some(segment) = self.segments.get_mut(end) {
            segment.cut(0, left);
        }
        self.segments.drain(first..end);
        self.len -= count;
    }

    /// Forgets `count` messages at one end, whole segments at a time where that is possible.
    fn drop_many(&mut self, end: End, mut count: usize) {
        if self.stamps.is_some() {
            let start = if end == End::Front { 0 } else { self.len - count };
            self.drop_stamps(end, count, self.stamped_bytes(start, count));
        }
        while count > 0 {
            let segment = match end {
                End::Front => self.segments.front(),
                End::Back => self.segments.back(),
            };
            let Some(segment) = segment else { return };
            if segment.count() <= count {
                count -= segment.count();
                self.len -= segment.count();
                self.drop_segment(end);
            } else {
                self.pop_message(end, |_| ());
                count -= 1;
            }
        }
    }

    /// Panics if the counts disagree with what the segments hold.
    pub fn check_invariants(&self) {
        assert!(self.segments.iter().all(|segment| segment.count() > 0), "an empty segment");
        assert_eq!(self.len, self.segments.iter().map(|s| s.iter().count()).sum::<usize>());
        assert_eq!(self.segment_bytes, self.segments.iter().map(Segment::capacity).sum());
        if let Some(stamps) = &self.stamps {
            stamps.check_invariants(self.len);
            assert_eq!(stamps.message_bytes(), self.iter().map(<[u8]>::len).sum::<usize>());
        }
    }
}

/// The capacity to which a segment at the end of a queue may grow to take `stored` bytes more;
/// none where a new segment is due. What was popped from the other side counts as room.
fn grown_capacity(segment: &Segment, stored: usize, full_bytes: usize) -> Option<usize> {
    let live = segment.live_bytes();
    let needed = live + stored;
    if needed > full_bytes || (live > COPIED_BYTES_MAX && segment.is_shared()) {
        return None;
    }
    Some(needed.next_power_of_two().min(full_bytes))
}

#[cfg(test)]
mod stamps_tests;
#[cfg(test)]
mod tests;
