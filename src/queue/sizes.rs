//! Sizes of buffers that leave little unused.

/// Messages of at least this size may leave much of a segment unused.
const LARGE_MESSAGE_BYTES: usize = 2048;

/// Maximum bytes of a full segment for large messages.
const LARGE_SEGMENT_BYTES_MAX: usize = 128 * 1024;

/// How a buffer grows that is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// In the smallest steps that an allocator distinguishes.
    Fitting,
    /// By doubling, so that little is copied.
    Eager,
}

impl Growth {
    /// The size of a buffer for at least `bytes`.
    pub(super) fn size(self, bytes: usize) -> usize {
        match self {
            Growth::Fitting => fitting(bytes),
            Growth::Eager => bytes.next_power_of_two(),
        }
    }
}

/// The smallest size from `bytes` on that an allocator distinguishes: the sizes of mimalloc and of
/// jemalloc are a quarter apart from one power of two to the next. Smaller ones are multiples of eight.
pub(crate) fn fitting(bytes: usize) -> usize {
    match bytes {
        0..=64 => bytes.next_multiple_of(8),
        _ => {
            let step = 1usize << ((bytes - 1).ilog2() - 2);
            // A larger size cannot be allocated anyway.
            bytes.checked_next_multiple_of(step).unwrap_or(bytes)
        }
    }
}

/// Bytes of a full segment for messages of this size, in a queue whose segments have `usual` bytes: for
/// large messages, the number that leaves the least unused.
pub(super) fn segment_bytes_for(stored: usize, usual: usize) -> usize {
    if !(LARGE_MESSAGE_BYTES..=LARGE_SEGMENT_BYTES_MAX / 2).contains(&stored) {
        return usual;
    }
    let counts = 1..=LARGE_SEGMENT_BYTES_MAX / stored;
    let filled = counts.map(|count| (count * stored, fitting(count * stored)));
    // Compared without division: a / b > c / d.
    let best =
        filled.reduce(|best, next| if next.0 * best.1 > best.0 * next.1 { next } else { best });
    best.map_or(usual, |(bytes, _)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitting_size_is_a_quarter_larger_at_the_most() {
        let sizes = [1, 64, 65, 80, 81, 320, 321, 3300, 4096, 4097, 65_536, usize::MAX];
        let expected = [8, 64, 80, 80, 96, 320, 384, 3584, 4096, 5120, 65_536, usize::MAX];
        assert_eq!(sizes.map(fitting), expected);
        for bytes in 1..100_000 {
            let fits = fitting(bytes);
            assert!(fits >= bytes && fits <= bytes + (bytes / 4).max(8), "{fits} for {bytes}");
            assert_eq!(fitting(fits), fits);
        }
    }

    #[test]
    fn large_messages_leave_little_of_a_segment_unused() {
        let mut part_sum = 0.0;
        let sizes = LARGE_MESSAGE_BYTES..LARGE_SEGMENT_BYTES_MAX / 2;
        for stored in sizes.clone() {
            let bytes = segment_bytes_for(stored, 8000);
            assert!(bytes.is_multiple_of(stored) && bytes <= LARGE_SEGMENT_BYTES_MAX);
            part_sum += 1.0 - bytes as f64 / fitting(bytes) as f64;
        }
        let part = part_sum / sizes.len() as f64;
        assert!(part < 0.05, "{part}");
        assert_eq!(segment_bytes_for(9004, 8000), 9 * 9004);
    }
}
