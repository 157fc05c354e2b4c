//! Changing the policies, and what becomes of queues that one does not govern any more.

use super::delay::release;
use super::give_back::put_back;
use super::reserved::check_lists;
use crate::effects::Effects;
use crate::keyspace::Keyspace;
use crate::note::Note;
use crate::policy::{Policies, QueuePolicy};

/// Changes the policies. What is in flight or delayed of a queue whose policy does not provide for it any
/// more goes to the queue, to its old place, whatever a policy says of messages that come back.
pub fn change_policies<R>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    change: impl FnOnce(&mut Policies) -> R,
) -> R {
    let (result, stranded) = keyspace.change_policies(change);
    for (db, key) in stranded {
        let Some(governed) = keyspace.governed(db, &key) else { continue };
        let numbers: Vec<u64> = governed.in_flight.iter().map(|(number, _)| number).collect();
        let policy = keyspace.policies().of(&key);
        let keeps_in_flight = policy.is_some_and(|policy| policy.is_at_least_once());
        let keeps_delayed = policy.is_some_and(|policy| policy.delay_ms.is_some());
        let numbers = if keeps_in_flight { Vec::new() } else { numbers };
        put_back(keyspace, effects, db, &key, &numbers);
        if !keeps_delayed {
            release(keyspace, effects, db, &key, i64::MAX, usize::MAX);
        }
        keyspace.govern_again(db, &key);
    }
    result
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
    change_policies(keyspace, effects, |policies| *policies = next);
    // Messages that came under it are ready since then, as the note says.
    keyspace.take_newly_stamped();
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
    change_policies(keyspace, effects, |policies| *policies = next);
    for name in forgotten {
        keyspace.note_change();
        effects.note(0, &Note::PolicyForgotten { name });
    }
    Ok(())
}

/// QUEUE POLICY DEL; whether there was one of this name.
pub fn delete_policy(keyspace: &mut Keyspace, effects: &mut Effects, name: &[u8]) -> bool {
    let is_deleted = change_policies(keyspace, effects, |policies| policies.delete(name));
    if is_deleted {
        keyspace.note_change();
        effects.note(0, &Note::PolicyDeleted { name: name.to_vec() });
    }
    is_deleted
}
