//! Returns of unacknowledged messages after a delay: they are delayed until they return to their positions.

use super::Queues;
use super::delayed_key;
use super::return_messages::Cause;
use crate::keyspace::{DbIndex, Delivery, Key, Return};
use crate::note::Note;
use crate::queue::{End, Stamp};

impl Queues<'_> {
    /// Returns messages in flight whose deliveries failed: after the delay that the policy has for retries,
    /// or at once. The numbers are ascending.
    pub(crate) fn retry(&mut self, db: DbIndex, key: &Key, numbers: &[u64], cause: Cause) {
        self.retry_part(db, key, Return::All, numbers, cause);
    }

    /// As `retry`, for messages that may be a part of a large number.
    pub(super) fn retry_part(
        &mut self,
        db: DbIndex,
        key: &Key,
        how: Return,
        numbers: &[u64],
        cause: Cause,
    ) {
        let policy = self.keyspace.policy_of(db, key);
        let Some(policy) = policy.filter(|policy| policy.retry_delay_ms.is_some()) else {
            return self.return_part(db, key, how, numbers, cause);
        };
        let staying = self.begin_return(db, key, how, numbers, cause);
        let delay_ms = |stamp: &Stamp| policy.retry_delay(stamp.deliveries).unwrap_or_default();
        self.delay_returned(db, key, &staying, delay_ms);
    }

    /// QUEUE NACK with a delay: returns messages in flight after it, except those that were delivered too often
    /// or have expired meanwhile. Their deliveries are over at once. The numbers are ascending.
    pub(crate) fn return_later(&mut self, db: DbIndex, key: &Key, numbers: &[u64], delay_ms: i64) {
        if delay_ms <= 0 {
            return self.return_messages(db, key, numbers, Cause::Nacked);
        }
        let staying = self.begin_return(db, key, Return::All, numbers, Cause::Nacked);
        self.delay_returned(db, key, &staying, |_| delay_ms);
    }

    /// Delays messages in flight, each by what `delay_ms` returns for its stamp. The numbers are ascending.
    fn delay_returned(
        &mut self,
        db: DbIndex,
        key: &Key,
        numbers: &[u64],
        delay_ms: impl Fn(&Stamp) -> i64,
    ) {
        let mut returned = self.take_out_all(db, key, numbers);
        let now_ms = self.keyspace.queue_ms();
        for Delivery { stamp, .. } in &mut returned {
            stamp.ready_ms = now_ms.saturating_add(delay_ms(stamp));
        }
        if returned.is_empty() {
            return;
        }
        self.keyspace.work.moved(returned.len());
        let messages =
            returned.iter().map(|delivery| (&delivery.message[..], delivery.stamp.clone()));
        self.keyspace.delay(db, key, messages);
        if self.keyspace.effects.is_on() {
            let stamps = returned.iter().map(|delivery| delivery.stamp.clone()).collect();
            self.keyspace.effects.note(db, &Note::Retried { key: key.to_vec(), stamps });
            let messages = returned.iter().map(|delivery| &delivery.message[..]);
            self.keyspace.effects.record_push(db, End::Back, &delayed_key(key), messages);
        }
    }

    /// Removes messages from those in flight, and records this. Those at one end of their list are removed
    /// from there.
    fn take_out_all(&mut self, db: DbIndex, key: &Key, numbers: &[u64]) -> Vec<Delivery> {
        let first = self.keyspace.queue_state(db, key).and_then(|state| state.in_flight.first());
        let are_first = first.map(|(number, _)| number) == numbers.first().copied();
        let mut take_out = |number: &u64| {
            let at = self.keyspace.slot(db, key)?;
            self.take_out(at, key, *number)
        };
        if are_first {
            return numbers.iter().filter_map(take_out).collect();
        }
        let mut returned: Vec<Delivery> = numbers.iter().rev().filter_map(&mut take_out).collect();
        returned.reverse();
        returned
    }
}
