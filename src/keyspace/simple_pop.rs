//! The usual pop from a queue under a policy: one message, which simply leaves the queue, for good or until it
//! is acknowledged.
//!
//! It looks at the entry once. Another message with the same stamp stays, and no memory of the queue is freed,
//! so it changes neither the memory of the queue nor when its messages have something due. Every other pop
//! takes the general way, `Queues::pop`, with the same result in more steps.

use super::delivery::{Claim, Delivery};
use super::entry::Full;
use super::holdings::Before;
use super::queues::waited_ms;
use super::{Keyspace, Slot};
use crate::queue::{End, Queue};
use crate::value::Kind;

/// What became of a message that was popped simply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SimplyPopped {
    /// The broker has forgotten it.
    Gone,
    /// It is in flight until it is acknowledged.
    InFlight { is_acknowledged_by_pop: bool },
}

impl Keyspace {
    /// Pops the message at one end of a queue under a policy and passes it to `read`, if it simply leaves
    /// the queue: the policy allows any pop, no client must be notified, and other messages stay. `None`, and
    /// no change, in all other cases. The pop or the move is still to be recorded. The pop may acknowledge
    /// messages that answered an input before `acknowledges_before`: then it is simple if nothing is in flight,
    /// or if the last delivery was to this client and from this queue, and none in flight is so old.
    #[inline(always)]
    pub(crate) fn pop_simply_in(
        &mut self,
        at: Slot,
        end: End,
        claim: Claim,
        acknowledges_before: u64,
        read: impl FnOnce(&[u8]),
    ) -> Option<SimplyPopped> {
        let full = self.dbs[at.db].entries[at.index].full_mut()?;
        let Full { key, value, attachments: Some(attachments), .. } = full else { return None };
        if self.snapshot.is_some() || !attachments.is_quiet() {
            return None;
        }
        let queue = Queue::of_mut(value)?;
        let queue_state = attachments.queue_state.as_deref_mut()?;
        let policy = queue_state.policy.as_deref()?;
        if policy.throttle.is_some() || queue_state.is_read_paused() {
            return None;
        }
        if !policy.is_at_least_once() {
            let ((), stamp) = queue.pop_alike(end, read)?;
            self.registry.waits.add(waited_ms(stamp, self.queue_ms));
            for totals in [&mut queue_state.totals, &mut self.registry.sums] {
                totals.delivered += 1;
                totals.acknowledged += 1;
            }
            self.changes += 1;
            full.mark_used(self.now_s, self.marks_use);
            return Some(SimplyPopped::Gone);
        }
        let is_acknowledged_by_pop = policy.is_acknowledged_by_pop();
        let holdings = &mut self.registry.holdings;
        let before = if is_acknowledged_by_pop { acknowledges_before } else { 0 };
        let before = holdings.before(claim.holder(at.db), key, before);
        if before == Before::Unseen {
            return None;
        }
        let (message, stamp) = queue.take_alike(end)?;
        read(&message);
        self.registry.last_delivery += 1;
        let number = self.registry.last_delivery;
        let mut stamp = stamp.clone();
        stamp.deliver(number, end);
        let is_first = stamp.deliveries == 1;
        if is_first {
            self.registry.waits.add(waited_ms(&stamp, self.queue_ms));
        }
        for totals in [&mut queue_state.totals, &mut self.registry.sums] {
            totals.delivered += 1;
            if !is_first {
                totals.redelivered += 1;
            }
        }
        match before {
            Before::Recent => holdings.add_to_recent(number, claim.input),
            _ => holdings.add(claim.holder(at.db), key, number, claim.input),
        }
        let delivery = Delivery::new(message, stamp, claim, self.queue_ms);
        self.bytes += queue_state.in_flight.add(number, delivery, &self.hasher);
        self.changes += 1;
        let is_due_first =
            queue_state.may_be_due_first(self.queue_ms, queue_state.timeout_ms(claim));
        full.mark_used(self.now_s, self.marks_use);
        if is_due_first {
            self.schedule(at.db, at.index);
        }
        Some(SimplyPopped::InFlight { is_acknowledged_by_pop })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_id::ClientId;
    use crate::keyspace::{DbIndex, Line};
    use crate::pauses::{Direction, Pauses, WITHOUT_END};
    use crate::policy::QueuePolicy;

    const DB: DbIndex = 0;

    const AT_LEAST_ONCE: [&[u8]; 4] = [b"delivery", b"at-least-once", b"ack-timeout-ms", b"1000"];

    /// A keyspace with the queue `q` under a policy, with these messages, and its slot.
    fn queue_of(options: &[&[u8]], messages: [[u8; 1]; 9]) -> (Keyspace, Slot) {
        let words = [&[&b"p"[..], b"q"], options].concat();
        let policy = QueuePolicy::parse(&words).expect("a policy");
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.change_policies_at(0, |policies| policies.set(policy)).expect("no conflict");
        let at = keyspace.slot_or_create(DB, b"q");
        keyspace.push_in(at, End::Back, messages.iter().map(|m| &m[..])).expect("a list");
        (keyspace, at)
    }

    /// As `queue_of`, with nine messages `m`.
    fn queue_under(options: &[&[u8]]) -> (Keyspace, Slot) {
        queue_of(options, [[b'm']; 9])
    }

    /// As `queue_of`, under at-least-once delivery, with nine different messages.
    fn queue_to_acknowledge() -> (Keyspace, Slot) {
        queue_of(&AT_LEAST_ONCE, std::array::from_fn(|number| [number as u8]))
    }

    fn claim(slot: usize, input: u64, lease_ms: i64) -> Claim {
        let owner = ClientId::new(1 + slot as u64, slot);
        Claim { owner, input, by_receipt: false, lease_ms }
    }

    /// How many messages simply leave the queue.
    fn leaving((keyspace, at): &mut (Keyspace, Slot)) -> usize {
        let mut popped = 0;
        while keyspace
            .pop_simply_in(*at, End::Front, claim(0, 1, 0), 0, |message| assert_eq!(message, b"m"))
            .is_some()
        {
            popped += 1;
            keyspace.check_invariants();
        }
        popped
    }

    /// All that a pop changes besides the list.
    fn traces((keyspace, at): &(Keyspace, Slot)) -> String {
        keyspace.check_invariants();
        let state = keyspace.queue_state_in(*at).expect("under a policy");
        let in_flight: Vec<_> = state.in_flight.iter().collect();
        let (sums, ready) = (keyspace.queue_sums(), keyspace.ready_in(*at));
        let all = (&state.totals, sums, ready, in_flight, keyspace.next_due_ms());
        let waits = keyspace.queue_waits();
        format!("{all:?} {waits:?} {} {}", keyspace.changes(), keyspace.bytes())
    }

    #[test]
    fn all_but_the_last_message_simply_leave() {
        for options in [
            &[&b"max-length"[..], b"9"][..],
            &[b"message-ttl-ms", b"10"],
            &[b"dedup-window-ms", b"5"],
            &AT_LEAST_ONCE,
        ] {
            let mut queue = queue_under(options);
            assert_eq!(leaving(&mut queue), 8);
            assert_eq!(queue.0.ready_in(queue.1), (1, 1));
        }
    }

    #[test]
    fn it_leaves_the_same_traces_as_the_general_way() {
        let (mut simple, mut general) =
            (queue_under(&[b"max-length", b"9"]), queue_under(&[b"max-length", b"9"]));
        for end in [End::Front, End::Back, End::Back] {
            let popped = simple.0.pop_simply_in(simple.1, end, claim(0, 1, 0), 1, |_| ());
            assert_eq!(popped, Some(SimplyPopped::Gone));
            general.0.count_waits_in(general.1, end, 1);
            general.0.count_in(general.1, |totals| {
                totals.delivered += 1;
                totals.acknowledged += 1;
            });
            let popped = general.0.change_list_in(general.1, |queue| queue.pop(end, |_| ()));
            assert_eq!(popped.ok().flatten(), Some(()));
            assert_eq!(traces(&simple), traces(&general));
        }
    }

    #[test]
    fn a_delivery_leaves_the_same_traces_as_the_general_way() {
        let (mut simple, mut general) = (queue_to_acknowledge(), queue_to_acknowledge());
        for (end, slot, lease_ms) in
            [(End::Front, 0, 0), (End::Back, 0, 0), (End::Back, 1, 7), (End::Front, 0, 0)]
        {
            let claim = claim(slot, 3, lease_ms);
            let (mut message, mut expected) = (Vec::new(), Vec::new());
            let read = |bytes: &[u8]| message = bytes.to_vec();
            let popped = simple.0.pop_simply_in(simple.1, end, claim, 0, read);
            assert_eq!(popped, Some(SimplyPopped::InFlight { is_acknowledged_by_pop: true }));
            let read = |_: u64, delivery: &Delivery| expected = delivery.message.to_vec();
            assert_eq!(general.0.deliver_in(general.1, end, 1, claim, read), 1);
            assert_eq!((message, traces(&simple)), (expected, traces(&general)));
        }
        // What was delivered in an earlier input is acknowledged, if the same client had it.
        for queue in [&mut simple, &mut general] {
            let by = |slot, input| (claim(slot, 0, 0).owner, input);
            assert_eq!(queue.0.acknowledge_seen_in(queue.1, b"q", by(0, 3), true).len(), 0);
            assert_eq!(queue.0.acknowledge_seen_in(queue.1, b"q", by(0, 4), true).len(), 3);
            assert_eq!(queue.0.acknowledge_seen_in(queue.1, b"q", by(1, 4), true).len(), 1);
        }
        assert_eq!(traces(&simple), traces(&general));
    }

    #[test]
    fn a_pop_that_acknowledges_takes_the_general_way() {
        let pop = |queue: &mut (Keyspace, Slot)| {
            queue.0.pop_simply_in(queue.1, End::Front, claim(0, 1, 0), 2, |_| ())
        };
        let mut queue = queue_to_acknowledge();
        assert!(pop(&mut queue).is_some(), "nothing is in flight");
        let before = traces(&queue);
        assert_eq!(pop(&mut queue), None);
        assert_eq!(traces(&queue), before);
        // In flight to client 0, from inputs 1 and 2; whether a pop takes the simple way then.
        for (slot, before, is_simple) in
            [(0, 0, true), (0, 1, true), (0, 2, false), (1, 1, false), (1, 0, true), (1, 2, true)]
        {
            let claim = claim(slot, 2, 0);
            let popped = queue.0.pop_simply_in(queue.1, End::Front, claim, before, |_| ());
            assert_eq!(popped.is_some(), is_simple, "{slot} {before}");
        }
        let explicit = [&AT_LEAST_ONCE[..], &[b"acknowledge", b"explicit"]].concat();
        let is_acknowledged_by_pop = false;
        let popped = pop(&mut queue_under(&explicit));
        assert_eq!(popped, Some(SimplyPopped::InFlight { is_acknowledged_by_pop }));
    }

    #[test]
    fn other_rules_take_the_general_way() {
        assert_eq!(leaving(&mut queue_under(&[b"rate", b"100"])), 0);
        let throttled = [&AT_LEAST_ONCE[..], &[b"max-in-flight", b"5"]].concat();
        assert_eq!(leaving(&mut queue_under(&throttled)), 0);
        for options in [&[&b"max-length"[..], b"9"][..], &AT_LEAST_ONCE] {
            let mut queue = queue_under(options);
            let paused = Pauses::default().with(Direction::Read, Some(WITHOUT_END));
            queue.0.set_pauses(DB, b"q", paused);
            assert_eq!(leaving(&mut queue), 0);
            queue.0.set_pauses(DB, b"q", Pauses::default());
            queue.0.begin_snapshot();
            assert_eq!(leaving(&mut queue), 0);
            queue.0.end_snapshot();
            let client = ClientId::new(1, 0);
            queue.0.join_line(DB, b"q", Line::Producers, 1, client);
            assert_eq!(leaving(&mut queue), 0, "a producer waits for capacity");
            queue.0.leave_line(DB, b"q", Line::Producers, 1, client);
            queue.0.watch(DB, b"q", client);
            assert_eq!(leaving(&mut queue), 0, "a watch must break");
            queue.0.unwatch(DB, b"q", client);
            assert_eq!(leaving(&mut queue), 8);
        }
    }
}
