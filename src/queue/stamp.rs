//! The stamp of one message.

use super::dead_letter::DeadLetter;
use super::end::End;
use std::sync::Arc;

/// The state of a message besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Since when it can be popped, in milliseconds of the owner's clock.
    pub ready_ms: i64,
    /// Its position among the messages that were taken and returned, from 1; 0 for one never taken.
    pub order: u64,
    /// The end from which it was taken, to which that position refers.
    pub taken_from: End,
    /// How often it was delivered with the possibility to return.
    pub deliveries: u32,
    /// How often it was moved to a dead-letter queue since its last delivery.
    pub hops: u16,
    /// Its origin, if it is a dead letter.
    pub dead_letter: Option<Arc<DeadLetter>>,
}

impl Stamp {
    /// Counts the delivery with this number of a message taken from this end.
    #[inline]
    pub fn deliver(&mut self, number: u64, end: End) {
        // If it is next taken from the other end, that end sees it for the first time.
        if self.order == 0 || self.taken_from != end {
            (self.order, self.taken_from) = (number, end);
        }
        self.deliveries = self.deliveries.saturating_add(1);
        // Only moves without a consumer in between can go in a circle for ever.
        self.hops = 0;
    }

    /// What is left of it in a queue that only keeps stamps for its dead letters.
    pub(super) fn of_dead_letter(self) -> Stamp {
        let Stamp { ready_ms, hops, dead_letter, .. } = self;
        match dead_letter {
            None => Stamp::default(),
            Some(_) => Stamp { ready_ms, hops, dead_letter, ..Stamp::default() },
        }
    }

    /// Whether two messages share the memory of their origin.
    pub(super) fn shares_origin(&self, other: &Stamp) -> bool {
        match (&self.dead_letter, &other.dead_letter) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }
}
