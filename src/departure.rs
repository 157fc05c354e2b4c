//! Messages that leave a queue without a consumer: the description that queues, effects and notes
//! share.

use crate::key::{DbIndex, Key};
use crate::policy::QueuePolicy;
use crate::queue::{End, Reason};
use std::sync::Arc;

/// The fate of a message that left a queue without a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was over the capacity, and is dropped.
    Dropped,
    /// It waited too long: it is dead-lettered, or dropped.
    Expired,
    /// It is dead-lettered for this reason, if there is a queue for it.
    DeadLetter(Reason),
}

impl Fate {
    /// Why the message is a dead letter, if it becomes one.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Fate::Dropped => Reason::Length,
            Fate::Expired => Reason::Expired,
            Fate::DeadLetter(reason) => reason,
        }
    }
}

/// The origin of messages that left a queue, and their fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The database of the queue.
    pub db: DbIndex,
    /// The queue.
    pub key: Key,
    /// The list with these messages in append files.
    pub list: Key,
    /// The policy of the queue when they left.
    pub policy: Arc<QueuePolicy>,
    /// Why they left.
    pub fate: Fate,
    /// The end of the list with the messages that left first.
    pub first: End,
}

/// Consecutive messages that were removed from a list: either dropped, or departing.
#[derive(Debug)]
pub(crate) struct Removed {
    /// The database of the list.
    pub db: DbIndex,
    /// The list.
    pub key: Key,
    /// The index of the first of them.
    pub index: usize,
    /// Their number.
    pub count: usize,
    /// The number of messages behind them.
    pub behind: usize,
    /// Their departure; `None` if they are only dropped.
    pub departure: Option<Departure>,
}
