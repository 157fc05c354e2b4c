//! Which of the shared messages in an outbox count in which lane, so that those of a lane that wait can
//! be counted, and the oldest be taken out, in a time that does not depend on how many there are.
//!
//! Shared messages are numbered in their order; `first` is the number of the one in front, so that
//! nothing has to be told here when a message without a lane is added. A lane is the queue of its
//! messages' numbers. Those below `first` have been sent; they are forgotten when the lane is next
//! looked at.
//!
//! While the output is lent out, its end is not known here. So messages that come meanwhile are
//! numbered from `BEHIND` on, until they are collected.

use std::collections::{BTreeMap, VecDeque};

/// Far above all numbers of messages in an output that is not lent out.
const BEHIND: u64 = 1 << 63;

/// The lanes of one outbox.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The number of the message in front.
    first: u64,
    /// Whether a part of the message in front has been sent.
    is_front_begun: bool,
    /// The numbers of the messages of each lane; they rise.
    numbers: BTreeMap<u64, VecDeque<u64>>,
    /// Places of messages that have to be taken out of the output when it is no longer lent out.
    dropped: Vec<usize>,
}

/// Where a message is: its place in the output, or in what has come while that is lent out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    InOutput(usize),
    Behind(usize),
}

impl Lanes {
    /// Notes that a new message, the last one, counts in a lane.
    pub(super) fn add(&mut self, lane: u64, place: Place) {
        let first = self.first;
        let number = match place {
            Place::InOutput(at) => first + at as u64,
            Place::Behind(at) => BEHIND + at as u64,
        };
        if !self.numbers.contains_key(&lane) {
            // Lanes come and go with what names them; those that are done with are not kept.
            self.numbers.retain(|_, numbers| numbers.back().is_some_and(|last| *last >= first));
        }
        let numbers = self.numbers.entry(lane).or_default();
        debug_assert!(numbers.back().is_none_or(|last| *last < number), "the numbers rise");
        numbers.push_back(number);
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

    /// Forgets the oldest message of a lane of which nothing has been sent; the caller takes it out.
    pub(super) fn take_oldest(&mut self, lane: u64) -> Option<Place> {
        self.waiting(lane);
        let numbers = self.numbers.get_mut(&lane)?;
        let is_begun = self.is_front_begun && numbers.front() == Some(&self.first);
        let number = numbers.remove(usize::from(is_begun))?;
        Some(match number.checked_sub(BEHIND) {
            Some(at) => Place::Behind(at as usize),
            None => Place::InOutput((number - self.first) as usize),
        })
    }

    /// Notes that a message of the output that is lent out has to be taken out of it.
    pub(super) fn drop_later(&mut self, place: usize) {
        self.dropped.push(place);
    }

    /// The places that were given to `drop_later`.
    pub(super) fn take_dropped(&mut self) -> impl Iterator<Item = usize> {
        self.dropped.drain(..)
    }

    /// Says that so many messages are gone from the front, and whether a part has been sent of the one
    /// that is in front now.
    pub(super) fn advance(&mut self, places: usize, is_partial: bool) {
        self.first += places as u64;
        debug_assert!(self.first < BEHIND);
        self.is_front_begun = is_partial || (places == 0 && self.is_front_begun);
    }

    /// Says that what came behind now follows in the output, from a place on.
    pub(super) fn collect(&mut self, place: usize) {
        debug_assert!(self.dropped.is_empty(), "what was dropped is there still");
        let start = self.first + place as u64;
        for numbers in self.numbers.values_mut() {
            for number in numbers.iter_mut().rev().take_while(|number| **number >= BEHIND) {
                *number = start + (*number - BEHIND);
            }
        }
    }

    /// Says that these places of the output, which rise, are gone.
    pub(super) fn close_gaps(&mut self, gaps: &[usize]) {
        self.close_gaps_from(self.first, gaps);
    }

    /// The same for what came behind.
    pub(super) fn close_gaps_behind(&mut self, gaps: &[usize]) {
        self.close_gaps_from(BEHIND, gaps);
    }

    fn close_gaps_from(&mut self, start: u64, gaps: &[usize]) {
        for number in self.numbers.values_mut().flatten() {
            let before = |gap: &usize| start + (*gap as u64) < *number;
            *number -= gaps.partition_point(before) as u64;
        }
    }

    /// The places that are in a lane, when nothing is behind; for tests and simulations.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        assert!(self.dropped.is_empty());
        assert!(self.numbers.values().all(|numbers| numbers.iter().is_sorted()));
        let numbers = self.numbers.values().flatten();
        numbers.filter_map(|number| number.checked_sub(self.first)).map(|at| at as usize)
    }
}
