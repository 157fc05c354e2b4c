//! One turn of the loop: what arrived goes into the broker, what it answers goes out.

use super::connection::{Connection, Stream, register};
use super::durability::Durability;
use super::error::ServerError;
use super::listeners::Accepted;
use super::{Server, WAKER};
use crate::broker::turn::{Stages, TurnTime, turn};
use crate::client_id::ClientId;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::resp::Protocol;
use crate::slack;
use mio::{Events, Token};
use std::io::ErrorKind;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Connections accepted in a turn; the others wait for the next, so that a storm of them does not
/// hold up those who are connected.
const ACCEPTS_PER_TURN_MAX: usize = 128;
/// Bytes written to one client in a turn, so that a large reply to a fast reader does not hold up
/// the others.
const TURN_WRITE_BYTES_MAX: usize = 1024 * 1024;
/// How long a client that is to be closed may take none of its last bytes.
const LINGER_US_MAX: u64 = 5_000_000;
/// How long after a turn the allocator is asked to return memory. mimalloc does it by itself a second
/// after memory was freed, if it is called then, and in the time of the loop: this comes before.
/// Sooner would return more that is about to be used again.
const GIVE_BACK_US: u64 = 900_000;
/// How often idle clients are looked for, if `timeout` says so.
const IDLE_CHECK_US: u64 = 1_000_000;

/// On Linux a read from a stream socket that gives less than was asked for has emptied it
/// (epoll(7)), and whatever arrives later makes an event: a request costs one read, not two.
const SHORT_READ_EMPTIES: bool = cfg!(any(target_os = "linux", target_os = "android"));

const MAX_CLIENTS_TEXT: &str = "-ERR max number of clients reached\r\n";
const PROTECTED_TEXT: &str = "-DENIED Redis is running in protected mode because protected mode \
    is enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. If you want to connect from external computers to Redis \
    you may adopt one of the following solutions: 1) Just disable protected mode sending the \
    command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
    from the same host the server is running, however MAKE SURE Redis is not publicly accessible \
    from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) \
    Alternatively you can just disable the protected mode by editing the Redis configuration \
    file, and setting the protected mode option to 'no', and then restarting the server. 3) If \
    you started the server manually just for testing, restart it with the '--protected-mode no' \
    option. 4) Setup a an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the \
    outside.\r\n";

impl Server {
    /// Waits for something to do, and does it. New clients come last, when those who left have made
    /// room; what they sent already makes an event of the next turn.
    pub(super) fn turn(&mut self, events: &mut Events) -> Result<(), ServerError> {
        self.now = self.wait(events)?;
        self.note(events);
        self.is_busy = !events.is_empty();
        self.turn_time = TurnTime { begun_us: self.now.monotonic_us, ..TurnTime::default() };
        turn(self)?;
        self.accept();
        self.end_stage(4);
        self.broker.note_turn(&self.turn_time, self.now);
        self.give_memory_back();
        Ok(())
    }

    /// Waits for something to do; what time it is then.
    fn wait(&mut self, events: &mut Events) -> Result<Now, ServerError> {
        match self.poll.poll(events, self.wait_max()) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(ServerError::Poll(error)),
            _ => Ok(self.clock.now()),
        }
    }

    /// How long nothing will happen by itself; none if it never will.
    pub(super) fn wait_max(&self) -> Option<Duration> {
        let may_read = !self.to_read.is_empty() && !self.durability.is_full(&self.broker);
        if may_read || !self.to_write.is_empty() || self.listeners.is_ready() {
            return Some(Duration::ZERO);
        }
        let checks_idle = self.broker.settings().timeout_s > 0 && !self.connections.is_empty();
        let own = [
            self.listeners.deadline_us(),
            self.lingering.next(),
            self.stop_by_us,
            self.give_back_us,
            checks_idle.then_some(self.next_idle_check_us),
        ];
        let own = own.into_iter().flatten().min();
        let own = own.map(|at| Duration::from_micros(at.saturating_sub(self.now.monotonic_us)));
        let durability = self.durability.next_deadline(&self.broker, self.now);
        let wait = self.broker.next_deadline(self.now);
        let wait = [wait, durability, own].into_iter().flatten().min()?;
        // The turn has taken time itself. The poll rounds up to a millisecond, so it ends after
        // the deadline and not in a series of short waits before it.
        let spent_us = self.clock.monotonic_us().saturating_sub(self.now.monotonic_us);
        Some(wait.saturating_sub(Duration::from_micros(spent_us)))
    }

    /// Notes what the events say, before anything is run.
    ///
    /// A client that waits for a message and whose peer is known to have gone is closed here: no
    /// push of this turn may hand it one.
    fn note(&mut self, events: &Events) {
        for event in events {
            if event.token() == WAKER {
                continue;
            }
            let Some(slot) = event.token().0.checked_sub(self.first_connection) else {
                self.listeners.set_ready(event.token().0 - super::FIRST_LISTENER);
                continue;
            };
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            if event.is_writable() && !connection.is_writable {
                connection.is_writable = true;
                self.to_write.push(slot);
            }
            // What an error is, reading tells.
            let is_peer_done = event.is_read_closed() || event.is_error();
            if !is_peer_done && !event.is_readable() {
                continue;
            }
            connection.is_readable = true;
            connection.is_peer_done |= is_peer_done;
            if event.is_readable() && self.broker.is_blocked(connection.id) {
                self.broker.input_waits(connection.id);
            }
            if is_peer_done && self.broker.is_blocked(connection.id) {
                self.drop_client(slot, CloseReason::PeerClosed);
            } else {
                self.list_to_read(slot);
            }
        }
    }
}

impl Server {
    /// Notes that a stage of the turn has ended.
    fn end_stage(&mut self, stage: usize) {
        self.turn_time.ends_us[stage] = self.clock.monotonic_us();
    }
}

impl Stages for Server {
    type Error = ServerError;

    fn finish_jobs(&mut self) -> Result<bool, ServerError> {
        self.durability.finish_jobs(&mut self.broker, self.now)
    }

    fn has_changed(&self) -> bool {
        self.broker.has_changed()
    }

    /// Reads every connection that may hold bytes. Those that hold more than their share are left
    /// for the next turn, which then does not wait.
    fn read(&mut self) {
        if self.durability.is_full(&self.broker) {
            return;
        }
        let mut slots = std::mem::take(&mut self.to_read);
        for slot in slots.drain(..) {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.is_to_read = false;
            }
            if self.read_connection(slot) {
                self.list_to_read(slot);
            }
        }
        if self.to_read.is_empty() {
            // Keeps the allocation.
            self.to_read = slots;
        }
        self.end_stage(0);
    }

    /// Lets the broker do what the time brings. Whoever takes input again is read in the next
    /// turn.
    fn settle(&mut self) {
        if self.broker.settings().timeout_s > 0 && self.now.monotonic_us >= self.next_idle_check_us
        {
            self.next_idle_check_us = self.now.monotonic_us + IDLE_CHECK_US;
            self.broker.close_idle(self.now);
        }
        self.broker.settle(self.now);
        while let Some(id) = self.broker.next_resumed() {
            if self.connection(id).is_some_and(|connection| connection.is_readable) {
                self.list_to_read(id.slot());
            }
        }
        self.close_at_once();
        self.end_stage(1);
    }

    fn commit(&mut self) -> Result<(), ServerError> {
        let is_busy = self.is_busy;
        self.durability.commit(&mut self.broker, is_busy, &self.handle.waker, self.now)?;
        self.end_stage(2);
        Ok(())
    }

    /// Writes to each client that is owed something, once.
    fn write(&mut self) {
        for slot in std::mem::take(&mut self.to_write) {
            if let Some(connection) = self.connections.get(slot) {
                self.write_client(connection.id);
            }
        }
        while let Some(id) = self.broker.next_dirty(self.now) {
            self.write_client(id);
        }
        self.end_stage(3);
    }

    /// Closes those whose end has come, and frees their slots. Nobody comes before the
    /// turn's end, so a slot means one connection throughout a turn.
    fn close(&mut self) {
        let mut to_close = std::mem::take(&mut self.to_close);
        to_close.extend(std::iter::from_fn(|| self.broker.next_closing()));
        for (id, reason) in to_close {
            let is_owed = self.broker.output(id).is_some_and(|output| !output.is_empty());
            let Some(connection) = self.connections.get_mut(id.slot()) else { continue };
            if connection.id != id {
                continue;
            }
            if is_owed && reason.flushes_first() {
                connection.closing = Some(reason);
                connection.progress_us = self.now.monotonic_us;
                self.lingering.insert(self.now.monotonic_us + LINGER_US_MAX, id);
            } else {
                self.drop_client(id.slot(), reason);
            }
        }
        while let Some(id) = self.lingering.pop_due(self.now.monotonic_us) {
            let Some(connection) = self.connection(id) else { continue };
            let give_up_us = connection.progress_us + LINGER_US_MAX;
            if give_up_us > self.now.monotonic_us {
                self.lingering.insert(give_up_us, id);
            } else {
                self.drop_client(id.slot(), connection.closing.unwrap_or(CloseReason::PeerClosed));
            }
        }
        self.free_slots();
    }
}

impl Server {
    /// Reads one connection until it is empty, its client takes no more, or its share of the turn
    /// is used up: then it says so.
    fn read_connection(&mut self, slot: usize) -> bool {
        let mut share = self.broker.settings().turn_read_bytes_max.max(1);
        loop {
            let Some(connection) = self.connections.get_mut(slot) else { return false };
            if connection.is_gone {
                return false;
            }
            let id = connection.id;
            if !self.broker.wants_input(id) {
                // It has begun to wait after its peer was seen to have gone.
                if connection.is_peer_done && self.broker.is_blocked(id) {
                    self.drop_client(slot, CloseReason::PeerClosed);
                }
                return false;
            }
            if share == 0 {
                return true;
            }
            let asked = share.min(self.read_buffer.len());
            match connection.stream.read(&mut self.read_buffer[..asked]) {
                Ok(0) => {
                    connection.is_readable = false;
                    self.broker.close(id, CloseReason::PeerClosed);
                    return false;
                }
                Ok(got) => {
                    share -= got;
                    // The end that was announced is not announced again: it is read.
                    let is_empty = SHORT_READ_EMPTIES && got < asked && !connection.is_peer_done;
                    connection.is_readable = !is_empty;
                    self.broker.receive(id, &self.read_buffer[..got], self.now);
                    if is_empty {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    connection.is_readable = false;
                    return false;
                }
                Err(_) => {
                    self.drop_client(slot, CloseReason::ConnectionFailed);
                    return false;
                }
            }
        }
    }

    fn list_to_read(&mut self, slot: usize) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !connection.is_to_read
            && !connection.is_gone
        {
            connection.is_to_read = true;
            self.to_read.push(slot);
        }
    }

    fn write_client(&mut self, id: ClientId) {
        let slot = id.slot();
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.id != id || connection.is_gone || !connection.is_writable {
            return;
        }
        // Not what waits for a sync.
        let sendable = self.broker.sendable(id);
        let Some(output) = self.broker.output(id) else { return };
        let mut sent = 0;
        let mut has_failed = false;
        while sent < sendable && sent < TURN_WRITE_BYTES_MAX {
            match connection.stream.write(output, sendable - sent) {
                Ok(taken) if taken > 0 => {
                    output.advance(taken);
                    sent += taken;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let token = Token(self.first_connection + slot);
                    let result = connection.wait_for_writable(self.poll.registry(), token);
                    has_failed = result.is_err();
                    break;
                }
                _ => {
                    has_failed = true;
                    break;
                }
            }
        }
        let is_owed = !output.is_empty();
        let may_go_on = sent < sendable;
        if sent > 0 {
            connection.progress_us = self.now.monotonic_us;
            self.broker.flushed(id, sent, self.now);
        }
        if has_failed {
            connection.is_writable = false;
            // Nothing more is run for it in this turn.
            self.broker.close(id, CloseReason::ConnectionFailed);
            self.to_close.push((id, CloseReason::ConnectionFailed));
        } else if may_go_on && connection.is_writable {
            self.to_write.push(slot);
        } else if !is_owed && let Some(reason) = connection.closing {
            self.to_close.push((id, reason));
        }
    }

    /// Closes those who are sent nothing more, such as the killed: before CLIENT KILL is answered
    /// their connections are gone, as in Redis.
    fn close_at_once(&mut self) {
        while let Some((id, reason)) = self.broker.next_closing() {
            if reason.flushes_first() {
                self.to_close.push((id, reason));
            } else {
                self.drop_client(id.slot(), reason);
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
        }
    }

    /// Has the allocator return memory some time after a turn, once for all turns until then. The turn
    /// that does it does not count, so that an idle server sleeps.
    fn give_memory_back(&mut self) {
        match self.give_back_us {
            Some(due_us) if due_us <= self.now.monotonic_us => {
                self.give_back_us = None;
                let connections = &mut self.connections;
                if slack::smaller(connections.len(), connections.capacity()).is_some() {
                    connections.shrink_to_fit();
                }
                self.broker.give_memory_back();
            }
            Some(_) => {}
            None => self.give_back_us = Some(self.now.monotonic_us + GIVE_BACK_US),
        }
    }

    /// Takes in those who wait at the door, as far as there is room.
    fn accept(&mut self) {
        self.accept_in_process();
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let Some(accepted) = self.listeners.accept(self.now.monotonic_us) else { return };
            self.admit(accepted);
        }
    }

    fn admit(&mut self, accepted: Accepted) {
        match self.refusal(&accepted) {
            Some(text) => {
                self.broker.count_rejected_connection();
                accepted.stream.dismiss(text);
            }
            None => self.connect(accepted),
        }
    }

    /// Takes in clients of this program. They wait while append files are loaded: no call of theirs is
    /// refused for that.
    fn accept_in_process(&mut self) {
        if matches!(self.durability, Durability::Loading { .. }) {
            return;
        }
        while let Some(Ok(stream)) = self.door.as_ref().map(Receiver::try_recv) {
            let stream = Stream::Unix(stream);
            let accepted = Accepted { stream, peer: Peer::in_process(), is_on_spare: false };
            self.admit(accepted);
        }
    }

    /// Why a connection is not taken in, in Redis' words.
    fn refusal(&self, accepted: &Accepted) -> Option<&'static str> {
        let settings = self.broker.settings();
        let count = self.broker.client_count();
        if accepted.is_on_spare || count >= settings.maxclients as usize {
            return Some(MAX_CLIENTS_TEXT);
        }
        let is_open_to_all = settings.requirepass.is_empty() && settings.protected_mode;
        (is_open_to_all && !accepted.peer.is_local()).then_some(PROTECTED_TEXT)
    }

    fn connect(&mut self, accepted: Accepted) {
        let Accepted { mut stream, peer, .. } = accepted;
        if let Peer::Tcp { .. } = peer {
            stream.tune(self.broker.settings().tcp_keepalive_s);
        }
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        let token = Token(self.first_connection + slot);
        if let Err(error) = register(&mut stream, self.poll.registry(), token) {
            log::warn!("cannot wait for events of a new connection: {error}");
            return;
        }
        let is_in_process = matches!(peer, Peer::InProcess);
        let id = self.broker.connect(slot, peer, self.now);
        if is_in_process && let Some(output) = self.broker.output(id) {
            output.set_protocol(Protocol::Resp3);
        }
        entry.insert(Connection::new(id, stream));
    }

    fn connection(&self, id: ClientId) -> Option<&Connection> {
        let connection = self.connections.get(id.slot())?;
        (connection.id == id && !connection.is_gone).then_some(connection)
    }

    /// The broker forgets the client at once. The socket is closed at the end of the turn.
    fn drop_client(&mut self, slot: usize, reason: CloseReason) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.is_gone {
            return;
        }
        connection.is_gone = true;
        if reason.flushes_first() && reason != CloseReason::PeerClosed {
            connection.stream.discard_input(&mut self.read_buffer);
        }
        self.broker.disconnect(connection.id, reason, self.now);
        self.gone.push(slot);
    }
}
