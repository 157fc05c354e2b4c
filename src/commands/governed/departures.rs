//! Messages that leave a queue without a consumer, in rows: few are dropped or handed over at once, many
//! leave at once, and are handed over as a chore.

use super::leave::leave;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Departure, Fate, Key, Keyspace, Removed};
use crate::policy::QueuePolicy;
use crate::queue::{Gathered, Queue, TakenOut};
use crate::state::add_expired;
use std::sync::Arc;

/// Takes messages out of a queue, row after row as `next` names them: the index of the first, and how many.
pub fn part_with(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    policy: &Arc<QueuePolicy>,
    fate: Fate,
    next: impl Fn(&Queue) -> Option<(usize, usize)>,
) {
    // Those that go to nobody are only counted.
    let keeps = fate != Fate::Dropped && policy.dead_letter.is_some();
    let mut left = keyspace.work.messages_at_once();
    let mut letters = Gathered::default();
    while let Ok(Some(list)) = keyspace.list(db, key)
        && let Some((index, count)) = next(list)
    {
        if keeps && (count > left || keyspace.has_departing_of(db, key)) {
            hand_over_gathered(keyspace, effects, db, key, policy, fate, &mut letters);
            let removed = keyspace.depart(db, key, policy, fate, (index, count));
            state_removed(keyspace, effects, removed);
            continue;
        }
        left = if keeps { left - count } else { left };
        let Some(gone) = take_out(keyspace, db, key, (index, count), keeps) else { break };
        let TakenOut { index, count, behind, .. } = gone;
        let removed = Removed { db, key: key.clone(), index, count, behind, departure: None };
        state_removed(keyspace, effects, Some(removed));
        if !keeps {
            keyspace.count(db, key, |totals| match fate {
                Fate::Expired => totals.expired += count as u64,
                Fate::Dropped | Fate::DeadLetter => totals.dropped += count as u64,
            });
        }
        letters.add(gone);
    }
    hand_over_gathered(keyspace, effects, db, key, policy, fate, &mut letters);
}

fn take_out(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    (index, count): (usize, usize),
    keeps: bool,
) -> Option<TakenOut> {
    let taken = keyspace.change_list(db, key, |queue| {
        let messages = if keeps { queue.copy_stamped(index, count) } else { Vec::new() };
        queue.trim_out(index, count);
        TakenOut { index, count, behind: queue.len() - index, messages }
    });
    taken.ok().flatten()
}

fn state_removed(keyspace: &mut Keyspace, effects: &mut Effects, removed: Option<Removed>) {
    add_expired(keyspace, effects);
    if let Some(removed) = removed {
        effects.state_removed(&removed, || keyspace.mark());
    }
}

/// Hands messages over as they would have come, each at its own moment.
fn hand_over_gathered(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    fate: Fate,
    letters: &mut Gathered,
) {
    for (message, stamp) in &std::mem::take(letters).into_sorted() {
        leave(keyspace, effects, db, key, policy, message, *stamp, fate);
    }
}

/// Hands messages over that have left their queues, as far as there is time for it.
pub fn hand_over(keyspace: &mut Keyspace, effects: &mut Effects) {
    // What a look-up has taken out of a queue is recorded before it is handed over.
    add_expired(keyspace, effects);
    while keyspace.work.has_time()
        && let Some((departure, messages)) =
            keyspace.take_departing(keyspace.work.messages_left().min(HANDED_OVER_MAX))
    {
        let Departure { db, key, list, policy, fate } = departure;
        for (message, stamp) in &messages {
            leave(keyspace, effects, db, &key, &policy, message, *stamp, fate);
        }
        let mut digits = itoa::Buffer::new();
        effects.add(db, [&b"LPOP"[..], &list, digits.format(messages.len()).as_bytes()]);
    }
}

/// A letter may make others leave, which counts as well: so many are taken at once.
const HANDED_OVER_MAX: usize = 100;
