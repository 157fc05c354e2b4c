//! What a client can have seen, and whether several workers share its connection.
//!
//! A pop acknowledges what the client was given before. That is true only if the client had seen the
//! reply when it sent the pop. So the bytes of a client are divided into *inputs*: bytes begin a new
//! input when all replies to the bytes before have been sent, and nothing before is left to run. What
//! is pipelined behind a pop, or comes while the pop waits, is of the same input.

use super::consuming::{Acknowledged, Consumer, Consuming};
use super::{Clients, ReplyMode, find_mut};
use crate::client_id::ClientId;
use crate::keyspace::{DbIndex, Key};

/// The input of a delivery whose reply is not sent: no later one is above it.
const NEVER_SEEN: u64 = u64::MAX;

impl Clients {
    /// Says that bytes of a client have come; whether they begin a new input is found out here.
    #[inline]
    pub(crate) fn note_input(&mut self, id: ClientId) {
        let Some(client) = self.get_mut(id) else { return };
        let was_early = std::mem::take(&mut client.has_early_input);
        if client.outbox.is_answered()
            && client.input.is_empty()
            && client.blocked.is_none()
            && !was_early
        {
            client.input_number += 1;
        }
    }

    /// Says that bytes of a client have come that nobody takes while it waits.
    pub(crate) fn note_early_input(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id) {
            client.has_early_input |= client.blocked.is_some();
        }
    }

    /// Who takes messages for a client now. What it is not shown (CLIENT REPLY) is of no input.
    pub(crate) fn consumer(&self, id: ClientId) -> Consumer {
        let input = self.get(id).map_or(0, |client| match client.reply_mode {
            ReplyMode::Off | ReplyMode::Skip => NEVER_SEEN,
            ReplyMode::On | ReplyMode::SkipNext => client.input_number,
        });
        Consumer { client: id, input }
    }

    /// Notes that a client was given a message that its next pop acknowledges.
    pub(crate) fn note_delivered(&mut self, consumer: Consumer) {
        self.change_consuming(consumer.client, |consuming| consuming.delivered_in = consumer.input);
    }

    /// Notes that a client waits for such a message.
    pub(crate) fn note_waiting(&mut self, id: ClientId) {
        let input = self.consumer(id).input;
        self.change_consuming(id, |consuming| consuming.waited_in = input);
    }

    /// Finds out whether a pop, which may wait or not, overlaps with another one of its connection: the
    /// other one waited when this one came, or this one may wait and the reply of the other one has
    /// not been sent. True the first time only.
    pub(crate) fn notices_sharing(&mut self, id: ClientId, may_wait: bool) -> bool {
        let Some(client) = find_mut(&mut self.slots, id) else { return false };
        let input = client.input_number;
        let Some(consuming) = client.consuming.as_deref_mut() else { return false };
        let overlaps =
            consuming.waited_in == input || (may_wait && consuming.delivered_in == input);
        let is_new = overlaps && !consuming.is_shared;
        consuming.is_shared |= overlaps;
        is_new
    }

    /// Notes that a pop has acknowledged all of a queue that its client can have seen.
    pub(crate) fn note_acknowledged(&mut self, id: ClientId, db: DbIndex, key: &[u8], swaps: u64) {
        let Some(client) = self.get_mut(id) else { return };
        let input = client.input_number;
        if let Some(consuming) = client.consuming.as_deref_mut() {
            // Nearly always the queue is the one of last time, whose name is here.
            let before = consuming.acknowledged.take().map(|(_, last)| last.key);
            let key = before.filter(|last| **last == *key).unwrap_or_else(|| Key::from(key));
            consuming.acknowledged = Some((input, Acknowledged { db, key, swaps }));
        }
    }

    /// Whether a pop that does not wait has nothing to acknowledge of a queue, since one before it in the same
    /// input did. Whoever waited in it may share the connection, which has to be noticed.
    #[inline]
    pub(crate) fn has_acknowledged(
        &self,
        id: ClientId,
        db: DbIndex,
        key: &[u8],
        swaps: u64,
    ) -> bool {
        let Some(client) = self.get(id) else { return false };
        let Some(consuming) = &client.consuming else { return false };
        let Some((input, last)) = &consuming.acknowledged else { return false };
        let is_same = last.db == db && last.swaps == swaps && *last.key == *key;
        *input == client.input_number && consuming.waited_in != *input && is_same
    }

    fn change_consuming(&mut self, id: ClientId, change: impl FnOnce(&mut Consuming)) {
        if let Some(client) = self.get_mut(id) {
            change(client.consuming.get_or_insert_default());
        }
    }
}
