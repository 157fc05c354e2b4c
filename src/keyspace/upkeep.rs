//! When queues under policies have something to do, and when what is known of them is forgotten.

use super::entry::Full;
use super::{Db, DbIndex, Fate, Key, Keyspace, Removed, Slot};
use crate::queue::{End, Queue};
use crate::value::Kind;

impl Keyspace {
    /// Whether there is something to do that commands do not wait for.
    #[inline]
    pub(crate) fn has_chores(&self) -> bool {
        self.has_departed()
            || self.has_departing()
            || self.has_due()
            || self.has_trash()
            || self.has_pass()
    }

    /// Notes whether queues are due that have not been seen to, or policies have changed that have not
    /// reached all keys: then a look-up has to see to its own.
    pub(crate) fn update_is_behind(&mut self) {
        let registry = &mut self.registry;
        registry.is_behind = registry.has_left_due || registry.pass.is_some();
    }

    /// Notes whether queues were left although they are due, since there was no time.
    pub(crate) fn mark_left_due(&mut self) {
        self.registry.has_left_due = self.has_due();
        self.update_is_behind();
    }

    /// Whether any queue has something to do by the time of the turn.
    #[inline]
    pub(crate) fn has_due(&self) -> bool {
        self.next_due_ms().is_some_and(|due_ms| due_ms <= self.queue_ms)
    }

    /// Does for a key what its turn has not come for: a command is about to look at it.
    #[cold]
    #[inline(never)]
    pub(super) fn catch_up(&mut self, db: DbIndex, key: &[u8]) {
        // The look-ups that this makes find nothing to do.
        self.registry.is_behind = false;
        self.reach_key(db, key);
        if self.registry.has_left_due {
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

    /// The queue that has had something to do for the longest time; it is taken off the list until
    /// something changes.
    pub(crate) fn take_due(&mut self) -> Option<(DbIndex, Key)> {
        while self.has_due() {
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
            // It was noted too early, and takes its place among the others.
            self.schedule(db, index);
        }
        None
    }

    /// When a queue has something to do next, by the clock of queues.
    #[inline]
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.registry.due_dbs.next()
    }

    /// Keeps `due_dbs` true after a change of a database's dues, of which this was the first.
    pub(super) fn first_due_changed(&mut self, db: DbIndex, first_before: Option<i64>) {
        self.registry.due_dbs.shift(first_before, self.dbs[db].dues.next(), db);
    }

    /// Puts a queue on the list of those that have something to do, if it is not there early enough. An
    /// entry there may be too early: then there is nothing to do, and this is called again.
    pub(super) fn schedule(&mut self, db: DbIndex, index: usize) {
        let Db { entries, dues, .. } = &mut self.dbs[db];
        let Some(entry) = entries.get_index_mut(index) else { return };
        let Some(Full { key, value, attachments, .. }) = entry.full_mut() else { return };
        let Some(attachments) = attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        let Some(due_ms) = queue_state.next_due_ms(value) else { return };
        let first_before = dues.next();
        if let Some(noted_ms) = queue_state.due_ms {
            if noted_ms <= due_ms {
                return;
            }
            dues.remove(noted_ms, key.clone());
        }
        queue_state.due_ms = Some(due_ms);
        dues.insert(due_ms, key.clone());
        self.first_due_changed(db, first_before);
    }

    /// Does for a queue that was on the list what `schedule` does.
    pub(crate) fn reschedule(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(index) = self.find(db, key) {
            self.schedule(db, index);
        }
    }

    /// Sees to an entry that was made for a message which was not stored.
    pub(crate) fn drop_if_empty(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(index) = self.find(db, key) {
            self.drop_if_unused(db, index);
        }
    }

    /// As `drop_if_empty`, of a key that was found: the last use of its slot.
    pub(crate) fn drop_if_empty_in(&mut self, at: Slot) {
        self.drop_if_unused(at.db, at.index);
    }

    /// Drops what belongs to a queue that has no policy any more and nothing but its totals. It may be
    /// the last thing that is done with an index.
    pub(super) fn drop_if_unneeded(&mut self, db: DbIndex, index: usize) {
        let Some(queue_state) = self.queue_state_at(db, index) else { return };
        if queue_state.policy.is_none() && queue_state.is_idle() {
            self.detach(db, index);
        }
        // An entry that was dropped has gone from its index, and what is there now is in use.
        if index < self.dbs[db].entries.len() {
            self.drop_if_unused(db, index);
        }
    }

    /// Forgets what belongs to a queue under a policy beside its messages.
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

    /// Lines a queue under a policy without messages up to be forgotten, if it has nothing but its totals, and
    /// forgets the first in line if there are too many.
    pub(super) fn line_up_if_idle(&mut self, db: DbIndex, index: usize) {
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
            self.forget_idle();
        }
    }

    fn forget_idle(&mut self) {
        let Some((db, key)) = self.registry.idle.pop_front() else { return };
        let Some(index) = self.find(db, &key) else { return };
        let Some(entry) = self.dbs[db].entries[index].full_mut() else { return };
        let Some(attachments) = &mut entry.attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        queue_state.is_listed = false;
        // What is in use comes to the end of the line when it is idle the next time.
        if Queue::of(&entry.value).is_some_and(Queue::is_empty)
            && queue_state.is_idle()
            && attachments.waiters.is_empty()
            && attachments.producers.is_empty()
            && attachments.watchers.is_empty()
        {
            self.detach(db, index);
            self.drop_if_unused(db, index);
        }
    }
}
