//! What time brings to queues under a policy: messages that are ready or waited too long, deliveries that
//! were not acknowledged in time.

use super::delay::release;
use super::departures::part_with;
use super::give_back::give_back_part;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Fate, Key, Keyspace, QueueEvent, Return};
use crate::policy::QueuePolicy;
use crate::queue::End;
use log::warn;
use std::sync::Arc;

/// Does what is due by the time of the turn, as far as there is time for it.
pub fn tend_due(keyspace: &mut Keyspace, effects: &mut Effects) {
    while keyspace.work.has_time()
        && let Some((db, key)) = keyspace.take_due()
    {
        keyspace.work.keys(1);
        if let Some(policy) = keyspace.policy_of(db, &key) {
            return_overdue(keyspace, effects, db, &key, &policy);
            let now_ms = keyspace.queue_ms();
            release(keyspace, effects, db, &key, now_ms, keyspace.work.messages_left());
            if let Some(window_ms) = policy.dedup_window_ms {
                keyspace.forget_recent(db, &key, window_ms);
            }
            expire(keyspace, effects, db, &key, &policy);
        }
        keyspace.note_due_again(db, &key);
    }
    keyspace.note_left_due();
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
    let since_ms = keyspace.queue_ms().saturating_sub(timeout_ms);
    let count_max = keyspace.work.messages_left();
    let (how, numbers) = keyspace.overdue(db, key, since_ms, count_max);
    if how != Return::Hopeless
        && !numbers.is_empty()
        && let Some(left_out) = keyspace.admit_line(QueueEvent::Overdue)
    {
        let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
        warn!(
            "{} messages of '{key}' were not acknowledged within {timeout_ms} ms: policy '{name}' \
             takes them back{left_out}",
            numbers.len()
        );
    }
    give_back_part(keyspace, effects, db, key, how, &numbers);
}

/// Takes away what has waited too long: all of it, since nobody may be shown or given it.
fn expire(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    policy: &Arc<QueuePolicy>,
) {
    let Some(ttl_ms) = policy.message_ttl_ms else { return };
    let limit_ms = keyspace.queue_ms().saturating_sub(ttl_ms);
    part_with(keyspace, effects, db, key, policy, (Fate::Expired, End::Front), |queue| {
        queue.next_older_than(limit_ms)
    });
}
