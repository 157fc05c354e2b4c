//! What a snapshot gives: all that there is of a key, as it was.
//!
//! Plain data, which share what they can with the keyspace. `snapshot/` makes bytes of them.

use super::in_flight::InFlight;
use crate::departure::Departure;
use crate::key::{DbIndex, Key};
use crate::policy::QueuePolicy;
use crate::queue::Queue;
use crate::value::Value;
use std::sync::Arc;

/// What a key counts against the budget of a step, beside its bytes.
pub(super) const KEY_COST: usize = 64;

/// A part of a snapshot.
#[derive(Debug, Default)]
pub struct SavedPart {
    /// Policies that were set while the server ran, by name; none for one that was deleted. All of them
    /// are in the first part.
    pub policies: Vec<(Vec<u8>, Option<QueuePolicy>)>,
    /// The number of the last delivery, in the first part, if there was any.
    pub last_delivery: Option<u64>,
    /// By how many milliseconds the calendar is ahead of the clock of queues, in the first part, if it is.
    pub calendar_ahead_ms: Option<i64>,
    /// Messages on their way to dead letters. Of one queue, those first that left first, also over all
    /// parts.
    pub departing: Vec<(Departure, Queue)>,
    /// Keys, each of them in one part.
    pub keys: Vec<SavedKey>,
}

/// A key as it was when the snapshot began.
#[derive(Debug)]
pub struct SavedKey {
    /// The number of its database.
    pub db: DbIndex,
    /// The key.
    pub key: Key,
    /// Its value; none if there is only something in flight or delayed.
    pub value: Option<Value>,
    /// What its queue has in flight.
    pub in_flight: InFlight,
    /// What is not ready yet.
    pub delayed: Queue,
    /// The policy under which it has something in flight or delayed, if that one has gone and the one that
    /// holds does not provide for it.
    pub former_policy: Option<Arc<QueuePolicy>>,
    /// Unix milliseconds at which it expires, if it does; without a value, at which it would if what is in
    /// flight came back.
    pub expires_ms: Option<i64>,
}

impl SavedPart {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
            && self.last_delivery.is_none()
            && self.calendar_ahead_ms.is_none()
            && self.departing.is_empty()
            && self.keys.is_empty()
    }

    /// What messages on their way count.
    pub(super) fn cost_of_departing((_, messages): &(Departure, Queue)) -> usize {
        KEY_COST + messages.allocated_bytes()
    }

    /// What it counts against the budget of a step.
    pub(super) fn cost(&self) -> usize {
        let departing = self.departing.iter().map(SavedPart::cost_of_departing);
        departing.chain(self.keys.iter().map(SavedKey::cost)).sum()
    }
}

impl SavedKey {
    /// What it counts against the budget of a step: its bytes, and what a key costs by itself.
    pub(super) fn cost(&self) -> usize {
        let value_bytes = self.value.as_ref().map_or(0, Value::allocated_bytes);
        let hidden_bytes = self.in_flight.allocated_bytes() + self.delayed.allocated_bytes();
        KEY_COST + self.key.len() + value_bytes + hidden_bytes
    }
}
