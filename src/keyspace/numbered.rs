//! A map from numbers that rise, of which those at the ends go first, nearly always.
//!
//! What is added comes to the end, and what is taken out between others leaves a hole. So adding costs
//! nothing, taking out at an end neither, and finding a number takes as many steps as it has bits. Holes
//! never outnumber the others by more than a few.

use std::collections::VecDeque;

/// So many holes may be there beside as many as there are values.
const HOLES_MAX: usize = 32;

/// Room for so many is not given back.
const KEPT_MAX: usize = 256;

/// Values by number, in the order of the numbers.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    /// Neither the first nor the last is a hole.
    places: VecDeque<(u64, Option<T>)>,
    len: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { places: VecDeque::new(), len: 0 }
    }
}

impl<T: Clone> Clone for Numbered<T> {
    /// A copy with as much room, so that it takes as many bytes.
    fn clone(&self) -> Numbered<T> {
        let mut places = VecDeque::with_capacity(self.places.capacity());
        places.extend(self.places.iter().cloned());
        Numbered { places, len: self.len }
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

    /// Bytes of memory, without what the values have elsewhere.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u64, Option<T>)>()
    }

    /// Adds a value; its number is above those before.
    #[inline]
    pub(super) fn push(&mut self, number: u64, value: T) {
        debug_assert!(self.places.back().is_none_or(|(last, _)| *last < number));
        self.places.push_back((number, Some(value)));
        self.len += 1;
    }

    /// Takes the value with a number out.
    #[inline]
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        if self.places.front().is_some_and(|(first, _)| *first == number) {
            let (_, value) = self.places.pop_front()?;
            self.removed();
            return value;
        }
        self.remove_behind(number)
    }

    /// As `remove`, of one that is not the first.
    fn remove_behind(&mut self, number: u64) -> Option<T> {
        let at = self.place_of(number)?;
        let value = self.places.get_mut(at)?.1.take();
        if value.is_some() {
            self.removed();
        }
        value
    }

    /// To be called when one was taken out.
    #[inline]
    fn removed(&mut self) {
        self.len -= 1;
        if self.places.len() > self.len {
            self.trim_holes();
        }
        if self.places.capacity() > KEPT_MAX {
            self.give_back();
        }
    }

    #[inline(never)]
    fn trim_holes(&mut self) {
        while self.places.front().is_some_and(|(_, value)| value.is_none()) {
            self.places.pop_front();
        }
        while self.places.back().is_some_and(|(_, value)| value.is_none()) {
            self.places.pop_back();
        }
        if self.places.len() > 2 * self.len + HOLES_MAX {
            self.places.retain(|(_, value)| value.is_some());
        }
    }

    /// Gives memory back when less than a quarter is used, so that it is not taken again at once.
    #[inline(never)]
    fn give_back(&mut self) {
        if self.places.capacity() > 4 * self.places.len() + KEPT_MAX {
            self.places.shrink_to(2 * self.places.len());
        }
    }

    /// Room for so many.
    pub(super) fn with_capacity(capacity: usize) -> Numbered<T> {
        Numbered { places: VecDeque::with_capacity(capacity), len: 0 }
    }

    /// How many places it takes: those of its values, and holes.
    #[inline]
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// What is in a place, with its number; none if that is a hole.
    pub(super) fn at(&self, place: usize) -> Option<(u64, &T)> {
        let (number, value) = self.places.get(place)?;
        Some((*number, value.as_ref()?))
    }

    /// Which of the first places have a value, a bit for each.
    pub(super) fn mask(&self) -> u64 {
        let places = self.places.iter().take(u64::BITS as usize).enumerate();
        places.filter(|(_, (_, value))| value.is_some()).fold(0, |mask, (at, _)| mask | 1 << at)
    }

    /// Takes all values out of the first places whose bits are not set.
    pub(super) fn keep(&mut self, mask: u64) {
        for (at, (_, value)) in self.places.iter_mut().take(u64::BITS as usize).enumerate() {
            if mask >> at & 1 == 0 && value.take().is_some() {
                self.len -= 1;
            }
        }
        self.trim_holes();
    }

    /// Adds all of another, whose numbers are above those before.
    pub(super) fn append(&mut self, other: Numbered<T>) {
        self.places.retain(|(_, value)| value.is_some());
        self.places.extend(other.places.into_iter().filter(|(_, value)| value.is_some()));
        self.len += other.len;
    }

    /// The place of a number; a hole has the one that it had.
    pub(super) fn place_of(&self, number: u64) -> Option<usize> {
        self.places.binary_search_by_key(&number, |(other, _)| *other).ok()
    }

    /// The value with a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match self.places.front() {
            Some((first, value)) if *first == number => value.as_ref(),
            _ => self.places.get(self.place_of(number)?)?.1.as_ref(),
        }
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.place_of(number)?;
        self.places.get_mut(at)?.1.as_mut()
    }

    /// The first value, with its number.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        let (number, value) = self.places.front()?;
        Some((*number, value.as_ref()?))
    }

    /// The last value, with its number.
    #[inline]
    pub(super) fn last(&self) -> Option<(u64, &T)> {
        let (number, value) = self.places.back()?;
        Some((*number, value.as_ref()?))
    }

    /// All values in order, with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.places.iter().filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// All values in order, to be changed.
    pub(super) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// The numbers from one on, in order.
    pub(super) fn numbers_from(&self, first: u64) -> impl DoubleEndedIterator<Item = u64> {
        let start = self.places.partition_point(|(number, _)| *number < first);
        let behind = self.places.range(start..);
        behind.filter_map(|(number, value)| value.as_ref().map(|_| *number))
    }

    /// The numbers up to one, in order.
    pub(super) fn numbers_to(&self, last: u64) -> impl DoubleEndedIterator<Item = u64> {
        let end = self.places.partition_point(|(number, _)| *number <= last);
        let before = self.places.range(..end);
        before.filter_map(|(number, value)| value.as_ref().map(|_| *number))
    }

    /// Panics if something does not hold that always does.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.len);
        assert!(self.places.iter().is_sorted_by(|a, b| a.0 < b.0), "numbers rise");
        let ends = [self.places.front(), self.places.back()].into_iter().flatten();
        assert!(ends.into_iter().all(|(_, value)| value.is_some()), "a hole at an end");
        assert!(self.places.len() <= 2 * self.len + HOLES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_a_map_whatever_is_taken_out() {
        let (mut map, mut expected) = (Numbered::default(), BTreeMap::new());
        let mut random = 1_u64;
        for step in 0..20_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            let dice = random >> 33;
            // It grows, and shrinks to nothing, twice.
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
