//! Strangers: clients that must authenticate and have not. They are kept in the order in which they
//! became so, so that the longest one is found without looking at all clients.

use super::Clients;
use super::client::{Peer, Stranger};
use crate::client_id::ClientId;

impl Clients {
    /// Records whether a client must authenticate. A client that is one already keeps its time. Clients
    /// of this program are none: it could reach the data without them.
    pub(crate) fn mark_stranger(&mut self, id: ClientId, must_authenticate: bool, now_us: u64) {
        let Some(client) = self.get_mut(id) else { return };
        let is_stranger = must_authenticate
            && client.closing.is_none()
            && !matches!(client.peer, Peer::InProcess);
        if !is_stranger {
            self.end_stranger(id);
        } else if client.stranger.is_none() {
            client.stranger = Some(Box::new(Stranger { since_us: now_us, errors: 0 }));
            self.strangers.insert(now_us, id);
        }
    }

    /// Records that a client is no stranger any more.
    pub(super) fn end_stranger(&mut self, id: ClientId) {
        let stranger = self.get_mut(id).and_then(|client| client.stranger.take());
        if let Some(stranger) = stranger {
            self.strangers.remove(stranger.since_us, id);
        }
    }

    /// Adds error replies to a stranger; returns how many there were.
    pub(crate) fn add_stranger_errors(&mut self, id: ClientId, errors: u64) -> u64 {
        let stranger = self.get_mut(id).and_then(|client| client.stranger.as_mut());
        stranger.map_or(0, |stranger| {
            stranger.errors += errors;
            stranger.errors
        })
    }

    /// The number of strangers.
    pub(crate) fn stranger_count(&self) -> usize {
        self.strangers.len()
    }

    /// Who has been a stranger longest, and since when.
    pub(crate) fn longest_stranger(&self) -> Option<(u64, ClientId)> {
        self.strangers.first().map(|(since_us, &id)| (since_us, id))
    }

    /// When an AUTH that waits may run.
    pub(crate) fn next_auth_delay_us(&self) -> Option<u64> {
        self.auth_delays.next()
    }

    /// Lets each AUTH run that has waited long enough.
    pub(crate) fn end_auth_delays(&mut self, now_us: u64) {
        while let Some(id) = self.auth_delays.pop_due(now_us) {
            if let Some(client) = self.get_mut(id) {
                client.is_auth_delay_over = true;
            }
            self.unblock(id);
        }
    }

    /// Panics if the lists disagree with the clients.
    pub(super) fn check_strangers(&self) {
        for client in self.iter() {
            if let Some(stranger) = &client.stranger {
                assert!(self.strangers.contains(stranger.since_us, &client.id));
                assert!(client.closing.is_none(), "a closing client is no stranger");
            }
            if let Some(super::Blocked::AuthDelay(until_us)) = client.blocked {
                assert!(self.auth_delays.contains(until_us, &client.id));
            }
        }
        let strangers = self.iter().filter(|client| client.stranger.is_some());
        assert_eq!(strangers.count(), self.strangers.len());
        let is_delayed =
            |client: &&super::Client| matches!(client.blocked, Some(super::Blocked::AuthDelay(_)));
        assert_eq!(self.iter().filter(is_delayed).count(), self.auth_delays.len());
    }
}
