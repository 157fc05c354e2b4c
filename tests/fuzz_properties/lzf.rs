//! Compressed strings are decompressed as by a naive decompressor, and to no other length. What is compressed
//! becomes the same again.

use tidegate::rdb::lzf::{can_become, decompress};
use tidegate::rdb::lzf_compress::Compressor;

/// Byte by byte; `None` for anything but whole runs and copies of earlier output.
fn naive(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = compressed.iter().map(|byte| usize::from(*byte));
    while let Some(first) = bytes.next() {
        if first < 32 {
            for _ in 0..=first {
                out.push(bytes.next()? as u8);
            }
            continue;
        }
        let mut count = (first >> 5) + 2;
        if count == 9 {
            count += bytes.next()?;
        }
        let distance = ((first & 31) << 8) + bytes.next()? + 1;
        for _ in 0..count {
            out.push(*out.get(out.len().checked_sub(distance)?)?);
        }
    }
    Some(out)
}

/// Compressed bytes, and a block to compress.
pub fn check(data: &[u8]) {
    check_compressor(data);
    let expected = naive(data);
    let length = expected.as_ref().map_or(data.len(), Vec::len);
    let mut out = Vec::new();
    assert_eq!(decompress(data, length, &mut out).map(|()| &out), expected.as_ref());
    assert!(expected.is_none() || can_become(data.len() as u64, length as u64));
    for other in [0, length / 2, length + 1, usize::MAX] {
        assert!(other == length || decompress(data, other, &mut out).is_none());
    }
}

/// The data repeated, so that it is long enough and can be compressed.
fn check_compressor(data: &[u8]) {
    let repeats = 2 + usize::from(data.first().copied().unwrap_or_default() % 8);
    for block in [data, &data.repeat(repeats)] {
        let mut compressor = Compressor::default();
        let Some(compressed) = compressor.compress(block) else { continue };
        assert!(compressed.len() <= block.len() / 4);
        assert_eq!(naive(compressed).as_deref(), Some(block));
    }
}
