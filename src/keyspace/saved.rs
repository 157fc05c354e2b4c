//! The content of a snapshot: everything about a key, as it was.
//!
//! Plain data that shares its content with the keyspace where possible. `snapshot/` converts it to
//! bytes.

use super::delayed::Delayed;
use super::in_flight::InFlight;
use crate::departure::Departure;
use crate::key::{DbIndex, Key};
use crate::library::Library;
use crate::pauses::Pauses;
use crate::policy::QueuePolicy;
use crate::queue::Queue;
use crate::value::Value;
use std::sync::Arc;

/// The cost of a key in the budget of a step, besides its bytes.
pub(super) const KEY_COST: usize = 64;

/// A part of a snapshot.
#[derive(Debug, Default)]
pub struct SavedPart {
    /// Policies set at runtime, by name; `None` for a deleted one. All of them are in the first
    /// part.
    pub policies: Vec<(Vec<u8>, Option<QueuePolicy>)>,
    /// The number of the last delivery, in the first part, if there was one.
    pub last_delivery: Option<u64>,
    /// How many milliseconds the calendar is ahead of the queue clock, in the first part, if it is.
    pub calendar_ahead_ms: Option<i64>,
    /// The libraries of functions, in the first part.
    pub libraries: Vec<Arc<Library>>,
    /// Departing messages. Those of one queue are in the order in which they left, across all
    /// parts.
    pub departing: Vec<(Departure, Queue)>,
    /// Keys, each in only one part.
    pub keys: Vec<SavedKey>,
}

/// A key as it was when the snapshot began.
#[derive(Debug)]
pub struct SavedKey {
    /// The number of its database.
    pub db: DbIndex,
    /// The key.
    pub key: Key,
    /// Its value; `None` if there are only messages in flight or delayed, or a pause.
    pub value: Option<Value>,
    /// The messages in flight of its queue.
    pub in_flight: InFlight,
    /// The delayed messages of its queue.
    pub delayed: Delayed,
    /// The former policy of messages in flight or delayed that the current policy does not provide
    /// for.
    pub former_policy: Option<Arc<QueuePolicy>>,
    /// The expiry in Unix milliseconds, if there is one; without a value, the expiry for messages
    /// in flight that are returned.
    pub expires_ms: Option<i64>,
    /// The pauses of its queue.
    pub pauses: Pauses,
}

impl SavedPart {
    /// True if it has no content.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
            && self.last_delivery.is_none()
            && self.calendar_ahead_ms.is_none()
            && self.libraries.is_empty()
            && self.departing.is_empty()
            && self.keys.is_empty()
    }

    /// Whether it has enough keys for a step by their number alone: then their bytes are not added up.
    pub(super) fn is_large(&self, bytes_max: usize) -> bool {
        (self.keys.len() + self.departing.len()).saturating_mul(KEY_COST) >= bytes_max
    }

    /// Returns the cost of departing messages.
    pub(super) fn cost_of_departing((_, messages): &(Departure, Queue)) -> usize {
        KEY_COST + messages.allocated_bytes()
    }

    /// Returns the cost in the budget of a step.
    pub(super) fn cost(&self) -> usize {
        let departing = self.departing.iter().map(SavedPart::cost_of_departing);
        departing.chain(self.keys.iter().map(SavedKey::cost)).sum()
    }
}

impl SavedKey {
    /// Returns the cost in the budget of a step: the bytes, and a constant per key.
    pub(crate) fn cost(&self) -> usize {
        let value_bytes = self.value.as_ref().map_or(0, Value::allocated_bytes);
        let hidden_bytes = self.in_flight.allocated_bytes() + self.delayed.allocated_bytes();
        KEY_COST + self.key.len() + value_bytes + hidden_bytes
    }
}
