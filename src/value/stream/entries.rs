//! The entries of a stream: blocks in the order of their ids.

use super::block::{Block, Entry};
use super::id::StreamId;
use crate::value::ARC_BYTES;
use std::collections::VecDeque;
use std::sync::Arc;

/// A larger entry is refused, and no block becomes larger, as in Redis.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// The limits on a block, by the settings `stream-node-max-bytes` and `stream-node-max-entries`; 0 for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockLimits {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// What a trim keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// This many of the latest entries.
    Latest(u64),
    /// Those with at least this id.
    From(StreamId),
}

/// A place between two entries of which the earlier one was the last to be read. It stays valid, or is
/// recognized as invalid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadPlace {
    after: StreamId,
    block: u64,
    at: usize,
}

/// The entries of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// Each with the id of its first entry, deleted or not.
    blocks: VecDeque<(StreamId, Arc<Block>)>,
    /// The number of entries.
    len: u64,
    /// The bytes of memory of all blocks.
    block_bytes: usize,
    /// The number of the next block.
    next_block: u64,
}

impl Entries {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.block_bytes + self.blocks.capacity() * size_of::<(StreamId, Arc<Block>)>()
    }

    pub(super) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Returns the id of the first entry.
    pub(super) fn first_id(&self) -> Option<StreamId> {
        let (_, block) = self.blocks.front()?;
        block.next_live(block.start(), StreamId::MIN).map(|placed| placed.entry.id)
    }

    /// Returns the id of the last entry.
    #[inline]
    pub(super) fn last_id(&self) -> Option<StreamId> {
        let (_, block) = self.blocks.back()?;
        block.previous_live(block.end(), StreamId::MAX).map(|placed| placed.entry.id)
    }

    /// Adds an entry, whose id is higher than all others. `fields`: names and values in turn. Returns false
    /// if it is too large.
    pub(super) fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        limits: BlockLimits,
    ) -> bool {
        self.append_to_block(id, fields, limits, false)
    }

    /// As `append`; `is_new_block`: in a new block.
    pub(super) fn append_to_block<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        limits: BlockLimits,
        is_new_block: bool,
    ) -> bool {
        let bytes: usize = fields.clone().map(<[u8]>::len).sum();
        if bytes > BLOCK_BYTES_MAX {
            return false;
        }
        let mut capacity = 0;
        if let Some((_, last)) = self.blocks.back_mut() {
            let before = last.allocated_bytes();
            if !is_new_block && has_space(last, bytes, limits) {
                let is_added = Arc::make_mut(last).append(&mut self.next_block, id, fields);
                self.block_bytes = self.block_bytes + last.allocated_bytes() - before;
                self.len += u64::from(is_added);
                return is_added;
            }
            capacity = last.used_bytes();
            // A snapshot that shares it would make this a copy.
            if let Some(last) = Arc::get_mut(last) {
                last.shrink();
            }
            self.block_bytes = self.block_bytes + last.allocated_bytes() - before;
        }
        let block = Block::new(&mut self.next_block, id, fields, capacity);
        let Some(block) = block else { return false };
        self.block_bytes += ARC_BYTES + block.allocated_bytes();
        self.blocks.push_back((id, Arc::new(block)));
        self.len += 1;
        true
    }

    /// Returns the index of the block that has an entry with this id, if any has.
    fn block_of(&self, id: StreamId) -> Option<usize> {
        self.blocks.partition_point(|(first, _)| *first <= id).checked_sub(1)
    }

    /// Whether there is an entry with this id.
    pub(super) fn contains(&self, id: StreamId) -> bool {
        let block = self.block_of(id).and_then(|index| self.blocks.get(index));
        block.is_some_and(|(_, block)| block.find(id).is_some())
    }

    /// Deletes an entry. Returns whether there was one.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Some(index) = self.block_of(id) else { return false };
        let Some((_, block)) = self.blocks.get_mut(index) else { return false };
        let Some(at) = block.find(id).map(|placed| placed.at) else { return false };
        self.len -= 1;
        if block.live() == 1 {
            self.block_bytes -= ARC_BYTES + block.allocated_bytes();
            self.blocks.remove(index);
            return true;
        }
        let before = block.allocated_bytes();
        Arc::make_mut(block).delete_at(at);
        self.block_bytes = self.block_bytes + block.allocated_bytes() - before;
        true
    }

    /// Drops the first block. Returns the number of its entries.
    pub(super) fn drop_first_block(&mut self) -> u64 {
        let Some((_, block)) = self.blocks.pop_front() else { return 0 };
        let live = block.live() as u64;
        self.len -= live;
        self.block_bytes -= ARC_BYTES + block.allocated_bytes();
        // After a burst, the directory follows its content.
        if self.blocks.capacity() > 64 && self.blocks.len() < self.blocks.capacity() / 4 {
            self.blocks.shrink_to(2 * self.blocks.len());
        }
        live
    }

    /// Deletes the first entries but those to keep. If `is_rough`, only whole blocks. At most `limit`
    /// entries, in whole blocks, if it is not 0. Returns the number of deleted entries.
    pub(super) fn trim(&mut self, keep: Keep, is_rough: bool, limit: u64) -> u64 {
        let mut deleted = 0;
        while let Some((_, block)) = self.blocks.front_mut() {
            if matches!(keep, Keep::Latest(count) if self.len <= count) {
                break;
            }
            let live = block.live() as u64;
            if limit > 0 && deleted + live > limit {
                break;
            }
            let is_all = match keep {
                Keep::Latest(count) => self.len - live >= count,
                Keep::From(id) => block.last_id() < id,
            };
            if is_all {
                deleted += self.drop_first_block();
                continue;
            }
            if is_rough {
                break;
            }
            let len = self.len;
            let is_over = |id: StreamId, deleted: usize| match keep {
                Keep::Latest(count) => len - deleted as u64 > count,
                Keep::From(first) => id < first,
            };
            // Nothing is copied if nothing changes.
            let first = block.next_live(block.start(), StreamId::MIN);
            if !first.is_some_and(|placed| is_over(placed.entry.id, 0)) {
                break;
            }
            let before = block.allocated_bytes();
            let deleted_here = Arc::make_mut(block).delete_first(is_over) as u64;
            self.block_bytes = self.block_bytes + block.allocated_bytes() - before;
            deleted += deleted_here;
            self.len -= deleted_here;
            if block.live() == 0 {
                self.drop_first_block();
            }
            break;
        }
        deleted
    }

    /// Returns the entries from one id to another, in order.
    pub(super) fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let index = self.block_of(from).unwrap_or(0);
        let at = self.blocks.get(index).map_or(0, |(_, block)| block.start());
        Range { entries: self, index, at, from, to }
    }

    /// Returns the entries after an id. `place`: where it was read, if that is known.
    pub(super) fn range_after(&self, id: StreamId, place: Option<ReadPlace>) -> Range<'_> {
        let Some(from) = id.next() else {
            let index = self.blocks.len();
            return Range { entries: self, index, at: 0, from: StreamId::MAX, to: StreamId::MIN };
        };
        let mut range = self.range(from, StreamId::MAX);
        if let Some(place) = place
            && place.after == id
            && let Some((_, block)) = self.blocks.get(range.index)
            && block.number() == place.block
        {
            range.at = place.at.max(block.start());
        }
        range
    }

    /// Returns the entries from one id down to another, the last first.
    pub(super) fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        let behind = self.block_of(from).map_or(0, |index| index + 1);
        let last = behind.checked_sub(1).and_then(|index| self.blocks.get(index));
        RangeBack { entries: self, behind, end: last.map_or(0, |(_, block)| block.end()), from, to }
    }

    /// The blocks from the one with this index on as listpacks, each with the id of its first entry.
    pub(super) fn blocks_from(
        &self,
        index: usize,
    ) -> impl ExactSizeIterator<Item = (StreamId, impl Fn(&mut Vec<u8>))> {
        self.blocks.range(index.min(self.blocks.len())..).map(|(first, block)| {
            let write = |out: &mut Vec<u8>| block.write_listpack(out);
            (*first, write)
        })
    }

    /// Returns the bytes of the first blocks, and the number of entries in them.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let mut before = None;
        let (mut len, mut bytes) = (0, 0);
        for (first, block) in &self.blocks {
            block.check_invariants();
            assert!(before < Some(*first), "blocks out of order");
            before = Some(block.last_id());
            len += block.live() as u64;
            bytes += ARC_BYTES + block.allocated_bytes();
        }
        assert_eq!((len, bytes), (self.len, self.block_bytes));
    }
}

/// Whether an entry with this many bytes of names and values joins a block. The bounds are Redis'.
fn has_space(block: &Block, bytes: usize, limits: BlockLimits) -> bool {
    let bytes_max = usize::try_from(limits.bytes).unwrap_or(usize::MAX);
    let bytes_max = match bytes_max {
        0 => BLOCK_BYTES_MAX,
        bytes_max => bytes_max.min(BLOCK_BYTES_MAX),
    };
    let is_full = limits.entries > 0 && block.count() as u64 >= limits.entries;
    block.listpack_bytes() + bytes < bytes_max && !is_full
}

/// Entries in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range<'a> {
    entries: &'a Entries,
    index: usize,
    at: usize,
    from: StreamId,
    to: StreamId,
}

impl Range<'_> {
    /// Returns the place behind the last entry that was taken.
    pub(crate) fn place(&self, after: StreamId) -> Option<ReadPlace> {
        let (_, block) = self.entries.blocks.get(self.index)?;
        Some(ReadPlace { after, block: block.number(), at: self.at })
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (_, block) = self.entries.blocks.get(self.index)?;
            if let Some(placed) = block.next_live(self.at, self.from) {
                if placed.entry.id > self.to {
                    self.index = self.entries.blocks.len();
                    return None;
                }
                self.at = placed.behind();
                return Some(placed.entry);
            }
            self.index += 1;
            self.at = self.entries.blocks.get(self.index).map_or(0, |(_, block)| block.start());
        }
    }
}

/// Entries, the last first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeBack<'a> {
    entries: &'a Entries,
    /// The index behind the current block.
    behind: usize,
    end: usize,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (_, block) = self.entries.blocks.get(self.behind.checked_sub(1)?)?;
            if let Some(placed) = block.previous_live(self.end, self.from) {
                if placed.entry.id < self.to {
                    self.behind = 0;
                    return None;
                }
                self.end = placed.at;
                return Some(placed.entry);
            }
            self.behind -= 1;
            let last = self.behind.checked_sub(1).and_then(|index| self.entries.blocks.get(index));
            self.end = last.map_or(0, |(_, block)| block.end());
        }
    }
}

impl Range<'_> {
    /// Returns the number of entries, or `max` if there are more. Whole blocks are not looked into.
    pub(crate) fn count_max(mut self, max: usize) -> usize {
        let mut count = 0;
        while count < max {
            let Some((_, block)) = self.entries.blocks.get(self.index) else { break };
            let is_whole = self.at == block.start()
                && self.from <= self.first_of(self.index)
                && self.index + 1 < self.entries.blocks.len()
                && block.last_id() <= self.to;
            if is_whole {
                count += block.live();
                self.index += 1;
                self.at = self.entries.blocks.get(self.index).map_or(0, |(_, block)| block.start());
            } else if self.next().is_some() {
                count += 1;
            } else {
                break;
            }
        }
        count.min(max)
    }

    fn first_of(&self, index: usize) -> StreamId {
        self.entries.blocks.get(index).map_or(StreamId::MAX, |(first, _)| *first)
    }
}
