//! The deliveries in flight of each holder: a client, by what acknowledges them.

use super::held::HeldNumbers;
use super::number_block::NumberBlock;
use super::{DbIndex, Key};
use crate::client_id::ClientId;
use crate::key::is_same_key;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// At most this many groups are empty.
const EMPTY_MAX: usize = 64;

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

/// The deliveries that one holder has in flight from one queue.
///
/// It stays for a while when it has become empty: a client often takes the next message from the same queue.
#[derive(Debug)]
struct Group {
    holder: Holder,
    key: Key,
    numbers: HeldNumbers,
    /// Whether it is in `Holdings::emptied`.
    is_listed: bool,
}

impl Group {
    #[inline(always)]
    fn is_of(&self, holder: Holder, key: &[u8]) -> bool {
        self.holder == holder && is_same_key(&self.key, key)
    }
}

/// The numbers of deliveries, by holder and queue.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    groups: Slab<Group>,
    /// The positions of the groups.
    by_holder: BTreeMap<Holder, BTreeMap<Key, usize>>,
    /// The group of the last delivery, or any other: the next one is often of the same, and then needs no
    /// look-up.
    recent: usize,
    /// The positions of groups that have become empty, each once, and some that no longer are.
    emptied: VecDeque<usize>,
    len: usize,
    /// How often databases were swapped.
    swaps: u64,
}

/// What a pop that acknowledges must know of the deliveries of its client from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// None is to be acknowledged. The last delivery of all was one of them.
    Recent,
    /// None is to be acknowledged.
    Other,
    /// Some may have to be acknowledged.
    Unseen,
}

impl Holdings {
    /// Returns the number of messages in flight of all clients.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn range_of(&self, client: ClientId) -> btree_map::Range<'_, Holder, BTreeMap<Key, usize>> {
        self.by_holder.range(Holder::first_of(client)..=Holder::last_of(client))
    }

    /// Returns the clients that have any message in flight.
    pub(super) fn clients(&self) -> Vec<ClientId> {
        let groups = self.by_holder.iter().flat_map(|(holder, queues)| {
            queues.values().filter(|at| self.has_numbers(**at)).map(|_| holder.client)
        });
        let mut clients: Vec<_> = groups.collect();
        clients.dedup();
        clients
    }

    fn has_numbers(&self, at: usize) -> bool {
        self.groups.get(at).is_some_and(|group| !group.numbers.is_empty())
    }

    /// Whether a client has any message in flight.
    pub(super) fn has_any(&self, client: ClientId) -> bool {
        let is_recent = |group: &Group| group.holder.client == client && !group.numbers.is_empty();
        self.groups.get(self.recent).is_some_and(is_recent)
            || self
                .range_of(client)
                .any(|(_, queues)| queues.values().any(|at| self.has_numbers(*at)))
    }

    /// Returns the position of the deliveries that a holder has from one queue.
    #[inline]
    fn find(&self, holder: Holder, key: &[u8]) -> Option<usize> {
        if self.groups.get(self.recent).is_some_and(|group| group.is_of(holder, key)) {
            return Some(self.recent);
        }
        self.by_holder.get(&holder)?.get(key).copied()
    }

    fn group(&self, holder: Holder, key: &[u8]) -> Option<&Group> {
        self.groups.get(self.find(holder, key)?)
    }

    /// Adds a delivery from a queue; its number is above all before.
    #[inline(always)]
    pub(super) fn add(&mut self, holder: Holder, key: &Key, number: u64, input: u64) {
        if !self.groups.get(self.recent).is_some_and(|group| group.is_of(holder, key)) {
            self.find_or_make(holder, key);
        }
        self.add_to_recent(number, input);
    }

    /// As `add`, for the holder and the queue of the last delivery.
    #[inline(always)]
    pub(super) fn add_to_recent(&mut self, number: u64, input: u64) {
        if let Some(group) = self.groups.get_mut(self.recent) {
            self.len += 1;
            group.numbers.push(number, input);
        }
    }

    /// Looks for deliveries that a holder has from one queue and that answered an input before this one,
    /// without a look-up.
    #[inline(never)]
    pub(super) fn before(&self, holder: Holder, key: &[u8], input: u64) -> Before {
        match self.groups.get(self.recent) {
            Some(group) if group.is_of(holder, key) => match group.numbers.oldest_input() {
                Some(oldest) if oldest < input => Before::Unseen,
                _ => Before::Recent,
            },
            _ if self.len == 0 || input == 0 => Before::Other,
            _ => Before::Unseen,
        }
    }

    /// Makes another group the one of the last delivery.
    #[cold]
    #[inline(never)]
    fn find_or_make(&mut self, holder: Holder, key: &Key) {
        let positions = self.by_holder.entry(holder).or_default();
        self.recent = match positions.get(key) {
            Some(&at) => at,
            None => {
                let numbers = HeldNumbers::default();
                let group = Group { holder, key: key.clone(), numbers, is_listed: false };
                let at = self.groups.insert(group);
                positions.insert(key.clone(), at);
                at
            }
        };
    }

    /// Removes a delivery.
    #[inline]
    pub(super) fn remove(&mut self, holder: Holder, key: &[u8], number: u64) {
        let Some(at) = self.find(holder, key) else { return };
        let Some(group) = self.groups.get_mut(at) else { return };
        if !group.numbers.remove(number) {
            return;
        }
        self.len -= 1;
        if group.numbers.is_empty() {
            self.keep_for_a_while(at);
        }
    }

    /// Returns the deliveries that a holder has from one queue, the oldest first.
    pub(super) fn of_queue(&self, holder: Holder, key: &[u8]) -> impl Iterator<Item = u64> {
        let group = self.group(holder, key);
        group.into_iter().flat_map(|group| group.numbers.numbers_from(0))
    }

    /// Returns how many deliveries a client has from one queue, however it acknowledges them.
    pub(super) fn count_of_queue(&self, client: ClientId, db: DbIndex, key: &[u8]) -> usize {
        let count = |by_receipt| {
            let group = self.group(Holder { client, db, by_receipt }, key);
            group.map_or(0, |group| group.numbers.len())
        };
        count(false) + count(true)
    }

    /// Removes the deliveries that a holder has from one queue and that answered an input before this one,
    /// the oldest first, until there is another one. Passes their numbers.
    pub(super) fn take_before(
        &mut self,
        holder: Holder,
        key: &[u8],
        input: u64,
        mut take: impl FnMut(NumberBlock),
    ) {
        let Some(at) = self.find(holder, key) else { return };
        let Some(group) = self.groups.get_mut(at) else { return };
        let len_before = group.numbers.len();
        while let Some(block) = group.numbers.pop_block_before(input) {
            take(block);
        }
        self.len -= len_before - group.numbers.len();
        if len_before > 0 && group.numbers.is_empty() {
            self.keep_for_a_while(at);
        }
    }

    /// Removes all deliveries that a holder has from one queue.
    pub(super) fn forget_queue(&mut self, holder: Holder, key: &[u8]) {
        let Some(at) = self.find(holder, key) else { return };
        let Some(group) = self.groups.get_mut(at).filter(|group| !group.numbers.is_empty()) else {
            return;
        };
        self.len -= std::mem::take(&mut group.numbers).len();
        self.keep_for_a_while(at);
    }

    /// A group has become empty. Drops the one that did so first, if there are too many.
    fn keep_for_a_while(&mut self, at: usize) {
        let Some(group) = self.groups.get_mut(at).filter(|group| !group.is_listed) else { return };
        group.is_listed = true;
        self.emptied.push_back(at);
        if self.emptied.len() > EMPTY_MAX
            && let Some(first) = self.emptied.pop_front()
            && let Some(group) = self.groups.get_mut(first)
        {
            group.is_listed = false;
            if group.numbers.is_empty() {
                self.drop_group(first);
            }
        }
    }

    /// Drops a group.
    fn drop_group(&mut self, at: usize) {
        let Some(group) = self.groups.try_remove(at) else { return };
        let Some(positions) = self.by_holder.get_mut(&group.holder) else { return };
        positions.remove(&group.key);
        if positions.is_empty() {
            self.by_holder.remove(&group.holder);
        }
        if self.groups.is_empty() {
            self.groups = Slab::new();
        }
    }

    /// Returns how often databases were swapped.
    #[inline]
    pub(super) fn swaps(&self) -> u64 {
        self.swaps
    }

    /// Returns the deliveries of these groups, in their order, each from number `first` on.
    fn of_groups<'a>(
        &'a self,
        positions: impl DoubleEndedIterator<Item = &'a usize>,
        first: u64,
    ) -> impl DoubleEndedIterator<Item = (Holder, &'a Key, u64)> {
        let groups = positions.filter_map(|at| self.groups.get(*at));
        groups.flat_map(move |Group { holder, key, numbers, .. }| {
            numbers.numbers_from(first).map(move |number| (*holder, key, number))
        })
    }

    /// Returns the deliveries that a client has, by holder and queue, the oldest of each queue first.
    pub(super) fn of(
        &self,
        client: ClientId,
    ) -> impl DoubleEndedIterator<Item = (Holder, &Key, u64)> {
        self.of_groups(self.range_of(client).flat_map(|(_, queues)| queues.values()), 0)
    }

    /// As `of`, but only those that answered this input of the client.
    pub(super) fn of_input(
        &self,
        client: ClientId,
        input: u64,
    ) -> impl Iterator<Item = (Holder, &Key, u64)> {
        let positions = self.range_of(client).flat_map(|(_, queues)| queues.values());
        let groups = positions.filter_map(|at| self.groups.get(*at));
        groups.flat_map(move |Group { holder, key, numbers, .. }| {
            numbers.of_input(input).map(move |number| (*holder, key, number))
        })
    }

    /// As `of`, but only those after a given delivery.
    pub(super) fn of_behind<'a>(
        &'a self,
        client: ClientId,
        (holder, key, number): &'a (Holder, Key, u64),
    ) -> impl Iterator<Item = (Holder, &'a Key, u64)> {
        let begun = self
            .of_groups(self.by_holder.get(holder).and_then(|q| q.get(key)).into_iter(), number + 1);
        let own = self.by_holder.get(holder).into_iter();
        let others = own.flat_map(move |queues| queues.range::<Key, _>((Excluded(key), Unbounded)));
        let rest = self.by_holder.range((Excluded(*holder), Included(Holder::last_of(client))));
        let rest = rest.flat_map(|(_, queues)| queues.values());
        begun.chain(self.of_groups(others.map(|(_, at)| at), 0)).chain(self.of_groups(rest, 0))
    }

    /// Drops all deliveries of a database.
    pub(super) fn flush(&mut self, db: DbIndex) {
        self.by_holder.retain(|holder, _| holder.db != db);
        self.groups.retain(|_, group| group.holder.db != db);
        self.len = self.groups.iter().map(|(_, group)| group.numbers.len()).sum();
        self.emptied.retain(|at| self.groups.contains(*at));
    }

    /// Two databases were swapped.
    pub(super) fn swap(&mut self, other: impl Fn(DbIndex) -> DbIndex) {
        self.swaps += 1;
        let all = std::mem::take(&mut self.by_holder).into_iter();
        let swapped = |holder: Holder| Holder { db: other(holder.db), ..holder };
        self.by_holder = all.map(|(holder, queues)| (swapped(holder), queues)).collect();
        self.groups.iter_mut().for_each(|(_, group)| group.holder = swapped(group.holder));
    }

    /// Whether a holder has this delivery.
    pub(super) fn contains(&self, holder: Holder, key: &[u8], number: u64) -> bool {
        self.group(holder, key).is_some_and(|group| group.numbers.contains(number))
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        let all = || self.by_holder.iter();
        assert!(all().all(|(_, queues)| !queues.is_empty()), "a client without groups");
        assert_eq!(all().map(|(_, queues)| queues.len()).sum::<usize>(), self.groups.len());
        for (holder, (key, at)) in
            all().flat_map(|(holder, queues)| queues.iter().map(move |it| (holder, it)))
        {
            let group = self.groups.get(*at).expect("the group at a position");
            assert!(group.is_of(*holder, key), "a group of another holder or queue");
            group.numbers.check_invariants();
        }
        assert!(self.groups.iter().all(|(_, it)| it.is_listed || !it.numbers.is_empty()));
        let listed = self.groups.iter().filter(|(_, group)| group.is_listed).map(|(at, _)| at);
        let emptied: BTreeSet<usize> = self.emptied.iter().copied().collect();
        assert!(listed.eq(emptied.iter().copied()), "a group is listed, or not");
        assert!(emptied.len() == self.emptied.len() && emptied.len() <= EMPTY_MAX);
        assert_eq!(
            self.groups.iter().map(|(_, group)| group.numbers.len()).sum::<usize>(),
            self.len
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_groups_are_empty() {
        let mut holdings = Holdings::default();
        let holder = |number: usize| Holder::first_of(ClientId::new(1 + number as u64, number));
        let key = Key::from(&b"q"[..]);
        let mut number = 0;
        for round in 0..3 {
            for client in 0..500 {
                number += 1;
                holdings.add(holder(client), &key, number, 1);
                holdings.check_invariants();
            }
            assert_eq!(holdings.clients().len(), 500);
            for client in 0..500 {
                let mut taken = 0;
                holdings.take_before(holder(client), &key, 2, |block| taken += block.count());
                assert_eq!(taken, 1, "in round {round}");
                assert!(!holdings.has_any(holder(client).client));
                holdings.check_invariants();
            }
            assert_eq!((holdings.len(), holdings.groups.len()), (0, EMPTY_MAX));
        }
        // The same ones again and again.
        for _ in 0..1000 {
            number += 1;
            holdings.add(holder(499), &key, number, 1);
            holdings.remove(holder(499), &key, number);
        }
        assert_eq!(holdings.groups.len(), EMPTY_MAX);
        holdings.flush(0);
        holdings.check_invariants();
        assert!(holdings.groups.is_empty() && holdings.emptied.is_empty());
    }
}
