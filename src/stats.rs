//! Counters since the start, for INFO. CONFIG RESETSTAT resets them.

use crate::acl::LogSubject;
use crate::histogram::{CoarseHistogram, Histogram};
use std::collections::VecDeque;

/// Counters of one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    pub calls: u64,
    /// Microseconds in those calls.
    pub usec: u64,
    /// Whether recent calls were so slow that each must be timed alone.
    pub is_slow: bool,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that ran and answered with an error.
    pub failed: u64,
}

/// The part of the current input that is not yet timed. `engine/timing.rs` explains the timing of
/// commands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timer {
    /// The command of a run of calls that are timed together, by its position in the table.
    pub run: Option<usize>,
    /// The number of calls in the run.
    pub calls: u64,
    /// When the run began, in microseconds of the monotonic clock.
    pub since_us: u64,
    /// Whether the input is a single request.
    pub is_one_request: bool,
    /// The latest reading of the clock in this input, if only small commands of scripts have run since.
    pub last_us: Option<u64>,
    /// Chooses the calls of scripts that are timed.
    pub sampler: Sampler,
}

/// Chooses one call in `Sampler::PERIOD`, in a mixed order: a script calls the same commands again and again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sampler {
    state: u32,
    left: u32,
}

impl Sampler {
    /// For how many calls a chosen one stands.
    pub(crate) const PERIOD: u64 = 16;

    /// Whether the next call is chosen.
    #[inline]
    pub(crate) fn chooses(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.state = self.state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        // From 0 to 30, so that 15 calls on average are left out.
        self.left = (self.state >> 16) % 31;
        true
    }
}

/// Requests and authentications that were refused, by their subject.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Denied {
    pub auth: u64,
    pub command: u64,
    pub key: u64,
    pub channel: u64,
}

impl Denied {
    /// Counts one.
    pub(crate) fn count(&mut self, subject: LogSubject) {
        let counter = match subject {
            LogSubject::Auth => &mut self.auth,
            LogSubject::Command => &mut self.command,
            LogSubject::Key => &mut self.key,
            LogSubject::Channel => &mut self.channel,
        };
        *counter += 1;
    }
}

/// Counters of the whole broker.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub connections_received: u64,
    pub connections_rejected: u64,
    pub commands_processed: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
    /// Reads from sockets, and writes to them.
    pub reads: u64,
    pub writes: u64,
    /// Refused requests and authentications.
    pub denied: Denied,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub error_replies: u64,
    pub closed_by_output_limit: u64,
    pub closed_by_query_limit: u64,
    pub closed_by_tls: u64,
    /// Clients closed before they authenticated, by rule.
    pub closed_by_auth_timeout: u64,
    pub closed_by_auth_errors: u64,
    pub displaced: u64,
    /// AUTH that had to wait.
    pub auth_delayed: u64,
    /// Replies to changes that waited for replicas, and those of them that were replaced by an error.
    pub write_acks_held: u64,
    pub write_acks_timed_out: u64,
    pub peak_used_bytes: usize,
    /// Turns of the loop, their total microseconds, and those of the longest.
    pub turns: u64,
    pub turn_usec: u64,
    pub turn_longest_usec: u64,
    /// The microseconds of each turn.
    pub turn_times: CoarseHistogram,
    /// Published messages sent to subscribers.
    pub messages_delivered: u64,
    /// Keys that had expired before the counters were reset.
    pub expired_before: u64,
    /// By position in the command table.
    pub commands: Vec<CommandStats>,
    /// Times of calls, by position in the command table.
    pub latencies: Vec<Histogram>,
    /// Error replies by their first word.
    pub errors: std::collections::BTreeMap<String, u64>,
    samples: VecDeque<Sample>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at_us: u64,
    commands: u64,
    input_bytes: u64,
    output_bytes: u64,
}

/// Rates are computed from this many samples at most, this far apart, as in Redis.
const SAMPLE_EVERY_US: u64 = 100_000;
const SAMPLES_MAX: usize = 16;

/// Growth of counters per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub commands: f64,
    pub input_bytes: f64,
    pub output_bytes: f64,
}

impl Stats {
    /// The counters of the command at a position of the table.
    #[inline]
    pub(crate) fn command(&mut self, index: usize) -> &mut CommandStats {
        if self.commands.len() <= index {
            self.commands.resize(index + 1, CommandStats::default());
        }
        &mut self.commands[index]
    }

    /// The times of calls of the command at a position of the table.
    pub(crate) fn latencies(&mut self, index: usize) -> &mut Histogram {
        if self.latencies.len() <= index {
            self.latencies.resize_with(index + 1, Histogram::default);
        }
        &mut self.latencies[index]
    }

    /// Counts a look-up of a key to read it.
    pub(crate) fn count_lookup(&mut self, is_hit: bool) {
        if is_hit {
            self.keyspace_hits += 1;
        } else {
            self.keyspace_misses += 1;
        }
    }

    /// Counts an error reply under its first word, as INFO errorstats shows it.
    pub(crate) fn count_error(&mut self, text: &[u8]) {
        self.error_replies += 1;
        let word = text.split(|&byte| byte == b' ').next().unwrap_or_default();
        let word = String::from_utf8_lossy(word).into_owned();
        // The words are ours, except in errors that echo input; a limit keeps those from filling memory.
        if self.errors.len() < 128 || self.errors.contains_key(&word) {
            *self.errors.entry(word).or_default() += 1;
        }
    }

    /// Samples the counters for `rates`. May be called at any time of the monotonic clock.
    pub(crate) fn sample(&mut self, now_us: u64) {
        let last_us = self.samples.back().map(|last| last.at_us);
        let since_us = last_us.map_or(u64::MAX, |last_us| now_us.saturating_sub(last_us));
        if since_us < SAMPLE_EVERY_US {
            return;
        }
        // After a pause, earlier samples say nothing about the present.
        let kept_max =
            if since_us > SAMPLE_EVERY_US * SAMPLES_MAX as u64 { 1 } else { SAMPLES_MAX - 1 };
        while self.samples.len() > kept_max {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            at_us: now_us,
            commands: self.commands_processed,
            input_bytes: self.input_bytes,
            output_bytes: self.output_bytes,
        });
    }

    /// The growth of counters between the samples.
    pub(crate) fn rates(&self) -> Rates {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return Rates::default();
        };
        let seconds = (last.at_us - first.at_us) as f64 / 1e6;
        if seconds <= 0.0 {
            return Rates::default();
        }
        Rates {
            commands: (last.commands - first.commands) as f64 / seconds,
            input_bytes: (last.input_bytes - first.input_bytes) as f64 / seconds,
            output_bytes: (last.output_bytes - first.output_bytes) as f64 / seconds,
        }
    }

    /// CONFIG RESETSTAT: resets all except the peak, which restarts at the current use.
    pub(crate) fn reset(&mut self, used_bytes: usize) {
        // As in Redis, refusals go on to be counted.
        let denied = self.denied;
        *self = Stats { peak_used_bytes: used_bytes, denied, ..Stats::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_samples() {
        let mut stats = Stats::default();
        stats.sample(0);
        assert_eq!(stats.rates(), Rates::default());
        for tick in 1..100 {
            stats.commands_processed += 50;
            stats.sample(tick * SAMPLE_EVERY_US);
            stats.sample(tick * SAMPLE_EVERY_US + 1);
        }
        assert_eq!(stats.samples.len(), SAMPLES_MAX);
        assert!((stats.rates().commands - 500.0).abs() < 1.0);
        stats.sample(1_000_000_000);
        assert_eq!(stats.rates().commands, 0.0);
    }
}
