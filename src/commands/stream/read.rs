//! XREAD: the entries of streams after some ids. If there are none, it waits like BLPOP: its request runs
//! again when one of the streams gets an entry. `$` becomes an id before that.

use super::interval::id;
use super::sources::Sources;
use super::{limit_of, look_up, write_entry};
use crate::clients::Wants;
use crate::engine::Arg::{Block, Many, Named, OptionalNamed};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::uses::READ_VALUE;
use crate::engine::wait;
use crate::engine::{Command, CommandError, Context};
use crate::keyspace::Awaited;
use crate::resp::{Output, OwnedRequest, Protocol, Request};
use crate::value::{Stream, StreamId};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xread", -4, xread).group(OfStreams).since("5.0.0").read_only().blocking()
        .keys_behind("STREAMS", 1, READ_VALUE)
        .args(&[OptionalNamed("COUNT", "count"), OptionalNamed("BLOCK", "milliseconds"),
            Block(&[Named("STREAMS", "key"), Many("id")])])
        .cost("O(N) where N is the number of entries returned")
        .says("Returns the entries of streams after some ids, or waits for one."),
];

/// A call without COUNT that has waited gets at most this many entries, as in Redis.
const WOKEN_COUNT: u64 = 1000;

const ONLY_GROUPS: CommandError = CommandError::text(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);

fn xread(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let sources = Sources::parse(ctx, request, false)?;
    if let Some(key) = ctx.ready_key {
        return read_ready(ctx, request, &sources, key);
    }
    let mut count = 0;
    for (key, arg) in sources.pairs() {
        let stream = look_up::<Stream>(ctx.state, ctx.db, key)?;
        let after = after_of(stream, arg)?;
        count += usize::from(stream.is_some_and(|stream| stream.last_entry_id() > after));
    }
    if count > 0 {
        begin_streams(ctx.reply, count);
        for (key, arg) in sources.pairs() {
            let Some(stream) = ctx.state.keyspace.read::<Stream>(ctx.db, key)? else { continue };
            let after = after_of(Some(stream), arg)?;
            if stream.last_entry_id() > after {
                let written = write_stream(ctx.reply, key, stream, after, limit_of(sources.count));
                ctx.state.keyspace.work.looked_at(written);
            }
        }
        return Ok(());
    }
    if !sources.waits || !ctx.origin.may_wait() {
        ctx.reply.null_array();
        return Ok(());
    }
    let (wants, deadline_us) = (Wants::Value(Awaited::Stream), sources.deadline_us);
    match with_ids(ctx, request, &sources)? {
        None => wait::begin(ctx, request, wants, sources.keys, deadline_us),
        Some(kept) => {
            wait::begin(ctx, &kept.as_request(), wants, sources.keys, deadline_us);
        }
    }
    Ok(())
}

/// Returns the id after which a stream is read.
fn after_of(stream: Option<&Stream>, arg: &[u8]) -> Result<StreamId, CommandError> {
    match arg {
        b"$" => Ok(stream.map_or(StreamId::MIN, Stream::last_id)),
        b">" => Err(ONLY_GROUPS),
        _ => id(arg),
    }
}

/// Returns the request with the ids that `$` stands for, if it has some: when it runs again, `$` would mean
/// something else.
fn with_ids(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    sources: &Sources<'_>,
) -> Result<Option<OwnedRequest>, CommandError> {
    if sources.ids.clone().all(|arg| arg != b"$") {
        return Ok(None);
    }
    let mut ids = Vec::with_capacity(sources.ids.len());
    for (key, arg) in sources.pairs() {
        let stream = ctx.state.keyspace.read::<Stream>(ctx.db, key)?;
        ids.push(after_of(stream, arg)?.to_text());
    }
    let before = request.args().take(sources.ids_at);
    Ok(Some(OwnedRequest::from_args(before.chain(ids.iter().map(Vec::as_slice)))))
}

/// Continues a call that has waited, now that one of its streams has changed.
fn read_ready(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    sources: &Sources<'_>,
    key: &[u8],
) -> Result<(), CommandError> {
    let after = id(sources.id_of(key).unwrap_or_default())?;
    let max = limit_of(if sources.count == 0 { WOKEN_COUNT } else { sources.count });
    match ctx.state.keyspace.read::<Stream>(ctx.db, key) {
        Ok(Some(stream)) if stream.last_entry_id() > after => {
            begin_streams(ctx.reply, 1);
            write_stream(ctx.reply, key, stream, after, max);
        }
        _ => {
            let wants = Wants::Value(Awaited::Stream);
            wait::begin(ctx, request, wants, sources.keys.clone(), None);
        }
    }
    Ok(())
}

/// Begins the reply with this many streams.
pub(super) fn begin_streams(reply: &mut Output, count: usize) {
    match reply.protocol() {
        Protocol::Resp2 => reply.array(count),
        Protocol::Resp3 => reply.map(count),
    }
}

/// Begins the part of a stream in the reply.
pub(super) fn begin_stream(reply: &mut Output, key: &[u8]) {
    if reply.protocol() == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

/// Writes up to `max` entries after an id. Returns how many.
fn write_stream(
    reply: &mut Output,
    key: &[u8],
    stream: &Stream,
    after: StreamId,
    max: usize,
) -> usize {
    begin_stream(reply, key);
    let entries = stream.range_after(after);
    let count = entries.count_max(max);
    reply.array(count);
    entries.take(count).for_each(|entry| write_entry(reply, entry));
    count
}
