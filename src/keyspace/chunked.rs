//! A map like `Numbered`, in chunks that a snapshot can share.
//!
//! Sharing takes one step per chunk, and copies no value. A shared chunk is never written to: new
//! values go to another chunk; a removed value is copied out and marked as removed. When the
//! snapshot has released a chunk, the next change makes it owned again.
//!
//! Up to one chunk of values is in the newest chunk, which is never shared: a small map costs no
//! more than a `Numbered`.

use super::number_block::NumberBlock;
use super::numbered::Numbered;
use std::collections::VecDeque;
use std::sync::Arc;

/// Positions per chunk: the number of bits in a mask.
const CHUNK: usize = u64::BITS as usize;

/// A chunk with this few values is joined with a neighbour, if both together have at most
/// `JOINED_MAX`. So each moved value is paid for by a removed one.
const FEW: usize = CHUNK / 4;
const JOINED_MAX: usize = CHUNK / 4 * 3;

/// A map in the order of its numbers.
#[derive(Debug)]
pub(super) struct Chunked<T> {
    /// All chunks but the newest. None is empty.
    older: VecDeque<Chunk<T>>,
    /// Values in the older chunks.
    older_len: usize,
    /// Bytes of memory of the older chunks. Sharing does not change it.
    older_bytes: usize,
    newest: Numbered<T>,
}

#[derive(Debug)]
enum Chunk<T> {
    Owned(Numbered<T>),
    /// Also part of a snapshot. Our values are at the positions whose bits are set.
    Shared {
        all: Arc<Numbered<T>>,
        ours: u64,
    },
}

impl<T> Default for Chunked<T> {
    fn default() -> Chunked<T> {
        let newest = Numbered::default();
        Chunked { older: VecDeque::new(), older_len: 0, older_bytes: 0, newest }
    }
}

impl<T> Chunked<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.older_len + self.newest.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory, without allocations of the values themselves.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.newest.allocated_bytes() + self.older_bytes
    }

    /// Adds a value; its number is above all before. Returns by how many bytes the memory grew.
    #[inline(always)]
    pub(super) fn push(&mut self, number: u64, value: T) -> usize {
        let is_full = self.newest.positions() == CHUNK;
        let begun = if is_full { self.begin_chunk() } else { 0 };
        begun + self.newest.push(number, value)
    }

    /// Begins a chunk. Returns its bytes of memory; the previous one is counted with the older ones from now
    /// on.
    #[cold]
    #[inline(never)]
    fn begin_chunk(&mut self) -> usize {
        let full = std::mem::replace(&mut self.newest, Numbered::with_capacity(CHUNK));
        self.add_older(Chunk::Owned(full));
        self.newest.allocated_bytes()
    }

    fn add_older(&mut self, chunk: Chunk<T>) {
        self.older_len += chunk.len();
        self.older_bytes += chunk.allocated_bytes();
        self.older.push_back(chunk);
    }

    /// Returns a second map with the same values, without copying them.
    pub(super) fn share(&mut self) -> Chunked<T> {
        if !self.newest.is_empty() {
            let newest = std::mem::take(&mut self.newest);
            self.add_older(Chunk::Owned(newest));
        }
        let older: VecDeque<_> = self.older.iter_mut().map(Chunk::share).collect();
        let (older_len, older_bytes) = (self.older_len, self.older_bytes);
        Chunked { older, older_len, older_bytes, newest: Numbered::default() }
    }

    /// Returns the index of the older chunk that covers a number; `None` for the newest chunk.
    #[inline]
    fn chunk_of(&self, number: u64) -> Option<usize> {
        if number <= self.older.front()?.last_number() {
            return Some(0);
        }
        let at = self.older.partition_point(|chunk| chunk.last_number() < number);
        Some(at).filter(|at| *at < self.older.len())
    }

    /// Returns the value with a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match self.chunk_of(number) {
            None => self.newest.get(number),
            Some(at) => self.older[at].get(number),
        }
    }

    /// Returns the first value, with its number.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        match self.older.front() {
            None => self.newest.first(),
            Some(chunk) => chunk.iter().next(),
        }
    }

    /// Returns the last value, with its number.
    #[inline]
    pub(super) fn last(&self) -> Option<(u64, &T)> {
        self.newest.last().or_else(|| self.older.back()?.iter().next_back())
    }

    /// Returns all values in order, with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.older.iter().flat_map(Chunk::iter).chain(self.newest.iter())
    }

    /// Returns the numbers from `first` on, in order.
    pub(super) fn numbers_from(&self, first: u64) -> impl Iterator<Item = u64> {
        let start = self.chunk_of(first).unwrap_or(self.older.len());
        let older = self.older.range(start..).flat_map(Chunk::iter).map(|(number, _)| number);
        older.skip_while(move |number| *number < first).chain(self.newest.numbers_from(first))
    }

    /// Returns the numbers up to `last`, in descending order.
    pub(super) fn numbers_down_from(&self, last: u64) -> impl Iterator<Item = u64> {
        let end = self.chunk_of(last).map_or(self.older.len(), |at| at + 1);
        let older = self.older.range(..end).rev().flat_map(|chunk| chunk.iter().rev());
        let older = older.map(|(number, _)| number).skip_while(move |number| *number > last);
        self.newest.numbers_to(last).rev().chain(older)
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        let older = || self.older.iter();
        assert!(older().all(|chunk| chunk.len() > 0), "an empty chunk");
        assert!(
            older().all(|chunk| chunk.all().positions() <= CHUNK)
                && self.newest.positions() <= CHUNK
        );
        assert_eq!(older().map(Chunk::len).sum::<usize>(), self.older_len);
        assert_eq!(older().map(|chunk| chunk.iter().count()).sum::<usize>(), self.older_len);
        assert_eq!(older().map(Chunk::allocated_bytes).sum::<usize>(), self.older_bytes);
        assert!(self.iter().is_sorted_by(|a, b| a.0 < b.0), "numbers out of order");
        older().for_each(|chunk| chunk.all().check_invariants());
        self.newest.check_invariants();
    }
}

impl<T: Clone> Chunked<T> {
    /// Removes and returns the value with a number.
    #[inline(always)]
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        self.remove_first(number).or_else(|| self.remove_any(number))
    }

    /// Removes the values whose numbers are in a block, after passing them to `each`.
    #[inline]
    pub(super) fn remove_block(&mut self, block: NumberBlock, mut each: impl FnMut(&T)) {
        let mut at = self.chunk_of(block.first).unwrap_or(self.older.len());
        while let Some(chunk) = self.older.get_mut(at)
            && chunk.first_number() <= block.last()
        {
            let (len_before, bytes_before) = (chunk.len(), chunk.allocated_bytes());
            chunk.remove_block(block, &mut each);
            self.older_len -= len_before - chunk.len();
            self.older_bytes = self.older_bytes + chunk.allocated_bytes() - bytes_before;
            // A chunk that is gone, or part of another one, has made way for the next.
            at += usize::from(!self.tidy(at));
        }
        self.newest.remove_block(block, each);
    }

    /// As `remove`, if it is the first of several in an older chunk, as most are: then the memory does not
    /// change. Otherwise `None`, and no change.
    #[inline(always)]
    fn remove_first(&mut self, number: u64) -> Option<T> {
        let Chunk::Owned(chunk) = self.older.front_mut()? else { return None };
        if chunk.len() <= 1 {
            return None;
        }
        let value = chunk.remove_first(number)?;
        // Not joined with the next chunk: it is about to be empty, or another removal joins them.
        self.older_len -= 1;
        Some(value)
    }

    fn remove_any(&mut self, number: u64) -> Option<T> {
        match self.chunk_of(number) {
            None => self.newest.remove(number),
            Some(at) => self.remove_older(at, number),
        }
    }

    fn remove_older(&mut self, at: usize, number: u64) -> Option<T> {
        let chunk = &mut self.older[at];
        let bytes_before = chunk.allocated_bytes();
        let value = chunk.remove(number)?;
        self.older_len -= 1;
        self.older_bytes = self.older_bytes + chunk.allocated_bytes() - bytes_before;
        self.tidy(at);
        Some(value)
    }

    /// Removes a chunk without values, or joins one of few with a neighbour. Returns whether it did.
    #[inline]
    fn tidy(&mut self, at: usize) -> bool {
        match self.older[at].len() {
            0 => {
                self.older_bytes -= self.older[at].allocated_bytes();
                self.older.remove(at);
                self.shrink();
                true
            }
            1..=FEW => self.join(at),
            _ => false,
        }
    }

    /// Frees memory when less than an eighth is used.
    fn shrink(&mut self) {
        if let Some(capacity) = crate::slack::smaller(self.older.len(), self.older.capacity()) {
            self.older.shrink_to(capacity);
        }
    }

    /// Joins this chunk with a neighbour, if both have few values and no snapshot shares them. Returns whether
    /// it did.
    #[inline(never)]
    fn join(&mut self, at: usize) -> bool {
        let pairs = [(at, at + 1), (at.wrapping_sub(1), at)];
        let is_small = |pair: &(usize, usize)| {
            let chunks = (self.older.get(pair.0), self.older.get(pair.1));
            matches!(chunks, (Some(Chunk::Owned(a)), Some(Chunk::Owned(b)))
                if a.len() + b.len() <= JOINED_MAX)
        };
        let Some((left, right)) = pairs.into_iter().find(is_small) else { return false };
        let Some(Chunk::Owned(joined)) = self.older.remove(right) else { return false };
        let Chunk::Owned(own) = &mut self.older[left] else { return false };
        self.older_bytes -= own.allocated_bytes() + joined.allocated_bytes();
        own.append(joined);
        self.older_bytes += own.allocated_bytes();
        self.shrink();
        true
    }

    /// Returns the value with a number, for changes. Copies its chunk if a snapshot shares it.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match self.chunk_of(number) {
            None => self.newest.get_mut(number),
            Some(at) => {
                self.older[at].own();
                self.older[at].owned()?.get_mut(number)
            }
        }
    }

    /// Returns all values in order, for changes. Copies shared chunks.
    pub(super) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.older.iter_mut().for_each(Chunk::own);
        let older = self.older.iter_mut().filter_map(Chunk::owned);
        older.flat_map(Numbered::values_mut).chain(self.newest.values_mut())
    }
}

impl<T> Chunk<T> {
    fn all(&self) -> &Numbered<T> {
        match self {
            Chunk::Owned(all) => all,
            Chunk::Shared { all, .. } => all,
        }
    }

    /// Returns the mask of positions that may have a value of ours.
    fn ours(&self) -> u64 {
        match self {
            Chunk::Owned(_) => u64::MAX,
            Chunk::Shared { ours, .. } => *ours,
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Chunk::Owned(all) => all.len(),
            Chunk::Shared { ours, .. } => ours.count_ones() as usize,
        }
    }

    /// The chunk's own slot in the deque is a hundredth of this, and not counted.
    #[inline]
    fn allocated_bytes(&self) -> usize {
        self.all().allocated_bytes()
    }

    /// Returns a number that is at least all numbers of this chunk, and below all of the next.
    #[inline]
    fn last_number(&self) -> u64 {
        self.all().last().map_or(0, |(number, _)| number)
    }

    /// Returns the first number of this chunk, or a lower one.
    #[inline]
    fn first_number(&self) -> u64 {
        self.all().first().map_or(0, |(number, _)| number)
    }

    #[inline]
    fn get(&self, number: u64) -> Option<&T> {
        match self {
            Chunk::Owned(all) => all.get(number),
            Chunk::Shared { all, ours } => {
                let position =
                    all.position_of(number).filter(|position| ours >> position & 1 == 1)?;
                all.at(position).map(|(_, value)| value)
            }
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let (all, ours) = (self.all(), self.ours());
        // Skips all removed values at the front at once.
        let first = ours.trailing_zeros() as usize;
        (first..all.positions())
            .filter(move |position| ours >> position & 1 == 1)
            .filter_map(|p| all.at(p))
    }

    /// Returns a second chunk with the same values. Values removed since an earlier share are freed
    /// first, if possible.
    fn share(&mut self) -> Chunk<T> {
        self.reclaim();
        if let Chunk::Owned(all) = self {
            let ours = all.mask();
            *self = Chunk::Shared { all: Arc::new(std::mem::take(all)), ours };
        }
        match self {
            Chunk::Shared { all, ours } => Chunk::Shared { all: Arc::clone(all), ours: *ours },
            Chunk::Owned(_) => unreachable!("it was shared above"),
        }
    }

    /// Makes the chunk owned, if no snapshot shares it any more.
    fn reclaim(&mut self) {
        if let Chunk::Shared { all, ours } = self
            && let Some(all) = Arc::get_mut(all)
        {
            let mut all = std::mem::take(all);
            all.keep(*ours);
            *self = Chunk::Owned(all);
        }
    }

    /// Returns the values, if the chunk is owned.
    fn owned(&mut self) -> Option<&mut Numbered<T>> {
        match self {
            Chunk::Owned(all) => Some(all),
            Chunk::Shared { .. } => None,
        }
    }
}

impl<T: Clone> Chunk<T> {
    /// Removes and returns the value with a number. Copies it if a snapshot shares it.
    fn remove(&mut self, number: u64) -> Option<T> {
        self.reclaim();
        match self {
            Chunk::Owned(all) => all.remove(number),
            Chunk::Shared { all, ours } => {
                let position =
                    all.position_of(number).filter(|position| *ours >> position & 1 == 1)?;
                *ours &= !(1 << position);
                all.at(position).map(|(_, value)| value.clone())
            }
        }
    }

    /// Removes the values whose numbers are in a block, after passing them to `each`.
    #[inline]
    fn remove_block(&mut self, block: NumberBlock, mut each: impl FnMut(&T)) {
        self.reclaim();
        match self {
            Chunk::Owned(all) => all.remove_block(block, each),
            Chunk::Shared { all, ours } => {
                for position in all.place_of(block.first)..all.positions() {
                    let Some((number, value)) = all.at(position) else { continue };
                    if number > block.last() {
                        break;
                    }
                    if block.has(number) && *ours >> position & 1 == 1 {
                        each(value);
                        *ours &= !(1 << position);
                    }
                }
            }
        }
    }

    /// Makes the chunk owned, by a copy if a snapshot shares it.
    fn own(&mut self) {
        self.reclaim();
        if let Chunk::Shared { all, ours } = self {
            let mut all = Numbered::clone(all);
            all.keep(*ours);
            *self = Chunk::Owned(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::num::NonZeroU64;

    type Model = BTreeMap<u64, String>;

    fn check(map: &Chunked<String>, expected: &Model, dice: u64) {
        map.check_invariants();
        assert_eq!((map.len(), map.is_empty()), (expected.len(), expected.is_empty()));
        assert_eq!(map.first(), expected.first_key_value().map(|(n, v)| (*n, v)));
        assert_eq!(map.last(), expected.last_key_value().map(|(n, v)| (*n, v)));
        if dice.is_multiple_of(31) {
            assert!(map.iter().eq(expected.iter().map(|(n, v)| (*n, v))));
            assert!(map.iter().rev().eq(expected.iter().rev().map(|(n, v)| (*n, v))));
            let from = dice % (expected.keys().next_back().unwrap_or(&0) + 2);
            assert!(map.numbers_from(from).eq(expected.range(from..).map(|(n, _)| *n)));
            let down = expected.range(..=from).rev().map(|(n, _)| *n);
            assert!(map.numbers_down_from(from).eq(down));
        }
    }

    #[test]
    fn it_is_a_map_and_shared_copies_do_not_change() {
        let (mut map, mut expected) = (Chunked::default(), Model::new());
        let mut shared: Vec<(Chunked<String>, Model)> = Vec::new();
        let mut random = 1_u64;
        for step in 0..12_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            let dice = random >> 33;
            // It grows and shrinks to nothing, three times.
            if (step / 2_000) % 2 == 0 && !dice.is_multiple_of(3) {
                let bytes_before = map.allocated_bytes();
                let grown = map.push(2 * step, step.to_string());
                assert_eq!(map.allocated_bytes(), bytes_before + grown);
                expected.insert(2 * step, step.to_string());
            } else {
                let number = match dice % 5 {
                    0 | 1 => expected.keys().next().copied(),
                    2 => expected.keys().next_back().copied(),
                    3 => expected.keys().nth(dice as usize % expected.len().max(1)).copied(),
                    _ => Some(dice % (2 * step + 1)),
                };
                let number = number.unwrap_or(7);
                assert_eq!(map.get(number), expected.get(&number));
                if dice.is_multiple_of(11) {
                    let (own, other) = (map.get_mut(number), expected.get_mut(&number));
                    assert_eq!(own, other);
                    own.into_iter().chain(other).for_each(|value| value.push('x'));
                }
                assert_eq!(map.remove(number), expected.remove(&number));
                if dice.is_multiple_of(5) {
                    // Half of the numbers from a place on, and some that are not there.
                    let block = NumberBlock { first: number + 1, mask: NonZeroU64::MIN | random };
                    let mut found = Vec::new();
                    map.remove_block(block, |value| found.push(value.clone()));
                    let gone = block.numbers().filter_map(|number| expected.remove(&number));
                    assert!(gone.eq(found));
                }
            }
            if dice.is_multiple_of(701) {
                map.values_mut().chain(expected.values_mut()).for_each(|value| value.push('y'));
            }
            if dice.is_multiple_of(97) {
                shared.push((map.share(), expected.clone()));
            }
            if shared.len() > 3 || dice.is_multiple_of(301) {
                shared.iter().for_each(|(shared, expected)| check(shared, expected, 0));
                shared.drain(..shared.len().div_ceil(2));
            }
            check(&map, &expected, dice);
        }
        assert!(expected.len() < 10 && map.allocated_bytes() < 30_000);
    }

    /// Whatever is removed, few positions are empty.
    #[test]
    fn chunks_with_few_values_are_joined() {
        let mut map = Chunked::default();
        (0..64_000_u64).for_each(|number| _ = map.push(number, ()));
        let full = map.allocated_bytes();
        for number in (0..64_000).filter(|number| number % 64 > 0) {
            assert_eq!(map.remove(number), Some(()));
        }
        map.check_invariants();
        assert_eq!(map.len(), 1000);
        assert!(map.allocated_bytes() < full / 10, "{} of {full}", map.allocated_bytes());
    }

    #[test]
    fn sharing_takes_one_step_per_chunk() {
        let mut map = Chunked::default();
        (0..6_400_u64).for_each(|number| _ = map.push(number, Box::new(number)));
        let first = map.first().map(|(_, value)| std::ptr::from_ref(&**value));
        let shared = map.share();
        assert_eq!(shared.older.len(), 100);
        assert_eq!(shared.first().map(|(_, value)| std::ptr::from_ref(&**value)), first);
    }
}
