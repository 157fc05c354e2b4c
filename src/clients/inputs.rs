//! What a client can have seen, and whether several workers share its connection.
//!
//! A pop acknowledges the client's previous messages. That is correct only if the client had seen the
//! reply when it sent the pop. So the bytes of a client are divided into *inputs*: bytes begin a new
//! input when all replies to earlier bytes have been sent, and no earlier request is left to run.
//! Requests pipelined after a pop, or arriving while it waits, belong to the same input.

use super::consuming::{Acknowledged, Consumer};
use super::{Client, Clients, ReplyMode, find_mut};
use crate::client_id::ClientId;
use crate::key::is_same_key;
use crate::keyspace::{DbIndex, Key};

/// The input of a delivery whose reply is not sent; no input is above it.
const NEVER_SEEN: u64 = u64::MAX;

impl Clients {
    /// Bytes of a client have arrived: decides whether they begin a new input.
    #[inline]
    pub(crate) fn begin_input(&mut self, id: ClientId) {
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

    /// Bytes of a client have arrived that are not read while it waits.
    pub(crate) fn mark_early_input(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id) {
            client.has_early_input |= client.blocked.is_some();
        }
    }

    /// As `Client::consumer`; a client that is gone has no input.
    pub(crate) fn consumer(&self, id: ClientId) -> Consumer {
        self.get(id).map_or(Consumer { client: id, input: 0 }, Client::consumer)
    }

    /// As `Client::mark_delivered`.
    pub(crate) fn mark_delivered(&mut self, consumer: Consumer) {
        if let Some(client) = self.get_mut(consumer.client) {
            client.mark_delivered(consumer);
        }
    }

    /// Records that a client waits for a message that its next pop acknowledges.
    pub(crate) fn mark_waiting(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id) {
            let input = client.consumer().input;
            client.consuming.get_or_insert_default().waited_in = input;
        }
    }

    /// Decides whether a pop, blocking or not, overlaps with another pop of its connection: the other
    /// one waited when this one arrived, or this one may wait and the other's reply has not been sent.
    /// True only the first time.
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

    /// Records that a pop has acknowledged everything of a queue that its client can have seen.
    pub(crate) fn mark_acknowledged(&mut self, id: ClientId, db: DbIndex, key: Key, swaps: u64) {
        let Some(client) = self.get_mut(id) else { return };
        let input = client.input_number;
        if let Some(consuming) = client.consuming.as_deref_mut() {
            consuming.acknowledged = Some((input, Acknowledged { db, key, swaps }));
        }
    }
}

impl Client {
    /// The consumer for its messages now. A message without a reply (CLIENT REPLY) has no input.
    #[inline]
    pub(crate) fn consumer(&self) -> Consumer {
        let has_reply = matches!(self.reply_mode, ReplyMode::On | ReplyMode::SkipNext);
        let input = if has_reply { self.input_number } else { NEVER_SEEN };
        Consumer { client: self.id, input }
    }

    /// Records that it was given a message that its next pop acknowledges.
    #[inline]
    pub(crate) fn mark_delivered(&mut self, consumer: Consumer) {
        self.consuming.get_or_insert_default().delivered_in = consumer.input;
    }

    /// A pop that does not wait may acknowledge messages that answered an input before this one. `None` after a
    /// wait in this input: the connection may be shared, which must be noticed.
    #[inline]
    pub(crate) fn acknowledges_before(&self) -> Option<u64> {
        let waited_in = self.consuming.as_ref().map(|consuming| consuming.waited_in);
        (waited_in != Some(self.input_number)).then_some(self.input_number)
    }

    /// Whether a pop that does not wait has nothing to acknowledge of a queue, because an earlier one in the
    /// same input did. False after a wait in this input: the connection may be shared, which must be
    /// noticed.
    #[inline]
    pub(crate) fn has_acknowledged(&self, db: DbIndex, key: &[u8], swaps: u64) -> bool {
        let Some(consuming) = &self.consuming else { return false };
        let Some((input, last)) = &consuming.acknowledged else { return false };
        *input == self.input_number
            && consuming.waited_in != *input
            && (last.db, last.swaps) == (db, swaps)
            && is_same_key(&last.key, key)
    }
}
