//! When queues under policies have something due, and when their state is dropped.

use super::entry::Full;
use super::{Db, DbIndex, Fate, Key, Keyspace, Removed, Slot};
use crate::queue::{End, Queue};
use crate::value::Kind;

/// How many of the longest idle queues are considered for dropping the state of one.
const IDLE_TRIED_MAX: usize = 8;

impl Keyspace {
    /// Whether there are chores: work that no command waits for.
    #[inline]
    pub(crate) fn has_chores(&self) -> bool {
        self.has_disconnected()
            || self.has_departing()
            || self.has_due()
            || self.has_trash()
            || self.has_pass()
    }

    /// Updates whether look-ups must bring their key up to date: due queues were left for later, or
    /// a policy change has not reached all keys.
    pub(crate) fn update_is_behind(&mut self) {
        let registry = &mut self.registry;
        registry.is_behind = registry.has_left_due || registry.pass.is_some();
    }

    /// Marks whether due queues were left for a later turn.
    pub(crate) fn mark_left_due(&mut self) {
        self.registry.has_left_due = self.has_due();
        self.update_is_behind();
    }

    /// Whether any queue has something due at the time of the turn.
    #[inline]
    pub(crate) fn has_due(&self) -> bool {
        self.next_due_ms().is_some_and(|due_ms| due_ms <= self.queue_ms)
    }

    /// Brings a key up to date before a command looks at it.
    #[cold]
    #[inline(never)]
    pub(super) fn catch_up(&mut self, db: DbIndex, key: &[u8]) {
        // The look-ups in this function need not do the same.
        self.registry.is_behind = false;
        self.reach_key(db, key);
        if self.registry.has_left_due {
            self.end_pauses(db, key);
            self.expire_overdue(db, key);
        }
        self.registry.is_behind = true;
    }

    fn expire_overdue(&mut self, db: DbIndex, key: &[u8]) {
        let Some(policy) = self.policy_of(db, key) else { return };
        let Some(ttl_ms) = policy.message_ttl_ms else { return };
        let limit_ms = self.queue_ms.saturating_sub(ttl_ms);
        let key = Key::from(key);
        while let Ok(Some(list)) = self.list(db, &key)
            && let Some((index, count)) = list.next_older_than(limit_ms)
        {
            let removed = if policy.dead_letter.is_some() {
                self.depart(db, &key, &policy, (Fate::Expired, End::Front), (index, count))
            } else {
                self.count(db, &key, |totals| totals.expired += count as u64);
                let trimmed = self.change_list(db, &key, |queue| {
                    queue.trim_out(index, count);
                    queue.len() - index
                });
                let behind = trimmed.ok().flatten();
                let key = key.clone();
                behind.map(|behind| Removed { db, key, index, count, behind, departure: None })
            };
            if let Some(removed) = removed {
                self.add_removed(&removed);
            }
        }
    }

    /// Removes the queue with the earliest due time from the schedule and returns it; a change
    /// schedules it again. Within the turn's budget: a queue whose look-up did what was due costs
    /// time too.
    pub(crate) fn take_due(&mut self) -> Option<(DbIndex, Key)> {
        while self.work.has_time() && self.has_due() {
            self.work.keys(1);
            let (_, db) = self.registry.due_dbs.first().map(|(due_ms, db)| (due_ms, *db))?;
            let (due_ms, key) = self.dbs[db].dues.pop_first()?;
            self.first_due_changed(db, Some(due_ms));
            let Some(index) = self.find(db, &key) else { continue };
            let Some(entry) = self.dbs[db].entries[index].full_mut() else { continue };
            let queue_state =
                entry.attachments.as_mut().and_then(|attachments| attachments.queue_state.as_mut());
            let Some(queue_state) = queue_state else { continue };
            queue_state.due_ms = None;
            if queue_state.next_due_ms(&entry.value) == Some(due_ms) {
                return Some((db, key));
            }
            // It was scheduled too early, and is scheduled again.
            self.schedule(db, index);
        }
        None
    }

    /// Returns when a queue next has something due, by the queue clock.
    #[inline]
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.registry.due_dbs.next()
    }

    /// Updates `due_dbs` after a change of a database's due times. `first_before` is the earliest
    /// before it.
    pub(super) fn first_due_changed(&mut self, db: DbIndex, first_before: Option<i64>) {
        self.registry.due_dbs.shift(first_before, self.dbs[db].dues.next(), db);
    }

    /// Schedules a queue for its next due time, unless it is already scheduled for then or earlier.
    /// A queue may be scheduled too early: then nothing is due, and this is called again.
    pub(super) fn schedule(&mut self, db: DbIndex, index: usize) {
        let Db { entries, dues, .. } = &mut self.dbs[db];
        let Some(entry) = entries.get_index_mut(index) else { return };
        let Some(Full { key, value, attachments, .. }) = entry.full_mut() else { return };
        let Some(attachments) = attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        let Some(due_ms) = queue_state.next_due_ms(value) else { return };
        let first_before = dues.next();
        if let Some(scheduled_ms) = queue_state.due_ms {
            if scheduled_ms <= due_ms {
                return;
            }
            dues.remove(scheduled_ms, key.clone());
        }
        queue_state.due_ms = Some(due_ms);
        dues.insert(due_ms, key.clone());
        self.first_due_changed(db, first_before);
    }

    /// As `schedule`, for a queue that was taken from the schedule.
    pub(crate) fn reschedule(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(index) = self.find(db, key) {
            self.schedule(db, index);
        }
    }

    /// Drops an entry made for a message that was not stored, if it is not needed.
    pub(crate) fn drop_if_empty(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(index) = self.find(db, key) {
            self.drop_if_unused(db, index);
        }
    }

    /// As `drop_if_empty`, for a slot; the last use of the slot.
    pub(crate) fn drop_if_empty_in(&mut self, at: Slot) {
        self.drop_if_unused(at.db, at.index);
    }

    /// Drops the state of a queue that no longer has a policy and has nothing but totals. It may be
    /// the last use of an index.
    pub(super) fn drop_if_unneeded(&mut self, db: DbIndex, index: usize) {
        let Some(queue_state) = self.queue_state_at(db, index) else { return };
        if queue_state.policy.is_none() && queue_state.is_idle() {
            self.detach(db, index);
        }
        // If the entry was dropped, the entry now at its index is in use.
        if index < self.dbs[db].entries.len() {
            self.drop_if_unused(db, index);
        }
    }

    /// Drops the state of a queue under a policy.
    fn detach(&mut self, db: DbIndex, index: usize) {
        let Db { entries, dues, .. } = &mut self.dbs[db];
        let Some(entry) = entries.get_index_mut(index) else { return };
        let key = entry.shared_key();
        let Some(attachments) = entry.attachments_mut() else { return };
        let Some(queue_state) = attachments.queue_state.take() else { return };
        let first_before = dues.next();
        if let Some(due_ms) = queue_state.due_ms {
            dues.remove(due_ms, key);
        }
        self.bytes -= queue_state.allocated_bytes();
        if attachments.is_unused() {
            entry.set_attachments(None);
        }
        self.first_due_changed(db, first_before);
    }

    /// Adds an empty queue under a policy to the idle ones, if it has nothing but totals. Drops the
    /// state of the longest idle queue if there are too many.
    pub(super) fn list_if_idle(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(entry) = entry.full_mut() else { return };
        let Some(attachments) = &mut entry.attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        if queue_state.is_listed || !queue_state.is_idle() {
            return;
        }
        queue_state.is_listed = true;
        self.registry.idle.push_back((db, entry.key.clone()));
        if self.registry.idle.len() > self.registry.idle_max {
            // A queue that used up its rate would start again with all of it. But they are not kept at any
            // cost in memory.
            for is_last in (0..IDLE_TRIED_MAX).map(|tried| tried + 1 == IDLE_TRIED_MAX) {
                if self.forget_idle(is_last) {
                    break;
                }
            }
        }
    }

    /// Takes the longest idle queue off the list, and drops its state if it is still idle. Instead,
    /// returns false and adds it again as the last one if its rate is used and `even_used` is not set.
    fn forget_idle(&mut self, even_used: bool) -> bool {
        let Some((db, key)) = self.registry.idle.pop_front() else { return true };
        let now_ms = self.queue_ms;
        let Some(index) = self.find(db, &key) else { return true };
        let Some(entry) = self.dbs[db].entries[index].full_mut() else { return true };
        let Some(attachments) = &mut entry.attachments else { return true };
        let Some(queue_state) = &mut attachments.queue_state else { return true };
        queue_state.is_listed = false;
        // A queue in use is added again when it is next idle.
        if Queue::of(&entry.value).is_some_and(Queue::is_empty)
            && queue_state.is_idle()
            && attachments.waiters.is_empty()
            && attachments.producers.is_empty()
            && attachments.watchers.is_empty()
        {
            if !even_used && !queue_state.has_full_bucket(now_ms) {
                queue_state.is_listed = true;
                self.registry.idle.push_back((db, key));
                return false;
            }
            self.detach(db, index);
            self.drop_if_unused(db, index);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::QueuePolicy;

    fn make_idle(keyspace: &mut Keyspace, key: &[u8]) {
        let pushed = keyspace.change_or_create_list(0, key, |queue| queue.push(End::Back, b"x"));
        assert!(pushed.is_ok());
        assert!(keyspace.change_list(0, key, |queue| queue.trim(0, 0)).is_ok());
    }

    #[test]
    fn an_idle_queue_is_kept_until_its_rate_is_unused() {
        let policy = QueuePolicy::parse(&[b"p", b"*", b"rate", b"2", b"rate-per-ms", b"10"]);
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.set_policies(|policies| policies.set(policy.expect("valid"))).expect("one");
        keyspace.set_memory_limits(1, 3);
        let is_kept = |keyspace: &mut Keyspace| keyspace.slot(0, b"used").is_some();
        make_idle(&mut keyspace, b"used");
        let at = keyspace.slot(0, b"used").expect("it is idle");
        keyspace.count_for_rate_in(at, 1);
        for number in 0..20 {
            make_idle(&mut keyspace, format!("{number}").as_bytes());
            assert!(is_kept(&mut keyspace), "after {number}");
            keyspace.check_invariants();
        }
        keyspace.queue_ms += 5;
        (20..24).for_each(|number| make_idle(&mut keyspace, format!("{number}").as_bytes()));
        assert!(!is_kept(&mut keyspace));
        assert_eq!(keyspace.registry.idle.len(), 3);
        keyspace.check_invariants();
    }
}
