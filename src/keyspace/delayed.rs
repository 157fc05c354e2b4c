//! Messages of queues under policies that nobody can take yet.

use super::{DbIndex, Keyspace, QueueState};
use crate::queue::{End, Queue, Stamp, TakenOut};

impl QueueState {
    /// What the files say of delayed messages to come: when they are ready, and where they belong.
    pub(crate) fn noted_delay(&self) -> (i64, End) {
        let (_, ms, end) = self.noted_delay;
        (ms, end)
    }
}

impl Keyspace {
    /// Keeps messages back that were pushed to a queue under a policy, at the end and until the moment that are in
    /// their stamp.
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

    /// Takes messages out of a queue's delayed ones that are ready first, if they are at `until_ms`: as many
    /// as are in a row, and `count_max` at the most.
    pub(crate) fn take_ripe(
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

    /// Changes a queue's delayed messages in another way.
    pub(crate) fn change_delayed<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Option<R> {
        self.change_queue_state(db, key, |queue_state| change(&mut queue_state.delayed))
    }

    /// Forgets a queue's delayed messages; whether there were any.
    pub(crate) fn clear_delayed(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let has_any =
            self.queue_state(db, key).is_some_and(|queue_state| !queue_state.delayed.is_empty());
        if has_any {
            self.change_delayed(db, key, |queue| queue.trim(0, 0));
        }
        has_any
    }

    /// Whether a queue keeps what is pushed back for a while.
    pub(crate) fn delays(&mut self, db: DbIndex, key: &[u8]) -> bool {
        if self.policies().of(key).is_some_and(|policy| policy.delay_ms.is_some()) {
            self.find_or_create(db, key);
            return true;
        }
        // One that has gone may hold for it still.
        let is_under = |queue_state: &QueueState| {
            queue_state.policy.as_ref().is_some_and(|policy| policy.delay_ms.is_some())
        };
        self.queue_state(db, key).is_some_and(is_under)
    }

    /// Notes that the file says of delayed messages to come when they are ready, and where they belong; whether
    /// it did so before.
    pub(crate) fn set_recorded_delay(
        &mut self,
        db: DbIndex,
        key: &[u8],
        ready_ms: i64,
        end: End,
    ) -> bool {
        let noted = (self.effects.file(), ready_ms, end);
        let note = |queue_state: &mut QueueState| {
            std::mem::replace(&mut queue_state.noted_delay, noted) == noted
        };
        self.change_queue_state(db, key, note).unwrap_or(true)
    }
}
