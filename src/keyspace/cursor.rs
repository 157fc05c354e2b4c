//! Iteration over the keys: SCAN, KEYS, RANDOMKEY.
//!
//! Entries are in a dense vector; a removal moves the last entry to the free index, and a new entry
//! is appended. SCAN therefore goes from the end to the start: an entry that moves during the scan
//! either moves to an index that is still to be visited, or was already visited. So every key that
//! exists from the first call to the last is returned at least once, whatever happens in between,
//! as Redis promises.

use super::{DbIndex, Entry, Keyspace, NEVER, QueueState, Value};
use crate::queue::Queue;
use crate::value::Kind;

impl Keyspace {
    /// One step of SCAN: visits up to `count` entries below `cursor` (0 starts at the end), passes
    /// keys with a value to `visit`, and returns the next cursor, or 0 at the end.
    pub(crate) fn scan<'a>(
        &'a self,
        db: DbIndex,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a [u8], &'a Value),
    ) -> u64 {
        self.walk(db, cursor, count, |key, entry| {
            if let Some(value) = entry.live_value(self.now_ms) {
                visit(key, value);
            }
        })
    }

    /// One step over the queues, as `scan`: those with messages, and those without that are under a
    /// policy.
    pub(crate) fn scan_queues<'a>(
        &'a self,
        db: DbIndex,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a [u8]),
    ) -> u64 {
        self.walk(db, cursor, count, |key, entry| {
            let is_queue = entry.live_value(self.now_ms).and_then(Queue::of).is_some();
            if is_queue || entry.attachments().is_some_and(|i| i.queue_state.is_some()) {
                visit(key);
            }
        })
    }

    fn walk<'a>(
        &'a self,
        db: DbIndex,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a [u8], &'a Entry),
    ) -> u64 {
        let entries = &self.dbs[db].entries;
        let len = entries.len();
        let from = usize::try_from(cursor).ok().filter(|&c| c > 0 && c < len).unwrap_or(len);
        let to = from.saturating_sub(count.max(1));
        for index in (to..from).rev() {
            if let Some(entry) = entries.get_index(index) {
                visit(entry.key(), entry);
            }
        }
        to as u64
    }

    /// Returns all keys of a database with their values.
    pub(crate) fn keys(&self, db: DbIndex) -> impl Iterator<Item = (&[u8], &Value)> {
        let entries = self.dbs[db].entries.iter();
        entries.filter_map(|entry| Some((entry.key(), entry.live_value(self.now_ms)?)))
    }

    /// Returns all entries of all databases.
    fn all_entries(&self) -> impl Iterator<Item = (DbIndex, &Entry)> {
        let dbs = self.dbs.iter().enumerate();
        dbs.flat_map(|(db, one)| one.entries.iter().map(move |entry| (db, entry)))
    }

    /// Returns all keys of all databases with their values and expiries, including expired ones
    /// that are not yet removed.
    pub(crate) fn all(&self) -> impl Iterator<Item = (DbIndex, &[u8], &Value, Option<i64>)> {
        self.all_entries().filter_map(|(db, entry)| {
            let expires_ms = Some(entry.expires_ms()).filter(|expires_ms| *expires_ms != NEVER);
            Some((db, entry.key(), entry.value()?, expires_ms))
        })
    }

    /// Returns the states of all queues under policies.
    pub(crate) fn queue_states(&self) -> impl Iterator<Item = (DbIndex, &[u8], &QueueState)> {
        self.all_entries().filter_map(|(db, entry)| {
            Some((db, entry.key(), entry.attachments()?.queue_state.as_deref()?))
        })
    }

    /// Returns a key of a database, chosen by a random number.
    pub(crate) fn random_key(&self, db: DbIndex, random: u64) -> Option<&[u8]> {
        let db = &self.dbs[db];
        if db.value_count == 0 {
            return None;
        }
        let len = db.entries.len();
        let start = (random % len as u64) as usize;
        // Nearly every entry has a value, so this ends soon.
        (start..len).chain(0..start).find_map(|index| {
            let entry = db.entries.get_index(index)?;
            entry.live_value(self.now_ms).map(|_| entry.key())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{End, Queue};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn put(keyspace: &mut Keyspace, number: u32) {
        let mut queue = Queue::new();
        queue.push(End::Back, b"x");
        keyspace.insert(0, number.to_string().as_bytes(), Value::List(queue), None);
    }

    proptest! {
        #[test]
        fn scan_gives_every_key_that_stays(
            stays in prop::collection::btree_set(0u32..1000, 0..100),
            changes in prop::collection::vec((any::<bool>(), 1000u32..1100), 0..300),
            count in 1usize..20,
        ) {
            let mut keyspace = Keyspace::new(1, 7);
            for number in 1000..1050 {
                put(&mut keyspace, number);
            }
            for &number in &stays {
                put(&mut keyspace, number);
            }
            let mut seen = BTreeSet::new();
            let mut changes = changes.into_iter();
            let mut cursor = 0;
            loop {
                cursor = keyspace.scan(0, cursor, count, |key, _| {
                    seen.insert(String::from_utf8_lossy(key).into_owned());
                });
                if cursor == 0 {
                    break;
                }
                for (add, number) in changes.by_ref().take(7) {
                    if add {
                        put(&mut keyspace, number);
                    } else {
                        keyspace.remove(0, number.to_string().as_bytes());
                    }
                }
                keyspace.check_invariants();
            }
            for number in stays {
                prop_assert!(seen.contains(&number.to_string()), "{} is missing", number);
            }
        }
    }
}
