//! The progress of a rewrite.

use super::base::BaseWriter;
use super::tail::Tail;

/// The progress of a rewrite.
pub(super) enum Stage {
    /// There is none.
    Idle,
    /// The new increment is being made.
    Preparing,
    /// The new increment exists. The old one is synced first while it is still written to, so that its
    /// last batch takes little time.
    Prepared {
        /// The new increment.
        next: Tail,
        /// The number of that sync, once it has begun.
        sync: Option<u64>,
    },
    /// The last batch of the old increment is being made durable.
    Closing {
        /// The new increment.
        next: Tail,
        /// The number of the sync for that.
        sync: u64,
    },
    /// The base is being written.
    Writing {
        /// Set while it waits for more keys; otherwise a job has it.
        base: Option<BaseWriter>,
        /// Whether it replaces a file that cannot be trusted.
        starts_anew: bool,
    },
    /// The base is being finished.
    Finishing {
        /// Whether it replaces a file that cannot be trusted.
        starts_anew: bool,
    },
    /// The base is being abandoned.
    Abandoning,
    /// History files are being deleted.
    Deleting,
}

impl Stage {
    /// Whether no rewrite is in progress.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Stage::Idle)
    }
}
