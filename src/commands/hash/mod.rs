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

use super::look_up::look_up;
