//! Paused queues: they refuse pops or pushes for a while.

use super::{DbIndex, Key, Keyspace, QueueState};
use crate::pauses::Pauses;

impl Keyspace {
    /// Whether a message at a key can be moved: there is one, and its queue is not paused for reads.
    pub(crate) fn has_movable(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let is_paused = self.is_under_policy(db, key)
            && self.queue_state(db, key).is_some_and(QueueState::is_read_paused);
        !is_paused && matches!(self.list(db, key), Ok(Some(_)))
    }

    /// Returns the pauses of a queue.
    pub(crate) fn pauses(&mut self, db: DbIndex, key: &[u8]) -> Pauses {
        self.queue_state(db, key).map_or(Pauses::default(), |queue_state| queue_state.pauses)
    }

    /// Sets the pauses of a queue. A paused queue without a policy is treated as one under a
    /// policy.
    pub(crate) fn set_pauses(&mut self, db: DbIndex, key: &[u8], pauses: Pauses) {
        let index = self.find_or_create(db, key);
        if self.queue_state_at(db, index).is_none() && pauses.is_paused() {
            self.attach(db, index, None, self.queue_ms);
        }
        self.change_queue_state(db, key, |queue_state| queue_state.pauses = pauses);
        let name = (db, Key::from(key));
        match pauses.is_paused() {
            true => drop(self.registry.paused.insert(name)),
            false => drop(self.registry.paused.remove(&name)),
        }
        self.update_policy_use();
        if let Some(index) = self.find(db, key) {
            self.changed_for_waiters(db, index);
            self.mark_capacity_changed(db, index);
            self.drop_if_unused(db, index);
        }
    }

    /// Ends the pauses of a queue whose time is over.
    pub(crate) fn end_pauses(&mut self, db: DbIndex, key: &[u8]) {
        let pauses = self.pauses(db, key);
        let left = pauses.after(self.queue_ms);
        if left != pauses {
            self.set_pauses(db, key, left);
        }
    }

    /// Schedules the ends of pauses of a flushed database: it has lost its schedule.
    pub(super) fn schedule_ends_of_pauses(&mut self, db: DbIndex) {
        let paused = self.registry.paused.iter().filter(|(other, _)| *other == db);
        let paused: Vec<Key> = paused.map(|(_, key)| key.clone()).collect();
        for key in paused {
            if let Some(index) = self.dbs[db].entries.get_index_of(&key) {
                self.schedule(db, index);
            }
        }
    }
}
