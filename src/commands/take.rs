//! Taking messages from a list: what a command that finds some does, and what a client that
//! waited for some gets. Both are the same functions.

use crate::clients::Take;
use crate::command::CommandError;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Keyspace};
use crate::queue::{End, Queue};
use crate::resp::Output;
use crate::state::add_expired;

/// Takes from the list at `key` what a waiting client wants and writes the reply; false, and
/// nothing written, if there is no list.
pub(super) fn take(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    take: &Take,
    reply: &mut Output,
) -> Result<bool, CommandError> {
    let taken = match take {
        Take::Pop { end } => pop_with_key(keyspace, db, key, *end, reply)?.then_some(1),
        Take::PopMany { end, count } => pop_many_with_key(keyspace, db, key, *end, *count, reply)?,
        Take::Move { from, to, destination } => {
            let moved = move_message(keyspace, db, key, destination, *from, *to)?;
            moved.inspect(|message| reply.bulk(message)).map(|_| 1)
        }
    };
    let Some(count) = taken else { return Ok(false) };
    add_expired(keyspace, effects);
    match take {
        Take::Pop { end } | Take::PopMany { end, .. } => effects.state_pop(db, *end, key, count),
        Take::Move { from, to, destination } => {
            effects.state(db, [b"LMOVE", key, destination, end_name(*from), end_name(*to)]);
        }
    }
    Ok(true)
}

fn end_name(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LEFT",
        End::Back => b"RIGHT",
    }
}

/// BLPOP's reply: the key and one message.
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

/// LMPOP's reply: the key and an array of messages. Gives how many.
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

/// Takes so many messages, which are there, as bulk strings.
#[inline]
pub(super) fn pop_many(queue: &mut Queue, end: End, count: usize, reply: &mut Output) {
    for _ in 0..count {
        queue.pop(end, |message| reply.bulk(message));
    }
}

/// Takes a message from one list, adds it to another (or the same), and gives it.
pub(super) fn move_message(
    keyspace: &mut Keyspace,
    db: DbIndex,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<Option<Vec<u8>>, CommandError> {
    if keyspace.list(db, source)?.is_none() {
        return Ok(None);
    }
    // A destination of another type must be found out before anything is taken.
    keyspace.list(db, destination)?;
    let taken = keyspace.change_list(db, source, |queue| {
        let message = queue.pop(from, <[u8]>::to_vec)?;
        if source == destination {
            queue.push(to, &message);
        }
        Some(message)
    })?;
    let Some(message) = taken.flatten() else { return Ok(None) };
    if source != destination {
        keyspace.change_or_create_list(db, destination, |queue| queue.push(to, &message))?;
    }
    Ok(Some(message))
}
