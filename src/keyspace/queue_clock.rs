//! The queue clock.
//!
//! It measures how long messages wait, are delayed or are in flight. These times come from the
//! monotonic clock, so that they do not depend on calendar changes by an operator or NTP. But the
//! times in append files must be meaningful after a restart. So the queue clock starts at calendar
//! time, continues with the monotonic clock, and stores how far the calendar was set since, in
//! append files too. Expiry of keys (EXPIRE) uses the calendar, as in Redis.

use crate::clock::Now;

/// A smaller difference does not mean that the calendar was set: the two clocks are read one after
/// the other, and leap seconds are smeared.
const STEP_MS_MIN: u64 = 1000;

/// A clock in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueClock {
    /// Its time at monotonic time zero.
    pub(super) base_ms: i64,
    /// How far the calendar is ahead of it.
    pub(super) ahead_ms: i64,
}

fn monotonic_ms(now: Now) -> i64 {
    // u64 microseconds in milliseconds always fit i64.
    (now.monotonic_us / 1000) as i64
}

impl QueueClock {
    pub(super) fn at(&self, now: Now) -> i64 {
        self.base_ms + monotonic_ms(now)
    }

    pub(super) fn start(&mut self, now: Now) {
        self.base_ms = now.unix_ms() - self.ahead_ms - monotonic_ms(now);
    }

    /// Returns how far the calendar was set since the last call, if it was.
    pub(super) fn step_of(&mut self, now: Now) -> Option<i64> {
        let step_ms = now.unix_ms() - self.at(now) - self.ahead_ms;
        let is_step = step_ms.unsigned_abs() >= STEP_MS_MIN;
        self.ahead_ms += if is_step { step_ms } else { 0 };
        is_step.then_some(step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(unix_ms: u64, monotonic_ms: u64) -> Now {
        Now { unix_us: unix_ms * 1000, monotonic_us: monotonic_ms * 1000 }
    }

    #[test]
    fn it_continues_when_the_calendar_is_set() {
        let mut clock = QueueClock::default();
        clock.start(now(1_000_000, 5));
        assert_eq!(clock.at(now(1_000_000, 5)), 1_000_000);
        assert_eq!(clock.step_of(now(1_000_999, 5)), None);
        assert_eq!(clock.step_of(now(1_001_000, 5)), Some(1000));
        assert_eq!(clock.step_of(now(1_001_000, 5)), None);
        assert_eq!(clock.step_of(now(1_000, 15)), Some(-1_000_010));
        assert_eq!(clock.at(now(1_000, 15)), 1_000_010);
        assert_eq!(clock.ahead_ms, -999_010);
        // After a restart, the clock continues where this one stopped.
        let mut next = QueueClock { ahead_ms: clock.ahead_ms, ..QueueClock::default() };
        next.start(now(1_100, 7));
        assert_eq!(next.at(now(1_100, 7)), 1_000_110);
    }
}
