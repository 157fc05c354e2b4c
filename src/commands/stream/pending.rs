//! Pending entries: acknowledging and listing them.

use super::interval::{end, id, start};
use super::{limit_of, look_up, look_up_group, write_id};
use crate::engine::Arg::{Many, One, Optional, OptionalBlock, OptionalNamed};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::tips::VARIES;
use crate::engine::uses::{READ_VALUE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Output, Request};
use crate::value::{Delivery, Group, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xack", -4, xack).group(OfStreams).since("5.0.0").write().fast().key(1, UPDATE)
        .args(&[One("key"), One("group"), Many("id")]).cost("O(log N) for each id")
        .says("Acknowledges entries: they are no longer pending."),
    Command::new("xpending", -3, xpending).group(OfStreams).since("5.0.0").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), One("group"), OptionalBlock("filters", &[
            OptionalNamed("IDLE", "min-idle-time"), One("start"), One("end"), One("count"),
            Optional("consumer")])])
        .cost("O(N) where N is the number of consumers, of entries returned or, with IDLE, examined")
        .tips(VARIES).says("Returns the pending entries of a group, or how many there are."),
];

fn xack(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, name) = (args.required()?, args.required()?);
    let ids = args.rest();
    let stream = look_up::<Stream>(ctx.state, ctx.db, key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        ctx.reply.count(0);
        return Ok(());
    }
    // All or nothing: an invalid id is found before anything is acknowledged.
    for arg in ids.clone() {
        id(arg)?;
    }
    let keyspace = &mut ctx.state.keyspace;
    keyspace.work.keys(ids.len() - 1);
    let acknowledged = keyspace.change_quietly(ctx.db, key, |stream: &mut Stream| {
        let acknowledged = stream.change_group(name, |group| {
            let ids = ids.filter_map(|arg| id(arg).ok());
            ids.filter(|id| group.acknowledge(*id)).count()
        });
        let acknowledged = acknowledged.unwrap_or_default();
        (acknowledged, acknowledged > 0)
    })?;
    ctx.reply.count(acknowledged.unwrap_or_default());
    Ok(())
}

/// Which pending entries are listed.
struct Filter<'a> {
    min_idle_ms: i64,
    from: StreamId,
    to: StreamId,
    max: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    fn parse(request: &Request<'a>) -> Result<Filter<'a>, CommandError> {
        let mut args = Arguments::from(request, 3);
        if !(3..=6).contains(&args.left()) {
            return Err(CommandError::Syntax);
        }
        let mut min_idle_ms = 0;
        if args.takes("idle") {
            min_idle_ms = args.integer()?;
            if args.left() < 3 {
                return Err(CommandError::Syntax);
            }
        }
        let (from, to) = (args.required()?, args.required()?);
        // A negative count is none.
        let count = u64::try_from(args.integer()?).unwrap_or_default();
        let max = if count == 0 { 0 } else { limit_of(count) };
        Ok(Filter { min_idle_ms, from: start(from)?, to: end(to)?, max, consumer: args.optional() })
    }
}

fn xpending(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, name) = (args.required()?, args.required()?);
    let filter = if args.left() > 0 { Some(Filter::parse(request)?) } else { None };
    let mut reply = std::mem::take(ctx.reply);
    let now_ms = ctx.now.unix_ms();
    let examined = look_up_group(ctx, key, name).map(|(_, group)| match filter {
        None => {
            write_summary(&mut reply, group);
            group.consumers().len()
        }
        Some(filter) => write_entries(&mut reply, group, &filter, now_ms),
    });
    *ctx.reply = reply;
    ctx.state.keyspace.work.looked_at(examined?);
    Ok(())
}

fn write_summary(reply: &mut Output, group: &Group) {
    let pending = group.pending();
    let first = pending.range_from(StreamId::MIN).next();
    reply.array(4);
    reply.count(pending.len());
    let (Some((first, _)), Some(last)) = (first, pending.last_id()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(reply, first);
    write_id(reply, last);
    let with_any = || group.consumers().filter(|(_, consumer)| consumer.pending.len() > 0);
    reply.array(with_any().count());
    for (_, consumer) in with_any() {
        reply.array(2);
        reply.bulk(&consumer.name);
        reply.bulk(consumer.pending.len().to_string().as_bytes());
    }
}

/// Writes the entries that match. Returns how many were examined.
fn write_entries(reply: &mut Output, group: &Group, filter: &Filter<'_>, now_ms: i64) -> usize {
    let mut examined = 0;
    let mut found: Vec<(StreamId, Delivery)> = Vec::new();
    let mut consider = |id: StreamId, delivery: Delivery| {
        examined += 1;
        if id > filter.to || found.len() >= filter.max {
            return false;
        }
        let idle_ms = now_ms.saturating_sub(delivery.ms);
        if filter.min_idle_ms == 0 || idle_ms >= filter.min_idle_ms {
            found.push((id, delivery));
        }
        true
    };
    match filter.consumer {
        None => {
            let mut all = group.pending().range_from(filter.from);
            while all.next().is_some_and(|(id, delivery)| consider(id, delivery)) {}
        }
        Some(name) => {
            if let Some(number) = group.find_consumer(name) {
                let mut own = group.consumer(number).pending.range_from(filter.from);
                let delivery = |id| group.pending().get(id).copied();
                while let Some((id, ())) = own.next()
                    && delivery(id).is_some_and(|delivery| consider(id, delivery))
                {}
            }
        }
    }
    reply.array(found.len());
    for (id, delivery) in found {
        reply.array(4);
        write_id(reply, id);
        reply.bulk(&group.consumer(delivery.consumer).name);
        reply.integer(now_ms.saturating_sub(delivery.ms).max(0));
        // As in Redis, whose counts are signed in replies.
        reply.integer(delivery.count as i64);
    }
    examined
}
