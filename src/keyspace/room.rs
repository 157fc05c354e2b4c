//! Producers that wait for room in a full queue, and when there is some.

use super::{DbIndex, Key, Keyspace};
use crate::client_id::ClientId;

impl Keyspace {
    /// Makes a producer wait for room in a queue. Tickets grow with time; a lower one is served first.
    pub(crate) fn add_producer(
        &mut self,
        db: DbIndex,
        key: &[u8],
        ticket: u64,
        client: ClientId,
    ) -> Key {
        let index = self.find_or_create(db, key);
        let entry = self.entry_mut(db, index);
        entry.interest_or_default().producers.insert(ticket, client);
        entry.shared_key()
    }

    /// Ends the wait that `add_producer` began. Who is behind may fit in where this one did not.
    pub(crate) fn remove_producer(&mut self, db: DbIndex, key: &[u8], ticket: u64) {
        let Some(index) = self.find(db, key) else { return };
        self.drop_interest(db, key, |interest| {
            interest.producers.remove(&ticket);
        });
        // The entry may have gone, and another one be there: to look at that one costs nothing.
        self.note_room(db, index);
    }

    /// The producer that has waited longest for room in a queue, with its ticket.
    pub(crate) fn first_producer(&self, db: DbIndex, key: &[u8]) -> Option<(u64, ClientId)> {
        let interest = self.dbs[db].entries.get(key)?.interest()?;
        interest.producers.first_key_value().map(|(ticket, client)| (*ticket, *client))
    }

    /// How many producers wait for room in a queue.
    pub(crate) fn producer_count(&self, db: DbIndex, key: &[u8]) -> usize {
        let entry = self.dbs[db].entries.get(key);
        let interest = entry.and_then(|entry| entry.interest());
        interest.map_or(0, |interest| interest.producers.len())
    }

    /// Puts a queue for which producers wait on the list of those where there may be room.
    pub(super) fn note_room(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(entry) = entry.full_mut() else { return };
        if let Some(interest) = &mut entry.interest {
            interest.tell_producers(db, &entry.key, &mut self.roomy);
        }
    }

    /// Queues for which producers wait and where there may be room, since the last call: the one first
    /// for which somebody has waited longest.
    pub(crate) fn take_roomy(&mut self) -> Vec<(DbIndex, Key)> {
        let mut roomy = std::mem::take(&mut self.roomy);
        roomy.sort_by_key(|(db, key)| self.first_producer(*db, key).map(|(ticket, _)| ticket));
        for (db, key) in &roomy {
            if let Some(entry) = self.dbs[*db].entries.get_mut(key)
                && let Some(interest) = entry.interest_mut()
            {
                interest.is_roomy = false;
            }
        }
        roomy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_somebody_has_waited_longest_is_room_first() {
        let client = ClientId::new(1, 0);
        let mut keyspace = Keyspace::new(1, 7);
        for (key, ticket) in [(&b"late"[..], 9), (b"early", 2), (b"middle", 5), (b"late", 1)] {
            keyspace.add_producer(0, key, ticket, client);
        }
        keyspace.remove_producer(0, b"late", 1);
        for _ in 0..2 {
            keyspace.flush(0, &[]);
            let roomy: Vec<_> = keyspace.take_roomy().into_iter().map(|(_, key)| key).collect();
            assert_eq!(roomy, [&b"early"[..], b"middle", b"late"].map(Key::from));
        }
        keyspace.check_invariants();
    }
}
