//! The checksum of the RDB format: CRC-64 with the polynomial of Jones, lowest bit first, begun with zero.
//!
//! Sixteen bytes are processed at once, with one table look-up for each. The look-ups do not depend on each
//! other, so a processor does several at a time.

/// The polynomial 0xad93d23594c935a9 with its bits reversed.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// Bytes processed at once.
const BLOCK: usize = 16;

/// The checksum of each byte followed by as many zeros as the number of the table.
static TABLES: [[u64; 256]; BLOCK] = tables();

const fn tables() -> [[u64; 256]; BLOCK] {
    let mut tables = [[0; 256]; BLOCK];
    let mut byte = 0;
    while byte < 256 {
        let mut checksum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            let is_set = checksum & 1 == 1;
            checksum >>= 1;
            if is_set {
                checksum ^= POLYNOMIAL;
            }
            bit += 1;
        }
        tables[0][byte] = checksum;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < BLOCK {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// A checksum of bytes that come one after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crc64(u64);

impl Crc64 {
    /// The checksum of these bytes.
    pub fn of(bytes: &[u8]) -> u64 {
        let mut checksum = Crc64::default();
        checksum.add(bytes);
        checksum.value()
    }

    /// Adds the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut checksum = self.0;
        for block in blocks {
            let [first, second] = halves(block);
            // The checksum so far counts as part of the first eight bytes. They come last: the others need not
            // wait for it, which is a third faster.
            checksum = folded::<0>(second) ^ folded::<8>(first ^ checksum);
        }
        for byte in rest {
            let [lowest, ..] = checksum.to_le_bytes();
            checksum = (checksum >> 8) ^ TABLES[0][usize::from(lowest ^ byte)];
        }
        self.0 = checksum;
    }

    /// The checksum of all bytes so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// The two halves of a block as numbers, with the lowest byte first.
#[inline(always)]
fn halves(block: &[u8; BLOCK]) -> [u64; 2] {
    let number = u128::from_le_bytes(*block);
    [number as u64, (number >> 64) as u64]
}

/// The checksum of eight bytes that are followed by this many zeros.
#[inline(always)]
fn folded<const ZEROS: usize>(bytes: u64) -> u64 {
    let [a, b, c, d, e, f, g, h] = bytes.to_le_bytes();
    let of = |zeros: usize, byte: u8| TABLES[ZEROS + zeros][usize::from(byte)];
    of(7, a) ^ of(6, b) ^ of(5, c) ^ of(4, d) ^ of(3, e) ^ of(2, f) ^ of(1, g) ^ of(0, h)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the definition says, bit by bit.
    fn slowly(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0, |checksum, byte| {
            (0..8).fold(checksum ^ u64::from(*byte), |checksum, _| {
                (checksum >> 1) ^ if checksum & 1 == 1 { POLYNOMIAL } else { 0 }
            })
        })
    }

    #[test]
    fn known_checksums() {
        assert_eq!(Crc64::of(b""), 0);
        assert_eq!(Crc64::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn bytes_in_any_pieces_have_the_same_checksum() {
        let bytes: Vec<u8> = (0..1000u32).map(|n| (n * n / 7) as u8).collect();
        for length in 0..80 {
            assert_eq!(Crc64::of(&bytes[..length]), slowly(&bytes[..length]), "{length} bytes");
        }
        let whole = Crc64::of(&bytes);
        assert_eq!(whole, slowly(&bytes));
        for piece in [1, 3, 8, 15, 16, 17, 500] {
            let mut checksum = Crc64::default();
            bytes.chunks(piece).for_each(|piece| checksum.add(piece));
            assert_eq!(checksum.value(), whole, "pieces of {piece}");
        }
    }
}
