//! Events of queues for the log: see `queue_log.rs`.

use thiserror::Error;

/// A kind of event, in the words after the number of messages.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum QueueEvent {
    /// Policies dead-letter a message in a circle.
    #[error("dead letters of dead letters, dropped by the last policy")]
    DeadLetterLoop,
    /// A dead-letter queue took no more.
    #[error("dead letters dropped, since their queue was full")]
    DeadLetterFull,
    /// Messages were in flight for too long.
    #[error("messages returned after `ack-timeout-ms`")]
    Overdue,
    /// Messages were delivered too often.
    #[error("messages given up after `delivery-limit` deliveries")]
    DeliveredTooOften,
}
