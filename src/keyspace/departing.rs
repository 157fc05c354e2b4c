//! Messages that have left a queue together, but are not yet in its dead-letter queue: see
//! `departures.rs`.

use super::{DbIndex, Departure};
use crate::queue::Queue;

/// Messages that left together.
#[derive(Debug)]
pub(super) struct Departing {
    /// In ascending order.
    pub(super) number: u64,
    pub(super) departure: Departure,
    pub(super) messages: Queue,
}

impl Departing {
    /// Returns the database that has the queue now.
    pub(super) fn db(&self) -> DbIndex {
        self.departure.db
    }

    /// Returns the departure for a snapshot, with the original number of its database. The messages
    /// are shared.
    pub(super) fn share(&mut self, db: DbIndex) -> (Departure, Queue) {
        (Departure { db, ..self.departure.clone() }, self.messages.share())
    }
}
