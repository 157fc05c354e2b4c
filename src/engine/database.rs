//! Database numbers as arguments.

use crate::command_error::{CommandError, integer, integer_within};
use crate::keyspace::DbIndex;
use crate::state::State;

/// Returns the database that an argument names.
pub(crate) fn db_index(state: &State, arg: &[u8]) -> Result<DbIndex, CommandError> {
    const BEYOND_INT: &str =
        "ERR value is out of range, value must between -2147483648 and 2147483647";
    integer(arg)?;
    let number = integer_within(arg, i32::MIN.into(), i32::MAX.into(), BEYOND_INT)?;
    let index = usize::try_from(number).ok().filter(|&index| index < state.keyspace.db_count());
    index.ok_or(CommandError::DbOutOfRange)
}
