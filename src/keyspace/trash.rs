//! The content of a flushed database, which is freed in parts.

use super::Key;
use super::entries::Entries;
use super::walk::Walk;
use crate::deadlines::Deadlines;

/// Data to be freed.
#[derive(Debug)]
pub(super) enum Trash {
    /// Entries that the walk of a snapshot has not reached are kept until then.
    Entries(Entries, Walk),
    Expiries(Deadlines<Key>),
    Dues(Deadlines<Key, i64>),
}

impl Trash {
    /// True if nothing of it can be freed before a snapshot has reached it.
    pub(super) fn is_needed(&self) -> bool {
        match self {
            Trash::Entries(entries, walk) => !entries.is_empty() && walk.left >= entries.len(),
            Trash::Expiries(_) | Trash::Dues(_) => false,
        }
    }
}
