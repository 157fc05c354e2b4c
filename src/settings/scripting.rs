//! The rows about scripts, each limit with its reason.

use super::field::field;
use super::row::{Directive, used};
use super::value::Kind;

/// The rows about scripts, in the order of the documentation.
#[rustfmt::skip]
pub(super) static SCRIPTING: &[Directive] = &[
    used("lua-memory-limit", Kind::Memory { min: 1 << 20, max: 1 << 30 }, "128mb", field!(scripting.memory_bytes_max),
        "Memory that scripts may take together, compiled ones included, and limit on the reply of one. A script \
         beyond it fails, instead of all others and the broker. At most 1 GB: Lua counts lengths of strings in \
         places with 32 bits."),
    used("script-time-limit-ms", Kind::Number { min: 0, max: 86_400_000 }, "60000", field!(scripting.time_limit_ms),
        "Milliseconds after which a script is stopped that has changed nothing; 0 for never, as in Redis. One that \
         has changed something runs to its end, since half of it must not be done. See `busy-reply-threshold`."),
    used("busy-reply-threshold", Kind::Number { min: 0, max: i64::MAX }, "5000",
        field!(scripting.busy_reply_threshold_ms),
        "Milliseconds after which other clients are answered BUSY while a script runs, and `SCRIPT KILL` stops it; 0 \
         for never: then nobody is served until it ends.").alias("lua-time-limit"),
    used("script-cache-max", Kind::Number { min: 1, max: 1_000_000 }, "10000", field!(scripting.scripts_max),
        "Maximum number of scripts for SCRIPT LOAD, which are kept until SCRIPT FLUSH. Of those that only EVAL has \
         sent, the latest 500 are kept."),
];
