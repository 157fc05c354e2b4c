//! Messages in flight of one queue: delivered and not yet acknowledged.

use super::chunked::Chunked;
use super::holdings::HELD_BYTES;
use super::ranks::Ranks;
use crate::client_id::ClientId;
use crate::queue::Stamp;
use ahash::RandomState;
use std::collections::{BTreeMap, BTreeSet};

/// A message in flight.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Box<[u8]>,
    /// Its stamp, with this delivery counted.
    pub stamp: Stamp,
    /// The client that must acknowledge it.
    pub owner: ClientId,
    /// The number of the client's input that was answered by this delivery: a later input may
    /// acknowledge it.
    pub input: u64,
    /// The time of the delivery, by the queue clock.
    pub delivered_ms: i64,
}

/// The messages in flight of one queue, in order of delivery.
#[derive(Debug, Default)]
pub struct InFlight {
    by_number: Chunked<Delivery>,
    /// Bytes of the messages.
    message_bytes: usize,
    /// Built by the first look-up that needs one.
    indexes: Option<Box<Indexes>>,
}

/// Indexes of deliveries besides the number. A snapshot needs none.
#[derive(Debug, Default)]
struct Indexes {
    /// Hashes of the messages with their numbers. Built by the first look-up by message.
    by_message: Option<BTreeSet<(u64, u64)>>,
    /// The ranks of the numbers. Built by the first look-up by rank among many.
    ranks: Option<Ranks>,
}

/// What distinguishes a delivery from the others in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// It is the first one.
    First,
    /// It is the last one.
    Last,
    /// It is short, and no other message has the same bytes.
    Unlike,
    /// The number of deliveries before it.
    Rank(usize),
}

/// Bytes of memory per delivery in the index by message.
const INDEXED_BYTES: usize = 24;

/// Up to this many deliveries, a rank is counted; with more, there is an index.
const COUNTED_MAX: usize = 64;

/// A message of up to this many bytes is identified by its bytes, not by its rank, which takes
/// about as many.
const NAMED_BYTES_MAX: usize = 80;

impl InFlight {
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Returns the bytes of memory.
    pub fn allocated_bytes(&self) -> usize {
        let index_bytes = self.indexes.as_ref().map_or(0, |indexes| indexes.allocated_bytes());
        let held_bytes = self.by_number.len() * HELD_BYTES;
        self.message_bytes + self.by_number.allocated_bytes() + held_bytes + index_bytes
    }

    /// Adds a delivery; its number is above all before.
    pub(super) fn add(&mut self, number: u64, delivery: Delivery, hasher: &RandomState) {
        self.message_bytes += delivery.message.len();
        if let Some(indexes) = &mut self.indexes {
            indexes.add(number, &delivery.message, hasher);
        }
        self.by_number.push(number, delivery);
    }

    /// Removes and returns a delivery.
    pub(super) fn remove(&mut self, number: u64, hasher: &RandomState) -> Option<Delivery> {
        let delivery = self.by_number.remove(number)?;
        self.message_bytes -= delivery.message.len();
        if let Some(indexes) = &mut self.indexes {
            indexes.remove(number, &delivery.message, hasher);
        }
        Some(delivery)
    }

    /// Replaces the message of a delivery.
    pub(super) fn set_message(&mut self, number: u64, message: &[u8], hasher: &RandomState) {
        let Some(delivery) = self.by_number.get_mut(number) else { return };
        let before = std::mem::replace(&mut delivery.message, Box::from(message));
        self.message_bytes = self.message_bytes + message.len() - before.len();
        if let Some(by_message) = self.indexes.as_mut().and_then(|own| own.by_message.as_mut()) {
            by_message.remove(&(hasher.hash_one(&before), number));
            by_message.insert((hasher.hash_one(message), number));
        }
    }

    /// Returns what distinguishes a delivery from the others. The first call among many builds an
    /// index; after that, the number of steps does not grow with the number of deliveries.
    pub(super) fn place(&mut self, number: u64) -> Position {
        let is_it = |end: Option<(u64, &Delivery)>| end.is_some_and(|(other, _)| other == number);
        if is_it(self.by_number.first()) {
            return Position::First;
        }
        if is_it(self.by_number.last()) {
            return Position::Last;
        }
        if self.by_number.len() > COUNTED_MAX {
            let (below, first) = self.ranks().below_block(number);
            let before = self.by_number.numbers_from(first).take_while(|other| *other < number);
            return Position::Rank(below + before.count());
        }
        let named = self.get(number).filter(|own| own.message.len() <= NAMED_BYTES_MAX);
        if let Some(Delivery { message, .. }) = named
            && self.by_number.iter().filter(|(_, other)| other.message == *message).count() == 1
        {
            return Position::Unlike;
        }
        Position::Rank(self.by_number.iter().take_while(|(other, _)| *other < number).count())
    }

    /// Returns the number of the delivery with this rank.
    pub(super) fn number_of_rank(&mut self, rank: usize) -> Option<u64> {
        if self.by_number.len() <= COUNTED_MAX {
            return self.by_number.iter().nth(rank).map(|(number, _)| number);
        }
        let (first, before) = self.ranks().block_of_rank(rank)?;
        self.by_number.numbers_from(first).nth(before)
    }

    fn ranks(&mut self) -> &Ranks {
        let by_number = &self.by_number;
        let ranks = &mut self.indexes.get_or_insert_default().ranks;
        ranks.get_or_insert_with(|| Ranks::of(by_number.iter().map(|(number, _)| number)))
    }

    /// Returns a second map of the same deliveries, for a snapshot, without copies and indexes.
    pub(super) fn share(&mut self) -> InFlight {
        let (by_number, message_bytes) = (self.by_number.share(), self.message_bytes);
        InFlight { by_number, message_bytes, indexes: None }
    }

    pub(super) fn clear(&mut self) {
        *self = InFlight::default();
    }

    /// Sets the stamps of the last deliveries, in the order of delivery.
    pub(super) fn restamp(&mut self, stamps: &[Stamp]) {
        for (delivery, stamp) in self.by_number.values_mut().rev().zip(stamps.iter().rev()) {
            delivery.stamp = *stamp;
        }
    }

    /// Replaces the time `old_ms` since which deliveries are ready by `new_ms`.
    pub(super) fn replace_ready_ms(&mut self, old_ms: i64, new_ms: i64) {
        let deliveries = self.by_number.values_mut();
        for delivery in deliveries.filter(|delivery| delivery.stamp.ready_ms == old_ms) {
            delivery.stamp.ready_ms = new_ms;
        }
    }

    /// Returns for each message the number of its oldest delivery not yet returned. The first call
    /// builds an index of all deliveries; after that, a message costs one look-up.
    pub(super) fn find<'a>(
        &mut self,
        messages: impl Iterator<Item = &'a [u8]>,
        hasher: &RandomState,
    ) -> Vec<u64> {
        let by_number = &self.by_number;
        let hash = |delivery: &Delivery| hasher.hash_one(&delivery.message);
        let indexed = || by_number.iter().map(|(number, delivery)| (hash(delivery), number));
        let by_message = &mut self.indexes.get_or_insert_default().by_message;
        let by_message = by_message.get_or_insert_with(|| indexed().collect());
        // For equal messages: the number after the last one found.
        let mut places: BTreeMap<&[u8], u64> = BTreeMap::new();
        let mut found = Vec::new();
        for message in messages {
            let hash = hasher.hash_one(message);
            let place = places.entry(message).or_insert(0);
            let same_hash = by_message.range((hash, *place)..=(hash, u64::MAX));
            let number = same_hash.map(|(_, number)| *number).find(|number| {
                by_number.get(*number).is_some_and(|delivery| *delivery.message == *message)
            });
            *place = number.map_or(u64::MAX, |number| number + 1);
            found.extend(number);
        }
        found.sort_unstable();
        found
    }

    /// Returns the delivery with a number.
    pub fn get(&self, number: u64) -> Option<&Delivery> {
        self.by_number.get(number)
    }

    /// Returns the numbers of deliveries up to `last`, the newest first.
    pub(super) fn newest_to(&self, last: u64) -> impl Iterator<Item = u64> {
        self.by_number.numbers_down_from(last)
    }

    /// Returns the numbers of deliveries after `first`, up to `last`, the oldest first.
    pub(super) fn numbers_between(&self, first: u64, last: u64) -> impl Iterator<Item = u64> {
        self.by_number.numbers_from(first + 1).take_while(move |number| *number <= last)
    }

    /// Returns the oldest delivery, with its number.
    #[inline]
    pub fn first(&self) -> Option<(u64, &Delivery)> {
        self.by_number.first()
    }

    /// Returns all deliveries with their numbers, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Delivery)> {
        self.by_number.iter()
    }
}

impl InFlight {
    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        self.by_number.check_invariants();
        let bytes = self.iter().map(|(_, delivery)| delivery.message.len()).sum::<usize>();
        assert_eq!(bytes, self.message_bytes);
    }
}

impl Indexes {
    fn allocated_bytes(&self) -> usize {
        let indexed = self.by_message.as_ref().map_or(0, BTreeSet::len);
        indexed * INDEXED_BYTES + self.ranks.as_ref().map_or(0, Ranks::allocated_bytes)
    }

    fn add(&mut self, number: u64, message: &[u8], hasher: &RandomState) {
        if let Some(by_message) = &mut self.by_message {
            by_message.insert((hasher.hash_one(message), number));
        }
        if let Some(ranks) = &mut self.ranks {
            ranks.add(number);
        }
    }

    fn remove(&mut self, number: u64, message: &[u8], hasher: &RandomState) {
        if let Some(by_message) = &mut self.by_message {
            by_message.remove(&(hasher.hash_one(message), number));
        }
        if let Some(ranks) = &mut self.ranks {
            ranks.remove(number);
        }
    }
}
