//! The journal: takes the changes of each turn, makes them as durable as `appendfsync` promises before
//! their replies are sent, and has the files rewritten.
//!
//! It never waits for the disk. A turn's batch is passed to the system within the turn, and everything
//! else is a [`Job`] for another thread; see [`Journal::next_job`] and [`Journal::finish`].
//!
//! The promises by policy:
//!
//! - `always`: replies to changes are held until a sync has finished that began after their batch was
//!   written. Later changes wait for the next sync, which begins when input pauses: the busier the
//!   server, the more one sync serves. On a slow disk, a few syncs overlap. A failed write or sync is a
//!   [`JournalError`]: the server must stop, since it is unknown what is durable.
//! - `everysec`: the batch is written before the replies are sent, and synced within a second.
//! - `no`: the batch is written before the replies are sent.
//!
//! A full disk is noticed before a change is made: see `space`. If a write fails nevertheless, without
//! `always`, its written part is cut off, the replies of that turn are held, and commands that change
//! data are refused until it succeeds. If a file can no longer be trusted, they are refused until all
//! data has been rewritten.

use super::error::reason;
use super::gathering::Gathering;
use super::job::{Done, Job, SYNCS_MAX};
use super::manifest::Manifest;
use super::stage::Stage;
use super::tail::Tail;
use crate::broker::Broker;
use crate::clock::Now;
use crate::effects::EffectsReader;
use crate::persistence::SnapshotUse;
use crate::settings::FsyncPolicy;
use log::{info, warn};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// With `everysec`, time from a change to its sync, and from the last sync to its record in the file.
const SYNC_INTERVAL_US: u64 = 1_000_000;

/// Time from a failure to the next attempt.
pub(super) const RETRY_US: u64 = 100_000;

/// How long to wait for a sync before the next one begins beside it. With quick syncs, one after another
/// serves more clients each, and costs less. A slow disk does more in the same time with several at
/// once.
const OVERLAP_US: u64 = 1_000;

/// Space is preallocated after a batch only if that is enough for this many like it: the bytes are
/// written twice to make syncs shorter.
const BATCHES_PREALLOCATED_MIN: usize = 16;

/// A buffer above this size, after a burst, is freed.
const KEPT_BUFFER_BYTES_MAX: usize = 4 << 20;

/// A promise cannot be kept: the server must stop.
#[derive(Debug, Error)]
#[error("{file}: {error}: {consequence}")]
pub struct JournalError {
    /// The append file.
    file: String,
    /// The error of the system.
    #[source]
    error: io::Error,
    /// The consequence.
    consequence: &'static str,
}

/// The consequence of a failure while the server runs, and at its end.
const NO_PROMISE: &str =
    "with appendfsync always nothing more can be promised, so the server stops";
const NOT_WRITTEN: &str =
    "the last changes are not written and are lost; no reply had confirmed them";

/// Why changes are refused.
pub(super) enum Trouble {
    /// The last batch could not be written, and will be retried.
    Unwritten { retry_us: u64 },
    /// The file cannot be trusted: all data is being rewritten, or will be.
    Distrust { retry_us: u64 },
}

/// A sync in progress.
struct Sync {
    /// Its number.
    sync: u64,
    /// The index of its file in the tail's `sync_files`.
    slot: usize,
    /// When it began, in microseconds of the monotonic clock.
    begun_us: u64,
    /// Bytes of the replication stream whose changes it covers.
    stream_bytes: u64,
}

/// The append files of a running broker.
pub struct Journal {
    /// Prefix of the files' names.
    pub(super) prefix: String,
    /// Whether the manifest on the disk names the current files: see `run_time`.
    pub(super) is_named: bool,
    pub(super) manifest: Manifest,
    pub(super) tail: Tail,
    /// The journal's place in the broker's effects.
    pub(super) reader: EffectsReader,
    /// Changes not yet in a file.
    pub(super) pending: Vec<u8>,
    pub(super) gathering: Gathering,
    /// Bytes of the replication stream whose changes are written.
    written_stream_bytes: u64,
    /// Where the last batch with a change ends in the tail: later bytes need no sync.
    changes_end: u64,
    /// The syncs of the tail in progress.
    syncs: Vec<Sync>,
    /// The highest number of a successful one.
    synced: u64,
    /// The number of the last sync.
    pub(super) last_sync: u64,
    /// When the tail must be synced, or a sync recorded in it.
    pub(super) sync_us: u64,
    /// Whether a sync became due while the previous one was in progress.
    is_overdue: bool,
    /// Whether a batch records that the last one with changes is durable.
    is_vouched_for: bool,
    pub(super) trouble: Option<Trouble>,
    /// When to look for disk space again, if there is none for changes.
    pub(super) shortage_us: Option<u64>,
    /// Whether the file system can reserve space.
    pub(super) can_keep_space: bool,
    pub(super) stage: Stage,
    /// Whether the broker has other data than the files, until it is written.
    pub(super) is_replaced: bool,
    /// Whether the rewrite in progress has become useless.
    pub(super) is_doomed: bool,
    /// Bytes of all files except the tail.
    pub(super) other_bytes: u64,
    /// Bytes of the base file.
    pub(super) base_bytes: u64,
    /// Whether only a rewrite makes all files our own.
    pub(super) must_rewrite: bool,
    /// After a failed rewrite: no automatic rewrite before this time.
    pub(super) rewrite_us: u64,
    jobs: VecDeque<Job>,
}

/// What the journal begins with, as found by the loader.
pub struct Start {
    /// The manifest.
    pub manifest: Manifest,
    /// The file to append to.
    pub tail: Tail,
    /// Bytes of the base file.
    pub base_bytes: u64,
    /// Bytes of all files except the tail.
    pub other_bytes: u64,
    /// Whether the files have parts that only a rewrite makes our own.
    pub wants_rewrite: bool,
}

impl Journal {
    /// Begins to record the broker's changes. Its data must be that of the files.
    pub fn begin(prefix: &str, start: Start, broker: &mut Broker, now: Now) -> Journal {
        let reader = broker.read_effects();
        broker.end_replay(now);
        broker.persistence_mut().is_on = true;
        let mut journal = Journal::new(prefix, start, reader);
        if !journal.manifest.history.is_empty() {
            journal.delete_history();
        }
        journal.keep_space(broker, now);
        journal.report(broker);
        journal
    }

    pub(super) fn new(prefix: &str, start: Start, reader: EffectsReader) -> Journal {
        Journal {
            prefix: prefix.to_string(),
            is_named: true,
            changes_end: start.tail.durable,
            manifest: start.manifest,
            tail: start.tail,
            reader,
            pending: Vec::new(),
            written_stream_bytes: 0,
            gathering: Gathering::default(),
            syncs: Vec::new(),
            synced: 0,
            last_sync: 0,
            sync_us: 0,
            is_overdue: false,
            is_vouched_for: true,
            trouble: None,
            shortage_us: None,
            can_keep_space: true,
            stage: Stage::Idle,
            is_replaced: false,
            is_doomed: false,
            other_bytes: start.other_bytes,
            base_bytes: start.base_bytes,
            must_rewrite: start.wants_rewrite,
            rewrite_us: 0,
            jobs: VecDeque::new(),
        }
    }

    /// Takes the changes of this turn. Call it after everything of a turn has run, and before any reply
    /// is sent; `Broker::sendable` then decides what may be. `is_busy`: there was input in this turn, so
    /// more is likely.
    pub fn commit(
        &mut self,
        broker: &mut Broker,
        is_busy: bool,
        now: Now,
    ) -> Result<(), JournalError> {
        broker.take_effects(&self.reader, &mut self.pending);
        if std::mem::take(&mut broker.persistence_mut().is_replaced) {
            self.begin_anew_soon(broker, now);
        }
        let policy = self.policy(broker);
        let is_always = policy == FsyncPolicy::Always;
        let must_wait = self.trouble.is_some()
            || matches!(self.stage, Stage::Closing { .. })
            || (is_always && !self.may_sync_changes(now));
        let may_gather =
            is_always && !must_wait && !self.pending.is_empty() && self.syncs.is_empty();
        let gathers = may_gather && self.gathering.goes_on(is_busy, now);
        if !gathers {
            self.gathering.stop();
        }
        if self.may_close() {
            self.close_increment(broker, now)?;
        } else if self.pending.is_empty() {
            broker.release_changed();
        } else if must_wait || gathers {
            broker.hold_changed();
        } else if self.write(broker, false, now)? {
            self.answer(broker, now);
        }
        self.retry(broker, now)?;
        self.sync_if_due(broker, policy, now);
        self.advance_rewrite(broker, now);
        self.keep_space(broker, now);
        self.report(broker);
        Ok(())
    }

    /// The next job, to be run elsewhere; pass its result to `finish`. Syncs may run concurrently and in
    /// any order; all others run one after another, in this order.
    pub fn next_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    pub(super) fn add_job(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Whether so much waits to be written that no more input may be read. False while changes are
    /// refused: then there are only reads.
    pub fn is_full(&self, broker: &Broker) -> bool {
        self.trouble.is_none()
            && self.pending.len() as u64 > broker.settings().append_buffer_bytes_max
    }

    /// Whether a sync is in progress.
    pub(super) fn is_syncing(&self) -> bool {
        !self.syncs.is_empty()
    }

    /// Whether another sync may begin.
    pub(super) fn may_sync(&self) -> bool {
        self.syncs.len() < SYNCS_MAX
    }

    /// Whether everything covered by this sync is durable.
    pub(super) fn has_synced(&self, sync: u64) -> bool {
        self.synced >= sync
    }

    /// Whether changes may have their own sync now.
    fn may_sync_changes(&self, now: Now) -> bool {
        self.has_free_sync() && self.overlap_us().is_none_or(|at| at <= now.monotonic_us)
    }

    /// Whether fewer syncs are in progress than changes may have. One is left for closing a file, which
    /// must not wait for ever.
    pub(super) fn has_free_sync(&self) -> bool {
        let is_one_kept = matches!(self.stage, Stage::Prepared { .. });
        self.syncs.len() < SYNCS_MAX - usize::from(is_one_kept)
    }

    /// When another sync begins because those in progress take too long; `None` if there are none.
    pub(super) fn overlap_us(&self) -> Option<u64> {
        self.syncs.iter().map(|sync| sync.begun_us + OVERLAP_US).max()
    }

    /// Passes the pending changes to the system, as the last batch of the file or as any other. False if
    /// that failed and nothing of it remains; then their clients wait.
    pub(super) fn write(
        &mut self,
        broker: &mut Broker,
        is_last: bool,
        now: Now,
    ) -> Result<bool, JournalError> {
        let was_synced = self.is_synced();
        let preallocate_bytes = self.preallocate_bytes(broker);
        let written = match is_last {
            false => self.tail.append(&mut self.pending, preallocate_bytes),
            true => self.tail.append_last(&mut self.pending),
        };
        match written {
            Ok(()) => {
                self.pending.shrink_to(KEPT_BUFFER_BYTES_MAX);
                self.changes_end = self.tail.end();
                self.written_stream_bytes = broker.stream_offset();
                self.is_vouched_for = false;
                if was_synced {
                    self.sync_us = now.monotonic_us + SYNC_INTERVAL_US;
                }
                self.recover(broker);
                Ok(true)
            }
            Err(error) => {
                broker.hold_changed();
                self.handle_failed_write(broker, error, now)?;
                Ok(false)
            }
        }
    }

    /// How much space to preallocate after the pending batch, if the batch itself finds none: only where
    /// a sync is waited for, and where it costs little compared to the batch.
    fn preallocate_bytes(&self, broker: &Broker) -> usize {
        let settings = broker.settings();
        let bytes = settings.append_room_bytes as usize;
        let is_small = self.pending.len() <= bytes / BATCHES_PREALLOCATED_MIN;
        if self.policy(broker) == FsyncPolicy::Always && is_small { bytes } else { 0 }
    }

    /// All changes are written: by the current policy, their replies are sent or wait for a sync.
    fn answer(&mut self, broker: &mut Broker, now: Now) {
        if self.policy(broker) == FsyncPolicy::Always {
            broker.hold_changed();
            self.sync_for_held(broker, now);
        } else {
            self.release(broker);
        }
    }

    /// Sends all replies: of this turn, and of earlier ones that waited for a file to be closed or for
    /// space.
    fn release(&mut self, broker: &mut Broker) {
        broker.release_changed();
        if broker.has_held() {
            broker.release_written();
        }
    }

    /// Like `sync`, for replies that were held until now: everything is written.
    pub(super) fn sync_for_held(&mut self, broker: &mut Broker, now: Now) -> u64 {
        assert!(self.pending.is_empty(), "a reply would wait for the wrong sync");
        let sync = self.sync(now);
        broker.begin_sync(sync);
        sync
    }

    /// Tells the broker of a sync, unless it leaves out changes, or the files are not those that a start would
    /// load.
    fn report_sync(&self, broker: &mut Broker, sync: u64) {
        if self.pending.is_empty() && self.is_named {
            broker.begin_sync(sync);
        }
    }

    /// Has a job sync everything written. Returns the number of the sync.
    pub(super) fn sync(&mut self, now: Now) -> u64 {
        self.last_sync += 1;
        let sync = self.last_sync;
        // Each sync needs its own open file until its result is known: a failure is reported only once
        // to each.
        let is_free = |slot: &usize| self.syncs.iter().all(|other| other.slot != *slot);
        let slot = (0..SYNCS_MAX).find(is_free).expect("callers see to it that one is free");
        let (begun_us, stream_bytes) = (now.monotonic_us, self.written_stream_bytes);
        self.syncs.push(Sync { sync, slot, begun_us, stream_bytes });
        let file = Arc::clone(&self.tail.sync_files[slot]);
        self.add_job(Job::Sync { file, slot, sync, end: self.tail.end() });
        sync
    }

    /// After a failed write: cuts off the written part of the batch.
    fn handle_failed_write(
        &mut self,
        broker: &mut Broker,
        error: io::Error,
        now: Now,
    ) -> Result<(), JournalError> {
        self.stop_if_promised(broker, &error)?;
        let retry_us = now.monotonic_us + RETRY_US;
        if self.cut_off(broker, &error, now) {
            if self.trouble.is_none() && self.is_named {
                let file = &self.tail.entry.name;
                warn!("{file}: {error}: changes are refused until it can be written to");
                broker.persistence_mut().write_error = Some(reason(&error));
            }
            self.trouble = Some(Trouble::Unwritten { retry_us });
        }
        Ok(())
    }

    /// Cuts off the written part of a batch, which `error` ended. False if that fails too: then the file
    /// is no longer trusted.
    fn cut_off(&mut self, broker: &mut Broker, error: &io::Error, now: Now) -> bool {
        let cut = self.tail.cut_off();
        if let Err(second) = &cut {
            let why = format!("{error}; and the written part cannot be cut off: {second}");
            self.distrust(broker, &why, now);
        }
        cut.is_ok()
    }

    /// With `always`, a failure stops the server.
    fn stop_if_promised(&self, broker: &Broker, error: &io::Error) -> Result<(), JournalError> {
        if self.policy(broker) != FsyncPolicy::Always {
            return Ok(());
        }
        let error = io::Error::new(error.kind(), error.to_string());
        let file = self.tail.entry.name.clone();
        Err(JournalError { file, error, consequence: NO_PROMISE })
    }

    /// Ends the trouble after a failed write, if there is one.
    fn recover(&mut self, broker: &mut Broker) {
        if self.trouble.take().is_some() {
            info!("{}: can be written to again", self.tail.entry.name);
            broker.persistence_mut().write_error = None;
        }
    }

    /// Retries a failed write.
    fn retry(&mut self, broker: &mut Broker, now: Now) -> Result<(), JournalError> {
        let is_due = matches!(self.trouble, Some(Trouble::Unwritten { retry_us })
            if retry_us <= now.monotonic_us);
        if is_due && !self.may_sync() {
            // If the policy is `always` now, the replies will need a sync.
            self.trouble = Some(Trouble::Unwritten { retry_us: now.monotonic_us + RETRY_US });
        } else if is_due && self.write(broker, false, now)? {
            self.answer(broker, now);
        }
        Ok(())
    }

    pub(super) fn is_synced(&self) -> bool {
        self.tail.durable >= self.changes_end
    }

    /// Whether the last batch with changes is durable but no batch records it yet.
    pub(super) fn wants_vouching(&self) -> bool {
        self.is_synced() && !self.is_vouched_for
    }

    pub(super) fn wants_sync(&self, policy: FsyncPolicy) -> bool {
        policy != FsyncPolicy::No && !self.is_synced()
    }

    /// Once a second: syncs the latest changes, or records in the file that the last ones are durable.
    /// Only bytes recorded as durable are distinguished from a torn tail.
    fn sync_if_due(&mut self, broker: &mut Broker, policy: FsyncPolicy, now: Now) {
        let is_possible = self.trouble.is_none() && !matches!(self.stage, Stage::Closing { .. });
        if self.sync_us > now.monotonic_us || !is_possible {
            return;
        }
        if self.wants_sync(policy) {
            if self.syncs.is_empty() {
                let sync = self.sync(now);
                self.report_sync(broker, sync);
            } else {
                self.is_overdue = true;
                broker.persistence_mut().delayed_syncs += 1;
            }
            self.sync_us = now.monotonic_us + SYNC_INTERVAL_US;
        } else if self.wants_vouching() && self.syncs.is_empty() {
            self.vouch(broker, now);
        }
    }

    /// Appends an empty batch, which records what is durable.
    fn vouch(&mut self, broker: &mut Broker, now: Now) {
        self.is_vouched_for = true;
        if let Err(error) = self.tail.append(&mut Vec::new(), 0) {
            self.cut_off(broker, &error, now);
        }
    }

    /// Handles the result of a job.
    pub fn finish(
        &mut self,
        done: Done,
        broker: &mut Broker,
        now: Now,
    ) -> Result<(), JournalError> {
        match done {
            Done::Synced { sync, end, result: Ok(()) } => {
                self.finish_sync_to(broker, sync, end, now)
            }
            // Results for a file that was closed and is durable, or is no longer trusted, do not matter.
            Done::Synced { result: Err(error), sync, .. } if self.has_begun(sync) => {
                self.stop_if_promised(broker, &error)?;
                self.syncs.clear();
                broker.fail_syncs();
                self.distrust(broker, &format!("cannot be synced: {error}"), now);
            }
            Done::Synced { result: Err(_), .. } => {}
            other => self.finish_rewrite_job(other, broker, now),
        }
        self.report(broker);
        Ok(())
    }

    /// Whether this is one of the tail's syncs in progress.
    fn has_begun(&self, sync: u64) -> bool {
        self.syncs.iter().any(|other| other.sync == sync)
    }

    fn finish_sync_to(&mut self, broker: &mut Broker, sync: u64, end: u64, now: Now) {
        // For a file that is no longer written to, or was found to be broken meanwhile.
        let Some(at) = self.syncs.iter().position(|other| other.sync == sync) else { return };
        let done = self.syncs.swap_remove(at);
        broker.mark_stream_durable(done.stream_bytes);
        let took_us = now.monotonic_us.saturating_sub(done.begun_us);
        broker.persistence_mut().sync_times.add(took_us);
        // Bytes covered by earlier ones were written before this one began.
        self.synced = self.synced.max(sync);
        self.tail.durable = self.tail.durable.max(end);
        // Later changes are due a second after this sync began, which may be over.
        if self.is_synced() {
            self.sync_us = now.monotonic_us + SYNC_INTERVAL_US;
        } else if self.is_overdue {
            self.sync_us = now.monotonic_us;
        }
        self.is_overdue = false;
        broker.finish_sync(sync);
        self.switch_if_closed(sync);
    }

    /// Continues with another file. The syncs of the previous one no longer matter.
    pub(super) fn switch_to(&mut self, tail: Tail) {
        self.syncs.clear();
        self.changes_end = tail.durable;
        self.is_vouched_for = true;
        self.tail = tail;
    }

    /// Records that the content of the tail is unknown: changes are refused until all data has been
    /// rewritten.
    pub(super) fn distrust(&mut self, broker: &mut Broker, why: &str, now: Now) {
        if self.is_named {
            let file = &self.tail.entry.name;
            warn!("{file}: {why}: changes are refused until all data is rewritten");
            broker.persistence_mut().write_error = Some(why.to_string());
        }
        self.trouble = Some(Trouble::Distrust { retry_us: now.monotonic_us });
        self.doom_rewrite(broker);
    }

    /// Whether changes cannot be written, so that their replies would never be sent.
    pub fn is_stuck(&self) -> bool {
        self.trouble.is_some()
    }

    /// Writes and syncs pending changes, when nothing is served any more and no job is in progress.
    pub fn close(mut self, broker: &mut Broker) -> Result<(), JournalError> {
        // On a full disk even a note would be too much.
        if self.trouble.is_none() {
            broker.record_stop();
        }
        broker.take_effects(&self.reader, &mut self.pending);
        broker.end_effects(self.reader);
        let file = self.tail.entry.name.clone();
        let failed = |error| JournalError { file, error, consequence: NOT_WRITTEN };
        if self.is_replaced {
            warn!("append files: they have the data from before the last full sync");
            return Ok(());
        }
        if let Some(Trouble::Distrust { .. }) = self.trouble {
            return Err(failed(io::Error::other("cannot be trusted, and was not rewritten")));
        }
        self.tail.close(&mut self.pending).map_err(failed)
    }

    /// Updates the figures of INFO.
    pub(super) fn report(&self, broker: &mut Broker) {
        let persistence = broker.persistence_mut();
        persistence.current_bytes = self.other_bytes + self.tail.end();
        persistence.base_bytes = self.base_bytes;
        persistence.pending_bytes = self.pending.len() as u64;
        persistence.pending_syncs = self.syncs.len() as u32;
        persistence.is_rewriting = !self.stage.is_idle();
        if self.stage.is_idle() {
            persistence.snapshot.release(SnapshotUse::Rewrite);
        }
    }
}
