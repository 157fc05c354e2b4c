//! The times of many requests.

use std::time::Duration;

#[derive(Default)]
pub struct Latencies {
    /// In nanoseconds; more than four seconds would be a different kind of failure.
    nanos: Vec<u32>,
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.nanos.push(u32::try_from(latency.as_nanos()).expect("less than four seconds"));
    }

    pub fn count(&self) -> usize {
        self.nanos.len()
    }

    /// The microseconds that these fractions of the requests did not exceed: 0.5 is the median.
    pub fn quantiles<const N: usize>(mut self, shares: [f64; N]) -> [f64; N] {
        self.nanos.sort_unstable();
        let last = self.nanos.len().checked_sub(1).expect("something was measured");
        shares.map(|share| f64::from(self.nanos[(last as f64 * share).ceil() as usize]) / 1000.0)
    }
}
