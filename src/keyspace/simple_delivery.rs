//! The usual delivery of a message that must be acknowledged: one that simply leaves the queue and is then in
//! flight.
//!
//! As a simple pop, it changes neither the memory of the queue nor when its messages have something due.
//! Every other delivery takes the general way, `Keyspace::deliver_in`, with the same result in more steps.

use super::delivery::{Claim, Delivery};
use super::entry::Full;
use super::queues::waited_ms;
use super::{Keyspace, Slot};
use crate::queue::{End, Queue};
use crate::value::Kind;

impl Keyspace {
    /// As `deliver_in`, of the message at one end of a queue, if it simply leaves the queue: the policy
    /// allows any delivery, no client must be notified, and other messages stay. Passes it to `read`. False,
    /// and no change, in all other cases.
    #[inline(always)]
    pub(crate) fn deliver_simply_in(
        &mut self,
        at: Slot,
        end: End,
        claim: Claim,
        read: impl FnOnce(&[u8]),
    ) -> bool {
        let hasher = self.hasher().clone();
        let Some(full) = self.dbs[at.db].entries[at.index].full_mut() else { return false };
        let Full { key, value, attachments: Some(attachments), .. } = full else { return false };
        if self.snapshot.is_some() || !attachments.is_quiet() {
            return false;
        }
        let Some(queue) = Queue::of_mut(value) else { return false };
        let Some(queue_state) = attachments.queue_state.as_deref_mut() else { return false };
        if !queue_state.keeps_delivered() || !queue_state.gives_to_anyone() {
            return false;
        }
        let copy = |message: &[u8]| {
            read(message);
            Box::from(message)
        };
        let Some((message, stamp)) = queue.pop_alike(end, copy) else { return false };
        self.registry.last_delivery += 1;
        let number = self.registry.last_delivery;
        let mut stamp = stamp.clone();
        stamp.deliver(number, end);
        if stamp.deliveries == 1 {
            self.registry.waits.add(waited_ms(&stamp, self.queue_ms));
        }
        for totals in [&mut queue_state.totals, &mut self.registry.sums] {
            totals.delivered += 1;
            totals.redelivered += u64::from(stamp.deliveries > 1);
        }
        let delivery = Delivery::new(message, stamp, claim, self.queue_ms);
        self.registry.holdings.add(delivery.holder(at.db), key, number, claim.input);
        let bytes_before = queue_state.in_flight.allocated_bytes();
        queue_state.in_flight.add(number, delivery, &hasher);
        self.bytes = self.bytes + queue_state.in_flight.allocated_bytes() - bytes_before;
        self.changes += 1;
        let is_due_first =
            queue_state.may_be_due_first(self.queue_ms, queue_state.timeout_ms(claim));
        full.mark_used(self.now_s, self.marks_use);
        if is_due_first {
            self.schedule(at.db, at.index);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_id::ClientId;
    use crate::policy::QueuePolicy;

    const POLICY: [&[u8]; 6] =
        [b"p", b"q", b"delivery", b"at-least-once", b"ack-timeout-ms", b"1000"];

    /// A keyspace with the queue `q` with nine messages, and its slot.
    fn queue_under(words: &[&[u8]]) -> (Keyspace, Slot) {
        let policy = QueuePolicy::parse(words).expect("a policy");
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.change_policies_at(0, |policies| policies.set(policy)).expect("no conflict");
        let at = keyspace.slot_or_create(0, b"q");
        let messages = (0..9_u8).map(|number| [number]).collect::<Vec<_>>();
        keyspace.push_in(at, End::Back, messages.iter().map(|m| &m[..])).expect("a list");
        (keyspace, at)
    }

    fn claim(slot: usize, input: u64, lease_ms: i64) -> Claim {
        let owner = ClientId::new(1 + slot as u64, slot);
        Claim { owner, input, by_receipt: false, lease_ms }
    }

    /// Everything that a delivery changes.
    fn traces((keyspace, at): &(Keyspace, Slot)) -> String {
        keyspace.check_invariants();
        let state = keyspace.queue_state_in(*at).expect("under a policy");
        let in_flight: Vec<_> = state.in_flight.iter().collect();
        let all = (&state.totals, keyspace.queue_sums(), in_flight, keyspace.next_due_ms());
        let waits = keyspace.queue_waits();
        format!("{all:?} {waits:?} {} {}", keyspace.changes(), keyspace.bytes())
    }

    #[test]
    fn it_leaves_the_same_traces_as_the_general_way() {
        let (mut simple, mut general) = (queue_under(&POLICY), queue_under(&POLICY));
        for (end, slot, lease_ms) in
            [(End::Front, 0, 0), (End::Back, 0, 0), (End::Back, 1, 7), (End::Front, 0, 0)]
        {
            let claim = claim(slot, 3, lease_ms);
            let (mut message, mut expected) = (Vec::new(), Vec::new());
            let read = |bytes: &[u8]| message = bytes.to_vec();
            assert!(simple.0.deliver_simply_in(simple.1, end, claim, read));
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
    fn other_rules_take_the_general_way() {
        let is_simple = |queue: &mut (Keyspace, Slot)| {
            queue.0.deliver_simply_in(queue.1, End::Front, claim(0, 1, 0), |_| ())
        };
        let mut queue = queue_under(&POLICY);
        assert_eq!((0..9).filter(|_| is_simple(&mut queue)).count(), 8, "all but the last");
        assert!(!is_simple(&mut queue_under(&[b"p", b"q", b"max-length", b"9"])));
        let throttled = [&POLICY[..], &[b"max-in-flight", b"5"]].concat();
        assert!(!is_simple(&mut queue_under(&throttled)));
        let mut queue = queue_under(&POLICY);
        queue.0.begin_snapshot();
        assert!(!is_simple(&mut queue));
        queue.0.end_snapshot();
        queue.0.watch(0, b"q", ClientId::new(1, 0));
        assert!(!is_simple(&mut queue), "a watch must break");
    }
}
