//! Hashes. <https://redis.io/docs/latest/commands/?group=hash>
//!
//! | module | responsibility |
//! |---|---|
//! | `read` | reading fields and values |
//! | `write` | setting and removing fields |
//! | `number` | values as numbers |
//! | `iterate` | some of the fields: HSCAN, HRANDFIELD |

mod iterate;
mod number;
mod read;
mod write;

pub(super) use iterate::COMMANDS as ITERATE;
pub(super) use number::COMMANDS as NUMBER;
pub(super) use read::COMMANDS as READ;
pub(super) use write::COMMANDS as WRITE;

use crate::keyspace::DbIndex;
use crate::state::State;
use crate::value::{HashValue, WrongType};

/// Returns the hash at a key, if there is one, and counts the look-up.
#[inline]
fn look_up<'a>(
    state: &'a mut State,
    db: DbIndex,
    key: &[u8],
) -> Result<Option<&'a HashValue>, WrongType> {
    let found = state.keyspace.read::<HashValue>(db, key);
    state.stats.count_lookup(!matches!(found, Ok(None)));
    found
}
