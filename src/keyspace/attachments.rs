//! The waiters and watchers of a key, and the state of its queue.

use super::{DbIndex, Key, QueueState, Value};
use crate::client_id::ClientId;
use crate::queue::Queue;
use crate::value::Kind;
use std::collections::BTreeMap;

/// Everything attached to a key besides its value and expiry.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    /// Clients blocked on the key, by their tickets: the lowest has waited longest.
    pub(super) waiters: BTreeMap<u64, ClientId>,
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

/// A line of clients that wait for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Clients that wait for a message.
    Waiters,
    /// Producers that wait for capacity.
    Producers,
}

impl Attachments {
    /// The clients in a line, by their tickets.
    pub(super) fn line(&self, line: Line) -> &BTreeMap<u64, ClientId> {
        match line {
            Line::Waiters => &self.waiters,
            Line::Producers => &self.producers,
        }
    }

    /// As `line`, to be changed.
    pub(super) fn line_mut(&mut self, line: Line) -> &mut BTreeMap<u64, ClientId> {
        match line {
            Line::Waiters => &mut self.waiters,
            Line::Producers => &mut self.producers,
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.waiters.is_empty()
            && self.watchers.is_empty()
            && self.producers.is_empty()
            && self.queue_state.is_none()
    }

    /// Adds the key to the ready list, if clients wait and there is a message.
    #[inline]
    pub(super) fn tell_waiters(
        &mut self,
        db: DbIndex,
        key: &Key,
        value: &Value,
        ready: &mut Vec<(DbIndex, Key)>,
    ) {
        if !self.waiters.is_empty()
            && !self.is_ready
            && Queue::of(value).is_some_and(|queue| !queue.is_empty())
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
        let is_wanted =
            !self.waiters.is_empty() || !self.producers.is_empty() || !self.watchers.is_empty();
        if !is_wanted && queue_state.is_idle() {
            freed += queue_state.allocated_bytes();
            self.queue_state = None;
        }
        freed
    }
}
