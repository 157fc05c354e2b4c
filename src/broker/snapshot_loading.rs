//! A snapshot of a primary while it is being loaded.

use crate::commands::load_rdb::RdbLoad;
use crate::keyspace::Keyspace;

/// A snapshot that is being loaded, beside the present data.
pub(super) struct SnapshotLoading {
    pub(super) load: RdbLoad,
    pub(super) keyspace: Keyspace,
    /// Bytes of the end mark that were seen.
    pub(super) mark_seen: usize,
    /// Other bytes were there instead.
    pub(super) is_wrong: bool,
}
