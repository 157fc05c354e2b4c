//! Paused queues: they refuse pops or pushes for a while.

use super::{DbIndex, Key, Keyspace};

impl Keyspace {
    /// Whether a message at a key can be moved: there is one, and its queue is not paused for reads.
    pub(crate) fn has_movable(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let is_paused = self.is_under_policy(db, key)
            && self.queue_state(db, key).is_some_and(|queue_state| queue_state.is_read_paused);
        !is_paused && matches!(self.list(db, key), Ok(Some(_)))
    }

    /// Pauses or resumes a queue for reads or writes. A paused queue without a policy is treated as
    /// one under a policy.
    pub(crate) fn set_paused(
        &mut self,
        db: DbIndex,
        key: &[u8],
        reads: bool,
        writes: bool,
        is_paused: bool,
    ) {
        let index = self.find_or_create(db, key);
        if self.queue_state_at(db, index).is_none() && is_paused {
            self.attach(db, index, None, self.queue_ms);
        }
        let changed = self.change_queue_state(db, key, |queue_state| {
            let was_paused = queue_state.is_paused();
            queue_state.is_read_paused = if reads { is_paused } else { queue_state.is_read_paused };
            queue_state.is_write_paused =
                if writes { is_paused } else { queue_state.is_write_paused };
            (was_paused, queue_state.is_paused())
        });
        match changed {
            Some((false, true)) => drop(self.registry.paused.insert((db, Key::from(key)))),
            Some((true, false)) => drop(self.registry.paused.remove(&(db, Key::from(key)))),
            _ => {}
        }
        self.update_policy_use();
        if let Some(index) = self.find(db, key) {
            self.changed_for_waiters(db, index);
            self.mark_capacity_changed(db, index);
            self.drop_if_unused(db, index);
        }
    }
}
