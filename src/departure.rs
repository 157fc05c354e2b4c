//! Messages that leave a queue without a consumer, as they are told of: by whoever takes them out, in effects
//! and in notes.

use crate::key::{DbIndex, Key};
use crate::policy::QueuePolicy;
use crate::queue::End;
use std::sync::Arc;

/// What becomes of a message that left a queue without a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It makes room and is not wanted any more.
    Dropped,
    /// It waited too long: it is a dead letter, or gone.
    Expired,
    /// It is a dead letter, if there is a queue for it.
    DeadLetter,
}

/// Where messages came from, and what is to become of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The database of the queue.
    pub db: DbIndex,
    /// The queue.
    pub key: Key,
    /// The list in which append files have the messages.
    pub list: Key,
    /// The policy of the queue when they left it.
    pub policy: Arc<QueuePolicy>,
    /// Why they left.
    pub fate: Fate,
    /// The end of the list at which those are that left first.
    pub first: End,
}

/// Messages in a row that were taken out of a list, and are not wanted or on their way.
#[derive(Debug)]
pub(crate) struct Removed {
    /// The database of the list.
    pub db: DbIndex,
    /// The list.
    pub key: Key,
    /// Where the first of them was.
    pub index: usize,
    /// How many there were.
    pub count: usize,
    /// How many messages are behind them.
    pub behind: usize,
    /// Where they are now, if they are wanted.
    pub departure: Option<Departure>,
}
