//! A queue that is deleted: what it has beside its list goes as well. And what may not come in its place
//! while it has nothing else.

use super::Queues;
use super::reserved::check_name;
use super::{delayed_key, inflight_key};
use crate::command_error::CommandError;
use crate::keyspace::{DbIndex, Key, Keyspace, WrongType};

impl Queues<'_> {
    /// Forgets what is delayed and in flight of a queue that is deleted; whether there was anything.
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

/// Whether a queue has messages in flight or delayed, which come back to a list of this name.
pub(crate) fn has_hidden(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) -> bool {
    keyspace.is_under_policy(db, key)
        && keyspace
            .queue_state(db, key)
            .is_some_and(|queue_state| !queue_state.has_nothing_hidden())
}

/// Whether a value that is no list may be made where there is none.
///
/// # Errors
/// A policy needs the name, or the key is that of a queue whose messages are all in flight or delayed.
pub(crate) fn check_no_queue(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
) -> Result<(), CommandError> {
    check_name(keyspace, key)?;
    if has_hidden(keyspace, db, key) { Err(WrongType.into()) } else { Ok(()) }
}
