//! A change of the policies reaches the keys that are there: a few at once, many in parts.
//!
//! The pass goes from the end to the start, as SCAN does: an entry that moves while it is under way moves
//! to where the pass has still to come, or has been reached. A key that a command names is reached before
//! the command sees it, and a new one is put under the policies that hold. So nobody can tell how far the
//! pass has come.

use super::{DbIndex, Key, Keyspace, QueueState};
use crate::policy::Policies;

/// A pass over all keys that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// Since when messages are ready that come under a policy, if append files say so of all of them; else
    /// it is the time at which a key is reached, and they say so of each.
    at_ms: Option<i64>,
}

/// A list that came under a policy in another way than by pushes.
#[derive(Debug)]
pub(crate) struct NewlyStamped {
    pub db: DbIndex,
    pub key: Key,
    /// Since when its messages are ready.
    pub ms: i64,
    /// Whether append files may say of them already that they are so since another time.
    pub is_corrected: bool,
}

impl Keyspace {
    /// Changes the policies; `begin_pass` makes the keys that are there follow.
    pub(crate) fn set_policies<R>(&mut self, change: impl FnOnce(&mut Policies) -> R) -> R {
        let result = change(&mut self.registry.policies);
        self.update_policy_use();
        result
    }

    /// Begins a pass over all keys. Where one is under way, it begins anew, and no note can speak of all.
    pub(crate) fn begin_pass(&mut self, at_ms: Option<i64>) {
        let at_ms = at_ms.filter(|_| self.registry.pass.is_none());
        self.registry.pass = Some(Pass { at_ms });
        for db in &mut self.dbs {
            db.pass_left = db.entries.len();
        }
        self.update_policies_in_use();
        self.update_is_behind();
    }

    /// Whether a pass is under way, or has found queues that are to be put in order.
    #[inline]
    pub(crate) fn has_pass(&self) -> bool {
        self.registry.pass.is_some() || !self.registry.orphaned.is_empty()
    }

    /// Whether a pass is so short that it can be done at once.
    pub(crate) fn is_short_pass(&self) -> bool {
        let keys: usize = self.dbs.iter().map(|db| db.pass_left).sum();
        let matched = keys.saturating_mul(self.policies().comparisons_max().max(1));
        keys.max(matched) <= self.work.messages_at_once()
    }

    /// Reaches the next keys, as far as there is time for it, or all of them.
    pub(crate) fn go_on_with_pass(&mut self, to_the_end: bool) {
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

    /// Puts an entry under the policy that holds now, or notes what has to be done before.
    fn reach(&mut self, db: DbIndex, index: usize) {
        let Some(Pass { at_ms }) = self.registry.pass else { return };
        let noted_before = self.registry.newly_stamped.len();
        let orphaned = self.update_policy(db, index, at_ms.unwrap_or(self.queue_ms));
        if at_ms.is_some() {
            self.registry.newly_stamped.truncate(noted_before);
        }
        // The note of a policy whose pass did not come here speaks of them too.
        for list in self.registry.newly_stamped.iter_mut().skip(noted_before) {
            list.is_corrected = true;
        }
        self.registry.orphaned.extend(orphaned.map(|key| (db, key)));
    }

    /// While append files are loaded: puts a queue under the policy that holds, if it is under one that has
    /// gone and has nothing in flight or delayed any more. Where that was recorded it happened at once.
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

    /// Reaches a key that a command is about to look at.
    pub(super) fn reach_key(&mut self, db: DbIndex, key: &[u8]) {
        if self.registry.pass.is_some()
            && let Some(index) = self.dbs[db].entries.get_index_of(key)
            && index < self.dbs[db].pass_left
        {
            self.reach(db, index);
        }
    }

    /// A queue that has something in flight or delayed for which no policy provides any more; the first by
    /// database and name.
    pub(crate) fn next_orphaned(&self) -> Option<(DbIndex, Key)> {
        self.registry.orphaned.first().cloned()
    }

    /// Puts a queue that has nothing in flight or delayed any more under the policy that holds now.
    pub(crate) fn reapply_policy(&mut self, db: DbIndex, key: &Key) {
        self.registry.orphaned.remove(&(db, key.clone()));
        if let Some(index) = self.find(db, key) {
            self.update_policy(db, index, self.queue_ms);
        }
        self.update_policies_in_use();
    }

    /// Whether an entry may still be under an older policy.
    pub(super) fn is_unreached(&self, db: DbIndex, index: usize, key: &Key) -> bool {
        index < self.dbs[db].pass_left || self.registry.orphaned.contains(&(db, key.clone()))
    }

    /// Notes that a list has come under a policy in another way than by pushes.
    pub(super) fn mark_newly_stamped(&mut self, db: DbIndex, index: usize) {
        // Nobody takes them where no effects are wanted.
        if self.effects.is_on()
            && let Some(entry) = self.dbs[db].entries.get_index(index)
        {
            let (key, ms) = (entry.shared_key(), self.queue_ms);
            self.registry.newly_stamped.push(NewlyStamped { db, key, ms, is_corrected: false });
        }
    }

    /// Lists that came under a policy in another way than by pushes, since the last call.
    pub(crate) fn take_newly_stamped(&mut self) -> Vec<NewlyStamped> {
        std::mem::take(&mut self.registry.newly_stamped)
    }
}
