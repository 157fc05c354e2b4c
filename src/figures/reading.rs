//! The source of figures, and values that several of them share.

use crate::clock::Now;
use crate::policy::ChannelCounts;
use crate::state::State;
use std::cell::OnceCell;

/// The state as shown in one reply. A value that costs a system call or a sum is computed once, when the
/// first figure needs it, so that all figures of a reply agree.
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

    /// Memory in use: the process at its start, the data and the clients' buffers.
    pub fn used_bytes(&self) -> usize {
        self.state.process_bytes()
    }

    /// The maximum memory in use so far.
    pub fn peak_bytes(&self) -> usize {
        let peak = self.state.stats.peak_used_bytes.saturating_add(self.state.startup_bytes);
        peak.max(self.used_bytes())
    }

    /// Memory of the names and values of keys, without their tables.
    pub fn dataset_bytes(&self) -> usize {
        *self.dataset_bytes.get_or_init(|| self.state.dataset_bytes())
    }

    /// The dataset's share of the memory taken since the start, in percent.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset_bytes(), self.used_bytes() - self.state.startup_bytes)
    }

    /// Physical memory of the process; 0 if unknown.
    pub fn resident_bytes(&self) -> u64 {
        *self.resident_bytes.get_or_init(|| self.state.host.resident_bytes())
    }

    /// Physical memory relative to memory in use; 0 if either is unknown.
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

    /// The same for the server's thread.
    pub fn thread_cpu_us(&self) -> (u64, u64) {
        *self.thread_cpu_us.get_or_init(|| self.state.host.thread_cpu_us())
    }

    /// The number of keys in all databases.
    pub fn key_count(&self) -> usize {
        let keyspace = &self.state.keyspace;
        *self.key_count.get_or_init(|| (0..keyspace.db_count()).map(|db| keyspace.len(db)).sum())
    }

    /// The totals of all channel policies.
    pub fn channel_sums(&self) -> &ChannelCounts {
        self.channel_sums.get_or_init(|| self.state.channel_policies.sums())
    }
}

/// A part of a whole in percent; 0 if the whole is 0.
pub(super) fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
