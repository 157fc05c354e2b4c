//! Large messages, which are popped without a copy.

use super::deque::{Deque, LONG_SEGMENT_BYTES};
use super::{End, Packed, Queue};
use bytes::Bytes;

impl Queue {
    /// Pops the message at one end with its segment, if it is so large that it has its own. `None`, and
    /// no change, for any other message, and for queues with stamps.
    #[inline]
    pub fn pop_large(&mut self, end: End) -> Option<Bytes> {
        let Packed::Deque { deque, .. } = &mut self.messages else { return None };
        // For most queues this excludes large messages without looking at a segment. A rare large one
        // among others is not found, and is copied.
        let is_usual = deque.segment_bytes <= deque.segments.len() * LONG_SEGMENT_BYTES;
        if is_usual { None } else { deque.take_large(end) }
    }
}

impl Deque {
    #[cold]
    fn take_large(&mut self, end: End) -> Option<Bytes> {
        if self.stamps.is_some() {
            return None;
        }
        let segment = match end {
            End::Front => self.segments.front_mut(),
            End::Back => self.segments.back_mut(),
        }?;
        let capacity = segment.capacity();
        // It shared the segment with others, and too little of the buffer is its own.
        if capacity <= LONG_SEGMENT_BYTES || segment.live_bytes() < capacity / 2 {
            return None;
        }
        let message = segment.take_only_message()?;
        // The buffer is gone with the message.
        self.segment_bytes = self.segment_bytes - capacity + segment.capacity();
        self.len -= 1;
        self.drop_segment(end);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_leaves_with_its_buffer() {
        for end in [End::Front, End::Back] {
            let mut queue = Queue::new();
            queue.push(End::Back, b"small");
            assert_eq!(queue.pop_large(end), None);
            let large: Vec<u8> = (0..300_000).map(|number| number as u8).collect();
            queue.push(end, &large);
            let is_large = |message: &&[u8]| message.len() == large.len();
            let address = queue.iter().find(is_large).map(<[u8]>::as_ptr);
            assert!(address.is_some());
            let taken = queue.pop_large(end).expect("the large one");
            assert_eq!(taken, large);
            assert!(queue.pop_large(end).is_none() && queue.len() == 1);
            queue.check_invariants();
            assert!(queue.iter().all(|message| Some(message.as_ptr()) != address));
        }
    }

    #[test]
    fn what_a_snapshot_or_a_stamp_shares_is_left_to_pop() {
        let mut queue = Queue::new();
        queue.push(End::Back, &[7; 300_000]);
        let snapshot = queue.share();
        assert_eq!(queue.pop_large(End::Front), None);
        assert_eq!(queue.pop(End::Front, <[u8]>::len), Some(300_000));
        assert_eq!(snapshot.len(), 1);
    }
}
