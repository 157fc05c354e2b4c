//! XREADGROUP: entries that a group has not read, or those that a consumer has not acknowledged. If there are
//! no new ones it waits; its request runs again when the stream changes, or goes.

use super::history::write_history;
use super::interval::id;
use super::read::{begin_stream, begin_streams};
use super::sources::Sources;
use super::{limit_of, look_up, no_key_or_group, record, write_entry};
use crate::clients::Wants;
use crate::commands::one_effect::as_one_effect;
use crate::engine::Arg::{Block, Many, Named, One, OptionalNamed, OptionalWord};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::uses::READ_VALUE;
use crate::engine::wait;
use crate::engine::{Command, CommandError, Context};
use crate::keyspace::Awaited;
use crate::resp::{Output, Request};
use crate::value::{Recipient, Stream};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xreadgroup", -7, xreadgroup).group(OfStreams).since("5.0.0").write().blocking()
        .keys_behind("STREAMS", 4, READ_VALUE)
        .args(&[Block(&[Named("GROUP", "group"), One("consumer")]), OptionalNamed("COUNT", "count"),
            OptionalNamed("BLOCK", "milliseconds"), OptionalWord("NOACK"),
            Block(&[Named("STREAMS", "key"), Many("id")])])
        .cost("O(N) where N is the number of entries returned")
        .says("Delivers entries of streams to a consumer of a group, or waits for one."),
];

const MEANINGLESS: CommandError = CommandError::text(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this \
     consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return \
     an empty result set.",
);
const STREAM_GONE: CommandError = CommandError::text("UNBLOCKED the stream key no longer exists");
const GROUP_GONE: CommandError =
    CommandError::text("NOGROUP the consumer group this client was blocked on no longer exists");

/// A call without COUNT that has waited gets at most this many entries, as in Redis.
const WOKEN_COUNT: u64 = 1000;

/// The id that stands for new entries.
const NEW: &[u8] = b">";

fn xreadgroup(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let sources = Sources::parse(ctx, request, true)?;
    let Some((group, consumer)) = sources.group else { return Err(CommandError::Syntax) };
    let (now_ms, is_pending) = (ctx.now.unix_ms(), !sources.needs_no_ack);
    let to = Recipient { group, consumer, now_ms, is_pending };
    if let Some(key) = ctx.ready_key {
        return read_ready(ctx, request, &sources, (key, &to));
    }
    for (key, arg) in sources.pairs() {
        let stream = look_up::<Stream>(ctx.state, ctx.db, key)?;
        if stream.is_none_or(|stream| stream.group(group).is_none()) {
            return Err(no_key_or_group(key, group, " in XREADGROUP with GROUP option"));
        }
        match arg {
            b"$" => return Err(MEANINGLESS),
            NEW => {}
            _ => drop(id(arg)?),
        }
    }
    if as_one_effect(ctx, |ctx| read_all(ctx, &sources, &to))? > 0 {
        return Ok(());
    }
    if sources.waits && ctx.origin.may_wait() {
        let wants = wants(ctx, group);
        wait::begin(ctx, request, wants, sources.keys, sources.deadline_us);
    } else {
        ctx.reply.null_array();
    }
    Ok(())
}

fn wants(ctx: &Context<'_>, group: &[u8]) -> Wants {
    Wants::Value(Awaited::Group(ctx.state.keyspace.hash_of(group)))
}

/// Reads all streams, and writes the reply unless there is nothing. Returns the number of streams in it.
fn read_all(
    ctx: &mut Context<'_>,
    sources: &Sources<'_>,
    to: &Recipient<'_>,
) -> Result<usize, CommandError> {
    let max = limit_of(sources.count);
    if let (1, Some((key, arg))) = (sources.ids.len(), sources.pairs().next()) {
        return Ok(usize::from(read_one(ctx, (key, arg), to, max, true)?));
    }
    // How many streams have entries is only known at the end: one may be named twice.
    let mut parts = Output::new(ctx.reply.protocol());
    std::mem::swap(&mut parts, ctx.reply);
    let mut count = 0;
    let mut result = Ok(());
    for pair in sources.pairs() {
        match read_one(ctx, pair, to, max, false) {
            Ok(has_read) => count += usize::from(has_read),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    std::mem::swap(&mut parts, ctx.reply);
    result?;
    if count > 0 {
        begin_streams(ctx.reply, count);
        ctx.reply.append(&mut parts);
    }
    Ok(count)
}

/// Reads one stream, and writes its part of the reply, unless there is nothing. Returns whether there is.
/// `is_alone`: the part is the whole reply.
fn read_one(
    ctx: &mut Context<'_>,
    (key, arg): (&[u8], &[u8]),
    to: &Recipient<'_>,
    max: usize,
    is_alone: bool,
) -> Result<bool, CommandError> {
    if arg == NEW {
        return read_new(ctx, key, to, max, is_alone);
    }
    if is_alone {
        begin_streams(ctx.reply, 1);
    }
    write_history(ctx, (key, id(arg)?), to, max)?;
    Ok(true)
}

/// Delivers new entries of one stream.
fn read_new(
    ctx: &mut Context<'_>,
    key: &[u8],
    to: &Recipient<'_>,
    max: usize,
    is_alone: bool,
) -> Result<bool, CommandError> {
    let Context { state, reply, db, .. } = ctx;
    let keyspace = &mut state.keyspace;
    let stream = keyspace.read::<Stream>(*db, key)?;
    let group = stream.and_then(|stream| Some((stream, stream.group(to.group)?)));
    let count = group.map_or(0, |(stream, group)| {
        let is_behind = stream.last_entry_id() > group.last_id;
        if is_behind { stream.unread(group).count_max(max) } else { 0 }
    });
    // As in Redis 7.0, only a delivery makes a consumer.
    if count == 0 {
        return Ok(false);
    }
    if is_alone {
        begin_streams(reply, 1);
    }
    begin_stream(reply, key);
    reply.array(count);
    let mut ids = Vec::new();
    let is_recorded = keyspace.effects.is_on();
    let is_new = keyspace.change_quietly(*db, key, |stream: &mut Stream| {
        let is_new = stream.deliver(to, count, |entry| {
            if is_recorded {
                ids.push(entry.id);
            }
            write_entry(reply, entry);
        });
        (is_new.unwrap_or_default(), true)
    })?;
    keyspace.work.looked_at(count);
    if is_recorded {
        record::delivered(keyspace, (*db, key), to, &ids, is_new.unwrap_or_default());
    }
    Ok(true)
}

/// Continues a call that has waited, now that one of its streams has changed or is gone.
fn read_ready(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    sources: &Sources<'_>,
    (key, to): (&[u8], &Recipient<'_>),
) -> Result<(), CommandError> {
    let Ok(Some(stream)) = ctx.state.keyspace.read::<Stream>(ctx.db, key) else {
        return Err(STREAM_GONE);
    };
    let group = stream.group(to.group).ok_or(GROUP_GONE)?;
    if stream.last_entry_id() <= group.last_id {
        let wants = wants(ctx, to.group);
        wait::begin(ctx, request, wants, sources.keys.clone(), None);
        return Ok(());
    }
    let max = limit_of(if sources.count == 0 { WOKEN_COUNT } else { sources.count });
    as_one_effect(ctx, |ctx| read_new(ctx, key, to, max, true)).map(drop)
}
