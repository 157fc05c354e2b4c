//! Queues: those under policies together, and what is known about each queue.

use super::figure::Unit::{Bytes, Count, Milliseconds};
use super::figure::{Each, Figure, counter, gauge, status, text};
use crate::keyspace::QueueSummary;
use crate::pauses::Pauses;

/// All queues under policies together. INFO shows the whole table.
#[rustfmt::skip]
pub static QUEUES: &[Figure] = &[
    gauge("queue_policies", "queue_policies", Count,
        "Queue policies in force.", |r| r.state.keyspace.policies().iter().len().into()),
    gauge("queue_in_flight", "queues_in_flight", Count, "Messages delivered but not yet acknowledged.",
        |r| r.state.keyspace.in_flight_len().into()),
];

/// For each queue, whether or not it is under a policy: its state. [`EACH_QUEUE_COUNTS`] follow.
#[rustfmt::skip]
pub static EACH_QUEUE: &[Each<QueueSummary>] = &[
    text("policy", "The policy that applies.",
        |queue| queue.policy.as_ref().map(|policy| String::from_utf8_lossy(&policy.name)).into()),
    gauge("length", "queue_length", Count, "Ready messages.", |queue| queue.len.into()),
    gauge("bytes", "queue_bytes", Bytes,
        "Bytes of the ready messages; known under a policy.", |queue| queue.bytes.into()),
    gauge("oldest-age-ms", "queue_oldest_age_seconds", Milliseconds,
        "How long the oldest ready message has been ready; known under a policy.",
        |queue| queue.oldest_age_ms.into()),
    gauge("in-flight", "queue_in_flight", Count,
        "Messages delivered but not yet acknowledged.", |queue| queue.in_flight.into()),
    gauge("delayed", "queue_delayed", Count,
        "Messages that are not yet ready.", |queue| queue.delayed.into()),
    gauge("consumers-waiting", "queue_consumers_waiting", Count,
        "Clients that wait for a message.", |queue| queue.consumers_waiting.into()),
    gauge("producers-waiting", "queue_producers_waiting", Count,
        "Clients that wait for capacity.", |queue| queue.producers_waiting.into()),
    status("paused", "queue_paused", "The paused directions: none, read, write or all; as a metric 0 or 1.", |queue| paused_word(queue.pauses).into()),
    gauge("paused-for-ms", "", Milliseconds,
        "Time until a pause ends by itself.", |queue| queue.paused_for_ms.into()),
];

/// Defines the counts of messages twice: as sums over all queues, and for each queue.
macro_rules! counts {
    ($($name:literal, $total:ident, $help:literal;)*) => {
        /// Totals over all queues, for INFO.
        pub static QUEUE_SUMS: &[Figure] = &[
            $(counter(concat!("queue_", stringify!($total)), concat!("queues_", stringify!($total), "_total"), Count,
                $help,
                |r| r.state.keyspace.queue_sums().$total.into()),)*
        ];

        /// For each queue: its counts.
        pub static EACH_QUEUE_COUNTS: &[Each<QueueSummary>] = &[
            $(counter($name, concat!("queue_", stringify!($total), "_total"), Count,
                $help, |queue| queue.totals.$total.into()),)*
        ];
    };
}

#[rustfmt::skip]
counts! {
    "pushed", pushed, "Messages stored by a push, an insertion, a move or as a dead letter.";
    "delivered", delivered, "Messages delivered to a consumer, for the first time or again.";
    "acknowledged", acknowledged, "Messages acknowledged, or delivered where no acknowledgement is needed.";
    "redelivered", redelivered, "Messages delivered again.";
    "nacked", nacked, "Messages returned by QUEUE NACK, including those that became dead letters or expired.";
    "timed-out", timed_out, "Messages in flight returned after ack-timeout-ms, counted likewise.";
    "connection-lost", connection_lost,
        "Messages in flight returned because their connection was closed or reset, counted likewise.";
    "expired", expired, "Messages that expired in a queue.";
    "rejected", rejected, "Messages refused because the queue was full or paused.";
    "dropped", dropped, "Messages dropped for a reason other than expiry, without a dead-letter queue.";
    "drop-head", drop_head, "Of the dropped messages: the oldest in a queue above its limits.";
    "dead-letter-full", dead_letter_full,
        "Of the dropped or expired messages: those that a full dead-letter queue refused.";
    "hop-limit", hop_limit, "Of the dropped or expired messages: those dead-lettered too often without a delivery.";
    "purged", purged, "Messages dropped by QUEUE PURGE.";
    "dead-lettered", dead_lettered, "Messages moved to a dead-letter queue.";
    "deduplicated", deduplicated, "Messages not stored because they were duplicates.";
    "shared-connections", shared_connections, "Connections on which pops overlapped, so that they acknowledge nothing.";
}

/// Returns the paused directions of a queue as a word.
fn paused_word(pauses: Pauses) -> &'static str {
    match (pauses.reads_until_ms, pauses.writes_until_ms) {
        (None, None) => "none",
        (Some(_), None) => "read",
        (None, Some(_)) => "write",
        (Some(_), Some(_)) => "all",
    }
}
