//! A rate, and how busy the server was meanwhile: one with time to spare could have done more than the
//! generator asked for.

use crate::process::Process;
use crate::{median, memory_of_host};
use std::time::Instant;

/// A server that was busy for less than this fraction of the time was not the limit.
const BUSY_MIN: f64 = 0.9;

#[derive(Clone, Copy)]
pub struct Rate {
    /// Thousands per second.
    pub thousands: f64,
    /// The fraction of the time in which the server was busy.
    busy: f64,
}

impl Rate {
    /// The rate of a load that returns it in thousands per second.
    pub fn of(server: &Process, load: impl FnOnce() -> f64) -> Rate {
        let busy_before = server.busy_time();
        let begun = Instant::now();
        let thousands = load();
        let took = begun.elapsed();
        let busy = server.busy_time().saturating_sub(busy_before);
        Rate { thousands, busy: busy.as_secs_f64() / took.as_secs_f64() }
    }

    pub fn server_had_time_to_spare(&self) -> bool {
        self.busy < BUSY_MIN
    }

    pub fn median(rates: &[Rate]) -> Rate {
        let median = |value: fn(&Rate) -> f64| median(rates.iter().map(value).collect());
        Rate { thousands: median(|rate| rate.thousands), busy: median(|rate| rate.busy) }
    }
}

/// Servers take turns over several rounds; the median rate of each.
pub fn in_turns<T>(
    rounds: u64,
    servers: &mut [T],
    mut measure: impl FnMut(&mut T) -> Rate,
) -> Vec<Rate> {
    let mut rates: Vec<Vec<Rate>> = vec![Vec::new(); servers.len()];
    for _ in 0..rounds {
        for (server, rates) in servers.iter_mut().zip(&mut rates) {
            memory_of_host::ask_for_it();
            rates.push(measure(server));
        }
    }
    rates.iter().map(|rates| Rate::median(rates)).collect()
}
