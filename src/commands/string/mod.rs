//! Strings. <https://redis.io/docs/latest/commands/?group=string>
//!
//! | module | responsibility |
//! |---|---|
//! | `get`, `set` | reading and writing whole strings, with their expiry |
//! | `edit` | parts of strings |
//! | `number` | strings as numbers |
//! | `expiry` | the expiry options of SET and GETEX |
//! | `extended` | floating-point numbers like C's `long double` |
//! | `lcs` | the longest common subsequence |

mod edit;
mod expiry;
mod extended;
mod get;
mod lcs;
mod number;
mod set;

pub(super) use extended::Extended;

pub(super) use edit::COMMANDS as EDIT;
pub(super) use get::COMMANDS as GET;
pub(super) use lcs::COMMANDS as LCS;
pub(super) use number::COMMANDS as NUMBER;
pub(super) use set::COMMANDS as SET;

use super::look_up::look_up;
use crate::engine::{CommandError, Context};
use crate::value::StringValue;

/// Replies with the string at a key, or null. Returns whether there is one.
fn reply_string(ctx: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
    match look_up::<StringValue>(ctx.state, ctx.db, key)? {
        Some(string) => string.with(|bytes| ctx.reply.bulk(bytes)),
        None => {
            ctx.reply.null();
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns an error if a string would exceed `proto-max-bulk-len`.
fn check_length(ctx: &Context<'_>, before: usize, added: usize) -> Result<(), CommandError> {
    let is_within = before
        .checked_add(added)
        .is_some_and(|bytes| bytes as u64 <= ctx.state.settings.proto_max_bulk_bytes);
    if is_within {
        return Ok(());
    }
    Err(CommandError::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)"))
}
