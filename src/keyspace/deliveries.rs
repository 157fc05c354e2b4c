//! What is in flight of all queues, by queue and by client.

use super::in_flight::{Delivery, Place};
use super::{DbIndex, Key, Keyspace};
use crate::client_id::ClientId;

impl Keyspace {
    /// Messages in flight of all queues.
    #[inline]
    pub fn in_flight_len(&self) -> usize {
        self.governance.holdings.len()
    }

    /// The number of the next delivery.
    pub fn next_delivery(&mut self) -> u64 {
        self.governance.last_delivery += 1;
        self.governance.last_delivery
    }

    /// Makes the numbers of deliveries to come larger than this.
    pub fn raise_delivery(&mut self, number: u64) {
        self.governance.last_delivery = self.governance.last_delivery.max(number);
    }

    /// Notes that a message is in flight under this number, which `next_delivery` gave.
    pub fn add_delivery(&mut self, db: DbIndex, key: &[u8], number: u64, delivery: Delivery) {
        let Some(index) = self.find(db, key) else { return };
        let Some((key, _)) = self.dbs[db].entries.get_index(index) else { return };
        let key = key.clone();
        self.governance.holdings.insert((delivery.owner, db, key.clone(), number));
        self.change_governed(db, &key, |governed| governed.in_flight.add(number, delivery));
    }

    /// Takes a message out of those in flight, and tells where it stood among those of its queue.
    pub fn remove_delivery(
        &mut self,
        db: DbIndex,
        key: &Key,
        number: u64,
    ) -> Option<(Delivery, Place)> {
        let removed = self.change_governed(db, key, |governed| governed.in_flight.remove(number));
        let (delivery, place) = removed.flatten()?;
        self.governance.holdings.remove(&(delivery.owner, db, key.clone(), number));
        Some((delivery, place))
    }

    /// What a client has in flight, by queue, the oldest of each queue first.
    pub fn held_by(&self, client: ClientId) -> impl Iterator<Item = (DbIndex, &Key, u64)> {
        let first = (client, 0, Key::default(), 0);
        let own = self.governance.holdings.range(first..);
        own.take_while(move |(owner, ..)| *owner == client)
            .map(|(_, db, key, number)| (*db, key, *number))
    }

    /// The oldest messages that a client has in flight of one queue, up to `count`.
    pub fn held_of(&self, client: ClientId, db: DbIndex, key: &Key, count: usize) -> Vec<u64> {
        let own = self.governance.holdings.range((client, db, key.clone(), 0)..);
        let own = own.take_while(|held| (held.0, held.1, &held.2) == (client, db, key));
        own.take(count).map(|(.., number)| *number).collect()
    }

    /// Whether a client has anything in flight.
    #[inline]
    pub fn holds_any(&self, client: ClientId) -> bool {
        !self.governance.holdings.is_empty() && self.held_by(client).next().is_some()
    }
}
