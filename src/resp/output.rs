//! Bytes owed to one client: its own buffer, and messages shared with other clients between. A reply
//! larger than a buffer is a series of full ones, each of which is freed when it is sent.

use super::lanes::Lanes;
use super::protocol::Protocol;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::num::NonZeroUsize;

/// Sent bytes are cut from the front of a buffer once they are this many and half of it.
const COMPACT_BYTES: usize = 64 * 1024;

/// A buffer of this many bytes is not made larger for the next message of a reply: it is full, and a
/// new one begins. So a large reply is never copied as it grows, and takes no room that it does not use.
const FULL_BYTES: usize = 32 * 1024;
/// Room of the buffer after a full one: twice as much, and 16 short, which is what the allocator adds.
pub(super) const NEXT_BUFFER_BYTES: usize = 64 * 1024 - 16;
/// Bytes that are written beside those of a bulk string, at the most.
pub(super) const BULK_FRAME_BYTES: usize = 24;

/// What is owed to a client, in order, and the protocol its replies are written in.
///
/// Replies are written into one buffer. A large published message is not copied there: a
/// reference to it stands at its position. So it does for a message of any size that counts in a
/// *lane*, so that it can be taken out again without moving what is around it.
#[derive(Debug, Default)]
pub struct Output {
    pub(super) buffer: Vec<u8>,
    /// How much of `buffer` is sent.
    sent: usize,
    /// Shared messages and full buffers, each with the position in `buffer` before which it goes.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
    /// Which of the shared messages can be counted and taken out again; none for most clients.
    lanes: Option<Box<Lanes>>,
    protocol: Protocol,
}

impl Output {
    /// An empty output that writes replies in `protocol`.
    pub fn new(protocol: Protocol) -> Output {
        Output { protocol, ..Output::default() }
    }

    /// The protocol in which replies are written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the protocol of the replies to come.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Bytes owed.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent + self.shared_bytes
    }

    /// Whether nothing is owed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many shared messages and full buffers are owed.
    pub fn shared_count(&self) -> usize {
        self.shared.len() - self.lanes.as_ref().map_or(0, |lanes| lanes.emptied())
    }

    /// Bytes of memory that it takes; a shared message counts in full for each who shares it.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.shared_bytes
    }

    /// Bytes that the buffer takes from the allocator.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Puts a full buffer among what is owed before the next one.
    pub(super) fn begin_next(&mut self) {
        // Lanes count places, which are not to change under them.
        if self.buffer.len() - self.sent < FULL_BYTES || self.lanes.is_some() {
            return;
        }
        let next = Vec::with_capacity(NEXT_BUFFER_BYTES);
        let full = Bytes::from(std::mem::replace(&mut self.buffer, next));
        let mut at = std::mem::take(&mut self.sent);
        // What goes before all of the buffer stays where it is; only that has position 0 already.
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

    /// Whether there is no buffer yet, so that a used one can be handed in.
    pub fn is_unallocated(&self) -> bool {
        self.buffer.capacity() == 0
    }

    /// Gives an empty buffer to an output that has none, to save an allocation.
    pub fn adopt(&mut self, buffer: Vec<u8>) {
        if self.is_unallocated() {
            self.buffer = buffer;
            self.buffer.clear();
        }
    }

    /// Takes the buffer back when nothing is owed.
    pub fn release(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() {
            return None;
        }
        self.sent = 0;
        self.shared = VecDeque::new();
        self.lanes = None;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        (buffer.capacity() > 0).then_some(buffer)
    }

    /// Adds bytes that are already in the form the protocol wants.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Adds an encoded message that other clients get too, without a copy.
    pub fn share(&mut self, message: Bytes) {
        if message.is_empty() {
            return;
        }
        self.shared_bytes += message.len();
        self.shared.push_back((self.buffer.len(), message));
    }

    /// Adds an encoded message that counts in a lane until it is sent or taken out.
    pub fn share_in(&mut self, lane: u64, message: Bytes) {
        if message.is_empty() {
            return;
        }
        self.lanes.get_or_insert_default().add(lane, self.shared.len());
        self.share(message);
    }

    /// How many messages of a lane have not been sent completely.
    pub fn waiting_in(&mut self, lane: u64) -> usize {
        self.lanes.as_mut().map_or(0, |lanes| lanes.waiting(lane))
    }

    /// How many bytes are owed before the message that `take_oldest` would take.
    pub fn offset_of_oldest(&mut self, lane: u64) -> Option<usize> {
        let index = self.lanes.as_mut()?.oldest(lane)?;
        let (position, _) = self.shared.get(index)?;
        let shared: usize = self.shared.range(..index).map(|(_, message)| message.len()).sum();
        Some(position - self.sent + shared)
    }

    /// Takes the oldest message of a lane out, unless a part of it has been sent: then the next
    /// one. Marks stay valid.
    pub fn take_oldest(&mut self, lane: u64) -> Option<Bytes> {
        let lanes = self.lanes.as_mut()?;
        let (_, message) = self.shared.get_mut(lanes.oldest(lane)?)?;
        lanes.forget_oldest(lane);
        self.shared_bytes -= message.len();
        Some(std::mem::take(message))
    }

    /// Keeps the places of messages that were taken out from growing in number. For the end of a
    /// change: marks are no longer valid.
    pub fn tidy(&mut self) {
        if let Some(lanes) = &mut self.lanes
            && lanes.is_sparse(self.shared.len())
        {
            lanes.remove_emptied(&mut self.shared);
        }
    }

    /// Adds all that `other` owes, and leaves it empty. Nothing of `other` may have been sent in
    /// part.
    pub fn append(&mut self, other: &mut Output) {
        if let Some(lanes) = other.lanes.take() {
            self.lanes.get_or_insert_default().append(*lanes, self.shared.len());
        }
        let mut at = other.sent;
        for (position, message) in other.shared.drain(..) {
            self.buffer.extend_from_slice(&other.buffer[at..position]);
            at = position;
            self.shared_bytes += message.len();
            self.shared.push_back((self.buffer.len(), message));
        }
        self.buffer.extend_from_slice(&other.buffer[at..]);
        other.buffer.clear();
        other.sent = 0;
        other.shared_bytes = 0;
        self.tidy();
    }

    /// Forgets everything that is owed.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.sent = 0;
        self.shared.clear();
        self.shared_bytes = 0;
        self.lanes = None;
    }

    /// A mark for `truncate`.
    pub fn mark(&self) -> OutputMark {
        // Without lanes nothing is taken out of what is before the mark, and so its length will do; a
        // buffer may become full. With lanes it is the other way round.
        match &self.lanes {
            None => OutputMark { at: self.len(), shared: None },
            Some(_) => OutputMark {
                at: self.buffer.len(),
                shared: NonZeroUsize::new(self.shared.len() + 1),
            },
        }
    }

    /// Forgets what was added since `mark`; nothing may have been sent meanwhile.
    pub fn truncate(&mut self, mark: OutputMark) {
        let Some(shared) = mark.shared else { return self.shorten(mark.at) };
        let shared = shared.get() - 1;
        self.buffer.truncate(mark.at);
        let mut emptied = 0;
        for (_, message) in self.shared.drain(shared..) {
            self.shared_bytes -= message.len();
            emptied += usize::from(message.is_empty());
        }
        if let Some(lanes) = &mut self.lanes {
            lanes.truncate(shared, emptied);
        }
    }

    /// Forgets what is owed beyond the first `len` bytes.
    fn shorten(&mut self, len: usize) {
        let mut emptied = 0;
        loop {
            let behind = self.shared.back().map_or(0, |(position, _)| *position).max(self.sent);
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
            emptied += usize::from(last.is_empty());
            self.shared.pop_back();
        }
        if let Some(lanes) = &mut self.lanes {
            lanes.truncate(self.shared.len(), emptied);
        }
    }

    /// The first `bytes_max` bytes owed, as slices for one gathered write; says how many slices
    /// were filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let mut filled = 0;
        let mut left = bytes_max;
        let mut at = self.sent;
        let last = (self.buffer.len(), &[][..]);
        let shared = self.shared.iter().map(|(position, message)| (*position, &message[..]));
        for (position, message) in shared.chain([last]) {
            for slice in [&self.buffer[at..position], message] {
                let slice = &slice[..slice.len().min(left)];
                // Of many messages most are beyond what one write takes.
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

    /// Everything owed in one slice, where no shared message is among it: the usual case.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.shared.is_empty().then(|| &self.buffer[self.sent..])
    }

    /// Forgets the first `count` bytes, which have been sent.
    pub fn advance(&mut self, mut count: usize) {
        while let Some((position, message)) = self.shared.front_mut() {
            let own = (*position - self.sent).min(count);
            self.sent += own;
            count -= own;
            if count == 0 {
                break;
            }
            let of_message = message.len().min(count);
            bytes::Buf::advance(message, of_message);
            self.shared_bytes -= of_message;
            count -= of_message;
            let is_done = message.is_empty();
            if let Some(lanes) = &mut self.lanes {
                if is_done { lanes.pop_front(of_message == 0) } else { lanes.begin_front() }
            }
            if is_done {
                self.shared.pop_front();
            }
        }
        self.sent = (self.sent + count).min(self.buffer.len());
        if self.is_empty() {
            self.buffer.clear();
            self.sent = 0;
            if self.lanes.take().is_some() {
                // What is left of the shared messages was taken out.
                self.shared.clear();
            }
        } else if self.sent >= COMPACT_BYTES && self.sent * 2 >= self.buffer.len() {
            self.compact();
        }
    }

    /// Moves what is owed to the start of the buffer.
    fn compact(&mut self) {
        self.buffer.drain(..self.sent);
        for (position, _) in &mut self.shared {
            *position -= self.sent;
        }
        self.sent = 0;
    }

    /// Takes everything owed as one piece: for those who drive the broker without sockets.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.sent;
        for (position, message) in &self.shared {
            all.extend_from_slice(&self.buffer[at..*position]);
            all.extend_from_slice(message);
            at = *position;
        }
        all.extend_from_slice(&self.buffer[at..]);
        self.advance(all.len());
        all
    }

    /// Panics if the parts disagree after a change that has ended: for tests and simulations.
    pub fn check_invariants(&self) {
        let shared: usize = self.shared.iter().map(|(_, message)| message.len()).sum();
        assert_eq!(self.shared_bytes, shared);
        assert!(self.shared.iter().is_sorted_by_key(|(position, _)| *position));
        assert!(self.shared.iter().all(|(at, _)| (self.sent..=self.buffer.len()).contains(at)));
        if let Some(lanes) = &self.lanes {
            lanes.check_invariants(&self.shared);
        }
    }
}

/// A position in an output.
#[derive(Clone, Copy, Debug)]
pub struct OutputMark {
    /// Bytes owed; with lanes, bytes in the buffer.
    at: usize,
    /// With lanes, one more than the number of shared messages.
    shared: Option<NonZeroUsize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    /// What has been sent is cut off, and shared messages stay where they are between the others.
    #[test]
    fn compacting_moves_nothing_in_the_order() {
        let mut output = Output::new(Protocol::Resp2);
        output.raw(&vec![b'a'; COMPACT_BYTES + 1000]);
        output.share(vec![b'b'; 2000].into());
        output.raw(b"ccc");
        output.share(vec![b'd'; 10].into());
        output.advance(COMPACT_BYTES + 500);
        assert_eq!(output.sent, 0, "it was compacted");
        output.check_invariants();
        let expected = [&[b'a'; 500][..], &[b'b'; 2000], b"ccc", &[b'd'; 10]].concat();
        assert_eq!(output.take_all(), expected);
    }

    proptest! {
        /// Whatever is added and however little is sent at a time, the bytes arrive in order.
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
                if kind == 3 {
                    let mark = output.mark();
                    output.share_in(7, piece.clone().into());
                    output.truncate(mark);
                }
                if kind == 4 {
                    let mark = output.mark();
                    output.bulk(&large);
                    output.share(piece.clone().into());
                    output.bulk(&large);
                    output.bulk_shared(piece.clone().into());
                    output.share_in(7, piece.clone().into());
                    output.share_in(7, piece.into());
                    output.take_oldest(7);
                    output.truncate(mark);
                }
                output.tidy();
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

    /// What an output with lanes must be: pieces in order, each with its lane.
    #[derive(Default)]
    struct Model {
        pieces: VecDeque<(Option<u64>, Vec<u8>, bool)>,
    }

    impl Model {
        fn waiting(&self, lane: u64) -> usize {
            self.pieces.iter().filter(|piece| piece.0 == Some(lane)).count()
        }

        fn take_oldest(&mut self, lane: u64) -> Option<(usize, Vec<u8>)> {
            let at = self.pieces.iter().position(|(of, _, begun)| *of == Some(lane) && !begun)?;
            let offset = self.pieces.range(..at).map(|(_, bytes, _)| bytes.len()).sum();
            self.pieces.remove(at).map(|(_, bytes, _)| (offset, bytes))
        }

        fn send(&mut self, mut count: usize) {
            while let Some((_, bytes, begun)) = self.pieces.front_mut().filter(|_| count > 0) {
                let sent = bytes.len().min(count);
                bytes.drain(..sent);
                *begun = true;
                count -= sent;
                if bytes.is_empty() {
                    self.pieces.pop_front();
                }
            }
        }
    }

    proptest! {
        /// Whatever is added, sent and taken out, what is left is what was to be left, in order.
        #[test]
        fn what_is_taken_out_leaves_the_rest_in_order(
            steps in prop::collection::vec((0u8..12, 1usize..90), 0..300),
        ) {
            let (mut output, mut model) = (Output::new(Protocol::Resp2), Model::default());
            // What is added while the output is lent out, and comes behind it.
            let mut beside = Output::new(Protocol::Resp2);
            for (number, (step, length)) in steps.into_iter().enumerate() {
                let piece = vec![number as u8; length];
                let lane = u64::from(step % 2);
                match step {
                    0..=3 => {
                        output.share_in(lane, piece.clone().into());
                        model.pieces.push_back((Some(lane), piece, false));
                    }
                    4 | 5 => {
                        let at = output.offset_of_oldest(lane);
                        let expected = model.take_oldest(lane);
                        prop_assert_eq!(at, expected.as_ref().map(|(at, _)| *at));
                        let taken = output.take_oldest(lane).map(|message| message.to_vec());
                        prop_assert_eq!(taken, expected.map(|(_, bytes)| bytes));
                    }
                    6 | 7 => {
                        let count = length.min(output.len());
                        let mut got = Vec::new();
                        send(&mut output, &mut got, count);
                        model.send(got.len());
                    }
                    8 => {
                        output.share(piece.clone().into());
                        model.pieces.push_back((None, piece, false));
                    }
                    9 => {
                        output.raw(&piece);
                        model.pieces.push_back((None, piece, false));
                    }
                    10 => {
                        beside.raw(b"-");
                        beside.share_in(lane, piece.clone().into());
                        beside.share_in(lane, piece.clone().into());
                        beside.take_oldest(lane);
                        model.pieces.push_back((None, b"-".to_vec(), false));
                        model.pieces.push_back((Some(lane), piece, false));
                        output.append(&mut beside);
                    }
                    _ => {
                        let mark = output.mark();
                        output.raw(&piece);
                        if let Some((_, bytes)) = model.take_oldest(lane) {
                            prop_assert_eq!(output.take_oldest(lane), Some(bytes.into()));
                        }
                        output.share_in(lane, piece.into());
                        output.truncate(mark);
                    }
                }
                output.tidy();
                output.check_invariants();
                for lane in 0..2 {
                    prop_assert_eq!(output.waiting_in(lane), model.waiting(lane));
                }
                let left = model.pieces.iter().flat_map(|piece| &piece.1);
                let left: Vec<u8> = left.copied().collect();
                prop_assert_eq!(output.len(), left.len());
                let mut slices = vec![IoSlice::new(&[]); 1000];
                let filled = output.io_slices(&mut slices, usize::MAX);
                let owed = slices[..filled].iter().flat_map(|slice| slice.iter());
                prop_assert_eq!(owed.copied().collect::<Vec<u8>>(), left);
            }
        }
    }

    #[test]
    fn the_places_of_what_was_taken_out_do_not_pile_up() {
        let mut output = Output::new(Protocol::Resp2);
        output.share_in(1, b"first".to_vec().into());
        output.advance(1);
        for number in 0..10_000 {
            output.share_in(1, b"later".to_vec().into());
            assert!(output.take_oldest(1).is_some(), "{number}");
            output.tidy();
            assert!(output.shared.len() < 100, "{} places", output.shared.len());
        }
        assert_eq!((output.waiting_in(1), output.shared_count(), output.len()), (1, 1, 4));
        assert_eq!(output.take_oldest(1), None, "the rest of the first has to be sent");
        assert_eq!(output.take_all(), b"irst");
        assert!(output.lanes.is_none());
    }

    /// Takes up to `count` bytes by way of gathered slices, as a socket would.
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
