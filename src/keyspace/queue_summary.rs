//! What is known about a queue as a whole, found by one look-up.

use super::waiters::Line;
use super::{DbIndex, Keyspace, QueueState, Totals};
use crate::pauses::Pauses;
use crate::policy::QueuePolicy;
use crate::queue::Queue;
use crate::value::Kind;
use std::sync::Arc;

/// What is known about a queue as a whole.
#[derive(Debug, Default)]
pub struct QueueSummary {
    pub(crate) policy: Option<Arc<QueuePolicy>>,
    pub(crate) len: usize,
    /// Of all messages; known only under a policy.
    pub(crate) bytes: Option<usize>,
    /// How long the oldest message has been ready; known only under a policy, and of dead letters.
    pub(crate) oldest_age_ms: Option<i64>,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
    pub(crate) consumers_waiting: usize,
    pub(crate) producers_waiting: usize,
    pub(crate) pauses: Pauses,
    /// How long until the next end of a pause.
    pub(crate) paused_for_ms: Option<i64>,
    pub(crate) totals: Totals,
}

impl Keyspace {
    /// Returns what is known about the queue of a key. It costs the same for every queue.
    pub(crate) fn queue_summary(&mut self, db: DbIndex, key: &[u8]) -> QueueSummary {
        let mut summary = QueueSummary { bytes: Some(0), ..QueueSummary::default() };
        if let Some(index) = self.find(db, key) {
            let entry = &self.dbs[db].entries[index];
            if let Some(list) = entry.value().and_then(Queue::of) {
                summary.see_list(list, self.queue_ms());
            }
            if let Some(attachments) = entry.attachments() {
                summary.consumers_waiting =
                    attachments.line_len(Line::Waiters) + attachments.line_len(Line::Movers);
                summary.producers_waiting = attachments.line_len(Line::Producers);
                if let Some(queue_state) = &attachments.queue_state {
                    summary.see_state(queue_state, self.queue_ms());
                }
            }
        }
        // A queue without state has the policy that it will be under when it is used.
        summary.policy = summary.policy.or_else(|| self.registry.policies.of(key).cloned());
        summary
    }
}

impl QueueSummary {
    fn see_list(&mut self, list: &Queue, now_ms: i64) {
        self.len = list.len();
        let is_stamped = list.is_fully_stamped();
        // Without a policy, bytes are not tracked, and ages only of dead letters.
        self.bytes = is_stamped.then(|| list.message_bytes());
        let oldest_ms = list.oldest_ms().filter(|ms| is_stamped || *ms != 0);
        self.oldest_age_ms = oldest_ms.map(|oldest_ms| now_ms.saturating_sub(oldest_ms));
    }

    fn see_state(&mut self, queue_state: &QueueState, now_ms: i64) {
        self.policy = queue_state.policy.clone();
        self.in_flight = queue_state.in_flight.len();
        self.delayed = queue_state.delayed.len();
        self.pauses = queue_state.pauses;
        let end_ms = self.pauses.next_end_ms();
        self.paused_for_ms = end_ms.map(|end_ms| end_ms.saturating_sub(now_ms));
        self.totals = queue_state.totals;
    }
}
