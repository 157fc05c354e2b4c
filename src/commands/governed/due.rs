//! What time brings to governed queues: messages that are ready or waited too long, deliveries that
//! were not acknowledged in time.

use super::delay::release;
use super::give_back::give_back;
use super::leave::{Fate, leave};
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Key, Keyspace};
use crate::policy::QueuePolicy;
use crate::queue::{End, Gathered, TakenOut};
use crate::state::{State, add_expired};

/// Does all that is due by the keyspace's time.
pub fn tend_due(state: &mut State) {
    let State { keyspace, effects, .. } = state;
    let now_ms = keyspace.queue_ms();
    while let Some((db, key)) = keyspace.take_due(now_ms) {
        if let Some(policy) = keyspace.policy_of(db, &key) {
            return_overdue(keyspace, effects, db, &key, &policy);
            release(keyspace, effects, db, &key, now_ms);
            if let Some(window_ms) = policy.dedup_window_ms {
                keyspace.forget_recent(db, &key, window_ms);
            }
            expire(keyspace, effects, db, &key, &policy);
        }
        keyspace.note_due_again(db, &key);
    }
}

/// Returns what has been in flight for too long.
fn return_overdue(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    policy: &QueuePolicy,
) {
    let Some(timeout_ms) = policy.ack_timeout_ms else { return };
    let now_ms = keyspace.queue_ms();
    let Some(governed) = keyspace.governed(db, key) else { return };
    let deliveries = governed.in_flight.iter();
    let overdue = deliveries
        .take_while(|(_, delivery)| delivery.delivered_ms.saturating_add(timeout_ms) <= now_ms);
    let numbers: Vec<u64> = overdue.map(|(number, _)| number).collect();
    give_back(keyspace, effects, db, key, &numbers);
}

/// Takes away what has waited too long.
fn expire(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    policy: &QueuePolicy,
) {
    let Some(ttl_ms) = policy.message_ttl_ms else { return };
    let limit_ms = keyspace.queue_ms().saturating_sub(ttl_ms);
    // Those that go to nobody are only counted.
    let keeps = policy.dead_letter.is_some();
    let mut letters = Gathered::default();
    while let Ok(Some(Some(gone))) = keyspace.try_change_list(db, key, |queue| {
        let gone = queue.take_older_than(limit_ms, keeps);
        let is_changed = gone.is_some();
        (gone, is_changed)
    }) {
        add_expired(keyspace, effects);
        state_gone(keyspace, effects, db, key, &gone);
        if !keeps {
            keyspace.count(db, key, |totals| totals.expired += gone.count as u64);
        }
        letters.add(gone);
    }
    // As they would have come, each at its own moment.
    for (message, stamp) in &letters.into_sorted() {
        leave(keyspace, effects, db, key, policy, message, *stamp, Fate::Expired);
    }
}

/// States that messages were taken out of a list: as pops, or in the middle as LREM of a mark that no
/// message can be expected to be, which takes their places first.
pub fn state_gone(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    gone: &TakenOut,
) {
    let &TakenOut { index, count, behind, .. } = gone;
    if index == 0 {
        return effects.state_pop(db, End::Front, key, count);
    }
    if behind == 0 {
        return effects.state_pop(db, End::Back, key, count);
    }
    let mark = keyspace.mark();
    let mut digits = itoa::Buffer::new();
    for place in index..index + count {
        effects.state(db, [b"LSET", key, digits.format(place).as_bytes(), &mark]);
    }
    effects.state(db, [b"LREM", key, digits.format(count).as_bytes(), &mark]);
}
