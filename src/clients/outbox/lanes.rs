//! The lanes of the shared messages in an outbox: waiting messages of a lane can be counted, and the
//! oldest found, in constant time.
//!
//! Shared messages are numbered in order; `first` is the number of the one at the front, so that
//! messages without a lane need no update here. A lane is the queue of its messages' numbers. Numbers
//! below `first` have been sent; they are removed when the lane is next used.
//!
//! While the output is lent, its end is unknown here. So messages added meanwhile are numbered from
//! `BEHIND` on, until they are collected.

use std::collections::{BTreeMap, VecDeque};

/// Far above all numbers of messages in an output that is not lent.
const BEHIND: u64 = 1 << 63;

/// The lanes of one outbox.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The number of the message at the front.
    first: u64,
    /// Whether a part of the message at the front has been sent.
    is_front_begun: bool,
    /// The numbers of the messages of each lane; they increase.
    numbers: BTreeMap<u64, VecDeque<u64>>,
    /// Places of messages that must be removed from the output when it is returned.
    dropped: Vec<usize>,
}

/// The position of a message: in the output, or in what was added while that was lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    InOutput(usize),
    Behind(usize),
}

impl Lanes {
    /// Adds a new message, the last one, to a lane.
    pub(super) fn add(&mut self, lane: u64, place: Place) {
        let first = self.first;
        let number = match place {
            Place::InOutput(at) => first + at as u64,
            Place::Behind(at) => BEHIND + at as u64,
        };
        if !self.numbers.contains_key(&lane) {
            // Lanes come and go with their policies; finished ones are removed.
            self.numbers.retain(|_, numbers| numbers.back().is_some_and(|last| *last >= first));
        }
        let numbers = self.numbers.entry(lane).or_default();
        debug_assert!(numbers.back().is_none_or(|last| *last < number), "the numbers increase");
        numbers.push_back(number);
    }

    /// How many messages of a lane wait, including a partly sent one.
    pub(super) fn waiting(&mut self, lane: u64) -> usize {
        let first = self.first;
        let Some(numbers) = self.numbers.get_mut(&lane) else { return 0 };
        while numbers.front().is_some_and(|number| *number < first) {
            numbers.pop_front();
        }
        numbers.len()
    }

    /// Removes a lane's oldest message of which nothing was sent; the caller removes it from the output.
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

    /// Records that a message must be removed from the lent output.
    pub(super) fn drop_later(&mut self, place: usize) {
        self.dropped.push(place);
    }

    /// The places passed to `drop_later`.
    pub(super) fn take_dropped(&mut self) -> impl Iterator<Item = usize> {
        self.dropped.drain(..)
    }

    /// This many messages left the front; `is_partial`: a part of the new front message was sent.
    pub(super) fn advance(&mut self, places: usize, is_partial: bool) {
        self.first += places as u64;
        debug_assert!(self.first < BEHIND);
        self.is_front_begun = is_partial || (places == 0 && self.is_front_begun);
    }

    /// Messages added while the output was lent now follow in it, from a place on.
    pub(super) fn collect(&mut self, place: usize) {
        debug_assert!(self.dropped.is_empty(), "what was dropped is there still");
        let start = self.first + place as u64;
        for numbers in self.numbers.values_mut() {
            for number in numbers.iter_mut().rev().take_while(|number| **number >= BEHIND) {
                *number = start + (*number - BEHIND);
            }
        }
    }

    /// These places of the output, in increasing order, were removed.
    pub(super) fn close_gaps(&mut self, gaps: &[usize]) {
        self.close_gaps_from(self.first, gaps);
    }

    /// The same for messages added while the output was lent.
    pub(super) fn close_gaps_behind(&mut self, gaps: &[usize]) {
        self.close_gaps_from(BEHIND, gaps);
    }

    fn close_gaps_from(&mut self, start: u64, gaps: &[usize]) {
        for number in self.numbers.values_mut().flatten() {
            let before = |gap: &usize| start + (*gap as u64) < *number;
            *number -= gaps.partition_point(before) as u64;
        }
    }

    /// The places that are in a lane, when the output is not lent; for tests and simulations.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        assert!(self.dropped.is_empty());
        assert!(self.numbers.values().all(|numbers| numbers.iter().is_sorted()));
        let numbers = self.numbers.values().flatten();
        numbers.filter_map(|number| number.checked_sub(self.first)).map(|at| at as usize)
    }
}
