//! The bytes of the effects: written once, with several readers, each at its own pace.
//!
//! The stream is a sequence of blocks; new bytes go to the last one. Each byte has a permanent offset. Sealed
//! bytes never change, and only they can be read. A block is freed when all readers have passed it: a slow
//! reader holds its unread bytes, in whole blocks, and costs the others nothing.

use std::collections::VecDeque;

/// A block of this size is closed at the end of a turn, if a reader is behind: smaller blocks are freed sooner,
/// and a closed one is not copied when the stream grows.
const BLOCK_BYTES: usize = 64 * 1024;

/// Limit on the capacity that an empty block keeps after a burst.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// A reader of a broker's effects since its own start. Its unread effects are held until it is ended.
#[derive(Debug)]
pub struct EffectsReader {
    index: usize,
}

/// A closed block: all of it is sealed.
#[derive(Debug)]
struct Block {
    /// The offset after its last byte.
    end: u64,
    bytes: Vec<u8>,
}

/// The stream, from the first unread byte.
#[derive(Debug, Default)]
pub(super) struct Stream {
    closed: VecDeque<Block>,
    /// The last block, to which new bytes go.
    open: Vec<u8>,
    /// The offset of that block.
    start: u64,
    /// The offset after the last sealed byte.
    sealed: u64,
    /// The offset of each reader; `None` in a free slot.
    readers: Vec<Option<u64>>,
}

impl Stream {
    /// The block to write to. Only unsealed bytes may be changed.
    #[inline]
    pub(super) fn open(&mut self) -> &mut Vec<u8> {
        &mut self.open
    }

    /// The offset after the last byte.
    fn end(&self) -> u64 {
        self.start + self.open.len() as u64
    }

    /// The number of unsealed bytes.
    #[inline]
    pub(super) fn unsealed_bytes(&self) -> usize {
        (self.end() - self.sealed) as usize
    }

    /// The number of bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.closed.iter().map(|block| block.bytes.len()).sum::<usize>() + self.open.len()
    }

    /// Makes all bytes so far unchangeable and readable.
    #[inline]
    pub(super) fn seal(&mut self) {
        // Bytes of an earlier seal are only here if a reader has not read them.
        let is_behind = self.sealed > self.start;
        self.sealed = self.end();
        if is_behind && self.open.len() >= BLOCK_BYTES {
            self.close_block();
        }
    }

    #[cold]
    fn close_block(&mut self) {
        let bytes = std::mem::replace(&mut self.open, Vec::with_capacity(BLOCK_BYTES));
        self.closed.push_back(Block { end: self.sealed, bytes });
        self.start = self.sealed;
    }

    /// Whether there are readers.
    pub(super) fn has_readers(&self) -> bool {
        self.readers.iter().any(Option::is_some)
    }

    /// Adds a reader that begins after the sealed bytes.
    pub(super) fn add_reader(&mut self) -> EffectsReader {
        let free = self.readers.iter().position(Option::is_none);
        let index = free.unwrap_or(self.readers.len());
        if free.is_none() {
            self.readers.push(None);
        }
        self.readers[index] = Some(self.sealed);
        EffectsReader { index }
    }

    /// Ends a reader, and frees what was held for it.
    pub(super) fn remove_reader(&mut self, reader: EffectsReader) {
        if let Some(slot) = self.readers.get_mut(reader.index) {
            *slot = None;
        }
        // So that a lone reader in the first slot is seen to be alone: see `take_into`.
        while self.readers.pop_if(|slot| slot.is_none()).is_some() {}
        if !self.has_readers() {
            self.seal();
            self.open = Vec::new();
            self.start = self.sealed;
        }
        self.release();
    }

    /// A reader's offset.
    pub(super) fn offset_of(&self, reader: &EffectsReader) -> u64 {
        self.readers.get(reader.index).copied().flatten().unwrap_or(self.sealed)
    }

    /// A reader's unread sealed bytes, block by block.
    pub(super) fn unread(&self, reader: &EffectsReader) -> impl Iterator<Item = &[u8]> {
        let offset = self.offset_of(reader);
        let first = self.closed.partition_point(|block| block.end <= offset);
        let closed = self.closed.range(first..).map(move |block| {
            let unread = (block.end - offset).min(block.bytes.len() as u64);
            &block.bytes[block.bytes.len() - unread as usize..]
        });
        let read = offset.saturating_sub(self.start) as usize;
        let open = &self.open[read..(self.sealed - self.start) as usize];
        closed.chain((!open.is_empty()).then_some(open))
    }

    /// Moves a reader forward by this many bytes.
    pub(super) fn advance(&mut self, reader: &EffectsReader, bytes: usize) {
        let sealed = self.sealed;
        if let Some(Some(offset)) = self.readers.get_mut(reader.index) {
            *offset = (*offset + bytes as u64).min(sealed);
        }
        self.release();
    }

    /// Moves a reader's unread sealed bytes to the end of `to`.
    #[inline]
    pub(super) fn take_into(&mut self, reader: &EffectsReader, to: &mut Vec<u8>) {
        let is_whole = self.sealed == self.end() && self.closed.is_empty();
        if reader.index == 0
            && let [Some(offset)] = &mut self.readers[..]
            && *offset == self.start
            && is_whole
            && to.is_empty()
        {
            // The only reader: the buffers are swapped, so that nothing is copied or allocated.
            std::mem::swap(to, &mut self.open);
            self.start = self.sealed;
            *offset = self.sealed;
        } else {
            self.copy_into(reader, to);
        }
    }

    #[inline(never)]
    fn copy_into(&mut self, reader: &EffectsReader, to: &mut Vec<u8>) {
        let bytes = (self.sealed - self.offset_of(reader)) as usize;
        self.unread(reader).for_each(|part| to.extend_from_slice(part));
        self.advance(reader, bytes);
    }

    /// Frees the blocks that all readers have passed.
    fn release(&mut self) {
        let kept_from = self.readers.iter().flatten().min().copied().unwrap_or(self.sealed);
        while self.closed.front().is_some_and(|block| block.end <= kept_from) {
            self.closed.pop_front();
        }
        if kept_from == self.end() && !self.open.is_empty() {
            self.open.clear();
            self.open.shrink_to(KEPT_BYTES_MAX);
            self.start = kept_from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(stream: &mut Stream, bytes: &[u8]) {
        stream.open().extend_from_slice(bytes);
        stream.seal();
    }

    fn unread(stream: &Stream, reader: &EffectsReader) -> Vec<u8> {
        stream.unread(reader).collect::<Vec<_>>().concat()
    }

    #[test]
    fn readers_read_the_same_bytes_each_at_its_own_pace() {
        let mut stream = Stream::default();
        let quick = stream.add_reader();
        add(&mut stream, b"abc");
        let late = stream.add_reader();
        let mut taken = Vec::new();
        stream.take_into(&quick, &mut taken);
        add(&mut stream, b"defg");
        assert_eq!([&quick, &late].map(|reader| stream.offset_of(reader)), [3, 3]);
        stream.advance(&late, 1);
        assert_eq!(unread(&stream, &quick), b"defg");
        assert_eq!(unread(&stream, &late), b"efg");
        stream.take_into(&quick, &mut taken);
        assert_eq!(taken, b"abcdefg");
        // Unsealed bytes are not read.
        stream.open().extend_from_slice(b"h");
        assert_eq!((unread(&stream, &quick), unread(&stream, &late)), (vec![], b"efg".to_vec()));
        assert_eq!((stream.end(), stream.unsealed_bytes()), (8, 1));
    }

    #[test]
    fn a_slow_reader_holds_what_it_has_not_read_and_others_nothing() {
        const TURN: usize = 10_000;
        let mut stream = Stream::default();
        let (quick, slow) = (stream.add_reader(), stream.add_reader());
        let (mut expected, mut taken) = (Vec::new(), Vec::new());
        for turn in 0..100u8 {
            add(&mut stream, &[turn; TURN]);
            expected.extend([turn; TURN]);
            stream.take_into(&quick, &mut taken);
        }
        assert_eq!((&taken, &unread(&stream, &slow)), (&expected, &expected));
        assert_eq!(stream.bytes(), expected.len());
        let mut read = 0;
        while read < expected.len() {
            let first = stream.unread(&slow).next().expect("more").len().min(TURN / 3);
            read += first;
            stream.advance(&slow, first);
            let left = expected.len() - read;
            assert_eq!(unread(&stream, &slow), expected[read..]);
            assert!((left..=left + BLOCK_BYTES + TURN).contains(&stream.bytes()), "{left} left");
        }
        assert_eq!((stream.bytes(), stream.closed.len()), (0, 0));
        assert_eq!((stream.end(), stream.offset_of(&quick)), (1_000_000, 1_000_000));
        assert_eq!(stream.add_reader().index, 2, "its offset is its own");
    }

    #[test]
    fn what_nobody_has_to_read_is_freed() {
        let mut stream = Stream::default();
        let (one, other) = (stream.add_reader(), stream.add_reader());
        for _ in 0..5 {
            add(&mut stream, &[b'x'; BLOCK_BYTES]);
        }
        stream.take_into(&one, &mut Vec::new());
        assert_eq!(stream.bytes(), 5 * BLOCK_BYTES);
        stream.remove_reader(other);
        assert_eq!(stream.bytes(), 0);
        // The slot is free for another reader, which gets nothing of the previous one.
        let next = stream.add_reader();
        assert_eq!((next.index, unread(&stream, &next)), (1, vec![]));
        add(&mut stream, b"y");
        stream.remove_reader(one);
        assert_eq!(unread(&stream, &next), b"y");
        stream.remove_reader(next);
        assert_eq!((stream.bytes(), stream.open.capacity(), stream.has_readers()), (0, 0, false));
        let end = 5 * BLOCK_BYTES as u64 + 1;
        assert_eq!((stream.start, stream.sealed), (end, end), "offsets go on");
    }

    #[test]
    fn a_lone_reader_gets_the_buffer_and_gives_its_own() {
        let mut stream = Stream::default();
        let reader = stream.add_reader();
        let mut taken = Vec::with_capacity(1 << 10);
        let buffers = |stream: &Stream, taken: &Vec<u8>| (stream.open.as_ptr(), taken.as_ptr());
        add(&mut stream, &[b'x'; 100]);
        let before = buffers(&stream, &taken);
        stream.take_into(&reader, &mut taken);
        assert_eq!(buffers(&stream, &taken), (before.1, before.0));
        assert_eq!((taken.len(), stream.offset_of(&reader)), (100, 100));
        // After bytes that are still in `taken`, new ones are copied.
        add(&mut stream, b"y");
        stream.take_into(&reader, &mut taken);
        assert_eq!((taken.len(), stream.bytes(), stream.start), (101, 0, 101));
    }
}
