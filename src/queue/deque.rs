//! The messages of a larger queue: a deque of packed segments.

use super::end::End;
use super::segment::Segment;
use super::sizes::{Growth, fitting, segment_bytes_for};
use super::stamp::Stamp;
use super::stamps::{Kept, Stamps};
use super::stored::{Messages, stored_bytes};
use crate::slack;
use std::collections::VecDeque;

/// Bytes of a full segment: small compared with the processor's caches, large compared with the 40 bytes
/// of bookkeeping, and two pages less the 16 bytes that the allocator adds.
pub(super) const SEGMENT_BYTES: usize = 8192 - 16;

/// Bytes of a full segment of a long queue, so that a snapshot has few segments to share: at a tenth of
/// a microsecond each, a gigabyte takes two milliseconds.
pub(super) const LONG_SEGMENT_BYTES: usize = 65_536 - 16;

/// A queue is long from this many bytes on. Its segments at either end then have at most an eighth of
/// it.
const LONG_BYTES: usize = 1 << 20;

/// The minimum size of a new segment. It grows as it fills, in the smallest steps that an allocator
/// distinguishes.
const NEW_SEGMENT_BYTES: usize = 256;

/// If larger, the new segment begins with this fraction of the bytes in the others. Segments of a long
/// queue have their full size at once, at most a sixteenth of the queue, so that nothing in them is
/// copied.
const NEW_SEGMENT_PART: usize = 64;

/// On a push to a shared last or first segment, the segment is copied if it has fewer live bytes than
/// this; otherwise the push begins a new one.
const COPIED_BYTES_MAX: usize = 1024;

/// A deque of messages, with the rest of the queue's state.
#[derive(Debug, Default)]
pub(super) struct Deque {
    /// No segment is empty.
    pub(super) segments: VecDeque<Segment>,
    pub(super) len: usize,
    /// Capacity of all segments.
    pub(super) segment_bytes: usize,
    /// In a box, since most queues have none.
    pub(super) stamps: Option<Box<Stamps>>,
    pub(super) name: Box<[u8]>,
    pub(super) numbers: [u32; 2],
}

impl Deque {
    /// Shares the messages and stamps, as `Queue::share`.
    pub(super) fn share(&mut self) -> Deque {
        Deque {
            segments: self.segments.iter_mut().map(Segment::share).collect(),
            len: self.len,
            segment_bytes: self.segment_bytes,
            stamps: self.stamps.as_mut().map(|stamps| Box::new(stamps.share())),
            ..Deque::default()
        }
    }

    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        Deque::fixed_bytes(&self.name) + self.buffer_bytes() + self.stamps_bytes()
    }

    #[inline]
    pub(super) fn stamps_bytes(&self) -> usize {
        self.stamps.as_deref().map_or(0, Stamps::allocated_bytes)
    }

    /// Memory without messages.
    #[inline]
    pub(super) fn fixed_bytes(name: &[u8]) -> usize {
        size_of::<Deque>() + name.len()
    }

    #[inline]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.segment_bytes + self.segments.capacity() * size_of::<Segment>()
    }

    #[inline(always)]
    pub(super) fn push(&mut self, end: End, message: &[u8], growth: Growth) {
        match end {
            End::Front => self.push_front(message, growth),
            End::Back => self.push_back(message, growth),
        }
    }

    #[inline(always)]
    fn push_back(&mut self, message: &[u8], growth: Growth) {
        let stored = stored_bytes(message.len());
        let last = self.segments.back_mut();
        if !last.is_some_and(|last| last.push_back_into_slack(message, stored)) {
            self.push_back_growing(message, stored, growth);
        }
        self.len += 1;
    }

    /// Adds a message at one end with the stamp of messages pushed without one, if its neighbour has the
    /// same stamp and the segment there has slack for it. False, and no change, otherwise.
    #[inline]
    pub(super) fn push_alike(&mut self, end: End, message: &[u8]) -> bool {
        let Deque { segments, stamps: Some(stamps), .. } = self else { return false };
        let Some(counts) = stamps.counts_alike(end) else { return false };
        let stored = stored_bytes(message.len());
        let is_pushed = match end {
            End::Front => {
                let first = segments.front_mut();
                first.is_some_and(|first| first.push_front_into_slack(message, stored))
            }
            End::Back => {
                let last = segments.back_mut();
                last.is_some_and(|last| last.push_back_into_slack(message, stored))
            }
        };
        if is_pushed {
            counts.add(message.len());
            self.len += 1;
        }
        is_pushed
    }

    #[cold]
    fn push_back_growing(&mut self, message: &[u8], stored: usize, growth: Growth) {
        let full = self.full_segment_bytes(stored);
        if let Some(last) = self.segments.back_mut()
            && let Some(capacity) = grown_capacity(last, stored, full, growth)
        {
            let before = last.capacity();
            last.regrow_for_back(capacity);
            last.push_back(message);
            self.segment_bytes = self.segment_bytes + last.capacity() - before;
            return;
        }
        let mut segment = Segment::for_back(self.new_capacity(stored));
        segment.push_back(message);
        self.add_segment(End::Back, segment);
    }

    fn push_front(&mut self, message: &[u8], growth: Growth) {
        let stored = stored_bytes(message.len());
        let first = self.segments.front_mut();
        if !first.is_some_and(|first| first.push_front_into_slack(message, stored)) {
            self.push_front_growing(message, stored, growth);
        }
        self.len += 1;
    }

    #[cold]
    fn push_front_growing(&mut self, message: &[u8], stored: usize, growth: Growth) {
        let full = self.full_segment_bytes(stored);
        if let Some(first) = self.segments.front_mut()
            && let Some(capacity) = grown_capacity(first, stored, full, growth)
        {
            let before = first.capacity();
            first.regrow_for_front(capacity);
            first.push_front(message);
            self.segment_bytes = self.segment_bytes + first.capacity() - before;
            return;
        }
        let mut segment = Segment::for_front(self.new_capacity(stored));
        segment.push_front(message);
        self.add_segment(End::Front, segment);
    }

    /// Adds a segment with its messages; the caller counts them.
    pub(super) fn add_segment(&mut self, end: End, segment: Segment) {
        self.segment_bytes += segment.capacity();
        // A deque that grows by itself would allocate for four at once.
        if self.segments.capacity() < 4 && self.segments.len() == self.segments.capacity() {
            self.segments.reserve_exact(1);
        }
        match end {
            End::Front => self.segments.push_front(segment),
            End::Back => self.segments.push_back(segment),
        }
    }

    /// Bytes of a full segment of this queue, for messages of this size.
    fn full_segment_bytes(&self, stored: usize) -> usize {
        let is_long = self.segment_bytes >= LONG_BYTES;
        segment_bytes_for(stored, if is_long { LONG_SEGMENT_BYTES } else { SEGMENT_BYTES })
    }

    fn new_capacity(&self, stored: usize) -> usize {
        let full = self.full_segment_bytes(stored);
        if self.segment_bytes >= LONG_BYTES {
            return full.max(stored);
        }
        let first = (self.segment_bytes / NEW_SEGMENT_PART).clamp(NEW_SEGMENT_BYTES, full);
        fitting(first.max(stored))
    }

    /// Frees the slack of the segments at both ends; in a long queue that is little.
    pub(super) fn fit(&mut self) {
        if self.segment_bytes >= LONG_BYTES {
            return;
        }
        let last = self.segments.len().saturating_sub(1);
        for number in [0, last] {
            if let Some(segment) = self.segments.get_mut(number)
                && !segment.is_shared()
                && fitting(segment.live_bytes()) < segment.capacity()
            {
                self.segment_bytes -= segment.capacity();
                segment.fit();
                self.segment_bytes += segment.capacity();
            }
        }
    }

    /// Pops the message at one end, after passing it to `read`.
    #[inline]
    pub(super) fn pop<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
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

    /// Pops the message at one end, after passing it to `read`, if its neighbour has the same stamp, which is
    /// returned too, and is in the same segment. `None`, and no change, otherwise.
    #[inline(always)]
    pub(super) fn pop_alike<R>(
        &mut self,
        end: End,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Option<(R, &Stamp)> {
        let Deque { segments, stamps: Some(stamps), len, .. } = self else { return None };
        let mut seen = None;
        let stamp = stamps.pop_alike(end, || {
            let segment = match end {
                End::Front => segments.front_mut()?,
                End::Back => segments.back_mut()?,
            };
            if segment.count() <= 1 {
                return None;
            }
            let read = |message: &[u8]| {
                seen = Some(read(message));
                message.len()
            };
            match end {
                End::Front => segment.pop_front(read),
                End::Back => segment.pop_back(read),
            }
        })?;
        *len -= 1;
        Some((seen?, stamp))
    }

    /// Frees the segment at one end, which is no longer needed.
    #[cold]
    pub(super) fn drop_segment(&mut self, end: End) {
        let segment = match end {
            End::Front => self.segments.pop_front(),
            End::Back => self.segments.pop_back(),
        };
        self.segment_bytes -= segment.map_or(0, |segment| segment.capacity());
        if let Some(capacity) = slack::smaller(self.segments.len(), self.segments.capacity()) {
            self.segments.shrink_to(capacity);
        }
    }

    /// The segment with message `index`, and the index within it. `index` is below `len`.
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

    /// The message at `index`, which is below `len`.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let (number, within) = self.locate(index);
        self.segments[number].get(within)
    }

    /// The runs of messages from the one with message `index` on, and the index within that.
    pub(super) fn runs_from(
        &self,
        index: usize,
    ) -> (impl DoubleEndedIterator<Item = Messages<'_>>, usize) {
        let (number, within) =
            if index < self.len { self.locate(index) } else { (self.segments.len(), 0) };
        (self.segments.range(number..).map(Segment::iter), within)
    }

    /// Replaces the message at `index`, which is below `len`.
    pub(super) fn set(&mut self, index: usize, message: &[u8]) {
        let (number, within) = self.locate(index);
        self.edit(number, |segment| segment.set(within, message));
    }

    /// Inserts `message` before the one at `index`, which is below `len`.
    pub(super) fn insert(&mut self, index: usize, message: &[u8]) {
        let (number, within) = self.locate(index);
        self.edit(number, |segment| segment.insert(within, message));
        self.len += 1;
    }

    /// Changes one segment's messages, updates the memory count, and keeps its size bounded.
    fn edit(&mut self, number: usize, change: impl FnOnce(&mut Segment)) {
        // A segment that insertions made larger than two full ones is split.
        let bytes_max = 2 * self.full_segment_bytes(0);
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

    /// Removes the messages that `keep` refuses, asked in order from one end; returns their number.
    pub(super) fn retain(&mut self, from: End, mut keep: impl FnMut(&[u8]) -> bool) -> usize {
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
        self.len -= removed;
        if removed > 0 {
            self.segments.retain(|segment| segment.count() > 0);
            self.segment_bytes = self.segments.iter().map(Segment::capacity).sum();
        }
        removed
    }

    /// Removes `count` messages, at least one, from `start` on; there are others on both sides.
    pub(super) fn cut_out(&mut self, start: usize, count: usize) {
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
        // Removing the first messages of a segment leaves its buffer as it is.
        if let Some(segment) = self.segments.get_mut(end) {
            segment.cut(0, left);
        }
        self.segments.drain(first..end);
        self.len -= count;
    }

    /// Removes `count` messages at one end, whole segments at a time where possible.
    pub(super) fn drop_many(&mut self, end: End, mut count: usize) {
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
                self.pop(end, |_| ());
                count -= 1;
            }
        }
    }

    /// Panics if the counts disagree with the segments.
    pub(super) fn check_invariants(&self) {
        assert!(self.segments.iter().all(|segment| segment.count() > 0), "an empty segment");
        assert_eq!(self.len, self.segments.iter().map(|s| s.iter().count()).sum::<usize>());
        assert_eq!(self.segment_bytes, self.segments.iter().map(Segment::capacity).sum::<usize>());
        if let Some(stamps) = &self.stamps {
            stamps.check_invariants(self.len);
            if stamps.kept() == Kept::Always {
                let messages = self.segments.iter().flat_map(Segment::iter);
                assert_eq!(stamps.message_bytes(), messages.map(<[u8]>::len).sum::<usize>());
            }
        }
    }
}

/// The capacity to which a segment at the end of a queue may grow for `stored` more bytes; `None` if a
/// new segment is due. Space of messages popped from the other side counts as slack.
fn grown_capacity(
    segment: &Segment,
    stored: usize,
    full_bytes: usize,
    growth: Growth,
) -> Option<usize> {
    let live = segment.live_bytes();
    let needed = live + stored;
    // A segment that is also popped from keeps at least a fifth of slack, so that many pushes pay for a
    // copy.
    let is_used = segment.capacity() - live >= stored;
    let wanted = if is_used { needed + needed / 4 } else { needed };
    if wanted > full_bytes || (live > COPIED_BYTES_MAX && segment.is_shared()) {
        return None;
    }
    Some(growth.size(wanted).min(full_bytes))
}
