//! Changing a list in place, with all that follows from it: when the change is done, memory is counted
//! anew, a list that became empty is removed, and if anything changed, waiters and watchers hear of it.

use super::{DbIndex, Keyspace, Value, WrongType};
use crate::queue::Queue;

impl Keyspace {
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
        if self.dbs[db].entries[index].value.is_none() {
            self.put_value(db, index, Value::List(Queue::new()));
        }
        let changed = self.try_change_list_at(db, index, |queue| (change(queue), true));
        Ok(changed.expect("a value was put there if there was none"))
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
        if self.now_ms != 0 {
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
