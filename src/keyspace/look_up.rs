//! Look-ups of a key: its entry and its value.

use super::{Db, DbIndex, ENTRY_BYTES, Entry, Keyspace, Value, WrongType};
use crate::clock::Now;
use crate::queue::Queue;
use crate::value::Kind;

impl Keyspace {
    /// Sets the time that look-ups record as the last use, and whether look-ups of existing keys
    /// record it.
    #[inline]
    pub(crate) fn set_use_time(&mut self, now: Now, marks_use: bool) {
        // Wraps after 136 years of uptime.
        self.now_s = (now.monotonic_us / 1_000_000) as u32;
        self.marks_use = marks_use;
    }

    /// As `find`, for frequent callers: no function call if the key is that of the last look-up and
    /// has no expiry.
    #[inline(always)]
    pub(super) fn find_again(&mut self, db: DbIndex, key: &[u8]) -> Option<usize> {
        if !self.registry.is_behind {
            let Db { entries, last_found, .. } = &self.dbs[db];
            if let Some(entry) = entries.get_index(*last_found)
                && entry.stays_at(key)
            {
                return Some(*last_found);
            }
        }
        self.find(db, key)
    }

    /// Returns the index of a key's entry. An expired value is removed first, and its removal
    /// recorded: before the effects of the caller, which may depend on it. On a replica it stays, and is
    /// not found.
    #[inline(never)]
    pub(super) fn find(&mut self, db: DbIndex, key: &[u8]) -> Option<usize> {
        if self.registry.is_behind {
            self.catch_up(db, key);
        }
        let now_ms = self.now_ms;
        let Db { entries, last_found, .. } = &mut self.dbs[db];
        let is_due = match entries.get_index(*last_found) {
            Some(entry) if entry.has_key(key) => entry.is_due(now_ms),
            _ => {
                let index = entries.get_index_of(key)?;
                *last_found = index;
                entries[index].is_due(now_ms)
            }
        };
        let index = *last_found;
        if is_due {
            if self.is_following {
                return None;
            }
            self.expire_entry(db, index);
            return self.dbs[db].entries.get_index_of(key);
        }
        Some(index)
    }

    #[inline]
    pub(super) fn entry_mut(&mut self, db: DbIndex, index: usize) -> &mut Entry {
        &mut self.dbs[db].entries[index]
    }

    /// Returns the value of a key.
    pub(crate) fn get(&mut self, db: DbIndex, key: &[u8]) -> Option<&Value> {
        let index = self.find(db, key)?;
        let entry = &mut self.dbs[db].entries[index];
        entry.mark_used(self.now_s, self.marks_use);
        entry.value()
    }

    /// Returns the value of a key, without recording a use.
    pub(crate) fn peek(&self, db: DbIndex, key: &[u8]) -> Option<&Value> {
        self.dbs[db].entries.get(key)?.live_value(self.now_ms)
    }

    /// Returns the list at a key, if it has one, without recording a use.
    pub(crate) fn peek_list(&self, db: DbIndex, key: &[u8]) -> Option<&Queue> {
        self.peek(db, key).and_then(Queue::of)
    }

    /// Whether a key has a value, without recording a use.
    pub(crate) fn contains(&self, db: DbIndex, key: &[u8]) -> bool {
        self.peek(db, key).is_some()
    }

    /// Returns the value at a key, if there is one; it must have this type.
    pub(crate) fn read<T: Kind>(
        &mut self,
        db: DbIndex,
        key: &[u8],
    ) -> Result<Option<&T>, WrongType> {
        self.get(db, key).map(|value| T::of(value).ok_or(WrongType)).transpose()
    }

    /// Returns a hash of bytes, with a secret seed.
    pub(crate) fn hash_of(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash_one(bytes)
    }

    /// Returns the list at a key, if there is one.
    pub(crate) fn list(&mut self, db: DbIndex, key: &[u8]) -> Result<Option<&Queue>, WrongType> {
        self.read(db, key)
    }

    /// Returns the time of a key's last use, in seconds of the monotonic clock.
    pub(crate) fn last_use_s(&self, db: DbIndex, key: &[u8]) -> Option<u32> {
        let entry = self.dbs[db].entries.get(key)?;
        entry.live_value(self.now_ms).map(|_| entry.used_s())
    }

    /// Sets the time of a key's last use, in seconds of the monotonic clock.
    pub(crate) fn set_last_use_s(&mut self, db: DbIndex, key: &[u8], used_s: u64) {
        if let Some(index) = self.find(db, key) {
            // It is not later than now, which fits.
            self.entry_mut(db, index).set_used_s(u32::try_from(used_s).unwrap_or(u32::MAX));
        }
    }

    /// Returns the bytes of memory of one key and its value.
    pub(crate) fn key_bytes(&self, db: DbIndex, key: &[u8]) -> Option<usize> {
        let entry = self.dbs[db].entries.get(key)?;
        entry.live_value(self.now_ms).map(|_| ENTRY_BYTES + entry.allocated_bytes())
    }
}
