//! A key that was found, so that what follows need not look for it again.

use super::DbIndex;

/// Where a key's entry is. It holds until an entry of its database is removed, which another one then takes
/// the place of; builds with debug assertions notice who uses it after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(super) db: DbIndex,
    pub(super) index: usize,
    /// How many entries had been removed from the database.
    removals: u64,
}

impl Slot {
    #[inline]
    pub(super) fn new(db: DbIndex, index: usize, removals: u64) -> Slot {
        Slot { db, index, removals }
    }

    /// The database of the key.
    pub(crate) fn db(self) -> DbIndex {
        self.db
    }

    /// To be called with the removals of now, before a use.
    #[inline]
    pub(super) fn check(self, removals: u64) {
        debug_assert_eq!(self.removals, removals, "a slot is used too late");
    }
}
