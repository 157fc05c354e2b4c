//! Producers that wait for capacity in a full queue.

use super::{DbIndex, Key, Keyspace};
use crate::client_id::ClientId;

impl Keyspace {
    /// Returns the producer with the longest wait for capacity in a queue, with its ticket.
    pub(crate) fn first_producer(&self, db: DbIndex, key: &[u8]) -> Option<(u64, ClientId)> {
        let attachments = self.dbs[db].entries.get(key)?.attachments()?;
        attachments.producers.first_key_value().map(|(ticket, client)| (*ticket, *client))
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
    use crate::keyspace::Line;

    #[test]
    fn the_queue_with_the_longest_wait_comes_first() {
        let client = ClientId::new(1, 0);
        let mut keyspace = Keyspace::new(1, 7);
        for (key, ticket) in [(&b"late"[..], 9), (b"early", 2), (b"middle", 5), (b"late", 1)] {
            keyspace.join_line(0, key, Line::Producers, ticket, client);
        }
        keyspace.leave_line(0, b"late", Line::Producers, 1, client);
        for _ in 0..2 {
            keyspace.flush(0, &[]);
            let capacity_changed: Vec<_> =
                keyspace.take_capacity_changed().into_iter().map(|(_, key)| key).collect();
            assert_eq!(capacity_changed, [&b"early"[..], b"middle", b"late"].map(Key::from));
        }
        keyspace.check_invariants();
    }
}
