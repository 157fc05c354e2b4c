//! Messages of governed queues that nobody can take yet.

use super::{DbIndex, Governed, Keyspace};
use crate::queue::{End, Queue, Stamp};

impl Governed {
    /// What the files say of delayed messages to come: when they are ready, and where they belong.
    pub fn noted_delay(&self) -> (i64, End) {
        let (_, ms, end) = self.noted_delay;
        (ms, end)
    }
}

/// Messages in a row that have become ready, taken out of a queue's delayed ones.
#[derive(Debug)]
pub struct Ripe {
    /// Where the first of them was among the delayed ones, and how many are left behind the last.
    pub index: usize,
    pub behind: usize,
    /// Each with its stamp, whose `taken_from` is the end of the queue where it belongs.
    pub messages: Vec<(Box<[u8]>, Stamp)>,
}

impl Keyspace {
    /// Keeps messages back that were pushed at an end of a governed queue, until `ready_ms`.
    pub fn delay<'a>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        end: End,
        messages: impl Iterator<Item = &'a [u8]>,
        ready_ms: i64,
    ) {
        let stamp = Stamp { ready_ms, taken_from: end, ..Stamp::default() };
        self.change_governed(db, key, |governed| {
            governed.delayed.begin_stamps(0);
            for message in messages {
                governed.delayed.push_stamped(End::Back, message, stamp);
            }
        });
    }

    /// Takes messages out of a queue's delayed ones that are ready at `now_ms`, as many as are in a row.
    pub fn take_ripe(&mut self, db: DbIndex, key: &[u8], now_ms: i64) -> Option<Ripe> {
        let (index, count) = self.governed(db, key)?.delayed.next_older_than(now_ms)?;
        self.change_governed(db, key, |governed| {
            let queue = &mut governed.delayed;
            let messages = queue.copy_stamped(index, count);
            let behind = queue.len() - index - count;
            queue.trim_out(index, count);
            Ripe { index, behind, messages }
        })
    }

    /// Changes a queue's delayed messages in another way.
    pub fn change_delayed<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Queue) -> R,
    ) -> Option<R> {
        self.change_governed(db, key, |governed| change(&mut governed.delayed))
    }

    /// Forgets a queue's delayed messages; whether there were any.
    pub fn clear_delayed(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let has_any = self.governed(db, key).is_some_and(|governed| !governed.delayed.is_empty());
        if has_any {
            self.change_delayed(db, key, |queue| queue.trim(0, 0));
        }
        has_any
    }

    /// Whether a queue keeps what is pushed back for a while.
    pub fn delays(&mut self, db: DbIndex, key: &[u8]) -> bool {
        if self.policies().of(key).is_some_and(|policy| policy.delay_ms.is_some()) {
            self.find_or_create(db, key);
            return true;
        }
        self.governed(db, key).is_some_and(|governed| !governed.delayed.is_empty())
    }

    /// What the files say of delayed messages to come: when they are ready, and where they belong.
    pub fn note_delay(&mut self, db: DbIndex, key: &[u8], noted: (u32, i64, End)) -> bool {
        let note =
            |governed: &mut Governed| std::mem::replace(&mut governed.noted_delay, noted) == noted;
        self.change_governed(db, key, note).unwrap_or(true)
    }
}
