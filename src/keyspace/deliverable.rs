//! How many messages clients may get from a queue now, and which waiting client is served next.
//!
//! A queue may have messages and deliver none: it is paused, as many are in flight as its policy allows,
//! or its rate is used up. Each change that may end this puts the key on the ready list, as a push
//! does: at most as many waiting clients are then looked at as get something, and one more. A
//! client with as many messages in flight as a client may have is taken out of the line until
//! one of them is acknowledged or returned.
//!
//! A move of a message to another list is no delivery: only a pause stops it.

use super::waiters::ValuePlace;
use super::{DbIndex, Keyspace, QueueState, Slot};
use crate::client_id::ClientId;
use crate::policy::{QueuePolicy, Throttle};
use crate::queue::Queue;
use crate::value::{Kind, Type};
use std::sync::Arc;

impl Keyspace {
    /// Admits up to `wanted` deliveries from a queue under a policy, or paused, which then belong to
    /// `owner`: a client, or nobody for leases. They count for the rate. `None` if the queue has no
    /// message, or none may be delivered now.
    #[inline]
    pub(crate) fn admit_in(&mut self, at: Slot, owner: ClientId, wanted: usize) -> Option<usize> {
        let deliverable = self.deliverable(at.db, at.index, owner);
        if deliverable == 0 {
            return None;
        }
        let count = wanted.min(deliverable);
        let queue_state = self.queue_state_in(at)?;
        if queue_state.throttle().is_some() {
            self.count_for_rate_in(at, count);
        }
        Some(count)
    }

    /// Returns how many messages of a queue may be delivered now and belong to `owner`.
    #[inline(always)]
    fn deliverable(&self, db: DbIndex, index: usize, owner: ClientId) -> usize {
        let ready = self.dbs[db].entries[index].list().map_or(0, Queue::len);
        let Some(queue_state) = self.queue_state_at(db, index) else { return ready };
        if queue_state.is_read_paused() {
            return 0;
        }
        match queue_state.throttle() {
            None => ready,
            Some(throttle) => ready.min(self.allowed(db, index, owner, queue_state, throttle)),
        }
    }

    /// Returns how many messages the limits of a policy allow to be delivered now.
    #[inline(never)]
    fn allowed(
        &self,
        db: DbIndex,
        index: usize,
        owner: ClientId,
        queue_state: &QueueState,
        throttle: &Throttle,
    ) -> usize {
        let mut allowed = queue_state.allowed_in_flight(throttle);
        if let Some(rate) = throttle.rate() {
            allowed = allowed.min(queue_state.bucket.tokens(rate, self.queue_ms));
        }
        if let Some(max) = throttle.max_in_flight_per_client
            && owner != ClientId::nobody()
        {
            let key = self.dbs[db].entries[index].key();
            let held = self.registry.holdings.count_of_queue(owner, db, key);
            allowed = allowed.min(max.saturating_sub(held as u64));
        }
        usize::try_from(allowed).unwrap_or(usize::MAX)
    }

    /// Counts deliveries from a queue for its rate.
    pub(super) fn count_for_rate_in(&mut self, at: Slot, count: usize) {
        let now_ms = self.queue_ms;
        let Some(queue_state) = self.queue_state_in_mut(at) else { return };
        if let Some(rate) = queue_state.throttle().and_then(Throttle::rate) {
            queue_state.bucket.take(count as u64, rate, now_ms);
        }
    }

    /// Returns the client that is served next at a key, with its ticket: the longest-waiting one,
    /// after ticket `after` (exclusive), that can get a message.
    pub(crate) fn next_to_serve(
        &mut self,
        db: DbIndex,
        key: &[u8],
        after: Option<u64>,
    ) -> Option<(u64, ClientId)> {
        let index = self.find(db, key)?;
        // Nobody is served at an empty queue, not even a client that only moves messages.
        self.dbs[db].entries[index].value().and_then(Queue::of)?;
        if self.queue_state_at(db, index).is_some_and(|queue_state| queue_state.is_read_paused()) {
            return None;
        }
        let is_deliverable = self.deliverable(db, index, ClientId::nobody()) > 0;
        if !is_deliverable {
            self.await_token(db, index);
        }
        loop {
            let waiters = &self.dbs[db].entries[index].attachments()?.waiters;
            let next = waiters.next(after, is_deliverable)?;
            self.work.looked_at(1);
            if !next.is_consumer || self.deliverable(db, index, next.owner) > 0 {
                return Some((next.ticket, next.client));
            }
            self.dbs[db].entries[index].attachments_mut()?.waiters.set_aside(next.ticket);
        }
    }

    /// Returns the client that should look next at a key whose value is not a list, with its place: the
    /// first one after place `after` (exclusive).
    pub(crate) fn next_for_value(
        &mut self,
        db: DbIndex,
        key: &[u8],
        after: Option<ValuePlace>,
    ) -> Option<(ValuePlace, ClientId)> {
        let index = self.find(db, key)?;
        let entry = &self.dbs[db].entries[index];
        let next = entry.attachments()?.waiters.next_for(entry.content(), after)?;
        self.work.looked_at(1);
        Some(next)
    }

    /// Schedules a queue for the next token of its rate, if that is all that a waiting consumer
    /// lacks.
    pub(super) fn await_token(&mut self, db: DbIndex, index: usize) {
        let now_ms = self.queue_ms;
        let Some(full) = self.dbs[db].entries[index].full_mut() else { return };
        let Some(attachments) = &mut full.attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        let Some(throttle) = queue_state.throttle() else { return };
        let Some(rate) = throttle.rate() else { return };
        queue_state.awaits_token = attachments.waiters.has_consumers()
            && Queue::of(&full.value).is_some_and(|queue| !queue.is_empty())
            && !queue_state.is_read_paused()
            && queue_state.allowed_in_flight(throttle) > 0
            && queue_state.bucket.tokens(rate, now_ms) == 0;
        if queue_state.awaits_token {
            self.schedule(db, index);
        }
    }

    /// Serves the consumers of a queue that is due, if the token has come for which they waited.
    pub(crate) fn add_token(&mut self, db: DbIndex, key: &[u8]) {
        let now_ms = self.queue_ms;
        let Some(index) = self.find(db, key) else { return };
        let Some(attachments) = self.dbs[db].entries[index].attachments_mut() else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        if queue_state.next_token_ms().is_some_and(|next_ms| next_ms <= now_ms) {
            queue_state.awaits_token = false;
            self.changed_for_waiters(db, index);
        }
    }

    /// A message of a queue is no longer in flight to this client: others may be delivered.
    #[inline]
    pub(super) fn delivery_ended(&mut self, db: DbIndex, index: usize, owner: ClientId) {
        let Some(attachments) = self.dbs[db].entries[index].attachments_mut() else { return };
        if attachments.waiters.is_empty() {
            return;
        }
        if attachments.queue_state.as_ref().is_some_and(|state| state.throttle().is_some()) {
            attachments.waiters.bring_back(owner);
            self.changed_for_waiters(db, index);
        }
    }

    /// As `delivery_ended`, for all messages in flight of a queue.
    pub(super) fn deliveries_ended(&mut self, db: DbIndex, index: usize) {
        let queue_state = self.queue_state_at(db, index);
        if queue_state.is_some_and(|queue_state| queue_state.throttle().is_some()) {
            self.limits_changed(db, index);
        }
    }

    /// A queue's limits on deliveries were changed: all clients that wait may get something.
    pub(super) fn limits_changed(&mut self, db: DbIndex, index: usize) {
        if let Some(attachments) = self.dbs[db].entries[index].attachments_mut() {
            attachments.waiters.bring_all_back();
        }
        self.changed_for_waiters(db, index);
    }

    /// Sorts the keys that became ready since there were this many of them: the longest wait first.
    pub(crate) fn sort_ready(&mut self, from: usize) {
        let mut sorted = self.ready.split_off(from.min(self.ready.len()));
        sorted.sort_by_cached_key(|(db, key)| {
            let attachments = self.dbs[*db].entries.get(key).and_then(|entry| entry.attachments());
            (
                attachments.and_then(|attachments| attachments.waiters.first_ticket()),
                *db,
                key.clone(),
            )
        });
        self.ready.append(&mut sorted);
    }

    /// Whether a client waits for a key with this ticket.
    pub(crate) fn waits(&self, db: DbIndex, key: &[u8], ticket: u64, client: ClientId) -> bool {
        let attachments = self.dbs[db].entries.get(key).and_then(|entry| entry.attachments());
        attachments.is_some_and(|attachments| attachments.waiters.contains(ticket, client))
    }

    /// Panics if a client waits for a message that it could get, and nobody was told.
    pub(crate) fn check_waiters(&self) {
        for (db, database) in self.dbs.iter().enumerate() {
            (0..database.entries.len()).for_each(|index| self.check_waiters_of(db, index));
        }
    }

    fn check_waiters_of(&self, db: DbIndex, index: usize) {
        let entry = &self.dbs[db].entries[index];
        let Some(attachments) = entry.attachments() else { return };
        let queue_state = attachments.queue_state.as_ref();
        let is_paused = queue_state.is_some_and(|queue_state| queue_state.is_read_paused());
        let has_any = entry.list().is_some_and(|queue| !queue.is_empty());
        let is_set = entry.value().is_some_and(|value| value.type_of() == Type::SortedSet);
        if is_set && !attachments.is_ready && !entry.is_due(self.now_ms) {
            let next = attachments.waiters.next_for(entry.content(), None);
            assert_eq!(next, None, "a client waits for members that are there");
        }
        if attachments.is_ready || self.has_due() || is_paused || !has_any {
            return;
        }
        assert_eq!(attachments.waiters.mover_count(), 0, "a client waits to move what is there");
        for owner in attachments.waiters.owners() {
            let deliverable = self.deliverable(db, index, owner);
            assert_eq!(deliverable, 0, "a client waits for what it can get");
        }
        let Some(queue_state) = queue_state else { return };
        let Some(throttle) = queue_state.throttle() else { return };
        if attachments.waiters.has_consumers()
            && queue_state.allowed_in_flight(throttle) > 0
            && let Some(rate) = throttle.rate()
            && queue_state.bucket.tokens(rate, self.queue_ms) == 0
        {
            assert!(queue_state.awaits_token, "a client waits for a token that nobody awaits");
        }
    }

    /// Returns the number of keys on the ready list.
    pub(crate) fn ready_count(&self) -> usize {
        self.ready.len()
    }
}

impl QueueState {
    /// Returns how many more messages may be in flight.
    fn allowed_in_flight(&self, throttle: &Throttle) -> u64 {
        let in_flight = self.in_flight.len() as u64;
        throttle.max_in_flight.map_or(u64::MAX, |max| max.saturating_sub(in_flight))
    }

    /// Sets the policy. True if the previous one limited deliveries, so that clients that wait may
    /// get something now.
    pub(super) fn set_policy(&mut self, policy: Option<Arc<QueuePolicy>>, now_ms: i64) -> bool {
        let rate_of = |policy: &QueueState| policy.throttle().and_then(Throttle::rate);
        let (rate_before, was_limited) = (rate_of(self), self.throttle().is_some());
        self.policy = policy;
        let rate = rate_of(self);
        self.bucket.change_rate(rate_before, rate, now_ms);
        self.awaits_token = false;
        was_limited
    }
}
