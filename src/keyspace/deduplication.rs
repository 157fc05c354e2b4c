//! Deduplication: whether a queue has recently stored the same message.

use super::{DbIndex, Fingerprint, Keyspace};

impl Keyspace {
    /// Returns the fingerprint of a message.
    pub(crate) fn fingerprint(&self, message: &[u8]) -> Fingerprint {
        let hasher = &self.hasher;
        (hasher.hash_one(message), hasher.hash_one((message, 1u8)))
    }

    /// Returns the fingerprint of an id given to messages: that of no message.
    pub(crate) fn fingerprint_of_id(&self, id: &[u8]) -> Fingerprint {
        let hasher = &self.hasher;
        (hasher.hash_one((id, 2u8)), hasher.hash_one((id, 3u8)))
    }

    /// Whether a queue has stored this message in the last `window_ms`.
    pub(crate) fn remembers(
        &mut self,
        db: DbIndex,
        key: &[u8],
        fingerprint: Fingerprint,
        window_ms: i64,
    ) -> bool {
        let since_ms = self.queue_ms.saturating_sub(window_ms);
        self.queue_state(db, key)
            .is_some_and(|queue_state| queue_state.recent.has(fingerprint, since_ms))
    }

    /// Remembers that a queue stored messages at `at_ms`.
    pub(crate) fn remember(
        &mut self,
        db: DbIndex,
        key: &[u8],
        fingerprints: impl IntoIterator<Item = Fingerprint>,
        window_ms: i64,
        at_ms: i64,
    ) {
        let count_max = self.registry.dedup_max;
        let since_ms = at_ms.saturating_sub(window_ms);
        self.change_queue_state(db, key, |queue_state| {
            for fingerprint in fingerprints {
                queue_state.recent.add(fingerprint, at_ms, since_ms, count_max);
            }
        });
    }

    /// Sets the limits on messages remembered by each queue, and on remembered idle queues.
    pub(crate) fn set_memory_limits(&mut self, dedup_max: usize, idle_max: usize) {
        self.registry.dedup_max = dedup_max;
        self.registry.idle_max = idle_max;
    }

    /// Clears the recent messages of a queue, if the last of them is older than the window.
    pub(crate) fn forget_old(&mut self, db: DbIndex, key: &[u8], window_ms: i64) {
        let since_ms = self.queue_ms.saturating_sub(window_ms);
        let last_ms =
            self.queue_state(db, key).and_then(|queue_state| queue_state.recent.last_ms());
        if last_ms.is_some_and(|ms| ms <= since_ms) {
            self.change_queue_state(db, key, |queue_state| queue_state.recent.clear());
        }
    }
}
