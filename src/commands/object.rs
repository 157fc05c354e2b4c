//! OBJECT: how a value is kept. <https://redis.io/docs/latest/commands/object/>

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
        .says("A container for commands about how values are kept."),
];

#[rustfmt::skip]
static OBJECT: &[Command] = &[
    Command::new("object|encoding", 3, encoding).group(Generic).since("2.2.3").read_only()
        .key(2, READ).args(&[One("key")]).tips(VARIES)
        .says("Names the form in which a value is kept."),
    Command::new("object|freq", 3, freq).group(Generic).since("4.0.0").read_only().key(2, READ)
        .args(&[One("key")]).tips(VARIES).says("Would tell how often a key is used."),
    Command::new("object|help", 2, help).group(Generic).since("6.2.0").anytime()
        .says("Explains the subcommands."),
    Command::new("object|idletime", 3, idletime).group(Generic).since("2.2.3").read_only()
        .key(2, READ).args(&[One("key")]).tips(VARIES)
        .says("Tells for how many seconds a key was not used."),
    Command::new("object|refcount", 3, refcount).group(Generic).since("2.2.3").read_only()
        .key(2, READ).args(&[One("key")]).tips(VARIES)
        .says("Counts the references to a value, which is one."),
];

/// Bytes of a list that Redis keeps as one listpack by default (`list-max-listpack-size -2`).
const LISTPACK_BYTES_MAX: usize = 8 * 1024;
/// Bytes that a listpack spends beside each short message.
const LISTPACK_OVERHEAD_BYTES: usize = 2;

/// The value that the command names, without noting a use; where there is none, the null that
/// says so is written.
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

/// The encoding that Redis would have for a value.
pub(super) fn encoding_name(value: &Value) -> &'static str {
    match value {
        Value::List(queue) if fits_listpack(queue) => "listpack",
        Value::List(_) => "quicklist",
        Value::String(string) => string.encoding().name(),
    }
}

/// Whether Redis would keep the list as one listpack. Both forms are packed segments here; the
/// name tells how much there is.
fn fits_listpack(queue: &Queue) -> bool {
    let mut bytes = 0;
    // Ends at the limit, however long the list.
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
    // Seconds since the clock's start are far below i64.
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
