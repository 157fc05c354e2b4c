//! One turn of the loop: passes input to the broker, and sends its output.

use super::connection::{Next, open};
use super::error::ServerError;
use super::{Server, WAKER};
use crate::broker::turn::{Stages, TurnTime, turn};
use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::slack;
use mio::{Events, Token};
use std::io::ErrorKind;

/// How long after a turn the allocator is asked to return memory. mimalloc does it by itself a second
/// after memory was freed, if it is called then, and in the loop's time: this comes earlier. A shorter
/// time would return more memory that is about to be used again.
const GIVE_BACK_US: u64 = 900_000;
impl Server {
    /// Waits for something to do, and does it. New clients come last, after closed ones have freed their
    /// slots. What they already sent makes an event in the next turn.
    pub(super) fn turn(&mut self, events: &mut Events) -> Result<(), ServerError> {
        self.now = self.wait(events)?;
        self.note(events);
        self.is_busy = !events.is_empty();
        if self.handle.take_reload() {
            self.lifecycle.reloading();
            self.reload_certificates();
            self.lifecycle.reloaded();
        }
        self.lifecycle.report(&self.broker, self.now);
        self.turn_time = TurnTime { begun_us: self.now.monotonic_us, ..TurnTime::default() };
        turn(self)?;
        self.accept();
        self.end_stage(4);
        self.broker.record_turn(&self.turn_time, self.now);
        self.release_memory();
        Ok(())
    }

    /// Waits for something to do; returns the time afterwards.
    fn wait(&mut self, events: &mut Events) -> Result<Now, ServerError> {
        match self.poll.poll(events, self.wait_max()) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(ServerError::Poll(error)),
            _ => Ok(self.clock.now()),
        }
    }

    /// Records what the events say, before any command runs.
    ///
    /// A client that waits for a message and whose peer has gone is closed here, so that no push of this
    /// turn can deliver a message to it.
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
            // The read will report the error.
            let is_peer_done = event.is_read_closed() || event.is_error();
            if !is_peer_done && !event.is_readable() {
                continue;
            }
            connection.is_readable = true;
            connection.is_peer_done |= is_peer_done;
            let is_blocked = connection.speaker.is_blocked(&self.broker);
            if event.is_readable() && is_blocked {
                connection.speaker.input_waits(&mut self.broker);
            }
            let is_peer_done =
                is_peer_done || (is_blocked && connection.transport.finds_end(&mut self.buffers));
            if is_peer_done && is_blocked {
                self.drop_connection(slot, CloseReason::PeerClosed);
            } else {
                self.list_to_read(slot);
            }
        }
    }
}

impl Server {
    /// Records the end of a stage of the turn.
    fn end_stage(&mut self, stage: usize) {
        self.turn_time.ends_us[stage] = self.clock.monotonic_us();
    }
}

impl Stages for Server {
    type Error = ServerError;

    fn finish_jobs(&mut self) -> Result<bool, ServerError> {
        let has_saved = self.saving.finish_jobs(&mut self.broker, self.now)?;
        Ok(self.durability.finish_jobs(&mut self.broker, self.now)? || has_saved)
    }

    fn has_changed(&self) -> bool {
        self.broker.has_changed()
    }

    /// Reads all connections that may hold bytes. Those with more than their share stay for the next
    /// turn, which then does not wait.
    fn read(&mut self) {
        if self.durability.is_full(&self.broker) {
            return;
        }
        let mut slots = std::mem::take(&mut self.to_read);
        for slot in slots.drain(..) {
            self.read_connection(slot);
        }
        if self.to_read.is_empty() {
            // Reuses the allocation.
            self.to_read = slots;
        }
        if !self.handshakes_to_read.is_empty() {
            self.read_handshakes();
        }
        self.end_stage(0);
    }

    /// Lets the broker do what is due. Clients that accept input again are read in the next turn.
    fn settle(&mut self) {
        self.broker.settle(self.now);
        while let Some(id) = self.broker.next_resumed() {
            let may_go_on = |slot: &usize| {
                let connection = &self.connections[*slot];
                connection.is_readable || connection.speaker.has_work(&self.broker)
            };
            if let Some(slot) = self.slot_of(id).filter(may_go_on) {
                self.list_to_read(slot);
            }
        }
        self.tick();
        self.connect_to_primary();
        self.connect_to_targets();
        self.close_at_once();
        self.end_stage(1);
    }

    fn commit(&mut self) -> Result<(), ServerError> {
        let is_busy = self.is_busy;
        self.broker.end_turn(self.now);
        self.durability.commit(&mut self.broker, is_busy, &self.handle.waker, self.now)?;
        self.saving.turn(&mut self.broker, &self.handle.waker, self.now);
        self.end_stage(2);
        Ok(())
    }

    /// Writes once to each client with pending output.
    fn write(&mut self) {
        for slot in std::mem::take(&mut self.to_write) {
            self.write_connection(slot);
        }
        while let Some(id) = self.broker.next_dirty(self.now) {
            if let Some(slot) = self.slot_of(id) {
                self.write_connection(slot);
            }
        }
        self.end_stage(3);
    }

    /// Closes connections that have ended, and frees their slots. New connections come only after this,
    /// so a slot means one connection throughout a turn.
    fn close(&mut self) {
        while let Some((slot, reason)) = self.next_closing() {
            self.to_close.push((slot, reason));
        }
        for (slot, reason) in std::mem::take(&mut self.to_close) {
            let Some(connection) = open(&mut self.connections, slot) else { continue };
            if reason.lingers() && connection.is_owed(&mut self.broker) {
                let due_us = connection.linger(reason, self.now);
                self.lingering.insert(due_us, slot);
            } else {
                self.drop_connection(slot, reason);
            }
        }
        if self.handshake_deadlines.next().is_some() {
            self.close_late_handshakes();
        }
        while let Some(slot) = self.lingering.pop_due(self.now.monotonic_us) {
            // Another connection may have the slot by now.
            let lingering = open(&mut self.connections, slot).and_then(|open| open.lingers_until());
            match lingering {
                Some((due_us, _)) if due_us > self.now.monotonic_us => {
                    self.lingering.insert(due_us, slot);
                }
                Some((_, reason)) => self.drop_connection(slot, reason),
                None => {}
            }
        }
        self.free_slots();
    }
}

impl Server {
    pub(super) fn list_to_read(&mut self, slot: usize) {
        if let Some(connection) = open(&mut self.connections, slot)
            && !connection.is_to_read
        {
            connection.is_to_read = true;
            match connection.transport.is_handshaking() {
                false => self.to_read.push(slot),
                true => self.handshakes_to_read.push_back(slot),
            }
        }
    }

    /// Reads a connection, and lists it to be written if its transport has to answer.
    #[inline(always)]
    pub(super) fn read_connection(&mut self, slot: usize) {
        let Some(connection) = open(&mut self.connections, slot) else { return };
        connection.is_to_read = false;
        let next = connection.read(&mut self.broker, &mut self.buffers, self.now);
        let is_owed =
            connection.transport.unsent_bytes() > 0 || connection.speaker.has_own_output();
        if is_owed && connection.is_writable {
            self.to_write.push(slot);
        }
        let is_http = connection.speaker.is_http();
        match next {
            Next::Wait => {}
            Next::GoOn => self.list_to_read(slot),
            Next::Close(reason) => self.drop_connection(slot, reason),
        }
        if is_http {
            self.follow_up(slot);
        }
    }

    /// Has a client's output written in the next turn, which then does not wait.
    pub(super) fn write_soon(&mut self, id: ClientId) {
        self.to_write.extend(self.slot_of(id));
    }

    fn write_connection(&mut self, slot: usize) {
        let token = self.token(slot);
        let Some(connection) = open(&mut self.connections, slot) else { return };
        let (broker, buffers) = (&mut self.broker, &mut self.buffers);
        let next = connection.write(broker, buffers, self.poll.registry(), token, self.now);
        let is_http = connection.speaker.is_http();
        match next {
            Next::Wait => {}
            Next::GoOn => self.to_write.push(slot),
            Next::Close(reason) => self.to_close.push((slot, reason)),
        }
        if is_http {
            self.follow_up(slot);
        }
    }

    /// After a connection was read or written: its speaker may have work, and later something due, of which the
    /// broker does not know.
    fn follow_up(&mut self, slot: usize) {
        let Some(connection) = open(&mut self.connections, slot) else { return };
        if connection.wants_read(&self.broker) {
            self.list_to_read(slot);
        }
        self.update_due(slot);
    }

    /// Closes clients that are sent nothing more, such as killed ones: before CLIENT KILL is answered
    /// their connections are gone, as in Redis.
    fn close_at_once(&mut self) {
        while let Some((slot, reason)) = self.next_closing() {
            if reason.flushes_first() {
                self.to_close.push((slot, reason));
            } else {
                self.drop_connection(slot, reason);
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

    /// Asks the allocator to return memory some time after a turn, once for all turns until then. The
    /// turn that does it does not count, so that an idle server sleeps.
    fn release_memory(&mut self) {
        match self.give_back_us {
            Some(due_us) if due_us <= self.now.monotonic_us => {
                self.give_back_us = None;
                let connections = &mut self.connections;
                if slack::smaller(connections.len(), connections.capacity()).is_some() {
                    connections.shrink_to_fit();
                }
                self.broker.release_memory();
            }
            Some(_) => {}
            None => self.give_back_us = Some(self.now.monotonic_us + GIVE_BACK_US),
        }
    }

    /// The slot of a client's connection, while there is one.
    fn slot_of(&self, id: ClientId) -> Option<usize> {
        let connection = self.connections.get(id.slot())?;
        (connection.speaker.is_client(id) && !connection.is_gone).then_some(id.slot())
    }

    /// The next connection that the broker wants closed.
    fn next_closing(&mut self) -> Option<(usize, CloseReason)> {
        loop {
            let (id, reason) = self.broker.next_closing()?;
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
    pub(super) fn drop_connection(&mut self, slot: usize, reason: CloseReason) {
        let Some(connection) = open(&mut self.connections, slot) else { return };
        connection.is_gone = true;
        connection.transport.end(reason, &mut self.buffers);
        connection.speaker.closed(&mut self.broker, reason, self.now);
        self.gone.push(slot);
        self.http_count -= usize::from(connection.speaker.is_http());
        self.end_handshake(slot);
        self.end_due(slot);
    }
}
