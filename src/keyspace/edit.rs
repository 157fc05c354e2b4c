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
        self.before_change(db, index);
        let entry = self.entry_mut(db, index);
        let bytes_before = match &entry.value {
            None => return Ok(None),
            Some(Value::List(queue)) => queue.allocated_bytes(),
        };
        self.note_use(db, index);
        Ok(Some(ListEdit { keyspace: self, db, index, bytes_before, is_changed: false }))
    }

    /// The list at a key, to change; an empty one is made if the key has no value.
    #[inline]
    pub fn edit_or_create_list(
        &mut self,
        db: DbIndex,
        key: &[u8],
    ) -> Result<ListEdit<'_>, WrongType> {
        let index = self.find_or_create(db, key);
        self.before_change(db, index);
        let bytes_before = match &self.entry_mut(db, index).value {
            Some(Value::List(queue)) => queue.allocated_bytes(),
            None => {
                self.put_value(db, index, Value::List(Queue::new()));
                0
            }
        };
        self.note_use(db, index);
        Ok(ListEdit { keyspace: self, db, index, bytes_before, is_changed: false })
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
        let queue: &Queue = self;
        let (is_empty, bytes_after) = (queue.is_empty(), queue.allocated_bytes());
        let (db, index) = (self.db, self.index);
        self.keyspace.bytes = self.keyspace.bytes + bytes_after - self.bytes_before;
        if is_empty {
            self.keyspace.clear_value(db, index);
        }
        if self.is_changed {
            self.keyspace.changed(db, index);
        }
        if is_empty {
            self.keyspace.drop_if_unused(db, index);
        }
    }
}
