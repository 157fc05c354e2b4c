//! Sets. <https://redis.io/docs/latest/commands/?group=set>
//!
//! | module | responsibility |
//! |---|---|
//! | `read` | members of one set |
//! | `write` | adding, removing, moving members |
//! | `combine` | intersections, unions, differences |
//! | `iterate` | some of the members: SSCAN, SPOP, SRANDMEMBER |

mod combine;
mod iterate;
mod read;
mod write;

pub(super) use combine::COMMANDS as COMBINE;
pub(super) use iterate::COMMANDS as ITERATE;
pub(super) use read::COMMANDS as READ;
pub(super) use write::COMMANDS as WRITE;

use crate::keyspace::DbIndex;
use crate::state::State;
use crate::value::{SetValue, WrongType};

/// Returns the set at a key, if there is one, and counts the look-up.
#[inline]
fn look_up<'a>(
    state: &'a mut State,
    db: DbIndex,
    key: &[u8],
) -> Result<Option<&'a SetValue>, WrongType> {
    let found = state.keyspace.read::<SetValue>(db, key);
    state.stats.count_lookup(!matches!(found, Ok(None)));
    found
}
