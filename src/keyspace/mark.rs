//! Marks: texts in append files that no message can be expected to equal.

use super::{Db, Keyspace};

/// The start of every mark, by any process.
const MARK: &[u8] = b"tidegate:";

/// Whether a text is a mark as returned by `Keyspace::mark`.
pub(crate) fn is_mark(text: &[u8]) -> bool {
    text.starts_with(MARK)
}

impl Keyspace {
    /// Returns a mark: a text that no message can be expected to equal, derived from the keyspace's
    /// secret seed.
    pub(crate) fn mark(&self) -> Vec<u8> {
        mark(&self.dbs)
    }
}

/// Returns the mark of the keyspace with these databases.
pub(super) fn mark(dbs: &[Db]) -> Vec<u8> {
    let secret: u64 = dbs[0].entries.hasher().hash_one(1_u8);
    [MARK, &secret.to_le_bytes()].concat()
}
