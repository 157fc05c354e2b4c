//! A map with ascending numbers as keys, for removals that are nearly always at the ends.
//!
//! New values are appended, and a removal leaves a hole. So adding and removing at an end take constant
//! time, and finding a number takes a binary search. There are never many more holes than values.

use super::number_block::NumberBlock;

/// At most this many more holes than values.
const HOLES_MAX: usize = 32;

/// Capacity for up to this many is kept.
const KEPT_MAX: usize = 256;

/// A map in the order of its numbers.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    /// A vector takes a new value in fewer steps than a ring. The last is no hole.
    places: Vec<(u64, Option<T>)>,
    /// Those before are holes, and this one is none.
    start: usize,
    len: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered::with_capacity(0)
    }
}

impl<T: Clone> Clone for Numbered<T> {
    /// Returns a copy with the same capacity, so that it takes as many bytes.
    fn clone(&self) -> Numbered<T> {
        let mut copy = Numbered::with_capacity(self.places.capacity());
        copy.places.extend(self.positions_from(0).iter().cloned());
        copy.len = self.len;
        copy
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
        self.places.capacity() * size_of::<(u64, Option<T>)>()
    }

    /// Adds a value; its number is above all before. Returns by how many bytes the memory grew.
    #[inline(always)]
    pub(super) fn push(&mut self, number: u64, value: T) -> usize {
        debug_assert!(self.places.last().is_none_or(|(last, _)| *last < number));
        let is_full = self.places.len() == self.places.capacity();
        let grown = if is_full { self.make_room() } else { 0 };
        self.len += 1;
        self.places.push((number, Some(value)));
        grown
    }

    /// Removes the holes before the first value, if they are so many that they pay for moving the values;
    /// otherwise allocates memory. Returns by how many bytes it grew.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self) -> usize {
        if self.start > self.places.len() / 4 {
            self.places.drain(..self.start);
            self.start = 0;
            return 0;
        }
        let bytes_before = self.allocated_bytes();
        self.places.reserve(1);
        self.allocated_bytes() - bytes_before
    }

    /// Removes and returns the value with a number.
    #[inline]
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        self.remove_first(number).or_else(|| self.remove_behind(number))
    }

    /// As `remove`, if it is the first number; otherwise `None`, and no change.
    #[inline]
    pub(super) fn remove_first(&mut self, number: u64) -> Option<T> {
        let (first, value) = self.places.get_mut(self.start)?;
        if *first != number {
            return None;
        }
        let value = value.take();
        self.len -= 1;
        self.give_back();
        value
    }

    /// As `remove`, for a number that is not the first.
    fn remove_behind(&mut self, number: u64) -> Option<T> {
        let at = self.position_of(number)?;
        let value = self.places.get_mut(self.start + at)?.1.take();
        if value.is_some() {
            self.len -= 1;
            self.give_back();
        }
        value
    }

    /// Removes the values whose numbers are in a block, after passing them to `each`.
    #[inline]
    pub(super) fn remove_block(&mut self, block: NumberBlock, mut each: impl FnMut(&T)) {
        let (start, last) = (self.start + self.place_of(block.first), block.last());
        for (number, place) in self.places.get_mut(start..).unwrap_or_default() {
            if *number > last {
                break;
            }
            if block.has(*number)
                && let Some(value) = place
            {
                each(value);
                *place = None;
                self.len -= 1;
            }
        }
        self.give_back();
    }

    /// Called after removals: passes holes at the ends, and frees memory.
    #[inline]
    fn give_back(&mut self) {
        if self.is_empty() {
            self.places.clear();
            self.start = 0;
        } else if self.positions() > self.len {
            self.pass_holes();
        }
        if self.places.capacity() > KEPT_MAX {
            self.shrink();
        }
    }

    /// Passes holes at the ends. Removes holes when there are as many as values, which pay for it.
    #[inline(never)]
    fn pass_holes(&mut self) {
        let is_hole = |place: &&(u64, Option<T>)| place.1.is_none();
        self.start += self.positions_from(0).iter().take_while(is_hole).count();
        let behind = self.positions_from(0).iter().rev().take_while(is_hole).count();
        self.places.truncate(self.places.len() - behind);
        if self.positions() > 2 * self.len + HOLES_MAX {
            self.places.retain(|(_, value)| value.is_some());
            self.start = 0;
        } else if self.start > self.positions() + HOLES_MAX {
            self.places.drain(..self.start);
            self.start = 0;
        }
    }

    /// Frees memory when less than a quarter is used, so that it is not soon allocated again.
    #[inline(never)]
    fn shrink(&mut self) {
        if self.places.capacity() > 4 * self.places.len() + KEPT_MAX {
            self.places.shrink_to(2 * self.places.len());
        }
    }

    /// Returns an empty map with this capacity.
    pub(super) fn with_capacity(capacity: usize) -> Numbered<T> {
        Numbered { places: Vec::with_capacity(capacity), start: 0, len: 0 }
    }

    /// Returns the places from a position on.
    #[inline]
    fn positions_from(&self, position: usize) -> &[(u64, Option<T>)] {
        self.places.get(self.start + position..).unwrap_or_default()
    }

    /// Returns the number of positions: values, and holes between them.
    #[inline]
    pub(super) fn positions(&self) -> usize {
        self.places.len() - self.start
    }

    /// Returns the value at a position, with its number; `None` for a hole.
    pub(super) fn at(&self, position: usize) -> Option<(u64, &T)> {
        let (number, value) = self.places.get(self.start + position)?;
        Some((*number, value.as_ref()?))
    }

    /// Returns which of the first positions have a value, one bit each.
    pub(super) fn mask(&self) -> u64 {
        let positions = self.positions_from(0).iter().take(u64::BITS as usize).enumerate();
        positions.filter(|(_, (_, value))| value.is_some()).fold(0, |mask, (at, _)| mask | 1 << at)
    }

    /// Removes the values at those of the first positions whose bits are not set.
    pub(super) fn keep(&mut self, mask: u64) {
        let positions = self.places.iter_mut().skip(self.start).take(u64::BITS as usize);
        for (at, (_, value)) in positions.enumerate() {
            if mask >> at & 1 == 0 && value.take().is_some() {
                self.len -= 1;
            }
        }
        self.pass_holes();
    }

    /// Adds all values of another map, whose numbers are above all before.
    pub(super) fn append(&mut self, other: Numbered<T>) {
        self.places.retain(|(_, value)| value.is_some());
        self.start = 0;
        self.places.extend(other.places.into_iter().filter(|(_, value)| value.is_some()));
        self.len += other.len;
    }

    /// Returns the position of a number, even if its value was removed and left a hole.
    pub(super) fn position_of(&self, number: u64) -> Option<usize> {
        self.positions_from(0).binary_search_by_key(&number, |(other, _)| *other).ok()
    }

    /// Returns the position of the first number that is not below this one.
    pub(super) fn place_of(&self, number: u64) -> usize {
        self.positions_from(0).partition_point(|(other, _)| *other < number)
    }

    /// Returns the position behind the last number that is not above this one.
    fn behind(&self, number: u64) -> usize {
        self.positions_from(0).partition_point(|(other, _)| *other <= number)
    }

    /// Returns the value with a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match self.places.get(self.start) {
            Some((first, value)) if *first == number => value.as_ref(),
            _ => self.at(self.position_of(number)?).map(|(_, value)| value),
        }
    }

    /// Returns the value with a number, for changes.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.position_of(number)?;
        self.places.get_mut(self.start + at)?.1.as_mut()
    }

    /// Returns the value with the largest number up to `number`, for changes; `None` if it was removed.
    pub(super) fn at_or_before_mut(&mut self, number: u64) -> Option<(u64, &mut T)> {
        let at = self.behind(number).checked_sub(1)?;
        let (number, value) = self.places.get_mut(self.start + at)?;
        Some((*number, value.as_mut()?))
    }

    /// Returns the values in order, with their numbers, from the one with the largest number up to `number` on.
    pub(super) fn values_from(&self, number: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let values = self.positions_from(self.behind(number).saturating_sub(1)).iter();
        values.filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Returns the first value, with its number.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        self.at(0)
    }

    /// Returns the last value, with its number.
    #[inline]
    pub(super) fn last(&self) -> Option<(u64, &T)> {
        let (number, value) = self.places.last()?;
        Some((*number, value.as_ref()?))
    }

    /// Returns all values in order, with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let positions = self.positions_from(0).iter();
        positions.filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Returns all values in order, for changes.
    pub(super) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// Returns the numbers from `first` on, in order.
    pub(super) fn numbers_from(&self, first: u64) -> impl DoubleEndedIterator<Item = u64> {
        let behind = self.positions_from(self.place_of(first)).iter();
        behind.filter_map(|(number, value)| value.as_ref().map(|_| *number))
    }

    /// Returns the numbers up to `last`, in order.
    pub(super) fn numbers_to(&self, last: u64) -> impl DoubleEndedIterator<Item = u64> {
        let before = self.positions_from(0).iter().take(self.behind(last));
        before.filter_map(|(number, value)| value.as_ref().map(|_| *number))
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.len);
        assert!(self.places.iter().is_sorted_by(|a, b| a.0 < b.0), "numbers out of order");
        let (before, positions) = self.places.split_at(self.start);
        assert!(before.iter().all(|(_, value)| value.is_none()), "a value before the start");
        let ends = [positions.first(), positions.last()].into_iter().flatten();
        assert!(ends.into_iter().all(|(_, value)| value.is_some()), "a hole at an end");
        assert!(self.positions() <= 2 * self.len + HOLES_MAX);
        assert!(self.start <= self.positions() + HOLES_MAX);
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
                let bytes_before = map.allocated_bytes();
                let grown = map.push(2 * step, step);
                assert_eq!(map.allocated_bytes(), bytes_before + grown);
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
