//! One connection: its state, and reading and writing it.

use super::speaker::Speaker;
use super::transfer::{Buffers, Received, Sent};
use super::transport::Transport;
use crate::broker::Broker;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::http::Refused;
use mio::{Registry, Token};
use slab::Slab;

/// Bytes written to one client in a turn, so that a large reply to a fast reader does not delay the
/// others.
const TURN_WRITE_BYTES_MAX: usize = 1024 * 1024;

/// How long a closing client may accept none of its last bytes.
const LINGER_US_MAX: u64 = 5_000_000;

/// A connection: its transport and its speaker.
#[derive(Debug)]
pub(super) struct Connection {
    pub speaker: Speaker,
    pub transport: Transport,
    /// When the speaker has something to do, in the server's order of such times.
    pub due_us: Option<u64>,
    /// When an unfinished handshake is given up.
    pub handshake_due_us: Option<u64>,
    /// What the client is told instead of being served, once the handshake is done.
    pub denial: Option<Refused>,
    /// Whether there may be bytes to read. Events come only when bytes arrive, so this is kept while the
    /// client takes no input.
    pub is_readable: bool,
    /// Whether the connection is in the list of those to be read.
    pub is_to_read: bool,
    /// Whether an event said that the peer sends no more.
    pub is_peer_done: bool,
    /// Whether the transport accepts bytes, as far as is known.
    pub is_writable: bool,
    /// Whether events are requested for when the transport accepts bytes again.
    waits_for_writable: bool,
    /// Why the connection will be closed after its last bytes.
    closing: Option<CloseReason>,
    /// When the transport last accepted bytes, for a connection that closes after its last bytes.
    pub progress_us: u64,
    /// The client is gone, and the slot will be freed at the end of the turn.
    pub is_gone: bool,
}

/// The next step of a connection after a read or write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// Nothing, until an event comes or the broker has more to send.
    Wait,
    /// The same again in the next turn: its share of this turn is used up.
    GoOn,
    /// Close it.
    Close(CloseReason),
}

impl Connection {
    pub(super) fn new(speaker: Speaker, transport: Transport) -> Connection {
        Connection {
            speaker,
            transport,
            due_us: None,
            handshake_due_us: None,
            denial: None,
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

    /// Reads the next bytes into the buffer; returns how many. `share` is what is left of its share of the turn.
    ///
    /// # Errors
    /// There are none, the client takes no more, or its share is used up: what comes next.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        broker: &mut Broker,
        buffers: &mut Buffers,
        share: &mut usize,
        now: Now,
    ) -> Result<usize, Next> {
        loop {
            if !self.speaker.wants_input(broker) {
                // It began to wait after its peer had closed.
                let is_left = self.is_peer_done && self.speaker.is_blocked(broker);
                let closed = Next::Close(CloseReason::PeerClosed);
                return Err(if is_left { closed } else { Next::Wait });
            }
            if *share == 0 {
                return Err(Next::GoOn);
            }
            match self.transport.receive(buffers, *share) {
                Received::Bytes { count, is_all } => {
                    *share -= count;
                    // A peer's end that was announced once is not announced again, so it stays readable.
                    self.is_readable = !is_all || self.is_peer_done;
                    return Ok(count);
                }
                Received::Nothing { read, is_all } => {
                    *share = share.saturating_sub(read.max(1));
                    self.is_readable = !is_all || self.is_peer_done;
                    if !self.is_readable {
                        return Err(Next::Wait);
                    }
                }
                Received::Established => self.begin(broker, now),
                Received::WouldBlock => {
                    self.is_readable = false;
                    return Err(Next::Wait);
                }
                Received::End => {
                    self.is_readable = false;
                    if let Some(reason) = self.closing {
                        return Err(Next::Close(reason));
                    }
                    self.speaker.close(broker, CloseReason::PeerClosed);
                    return Err(Next::Wait);
                }
                Received::Failed(reason) => return Err(Next::Close(reason)),
            }
        }
    }

    /// The handshake is done.
    fn begin(&mut self, broker: &mut Broker, now: Now) {
        self.speaker.identify(broker, self.transport.certificate_name(), now);
        if let Some(why) = self.denial.take() {
            self.speaker.deny(broker, why);
        }
    }

    /// Writes what may be sent, until the transport accepts no more or the share of the turn is used up.
    pub(super) fn write(
        &mut self,
        broker: &mut Broker,
        buffers: &mut Buffers,
        registry: &Registry,
        token: Token,
        now: Now,
    ) -> Next {
        if !self.is_writable {
            return Next::Wait;
        }
        let mut sendable = self.speaker.prepare(broker, now);
        if self.transport.is_handshaking() {
            // The greeting to another server waits.
            sendable = 0;
        }
        let Some(mut pending) = self.speaker.pending(broker) else { return Next::Wait };
        let (mut sent, mut has_failed) = (0, false);
        let unsent_before = self.transport.unsent_bytes();
        if unsent_before > 0 {
            has_failed = flush(&mut self.transport, &mut self.is_writable);
        }
        while self.is_writable && sent < sendable && sent < TURN_WRITE_BYTES_MAX {
            match self.transport.send(buffers, pending.owed(), sendable - sent) {
                Sent::Bytes(count) => {
                    pending.advance(count);
                    sent += count;
                }
                Sent::WouldBlock => self.is_writable = false,
                Sent::Failed => {
                    self.is_writable = false;
                    has_failed = true;
                }
            }
        }
        // A part of the last record may be left. Only another try requests an event for its place.
        if self.is_writable && self.transport.unsent_bytes() > 0 {
            has_failed = flush(&mut self.transport, &mut self.is_writable);
        }
        let is_owed = !pending.is_empty();
        if sent > 0 || self.transport.unsent_bytes() < unsent_before {
            self.progress_us = now.monotonic_us;
        }
        if sent > 0 {
            self.speaker.sent(broker, sent, now);
        }
        if has_failed || !(self.is_writable || self.wait_for_writable(registry, token)) {
            // No more of its commands run in this turn.
            self.speaker.close(broker, CloseReason::ConnectionFailed);
            return Next::Close(CloseReason::ConnectionFailed);
        }
        match self.closing {
            _ if self.is_writable && (sent < sendable || self.speaker.has_more(broker)) => {
                Next::GoOn
            }
            Some(reason) if !is_owed && self.transport.unsent_bytes() == 0 => self.end(reason),
            _ => Next::Wait,
        }
    }

    /// All is sent. If the peer is still sending what nobody will read, it may do so for a while: closing
    /// the connection would reset it, and the peer would lose the response.
    fn end(&mut self, reason: CloseReason) -> Next {
        if !self.speaker.discards_input() || self.is_peer_done {
            return Next::Close(reason);
        }
        self.transport.end_writing();
        Next::Wait
    }

    /// Whether it should be read without a further event: its speaker has work, or takes input again.
    pub(super) fn wants_read(&self, broker: &Broker) -> bool {
        self.speaker.has_work(broker) || (self.is_readable && self.speaker.wants_input(broker))
    }

    /// Whether there are unsent bytes for the peer.
    pub(super) fn is_owed(&mut self, broker: &mut Broker) -> bool {
        self.transport.unsent_bytes() > 0 || self.speaker.is_owed(broker)
    }

    /// Closes the connection once its last bytes are sent. Returns the time limit for a peer that
    /// accepts none.
    pub(super) fn linger(&mut self, reason: CloseReason, now: Now) -> u64 {
        self.closing = Some(reason);
        self.progress_us = now.monotonic_us;
        self.progress_us + LINGER_US_MAX
    }

    /// For a connection that closes after its last bytes: the time limit for a peer that accepts none,
    /// and why it closes.
    pub(super) fn lingers_until(&self) -> Option<(u64, CloseReason)> {
        self.closing.map(|reason| (self.progress_us + LINGER_US_MAX, reason))
    }

    /// Requests an event for when the transport accepts bytes again; false if that failed.
    ///
    /// The first time costs a system call; after that the kernel continues to send such events.
    /// Requesting them from the start would cost every client: a Unix socket has one each time its peer
    /// reads.
    fn wait_for_writable(&mut self, registry: &Registry, token: Token) -> bool {
        let is_asked = self.waits_for_writable;
        self.waits_for_writable = true;
        is_asked || self.transport.register_full(registry, token).is_ok()
    }
}

/// Writes what the transport holds; returns whether that failed.
fn flush(transport: &mut Transport, is_writable: &mut bool) -> bool {
    let result = transport.flush();
    *is_writable = matches!(result, Sent::Bytes(_));
    matches!(result, Sent::Failed)
}

/// The connection in a slot, unless its client is gone.
pub(super) fn open(connections: &mut Slab<Connection>, slot: usize) -> Option<&mut Connection> {
    connections.get_mut(slot).filter(|connection| !connection.is_gone)
}
