//! Deliveries: pops of queues under a policy.

use super::Queues;
use super::inflight_key;
use crate::clients::Consumer;
use crate::effects::Moves;
use crate::keyspace::Slot;
use crate::queue::{End, Queue};
use crate::resp::Output;

/// What came of taking messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing is there, and nothing was written.
    Nothing,
    /// The reply was written.
    Some,
    /// So it was, and the next pop of the connection acknowledges what is in it.
    ToAcknowledge,
}

/// Takes so many messages, which are there, as bulk strings.
#[inline]
pub(crate) fn pop_many(queue: &mut Queue, end: End, count: usize, reply: &mut Output) {
    for _ in 0..count {
        match queue.pop_large(end) {
            Some(message) => reply.bulk_shared(message),
            None => drop(queue.pop(end, |message| reply.bulk(message))),
        }
    }
}

/// What is taken from a queue under a policy, and by whom.
#[derive(Clone, Copy)]
pub(crate) struct Pop<'a> {
    pub(crate) at: Slot,
    pub(crate) key: &'a [u8],
    pub(crate) end: End,
    /// How many messages at the most.
    pub(crate) count: usize,
    pub(crate) consumer: Consumer,
}

impl Queues<'_> {
    /// Takes messages from a queue under a policy, as bulk strings behind what `begin` writes when it is told
    /// how many; none, and nothing written, if there is nothing to take.
    pub(crate) fn pop(
        &mut self,
        from: Pop<'_>,
        reply: &mut Output,
        begin: impl FnOnce(&mut Output, usize),
    ) -> Taken {
        let Pop { at, key, end, count, .. } = from;
        let Some(queue_state) = self.keyspace.queue_state_in(at) else { return Taken::Nothing };
        if queue_state.is_read_paused {
            return Taken::Nothing;
        }
        let policy = queue_state.policy.as_ref();
        let is_at_least_once = policy.is_some_and(|policy| policy.is_at_least_once());
        let is_acknowledged_by_pop = policy.is_some_and(|policy| policy.is_acknowledged_by_pop());
        let (len, _) = self.keyspace.ready_in(at);
        if len == 0 {
            return Taken::Nothing;
        }
        let count = count.min(len);
        begin(reply, count);
        if count == 0 {
            return Taken::Some;
        }
        if is_at_least_once {
            self.deliver(from, reply);
        } else {
            // Before the list may be gone, and its slot with it.
            self.keyspace.count_in(at, |totals| {
                totals.delivered += count as u64;
                totals.acknowledged += count as u64;
            });
            // There are so many, as was just seen.
            let popped =
                self.keyspace.change_list_in(at, |queue| pop_many(queue, end, count, reply));
            debug_assert!(popped.is_ok());
            self.keyspace.effects.record_pop(at.db(), end, key, count);
        }
        if is_acknowledged_by_pop { Taken::ToAcknowledge } else { Taken::Some }
    }

    /// As `pop`, behind an array of two and the key: LMPOP's reply, and BLPOP's, which has no array around
    /// the message.
    pub(crate) fn pop_with_key(
        &mut self,
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
        self.pop(from, reply, begin)
    }

    /// Hands messages to a client; they are in flight then.
    pub(crate) fn deliver(&mut self, from: Pop<'_>, reply: &mut Output) {
        let Pop { at, key, end, count, consumer } = from;
        let Consumer { client, input } = consumer;
        let write = |message: &[u8]| reply.bulk(message);
        let are_all = self.keyspace.effects.is_on() && self.are_all(at, count);
        let count = self.keyspace.deliver_in(at, end, count, (client, input), write);
        if self.keyspace.effects.is_on() {
            let (db, list) = (at.db(), &inflight_key(key)[..]);
            self.keyspace.effects.record_moves(&Moves { db, key, end, list, count, are_all });
        }
    }

    /// Whether a queue has no more messages than these, and a loader need not remember their push to find
    /// the same message again.
    fn are_all(&mut self, at: Slot, count: usize) -> bool {
        let (len, _) = self.keyspace.ready_in(at);
        let policy = self.keyspace.policy_in(at);
        len == count && policy.is_some_and(|policy| policy.dedup_window_ms.is_none())
    }
}
