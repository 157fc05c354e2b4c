//! What is known of the messages of a queue beside their bytes: how long each one waits, where it
//! belongs if it comes back, how often it was taken.
//!
//! Neighbours mostly have the same stamp, so stamps are kept as runs: a stamp, and how many
//! messages in a row have it. No run is empty, and no two neighbours are equal. The smallest
//! `ready_ms` of all is known at once. What lengthens or shortens a run at either end touches
//! nothing but that run.
//!
//! Knows nothing of the messages themselves: the queue tells it how many there are.

use super::End;
use std::collections::{BTreeMap, VecDeque};

/// An entry of a `BTreeMap<i64, u32>`, with its share of the nodes and of their unused places.
const READY_ENTRY_BYTES: usize = 32;

/// A list of runs with room for no more than this is not made smaller.
const KEPT_RUNS: usize = 64;

/// What is known of a message beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Since when it can be taken, in milliseconds of the owner's clock.
    pub ready_ms: i64,
    /// Its place among those that were taken and came back, from 1; 0 for one never taken.
    pub order: u64,
    /// The end from which it was taken, where it has that place.
    pub taken_from: End,
    /// How often it was taken and came back or may come back.
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

/// The stamps of all messages of a queue, front to back.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps {
    runs: VecDeque<Run>,
    /// That of messages that come without one.
    fresh: Stamp,
    /// How many runs there are of each `ready_ms`. As many as a `u32` cannot count would take
    /// 128 GiB.
    ready_runs: BTreeMap<i64, u32>,
    /// Bytes of the messages, which the queue counts here.
    message_bytes: usize,
}

impl Stamps {
    pub(super) fn set_fresh_ms(&mut self, ms: i64) {
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

    /// The run that has the stamp of message `index`, and the index within it. `index` is below
    /// `len`, the number of messages.
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

    /// Adds `count` messages, not none, at one end.
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

    /// Takes away up to `count` messages at one end; says what the last of them had.
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
            self.give_back_room();
        }
        seen
    }

    /// Adds a message before the one at `index`, which is below `len`, the number of messages.
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

    /// Takes away the `count` messages from `start` on, of `len`.
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
        self.give_back_room();
    }

    /// Takes away the messages at these places, which are in order.
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

    /// Gives all messages other stamps; there are as many in `runs`.
    pub(super) fn replace(&mut self, runs: &[(Stamp, usize)]) {
        self.runs.clear();
        self.ready_runs.clear();
        for &(stamp, count) in runs.iter().filter(|(_, count)| *count > 0) {
            self.push(End::Back, stamp, count);
        }
        self.give_back_room();
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

    /// How many messages there are at one end, up to the first that is not `wanted`.
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

    /// Makes one run of this one and the next, if they are equal.
    fn join_next(&mut self, number: usize) {
        if let (Some(&run), Some(&next)) = (self.runs.get(number), self.runs.get(number + 1))
            && run.stamp == next.stamp
        {
            self.runs[number].count += next.count;
            self.runs.remove(number + 1);
            self.count_out(next.stamp);
        }
    }

    /// Drops runs that have become empty and joins neighbours that have become equal.
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
        self.give_back_room();
    }

    /// A run with this stamp has come.
    fn count_in(&mut self, stamp: Stamp) {
        *self.ready_runs.entry(stamp.ready_ms).or_insert(0) += 1;
    }

    /// A run with this stamp has gone.
    fn count_out(&mut self, stamp: Stamp) {
        match self.ready_runs.get_mut(&stamp.ready_ms) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.ready_runs.remove(&stamp.ready_ms);
            }
        }
    }

    /// A list of runs that uses less than a quarter of its room keeps twice what it uses, so that
    /// what is copied is paid for by as many runs that have gone.
    fn give_back_room(&mut self) {
        let capacity = self.runs.capacity();
        if capacity > KEPT_RUNS && self.runs.len() < capacity / 4 {
            self.runs.shrink_to((2 * self.runs.len()).max(KEPT_RUNS));
        }
    }

    /// Panics if these are not the stamps of `len` messages, or what the head of this file says
    /// of the runs is not so.
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
