//! Single messages that leave a queue without a consumer: dropped, expired or dead-lettered.

use super::Queues;
use super::delay::Delay;
use super::limits::is_beyond;
use super::reserved::check_name;
use crate::keyspace::{DbIndex, Departure, Fate, Key, Keyspace, QueueEvent};
use crate::policy::QueuePolicy;
use crate::queue::{End, Stamp};
use log::warn;
use std::sync::Arc;

/// Limit on how often a message becomes a dead letter without a delivery in between. If policies form a circle,
/// it has been in each of their queues by then.
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

/// Why a message did not become a dead letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// There is no dead-letter queue for it.
    NoQueue,
    /// The queue is full, or its key cannot hold a list.
    Full,
    /// It was a dead letter too often.
    HopLimit,
}

impl Queues<'_> {
    /// Counts a message that was removed from a queue, and pushes it to the dead-letter queue if that is its
    /// fate.
    pub(crate) fn dispose(&mut self, exit: Exit<'_>, message: &[u8], stamp: &Stamp) {
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
        stamp: &Stamp,
    ) -> Option<Key> {
        self.keyspace.work.moved(1);
        let moved = match exit.fate {
            Fate::Dropped => Err(Refusal::NoQueue),
            Fate::Expired | Fate::DeadLetter(_) => self.dead_letter(exit, message, stamp.hops),
        };
        self.keyspace.count(exit.db, exit.key, |totals| match &moved {
            Ok(_) => totals.dead_lettered += 1,
            Err(Refusal::NoQueue) => totals.add_lost(exit.fate, 1),
            Err(refusal) => {
                let is_expired = exit.fate == Fate::Expired;
                *(if is_expired { &mut totals.expired } else { &mut totals.dropped }) += 1;
                let is_full = *refusal == Refusal::Full;
                *(if is_full { &mut totals.dead_letter_full } else { &mut totals.hop_limit }) += 1;
            }
        });
        moved.ok()
    }

    /// Pushes a message to the back of the dead-letter queue and returns its key. The message's TTL begins
    /// again.
    fn dead_letter(&mut self, exit: Exit<'_>, message: &[u8], hops: u16) -> Result<Key, Refusal> {
        let Exit { db, key, policy, fate, .. } = exit;
        let target = Key::from(policy.dead_letter_key(key).ok_or(Refusal::NoQueue)?);
        if hops >= HOPS_MAX {
            warn_of_loop(self.keyspace, exit, hops);
            return Err(Refusal::HopLimit);
        }
        if !can_take(self.keyspace, db, &target, message.len()) {
            warn_of_full(self.keyspace, exit, &target);
            return Err(Refusal::Full);
        }
        let dead_letter = Some(self.keyspace.dead_letter_origin(key, fate.reason()));
        let hops = hops + 1;
        // Deduplication is for pushes of clients.
        self.record_known(db, &target, 1);
        let delay_ms = self.keyspace.policy_of(db, &target).and_then(|policy| policy.delay_ms);
        if let Some(delay_ms) = delay_ms {
            let messages = [message].into_iter();
            let delay = Delay { end: End::Back, ms: delay_ms, hops, dead_letter };
            self.delay(db, &target, messages, delay);
        } else {
            let ready_ms = self.keyspace.queue_ms();
            let stamp = Stamp { ready_ms, hops, dead_letter, ..Stamp::default() };
            let pushed = self.keyspace.change_or_create_list(db, &target, |queue| {
                queue.push_stamped(End::Back, message, stamp.clone());
            });
            debug_assert!(pushed.is_ok(), "the type was checked");
            let list = (End::Back, &target[..]);
            self.keyspace.effects.record_stamped_push(db, list, message, &stamp);
        }
        self.keyspace.count(db, &target, |totals| totals.pushed += 1);
        Ok(target)
    }
}

/// Whether a dead-letter queue takes a message: its key must be able to hold a list, even if a delayed message
/// needs it only later; and a full queue whose policy refuses pushes does not.
fn can_take(keyspace: &mut Keyspace, db: DbIndex, target: &[u8], bytes: usize) -> bool {
    if check_name(keyspace, target).is_err() || keyspace.list(db, target).is_err() {
        return false;
    }
    let Some(at) = keyspace.slot_for_push(db, target) else { return true };
    let Some(policy) = keyspace.policy_in(at) else { return true };
    let takes = !policy.refuses_overflow() || !is_beyond(keyspace, at, 1, bytes);
    if !takes {
        keyspace.drop_if_empty_in(at);
    }
    takes
}

fn warn_of_loop(keyspace: &mut Keyspace, Exit { key, policy, .. }: Exit<'_>, hops: u16) {
    if let Some(left_out) = keyspace.admit_line(QueueEvent::DeadLetterLoop) {
        let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
        warn!(
            "a message of '{key}' was a dead letter {hops} times without a delivery: policy '{name}' \
             drops it{left_out}"
        );
    }
}

fn warn_of_full(keyspace: &mut Keyspace, Exit { key, policy, .. }: Exit<'_>, target: &[u8]) {
    if let Some(left_out) = keyspace.admit_line(QueueEvent::DeadLetterFull) {
        let (key, target) = (key.escape_ascii(), target.escape_ascii());
        let name = policy.name.escape_ascii();
        warn!(
            "the dead-letter queue '{target}' of '{key}' is full or no list: policy '{name}' drops a \
             message{left_out}"
        );
    }
}
