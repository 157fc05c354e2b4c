//! What is always true of the entries and the counts.

use super::{ENTRY_BYTES, Keyspace, NEVER};
use crate::queue::Queue;
use crate::value::Kind;

impl Keyspace {
    /// Panics if the counts disagree with the entries.
    pub(crate) fn check_invariants(&self) {
        let mut bytes = 0;
        for db in &self.dbs {
            db.entries.check_invariants();
            let values = db.entries.iter().filter(|entry| entry.has_value()).count();
            assert_eq!(values, db.value_count);
            for entry in db.entries.iter() {
                bytes += ENTRY_BYTES + entry.allocated_bytes();
                if let Some(queue) = entry.list() {
                    queue.check_invariants();
                }
                assert!(entry.has_value() || entry.attachments().is_some(), "an unused entry");
                assert!(
                    entry.has_value() || entry.expires_ms() == NEVER,
                    "an expiry without a value"
                );
                let Some(full) = entry.full() else { continue };
                assert_eq!(*full.key, *entry.key());
                let owner = full.value.owner();
                assert!(owner.is_none_or(|owner| *owner.name == *full.key), "another key");
                let is_needed = full.attachments.is_some() || full.expires_ms != NEVER;
                assert!(is_needed || owner.is_none());
                if let Some(attachments) = &full.attachments {
                    assert!(!attachments.is_unused());
                    bytes += attachments.queue_state.as_ref().map_or(0, |g| g.allocated_bytes());
                }
            }
            let expiring = db.entries.iter().filter(|entry| entry.expires_ms() != NEVER).count();
            assert_eq!(expiring, db.expiries.len());
        }
        assert_eq!(bytes + self.departing_bytes() + self.trash_bytes(), self.bytes);
        self.check_queue_states();
        self.check_departing();
        let firsts = self.dbs.iter().filter(|db| db.expiries.next().is_some()).count();
        assert_eq!(firsts, self.due_dbs.len());
        for (due, db) in self.due_dbs.iter() {
            assert_eq!(self.dbs[*db].expiries.next(), Some(due));
        }
    }

    /// Panics if the registry or a queue's state disagrees with the entries.
    fn check_queue_states(&self) {
        let (mut deliveries, mut listed) = (0, 0);
        for (db, database) in self.dbs.iter().enumerate() {
            let mut dues = 0;
            for (index, entry) in database.entries.iter().enumerate() {
                let key = &entry.shared_key();
                let queue_state = self.queue_state_at(db, index);
                let policy = queue_state.and_then(|queue_state| queue_state.policy.as_ref());
                let is_right = policy == self.registry.policies.of(key);
                assert!(is_right || self.is_unreached(db, index, key), "under another policy");
                if let Some(queue) = entry.value().and_then(Queue::of) {
                    assert_eq!(
                        queue.is_fully_stamped(),
                        policy.is_some(),
                        "not as the policy wants"
                    );
                }
                let Some(queue_state) = queue_state else { continue };
                queue_state.in_flight.check_invariants();
                queue_state.delayed.check_invariants();
                for (number, delivery) in queue_state.in_flight.iter() {
                    let holdings = &self.registry.holdings;
                    let is_held = holdings.contains(delivery.holder(db), key, number);
                    assert!(is_held, "a delivery without a client");
                    deliveries += 1;
                }
                if let Some(due_ms) = queue_state.due_ms {
                    assert!(database.dues.contains(due_ms, key));
                    dues += 1;
                }
                listed += usize::from(queue_state.is_listed);
                let is_known = self.registry.paused.contains(&(db, key.clone()));
                assert_eq!(is_known, queue_state.is_paused(), "paused, or not");
                if let Some(due_ms) = queue_state.next_due_ms(entry.content()) {
                    let scheduled_ms = queue_state.due_ms.expect("due but not scheduled");
                    assert!(scheduled_ms <= due_ms, "scheduled too late");
                }
            }
            assert_eq!(dues, database.dues.len(), "scheduled but not there");
            let first = self.registry.due_dbs.iter().find(|(_, other)| **other == db);
            assert_eq!(first.map(|(due_ms, _)| due_ms), database.dues.next());
        }
        assert_eq!(deliveries, self.registry.holdings.len());
        self.registry.holdings.check_invariants();
        // Names of removed queues stay until their turn comes.
        let idle = self.registry.idle.len();
        assert!(listed <= idle && idle <= self.registry.idle_max, "{listed} of {idle}");
    }
}
