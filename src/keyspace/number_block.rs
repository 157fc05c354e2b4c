//! Some numbers that are close to each other.

use std::num::NonZeroU64;

/// Up to 64 numbers, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberBlock {
    /// No number is below.
    pub(super) first: u64,
    /// A bit for each number from `first` on.
    pub(super) mask: NonZeroU64,
}

impl NumberBlock {
    /// Returns the bit of a number in a block; `None` if it is outside.
    #[inline]
    pub(super) fn bit(first: u64, number: u64) -> Option<NonZeroU64> {
        let bit = u32::try_from(number.checked_sub(first)?).ok()?;
        NonZeroU64::new(1u64.checked_shl(bit)?)
    }

    /// Returns the largest number.
    #[inline]
    pub(super) fn last(self) -> u64 {
        self.first + u64::from(u64::BITS - 1 - self.mask.leading_zeros())
    }

    /// Whether it has a number.
    #[inline]
    pub(super) fn has(self, number: u64) -> bool {
        let bit = number.wrapping_sub(self.first);
        bit < u64::from(u64::BITS) && self.mask.get() >> bit & 1 == 1
    }

    /// Returns how many numbers there are.
    #[inline]
    pub(super) fn count(self) -> usize {
        self.mask.get().count_ones() as usize
    }

    /// Returns the numbers in order.
    pub(super) fn numbers(self) -> impl DoubleEndedIterator<Item = u64> {
        let (first, mask) = (self.first, self.mask.get());
        let bits = mask.trailing_zeros()..u64::BITS - mask.leading_zeros();
        bits.filter(move |bit| mask >> bit & 1 == 1).map(move |bit| first + u64::from(bit))
    }
}
