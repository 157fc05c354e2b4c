//! Runs of messages with the same stamp, in chunks that a snapshot can share.
//!
//! Sharing takes one step per chunk, and copies the runs of one chunk at most. A shared chunk is never
//! written to: a change makes a copy of that chunk, unless the snapshot has released it.
//!
//! Up to one chunk of runs is in the last chunk, which is never shared: a few runs cost no more than in a
//! deque of their own.

use super::end::End;
use super::stamp::Stamp;
use crate::slack;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Runs in a chunk at the most.
const CHUNK: usize = 64;

/// A chunk with this few runs is joined with a neighbour, if both together have at most `JOINED_MAX`. So
/// each moved run is paid for by a removed one.
const FEW: usize = CHUNK / 4;
const JOINED_MAX: usize = CHUNK / 4 * 3;

/// Neighbouring messages with the same stamp.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) stamp: Stamp,
    /// A `u32` would save nothing: the stamp aligns the run to eight bytes.
    pub(super) count: usize,
}

/// Runs in order.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// All chunks but the last, each with capacity for `CHUNK` runs. None is empty.
    older: VecDeque<Chunk>,
    /// Runs in the older chunks.
    older_len: usize,
    /// Empty only if there are no older chunks.
    last: VecDeque<Run>,
}

#[derive(Debug)]
enum Chunk {
    Owned(VecDeque<Run>),
    /// Also part of a snapshot.
    Shared(Arc<VecDeque<Run>>),
}

impl Clone for Runs {
    /// A copy that shares nothing, in full chunks.
    fn clone(&self) -> Runs {
        let mut copy = Runs::default();
        self.iter().for_each(|run| copy.push_back(run.clone()));
        copy
    }
}

impl Runs {
    /// The number of runs.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.older_len + self.last.len()
    }

    /// Bytes of memory. Sharing does not change it.
    pub(super) fn allocated_bytes(&self) -> usize {
        let runs = self.older.len() * CHUNK + self.last.capacity();
        runs * size_of::<Run>() + self.older.capacity() * size_of::<Chunk>()
    }

    /// The same runs a second time. Copies none of the older chunks.
    pub(super) fn share(&mut self) -> Runs {
        let older = self.older.iter_mut().map(Chunk::share).collect();
        let last = copy(&self.last, self.last.capacity());
        Runs { older, older_len: self.older_len, last }
    }

    /// All runs in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.older.iter().flat_map(|chunk| chunk.all().iter()).chain(&self.last)
    }

    /// The runs from the one with this number on. Takes one step for each chunk before it.
    pub(super) fn iter_from(&self, number: usize) -> impl Iterator<Item = &Run> {
        let (chunk, within) = self.locate(number);
        let older = self.older.range(chunk..).flat_map(|chunk| chunk.all().iter());
        older.chain(&self.last).skip(within)
    }

    /// All runs in order, which are removed.
    pub(super) fn into_runs(self) -> impl Iterator<Item = Run> {
        self.older.into_iter().flat_map(Chunk::into_owned).chain(self.last)
    }

    /// The chunk with the run of this number, and the number within it. The last chunk is behind all older
    /// ones, and has any number that none of them has.
    fn locate(&self, number: usize) -> (usize, usize) {
        if let Some(within) = number.checked_sub(self.older_len) {
            return (self.older.len(), within);
        }
        let mut within = number;
        for (at, chunk) in self.older.iter().enumerate() {
            match within.checked_sub(chunk.len()) {
                None => return (at, within),
                Some(left) => within = left,
            }
        }
        (self.older.len(), within)
    }

    /// The run with this number.
    pub(super) fn get(&self, number: usize) -> Option<&Run> {
        let (chunk, within) = self.locate(number);
        self.older.get(chunk).map_or(&self.last, Chunk::all).get(within)
    }

    /// The run with this number, for changes.
    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Run> {
        let (chunk, within) = self.locate(number);
        self.chunk_mut(chunk).get_mut(within)
    }

    /// A chunk, for changes; the last one behind all others.
    fn chunk_mut(&mut self, at: usize) -> &mut VecDeque<Run> {
        self.older.get_mut(at).map_or(&mut self.last, Chunk::own)
    }

    /// The run at one end.
    #[inline]
    pub(super) fn outermost(&self, end: End) -> Option<&Run> {
        match end {
            End::Front => self.older.front().map_or(&self.last, Chunk::all).front(),
            End::Back => self.last.back(),
        }
    }

    /// The run at one end, for changes.
    #[inline(always)]
    pub(super) fn outermost_mut(&mut self, end: End) -> Option<&mut Run> {
        match end {
            End::Front if self.older.is_empty() => self.last.front_mut(),
            End::Front => self.older.front_mut()?.own().front_mut(),
            End::Back => self.last.back_mut(),
        }
    }

    /// Adds a run at one end.
    pub(super) fn push(&mut self, end: End, run: Run) {
        match end {
            End::Front => self.push_front(run),
            End::Back => self.push_back(run),
        }
    }

    fn push_front(&mut self, run: Run) {
        let first = self.older.front_mut().map_or(&mut self.last, Chunk::own);
        if first.len() < CHUNK {
            first.push_front(run);
            self.older_len += usize::from(!self.older.is_empty());
            return;
        }
        let mut chunk = VecDeque::with_capacity(CHUNK);
        chunk.push_front(run);
        self.older.push_front(Chunk::Owned(chunk));
        self.older_len += 1;
    }

    fn push_back(&mut self, run: Run) {
        if self.last.len() == CHUNK {
            let full = std::mem::replace(&mut self.last, VecDeque::with_capacity(CHUNK));
            self.older_len += full.len();
            self.older.push_back(Chunk::Owned(full));
        }
        self.last.push_back(run);
    }

    /// Removes and returns the run at one end.
    pub(super) fn pop(&mut self, end: End) -> Option<Run> {
        let first = match end {
            End::Front => self.older.front_mut(),
            End::Back => None,
        };
        let Some(first) = first else {
            let popped = match end {
                End::Front => self.last.pop_front(),
                End::Back => self.last.pop_back(),
            };
            self.refill_last();
            return popped;
        };
        let chunk = first.own();
        let popped = chunk.pop_front()?;
        self.older_len -= 1;
        if chunk.is_empty() {
            self.older.pop_front();
            self.shrink();
        }
        Some(popped)
    }

    /// Makes an older chunk the last one, if the last one has become empty.
    #[inline]
    fn refill_last(&mut self) {
        if self.last.is_empty()
            && let Some(chunk) = self.older.pop_back()
        {
            self.older_len -= chunk.len();
            self.last = chunk.into_owned();
            self.shrink();
        }
    }

    /// Frees memory when nothing or less than an eighth is used.
    fn shrink(&mut self) {
        if self.older.is_empty() {
            self.older = VecDeque::new();
        } else if let Some(capacity) = slack::smaller(self.older.len(), self.older.capacity()) {
            self.older.shrink_to(capacity);
        }
    }

    /// Inserts a run before the one with this number, or behind all others.
    pub(super) fn insert(&mut self, number: usize, run: Run) {
        let (mut at, mut within) = self.locate(number);
        if self.chunk_mut(at).len() == CHUNK {
            self.split(at);
            if within > CHUNK / 2 {
                (at, within) = (at + 1, within - CHUNK / 2);
            }
        }
        self.older_len += usize::from(at < self.older.len());
        self.chunk_mut(at).insert(within, run);
    }

    /// Makes two chunks out of a full one.
    fn split(&mut self, at: usize) {
        let is_last = at == self.older.len();
        let chunk = self.chunk_mut(at);
        let mut half = VecDeque::with_capacity(CHUNK);
        if is_last {
            half.extend(chunk.drain(..CHUNK / 2));
            self.older_len += half.len();
            self.older.push_back(Chunk::Owned(half));
        } else {
            half.extend(chunk.drain(CHUNK / 2..));
            self.older.insert(at + 1, Chunk::Owned(half));
        }
    }

    /// Removes the runs with these numbers; there are as many. Whole chunks are dropped without a look at
    /// them.
    pub(super) fn remove(&mut self, numbers: Range<usize>) {
        let (mut at, mut within) = self.locate(numbers.start);
        let mut left = numbers.len();
        if within > 0
            && let Some(chunk) = self.older.get_mut(at)
        {
            let count = left.min(chunk.len() - within);
            chunk.own().drain(within..within + count);
            (self.older_len, left) = (self.older_len - count, left - count);
            (at, within) = (at + 1, 0);
        }
        let mut end = at;
        while let Some(chunk) = self.older.get(end)
            && chunk.len() <= left
        {
            (self.older_len, left) = (self.older_len - chunk.len(), left - chunk.len());
            end += 1;
        }
        self.older.drain(at..end);
        if left > 0 {
            self.older_len -= if at < self.older.len() { left } else { 0 };
            self.chunk_mut(at).drain(within..within + left);
        }
        self.refill_last();
        self.shrink();
        self.join(at);
        self.join(at.saturating_sub(1));
    }

    /// Joins a chunk with a neighbour, if it has few runs, both together have not many, and no snapshot
    /// shares them.
    fn join(&mut self, at: usize) {
        let len = |at: usize| match self.older.get(at) {
            Some(Chunk::Owned(runs)) => Some(runs.len()),
            None if at == self.older.len() => Some(self.last.len()),
            Some(Chunk::Shared(_)) | None => None,
        };
        if len(at).is_none_or(|own| own > FEW) {
            return;
        }
        let is_small = |&left: &usize| {
            len(left).zip(len(left + 1)).is_some_and(|(left, right)| left + right <= JOINED_MAX)
        };
        let Some(left) = [Some(at), at.checked_sub(1)].into_iter().flatten().find(is_small) else {
            return;
        };
        let Some(joined) = self.older.remove(left).map(Chunk::into_owned) else { return };
        // The right one is where it was.
        self.older_len -= if left == self.older.len() { joined.len() } else { 0 };
        let right = self.chunk_mut(left);
        joined.into_iter().rev().for_each(|run| right.push_front(run));
        self.shrink();
    }

    /// Panics if an invariant of this file does not hold.
    pub(super) fn check_invariants(&self) {
        let lens = || self.older.iter().map(Chunk::len);
        assert!(lens().all(|len| (1..=CHUNK).contains(&len)), "an empty chunk, or one too large");
        assert_eq!(lens().sum::<usize>(), self.older_len);
        assert!(!self.last.is_empty() || self.older.is_empty(), "the last chunk is empty");
        assert!(self.last.len() <= CHUNK && self.last.capacity() <= CHUNK);
        assert!(self.older.iter().all(|chunk| chunk.all().capacity() == CHUNK));
    }
}

impl Chunk {
    #[inline]
    fn all(&self) -> &VecDeque<Run> {
        match self {
            Chunk::Owned(all) => all,
            Chunk::Shared(all) => all,
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.all().len()
    }

    /// The same runs a second time.
    fn share(&mut self) -> Chunk {
        let all = match self {
            Chunk::Owned(all) => Arc::new(std::mem::take(all)),
            Chunk::Shared(all) => Arc::clone(all),
        };
        *self = Chunk::Shared(Arc::clone(&all));
        Chunk::Shared(all)
    }

    /// The runs, which only this list has from now on.
    #[inline]
    fn own(&mut self) -> &mut VecDeque<Run> {
        if let Chunk::Shared(all) = self {
            *self = Chunk::Owned(released(std::mem::take(all)));
        }
        match self {
            Chunk::Owned(all) => all,
            Chunk::Shared(_) => unreachable!("it was made owned above"),
        }
    }

    /// The runs. Copies them if a snapshot has them too.
    fn into_owned(self) -> VecDeque<Run> {
        match self {
            Chunk::Owned(all) => all,
            Chunk::Shared(all) => released(all),
        }
    }
}

/// The runs of a chunk: a copy, if a snapshot has them too.
#[cold]
#[inline(never)]
fn released(all: Arc<VecDeque<Run>>) -> VecDeque<Run> {
    Arc::try_unwrap(all).unwrap_or_else(|all| copy(&all, CHUNK))
}

/// A copy with this capacity.
fn copy(runs: &VecDeque<Run>, capacity: usize) -> VecDeque<Run> {
    let mut copy = VecDeque::with_capacity(capacity);
    copy.extend(runs.iter().cloned());
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that its count identifies.
    fn run(count: usize) -> Run {
        Run { stamp: Stamp::default(), count }
    }

    fn check(runs: &Runs, model: &VecDeque<usize>) {
        runs.check_invariants();
        assert_eq!(runs.len(), model.len());
        assert!(runs.iter().map(|run| run.count).eq(model.iter().copied()));
        for end in [End::Front, End::Back] {
            let expected = if end == End::Front { model.front() } else { model.back() };
            assert_eq!(runs.outermost(end).map(|run| run.count), expected.copied());
        }
    }

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            (self.0 >> 33) as usize % limit
        }
    }

    fn step(runs: &mut Runs, model: &mut VecDeque<usize>, is_growing: bool, dice: &mut Dice) {
        let new = dice.below(1_000_000);
        let place = dice.below(model.len() + 1);
        match dice.below(8) {
            0..2 if is_growing => {
                runs.push(End::Front, run(new));
                model.push_front(new);
            }
            2..5 if is_growing => {
                runs.push(End::Back, run(new));
                model.push_back(new);
            }
            5 => {
                runs.insert(place, run(new));
                model.insert(place, new);
            }
            6 => {
                let count = dice.below(if is_growing { 3 } else { 90 });
                let end = model.len().min(place + count);
                runs.remove(place..end);
                model.drain(place..end);
            }
            7 => {
                let other = runs.get_mut(place);
                assert_eq!(other.as_deref().map(|run| run.count), model.get(place).copied());
                other.into_iter().for_each(|run| run.count = new);
                model.get_mut(place).into_iter().for_each(|count| *count = new);
                assert_eq!(runs.get(place).map(|run| run.count), model.get(place).copied());
                assert!(runs.iter_from(place).map(|r| r.count).eq(model.range(place..).copied()));
            }
            number => {
                let end = if number < 2 { End::Front } else { End::Back };
                runs.outermost_mut(end).into_iter().for_each(|run| run.count += 1);
                let expected = match end {
                    End::Front => model.pop_front(),
                    End::Back => model.pop_back(),
                };
                assert_eq!(runs.pop(end).map(|run| run.count), expected.map(|count| count + 1));
            }
        }
    }

    #[test]
    fn they_are_a_list_and_shared_ones_do_not_change() {
        for seed in 0..6 {
            let (mut runs, mut model) = (Runs::default(), VecDeque::new());
            let mut shared: Vec<(Runs, VecDeque<usize>)> = Vec::new();
            let mut dice = Dice(seed);
            let mut longest = 0;
            for number in 0..4_000 {
                // It grows and shrinks to nothing, twice.
                step(&mut runs, &mut model, (number / 1_000) % 2 == 0, &mut dice);
                if dice.below(97) == 0 {
                    let bytes = runs.allocated_bytes();
                    shared.push((runs.share(), model.clone()));
                    assert_eq!(runs.allocated_bytes(), bytes, "sharing changes no memory");
                }
                if shared.len() > 3 {
                    shared.iter().for_each(|(shared, model)| check(shared, model));
                    // What is shared may live on, and change.
                    (runs, model) = shared.swap_remove(dice.below(4));
                    shared.drain(..2);
                }
                if dice.below(9) == 0 {
                    check(&runs, &model);
                }
                longest = longest.max(model.len());
            }
            check(&runs, &model);
            check(&runs.clone(), &model);
            assert!(longest > 4 * CHUNK, "there were several chunks: {longest} runs");
            assert!(runs.into_runs().map(|run| run.count).eq(model));
        }
    }

    #[test]
    fn chunks_with_few_runs_are_joined() {
        let mut runs = Runs::default();
        (0..6_400).for_each(|number| runs.push(End::Back, run(number)));
        let full = runs.allocated_bytes();
        for number in (0..6_400).rev().filter(|number| number % CHUNK > 0) {
            runs.remove(number..number + 1);
        }
        runs.check_invariants();
        assert!(runs.iter().map(|run| run.count).eq((0..100).map(|number| number * CHUNK)));
        assert!(runs.allocated_bytes() < full / 8, "{} of {full}", runs.allocated_bytes());
    }

    #[test]
    fn sharing_copies_one_chunk_at_the_most() {
        let mut runs = Runs::default();
        (0..6_400).for_each(|number| runs.push(End::Back, run(number)));
        let shared = runs.share();
        let is_same = |number: usize| {
            let address = |runs: &Runs| runs.get(number).map(std::ptr::from_ref);
            address(&runs) == address(&shared)
        };
        assert_eq!((0..6_400).filter(|number| !is_same(*number)).count(), CHUNK);
        // A change copies one more.
        runs.pop(End::Front);
        let own = |number: usize| runs.get(number - 1).map(std::ptr::from_ref);
        let same = |number: &usize| own(*number) == shared.get(*number).map(std::ptr::from_ref);
        assert_eq!((1..6_400).filter(|number| !same(number)).count(), 2 * CHUNK - 1);
    }
}
