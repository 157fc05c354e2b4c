//! Limits on deliveries: how many messages of a queue consumers may have at once, and how many they get in a
//! time.

/// How many messages consumers get, however many are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Maximum number of messages in flight.
    pub max_in_flight: Option<u64>,
    /// Maximum number of messages in flight to one client.
    pub max_in_flight_per_client: Option<u64>,
    /// Number of deliveries in `rate_per_ms`.
    pub(super) rate: Option<u64>,
    /// Milliseconds that `rate` refers to.
    pub(super) rate_per_ms: u64,
}

/// Maximum number of deliveries in the time of a rate. With it, the parts of a full `Bucket` fit in 63 bits.
pub(super) const RATE_MAX: i64 = 10_000_000;
pub(super) const RATE_PER_MS: u64 = 1_000;

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle {
            max_in_flight: None,
            max_in_flight_per_client: None,
            rate: None,
            rate_per_ms: RATE_PER_MS,
        }
    }
}

impl Throttle {
    /// The rate of deliveries, if it is limited.
    pub fn rate(&self) -> Option<Rate> {
        self.rate.map(|count| Rate { count, per_ms: self.rate_per_ms })
    }
}

/// A rate of deliveries. Neither number is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number of deliveries.
    pub count: u64,
    /// The time for them, in milliseconds.
    pub per_ms: u64,
}
