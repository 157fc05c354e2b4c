//! Append files that are turned on and off while the broker runs (`CONFIG SET appendonly`).
//!
//! To turn them on, everything is written to a base file, as in a rewrite, and what changes meanwhile
//! goes to an increment beside it. Only when both are there does the manifest name them: until then
//! whatever the directory held before is what would load, and nothing is promised. So nothing is held or
//! refused either: replies leave when their change is written, as with `everysec`; what cannot be
//! written ends the attempt, and the next begins later. From then on all is promised that
//! `appendfsync` says; what changed in the meantime is durable within a second.
//!
//! To turn them off, what is pending is written and synced. The files stay as they are then.

use super::files::Directory;
use super::job::Job;
use super::manifest::Manifest;
use super::tail::Tail;
use super::writer::{Journal, Start};
use crate::broker::Broker;
use crate::clock::Now;
use crate::persistence::Persistence;
use crate::settings::FsyncPolicy;
use log::{info, warn};

impl Journal {
    /// The job that makes the increment for what changes from now on, which no manifest names yet.
    pub fn prepare(prefix: &str, broker: &Broker) -> Job {
        let space = broker.settings().append_reserve_bytes;
        Job::Start { prefix: prefix.to_string(), space }
    }

    /// Begins to record what changes, and to write down what is there. The manifest ends with the
    /// increment, as the job has given both.
    pub fn begin_at_run_time(
        prefix: &str,
        manifest: Manifest,
        tail: Tail,
        broker: &mut Broker,
        now: Now,
    ) -> Journal {
        let start = Start { manifest, tail, base_bytes: 0, other_bytes: 0, wants_rewrite: false };
        let mut journal = Journal::new(prefix, start);
        journal.is_named = false;
        broker.record_effects(true);
        broker.begin_effects_anew();
        broker.begin_snapshot();
        let persistence = broker.persistence_mut();
        persistence.is_on = true;
        persistence.begin_rewrite(now.monotonic_us);
        journal.begin_base(false);
        journal.report(broker);
        journal
    }

    /// What is promised now.
    pub(super) fn policy(&self, broker: &Broker) -> FsyncPolicy {
        match self.is_named {
            true => broker.settings().appendfsync,
            false => FsyncPolicy::EverySecond,
        }
    }

    /// The manifest names the files.
    pub(super) fn note_named(&mut self) {
        if !self.is_named {
            self.is_named = true;
            info!("append files: everything is in them, and from now on all that changes");
        }
    }

    /// Whether an attempt to turn append files on has failed, and is to be given up.
    pub fn has_failed_to_begin(&self) -> bool {
        !self.is_named && (self.trouble.is_some() || self.stage.is_idle())
    }

    /// Whether append files were turned on while the broker ran, and are not all there yet.
    pub fn is_beginning(&self) -> bool {
        !self.is_named
    }

    /// Gives up an attempt to turn append files on: everybody is answered, and nothing is recorded any
    /// more. Takes its increment away, unless the manifest names it: an error does not say that it does
    /// not.
    pub fn give_up(self, broker: &mut Broker, directory: &dyn Directory) {
        end_recording(broker);
        remove_unnamed(directory, &self.prefix, &self.tail.entry.name);
    }

    /// Writes and syncs what is left, and records nothing any more.
    ///
    /// # Errors
    /// As [`Journal::close`]; nothing is recorded all the same.
    pub fn turn_off(self, broker: &mut Broker) -> Result<(), super::JournalError> {
        let closed = self.close(broker);
        end_recording(broker);
        closed
    }
}

/// Takes away a file, if the manifest does not name it. If that fails, it takes space and does no other
/// harm.
pub fn remove_unnamed(directory: &dyn Directory, prefix: &str, name: &str) {
    let manifest = Manifest::load(directory, prefix);
    let is_unnamed = manifest.is_ok_and(|found| !found.is_some_and(|found| found.names(name)));
    if is_unnamed && let Err(error) = directory.remove(name) {
        warn!("{name}: cannot be removed: {error}");
    }
}

/// The broker is as one that never had append files, but for its counters.
fn end_recording(broker: &mut Broker) {
    broker.record_effects(false);
    broker.end_snapshot();
    broker.release_all();
    broker.allow_changes(u64::MAX, None, None);
    let persistence = broker.persistence_mut();
    let before = std::mem::take(persistence);
    *persistence = Persistence {
        is_rewrite_wanted: before.is_rewrite_wanted,
        rewrites: before.rewrites,
        delayed_syncs: before.delayed_syncs,
        failed_rewrites: before.failed_rewrites,
        last_rewrite_s: before.last_rewrite_s,
        ..Persistence::default()
    };
}
