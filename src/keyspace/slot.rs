//! The location of a key that was found, so that the following steps need no look-up.

use super::DbIndex;

/// The location of a key's entry. It is valid until an entry of its database is removed, since
/// another one then moves to its index. Builds with debug assertions detect a later use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(super) db: DbIndex,
    pub(super) index: usize,
    /// The number of entries removed from the database before.
    removals: u64,
}

impl Slot {
    #[inline]
    pub(super) fn new(db: DbIndex, index: usize, removals: u64) -> Slot {
        Slot { db, index, removals }
    }

    /// Returns the database of the key.
    pub(crate) fn db(self) -> DbIndex {
        self.db
    }

    /// Whether it is still valid, with the current number of removals.
    #[inline]
    pub(super) fn is_valid(self, removals: u64) -> bool {
        self.removals == removals
    }

    /// Called before each use, with the current number of removals.
    #[inline]
    pub(super) fn check(self, removals: u64) {
        debug_assert!(self.is_valid(removals), "a slot is used after a removal");
    }
}
