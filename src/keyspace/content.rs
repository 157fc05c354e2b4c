//! Values come and go, with all consequences. An entry is created for the first value, and dropped
//! when nothing is left in it.

use super::{DbIndex, ENTRY_BYTES, Keyspace, NEVER, Value};

impl Keyspace {
    /// Sets the value at a key, replacing any other; it expires at `expires_ms`.
    pub(crate) fn insert(
        &mut self,
        db: DbIndex,
        key: &[u8],
        value: Value,
        expires_ms: Option<i64>,
    ) {
        let index = self.find_or_create(db, key);
        self.drop_value_at(db, index);
        self.put_value(db, index, value);
        self.write_expiry(db, index, expires_ms);
        self.changed(db, index);
    }

    /// Removes and returns the value of a key, with its expiry.
    pub(crate) fn remove(&mut self, db: DbIndex, key: &[u8]) -> Option<(Value, Option<i64>)> {
        let index = self.find(db, key)?;
        let expires_ms = self.entry_mut(db, index).expires_ms();
        let value = self.clear_value(db, index)?;
        self.work.copied(value.allocated_bytes());
        self.changed(db, index);
        self.drop_if_unused(db, index);
        Some((value, (expires_ms != NEVER).then_some(expires_ms)))
    }

    /// Removes and drops the value of a key; false if it has none.
    pub(crate) fn delete(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let Some((value, _)) = self.remove(db, key) else { return false };
        self.drop_value(value);
        true
    }

    /// Removes and drops the value of an entry, and its expiry.
    pub(super) fn drop_value_at(&mut self, db: DbIndex, index: usize) {
        if let Some(value) = self.clear_value(db, index) {
            self.drop_value(value);
        }
    }

    #[inline]
    pub(super) fn find_or_create(&mut self, db: DbIndex, key: &[u8]) -> usize {
        self.find_or_create_sized(db, key, || 0)
    }

    /// As `find_or_create`; a new entry has capacity for this many bytes of messages.
    #[inline]
    pub(super) fn find_or_create_sized(
        &mut self,
        db: DbIndex,
        key: &[u8],
        capacity_bytes: impl FnOnce() -> usize,
    ) -> usize {
        match self.find_again(db, key) {
            Some(index) => index,
            None => self.create(db, key, capacity_bytes()),
        }
    }

    #[inline(never)]
    pub(super) fn create(&mut self, db: DbIndex, key: &[u8], capacity_bytes: usize) -> usize {
        let index = self.dbs[db].entries.add(key, self.epoch, capacity_bytes);
        self.bytes += ENTRY_BYTES + self.dbs[db].entries[index].allocated_bytes();
        self.add_suffixed(key);
        self.apply_policy(db, index);
        index
    }

    /// Sets the value of an entry that has none.
    pub(super) fn put_value(&mut self, db: DbIndex, index: usize, value: Value) {
        let (entry, hash_of) = self.dbs[db].entries.entry_and_hash(index);
        let bytes_before = entry.allocated_bytes();
        entry.set_value(value, hash_of);
        self.bytes = self.bytes + self.dbs[db].entries[index].allocated_bytes() - bytes_before;
        self.value_comes(db, index);
    }

    /// Called when an entry gets a value: just after, or while it has an empty queue that is about
    /// to get its first message.
    pub(super) fn value_comes(&mut self, db: DbIndex, index: usize) {
        let used_s = self.now_s;
        self.dbs[db].value_count += 1;
        self.entry_mut(db, index).set_used_s(used_s);
        self.stamp_value(db, index);
        let entry = self.entry_mut(db, index);
        if let Some(queue_state) = entry.attachments_mut().and_then(|i| i.queue_state.as_mut()) {
            queue_state.expires_ms = NEVER;
        }
    }

    /// Removes and returns the value of an entry, and removes its expiry.
    pub(super) fn clear_value(&mut self, db: DbIndex, index: usize) -> Option<Value> {
        self.before_change(db, index);
        let entry = self.entry_mut(db, index);
        if !entry.has_value() {
            return None;
        }
        Some(self.take_content(db, index))
    }

    /// Removes and returns the value of an entry, possibly a queue that just became empty.
    pub(super) fn take_content(&mut self, db: DbIndex, index: usize) -> Value {
        let (entry, hash_of) = self.dbs[db].entries.entry_and_hash(index);
        let bytes_before = entry.allocated_bytes();
        let value = entry.take_content(hash_of);
        self.bytes = self.bytes + self.dbs[db].entries[index].allocated_bytes() - bytes_before;
        self.value_has_gone(db, index);
        value
    }

    /// Called when an entry no longer has a value.
    pub(super) fn value_has_gone(&mut self, db: DbIndex, index: usize) {
        self.dbs[db].value_count -= 1;
        if self.entry_mut(db, index).expires_ms() != NEVER {
            self.write_expiry(db, index, None);
        }
    }

    /// Drops an entry without a value and attachments. This may move another entry to its index, so
    /// it must be the last use of an index.
    pub(super) fn drop_if_unused(&mut self, db: DbIndex, index: usize) {
        let entry = self.entry_mut(db, index);
        if entry.has_value() {
            return;
        }
        if entry.attachments().is_some() {
            return self.list_if_idle(db, index);
        }
        if let Some(entry) = self.dbs[db].entries.swap_remove(index) {
            self.bytes -= ENTRY_BYTES + entry.allocated_bytes();
            self.grown = match self.grown {
                Some(gone) if gone == (db, index) => None,
                // The last entry has moved to this index.
                Some(moved) if moved == (db, self.dbs[db].entries.len()) => Some((db, index)),
                other => other,
            };
        }
    }

    /// Handles the consequences of a changed value.
    #[inline]
    pub(super) fn changed(&mut self, db: DbIndex, index: usize) {
        self.changes += 1;
        self.signal(db, index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dict::Item;
    use crate::queue::{End, Queue};
    use crate::value::{Growth, HashValue, Kind, SetValue, SortedSet, Stream, StringValue};
    use ahash::RandomState;

    /// Values of all types, small and large.
    fn values() -> Vec<Value> {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let growth = Growth { count_max: 128, bytes_max: 64, hasher };
        let (mut queue, mut numbers) = (Queue::new(), SetValue::default());
        queue.push(End::Back, b"message");
        (0..10).for_each(|number| assert!(numbers.insert_item(Item::Integer(number), &growth)));
        let mut values = vec![queue.into_value(), numbers.into_value()];
        for text in [&b""[..], b"-7", b"text", &[b'x'; 5000]] {
            values.push(StringValue::new(text).into_value());
        }
        for count in [1, 500] {
            let (mut hash, mut set) = (HashValue::default(), SetValue::default());
            let mut sorted = SortedSet::default();
            for number in 0..count {
                let name = format!("name{number}");
                hash.set(name.as_bytes(), b"value", &growth);
                set.insert(name.as_bytes(), &growth);
                sorted.set(name.as_bytes(), 1.5, &growth);
            }
            values.extend([hash.into_value(), set.into_value(), sorted.into_value()]);
        }
        values.push(Stream::default().into_value());
        values
    }

    #[test]
    fn any_value_replaces_any_other_at_any_key() {
        let mut keyspace = Keyspace::new(1, 7);
        for key in [&b""[..], b"key", &[b'n'; 255], &[b'n'; 256]] {
            for (before, after) in values()
                .iter()
                .flat_map(|value| values().into_iter().map(|after| (value.clone(), after)))
            {
                let expected = (after.type_of(), after.len());
                keyspace.insert(0, key, before, None);
                let plain_bytes = keyspace.bytes;
                assert_eq!(keyspace.key_bytes(0, key), Some(plain_bytes));
                keyspace.check_invariants();
                assert!(keyspace.set_expiry(0, key, Some(1000)));
                assert!(keyspace.bytes >= plain_bytes);
                keyspace.check_invariants();
                assert!(keyspace.set_expiry(0, key, None));
                assert_eq!(keyspace.bytes, plain_bytes);
                assert!(keyspace.set_expiry(0, key, Some(1000)));
                keyspace.begin_snapshot();
                keyspace.insert(0, key, after, Some(2000));
                keyspace.check_invariants();
                let found = keyspace.peek(0, key).map(|value| (value.type_of(), value.len()));
                assert_eq!(found, Some(expected));
                keyspace.end_snapshot();
                let (value, expires_ms) = keyspace.remove(0, key).expect("a value");
                assert_eq!(((value.type_of(), value.len()), expires_ms), (expected, Some(2000)));
                assert_eq!(keyspace.bytes, 0);
                keyspace.check_invariants();
            }
        }
    }
}
