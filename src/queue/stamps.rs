//! The state of a queue's messages besides their bytes: since when each one waits, its position if it
//! returns, how often it was delivered.
//!
//! Neighbours mostly have the same stamp, so stamps are stored as runs: a stamp, and the number of
//! consecutive messages that have it. No run is empty, and no two neighbours are equal. The smallest
//! `ready_ms` is available at once. Changes at either end touch only the outermost run.
//!
//! This file knows nothing of the messages: the queue passes their number.

use super::end::End;
use std::collections::{BTreeMap, VecDeque};

/// An entry of a `BTreeMap<i64, u32>`, with its share of the nodes and of their unused slots.
const READY_ENTRY_BYTES: usize = 32;

/// A list of runs with at most this capacity does not shrink.
const KEPT_RUNS: usize = 64;

/// The state of a message besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Since when it can be popped, in milliseconds of the owner's clock.
    pub ready_ms: i64,
    /// Its position among the messages that were taken and returned, from 1; 0 for one never taken.
    pub order: u64,
    /// The end from which it was taken, to which that position refers.
    pub taken_from: End,
    /// How often it was delivered with the possibility to return.
    pub deliveries: u32,
    /// How often it was moved to a dead-letter queue.
    pub hops: u16,
}

/// Neighbouring messages with the same stamp.
#[derive(Clone, Copy, Debug)]
struct Run {
    stamp: Stamp,
    /// A `u32` would save nothing: the stamp aligns the run to eight bytes.
    count: usize,
}

/// The counts of a run's messages and of all bytes.
pub(super) struct Counts<'a> {
    run: &'a mut usize,
    bytes: &'a mut usize,
}

impl Counts<'_> {
    /// Adds a message of this many bytes.
    #[inline]
    pub(super) fn add(self, bytes: usize) {
        *self.run += 1;
        *self.bytes += bytes;
    }
}

/// The stamps of all messages of a queue, front to back.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps {
    runs: VecDeque<Run>,
    /// The stamp of messages pushed without one.
    fresh: Stamp,
    /// The number of runs with each `ready_ms`. More than a `u32` can count would take 128 GiB.
    ready_runs: BTreeMap<i64, u32>,
    /// Bytes of the messages, counted by the queue.
    message_bytes: usize,
}

impl Stamps {
    pub(super) fn set_push_ms(&mut self, ms: i64) {
        self.fresh.ready_ms = ms;
    }

    pub(super) fn fresh(&self) -> Stamp {
        self.fresh
    }

    pub(super) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.message_bytes += bytes;
    }

    pub(super) fn subtract_bytes(&mut self, bytes: usize) {
        self.message_bytes -= bytes;
    }

    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.ready_runs.first_key_value().map(|(&ms, _)| ms)
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        size_of::<Stamps>()
            + self.runs.capacity() * size_of::<Run>()
            + self.ready_runs.len() * READY_ENTRY_BYTES
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = (Stamp, usize)> {
        self.runs.iter().map(|run| (run.stamp, run.count))
    }

    /// The run with message `index`, and the index within it. `index` is below `len`, the number of
    /// messages.
    fn locate(&self, index: usize, len: usize) -> (usize, usize) {
        if index < len / 2 {
            let mut left = index;
            for (number, run) in self.runs.iter().enumerate() {
                if left < run.count {
                    return (number, left);
                }
                left -= run.count;
            }
        } else {
            let mut first = len;
            for (number, run) in self.runs.iter().enumerate().rev() {
                first -= run.count;
                if index >= first {
                    return (number, index - first);
                }
            }
        }
        (self.runs.len(), 0)
    }

    /// `index` is below `len`, the number of messages.
    pub(super) fn at(&self, index: usize, len: usize) -> Stamp {
        let (number, _) = self.locate(index, len);
        self.runs.get(number).map_or_else(Stamp::default, |run| run.stamp)
    }

    /// Adds `count` messages, at least one, at one end.
    pub(super) fn push(&mut self, end: End, stamp: Stamp, count: usize) {
        let outermost = match end {
            End::Front => self.runs.front_mut(),
            End::Back => self.runs.back_mut(),
        };
        match outermost {
            Some(run) if run.stamp == stamp => run.count += count,
            _ => {
                match end {
                    End::Front => self.runs.push_front(Run { stamp, count }),
                    End::Back => self.runs.push_back(Run { stamp, count }),
                }
                self.count_in(stamp);
            }
        }
    }

    /// The counts for one more message at one end with the stamp of messages pushed without one, if its
    /// neighbour has the same stamp.
    #[inline]
    pub(super) fn counts_alike(&mut self, end: End) -> Option<Counts<'_>> {
        let outermost = match end {
            End::Front => self.runs.front_mut(),
            End::Back => self.runs.back_mut(),
        };
        let run = outermost.filter(|run| run.stamp == self.fresh)?;
        Some(Counts { run: &mut run.count, bytes: &mut self.message_bytes })
    }

    /// Removes up to `count` messages at one end; returns the stamp of the last of them.
    pub(super) fn drop_many(&mut self, end: End, mut count: usize) -> Stamp {
        let mut seen = Stamp::default();
        while count > 0 {
            let outermost = match end {
                End::Front => self.runs.front_mut(),
                End::Back => self.runs.back_mut(),
            };
            let Some(run) = outermost else { break };
            seen = run.stamp;
            if count < run.count {
                run.count -= count;
                break;
            }
            count -= run.count;
            match end {
                End::Front => self.runs.pop_front(),
                End::Back => self.runs.pop_back(),
            };
            self.count_out(seen);
            self.give_back_capacity();
        }
        seen
    }

    /// Inserts a message before the one at `index`, which is below `len`, the number of messages.
    pub(super) fn insert(&mut self, index: usize, len: usize, stamp: Stamp) {
        let (number, within) = self.locate(index, len);
        let before = if within == 0 { number.checked_sub(1) } else { None };
        if let Some(same) = [Some(number), before]
            .into_iter()
            .flatten()
            .find(|&number| self.runs[number].stamp == stamp)
        {
            self.runs[same].count += 1;
            return;
        }
        let mut place = number;
        if within > 0 {
            let cut = &mut self.runs[number];
            let rest = Run { stamp: cut.stamp, count: cut.count - within };
            cut.count = within;
            place += 1;
            self.runs.insert(place, rest);
            self.count_in(rest.stamp);
        }
        self.runs.insert(place, Run { stamp, count: 1 });
        self.count_in(stamp);
    }

    /// Removes `count` messages from `start` on, of `len`.
    pub(super) fn remove_range(&mut self, start: usize, mut count: usize, len: usize) {
        let (number, within) = self.locate(start, len);
        let mut first = number;
        if within > 0 {
            let cut = &mut self.runs[number];
            let taken = count.min(cut.count - within);
            cut.count -= taken;
            count -= taken;
            first += 1;
        }
        let mut end = first;
        while count > 0
            && let Some(run) = self.runs.get_mut(end)
        {
            let taken = count.min(run.count);
            run.count -= taken;
            count -= taken;
            end += usize::from(run.count == 0);
        }
        for number in first..end {
            self.count_out(self.runs[number].stamp);
        }
        self.runs.drain(first..end);
        if let Some(before) = first.checked_sub(1) {
            self.join_next(before);
        }
        self.give_back_capacity();
    }

    /// Removes the messages at these positions, which are in order.
    pub(super) fn remove_places(&mut self, places: &[usize]) {
        let mut places = places.iter().peekable();
        let mut end = 0;
        for run in &mut self.runs {
            end += run.count;
            while places.next_if(|&&place| place < end).is_some() {
                run.count -= 1;
            }
        }
        self.compact();
    }

    /// Replaces the stamps of all messages; `runs` has as many.
    pub(super) fn replace(&mut self, runs: &[(Stamp, usize)]) {
        self.runs.clear();
        self.ready_runs.clear();
        for &(stamp, count) in runs.iter().filter(|(_, count)| *count > 0) {
            self.push(End::Back, stamp, count);
        }
        self.give_back_capacity();
    }

    pub(super) fn replace_ready_ms(&mut self, from: i64, to: i64) {
        if from == to {
            return;
        }
        let Some(moved) = self.ready_runs.remove(&from) else { return };
        *self.ready_runs.entry(to).or_insert(0) += moved;
        for run in &mut self.runs {
            if run.stamp.ready_ms == from {
                run.stamp.ready_ms = to;
            }
        }
        self.compact();
    }

    /// The number of messages at one end before the first that is not `wanted`.
    pub(super) fn count_at(&self, end: End, wanted: impl Fn(Stamp) -> bool) -> usize {
        let is_wanted = |run: &&Run| wanted(run.stamp);
        match end {
            End::Front => self.runs.iter().take_while(is_wanted).map(|run| run.count).sum(),
            End::Back => self.runs.iter().rev().take_while(is_wanted).map(|run| run.count).sum(),
        }
    }

    /// As `Queue::next_older_than`; `len` is the number of messages.
    pub(super) fn next_older_than(&self, limit_ms: i64, len: usize) -> Option<(usize, usize)> {
        if self.oldest_ms()? > limit_ms {
            return None;
        }
        let is_old = |stamp: Stamp| stamp.ready_ms <= limit_ms;
        let at_front = self.count_at(End::Front, is_old);
        if at_front > 0 {
            return Some((0, at_front));
        }
        let at_back = self.count_at(End::Back, is_old);
        if at_back > 0 {
            return Some((len - at_back, at_back));
        }
        let mut runs = self.runs().peekable();
        let mut start = 0;
        while let Some((_, count)) = runs.next_if(|&(stamp, _)| !is_old(stamp)) {
            start += count;
        }
        let old = runs.take_while(|&(stamp, _)| is_old(stamp)).map(|(_, count)| count).sum();
        Some((start, old))
    }

    /// Joins this run with the next, if they are equal.
    fn join_next(&mut self, number: usize) {
        if let (Some(&run), Some(&next)) = (self.runs.get(number), self.runs.get(number + 1))
            && run.stamp == next.stamp
        {
            self.runs[number].count += next.count;
            self.runs.remove(number + 1);
            self.count_out(next.stamp);
        }
    }

    /// Removes empty runs, and joins neighbours that have become equal.
    fn compact(&mut self) {
        let mut kept = 0usize;
        for number in 0..self.runs.len() {
            let run = self.runs[number];
            let last = kept.checked_sub(1).map(|last| &mut self.runs[last]);
            match last {
                Some(last) if last.stamp == run.stamp => last.count += run.count,
                _ if run.count == 0 => {}
                _ => {
                    self.runs[kept] = run;
                    kept += 1;
                    continue;
                }
            }
            self.count_out(run.stamp);
        }
        self.runs.truncate(kept);
        self.give_back_capacity();
    }

    /// Counts a new run with this stamp.
    fn count_in(&mut self, stamp: Stamp) {
        *self.ready_runs.entry(stamp.ready_ms).or_insert(0) += 1;
    }

    /// Removes a run with this stamp from the count.
    fn count_out(&mut self, stamp: Stamp) {
        match self.ready_runs.get_mut(&stamp.ready_ms) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.ready_runs.remove(&stamp.ready_ms);
            }
        }
    }

    /// A list of runs that uses less than a quarter of its capacity shrinks to twice what it uses: as
    /// many removed runs pay for the copy.
    fn give_back_capacity(&mut self) {
        let capacity = self.runs.capacity();
        if capacity > KEPT_RUNS && self.runs.len() < capacity / 4 {
            self.runs.shrink_to((2 * self.runs.len()).max(KEPT_RUNS));
        }
    }

    /// Panics if these are not the stamps of `len` messages, or if an invariant of this file does not
    /// hold.
    pub(super) fn check_invariants(&self, len: usize) {
        assert_eq!(len, self.runs.iter().map(|run| run.count).sum::<usize>(), "stamps");
        assert!(self.runs.iter().all(|run| run.count > 0), "an empty run");
        let mut neighbours = self.runs.iter().zip(self.runs.iter().skip(1));
        assert!(neighbours.all(|(run, next)| run.stamp != next.stamp), "equal neighbours");
        let mut ready_runs = BTreeMap::new();
        for run in &self.runs {
            *ready_runs.entry(run.stamp.ready_ms).or_insert(0) += 1;
        }
        assert_eq!(self.ready_runs, ready_runs);
    }
}
