//! Expiry of values. Each database has its deadlines, and one more set has the earliest of each
//! database, so that a turn checks one number.

use super::{Db, DbIndex, Key, Keyspace, NEVER};
use crate::policy::{DELAYED, IN_FLIGHT};

impl Keyspace {
    /// Returns the expiry of a key in Unix milliseconds: `None` without a value, `Some(None)`
    /// without an expiry.
    pub(crate) fn expiry(&self, db: DbIndex, key: &[u8]) -> Option<Option<i64>> {
        let entry = self.dbs[db].entries.get(key)?;
        entry.live_value(self.now_ms)?;
        Some(Some(entry.expires_ms()).filter(|expires_ms| *expires_ms != NEVER))
    }

    /// Sets or clears the expiry of a key, in Unix milliseconds; false if it has no value.
    pub(crate) fn set_expiry(&mut self, db: DbIndex, key: &[u8], expires_ms: Option<i64>) -> bool {
        let Some(index) = self.find(db, key) else { return false };
        if !self.entry_mut(db, index).has_value() {
            return false;
        }
        self.write_expiry(db, index, expires_ms);
        self.changed(db, index);
        true
    }

    /// Returns the earliest expiry in Unix milliseconds.
    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.due_dbs.next()
    }

    /// Removes up to `limit` values that have expired by the time of the turn; true if none are
    /// left. Commands do not see the remaining ones.
    pub(crate) fn expire(&mut self, limit: usize) -> bool {
        let now_ms = self.now_ms;
        let mut left = limit;
        while left > 0
            && let Some((due, &db)) = self.due_dbs.first()
            && due <= deadline(now_ms)
            && let Some((_, key)) = self.dbs[db].expiries.first()
        {
            left -= 1;
            let key = key.clone();
            // Removes the expired value, with all consequences.
            self.find(db, &key);
        }
        self.due_dbs.next().is_none_or(|due| due > deadline(now_ms))
    }

    #[cold]
    pub(super) fn expire_entry(&mut self, db: DbIndex, index: usize) {
        self.drop_value_at(db, index);
        self.expired_count += 1;
        let Some(entry) = self.dbs[db].entries.get_index(index) else { return };
        let key = entry.shared_key();
        for suffix in self.clear_hidden_of_expired(db, &key) {
            self.effects.add(db, [&b"DEL"[..], &[&key, suffix].concat()]);
        }
        self.effects.add(db, [&b"DEL"[..], &key]);
        // An entry without another use was removed.
        let Some(index) = self.dbs[db].entries.get_index_of(&key) else { return };
        self.signal(db, index);
        self.drop_if_unused(db, index);
    }

    /// Sets an entry's expiry and updates the deadlines.
    pub(super) fn write_expiry(&mut self, db: DbIndex, index: usize, expires_ms: Option<i64>) {
        self.before_change(db, index);
        let first_before = self.dbs[db].expiries.next();
        let Db { entries, expiries, .. } = &mut self.dbs[db];
        let Some(entry) = entries.get_index_mut(index) else { return };
        if entry.expires_ms() != NEVER {
            expiries.remove(deadline(entry.expires_ms()), entry.shared_key());
        }
        let bytes_before = entry.allocated_bytes();
        entry.set_expires_ms(expires_ms.unwrap_or(NEVER));
        self.bytes = self.bytes + entry.allocated_bytes() - bytes_before;
        if let Some(expires_ms) = expires_ms {
            expiries.insert(deadline(expires_ms), entry.shared_key());
        }
        self.first_expiry_changed(db, first_before);
    }

    /// Drops the messages of an expired queue that are in flight or delayed. Returns the suffixes
    /// of their lists in append files.
    fn clear_hidden_of_expired(&mut self, db: DbIndex, key: &Key) -> Vec<&'static [u8]> {
        if !self.has_policies() {
            return Vec::new();
        }
        // The policy keeps the entry at its index, even without a value.
        let had_delayed = self.clear_delayed(db, key);
        let had_in_flight = self.clear_in_flight(db, key);
        let names = [(had_delayed, DELAYED), (had_in_flight, IN_FLIGHT)];
        names.into_iter().filter_map(|(had_any, name)| had_any.then_some(name)).collect()
    }

    /// Updates `due_dbs` after a change of a database's expiries. `first_before` is the earliest
    /// before it.
    pub(super) fn first_expiry_changed(&mut self, db: DbIndex, first_before: Option<u64>) {
        self.due_dbs.shift(first_before, self.dbs[db].expiries.next(), db);
    }
}

/// Returns a Unix time as a deadline; times before 1970 are due at once.
fn deadline(expires_ms: i64) -> u64 {
    expires_ms.max(0) as u64
}

#[cfg(test)]
mod tests {
    use crate::clock::Now;
    use crate::keyspace::{Keyspace, Value};
    use crate::queue::{End, Queue};
    use crate::value::StringValue;

    #[test]
    fn a_step_removes_no_more_than_it_may_and_says_what_is_left() {
        let mut keyspace = Keyspace::new(2, 7);
        for (db, key) in [(0, b"a"), (1, b"b"), (0, b"c"), (1, b"d")] {
            let mut queue = Queue::new();
            queue.push(End::Back, b"x");
            keyspace.insert(db, key, Value::List(queue), Some(10));
        }
        for (ms, expected) in [(9, (true, 0)), (10, (false, 3)), (10, (true, 4))] {
            keyspace.set_time(Now { unix_us: ms * 1_000, monotonic_us: 0 });
            let is_done = keyspace.expire(3);
            assert_eq!((is_done, keyspace.expired_count()), expected);
            assert_eq!(keyspace.len(0) + keyspace.len(1), 4 - expected.1 as usize);
            keyspace.check_invariants();
        }
    }

    #[test]
    fn expiry_by_a_look_up_is_recorded_where_it_happens() {
        let mut keyspace = Keyspace::new(2, 7);
        let reader = keyspace.effects.begin_reading();
        for (db, key, ms) in [(0, b"a", 10), (1, b"b", 10), (1, b"c", 20)] {
            keyspace.insert(db, key, Value::String(StringValue::text(b"x")), Some(ms));
        }
        keyspace.set_time(Now { unix_us: 10_000, monotonic_us: 0 });
        keyspace.effects.begin_group();
        assert!(keyspace.get(1, b"b").is_none() && keyspace.get(1, b"c").is_some());
        keyspace.effects.record(0, [&b"SET"[..], b"a", b"y"]);
        keyspace.effects.end_group();
        assert!(keyspace.get(0, b"a").is_none() && keyspace.expire(3));
        let mut stream = Vec::new();
        keyspace.effects.seal();
        keyspace.effects.take_into(&reader, &mut stream);
        let stream = String::from_utf8_lossy(&stream).replace("\r\n", " ");
        let group = "*2 $6 select $1 1 *2 $3 DEL $1 b *2 $6 select $1 0 *3 $3 SET $1 a $1 y ";
        assert_eq!(stream, format!("*1 $5 MULTI {group}*1 $4 EXEC *2 $3 DEL $1 a "));
        assert_eq!(keyspace.expired_count(), 2);
    }
}
