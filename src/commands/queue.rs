//! QUEUE: information about queues; acknowledging, returning and pausing.
//!
//! These commands are Tidegate's own. Policies are set by those in `queue_policy.rs`.

use super::scan::{parse_cursor, selects, write_page};
use super::{help, queue_policy};
use crate::commands::take::count_of;
use crate::engine::Arg::{
    Block, One, OneOf, Optional, OptionalChoice, OptionalNamed, PolicyOptions, Word,
};
use crate::engine::Group::Queue;
use crate::engine::uses::{READ, UPDATE};
use crate::engine::{Arg, Arguments, Command, CommandError, Context, is_word};
use crate::keyspace::{COUNTS, Key, Line, Totals};
use crate::queueing::Queues;
use crate::resp::{Output, Request};

/// QUEUE POLICY and its forms.
const POLICY: &[Arg] = &[OneOf(&[
    Block(&[Word("SET"), One("name"), One("pattern"), PolicyOptions]),
    Block(&[Word("DEL"), One("name")]),
    Word("LIST"),
    Block(&[Word("OF"), One("key")]),
])];

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("queue", SUBCOMMANDS).group(Queue).since(SINCE)
        .says("A container for commands about queues and their policies."),
];

/// The version of Tidegate that introduced them; Redis has no such commands.
const SINCE: &str = "0.1.0";

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("queue|ack", -3, ack).group(Queue).since(SINCE).write().key(2, UPDATE)
        .args(&[One("key"), OptionalNamed("COUNT", "count")])
        .cost("O(N log M) where N is the number of messages given and M the number in flight")
        .says("Acknowledges messages in flight."),
    Command::new("queue|nack", -3, nack).group(Queue).since(SINCE).write().key(2, UPDATE)
        .args(&[One("key"), OptionalNamed("COUNT", "count")])
        .cost("O(N log M) where N is the number of messages given and M the number in flight")
        .says("Returns messages in flight to their queue."),
    Command::new("queue|info", 3, info).group(Queue).since(SINCE).read_only().key(2, READ)
        .args(&[One("key")])
        .cost("O(1) under a policy, else O(N) where N is the number of messages")
        .says("Returns the policy, sizes, state and counts of a queue."),
    Command::new("queue|inflight", 3, inflight).group(Queue).since(SINCE).read_only().key(2, READ)
        .args(&[One("key")]).cost("O(N) where N is the number of messages in flight")
        .says("Lists the messages of a queue that are in flight."),
    Command::new("queue|list", -2, list).group(Queue).since(SINCE).read_only()
        .args(&[Optional("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count")])
        .cost("O(1) for each call").says("Returns some of the queues, and a cursor to continue."),
    Command::new("queue|pause", -3, pause).group(Queue).since(SINCE).admin().key(2, READ)
        .args(&[One("key"), OptionalChoice(&["READ", "WRITE", "ALL"])])
        .says("Pauses pops from a queue, pushes to it, or both."),
    Command::new("queue|resume", -3, resume).group(Queue).since(SINCE).admin().key(2, READ)
        .args(&[One("key"), OptionalChoice(&["READ", "WRITE", "ALL"])])
        .says("Ends a pause of a queue."),
    Command::new("queue|policy", -3, queue_policy::policy).group(Queue).since(SINCE).admin()
        .no_script().args(POLICY)
        .cost("O(N) where N is the number of keys (SET, DEL) or of policies (LIST, OF)")
        .says("Sets, deletes or lists policies, or returns the policy of a key."),
    Command::new("queue|help", 2, help).group(Queue).since(SINCE).anytime()
        .says("Returns help on the subcommands."),
];

/// Returns the deliveries that QUEUE ACK and NACK name, in ascending order of their numbers.
/// `[COUNT n]` means the oldest of this connection, by default one; `VALUE message [message ...]` the
/// oldest of each message, whichever connection has it.
fn named_deliveries(
    ctx: &mut Context<'_>,
    key: &Key,
    mut args: Arguments<'_>,
) -> Result<Vec<u64>, CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    match (args.optional(), args.left()) {
        (None, _) => Ok(keyspace.held_of(ctx.client, ctx.db, key, 1)),
        (Some(word), 1) if is_word(word, "count") => {
            let count = count_of(args.required()?, "ERR count should be greater than 0", 1)?;
            Ok(keyspace.held_of(ctx.client, ctx.db, key, count))
        }
        (Some(word), 1..) if is_word(word, "value") => {
            Ok(keyspace.find_deliveries(ctx.db, key, args.rest()))
        }
        _ => Err(CommandError::Syntax),
    }
}

fn ack(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = Key::from(args.required()?);
    let numbers = named_deliveries(ctx, &key, args)?;
    let keyspace = &mut ctx.state.keyspace;
    for number in &numbers {
        let Some(at) = keyspace.slot(ctx.db, &key) else { break };
        Queues::new(keyspace).acknowledge(at, &key, *number);
    }
    ctx.reply.count(numbers.len());
    Ok(())
}

fn nack(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = Key::from(args.required()?);
    let numbers = named_deliveries(ctx, &key, args)?;
    let keyspace = &mut ctx.state.keyspace;
    Queues::new(keyspace).return_messages(ctx.db, &key, &numbers);
    ctx.reply.count(numbers.len());
    Ok(())
}

/// Returns the paused directions of a queue as a word.
fn paused_word(is_read_paused: bool, is_write_paused: bool) -> &'static str {
    match (is_read_paused, is_write_paused) {
        (false, false) => "none",
        (true, false) => "read",
        (false, true) => "write",
        (true, true) => "all",
    }
}

fn info(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::from(request, 2).required()?;
    let keyspace = &mut ctx.state.keyspace;
    let waiters = keyspace.line_len(ctx.db, key, Line::Waiters);
    let producers = keyspace.line_len(ctx.db, key, Line::Producers);
    let now_ms = keyspace.queue_ms();
    let (len, bytes, oldest_ms) = match keyspace.peek_list(ctx.db, key) {
        None => (0, Some(0), None),
        Some(list) if list.is_stamped() => {
            (list.len(), Some(list.message_bytes()), list.oldest_ms())
        }
        // Without a policy, bytes and ages are not tracked.
        Some(list) => (list.len(), None, None),
    };
    let policy = keyspace.policy_for(ctx.db, key);
    let queue_state = keyspace.queue_state(ctx.db, key);
    let (in_flight, delayed, paused, totals) = queue_state.map_or_else(
        || (0, 0, "none", Totals::default()),
        |queue_state| {
            let paused = paused_word(queue_state.is_read_paused, queue_state.is_write_paused);
            (queue_state.in_flight.len(), queue_state.delayed.len(), paused, queue_state.totals)
        },
    );
    let reply = &mut *ctx.reply;
    reply.map(9 + COUNTS.len());
    reply.bulk(b"policy");
    match policy {
        Some(policy) => reply.bulk(&policy.name),
        None => reply.null(),
    }
    field(reply, "length", len);
    reply.bulk(b"bytes");
    match bytes {
        Some(bytes) => reply.count(bytes),
        None => reply.null(),
    }
    reply.bulk(b"oldest-age-ms");
    match oldest_ms {
        Some(oldest_ms) => reply.integer(now_ms.saturating_sub(oldest_ms)),
        None => reply.null(),
    }
    field(reply, "in-flight", in_flight);
    field(reply, "delayed", delayed);
    field(reply, "waiters", waiters);
    field(reply, "producers", producers);
    reply.bulk(b"paused");
    reply.bulk(paused.as_bytes());
    for (name, count) in COUNTS {
        reply.bulk(name.as_bytes());
        // Counts of messages stay far below the maximum of i64.
        reply.integer(count(&totals).cast_signed());
    }
    Ok(())
}

fn field(reply: &mut Output, name: &str, count: usize) {
    reply.bulk(name.as_bytes());
    reply.count(count);
}

fn inflight(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::from(request, 2).required()?;
    let now_ms = ctx.state.keyspace.queue_ms();
    let Some(queue_state) = ctx.state.keyspace.queue_state(ctx.db, key) else {
        ctx.reply.array(0);
        return Ok(());
    };
    let reply = &mut *ctx.reply;
    let count = queue_state.in_flight.len();
    reply.array(count);
    for (_, delivery) in queue_state.in_flight.iter() {
        reply.map(4);
        reply.bulk(b"message");
        reply.bulk(&delivery.message);
        reply.bulk(b"client-id");
        // IDs of clients stay far below the maximum of i64.
        reply.bulk(delivery.owner.number().to_string().as_bytes());
        reply.bulk(b"in-flight-ms");
        reply.integer(now_ms.saturating_sub(delivery.delivered_ms));
        reply.bulk(b"deliveries");
        reply.integer(delivery.stamp.deliveries.into());
    }
    ctx.state.keyspace.work.moved(count);
    Ok(())
}

/// Queues that one call of QUEUE LIST visits unless COUNT says otherwise, as for SCAN.
const LIST_COUNT: usize = 10;

fn list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let mut cursor = 0;
    let is_option = |word: &[u8]| is_word(word, "match") || is_word(word, "count");
    if let Some(text) = args.clone().optional().filter(|word| !is_option(word)) {
        cursor = parse_cursor(text).ok_or(CommandError::text("ERR invalid cursor"))?;
        args.optional();
    }
    let (mut count, mut pattern) = (LIST_COUNT, None);
    while let Some(option) = args.optional() {
        let value = args.required()?;
        if is_word(option, "match") {
            pattern = Some(value);
        } else if is_word(option, "count") {
            count = count_of(value, "ERR count should be greater than 0", 1)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let mut found = Vec::new();
    let next = ctx.state.keyspace.scan_queues(ctx.db, cursor, count, |key| {
        if pattern.is_none_or(|pattern| selects(pattern, key)) {
            found.push(key);
        }
    });
    write_page(ctx.reply, next, &found);
    Ok(())
}

/// Returns the directions that `[READ|WRITE|ALL]` means: reading, writing.
fn directions(mut args: Arguments<'_>) -> Result<(bool, bool), CommandError> {
    match args.left() {
        0 => Ok((true, true)),
        1 => {
            args.choice(&[("all", (true, true)), ("read", (true, false)), ("write", (false, true))])
        }
        _ => Err(CommandError::Syntax),
    }
}

fn pause(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_paused(ctx, request, true)
}

fn resume(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_paused(ctx, request, false)
}

fn set_paused(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_paused: bool,
) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    let (reads, writes) = directions(args)?;
    ctx.state.keyspace.set_paused(ctx.db, key, reads, writes, is_paused);
    ctx.reply.ok();
    Ok(())
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(
        ctx.reply,
        "QUEUE",
        &[
            "ACK <key> [COUNT <count>|VALUE <message> [<message> ...]]",
            "    Acknowledge the oldest messages in flight on this connection, by default one;",
            "    with VALUE, the oldest message in flight equal to each given one, on any",
            "    connection. Returns the number of acknowledged messages.",
            "INFLIGHT <key>",
            "    List the messages in flight: message, client, time in flight, number of deliveries.",
            "INFO <key>",
            "    Return the policy, sizes, state and counts of a queue.",
            "LIST [<cursor>] [MATCH <pattern>] [COUNT <count>]",
            "    Iterate over the queues, like SCAN over the keys.",
            "NACK <key> [COUNT <count>|VALUE <message> [<message> ...]]",
            "    Return messages in flight to the queue, selected like those of ACK.",
            "PAUSE <key> [READ|WRITE|ALL]",
            "    Pause the queue until QUEUE RESUME or a restart: READ lets pops find no message,",
            "    WRITE refuses pushes, ALL (the default) does both.",
            "POLICY SET <name> <pattern> [<option> <value> ...]",
            "    Set a policy for queues with keys that match the pattern. The error for a wrong",
            "    option lists all options.",
            "POLICY DEL <name>",
            "    Delete a policy.",
            "POLICY LIST",
            "    List all policies, the highest priority first.",
            "POLICY OF <key>",
            "    Return the policy that applies to a key.",
            "RESUME <key> [READ|WRITE|ALL]",
            "    End a pause.",
        ],
    );
    Ok(())
}
