//! Deduplication: recent messages of a queue are not stored again.

use super::Model;

/// An id among the remembered messages: unlike any message.
pub(super) fn as_message(id: &[u8]) -> Vec<u8> {
    [b"the id ", id].concat()
}

impl Model {
    fn dedup_window_ms(&self, key: &[u8]) -> Option<i64> {
        self.policy(key)?.number("dedup-window-ms")
    }

    /// Those of these messages that the queue has not stored recently, each once. With an id: all of them, if
    /// it has not stored that recently.
    pub(super) fn new_messages(
        &self,
        db: usize,
        key: &[u8],
        messages: &[Vec<u8>],
        id: Option<&Vec<u8>>,
    ) -> Vec<Vec<u8>> {
        let Some(window_ms) = self.dedup_window_ms(key) else { return messages.to_vec() };
        if let Some(id) = id {
            let is_new = !self.new_messages(db, key, &[as_message(id)], None).is_empty();
            return if is_new { messages.to_vec() } else { Vec::new() };
        }
        let since_ms = self.queue_ms() - window_ms;
        let record = self.queues.get(&(db, key.to_vec()));
        let recent = record.map(|record| record.recent.as_slice()).unwrap_or_default();
        let mut new: Vec<Vec<u8>> = Vec::new();
        for message in messages {
            // When it was last stored; the system time may have been set back since.
            let last = recent.iter().rev().find(|(_, other)| other == message);
            let is_had = last.is_some_and(|(stored_ms, _)| *stored_ms > since_ms);
            if !is_had && !new.contains(message) {
                new.push(message.clone());
            }
        }
        new
    }

    /// Remembers stored messages, and counts the duplicates.
    pub(super) fn remember_stored(
        &mut self,
        db: usize,
        key: &[u8],
        stored: &[Vec<u8>],
        duplicates: usize,
    ) {
        let Some(window_ms) = self.dedup_window_ms(key) else { return };
        let (now_ms, dedup_max) = (self.queue_ms(), self.dedup_max);
        let record = self.record(db, key).expect("its queue is under a policy");
        record.totals.deduplicated += duplicates as i64;
        for message in stored {
            record.recent.push((now_ms, message.clone()));
            while record.recent.len() > dedup_max
                || record.recent.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms - window_ms)
            {
                record.recent.remove(0);
            }
        }
        // A push that stores nothing changes nothing.
        if !stored.is_empty() {
            self.mark_capacity(db, key);
        }
    }

    /// Forgets the recent messages of a queue, if the last one is older than the window.
    pub(super) fn forget_old(&mut self, db: usize, key: &[u8]) {
        let Some(window_ms) = self.dedup_window_ms(key) else { return };
        let since_ms = self.queue_ms() - window_ms;
        if let Some(record) = self.record(db, key)
            && record.recent.last().is_some_and(|(at_ms, _)| *at_ms <= since_ms)
        {
            record.recent.clear();
            self.mark_capacity(db, key);
        }
    }
}
