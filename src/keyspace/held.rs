//! The numbers of deliveries that one holder has in flight from one queue, each with the number of the
//! client's input that it answered.
//!
//! Replies to one input have numbers close to each other, so they are stored as blocks: up to 64 numbers and
//! an input. Blocks begin where they are needed, and never change their start, so a removal changes one
//! block, wherever it is.

use super::number_block::NumberBlock;
use super::numbered::Numbered;
use std::num::NonZeroU64;

/// Bytes of memory for a delivery that is alone in its block.
pub(super) const HELD_BYTES: usize = size_of::<(u64, Option<Held>)>();

/// What is known of a block besides its start.
#[derive(Clone, Copy, Debug)]
struct Held {
    mask: NonZeroU64,
    /// The input that all its deliveries answered.
    input: u64,
}

/// Numbers in order.
#[derive(Debug, Default)]
pub(super) struct HeldNumbers {
    /// All blocks but the last, by their start, which is above all numbers of the blocks before.
    older: Numbered<Held>,
    /// The last block, with its start. A client that has one message at a time needs no others.
    last: Option<(u64, Held)>,
    len: usize,
}

impl HeldNumbers {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a number, which is above all before.
    #[inline(always)]
    pub(super) fn push(&mut self, number: u64, input: u64) {
        self.len += 1;
        if let Some((first, held)) = &mut self.last
            && held.input == input
            && let Some(bit) = NumberBlock::bit(*first, number)
        {
            held.mask |= bit;
            return;
        }
        self.push_block(number, input);
    }

    #[cold]
    #[inline(never)]
    fn push_block(&mut self, number: u64, input: u64) {
        let last = self.last.replace((number, Held { mask: NonZeroU64::MIN, input }));
        if let Some((first, held)) = last {
            self.older.push(first, held);
        }
    }

    /// Removes a number. Returns whether it was there.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let last = self.last.as_mut().filter(|(first, _)| *first <= number);
        let is_last = last.is_some();
        let block = last.map(|(first, held)| (*first, held));
        let Some((first, held)) = block.or_else(|| self.older.at_or_before_mut(number)) else {
            return false;
        };
        let mask = held.mask.get();
        let bit = NumberBlock::bit(first, number).filter(|bit| mask & bit.get() != 0);
        let Some(bit) = bit else { return false };
        match NonZeroU64::new(mask ^ bit.get()) {
            Some(rest) => held.mask = rest,
            None if is_last => self.last = None,
            None => drop(self.older.remove(first)),
        }
        self.len -= 1;
        true
    }

    /// Returns the input that the oldest delivery answered.
    #[inline(always)]
    pub(super) fn oldest_input(&self) -> Option<u64> {
        match self.older.first() {
            Some((_, held)) => Some(held.input),
            None => self.last.as_ref().map(|(_, held)| held.input),
        }
    }

    /// Removes the first block, if its deliveries answered an input before this one.
    pub(super) fn pop_block_before(&mut self, input: u64) -> Option<NumberBlock> {
        let (first, held) = match self.older.first() {
            Some((first, held)) if held.input < input => {
                let held = *held;
                self.older.remove_first(first);
                (first, held)
            }
            Some(_) => return None,
            None => self.last.take_if(|(_, held)| held.input < input)?,
        };
        let block = NumberBlock { first, mask: held.mask };
        self.len -= block.count();
        Some(block)
    }

    /// Whether a number is there.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.numbers_from(number).next() == Some(number)
    }

    /// Returns the numbers from this one on, in order.
    pub(super) fn numbers_from(&self, number: u64) -> impl DoubleEndedIterator<Item = u64> {
        let last = self.last.iter().map(|(first, held)| (*first, held));
        let blocks = self.older.values_from(number).chain(last);
        let blocks = blocks.map(|(first, held)| NumberBlock { first, mask: held.mask });
        blocks.flat_map(NumberBlock::numbers).filter(move |other| *other >= number)
    }

    /// Returns the numbers whose deliveries answered an input, in order.
    pub(super) fn of_input(&self, input: u64) -> impl Iterator<Item = u64> {
        let last = self.last.iter().map(|(first, held)| (*first, held));
        let blocks = self.older.iter().chain(last).filter(move |(_, held)| held.input == input);
        blocks.flat_map(|(first, held)| NumberBlock { first, mask: held.mask }.numbers())
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        self.older.check_invariants();
        assert_eq!(self.numbers_from(0).count(), self.len);
        assert!(self.numbers_from(0).is_sorted_by(|a, b| a < b), "numbers out of order");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn they_are_a_map_whatever_is_removed() {
        assert_eq!(HELD_BYTES, 24);
        let (mut held, mut model) = (HeldNumbers::default(), BTreeMap::<u64, u64>::new());
        let (mut random, mut number, mut input) = (1_u64, 0, 1);
        for step in 0..20_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            let dice = random >> 33;
            // It grows and shrinks to nothing, twice.
            if (step / 5_000) % 2 == 0 && !dice.is_multiple_of(3) {
                number += if dice.is_multiple_of(7) { dice % 200 } else { 0 } + 1;
                input += u64::from(dice.is_multiple_of(13));
                held.push(number, input);
                model.insert(number, input);
            } else if dice.is_multiple_of(29) {
                let before = input - dice % 50_u64.min(input);
                while let Some(block) = held.pop_block_before(before) {
                    for number in block.numbers() {
                        assert_eq!(model.pop_first().map(|(first, _)| first), Some(number));
                    }
                }
                let rest = model.first_key_value().map(|(_, input)| *input);
                assert!(rest.is_none_or(|input| input >= before));
            } else {
                let count = model.len().max(1);
                let other = model.keys().nth(dice as usize % count).copied();
                let other = other.filter(|_| dice % 4 > 0).unwrap_or(dice % (number + 2));
                assert_eq!(held.contains(other), model.contains_key(&other));
                assert_eq!(held.remove(other), model.remove(&other).is_some());
            }
            held.check_invariants();
            assert_eq!((held.len(), held.is_empty()), (model.len(), model.is_empty()));
            assert_eq!(held.oldest_input(), model.first_key_value().map(|(_, input)| *input));
            if step % 97 == 0 {
                let from = dice % (number + 2);
                assert!(held.numbers_from(from).eq(model.range(from..).map(|(n, _)| *n)));
                assert!(held.numbers_from(0).rev().eq(model.keys().rev().copied()));
                let own = model.iter().filter(|(_, of)| **of == input).map(|(n, _)| *n);
                assert!(held.of_input(input).eq(own));
            }
        }
        assert!(model.len() < 10);
    }
}
