//! Walking over the keys: SCAN, KEYS, RANDOMKEY.
//!
//! Entries lie densely in a vector; removing one moves the last into its place, adding one puts
//! it at the end. SCAN therefore walks from the end to the start: an entry that moves while the
//! scan is under way can only move to a place the scan has still to visit, or was visited
//! already. So every key that is there from the first call to the last is given at least once,
//! whatever happens in between, which is Redis' promise.

use super::{DbIndex, Entry, Keyspace, NEVER, QueueState, Value};
use crate::queue::Queue;
use crate::value::Kind;

impl Keyspace {
    /// One step of SCAN: visits up to `count` keys below `cursor` (0 begins at the end), hands
    /// those with a value to `visit`, and returns the cursor to go on with, 0 at the end.
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

    /// One step over the queues, as `scan` goes over the keys: those that have messages, and those
    /// without that are under a policy.
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

    /// All keys of a database with their values.
    pub(crate) fn keys(&self, db: DbIndex) -> impl Iterator<Item = (&[u8], &Value)> {
        let entries = self.dbs[db].entries.iter();
        entries.filter_map(|entry| Some((entry.key(), entry.live_value(self.now_ms)?)))
    }

    /// All keys of all databases with their values and expiries, also what is due and not removed
    /// yet.
    pub(crate) fn all(&self) -> impl Iterator<Item = (DbIndex, &[u8], &Value, Option<i64>)> {
        let entries = self
            .dbs
            .iter()
            .enumerate()
            .flat_map(|(db, one)| one.entries.iter().map(move |entry| (db, entry)));
        entries.filter_map(|(db, entry)| {
            let expires_ms = Some(entry.expires_ms()).filter(|expires_ms| *expires_ms != NEVER);
            Some((db, entry.key(), entry.value()?, expires_ms))
        })
    }

    /// What belongs to all queues under policies.
    pub(crate) fn queue_states(&self) -> impl Iterator<Item = (DbIndex, &[u8], &QueueState)> {
        let entries = self
            .dbs
            .iter()
            .enumerate()
            .flat_map(|(db, one)| one.entries.iter().map(move |entry| (db, entry)));
        entries.filter_map(|(db, entry)| {
            Some((db, entry.key(), entry.attachments()?.queue_state.as_deref()?))
        })
    }

    /// A key of a database, chosen by a random number.
    pub(crate) fn random_key(&self, db: DbIndex, random: u64) -> Option<&[u8]> {
        let db = &self.dbs[db];
        if db.value_count == 0 {
            return None;
        }
        let len = db.entries.len();
        let start = (random % len as u64) as usize;
        // Nearly every entry has a value, so that this ends soon.
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
