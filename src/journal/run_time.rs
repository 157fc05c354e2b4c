//! Turns append files on and off while the broker runs (`CONFIG SET appendonly`).
//!
//! To turn them on, all data is written to a base file, as in a rewrite, and changes meanwhile go to an
//! increment beside it. Only when both are complete does the manifest name them: until then a start
//! would load what the directory held before, and nothing is promised. So no reply is held and no
//! command refused: replies are sent when their change is written, as with `everysec`. A failed write
//! ends the attempt, and the next begins later. From then on the promise of `appendfsync` holds; changes
//! made in between are durable within a second.
//!
//! To turn them off, pending changes are written and synced. The files stay as they are then.

use super::files::Directory;
use super::job::Job;
use super::manifest::Manifest;
use super::rewrite::{begin_snapshot, end_snapshot};
use super::tail::Tail;
use super::writer::{Journal, Start};
use crate::broker::Broker;
use crate::clock::Now;
use crate::persistence::Persistence;
use crate::settings::FsyncPolicy;
use log::{info, warn};

impl Journal {
    /// The job that makes the increment for future changes, which no manifest names yet.
    pub fn prepare(prefix: &str, broker: &Broker) -> Job {
        let space = broker.settings().append_reserve_bytes;
        Job::Start { prefix: prefix.to_string(), space }
    }

    /// Begins to record changes, and to write the existing data. Takes the increment, and the manifest
    /// that ends with it, as made by the job.
    pub fn begin_at_run_time(
        prefix: &str,
        manifest: Manifest,
        tail: Tail,
        broker: &mut Broker,
        now: Now,
    ) -> Journal {
        let start = Start { manifest, tail, base_bytes: 0, other_bytes: 0, wants_rewrite: false };
        let reader = broker.read_effects();
        broker.begin_effects_file();
        let mut journal = Journal::new(prefix, start, reader);
        journal.is_named = false;
        begin_snapshot(broker);
        let persistence = broker.persistence_mut();
        persistence.is_on = true;
        persistence.begin_rewrite(now.monotonic_us);
        journal.begin_base(false);
        journal.report(broker);
        journal
    }

    /// The promise that holds now.
    pub(super) fn policy(&self, broker: &Broker) -> FsyncPolicy {
        match self.is_named {
            true => broker.settings().appendfsync,
            false => FsyncPolicy::EverySecond,
        }
    }

    /// The manifest names the files now.
    pub(super) fn mark_named(&mut self) {
        if !self.is_named {
            self.is_named = true;
            info!("append files: complete, and all further changes are recorded");
        }
    }

    /// Whether an attempt to turn append files on has failed, and must be abandoned.
    pub fn has_failed_to_begin(&self) -> bool {
        !self.is_named && (self.trouble.is_some() || self.stage.is_idle())
    }

    /// Whether append files were turned on while the broker ran, and are not yet complete.
    pub fn is_beginning(&self) -> bool {
        !self.is_named
    }

    /// Abandons an attempt to turn append files on: all replies are sent, and nothing is recorded any
    /// more. Removes its increment, unless the manifest names it: that is possible even after an error.
    pub fn give_up(self, broker: &mut Broker, directory: &dyn Directory) {
        broker.end_effects(self.reader);
        end_recording(broker);
        remove_unnamed(directory, &self.prefix, &self.tail.entry.name);
    }

    /// Writes and syncs pending changes, and stops recording.
    ///
    /// # Errors
    /// As [`Journal::close`]; recording stops all the same.
    pub fn turn_off(self, broker: &mut Broker) -> Result<(), super::JournalError> {
        let closed = self.close(broker);
        end_recording(broker);
        closed
    }
}

/// Removes a file, unless the manifest names it. If that fails, the file only takes space.
pub fn remove_unnamed(directory: &dyn Directory, prefix: &str, name: &str) {
    let manifest = Manifest::load(directory, prefix);
    let is_unnamed = manifest.is_ok_and(|found| !found.is_some_and(|found| found.names(name)));
    if is_unnamed && let Err(error) = directory.remove(name) {
        warn!("{name}: cannot be removed: {error}");
    }
}

/// The broker becomes like one that never had append files, except for its counters.
fn end_recording(broker: &mut Broker) {
    end_snapshot(broker);
    broker.release_all();
    broker.allow_changes(u64::MAX, None, None);
    let persistence = broker.persistence_mut();
    let before = std::mem::take(persistence);
    *persistence = Persistence {
        is_rewrite_wanted: before.is_rewrite_wanted,
        rewrites: before.rewrites,
        delayed_syncs: before.delayed_syncs,
        sync_times: before.sync_times,
        failed_rewrites: before.failed_rewrites,
        last_rewrite_s: before.last_rewrite_s,
        snapshot: before.snapshot,
        saves: before.saves,
        ..Persistence::default()
    };
}
