//! Delayed messages: available some time after their push, or after a delivery that failed.

use super::Queues;
use super::delayed_key;
use super::side;
use crate::keyspace::{DbIndex, Key, Position, RecordedDelay, Released};
use crate::note::Note;
use crate::policy::QueuePolicy;
use crate::queue::{DeadLetter, End, Stamp};
use std::iter;
use std::sync::Arc;

/// The delay of messages.
#[derive(Clone)]
pub(crate) struct Delay {
    /// The end of the queue that they join afterwards.
    pub(crate) end: End,
    pub(crate) ms: i64,
    /// How often they were dead letters.
    pub(crate) hops: u16,
    /// Their origin, if they are dead letters.
    pub(crate) dead_letter: Option<Arc<DeadLetter>>,
}

impl Queues<'_> {
    /// Delays messages pushed to a queue.
    pub(crate) fn delay<'a>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        delay: Delay,
    ) {
        let Delay { end, ms, hops, dead_letter } = delay;
        let ready_ms = self.keyspace.queue_ms().saturating_add(ms);
        let stamp = Stamp { ready_ms, taken_from: end, hops, dead_letter, ..Stamp::default() };
        self.keyspace.delay(db, key, messages.clone().zip(iter::repeat(stamp.clone())));
        if self.keyspace.effects.is_on() {
            self.record_delay(db, key, (end, ms), ready_ms);
        }
        let list = &delayed_key(key)[..];
        if stamp.dead_letter.is_none() {
            return self.keyspace.effects.record_push(db, End::Back, list, messages);
        }
        for message in messages {
            self.keyspace.effects.record_stamped_push(db, (End::Back, list), message, &stamp);
        }
    }

    /// Records when the messages that are delayed next are due, unless the stream already says so.
    fn record_delay(&mut self, db: DbIndex, key: &[u8], (end, ms): (End, i64), ready_ms: i64) {
        let policy = self.keyspace.policy_of(db, key);
        // For deduplication, the time of the push is needed.
        let is_own =
            |policy: &QueuePolicy| policy.dedup_window_ms.is_some() && policy.delay_ms != Some(ms);
        let pushed_ms = policy.is_some_and(|policy| is_own(&policy));
        let pushed_ms = pushed_ms.then(|| self.keyspace.queue_ms());
        let recorded = RecordedDelay { ready_ms, end, pushed_ms };
        if !self.keyspace.set_recorded_delay(db, key, recorded) {
            let key = key.to_vec();
            self.keyspace.effects.note(db, &Note::Delayed { key, ms: ready_ms, end, pushed_ms });
        }
    }
}

/// How released messages join their queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Recorded as a move from the front of the list of delayed messages.
    Moved,
    /// Recorded as a removal and a push.
    Pushed,
    /// To the position of an earlier delivery.
    Returned,
}

impl Queues<'_> {
    /// Makes delayed messages that are due by `until_ms` ready, at most `count_max`, in the order of their
    /// times. Waiting consumers get them. They count as ready since they were due, or since now if that is
    /// earlier.
    pub(crate) fn release(&mut self, db: DbIndex, key: &[u8], until_ms: i64, count_max: usize) {
        let is_on = self.keyspace.effects.is_on();
        let mut due = self.keyspace.take_due_delayed(db, key, until_ms, count_max, is_on);
        let Some(first) = due.first() else { return };
        self.keyspace.work.moved(due.len());
        // If returned messages make the list anew, it expires when it would have.
        let expires_ms = match first.stamp.order {
            0 => None,
            _ => self.keyspace.expiry_of_emptied(db, key),
        };
        let now_ms = self.keyspace.queue_ms();
        let way = |one: &Released| match (one.stamp.order, &one.place) {
            (1.., _) => Way::Returned,
            (0, None | Some(Position::First)) if one.stamp.ready_ms <= now_ms => Way::Moved,
            _ => Way::Pushed,
        };
        let ways: Vec<Way> = due.iter().map(way).collect();
        due.iter_mut().for_each(|one| one.stamp.ready_ms = one.stamp.ready_ms.min(now_ms));
        let mut due = due.into_iter();
        for same in ways.chunk_by(|a, b| a == b) {
            let row: Vec<Released> = due.by_ref().take(same.len()).collect();
            match same.first() {
                Some(Way::Returned) => self.return_released(db, key, row),
                Some(way) => self.push_released(db, key, &row, *way),
                None => {}
            }
        }
        if let Some(expires_ms) = expires_ms {
            self.set_expiry(db, key, expires_ms);
        }
    }

    /// Pushes released messages, one after another, each to its end of the queue.
    fn push_released(&mut self, db: DbIndex, key: &[u8], row: &[Released], way: Way) {
        if way == Way::Pushed {
            self.record_released(db, key, row);
        }
        // A key with delayed messages holds a list or nothing.
        let _ = self.keyspace.change_or_create_list(db, key, |queue| {
            for Released { message, stamp, .. } in row {
                queue.push_stamped(stamp.taken_from, message, released(stamp));
            }
        });
        if way == Way::Moved {
            let list = Key::from(delayed_key(key));
            for Released { stamp, .. } in row {
                let to = side(stamp.taken_from);
                self.keyspace.effects.record(db, [b"LMOVE", &list[..], key, b"LEFT", to]);
            }
            return;
        }
        let goal = |one: &Released| (one.stamp.taken_from, one.stamp.ready_ms);
        let are_alike = |a: &Released, b: &Released| {
            goal(a) == goal(b) && a.stamp.dead_letter == b.stamp.dead_letter
        };
        for same in row.chunk_by(are_alike) {
            let Some((end, ready_ms)) = same.first().map(goal) else { continue };
            self.record_ready_since(db, key, ready_ms);
            self.record_known(db, key, same.len());
            for Released { message, stamp, .. } in same {
                let stamp = released(stamp);
                self.keyspace.effects.record_stamped_push(db, (end, key), message, &stamp);
            }
        }
    }

    /// Returns released messages to their positions.
    fn return_released(&mut self, db: DbIndex, key: &[u8], row: Vec<Released>) {
        self.record_released(db, key, &row);
        let messages = row.into_iter().map(|one| (one.message, one.stamp)).collect();
        self.insert_in_position(db, key, messages);
    }

    /// Records that messages are no longer delayed.
    fn record_released(&mut self, db: DbIndex, key: &[u8], row: &[Released]) {
        let list = delayed_key(key);
        for Released { message, place, .. } in row {
            if let Some(place) = place {
                self.record_hidden_removal(db, &list, *place, message);
            }
        }
    }
}

/// The stamp of a message that is no longer delayed, and was never delivered.
fn released(delayed: &Stamp) -> Stamp {
    let Stamp { ready_ms, hops, ref dead_letter, .. } = *delayed;
    Stamp { ready_ms, hops, dead_letter: dead_letter.clone(), ..Stamp::default() }
}
