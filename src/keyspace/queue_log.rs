//! Which events of queues have a line in the log. They may happen for every message, so the log has
//! one line per minute and kind.

use super::{Keyspace, QueueEvent};
use crate::line_limit::LeftOut;

impl Keyspace {
    /// Whether an event may have a line in the log now; if not, it is counted.
    pub(crate) fn admit_line(&mut self, event: QueueEvent) -> Option<LeftOut> {
        let now_us = self.now_us();
        self.told.admit(event, now_us)
    }

    /// Returns how many events had no line, for the kinds that may have one again.
    pub(crate) fn take_left_out(&mut self) -> Vec<(QueueEvent, u64)> {
        let now_us = self.now_us();
        self.told.take_left_out(now_us)
    }

    fn now_us(&self) -> u64 {
        self.queue_ms.max(0).unsigned_abs().saturating_mul(1000)
    }
}
