//! Pushes to a governed queue: paused, full, or stored.

use super::delay::delay;
use super::departures::part_with;
use super::leave::leave;
use super::reserved::check_name;
use super::{delayed_key, opposite};
use crate::effects::Effects;
use crate::engine::CommandError;
use crate::keyspace::{DbIndex, Fate, Fingerprint, Key, Keyspace, NewlyStamped};
use crate::note::Note;
use crate::policy::{Overflow, QueuePolicy};
use crate::queue::{End, Stamp};
use crate::state::add_expired;
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

/// Pushes messages at one end of a governed queue; the length after.
///
/// # Errors
/// The queue is paused or full, or a policy needs its name: then nothing was stored.
pub fn push<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Result<usize, CommandError> {
    let policy = keyspace.policy_of(db, key);
    let window_ms = policy.and_then(|policy| policy.dedup_window_ms);
    let pushed = check_name(keyspace, key).and_then(|()| match window_ms {
        None => store(keyspace, effects, db, key, end, messages),
        Some(window_ms) => store_new(keyspace, effects, db, key, end, messages, window_ms),
    });
    keyspace.drop_if_empty(db, key);
    pushed
}

/// As `push`, of those messages that the queue has not had in the window.
fn store_new<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    window_ms: i64,
) -> Result<usize, CommandError> {
    let given = messages.len();
    let new = new_messages(keyspace, db, key, messages, window_ms);
    let len = match new.is_empty() {
        true => keyspace.length_under_policy(db, key).0,
        false => store(keyspace, effects, db, key, end, new.iter().map(|(message, _)| *message))?,
    };
    let same = given - new.len();
    keyspace.count(db, key, |totals| totals.deduplicated += same as u64);
    if new.is_empty() {
        // Nothing has changed, and nothing may be recorded.
        return Ok(len);
    }
    let at_ms = keyspace.queue_ms();
    keyspace.remember(db, key, new.iter().map(|(_, fingerprint)| *fingerprint), window_ms, at_ms);
    Ok(len)
}

/// The messages that a queue has not had in the window, each once, with what stands for them.
pub(super) fn new_messages<'a>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    messages: impl Iterator<Item = &'a [u8]>,
    window_ms: i64,
) -> Vec<(&'a [u8], Fingerprint)> {
    let mut new = Vec::new();
    let mut seen = HashSet::new();
    for message in messages {
        let fingerprint = keyspace.fingerprint(message);
        if !keyspace.has_had(db, key, fingerprint, window_ms) && seen.insert(fingerprint) {
            new.push((message, fingerprint));
        }
    }
    new
}

fn store<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Result<usize, CommandError> {
    let bytes = messages.clone().map(<[u8]>::len).sum();
    check_push(keyspace, db, key, messages.len(), bytes)?;
    if let Some(delay_ms) = keyspace.policy_of(db, key).and_then(|policy| policy.delay_ms) {
        let count = messages.len();
        delay(keyspace, effects, db, key, end, messages, delay_ms, 0);
        return Ok(finish_push(keyspace, effects, db, key, end, count));
    }
    keyspace.change_or_create_list(db, key, |queue| {
        for message in messages.clone() {
            queue.push(end, message);
        }
    })?;
    add_expired(keyspace, effects);
    note_ready(keyspace, effects, db, key);
    effects.state_push(db, end, key, messages.clone());
    Ok(finish_push(keyspace, effects, db, key, end, messages.len()))
}

/// Notes since when the messages are ready that are about to be stated as pushed to a governed queue, if
/// the stream does not say so yet.
pub fn note_ready(keyspace: &mut Keyspace, effects: &mut Effects, db: DbIndex, key: &[u8]) {
    note_ready_since(keyspace, effects, db, key, keyspace.queue_ms());
}

/// As `note_ready`, of messages that are ready since `ms`.
pub fn note_ready_since(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    ms: i64,
) {
    if effects.is_on() && keyspace.note_ready_ms(db, key, effects.file(), ms) == Some(false) {
        effects.note(db, &Note::Ready { key: key.to_vec(), ms });
    }
}

/// Notes since when the messages are ready that came under a policy in another way than by a push: a
/// list was renamed or copied, the policies changed.
pub fn note_stamped(keyspace: &mut Keyspace, effects: &mut Effects) {
    for NewlyStamped { db, key, ms, is_corrected } in keyspace.take_newly_stamped() {
        // Also if the same was noted before these came.
        if keyspace.note_ready_ms(db, &key, effects.file(), ms).is_none() {
            continue;
        }
        let key = key.to_vec();
        if is_corrected && let Some(list) = keyspace.peek_list(db, &key) {
            let runs = list.stamp_runs().collect();
            effects.note(db, &Note::Stamped { key: key.clone(), end: End::Back, runs });
        }
        effects.note(db, &Note::Ready { key, ms });
    }
}

/// Whether so many messages, of so many bytes together, may be stored in a governed queue.
///
/// # Errors
/// The queue is paused or full.
pub fn check_push(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    count: usize,
    bytes: usize,
) -> Result<(), CommandError> {
    let Some(governed) = keyspace.governed(db, key) else { return Ok(()) };
    let error = if governed.is_write_paused {
        paused(key)
    } else if let Some(policy) = governed.policy.clone()
        && policy.refuses_overflow()
        && let Some(limit) = limit_passed(keyspace, db, key, &policy, count, bytes)
    {
        full(key, &limit, &policy)
    } else {
        return Ok(());
    };
    keyspace.count(db, key, |totals| totals.rejected += count as u64);
    Err(error)
}

/// The limit that a queue would pass with so much more, in words.
pub(super) fn limit_passed(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    count: usize,
    bytes: usize,
) -> Option<String> {
    let (len, message_bytes) = keyspace.length_under_policy(db, key);
    if let Some(max) = policy.max_length
        && (len + count) as u64 > max
    {
        return Some(format!("max-length {max}"));
    }
    if let Some(max) = policy.max_length_bytes
        && (message_bytes + bytes) as u64 > max
    {
        return Some(format!("max-length-bytes {max}"));
    }
    None
}

pub fn full(key: &[u8], limit: &str, policy: &QueuePolicy) -> CommandError {
    let text = [b"QUEUEFULL queue '", key, b"' has reached ", limit.as_bytes(), b" of policy '"];
    CommandError::Bytes([&text.concat()[..], &policy.name, b"'"].concat())
}

fn paused(key: &[u8]) -> CommandError {
    CommandError::Bytes([b"QUEUEPAUSED queue '", key, b"' takes no messages now"].concat())
}

/// Messages that make room one after the other; of more than these it is known at once how many.
const ONE_BY_ONE_MAX: usize = 16;

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
    make_room(keyspace, effects, db, key, opposite(end))
}

/// Takes messages away from the end where the oldest are, until the queue is within its limits, if its
/// policy wants that. The length after.
fn make_room(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    oldest: End,
) -> usize {
    let policy = keyspace.policy_of(db, key);
    if let Some(policy) = policy.filter(|policy| !policy.refuses_overflow()) {
        let fate = match policy.overflow {
            Overflow::DeadLetter => Fate::DeadLetter,
            _ => Fate::Dropped,
        };
        // Nearly always there is none too many, or one.
        for _ in 0..ONE_BY_ONE_MAX {
            if limit_passed(keyspace, db, key, &policy, 0, 0).is_none() {
                return keyspace.length_under_policy(db, key).0;
            }
            let Some((message, stamp)) = pop_oldest(keyspace, effects, db, key, oldest) else {
                break;
            };
            leave(keyspace, effects, db, key, &policy, &message, stamp, fate);
        }
        make_much_room(keyspace, effects, db, &Key::from(key), &policy, fate, oldest);
    }
    keyspace.length_under_policy(db, key).0
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
    part_with(keyspace, effects, db, key, policy, fate, |queue| {
        let start = if oldest == End::Front { 0 } else { queue.len() - ready.min(queue.len()) };
        (!is_done.replace(true)).then_some((start, ready))
    });
    while limit_passed(keyspace, db, key, policy, 0, 0).is_some() {
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
