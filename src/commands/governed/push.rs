//! Pushes to a governed queue: paused, full, or stored.

use super::delay::delay;
use super::departures::{finish_push, make_room_for};
use super::limits::PushRules;
use super::record::note_ready_in;
use super::reserved::check_name;
use crate::effects::Effects;
use crate::engine::CommandError;
use crate::keyspace::{DbIndex, Fingerprint, Keyspace, Slot};
use crate::queue::End;
use crate::state::add_expired;
use std::collections::HashSet;

/// Where messages are pushed, and what holds for that.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub at: Slot,
    pub key: &'a [u8],
    pub end: End,
    pub rules: PushRules,
}

/// Pushes messages to a queue under a policy; the length after. The caller has seen that the key has no
/// other value than a list.
///
/// # Errors
/// The queue is paused or full, or a policy needs its name: then nothing was stored.
#[inline]
pub fn push<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    to: &Place<'_>,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Result<usize, CommandError> {
    let pushed = match check_name(keyspace, to.key) {
        Err(error) => Err(error),
        Ok(()) => match to.rules.dedup_window_ms {
            None => store(keyspace, effects, to, messages),
            Some(window_ms) => store_new(keyspace, effects, to, messages, window_ms),
        },
    };
    if pushed.is_err() {
        keyspace.drop_if_empty_in(to.at);
    }
    pushed
}

/// As `push`, of those messages that the queue has not had in the window.
fn store_new<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    to: &Place<'_>,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    window_ms: i64,
) -> Result<usize, CommandError> {
    let given = messages.len();
    let (at, db, key) = (to.at, to.at.db(), to.key);
    let new = new_messages(keyspace, db, key, messages, window_ms);
    let same = given - new.len();
    if new.is_empty() {
        // Nothing has changed, and nothing may be recorded.
        let len = keyspace.length_in(at).0;
        keyspace.count_in(at, |totals| totals.deduplicated += same as u64);
        keyspace.drop_if_empty_in(at);
        return Ok(len);
    }
    let len = store(keyspace, effects, to, new.iter().map(|(message, _)| *message))?;
    keyspace.count(db, key, |totals| totals.deduplicated += same as u64);
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

#[inline]
fn store<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    to: &Place<'_>,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Result<usize, CommandError> {
    let &Place { at, key, end, ref rules } = to;
    let count = messages.len();
    rules.check(keyspace, at, count, || messages.clone().map(<[u8]>::len).sum())?;
    if let Some(delay_ms) = rules.delay_ms {
        delay(keyspace, effects, at.db(), key, end, messages, delay_ms, 0);
        return Ok(finish_push(keyspace, effects, at.db(), key, end, count));
    }
    let ready = keyspace.push_in(at, end, messages.clone())?;
    add_expired(keyspace, effects);
    note_ready_in(keyspace, effects, at, keyspace.queue_ms());
    effects.state_push(at.db(), end, key, messages);
    if rules.make_room() && rules.is_beyond(ready) {
        return Ok(make_room_for(keyspace, effects, at.db(), key, end));
    }
    Ok(rules.length(ready.0))
}
