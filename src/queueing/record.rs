//! Records since when the messages of queues under a policy are ready.

use super::Queues;
use crate::keyspace::{DbIndex, NewlyStamped, Slot};
use crate::note::Note;
use crate::queue::End;

impl Queues<'_> {
    /// Records since when messages are ready, before their push to a queue under a policy is recorded, unless
    /// the stream already says so.
    pub(crate) fn record_ready(&mut self, db: DbIndex, key: &[u8]) {
        self.record_ready_since(db, key, self.keyspace.queue_ms());
    }

    /// As `record_ready`, for messages that are ready since `ms`.
    pub(crate) fn record_ready_since(&mut self, db: DbIndex, key: &[u8], ms: i64) {
        if self.keyspace.effects.is_on()
            && let Some(at) = self.keyspace.slot(db, key)
        {
            self.record_ready_in(at, ms);
        }
    }

    /// As `record_ready_since`, for a queue that was looked up.
    #[inline]
    pub(crate) fn record_ready_in(&mut self, at: Slot, ms: i64) {
        if self.keyspace.effects.is_on() && self.keyspace.set_recorded_ready(at, ms) == Some(false)
        {
            let key = self.keyspace.key_in(at).to_vec();
            self.keyspace.effects.note(at.db(), &Note::Ready { key, ms });
        }
    }

    /// Records that the numbers of deliveries were raised at the start, before the first of them.
    pub(super) fn record_raise(&mut self) {
        if self.keyspace.effects.is_on()
            && let Some(number) = self.keyspace.take_raised()
        {
            self.keyspace.effects.note(0, &Note::LastDelivery { number });
        }
    }

    /// Records, before a push to a queue is recorded, that these messages were stored before: a loader must
    /// not take them for new ones.
    pub(crate) fn record_known(&mut self, db: DbIndex, key: &[u8], count: usize) {
        if self.keyspace.effects.is_on()
            && let Some(policy) = self.keyspace.policy_of(db, key)
            && policy.dedup_window_ms.is_some()
        {
            let key = key.to_vec();
            self.keyspace.effects.note(db, &Note::Known { key, count, id: None });
        }
    }

    /// Records since when messages are ready that came under a policy without a push: a list was renamed or
    /// copied, or the policies changed.
    pub(crate) fn record_stamps(&mut self) {
        for NewlyStamped { db, key, ms, is_corrected } in self.keyspace.take_newly_stamped() {
            // Even if the same time was recorded before these messages came.
            let recorded = self.keyspace.slot(db, &key);
            if recorded.and_then(|at| self.keyspace.set_recorded_ready(at, ms)).is_none() {
                continue;
            }
            let key = key.to_vec();
            if is_corrected && let Some(list) = self.keyspace.peek_list(db, &key) {
                let runs = list.stamp_runs().collect();
                self.keyspace
                    .effects
                    .note(db, &Note::Stamped { key: key.clone(), end: End::Back, runs });
            }
            self.keyspace.effects.note(db, &Note::Ready { key, ms });
        }
    }
}
