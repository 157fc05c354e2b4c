//! Messages in flight of one queue: delivered and not yet acknowledged.

use super::delivery::Delivery;
use super::held::HELD_BYTES;
use super::hidden_list::{HiddenList, Position};
use super::number_block::NumberBlock;
use crate::queue::Stamp;
use ahash::RandomState;
use std::collections::{BTreeMap, BTreeSet};

/// The messages in flight of one queue, in order of delivery.
#[derive(Debug, Default)]
pub struct InFlight {
    list: HiddenList<Delivery>,
    /// Hashes of the messages with their numbers. Built by the first look-up by message; a snapshot needs
    /// none.
    by_message: Option<BTreeSet<(u64, u64)>>,
    /// When deliveries with a time of their own return, with their numbers.
    own_dues: BTreeSet<(i64, u64)>,
    /// The oldest delivery without a time of its own, if any has one; otherwise it is the first. It only
    /// moves forward: a delivery never loses its own time.
    first_timed: Option<u64>,
}

/// Bytes of memory per delivery in an index.
const INDEXED_BYTES: usize = 24;

impl InFlight {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the bytes of memory.
    #[inline(always)]
    pub fn allocated_bytes(&self) -> usize {
        let indexed = self.by_message.as_ref().map_or(0, BTreeSet::len) + self.own_dues.len();
        self.list.allocated_bytes() + self.list.len() * HELD_BYTES + indexed * INDEXED_BYTES
    }

    /// Adds a delivery; its number is above all before. Returns by how many bytes the memory grew.
    #[inline(always)]
    pub(super) fn add(&mut self, number: u64, delivery: Delivery, hasher: &RandomState) -> usize {
        let mut indexes = 0;
        if let Some(by_message) = self.by_message.as_mut().filter(|_| !delivery.by_receipt) {
            by_message.insert((hasher.hash_one(&*delivery.message), number));
            indexes += 1;
        }
        match delivery.own_due_ms() {
            Some(due_ms) => {
                self.begin_own_dues();
                self.own_dues.insert((due_ms, number));
                indexes += 1;
            }
            // Found by the first one with a time of its own.
            None if self.own_dues.is_empty() => {}
            None => drop(self.first_timed.get_or_insert(number)),
        }
        self.list.add(number, delivery) + HELD_BYTES + indexes * INDEXED_BYTES
    }

    /// Removes and returns a delivery.
    #[inline]
    pub(super) fn remove(&mut self, number: u64, hasher: &RandomState) -> Option<Delivery> {
        let delivery = self.list.remove(number)?;
        if let Some(by_message) = &mut self.by_message {
            by_message.remove(&(hasher.hash_one(&delivery.message), number));
        }
        match delivery.own_due_ms() {
            Some(due_ms) => drop(self.own_dues.remove(&(due_ms, number))),
            None if self.own_dues.is_empty() => {}
            None => self.pass_timed(number),
        }
        Some(delivery)
    }

    /// Removes the deliveries of a block, which are all there.
    #[inline]
    pub(super) fn remove_block(&mut self, block: NumberBlock, hasher: &RandomState) {
        if self.by_message.is_none() && self.own_dues.is_empty() {
            self.list.remove_block(block);
        } else {
            block.numbers().for_each(|number| drop(self.remove(number, hasher)));
        }
    }

    /// Before the first delivery with a time of its own: all others have none.
    fn begin_own_dues(&mut self) {
        if self.own_dues.is_empty() {
            self.first_timed = self.list.first().map(|(number, _)| number);
        }
    }

    /// Finds the next delivery without a time of its own, if this was the first one.
    fn pass_timed(&mut self, number: u64) {
        if self.first_timed == Some(number) {
            let is_timed = |number: &u64| self.list.get(*number).is_some_and(Delivery::is_timed);
            self.first_timed = self.list.numbers_from(number + 1).find(is_timed);
        }
    }

    /// Gives a delivery a time of its own, if it is still in flight.
    pub(super) fn set_own_due(&mut self, number: u64, due_ms: i64, lease_ms: Option<i64>) {
        let change = |delivery: &mut Delivery| {
            delivery.lease_ms = lease_ms.unwrap_or(delivery.lease_ms);
            let before_ms = delivery.own_due_ms();
            delivery.own_due_ms = due_ms;
            before_ms
        };
        self.begin_own_dues();
        let Some(before) = self.list.change(number, change) else { return };
        match before {
            Some(before_ms) => drop(self.own_dues.remove(&(before_ms, number))),
            None => self.pass_timed(number),
        }
        self.own_dues.insert((due_ms, number));
    }

    /// Takes back that a delivery counts as one.
    pub(super) fn uncount(&mut self, number: u64) {
        let uncount = |delivery: &mut Delivery| {
            delivery.stamp.deliveries = delivery.stamp.deliveries.saturating_sub(1);
        };
        self.list.change(number, uncount);
    }

    /// Returns the delivery whose own time is first, with that time.
    #[inline]
    pub(super) fn first_own_due(&self) -> Option<(i64, u64)> {
        self.own_dues.first().copied()
    }

    /// Returns the deliveries whose own time is over, the last ones first: each part of a large number goes
    /// to the end of its queue.
    pub(super) fn own_due_until(&self, now_ms: i64) -> impl Iterator<Item = u64> {
        self.own_dues.range(..=(now_ms, u64::MAX)).rev().map(|(_, number)| *number)
    }

    #[inline]
    fn first_timed(&self) -> Option<u64> {
        if self.own_dues.is_empty() {
            return self.list.first().map(|(number, _)| number);
        }
        self.first_timed
    }

    /// Returns the oldest delivery to which the timeout of the policy applies.
    #[inline]
    pub(super) fn oldest_timed(&self) -> Option<&Delivery> {
        self.list.get(self.first_timed()?)
    }

    /// Returns the deliveries to which the timeout of the policy applies, the oldest first.
    pub(super) fn timed(&self) -> impl Iterator<Item = (u64, &Delivery)> {
        let numbers =
            self.first_timed().into_iter().flat_map(|first| self.list.numbers_from(first));
        let deliveries = numbers.filter_map(|number| Some((number, self.list.get(number)?)));
        deliveries.filter(|(_, delivery)| delivery.is_timed())
    }

    /// Replaces the message of a delivery.
    pub(super) fn set_message(&mut self, number: u64, message: &[u8], hasher: &RandomState) {
        let replace =
            |delivery: &mut Delivery| std::mem::replace(&mut delivery.message, Box::from(message));
        let Some(before) = self.list.change(number, replace) else { return };
        if let Some(by_message) = &mut self.by_message {
            by_message.remove(&(hasher.hash_one(&before), number));
            by_message.insert((hasher.hash_one(message), number));
        }
    }

    /// As `HiddenList::place`.
    pub(super) fn place(&mut self, number: u64) -> Position {
        self.list.place(number)
    }

    /// Returns the number of the delivery with this rank.
    pub(super) fn number_of_rank(&mut self, rank: usize) -> Option<u64> {
        self.list.number_of_rank(rank)
    }

    /// Returns a second map of the same deliveries, for a snapshot, without copies and indexes.
    pub(super) fn share(&mut self) -> InFlight {
        InFlight { list: self.list.share(), ..InFlight::default() }
    }

    pub(super) fn clear(&mut self) {
        *self = InFlight::default();
    }

    /// Sets the stamps of the last deliveries, in the order of delivery.
    pub(super) fn restamp(&mut self, stamps: &[Stamp]) {
        for (delivery, stamp) in self.list.values_mut().rev().zip(stamps.iter().rev()) {
            delivery.stamp.clone_from(stamp);
        }
    }

    /// Sets the stamps of the deliveries from an index on, each with the number of consecutive ones that have
    /// it.
    pub(super) fn restamp_from(&mut self, index: usize, runs: &[(Stamp, usize)]) {
        for (number, stamp) in self.list.with_numbers_from(index, runs) {
            self.list.change(number, |delivery| delivery.stamp.clone_from(stamp));
        }
    }

    /// Drops the oldest deliveries, at most this many, of those that nobody looks up any more.
    pub(super) fn drop_oldest(&mut self, count: usize) {
        (self.by_message, self.first_timed) = (None, None);
        for _ in 0..count {
            let Some((number, _)) = self.list.first() else { return };
            if let Some(own_due_ms) = self.list.remove(number).and_then(|gone| gone.own_due_ms()) {
                self.own_dues.remove(&(own_due_ms, number));
            }
        }
    }

    /// Replaces the time `old_ms` since which deliveries are ready by `new_ms`.
    pub(super) fn replace_ready_ms(&mut self, old_ms: i64, new_ms: i64) {
        let deliveries = self.list.values_mut();
        for delivery in deliveries.filter(|delivery| delivery.stamp.ready_ms == old_ms) {
            delivery.stamp.ready_ms = new_ms;
        }
    }

    /// Returns for each message the number of its oldest delivery not yet returned, except deliveries
    /// that only a receipt acknowledges. The first call
    /// builds an index of all deliveries; after that, a message costs one look-up.
    pub(super) fn find<'a>(
        &mut self,
        messages: impl Iterator<Item = &'a [u8]>,
        hasher: &RandomState,
    ) -> Vec<u64> {
        let list = &self.list;
        let hash = |delivery: &Delivery| hasher.hash_one(&delivery.message);
        let others = || list.iter().filter(|(_, delivery)| !delivery.by_receipt);
        let indexed = || others().map(|(number, delivery)| (hash(delivery), number));
        let by_message = self.by_message.get_or_insert_with(|| indexed().collect());
        // For equal messages: the number after the last one found.
        let mut places: BTreeMap<&[u8], u64> = BTreeMap::new();
        let mut found = Vec::new();
        for message in messages {
            let hash = hasher.hash_one(message);
            let place = places.entry(message).or_insert(0);
            let same_hash = by_message.range((hash, *place)..=(hash, u64::MAX));
            let number = same_hash.map(|(_, number)| *number).find(|number| {
                list.get(*number).is_some_and(|delivery| *delivery.message == *message)
            });
            *place = number.map_or(u64::MAX, |number| number + 1);
            found.extend(number);
        }
        found.sort_unstable();
        found
    }

    /// Returns the delivery with a number.
    pub fn get(&self, number: u64) -> Option<&Delivery> {
        self.list.get(number)
    }

    /// Returns the numbers of deliveries up to `last`, the newest first.
    pub(super) fn newest_to(&self, last: u64) -> impl Iterator<Item = u64> {
        self.list.numbers_down_from(last)
    }

    /// Returns the numbers of deliveries after `first`, up to `last`, the oldest first.
    pub(super) fn numbers_between(&self, first: u64, last: u64) -> impl Iterator<Item = u64> {
        self.list.numbers_from(first + 1).take_while(move |number| *number <= last)
    }

    /// Returns the oldest delivery, with its number.
    #[inline]
    pub fn first(&self) -> Option<(u64, &Delivery)> {
        self.list.first()
    }

    /// Returns all deliveries with their numbers, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Delivery)> {
        self.list.iter()
    }

    /// Returns the deliveries with numbers from `first` on, the oldest first.
    pub(super) fn iter_from(&self, first: u64) -> impl Iterator<Item = (u64, &Delivery)> {
        self.list.iter_from(first)
    }
}

impl InFlight {
    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        self.list.check_invariants();
        let own_dues =
            self.iter().filter_map(|(number, delivery)| Some((delivery.own_due_ms()?, number)));
        assert_eq!(self.own_dues, own_dues.collect());
        let first_timed = self.iter().find(|(_, delivery)| delivery.is_timed());
        assert_eq!(self.first_timed(), first_timed.map(|(number, _)| number));
    }
}
