//! The progress of a snapshot's walk.

use super::DbIndex;

/// The progress of the walk over one database. It moves with the entries when two databases are
/// swapped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    /// The number of the database when the snapshot began.
    pub(super) number: DbIndex,
    /// Entries from this index on are saved.
    pub(super) left: usize,
}

impl Walk {
    /// Ends the walk here and returns it, to continue elsewhere.
    pub(super) fn take(&mut self) -> Walk {
        let walk = *self;
        self.left = 0;
        walk
    }
}
