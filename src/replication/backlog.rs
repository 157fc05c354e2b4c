//! The latest part of the stream: written once, read by each replica from its own offset.
//!
//! A replica that comes back finds what it missed here, if that is not too long ago. A slow one is only an
//! offset: its bytes are kept for it, up to its limit of output, and copied for nobody.

use bytes::Bytes;
use std::collections::VecDeque;

/// Blocks that are forgotten at once, besides as many as were added since: the memory of a long backlog is freed
/// in parts.
const FORGOTTEN_AT_ONCE: usize = 64;

/// Size at which a block is closed. A reader gets closed blocks without a copy.
const BLOCK_BYTES: usize = 64 * 1024;

/// A closed block.
#[derive(Debug)]
struct Block {
    /// The offset of its first byte.
    start: u64,
    bytes: Bytes,
}

/// The bytes of the stream from some offset on. An offset is the number of bytes before.
#[derive(Debug)]
pub(crate) struct Backlog {
    closed: VecDeque<Block>,
    open: Vec<u8>,
    /// The offset of the open block.
    open_start: u64,
    /// The offset of the first byte that is kept.
    start: u64,
    /// Blocks that were closed since `trim`.
    newly_closed: usize,
    /// Whether `trim` has left blocks that are not needed.
    has_excess: bool,
}

/// Bytes of the stream for a reader.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A part of a closed block: nothing is copied.
    Shared(Bytes),
    /// A part of the open block.
    Borrowed(&'a [u8]),
}

impl Piece<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Piece::Shared(bytes) => bytes.len(),
            Piece::Borrowed(bytes) => bytes.len(),
        }
    }
}

impl Backlog {
    /// Begins at an offset, without bytes.
    pub(crate) fn new(offset: u64) -> Backlog {
        Backlog {
            closed: VecDeque::new(),
            open: Vec::new(),
            open_start: offset,
            start: offset,
            newly_closed: 0,
            has_excess: false,
        }
    }

    /// The offset of the first byte that is kept.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The offset after the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.open_start + self.open.len() as u64
    }

    /// Whether a reader may begin at this offset.
    pub(crate) fn has(&self, offset: u64) -> bool {
        (self.start..=self.end()).contains(&offset)
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let closed: usize = self.closed.iter().map(|block| block.bytes.len()).sum();
        closed + self.open.capacity()
    }

    /// Adds bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if self.open.len() >= BLOCK_BYTES {
            self.close_block();
        }
        self.open.extend_from_slice(bytes);
    }

    fn close_block(&mut self) {
        let next = Vec::with_capacity(BLOCK_BYTES);
        let mut full = std::mem::replace(&mut self.open, next);
        // One large change must not occupy twice its size for as long as it is kept.
        full.shrink_to_fit();
        let start = self.open_start;
        self.open_start += full.len() as u64;
        self.closed.push_back(Block { start, bytes: full.into() });
        self.newly_closed += 1;
    }

    /// The bytes from an offset on, or the first of them: at most about `bytes_max`.
    pub(crate) fn read(&self, offset: u64, bytes_max: usize) -> Option<Piece<'_>> {
        if offset >= self.open_start {
            let from = usize::try_from(offset - self.open_start).ok()?;
            let rest = self.open.get(from..).filter(|rest| !rest.is_empty())?;
            return Some(Piece::Borrowed(&rest[..rest.len().min(bytes_max)]));
        }
        let behind = self.closed.partition_point(|block| block.start <= offset);
        let block = self.closed.get(behind.checked_sub(1)?)?;
        let from = usize::try_from(offset - block.start).ok()?;
        let to = block.bytes.len().min(from.saturating_add(bytes_max));
        (from < to).then(|| Piece::Shared(block.bytes.slice(from..to)))
    }

    /// Whether the last `trim` has left something to forget.
    pub(crate) fn has_excess(&self) -> bool {
        self.has_excess
    }

    /// Forgets bytes, in whole blocks: `kept_max` stay, and all from the offset `needed` on. Of many blocks only
    /// some are forgotten: see `has_excess`.
    pub(crate) fn trim(&mut self, kept_max: u64, needed: u64) {
        let first_kept = self.end().saturating_sub(kept_max).min(needed);
        let mut forgotten_max = FORGOTTEN_AT_ONCE + std::mem::take(&mut self.newly_closed);
        self.has_excess = false;
        while let Some(block) = self.closed.front()
            && block.start + block.bytes.len() as u64 <= first_kept
        {
            if forgotten_max == 0 {
                self.has_excess = true;
                return;
            }
            forgotten_max -= 1;
            self.start = block.start + block.bytes.len() as u64;
            self.closed.pop_front();
        }
        // A backlog smaller than a block.
        if self.closed.is_empty() && self.open.len() >= BLOCK_BYTES && first_kept >= self.end() {
            self.start = self.end();
            self.open_start = self.start;
            self.open = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(backlog: &Backlog, mut offset: u64, piece_max: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = backlog.read(offset, piece_max) {
            offset += piece.len() as u64;
            assert!(piece.len() <= piece_max);
            match piece {
                Piece::Shared(bytes) => all.extend_from_slice(&bytes),
                Piece::Borrowed(bytes) => all.extend_from_slice(bytes),
            }
        }
        assert_eq!(offset, backlog.end());
        all
    }

    #[test]
    fn each_reader_reads_the_same_bytes() {
        let mut backlog = Backlog::new(1000);
        let mut expected = Vec::new();
        assert_eq!(backlog.read(1000, 10), None);
        for number in 0..40_000u32 {
            let bytes = number.to_le_bytes();
            backlog.append(&bytes);
            expected.extend_from_slice(&bytes);
        }
        assert!(backlog.closed.len() > 1);
        for (offset, piece_max) in [(1000, 100_000), (1001, 7000), (70_000, 1 << 20), (161_000, 1)]
        {
            let from = (offset - 1000) as usize;
            assert_eq!(read_all(&backlog, offset, piece_max), expected[from..], "{offset}");
        }
    }

    #[test]
    fn what_nobody_needs_is_forgotten() {
        let mut backlog = Backlog::new(0);
        for _ in 0..100 {
            backlog.append(&[7; 10_000]);
        }
        backlog.trim(u64::MAX, 0);
        assert_eq!(backlog.start(), 0);
        // A reader further back keeps its bytes.
        backlog.trim(0, 300_000);
        assert!(backlog.has(300_000) && backlog.start() > 200_000, "{}", backlog.start());
        backlog.trim(500_000, u64::MAX);
        assert!(backlog.has(500_000) && backlog.start() > 400_000);
        backlog.trim(0, u64::MAX);
        assert!(backlog.memory_bytes() <= 2 * BLOCK_BYTES && backlog.end() == 1_000_000);
    }
}
