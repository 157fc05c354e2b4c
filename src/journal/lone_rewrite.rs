//! A rewrite without appending: `BGREWRITEAOF` with `appendonly no`.
//!
//! Writes all data of one moment to a base file, while the broker continues. Then one manifest names the
//! base and an empty increment, and the files of the old manifest are deleted. Until then a start would
//! load the old manifest. No change is recorded, and no reply is held.

use super::base::BaseWriter;
use super::files::Directory;
use super::job::{Done, Job};
use super::manifest::Manifest;
use super::rewrite::{PIECE_BYTES, begin_snapshot, end_snapshot};
use crate::broker::Broker;
use crate::clock::Now;
use crate::persistence::SnapshotUse;
use log::{info, warn};

/// A rewrite in progress.
pub struct LoneRewrite {
    prefix: String,
    stage: Stage,
    /// The manifest before the rewrite.
    manifest: Manifest,
    /// The base while it waits for more keys; at other times a job has it.
    base: Option<BaseWriter>,
    /// The next job, if it is not for the base.
    job: Option<Job>,
}

enum Stage {
    /// The manifest is being read.
    Reading,
    /// The base is being written.
    Writing,
    /// The base and the manifest are being finished.
    Finishing,
    /// The manifest is there, and the old files are being deleted.
    Deleting,
    /// It has ended.
    Over,
}

impl LoneRewrite {
    /// Begins with the current data.
    pub fn begin(prefix: &str, broker: &mut Broker, now: Now) -> LoneRewrite {
        info!("append files: writing all data once, since appendonly is off");
        begin_snapshot(broker);
        let persistence = broker.persistence_mut();
        persistence.begin_rewrite(now.monotonic_us);
        persistence.is_rewriting = true;
        let prefix = prefix.to_string();
        let job = Some(Job::ReadManifest { prefix: prefix.clone() });
        let (stage, manifest) = (Stage::Reading, Manifest::default());
        LoneRewrite { prefix, stage, manifest, base: None, job }
    }

    /// The next job, to be run elsewhere; pass its result to `finish`. Jobs run one after another.
    pub fn next_job(&mut self, broker: &mut Broker) -> Option<Job> {
        let Some(base) = self.base.take() else { return self.job.take() };
        if !broker.persistence().snapshot.is(SnapshotUse::Rewrite) {
            return Some(Job::AbandonBase(base));
        }
        match broker.next_saved(PIECE_BYTES) {
            Some(part) if part.is_empty() => {
                self.base = Some(base);
                None
            }
            Some(part) => Some(Job::AddToBase { base, part }),
            None => {
                self.stage = Stage::Finishing;
                let (manifest, prefix) = (std::mem::take(&mut self.manifest), self.prefix.clone());
                // Nothing is written to the new increment, so it needs no space.
                let starts_anew = Some(0);
                Some(Job::FinishBase { base, manifest, prefix, starts_anew })
            }
        }
    }

    /// Handles the result of a job.
    pub fn finish(&mut self, done: Done, broker: &mut Broker, now: Now) {
        match done {
            Done::Manifest(Ok(manifest)) => {
                let prefix = self.prefix.clone();
                self.job = Some(Job::BeginBase { manifest: manifest.clone(), prefix });
                self.manifest = manifest;
                self.stage = Stage::Writing;
            }
            Done::Base(Ok(base)) => self.base = Some(base),
            Done::Finished(Ok((manifest, bytes, _))) => {
                let took_us = broker.persistence_mut().complete_rewrite(now.monotonic_us);
                info!("append files: written, {bytes} bytes in {:.1} s", took_us as f64 / 1e6);
                let prefix = self.prefix.clone();
                self.job = Some(Job::DeleteHistory { manifest, prefix });
                self.stage = Stage::Deleting;
            }
            Done::Deleted(deleted) => {
                if let Err(error) = deleted {
                    warn!("append files: old files cannot be deleted: {error}");
                }
                self.end(broker);
            }
            Done::Manifest(Err(error)) | Done::Base(Err(error)) | Done::Finished(Err(error)) => {
                self.fail(&error, broker);
            }
            Done::Abandoned => self.fail(&"the snapshot was needed elsewhere", broker),
            // Results of jobs that only a journal has.
            Done::Synced { .. } | Done::Increment(_) | Done::Started(_) => {}
        }
    }

    fn fail(&mut self, error: &dyn std::fmt::Display, broker: &mut Broker) {
        warn!("append files could not be written: {error}");
        broker.persistence_mut().fail_rewrite();
        self.end(broker);
    }

    fn end(&mut self, broker: &mut Broker) {
        self.stage = Stage::Over;
        end_snapshot(broker);
        broker.persistence_mut().is_rewriting = false;
    }

    /// Whether it has ended, successfully or not.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether the base waits for more keys.
    pub fn wants_keys(&self) -> bool {
        self.base.is_some()
    }

    /// Abandons it, when no job is in progress. Old files marked for deletion are deleted by the next
    /// rewrite, or the next start with `appendonly yes`.
    pub fn give_up(mut self, broker: &mut Broker, directory: &dyn Directory) {
        if !matches!(self.stage, Stage::Deleting | Stage::Over) {
            warn!("append files were not complete; the old files stay");
        }
        if let Some(base) = self.base.take() {
            base.abandon(directory);
        }
        self.end(broker);
    }
}
