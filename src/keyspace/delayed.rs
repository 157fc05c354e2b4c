//! Delayed messages of one queue: pushed with a delay, or returned to be delivered later.

use super::hidden_list::{Hidden, HiddenList, Position};
use crate::queue::{End, Stamp};
use std::collections::BTreeSet;

/// A delayed message.
#[derive(Clone, Debug)]
pub(crate) struct DelayedMessage {
    /// The message.
    pub(crate) message: Box<[u8]>,
    /// Its stamp: when it is due, and the end of the queue that it then joins. A message that was
    /// delivered before returns to its position at that end.
    pub(crate) stamp: Stamp,
}

impl Hidden for DelayedMessage {
    fn message(&self) -> &[u8] {
        &self.message
    }
}

/// A message that is no longer delayed.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) message: Box<[u8]>,
    pub(crate) stamp: Stamp,
    /// What distinguished it from the others, if requested.
    pub(crate) place: Option<Position>,
}

/// What append files say of the delayed messages that are pushed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordedDelay {
    /// When they are due; 0 if the files do not say.
    pub(crate) ready_ms: i64,
    /// The end of the queue that they then join.
    pub(crate) end: End,
    /// When they were pushed, if the delay of the policy does not tell.
    pub(crate) pushed_ms: Option<i64>,
}

impl RecordedDelay {
    /// The files say nothing.
    pub(crate) const NONE: RecordedDelay =
        RecordedDelay { ready_ms: 0, end: End::Back, pushed_ms: None };
}

/// The delayed messages of one queue. In the append files they are in the order in which they were
/// delayed.
#[derive(Debug, Default)]
pub struct Delayed {
    /// `None` without messages: most queues never have any.
    messages: Option<Box<Messages>>,
}

#[derive(Debug, Default)]
struct Messages {
    /// By number, in the order in which they were delayed.
    list: HiddenList<DelayedMessage>,
    /// When each is due, with its number. Empty in a snapshot, which needs none.
    by_due: BTreeSet<(i64, u64)>,
    last_number: u64,
    /// During loading: those that are removed next.
    marked: Vec<u64>,
}

/// Bytes of memory per message in the index by due time.
const DUE_BYTES: usize = 24;

impl Messages {
    fn remove(&mut self, number: u64) -> Option<DelayedMessage> {
        let removed = self.list.remove(number)?;
        self.by_due.remove(&(removed.stamp.ready_ms, number));
        Some(removed)
    }

    fn restamp(&mut self, number: u64, stamp: Stamp) {
        let due_ms = stamp.ready_ms;
        let replace =
            |delayed: &mut DelayedMessage| std::mem::replace(&mut delayed.stamp, stamp).ready_ms;
        if let Some(before_ms) = self.list.change(number, replace) {
            self.by_due.remove(&(before_ms, number));
            self.by_due.insert((due_ms, number));
        }
    }
}

impl Delayed {
    pub(crate) fn len(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| messages.list.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_none()
    }

    /// Returns the bytes of the messages.
    pub(crate) fn message_bytes(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| messages.list.message_bytes())
    }

    /// Returns the bytes of memory.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| {
            size_of::<Messages>()
                + messages.list.allocated_bytes()
                + messages.by_due.len() * DUE_BYTES
        })
    }

    /// Adds a message behind the others.
    pub(super) fn push(&mut self, message: &[u8], stamp: Stamp) {
        let messages = self.messages.get_or_insert_default();
        messages.last_number += 1;
        let number = messages.last_number;
        messages.by_due.insert((stamp.ready_ms, number));
        messages.list.add(number, DelayedMessage { message: Box::from(message), stamp });
    }

    /// Returns when the next message is due.
    #[inline]
    pub(super) fn next_due_ms(&self) -> Option<i64> {
        let (due_ms, _) = self.messages.as_ref()?.by_due.first()?;
        Some(*due_ms)
    }

    /// Removes and returns the message that is due next, if it is by `until_ms`. Of several that are
    /// due at one time, the first is the one that was delayed first. `is_place_wanted`: with what
    /// distinguished it from the others.
    pub(super) fn take_due(&mut self, until_ms: i64, is_place_wanted: bool) -> Option<Released> {
        let messages = self.messages.as_mut()?;
        let &(_, number) = messages.by_due.first().filter(|(due_ms, _)| *due_ms <= until_ms)?;
        let place = is_place_wanted.then(|| messages.list.place(number));
        let DelayedMessage { message, stamp } = self.remove(number)?;
        Some(Released { message, stamp, place })
    }

    /// Removes and returns the first or last message.
    pub(crate) fn pop(&mut self, end: End) -> Option<DelayedMessage> {
        let list = &self.messages.as_ref()?.list;
        let outermost = match end {
            End::Front => list.first(),
            End::Back => list.last(),
        };
        let (number, _) = outermost?;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<DelayedMessage> {
        let messages = self.messages.as_mut()?;
        let removed = messages.remove(number);
        if messages.list.is_empty() {
            self.messages = None;
        }
        removed
    }

    /// Returns a second list of the same messages, for a snapshot, without copies and indexes.
    pub(super) fn share(&mut self) -> Delayed {
        let share = |messages: &mut Box<Messages>| {
            Box::new(Messages { list: messages.list.share(), ..Messages::default() })
        };
        Delayed { messages: self.messages.as_mut().map(share) }
    }

    /// Returns the messages in the order in which they were delayed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &DelayedMessage> {
        let messages = self.messages.iter().flat_map(|messages| messages.list.iter());
        messages.map(|(_, delayed)| delayed)
    }

    /// Returns the messages with numbers from `first` on, in the order in which they were delayed.
    pub(super) fn iter_from(&self, first: u64) -> impl Iterator<Item = (u64, &DelayedMessage)> {
        self.messages.iter().flat_map(move |messages| messages.list.iter_from(first))
    }

    /// Drops the messages that were delayed first.
    pub(super) fn drop_oldest(&mut self, count: usize) {
        for _ in 0..count {
            let first = self.messages.as_ref().and_then(|messages| messages.list.first());
            let Some((number, _)) = first else { return };
            self.remove(number);
        }
    }

    /// Returns the messages in the order in which they are due.
    pub(crate) fn iter_by_due(&self) -> impl Iterator<Item = &DelayedMessage> {
        self.messages.iter().flat_map(|messages| {
            let numbers = messages.by_due.iter();
            numbers.filter_map(|(_, number)| messages.list.get(*number))
        })
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        let Some(messages) = &self.messages else { return };
        assert!(!messages.list.is_empty());
        messages.list.check_invariants();
        let due = |(number, delayed): (u64, &DelayedMessage)| (delayed.stamp.ready_ms, number);
        assert!(messages.list.iter().map(due).collect::<BTreeSet<_>>() == messages.by_due);
    }
}

/// Changes that append files ask for.
impl Delayed {
    /// Marks the message with this rank: it is removed next.
    pub(crate) fn mark(&mut self, rank: usize) {
        let Some(messages) = &mut self.messages else { return };
        let number = messages.list.number_of_rank(rank);
        messages.marked.extend(number);
    }

    /// Removes the marked messages; false if there are none.
    pub(crate) fn remove_marked(&mut self) -> bool {
        let Some(messages) = &mut self.messages else { return false };
        let marked = std::mem::take(&mut messages.marked);
        for number in &marked {
            self.remove(*number);
        }
        !marked.is_empty()
    }

    /// Removes the first message equal to this one.
    pub(crate) fn remove_equal(&mut self, message: &[u8]) {
        let Some(messages) = &self.messages else { return };
        let equal = messages.list.iter().find(|(_, delayed)| *delayed.message == *message);
        if let Some((number, _)) = equal {
            self.remove(number);
        }
    }

    /// Sets the stamps of the last messages, each with the number of consecutive messages that have
    /// it.
    pub(crate) fn restamp_last(&mut self, runs: &[(Stamp, usize)]) {
        let Some(messages) = &mut self.messages else { return };
        let stamps = runs.iter().rev();
        let stamps = stamps.flat_map(|(stamp, count)| std::iter::repeat_n(stamp.clone(), *count));
        let last = messages.list.iter().rev().map(|(number, _)| number);
        for (number, stamp) in last.zip(stamps).collect::<Vec<_>>() {
            messages.restamp(number, stamp);
        }
    }

    /// Sets the stamps of the messages from an index on, each with the number of consecutive messages that
    /// have it.
    pub(crate) fn restamp_from(&mut self, index: usize, runs: &[(Stamp, usize)]) {
        let Some(messages) = &mut self.messages else { return };
        for (number, stamp) in messages.list.with_numbers_from(index, runs) {
            messages.restamp(number, stamp.clone());
        }
    }

    /// Makes the last messages dead letters with this origin and due time, that were moved so often.
    pub(crate) fn mark_dead_letters(&mut self, count: usize, of: &Stamp) {
        let Some(messages) = &mut self.messages else { return };
        let last = messages.list.iter().rev().take(count);
        let last: Vec<_> = last.map(|(number, delayed)| (number, delayed.stamp.clone())).collect();
        for (number, stamp) in last {
            let Stamp { ready_ms, hops, .. } = *of;
            let dead_letter = of.dead_letter.clone();
            messages.restamp(number, Stamp { ready_ms, hops, dead_letter, ..stamp });
        }
    }

    /// Makes messages that were due at `old_ms` due at `new_ms`.
    pub(super) fn replace_due_ms(&mut self, old_ms: i64, new_ms: i64) {
        let Some(messages) = &mut self.messages else { return };
        let due = messages.by_due.range((old_ms, 0)..=(old_ms, u64::MAX));
        for number in due.map(|(_, number)| *number).collect::<Vec<_>>() {
            let stamp = messages.list.get(number).map(|delayed| delayed.stamp.clone());
            if let Some(stamp) = stamp {
                messages.restamp(number, Stamp { ready_ms: new_ms, ..stamp });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(ms: i64) -> Stamp {
        Stamp { ready_ms: ms, ..Stamp::default() }
    }

    fn texts(delayed: &Delayed) -> String {
        delayed.iter().map(|one| String::from_utf8_lossy(&one.message)).collect()
    }

    fn filled(dues_ms: &[i64]) -> Delayed {
        let mut delayed = Delayed::default();
        for (message, ms) in (b'a'..=b'z').cycle().zip(dues_ms) {
            delayed.push(&[message], due(*ms));
        }
        delayed
    }

    #[test]
    fn they_are_released_in_the_order_of_their_times() {
        let mut delayed = filled(&[5, 3, 5, 1]);
        assert_eq!(
            (delayed.next_due_ms(), delayed.len(), delayed.message_bytes()),
            (Some(1), 4, 4)
        );
        assert!(delayed.take_due(0, true).is_none());
        let mut released = Vec::new();
        while let Some(Released { message, place, .. }) = delayed.take_due(5, true) {
            delayed.check_invariants();
            released.push((message[0], place.expect("wanted")));
        }
        let expected = [
            (b'd', Position::Last),
            (b'b', Position::Unlike),
            (b'a', Position::First),
            (b'c', Position::First),
        ];
        assert_eq!(released, expected);
        assert_eq!((delayed.len(), delayed.allocated_bytes()), (0, 0));
    }

    #[test]
    fn a_snapshot_has_the_messages_as_they_were() {
        let mut delayed = filled(&[2, 1, 3]);
        let shared = delayed.share();
        delayed.pop(End::Front);
        delayed.push(b"x", due(0));
        assert_eq!((texts(&shared), texts(&delayed)), ("abc".into(), "bcx".into()));
        delayed.check_invariants();
    }

    #[test]
    fn files_name_messages_by_rank_or_bytes() {
        let mut delayed = filled(&[1, 2, 3, 4, 5]);
        delayed.mark(1);
        delayed.mark(3);
        delayed.mark(9);
        delayed.remove_marked();
        assert_eq!(texts(&delayed), "ace");
        delayed.remove_equal(b"c");
        delayed.remove_equal(b"c");
        delayed.pop(End::Back);
        assert_eq!(texts(&delayed), "a");
        delayed.check_invariants();
    }

    #[test]
    fn stamps_from_files() {
        let mut delayed = filled(&[0, 0, 0, 0]);
        delayed.restamp_last(&[(due(7), 1), (due(5), 2)]);
        delayed.replace_due_ms(0, 6);
        delayed.check_invariants();
        let dues: Vec<i64> = delayed.iter().map(|one| one.stamp.ready_ms).collect();
        assert_eq!(dues, [6, 7, 5, 5]);
        delayed.restamp_last(&[(due(1), 9)]);
        assert_eq!(delayed.next_due_ms(), Some(1));
    }

    #[test]
    fn stamps_from_an_index_on() {
        let mut delayed = filled(&[0; 300]);
        // More than there are, and behind the end.
        for (index, count) in [(0, 100), (100, 150), (250, usize::MAX), (300, 1), (usize::MAX, 1)] {
            delayed.restamp_from(index, &[(due(index as i64 + 1), count), (due(7), 1)]);
            delayed.check_invariants();
        }
        let dues: Vec<i64> = delayed.iter().map(|one| one.stamp.ready_ms).collect();
        assert!(dues[..100].iter().all(|due| *due == 1), "{dues:?}");
        assert!(dues[100..250].iter().all(|due| *due == 101), "{dues:?}");
        assert!(dues[250..].iter().all(|due| *due == 251), "{dues:?}");
    }
}
