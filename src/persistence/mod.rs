//! The state of the append files as the broker knows it: set by the journal, shown by INFO, checked by
//! the gates. Also the requests of commands to the journal. The files themselves are not its concern.
//! `saves.rs` has the same for RDB files, and `snapshot_use.rs` who has the snapshot that all of them need.

mod saves;
mod snapshot_use;

pub(crate) use saves::Saves;
pub(crate) use snapshot_use::SnapshotOwner;
pub use snapshot_use::SnapshotUse;

use crate::client_id::ClientId;
use crate::histogram::CoarseHistogram;

/// State shared by the journal and the commands.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// Whether there are append files.
    pub is_on: bool,
    /// Set while the files are loaded: clients get an error until it is done.
    pub loading: Option<Loading>,
    /// Why changes cannot be written now: commands that change data are refused with it.
    pub write_error: Option<String>,
    /// Why there is no space for changes: commands that change data are refused with this too.
    pub shortage: Option<String>,
    /// Bytes of changes for which space is reserved until the journal is asked again.
    pub writable_bytes: u64,
    /// The first client whose request needs more than that, and how much.
    pub wanted: Option<(ClientId, u64)>,
    /// The client for which that much was reserved; no other client may use it.
    pub granted: Option<(ClientId, u64)>,
    /// The client for which there was no space, and why.
    pub denied: Option<(ClientId, String)>,
    /// BGREWRITEAOF requests a rewrite; beginning one clears this.
    pub is_rewrite_wanted: bool,
    /// Whether a rewrite is in progress.
    pub is_rewriting: bool,
    /// Whether all data was replaced by that of a primary, so that the files must be written anew.
    pub is_replaced: bool,
    /// Bytes of the base file after the last rewrite, or when the files were loaded.
    pub base_bytes: u64,
    /// Bytes of all append files.
    pub current_bytes: u64,
    /// Bytes of changes that wait to be written.
    pub pending_bytes: u64,
    /// Syncs in progress.
    pub pending_syncs: u32,
    /// Times that a sync was due while the previous one was in progress.
    pub delayed_syncs: u64,
    /// The microseconds of each successful sync, until the server knew of its end.
    pub(crate) sync_times: CoarseHistogram,
    /// Rewrites begun.
    pub rewrites: u64,
    /// Failed rewrites since the last successful one.
    pub failed_rewrites: u64,
    /// How long the last rewrite took, in seconds.
    pub last_rewrite_s: Option<u64>,
    /// When the current rewrite began, in microseconds of the monotonic clock.
    pub rewrite_began_us: Option<u64>,
    /// Who has the snapshot.
    pub snapshot: SnapshotOwner,
    /// RDB files.
    pub saves: Saves,
}

impl Default for Persistence {
    fn default() -> Persistence {
        Persistence {
            is_on: false,
            loading: None,
            write_error: None,
            shortage: None,
            writable_bytes: u64::MAX,
            wanted: None,
            granted: None,
            denied: None,
            is_rewrite_wanted: false,
            is_rewriting: false,
            is_replaced: false,
            base_bytes: 0,
            current_bytes: 0,
            pending_bytes: 0,
            pending_syncs: 0,
            delayed_syncs: 0,
            sync_times: CoarseHistogram::default(),
            rewrites: 0,
            failed_rewrites: 0,
            last_rewrite_s: None,
            rewrite_began_us: None,
            snapshot: SnapshotOwner::default(),
            saves: Saves::default(),
        }
    }
}

impl Persistence {
    /// Why commands that change data are refused now; `None` if they are not.
    pub fn refusal(&self) -> Option<&str> {
        self.write_error.as_deref().or(self.shortage.as_deref())
    }

    /// A rewrite begins at this time of the monotonic clock.
    pub fn begin_rewrite(&mut self, now_us: u64) {
        self.is_rewrite_wanted = false;
        self.rewrites += 1;
        self.rewrite_began_us = Some(now_us);
    }

    /// The rewrite has succeeded. Returns its duration in microseconds.
    pub fn complete_rewrite(&mut self, now_us: u64) -> u64 {
        let began_us = self.rewrite_began_us.take().unwrap_or(now_us);
        let took_us = now_us.saturating_sub(began_us);
        self.failed_rewrites = 0;
        self.last_rewrite_s = Some(took_us / 1_000_000);
        took_us
    }

    /// The rewrite has failed.
    pub fn fail_rewrite(&mut self) {
        self.failed_rewrites += 1;
        self.rewrite_began_us = None;
    }
}

/// The progress of loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// When it began: seconds since 1970.
    pub began_unix_s: u64,
    /// When it began, in microseconds of the monotonic clock.
    pub began_us: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Bytes loaded.
    pub loaded_bytes: u64,
}

impl Loading {
    /// The loaded part, in percent.
    pub fn percent(&self) -> f64 {
        if self.total_bytes == 0 {
            return 100.0;
        }
        self.loaded_bytes as f64 * 100.0 / self.total_bytes as f64
    }

    /// Seconds until the rest is loaded at the speed so far; `None` before that is known.
    pub fn seconds_left(&self, now_us: u64) -> Option<u64> {
        let spent_us = now_us.saturating_sub(self.began_us);
        if self.loaded_bytes == 0 {
            return None;
        }
        let left = self.total_bytes.saturating_sub(self.loaded_bytes);
        let left_us = u128::from(left) * u128::from(spent_us) / u128::from(self.loaded_bytes);
        Some((left_us / 1_000_000) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_pace() {
        let mut loading = Loading { began_us: 1_000_000, total_bytes: 400, ..Loading::default() };
        assert_eq!(loading.seconds_left(2_000_000), None);
        loading.loaded_bytes = 100;
        assert_eq!(loading.seconds_left(3_000_000), Some(6));
        assert_eq!(loading.percent(), 25.0);
        assert_eq!(Loading::default().percent(), 100.0);
    }
}
