//! Queues under policies during the loading of append files.

use super::{Announced, DbIndex, Key, Keyspace, QueueState};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::note::{DeadLetterRow, StreamPlace};
use crate::queue::{Queue, Stamp};
use crate::value::Kind;

impl QueueState {
    /// Returns since when new messages are ready, according to the append file.
    pub(crate) fn recorded_ready_ms(&self) -> i64 {
        self.recorded.1
    }
}

impl Keyspace {
    /// Begins loading append files: queues are under their policies and have stamps, but commands
    /// do not apply the policies.
    pub(crate) fn begin_replay(&mut self) {
        self.registry.is_replaying = true;
        self.update_policy_use();
    }

    /// Sets the place in a replication stream up to which the loaded data is that of the stream.
    pub(crate) fn set_recorded_stream(&mut self, place: StreamPlace) {
        self.recorded_stream = Some(place);
    }

    /// Returns that place, which only counts if no command follows.
    #[inline]
    pub(crate) fn take_recorded_stream(&mut self) -> Option<StreamPlace> {
        self.recorded_stream.take()
    }

    /// Ends loading. Messages without a recorded time are ready from now on; returns the queues
    /// that have any.
    pub(crate) fn end_replay(&mut self, now: Now) -> Vec<(DbIndex, Key)> {
        self.start_queue_clock(now);
        self.set_time(now);
        self.registry.is_replaying = false;
        self.is_following = false;
        self.registry.replayed_dead_letters = None;
        self.update_policy_use();
        self.reset_queue_sums();
        self.adopt_departures();
        let mut unknown = Vec::new();
        if !self.has_policies() {
            return unknown;
        }
        for db in 0..self.dbs.len() {
            for index in 0..self.dbs[db].entries.len() {
                self.end_replay_at(db, index, &mut unknown);
            }
        }
        unknown
    }

    fn end_replay_at(&mut self, db: DbIndex, index: usize, unknown: &mut Vec<(DbIndex, Key)>) {
        let now_ms = self.queue_ms;
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(entry) = entry.full_mut() else { return };
        let Some(attachments) = &mut entry.attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        queue_state.forget_loading();
        // Another program that rewrote the files has left no notes about these.
        let bytes_before = queue_state.allocated_bytes();
        queue_state.in_flight.replace_ready_ms(0, now_ms);
        queue_state.delayed.replace_due_ms(0, now_ms);
        self.bytes = self.bytes + queue_state.allocated_bytes() - bytes_before;
        if let Some(queue) = Queue::of_mut(&mut entry.value)
            && queue.oldest_ms() == Some(0)
        {
            self.bytes -= queue.allocated_bytes();
            queue.replace_ready_ms(0, now_ms);
            self.bytes += queue.allocated_bytes();
            unknown.push((db, entry.key.clone()));
        }
        self.schedule(db, index);
    }

    /// Whether a queue keeps delivered messages until they are acknowledged.
    pub(crate) fn tracks_deliveries(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let policy = self.policies().of(key);
        if policy.is_some_and(|policy| policy.is_at_least_once()) {
            self.find_or_create(db, key);
            return true;
        }
        // A former policy may still apply.
        let is_under = |queue_state: &QueueState| {
            queue_state.policy.as_ref().is_some_and(|policy| policy.is_at_least_once())
        };
        self.queue_state(db, key).is_some_and(is_under)
    }

    /// Sets since when messages of a queue are ready, if no other time is known.
    pub(crate) fn set_ready_ms(&mut self, db: DbIndex, key: &[u8], ms: i64) {
        if self.policies().of(key).is_none() {
            return;
        }
        let index = self.find_or_create(db, key);
        let Some(entry) = self.dbs[db].entries[index].full_mut() else { return };
        let Some(attachments) = &mut entry.attachments else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        queue_state.note(ms);
        if let Some(queue) = Queue::of_mut(&mut entry.value) {
            self.bytes -= queue.allocated_bytes();
            queue.set_push_ms(ms);
            queue.replace_ready_ms(0, ms);
            self.bytes += queue.allocated_bytes();
        }
    }

    /// Takes one delivery back from all messages in flight, which had no time to be acknowledged:
    /// the broker stopped.
    pub(crate) fn uncount_deliveries(&mut self) {
        // During loading no client has a delivery.
        for (db, key, numbers) in self.held_by_queue(&[ClientId::nobody()]) {
            let Some(at) = self.slot(db, &key) else { continue };
            numbers.iter().for_each(|number| self.uncount_delivery(at, *number));
        }
    }

    /// Stores what a note says of the next push to a queue.
    pub(crate) fn announce(&mut self, db: DbIndex, key: &[u8], announced: Announced) {
        self.registry.announced = Some((db, Key::from(key), announced));
    }

    /// Returns what the note before this push to a queue said of it.
    pub(crate) fn take_announced(&mut self, db: DbIndex, key: &[u8]) -> Announced {
        let announced = self.registry.announced.take();
        let own =
            announced.filter(|(noted_db, noted_key, _)| (*noted_db, &noted_key[..]) == (db, key));
        own.map(|(.., announced)| announced).unwrap_or_default()
    }

    /// Returns what the dead letters of a note have in common: the same as in the last note, unless the
    /// note says otherwise. `None` if there is no last note.
    pub(crate) fn replayed_dead_letters(
        &mut self,
        row: Option<DeadLetterRow>,
    ) -> Option<DeadLetterRow> {
        if row.is_some() {
            self.registry.replayed_dead_letters = row;
        }
        self.registry.replayed_dead_letters.clone()
    }

    /// Sets the stamps of the last deliveries of a queue.
    pub(crate) fn restamp_deliveries(&mut self, db: DbIndex, key: &[u8], stamps: &[Stamp]) {
        let Some(index) = self.find(db, key) else { return };
        let Some(attachments) = self.dbs[db].entries[index].attachments_mut() else { return };
        let Some(queue_state) = &mut attachments.queue_state else { return };
        queue_state.in_flight.restamp(stamps);
    }
    /// Sets the stamps of the deliveries of a queue from an index on, each with the number of consecutive
    /// messages that have it.
    pub(crate) fn restamp_deliveries_from(
        &mut self,
        db: DbIndex,
        key: &[u8],
        index: usize,
        runs: &[(Stamp, usize)],
    ) {
        self.change_queue_state(db, key, |state| state.in_flight.restamp_from(index, runs));
    }
}
