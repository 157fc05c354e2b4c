//! QUEUE INFO: what is known about a queue.

use super::fields;
use crate::engine::{Arguments, CommandError, Context};
use crate::keyspace::{COUNTS, Line, QueueState, Totals};
use crate::pauses::Pauses;
use crate::resp::Request;

/// Returns the paused directions of a queue as a word.
fn paused_word(pauses: Pauses) -> &'static str {
    match (pauses.reads_until_ms, pauses.writes_until_ms) {
        (None, None) => "none",
        (Some(_), None) => "read",
        (None, Some(_)) => "write",
        (Some(_), Some(_)) => "all",
    }
}

pub(super) fn info(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::from(request, 2).required()?;
    let keyspace = &mut ctx.state.keyspace;
    let consumers = keyspace.line_len(ctx.db, key, Line::Waiters)
        + keyspace.line_len(ctx.db, key, Line::Movers);
    let producers = keyspace.line_len(ctx.db, key, Line::Producers);
    let now_ms = keyspace.queue_ms();
    let (len, bytes, oldest_ms) = match keyspace.peek_list(ctx.db, key) {
        None => (0, Some(0), None),
        Some(list) if list.is_fully_stamped() => {
            (list.len(), Some(list.message_bytes()), list.oldest_ms())
        }
        // Without a policy, bytes are not tracked, and ages only of dead letters.
        Some(list) => (list.len(), None, list.oldest_ms().filter(|ms| *ms != 0)),
    };
    let policy = keyspace.policy_for(ctx.db, key);
    let queue_state = keyspace.queue_state(ctx.db, key);
    let (in_flight, delayed, pauses, totals) = queue_state.map_or_else(
        || (0, 0, Pauses::default(), Totals::default()),
        |QueueState { in_flight, delayed, pauses, totals, .. }| {
            (in_flight.len(), delayed.len(), *pauses, *totals)
        },
    );
    let reply = &mut *ctx.reply;
    reply.map(10 + COUNTS.len());
    fields::text(reply, "policy", policy.as_ref().map(|policy| &policy.name[..]));
    fields::count(reply, "length", len);
    // No allocation exceeds isize::MAX bytes, and counts of messages stay far below the maximum of i64.
    fields::number(reply, "bytes", bytes.map(|bytes| bytes as i64));
    let oldest_age_ms = oldest_ms.map(|oldest_ms| now_ms.saturating_sub(oldest_ms));
    fields::number(reply, "oldest-age-ms", oldest_age_ms);
    fields::count(reply, "in-flight", in_flight);
    fields::count(reply, "delayed", delayed);
    fields::count(reply, "consumers-waiting", consumers);
    fields::count(reply, "producers-waiting", producers);
    fields::text(reply, "paused", Some(paused_word(pauses).as_bytes()));
    let paused_for_ms = pauses.next_end_ms().map(|end_ms| end_ms.saturating_sub(now_ms));
    fields::number(reply, "paused-for-ms", paused_for_ms);
    for (name, count) in COUNTS {
        fields::number(reply, name, Some(count(&totals).cast_signed()));
    }
    Ok(())
}
