//! Messages of one queue that are not ready: in flight, or delayed. In the append files they are a list of
//! their own, in the order of their numbers, and this file finds out how to name one of them there.

use super::chunked::Chunked;
use super::number_block::NumberBlock;
use super::ranks::Ranks;

/// What distinguishes a message from the others of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// It is the first one.
    First,
    /// It is the last one.
    Last,
    /// It is short, and no other message has the same bytes.
    Unlike,
    /// The number of messages before it.
    Rank(usize),
}

/// Up to this many messages, a rank is counted; with more, there is an index.
const COUNTED_MAX: usize = 64;

/// A message of up to this many bytes is identified by its bytes, not by its rank, which takes
/// about as many.
const NAMED_BYTES_MAX: usize = 80;

/// A message that is not ready.
pub(crate) trait Hidden: Clone {
    fn message(&self) -> &[u8];
}

/// Messages that are not ready, by number.
#[derive(Debug)]
pub(super) struct HiddenList<T> {
    by_number: Chunked<T>,
    /// Bytes of the messages.
    message_bytes: usize,
    /// The ranks of the numbers. Built by the first look-up by rank among many; a snapshot needs none.
    ranks: Option<Box<Ranks>>,
}

impl<T> Default for HiddenList<T> {
    fn default() -> HiddenList<T> {
        HiddenList { by_number: Chunked::default(), message_bytes: 0, ranks: None }
    }
}

impl<T: Hidden> HiddenList<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Returns the bytes of the messages.
    #[inline]
    pub(super) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Returns the bytes of memory.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        let ranks_bytes = self.ranks.as_ref().map_or(0, |ranks| ranks.allocated_bytes());
        self.message_bytes + self.by_number.allocated_bytes() + ranks_bytes
    }

    /// Adds a message; its number is above all before. Returns by how many bytes the memory grew.
    #[inline(always)]
    pub(super) fn add(&mut self, number: u64, hidden: T) -> usize {
        let message_bytes = hidden.message().len();
        self.message_bytes += message_bytes;
        let ranks_bytes = self.ranks.as_mut().map_or(0, |ranks| ranks.add(number));
        message_bytes + ranks_bytes + self.by_number.push(number, hidden)
    }

    /// Removes and returns a message.
    #[inline(always)]
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let hidden = self.by_number.remove(number)?;
        self.message_bytes -= hidden.message().len();
        if let Some(ranks) = &mut self.ranks {
            ranks.remove(number);
        }
        Some(hidden)
    }

    /// Removes the messages of a block, which are all there.
    #[inline]
    pub(super) fn remove_block(&mut self, block: NumberBlock) {
        let mut bytes = 0;
        self.by_number.remove_block(block, |hidden| bytes += hidden.message().len());
        self.message_bytes -= bytes;
        if let Some(ranks) = &mut self.ranks {
            block.numbers().for_each(|number| ranks.remove(number));
        }
    }

    /// Changes the message with a number.
    pub(super) fn change<R>(&mut self, number: u64, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let hidden = self.by_number.get_mut(number)?;
        let bytes_before = hidden.message().len();
        let result = change(hidden);
        self.message_bytes = self.message_bytes + hidden.message().len() - bytes_before;
        Some(result)
    }

    /// Returns what distinguishes a message from the others. The first call among many builds an index;
    /// after that, the number of steps does not grow with the number of messages.
    pub(super) fn place(&mut self, number: u64) -> Position {
        let is_it = |end: Option<(u64, &T)>| end.is_some_and(|(other, _)| other == number);
        if is_it(self.by_number.first()) {
            return Position::First;
        }
        if is_it(self.by_number.last()) {
            return Position::Last;
        }
        if self.by_number.len() > COUNTED_MAX {
            let (below, first) = self.ranks().below_block(number);
            let before = self.by_number.numbers_from(first).take_while(|other| *other < number);
            return Position::Rank(below + before.count());
        }
        let named = self.get(number).filter(|own| own.message().len() <= NAMED_BYTES_MAX);
        if let Some(own) = named
            && self.iter().filter(|(_, other)| other.message() == own.message()).count() == 1
        {
            return Position::Unlike;
        }
        Position::Rank(self.iter().take_while(|(other, _)| *other < number).count())
    }

    /// Returns the number of the message with this rank.
    pub(super) fn number_of_rank(&mut self, rank: usize) -> Option<u64> {
        if self.by_number.len() <= COUNTED_MAX {
            return self.iter().nth(rank).map(|(number, _)| number);
        }
        let (first, before) = self.ranks().block_of_rank(rank)?;
        self.by_number.numbers_from(first).nth(before)
    }

    /// Returns the numbers of the messages from an index on, each with its item of `runs`, which have numbers
    /// of consecutive messages.
    pub(super) fn with_numbers_from<'a, I>(
        &mut self,
        index: usize,
        runs: &'a [(I, usize)],
    ) -> Vec<(u64, &'a I)> {
        let Some(first) = self.number_of_rank(index) else { return Vec::new() };
        let items = runs.iter().flat_map(|(item, count)| std::iter::repeat_n(item, *count));
        self.numbers_from(first).zip(items).collect()
    }

    fn ranks(&mut self) -> &Ranks {
        let by_number = &self.by_number;
        self.ranks
            .get_or_insert_with(|| Box::new(Ranks::of(by_number.iter().map(|(number, _)| number))))
    }

    /// Returns a second list of the same messages, for a snapshot, without copies and ranks.
    pub(super) fn share(&mut self) -> HiddenList<T> {
        let (by_number, message_bytes) = (self.by_number.share(), self.message_bytes);
        HiddenList { by_number, message_bytes, ranks: None }
    }

    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.by_number.get(number)
    }

    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        self.by_number.first()
    }

    #[inline]
    pub(super) fn last(&self) -> Option<(u64, &T)> {
        self.by_number.last()
    }

    /// Returns the messages with their numbers, in the order of the list.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.by_number.iter()
    }

    /// Returns the messages with numbers from `first` on, in the order of the list.
    pub(super) fn iter_from(&self, first: u64) -> impl Iterator<Item = (u64, &T)> {
        let numbers = self.by_number.numbers_from(first);
        numbers.filter_map(|number| Some((number, self.by_number.get(number)?)))
    }

    /// Returns the messages, for changes of anything but their bytes.
    pub(super) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.by_number.values_mut()
    }

    /// Returns the numbers up to `last`, the largest first.
    pub(super) fn numbers_down_from(&self, last: u64) -> impl Iterator<Item = u64> {
        self.by_number.numbers_down_from(last)
    }

    /// Returns the numbers from `first` on, the smallest first.
    pub(super) fn numbers_from(&self, first: u64) -> impl Iterator<Item = u64> {
        self.by_number.numbers_from(first)
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        self.by_number.check_invariants();
        let bytes = self.iter().map(|(_, hidden)| hidden.message().len()).sum::<usize>();
        assert_eq!(bytes, self.message_bytes);
    }
}
