//! Access to the state of queues under policies.

use super::{DbIndex, Keyspace, QueueState, Slot, Totals};
use crate::histogram::CoarseHistogram;
use crate::queue::{End, Stamp};

/// How long a message with this stamp has been ready.
#[inline]
pub(super) fn waited_ms(stamp: &Stamp, now_ms: i64) -> u64 {
    now_ms.max(stamp.ready_ms).abs_diff(stamp.ready_ms)
}

impl Keyspace {
    #[inline]
    pub(super) fn queue_state_at(&self, db: DbIndex, index: usize) -> Option<&QueueState> {
        self.dbs[db].entries[index].attachments()?.queue_state.as_deref()
    }

    /// Whether a key's queue is under a policy, or paused.
    #[inline]
    pub(crate) fn is_under_policy(&mut self, db: DbIndex, key: &[u8]) -> bool {
        self.registry.is_on && self.queue_state(db, key).is_some()
    }

    /// Returns the slot of a key whose queue is under a policy, or paused.
    #[inline]
    pub(crate) fn slot_under_policy(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        if !self.registry.is_on {
            return None;
        }
        let at = self.slot(db, key)?;
        self.queue_state_in(at).map(|_| at)
    }

    /// As `slot_under_policy`, for a key that is about to get a message: creates an entry if there
    /// is none, to match it against the policies.
    #[inline]
    pub(crate) fn slot_for_push(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        if !self.registry.is_on {
            return None;
        }
        let at = self.slot_or_create(db, key);
        self.queue_state_in(at).map(|_| at)
    }

    /// Returns the state of a queue under a policy.
    pub(crate) fn queue_state(&mut self, db: DbIndex, key: &[u8]) -> Option<&QueueState> {
        let index = self.find(db, key)?;
        self.queue_state_at(db, index)
    }

    /// Changes the state of a queue under a policy, with all consequences.
    pub(super) fn change_queue_state<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut QueueState) -> R,
    ) -> Option<R> {
        let index = self.find(db, key)?;
        self.before_change(db, index);
        let attachments = self.dbs[db].entries[index].attachments_mut()?;
        let queue_state = attachments.queue_state.as_deref_mut()?;
        let bytes_before = queue_state.allocated_bytes();
        let result = change(queue_state);
        self.bytes = self.bytes + queue_state.allocated_bytes() - bytes_before;
        self.changes += 1;
        self.schedule(db, index);
        self.mark_capacity_changed(db, index);
        self.drop_if_unneeded(db, index);
        Some(result)
    }

    /// Adds to the totals of a queue under a policy, and to the totals of all queues.
    pub(crate) fn count(&mut self, db: DbIndex, key: &[u8], add: impl Fn(&mut Totals)) {
        match self.slot(db, key) {
            Some(at) => self.count_in(at, add),
            None => add(&mut self.registry.sums),
        }
    }

    /// As `count`, for a slot.
    #[inline]
    pub(crate) fn count_in(&mut self, at: Slot, add: impl Fn(&mut Totals)) {
        add(&mut self.registry.sums);
        if let Some(queue_state) = self.queue_state_in_mut(at) {
            add(&mut queue_state.totals);
        }
    }

    /// Returns the totals of all queues.
    pub(crate) fn queue_sums(&self) -> &Totals {
        &self.registry.sums
    }

    /// Returns how many milliseconds messages under policies were ready before their first delivery.
    pub(crate) fn queue_waits(&self) -> &CoarseHistogram {
        &self.registry.waits
    }

    /// Counts the waits of messages that are about to leave one end of a queue under a policy.
    pub(crate) fn count_waits_in(&mut self, at: Slot, end: End, count: usize) {
        let queue = self.dbs[at.db].entries[at.index].list();
        let Some(queue) = queue.filter(|queue| queue.is_fully_stamped()) else { return };
        for (stamp, count) in queue.stamp_runs_at(end, count) {
            self.registry.waits.add_many(waited_ms(stamp, self.queue_ms), count as u64);
        }
    }

    /// Resets the totals of all queues; those of each queue stay.
    pub(crate) fn reset_queue_sums(&mut self) {
        self.registry.sums = Totals::default();
        self.registry.waits = CoarseHistogram::default();
    }

    /// Records that the messages pushed next are ready since `ms`. True if the append file already
    /// said so; `None` without a policy.
    pub(crate) fn set_recorded_ready(&mut self, at: Slot, ms: i64) -> Option<bool> {
        let recorded = (self.effects.file(), ms);
        let queue_state = self.queue_state_in_mut(at)?;
        queue_state.policy.as_ref()?;
        Some(std::mem::replace(&mut queue_state.recorded, recorded) == recorded)
    }

    /// Removes the queues of a flushed database from the registry.
    pub(super) fn flush_queue_state(&mut self, db: DbIndex) {
        let registry = &mut self.registry;
        registry.holdings.flush(db);
        registry.idle.retain(|(other, _)| *other != db);
    }

    /// Updates the registry after a swap of two databases.
    pub(super) fn swap_queue_states(&mut self, a: DbIndex, b: DbIndex) {
        let other = |db: DbIndex| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        let registry = &mut self.registry;
        registry.holdings.swap(other);
        // The order has changed.
        registry.disconnected_seen = None;
        for (db, _) in &mut registry.idle {
            *db = other(*db);
        }
        self.swap_departing(other);
        let registry = &mut self.registry;
        let paused = std::mem::take(&mut registry.paused).into_iter();
        registry.paused = paused.map(|(db, key)| (other(db), key)).collect();
        let orphaned = std::mem::take(&mut registry.orphaned).into_iter();
        registry.orphaned = orphaned.map(|(db, key)| (other(db), key)).collect();
        // The swap itself may have stamped them, and they are recorded after it.
        for list in &mut registry.newly_stamped {
            list.db = other(list.db);
        }
    }
}
