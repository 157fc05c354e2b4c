//! What is known of a key that was found.

use super::{DbIndex, Keyspace, QueueState, Slot, WrongType};
use crate::policy::QueuePolicy;
use crate::queue::Queue;
use crate::value::Kind;
use std::sync::Arc;

impl Keyspace {
    /// The slot of an entry.
    #[inline]
    pub(super) fn slot_at(&self, db: DbIndex, index: usize) -> Slot {
        Slot::new(db, index, self.dbs[db].entries.removals())
    }

    /// Finds a key that has a value, or is known for another reason. A value that has expired is removed
    /// first.
    #[inline]
    pub(crate) fn slot(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        let index = self.find_again(db, key)?;
        Some(self.slot_at(db, index))
    }

    /// As `slot`; an entry without a value is made for a key that has none.
    #[inline]
    pub(crate) fn slot_or_create(&mut self, db: DbIndex, key: &[u8]) -> Slot {
        let index = self.find_or_create(db, key);
        self.slot_at(db, index)
    }

    #[inline]
    fn check(&self, at: Slot) {
        at.check(self.dbs[at.db].entries.removals());
    }

    /// What belongs to a queue under a policy.
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

    /// The policy that a queue is under.
    #[inline]
    pub(crate) fn policy_in(&self, at: Slot) -> Option<&Arc<QueuePolicy>> {
        self.queue_state_in(at)?.policy.as_ref()
    }

    /// The key.
    #[inline]
    pub(crate) fn key_in(&self, at: Slot) -> &[u8] {
        self.check(at);
        self.dbs[at.db].entries[at.index].key()
    }

    /// The list; none if there is no value.
    #[inline]
    pub(crate) fn list_in(&self, at: Slot) -> Result<Option<&Queue>, WrongType> {
        self.check(at);
        let value = self.dbs[at.db].entries[at.index].value();
        value.map(|value| Queue::of(value).ok_or(WrongType)).transpose()
    }

    /// Messages of a queue under a policy that are ready, and their bytes.
    #[inline]
    pub(crate) fn ready_in(&self, at: Slot) -> (usize, usize) {
        self.check(at);
        let list = self.dbs[at.db].entries[at.index].list();
        list.map(|queue| (queue.len(), queue.message_bytes())).unwrap_or_default()
    }

    /// The same of those that are delayed as well: what limits are about.
    pub(crate) fn length_in(&self, at: Slot) -> (usize, usize) {
        let ready = self.ready_in(at);
        let delayed = self.queue_state_in(at).map(|queue_state| &queue_state.delayed);
        let delayed = delayed.map(|queue| (queue.len(), queue.message_bytes())).unwrap_or_default();
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
