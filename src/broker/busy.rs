//! Serving clients while a script runs for a long time: see `busy_script`.
//!
//! A running script has the broker's state. For the time in which it lets others be served, the state is in another
//! `Broker`, so that everything around it works as usual.

use super::Broker;
use crate::client_id::ClientId;
use crate::clients::ClientRole;
use crate::clock::Now;
use crate::commands;
use crate::engine::{Meanwhile, Table};
use crate::host::NoHost;
use crate::resp::RequestParser;
use crate::settings::Settings;
use crate::state::{ShutdownRequest, State};

/// Serves clients while a script runs.
pub trait BusyServer {
    /// Called about every millisecond once a script has run for `busy-reply-threshold`. It may pass input to the
    /// broker ([`may_serve`](Broker::may_serve)), take output ([`may_write`](Broker::may_write)), connect and
    /// disconnect clients ([`may_disconnect`](Broker::may_disconnect)). All else waits for the end of the script. It
    /// should take less than a millisecond.
    fn serve(&mut self, broker: &mut Broker);
}

/// Serves nobody.
impl BusyServer for () {
    fn serve(&mut self, _: &mut Broker) {}
}

/// Lends the state to a server.
pub(super) struct Lending<'a> {
    server: &'a mut dyn BusyServer,
    /// Has the state for the time.
    stand_in: Option<Box<Broker>>,
}

impl<'a> Lending<'a> {
    pub(super) fn to(server: &'a mut dyn BusyServer) -> Lending<'a> {
        Lending { server, stand_in: None }
    }
}

impl Meanwhile for Lending<'_> {
    fn serve(&mut self, state: &mut State) {
        let broker = self.stand_in.get_or_insert_with(|| Box::new(stand_in(commands::table())));
        std::mem::swap(&mut broker.state, state);
        self.server.serve(broker);
        std::mem::swap(&mut broker.state, state);
    }
}

/// A broker whose own state is never used.
fn stand_in(table: &'static Table) -> Broker {
    let settings = Settings::default();
    Broker {
        state: State::new(settings, table.catalogue(), 0, Box::new(NoHost), Now::default()),
        table,
        user_faults: Vec::new(),
        parser: RequestParser::default(),
        has_due_expiries: false,
        snapshot_loading: None,
        next_idle_check_us: 0,
    }
}

impl Broker {
    /// As [`receive`](Broker::receive); `server` serves other clients if a script runs for a long time.
    // Inlined as `receive` is.
    #[inline(always)]
    pub fn receive_while(
        &mut self,
        id: ClientId,
        bytes: &[u8],
        now: Now,
        server: &mut dyn BusyServer,
    ) {
        self.receive_with(id, bytes, now, &mut Lending::to(server));
    }

    /// As [`settle`](Broker::settle); `server` serves other clients if a script runs for a long time.
    pub fn settle_while(&mut self, now: Now, server: &mut dyn BusyServer) {
        self.settle_with(now, &mut Lending::to(server));
    }

    /// Whether a script has run for `busy-reply-threshold`, and still runs.
    pub fn is_busy(&self) -> bool {
        self.state.busy_script.is_some()
    }

    /// Ends the running script, unless it has changed data.
    pub fn end_script(&mut self) {
        if let Some(script) = &mut self.state.busy_script {
            script.is_killed |= !script.has_written;
        }
    }

    /// Whether input of a client may be passed on while a script runs: not of the client that runs it, and not a
    /// stream of changes.
    pub fn may_serve(&self, id: ClientId) -> bool {
        let state = &self.state;
        state.busy_script.as_ref().is_none_or(|script| script.client != id)
            && !state.replication.is_link(id)
            && !state.migrations.is_link(id)
    }

    /// Whether output of a client may be sent while a script runs: none that may report changes before they are
    /// committed.
    pub fn may_write(&self, id: ClientId) -> bool {
        let held_back = self.state.busy_script.as_ref().map(|script| &script.held_back);
        let has_change =
            |id| self.state.clients.get(id).is_none_or(|c| c.outbox().has_new_change());
        self.may_serve(id)
            && !held_back.is_some_and(|clients| clients.contains(&id))
            && !has_change(id)
    }

    /// Whether a client may be disconnected while a script runs: not if that changes data, or serves other clients.
    pub fn may_disconnect(&self, id: ClientId) -> bool {
        let is_plain =
            self.state.clients.get(id).is_some_and(|client| {
                client.blocked.is_none() && client.role == ClientRole::Client
            });
        self.may_serve(id) && is_plain && !self.state.keyspace.holds_any(id)
    }

    /// Whether SHUTDOWN NOSAVE has ended a script. The changes since the last commit must not be committed.
    pub fn is_abandoned(&self) -> bool {
        self.state.shutdown == Some(ShutdownRequest::Abandon)
    }
}
