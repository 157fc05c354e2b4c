//! Decompresses LZF, which Redis uses for strings of more than 20 bytes.
//!
//! Compressed data is a row of literal runs (a byte below 32: one less than their length) and copies of
//! earlier output (three bits of length and thirteen of distance; if the three bits are all set, a byte
//! with more length stands between). The crates for it are unmaintained or bindings to C.

/// A copy of three bytes has at most this many: no input grows more.
const COPY_BYTES_MAX: u64 = 7 + 255 + 2;

/// Whether compressed data of one length can become `length` bytes.
pub fn can_become(compressed: u64, length: u64) -> bool {
    length <= compressed.saturating_mul(COPY_BYTES_MAX.div_ceil(3))
}

/// Decompresses to exactly `length` bytes, which replace those in `out`. Returns `None` for anything
/// else. The buffer grows with the output, not with `length`.
pub fn decompress(compressed: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let mut rest = compressed;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first < 32 {
            let (literals, behind) = rest.split_at_checked(usize::from(first) + 1)?;
            rest = behind;
            out.extend_from_slice(literals);
        } else {
            let mut count = usize::from(first >> 5) + 2;
            if count == 9 {
                let (&more, behind) = rest.split_first()?;
                rest = behind;
                count += usize::from(more);
            }
            let (&low, behind) = rest.split_first()?;
            rest = behind;
            let distance = (usize::from(first & 31) << 8 | usize::from(low)) + 1;
            copy_earlier(out, distance, count)?;
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(())
}

/// Appends `count` bytes that begin `distance` before the end. They may overlap what is appended: then
/// it repeats.
fn copy_earlier(out: &mut Vec<u8>, distance: usize, count: usize) -> Option<()> {
    let start = out.len().checked_sub(distance)?;
    let mut left = count;
    while left > 0 {
        let part = left.min(out.len() - start);
        out.extend_from_within(start..start + part);
        left -= part;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompressed(compressed: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut out = vec![b'?'; 3];
        decompress(compressed, length, &mut out).map(|()| out)
    }

    #[test]
    fn runs_and_copies() {
        let long = [&[0, b'a', 0xe0, 255, 0][..], &[1, b'b', b'c', 0x20, 1]].concat();
        let expected = [&[b'a'; 265][..], b"bcbcb"].concat();
        assert_eq!(decompressed(&long, expected.len()), Some(expected));
        assert_eq!(decompressed(&[31; 33], 32), Some(vec![31; 32]));
        assert_eq!(decompressed(b"", 0), Some(Vec::new()));
    }

    #[test]
    fn damage_is_refused() {
        let whole = [2, b'a', b'b', b'c', 0xe0, 4, 2];
        assert_eq!(decompressed(&whole, 16).as_deref(), Some(&b"abcabcabcabcabca"[..]));
        for length in [0, 15, 17, usize::MAX] {
            assert_eq!(decompressed(&whole, length), None, "{length}");
        }
        for end in 1..whole.len() {
            assert_eq!(decompressed(&whole[..end], 16), None, "{end}");
        }
        // Before the beginning.
        assert_eq!(decompressed(&[0, b'a', 0x20, 1], 4), None);
        assert_eq!(decompressed(&[0x20, 0], 3), None);
    }

    #[test]
    fn the_largest_growth_is_known() {
        let most = [&[0, b'a'][..], &[0xe0, 255, 0].repeat(100)].concat();
        let length = 1 + 100 * COPY_BYTES_MAX as usize;
        assert!(decompressed(&most, length).is_some());
        assert!(can_become(most.len() as u64, length as u64));
        assert!(!can_become(10, 881) && can_become(u64::MAX, u64::MAX));
    }
}
