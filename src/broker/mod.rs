//! The broker as a plain value: request bytes and the time go in; reply bytes, the next deadline and the
//! clients to close come out. It has no socket, clock or thread.
//!
//! The caller repeats one turn: `receive` for all input, `settle`, then for each `next_dirty` client take
//! from its `output` and call `flushed`, for each `next_closing` client call `disconnect`, and read again
//! from each `next_resumed` client. `next_deadline` says how long the next turn may wait.
//!
//! `broker/output.rs` has the outputs, `broker/timers.rs` the timers, `broker/strangers.rs` the limits before
//! authentication. `broker/durability.rs` is the interface for a journal, [`turn`] has the order of a turn with
//! one, `broker/saves.rs` is for RDB files, and `broker/interfaces.rs` is for HTTP.
//! `broker/busy.rs` is about long scripts. `broker/feeding.rs` and `broker/following.rs` are the two roles of replication.

mod acknowledgement;
mod applying;
mod busy;
mod durability;
mod feeding;
mod following;
#[cfg(feature = "http")]
mod interfaces;
mod migrating;
mod output;
mod saves;
mod snapshot_loading;
mod strangers;
mod timers;
pub mod turn;

pub use crate::acl::UserFault;
pub use crate::commands::load_rdb::{RdbLoad, RdbSummary};
pub use crate::persistence::SnapshotUse;
pub use busy::BusyServer;
pub use durability::{Contents, ReplayError};

use snapshot_loading::SnapshotLoading;
use turn::TurnTime;

use crate::client_id::ClientId;
use crate::clients::{Client, ClientRole, CloseReason, Peer, Wait};
use crate::clock::Now;
use crate::commands::{self, pubsub};
use crate::engine::{Found, Meanwhile, Nobody, Table};
use crate::engine::{auth_delay, dispatch, monitor, open_transaction, timing, wait, wake};
use crate::host::Host;
use crate::replication::Link;
use crate::resp::{Limits, Output, Parsed, ProtocolError, RequestParser};
use crate::settings::Settings;
use crate::state::{ShutdownRequest, State};
use log::{debug, warn};

/// A message broker without sockets.
pub struct Broker {
    state: State,
    table: &'static Table,
    /// What is wrong with the users of the settings.
    user_faults: Vec<UserFault>,
    /// Parses requests that arrive whole. A client has its own parser only within a request.
    parser: RequestParser,
    /// Whether more values are due, so that the next turn must not wait.
    has_due_expiries: bool,
    /// The snapshot of a primary that is being loaded.
    snapshot_loading: Option<Box<SnapshotLoading>>,
    /// The time of the next check for idle clients, in microseconds of the monotonic clock.
    next_idle_check_us: u64,
}

impl Broker {
    /// A broker with no keys and no clients. `seed` keys the hash tables and should not be guessable by
    /// clients. The same seed and calls give the same run.
    ///
    /// If something is wrong with the users of the settings, nobody can authenticate: see
    /// [`user_faults`](Broker::user_faults).
    pub fn new(settings: Settings, seed: u64, host: Box<dyn Host>, now: Now) -> Broker {
        let table = commands::table();
        let mut state = State::new(settings, table.catalogue(), seed, host, now);
        let user_faults = commands::load_users(&mut state).err().unwrap_or_default();
        for fault in &user_faults {
            log::error!("nobody is let in: {}", fault.reason);
        }
        commands::begin_role(&mut state, now);
        Broker {
            state,
            table,
            user_faults,
            parser: RequestParser::default(),
            has_due_expiries: false,
            snapshot_loading: None,
            next_idle_check_us: 0,
        }
    }

    /// Adds a client. `slot` is the caller's number for the connection, such as its key in a slab: small, and
    /// not used by another open client.
    pub fn connect(&mut self, slot: usize, peer: Peer, now: Now) -> ClientId {
        self.state.stats.connections_received += 1;
        let id = self.state.clients.connect(slot, peer, now.monotonic_us);
        if let Some(client) = self.state.clients.get_mut(id) {
            client.is_authenticated = self.state.users.is_open();
            debug!("accepted {}", client.described());
        }
        self.mark_stranger(id, now);
        id
    }

    /// Records the common name of the certificate with which a client has connected. With
    /// `tls-auth-clients-user CN`, it may be that of the client's user.
    pub fn set_certificate_name(&mut self, id: ClientId, name: Option<Box<str>>, now: Now) {
        if let Some(client) = self.state.clients.get_mut(id) {
            client.certificate_name = name;
        }
        self.log_in_by_certificate(id, now);
    }

    /// Makes a client the user that its certificate names, if it names one.
    pub(crate) fn log_in_by_certificate(&mut self, id: ClientId, now: Now) {
        let State { clients, users, settings, .. } = &mut self.state;
        let Some(client) = clients.get_mut(id) else { return };
        let names_user = settings.tls.auth_clients_user == "CN";
        let name = client.certificate_name.as_ref().filter(|_| names_user);
        let user = name.and_then(|name| users.find(name.as_bytes()));
        if let Some(user) = user.filter(|user| users.get(*user).is_on()) {
            client.user = user;
            client.is_authenticated = true;
        }
        self.mark_stranger(id, now);
    }

    /// Sends a client a last text, and closes it: a connection that was refused only when it could be
    /// told so.
    pub fn deny(&mut self, id: ClientId, text: &str) {
        self.state.stats.connections_rejected += 1;
        self.state.clients.write(id, |output| output.raw(text.as_bytes()));
        self.state.clients.close(id, CloseReason::Denied);
    }

    /// Removes a client: its waits, watches and subscriptions end, and its pending output is dropped. Messages
    /// that it has in flight return to their queues, unless the server shuts down: then they stay in flight
    /// until the next start, which does not count as a failure of their consumer.
    pub fn disconnect(&mut self, id: ClientId, reason: CloseReason, now: Now) {
        wait::stop(&mut self.state, id);
        self.leave_migration(id);
        open_transaction::forget(&mut self.state, id);
        pubsub::forget(&mut self.state, id);
        self.state.acknowledged.remove(id);
        monitor::stop(&mut self.state, id);
        let closing = self.state.clients.get(id).and_then(|client| client.closing);
        // On a replica they are the primary's.
        if ![Some(reason), closing].contains(&Some(CloseReason::Shutdown))
            && !self.state.keyspace.is_following()
        {
            self.return_messages(id);
        }
        let link = self.state.replication.link.as_ref();
        if link.is_some_and(|link| link.client == Some(id)) {
            self.lose_link(reason, now);
        } else if !link.is_some_and(Link::is_syncing) {
            // Of a link that is no longer wanted.
            self.snapshot_loading = None;
        }
        // A client that waited in line behind it may be next.
        wake::follow_up(&mut self.state, self.table, now);
        match reason {
            CloseReason::OutputLimit => self.state.stats.closed_by_output_limit += 1,
            CloseReason::QueryLimit => self.state.stats.closed_by_query_limit += 1,
            CloseReason::Tls(_) => self.state.stats.closed_by_tls += 1,
            CloseReason::AuthTimeout => self.state.stats.closed_by_auth_timeout += 1,
            CloseReason::AuthErrors => self.state.stats.closed_by_auth_errors += 1,
            CloseReason::Displaced => self.state.stats.displaced += 1,
            _ => {}
        }
        if let Some(client) = self.state.clients.remove(id) {
            self.log_closed(&client, reason, now);
        }
    }

    /// Logs a closed client: as a warning if a rule closed it, with a limited rate, otherwise for debugging.
    fn log_closed(&mut self, client: &Client, reason: CloseReason, now: Now) {
        let age_s = now.monotonic_us.saturating_sub(client.connected_us) / 1_000_000;
        let who = || client.described();
        let left_out = match reason.is_for_the_log() {
            true => self.state.closed.admit(reason, now.monotonic_us),
            false => None,
        };
        match left_out {
            Some(left_out) => {
                warn!("closed {}, connected for {age_s} s: {reason}{left_out}", who());
            }
            None => debug!("closed {}, connected for {age_s} s: {reason}", who()),
        }
    }

    /// Takes bytes from a client and runs the requests in them, within the budget of a turn. The rest is
    /// stored to run later.
    // Inlined into the reading of a connection, as all that one command takes: a call costs 1 % of it.
    #[inline(always)]
    pub fn receive(&mut self, id: ClientId, bytes: &[u8], now: Now) {
        self.receive_with(id, bytes, now, &mut Nobody);
    }

    #[inline(always)]
    fn receive_with(
        &mut self,
        id: ClientId,
        bytes: &[u8],
        now: Now,
        meanwhile: &mut dyn Meanwhile,
    ) {
        self.expire(now);
        self.state.stats.input_bytes += bytes.len() as u64;
        self.state.stats.reads += 1;
        self.state.clients.begin_input(id);
        let Some(client) = self.state.clients.get_mut(id) else { return };
        client.last_active_us = now.monotonic_us;
        if client.closing.is_some() {
            return;
        }
        if client.input.is_empty() && client.wants_input() {
            let used = self.run_input(id, bytes, now, meanwhile);
            if let Some(client) = self.state.clients.get_mut(id)
                && client.closing.is_none()
            {
                client.keep_input(&bytes[used..]);
            }
        } else {
            client.keep_input(bytes);
            if client.wants_input() {
                self.run_kept_input(id, now, meanwhile);
            }
        }
        self.check_query_limit(id);
        self.state.clients.recount(id, now.monotonic_us);
    }

    /// Runs requests from the client's stored input.
    fn run_kept_input(&mut self, id: ClientId, now: Now, meanwhile: &mut dyn Meanwhile) {
        let Some(client) = self.state.clients.get_mut(id) else { return };
        let mut input = std::mem::take(&mut client.input);
        let used = self.run_input(id, &input, now, meanwhile);
        let Some(client) = self.state.clients.get_mut(id) else { return };
        if client.closing.is_none() && used < input.len() {
            if used > 0 {
                input.drain(..used);
                // Later input must not keep the buffer of one large request.
                if input.capacity() > 4 * input.len() + 1024 {
                    input.shrink_to_fit();
                }
            }
            client.input = input;
        }
    }

    /// Runs the requests in `bytes` until they end, the client blocks or closes, or its budget for the turn
    /// is used up. Returns how many bytes were used.
    fn run_input(
        &mut self,
        id: ClientId,
        bytes: &[u8],
        now: Now,
        meanwhile: &mut dyn Meanwhile,
    ) -> usize {
        if let Some(used) = self.run_stream(id, bytes, now) {
            return used;
        }
        self.resume_parser(id);
        let mut reply = self.state.clients.lend_output(id);
        let owed_before = reply.len();
        let work_end = self.state.keyspace.work.spent() + self.state.settings.turn_work_max;
        let (mut used, mut has_run) = (0, false);
        let mut errors_before = self.state.stats.error_replies;
        // The command named by the previous request, if that was parsed here: the parser may come from a
        // client.
        let mut named = None;
        while let Some(client) = self.state.clients.get(id)
            && client.closing.is_none()
            && client.blocked.is_none()
            && used < bytes.len()
        {
            // Saturates: a message that the client published to itself may have replaced earlier ones.
            let owed = reply.len().saturating_sub(owed_before);
            if owed > self.state.settings.turn_output_bytes_max
                || self.state.keyspace.work.spent() > work_end
            {
                self.state.clients.add_backlog(id);
                break;
            }
            let limits = Limits {
                bulk_bytes_max: self.state.settings.proto_max_bulk_bytes,
                is_unauthenticated: client.must_authenticate(&self.state.users),
            };
            if limits.is_unauthenticated
                && self.is_over_limits(id, reply.len(), &mut errors_before, now)
            {
                break;
            }
            match self.parser.parse(&bytes[used..], limits) {
                Ok(Parsed::Request { end }) => {
                    if used == 0 && !self.begin_input(id, end, bytes.len()) {
                        break;
                    }
                    // A command that is held back stays in the input, to run later.
                    let bytes = &bytes[used..];
                    if !self.run_request(id, bytes, &mut named, &mut reply, now, meanwhile) {
                        break;
                    }
                    used += end;
                    has_run = true;
                }
                Ok(Parsed::Nothing { end }) => {
                    used += end;
                    dispatch::pass_over(&mut self.state, id);
                }
                Ok(Parsed::Incomplete) => {
                    self.keep_parser(id);
                    break;
                }
                Err(error) => self.refuse(id, &error, &mut reply),
            }
        }
        timing::end_input(&mut self.state);
        self.state.clients.return_output(id, reply, has_run);
        self.end_stranger_input(id, errors_before, now);
        used
    }

    /// Runs the input of a connection to another server; `None` if it is that of a client.
    #[inline(always)]
    fn run_stream(&mut self, id: ClientId, bytes: &[u8], now: Now) -> Option<usize> {
        if self.state.replication.is_link(id) {
            return Some(self.run_link(id, bytes, now));
        }
        if !self.state.migrations.is_empty() && self.state.migrations.is_link(id) {
            return Some(self.run_target(id, bytes, now));
        }
        None
    }

    /// Runs the request that the parser found at the beginning of `bytes`. `named` is the command that the
    /// previous request named. Returns false if the request must run again later.
    #[inline(always)]
    fn run_request(
        &mut self,
        id: ClientId,
        bytes: &[u8],
        named: &mut Option<Found>,
        reply: &mut Output,
        now: Now,
        meanwhile: &mut dyn Meanwhile,
    ) -> bool {
        let request = self.parser.request(bytes);
        if named.is_none() || !self.parser.repeats_name() {
            *named = self.table.find(request.name());
        }
        let state = &mut self.state;
        dispatch::dispatch(state, (self.table, *named), id, &request, reply, now, meanwhile)
    }

    /// Continues with the client's parser, if a request arrived in part.
    fn resume_parser(&mut self, id: ClientId) {
        let kept_parser = self.state.clients.get_mut(id).and_then(|client| client.parser.take());
        if let Some(kept) = kept_parser {
            self.parser = *kept;
        }
    }

    /// Stores the parser with the client, if a request arrived in part.
    fn keep_parser(&mut self, id: ClientId) {
        if self.parser.is_partial()
            && let Some(client) = self.state.clients.get_mut(id)
        {
            client.parser = Some(Box::new(std::mem::take(&mut self.parser)));
        }
    }

    /// The first request of an input is complete: begins the input and returns true, unless the request
    /// exceeds the limit. No other request can have been stored long enough to do so.
    fn begin_input(&mut self, id: ClientId, end: usize, len: usize) -> bool {
        if end as u64 > self.state.settings.query_buffer_bytes_max {
            self.parser = RequestParser::default();
            self.state.clients.close(id, CloseReason::QueryLimit);
            return false;
        }
        timing::begin_input(&mut self.state, end == len);
        true
    }

    fn refuse(&mut self, id: ClientId, error: &ProtocolError, reply: &mut Output) {
        let text = [&b"ERR Protocol error: "[..], &error.to_bytes()].concat();
        self.state.stats.count_error(&text);
        if let Some(client) = self.state.clients.get(id) {
            debug!("{}: {}", client.described(), text.escape_ascii());
        }
        reply.error(&text);
        self.parser = RequestParser::default();
        self.state.clients.close(id, CloseReason::ProtocolError);
    }

    fn check_query_limit(&mut self, id: ClientId) {
        let limit = self.state.settings.query_buffer_bytes_max;
        if let Some(client) = self.state.clients.get(id)
            && client.role != ClientRole::Primary
        {
            let queued = client.transaction.as_ref().map_or(0, |t| t.queued_bytes);
            if (client.input.len() + queued) as u64 > limit {
                self.state.clients.close(id, CloseReason::QueryLimit);
            }
        }
    }

    /// Whether a client's socket should be read: not while the client waits, is about to be closed, or has
    /// requests that have not run.
    pub fn wants_input(&self, id: ClientId) -> bool {
        self.state.clients.get(id).is_some_and(|client| client.wants_input())
    }

    /// Reports that bytes have arrived and stay unread, since the client waits. Input that is sent while a
    /// pop waits shows that several workers share the connection.
    pub fn input_waits(&mut self, id: ClientId) {
        self.state.clients.mark_early_input(id);
    }

    /// Whether a client waits for keys.
    pub fn is_blocked(&self, id: ClientId) -> bool {
        self.state.clients.get(id).is_some_and(|client| client.blocked.is_some())
    }

    /// Does what is due: ends waits, expires values, ends a pause, closes slow subscribers and idle clients.
    /// Then runs the rest of the input of clients that had to wait, each within the budget of a turn.
    pub fn settle(&mut self, now: Now) {
        self.settle_with(now, &mut Nobody);
    }

    fn settle_with(&mut self, now: Now, meanwhile: &mut dyn Meanwhile) {
        self.state.keyspace.work.begin_turn(self.state.settings.turn_work_max);
        self.release_acknowledged();
        self.run_timers(now);
        for id in self.state.clients.take_backlog() {
            let Some(client) = self.state.clients.get(id) else { continue };
            if !client.input.is_empty() && client.wants_input() {
                self.run_kept_input(id, now, meanwhile);
                self.check_query_limit(id);
                self.state.clients.recount(id, now.monotonic_us);
            }
            // Also a client whose stored input was empty: its socket was not read until now.
            if self.wants_input(id) {
                self.state.clients.add_resumed(id);
            }
        }
        for (reason, count) in self.state.closed.take_left_out(now.monotonic_us) {
            warn!("closed {count} more clients within a minute: {reason}");
        }
        auth_delay::log_left_out(&mut self.state, now);
        for (event, count) in self.state.keyspace.take_left_out() {
            warn!("{count} more messages within a minute: {event}");
        }
        self.state.stats.sample(now.monotonic_us);
        let used = self.state.used_bytes();
        self.state.stats.peak_used_bytes = self.state.stats.peak_used_bytes.max(used);
    }

    /// Returns the messages that a client has in flight to their queues, together with those of other clients
    /// disconnected in this turn.
    fn return_messages(&mut self, id: ClientId) {
        if self.state.keyspace.holds_any(id) {
            self.state.keyspace.disconnect_holder(id);
        }
    }

    /// Returns the next client to close, each once. If the reason flushes first, the caller may wait for the
    /// socket before it calls `disconnect`.
    pub fn next_closing(&mut self) -> Option<(ClientId, CloseReason)> {
        self.state.clients.next_closing()
    }

    /// Returns the next client that takes input again. Its socket may hold bytes for which there is no
    /// further event.
    pub fn next_resumed(&mut self) -> Option<ClientId> {
        self.state.clients.next_resumed()
    }

    /// Closes a client; `next_closing` will return it.
    pub fn close(&mut self, id: ClientId, reason: CloseReason) {
        self.state.clients.close(id, reason);
    }

    /// The SHUTDOWN request, if there was one.
    pub fn shutdown_requested(&self) -> Option<ShutdownRequest> {
        self.state.shutdown
    }

    /// Reports the duration of a turn and of its stages: for INFO, and for LATENCY if the turn took at least
    /// `latency-monitor-threshold`.
    pub fn record_turn(&mut self, time: &TurnTime, now: Now) {
        let took_us = time.total_us();
        let State { settings, stats, latency, .. } = &mut self.state;
        stats.turns += 1;
        stats.turn_usec += took_us;
        stats.turn_times.add(took_us);
        stats.turn_longest_usec = stats.turn_longest_usec.max(took_us);
        let threshold_ms = settings.latency_threshold_ms;
        if threshold_ms > 0 && took_us / 1000 >= threshold_ms {
            let unix_s = now.unix_us / 1_000_000;
            latency.add("turn", unix_s, took_us / 1000);
            latency.add(time.longest(), unix_s, took_us / 1000);
        }
    }

    /// The work done since the start, in steps of about a tenth of a microsecond. Steps are counted, not
    /// measured, so that the same run has the same count.
    pub fn work(&self) -> u64 {
        self.state.keyspace.work.spent()
    }

    /// The settings in effect, including changes by CONFIG SET.
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// What is wrong with the users that the settings declare, by `user` directives or an ACL file.
    pub fn user_faults(&self) -> &[UserFault] {
        &self.user_faults
    }

    /// Whether clients need no password.
    pub fn is_open_to_all(&self) -> bool {
        self.state.users.is_open()
    }

    /// The number of connected clients.
    pub fn client_count(&self) -> usize {
        self.state.clients.len()
    }

    /// Frees buffers kept for reuse, and has the host return free memory to the operating system. To be
    /// called for some time after there was something to do.
    pub fn release_memory(&mut self) {
        self.parser.release_memory();
        self.state.clients.release_memory();
        self.state.host.release_memory();
    }

    /// Counts a connection that was refused before it became a client.
    pub fn count_rejected_connection(&mut self) {
        self.state.stats.connections_rejected += 1;
    }

    /// Panics if the parts of the state disagree: for tests and simulations, not for each turn.
    pub fn check_invariants(&self) {
        self.state.keyspace.check_invariants();
        self.state.keyspace.check_waiters();
        self.state.clients.check_invariants();
        self.state.channels.check_invariants();
        let is_here = |id: &ClientId| self.state.clients.get(*id).is_some();
        assert!(self.state.monitors.iter().all(is_here), "a monitor without a client");
        // With append files, clients may have to wait for disk space.
        let is_paused = self.state.pause.is_some() || self.state.persistence.is_on;
        assert!(is_paused || !self.state.keyspace.has_signals(), "an unhandled signal");
        for client in self.state.clients.iter() {
            let wanting = |wait: &&Wait| wait.wants.is_for_keys();
            let Some(wait) = client.wait().filter(wanting) else { continue };
            for key in &wait.keys {
                let is_there = self.state.keyspace.waits(wait.db, key, wait.ticket, client.id);
                assert!(is_there, "a waiting client is missing from its line");
            }
        }
    }
}
