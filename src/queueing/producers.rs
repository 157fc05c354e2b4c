//! `overflow block`: producers that wait for capacity.
//!
//! Each queue has a line of waiting producers, and a push joins its end while it is not empty. When messages
//! leave the queue, the first producers in line push theirs, as long as they fit.

use super::limits::{full, is_beyond};
use super::push::{Target, new_messages};
use crate::command_error::CommandError;
use crate::keyspace::{DbIndex, Keyspace};
use crate::policy::QueuePolicy;
use std::sync::Arc;

/// The policy under which a push must wait for capacity: there is too little, or others are in line before
/// it. `None` if the push can be made now or could never be. `is_first`: the push is the first in line; it
/// continues to wait while the queue is paused.
pub(crate) fn must_wait<'a>(
    keyspace: &mut Keyspace,
    to: &Target<'_>,
    messages: impl ExactSizeIterator<Item = &'a [u8]>,
    is_first: bool,
) -> Option<Arc<QueuePolicy>> {
    if !to.rules.are_producers_blocked() {
        return None;
    }
    let at = to.at;
    let policy = Arc::clone(keyspace.policy_in(at)?);
    if is_first && to.rules.is_paused {
        return Some(policy);
    }
    let (count, bytes) = capacity_wanted(keyspace, to, messages);
    // Messages that are not stored need no capacity.
    let may_ever_fit = count > 0
        && policy.max_length.is_none_or(|max| count as u64 <= max)
        && policy.max_length_bytes.is_none_or(|max| bytes as u64 <= max);
    let has_others = !is_first && keyspace.has_producers_in(at);
    let waits = may_ever_fit && (has_others || is_beyond(keyspace, at, count, bytes));
    waits.then_some(policy)
}

/// How many messages of a push a queue would store, and their bytes.
fn capacity_wanted<'a>(
    keyspace: &mut Keyspace,
    to: &Target<'_>,
    messages: impl ExactSizeIterator<Item = &'a [u8]>,
) -> (usize, usize) {
    match to.rules.dedup_window_ms {
        None => (messages.len(), messages.map(<[u8]>::len).sum()),
        Some(window_ms) => {
            let new = new_messages(keyspace, to, messages, window_ms);
            (new.len(), new.iter().map(|(message, _)| message.len()).sum())
        }
    }
}

/// Returns the error for a producer whose wait has timed out, and counts the messages of its push as
/// rejected.
pub(crate) fn refuse_waiting(
    keyspace: &mut Keyspace,
    (db, key): (DbIndex, &[u8]),
    messages: usize,
    policy: &QueuePolicy,
) -> CommandError {
    keyspace.count(db, key, |totals| totals.rejected += messages as u64);
    let limit = match (policy.max_length, policy.max_length_bytes) {
        (Some(max), _) => format!("max-length {max}"),
        (None, max) => format!("max-length-bytes {}", max.unwrap_or_default()),
    };
    full(key, &limit, policy)
}
