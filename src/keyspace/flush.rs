//! Emptying a database. What it held is put aside at once, and freed in parts.

use super::{Db, DbIndex, ENTRY_BYTES, Entry, Interest, Key, Keyspace, NEVER, Value};
use crate::deadlines::Deadlines;
use crate::slack;
use ahash::RandomState;
use indexmap::IndexMap;

/// A database with no more entries than this is emptied in its place.
const IN_PLACE_MAX: usize = 1_000;

/// What is of no use any more.
#[derive(Debug)]
pub(super) enum Trash {
    Entries(IndexMap<Key, Entry, RandomState>),
    Expiries(Deadlines<Key>),
}

impl Keyspace {
    /// Removes all values of a database. `interesting` names keys of any database that clients wait for or
    /// watch; the caller knows them from the clients, of whom there are fewer than keys.
    pub fn flush(&mut self, db: DbIndex, interesting: &[(DbIndex, Key)]) {
        // A snapshot has to see each entry as it was.
        if self.snapshot.is_some() || self.dbs[db].entries.len() <= IN_PLACE_MAX {
            return self.flush_in_place(db);
        }
        let paused: Vec<_> = self.governance.paused.iter().cloned().collect();
        let mut staying = Vec::new();
        for (other, key) in interesting.iter().chain(&paused) {
            if *other == db
                && let Some(entry) = self.dbs[db].entries.get_mut(key)
                && let Some(interest) = entry.interest.take()
            {
                staying.push((key.clone(), interest, entry.value.is_some()));
            }
        }
        self.changes += 1 + self.dbs[db].value_count as u64;
        let first_before = self.dbs[db].expiries.next();
        let Db { entries, expiries, value_count, last_found, .. } = &mut self.dbs[db];
        (*value_count, *last_found) = (0, 0);
        let empty = IndexMap::with_hasher(entries.hasher().clone());
        self.trash.push(Trash::Entries(std::mem::replace(entries, empty)));
        self.trash.push(Trash::Expiries(std::mem::take(expiries)));
        self.first_expiry_changed(db, first_before);
        self.bytes -= self.flush_departing(db);
        self.flush_governed(db);
        for (key, interest, had_value) in staying {
            self.put_flushed(db, &key, interest, had_value);
        }
    }

    /// Puts who waits for a key or watches it back to it; it has no value any more.
    fn put_flushed(
        &mut self,
        db: DbIndex,
        key: &Key,
        mut interest: Box<Interest>,
        had_value: bool,
    ) {
        self.bytes -= interest.flush();
        if had_value {
            self.broken_watches.append(&mut interest.watchers);
        }
        let index = self.find_or_create(db, key);
        let made = self.dbs[db].entries[index].interest.take().and_then(|made| made.governed);
        self.bytes -= made.map_or(0, |made| made.allocated_bytes());
        if !interest.is_unused() {
            self.dbs[db].entries[index].interest = Some(interest);
        }
        self.note_room(db, index);
        self.drop_if_unused(db, index);
    }

    /// Whether anything is left to be freed.
    #[inline]
    pub fn has_trash(&self) -> bool {
        !self.trash.is_empty()
    }

    /// Frees what was put aside, as far as there is time for it.
    pub fn free_trash(&mut self) {
        while self.work.has_time()
            && let Some(trash) = self.trash.last_mut()
        {
            self.work.keys(1);
            let is_empty = match trash {
                Trash::Entries(entries) => match entries.pop() {
                    Some((key, entry)) => {
                        self.bytes -= bytes_of(&key, &entry);
                        false
                    }
                    None => true,
                },
                Trash::Expiries(expiries) => expiries.pop_due(u64::MAX).is_none(),
            };
            if is_empty {
                self.trash.pop();
            }
        }
    }

    pub(super) fn trash_bytes(&self) -> usize {
        let bytes = |trash: &Trash| match trash {
            Trash::Entries(entries) => {
                entries.iter().map(|(key, entry)| bytes_of(key, entry)).sum()
            }
            Trash::Expiries(_) => 0,
        };
        self.trash.iter().map(bytes).sum::<usize>()
    }

    /// Goes through all entries, and leaves those in their places that somebody waits for or watches.
    fn flush_in_place(&mut self, db: DbIndex) {
        let count = self.dbs[db].value_count;
        self.changes += count as u64;
        let database = &mut self.dbs[db];
        let first_before = database.expiries.next();
        database.expiries.clear();
        self.first_expiry_changed(db, first_before);
        let database = &mut self.dbs[db];
        database.value_count = 0;
        let mut freed = 0;
        let broken = &mut self.broken_watches;
        let roomy = &mut self.roomy;
        let (snapshot, epoch, number) = (&mut self.snapshot, self.epoch, database.walk.number());
        database.entries.retain(|key, entry| {
            if let Some(snapshot) = snapshot {
                snapshot.add(entry.save(epoch, number, key));
            }
            entry.expires_ms = NEVER;
            if let Some(value) = entry.value.take() {
                freed += value.allocated_bytes();
                if let Some(interest) = &mut entry.interest {
                    broken.append(&mut interest.watchers);
                }
            }
            if let Some(interest) = &mut entry.interest {
                freed += interest.flush();
                if !interest.producers.is_empty() && !interest.is_roomy {
                    interest.is_roomy = true;
                    roomy.push((db, key.clone()));
                }
                if interest.is_unused() {
                    entry.interest = None;
                }
            }
            let keep = entry.interest.is_some();
            freed += if keep { 0 } else { ENTRY_BYTES + key.len() };
            keep
        });
        let entries = &mut database.entries;
        if let Some(capacity) = slack::smaller(entries.len(), entries.capacity()) {
            entries.shrink_to(capacity);
        }
        freed += self.flush_departing(db);
        self.bytes -= freed;
        // There may have been nothing but messages in flight or delayed.
        self.changes += u64::from(count == 0 && freed > 0);
        self.flush_governed(db);
    }
}

/// What an entry counts in the memory of the keyspace.
fn bytes_of(key: &Key, entry: &Entry) -> usize {
    let value_bytes = entry.value.as_ref().map_or(0, Value::allocated_bytes);
    let governed = entry.interest.as_ref().and_then(|interest| interest.governed.as_ref());
    ENTRY_BYTES
        + key.len()
        + value_bytes
        + governed.map_or(0, |governed| governed.allocated_bytes())
}
