//! What has happened to the messages of queues under policies.

/// Counts of messages since the start, or since CONFIG RESETSTAT for the sums of all queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Stored by a push, an insertion, a move or as a dead letter.
    pub pushed: u64,
    /// Given to a consumer, again or for the first time.
    pub delivered: u64,
    /// Done with: acknowledged, or delivered where nothing has to be.
    pub acknowledged: u64,
    /// Delivered again.
    pub redelivered: u64,
    /// Gone since they had waited too long.
    pub expired: u64,
    /// Refused since the queue was full or paused.
    pub rejected: u64,
    /// Gone for another reason than expiry, without a dead-letter queue to go to.
    pub dropped: u64,
    /// Moved to a dead-letter queue, for whatever reason.
    pub dead_lettered: u64,
    /// Not stored since the same message had come a little before.
    pub deduplicated: u64,
    /// Connections on which pops overlapped, so that they acknowledge nothing.
    pub shared: u64,
}

/// One count, by the name that INFO and QUEUE INFO give it.
pub(super) type Count = (&'static str, fn(&Totals) -> u64);

/// All of them, in the order in which they are shown.
pub(crate) const COUNTS: &[Count] = &[
    ("pushed", |totals| totals.pushed),
    ("delivered", |totals| totals.delivered),
    ("acknowledged", |totals| totals.acknowledged),
    ("redelivered", |totals| totals.redelivered),
    ("expired", |totals| totals.expired),
    ("rejected", |totals| totals.rejected),
    ("dropped", |totals| totals.dropped),
    ("dead-lettered", |totals| totals.dead_lettered),
    ("deduplicated", |totals| totals.deduplicated),
    ("shared-connections", |totals| totals.shared),
];
