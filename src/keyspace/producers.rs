//! Producers that wait for capacity in a full queue.

use super::{DbIndex, Key, Keyspace};
use crate::client_id::ClientId;

impl Keyspace {
    /// Makes a producer wait for capacity in a queue. Tickets grow with time; a lower one is served
    /// first.
    pub(crate) fn add_producer(
        &mut self,
        db: DbIndex,
        key: &[u8],
        ticket: u64,
        client: ClientId,
    ) -> Key {
        let index = self.find_or_create(db, key);
        let entry = self.entry_mut(db, index);
        entry.attachments_or_default().producers.insert(ticket, client);
        entry.shared_key()
    }

    /// Ends the wait that `add_producer` began. A producer further back may fit when this one's
    /// push was too large.
    pub(crate) fn remove_producer(&mut self, db: DbIndex, key: &[u8], ticket: u64) {
        let Some(index) = self.find(db, key) else { return };
        self.change_attachments(db, key, |attachments| {
            attachments.producers.remove(&ticket);
        });
        // The index may have another entry now; to mark that one costs nothing.
        self.mark_capacity_changed(db, index);
    }

    /// Returns the producer with the longest wait for capacity in a queue, with its ticket.
    pub(crate) fn first_producer(&self, db: DbIndex, key: &[u8]) -> Option<(u64, ClientId)> {
        let attachments = self.dbs[db].entries.get(key)?.attachments()?;
        attachments.producers.first_key_value().map(|(ticket, client)| (*ticket, *client))
    }

    /// Returns the number of producers that wait for capacity in a queue.
    pub(crate) fn producer_count(&self, db: DbIndex, key: &[u8]) -> usize {
        let entry = self.dbs[db].entries.get(key);
        let attachments = entry.and_then(|entry| entry.attachments());
        attachments.map_or(0, |attachments| attachments.producers.len())
    }

    /// Marks a queue with waiting producers as one whose capacity changed.
    pub(super) fn mark_capacity_changed(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(entry) = entry.full_mut() else { return };
        if let Some(attachments) = &mut entry.attachments {
            attachments.tell_producers(db, &entry.key, &mut self.capacity_changed);
        }
    }

    /// Returns the queues with waiting producers whose capacity changed since the last call, the
    /// longest wait first.
    pub(crate) fn take_capacity_changed(&mut self) -> Vec<(DbIndex, Key)> {
        let mut capacity_changed = std::mem::take(&mut self.capacity_changed);
        capacity_changed
            .sort_by_key(|(db, key)| self.first_producer(*db, key).map(|(ticket, _)| ticket));
        for (db, key) in &capacity_changed {
            if let Some(entry) = self.dbs[*db].entries.get_mut(key)
                && let Some(attachments) = entry.attachments_mut()
            {
                attachments.has_capacity_changed = false;
            }
        }
        capacity_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_with_the_longest_wait_comes_first() {
        let client = ClientId::new(1, 0);
        let mut keyspace = Keyspace::new(1, 7);
        for (key, ticket) in [(&b"late"[..], 9), (b"early", 2), (b"middle", 5), (b"late", 1)] {
            keyspace.add_producer(0, key, ticket, client);
        }
        keyspace.remove_producer(0, b"late", 1);
        for _ in 0..2 {
            keyspace.flush(0, &[]);
            let capacity_changed: Vec<_> =
                keyspace.take_capacity_changed().into_iter().map(|(_, key)| key).collect();
            assert_eq!(capacity_changed, [&b"early"[..], b"middle", b"late"].map(Key::from));
        }
        keyspace.check_invariants();
    }
}
