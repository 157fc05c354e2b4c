//! Deliveries: pops of queues under a policy.

use super::{inflight_key, side};
use crate::clients::Consumer;
use crate::commands::take::{Taken, pop_many};
use crate::effects::Effects;
use crate::keyspace::{Keyspace, Slot};
use crate::queue::End;
use crate::resp::Output;
use crate::state::add_expired;

/// What is taken from a queue under a policy, and by whom.
#[derive(Clone, Copy)]
pub struct Pop<'a> {
    pub at: Slot,
    pub key: &'a [u8],
    pub end: End,
    /// How many messages at the most.
    pub count: usize,
    pub consumer: Consumer,
}

/// Takes messages from a queue under a policy, as bulk strings behind what `begin` writes when it is told
/// how many; none, and nothing written, if there is nothing to take.
pub fn pop(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    from: Pop<'_>,
    reply: &mut Output,
    begin: impl FnOnce(&mut Output, usize),
) -> Taken {
    let Pop { at, key, end, count, .. } = from;
    let Some(governed) = keyspace.governed_in(at) else { return Taken::Nothing };
    if governed.is_read_paused {
        return Taken::Nothing;
    }
    let policy = governed.policy.as_ref();
    let is_at_least_once = policy.is_some_and(|policy| policy.is_at_least_once());
    let is_acknowledged_by_pop = policy.is_some_and(|policy| policy.is_acknowledged_by_pop());
    let (len, _) = keyspace.ready_in(at);
    if len == 0 {
        return Taken::Nothing;
    }
    let count = count.min(len);
    begin(reply, count);
    if count == 0 {
        return Taken::Some;
    }
    add_expired(keyspace, effects);
    if is_at_least_once {
        deliver(keyspace, effects, from, reply);
    } else {
        // Before the list may be gone, and its slot with it.
        keyspace.count_in(at, |totals| {
            totals.delivered += count as u64;
            totals.acknowledged += count as u64;
        });
        // There are so many, as was just seen.
        let popped = keyspace.change_list_in(at, |queue| pop_many(queue, end, count, reply));
        debug_assert!(popped.is_ok());
        effects.state_pop(at.db(), end, key, count);
    }
    if is_acknowledged_by_pop { Taken::ToAcknowledge } else { Taken::Some }
}

/// As `pop`, behind an array of two and the key: LMPOP's reply, and BLPOP's, which has no array around
/// the message.
pub fn pop_with_key(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    from: Pop<'_>,
    has_array: bool,
    reply: &mut Output,
) -> Taken {
    let begin = |reply: &mut Output, taken| {
        reply.array(2);
        reply.bulk(from.key);
        if has_array {
            reply.array(taken);
        }
    };
    pop(keyspace, effects, from, reply, begin)
}

/// Hands messages to a client; they are in flight then.
pub fn deliver(keyspace: &mut Keyspace, effects: &mut Effects, from: Pop<'_>, reply: &mut Output) {
    let Pop { at, key, end, count, consumer } = from;
    let Consumer { client, input } = consumer;
    let write = |message: &[u8]| reply.bulk(message);
    let delivered = keyspace.deliver_in(at, end, count, (client, input), write);
    if effects.is_on() {
        let list = inflight_key(key);
        for _ in 0..delivered {
            effects.state(at.db(), [b"LMOVE", key, &list, side(end), b"RIGHT"]);
        }
    }
}
