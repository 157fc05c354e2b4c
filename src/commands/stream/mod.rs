//! Streams. <https://redis.io/docs/latest/commands/?group=stream>
//!
//! | module | responsibility |
//! |---|---|
//! | `add`, `trim` | adding entries, and trimming to a length or an id |
//! | `range`, `edit` | ranges of entries; deletions and the ids of a stream |
//! | `read` | XREAD, which may wait |
//! | `group` | groups and their consumers |
//! | `read_group`, `history` | XREADGROUP, which may wait; entries that a consumer got before |
//! | `pending`, `claim` | pending entries: acknowledging, listing, giving them to another consumer |
//! | `info` | what a stream consists of |
//! | `sources` | the arguments that XREAD and XREADGROUP share |
//! | `interval` | ids and ranges of ids as arguments |
//! | `building` | streams from files and payloads |
//! | `record` | the effects of deliveries |

mod add;
mod building;
mod claim;
mod edit;
mod group;
mod history;
mod info;
mod interval;
mod pending;
mod range;
mod read;
mod read_group;
mod record;
mod sources;
mod trim;

pub(super) use add::COMMANDS as ADD;
pub(super) use building::build_stream;
pub(super) use claim::COMMANDS as CLAIM;
pub(super) use edit::COMMANDS as EDIT;
pub(super) use group::COMMANDS as GROUP;
pub(super) use info::COMMANDS as INFO;
pub(super) use pending::COMMANDS as PENDING;
pub(super) use range::COMMANDS as RANGE;
pub(super) use read::COMMANDS as READ;
pub(super) use read_group::COMMANDS as READ_GROUP;

use super::look_up::look_up;
use crate::engine::{CommandError, Context};
use crate::resp::Output;
use crate::settings::Settings;
use crate::value::{BlockLimits, Entry, Group, Stream, StreamId};

/// The reply to entries in a range that has none.
pub(super) const ALL: (StreamId, StreamId) = (StreamId::MIN, StreamId::MAX);

/// Returns the group of a stream, with the stream; an error if either is missing.
fn look_up_group<'a>(
    ctx: &'a mut Context<'_>,
    key: &[u8],
    name: &[u8],
) -> Result<(&'a Stream, &'a Group), CommandError> {
    let stream = look_up::<Stream>(ctx.state, ctx.db, key)?;
    let found = stream.and_then(|stream| Some((stream, stream.group(name)?)));
    found.ok_or_else(|| no_key_or_group(key, name, ""))
}

/// `NOGROUP`, for commands that need a key and a group.
#[cold]
fn no_key_or_group(key: &[u8], group: &[u8], after: &str) -> CommandError {
    let key = CommandError::quoting("NOGROUP No such key '", key, "' or consumer group '");
    CommandError::quoting(&key.to_text(), group, &format!("'{after}"))
}

/// `NOGROUP`, for commands about a group of a stream that exists.
#[cold]
fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    let before =
        CommandError::quoting("NOGROUP No such consumer group '", group, "' for key name '");
    CommandError::quoting(&before.to_text(), key, "'")
}

fn block_limits(settings: &Settings) -> BlockLimits {
    let of = &settings.encodings;
    BlockLimits { bytes: of.stream_block_bytes_max, entries: of.stream_block_entries_max }
}

#[inline]
fn write_id(reply: &mut Output, id: StreamId) {
    id.with_text(|text| reply.bulk(text));
}

/// Writes an entry: its id, and its fields in turn with their values.
#[inline]
fn write_entry(reply: &mut Output, entry: Entry<'_>) {
    reply.array(2);
    write_id(reply, entry.id);
    reply.array(2 * entry.fields.len());
    for (name, value) in entry.fields {
        name.with(|bytes| reply.bulk(bytes));
        value.with(|bytes| reply.bulk(bytes));
    }
}

/// Returns a COUNT as a limit: none if it is 0.
fn limit_of(count: u64) -> usize {
    if count == 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) }
}
