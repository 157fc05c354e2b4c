//! Acknowledgements of messages in flight: by the next pop of the connection, or by QUEUE ACK.

use super::Queues;
use super::inflight_key;
use crate::client_id::ClientId;
use crate::clients::Clients;
use crate::keyspace::{DbIndex, Delivery, Key, Keyspace, Position, Removed, Slot};
use crate::queue::End;
use crate::state::State;
use log::warn;
use std::ops::ControlFlow;

/// Acknowledges the messages that a client has received from these keys, as far as it can have seen them: it
/// is about to pop from these keys, so it has finished the earlier messages. `may_wait`: the pop waits if it
/// finds nothing.
#[inline]
pub(crate) fn acknowledge_by_pop<'a>(
    state: &mut State,
    db: DbIndex,
    keys: impl IntoIterator<Item = &'a [u8]>,
    client: ClientId,
    may_wait: bool,
) {
    if state.keyspace.in_flight_len() > 0 {
        acknowledge_unless_done(state, db, keys, client, may_wait);
    }
}

/// The part of `acknowledge_by_pop` while any messages are in flight. A separate function keeps the pops of
/// plain queues short.
#[cold]
#[inline(never)]
fn acknowledge_unless_done<'a>(
    state: &mut State,
    db: DbIndex,
    keys: impl IntoIterator<Item = &'a [u8]>,
    client: ClientId,
    may_wait: bool,
) {
    for key in keys {
        let swaps = state.keyspace.in_flight_swaps();
        let is_done = !may_wait
            && state
                .clients
                .get(client)
                .is_some_and(|client| client.has_acknowledged(db, key, swaps));
        if !is_done && acknowledge_seen(state, db, key, client, may_wait).is_break() {
            return;
        }
    }
}

/// The part of `acknowledge_by_pop` for one key. Breaks if the client acknowledges nothing of other keys
/// either.
#[cold]
#[inline(never)]
fn acknowledge_seen(
    state: &mut State,
    db: DbIndex,
    key: &[u8],
    client: ClientId,
    may_wait: bool,
) -> ControlFlow<()> {
    let State { clients, keyspace, .. } = state;
    // Deliveries replayed from append files have no consumer, and replayed pops acknowledge nothing.
    if client == ClientId::nobody() || !keyspace.holds_any(client) {
        return ControlFlow::Break(());
    }
    let mut at = keyspace.slot(db, key);
    if !is_acknowledged_by_pop(keyspace, at, key) {
        return ControlFlow::Continue(());
    }
    if clients.notices_sharing(client, may_wait) {
        // The queue may not exist yet.
        keyspace.slot_for_push(db, key);
        keyspace.count(db, key, |totals| totals.shared_connections += 1);
        keyspace.drop_if_empty(db, key);
        at = keyspace.slot(db, key);
        warn_of_sharing(clients, client, key);
    }
    if clients.get(client).is_some_and(|client| client.is_shared()) {
        return ControlFlow::Break(());
    }
    let key = at.map_or_else(|| Key::from(key), |at| keyspace.shared_key_in(at));
    if let Some(at) = at {
        let input = clients.get(client).map_or(0, |client| client.input_number);
        let is_on = keyspace.effects.is_on();
        let seen = keyspace.acknowledge_seen_in(at, &key, (client, input), is_on);
        for (place, delivery) in seen {
            Queues::new(keyspace).record_removal(db, &key, place, &delivery);
        }
    }
    clients.mark_acknowledged(client, db, key, keyspace.in_flight_swaps());
    ControlFlow::Continue(())
}

/// Whether pops of a queue acknowledge. Not while it is paused, since they find nothing then.
fn is_acknowledged_by_pop(keyspace: &Keyspace, at: Option<Slot>, key: &[u8]) -> bool {
    if let Some(at) = at
        && let Some(queue_state) = keyspace.queue_state_in(at)
        && let Some(policy) = &queue_state.policy
    {
        return !queue_state.is_read_paused() && policy.is_acknowledged_by_pop();
    }
    let policy = keyspace.policies().of(key);
    policy.is_some_and(|policy| policy.is_acknowledged_by_pop())
}

fn warn_of_sharing(clients: &Clients, id: ClientId, key: &[u8]) {
    let Some(client) = clients.get(id) else { return };
    let name = client.identity.as_ref().map_or(&[][..], |identity| &identity.name);
    warn!(
        "pops of client {} '{}' from {} overlap on '{}': several workers share the connection, so \
         its pops no longer acknowledge. Give each worker its own connection, or set \
         `acknowledge explicit` and use QUEUE POP, or QUEUE ACK key VALUE message",
        id.number(),
        name.escape_ascii(),
        client.peer.addr(),
        key.escape_ascii(),
    );
}

impl Queues<'_> {
    /// Acknowledges a message in flight, which removes it. This may be the last use of the slot.
    pub(crate) fn acknowledge(&mut self, at: Slot, key: &[u8], number: u64) {
        // First, since nothing may be left of the queue afterwards.
        self.keyspace.count_in(at, |totals| totals.acknowledged += 1);
        let taken = self.take_out(at, key, number);
        debug_assert!(taken.is_some(), "it was found in flight");
    }

    /// Removes a message from those in flight, and records this. This may be the last use of the slot.
    pub(super) fn take_out(&mut self, at: Slot, key: &[u8], number: u64) -> Option<Delivery> {
        let place = if self.keyspace.effects.is_on() {
            self.keyspace.position_of_delivery(at, number)
        } else {
            None
        };
        let delivery = self.keyspace.remove_delivery_in(at, number)?;
        if let Some(place) = place {
            self.record_removal(at.db(), key, place, &delivery);
        }
        Some(delivery)
    }

    /// Records that the message that was at this position is no longer in flight.
    fn record_removal(&mut self, db: DbIndex, key: &[u8], place: Position, delivery: &Delivery) {
        self.record_hidden_removal(db, &inflight_key(key), place, &delivery.message);
    }

    /// Records that the message that was at this position of a list of messages in flight or delayed is no
    /// longer there.
    pub(super) fn record_hidden_removal(
        &mut self,
        db: DbIndex,
        list: &[u8],
        place: Position,
        message: &[u8],
    ) {
        match place {
            Position::First => self.keyspace.effects.record_pop(db, End::Front, list, 1),
            Position::Last => self.keyspace.effects.record_pop(db, End::Back, list, 1),
            Position::Unlike => self.keyspace.effects.record(db, [b"LREM", list, b"1", message]),
            Position::Rank(index) => {
                let key = Key::from(list);
                // It is not the last one.
                let removed = Removed { db, key, index, count: 1, behind: 1, departure: None };
                self.keyspace.record_removed(&removed);
            }
        }
    }
}
