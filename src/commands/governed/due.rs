//! What time brings to governed queues: messages that are ready or waited too long, deliveries that
//! were not acknowledged in time.

use super::delay::release;
use super::deliver::give_back;
use super::leave::{Fate, leave};
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Key, Keyspace};
use crate::policy::QueuePolicy;
use crate::queue::{End, Stamp};
use crate::state::{State, add_expired};

/// Does all that is due by the keyspace's time.
pub fn tend_due(state: &mut State) {
    let State { keyspace, effects, .. } = state;
    let now_ms = keyspace.now_ms();
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
    let now_ms = keyspace.now_ms();
    while let Some(governed) = keyspace.governed(db, key)
        && let Some((number, delivery)) = governed.in_flight.first()
        && delivery.delivered_ms.saturating_add(timeout_ms) <= now_ms
    {
        give_back(keyspace, effects, db, key, number);
    }
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
    let limit_ms = keyspace.now_ms().saturating_sub(ttl_ms);
    // Those that go to nobody are only counted.
    let keeps = policy.dead_letter.is_some();
    let (mut letters, mut letters_at_back) = (Vec::new(), Vec::new());
    while let Ok(Some(Some(gone))) = keyspace.try_change_list(db, key, |queue| {
        let Some((index, count)) = queue.next_older_than(limit_ms) else { return (None, false) };
        let messages: Vec<(Box<[u8]>, Stamp)> =
            if keeps { queue.copy_stamped(index, count) } else { Vec::new() };
        let behind = queue.len() - index - count;
        queue.trim_out(index, count);
        (Some(Gone { index, count, behind, messages }), true)
    }) {
        add_expired(keyspace, effects);
        state_gone(keyspace, effects, db, key, (gone.index, gone.count, gone.behind));
        if !keeps {
            keyspace.count(db, key, |totals| totals.expired += gone.count as u64);
        }
        let is_at_back = gone.index > 0 && gone.behind == 0;
        if is_at_back { &mut letters_at_back } else { &mut letters }.extend(gone.messages);
    }
    letters.append(&mut letters_at_back);
    // As they would have come, each at its own moment; of one moment in the order of the queue.
    letters.sort_by_key(|(_, stamp)| stamp.ready_ms);
    for (message, stamp) in &letters {
        leave(keyspace, effects, db, key, policy, message, *stamp, Fate::Expired);
    }
}

/// Neighbours that were taken out of a list.
struct Gone {
    index: usize,
    count: usize,
    /// How many messages are behind them.
    behind: usize,
    messages: Vec<(Box<[u8]>, Stamp)>,
}

/// States that so many messages from an index on are gone from a list, behind which others are: as
/// pops, or in the middle as LREM of a mark that no message can be expected to be, which takes their
/// places first.
pub fn state_gone(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    (index, count, behind): (usize, usize, usize),
) {
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
