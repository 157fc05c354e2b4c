//! Messages dropped by a command. Many of them are moved aside at once, and freed in parts.

use super::holdings::Holder;
use super::trash::{FREED_AT_ONCE, Trash};
use super::{DbIndex, Key, Keyspace};
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

    fn throw_away(&mut self, trash: Trash) {
        self.bytes += trash.message_bytes();
        self.trash.push(trash);
    }
}
