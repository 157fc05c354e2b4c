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

use super::look_up::look_up;
