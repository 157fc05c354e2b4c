//! Ranges of entries.

use super::interval::{end, start};
use super::{limit_of, look_up, write_entry};
use crate::engine::Arg::{One, OptionalNamed};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::uses::{READ, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::value::Stream;

const PER_ENTRY: &str = "O(N) where N is the number of entries returned";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xrange", -4, xrange).group(OfStreams).since("5.0.0").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), One("start"), One("end"), OptionalNamed("COUNT", "count")])
        .cost(PER_ENTRY).says("Returns the entries from one id to another."),
    Command::new("xrevrange", -4, xrevrange).group(OfStreams).since("5.0.0").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), One("end"), One("start"), OptionalNamed("COUNT", "count")])
        .cost(PER_ENTRY).says("Returns the entries from one id back to another."),
    Command::new("xlen", 2, xlen).group(OfStreams).since("5.0.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the number of entries."),
];

fn xrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_range(ctx, request, false)
}

fn xrevrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_range(ctx, request, true)
}

fn reply_range(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_back: bool,
) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, first, second) = (args.required()?, args.required()?, args.required()?);
    let (from, to) = if is_back { (second, first) } else { (first, second) };
    let (from, to) = (start(from)?, end(to)?);
    // No COUNT means all, and COUNT 0 nothing.
    let mut max = usize::MAX;
    while args.left() > 0 {
        if args.left() < 2 || !args.takes("count") {
            return Err(CommandError::Syntax);
        }
        max = match u64::try_from(args.integer()?) {
            Ok(count) if count > 0 => limit_of(count),
            _ => 0,
        };
    }
    let Some(stream) = look_up::<Stream>(ctx.state, ctx.db, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    if max == 0 {
        ctx.reply.null_array();
        return Ok(());
    }
    let range = stream.range(from, to);
    let count = range.count_max(max);
    ctx.reply.array(count);
    if is_back {
        let entries = stream.range_back(to, from).take(count);
        entries.for_each(|entry| write_entry(ctx.reply, entry));
    } else {
        range.take(count).for_each(|entry| write_entry(ctx.reply, entry));
    }
    ctx.state.keyspace.work.looked_at(count);
    Ok(())
}

fn xlen(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let len = look_up::<Stream>(ctx.state, ctx.db, key)?.map_or(0, |stream| stream.len());
    ctx.reply.count(usize::try_from(len).unwrap_or(usize::MAX));
    Ok(())
}
