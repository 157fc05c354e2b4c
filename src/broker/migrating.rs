//! Connections to the targets of MIGRATE: made by whoever drives the broker, at its request.

use super::Broker;
use crate::client_id::ClientId;
use crate::clients::{ClientRole, Peer};
use crate::clock::Now;
use crate::engine::{wait, wake};
use crate::replication::{Answer, PrimaryAddress, first_line};

impl Broker {
    /// A server to connect to for the MIGRATE of this client, if there is one. Answer with
    /// `migration_connected` or `migration_failed`.
    pub fn wanted_migration(&mut self) -> Option<(ClientId, PrimaryAddress)> {
        self.state.migrations.next_wanted()
    }

    /// The connection is made, or being made: returns the client for it, whose output is sent to it. `None` if
    /// nobody wants it any more.
    pub fn migration_connected(
        &mut self,
        caller: ClientId,
        slot: usize,
        peer: Peer,
        now: Now,
    ) -> Option<ClientId> {
        self.state.migrations.of(caller)?;
        let link = self.state.clients.connect(slot, peer, now.monotonic_us);
        if let Some(client) = self.state.clients.get_mut(link) {
            client.role = ClientRole::Target;
            client.is_authenticated = true;
        }
        let out = self.state.migrations.of(caller)?.begin(link, now.monotonic_us);
        self.state.clients.write(link, |output| output.raw(&out));
        Some(link)
    }

    /// The connection cannot be made.
    pub fn migration_failed(&mut self, caller: ClientId) {
        wait::fail_migration(&mut self.state, caller);
    }

    /// Takes bytes of a target. Returns how many were used; the others must come again, with more.
    pub(super) fn run_target(&mut self, link: ClientId, bytes: &[u8], now: Now) -> usize {
        let mut used = 0;
        while let Some(migration) = self.state.migrations.of_link(link) {
            let caller = migration.caller;
            let (line, taken) = match first_line(&bytes[used..]) {
                Ok(Some(line)) => line,
                Ok(None) => return used,
                Err(_) => {
                    wait::fail_migration(&mut self.state, caller);
                    break;
                }
            };
            used += taken;
            match migration.hear(line, now.monotonic_us) {
                Answer::Nothing => {}
                Answer::Ready | Answer::Stored | Answer::Refused => {
                    wake::resume(&mut self.state, self.table, caller, now);
                    self.end_unwanted_migration(caller);
                }
            }
        }
        bytes.len()
    }

    /// A client that does not wait any more has left its migration behind.
    fn end_unwanted_migration(&mut self, caller: ClientId) {
        let waits = self.state.clients.get(caller).is_some_and(|client| client.blocked.is_some());
        if !waits {
            wait::fail_migration(&mut self.state, caller);
        }
    }

    /// A client is gone: the caller of a migration, or its connection.
    pub(super) fn leave_migration(&mut self, id: ClientId) {
        if self.state.migrations.is_empty() {
            return;
        }
        let caller = self.state.migrations.of_link(id).map_or(id, |migration| migration.caller);
        wait::fail_migration(&mut self.state, caller);
    }

    /// Ends those without any progress for their time.
    pub(super) fn end_late_migrations(&mut self, now: Now) {
        let crate::state::State { migrations, clients, .. } = &mut self.state;
        let owed = |link| clients.get(link).map_or(0, |client| client.outbox().len());
        for caller in migrations.late(now.monotonic_us, owed) {
            wait::fail_migration(&mut self.state, caller);
        }
    }
}
