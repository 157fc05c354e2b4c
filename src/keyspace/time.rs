//! The time of the turn, by the queue clock and by the calendar.

use super::Keyspace;
use crate::clock::Now;

impl Keyspace {
    /// Starts the clock. The calendar's lead in append files must already be known.
    pub(crate) fn start_queue_clock(&mut self, now: Now) {
        self.queue_clock.start(now);
    }

    /// Sets the time of the turn. Returns how far the calendar was set since the last call, if it
    /// was.
    pub(crate) fn set_time(&mut self, now: Now) -> Option<i64> {
        self.now_ms = now.unix_ms();
        // A long command may already have advanced it further.
        self.queue_ms = self.queue_clock.at(now).max(self.queue_ms);
        self.queue_clock.step_of(now)
    }

    /// Advances the time of the turn by the duration of a command: a client served after it gets
    /// nothing whose TTL has passed meanwhile.
    pub(crate) fn pass_time(&mut self, took_us: u64) {
        let took_ms = (took_us / 1000).cast_signed();
        self.now_ms = self.now_ms.saturating_add(took_ms);
        self.queue_ms = self.queue_ms.saturating_add(took_ms);
    }

    /// Returns the time of the turn by the queue clock, in milliseconds; zero during loading.
    pub(crate) fn queue_ms(&self) -> i64 {
        self.queue_ms
    }

    /// Returns the time of the turn by the calendar, in Unix milliseconds.
    pub(crate) fn unix_ms(&self) -> i64 {
        self.now_ms
    }

    /// Returns how many milliseconds the calendar is ahead of the queue clock.
    pub(crate) fn calendar_ahead_ms(&self) -> i64 {
        self.queue_clock.ahead_ms
    }

    /// Sets how far the calendar is ahead, according to append files.
    pub(crate) fn set_calendar_ahead_ms(&mut self, ahead_ms: i64) {
        self.queue_clock.ahead_ms = ahead_ms;
    }

    /// Returns the microseconds until a queue next has something due; `None` if no queue has.
    pub(crate) fn next_due_in_us(&self, now: Now) -> Option<u64> {
        let due_ms = self.next_due_ms()?.saturating_sub(self.queue_clock.base_ms);
        // A time before the start of the monotonic clock is due at once.
        let due_us = due_ms.max(0).unsigned_abs().saturating_mul(1000);
        Some(due_us.saturating_sub(now.monotonic_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(unix_ms: u64, monotonic_ms: u64) -> Now {
        Now { unix_us: unix_ms * 1000, monotonic_us: monotonic_ms * 1000 }
    }

    #[test]
    fn time_passed_by_a_command_stays_passed_within_a_turn() {
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.start_queue_clock(now(1_000_000, 5));
        for (monotonic_ms, expected) in [(5, 1_000_000), (5, 1_000_300), (200, 1_000_300)] {
            keyspace.set_time(now(1_000_000 + monotonic_ms - 5, monotonic_ms));
            assert_eq!(keyspace.queue_ms(), expected);
            if expected == 1_000_000 {
                keyspace.pass_time(300_999);
            }
        }
    }
}
