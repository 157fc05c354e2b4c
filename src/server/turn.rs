//! One turn of the loop: passes input to the broker, and sends its output.

use super::Server;
use super::durability::Durability;
use super::error::ServerError;
use crate::broker::turn::{Stages, TurnTime, turn};
use crate::clock::Now;
use crate::slack;
use mio::Events;
use std::io::ErrorKind;

/// How long after a turn the allocator is asked to return memory. mimalloc does it by itself a second
/// after memory was freed, if it is called then, and in the loop's time: this comes earlier. A shorter
/// time would return more memory that is about to be used again.
const GIVE_BACK_US: u64 = 900_000;

impl Server {
    /// Waits for something to do, and does it. New clients come last, after closed ones have freed their
    /// slots. What they already sent makes an event in the next turn.
    pub(super) fn turn(&mut self, events: &mut Events) -> Result<(), ServerError> {
        self.sockets.now = self.wait(events)?;
        self.sockets.begin_turn(&mut self.broker, events);
        self.is_busy = !events.is_empty();
        if self.handle.take_reload() {
            self.sockets.lifecycle.reloading();
            self.reload_certificates();
            self.sockets.lifecycle.reloaded();
        }
        self.sockets.lifecycle.report(&self.broker, self.sockets.now);
        self.turn_time =
            TurnTime { begun_us: self.sockets.now.monotonic_us, ..TurnTime::default() };
        turn(self)?;
        let is_loading = matches!(self.durability, Durability::Loading { .. });
        self.sockets.accept(&mut self.broker, is_loading);
        self.end_stage(4);
        self.broker.record_turn(&self.turn_time, self.sockets.now);
        self.release_memory();
        Ok(())
    }

    /// Waits for something to do; returns the time afterwards.
    fn wait(&mut self, events: &mut Events) -> Result<Now, ServerError> {
        match self.sockets.poll.poll(events, self.wait_max()) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(ServerError::Poll(error)),
            _ => Ok(self.sockets.clock.now()),
        }
    }

    /// Records the end of a stage of the turn.
    fn end_stage(&mut self, stage: usize) {
        self.turn_time.ends_us[stage] = self.sockets.clock.monotonic_us();
    }
}

impl Stages for Server {
    type Error = ServerError;

    fn finish_jobs(&mut self) -> Result<bool, ServerError> {
        let has_saved = self.saving.finish_jobs(&mut self.broker, self.sockets.now)?;
        Ok(self.durability.finish_jobs(&mut self.broker, self.sockets.now)? || has_saved)
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
        self.sockets.read(&mut self.broker);
        self.end_stage(0);
    }

    /// Lets the broker do what is due. Clients that accept input again are read in the next turn.
    fn settle(&mut self) {
        self.broker.settle_while(self.sockets.now, &mut self.sockets);
        self.sockets.settle(&mut self.broker);
        self.connect_to_primary();
        self.connect_to_targets();
        self.sockets.close_at_once(&mut self.broker);
        self.end_stage(1);
    }

    fn is_abandoned(&self) -> bool {
        self.broker.is_abandoned()
    }

    fn commit(&mut self) -> Result<(), ServerError> {
        let is_busy = self.is_busy;
        self.broker.end_turn(self.sockets.now);
        self.durability.commit(&mut self.broker, is_busy, &self.handle.waker, self.sockets.now)?;
        self.saving.turn(&mut self.broker, &self.handle.waker, self.sockets.now);
        self.end_stage(2);
        Ok(())
    }

    /// Writes once to each client with pending output.
    fn write(&mut self) {
        self.sockets.write(&mut self.broker);
        self.end_stage(3);
    }

    /// Closes connections that have ended, and frees their slots. New connections come only after this,
    /// so a slot means one connection throughout a turn.
    fn close(&mut self) {
        self.sockets.close(&mut self.broker);
    }
}

impl Server {
    /// Asks the allocator to return memory some time after a turn, once for all turns until then. The
    /// turn that does it does not count, so that an idle server sleeps.
    fn release_memory(&mut self) {
        match self.give_back_us {
            Some(due_us) if due_us <= self.sockets.now.monotonic_us => {
                self.give_back_us = None;
                let connections = &mut self.sockets.connections;
                if slack::smaller(connections.len(), connections.capacity()).is_some() {
                    connections.shrink_to_fit();
                }
                self.broker.release_memory();
            }
            Some(_) => {}
            None => self.give_back_us = Some(self.sockets.now.monotonic_us + GIVE_BACK_US),
        }
    }
}
