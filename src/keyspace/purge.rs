//! Messages dropped by a command. Many of them are moved aside at once, and freed in parts.

use super::holdings::Holder;
use super::trash::{FREED_AT_ONCE, Trash};
use super::{DbIndex, Key, Keyspace, Value};
use std::collections::BTreeSet;

impl Keyspace {
    /// Drops the ready messages of a queue.
    pub(crate) fn drop_ready(&mut self, db: DbIndex, key: &[u8]) {
        let dropped = self.change_list(db, key, |queue| queue.detach(0, queue.len()));
        match dropped.ok().flatten() {
            Some(messages) if messages.len() > FREED_AT_ONCE => {
                self.throw_away(Trash::Messages(messages));
            }
            // Freed here.
            messages => self.work.looked_at(messages.map_or(0, |messages| messages.len())),
        }
    }

    /// Drops the messages in flight of a queue; true if there were any.
    pub(crate) fn clear_in_flight(&mut self, db: DbIndex, key: &Key) -> bool {
        let Some(queue_state) = self.queue_state(db, key) else { return false };
        let count = queue_state.in_flight.len();
        let holders = queue_state.in_flight.iter().map(|(_, delivery)| delivery.holder(db));
        let holders: BTreeSet<Holder> = holders.collect();
        self.work.looked_at(count);
        for holder in holders {
            self.registry.holdings.forget_queue(holder, key);
        }
        if count == 0 {
            return false;
        }
        let dropped = self
            .change_queue_state(db, key, |queue_state| std::mem::take(&mut queue_state.in_flight));
        match dropped {
            Some(in_flight) if count > FREED_AT_ONCE => {
                self.throw_away(Trash::InFlight(in_flight));
            }
            // Freed here.
            _ => self.work.looked_at(count),
        }
        if let Some(index) = self.find(db, key) {
            self.deliveries_ended(db, index);
        }
        true
    }

    /// Drops a value that no entry has any more.
    #[inline]
    pub(crate) fn drop_value(&mut self, value: Value) {
        let cost = value.freeing_cost();
        if cost > FREED_AT_ONCE {
            self.throw_away(Trash::Value(value));
        } else {
            self.work.elements(cost);
        }
    }

    fn throw_away(&mut self, trash: Trash) {
        self.bytes += trash.message_bytes();
        self.trash.push(trash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Expiry;
    use crate::value::{Growth, Kind, SetValue, StringValue};

    fn large_set(keyspace: &Keyspace) -> Value {
        let growth =
            Growth { hasher: keyspace.hasher().clone(), count_max: 512, bytes_max: usize::MAX };
        let mut set = SetValue::default();
        for number in 0..20_000 {
            set.insert(format!("member:{number}").as_bytes(), &growth);
        }
        set.into_value()
    }

    /// Whatever ends it.
    #[test]
    fn a_large_set_is_freed_in_parts() {
        let ends: &[fn(&mut Keyspace)] = &[
            |keyspace| assert!(keyspace.delete(0, b"s")),
            |keyspace| keyspace.insert(0, b"s", StringValue::text(b"v").into_value(), None),
            |keyspace| {
                keyspace.write(0, b"s", Expiry::Never, |string: &mut StringValue| string.set(b"v"));
            },
            |keyspace| keyspace.flush(0, &[]),
        ];
        for (number, end) in ends.iter().enumerate() {
            let mut keyspace = Keyspace::new(1, 7);
            let set = large_set(&keyspace);
            let large = set.allocated_bytes();
            keyspace.insert(0, b"s", set, None);
            end(&mut keyspace);
            assert!(keyspace.has_trash() && keyspace.bytes() > large / 2, "end {number}");
            keyspace.check_invariants();
            let mut turns = 0;
            while keyspace.has_trash() {
                keyspace.work.begin_turn(20);
                keyspace.work.begin_chores();
                keyspace.free_trash();
                keyspace.work.end_chores();
                keyspace.check_invariants();
                turns += 1;
            }
            assert!(turns > 3 && keyspace.bytes() < 1_000, "end {number}: {turns} turns");
        }
    }
}
