//! Brings a queue within its limits: the oldest messages are dropped or dead-lettered.
//!
//! A dead letter may exceed the limits of its queue. Then the oldest message there leaves as well, and so on;
//! if policies form a circle, this may take long. `trim_in_turn` is therefore a loop, not a recursion.

use super::Queues;
use super::dead_letters::Exit;
use super::limits::{PushRules, is_beyond};
use super::push::Target;
use super::{delayed_key, opposite};
use crate::keyspace::{DbIndex, DelayedMessage, Fate, Key, Keyspace, Slot};
use crate::policy::{Overflow, QueuePolicy};
use crate::queue::{End, Reason, Stamp};
use std::cell::Cell;
use std::sync::Arc;

/// Messages removed one by one. Beyond this, the excess is computed and removed at once.
const ONE_BY_ONE_MAX: usize = 16;

impl Queues<'_> {
    /// Completes a push to an end of a queue under a policy: counts the messages, and drops or dead-letters
    /// the oldest ones above the limits. Returns the length after.
    pub(crate) fn finish_push(&mut self, db: DbIndex, key: &[u8], end: End, count: usize) -> usize {
        self.keyspace.count(db, key, |totals| totals.pushed += count as u64);
        self.trim_after_push(db, key, end)
    }

    /// Drops or dead-letters the oldest messages above the limits, after a push to this end. Returns the
    /// length after.
    pub(crate) fn trim_after_push(&mut self, db: DbIndex, key: &[u8], end: End) -> usize {
        self.trim_to_limits(db, key, opposite(end));
        self.keyspace.length_under_policy(db, key).0
    }

    /// As `trim_after_push`, for a queue that was looked up and is above its limits, with this many ready
    /// messages and their bytes.
    pub(super) fn trim_pushed(&mut self, to: &Target<'_>, ready: (usize, usize)) -> usize {
        let &Target { at, key, end, ref rules, .. } = to;
        match self.drop_oldest(at, key, opposite(end), rules, ready) {
            Some(ready) if !rules.is_beyond(ready) => rules.length(ready.0),
            _ => self.trim_after_push(at.db(), key, end),
        }
    }

    /// Removes messages from the end with the oldest until the queue is within its limits, if its policy says
    /// so.
    pub(crate) fn trim_to_limits(&mut self, db: DbIndex, key: &[u8], oldest: End) {
        if self.drop_one(db, key, oldest) && policy_exceeded(self.keyspace, db, key).is_some() {
            let full = Full { key: Key::from(key), oldest, popped: 0 };
            self.trim_in_turn(db, full);
        }
    }

    /// Drops the oldest message if there are too many and the policy is to drop: usually there is one too
    /// many. Returns whether there may be more to do.
    fn drop_one(&mut self, db: DbIndex, key: &[u8], oldest: End) -> bool {
        let Some(at) = self.keyspace.slot(db, key) else { return false };
        let rules = PushRules::of(self.keyspace, at);
        let ready = self.keyspace.ready_in(at);
        if !rules.drops_oldest() || !rules.is_beyond(ready) {
            return false;
        }
        let ready = self.drop_oldest(at, key, oldest, &rules, ready);
        ready.is_none_or(|ready| rules.is_beyond(ready))
    }

    /// Drops the oldest message of a queue above its limits, if its policy is to drop. Returns the number
    /// and bytes of ready messages afterwards. It may be the last use of the slot.
    fn drop_oldest(
        &mut self,
        at: Slot,
        key: &[u8],
        oldest: End,
        rules: &PushRules,
        ready: (usize, usize),
    ) -> Option<(usize, usize)> {
        if rules.overflow != Overflow::DropHead || ready.0 == 0 {
            return None;
        }
        self.keyspace.work.moved(1);
        // First, since the list and its slot may be gone afterwards.
        self.keyspace.count_in(at, |totals| totals.add_lost(Fate::Dropped, 1));
        let ready = self.keyspace.change_list_in(at, |queue| {
            queue.pop(oldest, |_| ());
            (queue.len(), queue.message_bytes())
        });
        self.keyspace.effects.record_pop(at.db(), oldest, key, 1);
        ready.ok()
    }
}

/// The policy of a queue above its limits, if it drops or dead-letters the oldest messages.
fn policy_exceeded(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
    let at = keyspace.slot(db, key)?;
    let policy = keyspace.policy_in(at)?;
    (!policy.refuses_overflow() && is_beyond(keyspace, at, 0, 0)).then(|| Arc::clone(policy))
}

/// A queue that may be above its limits.
struct Full {
    key: Key,
    /// The end with the oldest messages.
    oldest: End,
    /// Messages removed one by one so far.
    popped: usize,
}

impl Queues<'_> {
    /// Brings a queue within its limits. A dead-letter queue that exceeds its own limits comes first.
    fn trim_in_turn(&mut self, db: DbIndex, first: Full) {
        // No queue is there twice.
        let mut full = vec![first];
        while let Some(mut last) = full.pop() {
            let Some(policy) = policy_exceeded(self.keyspace, db, &last.key) else { continue };
            let fate = match policy.overflow {
                Overflow::DeadLetter => Fate::DeadLetter(Reason::Length),
                _ => Fate::Dropped,
            };
            // Usually there is one too many.
            let (key, first) = (last.key.clone(), last.oldest);
            let exit = Exit { db, key: &key, policy: &policy, fate, first };
            if last.popped == ONE_BY_ONE_MAX {
                self.trim_many(exit);
                continue;
            }
            let popped = self.pop_oldest(db, &last.key, last.oldest);
            let Some((message, stamp)) = popped else { continue };
            last.popped += 1;
            let target = self.dispose_to(exit, &message, &stamp);
            full.push(last);
            if let Some(target) = target {
                full.retain(|other| other.key != target);
                full.push(Full { key: target, oldest: End::Front, popped: 0 });
            }
        }
    }

    /// Removes all messages above the limits: first ready ones, as one row, then delayed ones.
    fn trim_many(&mut self, exit: Exit<'_>) {
        let Exit { db, key, policy, first: oldest, .. } = exit;
        let ready = self.keyspace.excess(db, key, policy, oldest);
        let is_done = Cell::new(ready == 0);
        self.part_with(exit, |queue| {
            let start = if oldest == End::Front { 0 } else { queue.len() - ready.min(queue.len()) };
            (!is_done.replace(true)).then_some((start, ready))
        });
        while let Some(at) = self.keyspace.slot(db, key)
            && is_beyond(self.keyspace, at, 0, 0)
        {
            let Some((message, stamp)) = self.pop_oldest(db, key, oldest) else { break };
            self.dispose(exit, &message, &stamp);
        }
    }

    /// Removes the message at the end with the oldest; a delayed one only if no other is left.
    fn pop_oldest(&mut self, db: DbIndex, key: &[u8], oldest: End) -> Option<(Vec<u8>, Stamp)> {
        let popped =
            self.keyspace.change_list(db, key, |queue| queue.pop_stamped(oldest, <[u8]>::to_vec));
        if let Ok(Some(Some(popped))) = popped {
            self.keyspace.effects.record_pop(db, oldest, key, 1);
            return Some(popped);
        }
        let popped = self.keyspace.change_delayed(db, key, |delayed| delayed.pop(End::Front));
        let DelayedMessage { message, stamp } = popped.flatten()?;
        self.keyspace.effects.record_pop(db, End::Front, &delayed_key(key), 1);
        Some((message.into_vec(), stamp))
    }
}

#[cfg(test)]
mod tests {
    use crate::acl::Catalogue;
    use crate::clock::Now;
    use crate::host::NoHost;
    use crate::queue::End;
    use crate::queueing::{PushRules, Queues, Target};
    use crate::settings::Settings;
    use crate::state::State;

    #[test]
    fn full_queues_that_hand_to_each_other_come_to_rest() {
        const LEN: usize = 500;
        let policy = |queue: &str, target: &str| {
            format!("of-{queue} {queue} max-length {LEN} overflow dead-letter dead-letter {target}")
        };
        let settings = Settings::default()
            .with("queue-policy", &policy("a", "b"))
            .and_then(|settings| settings.with("queue-policy", &policy("b", "a")))
            .expect("two policies");
        let mut state =
            State::new(settings, Catalogue::none(), 1, Box::new(NoHost), Now::default());
        let keyspace = &mut state.keyspace;
        let mut push_to = |key: &[u8]| {
            let at = keyspace.slot_or_create(0, key);
            let to =
                Target { at, key, end: End::Back, rules: PushRules::of(keyspace, at), id: None };
            let pushed = Queues::new(keyspace).push(&to, [&b"m"[..]].into_iter());
            pushed.map(|pushed| pushed.len)
        };
        for len in 1..=LEN {
            assert_eq!((push_to(b"a"), push_to(b"b")), (Ok(len), Ok(len)));
        }
        // Each message becomes a dead letter as often as allowed before the first one is dropped.
        assert_eq!(push_to(b"a"), Ok(LEN));
        keyspace.check_invariants();
        let dropped =
            |key| keyspace.queue_state(0, key).map(|queue_state| queue_state.totals.dropped);
        assert_eq!([&b"a"[..], b"b"].map(dropped).iter().flatten().sum::<u64>(), 1);
    }
}
