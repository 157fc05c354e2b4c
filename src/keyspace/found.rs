//! Access to a key by its slot, without another look-up.

use super::{DbIndex, Key, Keyspace, QueueState, Slot, WrongType};
use crate::policy::QueuePolicy;
use crate::queue::Queue;
use crate::value::Kind;
use std::sync::Arc;

impl Keyspace {
    /// Returns the slot of an entry.
    #[inline]
    pub(super) fn slot_at(&self, db: DbIndex, index: usize) -> Slot {
        Slot::new(db, index, self.dbs[db].entries.removals())
    }

    /// Finds a key that has an entry, even one without a value. An expired value is removed first.
    #[inline]
    pub(crate) fn slot(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        let index = self.find_again(db, key)?;
        Some(self.slot_at(db, index))
    }

    /// Returns the slot of a key that was found before, after changes that may have removed its entry.
    #[inline]
    pub(crate) fn slot_again(&mut self, at: Slot, key: &[u8]) -> Option<Slot> {
        if at.is_valid(self.dbs[at.db].entries.removals()) {
            return Some(at);
        }
        self.slot(at.db, key)
    }

    /// As `slot`; creates an entry without a value if the key has none.
    #[inline]
    pub(crate) fn slot_or_create(&mut self, db: DbIndex, key: &[u8]) -> Slot {
        let index = self.find_or_create(db, key);
        self.slot_at(db, index)
    }

    #[inline]
    fn check(&self, at: Slot) {
        at.check(self.dbs[at.db].entries.removals());
    }

    /// Returns the state of a queue under a policy.
    #[inline]
    pub(crate) fn queue_state_in(&self, at: Slot) -> Option<&QueueState> {
        self.check(at);
        self.queue_state_at(at.db, at.index)
    }

    #[inline]
    pub(super) fn queue_state_in_mut(&mut self, at: Slot) -> Option<&mut QueueState> {
        self.check(at);
        self.dbs[at.db].entries[at.index].attachments_mut()?.queue_state.as_deref_mut()
    }

    /// Returns the policy of a queue.
    #[inline]
    pub(crate) fn policy_in(&self, at: Slot) -> Option<&Arc<QueuePolicy>> {
        self.queue_state_in(at)?.policy.as_ref()
    }

    /// Returns the key.
    #[inline]
    pub(crate) fn key_in(&self, at: Slot) -> &[u8] {
        self.check(at);
        self.dbs[at.db].entries[at.index].key()
    }

    /// Returns the key in its shared form.
    pub(crate) fn shared_key_in(&self, at: Slot) -> Key {
        self.check(at);
        self.dbs[at.db].entries[at.index].shared_key()
    }

    /// Returns the list; `None` without a value.
    #[inline]
    pub(crate) fn list_in(&self, at: Slot) -> Result<Option<&Queue>, WrongType> {
        self.check(at);
        let value = self.dbs[at.db].entries[at.index].value();
        value.map(|value| Queue::of(value).ok_or(WrongType)).transpose()
    }

    /// Returns the number and bytes of ready messages of a queue under a policy.
    #[inline]
    pub(crate) fn ready_in(&self, at: Slot) -> (usize, usize) {
        self.check(at);
        let list = self.dbs[at.db].entries[at.index].list();
        list.map(|queue| (queue.len(), queue.message_bytes())).unwrap_or_default()
    }

    /// Returns the number and bytes of ready and delayed messages: the policy's limits apply to
    /// them.
    pub(crate) fn length_in(&self, at: Slot) -> (usize, usize) {
        let ready = self.ready_in(at);
        let delayed = self.queue_state_in(at).map(|queue_state| &queue_state.delayed);
        let delayed =
            delayed.map(|delayed| (delayed.len(), delayed.message_bytes())).unwrap_or_default();
        (ready.0 + delayed.0, ready.1 + delayed.1)
    }

    /// Whether producers wait for capacity.
    #[inline]
    pub(crate) fn has_producers_in(&self, at: Slot) -> bool {
        self.check(at);
        let attachments = self.dbs[at.db].entries[at.index].attachments();
        attachments.is_some_and(|attachments| !attachments.producers.is_empty())
    }
}
