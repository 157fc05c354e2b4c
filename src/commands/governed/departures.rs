//! Messages that leave a governed queue without a consumer: dropped, expired, or as dead letters. One
//! leaves at once; of a row few do, and many are handed over as a chore.
//!
//! A dead letter may be one too many in its queue. The oldest message there leaves as well, and so on;
//! where policies form a circle, this goes on for long. `make_room_in_turn` is therefore a loop, not a
//! recursion.

use super::delay::delay;
use super::limits::{PushRules, is_beyond};
use super::record::note_ready;
use super::reserved::check_name;
use super::{delayed_key, opposite};
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Departure, Fate, Key, Keyspace, QueueEvent, Removed, Slot};
use crate::policy::{Overflow, QueuePolicy};
use crate::queue::{End, Gathered, Queue, Stamp, TakenOut};
use crate::state::add_expired;
use log::warn;
use std::cell::Cell;
use std::sync::Arc;

/// So often a message may become a dead letter: if each queue's policy hands it to the next, and the
/// last to the first, it has been everywhere by then.
const HOPS_MAX: u16 = 16;

/// Messages that make room one after the other; of more than these it is known at once how many.
const ONE_BY_ONE_MAX: usize = 16;

/// A letter may make others leave, which counts as well: so many are taken at once.
const HANDED_OVER_MAX: usize = 100;

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
    let target = leave_to(keyspace, effects, db, key, policy, message, stamp, fate);
    if let Some(target) = target {
        make_room(keyspace, effects, db, &target, End::Front);
    }
}

/// As `leave`, but makes no room in the dead-letter queue: its key, if there is one that took the message.
#[expect(clippy::too_many_arguments, reason = "a message, where it was, and what becomes of it")]
fn leave_to(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    message: &[u8],
    stamp: Stamp,
    fate: Fate,
) -> Option<Vec<u8>> {
    keyspace.work.moved(1);
    let target = match fate {
        Fate::Dropped => None,
        Fate::Expired | Fate::DeadLetter => {
            dead_letter(keyspace, effects, db, key, policy, message, stamp.hops)
        }
    };
    keyspace.count(db, key, |totals| match fate {
        _ if target.is_some() => totals.dead_lettered += 1,
        Fate::Expired => totals.expired += 1,
        Fate::Dropped | Fate::DeadLetter => totals.dropped += 1,
    });
    target
}

/// Pushes a message to the end of the dead-letter queue, whose key it gives; none if there is none, or it
/// takes no more. The message's life there begins anew.
fn dead_letter(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    message: &[u8],
    hops: u16,
) -> Option<Vec<u8>> {
    let target = policy.dead_letter_key(key)?;
    if hops >= HOPS_MAX {
        if let Some(left_out) = keyspace.admit_line(QueueEvent::DeadLetterLoop) {
            let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
            warn!(
                "a message of '{key}' was a dead letter {hops} times: policy '{name}' drops \
                 it{left_out}"
            );
        }
        return None;
    }
    check_name(keyspace, &target).ok()?;
    if let Some(at) = keyspace.will_be_governed(db, &target)
        && !takes_more(keyspace, at, message.len())
    {
        return None;
    }
    let delay_ms = keyspace.policy_of(db, &target).and_then(|policy| policy.delay_ms);
    if let Some(delay_ms) = delay_ms {
        // A delay needs no list yet, but in the end.
        keyspace.list(db, &target).ok()?;
        let letter = [message].into_iter();
        delay(keyspace, effects, db, &target, End::Back, letter, delay_ms, hops + 1);
        keyspace.count(db, &target, |totals| totals.pushed += 1);
        return Some(target);
    }
    let stamp = Stamp { ready_ms: keyspace.queue_ms(), hops: hops + 1, ..Stamp::default() };
    let pushed = keyspace.change_or_create_list(db, &target, |queue| {
        queue.push_stamped(End::Back, message, stamp);
    });
    pushed.ok()?;
    note_ready(keyspace, effects, db, &target);
    effects.state_push(db, End::Back, &target, [message]);
    keyspace.count(db, &target, |totals| totals.pushed += 1);
    Some(target)
}

/// Whether a governed dead-letter queue takes a message: one that refuses when it is full does not.
fn takes_more(keyspace: &Keyspace, at: Slot, bytes: usize) -> bool {
    let Some(policy) = keyspace.policy_in(at) else { return true };
    !policy.refuses_overflow() || !is_beyond(keyspace, at, 1, bytes)
}

/// What follows when messages were stored at an end of a governed queue: they are counted, and if they
/// are too many, the oldest make room. The length after.
pub fn finish_push(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    count: usize,
) -> usize {
    keyspace.count(db, key, |totals| totals.pushed += count as u64);
    make_room_for(keyspace, effects, db, key, end)
}

/// If there are too many messages, the oldest make room for those that were pushed to an end. The length
/// after.
pub fn make_room_for(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
) -> usize {
    make_room(keyspace, effects, db, key, opposite(end));
    keyspace.length_under_policy(db, key).0
}

/// Takes messages away from the end where the oldest are, until the queue is within its limits, if its
/// policy wants that.
fn make_room(keyspace: &mut Keyspace, effects: &mut Effects, db: DbIndex, key: &[u8], oldest: End) {
    if drop_one(keyspace, effects, db, key, oldest) && policy_exceeded(keyspace, db, key).is_some()
    {
        let full = Full { key: key.to_vec(), oldest, popped: 0 };
        make_room_in_turn(keyspace, effects, db, full);
    }
}

/// Drops the oldest message if there are too many, and nobody wants it: nearly always there is one too many.
/// Whether there may be more.
fn drop_one(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    oldest: End,
) -> bool {
    let Some(at) = keyspace.slot(db, key) else { return false };
    let rules = PushRules::of(keyspace, at);
    let ready = keyspace.ready_in(at);
    if !rules.make_room() || !rules.is_beyond(ready) {
        return false;
    }
    if rules.overflow != Overflow::DropHead || ready.0 == 0 {
        return true;
    }
    keyspace.work.moved(1);
    // Before the list may be gone, and its slot with it.
    keyspace.count_in(at, |totals| totals.dropped += 1);
    let ready = keyspace.change_list_in(at, |queue| {
        queue.pop(oldest, |_| ());
        (queue.len(), queue.message_bytes())
    });
    effects.state_pop(db, oldest, key, 1);
    ready.is_ok_and(|ready| rules.is_beyond(ready))
}

/// The policy of a queue that is beyond its limits, if the oldest messages then make room.
fn policy_exceeded(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
    let at = keyspace.slot(db, key)?;
    let policy = keyspace.policy_in(at)?;
    (!policy.refuses_overflow() && is_beyond(keyspace, at, 0, 0)).then(|| Arc::clone(policy))
}

/// A queue that may be beyond its limits.
struct Full {
    key: Vec<u8>,
    /// The end where the oldest are.
    oldest: End,
    /// How many messages have made room, one after the other.
    popped: usize,
}

/// Makes room in a queue, and whenever a dead letter is too much for another one, there first.
fn make_room_in_turn(keyspace: &mut Keyspace, effects: &mut Effects, db: DbIndex, first: Full) {
    // Each queue is there once.
    let mut full = vec![first];
    while let Some(mut last) = full.pop() {
        let Some(policy) = policy_exceeded(keyspace, db, &last.key) else { continue };
        let fate = match policy.overflow {
            Overflow::DeadLetter => Fate::DeadLetter,
            _ => Fate::Dropped,
        };
        // Nearly always there is one too many.
        if last.popped == ONE_BY_ONE_MAX {
            let key = Key::from(&last.key[..]);
            make_much_room(keyspace, effects, db, &key, &policy, fate, last.oldest);
            continue;
        }
        let popped = pop_oldest(keyspace, effects, db, &last.key, last.oldest);
        let Some((message, stamp)) = popped else { continue };
        last.popped += 1;
        let target = leave_to(keyspace, effects, db, &last.key, &policy, &message, stamp, fate);
        full.push(last);
        if let Some(target) = target {
            full.retain(|other| other.key != target);
            full.push(Full { key: target, oldest: End::Front, popped: 0 });
        }
    }
}

/// Takes all messages away that are too many: those that are ready in one row, then delayed ones.
fn make_much_room(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    policy: &Arc<QueuePolicy>,
    fate: Fate,
    oldest: End,
) {
    let ready = keyspace.excess(db, key, policy, oldest);
    let is_done = Cell::new(ready == 0);
    part_with(keyspace, effects, db, key, policy, (fate, oldest), |queue| {
        let start = if oldest == End::Front { 0 } else { queue.len() - ready.min(queue.len()) };
        (!is_done.replace(true)).then_some((start, ready))
    });
    while let Some(at) = keyspace.slot(db, key)
        && is_beyond(keyspace, at, 0, 0)
    {
        let Some((message, stamp)) = pop_oldest(keyspace, effects, db, key, oldest) else { break };
        leave(keyspace, effects, db, key, policy, &message, stamp, fate);
    }
}

/// Takes a message away from the end where the oldest are; of those that are delayed if no other is
/// left.
fn pop_oldest(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    oldest: End,
) -> Option<(Vec<u8>, Stamp)> {
    let popped = keyspace.change_list(db, key, |queue| queue.pop_stamped(oldest, <[u8]>::to_vec));
    if let Ok(Some(Some(popped))) = popped {
        effects.state_pop(db, oldest, key, 1);
        return Some(popped);
    }
    let popped =
        keyspace.change_delayed(db, key, |queue| queue.pop_stamped(End::Front, <[u8]>::to_vec));
    effects.state_pop(db, End::Front, &delayed_key(key), 1);
    popped.flatten()
}

/// Takes messages out of a queue, row after row as `next` names them: the index of the first, and how many.
/// Of each row those at one end leave first.
pub fn part_with(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &Key,
    policy: &Arc<QueuePolicy>,
    (fate, first): (Fate, End),
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
            hand_over_gathered(keyspace, effects, db, key, policy, (fate, first), &mut letters);
            let removed = keyspace.depart(db, key, policy, (fate, first), (index, count));
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
    hand_over_gathered(keyspace, effects, db, key, policy, (fate, first), &mut letters);
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

/// Hands messages over as they would have come one by one: those that expired each at its own moment, others
/// from one end on.
fn hand_over_gathered(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    (fate, first): (Fate, End),
    letters: &mut Gathered,
) {
    let letters = std::mem::take(letters);
    let letters =
        if fate == Fate::Expired { letters.into_sorted() } else { letters.into_row(first) };
    for (message, stamp) in &letters {
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
        let Departure { db, key, list, policy, fate, first } = departure;
        for (message, stamp) in &messages {
            leave(keyspace, effects, db, &key, &policy, message, *stamp, fate);
        }
        let mut digits = itoa::Buffer::new();
        let pop = if first == End::Front { &b"LPOP"[..] } else { b"RPOP" };
        effects.add(db, [pop, &list, digits.format(messages.len()).as_bytes()]);
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Now;
    use crate::commands::governed::{Place, PushRules, push};
    use crate::host::NoHost;
    use crate::queue::End;
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
        let State { keyspace, effects, .. } = &mut state;
        let mut push_to = |key: &[u8]| {
            let at = keyspace.slot_or_create(0, key);
            let to = Place { at, key, end: End::Back, rules: PushRules::of(keyspace, at) };
            push(keyspace, effects, &to, [&b"m"[..]].into_iter())
        };
        for len in 1..=LEN {
            assert_eq!((push_to(b"a"), push_to(b"b")), (Ok(len), Ok(len)));
        }
        // Each message is a dead letter as often as it may be before the first one is dropped.
        assert_eq!(push_to(b"a"), Ok(LEN));
        keyspace.check_invariants();
        let dropped = |key| keyspace.governed(0, key).map(|governed| governed.totals.dropped);
        assert_eq!([&b"a"[..], b"b"].map(dropped).iter().flatten().sum::<u64>(), 1);
    }
}
