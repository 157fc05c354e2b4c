//! Slow commands: SLOWLOG and LATENCY.

use std::collections::VecDeque;

/// As in Redis, at most this many arguments of a command are shown, and this many bytes of each.
const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Clone, Debug)]
pub(crate) struct SlowlogEntry {
    pub id: u64,
    pub unix_s: u64,
    pub duration_us: u64,
    pub args: Vec<Vec<u8>>,
    pub client_addr: String,
    pub client_name: Vec<u8>,
}

/// The newest slow commands, newest first.
#[derive(Debug, Default)]
pub(crate) struct Slowlog {
    pub entries: VecDeque<SlowlogEntry>,
    next_id: u64,
}

impl Slowlog {
    /// Records a command; only the newest `len_max` are kept.
    pub(crate) fn add<'a>(
        &mut self,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        mut entry: SlowlogEntry,
        len_max: usize,
    ) {
        let count = args.len();
        let shown = if count > ARGS_MAX { ARGS_MAX - 1 } else { count };
        entry.args = args.take(shown).map(shorten).collect();
        if count > ARGS_MAX {
            entry.args.push(format!("... ({} more arguments)", count - shown).into_bytes());
        }
        entry.id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(entry);
        self.trim(len_max);
    }

    /// Removes the oldest beyond `len_max`.
    pub(crate) fn trim(&mut self, len_max: usize) {
        self.entries.truncate(len_max);
    }
}

fn shorten(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.to_vec();
    }
    let mut short = arg[..ARG_BYTES_MAX].to_vec();
    short.extend(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).bytes());
    short
}

/// Samples kept for one event, as in Redis.
const SAMPLES_MAX: usize = 160;

/// Delays of the loop, by cause (`command`, `fast-command`).
#[derive(Debug, Default)]
pub(crate) struct Latency {
    pub events: Vec<LatencyEvent>,
}

/// One cause of delays.
#[derive(Debug)]
pub(crate) struct LatencyEvent {
    pub name: &'static str,
    /// Unix seconds and milliseconds, oldest first.
    pub samples: VecDeque<(u64, u64)>,
    pub worst_ms: u64,
}

impl Latency {
    /// Records that `name` delayed the loop.
    pub(crate) fn add(&mut self, name: &'static str, unix_s: u64, took_ms: u64) {
        let found = self.events.iter().position(|event| event.name == name);
        let index = found.unwrap_or_else(|| {
            self.events.push(LatencyEvent { name, samples: VecDeque::new(), worst_ms: 0 });
            self.events.len() - 1
        });
        let event = &mut self.events[index];
        event.worst_ms = event.worst_ms.max(took_ms);
        match event.samples.back_mut() {
            // The worst within a second counts, as in Redis.
            Some((second, worst)) if *second == unix_s => *worst = (*worst).max(took_ms),
            _ => event.samples.push_back((unix_s, took_ms)),
        }
        if event.samples.len() > SAMPLES_MAX {
            event.samples.pop_front();
        }
    }
}
