//! What is spoken on a connection. All that the loop asks of the broker for a connection, or tells it,
//! goes through here, in matches over all that may be spoken.

use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::Outbox;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::resp::Protocol;

/// Who speaks on a connection, between its transport and the broker.
#[derive(Debug)]
pub(super) enum Speaker {
    /// A client that speaks Redis' protocol. The broker itself understands it.
    Resp(ClientId),
}

impl Speaker {
    /// Begins to speak with a peer. `slot` is the slot of its connection.
    pub(super) fn begin(broker: &mut Broker, slot: usize, peer: Peer, now: Now) -> Speaker {
        let is_in_process = matches!(peer, Peer::InProcess);
        let id = broker.connect(slot, peer, now);
        if is_in_process && let Some(output) = broker.output(id) {
            output.set_protocol(Protocol::Resp3);
        }
        Speaker::Resp(id)
    }

    /// Whether it is this client of the broker. Its slot may have been another client's before.
    #[inline]
    pub(super) fn is_client(&self, id: ClientId) -> bool {
        match self {
            Speaker::Resp(own) => *own == id,
        }
    }

    /// Whether it should be given more input now.
    #[inline]
    pub(super) fn wants_input(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(id) => broker.wants_input(*id),
        }
    }

    /// Whether a command waits for a message, or for something else.
    #[inline]
    pub(super) fn is_blocked(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(id) => broker.is_blocked(*id),
        }
    }

    /// Bytes have come that are left in the socket, since a command waits.
    pub(super) fn input_waits(&mut self, broker: &mut Broker) {
        match self {
            Speaker::Resp(id) => broker.input_waits(*id),
        }
    }

    /// Bytes have come.
    #[inline]
    pub(super) fn receive(&mut self, broker: &mut Broker, bytes: &[u8], now: Now) {
        match self {
            Speaker::Resp(id) => broker.receive(*id, bytes, now),
        }
    }

    /// How many bytes of the output may be sent now: not those that wait for a sync.
    #[inline]
    pub(super) fn sendable(&self, broker: &Broker) -> usize {
        match self {
            Speaker::Resp(id) => broker.sendable(*id),
        }
    }

    /// What the peer is owed, to be taken from. `sent` follows.
    #[inline]
    pub(super) fn outbox<'a>(&'a mut self, broker: &'a mut Broker) -> Option<&'a mut Outbox> {
        match self {
            Speaker::Resp(id) => broker.output(*id),
        }
    }

    /// So many bytes of the output were sent, as many as could be.
    #[inline]
    pub(super) fn sent(&mut self, broker: &mut Broker, bytes: usize, now: Now) {
        match self {
            Speaker::Resp(id) => broker.flushed(*id, bytes, now),
        }
    }

    /// The connection is to be closed: nothing more is run for it.
    pub(super) fn close(&mut self, broker: &mut Broker, reason: CloseReason) {
        match self {
            Speaker::Resp(id) => broker.close(*id, reason),
        }
    }

    /// The connection is closed, and what was held for it is given up.
    pub(super) fn closed(&mut self, broker: &mut Broker, reason: CloseReason, now: Now) {
        match self {
            Speaker::Resp(id) => broker.disconnect(*id, reason, now),
        }
    }
}
