//! Pushes to a governed queue: paused, full, or stored.

use super::delay::delay;
use super::departures::finish_push;
use super::limits::check_push;
use super::record::note_ready;
use super::reserved::check_name;
use crate::effects::Effects;
use crate::engine::CommandError;
use crate::keyspace::{DbIndex, Fingerprint, Keyspace};
use crate::queue::End;
use crate::state::add_expired;
use std::collections::HashSet;

/// Pushes messages at one end of a governed queue; the length after. The caller has seen that the key has no
/// other value than a list.
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
