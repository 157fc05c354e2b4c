//! Serving clients while a script runs for a long time, from within the broker: input is read and answered, clients
//! come and go. There is no commit, and nothing is due.

use super::connection::open;
use super::sockets::{Busy, Sockets};
use crate::broker::{Broker, BusyServer};
use std::time::Duration;

/// Connections read at once. The script goes on in between.
const READS_MAX: usize = 128;

impl BusyServer for Sockets {
    fn serve(&mut self, broker: &mut Broker) {
        if self.handle.is_stopped() {
            broker.end_script();
        }
        let mut busy = self.busy.take().unwrap_or_else(|| Box::new(Busy::new()));
        std::mem::swap(&mut busy.plain, &mut self.buffers.plain);
        // What fails now is reported by the next turn.
        if self.poll.poll(&mut busy.events, Some(Duration::ZERO)).is_ok() {
            self.note(broker, &busy.events);
        }
        self.lifecycle.report(broker, self.clock.now());
        self.read_some(broker);
        self.write_some(broker);
        self.close(broker);
        self.accept(broker, false);
        std::mem::swap(&mut busy.plain, &mut self.buffers.plain);
        self.busy = Some(busy);
    }
}

impl Sockets {
    /// Reads connections, except those that have to wait for the end of the script.
    fn read_some(&mut self, broker: &mut Broker) {
        let mut waiting = Vec::new();
        for _ in 0..self.to_read.len().min(READS_MAX) {
            let Some(slot) = self.to_read.pop_front() else { break };
            match open(&mut self.connections, slot) {
                Some(connection) if broker.may_serve(connection.speaker.client()) => {
                    self.read_connection(broker, slot);
                }
                Some(_) => waiting.push(slot),
                None => {}
            }
        }
        self.to_read.extend(waiting);
        if !self.handshakes_to_read.is_empty() {
            self.read_handshakes(broker);
        }
    }

    /// Writes to clients with new output, except those that have to wait for the end of the script.
    fn write_some(&mut self, broker: &mut Broker) {
        let mut slots = std::mem::take(&mut self.to_write);
        while let Some(id) = broker.next_dirty(self.now) {
            slots.extend(self.slot_of(id));
        }
        for slot in slots {
            match open(&mut self.connections, slot) {
                Some(connection) if broker.may_write(connection.speaker.client()) => {
                    self.write_connection(broker, slot);
                }
                Some(_) => self.to_write.push(slot),
                None => {}
            }
        }
    }
}
