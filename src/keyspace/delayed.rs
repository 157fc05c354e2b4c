//! Delayed messages of queues under policies.

use super::{DbIndex, Keyspace, QueueState};
use crate::queue::{End, Queue, Stamp, TakenOut};

impl QueueState {
    /// Returns what the append files say of the next delayed messages: when they are ready, and at
    /// which end of the queue.
    pub(crate) fn recorded_delay(&self) -> (i64, End) {
        let (_, ms, end) = self.recorded_delay;
        (ms, end)
    }
}

impl Keyspace {
    /// Delays messages pushed to a queue under a policy. The stamp has their end of the queue and
    /// the time when they are ready.
    pub(crate) fn delay<'a>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        messages: impl Iterator<Item = &'a [u8]>,
        stamp: Stamp,
    ) {
        self.change_queue_state(db, key, |queue_state| {
            queue_state.delayed.begin_stamps(0);
            for message in messages {
                queue_state.delayed.push_stamped(End::Back, message, stamp);
            }
        });
    }

    /// Removes and returns the delayed messages of a queue that are ready first, if they are due at
    /// `until_ms`: a run of consecutive ones, at most `count_max`.
    pub(crate) fn take_due_delayed(
        &mut self,
        db: DbIndex,
        key: &[u8],
        until_ms: i64,
        count_max: usize,
    ) -> Option<TakenOut> {
        let oldest_ms = self.queue_state(db, key)?.delayed.oldest_ms()?;
        if oldest_ms > until_ms {
            return None;
        }
        let take = |queue: &mut Queue| queue.take_some_older_than(oldest_ms, true, count_max);
        self.change_delayed(db, key, take)?
    }

    /// Changes the delayed messages of a queue.
    pub(crate) fn change_delayed<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Option<R> {
        self.change_queue_state(db, key, |queue_state| change(&mut queue_state.delayed))
    }

    /// Drops the delayed messages of a queue; true if there were any.
    pub(crate) fn clear_delayed(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let has_any =
            self.queue_state(db, key).is_some_and(|queue_state| !queue_state.delayed.is_empty());
        if has_any {
            self.change_delayed(db, key, |queue| queue.trim(0, 0));
        }
        has_any
    }

    /// Whether a queue delays pushed messages.
    pub(crate) fn delays(&mut self, db: DbIndex, key: &[u8]) -> bool {
        if self.policies().of(key).is_some_and(|policy| policy.delay_ms.is_some()) {
            self.find_or_create(db, key);
            return true;
        }
        // A former policy may still apply.
        let is_under = |queue_state: &QueueState| {
            queue_state.policy.as_ref().is_some_and(|policy| policy.delay_ms.is_some())
        };
        self.queue_state(db, key).is_some_and(is_under)
    }

    /// Records when the next delayed messages are ready, and at which end of the queue. True if the
    /// append file already said so.
    pub(crate) fn set_recorded_delay(
        &mut self,
        db: DbIndex,
        key: &[u8],
        ready_ms: i64,
        end: End,
    ) -> bool {
        let recorded = (self.effects.file(), ready_ms, end);
        let note = |queue_state: &mut QueueState| {
            std::mem::replace(&mut queue_state.recorded_delay, recorded) == recorded
        };
        self.change_queue_state(db, key, note).unwrap_or(true)
    }
}
