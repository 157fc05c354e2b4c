//! QUEUE PEEK: what is known about the first messages of a queue, which stay as they are.

use super::{count_option, fields};
use crate::client_id::ClientId;
use crate::clients::{Client, Clients};
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::keyspace::{DelayedMessage, Delivery, QueueState};
use crate::queue::{Queue, Stamp};
use crate::resp::{Output, Request};
use crate::state::State;
use std::iter;

/// Messages shown unless COUNT says otherwise.
const PEEK_COUNT: usize = 10;

#[derive(Clone, Copy)]
enum Which {
    Ready,
    Delayed,
    InFlight,
}

/// What is known about a message; the rest is `None`.
#[derive(Default)]
struct Seen<'a> {
    message: &'a [u8],
    deliveries: Option<u32>,
    age_ms: Option<i64>,
    due_ms: Option<i64>,
    /// Its stamp, for its origin.
    stamp: Stamp,
    /// The number of its delivery, and the client that has it.
    holder: Option<(u64, &'a Delivery)>,
}

pub(super) fn peek(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    let is_count = |word: &[u8]| is_word(word, "count");
    let which = match args.clone().optional() {
        Some(word) if !is_count(word) => args.choice(&[
            ("ready", Which::Ready),
            ("delayed", Which::Delayed),
            ("inflight", Which::InFlight),
        ])?,
        _ => Which::Ready,
    };
    let count = count_option(&mut args)?.unwrap_or(PEEK_COUNT);
    let State { clients, keyspace, .. } = &mut *ctx.state;
    let now_ms = keyspace.queue_ms();
    let len_before = ctx.reply.len();
    let ready = keyspace.list(ctx.db, key)?;
    let shown = match which {
        Which::Ready => {
            write_all(ctx.reply, clients, ready, count, |queue| ready_of(queue, now_ms))
        }
        Which::Delayed => {
            let state = keyspace.queue_state(ctx.db, key);
            write_all(ctx.reply, clients, state, count, |state| delayed_of(state, now_ms))
        }
        Which::InFlight => {
            let state = keyspace.queue_state(ctx.db, key);
            write_all(ctx.reply, clients, state, count, |state| in_flight_of(state, now_ms))
        }
    };
    keyspace.work.looked_at(shown);
    keyspace.work.copied(ctx.reply.len() - len_before);
    Ok(())
}

/// The ready messages, the first first. Deliveries are known under a policy; times too, and of dead letters.
fn ready_of(queue: &Queue, now_ms: i64) -> (usize, impl Iterator<Item = Seen<'_>>) {
    let stamps = queue.stamp_runs().flat_map(|(stamp, run)| iter::repeat_n(stamp, run));
    let stamps = stamps.chain(iter::repeat(Stamp::default()));
    let is_known = queue.is_fully_stamped();
    let seen = move |(message, stamp): (_, Stamp)| Seen {
        message,
        deliveries: is_known.then_some(stamp.deliveries),
        age_ms: (stamp.ready_ms != 0).then(|| now_ms.saturating_sub(stamp.ready_ms)),
        stamp,
        ..Seen::default()
    };
    (queue.len(), queue.iter().zip(stamps).map(seen))
}

/// The delayed messages, in the order in which they are due.
fn delayed_of<'a>(state: &'a QueueState, now_ms: i64) -> (usize, impl Iterator<Item = Seen<'a>>) {
    let seen = move |delayed: &'a DelayedMessage| Seen {
        message: &delayed.message,
        deliveries: Some(delayed.stamp.deliveries),
        due_ms: Some(delayed.stamp.ready_ms.saturating_sub(now_ms).max(0)),
        stamp: delayed.stamp.clone(),
        ..Seen::default()
    };
    (state.delayed.len(), state.delayed.iter_by_due().map(seen))
}

fn in_flight_of(state: &QueueState, now_ms: i64) -> (usize, impl Iterator<Item = Seen<'_>>) {
    let in_flight = state.in_flight.iter().map(move |(number, delivery)| {
        let due_ms = state.ack_due_ms(delivery);
        Seen {
            message: &delivery.message,
            deliveries: Some(delivery.stamp.deliveries),
            age_ms: Some(now_ms.saturating_sub(delivery.stamp.ready_ms)),
            due_ms: due_ms.map(|due_ms| due_ms.saturating_sub(now_ms).max(0)),
            stamp: delivery.stamp.clone(),
            holder: Some((number, delivery)),
        }
    });
    (state.in_flight.len(), in_flight)
}

/// Writes an array of what is known about the first messages of something, at most `count_max`. Returns how
/// many.
fn write_all<'a, T, I: Iterator<Item = Seen<'a>>>(
    reply: &mut Output,
    clients: &Clients,
    of: Option<&'a T>,
    count_max: usize,
    seen: impl FnOnce(&'a T) -> (usize, I),
) -> usize {
    let Some((len, messages)) = of.map(seen) else {
        reply.array(0);
        return 0;
    };
    let count = len.min(count_max);
    reply.array(count);
    messages.take(count).for_each(|seen| write(reply, clients, &seen));
    count
}

fn write(reply: &mut Output, clients: &Clients, seen: &Seen<'_>) {
    reply.map(9);
    fields::text(reply, "message", Some(seen.message));
    fields::number(reply, "deliveries", seen.deliveries.map(i64::from));
    fields::number(reply, "age-ms", seen.age_ms);
    fields::number(reply, "due-ms", seen.due_ms);
    let origin = seen.stamp.dead_letter.as_deref();
    fields::text(reply, "from", origin.map(|origin| &origin.from[..]));
    fields::text(reply, "reason", origin.map(|origin| origin.reason.word().as_bytes()));
    let receipt = seen.holder.map(|(number, _)| number.to_string());
    fields::text(reply, "receipt", receipt.as_deref().map(str::as_bytes));
    // A lease belongs to nobody.
    let owner = seen.holder.map(|(_, delivery)| delivery.owner);
    let owner = owner.filter(|owner| *owner != ClientId::nobody());
    let id = owner.map(|owner| owner.number().to_string());
    fields::text(reply, "client-id", id.as_deref().map(str::as_bytes));
    let client = owner.and_then(|owner| clients.get(owner));
    fields::text(reply, "client-name", client.and_then(name_of));
}

fn name_of(client: &Client) -> Option<&[u8]> {
    let name = &client.identity.as_ref()?.name[..];
    (!name.is_empty()).then_some(name)
}
