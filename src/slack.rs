//! When a table or a deque that was once much fuller shrinks.
//!
//! Moving the remaining entries takes time, so it is done only when few are left. Removals pay for it:
//! before the next time, three of four entries must be removed.

/// Maximum number of entries moved at once. For a table with a capacity of 3.6 million, moving them
/// takes about 3 ms.
const MOVED_MAX: usize = 32_768;
/// The capacity that is always kept.
const KEPT: usize = 64;
/// A table shrinks when at most this fraction of the capacity is used.
const LITTLE: usize = 8;

/// The capacity to shrink to after a removal, with `len` of `capacity` in use; `None` to keep it.
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
