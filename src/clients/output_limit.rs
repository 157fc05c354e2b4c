//! `client-output-buffer-limit`: closes slow readers before they fill the memory.

use super::{Client, ClientRole};
use crate::settings::OutputLimit;

impl Client {
    /// Whether the client's output exceeds the limits of its class: the hard limit at once, the soft one
    /// after its time. As in Redis, shared messages count in full.
    pub(super) fn check_output_limit(&mut self, limits: &[OutputLimit; 3], now_us: u64) -> bool {
        let limit = match self.role {
            // One key at a time, and MIGRATE has a timeout.
            ClientRole::Target => return false,
            ClientRole::Replica => &limits[1],
            _ if self.is_subscriber() => &limits[2],
            _ => &limits[0],
        };
        // A snapshot is made as fast as it is sent, so that it needs no limit.
        let output = if self.receives_snapshot { 0 } else { self.outbox.len() as u64 };
        let owed = output + self.unsent_stream_bytes;
        if limit.hard_bytes > 0 && owed > limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || owed <= limit.soft_bytes {
            self.soft_limit_due_us = None;
            return false;
        }
        // The first time that is later than the limit allows.
        let allowed_us = limit.soft_seconds.saturating_mul(1_000_000);
        let due_us = now_us.saturating_add(allowed_us).saturating_add(1);
        now_us >= *self.soft_limit_due_us.get_or_insert(due_us)
    }
}
