//! Queues under policies: messages in flight, and what happened to messages.

use super::figure::Unit::Count;
use super::figure::{Figure, counter, gauge};
use super::reading::Reading;
use crate::keyspace::Totals;

/// INFO shows the whole table. The counters are totals over all queues. QUEUE INFO shows those of one
/// queue.
#[rustfmt::skip]
pub static FIGURES: &[Figure] = &[
    gauge("queue_policies", Count, "Queue policies in force.", |r| r.state.keyspace.policies().iter().len().into()),
    gauge("queue_in_flight", Count, "Messages delivered but not yet acknowledged.",
        |r| r.state.keyspace.in_flight_len().into()),

    counter("queue_pushed", Count, "Messages stored by a push, an insertion, a move or as a dead letter.",
        |r| sums(r).pushed.into()),
    counter("queue_delivered", Count, "Messages delivered to a consumer, for the first time or again.",
        |r| sums(r).delivered.into()),
    counter("queue_acknowledged", Count, "Messages acknowledged, or delivered where no acknowledgement is needed.",
        |r| sums(r).acknowledged.into()),
    counter("queue_redelivered", Count, "Messages delivered again.", |r| sums(r).redelivered.into()),
    counter("queue_nacked", Count, "Messages returned by QUEUE NACK, including those that became dead letters or expired.",
        |r| sums(r).nacked.into()),
    counter("queue_timed_out", Count, "Messages in flight returned after ack-timeout-ms, counted likewise.",
        |r| sums(r).timed_out.into()),
    counter("queue_connection_lost", Count, "Messages in flight returned because their connection was closed or reset, counted likewise.",
        |r| sums(r).connection_lost.into()),
    counter("queue_expired", Count, "Messages that expired in a queue.", |r| sums(r).expired.into()),
    counter("queue_rejected", Count, "Messages refused because the queue was full or paused.",
        |r| sums(r).rejected.into()),
    counter("queue_dropped", Count, "Messages dropped for a reason other than expiry, without a dead-letter queue.",
        |r| sums(r).dropped.into()),
    counter("queue_drop_head", Count, "Of the dropped messages: the oldest in a queue above its limits.",
        |r| sums(r).drop_head.into()),
    counter("queue_dead_letter_full", Count, "Of the dropped or expired messages: those that a full dead-letter queue refused.",
        |r| sums(r).dead_letter_full.into()),
    counter("queue_hop_limit", Count, "Of the dropped or expired messages: those dead-lettered too often without a delivery.",
        |r| sums(r).hop_limit.into()),
    counter("queue_purged", Count, "Messages dropped by QUEUE PURGE.", |r| sums(r).purged.into()),
    counter("queue_dead_lettered", Count, "Messages moved to a dead-letter queue.", |r| sums(r).dead_lettered.into()),
    counter("queue_deduplicated", Count, "Messages not stored because they were duplicates.",
        |r| sums(r).deduplicated.into()),
    counter("queue_shared_connections", Count, "Connections on which pops overlapped, so that they acknowledge nothing.",
        |r| sums(r).shared.into()),
];

fn sums<'a>(r: &Reading<'a>) -> &'a Totals {
    r.state.keyspace.queue_sums()
}
