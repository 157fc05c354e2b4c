//! Changing a list in place, with all that follows from it.

use super::{DbIndex, Keyspace, Value, WrongType};
use crate::queue::Queue;
use std::ops::Deref;

/// A list that is being changed. When the edit ends, memory is counted anew, a list that became
/// empty is removed, and if anything changed, waiters and watchers hear of it.
pub struct ListEdit<'a> {
    keyspace: &'a mut Keyspace,
    db: DbIndex,
    index: usize,
    bytes_before: usize,
    is_changed: bool,
}

impl Keyspace {
    /// The list at a key, to change; none if the key has no value.
    #[inline]
    pub fn edit_list(
        &mut self,
        db: DbIndex,
        key: &[u8],
    ) -> Result<Option<ListEdit<'_>>, WrongType> {
        let Some(index) = self.find(db, key) else { return Ok(None) };
        Ok(self.edit_list_at(db, index))
    }

    /// The list at a key, to change; an empty one is made if the key has no value.
    #[inline]
    pub fn edit_or_create_list(
        &mut self,
        db: DbIndex,
        key: &[u8],
    ) -> Result<ListEdit<'_>, WrongType> {
        let index = self.find_or_create(db, key);
        if self.dbs[db].entries[index].value.is_none() {
            self.put_value(db, index, Value::List(Queue::new()));
        }
        Ok(self.edit_list_at(db, index).expect("a value was put there if there was none"))
    }

    /// The list of an entry; none if it has no value.
    #[inline]
    fn edit_list_at(&mut self, db: DbIndex, index: usize) -> Option<ListEdit<'_>> {
        self.before_change(db, index);
        let (now_s, notes_use) = (self.now_s, self.notes_use);
        let entry = self.entry_mut(db, index);
        if notes_use {
            entry.used_s = now_s;
        }
        let bytes_before = match &entry.value {
            None => return None,
            Some(Value::List(queue)) => queue.allocated_bytes(),
        };
        Some(ListEdit { keyspace: self, db, index, bytes_before, is_changed: false })
    }
}

impl ListEdit<'_> {
    /// The list, to be changed now.
    #[inline]
    pub fn change(&mut self) -> &mut Queue {
        self.is_changed = true;
        self.queue_mut()
    }

    /// Looks for something to change: `attempt` says whether it changed anything.
    pub fn try_change<R>(&mut self, attempt: impl FnOnce(&mut Queue) -> (R, bool)) -> R {
        let (result, is_changed) = attempt(self.queue_mut());
        self.is_changed |= is_changed;
        result
    }

    #[inline]
    fn queue_mut(&mut self) -> &mut Queue {
        match &mut self.keyspace.dbs[self.db].entries[self.index].value {
            Some(Value::List(queue)) => queue,
            None => unreachable!("an edit begins on a list and holds the keyspace until it ends"),
        }
    }
}

impl Deref for ListEdit<'_> {
    type Target = Queue;

    #[inline]
    fn deref(&self) -> &Queue {
        match &self.keyspace.dbs[self.db].entries[self.index].value {
            Some(Value::List(queue)) => queue,
            None => unreachable!("an edit begins on a list and holds the keyspace until it ends"),
        }
    }
}

impl Drop for ListEdit<'_> {
    #[inline]
    fn drop(&mut self) {
        let (db, index) = (self.db, self.index);
        let entry = &self.keyspace.dbs[db].entries[index];
        let has_interest = entry.interest.is_some();
        let queue: &Queue = self;
        let (is_empty, bytes_after) = (queue.is_empty(), queue.allocated_bytes());
        let keyspace = &mut *self.keyspace;
        keyspace.bytes = keyspace.bytes + bytes_after - self.bytes_before;
        if is_empty {
            keyspace.clear_value(db, index);
        }
        if self.is_changed {
            keyspace.changes += 1;
            if has_interest {
                keyspace.signal(db, index);
            }
        }
        if is_empty {
            keyspace.drop_if_unused(db, index);
        }
    }
}
