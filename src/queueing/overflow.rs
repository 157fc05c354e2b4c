//! Room in a queue that is beyond its limits: the oldest messages make it.
//!
//! A dead letter may be one too many in its queue. The oldest message there leaves as well, and so on;
//! where policies form a circle, this goes on for long. `trim_in_turn` is therefore a loop, not a
//! recursion.

use super::Queues;
use super::dead_letters::Exit;
use super::limits::{PushRules, is_beyond};
use super::{delayed_key, opposite};
use crate::keyspace::{DbIndex, Fate, Key, Keyspace};
use crate::policy::{Overflow, QueuePolicy};
use crate::queue::{End, Stamp};
use std::cell::Cell;
use std::sync::Arc;

/// Messages that make room one after the other; of more than these it is known at once how many.
const ONE_BY_ONE_MAX: usize = 16;

impl Queues<'_> {
    /// What follows when messages were stored at an end of a queue under a policy: they are counted, and if they
    /// are too many, the oldest make room. The length after.
    pub(crate) fn finish_push(&mut self, db: DbIndex, key: &[u8], end: End, count: usize) -> usize {
        self.keyspace.count(db, key, |totals| totals.pushed += count as u64);
        self.trim_after_push(db, key, end)
    }

    /// If there are too many messages, the oldest make room for those that were pushed to an end. The length
    /// after.
    pub(crate) fn trim_after_push(&mut self, db: DbIndex, key: &[u8], end: End) -> usize {
        self.trim_to_limits(db, key, opposite(end));
        self.keyspace.length_under_policy(db, key).0
    }

    /// Takes messages away from the end where the oldest are, until the queue is within its limits, if its
    /// policy wants that.
    pub(crate) fn trim_to_limits(&mut self, db: DbIndex, key: &[u8], oldest: End) {
        if self.drop_one(db, key, oldest) && policy_exceeded(self.keyspace, db, key).is_some() {
            let full = Full { key: Key::from(key), oldest, popped: 0 };
            self.trim_in_turn(db, full);
        }
    }

    /// Drops the oldest message if there are too many, and nobody wants it: nearly always there is one too many.
    /// Whether there may be more.
    fn drop_one(&mut self, db: DbIndex, key: &[u8], oldest: End) -> bool {
        let Some(at) = self.keyspace.slot(db, key) else { return false };
        let rules = PushRules::of(self.keyspace, at);
        let ready = self.keyspace.ready_in(at);
        if !rules.trim_to_limits() || !rules.is_beyond(ready) {
            return false;
        }
        if rules.overflow != Overflow::DropHead || ready.0 == 0 {
            return true;
        }
        self.keyspace.work.moved(1);
        // Before the list may be gone, and its slot with it.
        self.keyspace.count_in(at, |totals| totals.dropped += 1);
        let ready = self.keyspace.change_list_in(at, |queue| {
            queue.pop(oldest, |_| ());
            (queue.len(), queue.message_bytes())
        });
        self.keyspace.effects.record_pop(db, oldest, key, 1);
        ready.is_ok_and(|ready| rules.is_beyond(ready))
    }
}

/// The policy of a queue that is beyond its limits, if the oldest messages then make room.
fn policy_exceeded(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
    let at = keyspace.slot(db, key)?;
    let policy = keyspace.policy_in(at)?;
    (!policy.refuses_overflow() && is_beyond(keyspace, at, 0, 0)).then(|| Arc::clone(policy))
}

/// A queue that may be beyond its limits.
struct Full {
    key: Key,
    /// The end where the oldest are.
    oldest: End,
    /// How many messages have made room, one after the other.
    popped: usize,
}

impl Queues<'_> {
    /// Makes room in a queue, and whenever a dead letter is too much for another one, there first.
    fn trim_in_turn(&mut self, db: DbIndex, first: Full) {
        // Each queue is there once.
        let mut full = vec![first];
        while let Some(mut last) = full.pop() {
            let Some(policy) = policy_exceeded(self.keyspace, db, &last.key) else { continue };
            let fate = match policy.overflow {
                Overflow::DeadLetter => Fate::DeadLetter,
                _ => Fate::Dropped,
            };
            // Nearly always there is one too many.
            let (key, first) = (last.key.clone(), last.oldest);
            let exit = Exit { db, key: &key, policy: &policy, fate, first };
            if last.popped == ONE_BY_ONE_MAX {
                self.trim_many(exit);
                continue;
            }
            let popped = self.pop_oldest(db, &last.key, last.oldest);
            let Some((message, stamp)) = popped else { continue };
            last.popped += 1;
            let target = self.dispose_to(exit, &message, stamp);
            full.push(last);
            if let Some(target) = target {
                full.retain(|other| other.key != target);
                full.push(Full { key: target, oldest: End::Front, popped: 0 });
            }
        }
    }

    /// Takes all messages away that are too many: those that are ready in one row, then delayed ones.
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
            self.dispose(exit, &message, stamp);
        }
    }

    /// Takes a message away from the end where the oldest are; of those that are delayed if no other is
    /// left.
    fn pop_oldest(&mut self, db: DbIndex, key: &[u8], oldest: End) -> Option<(Vec<u8>, Stamp)> {
        let popped =
            self.keyspace.change_list(db, key, |queue| queue.pop_stamped(oldest, <[u8]>::to_vec));
        if let Ok(Some(Some(popped))) = popped {
            self.keyspace.effects.record_pop(db, oldest, key, 1);
            return Some(popped);
        }
        let popped = self
            .keyspace
            .change_delayed(db, key, |queue| queue.pop_stamped(End::Front, <[u8]>::to_vec));
        self.keyspace.effects.record_pop(db, End::Front, &delayed_key(key), 1);
        popped.flatten()
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Now;
    use crate::host::NoHost;
    use crate::queue::End;
    use crate::queueing::{Place, PushRules, Queues};
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
        let mut state = State::new(settings, 1, Box::new(NoHost), Now::default());
        let keyspace = &mut state.keyspace;
        let mut push_to = |key: &[u8]| {
            let at = keyspace.slot_or_create(0, key);
            let to = Place { at, key, end: End::Back, rules: PushRules::of(keyspace, at) };
            Queues::new(keyspace).push(&to, [&b"m"[..]].into_iter())
        };
        for len in 1..=LEN {
            assert_eq!((push_to(b"a"), push_to(b"b")), (Ok(len), Ok(len)));
        }
        // Each message is a dead letter as often as it may be before the first one is dropped.
        assert_eq!(push_to(b"a"), Ok(LEN));
        keyspace.check_invariants();
        let dropped =
            |key| keyspace.queue_state(0, key).map(|queue_state| queue_state.totals.dropped);
        assert_eq!([&b"a"[..], b"b"].map(dropped).iter().flatten().sum::<u64>(), 1);
    }
}
