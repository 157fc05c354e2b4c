//! Compresses with LZF: see `lzf` for the format.

/// Positions of three bytes by their hash. Small, since it is emptied before each block.
const SLOTS: usize = 1 << 12;

/// Larger blocks do not fit the positions. They would also take long at once.
const BLOCK_BYTES_MAX: usize = u16::MAX as usize;

/// Smaller ones save too little.
const BLOCK_BYTES_MIN: usize = 512;

/// How far back a copy may begin.
const DISTANCE_MAX: usize = 1 << 13;
/// The most bytes of a copy.
const COPY_MAX: usize = 264;
/// The most bytes of a row of literals.
const LITERALS_MAX: usize = 32;

/// After so many bytes it shows whether a block can be compressed.
const TRIED_BYTES: usize = 1 << 10;

/// The most blocks in a row that are not tried after one that could not be compressed.
const LEFT_OUT_MAX: u32 = 63;

/// What a compressed block may take of its length: a quarter. Redis compresses everything that becomes smaller at
/// all. That takes more time than it saves in a network, and the loop has no other work for long.
const PART: usize = 4;

/// Compresses blocks that become much smaller. What does not costs little: after such a block some are not tried,
/// and ever more of them.
#[derive(Debug)]
pub struct Compressor {
    positions: Box<[u16; SLOTS]>,
    compressed: Vec<u8>,
    /// Blocks that are not tried.
    left_out: u32,
    /// How many were not tried the last time.
    left_out_before: u32,
    saved_bytes: usize,
    /// The most that a compressed block takes is its length divided by this.
    part: usize,
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor {
            positions: Box::new([0; SLOTS]),
            compressed: Vec::new(),
            left_out: 0,
            left_out_before: 0,
            saved_bytes: 0,
            part: PART,
        }
    }
}

impl Compressor {
    /// How many bytes were saved so far.
    pub fn saved_bytes(&self) -> usize {
        self.saved_bytes
    }

    /// Compresses a block, if that is worth it.
    pub fn compress(&mut self, block: &[u8]) -> Option<&[u8]> {
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&block.len()) {
            return None;
        }
        if self.left_out > 0 {
            self.left_out -= 1;
            return None;
        }
        self.positions.fill(0);
        self.compressed.clear();
        let (out, part) = (&mut self.compressed, self.part);
        let mut writer = Writer { block, out, literals_from: 0, part };
        if writer.write(&mut self.positions) {
            self.left_out_before = 0;
            self.saved_bytes += block.len() - self.compressed.len();
            return Some(&self.compressed);
        }
        self.left_out_before = (2 * self.left_out_before + 1).min(LEFT_OUT_MAX);
        self.left_out = self.left_out_before;
        None
    }
}

struct Writer<'a> {
    block: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Where the literals begin that are not written yet.
    literals_from: usize,
    part: usize,
}

impl Writer<'_> {
    /// Whether `written` bytes instead of `length` are few enough.
    fn is_worth_it(&self, written: usize, length: usize) -> bool {
        written.saturating_mul(self.part) <= length
    }

    /// Returns whether it is worth it. `positions` has one more than each position, and 0 for none.
    fn write(&mut self, positions: &mut [u16; SLOTS]) -> bool {
        let (mut at, mut is_tried) = (0, false);
        while let Some(three) = self.block.get(at..at + 3) {
            let slot = &mut positions[slot_of(three)];
            let earlier = std::mem::replace(slot, (at + 1) as u16) as usize;
            let distance = at + 1 - earlier;
            // A row of literals is left faster the longer it is.
            let step = 1 + (at - self.literals_from) / LITERALS_MAX;
            if earlier == 0
                || distance > DISTANCE_MAX
                || self.block.get(earlier - 1..earlier + 2) != Some(three)
            {
                at += step;
                continue;
            }
            if !is_tried && at > TRIED_BYTES {
                is_tried = true;
                let written = self.out.len() + at - self.literals_from;
                if !self.is_worth_it(written, at) {
                    return false;
                }
            }
            self.literals(at);
            let length = self.common(earlier - 1, at);
            self.copy(distance, length);
            at += length;
            self.literals_from = at;
        }
        let tail = self.block.len() - self.literals_from;
        let written = self.out.len() + tail + tail.div_ceil(LITERALS_MAX);
        if !self.is_worth_it(written, self.block.len()) {
            return false;
        }
        self.literals(self.block.len());
        true
    }

    /// The number of bytes from two positions on that are the same, at most those of a copy.
    fn common(&self, earlier: usize, at: usize) -> usize {
        let (earlier, later) = (&self.block[earlier..], &self.block[at..]);
        let most = later.len().min(COPY_MAX);
        let words = earlier.chunks_exact(8).zip(later[..most].chunks_exact(8));
        let same = 8 * words.take_while(|(one, other)| one == other).count();
        let rest = earlier[same..].iter().zip(&later[same..most]);
        same + rest.take_while(|(one, other)| one == other).count()
    }

    /// Writes the literals up to a position.
    fn literals(&mut self, end: usize) {
        for row in self.block[self.literals_from..end].chunks(LITERALS_MAX) {
            self.out.push((row.len() - 1) as u8);
            self.out.extend_from_slice(row);
        }
    }

    fn copy(&mut self, distance: usize, length: usize) {
        let [low, high, ..] = (distance - 1).to_le_bytes();
        match length - 2 {
            length @ 0..7 => self.out.extend_from_slice(&[(length as u8) << 5 | high, low]),
            length => self.out.extend_from_slice(&[7 << 5 | high, (length - 7) as u8, low]),
        }
    }
}

#[inline]
fn slot_of(three: &[u8]) -> usize {
    let &[a, b, c] = three else { return 0 };
    let number = u32::from_le_bytes([a, b, c, 0]);
    (number.wrapping_mul(0x9e37_79b1) >> 20) as usize
}

#[cfg(test)]
mod tests {
    use super::super::lzf;
    use super::*;

    /// Numbers that are the same in each run.
    fn random(seed: &mut u64) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 33) as usize
    }

    /// Of all that becomes smaller.
    fn compressed(block: &[u8]) -> Option<Vec<u8>> {
        let mut compressor = Compressor { part: 1, ..Compressor::default() };
        let compressed = compressor.compress(block)?.to_vec();
        let mut out = Vec::new();
        assert_eq!(lzf::decompress(&compressed, block.len(), &mut out), Some(()));
        assert!(out == block, "{} bytes become the same again", block.len());
        Some(compressed)
    }

    #[test]
    fn blocks_become_the_same_again() {
        let (mut seed, mut smaller) = (17, 0);
        for case in 0..3_000 {
            let (letters, repeats) = (1 + random(&mut seed) % 20, 1 + random(&mut seed) % 400);
            let length =
                BLOCK_BYTES_MIN + random(&mut seed) % if case % 50 == 0 { 65_024 } else { 9_000 };
            let mut block = Vec::new();
            while block.len() < length {
                if block.len() > repeats && random(&mut seed).is_multiple_of(3) {
                    let start = random(&mut seed) % (block.len() - repeats);
                    block.extend_from_within(start..start + repeats);
                } else {
                    block.push(b'a' + (random(&mut seed) % letters) as u8);
                }
            }
            block.truncate(length);
            smaller += usize::from(compressed(&block).is_some());
        }
        assert!(smaller > 500, "{smaller}");
    }

    #[test]
    fn what_repeats_becomes_small() {
        let messages = b"\x00the same message once more".repeat(300);
        let found = compressed(&messages).map(|bytes| bytes.len());
        assert!(found.is_some_and(|length| length < messages.len() / 50), "{found:?}");
        let numbered: Vec<u8> =
            (0..200).flat_map(|n| format!("{{\"id\":{n},\"name\":\"x\"}}").into_bytes()).collect();
        let found = compressed(&numbered).map(|bytes| bytes.len());
        assert!(found.is_some_and(|length| length < numbered.len() / 2), "{found:?}");
        assert_eq!(Compressor::default().compress(&numbered), None, "not small enough");
        assert!(Compressor::default().compress(&messages).is_some());
        assert_eq!(compressed(&[0; BLOCK_BYTES_MAX]).map(|bytes| bytes.len() < 1000), Some(true));
    }

    #[test]
    fn what_does_not_repeat_is_left_out_ever_more() {
        let mut seed = 1;
        let block: Vec<u8> = (0..8_000).map(|_| random(&mut seed) as u8).collect();
        let mut compressor = Compressor::default();
        let mut tried = Vec::new();
        for count in 0..300 {
            if compressor.left_out == 0 {
                tried.push(count);
            }
            assert_eq!(compressor.compress(&block), None);
        }
        assert_eq!(tried, [0, 2, 6, 14, 30, 62, 126, 190, 254]);
        // One that repeats is found in time.
        while compressor.left_out > 0 {
            assert_eq!(compressor.compress(&[7; 1000]), None);
        }
        assert!(
            compressor.compress(&[7; 1000]).is_some() && compressor.compress(&[7; 1000]).is_some()
        );
    }

    #[test]
    fn small_and_large_blocks_are_left_as_they_are() {
        assert_eq!(compressed(&[b'x'; BLOCK_BYTES_MIN - 1]), None);
        assert_eq!(compressed(&vec![b'x'; BLOCK_BYTES_MAX + 1]), None);
        assert!(compressed(&[b'x'; BLOCK_BYTES_MIN]).is_some());
    }
}
