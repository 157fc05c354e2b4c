//! The policies, and how entries are put under them.
//!
//! A key is matched against the policies when its entry is created, and all keys are when the
//! policies change; an entry without a policy has no state of a queue, and costs one comparison.
//!
//! `queueing/` applies the policies to messages.

use super::queue_state::QUEUE_STATE_BYTES;
use super::{DbIndex, Key, Keyspace, QueueState};
use crate::policy::{Policies, QueuePolicy};
use crate::queue::Queue;
use crate::value::Kind;
use std::sync::Arc;

impl Keyspace {
    /// Returns the policies.
    pub(crate) fn policies(&self) -> &Policies {
        &self.registry.policies
    }

    /// Changes the policies and applies them to all queues at once, during loading. Messages that
    /// must be returned because of it are returned by the following effects, or at the end of
    /// loading. Messages that come under a policy are ready since `at_ms`.
    pub(crate) fn change_policies_at<R>(
        &mut self,
        at_ms: i64,
        change: impl FnOnce(&mut Policies) -> R,
    ) -> R {
        let result = self.set_policies(change);
        for db in 0..self.dbs.len() {
            // From the end: a dropped entry is replaced by one that was already visited.
            for index in (0..self.dbs[db].entries.len()).rev() {
                let orphaned = self.update_policy(db, index, at_ms);
                self.registry.orphaned.extend(orphaned.map(|key| (db, key)));
            }
        }
        self.update_policies_in_use();
        result
    }

    /// Puts a queue under a former policy. Its messages in flight or delayed, which follow in the
    /// append files, are returned at the end of loading.
    pub(crate) fn set_former_policy(&mut self, db: DbIndex, key: &[u8], policy: QueuePolicy) {
        let index = self.find_or_create(db, key);
        self.attach(db, index, Some(Arc::new(policy)), 0);
        self.registry.orphaned.insert((db, Key::from(key)));
        self.update_policies_in_use();
    }

    /// Puts an entry under its current policy. If it has messages in flight or delayed that must be
    /// returned first, does nothing and returns the key.
    pub(super) fn update_policy(&mut self, db: DbIndex, index: usize, at_ms: i64) -> Option<Key> {
        let entry = self.dbs[db].entries.get_index(index)?;
        let policy = self.registry.policies.of(entry.key()).cloned();
        let queue_state =
            entry.attachments().and_then(|attachments| attachments.queue_state.as_ref());
        let before = queue_state.and_then(|queue_state| queue_state.policy.as_ref());
        if policy.as_ref() == before {
            return None;
        }
        if queue_state.is_some_and(|queue_state| queue_state.is_orphaned_by(policy.as_deref())) {
            return Some(entry.shared_key());
        }
        self.attach(db, index, policy, at_ms);
        self.mark_capacity_changed(db, index);
        self.drop_if_unneeded(db, index);
        None
    }

    /// Puts an entry under a policy, or none. Its messages are ready since `at_ms`.
    pub(super) fn attach(
        &mut self,
        db: DbIndex,
        index: usize,
        policy: Option<Arc<QueuePolicy>>,
        at_ms: i64,
    ) {
        // Its messages may get or lose stamps.
        self.before_change(db, index);
        let is_under_policy = policy.is_some();
        let entry = &mut self.dbs[db].entries[index];
        let attachments = entry.attachments_or_default();
        let was_limited = match &mut attachments.queue_state {
            Some(queue_state) => queue_state.set_policy(policy, self.queue_ms),
            None => {
                attachments.queue_state = Some(Box::new(QueueState::under(policy)));
                self.bytes += QUEUE_STATE_BYTES;
                false
            }
        };
        let recorded_ready_ms =
            attachments.queue_state.as_ref().map_or(0, |queue_state| queue_state.recorded.1);
        let push_ms = if self.registry.is_replaying { recorded_ready_ms } else { self.queue_ms };
        if let Some(queue) = entry.value_mut().and_then(Queue::of_mut) {
            self.bytes -= queue.allocated_bytes();
            let is_new = stamp(queue, is_under_policy, at_ms, push_ms);
            self.bytes += queue.allocated_bytes();
            if is_new {
                self.mark_newly_stamped(db, index);
            }
        }
        if was_limited {
            self.limits_changed(db, index);
        }
        self.schedule(db, index);
    }

    /// Puts a new entry under the policy for its key, if there is one.
    pub(super) fn apply_policy(&mut self, db: DbIndex, index: usize) {
        if self.registry.policies.is_empty() {
            return;
        }
        let Some(entry) = self.dbs[db].entries.get_index(index) else { return };
        self.work.matched(self.registry.policies.comparisons_max());
        if let Some(policy) = self.registry.policies.of(entry.key()).cloned() {
            self.attach(db, index, Some(policy), self.queue_ms);
        }
    }

    /// Updates whether commands must check for policies and reserved names, after a change of the
    /// policies or of loading: see `update_policies_in_use`.
    pub(super) fn update_policy_use(&mut self) {
        self.registry.policies_reserve_names = self.registry.policies.reserve_names();
        self.update_policies_in_use();
    }

    /// Updates whether commands must check for policies and reserved names. A former policy is in
    /// use until its messages have been returned.
    pub(super) fn update_policies_in_use(&mut self) {
        let is_in_use = self.has_policies();
        let has_pass = self.has_pass();
        let registry = &mut self.registry;
        let is_replaying = registry.is_replaying;
        registry.is_on = (is_in_use || !registry.paused.is_empty()) && !is_replaying;
        let needs_names = registry.policies_reserve_names || has_pass;
        registry.reserves_names = needs_names && !is_replaying;
    }

    /// Whether any queue may be under a policy, including a former one.
    pub(crate) fn has_policies(&self) -> bool {
        !self.registry.policies.is_empty() || self.has_pass()
    }

    /// Returns the policy that a key has, or would have.
    pub(crate) fn policy_for(&mut self, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
        self.policy_of(db, key).or_else(|| self.registry.policies.of(key).cloned())
    }

    /// Returns the policy of a queue.
    pub(crate) fn policy_of(&mut self, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
        self.queue_state(db, key)?.policy.clone()
    }

    /// Gives a new value stamps if its entry is under a policy, and removes all but those of dead letters
    /// if not.
    pub(super) fn stamp_value(&mut self, db: DbIndex, index: usize) {
        let entry = &self.dbs[db].entries[index];
        if entry.is_plain() && !entry.list().is_some_and(Queue::is_stamped) {
            return;
        }
        let queue_state = self.queue_state_at(db, index);
        let is_under_policy = queue_state.is_some_and(|queue_state| queue_state.policy.is_some());
        let recorded_ready_ms = queue_state.map_or(0, |queue_state| queue_state.recorded.1);
        // During loading, the time since when these messages are ready follows the command that
        // adds them.
        let (at_ms, push_ms) = match self.registry.is_replaying {
            true => (0, recorded_ready_ms),
            false => (self.queue_ms, self.queue_ms),
        };
        let Some(queue) = self.dbs[db].entries[index].list_mut() else { return };
        let bytes_before = queue.allocated_bytes();
        let is_new = stamp(queue, is_under_policy, at_ms, push_ms);
        self.bytes = self.bytes + queue.allocated_bytes() - bytes_before;
        if is_new {
            self.mark_newly_stamped(db, index);
        }
    }
}

/// Gives a list stamps, or removes all but those of dead letters; true if messages got new ones.
/// Those are ready since `at_ms`, and later ones since `push_ms`.
fn stamp(queue: &mut Queue, is_under_policy: bool, at_ms: i64, push_ms: i64) -> bool {
    if !is_under_policy {
        queue.end_stamps();
        return false;
    }
    let is_new = !queue.is_fully_stamped();
    if is_new {
        queue.begin_stamps(at_ms);
    }
    queue.set_push_ms(push_ms);
    is_new && !queue.is_empty()
}
