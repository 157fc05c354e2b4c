//! Connections to the targets of MIGRATE: made here, and then connections like any other.

use super::Server;
use super::resolver::Resolver;
use crate::client_id::ClientId;
use std::io;
use std::net::SocketAddr;

impl Server {
    /// Connects to the targets that the broker wants.
    pub(super) fn connect_to_targets(&mut self) {
        while let Some((caller, target)) = self.broker.wanted_migration() {
            let mut resolver = Resolver::default();
            match resolver.begin(&target, &self.handle.waker) {
                Ok(()) => self.look_ups.push((caller, resolver)),
                Err(_) => self.broker.migration_failed(caller),
            }
        }
        let mut found = Vec::new();
        self.look_ups.retain_mut(|(caller, resolver)| match resolver.take() {
            Some(result) => {
                found.push((*caller, result));
                false
            }
            None => true,
        });
        for (caller, result) in found {
            if result.and_then(|address| self.connect_target(caller, address)).is_err() {
                self.broker.migration_failed(caller);
            }
        }
    }

    /// Begins a connection. An event says when it is made, or has failed.
    fn connect_target(&mut self, caller: ClientId, address: SocketAddr) -> io::Result<()> {
        let has_tls = self.broker.settings().tls.cluster;
        self.connect_out(address, has_tls, |broker, slot, peer, now| {
            broker.migration_connected(caller, slot, peer, now)
        })
    }
}
