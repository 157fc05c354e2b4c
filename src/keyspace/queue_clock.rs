//! The clock of queues.
//!
//! Since when a message waits, how long it is delayed or in flight: that is measured with the monotonic
//! clock, so that it does not depend on an operator or NTP who sets the calendar. But what is written to
//! append files has to mean something after a restart. So the clock shows calendar time when the broker
//! begins, goes on with the monotonic clock, and remembers by how much the calendar was set since; the
//! append files are told of it. Expiry of keys (EXPIRE) goes by the calendar, as in Redis.

use super::Keyspace;
use crate::clock::Now;

/// A calendar that differs by less has not been set: both clocks were read one after the other, and
/// seconds are smeared.
const STEP_MS_MIN: u64 = 1000;

/// Shows milliseconds.
#[derive(Debug, Default)]
pub(super) struct QueueClock {
    /// What it shows when the monotonic clock shows zero.
    base_ms: i64,
    /// By how much the calendar is ahead of it.
    ahead_ms: i64,
}

fn monotonic_ms(now: Now) -> i64 {
    // u64 microseconds in milliseconds always fit i64.
    (now.monotonic_us / 1000) as i64
}

impl QueueClock {
    fn at(&self, now: Now) -> i64 {
        self.base_ms + monotonic_ms(now)
    }

    fn start(&mut self, now: Now) {
        self.base_ms = now.unix_ms() - self.ahead_ms - monotonic_ms(now);
    }

    /// How far the calendar was set since it was last asked, if it was.
    fn step_of(&mut self, now: Now) -> Option<i64> {
        let step_ms = now.unix_ms() - self.at(now) - self.ahead_ms;
        let is_step = step_ms.unsigned_abs() >= STEP_MS_MIN;
        self.ahead_ms += if is_step { step_ms } else { 0 };
        is_step.then_some(step_ms)
    }
}

impl Keyspace {
    /// Begins to count time. What append files said of the calendar is known already.
    pub(crate) fn start_queue_clock(&mut self, now: Now) {
        self.queue_clock.start(now);
    }

    /// Sets the time of the turn. Gives by how much the calendar was set since the last time, if it was.
    pub(crate) fn set_time(&mut self, now: Now) -> Option<i64> {
        self.now_ms = now.unix_ms();
        // A long command may have let it pass already.
        self.queue_ms = self.queue_clock.at(now).max(self.queue_ms);
        self.queue_clock.step_of(now)
    }

    /// Lets the time of the turn go on by as long as a command took: who is served after it gets
    /// nothing whose life has ended meanwhile.
    pub(crate) fn pass_time(&mut self, took_us: u64) {
        let took_ms = (took_us / 1000).cast_signed();
        self.now_ms = self.now_ms.saturating_add(took_ms);
        self.queue_ms = self.queue_ms.saturating_add(took_ms);
    }

    /// The time of the turn by the clock of queues, in milliseconds; zero while append files are loaded.
    pub(crate) fn queue_ms(&self) -> i64 {
        self.queue_ms
    }

    /// The time of the turn by the calendar, in Unix milliseconds.
    pub(crate) fn unix_ms(&self) -> i64 {
        self.now_ms
    }

    /// By how many milliseconds the calendar is ahead of that clock.
    pub(crate) fn calendar_ahead_ms(&self) -> i64 {
        self.queue_clock.ahead_ms
    }

    /// Takes in what append files say of it.
    pub(crate) fn set_calendar_ahead_ms(&mut self, ahead_ms: i64) {
        self.queue_clock.ahead_ms = ahead_ms;
    }

    /// Microseconds until a queue has something to do next; none if none has.
    pub(crate) fn next_due_in_us(&self, now: Now) -> Option<u64> {
        let due_ms = self.next_due_ms()?.saturating_sub(self.queue_clock.base_ms);
        // What is due before the monotonic clock began is due at once.
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
    fn it_goes_on_when_the_calendar_is_set() {
        let mut clock = QueueClock::default();
        clock.start(now(1_000_000, 5));
        assert_eq!(clock.at(now(1_000_000, 5)), 1_000_000);
        assert_eq!(clock.step_of(now(1_000_999, 5)), None);
        assert_eq!(clock.step_of(now(1_001_000, 5)), Some(1000));
        assert_eq!(clock.step_of(now(1_001_000, 5)), None);
        assert_eq!(clock.step_of(now(1_000, 15)), Some(-1_000_010));
        assert_eq!(clock.at(now(1_000, 15)), 1_000_010);
        assert_eq!(clock.ahead_ms, -999_010);
        // Whoever loads what was written goes on where this one stopped.
        let mut next = QueueClock { ahead_ms: clock.ahead_ms, ..QueueClock::default() };
        next.start(now(1_100, 7));
        assert_eq!(next.at(now(1_100, 7)), 1_000_110);
    }

    #[test]
    fn what_a_command_took_is_not_taken_back_within_a_turn() {
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
