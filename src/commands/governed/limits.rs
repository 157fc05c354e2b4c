//! How much a governed queue may hold, and what a push is told that it does not take.

use crate::engine::CommandError;
use crate::keyspace::{DbIndex, Keyspace};
use crate::policy::QueuePolicy;

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
