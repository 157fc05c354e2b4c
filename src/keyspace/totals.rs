//! Totals of messages in queues under policies.

use super::Fate;
use crate::queue::Reason;

/// Counts of messages since the start, or since CONFIG RESETSTAT for the sums of all queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Stored by a push, an insertion, a move or as a dead letter.
    pub pushed: u64,
    /// Delivered to a consumer, for the first time or again.
    pub delivered: u64,
    /// Acknowledged, or delivered where no acknowledgement is needed.
    pub acknowledged: u64,
    /// Delivered again.
    pub redelivered: u64,
    /// Returned by QUEUE NACK.
    pub nacked: u64,
    /// Returned because they were not acknowledged in time.
    pub timed_out: u64,
    /// Returned because their connection was closed or reset.
    pub connection_lost: u64,
    /// Removed after waiting too long.
    pub expired: u64,
    /// Refused because the queue was full or paused.
    pub rejected: u64,
    /// Removed for a reason other than expiry, and not dead-lettered.
    pub dropped: u64,
    /// Of the dropped ones: the oldest in a queue above its limits.
    pub drop_head: u64,
    /// Of the dropped or expired ones: those that their dead-letter queue did not take, since it was
    /// full or its key cannot hold a list.
    pub dead_letter_full: u64,
    /// Of the dropped or expired ones: those that were dead letters too often without a delivery.
    pub hop_limit: u64,
    /// Removed by QUEUE PURGE.
    pub purged: u64,
    /// Moved to a dead-letter queue, for any reason.
    pub dead_lettered: u64,
    /// Not stored because the same message was stored shortly before.
    pub deduplicated: u64,
    /// Connections with overlapping pops, so that they acknowledge nothing.
    pub shared_connections: u64,
}

impl Totals {
    /// Counts messages that left a queue without a consumer, and were not dead-lettered.
    pub(crate) fn add_lost(&mut self, fate: Fate, count: u64) {
        match fate {
            Fate::Expired => self.expired += count,
            Fate::Dropped | Fate::DeadLetter(Reason::Length) => {
                self.dropped += count;
                self.drop_head += count;
            }
            Fate::DeadLetter(_) => self.dropped += count,
        }
    }
}
