//! When governed queues have something to do, and when what is known of them is forgotten.

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
    pub(crate) fn note_behind(&mut self) {
        let governance = &mut self.governance;
        governance.is_behind = governance.has_left_due || governance.pass.is_some();
    }

    /// Notes whether queues were left although they are due, since there was no time.
    pub(crate) fn note_left_due(&mut self) {
        self.governance.has_left_due = self.has_due();
        self.note_behind();
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
        self.governance.is_behind = false;
        self.reach_key(db, key);
        if self.governance.has_left_due {
            self.expire_overdue(db, key);
        }
        self.governance.is_behind = true;
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
            let (_, db) = self.governance.due_dbs.first().map(|(due_ms, db)| (due_ms, *db))?;
            let (due_ms, key) = self.dbs[db].dues.pop_first()?;
            self.first_due_changed(db, Some(due_ms));
            let Some(index) = self.find(db, &key) else { continue };
            let Some(entry) = self.dbs[db].entries[index].full_mut() else { continue };
            let governed = entry.interest.as_mut().and_then(|interest| interest.governed.as_mut());
            let Some(governed) = governed else { continue };
            governed.due_ms = None;
            if governed.next_due_ms(&entry.value) == Some(due_ms) {
                return Some((db, key));
            }
            // It was noted too early, and takes its place among the others.
            self.note_due(db, index);
        }
        None
    }

    /// When a queue has something to do next, by the clock of queues.
    #[inline]
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.governance.due_dbs.next()
    }

    /// Keeps `due_dbs` true after a change of a database's dues, of which this was the first.
    pub(super) fn first_due_changed(&mut self, db: DbIndex, first_before: Option<i64>) {
        self.governance.due_dbs.shift(first_before, self.dbs[db].dues.next(), db);
    }

    /// Puts a queue on the list of those that have something to do, if it is not there early enough. An
    /// entry there may be too early: then there is nothing to do, and this is called again.
    pub(super) fn note_due(&mut self, db: DbIndex, index: usize) {
        let Db { entries, dues, .. } = &mut self.dbs[db];
        let Some(entry) = entries.get_index_mut(index) else { return };
        let Some(Full { key, value, interest, .. }) = entry.full_mut() else { return };
        let Some(interest) = interest else { return };
        let Some(governed) = &mut interest.governed else { return };
        let Some(due_ms) = governed.next_due_ms(value) else { return };
        let first_before = dues.next();
        if let Some(noted_ms) = governed.due_ms {
            if noted_ms <= due_ms {
                return;
            }
            dues.remove(noted_ms, key.clone());
        }
        governed.due_ms = Some(due_ms);
        dues.insert(due_ms, key.clone());
        self.first_due_changed(db, first_before);
    }

    /// Does for a queue that was on the list what `note_due` does.
    pub(crate) fn note_due_again(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(index) = self.find(db, key) {
            self.note_due(db, index);
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
        let Some(governed) = self.governed_at(db, index) else { return };
        if governed.policy.is_none() && governed.is_idle() {
            self.detach(db, index);
        }
        // An entry that was dropped has gone from its index, and what is there now is in use.
        if index < self.dbs[db].entries.len() {
            self.drop_if_unused(db, index);
        }
    }

    /// Forgets what belongs to a governed queue beside its messages.
    fn detach(&mut self, db: DbIndex, index: usize) {
        let Db { entries, dues, .. } = &mut self.dbs[db];
        let Some(entry) = entries.get_index_mut(index) else { return };
        let key = entry.shared_key();
        let Some(interest) = entry.interest_mut() else { return };
        let Some(governed) = interest.governed.take() else { return };
        let first_before = dues.next();
        if let Some(due_ms) = governed.due_ms {
            dues.remove(due_ms, key);
        }
        self.bytes -= governed.allocated_bytes();
        if interest.is_unused() {
            entry.set_interest(None);
        }
        self.first_due_changed(db, first_before);
    }

    /// Lines a governed queue without messages up to be forgotten, if it has nothing but its totals, and
    /// forgets the first in line if there are too many.
    pub(super) fn line_up_if_idle(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(entry) = entry.full_mut() else { return };
        let Some(interest) = &mut entry.interest else { return };
        let Some(governed) = &mut interest.governed else { return };
        if governed.is_listed || !governed.is_idle() {
            return;
        }
        governed.is_listed = true;
        self.governance.idle.push_back((db, entry.key.clone()));
        if self.governance.idle.len() > self.governance.idle_max {
            self.forget_idle();
        }
    }

    fn forget_idle(&mut self) {
        let Some((db, key)) = self.governance.idle.pop_front() else { return };
        let Some(index) = self.find(db, &key) else { return };
        let Some(entry) = self.dbs[db].entries[index].full_mut() else { return };
        let Some(interest) = &mut entry.interest else { return };
        let Some(governed) = &mut interest.governed else { return };
        governed.is_listed = false;
        // What is in use comes to the end of the line when it is idle the next time.
        if Queue::of(&entry.value).is_some_and(Queue::is_empty)
            && governed.is_idle()
            && interest.waiters.is_empty()
            && interest.producers.is_empty()
            && interest.watchers.is_empty()
        {
            self.detach(db, index);
            self.drop_if_unused(db, index);
        }
    }
}
