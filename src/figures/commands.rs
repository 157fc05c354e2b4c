//! Commands: how many ran, how fast, and how they ended.

use super::figure::Unit::{Count, Microseconds, PerSecond};
use super::figure::{Each, Figure, counter, gauge};
use crate::stats::CommandStats;

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    counter("total_commands_processed", "commands_total", Count, "Commands run.",
        |r| r.state.stats.commands_processed.into()),
    gauge("instantaneous_ops_per_sec", "", PerSecond, "Commands run per second at present.",
        |r| (r.state.stats.rates().commands as u64).into()),
    counter("total_error_replies", "error_replies_total", Count,
        "Error replies.", |r| r.state.stats.error_replies.into()),
];

/// For each command. `Stats::latencies` has the distribution of the times.
#[rustfmt::skip]
pub static EACH_COMMAND: &[Each<CommandStats>] = &[
    counter("calls", "command_calls_total", Count, "Calls of the command.", |stats| stats.calls.into()),
    counter("usec", "command_seconds_total", Microseconds,
        "Time that all calls of the command took.", |stats| stats.usec.into()),
    gauge("usec_per_call", "", Microseconds, "Time that a call of the command took on average.",
        |stats| (if stats.calls == 0 { 0.0 } else { stats.usec as f64 / stats.calls as f64 }).into()),
    counter("rejected_calls", "command_rejected_total", Count,
        "Calls of the command that were refused before they ran.",
        |stats| stats.rejected.into()),
    counter("failed_calls", "command_failed_total", Count,
        "Calls of the command that ran and ended with an error.",
        |stats| stats.failed.into()),
];

/// For each first word of error replies, such as `ERR` and `WRONGTYPE`.
pub static EACH_ERROR: &[Each<u64>] = &[counter(
    "count",
    "error_code_replies_total",
    Count,
    "Error replies that begin with the code.",
    |count| (*count).into(),
)];
