//! A byte queue: replies are added at the back, and bytes are taken from the front. The bytes are in a
//! buffer, with shared messages in between. A reply larger than a buffer is a series of full ones, each
//! freed when it is taken.
//!
//! It knows no client: a reply may be built in a separate `Output`, read by its requester, or appended
//! to another one. What is pending for a client, and when it may be sent, is up to `clients/outbox`.

mod replace;

use super::protocol::Protocol;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::num::NonZeroUsize;

/// Taken bytes are removed from the front of a buffer once there are this many and they are half of it.
const COMPACT_BYTES: usize = 64 * 1024;

/// A buffer of this many bytes does not grow for the next message of a reply: it is full, and a new one
/// begins. So a large reply is never copied as it grows, and wastes no capacity.
const FULL_BYTES: usize = 32 * 1024;
/// Capacity of the buffer after a full one: twice as much, less the 16 bytes that the allocator adds.
pub(super) const NEXT_BUFFER_BYTES: usize = 64 * 1024 - 16;
/// Maximum bytes written in addition to those of a bulk string.
pub const BULK_FRAME_BYTES: usize = 24;

/// Up to this many gaps are cheaper to skip than to remove.
const GAPS_MIN: usize = 8;

/// Replies in order, in one protocol version.
///
/// They are written into one buffer. A large published message is not copied: a reference to it has a
/// position among the bytes. The same is done for any message that may have to be removed later, without
/// moving what is around it: it is identified by its *place* among the shared messages, and leaves a
/// *gap* there.
#[derive(Debug, Default)]
pub struct Output {
    pub(super) buffer: Vec<u8>,
    /// How many bytes of `buffer` are taken.
    taken: usize,
    /// Shared messages and full buffers, each with its position in `buffer`.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
    /// Number of removed shared messages: an empty one is in the place of each.
    gaps: usize,
    protocol: Protocol,
    /// Whether places are in use elsewhere, so that nothing may be inserted between messages.
    keeps_places: bool,
}

/// The effect on shared messages when bytes were taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// This many places are gone from the front.
    pub places: usize,
    /// Whether a part of the message that is now at the front was taken.
    pub is_partial: bool,
}

impl Output {
    /// An empty output that writes replies in `protocol`.
    pub fn new(protocol: Protocol) -> Output {
        Output { protocol, ..Output::default() }
    }

    /// The same, with a buffer of this capacity, if the size is known.
    pub fn with_capacity(protocol: Protocol, bytes: usize) -> Output {
        Output { buffer: Vec::with_capacity(bytes), ..Output::new(protocol) }
    }

    /// The protocol of the replies.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the protocol of later replies.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// The number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.taken + self.shared_bytes
    }

    /// Whether there is nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of shared messages and full buffers.
    pub fn shared_count(&self) -> usize {
        self.shared.len() - self.gaps
    }

    /// Memory in bytes; a shared message counts in full for each output.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.shared_bytes
    }

    /// Allocated bytes of the buffer.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Moves a full buffer to the shared messages, and begins the next one.
    pub(super) fn begin_next(&mut self) {
        if self.buffer.len() - self.taken < FULL_BYTES || self.keeps_places {
            return;
        }
        let next = Vec::with_capacity(NEXT_BUFFER_BYTES);
        let full = Bytes::from(std::mem::replace(&mut self.buffer, next));
        let mut at = std::mem::take(&mut self.taken);
        // Messages before the whole buffer keep their place; only they have position 0 already.
        let between = self.shared.partition_point(|(position, _)| *position <= at);
        let between = self.shared.split_off(between);
        for (position, _) in self.shared.iter_mut().rev().take_while(|(position, _)| *position > 0)
        {
            *position = 0;
        }
        self.shared_bytes += full.len() - at;
        let rest = (full.len(), Bytes::new());
        for (position, message) in between.into_iter().chain([rest]) {
            let own = full.slice(at..position);
            let parts = [own, message].into_iter().filter(|part| !part.is_empty());
            self.shared.extend(parts.map(|part| (0, part)));
            at = position;
        }
    }

    /// Whether there is no buffer yet, so that a spare one can be used.
    pub fn is_unallocated(&self) -> bool {
        self.buffer.capacity() == 0
    }

    /// Gives an empty buffer to an output without one, to save an allocation.
    pub fn adopt(&mut self, buffer: Vec<u8>) {
        if self.is_unallocated() {
            self.buffer = buffer;
            self.buffer.clear();
        }
    }

    /// Takes the buffer back if it is empty.
    pub fn release(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() {
            return None;
        }
        self.taken = 0;
        self.shared = VecDeque::new();
        self.gaps = 0;
        self.keeps_places = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        (buffer.capacity() > 0).then_some(buffer)
    }

    /// Adds bytes that are already encoded.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Adds an encoded message that is shared with other clients, without a copy.
    pub fn share(&mut self, message: Bytes) {
        if message.is_empty() {
            return;
        }
        self.shared_bytes += message.len();
        self.shared.push_back((self.buffer.len(), message));
    }

    /// As `share`, for a message that may be removed later; returns its place.
    pub fn share_in_place(&mut self, message: Bytes) -> usize {
        debug_assert!(!message.is_empty(), "an empty message would be a gap");
        self.keeps_places = true;
        self.share(message);
        self.shared.len() - 1
    }

    /// The place of the next shared message.
    pub fn next_place(&self) -> usize {
        self.shared.len()
    }

    /// Whether there is a message at a place, and not a gap.
    pub fn has_message(&self, place: usize) -> bool {
        self.shared.get(place).is_some_and(|(_, message)| !message.is_empty())
    }

    /// The number of bytes before the message at a place. The time depends on what is before it.
    pub fn offset_of(&self, place: usize) -> usize {
        let shared: usize = self.shared.range(..place).map(|(_, message)| message.len()).sum();
        self.shared[place].0 - self.taken + shared
    }

    /// Removes the message at a place, and leaves a gap. Other places and marks stay valid.
    pub fn take_out(&mut self, place: usize) -> Bytes {
        assert!(self.keeps_places, "places are not kept");
        let message = std::mem::take(&mut self.shared[place].1);
        debug_assert!(!message.is_empty(), "it was taken out before");
        self.shared_bytes -= message.len();
        self.gaps += 1;
        message
    }

    /// Whether more than half of the places are gaps.
    pub fn is_sparse(&self) -> bool {
        self.gaps >= GAPS_MIN && self.gaps > self.shared.len() / 2
    }

    /// Removes the gaps; returns their places, in order. Marks become invalid.
    pub fn close_gaps(&mut self) -> Vec<usize> {
        let is_gap =
            |(place, (_, message)): (usize, &(usize, Bytes))| message.is_empty().then_some(place);
        let gaps = self.shared.iter().enumerate().filter_map(is_gap).collect();
        self.shared.retain(|(_, message)| !message.is_empty());
        self.gaps = 0;
        gaps
    }

    /// Moves everything from `other` to here. The places of `other` follow those here.
    pub fn append(&mut self, other: &mut Output) {
        self.keeps_places |= other.keeps_places;
        self.gaps += other.gaps;
        let mut at = other.taken;
        for (position, message) in other.shared.drain(..) {
            self.buffer.extend_from_slice(&other.buffer[at..position]);
            at = position;
            self.shared_bytes += message.len();
            self.shared.push_back((self.buffer.len(), message));
        }
        self.buffer.extend_from_slice(&other.buffer[at..]);
        other.clear();
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.taken = 0;
        self.shared.clear();
        self.shared_bytes = 0;
        self.gaps = 0;
        self.keeps_places = false;
    }

    /// A mark for `truncate`.
    pub fn mark(&self) -> OutputMark {
        // Without places nothing is removed before the mark, so its length suffices, and a buffer may
        // become full. With places it is the other way round.
        if !self.keeps_places {
            return OutputMark { at: self.len(), shared: None };
        }
        OutputMark { at: self.buffer.len(), shared: NonZeroUsize::new(self.shared.len() + 1) }
    }

    /// Removes what was added since `mark`; no bytes may have been taken meanwhile.
    pub fn truncate(&mut self, mark: OutputMark) {
        let Some(shared) = mark.shared else { return self.shorten(mark.at) };
        let shared = shared.get() - 1;
        self.buffer.truncate(mark.at);
        for (_, message) in self.shared.drain(shared..) {
            self.shared_bytes -= message.len();
            self.gaps -= usize::from(message.is_empty());
        }
    }

    /// The number of bytes before a mark. The time depends on what is before it.
    pub fn offset_of_mark(&self, mark: OutputMark) -> usize {
        let Some(shared) = mark.shared else { return mark.at };
        let shared = self.shared.range(..shared.get() - 1);
        mark.at - self.taken + shared.map(|(_, message)| message.len()).sum::<usize>()
    }

    /// Removes what is after the first `len` bytes.
    fn shorten(&mut self, len: usize) {
        loop {
            let behind = self.shared.back().map_or(0, |(position, _)| *position).max(self.taken);
            let excess = self.len().saturating_sub(len);
            let own = excess.min(self.buffer.len() - behind);
            self.buffer.truncate(self.buffer.len() - own);
            let excess = excess - own;
            let Some((_, last)) = self.shared.back_mut() else { break };
            if excess < last.len() {
                last.truncate(last.len() - excess);
                self.shared_bytes -= excess;
                break;
            }
            self.shared_bytes -= last.len();
            self.gaps -= usize::from(last.is_empty());
            self.shared.pop_back();
        }
    }

    /// The first `bytes_max` bytes as slices for one gathered write; returns how many slices were
    /// filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let mut filled = 0;
        let mut left = bytes_max;
        let mut at = self.taken;
        let last = (self.buffer.len(), &[][..]);
        let shared = self.shared.iter().map(|(position, message)| (*position, &message[..]));
        for (position, message) in shared.chain([last]) {
            for slice in [&self.buffer[at..position], message] {
                let slice = &slice[..slice.len().min(left)];
                // With many messages, most are beyond one write.
                if left == 0 || filled == slices.len() {
                    return filled;
                }
                if !slice.is_empty() {
                    slices[filled] = IoSlice::new(slice);
                    filled += 1;
                    left -= slice.len();
                }
            }
            at = position;
        }
        filled
    }

    /// Appends the first `bytes_max` bytes to `target`.
    pub fn copy_to(&self, target: &mut Vec<u8>, bytes_max: usize) {
        let mut left = bytes_max;
        let mut at = self.taken;
        let last = (self.buffer.len(), &[][..]);
        let shared = self.shared.iter().map(|(position, message)| (*position, &message[..]));
        for (position, message) in shared.chain([last]) {
            for slice in [&self.buffer[at..position], message] {
                let slice = &slice[..slice.len().min(left)];
                target.extend_from_slice(slice);
                left -= slice.len();
            }
            if left == 0 {
                return;
            }
            at = position;
        }
    }

    /// All bytes in one slice, if there is no shared message: the usual case.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.shared.is_empty().then(|| &self.buffer[self.taken..])
    }

    /// Removes the first `count` bytes, which the reader has taken.
    pub fn advance(&mut self, mut count: usize) -> Taken {
        debug_assert!(count <= self.len(), "more is taken than there is");
        let mut taken = Taken::default();
        while let Some((position, message)) = self.shared.front_mut() {
            let own = (*position - self.taken).min(count);
            self.taken += own;
            count -= own;
            if count == 0 {
                break;
            }
            let of_message = message.len().min(count);
            bytes::Buf::advance(message, of_message);
            self.shared_bytes -= of_message;
            count -= of_message;
            if !message.is_empty() {
                taken.is_partial = true;
                break;
            }
            self.gaps -= usize::from(of_message == 0);
            self.shared.pop_front();
            taken.places += 1;
        }
        self.taken = (self.taken + count).min(self.buffer.len());
        if self.is_empty() {
            // Only gaps may be left of the shared messages.
            self.clear();
        } else if self.taken >= COMPACT_BYTES && self.taken * 2 >= self.buffer.len() {
            self.compact();
        }
        taken
    }

    /// Moves the rest to the start of the buffer.
    fn compact(&mut self) {
        self.buffer.drain(..self.taken);
        for (position, _) in &mut self.shared {
            *position -= self.taken;
        }
        self.taken = 0;
    }

    /// Takes everything as one piece.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.taken;
        for (position, message) in &self.shared {
            all.extend_from_slice(&self.buffer[at..*position]);
            all.extend_from_slice(message);
            at = *position;
        }
        all.extend_from_slice(&self.buffer[at..]);
        self.advance(all.len());
        all
    }

    /// Panics if the parts disagree between two changes: for tests and simulations.
    pub fn check_invariants(&self) {
        let shared: usize = self.shared.iter().map(|(_, message)| message.len()).sum();
        assert_eq!(self.shared_bytes, shared);
        assert!(self.shared.iter().is_sorted_by_key(|(position, _)| *position));
        assert!(self.shared.iter().all(|(at, _)| (self.taken..=self.buffer.len()).contains(at)));
        let gaps = self.shared.iter().filter(|(_, message)| message.is_empty()).count();
        assert_eq!(self.gaps, gaps);
        assert!(self.gaps == 0 || self.keeps_places);
    }
}

/// A position in an output.
#[derive(Clone, Copy, Debug)]
pub struct OutputMark {
    /// Bytes; if places are kept, those in the buffer.
    at: usize,
    /// If places are kept, one more than the number of shared messages.
    shared: Option<NonZeroUsize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    /// Sent bytes are removed, and shared messages stay at their positions.
    #[test]
    fn compacting_moves_nothing_in_the_order() {
        let mut output = Output::new(Protocol::Resp2);
        output.raw(&vec![b'a'; COMPACT_BYTES + 1000]);
        output.share(vec![b'b'; 2000].into());
        output.raw(b"ccc");
        output.share(vec![b'd'; 10].into());
        output.advance(COMPACT_BYTES + 500);
        assert_eq!(output.taken, 0, "it was compacted");
        output.check_invariants();
        let expected = [&[b'a'; 500][..], &[b'b'; 2000], b"ccc", &[b'd'; 10]].concat();
        assert_eq!(output.take_all(), expected);
    }

    proptest! {
        /// Whatever is added, and however little is sent at a time, the bytes arrive in order.
        #[test]
        fn bytes_leave_in_order(
            pieces in prop::collection::vec((0u8..6, 0usize..300), 0..30),
            sends in prop::collection::vec(1usize..400, 1..50),
        ) {
            let mut output = Output::new(Protocol::Resp2);
            let mut expected = Vec::new();
            let mut got = Vec::new();
            let mut sends = sends.into_iter().cycle();
            for (number, (kind, length)) in pieces.into_iter().enumerate() {
                let piece = vec![number as u8; length];
                match kind {
                    0 => output.raw(&piece),
                    1 => output.share(piece.clone().into()),
                    _ => {}
                }
                if kind < 2 {
                    expected.extend_from_slice(&piece);
                }
                let large = vec![number as u8; 200 * length];
                if kind == 2 {
                    output.bulk(&large);
                    write!(expected, "${}\r\n", large.len()).expect("memory takes it");
                    expected.extend_from_slice(&large);
                    expected.extend_from_slice(b"\r\n");
                }
                if kind == 3 && length > 0 {
                    let mark = output.mark();
                    let place = output.share_in_place(piece.clone().into());
                    output.take_out(place);
                    output.truncate(mark);
                }
                if kind == 4 && length > 0 {
                    let mark = output.mark();
                    output.bulk(&large);
                    output.share(piece.clone().into());
                    output.bulk(&large);
                    output.bulk_shared(piece.clone().into());
                    let place = output.share_in_place(piece.clone().into());
                    output.share_in_place(piece.into());
                    output.take_out(place);
                    output.truncate(mark);
                }
                output.check_invariants();
                if number % 3 == 0 {
                    send(&mut output, &mut got, sends.next().unwrap_or(1));
                }
            }
            while !output.is_empty() {
                send(&mut output, &mut got, sends.next().unwrap_or(1));
                prop_assert_eq!(output.len(), expected.len() - got.len());
            }
            prop_assert_eq!(got, expected);
        }
    }

    /// A separate reply can be read directly or appended to another, even after a part was taken.
    #[test]
    fn a_reply_that_is_built_apart_is_appended() {
        let mut apart = Output::new(Protocol::Resp2);
        apart.array(2);
        apart.bulk_shared(vec![b'a'; 3].into());
        let place = apart.share_in_place(b"taken out".to_vec().into());
        apart.bulk(b"b");
        apart.take_out(place);
        let mut output = Output::new(Protocol::Resp2);
        output.ok();
        output.append(&mut apart);
        apart.check_invariants();
        output.check_invariants();
        assert!(apart.is_empty());
        assert_eq!(output.take_all(), b"+OK\r\n*2\r\n$3\r\naaa\r\n$1\r\nb\r\n");
    }

    /// Takes up to `count` bytes with gathered slices, as a socket would.
    fn send(output: &mut Output, got: &mut Vec<u8>, count: usize) {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = output.io_slices(&mut slices, count);
        let mut taken = 0;
        for slice in &slices[..filled] {
            let part = slice.len().min(count - taken);
            got.extend_from_slice(&slice[..part]);
            taken += part;
        }
        output.advance(taken);
    }
}
