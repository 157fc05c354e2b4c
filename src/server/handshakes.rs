//! Connections whose TLS handshake is not finished. Only a few are continued in a turn, since each
//! costs as much as thousands of requests, and each has a deadline.

use super::Server;
use super::connection::open;
use super::sockets::Sockets;
use crate::broker::Broker;
use crate::clients::{CloseReason, TlsFailure};

impl Sockets {
    /// Gives a new connection its deadline, if it has a handshake before it.
    pub(super) fn begin_handshake(&mut self, broker: &Broker, slot: usize) {
        let timeout_s = broker.settings().tls.handshake_timeout_s;
        let due_us = self.now.monotonic_us + u64::from(timeout_s) * 1_000_000;
        if let Some(connection) = open(&mut self.connections, slot)
            && connection.transport.is_handshaking()
        {
            connection.handshake_due_us = Some(due_us);
            self.handshake_deadlines.insert(due_us, slot);
        }
    }

    /// Continues as many handshakes as a turn may.
    pub(super) fn read_handshakes(&mut self, broker: &mut Broker) {
        let count = self.handshakes_to_read.len();
        let count = count.min(broker.settings().tls.handshakes_per_turn_max as usize);
        for _ in 0..count {
            let Some(slot) = self.handshakes_to_read.pop_front() else { return };
            self.read_connection(broker, slot);
            let is_done = open(&mut self.connections, slot)
                .is_none_or(|connection| !connection.transport.is_handshaking());
            if is_done {
                self.end_handshake(slot);
                // What was to be said meanwhile has waited.
                self.to_write.push(slot);
            }
        }
    }

    /// A handshake is finished, or its connection gone.
    pub(super) fn end_handshake(&mut self, slot: usize) {
        let connection = self.connections.get_mut(slot);
        if let Some(due_us) = connection.and_then(|connection| connection.handshake_due_us.take()) {
            self.handshake_deadlines.remove(due_us, slot);
        }
    }

    /// Closes connections whose handshake takes too long.
    pub(super) fn close_late_handshakes(&mut self, broker: &mut Broker) {
        while let Some(slot) = self.handshake_deadlines.pop_due(self.now.monotonic_us) {
            self.drop_connection(broker, slot, CloseReason::Tls(TlsFailure::Timeout));
        }
    }
}

impl Server {
    /// Reads the certificates and keys again, for new connections. After an error the ones before stay.
    pub(super) fn reload_certificates(&mut self) {
        let settings = self.broker.settings();
        if !settings.uses_tls() && !settings.connects_with_tls() {
            log::info!("there are no certificates to read again: there is no connection with TLS");
            return;
        }
        match self.tls.load(settings) {
            Ok(()) => log::info!("read the TLS certificates again"),
            Err(reason) => {
                log::error!("cannot read the TLS certificates again, those before stay: {reason}");
            }
        }
    }
}
