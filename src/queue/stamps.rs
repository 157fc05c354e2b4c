//! The state of a queue's messages besides their bytes: since when each one waits, its position if it
//! returns, how often it was delivered, where a dead letter came from.
//!
//! Neighbours mostly have the same stamp, so stamps are stored as runs: a stamp, and the number of
//! consecutive messages that have it. No run is empty, and no two neighbours are equal. The smallest
//! `ready_ms` is available at once. Changes at either end touch only the outermost run. Runs are shared with
//! snapshots: see `runs.rs`.
//!
//! This file knows nothing of the messages: the queue passes their number.

use super::end::End;
use super::runs::{Run, Runs};
use super::stamp::Stamp;
use std::collections::BTreeMap;
use std::ops::Range;

/// An entry of a `BTreeMap<i64, u32>`, with its share of the nodes and of their unused slots.
const READY_ENTRY_BYTES: usize = 32;

/// How long a queue keeps stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Kept {
    /// Until they are ended.
    #[default]
    Always,
    /// While it has a dead letter. The other messages have the default stamp, and bytes are not counted.
    ForDeadLetters,
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
    runs: Runs,
    /// The stamp of messages pushed without one.
    fresh: Stamp,
    /// The number of runs with each `ready_ms`. More than a `u32` can count would take 128 GiB. Built by the
    /// first addition of a run; a snapshot needs none.
    ready_runs: Option<BTreeMap<i64, u32>>,
    /// Bytes of the messages, counted by the queue.
    message_bytes: usize,
    kept: Kept,
    /// The number of runs of dead letters.
    dead_letter_runs: usize,
    /// Bytes of memory of their origins. One that neighbouring runs share counts once.
    origin_bytes: usize,
}

impl Stamps {
    /// Stamps of a queue of `len` messages that keeps them only for dead letters that follow.
    pub(super) fn for_dead_letters(len: usize) -> Stamps {
        let mut stamps = Stamps { kept: Kept::ForDeadLetters, ..Stamps::default() };
        if len > 0 {
            stamps.push(End::Back, Stamp::default(), len);
        }
        stamps
    }

    /// The same stamps for a snapshot. Takes time for each chunk of runs.
    pub(super) fn share(&mut self) -> Stamps {
        let &mut Stamps { kept, message_bytes, dead_letter_runs, origin_bytes, .. } = self;
        let (runs, fresh, ready_runs) = (self.runs.share(), self.fresh.clone(), None);
        Stamps { runs, fresh, ready_runs, message_bytes, kept, dead_letter_runs, origin_bytes }
    }

    pub(super) fn kept(&self) -> Kept {
        self.kept
    }

    /// Whether the queue no longer has a reason to keep them.
    #[inline]
    pub(super) fn are_needless(&self) -> bool {
        self.kept == Kept::ForDeadLetters && self.dead_letter_runs == 0
    }

    /// Keeps them from now on only while there are dead letters. What is known of other messages is lost.
    pub(super) fn keep_for_dead_letters(&mut self) {
        self.kept = Kept::ForDeadLetters;
        (self.fresh, self.message_bytes) = (Stamp::default(), 0);
        let before = std::mem::take(&mut self.runs);
        self.begin_runs();
        for run in before.into_runs() {
            self.push(End::Back, run.stamp, run.count);
        }
    }

    /// Keeps them until they are ended; messages of which nothing is known are ready since `ms`. The
    /// queue has this many bytes of messages.
    pub(super) fn keep_always(&mut self, ms: i64, message_bytes: usize) {
        self.kept = Kept::Always;
        self.message_bytes = message_bytes;
        self.replace_ready_ms(0, ms);
    }

    pub(super) fn set_push_ms(&mut self, ms: i64) {
        if self.kept == Kept::Always {
            self.fresh.ready_ms = ms;
        }
    }

    pub(super) fn fresh(&self) -> Stamp {
        self.fresh.clone()
    }

    pub(super) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        if self.kept == Kept::Always {
            self.message_bytes += bytes;
        }
    }

    pub(super) fn subtract_bytes(&mut self, bytes: usize) {
        if self.kept == Kept::Always {
            self.message_bytes -= bytes;
        }
    }

    /// The smallest `ready_ms`. What a snapshot shares is searched for it.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        match &self.ready_runs {
            Some(ready_runs) => ready_runs.first_key_value().map(|(&ms, _)| ms),
            None => self.runs.iter().map(|run| run.stamp.ready_ms).min(),
        }
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        let ready_runs = self.ready_runs.as_ref().map_or(0, BTreeMap::len);
        size_of::<Stamps>()
            + self.runs.allocated_bytes()
            + ready_runs * READY_ENTRY_BYTES
            + self.origin_bytes
    }

    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = (&Stamp, usize)> {
        self.runs.iter().map(|run| (&run.stamp, run.count))
    }

    /// The runs from the one with this number on.
    pub(super) fn runs_from(&self, number: usize) -> impl Iterator<Item = (&Stamp, usize)> {
        self.runs.iter_from(number).map(|run| (&run.stamp, run.count))
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
            let numbers = (0..self.runs.len()).rev();
            for (number, run) in numbers.zip(self.runs.iter().rev()) {
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
        self.runs.get(number).map_or_else(Stamp::default, |run| run.stamp.clone())
    }

    /// Adds `count` messages, at least one, at one end.
    pub(super) fn push(&mut self, end: End, stamp: Stamp, count: usize) {
        let stamp = self.admitted(stamp);
        match self.runs.outermost_mut(end) {
            Some(run) if run.stamp == stamp => run.count += count,
            _ => {
                self.count_in(&stamp);
                self.origin_bytes += self.origin_bytes_at(end, &stamp);
                self.runs.push(end, Run { stamp, count });
            }
        }
    }

    /// The counts for one more message at one end with the stamp of messages pushed without one, if its
    /// neighbour has the same stamp. `None` if bytes are not counted.
    #[inline]
    pub(super) fn counts_alike(&mut self, end: End) -> Option<Counts<'_>> {
        if self.kept == Kept::ForDeadLetters {
            return None;
        }
        let run = self.runs.outermost_mut(end).filter(|run| run.stamp == self.fresh)?;
        Some(Counts { run: &mut run.count, bytes: &mut self.message_bytes })
    }

    /// Removes a message at one end with `pop`, which returns its number of bytes, if its neighbour has the
    /// same stamp; returns that. `None`, and no change, otherwise, or if bytes are not counted.
    #[inline(always)]
    pub(super) fn pop_alike(
        &mut self,
        end: End,
        pop: impl FnOnce() -> Option<usize>,
    ) -> Option<&Stamp> {
        if self.kept == Kept::ForDeadLetters {
            return None;
        }
        let Run { stamp, count } = self.runs.outermost_mut(end)?;
        if *count <= 1 {
            return None;
        }
        self.message_bytes -= pop()?;
        *count -= 1;
        Some(stamp)
    }

    /// A stamp as the queue keeps it.
    #[inline]
    fn admitted(&self, stamp: Stamp) -> Stamp {
        match self.kept {
            Kept::Always => stamp,
            Kept::ForDeadLetters => stamp.of_dead_letter(),
        }
    }

    /// Bytes of memory of a run's origin that count only for this run, which is not yet, or no longer, at
    /// this end.
    #[inline]
    fn origin_bytes_at(&self, end: End, stamp: &Stamp) -> usize {
        let Some(dead_letter) = &stamp.dead_letter else { return 0 };
        let is_shared = self.runs.outermost(end).is_some_and(|run| run.stamp.shares_origin(stamp));
        if is_shared { 0 } else { dead_letter.allocated_bytes() }
    }

    /// Removes up to `count` messages at one end; returns the stamp of the last of them.
    pub(super) fn drop_many(&mut self, end: End, mut count: usize) -> Stamp {
        let mut seen = Stamp::default();
        while count > 0 {
            let Some(run) = self.runs.outermost_mut(end) else { break };
            if count < run.count {
                run.count -= count;
                return run.stamp.clone();
            }
            count -= run.count;
            seen = self.runs.pop(end).map_or_else(Stamp::default, |run| run.stamp);
            self.count_out(&seen);
            self.origin_bytes -= self.origin_bytes_at(end, &seen);
        }
        seen
    }

    /// Removes `count` messages, of which there are as many, at one end; returns their stamps, the outermost
    /// first, each with its number of consecutive messages.
    pub(super) fn take_runs(&mut self, end: End, mut count: usize) -> Vec<(Stamp, usize)> {
        let mut taken = Vec::new();
        while count > 0
            && let Some(run) = self.runs.outermost_mut(end)
        {
            let part = run.count.min(count);
            taken.push((self.drop_many(end, part), part));
            count -= part;
        }
        taken
    }

    /// Inserts a message before the one at `index`, which is below `len`, the number of messages.
    pub(super) fn insert(&mut self, index: usize, len: usize, stamp: Stamp) {
        let stamp = self.admitted(stamp);
        let (number, within) = self.locate(index, len);
        let before = if within == 0 { number.checked_sub(1) } else { None };
        let is_same = |&number: &usize| self.runs.get(number).is_some_and(|run| run.stamp == stamp);
        if let Some(same) = [Some(number), before].into_iter().flatten().find(is_same) {
            self.runs.get_mut(same).into_iter().for_each(|run| run.count += 1);
            return;
        }
        let place = number + usize::from(within > 0);
        let (len_before, origins_before) = (self.runs.len(), self.origins_of(place..place + 1));
        if within > 0
            && let Some(cut) = self.runs.get_mut(number)
        {
            let rest = Run { stamp: cut.stamp.clone(), count: cut.count - within };
            cut.count = within;
            self.count_in(&rest.stamp);
            self.runs.insert(place, rest);
        }
        self.count_in(&stamp);
        self.runs.insert(place, Run { stamp, count: 1 });
        let behind = place + self.runs.len() - len_before;
        self.origin_bytes += self.origins_of(place..behind + 1);
        self.origin_bytes -= origins_before;
    }

    /// Removes `count` messages from `start` on, of `len`.
    pub(super) fn remove_range(&mut self, start: usize, mut count: usize, len: usize) {
        let (number, within) = self.locate(start, len);
        let mut first = number;
        if within > 0
            && let Some(cut) = self.runs.get_mut(number)
        {
            let taken = count.min(cut.count - within);
            cut.count -= taken;
            count -= taken;
            first += 1;
        }
        // The runs that go as a whole, and a part of the next one.
        let mut gone = Vec::new();
        for run in self.runs.iter_from(first) {
            let Some(left) = count.checked_sub(run.count) else { break };
            count = left;
            gone.push(run.stamp.clone());
        }
        let end = first + gone.len();
        gone.iter().for_each(|stamp| self.count_out(stamp));
        self.origin_bytes -= self.origins_of(first..end + 1);
        self.runs.remove(first..end);
        self.origin_bytes += self.origins_of(first..first + 1);
        if count > 0
            && let Some(next) = self.runs.get_mut(first)
        {
            next.count -= count;
        }
        if let Some(before) = first.checked_sub(1) {
            self.join_next(before);
        }
    }

    /// Removes the messages at these positions, which are in order.
    pub(super) fn remove_places(&mut self, places: &[usize]) {
        let mut places = places.iter().peekable();
        let mut end = 0;
        self.change_all(|run| {
            end += run.count;
            while places.next_if(|&&place| place < end).is_some() {
                run.count -= 1;
            }
        });
    }

    /// Replaces the stamps of all messages; `runs` has as many.
    pub(super) fn replace(&mut self, runs: &[(Stamp, usize)]) {
        self.runs = Runs::default();
        self.begin_runs();
        for (stamp, count) in runs.iter().filter(|(_, count)| *count > 0) {
            self.push(End::Back, stamp.clone(), *count);
        }
    }

    /// Resets the counts. There are no runs.
    fn begin_runs(&mut self) {
        self.ready_runs = None;
        (self.dead_letter_runs, self.origin_bytes) = (0, 0);
    }

    pub(super) fn replace_ready_ms(&mut self, from: i64, to: i64) {
        // Without a policy, zero means that the time is unknown.
        if from == to || self.kept == Kept::ForDeadLetters {
            return;
        }
        let ready_runs = self.ready_runs_mut();
        let Some(moved) = ready_runs.remove(&from) else { return };
        *ready_runs.entry(to).or_insert(0) += moved;
        self.change_all(|run| {
            if run.stamp.ready_ms == from {
                run.stamp.ready_ms = to;
            }
        });
    }

    /// The number of messages at one end before the first that is not `wanted`.
    pub(super) fn count_at(&self, end: End, wanted: impl Fn(&Stamp) -> bool) -> usize {
        let is_wanted = |run: &&Run| wanted(&run.stamp);
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
        let is_old = |stamp: &Stamp| stamp.ready_ms <= limit_ms;
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
        let Some(next) = self.runs.get(number + 1) else { return };
        if self.runs.get(number).is_none_or(|run| run.stamp != next.stamp) {
            return;
        }
        let next = next.clone();
        self.origin_bytes -= self.origins_of(number + 1..number + 3);
        self.runs.remove(number + 1..number + 2);
        self.runs.get_mut(number).into_iter().for_each(|run| run.count += next.count);
        self.count_out(&next.stamp);
        self.origin_bytes += self.origins_of(number + 1..number + 2);
    }

    /// Changes all runs. Removes those that have become empty, and joins neighbours that have become equal.
    fn change_all(&mut self, mut change: impl FnMut(&mut Run)) {
        for mut run in std::mem::take(&mut self.runs).into_runs() {
            change(&mut run);
            match self.runs.outermost_mut(End::Back) {
                Some(last) if last.stamp == run.stamp => last.count += run.count,
                _ if run.count == 0 => {}
                _ => {
                    self.runs.push(End::Back, run);
                    continue;
                }
            }
            self.count_out(&run.stamp);
        }
        self.origin_bytes = self.origins_of(0..self.runs.len());
    }

    /// The number of runs with each `ready_ms`.
    fn ready_runs_mut(&mut self) -> &mut BTreeMap<i64, u32> {
        let runs = &self.runs;
        self.ready_runs.get_or_insert_with(|| {
            let mut ready_runs = BTreeMap::new();
            runs.iter().for_each(|run| *ready_runs.entry(run.stamp.ready_ms).or_insert(0) += 1);
            ready_runs
        })
    }

    /// Counts a new run with this stamp, which is about to be added.
    fn count_in(&mut self, stamp: &Stamp) {
        self.dead_letter_runs += usize::from(stamp.dead_letter.is_some());
        *self.ready_runs_mut().entry(stamp.ready_ms).or_insert(0) += 1;
    }

    /// Removes a run with this stamp from the count.
    fn count_out(&mut self, stamp: &Stamp) {
        self.dead_letter_runs -= usize::from(stamp.dead_letter.is_some());
        let Some(ready_runs) = &mut self.ready_runs else { return };
        match ready_runs.get_mut(&stamp.ready_ms) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(ready_runs.remove(&stamp.ready_ms)),
        }
    }

    /// Bytes of memory of the origins that count for these runs: of each origin that the run in front does
    /// not share. Runs that do not exist have none.
    fn origins_of(&self, numbers: Range<usize>) -> usize {
        if self.dead_letter_runs == 0 && self.origin_bytes == 0 {
            return 0;
        }
        let mut before = numbers.start.checked_sub(1).and_then(|before| self.runs.get(before));
        let runs = self.runs.iter_from(numbers.start).take(numbers.len());
        let bytes = runs.filter_map(|run| {
            let is_shared = before.is_some_and(|before| before.stamp.shares_origin(&run.stamp));
            before = Some(run);
            Some(run.stamp.dead_letter.as_ref().filter(|_| !is_shared)?.allocated_bytes())
        });
        bytes.sum()
    }

    /// Panics if these are not the stamps of `len` messages, or if an invariant of this file does not
    /// hold.
    pub(super) fn check_invariants(&self, len: usize) {
        assert_eq!(len, self.runs.iter().map(|run| run.count).sum::<usize>(), "stamps");
        assert!(self.runs.iter().all(|run| run.count > 0), "an empty run");
        let mut neighbours = self.runs.iter().zip(self.runs.iter().skip(1));
        assert!(neighbours.all(|(run, next)| run.stamp != next.stamp), "equal neighbours");
        self.runs.check_invariants();
        if let Some(ready_runs) = &self.ready_runs {
            let mut expected = BTreeMap::new();
            self.runs.iter().for_each(|run| *expected.entry(run.stamp.ready_ms).or_insert(0) += 1);
            assert_eq!(*ready_runs, expected);
        }
        let stamps = || self.runs.iter().map(|run| &run.stamp);
        let dead_letters = stamps().filter(|stamp| stamp.dead_letter.is_some()).count();
        assert_eq!(self.dead_letter_runs, dead_letters);
        assert_eq!(self.origin_bytes, self.origins_of(0..self.runs.len()));
        if self.kept == Kept::ForDeadLetters {
            assert!(dead_letters > 0, "stamps without a dead letter");
            assert_eq!((self.message_bytes, &self.fresh), (0, &Stamp::default()));
            assert!(stamps().all(|stamp| *stamp == stamp.clone().of_dead_letter()));
        }
    }
}
