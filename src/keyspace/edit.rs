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
    /// A policy governs the queue or needs its name, or it is paused; nothing was done.
    Governed,
}

/// What a change is to do where it finds no list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Stays,
    IsMade,
}

/// Which queues a change is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    PlainOnes,
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
        Ok(self.change_at(db, index, For::PlainOnes, Missing::Stays, attempt))
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
        let attempt = |queue: &mut Queue| (change(queue), true);
        Ok(self.change_at(db, index, For::PlainOnes, Missing::IsMade, attempt))
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
        match self.change_at(db, index, For::All, Missing::Stays, attempt) {
            Plain::Changed(result) => Ok(Some(result)),
            Plain::Absent | Plain::Governed => Ok(None),
        }
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
        let attempt = |queue: &mut Queue| (change(queue), true);
        match self.change_at(db, index, For::All, Missing::IsMade, attempt) {
            Plain::Changed(result) => Ok(result),
            Plain::Absent | Plain::Governed => unreachable!("it is for all, and made if missing"),
        }
    }

    /// Changes the list of an entry.
    #[inline]
    fn change_at<R>(
        &mut self,
        db: DbIndex,
        index: usize,
        queues: For,
        missing: Missing,
        attempt: impl FnOnce(&mut Queue) -> (R, bool),
    ) -> Plain<R> {
        let mut entry = &mut self.dbs[db].entries[index];
        if queues == For::PlainOnes
            && let Some(interest) = &entry.interest
            && interest.governed.is_some()
            && self.governance.is_on
        {
            return Plain::Governed;
        }
        if self.snapshot.is_some() {
            self.before_change(db, index);
            entry = &mut self.dbs[db].entries[index];
        }
        if entry.value.is_none() && missing == Missing::IsMade {
            if queues == For::PlainOnes && self.is_reserved(db, index) {
                return Plain::Governed;
            }
            self.put_value(db, index, Value::List(Queue::new()));
            entry = &mut self.dbs[db].entries[index];
        }
        let Some(Value::List(queue)) = &mut entry.value else { return Plain::Absent };
        // While files are loaded the clock stands at zero, and they say what is fresh.
        if queue.is_stamped() && self.queue_ms != 0 {
            queue.set_fresh_ms(self.queue_ms);
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
        Plain::Changed(result)
    }

    /// What follows from a change where somebody is interested, or nothing is left.
    #[inline(never)]
    fn finish_change(&mut self, db: DbIndex, index: usize, is_changed: bool, is_empty: bool) {
        if is_empty {
            self.keep_expiry(db, index);
            self.clear_value(db, index);
        }
        if is_changed {
            self.signal(db, index);
        }
        if is_empty {
            self.drop_if_unused(db, index);
        }
    }

    /// Remembers when a list expires that becomes empty: the messages that are in flight may come back.
    fn keep_expiry(&mut self, db: DbIndex, index: usize) {
        let entry = &mut self.dbs[db].entries[index];
        if let Some(governed) = entry.interest.as_mut().and_then(|i| i.governed.as_mut())
            && governed.policy.as_ref().is_some_and(|policy| policy.is_at_least_once())
        {
            governed.expires_ms = entry.expires_ms;
        }
    }
}
