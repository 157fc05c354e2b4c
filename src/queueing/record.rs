//! What append files are told of the messages in a queue under a policy: since when they are ready.

use super::Queues;
use crate::keyspace::{DbIndex, NewlyStamped, Slot};
use crate::note::Note;
use crate::queue::End;

impl Queues<'_> {
    /// Notes since when the messages are ready that are about to be stated as pushed to a queue under a policy, if
    /// the stream does not say so yet.
    pub(crate) fn record_ready(&mut self, db: DbIndex, key: &[u8]) {
        self.record_ready_since(db, key, self.keyspace.queue_ms());
    }

    /// As `record_ready`, of messages that are ready since `ms`.
    pub(crate) fn record_ready_since(&mut self, db: DbIndex, key: &[u8], ms: i64) {
        if self.keyspace.effects.is_on()
            && let Some(at) = self.keyspace.slot(db, key)
        {
            self.record_ready_in(at, ms);
        }
    }

    /// As `record_ready_since`, of a queue that was found.
    #[inline]
    pub(crate) fn record_ready_in(&mut self, at: Slot, ms: i64) {
        if self.keyspace.effects.is_on() && self.keyspace.set_recorded_ready(at, ms) == Some(false)
        {
            let key = self.keyspace.key_in(at).to_vec();
            self.keyspace.effects.note(at.db(), &Note::Ready { key, ms });
        }
    }

    /// Notes since when the messages are ready that came under a policy in another way than by a push: a
    /// list was renamed or copied, the policies changed.
    pub(crate) fn record_stamps(&mut self) {
        for NewlyStamped { db, key, ms, is_corrected } in self.keyspace.take_newly_stamped() {
            // Also if the same was noted before these came.
            let noted = self.keyspace.slot(db, &key);
            if noted.and_then(|at| self.keyspace.set_recorded_ready(at, ms)).is_none() {
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
