//! Deliveries: pops of governed queues, acknowledgements, and what goes back.

use super::leave::{Fate, leave};
use super::{inflight_key, side};
use crate::client_id::ClientId;
use crate::commands::take::pop_many;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Delivery, Key, Keyspace, Place};
use crate::note::Note;
use crate::policy::Acknowledge;
use crate::queue::End;
use crate::resp::Output;
use crate::state::add_expired;

/// Takes up to `count` messages from an end of a governed queue, as bulk strings behind what `begin`
/// writes when it is told how many; none, and nothing written, if there is nothing to take.
#[expect(clippy::too_many_arguments, reason = "who takes how much from where, and the reply")]
pub fn pop(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    count: usize,
    client: ClientId,
    reply: &mut Output,
    begin: impl FnOnce(&mut Output, usize),
) -> Option<usize> {
    let governed = keyspace.governed(db, key)?;
    if governed.is_read_paused {
        return None;
    }
    let is_at_least_once = governed.policy.as_ref().is_some_and(|policy| policy.is_at_least_once());
    let count = count.min(keyspace.list(db, key).ok()??.len());
    begin(reply, count);
    if count == 0 {
        return Some(0);
    }
    add_expired(keyspace, effects);
    if is_at_least_once {
        for _ in 0..count {
            deliver(keyspace, effects, db, key, end, client, reply);
        }
    } else {
        // There are so many, as was just seen.
        let popped = keyspace.change_list(db, key, |queue| pop_many(queue, end, count, reply));
        debug_assert!(popped.is_ok());
        effects.state_pop(db, end, key, count);
        keyspace.count(db, key, |totals| {
            totals.delivered += count as u64;
            totals.acknowledged += count as u64;
        });
    }
    Some(count)
}

/// As `pop`, behind an array of two and the key: LMPOP's reply, and BLPOP's, which has no array around
/// the message.
#[expect(clippy::too_many_arguments, reason = "who takes how much from where, and the reply")]
pub fn pop_with_key(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    count: Option<usize>,
    client: ClientId,
    reply: &mut Output,
) -> bool {
    let wanted = count.unwrap_or(1);
    let begin = |reply: &mut Output, taken| {
        reply.array(2);
        reply.bulk(key);
        if count.is_some() {
            reply.array(taken);
        }
    };
    pop(keyspace, effects, db, key, end, wanted, client, reply, begin).is_some()
}

/// Hands the message at an end of a queue to a client; it is in flight then.
pub fn deliver(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    client: ClientId,
    reply: &mut Output,
) {
    let popped = keyspace.change_list(db, key, |queue| {
        queue.pop_stamped(end, |message| {
            reply.bulk(message);
            Box::from(message)
        })
    });
    let Ok(Some(Some((message, mut stamp)))) = popped else { return };
    let number = keyspace.next_delivery();
    // Who takes it from the other end the next time sees it there for the first time.
    if stamp.order == 0 || stamp.taken_from != end {
        (stamp.order, stamp.taken_from) = (number, end);
    }
    stamp.deliveries = stamp.deliveries.saturating_add(1);
    let delivered_ms = keyspace.now_ms();
    let delivery = Delivery { message, stamp, owner: client, delivered_ms };
    keyspace.add_delivery(db, key, number, delivery);
    if effects.is_on() {
        effects.state(db, [b"LMOVE", key, &inflight_key(key), side(end), b"RIGHT"]);
    }
    keyspace.count(db, key, |totals| {
        totals.delivered += 1;
        totals.redelivered += u64::from(stamp.deliveries > 1);
    });
}

/// Acknowledges what a client holds of all queues under the policies of these keys, which it is about to
/// pop from: what came before is done.
#[inline]
pub fn acknowledge_by_pop<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    keys: impl IntoIterator<Item = &'a [u8]>,
    client: ClientId,
) {
    if keyspace.in_flight_len() > 0 {
        acknowledge_all_by_pop(keyspace, effects, db, keys, client);
    }
}

#[cold]
fn acknowledge_all_by_pop<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    keys: impl IntoIterator<Item = &'a [u8]>,
    client: ClientId,
) {
    // What append files say was delivered belongs to nobody, and is not acknowledged by what they say
    // was popped.
    if client == ClientId::nobody() || !keyspace.holds_any(client) {
        return;
    }
    for key in keys {
        let Some(policy) = keyspace.policy_for(db, key) else { continue };
        if policy.acknowledge == Acknowledge::Explicit {
            continue;
        }
        let held: Vec<_> =
            keyspace.held_by(client).map(|(db, key, number)| (db, key.clone(), number)).collect();
        for (db, key, number) in held {
            if keyspace.policy_of(db, &key).is_some_and(|other| other.name == policy.name) {
                acknowledge(keyspace, effects, db, &key, number);
            }
        }
    }
}

/// Acknowledges a message in flight: it is gone.
pub fn acknowledge(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    number: u64,
) {
    let Some((delivery, place)) = keyspace.remove_delivery(db, key, number) else { return };
    state_removal(effects, db, key, &delivery, place);
    keyspace.count(db, key, |totals| totals.acknowledged += 1);
}

/// States that a message is in flight no more. Of messages that are equal, one is as good as another.
fn state_removal(
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    delivery: &Delivery,
    place: Place,
) {
    if !effects.is_on() {
        return;
    }
    let list = inflight_key(key);
    match place {
        Place::First => effects.state_pop(db, End::Front, &list, 1),
        Place::Last => effects.state_pop(db, End::Back, &list, 1),
        Place::Between => effects.state(db, [b"LREM", &list[..], b"1", &delivery.message]),
    }
}

/// Returns all that a client has in flight: its connection has ended.
pub fn give_all_back(keyspace: &mut Keyspace, effects: &mut Effects, client: ClientId) {
    let held: Vec<_> =
        keyspace.held_by(client).map(|(db, key, number)| (db, key.clone(), number)).collect();
    for of_one_queue in
        held.chunk_by(|(db, key, _), (other, other_key, _)| (db, key) == (other, other_key))
    {
        // Those that leave do so in the order in which they were delivered.
        let mut staying = Vec::new();
        for (db, key, number) in of_one_queue {
            if !leave_in_flight(keyspace, effects, *db, key, *number) {
                staying.push((*db, key, *number));
            }
        }
        // The last one first: then each is at the end of those in flight and of its queue.
        for (db, key, number) in staying.into_iter().rev() {
            put_back(keyspace, effects, db, key, number);
        }
    }
}

/// Returns a message in flight to its place in the queue, unless it was delivered too often or has
/// waited too long meanwhile.
pub fn give_back(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    number: u64,
) {
    if !leave_in_flight(keyspace, effects, db, key, number) {
        put_back(keyspace, effects, db, key, number);
    }
}

/// Takes a message in flight away that must not go back to its queue: it was delivered too often or has
/// waited too long meanwhile. False, and nothing done, if it may go back.
fn leave_in_flight(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    number: u64,
) -> bool {
    let Some(policy) = keyspace.policy_of(db, key) else { return false };
    let now_ms = keyspace.now_ms();
    let governed = keyspace.governed(db, key);
    let Some(delivery) = governed.and_then(|governed| governed.in_flight.get(number)) else {
        return false;
    };
    let stamp = delivery.stamp;
    let is_undeliverable = policy.delivery_limit.is_some_and(|limit| stamp.deliveries >= limit);
    let is_too_old =
        policy.message_ttl_ms.is_some_and(|ttl| stamp.ready_ms.saturating_add(ttl) <= now_ms);
    let fate = match (is_undeliverable, is_too_old) {
        (true, _) => Fate::DeadLetter,
        (false, true) => Fate::Expired,
        (false, false) => return false,
    };
    if let Some((delivery, place)) = keyspace.remove_delivery(db, key, number) {
        state_removal(effects, db, key, &delivery, place);
        leave(keyspace, effects, db, key, &policy, &delivery.message, stamp, fate);
    }
    true
}

/// Returns a message in flight to its place in the queue.
pub(super) fn put_back(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    number: u64,
) {
    if let Some((delivery, place)) = keyspace.remove_delivery(db, key, number) {
        insert_back(keyspace, effects, db, key, &delivery, place);
    }
}

/// Notes the stamps of the outermost messages at an end of a queue, which were stated as if they were
/// pushed anew.
fn note_stamps(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    count: usize,
) {
    if !effects.is_on() {
        return;
    }
    let Ok(Some(list)) = keyspace.list(db, key) else { return };
    let stamps = (0..count).rev().map(|outer| match end {
        End::Front => list.stamp_at(outer),
        End::Back => list.stamp_at(list.len() - 1 - outer),
    });
    let runs = stamps.map(|stamp| (stamp, 1)).collect();
    effects.note(db, &Note::Stamped { key: key.to_vec(), end, runs });
}

/// Puts a message back between those that were delivered before and after it and came back as well.
fn insert_back(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    delivery: &Delivery,
    place: Place,
) {
    let end = delivery.stamp.taken_from;
    // What stands between it and the end, the nearest to it first.
    let inserted = keyspace.change_or_create_list(db, key, |queue| {
        let index = queue.place_of(end, delivery.stamp.order);
        let outer: Vec<Box<[u8]>> = match end {
            End::Front => {
                let outer: Vec<_> = queue.iter().take(index).map(Box::from).collect();
                outer.into_iter().rev().collect()
            }
            End::Back => queue.iter_from(index).map(Box::from).collect(),
        };
        queue.insert_stamped(index, &delivery.message, delivery.stamp);
        outer
    });
    let Ok(outer) = inserted else { return };
    add_expired(keyspace, effects);
    let list = inflight_key(key);
    match place {
        Place::First if outer.is_empty() => {
            effects.state(db, [b"LMOVE", &list[..], key, b"LEFT", side(end)]);
        }
        Place::Last if outer.is_empty() => {
            effects.state(db, [b"LMOVE", &list[..], key, b"RIGHT", side(end)]);
        }
        _ => {
            state_removal(effects, db, key, delivery, place);
            if !outer.is_empty() {
                effects.state_pop(db, end, key, outer.len());
            }
            effects.state_push(db, end, key, [&delivery.message[..]]);
            for message in &outer {
                effects.state_push(db, end, key, [&message[..]]);
            }
            note_stamps(keyspace, effects, db, key, end, outer.len() + 1);
        }
    }
}
