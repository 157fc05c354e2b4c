//! A map with ascending numbers as keys, for removals that are nearly always at the ends.
//!
//! New values are appended, and a removal between others leaves a hole. So adding and removing at
//! an end take constant time, and finding a number takes a binary search. There are never many more
//! holes than values.

use std::collections::VecDeque;

/// At most this many more holes than values.
const HOLES_MAX: usize = 32;

/// Capacity for up to this many is kept.
const KEPT_MAX: usize = 256;

/// A map in the order of its numbers.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    /// Neither the first nor the last is a hole.
    positions: VecDeque<(u64, Option<T>)>,
    len: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { positions: VecDeque::new(), len: 0 }
    }
}

impl<T: Clone> Clone for Numbered<T> {
    /// Returns a copy with the same capacity, so that it takes as many bytes.
    fn clone(&self) -> Numbered<T> {
        let mut positions = VecDeque::with_capacity(self.positions.capacity());
        positions.extend(self.positions.iter().cloned());
        Numbered { positions, len: self.len }
    }
}

impl<T> Numbered<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the bytes of memory, without allocations of the values themselves.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.positions.capacity() * size_of::<(u64, Option<T>)>()
    }

    /// Adds a value; its number is above all before.
    #[inline]
    pub(super) fn push(&mut self, number: u64, value: T) {
        debug_assert!(self.positions.back().is_none_or(|(last, _)| *last < number));
        self.positions.push_back((number, Some(value)));
        self.len += 1;
    }

    /// Removes and returns the value with a number.
    #[inline]
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        self.remove_first(number).or_else(|| self.remove_behind(number))
    }

    /// As `remove`, if it is the first number; otherwise `None`, and no change.
    #[inline]
    pub(super) fn remove_first(&mut self, number: u64) -> Option<T> {
        if self.positions.front()?.0 != number {
            return None;
        }
        let (_, value) = self.positions.pop_front()?;
        self.removed();
        value
    }

    /// As `remove`, for a number that is not the first.
    fn remove_behind(&mut self, number: u64) -> Option<T> {
        let at = self.position_of(number)?;
        let value = self.positions.get_mut(at)?.1.take();
        if value.is_some() {
            self.removed();
        }
        value
    }

    /// Called after a removal.
    #[inline]
    fn removed(&mut self) {
        self.len -= 1;
        if self.positions.len() > self.len {
            self.trim_holes();
        }
        if self.positions.capacity() > KEPT_MAX {
            self.shrink();
        }
    }

    #[inline(never)]
    fn trim_holes(&mut self) {
        while self.positions.front().is_some_and(|(_, value)| value.is_none()) {
            self.positions.pop_front();
        }
        while self.positions.back().is_some_and(|(_, value)| value.is_none()) {
            self.positions.pop_back();
        }
        if self.positions.len() > 2 * self.len + HOLES_MAX {
            self.positions.retain(|(_, value)| value.is_some());
        }
    }

    /// Frees memory when less than a quarter is used, so that it is not soon allocated again.
    #[inline(never)]
    fn shrink(&mut self) {
        if self.positions.capacity() > 4 * self.positions.len() + KEPT_MAX {
            self.positions.shrink_to(2 * self.positions.len());
        }
    }

    /// Returns an empty map with this capacity.
    pub(super) fn with_capacity(capacity: usize) -> Numbered<T> {
        Numbered { positions: VecDeque::with_capacity(capacity), len: 0 }
    }

    /// Returns the number of positions: values and holes.
    #[inline]
    pub(super) fn positions(&self) -> usize {
        self.positions.len()
    }

    /// Returns the value at a position, with its number; `None` for a hole.
    pub(super) fn at(&self, position: usize) -> Option<(u64, &T)> {
        let (number, value) = self.positions.get(position)?;
        Some((*number, value.as_ref()?))
    }

    /// Returns which of the first positions have a value, one bit each.
    pub(super) fn mask(&self) -> u64 {
        let positions = self.positions.iter().take(u64::BITS as usize).enumerate();
        positions.filter(|(_, (_, value))| value.is_some()).fold(0, |mask, (at, _)| mask | 1 << at)
    }

    /// Removes the values at those of the first positions whose bits are not set.
    pub(super) fn keep(&mut self, mask: u64) {
        for (at, (_, value)) in self.positions.iter_mut().take(u64::BITS as usize).enumerate() {
            if mask >> at & 1 == 0 && value.take().is_some() {
                self.len -= 1;
            }
        }
        self.trim_holes();
    }

    /// Adds all values of another map, whose numbers are above all before.
    pub(super) fn append(&mut self, other: Numbered<T>) {
        self.positions.retain(|(_, value)| value.is_some());
        self.positions.extend(other.positions.into_iter().filter(|(_, value)| value.is_some()));
        self.len += other.len;
    }

    /// Returns the position of a number, even if its value was removed and left a hole.
    pub(super) fn position_of(&self, number: u64) -> Option<usize> {
        self.positions.binary_search_by_key(&number, |(other, _)| *other).ok()
    }

    /// Returns the value with a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match self.positions.front() {
            Some((first, value)) if *first == number => value.as_ref(),
            _ => self.positions.get(self.position_of(number)?)?.1.as_ref(),
        }
    }

    /// Returns the value with a number, for changes.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.position_of(number)?;
        self.positions.get_mut(at)?.1.as_mut()
    }

    /// Returns the first value, with its number.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        let (number, value) = self.positions.front()?;
        Some((*number, value.as_ref()?))
    }

    /// Returns the last value, with its number.
    #[inline]
    pub(super) fn last(&self) -> Option<(u64, &T)> {
        let (number, value) = self.positions.back()?;
        Some((*number, value.as_ref()?))
    }

    /// Returns all values in order, with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.positions.iter().filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Returns all values in order, for changes.
    pub(super) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.positions.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// Returns the numbers from `first` on, in order.
    pub(super) fn numbers_from(&self, first: u64) -> impl DoubleEndedIterator<Item = u64> {
        let start = self.positions.partition_point(|(number, _)| *number < first);
        let behind = self.positions.range(start..);
        behind.filter_map(|(number, value)| value.as_ref().map(|_| *number))
    }

    /// Returns the numbers up to `last`, in order.
    pub(super) fn numbers_to(&self, last: u64) -> impl DoubleEndedIterator<Item = u64> {
        let end = self.positions.partition_point(|(number, _)| *number <= last);
        let before = self.positions.range(..end);
        before.filter_map(|(number, value)| value.as_ref().map(|_| *number))
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.len);
        assert!(self.positions.iter().is_sorted_by(|a, b| a.0 < b.0), "numbers out of order");
        let ends = [self.positions.front(), self.positions.back()].into_iter().flatten();
        assert!(ends.into_iter().all(|(_, value)| value.is_some()), "a hole at an end");
        assert!(self.positions.len() <= 2 * self.len + HOLES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_a_map_whatever_is_removed() {
        let (mut map, mut expected) = (Numbered::default(), BTreeMap::new());
        let mut random = 1_u64;
        for step in 0..20_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            let dice = random >> 33;
            // It grows and shrinks to nothing, twice.
            if (step / 5_000) % 2 == 0 && !dice.is_multiple_of(3) {
                map.push(2 * step, step);
                expected.insert(2 * step, step);
            } else {
                let number = match dice % 4 {
                    0 => expected.keys().next().copied(),
                    1 => expected.keys().next_back().copied(),
                    2 => expected.keys().nth(dice as usize % expected.len().max(1)).copied(),
                    _ => Some(dice % (2 * step + 1)),
                };
                let number = number.unwrap_or(7);
                assert_eq!(map.get(number), expected.get(&number));
                assert_eq!(map.get_mut(number), expected.get_mut(&number));
                assert_eq!(map.remove(number), expected.remove(&number));
            }
            map.check_invariants();
            assert_eq!((map.len(), map.is_empty()), (expected.len(), expected.is_empty()));
            assert_eq!(map.first(), expected.first_key_value().map(|(n, v)| (*n, v)));
            assert_eq!(map.last(), expected.last_key_value().map(|(n, v)| (*n, v)));
            if step % 97 == 0 {
                assert!(map.iter().eq(expected.iter().map(|(n, v)| (*n, v))));
                let from = dice % (2 * step + 1);
                assert!(map.numbers_from(from).eq(expected.range(from..).map(|(n, _)| *n)));
                assert!(map.numbers_to(from).eq(expected.range(..=from).map(|(n, _)| *n)));
            }
        }
        assert!(expected.len() < 10 && map.allocated_bytes() < 10_000);
    }
}
