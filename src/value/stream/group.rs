//! A group of consumers: how far it has read, and the entries whose acknowledgement is pending.

use super::entries::ReadPlace;
use super::id::StreamId;
use super::id_map::IdMap;
use crate::value::ARC_BYTES;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// The number of a consumer within its group.
pub(crate) type ConsumerNumber = u32;

/// The delivery of an entry to a consumer, not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// When it was last delivered, in Unix milliseconds.
    pub(crate) ms: i64,
    /// How often it was delivered.
    pub(crate) count: u64,
    pub(crate) consumer: ConsumerNumber,
}

/// A consumer of a group.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) name: Arc<[u8]>,
    /// When it was last active, in Unix milliseconds.
    pub(crate) seen_ms: i64,
    /// The entries that were delivered to it.
    pub(crate) pending: IdMap<()>,
}

/// A group of consumers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// The id of the last entry that was delivered.
    pub(crate) last_id: StreamId,
    /// How many entries of the stream it has read, if that is known.
    pub(crate) entries_read: Option<u64>,
    /// Where the next read begins.
    pub(super) place: Option<ReadPlace>,
    pending: IdMap<Delivery>,
    consumers: Vec<Option<Consumer>>,
    by_name: BTreeMap<Arc<[u8]>, ConsumerNumber>,
    /// Numbers of deleted consumers, for the next ones.
    free_numbers: Vec<ConsumerNumber>,
    /// The bytes of memory of consumers and their pending entries.
    consumer_bytes: usize,
}

/// What a consumer takes besides its pending entries: its name in two places, and its place in two tables.
fn consumer_bytes(name: &[u8]) -> usize {
    size_of::<Option<Consumer>>() + ARC_BYTES + name.len() + 48
}

impl Group {
    pub(super) fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group { last_id, entries_read, ..Group::default() }
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        size_of::<Group>() + self.pending.allocated_bytes() + self.consumer_bytes
    }

    /// The pending entries of all consumers.
    pub(crate) fn pending(&self) -> &IdMap<Delivery> {
        &self.pending
    }

    /// Returns the consumers in the order of their names.
    pub(crate) fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerNumber, &Consumer)> {
        // Each name has a consumer.
        self.by_name.values().map(|number| (*number, self.consumer(*number)))
    }

    /// Returns the next consumer in the order of names; behind none, the first.
    pub(crate) fn consumer_behind(&self, name: Option<&[u8]>) -> Option<&Consumer> {
        let start = name.map_or(Unbounded, Excluded);
        let mut rest = self.by_name.range::<[u8], _>((start, Unbounded));
        rest.next().map(|(_, number)| self.consumer(*number))
    }

    /// Returns a consumer by its number, which must be that of one.
    pub(crate) fn consumer(&self, number: ConsumerNumber) -> &Consumer {
        match self.consumers.get(number as usize) {
            Some(Some(consumer)) => consumer,
            _ => unreachable!("a number without a consumer"),
        }
    }

    fn consumer_mut(&mut self, number: ConsumerNumber) -> &mut Consumer {
        match self.consumers.get_mut(number as usize) {
            Some(Some(consumer)) => consumer,
            _ => unreachable!("a number without a consumer"),
        }
    }

    /// Returns the number of the consumer with this name.
    #[inline]
    pub(crate) fn find_consumer(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.by_name.get(name).copied()
    }

    /// Creates a consumer, unless there is one with this name. Returns whether it did.
    pub(crate) fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> bool {
        let is_new = self.find_consumer(name).is_none();
        if is_new {
            self.add_consumer(name, now_ms);
        }
        is_new
    }

    fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> ConsumerNumber {
        let name: Arc<[u8]> = name.into();
        self.consumer_bytes += consumer_bytes(&name);
        let consumer =
            Consumer { name: Arc::clone(&name), seen_ms: now_ms, pending: IdMap::default() };
        let number = self.free_numbers.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            // Far fewer consumers than this fit in memory.
            (self.consumers.len() - 1) as ConsumerNumber
        });
        if let Some(place) = self.consumers.get_mut(number as usize) {
            *place = Some(consumer);
        }
        self.by_name.insert(name, number);
        number
    }

    /// Marks a consumer as active now; creates it if needed. Returns its number, and whether it is new.
    #[inline]
    pub(crate) fn see_consumer(&mut self, name: &[u8], now_ms: i64) -> (ConsumerNumber, bool) {
        match self.find_consumer(name) {
            Some(number) => {
                self.set_seen(number, now_ms);
                (number, false)
            }
            None => (self.add_consumer(name, now_ms), true),
        }
    }

    /// Sets when a consumer was last active.
    pub(crate) fn set_seen(&mut self, number: ConsumerNumber, ms: i64) {
        self.consumer_mut(number).seen_ms = ms;
    }

    /// Deletes a consumer with its pending entries. Returns their number; none if there is no such consumer.
    pub(crate) fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.by_name.remove(name)?;
        let consumer = self.consumers.get_mut(number as usize)?.take()?;
        self.consumer_bytes -= consumer_bytes(name) + consumer.pending.allocated_bytes();
        for (id, ()) in consumer.pending.range_from(StreamId::MIN) {
            self.pending.remove(id);
        }
        self.free_numbers.push(number);
        Some(consumer.pending.len())
    }

    /// Changes the pending entries of a consumer.
    #[inline]
    fn change_pending(&mut self, number: ConsumerNumber, change: impl FnOnce(&mut IdMap<()>)) {
        let pending = &mut self.consumer_mut(number).pending;
        let before = pending.allocated_bytes();
        change(pending);
        let after = pending.allocated_bytes();
        self.consumer_bytes = self.consumer_bytes + after - before;
    }

    /// An entry is delivered to a consumer, whether or not it was delivered before.
    #[inline]
    pub(crate) fn deliver(&mut self, id: StreamId, delivery: Delivery) {
        let before = self.pending.insert(id, delivery);
        match before {
            Some(before) if before.consumer == delivery.consumer => return,
            Some(before) => self.change_pending(before.consumer, |pending| {
                pending.remove(id);
            }),
            None => {}
        }
        self.change_pending(delivery.consumer, |pending| {
            pending.insert(id, ());
        });
    }

    /// Changes the time and number of the delivery of a pending entry.
    pub(crate) fn redeliver(&mut self, id: StreamId, ms: i64, count: u64) {
        self.pending.update(id, |delivery| (delivery.ms, delivery.count) = (ms, count));
    }

    /// An entry is no longer pending. Returns whether it was.
    #[inline]
    pub(crate) fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(delivery) = self.pending.remove(id) else { return false };
        self.change_pending(delivery.consumer, |pending| {
            pending.remove(id);
        });
        true
    }

    /// Frees a part of a group that is no longer used. Returns how much, or 0 if nothing is left.
    pub(super) fn drop_some(&mut self) -> usize {
        let dropped = self.pending.drop_some();
        if dropped > 0 {
            return dropped;
        }
        let Some((_, number)) = self.by_name.first_key_value() else { return 0 };
        let number = *number;
        let mut dropped = 0;
        self.change_pending(number, |pending| dropped = pending.drop_some());
        if dropped == 0 {
            let name = Arc::clone(&self.consumer(number).name);
            self.delete_consumer(&name);
            dropped = 1;
        }
        dropped
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let mut bytes = 0;
        let mut count = 0;
        for (name, number) in &self.by_name {
            let consumer = self.consumer(*number);
            assert_eq!(consumer.name, *name);
            bytes += consumer_bytes(name) + consumer.pending.allocated_bytes();
            count += consumer.pending.len();
            for (id, ()) in consumer.pending.range_from(StreamId::MIN) {
                let delivery = self.pending.get(id);
                assert_eq!(delivery.map(|delivery| delivery.consumer), Some(*number));
            }
        }
        assert_eq!((bytes, count), (self.consumer_bytes, self.pending.len()));
    }
}
