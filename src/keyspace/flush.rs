//! Flushing a database. Its content is moved aside at once, and freed in parts.

use super::entries::{Entries, hash_of};
use super::entry::Full;
use super::trash::{FREED_AT_ONCE, Trash};
use super::{Attachments, Db, DbIndex, ENTRY_BYTES, Entry, Key, Keyspace, NEVER, Value};

/// Steps for a part of a value: some allocations.
const PART_STEPS: usize = 16;

/// A database with at most this many entries is flushed in place.
const IN_PLACE_MAX: usize = 1_000;

impl Keyspace {
    /// Removes all values of a database. `attached` names the keys of any database that clients
    /// wait for or watch; the caller gets them from the clients, which are fewer than the keys.
    pub(crate) fn flush(&mut self, db: DbIndex, attached: &[(DbIndex, Key)]) {
        if self.dbs[db].entries.len() <= IN_PLACE_MAX {
            return self.flush_in_place(db);
        }
        let paused: Vec<_> = self.registry.paused.iter().cloned().collect();
        let mut staying = Vec::new();
        for (other, key) in attached.iter().chain(&paused) {
            if *other != db {
                continue;
            }
            let Some(index) = self.dbs[db].entries.get_index_of(key) else { continue };
            // The queue's state is about to be removed.
            self.before_change(db, index);
            let entry = &mut self.dbs[db].entries[index];
            if let Some(attachments) = entry.take_attachments() {
                staying.push((key.clone(), attachments, entry.has_value()));
            }
        }
        self.changes += 1 + self.dbs[db].value_count as u64;
        let first_before = self.dbs[db].expiries.next();
        let first_due_before = self.dbs[db].dues.next();
        let Db { entries, expiries, dues, value_count, last_found, walk, .. } = &mut self.dbs[db];
        (*value_count, *last_found) = (0, 0);
        let empty = Entries::with_hasher(entries.hasher().clone());
        self.trash.push(Trash::Entries(std::mem::replace(entries, empty), walk.take()));
        self.trash.push(Trash::Expiries(std::mem::take(expiries)));
        self.trash.push(Trash::Dues(std::mem::take(dues)));
        self.first_expiry_changed(db, first_before);
        self.first_due_changed(db, first_due_before);
        self.bytes -= self.flush_departing(db);
        self.flush_queue_state(db);
        for (key, attachments, had_value) in staying {
            self.put_flushed(db, &key, attachments, had_value);
        }
        self.schedule_ends_of_pauses(db);
    }

    /// Reattaches waiters, watchers and the state of a queue to a key that no longer has a value.
    fn put_flushed(
        &mut self,
        db: DbIndex,
        key: &Key,
        mut attachments: Box<Attachments>,
        had_value: bool,
    ) {
        self.bytes -= attachments.flush();
        if had_value {
            self.broken_watches.append(&mut attachments.watchers);
        }
        let index = self.find_or_create(db, key);
        let made = self.dbs[db].entries[index].take_attachments().and_then(|made| made.queue_state);
        self.bytes -= made.map_or(0, |made| made.allocated_bytes());
        if !attachments.is_unused() {
            self.dbs[db].entries[index].set_attachments(Some(attachments));
        }
        self.mark_capacity_changed(db, index);
        self.changed_for_waiters(db, index);
        self.drop_if_unused(db, index);
    }

    /// Whether there is data that can be freed now.
    #[inline]
    pub(crate) fn has_trash(&self) -> bool {
        self.trash.iter().any(|trash| !trash.is_needed())
    }

    /// Frees data moved aside, within the turn's budget.
    pub(crate) fn free_trash(&mut self) {
        while self.work.has_time()
            && let Some(at) = self.trash.iter().rposition(|trash| !trash.is_needed())
        {
            self.work.keys(1);
            if let Trash::Value(_) = self.trash[at] {
                self.work.elements(PART_STEPS);
            }
            let mut large = None;
            let message_bytes_before = self.trash[at].message_bytes();
            let is_empty = match &mut self.trash[at] {
                Trash::Entries(entries, _) => match entries.pop() {
                    Some(mut entry) => {
                        self.bytes -= bytes_of(&entry);
                        // The entry is not used again, whatever its hash.
                        large = take_large(&mut entry, |_| 0);
                        false
                    }
                    None => true,
                },
                Trash::Expiries(expiries) => expiries.pop_first().is_none(),
                Trash::Dues(dues) => dues.pop_first().is_none(),
                messages => messages.free_messages(),
            };
            self.bytes = self.bytes + self.trash[at].message_bytes() - message_bytes_before;
            if is_empty {
                let gone = self.trash.swap_remove(at);
                self.bytes -= gone.message_bytes();
            }
            large.into_iter().for_each(|value| self.drop_value(value));
        }
    }

    pub(super) fn trash_bytes(&self) -> usize {
        let bytes = |trash: &Trash| match trash {
            Trash::Entries(entries, _) => entries.iter().map(bytes_of).sum(),
            messages => messages.message_bytes(),
        };
        self.trash.iter().map(bytes).sum::<usize>()
    }

    /// Goes through all entries, and keeps those that clients wait for or watch.
    fn flush_in_place(&mut self, db: DbIndex) {
        let count = self.dbs[db].value_count;
        self.changes += count as u64;
        let database = &mut self.dbs[db];
        let (first_expiry, first_due) = (database.expiries.next(), database.dues.next());
        database.expiries.clear();
        database.dues.clear();
        self.first_expiry_changed(db, first_expiry);
        self.first_due_changed(db, first_due);
        let database = &mut self.dbs[db];
        database.value_count = 0;
        let mut freed = 0;
        let mut large = Vec::new();
        let broken = &mut self.broken_watches;
        let capacity_changed = &mut self.capacity_changed;
        let ready = &mut self.ready;
        let (snapshot, epoch, number) = (&mut self.snapshot, self.epoch, database.walk.number);
        let hasher = database.entries.hasher().clone();
        // From the end, since a removal moves the last entry to the free index.
        for index in (0..database.entries.len()).rev() {
            let entry = &mut database.entries[index];
            if let Some(snapshot) = snapshot {
                snapshot.save(entry, epoch, number);
            }
            let had_value = entry.has_value();
            freed += entry.allocated_bytes();
            entry.set_expires_ms(NEVER);
            if had_value {
                large.extend(take_large(entry, hash_of(&hasher)));
                entry.take_content(hash_of(&hasher));
            }
            if let Some(Full { key, attachments: Some(attachments), value, .. }) = entry.full_mut()
            {
                if had_value {
                    broken.append(&mut attachments.watchers);
                }
                freed += attachments.flush();
                attachments.tell_producers(db, key, capacity_changed);
                attachments.tell_waiters(db, key, value, ready);
                if attachments.is_unused() {
                    entry.set_attachments(None);
                }
            }
            if entry.attachments().is_some() {
                freed -= entry.allocated_bytes();
            } else {
                freed += ENTRY_BYTES;
                database.entries.swap_remove(index);
            }
        }
        freed += self.flush_departing(db);
        self.bytes -= freed;
        large.into_iter().for_each(|value| self.drop_value(value));
        // There may have been only messages in flight or delayed.
        self.changes += u64::from(count == 0 && freed > 0);
        self.flush_queue_state(db);
        self.schedule_ends_of_pauses(db);
    }
}

/// Takes the value of an entry, if it is to be freed in parts.
fn take_large(entry: &mut Entry, hash_of: impl FnOnce(&[u8]) -> u32) -> Option<Value> {
    let is_large = entry.value().is_some_and(|value| value.freeing_cost() > FREED_AT_ONCE);
    is_large.then(|| entry.take_content(hash_of))
}

/// Returns the memory of an entry as the keyspace counts it.
pub(super) fn bytes_of(entry: &Entry) -> usize {
    let queue_state = entry.attachments().and_then(|attachments| attachments.queue_state.as_ref());
    ENTRY_BYTES
        + entry.allocated_bytes()
        + queue_state.map_or(0, |queue_state| queue_state.allocated_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Value;
    use crate::queue::{End, Queue};

    /// Even if a snapshot must save each entry first.
    #[test]
    fn a_flushed_database_frees_its_table() {
        for has_snapshot in [false, true] {
            let mut keyspace = Keyspace::new(1, 7);
            for number in 0..5_000 {
                let mut queue = Queue::new();
                queue.push(End::Back, b"x");
                keyspace.insert(0, format!("{number}").as_bytes(), Value::List(queue), None);
            }
            let most = keyspace.dbs[0].entries.capacity();
            if has_snapshot {
                keyspace.begin_snapshot();
            }
            keyspace.flush(0, &[]);
            keyspace.check_invariants();
            let left = keyspace.dbs[0].entries.capacity();
            assert!(most >= 5_000 && left < 500, "{left} of {most}");
        }
    }
}
