//! Deliveries: pops of queues under a policy.

use super::Queues;
use super::inflight_key;
use crate::effects::Moves;
use crate::keyspace::{Claim, DbIndex, Delivery, SimplyPopped, Slot};
use crate::queue::{End, Queue};
use crate::resp::Output;

/// The result of a pop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There was no message that may be delivered now, and nothing was written.
    Nothing,
    /// The reply was written.
    Some,
    /// The reply was written, and the next pop of the connection acknowledges its messages.
    ToAcknowledge,
}

/// Pops this many messages, which must exist, and writes them as bulk strings.
#[inline]
pub(crate) fn pop_many(queue: &mut Queue, end: End, count: usize, reply: &mut Output) {
    for _ in 0..count {
        pop_one(queue, end, reply);
    }
}

/// Pops a message, which must exist, and writes it as a bulk string.
#[inline]
pub(crate) fn pop_one(queue: &mut Queue, end: End, reply: &mut Output) {
    match queue.pop_large(end) {
        Some(message) => reply.bulk_shared(message),
        None => drop(queue.pop(end, |message| reply.bulk(message))),
    }
}

/// A pop of a queue under a policy.
#[derive(Clone, Copy)]
pub(crate) struct Pop<'a> {
    pub(crate) at: Slot,
    pub(crate) key: &'a [u8],
    pub(crate) end: End,
    /// The maximum number of messages.
    pub(crate) count: usize,
    /// Who gets them.
    pub(crate) claim: Claim,
}

impl Queues<'_> {
    /// Pops messages from a queue under a policy and writes them as bulk strings. Before that, calls `begin`
    /// with their number. Without a message, or if the policy allows no delivery now, nothing is written.
    #[inline(always)]
    pub(crate) fn pop(
        &mut self,
        from: Pop<'_>,
        reply: &mut Output,
        begin: impl Fn(&mut Output, usize),
    ) -> Taken {
        if from.count == 1 {
            let read = |message: &[u8]| {
                begin(reply, 1);
                reply.bulk(message);
            };
            if let Some(taken) = self.pop_simply(from, 0, read) {
                return taken;
            }
        }
        self.pop_generally(from, reply, begin)
    }

    /// The general way of `pop`.
    #[inline(never)]
    fn pop_generally(
        &mut self,
        from: Pop<'_>,
        reply: &mut Output,
        begin: impl Fn(&mut Output, usize),
    ) -> Taken {
        let Pop { at, key, end, .. } = from;
        let Some(count) = self.keyspace.admit_in(from.at, from.claim.owner, from.count) else {
            return Taken::Nothing;
        };
        let policy = self.keyspace.policy_in(at);
        let is_at_least_once = policy.is_some_and(|policy| policy.is_at_least_once());
        let is_acknowledged_by_pop = policy.is_some_and(|policy| policy.is_acknowledged_by_pop());
        begin(reply, count);
        if count == 0 {
            return Taken::Some;
        }
        if is_at_least_once {
            self.deliver(Pop { count, ..from }, |_, delivery| reply.bulk(&delivery.message));
        } else {
            self.keyspace.count_waits_in(at, end, count);
            // First, since the list and its slot may be gone afterwards.
            self.keyspace.count_in(at, |totals| {
                totals.delivered += count as u64;
                totals.acknowledged += count as u64;
            });
            // The number was checked above.
            let popped =
                self.keyspace.change_list_in(at, |queue| pop_many(queue, end, count, reply));
            debug_assert!(popped.is_ok());
            self.keyspace.effects.record_pop(at.db(), end, key, count);
        }
        if is_acknowledged_by_pop { Taken::ToAcknowledge } else { Taken::Some }
    }

    /// As `Keyspace::pop_simply_in`, and records the pop or the move.
    #[inline(always)]
    pub(crate) fn pop_simply(
        &mut self,
        from: Pop<'_>,
        acknowledges_before: u64,
        read: impl FnOnce(&[u8]),
    ) -> Option<Taken> {
        let Pop { at, key, end, count: _, claim } = from;
        let popped = self.keyspace.pop_simply_in(at, end, claim, acknowledges_before, read)?;
        let SimplyPopped::InFlight { is_acknowledged_by_pop } = popped else {
            self.keyspace.effects.record_pop(at.db(), end, key, 1);
            return Some(Taken::Some);
        };
        if self.keyspace.effects.is_on() {
            // Others stay in the queue.
            self.record_moves(at.db(), key, end, 1, false);
        }
        Some(if is_acknowledged_by_pop { Taken::ToAcknowledge } else { Taken::Some })
    }

    /// QUEUE POP of a queue with at-least-once delivery: writes the key, and for each message its receipt, the
    /// message, the number of its deliveries, and how long it has waited since it was ready. Returns whether
    /// there was a message; otherwise nothing was written.
    pub(crate) fn pop_with_receipts(&mut self, from: Pop<'_>, reply: &mut Output) -> bool {
        let Some(count) = self.keyspace.admit_in(from.at, from.claim.owner, from.count) else {
            return false;
        };
        reply.array(2);
        reply.bulk(from.key);
        reply.array(count);
        let now_ms = self.keyspace.queue_ms();
        self.deliver(Pop { count, ..from }, |number, delivery| {
            reply.array(4);
            reply.bulk(itoa::Buffer::new().format(number).as_bytes());
            reply.bulk(&delivery.message);
            reply.integer(delivery.stamp.deliveries.into());
            reply.integer(now_ms.saturating_sub(delivery.stamp.ready_ms));
        });
        true
    }

    /// As `pop`, after an array of two and the key. This is the reply of LMPOP, and that of BLPOP, which has
    /// no array around the message.
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

    /// Delivers messages, after which they are in flight. Passes each to `write`, with its number.
    pub(crate) fn deliver(&mut self, from: Pop<'_>, write: impl FnMut(u64, &Delivery)) {
        let Pop { at, key, end, count, claim } = from;
        let are_all = self.keyspace.effects.is_on() && self.are_all(at, count);
        let count = self.keyspace.deliver_in(at, end, count, claim, write);
        if self.keyspace.effects.is_on() {
            self.record_moves(at.db(), key, end, count, are_all);
        }
    }

    /// Records that this many messages are in flight now. `are_all`: the queue had no others, and a loader
    /// need not see their push for deduplication.
    fn record_moves(&mut self, db: DbIndex, key: &[u8], end: End, count: usize, are_all: bool) {
        let list = &inflight_key(key)[..];
        self.keyspace.effects.record_moves(&Moves { db, key, end, list, count, are_all });
    }

    /// Whether these are all the ready messages of a queue, and a loader need not see their push for
    /// deduplication.
    fn are_all(&mut self, at: Slot, count: usize) -> bool {
        let (len, _) = self.keyspace.ready_in(at);
        let policy = self.keyspace.policy_in(at);
        len == count && policy.is_some_and(|policy| policy.dedup_window_ms.is_none())
    }
}
