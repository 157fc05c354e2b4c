//! Limits on clients that must authenticate and have not: their time, their errors, their unread replies,
//! their number.

use super::Broker;
use crate::client_id::ClientId;
use crate::clients::{Client, CloseReason};
use crate::clock::Now;
use crate::state::State;

/// Limit on unread replies of a client without the password, as in Redis: 16 KiB of its buffer and 1 KiB
/// beyond. Above it the client is closed. Until it has authenticated, it gets nothing but errors.
const UNAUTHENTICATED_OUTPUT_BYTES_MAX: usize = 17 * 1024;

/// What a client is told that has to make place for another.
const DISPLACED_TEXT: &[u8] = b"ERR max number of unauthenticated clients reached";

impl Broker {
    /// Records whether a client is a stranger: after anything that may change it.
    #[inline]
    pub(super) fn mark_stranger(&mut self, id: ClientId, now: Now) {
        let State { clients, users, .. } = &mut self.state;
        let Some(client) = clients.get(id) else { return };
        let must_authenticate = client.must_authenticate(users);
        if must_authenticate || client.is_stranger() {
            clients.mark_stranger(id, must_authenticate, now.monotonic_us);
        }
    }

    /// Whether a stranger has reached a limit, and is closed. `owed` is the length of its unread replies,
    /// `errors_before` the number of all error replies when its own were last counted.
    #[cold]
    pub(super) fn is_over_limits(
        &mut self,
        id: ClientId,
        owed: usize,
        errors_before: &mut u64,
        now: Now,
    ) -> bool {
        let errors = self.state.stats.error_replies.saturating_sub(*errors_before);
        *errors_before = self.state.stats.error_replies;
        self.count_errors(id, errors, now);
        if owed > UNAUTHENTICATED_OUTPUT_BYTES_MAX {
            self.state.clients.close(id, CloseReason::OutputLimit);
        }
        self.state.clients.get(id).is_none_or(|client| client.closing.is_some())
    }

    /// After an input: counts the last errors of a stranger, and finds out who is one now.
    #[inline]
    pub(super) fn end_stranger_input(&mut self, id: ClientId, errors_before: u64, now: Now) {
        let State { clients, users, stats, .. } = &self.state;
        let Some(client) = clients.get(id) else { return };
        if client.is_stranger() || client.must_authenticate(users) {
            self.count_errors(id, stats.error_replies.saturating_sub(errors_before), now);
        }
    }

    /// Counts error replies to a stranger, and closes it after too many. They do not count for a client
    /// that was none before.
    #[cold]
    fn count_errors(&mut self, id: ClientId, errors: u64, now: Now) {
        let was_stranger = self.state.clients.get(id).is_some_and(Client::is_stranger);
        self.mark_stranger(id, now);
        let errors_max = self.state.settings.strangers.errors_max;
        if was_stranger
            && errors_max > 0
            && self.state.clients.add_stranger_errors(id, errors) >= errors_max
        {
            self.state.clients.close(id, CloseReason::AuthErrors);
        }
    }

    /// When the longest stranger is closed.
    pub(super) fn next_stranger_due_us(&self) -> Option<u64> {
        let limit_us = u64::from(self.state.settings.strangers.timeout_s) * 1_000_000;
        let (since_us, _) = self.state.clients.longest_stranger().filter(|_| limit_us > 0)?;
        Some(since_us.saturating_add(limit_us))
    }

    /// Closes strangers that did not authenticate in time.
    pub(super) fn close_late_strangers(&mut self, now: Now) {
        let is_due = |broker: &Broker| {
            broker.next_stranger_due_us().is_some_and(|due_us| due_us <= now.monotonic_us)
        };
        while is_due(self)
            && let Some(id) = self.longest_stranger()
            // The first one may have been none any more.
            && is_due(self)
        {
            self.state.clients.close(id, CloseReason::AuthTimeout);
        }
    }

    /// Closes the client that has been unauthenticated longest, so that a newer one can have its place,
    /// and returns it. It is told why. The caller writes its output once, and then calls `disconnect`.
    pub fn displace_stranger(&mut self) -> Option<ClientId> {
        let id = self.longest_stranger()?;
        self.state.stats.count_error(DISPLACED_TEXT);
        self.state.clients.write(id, |output| output.error(DISPLACED_TEXT));
        self.state.clients.close(id, CloseReason::Displaced);
        Some(id)
    }

    /// As `displace_stranger`, but only above `unauthenticated-clients-max`. To be called after
    /// `connect`, until it returns none.
    pub fn displace_excess_stranger(&mut self) -> Option<ClientId> {
        let clients_max = self.state.settings.strangers.clients_max;
        let is_over = clients_max > 0 && self.state.clients.stranger_count() as u64 > clients_max;
        if is_over { self.displace_stranger() } else { None }
    }

    /// The longest stranger. Forgets those that need not authenticate any more, since the password was
    /// removed after they last sent anything.
    fn longest_stranger(&mut self) -> Option<ClientId> {
        let State { clients, users, .. } = &mut self.state;
        while let Some((since_us, id)) = clients.longest_stranger() {
            let client = clients.get(id)?;
            if client.must_authenticate(users) {
                return Some(id);
            }
            clients.mark_stranger(id, false, since_us);
        }
        None
    }
}
