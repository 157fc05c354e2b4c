//! Delayed messages: available some time after their push.

use super::Queues;
use super::delayed_key;
use super::side;
use crate::keyspace::{DbIndex, Key, Removed};
use crate::note::Note;
use crate::queue::{End, Gathered, Stamp, TakenOut};

/// The delay of messages.
#[derive(Clone, Copy)]
pub(crate) struct Delay {
    /// The end of the queue that they join afterwards.
    pub(crate) end: End,
    pub(crate) ms: i64,
    /// How often they were dead letters.
    pub(crate) hops: u16,
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
        let Delay { end, ms, hops } = delay;
        let ready_ms = self.keyspace.queue_ms().saturating_add(ms);
        let stamp = Stamp { ready_ms, taken_from: end, hops, ..Stamp::default() };
        self.keyspace.delay(db, key, messages.clone(), stamp);
        if self.keyspace.effects.is_on()
            && !self.keyspace.set_recorded_delay(db, key, ready_ms, end)
        {
            self.keyspace.effects.note(db, &Note::Delayed { key: key.to_vec(), ms: ready_ms, end });
        }
        self.keyspace.effects.record_push(db, End::Back, &delayed_key(key), messages);
    }

    /// Makes delayed messages that are due by `until_ms` ready, at most `count_max`, in the order of their
    /// times. Waiting consumers get them. They count as ready since they were due, or since now if that is
    /// earlier.
    pub(crate) fn release(&mut self, db: DbIndex, key: &[u8], until_ms: i64, count_max: usize) {
        let list = Key::from(delayed_key(key));
        let mut gathered = Gathered::default();
        let mut rows: Vec<Removed> = Vec::new();
        let mut left = count_max;
        while left > 0
            && let Some(due) = self.keyspace.take_due_delayed(db, key, until_ms, left)
        {
            let TakenOut { index, count, behind, .. } = due;
            rows.push(Removed { db, key: list.clone(), index, count, behind, departure: None });
            left -= count;
            gathered.add(due);
        }
        if rows.is_empty() {
            return;
        }
        self.keyspace.work.moved(count_max - left);
        let now_ms = self.keyspace.queue_ms();
        let messages = gathered.into_sorted();
        // The usual case: the first ones of the list, in its order.
        let are_moves = rows.iter().all(|row| row.index == 0)
            && messages.last().is_some_and(|(_, stamp)| stamp.ready_ms <= now_ms);
        if !are_moves {
            rows.iter().for_each(|row| self.keyspace.record_removed(row));
        }
        let pushed = self.keyspace.change_or_create_list(db, key, |queue| {
            for (message, Stamp { ready_ms, taken_from, hops, .. }) in &messages {
                let ready_ms = *ready_ms.min(&now_ms);
                let stamp = Stamp { ready_ms, hops: *hops, ..Stamp::default() };
                queue.push_stamped(*taken_from, message, stamp);
            }
        });
        debug_assert!(pushed.is_ok());
        for (message, Stamp { ready_ms, taken_from, .. }) in &messages {
            if are_moves {
                self.keyspace
                    .effects
                    .record(db, [b"LMOVE", &list[..], key, b"LEFT", side(*taken_from)]);
            } else {
                self.record_ready_since(db, key, *ready_ms.min(&now_ms));
                self.keyspace.effects.record_push(db, *taken_from, key, [&message[..]]);
            }
        }
    }
}
