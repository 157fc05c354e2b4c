//! `client-output-buffer-limit`: closing readers that are too slow before they fill the memory.

use super::Client;
use crate::settings::OutputLimit;

impl Client {
    /// Whether the client is owed more than its class allows: the hard limit at once, the soft
    /// one when it has lasted. As in Redis, what is shared with others counts in full.
    pub(super) fn check_output_limit(&mut self, limits: &[OutputLimit; 3], now_us: u64) -> bool {
        let limit = if self.is_subscriber() { &limits[2] } else { &limits[0] };
        let owed = self.output.len() as u64;
        if limit.hard_bytes > 0 && owed > limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || owed <= limit.soft_bytes {
            self.soft_limit_since_us = None;
            return false;
        }
        let since = *self.soft_limit_since_us.get_or_insert(now_us);
        now_us.saturating_sub(since) > limit.soft_seconds * 1_000_000
    }
}
