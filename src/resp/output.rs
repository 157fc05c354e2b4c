//! Bytes owed to one client: its own buffer, and messages shared with other clients between.

use super::Protocol;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;

/// Sent bytes are cut from the front of a buffer once they are this many and half of it.
const COMPACT_BYTES: usize = 64 * 1024;

/// What is owed to a client, in order, and the protocol its replies are written in.
///
/// Replies are written into one buffer. A large published message is not copied there: a
/// reference to it stands at its position.
#[derive(Debug, Default)]
pub struct Output {
    pub(super) buffer: Vec<u8>,
    /// How much of `buffer` is sent.
    sent: usize,
    /// Shared messages, each with the position in `buffer` before which it goes.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
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

    /// How many shared messages are owed.
    pub fn shared_count(&self) -> usize {
        self.shared.len()
    }

    /// Bytes the buffer takes from the allocator.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
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

    /// Adds all that `other` owes, and leaves it empty.
    pub fn append(&mut self, other: &mut Output) {
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
    }

    /// Forgets everything that is owed.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.sent = 0;
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// A mark for `truncate`.
    pub fn mark(&self) -> OutputMark {
        OutputMark { buffer: self.buffer.len(), shared: self.shared.len() }
    }

    /// Forgets what was added since `mark`; nothing may have been sent meanwhile.
    pub fn truncate(&mut self, mark: OutputMark) {
        self.buffer.truncate(mark.buffer);
        for (_, message) in self.shared.drain(mark.shared..) {
            self.shared_bytes -= message.len();
        }
    }

    /// The first `bytes_max` bytes owed, as slices for one gathered write; says how many slices
    /// were filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let mut filled = 0;
        let mut left = bytes_max;
        let mut add = |slice: &'a [u8]| {
            let slice = &slice[..slice.len().min(left)];
            left -= slice.len();
            if !slice.is_empty() && filled < slices.len() {
                slices[filled] = IoSlice::new(slice);
                filled += 1;
            }
        };
        let mut at = self.sent;
        for (position, message) in &self.shared {
            add(&self.buffer[at..*position]);
            add(message);
            at = *position;
        }
        add(&self.buffer[at..]);
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
            if message.is_empty() {
                self.shared.pop_front();
            }
        }
        self.sent = (self.sent + count).min(self.buffer.len());
        if self.is_empty() {
            self.buffer.clear();
            self.sent = 0;
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
}

/// A position in an output.
#[derive(Clone, Copy, Debug)]
pub struct OutputMark {
    buffer: usize,
    shared: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is added and however little is sent at a time, the bytes arrive in order.
        #[test]
        fn bytes_leave_in_order(
            pieces in prop::collection::vec((any::<bool>(), 0usize..300), 0..30),
            sends in prop::collection::vec(1usize..400, 1..50),
        ) {
            let mut output = Output::new(Protocol::Resp2);
            let mut expected = Vec::new();
            let mut got = Vec::new();
            let mut sends = sends.into_iter().cycle();
            for (number, (shared, length)) in pieces.into_iter().enumerate() {
                let piece = vec![number as u8; length];
                expected.extend_from_slice(&piece);
                if shared { output.share(piece.into()) } else { output.raw(&piece) }
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
