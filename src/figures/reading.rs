//! What figures are read from, and what several of them are made of.

use crate::clock::Now;
use crate::policy::ChannelCounts;
use crate::state::State;
use std::cell::OnceCell;

/// The state as one reply shows it. What costs a system call or a sum is found once, when the first figure
/// needs it, so that all figures of a reply agree.
pub struct Reading<'a> {
    pub state: &'a State,
    pub now: Now,
    resident_bytes: OnceCell<u64>,
    cpu_us: OnceCell<(u64, u64)>,
    thread_cpu_us: OnceCell<(u64, u64)>,
    dataset_bytes: OnceCell<usize>,
    key_count: OnceCell<usize>,
    channel_sums: OnceCell<ChannelCounts>,
}

impl<'a> Reading<'a> {
    pub fn new(state: &'a State, now: Now) -> Reading<'a> {
        Reading {
            state,
            now,
            resident_bytes: OnceCell::new(),
            cpu_us: OnceCell::new(),
            thread_cpu_us: OnceCell::new(),
            dataset_bytes: OnceCell::new(),
            key_count: OnceCell::new(),
            channel_sums: OnceCell::new(),
        }
    }

    pub fn uptime_s(&self) -> u64 {
        self.now.monotonic_us.saturating_sub(self.state.started.monotonic_us) / 1_000_000
    }

    /// Memory in use: what the process took at its start, the data and the clients' buffers.
    pub fn used_bytes(&self) -> usize {
        self.state.process_bytes()
    }

    /// The most memory in use so far.
    pub fn peak_bytes(&self) -> usize {
        let peak = self.state.stats.peak_used_bytes.saturating_add(self.state.startup_bytes);
        peak.max(self.used_bytes())
    }

    /// Memory of the names and values of keys, without the tables that they are in.
    pub fn dataset_bytes(&self) -> usize {
        *self.dataset_bytes.get_or_init(|| self.state.dataset_bytes())
    }

    /// How much of the memory that was taken since the start is the dataset, in per cent.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset_bytes(), self.used_bytes() - self.state.startup_bytes)
    }

    /// Physical memory of the process; 0 if unknown.
    pub fn resident_bytes(&self) -> u64 {
        *self.resident_bytes.get_or_init(|| self.state.host.resident_bytes())
    }

    /// Physical memory against memory in use; 0 if either is unknown.
    pub fn fragmentation(&self) -> f64 {
        match self.used_bytes() {
            0 => 0.0,
            used => self.resident_bytes() as f64 / used as f64,
        }
    }

    /// Processor time of the process: in the kernel, in the program.
    pub fn cpu_us(&self) -> (u64, u64) {
        *self.cpu_us.get_or_init(|| self.state.host.cpu_us())
    }

    /// The same of the thread that serves.
    pub fn thread_cpu_us(&self) -> (u64, u64) {
        *self.thread_cpu_us.get_or_init(|| self.state.host.thread_cpu_us())
    }

    /// How many keys all databases hold.
    pub fn key_count(&self) -> usize {
        let keyspace = &self.state.keyspace;
        *self.key_count.get_or_init(|| (0..keyspace.db_count()).map(|db| keyspace.len(db)).sum())
    }

    /// What channel policies have done, all together.
    pub fn channel_sums(&self) -> &ChannelCounts {
        self.channel_sums.get_or_init(|| self.state.channel_policies.sums())
    }
}

/// A part of a whole in per cent; 0 of nothing.
pub(super) fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
