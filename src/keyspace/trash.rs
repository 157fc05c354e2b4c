//! The content of a flushed database, and many messages or elements dropped at once: freed in parts.

use super::Key;
use super::entries::Entries;
use super::in_flight::InFlight;
use super::walk::Walk;
use crate::deadlines::Deadlines;
use crate::queue::Queue;
use crate::value::Value;

/// Up to this many messages are freed at once.
pub(super) const FREED_AT_ONCE: usize = 1_000;

/// Messages freed in one step.
const FREED_PER_STEP: usize = 64;

/// Data to be freed.
#[derive(Debug)]
pub(super) enum Trash {
    /// Entries that the walk of a snapshot has not reached are kept until then.
    Entries(Entries, Walk),
    Expiries(Deadlines<Key>),
    Dues(Deadlines<Key, i64>),
    Messages(Queue),
    InFlight(InFlight),
    /// A value with many elements.
    Value(Value),
}

impl Trash {
    /// True if nothing of it can be freed before a snapshot has reached it.
    pub(super) fn is_needed(&self) -> bool {
        match self {
            Trash::Entries(entries, walk) => !entries.is_empty() && walk.left >= entries.len(),
            _ => false,
        }
    }

    /// Returns the bytes of messages and values, as the keyspace counts them.
    pub(super) fn message_bytes(&self) -> usize {
        match self {
            Trash::Messages(messages) => messages.allocated_bytes(),
            Trash::InFlight(in_flight) => in_flight.allocated_bytes(),
            Trash::Value(value) => value.allocated_bytes(),
            Trash::Entries(..) | Trash::Expiries(_) | Trash::Dues(_) => 0,
        }
    }

    /// Frees some of the messages or elements. Returns whether none are left.
    pub(super) fn free_messages(&mut self) -> bool {
        match self {
            Trash::Messages(messages) => {
                messages.trim(FREED_PER_STEP, usize::MAX);
                messages.is_empty()
            }
            Trash::InFlight(in_flight) => {
                in_flight.drop_oldest(FREED_PER_STEP);
                in_flight.is_empty()
            }
            Trash::Value(value) => value.free_part() == 0,
            Trash::Entries(..) | Trash::Expiries(_) | Trash::Dues(_) => true,
        }
    }
}
