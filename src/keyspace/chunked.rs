//! Values by number, as in `Numbered`, in chunks that a snapshot can share.
//!
//! To share all of them takes a step for each chunk, and copies no value. A shared chunk is never written
//! to: what is added comes to another, and of what is taken out a copy is given, and noted that it has gone.
//! When the snapshot has let go of a chunk, the next change of it takes it back.
//!
//! Up to as many values as a chunk has are in the newest, which is never shared, and cost what they cost
//! there.

use super::numbered::Numbered;
use std::collections::VecDeque;
use std::sync::Arc;

/// Places in a chunk: as many as a mask has bits.
const CHUNK: usize = u64::BITS as usize;

/// A chunk with so few values joins a neighbour, if both have no more than `JOINED_MAX`. So each move of a
/// value is paid for by one that has gone.
const FEW: usize = CHUNK / 4;
const JOINED_MAX: usize = CHUNK / 4 * 3;

/// Values by number, in the order of the numbers.
#[derive(Debug)]
pub(super) struct Chunked<T> {
    /// All chunks but the newest. None is empty.
    older: VecDeque<Chunk<T>>,
    /// Values in those.
    older_len: usize,
    /// Bytes of memory that they take. To share them does not change it.
    older_bytes: usize,
    newest: Numbered<T>,
}

#[derive(Debug)]
enum Chunk<T> {
    Owned(Numbered<T>),
    /// Also part of a snapshot. Of its places those are ours whose bits are set.
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

    /// Bytes of memory, without what the values have elsewhere.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.newest.allocated_bytes() + self.older_bytes
    }

    /// Adds a value; its number is above those before.
    #[inline]
    pub(super) fn push(&mut self, number: u64, value: T) {
        if self.newest.places() == CHUNK {
            self.begin_chunk();
        }
        self.newest.push(number, value);
    }

    #[cold]
    fn begin_chunk(&mut self) {
        let full = std::mem::replace(&mut self.newest, Numbered::with_capacity(CHUNK));
        self.add_older(Chunk::Owned(full));
    }

    fn add_older(&mut self, chunk: Chunk<T>) {
        self.older_len += chunk.len();
        self.older_bytes += chunk.allocated_bytes();
        self.older.push_back(chunk);
    }

    /// The same values once more, without a copy of any.
    pub(super) fn share(&mut self) -> Chunked<T> {
        if !self.newest.is_empty() {
            let newest = std::mem::take(&mut self.newest);
            self.add_older(Chunk::Owned(newest));
        }
        let older: VecDeque<_> = self.older.iter_mut().map(Chunk::share).collect();
        let (older_len, older_bytes) = (self.older_len, self.older_bytes);
        Chunked { older, older_len, older_bytes, newest: Numbered::default() }
    }

    /// Which of the older chunks a number would be in; none if it would be in the newest.
    #[inline]
    fn chunk_of(&self, number: u64) -> Option<usize> {
        if number <= self.older.front()?.last_number() {
            return Some(0);
        }
        let at = self.older.partition_point(|chunk| chunk.last_number() < number);
        Some(at).filter(|at| *at < self.older.len())
    }

    /// The value with a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match self.chunk_of(number) {
            None => self.newest.get(number),
            Some(at) => self.older[at].get(number),
        }
    }

    /// The first value, with its number.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        match self.older.front() {
            None => self.newest.first(),
            Some(chunk) => chunk.iter().next(),
        }
    }

    /// The last value, with its number.
    #[inline]
    pub(super) fn last(&self) -> Option<(u64, &T)> {
        self.newest.last().or_else(|| self.older.back()?.iter().next_back())
    }

    /// All values in order, with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.older.iter().flat_map(Chunk::iter).chain(self.newest.iter())
    }

    /// The numbers from one on, in order.
    pub(super) fn numbers_from(&self, first: u64) -> impl Iterator<Item = u64> {
        let start = self.chunk_of(first).unwrap_or(self.older.len());
        let older = self.older.range(start..).flat_map(Chunk::iter).map(|(number, _)| number);
        older.skip_while(move |number| *number < first).chain(self.newest.numbers_from(first))
    }

    /// The numbers up to one, the last first.
    pub(super) fn numbers_down_from(&self, last: u64) -> impl Iterator<Item = u64> {
        let end = self.chunk_of(last).map_or(self.older.len(), |at| at + 1);
        let older = self.older.range(..end).rev().flat_map(|chunk| chunk.iter().rev());
        let older = older.map(|(number, _)| number).skip_while(move |number| *number > last);
        self.newest.numbers_to(last).rev().chain(older)
    }

    /// Panics if something does not hold that always does.
    pub(super) fn check_invariants(&self) {
        let older = || self.older.iter();
        assert!(older().all(|chunk| chunk.len() > 0), "an empty chunk");
        assert!(
            older().all(|chunk| chunk.all().places() <= CHUNK) && self.newest.places() <= CHUNK
        );
        assert_eq!(older().map(Chunk::len).sum::<usize>(), self.older_len);
        assert_eq!(older().map(|chunk| chunk.iter().count()).sum::<usize>(), self.older_len);
        assert_eq!(older().map(Chunk::allocated_bytes).sum::<usize>(), self.older_bytes);
        assert!(self.iter().is_sorted_by(|a, b| a.0 < b.0), "numbers rise");
        older().for_each(|chunk| chunk.all().check_invariants());
        self.newest.check_invariants();
    }
}

impl<T: Clone> Chunked<T> {
    /// Takes the value with a number out.
    #[inline]
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
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
        match chunk.len() {
            0 => {
                self.older_bytes -= chunk.allocated_bytes();
                self.older.remove(at);
                self.give_back();
            }
            1..=FEW => self.join(at),
            _ => {}
        }
        Some(value)
    }

    /// Gives memory back when less than an eighth is used.
    fn give_back(&mut self) {
        if let Some(capacity) = crate::slack::smaller(self.older.len(), self.older.capacity()) {
            self.older.shrink_to(capacity);
        }
    }

    /// Makes one chunk of this one and a neighbour, if both have few values and no snapshot has them.
    fn join(&mut self, at: usize) {
        let pairs = [(at, at + 1), (at.wrapping_sub(1), at)];
        let is_small = |pair: &(usize, usize)| {
            let chunks = (self.older.get(pair.0), self.older.get(pair.1));
            matches!(chunks, (Some(Chunk::Owned(a)), Some(Chunk::Owned(b)))
                if a.len() + b.len() <= JOINED_MAX)
        };
        let Some((left, right)) = pairs.into_iter().find(is_small) else { return };
        let Some(Chunk::Owned(joined)) = self.older.remove(right) else { return };
        let Chunk::Owned(own) = &mut self.older[left] else { return };
        self.older_bytes -= own.allocated_bytes() + joined.allocated_bytes();
        own.append(joined);
        self.older_bytes += own.allocated_bytes();
        self.give_back();
    }

    /// The value with a number, to be changed. If a snapshot has it as well, its chunk is copied.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match self.chunk_of(number) {
            None => self.newest.get_mut(number),
            Some(at) => {
                self.older[at].own();
                self.older[at].owned()?.get_mut(number)
            }
        }
    }

    /// All values in order, to be changed. What a snapshot has as well is copied.
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

    /// Of its places those that are ours, if they have a value.
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

    /// Its own place among the chunks is one part in a hundred of that, and not counted.
    #[inline]
    fn allocated_bytes(&self) -> usize {
        self.all().allocated_bytes()
    }

    /// A number that none of its values is above, and all of the next chunk are.
    #[inline]
    fn last_number(&self) -> u64 {
        self.all().last().map_or(0, |(number, _)| number)
    }

    #[inline]
    fn get(&self, number: u64) -> Option<&T> {
        match self {
            Chunk::Owned(all) => all.get(number),
            Chunk::Shared { all, ours } => {
                let place = all.place_of(number).filter(|place| ours >> place & 1 == 1)?;
                all.at(place).map(|(_, value)| value)
            }
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let (all, ours) = (self.all(), self.ours());
        // Of very many that have gone none is looked at.
        let first = ours.trailing_zeros() as usize;
        (first..all.places()).filter(move |place| ours >> place & 1 == 1).filter_map(|p| all.at(p))
    }

    /// The same values once more. What has gone since it was shared before is given back first.
    fn share(&mut self) -> Chunk<T> {
        self.take_back();
        if let Chunk::Owned(all) = self {
            let ours = all.mask();
            *self = Chunk::Shared { all: Arc::new(std::mem::take(all)), ours };
        }
        match self {
            Chunk::Shared { all, ours } => Chunk::Shared { all: Arc::clone(all), ours: *ours },
            Chunk::Owned(_) => unreachable!("it was shared above"),
        }
    }

    /// Makes it ours alone, if no snapshot has it any more.
    fn take_back(&mut self) {
        if let Chunk::Shared { all, ours } = self
            && let Some(all) = Arc::get_mut(all)
        {
            let mut all = std::mem::take(all);
            all.keep(*ours);
            *self = Chunk::Owned(all);
        }
    }

    /// The values, if no snapshot has them.
    fn owned(&mut self) -> Option<&mut Numbered<T>> {
        match self {
            Chunk::Owned(all) => Some(all),
            Chunk::Shared { .. } => None,
        }
    }
}

impl<T: Clone> Chunk<T> {
    /// Takes the value with a number out. If a snapshot has it as well, it is copied.
    fn remove(&mut self, number: u64) -> Option<T> {
        self.take_back();
        match self {
            Chunk::Owned(all) => all.remove(number),
            Chunk::Shared { all, ours } => {
                let place = all.place_of(number).filter(|place| *ours >> place & 1 == 1)?;
                *ours &= !(1 << place);
                all.at(place).map(|(_, value)| value.clone())
            }
        }
    }

    /// Makes it one that no snapshot has.
    fn own(&mut self) {
        self.take_back();
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
    fn it_is_a_map_and_what_was_shared_stays_as_it_was() {
        let (mut map, mut expected) = (Chunked::default(), Model::new());
        let mut shared: Vec<(Chunked<String>, Model)> = Vec::new();
        let mut random = 1_u64;
        for step in 0..12_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            let dice = random >> 33;
            // It grows, and shrinks to nothing, three times.
            if (step / 2_000) % 2 == 0 && !dice.is_multiple_of(3) {
                map.push(2 * step, step.to_string());
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

    /// Whatever goes, few places have no value.
    #[test]
    fn chunks_with_few_values_are_joined() {
        let mut map = Chunked::default();
        (0..64_000_u64).for_each(|number| map.push(number, ()));
        let full = map.allocated_bytes();
        for number in (0..64_000).filter(|number| number % 64 > 0) {
            assert_eq!(map.remove(number), Some(()));
        }
        map.check_invariants();
        assert_eq!(map.len(), 1000);
        assert!(map.allocated_bytes() < full / 10, "{} of {full}", map.allocated_bytes());
    }

    #[test]
    fn to_share_takes_a_step_for_each_chunk() {
        let mut map = Chunked::default();
        (0..6_400_u64).for_each(|number| map.push(number, Box::new(number)));
        let first = map.first().map(|(_, value)| std::ptr::from_ref(&**value));
        let shared = map.share();
        assert_eq!(shared.older.len(), 100);
        assert_eq!(shared.first().map(|(_, value)| std::ptr::from_ref(&**value)), first);
    }
}
