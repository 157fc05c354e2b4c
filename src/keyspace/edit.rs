//! Changes of a value in place, with all consequences: memory is counted again, an empty value is
//! removed, and after a real change, waiters and watchers are notified.

use super::entry::Usual;
use super::{Db, DbIndex, Keyspace, NEVER, Slot, WrongType};
use crate::queue::Queue;
use crate::value::{Kind, Type};

/// The result of a change that is not for queues under a policy.
#[derive(Debug)]
pub(crate) enum Plain<R> {
    /// The list was changed, with this result.
    Changed(R),
    /// The key has no value.
    Absent,
    /// Nothing was done: the queue is under a policy or paused, or a policy reserves its name.
    UnderPolicy(Slot),
}

/// The expiry of a written value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The same as that of the previous value.
    Stays,
    /// This time in Unix milliseconds.
    At(i64),
    Never,
}

/// What a change does if there is no value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Stays,
    IsMade,
}

/// The queues that a change is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    PlainOnes,
}

impl Keyspace {
    /// As `try_change_list`, but not for a queue under a policy. The same look-up finds out whether
    /// it is under one.
    #[inline]
    pub(crate) fn try_change_plain_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut Queue) -> (R, bool),
    ) -> Result<Plain<R>, WrongType> {
        let attempt = match self.change_last_found(db, key, attempt) {
            Ok(result) => return Ok(result),
            Err(attempt) => attempt,
        };
        let Some(index) = self.find_again(db, key) else { return Ok(Plain::Absent) };
        self.change_at(db, index, For::PlainOnes, Missing::Stays, attempt)
    }

    /// As `try_change_plain_list`, for the key of the last look-up, if its entry is a usual one: the
    /// same result in fewer steps. Otherwise returns `attempt`.
    #[inline(always)]
    fn change_last_found<R, F: FnOnce(&mut Queue) -> (R, bool)>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: F,
    ) -> Result<Plain<R>, F> {
        if self.registry.is_behind {
            return Err(attempt);
        }
        let Db { entries, last_found, .. } = &mut self.dbs[db];
        let index = *last_found;
        let queue = match entries.get_index_mut(index).map(|entry| entry.usual_at(key)) {
            Some(Usual::Plain(list)) if self.snapshot.is_none() => {
                list.mark_used(self.now_s, self.marks_use)
            }
            Some(Usual::UnderPolicy) if self.registry.is_on => {
                return Ok(Plain::UnderPolicy(self.slot_at(db, index)));
            }
            _ => return Err(attempt),
        };
        let mark = queue.memory_mark();
        let (result, is_changed) = attempt(queue);
        let (is_empty, mark_now) = (queue.is_empty(), queue.memory_mark());
        self.changes += u64::from(is_changed);
        if mark != mark_now {
            let (bytes_before, bytes) = (queue.allocated_at(mark), queue.allocated_bytes());
            self.update_memory(db, index, bytes_before, bytes);
        }
        if is_empty {
            self.finish_change(db, index, is_changed, is_empty);
        }
        Ok(Plain::Changed(result))
    }

    /// As `change_or_create_list`, but not for a queue under a policy. Never returns `Absent`. A
    /// new list has capacity for `room` bytes of messages.
    #[inline]
    pub(crate) fn change_or_create_plain_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        room: impl FnOnce() -> usize,
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<Plain<R>, WrongType> {
        let attempt = |queue: &mut Queue| (change(queue), true);
        let attempt = match self.change_last_found(db, key, attempt) {
            Ok(result) => return Ok(result),
            Err(attempt) => attempt,
        };
        let index = self.find_or_create_sized(db, key, room);
        self.change_at(db, index, For::PlainOnes, Missing::IsMade, attempt)
    }

    /// Changes the list at a key. Without a value, does nothing and returns `None`.
    #[inline]
    pub(crate) fn change_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<Option<R>, WrongType> {
        self.try_change_list(db, key, |queue| (change(queue), true))
    }

    /// As `change_list`; `attempt` also returns whether it changed anything.
    #[inline]
    pub(crate) fn try_change_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut Queue) -> (R, bool),
    ) -> Result<Option<R>, WrongType> {
        self.change(db, key, attempt)
    }

    /// Changes the value at a key, which must have this type. Without a value, does nothing and
    /// returns `None`. `attempt` also returns whether it changed anything.
    #[inline]
    pub(crate) fn change<T: Kind, R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut T) -> (R, bool),
    ) -> Result<Option<R>, WrongType> {
        let Some(index) = self.find(db, key) else { return Ok(None) };
        match self.change_at(db, index, For::All, Missing::Stays, attempt)? {
            Plain::Changed(result) => Ok(Some(result)),
            Plain::Absent | Plain::UnderPolicy(_) => Ok(None),
        }
    }

    /// As `change`, but neither watches break nor waiting clients are told, as for what belongs to a value and
    /// is not its content.
    #[inline]
    pub(crate) fn change_quietly<T: Kind, R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut T) -> (R, bool),
    ) -> Result<Option<R>, WrongType> {
        let mut is_changed = false;
        let result = self.change(db, key, |value: &mut T| {
            let (result, changed) = attempt(value);
            is_changed = changed;
            (result, false)
        })?;
        self.changes += u64::from(is_changed);
        Ok(result)
    }

    /// Writes the value at a key with `write`; creates a new one if the key has none of this type.
    /// `expires_ms` sets its expiry.
    pub(crate) fn write<T: Kind>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        expires_ms: Expiry,
        write: impl FnOnce(&mut T),
    ) {
        let index = self.find_or_create(db, key);
        self.before_change(db, index);
        let entry = &self.dbs[db].entries[index];
        let before_ms = entry.expires_ms();
        if !entry.has_value() || T::of(entry.content()).is_none() {
            self.drop_value_at(db, index);
            self.make_value::<T>(db, index);
        }
        let (now_s, marks_use) = (self.now_s, self.marks_use);
        let entry = &mut self.dbs[db].entries[index];
        entry.mark_used(now_s, marks_use);
        let bytes_before = entry.allocated_bytes();
        if let Some(value) = T::of_mut(entry.content_mut()) {
            write(value);
        }
        self.bytes = self.bytes + entry.allocated_bytes() - bytes_before;
        let wanted_ms = match expires_ms {
            Expiry::Stays => before_ms,
            Expiry::At(at_ms) => at_ms,
            Expiry::Never => NEVER,
        };
        if self.dbs[db].entries[index].expires_ms() != wanted_ms {
            self.write_expiry(db, index, (wanted_ms != NEVER).then_some(wanted_ms));
        }
        self.changed(db, index);
    }

    /// As `change`; creates the value if the key has none.
    #[inline]
    pub(crate) fn change_or_create<T: Kind, R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        attempt: impl FnOnce(&mut T) -> (R, bool),
    ) -> Result<R, WrongType> {
        let index = self.find_or_create(db, key);
        match self.change_at(db, index, For::All, Missing::IsMade, attempt)? {
            Plain::Changed(result) => Ok(result),
            Plain::Absent | Plain::UnderPolicy(_) => {
                unreachable!("it is for all, and made if missing")
            }
        }
    }

    /// Changes the list at a key; creates an empty one if the key has no value.
    #[inline]
    pub(crate) fn change_or_create_list<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<R, WrongType> {
        self.change_or_create(db, key, |queue: &mut Queue| (change(queue), true))
    }

    /// As `change_or_create_list`, for a slot.
    #[inline]
    pub(crate) fn change_list_in<R>(
        &mut self,
        at: Slot,
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Result<R, WrongType> {
        let attempt = |queue: &mut Queue| (change(queue), true);
        match self.change_at(at.db, at.index, For::All, Missing::IsMade, attempt)? {
            Plain::Changed(result) => Ok(result),
            Plain::Absent | Plain::UnderPolicy(_) => {
                unreachable!("it is for all, and made if missing")
            }
        }
    }

    /// Changes the value of an entry.
    #[inline]
    fn change_at<T: Kind, R>(
        &mut self,
        db: DbIndex,
        index: usize,
        queues: For,
        missing: Missing,
        attempt: impl FnOnce(&mut T) -> (R, bool),
    ) -> Result<Plain<R>, WrongType> {
        let mut entry = &mut self.dbs[db].entries[index];
        if entry.has_value() && T::of(entry.content()).is_none() {
            return Err(WrongType);
        }
        // Most entries have only a value.
        let mut is_full = !entry.is_plain();
        if is_full
            && queues == For::PlainOnes
            && entry.attachments().is_some_and(|attachments| attachments.queue_state.is_some())
            && self.registry.is_on
        {
            return Ok(Plain::UnderPolicy(self.slot_at(db, index)));
        }
        if self.snapshot.is_some() {
            self.before_change(db, index);
            entry = &mut self.dbs[db].entries[index];
        }
        if !entry.has_value() {
            if missing == Missing::Stays {
                return Ok(Plain::Absent);
            }
            if queues == For::PlainOnes && self.is_reserved(db, index) {
                return Ok(Plain::UnderPolicy(self.slot_at(db, index)));
            }
            self.make_value::<T>(db, index);
            entry = &mut self.dbs[db].entries[index];
            is_full = !entry.is_plain();
        }
        entry.mark_used(self.now_s, self.marks_use);
        let Some(value) = T::of_mut(entry.content_mut()) else { return Ok(Plain::Absent) };
        if is_full {
            value.prepare(self.queue_ms);
        }
        let mark = value.memory_mark();
        let (result, is_changed) = attempt(value);
        let (is_empty, mark_now) = (value.is_empty(), value.memory_mark());
        self.changes += u64::from(is_changed);
        if mark != mark_now {
            let (bytes_before, bytes) = (value.allocated_at(mark), value.allocated_bytes());
            self.update_memory(db, index, bytes_before, bytes);
        }
        if is_empty || is_full {
            self.finish_change(db, index, is_changed, is_empty);
        }
        Ok(Plain::Changed(result))
    }

    /// Gives an entry without a value an empty one of this type, about to be filled.
    fn make_value<T: Kind>(&mut self, db: DbIndex, index: usize) {
        match T::TYPE {
            // The empty queue already exists.
            Type::List => self.value_comes(db, index),
            _ => self.put_value(db, index, T::default().into_value()),
        }
    }

    /// Updates the memory count after a value changed from `bytes_before` to `bytes`.
    #[inline(never)]
    pub(super) fn update_memory(
        &mut self,
        db: DbIndex,
        index: usize,
        bytes_before: usize,
        bytes: usize,
    ) {
        self.bytes = self.bytes + bytes - bytes_before;
        if bytes > bytes_before {
            self.mark_growth(db, index);
        }
    }

    /// Marks a queue that grows as being filled, if it also was the last to grow; otherwise ends
    /// the mark of the one that was. The remembered entry may be gone or another one, since entries
    /// move: that costs some memory.
    fn mark_growth(&mut self, db: DbIndex, index: usize) {
        let before = self.grown.replace((db, index));
        if before == Some((db, index)) {
            if let Some(queue) = self.dbs[db].entries[index].list_mut() {
                queue.set_filling(true);
            }
        } else if let Some((db, index)) = before
            && let Some(entry) = self.dbs.get_mut(db).and_then(|db| db.entries.get_index_mut(index))
        {
            let bytes_before = entry.allocated_bytes();
            if let Some(queue) = entry.list_mut() {
                queue.set_filling(false);
            }
            self.bytes = self.bytes + entry.allocated_bytes() - bytes_before;
        }
    }

    /// Handles the consequences of a change if the entry has more than a value, or the value is
    /// empty.
    #[inline(never)]
    pub(super) fn finish_change(
        &mut self,
        db: DbIndex,
        index: usize,
        is_changed: bool,
        is_empty: bool,
    ) {
        if is_empty {
            self.keep_expiry(db, index);
            match self.dbs[db].entries[index].attachments() {
                // The whole entry is about to be dropped.
                None => self.value_has_gone(db, index),
                Some(_) => drop(self.take_content(db, index)),
            }
        }
        if is_changed {
            self.signal(db, index);
        }
        if is_empty {
            self.drop_if_unused(db, index);
        }
    }

    /// Stores the expiry of a list that became empty: messages in flight may be returned to it.
    fn keep_expiry(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries[index].full_mut() else { return };
        if let Some(queue_state) = entry.attachments.as_mut().and_then(|i| i.queue_state.as_mut())
            && queue_state.policy.as_ref().is_some_and(|policy| policy.is_at_least_once())
        {
            queue_state.expires_ms = entry.expires_ms;
        }
    }
}
