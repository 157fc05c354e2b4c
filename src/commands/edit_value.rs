//! Changes of values that are not lists: one is created if the key has none.

use crate::engine::CommandError;
use crate::keyspace::{DbIndex, Keyspace};
use crate::queueing::{Queues, check_no_queue};
use crate::value::Kind;

/// Changes the value at a key, or a new one; it is removed if it is empty afterwards. `attempt` also returns
/// whether it changed anything.
#[inline]
pub(super) fn update<T: Kind, R>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    attempt: impl Fn(&mut T) -> (R, bool),
) -> Result<R, CommandError> {
    if let Some(result) = keyspace.change(db, key, &attempt)? {
        return Ok(result);
    }
    check_no_queue(keyspace, db, key)?;
    Ok(keyspace.change_or_create(db, key, &attempt)?)
}

/// Puts a value in place of everything at a key, also messages in flight and delayed; without one removes that.
/// Returns whether anything changed. The name must have been checked.
pub(super) fn replace<T: Kind>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    value: Option<T>,
) -> bool {
    let is_cleared =
        keyspace.is_under_policy(db, key) && Queues::new(keyspace).clear_hidden(db, key);
    match value {
        Some(value) => {
            keyspace.insert(db, key, value.into_value(), None);
            true
        }
        None => keyspace.delete(db, key) || is_cleared,
    }
}
