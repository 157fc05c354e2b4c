//! Order statistics of ascending numbers: how many are below a number, and which is the n-th.
//!
//! Numbers are counted in blocks of 64, of 64², and so on. The rank of a number is the sum of the
//! blocks before it, at most 63 of each size, so ten numbers take as many steps as a million.

use std::collections::BTreeMap;

/// A block consists of 2⁶ blocks of the next smaller size.
const BITS: u32 = 6;

/// The number of block sizes. The largest block has 2³⁰ numbers; there are few of those, and all
/// are summed.
const LEVELS: u32 = 5;

/// Bytes of memory per block.
const BLOCK_BYTES: usize = 24;

/// Counts of numbers, by block.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    /// The key is the level, from 1, and the leading bits of the numbers in the block. No count is
    /// 0.
    counts: BTreeMap<(u32, u64), usize>,
}

impl Ranks {
    /// Returns the ranks of these numbers.
    pub(super) fn of(numbers: impl Iterator<Item = u64>) -> Ranks {
        let mut ranks = Ranks::default();
        numbers.for_each(|number| _ = ranks.add(number));
        ranks
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.counts.len() * BLOCK_BYTES
    }

    /// Adds a number that is not yet counted. Returns by how many bytes the memory grew.
    pub(super) fn add(&mut self, number: u64) -> usize {
        let bytes_before = self.allocated_bytes();
        for level in 1..=LEVELS {
            *self.counts.entry((level, block(level, number))).or_default() += 1;
        }
        self.allocated_bytes() - bytes_before
    }

    /// Removes a counted number.
    pub(super) fn remove(&mut self, number: u64) {
        for level in 1..=LEVELS {
            let key = (level, block(level, number));
            let Some(count) = self.counts.get_mut(&key) else { continue };
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }

    /// Returns how many numbers are in blocks before the smallest block of `number`, and the first
    /// number of that block.
    pub(super) fn below_block(&self, number: u64) -> (usize, u64) {
        let below = |level| {
            let own = block(level, number);
            let first = if level == LEVELS { 0 } else { own >> BITS << BITS };
            self.counts.range((level, first)..(level, own)).map(|(_, count)| *count).sum::<usize>()
        };
        ((1..=LEVELS).map(below).sum(), block(1, number) << BITS)
    }

    /// Returns the first number of the smallest block with the number of this rank, and how many in
    /// the block are before it. `None` if there are not so many numbers.
    pub(super) fn block_of_rank(&self, rank: usize) -> Option<(u64, usize)> {
        let (mut left, mut parent) = (rank, None);
        for level in (1..=LEVELS).rev() {
            let first = parent.map_or(0, |parent: u64| parent << BITS);
            let mut siblings = self.counts.range((level, first)..=(level, u64::MAX));
            let own = siblings.find(|(_, count)| {
                let is_in = left < **count;
                left -= if is_in { 0 } else { **count };
                is_in
            });
            parent = Some(own?.0.1);
        }
        parent.map(|block| (block << BITS, left))
    }
}

/// Returns the block of a level that includes a number.
fn block(level: u32, number: u64) -> u64 {
    number >> (BITS * level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranks_are_those_of_a_sorted_list() {
        // Dense, sparse, and across the largest blocks.
        for step in [1, 7, 61, 4_099, (1 << 30) - 1] {
            let mut numbers: BTreeSet<u64> = (1..500).map(|n| n * step + n % 3).collect();
            let mut ranks = Ranks::of(numbers.iter().copied());
            for removed in (0..490).map(|n| n * 199 % 490) {
                if let Some(&number) = numbers.iter().nth(removed % numbers.len())
                    && numbers.len() > 20
                {
                    numbers.remove(&number);
                    ranks.remove(number);
                }
                let (rank, number) =
                    numbers.iter().enumerate().nth(removed % numbers.len()).expect("some are left");
                let (below, first) = ranks.below_block(*number);
                assert_eq!(below + numbers.range(first..*number).count(), rank);
                assert!(numbers.range(first..*number).count() < 64);
                let (first, before) = ranks.block_of_rank(rank).expect("it is there");
                assert_eq!(numbers.range(first..).nth(before), Some(number));
            }
            assert_eq!(ranks.block_of_rank(numbers.len()), None);
            numbers.iter().for_each(|number| ranks.remove(*number));
            assert_eq!(ranks.allocated_bytes(), 0);
        }
    }
}
