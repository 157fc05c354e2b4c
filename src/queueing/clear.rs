//! Deleting a queue deletes its delayed messages and those in flight as well. While a queue has no others, no
//! value of another type can take its key.

use super::Queues;
use super::reserved::check_name;
use super::{delayed_key, inflight_key};
use crate::command_error::CommandError;
use crate::keyspace::{DbIndex, Key, Keyspace, WrongType};

impl Queues<'_> {
    /// Deletes the delayed messages and those in flight of a deleted queue. Returns whether there were any.
    pub(crate) fn clear_hidden(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let had_delayed = self.keyspace.clear_delayed(db, key);
        if had_delayed {
            self.keyspace.effects.add(db, [b"DEL", &delayed_key(key)[..]]);
        }
        let had_in_flight = self.keyspace.clear_in_flight(db, &Key::from(key));
        if had_in_flight {
            self.keyspace.effects.add(db, [b"DEL", &inflight_key(key)[..]]);
        }
        had_delayed || had_in_flight
    }
}

/// Whether a queue has messages in flight or delayed, which will return to a list of this name.
pub(crate) fn has_hidden(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) -> bool {
    keyspace.is_under_policy(db, key)
        && keyspace
            .queue_state(db, key)
            .is_some_and(|queue_state| !queue_state.has_nothing_hidden())
}

/// Checks that a value other than a list may be created at a missing key.
///
/// # Errors
/// A policy reserves the name, or all messages of the queue with this key are in flight or delayed.
pub(crate) fn check_no_queue(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
) -> Result<(), CommandError> {
    check_name(keyspace, key)?;
    if has_hidden(keyspace, db, key) { Err(WrongType.into()) } else { Ok(()) }
}
