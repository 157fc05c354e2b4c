//! Changing a list in place, with all that follows from it: when the change is done, memory is counted
//! anew, a list that became empty is removed, and if anything changed, waiters and watchers hear of it.

use super::{DbIndex, Keyspace, Value, WrongType};
use crate::queue::Queue;

/// What became of a change that is not for queues under a policy.
#[derive(Debug)]
pub enum Plain<R> {
    /// The list was changed.
    Changed(R),
    /// The key has no value.
    Absent,
    /// A policy governs the queue, or it is paused; nothing was done.
    Governed,
}

impl Keyspace {
    /// As `try_change_list`, but not of a queue under a policy: whether it is one is found out by the same
    /// look-up.
    #[inline]
    pub fn try_change_plain_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut Queue) -> (R, bool),
    ) -> Result<Plain<R>, WrongType> {
        let Some(index) = self.find(db, key) else { return Ok(Plain::Absent) };
        if self.is_governed_at(db, index) {
            return Ok(Plain::Governed);
        }
        Ok(self.try_change_list_at(db, index, attempt).map_or(Plain::Absent, Plain::Changed))
    }

    /// As `change_or_create_list`, but not of a queue under a policy; never `Absent`.
    #[inline]
    pub fn change_or_create_plain_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<Plain<R>, WrongType> {
        let index = self.find_or_create(db, key);
        if self.is_governed_at(db, index) {
            return Ok(Plain::Governed);
        }
        Ok(Plain::Changed(self.change_or_create_list_at(db, index, change)))
    }

    /// Changes the list at a key; none, and nothing done, if the key has no value.
    #[inline]
    pub fn change_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<Option<R>, WrongType> {
        self.try_change_list(db, key, |queue| (change(queue), true))
    }

    /// As `change_list`, where `attempt` says besides whether it changed anything.
    #[inline]
    pub fn try_change_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut Queue) -> (R, bool),
    ) -> Result<Option<R>, WrongType> {
        let Some(index) = self.find(db, key) else { return Ok(None) };
        Ok(self.try_change_list_at(db, index, attempt))
    }

    /// Changes the list at a key; an empty one is made if the key has no value.
    #[inline]
    pub fn change_or_create_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<R, WrongType> {
        let index = self.find_or_create(db, key);
        Ok(self.change_or_create_list_at(db, index, change))
    }

    #[inline]
    fn change_or_create_list_at<R>(
        &mut self,
        db: DbIndex,
        index: usize,
        change: impl FnOnce(&mut Queue) -> R,
    ) -> R {
        if self.dbs[db].entries[index].value.is_none() {
            self.put_value(db, index, Value::List(Queue::new()));
        }
        let changed = self.try_change_list_at(db, index, |queue| (change(queue), true));
        changed.expect("a value was put there if there was none")
    }

    /// Changes the list of an entry; none if it has no value.
    #[inline]
    fn try_change_list_at<R>(
        &mut self,
        db: DbIndex,
        index: usize,
        attempt: impl FnOnce(&mut Queue) -> (R, bool),
    ) -> Option<R> {
        self.before_change(db, index);
        let entry = &mut self.dbs[db].entries[index];
        let queue = match &mut entry.value {
            None => return None,
            Some(Value::List(queue)) => queue,
        };
        // While files are loaded the clock stands at zero, and they say what is fresh.
        if queue.is_stamped() && self.now_ms != 0 {
            queue.set_fresh_ms(self.now_ms);
        }
        let bytes_before = queue.allocated_bytes();
        let (result, is_changed) = attempt(queue);
        self.bytes = self.bytes + queue.allocated_bytes() - bytes_before;
        let is_empty = queue.is_empty();
        entry.note_use(self.now_s, self.notes_use);
        let has_interest = entry.interest.is_some();
        self.changes += u64::from(is_changed);
        if is_empty || has_interest {
            self.finish_change(db, index, is_changed, is_empty);
        }
        Some(result)
    }

    /// What follows from a change where somebody is interested, or nothing is left.
    #[inline(never)]
    fn finish_change(&mut self, db: DbIndex, index: usize, is_changed: bool, is_empty: bool) {
        if is_empty {
            self.clear_value(db, index);
        }
        if is_changed {
            self.signal(db, index);
        }
        if is_empty {
            self.drop_if_unused(db, index);
        }
    }
}
