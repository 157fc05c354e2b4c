//! Delayed messages of all queues.

use super::delayed::{Delayed, RecordedDelay, Released};
use super::{DbIndex, Keyspace, QueueState};
use crate::policy::QueuePolicy;
use crate::queue::Stamp;

impl QueueState {
    /// Returns what the append files say of the delayed messages that are pushed next.
    pub(crate) fn recorded_delay(&self) -> RecordedDelay {
        self.recorded_delay.1
    }
}

impl Keyspace {
    /// Delays messages of a queue under a policy. Each has a stamp with its end of the queue and the
    /// time when it is due.
    pub(crate) fn delay<'a>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        messages: impl Iterator<Item = (&'a [u8], Stamp)>,
    ) {
        self.change_delayed(db, key, |delayed| {
            messages.for_each(|(message, stamp)| delayed.push(message, stamp));
        });
    }

    /// Removes and returns delayed messages of a queue that are due by `until_ms`, in the order of
    /// their times, at most `count_max`. `are_places_wanted`: each with what distinguished it from
    /// the others.
    pub(crate) fn take_due_delayed(
        &mut self,
        db: DbIndex,
        key: &[u8],
        until_ms: i64,
        count_max: usize,
        are_places_wanted: bool,
    ) -> Vec<Released> {
        let due_ms = self.queue_state(db, key).and_then(|state| state.delayed.next_due_ms());
        if due_ms.is_none_or(|due_ms| due_ms > until_ms) {
            return Vec::new();
        }
        let taken = self.change_delayed(db, key, |delayed| {
            let next = || delayed.take_due(until_ms, are_places_wanted);
            std::iter::from_fn(next).take(count_max).collect()
        });
        taken.unwrap_or_default()
    }

    /// Changes the delayed messages of a queue.
    pub(crate) fn change_delayed<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Delayed) -> R,
    ) -> Option<R> {
        self.change_queue_state(db, key, |queue_state| change(&mut queue_state.delayed))
    }

    /// Drops the delayed messages of a queue; true if there were any.
    pub(crate) fn clear_delayed(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let count = self.queue_state(db, key).map_or(0, |queue_state| queue_state.delayed.len());
        if count > 0 {
            self.change_delayed(db, key, |delayed| *delayed = Delayed::default());
            self.work.looked_at(count);
        }
        count > 0
    }

    /// Whether a queue may have delayed messages.
    pub(crate) fn provides_delays(&mut self, db: DbIndex, key: &[u8]) -> bool {
        if self.policies().of(key).is_some_and(|policy| policy.provides_delays()) {
            self.find_or_create(db, key);
            return true;
        }
        // A former policy may still apply.
        let is_under = |queue_state: &QueueState| {
            queue_state.policy.as_deref().is_some_and(QueuePolicy::provides_delays)
        };
        self.queue_state(db, key).is_some_and(is_under)
    }

    /// Records when the messages are due that are delayed next, and what else files say of them.
    /// True if the append file already said so.
    pub(crate) fn set_recorded_delay(
        &mut self,
        db: DbIndex,
        key: &[u8],
        delay: RecordedDelay,
    ) -> bool {
        let recorded = (self.effects.file(), delay);
        let note = |queue_state: &mut QueueState| {
            std::mem::replace(&mut queue_state.recorded_delay, recorded) == recorded
        };
        self.change_queue_state(db, key, note).unwrap_or(true)
    }
}
