//! Queues under policies: what is in flight, and what has happened to their messages.

use super::figure::Unit::Count;
use super::figure::{Figure, counter, gauge};
use super::reading::Reading;
use crate::keyspace::Totals;

/// INFO shows the whole table. The counters are the sums over all queues. QUEUE INFO shows those of one.
#[rustfmt::skip]
pub static FIGURES: &[Figure] = &[
    gauge("queue_policies", Count, "Queue policies in force.", |r| r.state.keyspace.policies().iter().len().into()),
    gauge("queue_in_flight", Count, "Messages delivered and not acknowledged yet.",
        |r| r.state.keyspace.in_flight_len().into()),

    counter("queue_pushed", Count, "Messages stored by a push, an insertion, a move or as a dead letter.",
        |r| sums(r).pushed.into()),
    counter("queue_delivered", Count, "Messages given to a consumer, again or for the first time.",
        |r| sums(r).delivered.into()),
    counter("queue_acknowledged", Count, "Messages acknowledged, or delivered where nothing has to be.",
        |r| sums(r).acknowledged.into()),
    counter("queue_redelivered", Count, "Messages delivered again.", |r| sums(r).redelivered.into()),
    counter("queue_expired", Count, "Messages that expired in a queue.", |r| sums(r).expired.into()),
    counter("queue_rejected", Count, "Messages refused, since the queue was full or paused.",
        |r| sums(r).rejected.into()),
    counter("queue_dropped", Count, "Messages lost for another reason than expiry, without a dead-letter queue.",
        |r| sums(r).dropped.into()),
    counter("queue_dead_lettered", Count, "Messages moved to a dead-letter queue.", |r| sums(r).dead_lettered.into()),
    counter("queue_deduplicated", Count, "Messages not stored, since the same one had come a little before.",
        |r| sums(r).deduplicated.into()),
    counter("queue_shared_connections", Count, "Connections on which pops overlapped, so that they acknowledge nothing.",
        |r| sums(r).shared.into()),
];

fn sums<'a>(r: &Reading<'a>) -> &'a Totals {
    r.state.keyspace.queue_sums()
}
