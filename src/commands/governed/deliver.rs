//! Deliveries: pops of queues under a policy.

use super::{inflight_key, side};
use crate::clients::Consumer;
use crate::commands::take::{Taken, pop_many};
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Delivery, Keyspace};
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
    consumer: Consumer,
    reply: &mut Output,
    begin: impl FnOnce(&mut Output, usize),
) -> Taken {
    let Some(governed) = keyspace.governed(db, key) else { return Taken::Nothing };
    if governed.is_read_paused {
        return Taken::Nothing;
    }
    let policy = governed.policy.as_ref();
    let is_at_least_once = policy.is_some_and(|policy| policy.is_at_least_once());
    let is_acknowledged_by_pop = policy.is_some_and(|policy| policy.is_acknowledged_by_pop());
    let Ok(Some(list)) = keyspace.list(db, key) else { return Taken::Nothing };
    let count = count.min(list.len());
    begin(reply, count);
    if count == 0 {
        return Taken::Some;
    }
    add_expired(keyspace, effects);
    if is_at_least_once {
        for _ in 0..count {
            deliver(keyspace, effects, db, key, end, consumer, reply);
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
    if is_acknowledged_by_pop { Taken::ToAcknowledge } else { Taken::Some }
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
    consumer: Consumer,
    reply: &mut Output,
) -> Taken {
    let wanted = count.unwrap_or(1);
    let begin = |reply: &mut Output, taken| {
        reply.array(2);
        reply.bulk(key);
        if count.is_some() {
            reply.array(taken);
        }
    };
    pop(keyspace, effects, db, key, end, wanted, consumer, reply, begin)
}

/// Hands the message at an end of a queue to a client; it is in flight then.
pub fn deliver(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    consumer: Consumer,
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
    let delivered_ms = keyspace.queue_ms();
    let Consumer { client: owner, input } = consumer;
    let delivery = Delivery { message, stamp, owner, input, delivered_ms };
    keyspace.add_delivery(db, key, number, delivery);
    if effects.is_on() {
        effects.state(db, [b"LMOVE", key, &inflight_key(key), side(end), b"RIGHT"]);
    }
    keyspace.count(db, key, |totals| {
        totals.delivered += 1;
        totals.redelivered += u64::from(stamp.deliveries > 1);
    });
}
