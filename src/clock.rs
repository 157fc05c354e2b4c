//! The time as a value. The driver of the broker reads both clocks and passes them in, so that tests and
//! simulations decide what time it is.

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Microseconds since 1970-01-01 UTC, for calendar times: key expiry, TIME. May jump when an
    /// operator or NTP sets the clock.
    pub unix_us: u64,
    /// Microseconds since any fixed moment; never goes back. For blocking timeouts and idle times.
    pub monotonic_us: u64,
}

impl Now {
    /// Milliseconds since 1970-01-01 UTC.
    pub fn unix_ms(self) -> i64 {
        // u64 microseconds in milliseconds always fit i64.
        (self.unix_us / 1000) as i64
    }

    /// Both clocks advanced by `us` microseconds.
    pub fn plus_us(self, us: u64) -> Now {
        Now { unix_us: self.unix_us + us, monotonic_us: self.monotonic_us + us }
    }
}
