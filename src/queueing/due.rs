//! What becomes due in queues: pauses, delays and TTLs that end, deliveries that were not acknowledged in time,
//! the next delivery at a limited rate.

use super::Queues;
use super::dead_letters::Exit;
use super::return_messages::Cause;
use crate::keyspace::{DbIndex, Fate, Key, QueueEvent, Return};
use crate::policy::QueuePolicy;
use crate::queue::End;
use log::warn;
use std::sync::Arc;

impl Queues<'_> {
    /// Does what is due at the time of the turn, within its budget.
    pub(crate) fn do_due(&mut self) {
        while let Some((db, key)) = self.keyspace.take_due() {
            self.keyspace.end_pauses(db, &key);
            if let Some(policy) = self.keyspace.policy_of(db, &key) {
                self.return_overdue(db, &key, &policy);
                self.return_own_due(db, &key);
                let now_ms = self.keyspace.queue_ms();
                self.release(db, &key, now_ms, self.keyspace.work.messages_left());
                if let Some(window_ms) = policy.dedup_window_ms {
                    self.keyspace.forget_old(db, &key, window_ms);
                }
                self.expire(db, &key, &policy);
                self.keyspace.add_token(db, &key);
            }
            self.keyspace.reschedule(db, &key);
        }
        self.keyspace.mark_left_due();
    }

    /// Returns messages that were in flight for too long.
    fn return_overdue(&mut self, db: DbIndex, key: &Key, policy: &QueuePolicy) {
        let Some(timeout_ms) = policy.ack_timeout_ms else { return };
        let since_ms = self.keyspace.queue_ms().saturating_sub(timeout_ms);
        let count_max = self.keyspace.work.messages_left();
        let (how, numbers) = self.keyspace.overdue(db, key, since_ms, count_max);
        if how != Return::Undeliverable
            && !numbers.is_empty()
            && let Some(left_out) = self.keyspace.admit_line(QueueEvent::Overdue)
        {
            let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
            warn!(
                "{} messages of '{key}' were not acknowledged within {timeout_ms} ms: policy '{name}' \
             returns them to the queue{left_out}",
                numbers.len()
            );
        }
        self.retry_part(db, key, how, &numbers, Cause::TimedOut);
    }

    /// Returns messages whose lease, or other time of their own, is over.
    fn return_own_due(&mut self, db: DbIndex, key: &Key) {
        let numbers = self.keyspace.own_due(db, key, self.keyspace.work.messages_left());
        if numbers.is_empty() {
            return;
        }
        if let Some(left_out) = self.keyspace.admit_line(QueueEvent::Overdue) {
            let (count, key) = (numbers.len(), key.escape_ascii());
            warn!(
                "{count} messages of '{key}' were not acknowledged during their lease: they return to the \
                 queue{left_out}"
            );
        }
        self.retry(db, key, &numbers, Cause::TimedOut);
    }

    /// Removes all expired messages at once, since no client may see or get one.
    fn expire(&mut self, db: DbIndex, key: &Key, policy: &Arc<QueuePolicy>) {
        let Some(ttl_ms) = policy.message_ttl_ms else { return };
        let limit_ms = self.keyspace.queue_ms().saturating_sub(ttl_ms);
        let exit = Exit { db, key, policy, fate: Fate::Expired, first: End::Front };
        self.part_with(exit, |queue| queue.next_older_than(limit_ms));
    }
}
