//! Looking a value up for a command that reads it.

use crate::keyspace::DbIndex;
use crate::state::State;
use crate::value::{Kind, WrongType};

/// Returns the value of this type at a key, if there is one, and counts the look-up.
#[inline]
pub(super) fn look_up<'a, T: Kind + 'a>(
    state: &'a mut State,
    db: DbIndex,
    key: &[u8],
) -> Result<Option<&'a T>, WrongType> {
    let found = state.keyspace.read::<T>(db, key);
    state.stats.count_lookup(!matches!(found, Ok(None)));
    found
}
