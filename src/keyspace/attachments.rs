//! The waiters and watchers of a key, and the state of its queue.

use super::waiters::{Line, Waiters};
use super::{DbIndex, Key, QueueState, Value};
use crate::client_id::ClientId;
use crate::queue::Queue;
use crate::value::Kind;
use std::collections::BTreeMap;

/// Everything attached to a key besides its value and expiry.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    /// Clients blocked on the key.
    pub(super) waiters: Waiters,
    /// Producers blocked until there is capacity, by their tickets.
    pub(super) producers: BTreeMap<u64, ClientId>,
    /// Clients that WATCH the key, each once.
    pub(super) watchers: Vec<ClientId>,
    /// Whether the key is on the ready list.
    pub(super) is_ready: bool,
    /// Whether the key is on the list of queues whose capacity changed.
    pub(super) has_capacity_changed: bool,
    /// The state of a queue under a policy.
    pub(super) queue_state: Option<Box<QueueState>>,
}

impl Attachments {
    /// Puts a client in a line. The lowest ticket has waited longest.
    pub(super) fn join(&mut self, line: Line, ticket: u64, client: ClientId) {
        match line {
            Line::Waiters | Line::Leases | Line::Movers | Line::Values(_) => {
                self.waiters.join(line, ticket, client);
            }
            Line::Producers => drop(self.producers.insert(ticket, client)),
        }
    }

    /// Removes a client from a line.
    pub(super) fn leave(&mut self, line: Line, ticket: u64, client: ClientId) {
        match line {
            Line::Waiters | Line::Leases | Line::Movers | Line::Values(_) => {
                self.waiters.leave(line, ticket, client);
            }
            Line::Producers => drop(self.producers.remove(&ticket)),
        }
    }

    /// Returns the number of clients in a line; those that wait for messages and leases share one.
    pub(super) fn line_len(&self, line: Line) -> usize {
        match line {
            Line::Waiters | Line::Leases => self.waiters.consumer_count(),
            Line::Movers => self.waiters.mover_count(),
            Line::Values(_) => self.waiters.value_count(),
            Line::Producers => self.producers.len(),
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.waiters.is_empty()
            && self.watchers.is_empty()
            && self.producers.is_empty()
            && self.queue_state.is_none()
    }

    /// Adds the key to the ready list, if clients wait and there is a message or a value for them.
    #[inline]
    pub(super) fn tell_waiters(
        &mut self,
        db: DbIndex,
        key: &Key,
        value: &Value,
        ready: &mut Vec<(DbIndex, Key)>,
    ) {
        if self.waiters.is_empty() || self.is_ready {
            return;
        }
        let is_message = Queue::of(value).is_some_and(|queue| !queue.is_empty());
        if (is_message && self.waiters.are_for_messages())
            || self.waiters.next_for(value, None).is_some()
        {
            self.is_ready = true;
            ready.push((db, key.clone()));
        }
    }

    /// Adds the key to the list of queues whose capacity changed, if producers wait.
    #[inline]
    pub(super) fn tell_producers(
        &mut self,
        db: DbIndex,
        key: &Key,
        capacity_changed: &mut Vec<(DbIndex, Key)>,
    ) {
        if !self.producers.is_empty() && !self.has_capacity_changed {
            self.has_capacity_changed = true;
            capacity_changed.push((db, key.clone()));
        }
    }

    /// Drops messages in flight or delayed. Also drops the whole state, unless clients wait for or
    /// watch the key or the queue is paused: an entry that stays, stays under its policy. Returns
    /// the freed bytes.
    pub(super) fn flush(&mut self) -> usize {
        let Some(queue_state) = &mut self.queue_state else { return 0 };
        let mut freed = queue_state.flush();
        self.waiters.bring_all_back();
        let is_wanted =
            !self.waiters.is_empty() || !self.producers.is_empty() || !self.watchers.is_empty();
        if !is_wanted && queue_state.is_idle() {
            freed += queue_state.allocated_bytes();
            self.queue_state = None;
        }
        freed
    }
}
