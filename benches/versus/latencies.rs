//! How long each of many requests took.

use std::time::Duration;

#[derive(Default)]
pub struct Latencies {
    /// In nanoseconds; more than four seconds would be another kind of failure.
    nanos: Vec<u32>,
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.nanos.push(u32::try_from(latency.as_nanos()).expect("less than four seconds"));
    }

    pub fn count(&self) -> usize {
        self.nanos.len()
    }

    /// The microseconds that such shares of them did not exceed: 0.5 asks for the median.
    pub fn quantiles<const N: usize>(mut self, shares: [f64; N]) -> [f64; N] {
        self.nanos.sort_unstable();
        let last = self.nanos.len().checked_sub(1).expect("something was measured");
        shares.map(|share| f64::from(self.nanos[(last as f64 * share).ceil() as usize]) / 1000.0)
    }
}
