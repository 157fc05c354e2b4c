//! What happens to queues and is for the log, but may happen to every message: the log has a line a
//! minute for each kind.

use super::Keyspace;
use crate::line_limit::LeftOut;
use thiserror::Error;

/// A kind of event, in the words that follow the number of messages.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum QueueEvent {
    /// Policies hand a message to each other for ever.
    #[error("dead letters of dead letters, dropped by the last policy")]
    DeadLetterLoop,
    /// Messages were in flight for too long.
    #[error("messages taken back after `ack-timeout-ms`")]
    Overdue,
    /// Messages were delivered too often.
    #[error("messages given up after `delivery-limit` deliveries")]
    DeliveredTooOften,
}

impl Keyspace {
    /// Whether an event may have a line in the log now; if not, it is counted.
    pub(crate) fn admit_line(&mut self, event: QueueEvent) -> Option<LeftOut> {
        let now_us = self.now_us();
        self.told.admit(event, now_us)
    }

    /// How many events had no line, of those kinds that may have one again.
    pub(crate) fn take_left_out(&mut self) -> Vec<(QueueEvent, u64)> {
        let now_us = self.now_us();
        self.told.take_left_out(now_us)
    }

    fn now_us(&self) -> u64 {
        self.queue_ms.max(0).unsigned_abs().saturating_mul(1000)
    }
}
