//! Distributions, which only the metrics show.

use super::figure::Unit::{self, Microseconds, Milliseconds};
use super::reading::Reading;
use crate::histogram::CoarseHistogram;

/// Numbers counted in buckets.
pub struct HistogramFigure {
    /// Its name as a metric, without the prefix of all.
    pub metric: &'static str,
    /// The unit of the numbers.
    pub unit: Unit,
    /// One sentence of explanation.
    pub help: &'static str,
    pub(crate) read: for<'a> fn(&Reading<'a>) -> &'a CoarseHistogram,
}

/// All of them.
#[rustfmt::skip]
pub static HISTOGRAMS: &[HistogramFigure] = &[
    HistogramFigure {
        metric: "turn_duration_seconds", unit: Microseconds,
        help: "Time of a turn of the event loop, in which all clients wait.",
        read: |r| &r.state.stats.turn_times,
    },
    HistogramFigure {
        metric: "message_wait_seconds", unit: Milliseconds,
        help: "How long a message under a policy was ready before its first delivery.",
        read: |r| r.state.keyspace.queue_waits(),
    },
    HistogramFigure {
        metric: "aof_sync_duration_seconds", unit: Microseconds,
        help: "Time of a sync of the append files, until the server knew of its end.",
        read: |r| &r.state.persistence.sync_times,
    },
];
