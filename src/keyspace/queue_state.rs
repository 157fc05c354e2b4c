//! The state of queues under a policy besides their messages.
//!
//! State that belongs to a queue's name - deliveries, delayed messages, totals - stays when the
//! list itself is renamed.

use super::Value;
use super::bucket::Bucket;
use super::delayed::{Delayed, RecordedDelay};
use super::delivery::Delivery;
use super::in_flight::InFlight;
use super::recent::Recent;
use super::totals::Totals;
use crate::pauses::Pauses;
use crate::policy::{QueuePolicy, Throttle};
use crate::queue::Queue;
use crate::value::Kind;
use std::sync::Arc;

/// `expires_ms` of a value without an expiry.
pub(super) const NEVER: i64 = i64::MIN;

/// The state of a queue under a policy, besides its messages.
#[derive(Debug)]
pub(crate) struct QueueState {
    /// `None` for a queue that is only paused, or that just lost its policy.
    pub policy: Option<Arc<QueuePolicy>>,
    pub totals: Totals,
    pub in_flight: InFlight,
    pub delayed: Delayed,
    /// What is left of the rate of deliveries, if the policy limits it.
    pub(super) bucket: Bucket,
    /// Whether a consumer waits only for the next token of the bucket.
    pub(super) awaits_token: bool,
    /// Recently stored messages, if the policy asks for deduplication.
    pub(super) recent: Recent,
    /// The newest of the overdue deliveries that are being returned in parts.
    pub(super) overdue_to: Option<u64>,
    /// The newest of them that was examined, whether or not it may be returned.
    pub(super) overdue_seen: u64,
    /// The expiry of a list that became empty while its messages are in flight, in Unix
    /// milliseconds; `NEVER` if it did not, or had none.
    pub(super) expires_ms: i64,
    /// Whether pops find nothing and pushes are refused.
    pub pauses: Pauses,
    /// When the earliest thing is due, by the queue clock, as in `Db::dues`. It may be too early.
    pub(super) due_ms: Option<i64>,
    /// Since when new messages are ready, as recorded in append files, with the number of the file.
    pub(super) recorded: (u32, i64),
    /// The delay of the next messages, as recorded, with the number of the file.
    pub(super) recorded_delay: (u32, RecordedDelay),
    /// Whether the queue is in `QueueRegistry::idle`.
    pub(super) is_listed: bool,
}

/// Bytes of memory of the state, without messages and deliveries.
pub(super) const QUEUE_STATE_BYTES: usize = size_of::<QueueState>() + 64;

impl QueueState {
    pub(super) fn under(policy: Option<Arc<QueuePolicy>>) -> QueueState {
        QueueState {
            policy,
            totals: Totals::default(),
            in_flight: InFlight::default(),
            delayed: Delayed::default(),
            bucket: Bucket::default(),
            awaits_token: false,
            recent: Recent::default(),
            overdue_to: None,
            overdue_seen: 0,
            expires_ms: NEVER,
            pauses: Pauses::default(),
            due_ms: None,
            recorded: (0, 0),
            recorded_delay: (0, RecordedDelay::NONE),
            is_listed: false,
        }
    }

    /// Returns the bytes of memory.
    pub(crate) fn allocated_bytes(&self) -> usize {
        let hidden_bytes = self.in_flight.allocated_bytes() + self.delayed.allocated_bytes();
        QUEUE_STATE_BYTES + hidden_bytes + self.recent.allocated_bytes()
    }

    /// Drops messages in flight or delayed, and resets the totals; returns the freed bytes.
    pub(super) fn flush(&mut self) -> usize {
        let bytes_before = self.allocated_bytes();
        self.in_flight.clear();
        self.delayed = Delayed::default();
        self.recent.clear();
        self.totals = Totals::default();
        (self.bucket, self.awaits_token) = (Bucket::default(), false);
        (self.due_ms, self.is_listed, self.expires_ms) = (None, false, NEVER);
        bytes_before - self.allocated_bytes()
    }

    /// Sets since when new messages are ready, according to the append file.
    pub(super) fn note(&mut self, ready_ms: i64) {
        self.recorded.1 = ready_ms;
    }

    /// Resets the totals after loading, and the recorded times: the next effects go to another
    /// file.
    pub(super) fn forget_loading(&mut self) {
        self.totals = Totals::default();
        self.recorded = (u32::MAX, 0);
        self.recorded_delay = (u32::MAX, RecordedDelay::NONE);
    }

    /// True if nothing but the totals would be lost with it.
    pub(super) fn is_idle(&self) -> bool {
        self.has_nothing_hidden() && !self.is_paused()
    }

    /// True if nothing is in flight or delayed.
    pub(crate) fn has_nothing_hidden(&self) -> bool {
        self.in_flight.is_empty() && self.delayed.is_empty()
    }

    /// Whether it has messages in flight or delayed that a policy does not provide for.
    pub(super) fn is_orphaned_by(&self, policy: Option<&QueuePolicy>) -> bool {
        let provides = |has: fn(&QueuePolicy) -> bool| policy.is_some_and(has);
        (!self.in_flight.is_empty() && !provides(QueuePolicy::is_at_least_once))
            || (!self.delayed.is_empty() && !provides(QueuePolicy::provides_delays))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pauses.is_paused()
    }

    /// Whether pops find nothing.
    #[inline]
    pub(crate) fn is_read_paused(&self) -> bool {
        self.pauses.reads_until_ms.is_some()
    }

    /// Whether pushes are refused.
    #[inline]
    pub(crate) fn is_write_paused(&self) -> bool {
        self.pauses.writes_until_ms.is_some()
    }

    /// Returns when a message in flight returns because nobody has acknowledged it, by the queue
    /// clock; `None` if time does not return it.
    pub(crate) fn ack_due_ms(&self, delivery: &Delivery) -> Option<i64> {
        if let Some(own_due_ms) = delivery.own_due_ms() {
            return Some(own_due_ms);
        }
        let timeout_ms = self.policy.as_ref()?.ack_timeout_ms?;
        Some(delivery.delivered_ms.saturating_add(timeout_ms))
    }

    /// Returns the limits on deliveries; `None` without any.
    #[inline]
    pub(super) fn throttle(&self) -> Option<&Throttle> {
        self.policy.as_ref()?.throttle.as_ref()
    }

    /// Whether nothing of its rate is used: a new queue of this policy could deliver no more.
    pub(super) fn has_full_bucket(&self, now_ms: i64) -> bool {
        let rate = self.throttle().and_then(Throttle::rate);
        rate.is_none_or(|rate| self.bucket.is_full(rate, now_ms))
    }

    /// Returns when the token comes that a consumer waits for.
    pub(super) fn next_token_ms(&self) -> Option<i64> {
        if !self.awaits_token {
            return None;
        }
        Some(self.bucket.next_ms(self.throttle()?.rate()?))
    }

    /// Whether the queue is scheduled no later than its next due time.
    #[inline]
    pub(super) fn is_scheduled_early_enough(&self, value: &Value) -> bool {
        match (self.next_due_ms(value), self.due_ms) {
            (None, _) => true,
            (Some(due_ms), scheduled_ms) => scheduled_ms.is_some_and(|at_ms| at_ms <= due_ms),
        }
    }

    /// Returns when the queue next has something due, by the queue clock.
    pub(super) fn next_due_ms(&self, value: &Value) -> Option<i64> {
        let end_of_pause = self.pauses.next_end_ms();
        let Some(policy) = &self.policy else { return end_of_pause };
        let oldest_ms = Queue::of(value).and_then(Queue::oldest_ms);
        let expiry = policy.message_ttl_ms.and_then(|ttl| Some(oldest_ms?.saturating_add(ttl)));
        let timed = self.in_flight.oldest_timed();
        let overdue = timed.and_then(|delivery| self.ack_due_ms(delivery));
        let own_due = self.in_flight.first_own_due().map(|(due_ms, _)| due_ms);
        let ready = self.delayed.next_due_ms();
        // Recent messages need to be dropped only when all of them are outdated: until then,
        // nothing depends on it.
        let recent = policy
            .dedup_window_ms
            .and_then(|window| Some(self.recent.last_ms()?.saturating_add(window)));
        let token = self.next_token_ms();
        let dues = expiry.into_iter().chain(overdue).chain(own_due).chain(ready).chain(recent);
        dues.chain(end_of_pause).chain(token).min()
    }
}
