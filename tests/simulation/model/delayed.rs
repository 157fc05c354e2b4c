//! Delayed messages.

use super::client::Side;
use super::{Message, Model};

/// A delayed message.
#[derive(Clone, Debug)]
pub struct Delayed {
    pub message: Message,
    /// When it can be popped.
    pub ready_ms: i64,
    /// Its side of the queue.
    side: Side,
}

impl Model {
    /// The delayed messages of a queue.
    pub(super) fn delayed(&self, db: usize, key: &[u8]) -> &[Delayed] {
        let record = self.queues.get(&(db, key.to_vec()));
        record.map(|record| record.delayed.as_slice()).unwrap_or_default()
    }

    pub(super) fn delay(
        &mut self,
        db: usize,
        key: &[u8],
        side: Side,
        message: Message,
        delay_ms: i64,
    ) {
        let ready_ms = self.queue_ms() + delay_ms;
        let record = self.record(db, key).expect("its queue is under a policy");
        record.delayed.push(Delayed { message, ready_ms, side });
        self.mark_capacity(db, key);
    }

    /// Makes messages ready that are due by `until_ms`, in order; they wait since then, or since now if
    /// that is earlier.
    pub(super) fn release(&mut self, db: usize, key: &[u8], until_ms: i64) {
        let now_ms = self.queue_ms();
        let Some(record) = self.queues.get_mut(&(db, key.to_vec())) else { return };
        let all = std::mem::take(&mut record.delayed).into_iter();
        let (mut ripe, kept): (Vec<_>, Vec<_>) =
            all.partition(|delayed| delayed.ready_ms <= until_ms);
        record.delayed = kept;
        ripe.sort_by_key(|delayed| delayed.ready_ms);
        for Delayed { mut message, ready_ms, side } in ripe {
            let stamp = message.stamp.as_mut().expect("its queue is under a policy");
            stamp.ready_ms = ready_ms.min(now_ms);
            match stamp.taken {
                Some(_) => self.put_in_position(db, key, side, message),
                None => self.push(db, key, side, message),
            }
        }
        self.expire_if_due(db, key);
    }

    /// Takes the message that was pushed first. There is one.
    pub(super) fn take_first_delayed(&mut self, db: usize, key: &[u8]) -> Message {
        let record = self.record(db, key).expect("it has something delayed");
        let first = record.delayed.remove(0);
        self.mark_capacity(db, key);
        first.message
    }

    /// Removes the delayed messages of a deleted queue; false if there were none.
    pub(super) fn clear_delayed(&mut self, db: usize, key: &[u8]) -> bool {
        let count = self.delayed(db, key).len();
        if count > 0 {
            self.tally.removed += count;
            self.count_others(db, key, -(count as i64));
            self.record(db, key).expect("it has something delayed").delayed.clear();
            self.mark_capacity(db, key);
        }
        count > 0
    }
}
