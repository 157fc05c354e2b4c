//! The usual pop from a queue under a policy: one message, which simply leaves the queue.
//!
//! It looks at the entry once. Another message with the same stamp stays, and no memory is freed, so it
//! changes neither the memory of the queue nor when it next has something due. Every other pop takes the
//! general way, `Queues::pop`, with the same result in more steps.

use super::entry::Full;
use super::queues::waited_ms;
use super::{Keyspace, QueueState, Slot};
use crate::queue::{End, Queue};
use crate::value::Kind;

impl QueueState {
    /// Whether it is under a policy that allows any pop.
    #[inline]
    pub(super) fn gives_to_anyone(&self) -> bool {
        let policy = self.policy.as_deref();
        policy.is_some_and(|policy| policy.throttle.is_none()) && !self.is_read_paused()
    }

    /// Whether delivered messages are in flight until they are acknowledged.
    #[inline]
    pub(super) fn keeps_delivered(&self) -> bool {
        self.policy.as_deref().is_some_and(|policy| policy.is_at_least_once())
    }
}

impl Keyspace {
    /// Pops the message at one end of a queue under a policy and passes it to `read`, if it simply leaves
    /// the queue: the policy allows any pop and forgets the message, no client must be notified, and there
    /// is nothing to record but the pop. False, and no change, in all other cases.
    #[inline(always)]
    pub(crate) fn pop_simply_in(&mut self, at: Slot, end: End, read: impl FnOnce(&[u8])) -> bool {
        let Some(full) = self.dbs[at.db].entries[at.index].full_mut() else { return false };
        let Full { value, attachments: Some(attachments), .. } = full else { return false };
        // First, since most other pops that get here are of such queues.
        if attachments.queue_state.as_deref().is_none_or(QueueState::keeps_delivered)
            || !attachments.is_quiet()
            || self.snapshot.is_some()
        {
            return false;
        }
        let Some(queue_state) = attachments.queue_state.as_deref_mut() else { return false };
        if !queue_state.gives_to_anyone() {
            return false;
        }
        let Some(queue) = Queue::of_mut(value) else { return false };
        let Some(((), stamp)) = queue.pop_alike(end, read) else { return false };
        self.registry.waits.add(waited_ms(stamp, self.queue_ms));
        for totals in [&mut queue_state.totals, &mut self.registry.sums] {
            totals.delivered += 1;
            totals.acknowledged += 1;
        }
        self.changes += 1;
        full.mark_used(self.now_s, self.marks_use);
        true
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

    /// A keyspace with the queue `q` under a policy, with nine messages of one byte, and its slot.
    fn queue_under(options: &[&[u8]]) -> (Keyspace, Slot) {
        let words = [&[&b"p"[..], b"q"], options].concat();
        let policy = QueuePolicy::parse(&words).expect("a policy");
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.change_policies_at(0, |policies| policies.set(policy)).expect("no conflict");
        let at = keyspace.slot_or_create(DB, b"q");
        keyspace.push_in(at, End::Back, [b"m".as_slice(); 9].into_iter()).expect("a list");
        (keyspace, at)
    }

    /// How many messages simply leave the queue.
    fn leaving((keyspace, at): &mut (Keyspace, Slot)) -> usize {
        let mut popped = 0;
        while keyspace.pop_simply_in(*at, End::Front, |message| assert_eq!(message, b"m")) {
            popped += 1;
            keyspace.check_invariants();
        }
        popped
    }

    /// What a pop changes besides the list: changes, memory, totals, waits.
    fn traces((keyspace, at): &(Keyspace, Slot)) -> String {
        let totals = keyspace.queue_state_in(*at).map(|queue_state| &queue_state.totals);
        let (sums, ready) = (keyspace.queue_sums(), keyspace.ready_in(*at));
        let all = (ready, totals, sums, keyspace.queue_waits());
        format!("{all:?} {} {}", keyspace.changes(), keyspace.bytes())
    }

    #[test]
    fn all_but_the_last_message_simply_leave() {
        for options in
            [[&b"max-length"[..], b"9"], [b"message-ttl-ms", b"10"], [b"dedup-window-ms", b"5"]]
        {
            let mut queue = queue_under(&options);
            assert_eq!(leaving(&mut queue), 8);
            assert_eq!(queue.0.ready_in(queue.1), (1, 1));
        }
    }

    #[test]
    fn it_leaves_the_same_traces_as_the_general_way() {
        let (mut simple, mut general) =
            (queue_under(&[b"max-length", b"9"]), queue_under(&[b"max-length", b"9"]));
        for end in [End::Front, End::Back, End::Back] {
            assert!(simple.0.pop_simply_in(simple.1, end, |_| ()));
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
    fn other_rules_take_the_general_way() {
        assert_eq!(leaving(&mut queue_under(&[b"delivery", b"at-least-once"])), 0);
        assert_eq!(leaving(&mut queue_under(&[b"rate", b"100"])), 0);
        let mut queue = queue_under(&[b"max-length", b"9"]);
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
