//! Few integers in order, each in as many bytes as the largest needs. The form of the value says how many.

use super::compact::{Compact, PACKED_BYTES_MAX};
use crate::dict::Buffer;

/// A sorted array of integers of one width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integers<'a> {
    bytes: &'a [u8],
    /// Two, four or eight; zero if there are none.
    width: usize,
}

/// Returns how many bytes an integer needs.
fn width_of(number: i64) -> usize {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}

impl<'a> Integers<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8], width: u8) -> Integers<'a> {
        Integers { bytes, width: width.into() }
    }

    #[inline]
    fn of<A>(set: &'a Compact<A>) -> Integers<'a> {
        Integers::new(set.bytes(), set.form())
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len().checked_div(self.width).unwrap_or(0)
    }

    /// Returns the integer at an index.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<i64> {
        let stored = self.bytes.get(index * self.width..(index + 1) * self.width)?;
        Some(match *stored {
            [a, b] => i16::from_le_bytes([a, b]).into(),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
            _ => i64::from_le_bytes(*stored.first_chunk()?),
        })
    }

    /// Returns the index of an integer, or where it would be.
    #[inline]
    fn find(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle) {
                Some(other) if other == number => return Ok(middle),
                Some(other) if other < number => low = middle + 1,
                _ => high = middle,
            }
        }
        Err(low)
    }

    #[inline]
    pub(super) fn contains(&self, number: i64) -> bool {
        self.find(number).is_ok()
    }

    /// Returns all integers in order.
    pub(super) fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

/// Returns whether the integer is new; `None`, and nothing is done, if there is no space for it.
pub(super) fn insert<A>(set: &mut Compact<A>, number: i64) -> Option<bool> {
    let integers = Integers::of(set);
    let Err(index) = integers.find(number) else { return Some(false) };
    let (count, width) = (integers.len(), integers.width.max(width_of(number)));
    if width > integers.width {
        let mut wider = Vec::with_capacity((count + 1) * width);
        for number in integers.iter() {
            wider.extend_from_slice(&number.to_le_bytes()[..width]);
        }
        if wider.len() + width > PACKED_BYTES_MAX {
            return None;
        }
        set.set_packed(&wider, count);
        set.set_form(width as u8);
    }
    let place = set.splice(index * width, 0, width)?;
    place.copy_from_slice(&number.to_le_bytes()[..width]);
    set.set_count(count + 1);
    Some(true)
}

/// Returns whether the integer was there.
pub(super) fn remove<A>(set: &mut Compact<A>, number: i64) -> bool {
    let integers = Integers::of(set);
    let Ok(index) = integers.find(number) else { return false };
    let (count, width) = (integers.len(), integers.width);
    set.splice(index * width, width, 0);
    set.set_count(count - 1);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn like_a_sorted_set() {
        for seed in 0..50_u64 {
            let (mut set, mut model) = (Compact::<u8>::default(), BTreeSet::new());
            let mut state = seed;
            for _ in 0..1_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let shift = [60, 52, 40, 20, 0][(state >> 8) as usize % (1 + seed as usize % 5)];
                let number = state as i64 >> shift;
                if state >> 62 == 0 {
                    assert_eq!(remove(&mut set, number), model.remove(&number), "seed {seed}");
                } else {
                    let is_new = insert(&mut set, number);
                    assert_eq!(is_new, Some(model.insert(number)), "seed {seed}");
                }
                let integers = Integers::of(&set);
                assert_eq!(integers.contains(number), model.contains(&number), "seed {seed}");
                assert_eq!((integers.len(), set.count()), (model.len(), model.len()));
            }
            assert!(Integers::of(&set).iter().eq(model.iter().copied()), "seed {seed}");
            model.iter().for_each(|number| assert!(remove(&mut set, *number)));
            assert_eq!((set.count(), Integers::of(&set).get(0)), (0, None));
            assert!(set.allocated_bytes() <= 128);
        }
    }

    #[test]
    fn small_numbers_take_two_bytes() {
        let mut set = Compact::<u8>::default();
        (0..100).for_each(|number| assert_eq!(insert(&mut set, number), Some(true)));
        assert!(set.allocated_bytes() <= 256);
    }
}
