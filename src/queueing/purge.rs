//! QUEUE PURGE: drops the messages of a queue, and nothing else of it. Its policy, counters and pauses stay.

use super::{Queues, delayed_key, inflight_key};
use crate::keyspace::{DbIndex, Key, WrongType};

/// The kinds of messages that are dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purged {
    pub(crate) ready: bool,
    pub(crate) delayed: bool,
    pub(crate) in_flight: bool,
}

impl Queues<'_> {
    /// Drops messages of a queue. Returns how many.
    ///
    /// # Errors
    /// The key has a value of another type.
    pub(crate) fn purge(
        &mut self,
        db: DbIndex,
        key: &Key,
        kinds: Purged,
    ) -> Result<usize, WrongType> {
        let ready = self.keyspace.list(db, key)?.map_or(0, |list| list.len());
        let ready = if kinds.ready { ready } else { 0 };
        let queue_state = self.keyspace.queue_state(db, key);
        let (delayed, in_flight) = queue_state.map_or((0, 0), |queue_state| {
            let delayed = if kinds.delayed { queue_state.delayed.len() } else { 0 };
            (delayed, if kinds.in_flight { queue_state.in_flight.len() } else { 0 })
        });
        let count = ready + delayed + in_flight;
        if queue_state.is_some() && count > 0 {
            // First, since nothing may be left of the queue afterwards.
            self.keyspace.count(db, key, |totals| totals.purged += count as u64);
        }
        if ready > 0 {
            self.keyspace.drop_ready(db, key);
            self.keyspace.effects.record(db, [&b"LTRIM"[..], key, b"1", b"0"]);
        }
        if delayed > 0 {
            self.keyspace.clear_delayed(db, key);
            self.keyspace.effects.record(db, [b"DEL", &delayed_key(key)[..]]);
        }
        if in_flight > 0 {
            self.keyspace.clear_in_flight(db, key);
            self.keyspace.effects.record(db, [b"DEL", &inflight_key(key)[..]]);
        }
        Ok(count)
    }
}
