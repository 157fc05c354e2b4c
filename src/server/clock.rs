//! The clocks of the machine.

use crate::clock::Now;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads both clocks of the machine; the monotonic one counts from the start. For programs that drive a
/// [`Broker`](crate::Broker) without a server: use one clock for one broker.
///
/// ```
/// let clock = tidegate::SystemClock::start();
/// let (now, later) = (clock.now(), clock.now());
/// assert!(later.monotonic_us >= now.monotonic_us && now.unix_ms() > 1_700_000_000_000);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now, at one second, so that 0 is before all other times.
    pub fn start() -> SystemClock {
        let now = Instant::now();
        SystemClock { start: now.checked_sub(Duration::from_secs(1)).unwrap_or(now) }
    }

    /// Advances the clock without waiting.
    #[cfg(test)]
    pub fn advance(&mut self, by: Duration) {
        self.start = self.start.checked_sub(by).expect("a time that the machine knows");
    }

    /// The current time.
    pub fn now(&self) -> Now {
        // A system time before 1970 is read as 1970.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { unix_us: unix.as_micros() as u64, monotonic_us: self.monotonic_us() }
    }

    /// Microseconds since the start.
    pub fn monotonic_us(&self) -> u64 {
        // u64 microseconds are 584,000 years.
        self.start.elapsed().as_micros() as u64
    }
}
