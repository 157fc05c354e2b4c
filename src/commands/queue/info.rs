//! QUEUE INFO and INFLIGHT: what is known about a queue, and its messages in flight.

use crate::engine::{Arguments, CommandError, Context};
use crate::keyspace::{COUNTS, Line, Totals};
use crate::resp::{Output, Request};

/// Returns the paused directions of a queue as a word.
fn paused_word(is_read_paused: bool, is_write_paused: bool) -> &'static str {
    match (is_read_paused, is_write_paused) {
        (false, false) => "none",
        (true, false) => "read",
        (false, true) => "write",
        (true, true) => "all",
    }
}

pub(super) fn info(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::from(request, 2).required()?;
    let keyspace = &mut ctx.state.keyspace;
    let waiters = keyspace.line_len(ctx.db, key, Line::Waiters)
        + keyspace.line_len(ctx.db, key, Line::Movers);
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

pub(super) fn inflight(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
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
