//! The protocol of a connection. Everything that the loop asks the broker, or tells it, for a connection
//! goes through here, in matches over all protocols.

use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::Outbox;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::resp::Protocol;

/// The protocol's side of a connection, between its transport and the broker.
#[derive(Debug)]
pub(super) enum Speaker {
    /// A client with Redis' protocol, which the broker itself interprets.
    Resp(ClientId),
}

impl Speaker {
    /// Begins with a peer. `slot` is the slot of its connection.
    pub(super) fn begin(broker: &mut Broker, slot: usize, peer: Peer, now: Now) -> Speaker {
        let is_in_process = matches!(peer, Peer::InProcess);
        let id = broker.connect(slot, peer, now);
        if is_in_process && let Some(output) = broker.outbox(id) {
            output.set_protocol(Protocol::Resp3);
        }
        Speaker::Resp(id)
    }

    /// Whether it is this client of the broker. The slot may have belonged to another client.
    #[inline]
    pub(super) fn is_client(&self, id: ClientId) -> bool {
        match self {
            Speaker::Resp(own) => *own == id,
        }
    }

    /// The peer's certificate has this common name.
    pub(super) fn identify(
        &mut self,
        broker: &mut Broker,
        certificate_name: Option<Box<str>>,
        now: Now,
    ) {
        match self {
            Speaker::Resp(id) => broker.set_certificate_name(*id, certificate_name, now),
        }
    }

    /// The peer is not served: it is sent a last text.
    pub(super) fn deny(&mut self, broker: &mut Broker, text: &str) {
        match self {
            Speaker::Resp(id) => broker.deny(*id, text),
        }
    }

    /// Whether it accepts more input now.
    #[inline]
    pub(super) fn wants_input(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(id) => broker.wants_input(*id),
        }
    }

    /// Whether a command waits for a message or for anything else.
    #[inline]
    pub(super) fn is_blocked(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(id) => broker.is_blocked(*id),
        }
    }

    /// Bytes have arrived, but stay in the socket because a command waits.
    pub(super) fn input_waits(&mut self, broker: &mut Broker) {
        match self {
            Speaker::Resp(id) => broker.input_waits(*id),
        }
    }

    /// Passes bytes to the broker.
    #[inline]
    pub(super) fn receive(&mut self, broker: &mut Broker, bytes: &[u8], now: Now) {
        match self {
            Speaker::Resp(id) => broker.receive(*id, bytes, now),
        }
    }

    /// How many bytes of the output may be sent now. Replies that wait for a sync are excluded.
    #[inline]
    pub(super) fn sendable(&self, broker: &Broker) -> usize {
        match self {
            Speaker::Resp(id) => broker.sendable(*id),
        }
    }

    /// The output for the peer. Take from it, then call `sent`.
    #[inline]
    pub(super) fn outbox<'a>(&'a mut self, broker: &'a mut Broker) -> Option<&'a mut Outbox> {
        match self {
            Speaker::Resp(id) => broker.outbox(*id),
        }
    }

    /// That many bytes of the output were sent; no more could be.
    #[inline]
    pub(super) fn sent(&mut self, broker: &mut Broker, bytes: usize, now: Now) {
        match self {
            Speaker::Resp(id) => broker.flushed(*id, bytes, now),
        }
    }

    /// The connection is to be closed: no more of its commands run.
    pub(super) fn close(&mut self, broker: &mut Broker, reason: CloseReason) {
        match self {
            Speaker::Resp(id) => broker.close(*id, reason),
        }
    }

    /// The connection is closed; releases what was kept for it.
    pub(super) fn closed(&mut self, broker: &mut Broker, reason: CloseReason, now: Now) {
        match self {
            Speaker::Resp(id) => broker.disconnect(*id, reason, now),
        }
    }
}
