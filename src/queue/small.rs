//! The messages of a small queue: one allocation that includes the queue's name.
//!
//! Its bytes are the length of the name, the name, and the messages from `start` on.

use super::deque::Deque;
use super::end::End;
use super::segment::Segment;
use super::sizes::{Growth, fitting};
use super::stored::{
    Messages, encode_length, offset_of, read_at, read_before, stored_bytes, write_at,
};
use crate::block::{self, CAPACITY_MAX};

/// What a block has besides its bytes: the owner's numbers, where the messages begin, how many there are.
/// Not aligned: see `block`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed)]
struct Meta {
    numbers: [u32; 2],
    start: u16,
    count: u16,
}

type Block = block::Block<Meta>;

/// Bytes of a block besides the name and the messages.
const HEAD_BYTES: usize = Block::HEAD_BYTES;

/// Maximum size of the allocation.
pub(super) const SMALL_BYTES_MAX: usize = 4096;

/// Longer names are not stored here.
const NAME_BYTES_MAX: usize = 255;

const _: () = assert!(SMALL_BYTES_MAX <= CAPACITY_MAX);

/// A few messages.
#[derive(Debug, Default)]
pub(super) struct Small {
    /// `None` for an empty queue without a name and numbers.
    block: Option<Block>,
}

impl Small {
    /// A queue without messages, with this name, and with capacity for this many bytes of messages if it
    /// stays small; `None` if the name is too long.
    pub(super) fn named(name: &[u8], numbers: [u32; 2], capacity: usize) -> Option<Small> {
        (name.len() <= NAME_BYTES_MAX).then(|| {
            let least = HEAD_BYTES + 1 + name.len();
            let wanted = fitting(least.saturating_add(capacity));
            let allocated = if wanted > SMALL_BYTES_MAX { least } else { wanted };
            Small { block: Some(Small::block(name, numbers, allocated)) }
        })
    }

    /// A block of this size, with a name that is not too long.
    fn block(name: &[u8], numbers: [u32; 2], allocated: usize) -> Block {
        let start = (1 + name.len()) as u16;
        let meta = Meta { numbers, start, count: 0 };
        let mut block = Block::with_capacity(allocated - HEAD_BYTES, meta);
        block.extend(&[name.len() as u8]);
        block.extend(name);
        block
    }

    /// A queue with these messages, in their stored form; `None` if it would not be small.
    pub(super) fn of<'a>(
        name: &[u8],
        numbers: [u32; 2],
        runs: impl Iterator<Item = (&'a [u8], usize)> + Clone,
    ) -> Option<Small> {
        let stored: usize = runs.clone().map(|(bytes, _)| bytes.len()).sum();
        let bytes = HEAD_BYTES + 1 + name.len() + stored;
        if name.len() > NAME_BYTES_MAX || bytes > SMALL_BYTES_MAX {
            return None;
        }
        // A queue without a key. That of the empty key has numbers, which are kept.
        if name.is_empty() && stored == 0 && numbers == [0; 2] {
            return Some(Small::default());
        }
        let mut block = Small::block(name, numbers, fitting(bytes));
        for (stored, count) in runs {
            block.extend(stored);
            block.meta_mut().count += count as u16;
        }
        Some(Small { block: Some(block) })
    }

    pub(super) fn name(&self) -> &[u8] {
        match &self.block {
            Some(block) => &block.bytes()[1..base(block)],
            None => &[],
        }
    }

    #[inline]
    pub(super) fn numbers(&self) -> [u32; 2] {
        self.block.as_ref().map_or([0; 2], |block| block.meta().numbers)
    }

    #[inline]
    pub(super) fn set_number(&mut self, at: usize, number: u32) {
        if let Some(block) = &mut self.block {
            let mut numbers = block.meta().numbers;
            numbers[at] = number;
            block.meta_mut().numbers = numbers;
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.block.as_ref().map_or(0, |block| usize::from(block.meta().count))
    }

    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.block.as_ref().map_or(0, |block| HEAD_BYTES + block.capacity())
    }

    /// The messages in their stored form.
    pub(super) fn stored(&self) -> &[u8] {
        match &self.block {
            Some(block) => &block.bytes()[usize::from(block.meta().start)..],
            None => &[],
        }
    }

    pub(super) fn iter(&self) -> Messages<'_> {
        Messages::new(self.stored(), self.len())
    }

    fn offset_of(&self, index: usize) -> usize {
        offset_of(self.stored(), self.len(), index)
    }

    /// The message at `index`, which is below `len`.
    pub(super) fn get(&self, index: usize) -> &[u8] {
        read_at(self.stored(), self.offset_of(index)).0
    }

    /// Adds a message, if the block has slack for it at that end.
    #[inline]
    pub(super) fn push_into_slack(&mut self, end: End, message: &[u8]) -> bool {
        let Some(block) = &mut self.block else { return false };
        let stored = stored_bytes(message.len());
        match end {
            End::Back if block.capacity() - block.len() >= stored => {
                if message.len() < 0x80 {
                    block.extend_between(message.len() as u8, message);
                } else {
                    let mut length = encode_length(message.len());
                    block.extend(length.forward());
                    block.extend(message);
                    block.extend(length.reversed());
                }
            }
            End::Front if usize::from(block.meta().start) - base(block) >= stored => {
                let at = usize::from(block.meta().start) - stored;
                write_at(block.bytes_mut(), at, message);
                block.meta_mut().start = at as u16;
            }
            _ => return false,
        }
        block.meta_mut().count += 1;
        true
    }

    /// Adds a message that did not fit the slack, in a new block; false, and no change, if the queue
    /// would not stay small.
    pub(super) fn push_growing(&mut self, end: End, message: &[u8], growth: Growth) -> bool {
        let live = self.stored().len();
        let needed = HEAD_BYTES + 1 + self.name().len() + live + stored_bytes(message.len());
        // A queue that is also popped from gets slack, so that many pushes pay for a copy.
        let is_used = needed <= self.allocated_bytes();
        let wanted = if is_used { needed + needed / 2 } else { needed };
        if wanted > SMALL_BYTES_MAX {
            return false;
        }
        let allocated = growth.size(wanted).min(SMALL_BYTES_MAX);
        let mut block = Small::block(self.name(), self.numbers(), allocated);
        if end == End::Front {
            block.extend_zeros(allocated - HEAD_BYTES - block.len() - live);
            block.meta_mut().start = block.len() as u16;
        }
        block.extend(self.stored());
        block.meta_mut().count = self.len() as u16;
        self.block = Some(block);
        self.push_into_slack(end, message)
    }

    /// Frees the slack of the block.
    pub(super) fn fit(&mut self) {
        let live = HEAD_BYTES + 1 + self.name().len() + self.stored().len();
        if fitting(live) < self.allocated_bytes() {
            let run = std::iter::once((self.stored(), self.len()));
            *self = Small::of(self.name(), self.numbers(), run).expect("smaller than before");
        }
    }

    /// Pops the message at one end, after passing it to `read`.
    #[inline]
    pub(super) fn pop<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let block = self.block.as_mut()?;
        let Meta { start, count, .. } = block.meta();
        let count = count.checked_sub(1)?;
        block.meta_mut().count = count;
        match end {
            End::Front => {
                let (message, next) = read_at(block.bytes(), usize::from(start));
                let seen = read(message);
                block.meta_mut().start = next as u16;
                Some(seen)
            }
            End::Back => {
                let (message, cut) = read_before(block.bytes(), block.len());
                let seen = read(message);
                block.truncate(cut);
                Some(seen)
            }
        }
    }

    /// Removes `count` messages at one end; there are at least as many.
    pub(super) fn drop_many(&mut self, end: End, count: usize) {
        let cut = match end {
            End::Front => self.offset_of(count),
            End::Back => self.offset_of(self.len() - count),
        };
        let Some(block) = &mut self.block else { return };
        let start = usize::from(block.meta().start);
        match end {
            End::Front => block.meta_mut().start = (start + cut) as u16,
            End::Back => block.truncate(start + cut),
        }
        block.meta_mut().count -= count as u16;
    }

    /// The same queue as a deque, its messages in a segment.
    pub(super) fn to_deque(&self) -> Deque {
        let mut deque =
            Deque { name: self.name().into(), numbers: self.numbers(), ..Deque::default() };
        if self.len() > 0 {
            deque.add_segment(End::Back, Segment::owned(self.stored().to_vec(), 0, self.len()));
            deque.len = self.len();
        }
        deque
    }

    /// Panics if the counts disagree with the content.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.len(), self.iter().count());
        let mut stored = self.stored();
        while !stored.is_empty() {
            stored = &stored[read_at(stored, 0).1..];
        }
        if let Some(block) = &self.block {
            assert!(base(block) <= usize::from(block.meta().start));
            assert!(HEAD_BYTES + block.capacity() <= SMALL_BYTES_MAX);
        }
    }
}

/// Where the name ends.
#[inline]
fn base(block: &Block) -> usize {
    1 + usize::from(block.bytes()[0])
}
