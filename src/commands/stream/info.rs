//! XINFO: what a stream, its groups and their consumers consist of.

use super::{ALL, limit_of, look_up, no_group, write_entry, write_id};
use crate::commands::help;
use crate::engine::Arg::{One, OptionalBlock, OptionalNamed, Word};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::tips::VARIES;
use crate::engine::uses::READ_VALUE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Output, Request};
use crate::value::{Consumer, ConsumerNumber, Group, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::container("xinfo", XINFO).group(OfStreams).since("5.0.0")
        .says("A container for commands about what streams consist of."),
];

#[rustfmt::skip]
static XINFO: &[Command] = &[
    Command::new("xinfo|consumers", 4, consumers).group(OfStreams).since("5.0.0").read_only()
        .key(2, READ_VALUE).args(&[One("key"), One("groupname")])
        .cost("O(N) where N is the number of consumers").tips(VARIES)
        .says("Returns the consumers of a group."),
    Command::new("xinfo|groups", 3, groups).group(OfStreams).since("5.0.0").read_only()
        .key(2, READ_VALUE).args(&[One("key")]).cost("O(N) where N is the number of groups")
        .says("Returns the groups of a stream."),
    Command::new("xinfo|help", 2, xinfo_help).group(OfStreams).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
    Command::new("xinfo|stream", -3, stream).group(OfStreams).since("5.0.0").read_only()
        .key(2, READ_VALUE)
        .args(&[One("key"), OptionalBlock("full", &[Word("FULL"), OptionalNamed("COUNT", "count")])])
        .cost("O(N) where N is the number of entries, groups and consumers returned")
        .says("Returns facts about a stream."),
];

/// Without a COUNT, FULL shows this many entries, and as many pending ones of each group and consumer.
const COUNT_DEFAULT: u64 = 10;

fn consumers(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, name) = (args.required()?, args.required()?);
    let now_ms = ctx.now.unix_ms();
    let stream = look_up::<Stream>(ctx.state, ctx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    let group = stream.group(name).ok_or_else(|| no_group(key, name))?;
    ctx.reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        ctx.reply.map(3);
        ctx.reply.bulk(b"name");
        ctx.reply.bulk(&consumer.name);
        ctx.reply.bulk(b"pending");
        ctx.reply.count(consumer.pending.len());
        ctx.reply.bulk(b"idle");
        ctx.reply.integer(now_ms.saturating_sub(consumer.seen_ms).max(0));
    }
    let count = group.consumers().len();
    ctx.state.keyspace.work.looked_at(count);
    Ok(())
}

fn groups(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::from(request, 2).required()?;
    let stream = look_up::<Stream>(ctx.state, ctx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    let count = stream.groups().len();
    ctx.reply.array(count);
    for (name, group) in stream.groups() {
        ctx.reply.map(6);
        ctx.reply.bulk(b"name");
        ctx.reply.bulk(name);
        ctx.reply.bulk(b"consumers");
        ctx.reply.count(group.consumers().len());
        ctx.reply.bulk(b"pending");
        ctx.reply.count(group.pending().len());
        write_progress(ctx.reply, stream, group);
    }
    ctx.state.keyspace.work.looked_at(count);
    Ok(())
}

/// Writes how far a group has read: three fields.
fn write_progress(reply: &mut Output, stream: &Stream, group: &Group) {
    reply.bulk(b"last-delivered-id");
    write_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    match group.entries_read {
        // As in Redis, whose counts are signed.
        Some(read) => reply.integer(read as i64),
        None => reply.null(),
    }
    reply.bulk(b"lag");
    match stream.lag_of(group) {
        Some(lag) => reply.integer(lag),
        None => reply.null(),
    }
}

fn stream(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    let stream = look_up::<Stream>(ctx.state, ctx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    let max = match args.left() {
        0 => None,
        1 | 3 if args.takes("full") => match args.left() {
            0 => Some(COUNT_DEFAULT),
            _ if args.takes("count") => {
                Some(u64::try_from(args.integer()?).unwrap_or(COUNT_DEFAULT))
            }
            _ => return Err(help::wrong_arguments(request, "XINFO")),
        },
        _ => return Err(help::wrong_arguments(request, "XINFO")),
    };
    let reply = &mut *ctx.reply;
    reply.map(if max.is_some() { 9 } else { 10 });
    let counts = |reply: &mut Output, name: &str, count: u64| {
        reply.bulk(name.as_bytes());
        reply.integer(count as i64);
    };
    let ids = |reply: &mut Output, name: &str, id: StreamId| {
        reply.bulk(name.as_bytes());
        write_id(reply, id);
    };
    counts(reply, "length", stream.len());
    counts(reply, "radix-tree-keys", stream.block_count() as u64);
    counts(reply, "radix-tree-nodes", stream.block_count() as u64 + 1);
    ids(reply, "last-generated-id", stream.last_id());
    ids(reply, "max-deleted-entry-id", stream.max_deleted_id());
    counts(reply, "entries-added", stream.entries_added());
    ids(reply, "recorded-first-entry-id", stream.first_entry_id());
    match max {
        None => {
            counts(reply, "groups", stream.groups().len() as u64);
            let first = stream.range(ALL.0, ALL.1).next();
            let last = stream.range_back(ALL.1, ALL.0).next();
            for (name, entry) in [("first-entry", first), ("last-entry", last)] {
                reply.bulk(name.as_bytes());
                match entry {
                    Some(entry) => write_entry(reply, entry),
                    None => reply.null(),
                }
            }
        }
        Some(max) => write_full(reply, stream, limit_of(max)),
    }
    Ok(())
}

/// Writes the entries and groups of a stream: two fields.
fn write_full(reply: &mut Output, stream: &Stream, max: usize) {
    reply.bulk(b"entries");
    let entries = stream.range(ALL.0, ALL.1);
    let count = entries.count_max(max);
    reply.array(count);
    entries.take(count).for_each(|entry| write_entry(reply, entry));
    reply.bulk(b"groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        write_progress(reply, stream, group);
        reply.bulk(b"pel-count");
        reply.count(group.pending().len());
        reply.bulk(b"pending");
        reply.array(group.pending().len().min(max));
        for (id, delivery) in group.pending().range_from(StreamId::MIN).take(max) {
            reply.array(4);
            write_id(reply, id);
            reply.bulk(&group.consumer(delivery.consumer).name);
            reply.integer(delivery.ms);
            reply.integer(delivery.count as i64);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumers().len());
        for (number, consumer) in group.consumers() {
            write_consumer(reply, group, (number, consumer), max);
        }
    }
}

fn write_consumer(
    reply: &mut Output,
    group: &Group,
    (_, consumer): (ConsumerNumber, &Consumer),
    max: usize,
) {
    reply.map(4);
    reply.bulk(b"name");
    reply.bulk(&consumer.name);
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_ms);
    reply.bulk(b"pel-count");
    reply.count(consumer.pending.len());
    reply.bulk(b"pending");
    reply.array(consumer.pending.len().min(max));
    for (id, ()) in consumer.pending.range_from(StreamId::MIN).take(max) {
        let delivery = group.pending().get(id);
        reply.array(3);
        write_id(reply, id);
        reply.integer(delivery.map_or(0, |delivery| delivery.ms));
        reply.integer(delivery.map_or(0, |delivery| delivery.count as i64));
    }
}

fn xinfo_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = [
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
    ];
    help::write(ctx.reply, "XINFO", &lines);
    Ok(())
}
