//! Limits of a queue under a policy, and the errors of pushes that it refuses.

use crate::command_error::CommandError;
use crate::keyspace::{Keyspace, Slot};
use crate::policy::{Overflow, QueuePolicy};

/// The rules for pushes to a queue under a policy: read once, so that a push need not look again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PushRules {
    /// Whether pushes are paused.
    pub(super) is_paused: bool,
    /// What happens to pushes above the limits.
    pub(super) overflow: Overflow,
    /// The largest number means no limit.
    max_length: u64,
    max_length_bytes: u64,
    /// Delayed messages and their bytes: they count towards the limits.
    delayed: (usize, usize),
    /// For how long equal messages are not stored again.
    pub(crate) dedup_window_ms: Option<i64>,
    /// For how long messages are delayed.
    pub(crate) delay_ms: Option<i64>,
}

impl PushRules {
    /// The rules of a queue. Without a policy nothing is limited.
    #[inline(always)]
    pub(crate) fn of(keyspace: &Keyspace, at: Slot) -> PushRules {
        let mut rules = PushRules {
            is_paused: false,
            overflow: Overflow::Reject,
            max_length: u64::MAX,
            max_length_bytes: u64::MAX,
            delayed: (0, 0),
            dedup_window_ms: None,
            delay_ms: None,
        };
        let Some(queue_state) = keyspace.queue_state_in(at) else { return rules };
        rules.is_paused = queue_state.is_write_paused();
        rules.delayed = (queue_state.delayed.len(), queue_state.delayed.message_bytes());
        if let Some(policy) = &queue_state.policy {
            rules.overflow = policy.overflow;
            rules.max_length = policy.max_length.unwrap_or(u64::MAX);
            rules.max_length_bytes = policy.max_length_bytes.unwrap_or(u64::MAX);
            rules.dedup_window_ms = policy.dedup_window_ms;
            rules.delay_ms = policy.delay_ms;
        }
        rules
    }

    /// Whether producers wait for capacity.
    #[inline]
    pub(super) fn are_producers_blocked(&self) -> bool {
        self.overflow == Overflow::Block
    }

    /// Whether the oldest messages are dropped or dead-lettered above the limits.
    #[inline]
    pub(crate) fn drops_oldest(&self) -> bool {
        matches!(self.overflow, Overflow::DropHead | Overflow::DeadLetter)
    }

    /// Whether a queue with this many ready messages, of this many bytes, is above its limits.
    #[inline]
    pub(crate) fn is_beyond(&self, (len, bytes): (usize, usize)) -> bool {
        (len + self.delayed.0) as u64 > self.max_length
            || (bytes + self.delayed.1) as u64 > self.max_length_bytes
    }

    /// The length of a queue with this many ready messages.
    #[inline]
    pub(crate) fn length(&self, ready: usize) -> usize {
        ready + self.delayed.0
    }

    /// Checks that this many messages, of this many bytes together, may be stored.
    ///
    /// # Errors
    /// The queue is paused or full.
    #[inline]
    pub(crate) fn check(
        &self,
        keyspace: &mut Keyspace,
        at: Slot,
        count: usize,
        bytes: impl Fn() -> usize,
    ) -> Result<(), CommandError> {
        let is_limited =
            self.max_length & self.max_length_bytes != u64::MAX && !self.drops_oldest();
        if !self.is_paused && !is_limited {
            return Ok(());
        }
        let is_full = is_limited && {
            let (len, held) = keyspace.ready_in(at);
            self.is_beyond((len + count, held + bytes()))
        };
        if self.is_paused || is_full { Err(refuse(keyspace, at, count)) } else { Ok(()) }
    }
}

/// The error for a refused push, which is counted.
#[cold]
fn refuse(keyspace: &mut Keyspace, at: Slot, count: usize) -> CommandError {
    let policy = keyspace.queue_state_in(at).filter(|queue_state| !queue_state.is_write_paused());
    let error = match policy.and_then(|queue_state| queue_state.policy.as_ref()) {
        Some(policy) => {
            full(keyspace.key_in(at), &limit_passed(keyspace, at, policy, count), policy)
        }
        None => paused(keyspace.key_in(at)),
    };
    keyspace.count_in(at, |totals| totals.rejected += count as u64);
    error
}

/// Whether a queue would be above its limits with this much more.
pub(super) fn is_beyond(keyspace: &Keyspace, at: Slot, count: usize, bytes: usize) -> bool {
    let (len, held) = keyspace.ready_in(at);
    PushRules::of(keyspace, at).is_beyond((len + count, held + bytes))
}

/// The limit that this many more messages would exceed, in words.
fn limit_passed(keyspace: &Keyspace, at: Slot, policy: &QueuePolicy, count: usize) -> String {
    let (len, _) = keyspace.length_in(at);
    match (policy.max_length, policy.max_length_bytes) {
        (Some(max), _) if (len + count) as u64 > max => format!("max-length {max}"),
        (_, max) => format!("max-length-bytes {}", max.unwrap_or_default()),
    }
}

pub(super) fn full(key: &[u8], limit: &str, policy: &QueuePolicy) -> CommandError {
    let text = [b"QUEUEFULL queue '", key, b"' has reached ", limit.as_bytes(), b" of policy '"];
    CommandError::Bytes([&text.concat()[..], &policy.name, b"'"].concat())
}

fn paused(key: &[u8]) -> CommandError {
    CommandError::Bytes([b"QUEUEPAUSED queue '", key, b"' takes no messages now"].concat())
}
