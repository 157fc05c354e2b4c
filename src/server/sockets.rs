//! The sockets of a server, and what is to be done with them: all that a turn needs besides the broker and its files.

use super::clock::SystemClock;
use super::connection::{Connection, Next, open};
use super::lifecycle::Lifecycle;
use super::listeners::Listeners;
use super::speaker::Speaker;
use super::stop_handle::StopHandle;
use super::transfer::Buffers;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::deadlines::Deadlines;
use mio::net::UnixStream;
use mio::{Events, Poll, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

/// Maximum number of events taken from the operating system at once.
pub(super) const EVENTS_PER_TURN_MAX: usize = 1024;

/// The token of the waker.
pub(super) const WAKER: Token = Token(0);
/// The token of the first listener.
pub(super) const FIRST_LISTENER: usize = 1;

/// The sockets of a server.
pub(super) struct Sockets {
    pub(super) poll: Poll,
    pub(super) listeners: Listeners,
    /// New in-process clients; `None` once no more are accepted.
    pub(super) entrance: Option<Receiver<UnixStream>>,
    /// The token of the connection in slot 0. Below it are the waker and the listeners.
    pub(super) first_connection: usize,
    pub(super) connections: Slab<Connection>,
    /// Connections to be read in this turn or, after their share of it, in the next: no further event
    /// will mention the bytes they hold.
    pub(super) to_read: VecDeque<usize>,
    /// Connections to be written, besides those whose client has new output.
    pub(super) to_write: Vec<usize>,
    /// Connections whose client is gone. Their slots are freed at the end of the turn.
    pub(super) gone: Vec<usize>,
    /// Connections to be closed after they were written to.
    pub(super) to_close: Vec<(usize, CloseReason)>,
    /// Time limits of connections that close after their last bytes.
    pub(super) lingering: Deadlines<usize>,
    pub(super) buffers: Buffers,
    /// Connections to be read whose TLS handshake is not finished, in the order in which their bytes came.
    pub(super) handshakes_to_read: VecDeque<usize>,
    /// When unfinished handshakes are given up.
    pub(super) handshake_deadlines: Deadlines<usize>,
    /// When the protocols of connections have something to do.
    pub(super) due: Deadlines<usize>,
    /// The number of HTTP connections.
    pub(super) http_count: usize,
    pub(super) clock: SystemClock,
    /// The time of the turn.
    pub(super) now: Now,
    /// Whether the loop was woken while a script ran: the next turn does not wait.
    pub(super) was_woken: bool,
    /// What serving clients during a script needs.
    pub(super) busy: Option<Box<Busy>>,
    /// Says whether the server is to stop.
    pub(super) handle: StopHandle,
    /// Who is told how it goes.
    pub(super) lifecycle: Lifecycle,
}

/// What serving clients during a script needs besides.
#[derive(Debug)]
pub(super) struct Busy {
    pub(super) events: Events,
    /// In the place of the buffer that has the input with the script.
    pub(super) plain: Box<[u8]>,
}

impl Busy {
    pub(super) fn new() -> Busy {
        Busy { events: Events::with_capacity(EVENTS_PER_TURN_MAX), plain: Buffers::new().plain }
    }
}

impl Sockets {
    pub(super) fn new(
        poll: Poll,
        listeners: Listeners,
        entrance: Receiver<UnixStream>,
        first_connection: usize,
        (clock, now): (SystemClock, Now),
        handle: StopHandle,
    ) -> Sockets {
        Sockets {
            poll,
            listeners,
            entrance: Some(entrance),
            first_connection,
            connections: Slab::new(),
            to_read: VecDeque::new(),
            to_write: Vec::new(),
            gone: Vec::new(),
            to_close: Vec::new(),
            lingering: Deadlines::default(),
            buffers: Buffers::new(),
            handshakes_to_read: VecDeque::new(),
            handshake_deadlines: Deadlines::default(),
            due: Deadlines::default(),
            http_count: 0,
            clock,
            now,
            was_woken: false,
            busy: None,
            handle,
            lifecycle: Lifecycle::default(),
        }
    }

    /// Begins a turn with these events.
    pub(super) fn begin_turn(&mut self, broker: &mut Broker, events: &Events) {
        self.busy = None;
        self.note(broker, events);
        // The turn sees to what this was for. One that comes while a script runs is for the next turn.
        self.was_woken = false;
    }

    /// Reads all connections that may hold bytes.
    pub(super) fn read(&mut self, broker: &mut Broker) {
        for _ in 0..self.to_read.len() {
            let Some(slot) = self.to_read.pop_front() else { break };
            self.read_connection(broker, slot);
        }
        if !self.handshakes_to_read.is_empty() {
            self.read_handshakes(broker);
        }
    }

    /// After the broker has settled: lists the clients that accept input again, and does what is due in protocols.
    pub(super) fn settle(&mut self, broker: &mut Broker) {
        while let Some(id) = broker.next_resumed() {
            let may_go_on = |slot: &usize| {
                let connection = &self.connections[*slot];
                connection.is_readable || connection.speaker.has_work(broker)
            };
            if let Some(slot) = self.slot_of(id).filter(may_go_on) {
                self.list_to_read(slot);
            }
        }
        self.tick(broker);
    }

    /// Writes once to each client with pending output.
    pub(super) fn write(&mut self, broker: &mut Broker) {
        for slot in std::mem::take(&mut self.to_write) {
            self.write_connection(broker, slot);
        }
        while let Some(id) = broker.next_dirty(self.now) {
            if let Some(slot) = self.slot_of(id) {
                self.write_connection(broker, slot);
            }
        }
    }

    /// Records what the events say, before any command runs.
    ///
    /// A client that waits for a message and whose peer has gone is closed here, so that no push of this
    /// turn can deliver a message to it.
    pub(super) fn note(&mut self, broker: &mut Broker, events: &Events) {
        for event in events {
            if event.token() == WAKER {
                self.was_woken = true;
                continue;
            }
            let Some(slot) = event.token().0.checked_sub(self.first_connection) else {
                self.listeners.set_ready(event.token().0 - FIRST_LISTENER);
                continue;
            };
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            if event.is_writable() && !connection.is_writable {
                connection.is_writable = true;
                self.to_write.push(slot);
            }
            // The read will report the error.
            let is_peer_done = event.is_read_closed() || event.is_error();
            if !is_peer_done && !event.is_readable() {
                continue;
            }
            connection.is_readable = true;
            connection.is_peer_done |= is_peer_done;
            let is_blocked = connection.speaker.is_blocked(broker);
            if event.is_readable() && is_blocked {
                connection.speaker.input_waits(broker);
            }
            let is_peer_done =
                is_peer_done || (is_blocked && connection.transport.finds_end(&mut self.buffers));
            if is_peer_done && is_blocked {
                self.drop_connection(broker, slot, CloseReason::PeerClosed);
            } else {
                self.list_to_read(slot);
            }
        }
    }

    pub(super) fn list_to_read(&mut self, slot: usize) {
        if let Some(connection) = open(&mut self.connections, slot)
            && !connection.is_to_read
        {
            connection.is_to_read = true;
            match connection.transport.is_handshaking() {
                false => self.to_read.push_back(slot),
                true => self.handshakes_to_read.push_back(slot),
            }
        }
    }

    /// Reads a connection, and lists it to be written if its transport has to answer.
    #[inline(always)]
    pub(super) fn read_connection(&mut self, broker: &mut Broker, slot: usize) {
        let Some(mut connection) = open(&mut self.connections, slot) else { return };
        connection.is_to_read = false;
        let mut share = broker.settings().turn_read_bytes_max.max(1);
        if connection.speaker.has_work(broker) {
            let speaker = connection.speaker.lend();
            self.pass(broker, slot, speaker, None);
            let Some(again) = open(&mut self.connections, slot) else { return };
            connection = again;
        }
        let next = loop {
            match connection.read(broker, &mut self.buffers, &mut share, self.now) {
                Ok(count) => {
                    let speaker = connection.speaker.lend();
                    self.pass(broker, slot, speaker, Some(count));
                    let Some(again) = open(&mut self.connections, slot) else { return };
                    connection = again;
                    if !connection.is_readable {
                        break Next::Wait;
                    }
                }
                Err(next) => break next,
            }
        };
        let is_http = connection.speaker.is_http();
        let is_owed =
            connection.transport.unsent_bytes() > 0 || connection.speaker.has_own_output();
        if is_owed && connection.is_writable {
            self.to_write.push(slot);
        }
        match next {
            Next::Wait => {}
            Next::GoOn => self.list_to_read(slot),
            Next::Close(reason) => self.drop_connection(broker, slot, reason),
        }
        if is_http {
            self.follow_up(broker, slot);
        }
    }

    /// Passes the first bytes in the buffer to the speaker of a connection, or has it do its work. Everything else is
    /// lent to the broker for the time, in case that a script runs.
    #[inline(always)]
    fn pass(
        &mut self,
        broker: &mut Broker,
        slot: usize,
        mut speaker: Speaker,
        count: Option<usize>,
    ) {
        let now = self.now;
        let plain = std::mem::take(&mut self.buffers.plain);
        match count.and_then(|count| plain.get(..count)) {
            Some(bytes) => speaker.receive(broker, bytes, now, self),
            None => speaker.go_on(broker, now, self),
        }
        self.buffers.plain = plain;
        match speaker {
            Speaker::Resp(_) => {}
            Speaker::Http(_) => self.take_back(slot, speaker),
        }
    }

    fn take_back(&mut self, slot: usize, speaker: Speaker) {
        if let Some(connection) = open(&mut self.connections, slot) {
            connection.speaker = speaker;
        }
    }

    /// Has a client's output written in the next turn, which then does not wait.
    pub(super) fn write_soon(&mut self, id: ClientId) {
        self.to_write.extend(self.slot_of(id));
    }

    pub(super) fn write_connection(&mut self, broker: &mut Broker, slot: usize) {
        let token = self.token(slot);
        let Some(connection) = open(&mut self.connections, slot) else { return };
        let (buffers, registry) = (&mut self.buffers, self.poll.registry());
        let next = connection.write(broker, buffers, registry, token, self.now);
        let is_http = connection.speaker.is_http();
        match next {
            Next::Wait => {}
            Next::GoOn => self.to_write.push(slot),
            Next::Close(reason) => self.to_close.push((slot, reason)),
        }
        if is_http {
            self.follow_up(broker, slot);
        }
    }

    /// After a connection was read or written: its speaker may have work, and later something due, of which the
    /// broker does not know.
    fn follow_up(&mut self, broker: &mut Broker, slot: usize) {
        let Some(connection) = open(&mut self.connections, slot) else { return };
        if connection.wants_read(broker) {
            self.list_to_read(slot);
        }
        self.update_due(broker, slot);
    }

    /// Closes clients that are sent nothing more, such as killed ones: before CLIENT KILL is answered
    /// their connections are gone, as in Redis.
    pub(super) fn close_at_once(&mut self, broker: &mut Broker) {
        while let Some((slot, reason)) = self.next_closing(broker) {
            if reason.flushes_first() {
                self.to_close.push((slot, reason));
            } else {
                self.drop_connection(broker, slot, reason);
            }
        }
        self.free_slots();
    }

    fn free_slots(&mut self) {
        if !self.gone.is_empty() {
            for slot in self.gone.drain(..) {
                self.connections.remove(slot);
            }
            self.to_read.retain(|&slot| self.connections.contains(slot));
            self.to_write.retain(|&slot| self.connections.contains(slot));
            self.handshakes_to_read.retain(|&slot| self.connections.contains(slot));
        }
    }

    /// The slot of a client's connection, while there is one.
    pub(super) fn slot_of(&self, id: ClientId) -> Option<usize> {
        let connection = self.connections.get(id.slot())?;
        (connection.speaker.is_client(id) && !connection.is_gone).then_some(id.slot())
    }

    /// The next connection that the broker wants closed.
    fn next_closing(&mut self, broker: &mut Broker) -> Option<(usize, CloseReason)> {
        loop {
            let (id, reason) = broker.next_closing()?;
            if let Some(slot) = self.slot_of(id) {
                return Some((slot, reason));
            }
        }
    }

    /// The token of the connection in a slot.
    pub(super) fn token(&self, slot: usize) -> Token {
        Token(self.first_connection + slot)
    }

    /// The broker forgets the client at once. The socket is closed at the end of the turn.
    ///
    /// While a script runs, a connection whose end would change data is closed after it.
    pub(super) fn drop_connection(
        &mut self,
        broker: &mut Broker,
        slot: usize,
        reason: CloseReason,
    ) {
        let Some(connection) = open(&mut self.connections, slot) else { return };
        if broker.is_busy() && !broker.may_disconnect(connection.speaker.client()) {
            connection.speaker.close(broker, reason);
            self.to_close.push((slot, reason));
            return;
        }
        connection.is_gone = true;
        connection.transport.end(reason, &mut self.buffers);
        connection.speaker.closed(broker, reason, self.now);
        self.gone.push(slot);
        self.http_count -= usize::from(connection.speaker.is_http());
        self.end_handshake(slot);
        self.end_due(slot);
    }

    pub(super) fn close(&mut self, broker: &mut Broker) {
        while let Some((slot, reason)) = self.next_closing(broker) {
            self.to_close.push((slot, reason));
        }
        for (slot, reason) in std::mem::take(&mut self.to_close) {
            let Some(connection) = open(&mut self.connections, slot) else { continue };
            if reason.lingers() && connection.is_owed(broker) {
                let due_us = connection.linger(reason, self.now);
                self.lingering.insert(due_us, slot);
            } else {
                self.drop_connection(broker, slot, reason);
            }
        }
        if self.handshake_deadlines.next().is_some() {
            self.close_late_handshakes(broker);
        }
        while let Some(slot) = self.lingering.pop_due(self.now.monotonic_us) {
            // Another connection may have the slot by now.
            let lingering = open(&mut self.connections, slot).and_then(|open| open.lingers_until());
            match lingering {
                Some((due_us, _)) if due_us > self.now.monotonic_us => {
                    self.lingering.insert(due_us, slot);
                }
                Some((_, reason)) => self.drop_connection(broker, slot, reason),
                None => {}
            }
        }
        self.free_slots();
    }
}
