//! One connection: reading and writing it, and what is known of it.

use super::speaker::Speaker;
use super::transport::{Received, Sent, Transport};
use crate::broker::Broker;
use crate::clients::CloseReason;
use crate::clock::Now;
use mio::{Registry, Token};

/// Bytes written to one client in a turn, so that a large reply to a fast reader does not hold up
/// the others.
const TURN_WRITE_BYTES_MAX: usize = 1024 * 1024;

/// How long a client that is to be closed may take none of its last bytes.
const LINGER_US_MAX: u64 = 5_000_000;

/// A connection: what is spoken, and how it gets there.
#[derive(Debug)]
pub(super) struct Connection {
    pub speaker: Speaker,
    pub transport: Transport,
    /// Whether there may be bytes to be read. Events come only when bytes arrive, so this is kept
    /// while the client takes no input.
    pub is_readable: bool,
    /// Whether the connection is among those to be read.
    pub is_to_read: bool,
    /// Whether an event said that the peer sends no more.
    pub is_peer_done: bool,
    /// Whether the transport takes bytes, as far as is known.
    pub is_writable: bool,
    /// Whether events say when the transport takes bytes again.
    waits_for_writable: bool,
    /// Why the connection is closed once its last bytes are sent.
    closing: Option<CloseReason>,
    /// When the transport last took bytes, of a connection that is closed after them.
    pub progress_us: u64,
    /// The client is gone, and the slot about to be free.
    pub is_gone: bool,
}

/// What is next for a connection that was read or written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// Nothing until an event comes, or the broker says more.
    Wait,
    /// The same again, in the next turn: its share of this one is used up.
    GoOn,
    /// It is closed.
    Close(CloseReason),
}

impl Connection {
    pub(super) fn new(speaker: Speaker, transport: Transport) -> Connection {
        Connection {
            speaker,
            transport,
            is_readable: false,
            is_to_read: false,
            is_peer_done: false,
            is_writable: true,
            waits_for_writable: false,
            closing: None,
            progress_us: 0,
            is_gone: false,
        }
    }

    /// Reads until nothing is there, the client takes no more, or its share of the turn is used up.
    pub(super) fn read(&mut self, broker: &mut Broker, buffer: &mut [u8], now: Now) -> Next {
        let mut share = broker.settings().turn_read_bytes_max.max(1);
        loop {
            if !self.speaker.wants_input(broker) {
                // It has begun to wait after its peer was seen to have gone.
                let is_left = self.is_peer_done && self.speaker.is_blocked(broker);
                return if is_left { Next::Close(CloseReason::PeerClosed) } else { Next::Wait };
            }
            if share == 0 {
                return Next::GoOn;
            }
            let asked = share.min(buffer.len());
            match self.transport.receive(&mut buffer[..asked]) {
                Received::Bytes { count, is_all } => {
                    share -= count;
                    // The end that was announced is not announced again: it is read.
                    self.is_readable = !is_all || self.is_peer_done;
                    self.speaker.receive(broker, &buffer[..count], now);
                    if !self.is_readable {
                        return Next::Wait;
                    }
                }
                Received::WouldBlock => {
                    self.is_readable = false;
                    return Next::Wait;
                }
                Received::End => {
                    self.is_readable = false;
                    self.speaker.close(broker, CloseReason::PeerClosed);
                    return Next::Wait;
                }
                Received::Failed => return Next::Close(CloseReason::ConnectionFailed),
            }
        }
    }

    /// Writes what may be sent, as far as the transport takes it and its share of the turn goes.
    pub(super) fn write(
        &mut self,
        broker: &mut Broker,
        registry: &Registry,
        token: Token,
        now: Now,
    ) -> Next {
        if !self.is_writable {
            return Next::Wait;
        }
        let sendable = self.speaker.sendable(broker);
        let Some(outbox) = self.speaker.outbox(broker) else { return Next::Wait };
        let (mut sent, mut has_failed) = (0, false);
        while self.is_writable && sent < sendable && sent < TURN_WRITE_BYTES_MAX {
            match self.transport.send(outbox.owed(), sendable - sent) {
                Sent::Bytes(count) => {
                    outbox.advance(count);
                    sent += count;
                }
                Sent::WouldBlock => self.is_writable = false,
                Sent::Failed => {
                    self.is_writable = false;
                    has_failed = true;
                }
            }
        }
        let is_owed = !outbox.is_empty();
        if sent > 0 {
            self.progress_us = now.monotonic_us;
            self.speaker.sent(broker, sent, now);
        }
        if has_failed || !(self.is_writable || self.wait_for_writable(registry, token)) {
            // Nothing more is run for it in this turn.
            self.speaker.close(broker, CloseReason::ConnectionFailed);
            return Next::Close(CloseReason::ConnectionFailed);
        }
        match self.closing {
            _ if sent < sendable && self.is_writable => Next::GoOn,
            Some(reason) if !is_owed && !self.transport.has_unsent() => Next::Close(reason),
            _ => Next::Wait,
        }
    }

    /// Whether the peer is owed bytes that have not left.
    pub(super) fn is_owed(&mut self, broker: &mut Broker) -> bool {
        self.transport.has_unsent()
            || self.speaker.outbox(broker).is_some_and(|outbox| !outbox.is_empty())
    }

    /// Has it closed once its last bytes are sent. Says until when it may take none.
    pub(super) fn linger(&mut self, reason: CloseReason, now: Now) -> u64 {
        self.closing = Some(reason);
        self.progress_us = now.monotonic_us;
        self.progress_us + LINGER_US_MAX
    }

    /// If it is closed once its last bytes are sent: until when it may take none, and why it is closed.
    pub(super) fn lingers_until(&self) -> Option<(u64, CloseReason)> {
        self.closing.map(|reason| (self.progress_us + LINGER_US_MAX, reason))
    }

    /// Asks for an event when the transport takes bytes again; whether that could be asked for.
    ///
    /// The first time costs a system call; after that the kernel goes on saying so. Asking for
    /// it from the start would cost everybody: a Unix socket mentions each time its peer reads.
    fn wait_for_writable(&mut self, registry: &Registry, token: Token) -> bool {
        let is_asked = self.waits_for_writable;
        self.waits_for_writable = true;
        is_asked || self.transport.register_full(registry, token).is_ok()
    }
}
