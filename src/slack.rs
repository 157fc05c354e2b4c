//! When a table or a deque that was once much fuller gives its room back.
//!
//! Moving what is left into a smaller one takes time, so it is done when little is left, and pays for
//! itself: before the next time, three of four of those must have gone.

/// Entries that are moved at once, at the most. Of a table that had 3.6 million places, moving as many
/// takes about 3 ms.
const MOVED_MAX: usize = 32_768;
/// Room for so many is always kept.
const KEPT: usize = 64;
/// What is at most this part of the room is little.
const LITTLE: usize = 8;

/// The capacity to which something is to shrink after a removal, of which `len` of `capacity` places
/// are in use; none if it is to stay as it is.
#[inline]
pub(crate) fn smaller(len: usize, capacity: usize) -> Option<usize> {
    let is_little = capacity > KEPT * LITTLE && len <= capacity / LITTLE && len <= MOVED_MAX;
    is_little.then(|| (2 * len).max(KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_is_paid_for_by_removals() {
        for start in [600, 5_000, 100_000, 3_000_000] {
            let (mut capacity, mut len, mut moved) = (start, start, 0);
            while len > 0 {
                len -= 1;
                if let Some(less) = smaller(len, capacity) {
                    assert!(less >= len && less < capacity / 2);
                    moved += len;
                    assert!(len <= MOVED_MAX);
                    capacity = less;
                }
            }
            assert!(moved <= start / 4, "{moved} moved of {start}");
            assert!(capacity <= KEPT * LITTLE, "{capacity} places for nothing");
        }
    }
}
