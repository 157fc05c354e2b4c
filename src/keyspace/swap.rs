//! Swapping two databases.

use super::{Attachments, DbIndex, Key, Keyspace};

impl Keyspace {
    /// Swaps the values of two databases. Waiters and watchers belong to the number of a database
    /// and stay with it: a client that waits for a key with a value now is served, the longest wait
    /// first; watches on keys that existed on either side break.
    ///
    /// `attached` names the keys of both databases that clients wait for, the longest wait first,
    /// or watch. The caller gets them from the clients, which are fewer than the keys.
    pub(crate) fn swap(&mut self, a: DbIndex, b: DbIndex, attached: &[(DbIndex, Key)]) {
        if a == b {
            return;
        }
        // Expired values are removed first, while each database has its number: their removal is
        // recorded with it.
        for (_, key) in attached {
            self.find(a, key);
            self.find(b, key);
        }
        let mut taken: Vec<(DbIndex, &Key, Box<Attachments>)> = Vec::new();
        for (db, key) in attached {
            let exists = self.contains(a, key) || self.contains(b, key);
            if let Some(mut attachments) = self.take_attachments(*db, key) {
                // Their messages in flight go to the other database.
                attachments.waiters.bring_all_back();
                if exists {
                    self.broken_watches.append(&mut attachments.watchers);
                }
                taken.push((*db, key, attachments));
            }
        }
        let firsts = [a, b].map(|db| (self.dbs[db].expiries.next(), self.dbs[db].dues.next()));
        self.dbs.swap(a, b);
        self.swap_queue_states(a, b);
        for (db, (first_expiry, first_due)) in [a, b].into_iter().zip(firsts) {
            self.first_expiry_changed(db, first_expiry);
            self.first_due_changed(db, first_due);
        }
        self.changes += 1;
        // Keys of one wait stay in the given order, since the sort is stable.
        taken.sort_by_key(|(_, _, attachments)| attachments.waiters.first_ticket());
        for (db, key, attachments) in taken {
            self.put_attachments(db, key, *attachments);
        }
    }

    fn take_attachments(&mut self, db: DbIndex, key: &[u8]) -> Option<Box<Attachments>> {
        let index = self.find(db, key)?;
        let entry = self.entry_mut(db, index);
        let mut taken = entry.take_attachments()?;
        // The queue's state moves with its messages.
        if let Some(queue_state) = taken.queue_state.take() {
            let own = Attachments { queue_state: Some(queue_state), ..Attachments::default() };
            entry.set_attachments(Some(Box::new(own)));
        }
        self.drop_if_unused(db, index);
        Some(taken)
    }

    fn put_attachments(&mut self, db: DbIndex, key: &[u8], attachments: Attachments) {
        if attachments.is_unused() {
            return;
        }
        let index = self.find_or_create(db, key);
        let entry = self.entry_mut(db, index);
        let queue_state = entry.take_attachments().and_then(|own| own.queue_state);
        entry.set_attachments(Some(Box::new(Attachments { queue_state, ..attachments })));
        self.changed_for_waiters(db, index);
        self.mark_capacity_changed(db, index);
    }
}

#[cfg(test)]
mod tests {
    use crate::client_id::ClientId;
    use crate::keyspace::{Key, Keyspace, Line, Value};
    use crate::queue::{End, Queue};

    fn list(message: &[u8]) -> Value {
        let mut queue = Queue::new();
        queue.push(End::Back, message);
        Value::List(queue)
    }

    #[test]
    fn waiters_and_watchers_stay_with_the_number() {
        let (waiter, watcher) = (ClientId::new(1, 0), ClientId::new(2, 1));
        let mut keyspace = Keyspace::new(2, 7);
        keyspace.insert(1, b"q", list(b"x"), Some(1000));
        keyspace.insert(1, b"other", list(b"y"), None);
        let waited = keyspace.join_line(0, b"q", Line::Waiters, 3, waiter);
        let watched = keyspace.watch(0, b"missing", watcher).expect("a new watch");
        let attached = [(0, waited.clone()), (0, waited), (0, watched)];

        keyspace.swap(0, 1, &attached);
        keyspace.check_invariants();
        assert_eq!((keyspace.len(0), keyspace.len(1)), (2, 0));
        assert_eq!((keyspace.expiring_len(0), keyspace.expiring_len(1)), (1, 0));
        assert_eq!(keyspace.take_ready(), [(0, Key::from(&b"q"[..]))]);
        assert_eq!(keyspace.next_to_serve(0, b"q", None), Some((3, waiter)));
        assert!(keyspace.take_broken_watches().is_empty(), "the key exists on neither side");

        keyspace.insert(1, b"missing", list(b"z"), None);
        keyspace.swap(1, 0, &attached);
        keyspace.check_invariants();
        assert_eq!(keyspace.take_broken_watches(), [watcher]);
        assert!(keyspace.waits(0, b"q", 3, waiter));
        assert!(keyspace.take_ready().is_empty());
    }

    #[test]
    fn the_longest_wait_is_ready_first() {
        let client = ClientId::new(1, 0);
        let mut keyspace = Keyspace::new(2, 7);
        let keys = [(&b"late"[..], 9), (b"early", 2), (b"middle", 5)];
        let mut attached = Vec::new();
        for (key, ticket) in keys {
            keyspace.insert(1, key, list(b"x"), None);
            attached.push((0, keyspace.join_line(0, key, Line::Waiters, ticket, client)));
        }
        keyspace.swap(0, 1, &attached);
        let ready: Vec<_> = keyspace.take_ready().into_iter().map(|(_, key)| key).collect();
        assert_eq!(ready, [&b"early"[..], b"middle", b"late"].map(Key::from));
        keyspace.check_invariants();
    }
}
