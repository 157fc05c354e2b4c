//! Which of an output's shared messages count in which lane, so that those of a lane that wait can
//! be counted, and the oldest be taken out, in a time that does not depend on how many there are.
//!
//! Shared messages are numbered in their order; `first` is the number of the one in front, so that
//! nothing has to be told here when a message without a lane is added. A lane is the queue of its
//! messages' numbers. Those below `first` have been sent; they are forgotten when the lane is next
//! looked at. A message that is taken out leaves an empty one in its place, which keeps the numbers
//! of the others and the marks of the output valid; `is_sparse` says when there are too many.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// So few empty messages are cheaper to step over than to remove.
const EMPTIED_MIN: usize = 8;

/// The lanes of one output.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The number of the message in front.
    first: u64,
    /// The numbers of the messages of each lane; they rise.
    numbers: BTreeMap<u64, VecDeque<u64>>,
    /// How many messages were taken out and have left an empty one.
    emptied: usize,
    /// Whether a part of the message in front has been sent.
    is_front_begun: bool,
}

impl Lanes {
    /// Notes that the message at `index`, the last one, counts in a lane.
    pub(super) fn add(&mut self, lane: u64, index: usize) {
        let first = self.first;
        if !self.numbers.contains_key(&lane) {
            // Lanes come and go with what names them; those that are done with are not kept.
            self.numbers.retain(|_, numbers| numbers.back().is_some_and(|last| *last >= first));
        }
        self.numbers.entry(lane).or_default().push_back(first + index as u64);
    }

    /// How many messages of a lane wait, the one that is partly sent included.
    pub(super) fn waiting(&mut self, lane: u64) -> usize {
        let first = self.first;
        let Some(numbers) = self.numbers.get_mut(&lane) else { return 0 };
        while numbers.front().is_some_and(|number| *number < first) {
            numbers.pop_front();
        }
        numbers.len()
    }

    /// Where the oldest message of a lane is of which nothing has been sent.
    pub(super) fn oldest(&mut self, lane: u64) -> Option<usize> {
        self.waiting(lane);
        let number = *self.numbers.get(&lane)?.get(self.oldest_place(lane))?;
        Some((number - self.first) as usize)
    }

    /// Forgets the message that `oldest` names; the caller empties it.
    pub(super) fn forget_oldest(&mut self, lane: u64) {
        let place = self.oldest_place(lane);
        if let Some(numbers) = self.numbers.get_mut(&lane)
            && numbers.remove(place).is_some()
        {
            self.emptied += 1;
        }
    }

    /// The place in a lane of the first that can be taken out: the second, if the first is in front
    /// and partly sent.
    fn oldest_place(&self, lane: u64) -> usize {
        let front = self.numbers.get(&lane).and_then(VecDeque::front);
        usize::from(self.is_front_begun && front == Some(&self.first))
    }

    /// Says that a part of the message in front has been sent.
    pub(super) fn begin_front(&mut self) {
        self.is_front_begun = true;
    }

    /// Says that the message in front is gone: it was sent, or it was an empty one.
    pub(super) fn pop_front(&mut self, was_emptied: bool) {
        self.first += 1;
        self.emptied -= usize::from(was_emptied);
        self.is_front_begun = false;
    }

    /// Forgets the messages from `index` on, `emptied` of which were empty.
    pub(super) fn truncate(&mut self, index: usize, emptied: usize) {
        let end = self.first + index as u64;
        for numbers in self.numbers.values_mut() {
            while numbers.back().is_some_and(|number| *number >= end) {
                numbers.pop_back();
            }
        }
        self.emptied -= emptied;
    }

    /// Takes in the lanes of an output whose messages come to stand at `index` and behind.
    pub(super) fn append(&mut self, other: Lanes, index: usize) {
        let start = self.first + index as u64;
        for (lane, numbers) in other.numbers {
            let waiting = numbers.into_iter().filter_map(|number| number.checked_sub(other.first));
            self.numbers.entry(lane).or_default().extend(waiting.map(|at| start + at));
        }
        self.emptied += other.emptied;
    }

    /// How many empty messages there are.
    pub(super) fn emptied(&self) -> usize {
        self.emptied
    }

    /// Whether more than half of `len` messages are empty ones.
    pub(super) fn is_sparse(&self, len: usize) -> bool {
        self.emptied >= EMPTIED_MIN && self.emptied > len / 2
    }

    /// Removes the empty messages. Marks of the output are no longer valid.
    pub(super) fn remove_emptied(&mut self, shared: &mut VecDeque<(usize, Bytes)>) {
        let is_emptied = |(at, (_, message)): (u64, &(usize, Bytes))| {
            message.is_empty().then_some(self.first + at)
        };
        let emptied: Vec<u64> = (0..).zip(shared.iter()).filter_map(is_emptied).collect();
        for number in self.numbers.values_mut().flatten() {
            *number -= emptied.partition_point(|other| other < number) as u64;
        }
        shared.retain(|(_, message)| !message.is_empty());
        self.emptied = 0;
    }

    /// Panics if the lanes disagree with the messages.
    pub(super) fn check_invariants(&self, shared: &VecDeque<(usize, Bytes)>) {
        let emptied = shared.iter().filter(|(_, message)| message.is_empty()).count();
        assert_eq!(self.emptied, emptied);
        assert!(!self.is_sparse(shared.len()), "{emptied} of {} messages are empty", shared.len());
        for numbers in self.numbers.values() {
            assert!(numbers.iter().is_sorted());
            for number in numbers.iter().filter_map(|number| number.checked_sub(self.first)) {
                assert!(!shared[number as usize].1.is_empty(), "an empty message in a lane");
            }
        }
    }
}
