//! Departing messages: those that have left a queue, but are not yet in its dead-letter queue.
//!
//! When many messages leave at one moment - a million expire, or are over the capacity - they are
//! out of the queue at once, so that no client sees or gets one of them. Moving them takes longer,
//! and is a chore. Until then they are here, and in append files in a list with its own name, which
//! a note explains.

use super::departing::Departing;
use super::mark::mark;
use super::{DbIndex, Departure, Fate, Key, Keyspace, Removed};
use crate::policy::QueuePolicy;
use crate::queue::{DeadLetter, End, Queue, Reason, Stamp};
use crate::value::Kind;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// A message and its stamp.
type Stamped = (Box<[u8]>, Stamp);

impl Keyspace {
    /// Removes `count` messages from `index` on from a queue, as departing messages. Those at the
    /// end `first` are moved first.
    pub(crate) fn depart(
        &mut self,
        db: DbIndex,
        key: &Key,
        policy: &Arc<QueuePolicy>,
        (fate, first): (Fate, End),
        (index, count): (usize, usize),
    ) -> Option<Removed> {
        let list = self.new_list_name();
        let policy = Arc::clone(policy);
        let departure = Departure { db, key: key.clone(), list, policy, fate, first };
        let detached = self.change_list(db, key, |queue| {
            let messages = queue.detach(index, count);
            (messages, queue.len())
        });
        let (messages, len) = detached.ok().flatten()?;
        let (count, behind) = (messages.len(), len - index.min(len));
        self.add_departing(departure.clone(), messages);
        Some(Removed { db, key: key.clone(), index, count, behind, departure: Some(departure) })
    }

    /// Records that consecutive messages were removed from a list.
    pub(super) fn add_removed(&mut self, removed: &Removed) {
        let Keyspace { dbs, effects, .. } = self;
        effects.add_removed(removed, || mark(dbs));
    }

    /// As `add_removed`, for a removal by a command.
    pub(crate) fn record_removed(&mut self, removed: &Removed) {
        let Keyspace { dbs, effects, .. } = self;
        effects.record_removed(removed, || mark(dbs));
    }

    /// Returns the origin of a dead letter from this queue. Consecutive ones share it.
    pub(crate) fn dead_letter_origin(&mut self, from: &[u8], reason: Reason) -> Arc<DeadLetter> {
        let last = &mut self.registry.last_dead_letter;
        match last.as_ref().filter(|last| *last.from == *from && last.reason == reason) {
            Some(same) => Arc::clone(same),
            None => {
                let new = Arc::new(DeadLetter { from: from.into(), reason });
                Arc::clone(last.insert(new))
            }
        }
    }

    fn add_departing(&mut self, departure: Departure, messages: Queue) {
        self.bytes += messages.allocated_bytes();
        let queue = (departure.db, departure.key.clone());
        *self.registry.departing_counts.entry(queue).or_default() += 1;
        let number = self.registry.departing_end;
        self.registry.departing_end += 1;
        self.registry.departing.push_back(Departing { number, departure, messages });
    }

    /// Returns a list name that no client would choose.
    fn new_list_name(&mut self) -> Key {
        self.registry.lists_named += 1;
        let secret = self.hasher.hash_one(self.registry.lists_named);
        let number = self.registry.lists_named;
        Key::from(format!("tidegate:departing:{secret:016x}:{number}").into_bytes())
    }

    /// Whether there are departing messages.
    #[inline]
    pub(crate) fn has_departing(&self) -> bool {
        !self.registry.departing.is_empty()
    }

    /// Whether a queue has departing messages: later ones must come after them.
    pub(crate) fn has_departing_of(&self, db: DbIndex, key: &Key) -> bool {
        let counts = &self.registry.departing_counts;
        !counts.is_empty() && counts.contains_key(&(db, key.clone()))
    }

    /// Removes and returns up to `count_max` of the messages that left first.
    pub(crate) fn take_departing(&mut self, count_max: usize) -> Option<(Departure, Vec<Stamped>)> {
        if let Some(snapshot) = &mut self.snapshot
            && let Some(first) = self.registry.departing.front_mut()
        {
            let number = self.dbs[first.db()].walk.number;
            snapshot.save_first_departing(first, number);
        }
        let first = self.registry.departing.front_mut()?;
        let bytes_before = first.messages.allocated_bytes();
        let messages = match first.departure.first {
            End::Front => {
                let messages = first.messages.copy_front(count_max);
                first.messages.trim(messages.len(), usize::MAX);
                messages
            }
            End::Back => {
                let queue = &mut first.messages;
                let pop = || queue.pop_stamped(End::Back, |message| Box::from(message));
                std::iter::from_fn(pop).take(count_max).collect()
            }
        };
        self.bytes = self.bytes + first.messages.allocated_bytes() - bytes_before;
        let departure = first.departure.clone();
        if first.messages.is_empty() {
            let gone = self.registry.departing.pop_front();
            self.bytes -= gone.map_or(0, |gone| gone.messages.allocated_bytes());
            self.forget_one_departing(departure.db, &departure.key);
        }
        self.changes += 1;
        Some((departure, messages))
    }

    fn forget_one_departing(&mut self, db: DbIndex, key: &Key) {
        if let Entry::Occupied(mut count) = self.registry.departing_counts.entry((db, key.clone()))
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Returns all departures with their messages. For tools.
    pub(crate) fn departing(&self) -> impl Iterator<Item = (&Departure, &Queue)> {
        self.registry.departing.iter().map(|departing| (&departing.departure, &departing.messages))
    }

    /// Stores a departure noted in append files. Its list does not exist yet, or is an ordinary
    /// one.
    pub(crate) fn add_recorded_departure(&mut self, departure: Departure) {
        self.registry.recorded_departures.push(departure);
    }

    /// Turns the lists of noted departures into departing messages, at the end of loading.
    pub(super) fn adopt_departures(&mut self) {
        for departure in std::mem::take(&mut self.registry.recorded_departures) {
            // A value that is not a list was not written by us.
            if !matches!(self.list(departure.db, &departure.list), Ok(Some(_))) {
                continue;
            }
            if let Some((mut value, _)) = self.remove(departure.db, &departure.list)
                && let Some(messages) = Queue::of_mut(&mut value)
            {
                self.add_departing(departure, std::mem::take(messages));
            }
        }
    }

    /// Drops the departing messages of a flushed database; returns the freed bytes.
    pub(super) fn flush_departing(&mut self, db: DbIndex) -> usize {
        if let Some(snapshot) = &mut self.snapshot {
            let gone = self.registry.departing.iter_mut().filter(|one| one.db() == db);
            for one in gone {
                snapshot.save_departing(one, self.dbs[db].walk.number);
            }
        }
        let mut freed = 0;
        self.registry.recorded_departures.retain(|departure| departure.db != db);
        self.registry.departing_counts.retain(|(of_db, _), _| *of_db != db);
        self.registry.departing.retain(|departing| {
            let is_kept = departing.departure.db != db;
            freed += if is_kept { 0 } else { departing.messages.allocated_bytes() };
            is_kept
        });
        freed
    }

    /// Two databases were swapped.
    pub(super) fn swap_departing(&mut self, other: impl Fn(DbIndex) -> DbIndex) {
        let departing = self.registry.departing.iter_mut().map(|one| &mut one.departure);
        for departure in departing.chain(&mut self.registry.recorded_departures) {
            departure.db = other(departure.db);
        }
        self.registry.departing_counts = self.count_departing();
    }

    fn count_departing(&self) -> BTreeMap<(DbIndex, Key), usize> {
        let mut counts = BTreeMap::new();
        for Departing { departure, .. } in &self.registry.departing {
            *counts.entry((departure.db, departure.key.clone())).or_default() += 1;
        }
        counts
    }

    /// Panics if the counts of departing messages are wrong.
    pub(super) fn check_departing(&self) {
        assert_eq!(self.registry.departing_counts, self.count_departing());
    }

    pub(super) fn departing_bytes(&self) -> usize {
        let bytes = |departing: &Departing| departing.messages.allocated_bytes();
        self.registry.departing.iter().map(bytes).sum()
    }
}
