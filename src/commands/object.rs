//! OBJECT: the encoding and use of values. <https://redis.io/docs/latest/commands/object/>

use crate::engine::Arg::One;
use crate::engine::Group::Generic;
use crate::engine::tips::VARIES;
use crate::engine::uses::READ;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::keyspace::Value;
use crate::queue::Queue;
use crate::resp::Request;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("object", OBJECT).group(Generic).since("2.2.3")
        .says("A container for commands about encodings and use of values."),
];

#[rustfmt::skip]
static OBJECT: &[Command] = &[
    Command::new("object|encoding", 3, encoding).group(Generic).since("2.2.3").read_only()
        .key(2, READ).args(&[One("key")]).tips(VARIES)
        .says("Returns the encoding of a value."),
    Command::new("object|freq", 3, freq).group(Generic).since("4.0.0").read_only().key(2, READ)
        .args(&[One("key")]).tips(VARIES).says("Returns an error: use counts are not kept."),
    Command::new("object|help", 2, help).group(Generic).since("6.2.0").anytime()
        .says("Returns help on the subcommands."),
    Command::new("object|idletime", 3, idletime).group(Generic).since("2.2.3").read_only()
        .key(2, READ).args(&[One("key")]).tips(VARIES)
        .says("Returns the seconds since a key was last used."),
    Command::new("object|refcount", 3, refcount).group(Generic).since("2.2.3").read_only()
        .key(2, READ).args(&[One("key")]).tips(VARIES)
        .says("Returns the number of references to a value, always one."),
];

/// Size of a list up to which Redis keeps it as one listpack by default (`list-max-listpack-size -2`).
const LISTPACK_BYTES_MAX: usize = 8 * 1024;
/// Overhead of each short message in a listpack.
const LISTPACK_OVERHEAD_BYTES: usize = 2;

/// Returns the value that the command names, without updating its last use. Writes a null if there is
/// none.
fn look_up<'a>(
    ctx: &'a mut Context<'_>,
    request: &Request<'_>,
) -> Result<Option<&'a Value>, CommandError> {
    let value = ctx.state.keyspace.peek(ctx.db, key(request)?);
    ctx.state.stats.count_lookup(value.is_some());
    if value.is_none() {
        ctx.reply.null();
    }
    Ok(value)
}

fn key<'a>(request: &Request<'a>) -> Result<&'a [u8], CommandError> {
    Arguments::from(request, 2).required()
}

fn encoding(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let Some(name) = look_up(ctx, request)?.map(encoding_name) else { return Ok(()) };
    ctx.reply.bulk(name.as_bytes());
    Ok(())
}

/// Returns Redis' encoding for such a value.
pub(super) fn encoding_name(value: &Value) -> &'static str {
    match value {
        Value::List(queue) if fits_listpack(queue) => "listpack",
        Value::List(_) => "quicklist",
        Value::String(string) => string.encoding().name(),
        Value::Hash(hash) => hash.encoding(),
        Value::Set(set) => set.encoding(),
        Value::SortedSet(set) if set.is_small() => "listpack",
        Value::SortedSet(_) => "skiplist",
        Value::Stream(_) => "stream",
    }
}

/// Whether Redis would keep the list as one listpack. Both forms are packed segments here; the name
/// only tells the size.
fn fits_listpack(queue: &Queue) -> bool {
    let mut bytes = 0;
    // Stops at the limit, however long the list.
    queue.iter().all(|message| {
        bytes += message.len() + LISTPACK_OVERHEAD_BYTES;
        bytes <= LISTPACK_BYTES_MAX
    })
}

fn freq(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    match look_up(ctx, request)? {
        None => Ok(()),
        Some(_) => Err(CommandError::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take \
             some time to adjust.",
        )),
    }
}

fn idletime(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if look_up(ctx, request)?.is_none() {
        return Ok(());
    }
    let used_s = ctx.state.keyspace.last_use_s(ctx.db, key(request)?).unwrap_or_default();
    let now_s = ctx.now.monotonic_us / 1_000_000;
    // Seconds since the clock's start stay far below the maximum of i64.
    ctx.reply.integer(now_s.saturating_sub(used_s.into()) as i64);
    Ok(())
}

fn refcount(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if look_up(ctx, request)?.is_some() {
        ctx.reply.integer(1);
    }
    Ok(())
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::End;

    #[test]
    fn the_encoding_follows_the_bytes() {
        let mut queue = Queue::new();
        queue.push(End::Back, &[b'x'; 8190]);
        assert!(fits_listpack(&queue));
        queue.push(End::Back, b"");
        assert!(!fits_listpack(&queue));
    }
}
