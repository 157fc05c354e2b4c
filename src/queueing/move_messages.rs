//! QUEUE MOVE: ready messages of one queue are pushed to others, such as dead letters to the queues they came
//! from.
//!
//! Each is a new push there, to which the policy of that queue applies. What it refuses stays where it is.

use super::Queues;
use super::limits::PushRules;
use super::push::Target;
use super::reserved::check_name;
use crate::command_error::CommandError;
use crate::keyspace::{DbIndex, Key};
use crate::queue::{End, Queue, Stamp};

/// Where messages are moved to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Destination<'a> {
    Key(&'a [u8]),
    /// The queue that each dead letter came from.
    Origin,
}

impl Destination<'_> {
    /// The key to which the first message of a queue is to be moved. `None` if it stays: it is not a dead
    /// letter, or the queue is its origin.
    fn of_first(self, source: &[u8], queue: &Queue) -> Option<Key> {
        match self {
            Destination::Key(key) => Some(Key::from(key)),
            Destination::Origin => {
                let first = queue.stamp_at(0).dead_letter?;
                (*first.from != *source).then(|| Key::from(&first.from[..]))
            }
        }
    }

    /// How many of the first messages of a queue, at most `count_max`, are to be moved to this key in a row.
    fn row_len(self, queue: &Queue, key: &[u8], count_max: usize) -> usize {
        if let Destination::Key(_) = self {
            return count_max.min(queue.len());
        }
        let is_from_there = |(stamp, _): &(Stamp, usize)| {
            stamp.dead_letter.as_ref().is_some_and(|origin| *origin.from == *key)
        };
        let mut count = 0;
        for (_, run) in queue.stamp_runs().take_while(is_from_there) {
            count += run;
            if count >= count_max {
                break;
            }
        }
        count.min(count_max)
    }
}

impl Queues<'_> {
    /// Moves up to `count_max` of the first messages of a queue, in their order, to the back of the
    /// destination. Stops at the first that stays. Returns how many were moved.
    ///
    /// # Errors
    /// A key holds no list, or the destination refuses the first message. Nothing has changed.
    pub(crate) fn move_messages(
        &mut self,
        db: DbIndex,
        source: &[u8],
        to: Destination<'_>,
        count_max: usize,
    ) -> Result<usize, CommandError> {
        let state = self.keyspace.queue_state(db, source);
        let is_paused = state.is_some_and(|queue_state| queue_state.is_read_paused());
        let len = self.keyspace.list(db, source)?.map_or(0, Queue::len);
        if let Destination::Key(key) = to {
            self.keyspace.list(db, key)?;
        }
        let count_max = if is_paused { 0 } else { count_max.min(len) };
        let mut moved = 0;
        while moved < count_max
            && let Some(queue) = self.keyspace.list(db, source)?
            && let Some(key) = to.of_first(source, queue)
        {
            match self.move_row(db, source, (to, &key), count_max - moved) {
                Ok(0) => break,
                Ok(count) => moved += count,
                Err(error) if moved == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(moved)
    }

    /// Moves the first messages of a queue that have the same destination, at most `count_max`; only one if
    /// that is under a policy. Returns how many.
    ///
    /// # Errors
    /// The other queue refuses them. Nothing has changed.
    fn move_row(
        &mut self,
        db: DbIndex,
        source: &[u8],
        (to, key): (Destination<'_>, &[u8]),
        count_max: usize,
    ) -> Result<usize, CommandError> {
        check_name(self.keyspace, key)?;
        self.keyspace.list(db, key)?;
        let is_under_policy = self.keyspace.slot_for_push(db, key).is_some();
        let count = if is_under_policy {
            self.check_first(db, source, key)?
        } else {
            let queue = self.keyspace.list(db, source)?;
            queue.map_or(0, |queue| to.row_len(queue, key, count_max))
        };
        let taken = self.keyspace.change_list(db, source, |queue| {
            let pop = || queue.pop(End::Front, |message| Box::<[u8]>::from(message));
            std::iter::from_fn(pop).take(count).collect::<Vec<_>>()
        })?;
        let taken = taken.unwrap_or_default();
        self.keyspace.effects.record_pop(db, End::Front, source, taken.len());
        self.keyspace.work.moved(taken.len());
        let messages = taken.iter().map(|message| &message[..]);
        if is_under_policy {
            // The removal may have moved the entry.
            let at = self.keyspace.slot_or_create(db, key);
            let rules = PushRules::of(self.keyspace, at);
            let pushed = self.push(&Target { at, key, end: End::Back, rules, id: None }, messages);
            debug_assert!(pushed.is_ok(), "it was checked");
        } else {
            self.keyspace.change_or_create_list(db, key, |queue| {
                messages.clone().for_each(|message| queue.push(End::Back, message));
            })?;
            self.keyspace.effects.record_push(db, End::Back, key, messages);
        }
        Ok(taken.len())
    }

    /// Checks that a queue under a policy takes the first message of another. Returns how many were checked.
    ///
    /// # Errors
    /// The queue is paused or full, or remembers the message.
    fn check_first(
        &mut self,
        db: DbIndex,
        source: &[u8],
        key: &[u8],
    ) -> Result<usize, CommandError> {
        let first = self.keyspace.list(db, source)?.and_then(|queue| queue.get(0));
        let Some(first) = first.map(Box::<[u8]>::from) else { return Ok(0) };
        let at = self.keyspace.slot_or_create(db, key);
        let rules = PushRules::of(self.keyspace, at);
        let checked = match rules.dedup_window_ms {
            Some(window_ms) if self.is_remembered(db, key, &first, window_ms) => {
                Err(duplicate(key))
            }
            _ => rules.check(self.keyspace, at, 1, || first.len()),
        };
        if checked.is_err() {
            self.keyspace.drop_if_empty(db, key);
        }
        checked.map(|()| 1)
    }

    fn is_remembered(&mut self, db: DbIndex, key: &[u8], message: &[u8], window_ms: i64) -> bool {
        let fingerprint = self.keyspace.fingerprint(message);
        self.keyspace.remembers(db, key, fingerprint, window_ms)
    }
}

/// A push would drop the message, which must not be lost.
fn duplicate(key: &[u8]) -> CommandError {
    let text = [b"ERR queue '", key, b"' has had the first message within its dedup-window-ms"];
    CommandError::Bytes(text.concat())
}
