//! The steps of a rewrite: a new increment begins, and everything before it is written as one base file,
//! while the loop continues.
//!
//! ```text
//! make the new increment        in the manifest, and empty
//! close the old one             its last batch is durable before the new one gets its first
//! write the base                the data as of that moment, a few keys at a time
//! replace                       the manifest names the new base and the new increment
//! delete the history
//! ```
//!
//! If an append file can no longer be trusted (a sync failed, or a partly written batch could not be cut
//! off), the order differs, and nothing else is written meanwhile: first the base, from memory, then one
//! manifest with the base and a new increment.

use super::job::{Done, Job};
use super::manifest::{Manifest, ManifestError};
use super::stage::Stage;
use super::tail::Tail;
use super::writer::{Journal, JournalError, Trouble};
use crate::broker::Broker;
use crate::clock::Now;
use crate::persistence::SnapshotUse;
use log::{info, warn};

/// Bytes of keys that the loop passes on at once: a few thousand small keys take it less than a millisecond.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// An increment up to this length is not worth a rewrite, whatever the settings say: it may contain only what
/// a rewrite leaves.
const SMALL_TAIL_BYTES: u64 = 1024;

/// Time from a failure to the next attempt: to write all data because nothing else can be written, and of an
/// automatic rewrite.
const RETRY_US: u64 = 1_000_000;
const AUTOMATIC_RETRY_US: u64 = 60_000_000;

impl Journal {
    /// Begins a rewrite if one is wanted, or takes the next step of the current one.
    pub(super) fn advance_rewrite(&mut self, broker: &mut Broker, now: Now) {
        let may_sync = self.may_sync();
        match &mut self.stage {
            Stage::Idle => self.begin_rewrite(broker, now),
            Stage::Prepared { sync: None, .. } if self.trouble.is_none() && may_sync => {
                let begun = self.sync(now);
                if let Stage::Prepared { sync, .. } = &mut self.stage {
                    *sync = Some(begun);
                }
            }
            Stage::Writing { base: Some(_), .. }
                if !broker.persistence().snapshot.is(SnapshotUse::Rewrite) =>
            {
                warn!(
                    "append files: the rewrite is given up, since its snapshot was needed elsewhere"
                );
                self.doom_rewrite(broker);
                broker.persistence_mut().fail_rewrite();
            }
            Stage::Writing { base, starts_anew } => {
                let Some(waiting) = base.take() else { return };
                let starts_anew = *starts_anew;
                match broker.next_saved(PIECE_BYTES) {
                    Some(part) if part.is_empty() => *base = Some(waiting),
                    Some(part) => self.add_job(Job::AddToBase { base: waiting, part }),
                    None => {
                        self.stage = Stage::Finishing { starts_anew };
                        let space = broker.settings().append_reserve_bytes;
                        let starts_anew = starts_anew.then_some(space);
                        self.add_job(Job::FinishBase {
                            base: waiting,
                            manifest: self.manifest.clone(),
                            prefix: self.prefix.clone(),
                            starts_anew,
                        });
                    }
                }
            }
            _ => {}
        }
    }

    fn begin_rewrite(&mut self, broker: &mut Broker, now: Now) {
        match self.trouble {
            Some(Trouble::Distrust { retry_us }) => {
                if retry_us <= now.monotonic_us && !self.is_syncing() {
                    self.begin_anew(broker, now);
                }
            }
            // Nothing can be written now, so the tail cannot be closed.
            Some(Trouble::Unwritten { .. }) => {}
            // Incomplete data is not rewritten; see `run_time`.
            None if !self.is_named => {}
            None => {
                // Without disk space only a request begins a rewrite: whoever asks may know that there is
                // space again.
                let may = self.shortage_us.is_none() && now.monotonic_us >= self.rewrite_us;
                let must = may && (self.must_rewrite || self.is_grown(broker));
                let is_wanted = must || broker.persistence().is_rewrite_wanted;
                // Otherwise it begins when the snapshot is free.
                if is_wanted && broker.persistence_mut().snapshot.claim(SnapshotUse::Rewrite) {
                    info!("append files: a rewrite begins");
                    broker.persistence_mut().begin_rewrite(now.monotonic_us);
                    self.stage = Stage::Preparing;
                    let (manifest, prefix) = (self.manifest.clone(), self.prefix.clone());
                    let space = broker.settings().append_reserve_bytes;
                    self.add_job(Job::NewIncrement { manifest, prefix, space });
                }
            }
        }
    }

    /// Whether the files have grown enough for an automatic rewrite.
    fn is_grown(&self, broker: &Broker) -> bool {
        let settings = broker.settings();
        let bytes = self.other_bytes + self.tail.end();
        let percentage = u128::from(settings.rewrite_percentage);
        let base = u128::from(self.base_bytes.max(1));
        percentage > 0
            && self.tail.end() > SMALL_TAIL_BYTES
            && bytes > settings.rewrite_min_bytes
            && u128::from(bytes) * 100 >= base * (100 + percentage)
    }

    /// Whether the last batch of the old increment should be written now.
    pub(super) fn may_close(&self) -> bool {
        let is_prepared = match self.stage {
            Stage::Prepared { sync, .. } => sync.is_some_and(|sync| self.has_synced(sync)),
            _ => false,
        };
        is_prepared && self.trouble.is_none() && self.may_sync()
    }

    /// Writes the last batch of the old increment, and begins the snapshot for the base: everything in the
    /// old increment, and nothing that will be in the new one.
    pub(super) fn close_increment(
        &mut self,
        broker: &mut Broker,
        now: Now,
    ) -> Result<(), JournalError> {
        if !self.write(broker, true, now)? {
            return Ok(());
        }
        self.tail.give_back_space();
        broker.hold_changed();
        let sync = self.sync_for_held(broker, now);
        if let Stage::Prepared { next, .. } = std::mem::replace(&mut self.stage, Stage::Idle) {
            self.stage = Stage::Closing { next, sync };
        }
        begin_snapshot(broker);
        broker.begin_effects_file();
        Ok(())
    }

    /// Continues with the new increment once the last batch of the old one is durable.
    pub(super) fn switch_if_closed(&mut self, synced: u64) {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Closing { next, sync } if sync <= synced => {
                self.other_bytes += self.tail.end();
                self.switch_to(next);
                self.begin_base(false);
            }
            other => self.stage = other,
        }
    }

    pub(super) fn begin_base(&mut self, starts_anew: bool) {
        self.stage = Stage::Writing { base: None, starts_anew };
        let (manifest, prefix) = (self.manifest.clone(), self.prefix.clone());
        self.add_job(Job::BeginBase { manifest, prefix });
    }

    /// The broker has other data than the files: all of it will be written. Until then a start would load
    /// the former data.
    pub(super) fn begin_anew_soon(&mut self, broker: &mut Broker, now: Now) {
        info!("append files: the data was replaced by that of the primary");
        self.is_replaced = true;
        self.trouble = Some(Trouble::Distrust { retry_us: now.monotonic_us });
        self.doom_rewrite(broker);
    }

    /// Whether data of a primary is still being written in the place of the former data.
    pub fn is_replaced(&self) -> bool {
        self.is_replaced
    }

    /// Writes all data, since the tail cannot be trusted. Memory has everything that was ever acknowledged in
    /// a reply, and the changes whose replies still wait.
    fn begin_anew(&mut self, broker: &mut Broker, now: Now) {
        warn!("append files: writing all data again");
        broker.persistence_mut().begin_rewrite(now.monotonic_us);
        self.pending.clear();
        // Changes with waiting replies are in memory too, and become durable with the rest.
        self.last_sync += 1;
        broker.begin_sync(self.last_sync);
        begin_snapshot(broker);
        broker.begin_effects_file();
        self.begin_base(true);
    }

    /// Handles the result of a rewrite's job.
    pub(super) fn finish_rewrite_job(&mut self, done: Done, broker: &mut Broker, now: Now) {
        match done {
            Done::Increment(Ok((manifest, next))) => {
                self.manifest = manifest;
                if self.is_doomed {
                    self.end_rewrite();
                } else {
                    self.stage = Stage::Prepared { next, sync: None };
                }
            }
            Done::Base(Ok(base)) if self.is_doomed => {
                self.stage = Stage::Abandoning;
                self.add_job(Job::AbandonBase(base));
            }
            Done::Base(Ok(base)) => {
                if let Stage::Writing { base: slot, .. } = &mut self.stage {
                    *slot = Some(base);
                }
            }
            Done::Finished(Ok((manifest, bytes, tail))) => {
                self.complete(manifest, bytes, tail, broker, now);
            }
            Done::Deleted(Ok(manifest)) => {
                self.manifest = manifest;
                self.end_rewrite();
            }
            Done::Deleted(Err(error)) => {
                warn!("append files: old files cannot be deleted: {error}");
                self.end_rewrite();
            }
            Done::Abandoned => self.end_rewrite(),
            Done::Increment(Err(error)) | Done::Base(Err(error)) | Done::Finished(Err(error)) => {
                self.fail_rewrite(broker, &error, now);
            }
            // Handled by the caller, by the start of a journal, and by a rewrite without one.
            Done::Synced { .. } | Done::Started(_) | Done::Manifest(_) => {}
        }
    }

    /// Ends a rewrite.
    fn end_rewrite(&mut self) {
        self.stage = Stage::Idle;
        self.is_doomed = false;
    }

    fn complete(
        &mut self,
        manifest: Manifest,
        bytes: u64,
        tail: Option<Tail>,
        broker: &mut Broker,
        now: Now,
    ) {
        self.manifest = manifest;
        self.mark_named();
        self.must_rewrite = false;
        self.base_bytes = bytes;
        self.other_bytes = bytes;
        if let Some(tail) = tail {
            self.switch_to(tail);
            self.trouble = None;
            self.is_replaced = false;
            broker.persistence_mut().write_error = None;
            broker.finish_sync(self.last_sync);
            info!("append files: all data was written again; changes are accepted again");
        }
        let took_us = broker.persistence_mut().complete_rewrite(now.monotonic_us);
        info!("append files: rewritten, {bytes} bytes in {:.1} s", took_us as f64 / 1e6);
        self.delete_history();
    }

    pub(super) fn delete_history(&mut self) {
        self.stage = Stage::Deleting;
        let (manifest, prefix) = (self.manifest.clone(), self.prefix.clone());
        self.add_job(Job::DeleteHistory { manifest, prefix });
    }

    fn fail_rewrite(&mut self, broker: &mut Broker, error: &ManifestError, now: Now) {
        warn!("append files: the rewrite failed: {error}");
        end_snapshot(broker);
        let starts_anew = matches!(
            self.stage,
            Stage::Writing { starts_anew: true, .. } | Stage::Finishing { starts_anew: true }
        );
        if starts_anew {
            broker.fail_syncs();
            self.trouble = Some(Trouble::Distrust { retry_us: now.monotonic_us + RETRY_US });
        }
        self.rewrite_us = now.monotonic_us + AUTOMATIC_RETRY_US;
        self.end_rewrite();
        broker.persistence_mut().fail_rewrite();
    }

    /// The tail cannot be trusted any more, so the current rewrite is useless.
    pub(super) fn doom_rewrite(&mut self, broker: &mut Broker) {
        match &mut self.stage {
            Stage::Idle | Stage::Abandoning => {}
            // No job is running. The new increment is empty, and stays in the manifest until the manifest is
            // rewritten.
            Stage::Prepared { .. } | Stage::Closing { .. } => self.stage = Stage::Idle,
            Stage::Writing { base, .. } => match base.take() {
                Some(base) => {
                    self.stage = Stage::Abandoning;
                    self.add_job(Job::AbandonBase(base));
                }
                None => self.is_doomed = true,
            },
            Stage::Preparing | Stage::Finishing { .. } | Stage::Deleting => self.is_doomed = true,
        }
        end_snapshot(broker);
    }
}

/// Begins the snapshot, which the rewrite has claimed, unless it was lost since then.
pub(super) fn begin_snapshot(broker: &mut Broker) {
    broker.persistence_mut().snapshot.seize(SnapshotUse::Rewrite);
    broker.begin_snapshot();
}

/// Ends the snapshot, unless another use has it.
pub(super) fn end_snapshot(broker: &mut Broker) {
    if broker.persistence_mut().snapshot.release(SnapshotUse::Rewrite) {
        broker.end_snapshot();
    }
}
