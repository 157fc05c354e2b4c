//! The usual push to a queue under a policy: one message, which simply joins the queue.
//!
//! It looks at the entry once. The message has the same stamp as its neighbour and fits into the
//! slack of a segment, so it changes neither the memory of the queue nor when it next has something
//! due. Every other push takes the general way, `Queues::push`, with the same result in more steps.

use super::entry::Full;
use super::{Keyspace, QueueState, Slot};
use crate::policy::QueuePolicy;
use crate::queue::{End, Queue};
use crate::value::Kind;

impl QueuePolicy {
    /// Whether pushed messages are stored at once, and all of them.
    #[inline]
    fn stores_all_at_once(&self) -> bool {
        self.delay_ms.is_none() && self.dedup_window_ms.is_none()
    }

    /// Whether its limits allow this many messages, of this many bytes.
    #[inline]
    fn allows(&self, len: usize, bytes: usize) -> bool {
        self.max_length.is_none_or(|max| len as u64 <= max)
            && self.max_length_bytes.is_none_or(|max| bytes as u64 <= max)
    }
}

impl QueueState {
    /// Whether nothing but the limits of the policy applies to a push.
    #[inline]
    fn takes_simple_pushes(&self, policy: &QueuePolicy) -> bool {
        !self.is_write_paused() && self.delayed.is_empty() && policy.stores_all_at_once()
    }
}

impl Keyspace {
    /// Adds a message at one end of a queue under a policy, if it simply joins the queue: it is
    /// within the limits, no client must be notified, and there is nothing to record but the push.
    /// Returns the length afterwards. `None`, and no change, in all other cases.
    #[inline(never)]
    pub(crate) fn push_simply_in(&mut self, at: Slot, end: End, message: &[u8]) -> Option<usize> {
        let recorded = (self.effects.file(), self.queue_ms);
        let full = self.dbs[at.db].entries[at.index].full_mut()?;
        let Full { value, attachments: Some(attachments), .. } = full else { return None };
        if self.snapshot.is_some() || !attachments.is_quiet() {
            return None;
        }
        let queue = Queue::of_mut(value)?;
        let queue_state = attachments.queue_state.as_deref_mut()?;
        let policy = queue_state.policy.as_deref()?;
        let len = queue.len() + 1;
        if !queue_state.takes_simple_pushes(policy)
            || !policy.allows(len, queue.message_bytes() + message.len())
            || (self.effects.is_on() && queue_state.recorded != recorded)
        {
            return None;
        }
        queue.prepare(self.queue_ms);
        if !queue.push_alike(end, message) {
            return None;
        }
        queue_state.totals.pushed += 1;
        self.registry.sums.pushed += 1;
        self.changes += 1;
        full.mark_used(self.now_s, self.marks_use);
        Some(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::DbIndex;
    use crate::pauses::{Direction, Pauses, WITHOUT_END};

    const DB: DbIndex = 0;

    /// A keyspace with the queue `q` under a policy, with one message, and its slot.
    fn queue_under(options: &[&[u8]]) -> (Keyspace, Slot) {
        let words = [&[&b"p"[..], b"q"], options].concat();
        let policy = QueuePolicy::parse(&words).expect("a policy");
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.change_policies_at(0, |policies| policies.set(policy)).expect("no conflict");
        let at = keyspace.slot_or_create(DB, b"q");
        assert_eq!(keyspace.push_simply_in(at, End::Back, b"first"), None, "no neighbour");
        keyspace.push_in(at, End::Back, [&b"first"[..]].into_iter()).expect("a list");
        (keyspace, at)
    }

    /// How many messages simply join the queue, up to nine, one byte each.
    fn joining((keyspace, at): &mut (Keyspace, Slot)) -> usize {
        let pushed = (0..9).take_while(|_| keyspace.push_simply_in(*at, End::Back, b"m").is_some());
        let count = pushed.count();
        keyspace.check_invariants();
        count
    }

    #[test]
    fn messages_join_within_the_limits() {
        for overflow in [b"reject".as_slice(), b"drop-head", b"block"] {
            assert_eq!(joining(&mut queue_under(&[b"max-length", b"4", b"overflow", overflow])), 3);
            let bytes = [&b"max-length-bytes"[..], b"7", b"overflow", overflow];
            assert_eq!(joining(&mut queue_under(&bytes)), 2);
        }
        let mut queue = queue_under(&[b"message-ttl-ms", b"10"]);
        assert_eq!(joining(&mut queue), 9);
        let (keyspace, at) = &queue;
        assert_eq!(keyspace.ready_in(*at), (10, 14));
        let pushed = keyspace.queue_state_in(*at).map(|queue_state| queue_state.totals.pushed);
        assert_eq!((pushed, keyspace.queue_sums().pushed), (Some(10), 10));
    }

    #[test]
    fn other_rules_take_the_general_way() {
        assert_eq!(joining(&mut queue_under(&[b"delay-ms", b"10"])), 0);
        assert_eq!(joining(&mut queue_under(&[b"dedup-window-ms", b"10"])), 0);
        let mut queue = queue_under(&[b"max-length", b"9"]);
        let paused = Pauses::default().with(Direction::Write, Some(WITHOUT_END));
        queue.0.set_pauses(DB, b"q", paused);
        assert_eq!(joining(&mut queue), 0);
        queue.0.set_pauses(DB, b"q", Pauses::default());
        queue.0.begin_snapshot();
        assert_eq!(joining(&mut queue), 0);
        queue.0.end_snapshot();
        assert_eq!(joining(&mut queue), 8);
    }

    #[test]
    fn the_time_is_recorded_first() {
        let mut queue = queue_under(&[b"max-length", b"9"]);
        let reader = queue.0.effects.begin_reading();
        queue.0.effects.begin_file();
        assert_eq!(joining(&mut queue), 0);
        queue.0.set_recorded_ready(queue.1, 0);
        assert_eq!(joining(&mut queue), 8);
        queue.0.effects.end_reading(reader);
    }
}
