//! Taking messages from a list, at once or after a wait, and the arguments for it.

use crate::clients::Consumer;
use crate::engine::{Arguments, CommandError, Context, integer_within, is_word};
use crate::keyspace::{DbIndex, Keyspace};
use crate::queue::{End, Stamp};
use crate::queueing::{self, PushRules, Queues, Taken, pop_many};
use crate::resp::{Args, Output};
use crate::state::State;
use std::iter;

/// What to take, and the reply for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Take<'a> {
    /// BLPOP, BRPOP: one message; the reply has the key.
    Pop { end: End },
    /// LMPOP, BLMPOP: up to `count` messages; the reply has the key.
    PopMany { end: End, count: usize },
    /// BLMOVE, BRPOPLPUSH: one message, moved to another list.
    Move { from: End, to: End, destination: &'a [u8] },
}

/// The consumer, its database, and what it takes.
#[derive(Clone, Copy)]
struct Taker<'a> {
    db: DbIndex,
    consumer: Consumer,
    take: &'a Take<'a>,
}

/// Parses a count of messages, at least `min`.
pub(super) fn count_of(arg: &[u8], error: &'static str, min: i64) -> Result<usize, CommandError> {
    // A count beyond what fits in memory means all.
    Ok(integer_within(arg, min, i64::MAX, error)? as usize)
}

/// Parses LEFT or RIGHT.
pub(super) fn end_of(args: &mut Arguments<'_>) -> Result<End, CommandError> {
    args.choice(&[("left", End::Front), ("right", End::Back)])
}

/// Parses the arguments of LMPOP and BLMPOP from the number of keys on: the keys, the end and the
/// count.
pub(super) fn many_arguments(
    mut args: Arguments<'_>,
) -> Result<(iter::Take<Args<'_>>, End, usize), CommandError> {
    let keys = args.counted("ERR numkeys should be greater than 0")?;
    let end = end_of(&mut args)?;
    let mut count = None;
    while let Some(option) = args.optional() {
        let (true, None, Some(value)) = (is_word(option, "count"), count, args.optional()) else {
            return Err(CommandError::Syntax);
        };
        count = Some(count_of(value, "ERR count should be greater than 0", 1)?);
    }
    Ok((keys, end, count.unwrap_or(1)))
}

/// Takes from the first of these keys that has messages. Returns whether one had.
pub(super) fn take_first<'a>(
    ctx: &mut Context<'_>,
    keys: impl Iterator<Item = &'a [u8]>,
    wanted: &Take<'_>,
) -> Result<bool, CommandError> {
    let State { clients, keyspace, .. } = &mut *ctx.state;
    let consumer = clients.consumer(ctx.client);
    let taker = Taker { db: ctx.db, consumer, take: wanted };
    for key in keys {
        match take(keyspace, taker, key, ctx.reply)? {
            Taken::Nothing => continue,
            Taken::Some => {}
            Taken::ToAcknowledge => clients.mark_delivered(consumer),
        }
        return Ok(true);
    }
    Ok(false)
}

/// Takes what a client wants from the list at `key`, and writes the reply.
fn take(
    keyspace: &mut Keyspace,
    taker: Taker<'_>,
    key: &[u8],
    reply: &mut Output,
) -> Result<Taken, CommandError> {
    let Taker { db, consumer, take } = taker;
    let queue_state_at = keyspace.slot_under_policy(db, key);
    if let Some(at) = queue_state_at {
        // Policies apply only to lists.
        keyspace.list_in(at)?;
    }
    let (end, taken) = match (take, queue_state_at) {
        (Take::Pop { end }, Some(at)) => {
            let from = queueing::Pop { at, key, end: *end, count: 1, claim: consumer.claim() };
            return Ok(Queues::new(keyspace).pop_with_key(from, false, reply));
        }
        (Take::PopMany { end, count }, Some(at)) => {
            let from = queueing::Pop { at, key, end: *end, count: *count, claim: consumer.claim() };
            return Ok(Queues::new(keyspace).pop_with_key(from, true, reply));
        }
        (Take::Pop { end }, None) => {
            (end, pop_with_key(keyspace, db, key, *end, reply)?.then_some(1))
        }
        (Take::PopMany { end, count }, None) => {
            (end, pop_many_with_key(keyspace, db, key, *end, *count, reply)?)
        }
        (Take::Move { from, to, destination }, _) => {
            let moved = move_between(keyspace, db, key, destination, *from, *to)?;
            let moved = moved.inspect(|message| reply.bulk(message));
            return Ok(moved.map_or(Taken::Nothing, |_| Taken::Some));
        }
    };
    let Some(count) = taken else { return Ok(Taken::Nothing) };
    keyspace.effects.record_pop(db, *end, key, count);
    Ok(Taken::Some)
}

/// Takes one message, with BLPOP's reply: the key and the message.
fn pop_with_key(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    end: End,
    reply: &mut Output,
) -> Result<bool, CommandError> {
    let popped = keyspace.change_list(db, key, |queue| {
        reply.array(2);
        reply.bulk(key);
        pop_many(queue, end, 1, reply);
    })?;
    Ok(popped.is_some())
}

/// Takes messages, with LMPOP's reply: the key and an array of messages. Returns how many.
fn pop_many_with_key(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    end: End,
    count: usize,
    reply: &mut Output,
) -> Result<Option<usize>, CommandError> {
    Ok(keyspace.change_list(db, key, |queue| {
        let count = count.min(queue.len());
        reply.array(2);
        reply.bulk(key);
        reply.array(count);
        pop_many(queue, end, count, reply);
        count
    })?)
}

/// Moves a message from one list to another (or the same), and returns it. This is not a delivery under
/// the source's policy. The destination's policy applies as for a push.
pub(super) fn move_between(
    keyspace: &mut Keyspace,
    db: DbIndex,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<Option<Vec<u8>>, CommandError> {
    let is_other = source != destination;
    if is_other {
        queueing::check_name(keyspace, destination)?;
    }
    keyspace.list(db, source)?;
    if !keyspace.has_movable(db, source) {
        return Ok(None);
    }
    // Check the type of the destination before anything is taken.
    keyspace.list(db, destination)?;
    // Check the limits of the destination before anything is taken.
    let is_under_policy = is_other && keyspace.slot_for_push(db, destination).is_some();
    if is_under_policy {
        let bytes = bytes_at(keyspace, db, source, from)?;
        if let Some(at) = keyspace.slot(db, destination) {
            PushRules::of(keyspace, at).check(keyspace, at, 1, || bytes)?;
        }
    }
    let moved = move_message(keyspace, db, source, destination, from, to)?;
    if moved.is_some() {
        if is_under_policy {
            Queues::new(keyspace).record_ready(db, destination);
        }
        keyspace
            .effects
            .record(db, [b"LMOVE", source, destination, queueing::side(from), queueing::side(to)]);
        if is_under_policy {
            Queues::new(keyspace).finish_push(db, destination, to, 1);
        }
    }
    Ok(moved)
}

/// Returns the size of the message at an end of a list.
fn bytes_at(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    end: End,
) -> Result<usize, CommandError> {
    let message = keyspace.list(db, key)?.and_then(|list| match end {
        End::Front => list.iter().next(),
        End::Back => list.iter().next_back(),
    });
    Ok(message.map_or(0, <[u8]>::len))
}

/// Moves a message from one list to another, or the same.
fn move_message(
    keyspace: &mut Keyspace,
    db: DbIndex,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<Option<Vec<u8>>, CommandError> {
    let taken = keyspace.change_list(db, source, |queue| {
        let (message, stamp) = queue.pop_stamped(from, <[u8]>::to_vec)?;
        // It has waited in this queue before, but not at this position.
        if source == destination {
            queue.push_stamped(to, &message, Stamp { order: 0, ..stamp });
        }
        Some(message)
    })?;
    let Some(message) = taken.flatten() else { return Ok(None) };
    if source != destination {
        keyspace.change_or_create_list(db, destination, |queue| queue.push(to, &message))?;
    }
    Ok(Some(message))
}
