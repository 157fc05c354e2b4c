//! Changes of policies, and queues that no longer are under one.

use super::Queues;
use super::reserved::check_lists;
use crate::note::Note;
use crate::policy::{Policies, QueuePolicy};

impl Queues<'_> {
    /// Changes the policies, and then those of the keys: of a few at once, of many as a chore. Messages that
    /// come under a policy are ready since `at_ms`, if a note says so of all of them.
    pub(crate) fn change_policies<R>(
        &mut self,
        at_ms: Option<i64>,
        change: impl FnOnce(&mut Policies) -> R,
    ) -> R {
        // There are no deliveries without a policy.
        self.record_raise();
        let ready_before = self.keyspace.ready_count();
        let result = self.keyspace.set_policies(change);
        self.keyspace.begin_pass(at_ms);
        if self.keyspace.is_short_pass() {
            self.keyspace.continue_pass(true);
            let count_max = self.keyspace.work.messages_at_once();
            let moved_before = self.keyspace.work.spent();
            while self.keyspace.work.is_little_since(moved_before)
                && self.return_orphaned(count_max)
            {}
            // Not in the order of the entries, which clients cannot know.
            self.keyspace.sort_ready(ready_before);
            self.keyspace.update_is_behind();
        }
        result
    }

    /// Continues to apply the present policies to the keys, within the turn's budget.
    pub(crate) fn follow_policies(&mut self) {
        if !self.keyspace.has_pass() {
            return;
        }
        self.keyspace.continue_pass(false);
        while self.keyspace.work.has_time() {
            let count_max = self.keyspace.work.messages_left();
            if !self.return_orphaned(count_max) {
                break;
            }
        }
        self.record_stamps();
        self.keyspace.update_is_behind();
    }

    /// Returns the messages in flight and delayed of one queue whose policy no longer provides for them, to
    /// their old positions, even those delivered too often or expired. At most `count_max` messages, the last
    /// delivered first. Returns false if there is no such queue.
    fn return_orphaned(&mut self, count_max: usize) -> bool {
        let Some((db, key)) = self.keyspace.next_orphaned() else { return false };
        let policy = self.keyspace.policies().of(&key);
        let keeps_in_flight = policy.is_some_and(|policy| policy.is_at_least_once());
        let keeps_delayed = policy.is_some_and(|policy| policy.provides_delays());
        let mut numbers = Vec::new();
        if let Some(queue_state) = self.keyspace.queue_state(db, &key)
            && !keeps_in_flight
        {
            let newest = queue_state.in_flight.iter().rev().take(count_max);
            numbers = newest.map(|(number, _)| number).collect();
            numbers.reverse();
        }
        self.put_in_position(db, &key, &numbers);
        if numbers.len() == count_max {
            return true;
        }
        if !keeps_delayed {
            self.release(db, &key, i64::MAX, count_max);
        }
        let is_delayed = self
            .keyspace
            .queue_state(db, &key)
            .is_some_and(|queue_state| !queue_state.delayed.is_empty());
        if keeps_delayed || !is_delayed {
            self.keyspace.reapply_policy(db, &key);
        }
        true
    }

    /// QUEUE POLICY SET.
    ///
    /// # Errors
    /// There are too many policies, or an existing list has a name that they reserve. Nothing has changed.
    pub(crate) fn set_policy(&mut self, policy: QueuePolicy) -> Result<(), String> {
        let at_ms = self.keyspace.queue_ms();
        let mut next = self.keyspace.policies().clone();
        next.set(policy.clone())?;
        check_lists(self.keyspace, &next)?;
        // Messages that come under the policy are ready since then, as the note says.
        self.change_policies(Some(at_ms), |policies| *policies = next);
        self.keyspace.mark_change();
        self.keyspace.effects.note(0, &Note::PolicySet { at_ms, policy });
        Ok(())
    }

    /// Applies the policies of the settings, after CONFIG SET.
    ///
    /// # Errors
    /// An existing list has a name that they reserve, or a new policy does not say what acknowledges. Nothing
    /// has changed.
    pub(crate) fn configure_policies(&mut self, configured: &[QueuePolicy]) -> Result<(), String> {
        let mut next = self.keyspace.policies().clone();
        for policy in configured.iter().filter(|policy| !next.is_configured(policy)) {
            policy.check_acknowledge()?;
        }
        let forgotten = next.configure(configured);
        check_lists(self.keyspace, &next)?;
        self.change_policies(None, |policies| *policies = next);
        for name in forgotten {
            self.keyspace.mark_change();
            self.keyspace.effects.note(0, &Note::PolicyForgotten { name });
        }
        Ok(())
    }

    /// QUEUE POLICY DEL. Returns whether there was a policy of this name.
    pub(crate) fn delete_policy(&mut self, name: &[u8]) -> bool {
        let is_deleted = self.change_policies(None, |policies| policies.delete(name));
        if is_deleted {
            self.keyspace.mark_change();
            self.keyspace.effects.note(0, &Note::PolicyDeleted { name: name.to_vec() });
        }
        is_deleted
    }
}
