//! Single messages that leave a queue without a consumer: dropped, expired or dead-lettered.

use super::Queues;
use super::delay::Delay;
use super::limits::is_beyond;
use super::reserved::check_name;
use crate::keyspace::{DbIndex, Departure, Fate, Key, Keyspace, QueueEvent, Slot};
use crate::policy::QueuePolicy;
use crate::queue::{End, Stamp};
use log::warn;
use std::sync::Arc;

/// Limit on how often a message becomes a dead letter. If policies form a circle, it has been in each of
/// their queues by then.
const HOPS_MAX: u16 = 16;

/// Where messages leave a queue without a consumer, and why.
#[derive(Clone, Copy)]
pub(crate) struct Exit<'a> {
    pub(crate) db: DbIndex,
    pub(crate) key: &'a Key,
    pub(crate) policy: &'a Arc<QueuePolicy>,
    pub(crate) fate: Fate,
    /// The end of the queue whose messages leave first.
    pub(crate) first: End,
}

impl<'a> Exit<'a> {
    /// The exit of departed messages.
    pub(crate) fn of(departure: &'a Departure) -> Exit<'a> {
        let Departure { db, key, policy, fate, first, .. } = departure;
        Exit { db: *db, key, policy, fate: *fate, first: *first }
    }
}

impl Queues<'_> {
    /// Counts a message that was removed from a queue, and pushes it to the dead-letter queue if that is its
    /// fate.
    pub(crate) fn dispose(&mut self, exit: Exit<'_>, message: &[u8], stamp: Stamp) {
        if let Some(target) = self.dispose_to(exit, message, stamp) {
            self.trim_to_limits(exit.db, &target, End::Front);
        }
    }

    /// As `dispose`, but does not bring the dead-letter queue within its limits. Returns the key of that
    /// queue if it took the message.
    pub(crate) fn dispose_to(
        &mut self,
        exit: Exit<'_>,
        message: &[u8],
        stamp: Stamp,
    ) -> Option<Key> {
        self.keyspace.work.moved(1);
        let target = match exit.fate {
            Fate::Dropped => None,
            Fate::Expired | Fate::DeadLetter => self.dead_letter(exit, message, stamp.hops),
        };
        self.keyspace.count(exit.db, exit.key, |totals| match exit.fate {
            _ if target.is_some() => totals.dead_lettered += 1,
            Fate::Expired => totals.expired += 1,
            Fate::Dropped | Fate::DeadLetter => totals.dropped += 1,
        });
        target
    }

    /// Pushes a message to the back of the dead-letter queue and returns its key. `None` if there is no such
    /// queue or it takes no more. The message's TTL begins again.
    fn dead_letter(&mut self, exit: Exit<'_>, message: &[u8], hops: u16) -> Option<Key> {
        let Exit { db, key, policy, .. } = exit;
        let target = Key::from(policy.dead_letter_key(key)?);
        if hops >= HOPS_MAX {
            if let Some(left_out) = self.keyspace.admit_line(QueueEvent::DeadLetterLoop) {
                let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
                warn!(
                    "a message of '{key}' was a dead letter {hops} times: policy '{name}' drops \
                 it{left_out}"
                );
            }
            return None;
        }
        check_name(self.keyspace, &target).ok()?;
        if let Some(at) = self.keyspace.slot_for_push(db, &target)
            && !takes_more(self.keyspace, at, message.len())
        {
            return None;
        }
        let delay_ms = self.keyspace.policy_of(db, &target).and_then(|policy| policy.delay_ms);
        if let Some(delay_ms) = delay_ms {
            // The key must be able to hold a list, though a delayed message needs it only later.
            self.keyspace.list(db, &target).ok()?;
            let messages = [message].into_iter();
            let delay = Delay { end: End::Back, ms: delay_ms, hops: hops + 1 };
            self.delay(db, &target, messages, delay);
            self.keyspace.count(db, &target, |totals| totals.pushed += 1);
            return Some(target);
        }
        let stamp =
            Stamp { ready_ms: self.keyspace.queue_ms(), hops: hops + 1, ..Stamp::default() };
        let pushed = self.keyspace.change_or_create_list(db, &target, |queue| {
            queue.push_stamped(End::Back, message, stamp);
        });
        pushed.ok()?;
        self.record_ready(db, &target);
        self.keyspace.effects.record_push(db, End::Back, &target, [message]);
        self.keyspace.count(db, &target, |totals| totals.pushed += 1);
        Some(target)
    }
}

/// Whether a dead-letter queue takes a message. A full one whose policy refuses pushes does not.
fn takes_more(keyspace: &Keyspace, at: Slot, bytes: usize) -> bool {
    let Some(policy) = keyspace.policy_in(at) else { return true };
    !policy.refuses_overflow() || !is_beyond(keyspace, at, 1, bytes)
}
