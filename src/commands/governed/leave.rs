//! How messages leave a governed queue without a consumer: dropped, expired, or as dead letters.

use super::delay::delay;
use super::push::{finish_push, limit_passed, note_ready};
use super::reserved::check_name;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Fate, Keyspace, QueueEvent};
use crate::policy::QueuePolicy;
use crate::queue::{End, Stamp};
use log::warn;

/// So often a message may become a dead letter: if each queue's policy hands it to the next, and the
/// last to the first, it has been everywhere by then.
const HOPS_MAX: u16 = 16;

/// Counts a message that was taken away from a governed queue, and hands it to the dead-letter queue if
/// that is its fate.
#[expect(clippy::too_many_arguments, reason = "a message, where it was, and what becomes of it")]
pub fn leave(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    message: &[u8],
    stamp: Stamp,
    fate: Fate,
) {
    keyspace.work.moved(1);
    let is_buried =
        fate != Fate::Dropped && bury(keyspace, effects, db, key, policy, message, stamp.hops);
    keyspace.count(db, key, |totals| match fate {
        _ if is_buried => totals.dead_lettered += 1,
        Fate::Expired => totals.expired += 1,
        Fate::Dropped | Fate::DeadLetter => totals.dropped += 1,
    });
}

/// Pushes a message to the dead-letter queue; false if there is none, or it takes no more. Its life
/// there begins anew.
fn bury(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    message: &[u8],
    hops: u16,
) -> bool {
    let Some(target) = policy.dead_letter_key(key) else { return false };
    if hops >= HOPS_MAX {
        if let Some(left_out) = keyspace.admit_line(QueueEvent::DeadLetterLoop) {
            let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
            warn!(
                "a message of '{key}' was a dead letter {hops} times: policy '{name}' drops \
                 it{left_out}"
            );
        }
        return false;
    }
    if check_name(keyspace, &target).is_err() {
        return false;
    }
    if keyspace.will_be_governed(db, &target) && !takes_more(keyspace, db, &target, message.len()) {
        return false;
    }
    let delay_ms = keyspace.policy_of(db, &target).and_then(|policy| policy.delay_ms);
    if let Some(delay_ms) = delay_ms {
        let letter = [message].into_iter();
        delay(keyspace, effects, db, &target, End::Back, letter, delay_ms, hops + 1);
        finish_push(keyspace, effects, db, &target, End::Back, 1);
        return true;
    }
    let stamp = Stamp { ready_ms: keyspace.queue_ms(), hops: hops + 1, ..Stamp::default() };
    let pushed = keyspace.change_or_create_list(db, &target, |queue| {
        queue.push_stamped(End::Back, message, stamp);
    });
    if pushed.is_err() {
        return false;
    }
    note_ready(keyspace, effects, db, &target);
    effects.state_push(db, End::Back, &target, [message]);
    finish_push(keyspace, effects, db, &target, End::Back, 1);
    true
}

/// Whether a governed dead-letter queue takes a message: one that refuses when it is full does not.
fn takes_more(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], bytes: usize) -> bool {
    let Some(policy) = keyspace.policy_of(db, key) else { return true };
    !policy.refuses_overflow() || limit_passed(keyspace, db, key, &policy, 1, bytes).is_none()
}
