//! The deliveries in flight of each holder: a client, by what acknowledges them.

use super::numbered::Numbered;
use super::{DbIndex, Key};
use crate::client_id::ClientId;
use std::collections::{BTreeMap, btree_map};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Bytes of memory per message in flight.
pub(super) const HELD_BYTES: usize = size_of::<(u64, Option<()>)>();

/// The deliveries that one holder has in flight from one queue.
type Numbers = Numbered<()>;

/// The holder of deliveries from the queues of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder {
    /// The client whose disconnection returns them; nobody if only time does.
    pub client: ClientId,
    pub db: DbIndex,
    /// Whether only a receipt acknowledges them. Deliveries of list commands are also acknowledged by later
    /// pops of the client.
    pub by_receipt: bool,
}

impl Holder {
    /// The client, for messages that its list commands took.
    pub(super) fn by_list_commands(client: ClientId, db: DbIndex) -> Holder {
        Holder { client, db, by_receipt: false }
    }

    /// The first one of a client, in order.
    pub(super) fn first_of(client: ClientId) -> Holder {
        Holder::by_list_commands(client, 0)
    }

    fn last_of(client: ClientId) -> Holder {
        Holder { client, db: DbIndex::MAX, by_receipt: true }
    }
}

/// The numbers of deliveries, by holder and queue.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    by_holder: BTreeMap<Holder, BTreeMap<Key, Numbers>>,
    len: usize,
    /// How often databases were swapped.
    swaps: u64,
}

impl Holdings {
    /// Returns the number of messages in flight of all clients.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn range_of(&self, client: ClientId) -> btree_map::Range<'_, Holder, BTreeMap<Key, Numbers>> {
        self.by_holder.range(Holder::first_of(client)..=Holder::last_of(client))
    }

    /// Whether a client has any message in flight.
    pub(super) fn has_any(&self, client: ClientId) -> bool {
        self.range_of(client).next().is_some()
    }

    /// Adds a delivery from a queue; its number is above all before.
    #[inline]
    pub(super) fn add(&mut self, holder: Holder, key: &Key, number: u64) {
        self.len += 1;
        let queues = self.by_holder.entry(holder).or_default();
        match queues.get_mut(key) {
            Some(numbers) => numbers.push(number, ()),
            None => queues.entry(key.clone()).or_default().push(number, ()),
        }
    }

    /// Removes a delivery.
    #[inline]
    pub(super) fn remove(&mut self, holder: Holder, key: &[u8], number: u64) {
        let Some(queues) = self.by_holder.get_mut(&holder) else { return };
        let Some(numbers) = queues.get_mut(key) else { return };
        if numbers.remove(number).is_none() {
            return;
        }
        self.len -= 1;
        if numbers.is_empty() {
            queues.remove(key);
            if queues.is_empty() {
                self.by_holder.remove(&holder);
            }
        }
    }

    /// Returns the deliveries that a holder has from one queue, the oldest first.
    pub(super) fn of_queue(&self, holder: Holder, key: &[u8]) -> impl Iterator<Item = u64> {
        let numbers = self.by_holder.get(&holder).and_then(|queues| queues.get(key));
        numbers.into_iter().flat_map(|numbers| numbers.iter().map(|(number, ())| number))
    }

    /// Returns how many deliveries a client has from one queue, however it acknowledges them.
    pub(super) fn count_of_queue(&self, client: ClientId, db: DbIndex, key: &[u8]) -> usize {
        let count = |by_receipt| {
            let queues = self.by_holder.get(&Holder { client, db, by_receipt });
            queues.and_then(|queues| queues.get(key)).map_or(0, Numbers::len)
        };
        count(false) + count(true)
    }

    /// Removes deliveries that a holder has from one queue, the oldest first, for as long as
    /// `takes` accepts their numbers.
    pub(super) fn take_oldest(
        &mut self,
        holder: Holder,
        key: &[u8],
        mut takes: impl FnMut(u64) -> bool,
    ) {
        let Some(queues) = self.by_holder.get_mut(&holder) else { return };
        let Some(numbers) = queues.get_mut(key) else { return };
        while let Some((number, ())) = numbers.first()
            && takes(number)
        {
            numbers.remove(number);
            self.len -= 1;
        }
        if numbers.is_empty() {
            queues.remove(key);
            if queues.is_empty() {
                self.by_holder.remove(&holder);
            }
        }
    }

    /// Removes all deliveries that a holder has from one queue.
    pub(super) fn forget_queue(&mut self, holder: Holder, key: &[u8]) {
        let Some(queues) = self.by_holder.get_mut(&holder) else { return };
        self.len -= queues.remove(key).map_or(0, |numbers| numbers.len());
        if queues.is_empty() {
            self.by_holder.remove(&holder);
        }
    }

    /// Returns how often databases were swapped.
    #[inline]
    pub(super) fn swaps(&self) -> u64 {
        self.swaps
    }

    /// Returns the deliveries that a client has, by holder and queue, the oldest of each queue first.
    pub(super) fn of(
        &self,
        client: ClientId,
    ) -> impl DoubleEndedIterator<Item = (Holder, &Key, u64)> {
        self.range_of(client).flat_map(|(holder, queues)| {
            queues.iter().flat_map(|(key, numbers)| of_one(*holder, key, numbers, 0))
        })
    }

    /// As `of`, but only those after a given delivery.
    pub(super) fn of_behind<'a>(
        &'a self,
        client: ClientId,
        (holder, key, number): &'a (Holder, Key, u64),
    ) -> impl Iterator<Item = (Holder, &'a Key, u64)> {
        let first = self.by_holder.get(holder);
        let rest = self.by_holder.range((Excluded(*holder), Included(Holder::last_of(client))));
        let first = first.into_iter().flat_map(move |queues| {
            let begun = queues.get_key_value(key);
            let begun = begun.map(|(key, numbers)| of_one(*holder, key, numbers, number + 1));
            let others = queues.range::<Key, _>((Excluded(key), Unbounded));
            let others = others.flat_map(|(key, numbers)| of_one(*holder, key, numbers, 0));
            begun.into_iter().flatten().chain(others)
        });
        let rest = rest.flat_map(|(holder, queues)| {
            queues.iter().flat_map(|(key, numbers)| of_one(*holder, key, numbers, 0))
        });
        first.chain(rest)
    }

    /// Drops all deliveries of a database.
    pub(super) fn flush(&mut self, db: DbIndex) {
        self.by_holder.retain(|holder, _| holder.db != db);
        let all = self.by_holder.values().flat_map(BTreeMap::values);
        self.len = all.map(Numbers::len).sum();
    }

    /// Two databases were swapped.
    pub(super) fn swap(&mut self, other: impl Fn(DbIndex) -> DbIndex) {
        self.swaps += 1;
        let all = std::mem::take(&mut self.by_holder).into_iter();
        let swapped = |holder: Holder| Holder { db: other(holder.db), ..holder };
        self.by_holder = all.map(|(holder, queues)| (swapped(holder), queues)).collect();
    }

    /// Whether a holder has this delivery.
    pub(super) fn contains(&self, holder: Holder, key: &[u8], number: u64) -> bool {
        let numbers = self.by_holder.get(&holder).and_then(|queues| queues.get(key));
        numbers.is_some_and(|numbers| numbers.get(number).is_some())
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        let all = || self.by_holder.values().flat_map(BTreeMap::values);
        all().for_each(Numbers::check_invariants);
        assert!(all().all(|numbers| !numbers.is_empty()), "a queue without deliveries");
        assert!(
            self.by_holder.values().all(|queues| !queues.is_empty()),
            "a client without deliveries"
        );
        assert_eq!(all().map(Numbers::len).sum::<usize>(), self.len);
    }
}

/// Returns the deliveries of one queue from number `first` on.
fn of_one<'a>(
    holder: Holder,
    key: &'a Key,
    numbers: &'a Numbers,
    first: u64,
) -> impl DoubleEndedIterator<Item = (Holder, &'a Key, u64)> + use<'a> {
    numbers.numbers_from(first).map(move |number| (holder, key, number))
}
