//! Sorted sets. <https://redis.io/docs/latest/commands/?group=sorted-set>
//!
//! | module | responsibility |
//! |---|---|
//! | `add` | adding members, and changing their scores |
//! | `remove` | removing members, by name and by ranges |
//! | `read` | scores, ranks and counts |
//! | `bounds` | the bounds of ranges |
//! | `range` | ranges of members, returned or stored |
//! | `pop`, `blocking` | taking the first or last members, at once or after a wait |
//! | `combine` | unions, intersections and differences |
//! | `random`, `scan` | random members; iterating over all |

mod add;
mod blocking;
mod bounds;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod scan;

pub(super) use add::COMMANDS as ADD;
pub(super) use blocking::COMMANDS as BLOCKING;
pub(super) use combine::COMMANDS as COMBINE;
pub(super) use pop::COMMANDS as POP;
pub(super) use random::COMMANDS as RANDOM;
pub(super) use range::COMMANDS as RANGE;
pub(super) use read::COMMANDS as READ;
pub(super) use remove::COMMANDS as REMOVE;
pub(super) use scan::COMMANDS as SCAN;

use super::edit_value::replace;
use super::look_up::look_up;
use crate::effects::Effects;
use crate::engine::{CommandError, Context};
use crate::keyspace::DbIndex;
use crate::queueing::check_name;
use crate::resp::{DoubleBuffer, Output, OwnedRequest, Protocol};
use crate::value::SortedSet;

/// What a range costs.
const PER_RANGE: &str =
    "O(log(N)+M) with N the number of members, and M the number of members in the range";

const NOT_A_FLOAT: CommandError = CommandError::text("ERR value is not a valid float");

/// Members in one recorded command.
const MEMBERS_PER_COMMAND: usize = 64;

/// Writes the header of an array of members, with or without their scores.
fn write_header(reply: &mut Output, count: usize, has_scores: bool) {
    // From version 3 on, a member and its score are an array.
    let is_flat = has_scores && reply.protocol() == Protocol::Resp2;
    reply.array(if is_flat { 2 * count } else { count });
}

/// Writes a member, with or without its score.
#[inline]
fn write_member(reply: &mut Output, (score, member): (f64, &[u8]), has_score: bool) {
    if has_score && reply.protocol() == Protocol::Resp3 {
        reply.array(2);
    }
    reply.bulk(member);
    if has_score {
        reply.double(score);
    }
}

/// Returns a command that adds members with their scores.
pub(super) fn zadd<'a>(key: &[u8], members: impl Iterator<Item = (f64, &'a [u8])>) -> OwnedRequest {
    let mut texts = Vec::new();
    for (score, member) in members {
        texts.push(DoubleBuffer::default().format(score).to_vec());
        texts.push(member.to_vec());
    }
    OwnedRequest::from_args([&b"ZADD"[..], key].into_iter().chain(texts.iter().map(Vec::as_slice)))
}

/// Records that members were added.
pub(super) fn record_members<'a>(
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    mut members: impl ExactSizeIterator<Item = (f64, &'a [u8])>,
) {
    while members.len() > 0 && effects.is_on() {
        let request = zadd(key, members.by_ref().take(MEMBERS_PER_COMMAND));
        effects.record(db, request.as_request().args());
    }
}

/// Stores a sorted set in place of whatever is at a key, and replies with the number of its members. An empty
/// one removes the key.
fn store(ctx: &mut Context<'_>, key: &[u8], mut set: SortedSet) -> Result<(), CommandError> {
    let growth = ctx.state.sorted_set_growth();
    let keyspace = &mut ctx.state.keyspace;
    check_name(keyspace, key)?;
    let len = set.len();
    set.make_small(&growth);
    replace(keyspace, ctx.db, key, (len > 0).then_some(set));
    ctx.reply.count(len);
    Ok(())
}
