//! Messages that were delivered and are not acknowledged yet, of one queue.

use crate::client_id::ClientId;
use crate::queue::Stamp;
use std::collections::BTreeMap;

/// A message in flight.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Box<[u8]>,
    /// What is known of it, this delivery counted.
    pub stamp: Stamp,
    /// Whose connection has to acknowledge it.
    pub owner: ClientId,
    /// Unix milliseconds at which it was delivered.
    pub delivered_ms: i64,
}

/// The messages of one queue that are in flight, in the order of their deliveries.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    by_number: BTreeMap<u64, Delivery>,
    /// Bytes of the messages.
    message_bytes: usize,
}

/// Where a delivery stood among those in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    First,
    Last,
    Between,
}

/// What one delivery takes beside its message: its place in this map and among those of its client.
pub(super) const DELIVERY_BYTES: usize = 160;

impl InFlight {
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Bytes of memory.
    pub fn allocated_bytes(&self) -> usize {
        self.message_bytes + self.by_number.len() * DELIVERY_BYTES
    }

    /// Adds a delivery; its number is above those before.
    pub(super) fn add(&mut self, number: u64, delivery: Delivery) {
        self.message_bytes += delivery.message.len();
        self.by_number.insert(number, delivery);
    }

    /// Takes a delivery out, and tells where it stood.
    pub(super) fn remove(&mut self, number: u64) -> Option<(Delivery, Place)> {
        let is_first = self.by_number.first_key_value().is_some_and(|(first, _)| *first == number);
        let is_last = self.by_number.last_key_value().is_some_and(|(last, _)| *last == number);
        let delivery = self.by_number.remove(&number)?;
        self.message_bytes -= delivery.message.len();
        let place = match (is_first, is_last) {
            (true, _) => Place::First,
            (false, true) => Place::Last,
            (false, false) => Place::Between,
        };
        Some((delivery, place))
    }

    pub(super) fn clear(&mut self) {
        *self = InFlight::default();
    }

    /// Gives the last deliveries these stamps, oldest first.
    pub(super) fn restamp(&mut self, stamps: &[Stamp]) {
        for (delivery, stamp) in self.by_number.values_mut().rev().zip(stamps.iter().rev()) {
            delivery.stamp = *stamp;
        }
    }

    /// Makes deliveries that are ready since one time so since another.
    pub(super) fn replace_ready_ms(&mut self, old_ms: i64, new_ms: i64) {
        let deliveries = self.by_number.values_mut();
        for delivery in deliveries.filter(|delivery| delivery.stamp.ready_ms == old_ms) {
            delivery.stamp.ready_ms = new_ms;
        }
    }

    /// The delivery with a number.
    pub fn get(&self, number: u64) -> Option<&Delivery> {
        self.by_number.get(&number)
    }

    /// The oldest delivery, with its number.
    pub fn first(&self) -> Option<(u64, &Delivery)> {
        self.by_number.first_key_value().map(|(number, delivery)| (*number, delivery))
    }

    /// All deliveries with their numbers, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Delivery)> + ExactSizeIterator {
        self.by_number.iter().map(|(number, delivery)| (*number, delivery))
    }
}
