//! Changing the policies, and what becomes of queues that one does not govern any more.

use super::delay::release;
use super::give_back::put_back;
use super::record::note_stamped;
use super::reserved::check_lists;
use crate::effects::Effects;
use crate::keyspace::Keyspace;
use crate::note::Note;
use crate::policy::{Policies, QueuePolicy};

/// Changes the policies, and then which queues they govern: of few keys at once, of many as a chore.
/// Messages that come under a policy are ready since `at_ms`, if a note says so of all of them.
pub fn change_policies<R>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    at_ms: Option<i64>,
    change: impl FnOnce(&mut Policies) -> R,
) -> R {
    let result = keyspace.set_policies(change);
    keyspace.begin_pass(at_ms);
    if keyspace.is_short_pass() {
        keyspace.go_on_with_pass(true);
        let count_max = keyspace.work.messages_at_once();
        let moved_before = keyspace.work.spent();
        while keyspace.work.is_little_since(moved_before)
            && settle_stranded(keyspace, effects, count_max)
        {}
        keyspace.note_behind();
    }
    result
}

/// Goes on to put queues under the policies that hold, as far as there is time for it.
pub fn follow_policies(keyspace: &mut Keyspace, effects: &mut Effects) {
    if !keyspace.has_pass() {
        return;
    }
    keyspace.go_on_with_pass(false);
    while keyspace.work.has_time() {
        let count_max = keyspace.work.messages_left();
        if !settle_stranded(keyspace, effects, count_max) {
            break;
        }
    }
    note_stamped(keyspace, effects);
    keyspace.note_behind();
}

/// Returns what is in flight or delayed of a queue whose policy does not provide for it any more to its old
/// place, whatever a policy says of messages that come back; `count_max` messages at the most, those that
/// were delivered last first. False if there is no such queue.
fn settle_stranded(keyspace: &mut Keyspace, effects: &mut Effects, count_max: usize) -> bool {
    let Some((db, key)) = keyspace.next_stranded() else { return false };
    let policy = keyspace.policies().of(&key);
    let keeps_in_flight = policy.is_some_and(|policy| policy.is_at_least_once());
    let keeps_delayed = policy.is_some_and(|policy| policy.delay_ms.is_some());
    let mut numbers = Vec::new();
    if let Some(governed) = keyspace.governed(db, &key)
        && !keeps_in_flight
    {
        let newest = governed.in_flight.iter().rev().take(count_max);
        numbers = newest.map(|(number, _)| number).collect();
        numbers.reverse();
    }
    put_back(keyspace, effects, db, &key, &numbers);
    if numbers.len() == count_max {
        return true;
    }
    if !keeps_delayed {
        release(keyspace, effects, db, &key, i64::MAX, count_max);
    }
    let is_delayed =
        keyspace.governed(db, &key).is_some_and(|governed| !governed.delayed.is_empty());
    if keeps_delayed || !is_delayed {
        keyspace.govern_again(db, &key);
    }
    true
}

/// QUEUE POLICY SET.
///
/// # Errors
/// There are too many policies, or a list that is there has a name that they need; nothing has changed.
pub fn set_policy(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    policy: QueuePolicy,
) -> Result<(), String> {
    let at_ms = keyspace.queue_ms();
    let mut next = keyspace.policies().clone();
    next.set(policy.clone())?;
    check_lists(keyspace, &next)?;
    // Messages that come under it are ready since then, as the note says.
    change_policies(keyspace, effects, Some(at_ms), |policies| *policies = next);
    keyspace.note_change();
    effects.note(0, &Note::PolicySet { at_ms, policy });
    Ok(())
}

/// The policies of the settings, after CONFIG SET.
///
/// # Errors
/// A list that is there has a name that they need, or a new one leaves open what acknowledges; nothing
/// has changed.
pub fn configure_policies(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    configured: &[QueuePolicy],
) -> Result<(), String> {
    let mut next = keyspace.policies().clone();
    for policy in configured.iter().filter(|policy| !next.is_configured(policy)) {
        policy.check_acknowledge()?;
    }
    let forgotten = next.configure(configured);
    check_lists(keyspace, &next)?;
    change_policies(keyspace, effects, None, |policies| *policies = next);
    for name in forgotten {
        keyspace.note_change();
        effects.note(0, &Note::PolicyForgotten { name });
    }
    Ok(())
}

/// QUEUE POLICY DEL; whether there was one of this name.
pub fn delete_policy(keyspace: &mut Keyspace, effects: &mut Effects, name: &[u8]) -> bool {
    let is_deleted = change_policies(keyspace, effects, None, |policies| policies.delete(name));
    if is_deleted {
        keyspace.note_change();
        effects.note(0, &Note::PolicyDeleted { name: name.to_vec() });
    }
    is_deleted
}
