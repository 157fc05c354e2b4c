//! The pass that applies a change of the policies to existing keys: at once to a few, in parts to
//! many.
//!
//! It goes from the end to the start, like SCAN: an entry that moves during the pass moves to an
//! index that is still to be reached, or was already reached. A key named by a command is reached
//! before the command sees it, and a new key is put under the current policies. So clients cannot
//! observe the progress of the pass.

use super::queue_registry::Pass;
use super::{DbIndex, Key, Keyspace, NewlyStamped, QueueState};
use crate::policy::Policies;

impl Keyspace {
    /// Changes the policies; `begin_pass` applies them to existing keys.
    pub(crate) fn set_policies<R>(&mut self, change: impl FnOnce(&mut Policies) -> R) -> R {
        let result = change(&mut self.registry.policies);
        self.update_policy_use();
        result
    }

    /// Begins a pass over all keys. A running pass starts again, and then no note can speak for all
    /// keys.
    pub(crate) fn begin_pass(&mut self, at_ms: Option<i64>) {
        let at_ms = at_ms.filter(|_| self.registry.pass.is_none());
        self.registry.pass = Some(Pass { at_ms });
        for db in &mut self.dbs {
            db.pass_left = db.entries.len();
        }
        self.update_policies_in_use();
        self.update_is_behind();
    }

    /// Whether a pass is running, or has found queues whose messages must be returned.
    #[inline]
    pub(crate) fn has_pass(&self) -> bool {
        self.registry.pass.is_some() || !self.registry.orphaned.is_empty()
    }

    /// Whether a pass is short enough to be done at once.
    pub(crate) fn is_short_pass(&self) -> bool {
        let keys: usize = self.dbs.iter().map(|db| db.pass_left).sum();
        let matched = keys.saturating_mul(self.policies().comparisons_max().max(1));
        keys.max(matched) <= self.work.messages_at_once()
    }

    /// Reaches the next keys within the turn's budget, or all keys.
    pub(crate) fn continue_pass(&mut self, to_the_end: bool) {
        for db in 0..self.dbs.len() {
            while let Some(index) =
                self.dbs[db].pass_left.min(self.dbs[db].entries.len()).checked_sub(1)
            {
                if !to_the_end && !self.work.has_time() {
                    return;
                }
                self.dbs[db].pass_left = index;
                self.work.keys(1);
                self.work.matched(self.registry.policies.comparisons_max());
                self.reach(db, index);
            }
        }
        self.registry.pass = None;
        self.update_policies_in_use();
    }

    /// Puts an entry under its current policy, or marks the queue as orphaned if messages must be
    /// returned first.
    fn reach(&mut self, db: DbIndex, index: usize) {
        let Some(Pass { at_ms }) = self.registry.pass else { return };
        let count_before = self.registry.newly_stamped.len();
        let orphaned = self.update_policy(db, index, at_ms.unwrap_or(self.queue_ms));
        if at_ms.is_some() {
            self.registry.newly_stamped.truncate(count_before);
        }
        // The note of a policy whose pass did not reach them covers them too.
        for list in self.registry.newly_stamped.iter_mut().skip(count_before) {
            list.is_corrected = true;
        }
        self.registry.orphaned.extend(orphaned.map(|key| (db, key)));
    }

    /// During loading: puts a queue under its current policy, if it is under a former one and no
    /// longer has messages in flight or delayed. This happened right after the recorded effect that
    /// emptied them.
    pub(crate) fn end_former_policy(&mut self, db: DbIndex, key: &[u8]) {
        if self.registry.orphaned.is_empty() {
            return;
        }
        let key = Key::from(key);
        let is_orphaned = self.registry.orphaned.contains(&(db, key.clone()));
        if is_orphaned && self.queue_state(db, &key).is_none_or(QueueState::has_nothing_hidden) {
            self.reapply_policy(db, &key);
        }
    }

    /// Reaches a key before a command looks at it.
    pub(super) fn reach_key(&mut self, db: DbIndex, key: &[u8]) {
        if self.registry.pass.is_some()
            && let Some(index) = self.dbs[db].entries.get_index_of(key)
            && index < self.dbs[db].pass_left
        {
            self.reach(db, index);
        }
    }

    /// Returns the first queue, by database and name, with messages in flight or delayed that its
    /// current policy does not provide for.
    pub(crate) fn next_orphaned(&self) -> Option<(DbIndex, Key)> {
        self.registry.orphaned.first().cloned()
    }

    /// Puts a queue that no longer has messages in flight or delayed under its current policy.
    pub(crate) fn reapply_policy(&mut self, db: DbIndex, key: &Key) {
        self.registry.orphaned.remove(&(db, key.clone()));
        if let Some(index) = self.find(db, key) {
            self.update_policy(db, index, self.queue_ms);
        }
        self.update_policies_in_use();
    }

    /// Whether an entry may still be under a former policy.
    pub(super) fn is_unreached(&self, db: DbIndex, index: usize, key: &Key) -> bool {
        index < self.dbs[db].pass_left || self.registry.orphaned.contains(&(db, key.clone()))
    }

    /// Marks a list that came under a policy other than by pushes.
    pub(super) fn mark_newly_stamped(&mut self, db: DbIndex, index: usize) {
        // Without effects, nothing would take them.
        if self.effects.is_on()
            && let Some(entry) = self.dbs[db].entries.get_index(index)
        {
            let (key, ms) = (entry.shared_key(), self.queue_ms);
            self.registry.newly_stamped.push(NewlyStamped { db, key, ms, is_corrected: false });
        }
    }

    /// Returns the lists that came under a policy other than by pushes since the last call.
    pub(crate) fn take_newly_stamped(&mut self) -> Vec<NewlyStamped> {
        std::mem::take(&mut self.registry.newly_stamped)
    }
}
