//! Few integers in order, each in as many bytes as the largest needs.

/// A sorted array of integers of one width.
#[derive(Clone, Debug, Default)]
pub(super) struct IntSet {
    bytes: Vec<u8>,
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

impl IntSet {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len().checked_div(self.width).unwrap_or(0)
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.bytes.capacity()
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

    /// Returns whether the integer is new.
    pub(super) fn insert(&mut self, number: i64) -> bool {
        let Err(index) = self.find(number) else { return false };
        let width = width_of(number);
        if width > self.width {
            self.widen(width);
        }
        let (at, used) = (index * self.width, self.bytes.len());
        if self.bytes.capacity() < used + self.width {
            self.bytes.reserve_exact(self.width + used / 8);
        }
        self.bytes.resize(used + self.width, 0);
        self.bytes.copy_within(at..used, at + self.width);
        let bytes = number.to_le_bytes();
        self.bytes[at..at + self.width].copy_from_slice(&bytes[..self.width]);
        true
    }

    fn widen(&mut self, width: usize) {
        let mut wider = Vec::with_capacity((self.len() + 1) * width);
        for number in self.iter() {
            wider.extend_from_slice(&number.to_le_bytes()[..width]);
        }
        (self.bytes, self.width) = (wider, width);
    }

    /// Returns whether the integer was there.
    pub(super) fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.find(number) else { return false };
        self.bytes.drain(index * self.width..(index + 1) * self.width);
        if self.bytes.capacity() > 64 && self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to(self.bytes.len() + self.bytes.len() / 8);
        }
        true
    }

    /// Returns all integers in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn like_a_sorted_set() {
        for seed in 0..50_u64 {
            let (mut set, mut model) = (IntSet::default(), BTreeSet::new());
            let mut state = seed;
            for _ in 0..1_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let shift = [60, 52, 40, 20, 0][(state >> 8) as usize % (1 + seed as usize % 5)];
                let number = state as i64 >> shift;
                if state >> 62 == 0 {
                    assert_eq!(set.remove(number), model.remove(&number), "seed {seed}");
                } else {
                    assert_eq!(set.insert(number), model.insert(number), "seed {seed}");
                }
                assert_eq!(set.contains(number), model.contains(&number), "seed {seed}");
                assert_eq!(set.len(), model.len());
            }
            assert!(set.iter().eq(model.iter().copied()), "seed {seed}");
            model.iter().for_each(|number| assert!(set.remove(*number)));
            assert_eq!((set.len(), set.get(0)), (0, None));
            assert!(set.allocated_bytes() <= 128);
        }
    }

    #[test]
    fn small_numbers_take_two_bytes() {
        let mut set = IntSet::default();
        (0..100).for_each(|number| assert!(set.insert(number)));
        assert!(set.allocated_bytes() <= 232);
    }
}
