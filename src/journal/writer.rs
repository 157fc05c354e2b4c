//! The journal at work: it takes the changes of each turn, sees to it that they are as durable as
//! `appendfsync` promises before their replies leave, and has the files written anew.
//!
//! It never waits for the disk: a turn's batch is handed to the system in the turn, and everything
//! else is a [`Job`] for another thread; see [`Journal::next_job`] and [`Journal::finish`].
//!
//! What it promises, by policy:
//!
//! - `always`: replies to what changed data are held until a sync returned that began after its
//!   batch was written. What comes meanwhile waits for the next, which begins when nothing more
//!   comes: the busier it is, the more one sync serves. If the disk is slow, a few overlap. If a
//!   write or a sync fails, [`JournalError`]: the server must stop, since nobody knows what is
//!   durable.
//! - `everysec`: the batch is written before the replies leave, and synced within a second.
//! - `no`: the batch is written before the replies leave.
//!
//! A full disk is met before a change is made: see `space`. If a write fails all the same, without
//! `always`, what was written in part is cut off, the replies of that turn are held, and commands that change data are refused until it succeeds. If a file cannot be
//! trusted any more, they are refused until all data has been written anew.

use super::gathering::Gathering;
use super::job::{Done, Job, SYNCS_MAX};
use super::manifest::Manifest;
use super::stage::Stage;
use super::tail::Tail;
use crate::broker::Broker;
use crate::clock::Now;
use crate::settings::FsyncPolicy;
use log::{info, warn};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// How long after a change it is synced, with `everysec`; and how long after the last sync the file
/// is told that it is durable.
const SYNC_INTERVAL_US: u64 = 1_000_000;

/// How long after a failure the next attempt is made.
pub(super) const RETRY_US: u64 = 100_000;

/// How long a sync may take until the next one is not waited for. Where syncs are quick, one after
/// the other serves more clients each, and costs less; on a slow disk, several at once have it do
/// more in the same time.
const OVERLAP_US: u64 = 1_000;

/// A batch gets room behind it only if that is room for so many like it: the bytes are written twice,
/// so that syncs are shorter.
const BATCHES_IN_ROOM_MIN: usize = 16;

/// A buffer that a burst made larger than this is not kept.
const KEPT_BUFFER_BYTES_MAX: usize = 4 << 20;

/// A promise cannot be kept: the server must stop.
#[derive(Debug, Error)]
#[error("{file}: {error}: {consequence}")]
pub struct JournalError {
    /// The append file.
    file: String,
    /// What the system said.
    #[source]
    error: io::Error,
    /// What that means.
    consequence: &'static str,
}

/// What a failure means while the server runs, and when it ends.
const NO_PROMISE: &str = "with appendfsync always nothing more can be promised, so this is the end";
const NOT_WRITTEN: &str =
    "what changed last is not written; nobody was told that it was, and it is gone";

/// Why changes are refused.
pub(super) enum Trouble {
    /// The last batch could not be written, and is tried again.
    Unwritten { retry_us: u64 },
    /// The file cannot be trusted: all data is written anew, or will be.
    Distrust { retry_us: u64 },
}

/// A sync under way.
struct Sync {
    /// Its number.
    sync: u64,
    /// Which of the tail's `sync_files` it has.
    slot: usize,
    /// When it began, in microseconds of the monotonic clock.
    begun_us: u64,
}

/// The append files of a running broker.
pub struct Journal {
    /// What the names of the files begin with.
    pub(super) prefix: String,
    /// Whether the manifest on the disk names the files that are written: see `run_time`.
    pub(super) is_named: bool,
    pub(super) manifest: Manifest,
    pub(super) tail: Tail,
    /// Changes that no file has yet.
    pub(super) pending: Vec<u8>,
    pub(super) gathering: Gathering,
    /// Where the last batch with a change ends in the tail: what is behind it need not be synced.
    changes_end: u64,
    /// The syncs of the tail that are under way.
    syncs: Vec<Sync>,
    /// The highest number of one of them that has ended well.
    synced: u64,
    /// The number of the last sync.
    pub(super) last_sync: u64,
    /// When the tail is to be synced, or told that it was.
    pub(super) sync_us: u64,
    /// Whether a sync was due while the one before had not ended.
    is_overdue: bool,
    /// Whether a batch says that the last one with changes is durable.
    is_vouched_for: bool,
    pub(super) trouble: Option<Trouble>,
    /// When space is looked for again, if there is none for changes.
    pub(super) shortage_us: Option<u64>,
    /// Whether space can be kept here at all.
    pub(super) can_keep_space: bool,
    pub(super) stage: Stage,
    /// Whether the rewrite under way is of no use any more.
    pub(super) is_doomed: bool,
    /// Bytes of all files but the tail.
    pub(super) other_bytes: u64,
    /// Bytes of the base file.
    pub(super) base_bytes: u64,
    /// Whether a rewrite is needed to make all files our own.
    pub(super) must_rewrite: bool,
    /// Before this no rewrite begins by itself, since one has failed.
    pub(super) rewrite_us: u64,
    jobs: VecDeque<Job>,
}

/// What the journal begins with: what the loader found.
pub struct Start {
    /// The manifest.
    pub manifest: Manifest,
    /// The file to append to.
    pub tail: Tail,
    /// Bytes of the base file.
    pub base_bytes: u64,
    /// Bytes of all files but the tail.
    pub other_bytes: u64,
    /// Whether there is something in the files that only a rewrite makes our own.
    pub wants_rewrite: bool,
}

impl Journal {
    /// Begins to record what changes in the broker, whose data is that of the files.
    pub fn begin(prefix: &str, start: Start, broker: &mut Broker, now: Now) -> Journal {
        broker.record_effects(true);
        broker.end_replay(now);
        broker.persistence_mut().is_on = true;
        let mut journal = Journal::new(prefix, start);
        if !journal.manifest.history.is_empty() {
            journal.delete_history();
        }
        journal.keep_space(broker, now);
        journal.report(broker);
        journal
    }

    pub(super) fn new(prefix: &str, start: Start) -> Journal {
        Journal {
            prefix: prefix.to_string(),
            is_named: true,
            changes_end: start.tail.durable,
            manifest: start.manifest,
            tail: start.tail,
            pending: Vec::new(),
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
            is_doomed: false,
            other_bytes: start.other_bytes,
            base_bytes: start.base_bytes,
            must_rewrite: start.wants_rewrite,
            rewrite_us: 0,
            jobs: VecDeque::new(),
        }
    }

    /// Takes what changed in this turn. To be called when everything of a turn has run, and before
    /// any reply is sent; `Broker::sendable` then says what may be. `is_busy` says whether anything
    /// came in this turn, so that more is likely to.
    pub fn commit(
        &mut self,
        broker: &mut Broker,
        is_busy: bool,
        now: Now,
    ) -> Result<(), JournalError> {
        broker.take_effects(&mut self.pending);
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

    /// The next job, to be run elsewhere; what comes of it is given to `finish`. Syncs may be run at
    /// once and in any order, all others one after the other in this order.
    pub fn next_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    pub(super) fn add_job(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Whether so much waits to be written that no more may be taken in. Not while changes are
    /// refused: then only reads come.
    pub fn is_full(&self, broker: &Broker) -> bool {
        self.trouble.is_none()
            && self.pending.len() as u64 > broker.settings().append_buffer_bytes_max
    }

    /// Whether any sync is under way.
    pub(super) fn is_syncing(&self) -> bool {
        !self.syncs.is_empty()
    }

    /// Whether one more may be begun.
    pub(super) fn may_sync(&self) -> bool {
        self.syncs.len() < SYNCS_MAX
    }

    /// Whether what this sync covers is durable.
    pub(super) fn has_synced(&self, sync: u64) -> bool {
        self.synced >= sync
    }

    /// Whether changes may have a sync of their own now.
    fn may_sync_changes(&self, now: Now) -> bool {
        self.has_free_sync() && self.overlap_us().is_none_or(|at| at <= now.monotonic_us)
    }

    /// Whether fewer syncs are under way than changes may have. One is left for a file that is to be
    /// closed, which must not wait for ever.
    pub(super) fn has_free_sync(&self) -> bool {
        let is_one_kept = matches!(self.stage, Stage::Prepared { .. });
        self.syncs.len() < SYNCS_MAX - usize::from(is_one_kept)
    }

    /// When the syncs under way have taken so long that another one is begun beside them; none if
    /// there are none.
    pub(super) fn overlap_us(&self) -> Option<u64> {
        self.syncs.iter().map(|sync| sync.begun_us + OVERLAP_US).max()
    }

    /// Hands the pending changes to the system, as the last batch of the file or as one of many.
    /// False if that failed, and nothing of it is there; then whoever made them waits.
    pub(super) fn write(
        &mut self,
        broker: &mut Broker,
        is_last: bool,
        now: Now,
    ) -> Result<bool, JournalError> {
        let was_synced = self.is_synced();
        let room_bytes = self.room_bytes(broker);
        let written = match is_last {
            false => self.tail.append(&mut self.pending, room_bytes),
            true => self.tail.append_last(&mut self.pending),
        };
        match written {
            Ok(()) => {
                self.pending.shrink_to(KEPT_BUFFER_BYTES_MAX);
                self.changes_end = self.tail.end();
                self.is_vouched_for = false;
                if was_synced {
                    self.sync_us = now.monotonic_us + SYNC_INTERVAL_US;
                }
                self.recover(broker);
                Ok(true)
            }
            Err(error) => {
                broker.hold_changed();
                self.note_failed_write(broker, error, now)?;
                Ok(false)
            }
        }
    }

    /// How much room the pending batch is to have behind it, if there is none for itself: where a
    /// sync is waited for, and as long as that costs little beside what is written anyway.
    fn room_bytes(&self, broker: &Broker) -> usize {
        let settings = broker.settings();
        let bytes = settings.append_room_bytes as usize;
        let is_small = self.pending.len() <= bytes / BATCHES_IN_ROOM_MIN;
        if self.policy(broker) == FsyncPolicy::Always && is_small { bytes } else { 0 }
    }

    /// All changes are written: as the policy is now, their replies may go or wait for a sync.
    fn answer(&mut self, broker: &mut Broker, now: Now) {
        if self.policy(broker) == FsyncPolicy::Always {
            broker.hold_changed();
            self.sync_for_held(broker, now);
        } else {
            self.release(broker);
        }
    }

    /// Lets all replies go: of this turn, and of those before who waited for a file to be closed or
    /// for space.
    fn release(&mut self, broker: &mut Broker) {
        broker.release_changed();
        if broker.has_held() {
            self.last_sync += 1;
            broker.begin_sync(self.last_sync);
            broker.finish_sync(self.last_sync);
        }
    }

    /// As `sync`, and the replies that were held until now wait for it: everything is written.
    pub(super) fn sync_for_held(&mut self, broker: &mut Broker, now: Now) -> u64 {
        assert!(self.pending.is_empty(), "a reply would wait for the wrong sync");
        let sync = self.sync(now);
        broker.begin_sync(sync);
        sync
    }

    /// Has all that is written synced, by a job. Gives the number of the sync.
    pub(super) fn sync(&mut self, now: Now) -> u64 {
        self.last_sync += 1;
        let sync = self.last_sync;
        // Each has the file open for itself until it is known how it ended: a failure is told to
        // each but once.
        let is_free = |slot: &usize| self.syncs.iter().all(|other| other.slot != *slot);
        let slot = (0..SYNCS_MAX).find(is_free).expect("callers see to it that one is free");
        self.syncs.push(Sync { sync, slot, begun_us: now.monotonic_us });
        let file = Arc::clone(&self.tail.sync_files[slot]);
        self.add_job(Job::Sync { file, slot, sync, end: self.tail.end() });
        sync
    }

    /// After a write that failed: what was written of the batch is cut off again.
    fn note_failed_write(
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

    /// Cuts off what was written of a batch, which `error` ended. False if that fails too: then the
    /// file is not trusted any more.
    fn cut_off(&mut self, broker: &mut Broker, error: &io::Error, now: Now) -> bool {
        let cut = self.tail.cut_off();
        if let Err(second) = &cut {
            let why = format!("{error}; and what was written of it cannot be cut off: {second}");
            self.distrust(broker, &why, now);
        }
        cut.is_ok()
    }

    /// With `always` a failure is the end.
    fn stop_if_promised(&self, broker: &Broker, error: &io::Error) -> Result<(), JournalError> {
        if self.policy(broker) != FsyncPolicy::Always {
            return Ok(());
        }
        let error = io::Error::new(error.kind(), error.to_string());
        let file = self.tail.entry.name.clone();
        Err(JournalError { file, error, consequence: NO_PROMISE })
    }

    /// Ends what `note_failed_write` began, if it did.
    fn recover(&mut self, broker: &mut Broker) {
        if self.trouble.take().is_some() {
            info!("{}: can be written to again", self.tail.entry.name);
            broker.persistence_mut().write_error = None;
        }
    }

    /// Tries again what could not be written.
    fn retry(&mut self, broker: &mut Broker, now: Now) -> Result<(), JournalError> {
        let is_due = matches!(self.trouble, Some(Trouble::Unwritten { retry_us })
            if retry_us <= now.monotonic_us);
        if is_due && !self.may_sync() {
            // If the policy is `always` now, the replies will want one.
            self.trouble = Some(Trouble::Unwritten { retry_us: now.monotonic_us + RETRY_US });
        } else if is_due && self.write(broker, false, now)? {
            self.answer(broker, now);
        }
        Ok(())
    }

    pub(super) fn is_synced(&self) -> bool {
        self.tail.durable >= self.changes_end
    }

    /// Whether no batch says yet that the last one with changes is durable, as it is.
    pub(super) fn wants_vouching(&self) -> bool {
        self.is_synced() && !self.is_vouched_for
    }

    pub(super) fn wants_sync(&self, policy: FsyncPolicy) -> bool {
        policy != FsyncPolicy::No && !self.is_synced()
    }

    /// Once a second: syncs what was written since the last time; and when nothing was, says so in
    /// the file, since only what is known to have been durable is told from a torn tail.
    fn sync_if_due(&mut self, broker: &mut Broker, policy: FsyncPolicy, now: Now) {
        let is_possible = self.trouble.is_none() && !matches!(self.stage, Stage::Closing { .. });
        if self.sync_us > now.monotonic_us || !is_possible {
            return;
        }
        if self.wants_sync(policy) {
            if self.syncs.is_empty() {
                self.sync(now);
            } else {
                self.is_overdue = true;
                broker.persistence_mut().delayed_syncs += 1;
            }
            self.sync_us = now.monotonic_us + SYNC_INTERVAL_US;
        } else if self.wants_vouching() && self.syncs.is_empty() {
            self.vouch(broker, now);
        }
    }

    /// Appends an empty batch, which says what is durable.
    fn vouch(&mut self, broker: &mut Broker, now: Now) {
        self.is_vouched_for = true;
        if let Err(error) = self.tail.append(&mut Vec::new(), 0) {
            self.cut_off(broker, &error, now);
        }
    }

    /// Takes what came of a job.
    pub fn finish(
        &mut self,
        done: Done,
        broker: &mut Broker,
        now: Now,
    ) -> Result<(), JournalError> {
        match done {
            Done::Synced { sync, end, result: Ok(()) } => self.note_synced(broker, sync, end, now),
            // One of a file that was closed and is durable, or is not trusted any more, says nothing.
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

    /// Whether this sync is one of those of the tail that are under way.
    fn has_begun(&self, sync: u64) -> bool {
        self.syncs.iter().any(|other| other.sync == sync)
    }

    fn note_synced(&mut self, broker: &mut Broker, sync: u64, end: u64, now: Now) {
        // Of a file that is not written to any more, or was found to be broken meanwhile.
        let Some(at) = self.syncs.iter().position(|other| other.sync == sync) else { return };
        self.syncs.swap_remove(at);
        // What earlier ones cover was written before this one began.
        self.synced = self.synced.max(sync);
        self.tail.durable = self.tail.durable.max(end);
        // What changed meanwhile is due a second after this one began, which may be over.
        if self.is_synced() {
            self.sync_us = now.monotonic_us + SYNC_INTERVAL_US;
        } else if self.is_overdue {
            self.sync_us = now.monotonic_us;
        }
        self.is_overdue = false;
        broker.finish_sync(sync);
        self.switch_if_closed(sync);
    }

    /// Goes on with another file. Syncs of the one before that are still under way do not matter
    /// any more.
    pub(super) fn switch_to(&mut self, tail: Tail) {
        self.syncs.clear();
        self.changes_end = tail.durable;
        self.is_vouched_for = true;
        self.tail = tail;
    }

    /// Notes that nobody knows what the tail holds: changes are refused until all data has been
    /// written anew.
    pub(super) fn distrust(&mut self, broker: &mut Broker, why: &str, now: Now) {
        if self.is_named {
            let file = &self.tail.entry.name;
            warn!("{file}: {why}: changes are refused until all data is written anew");
            broker.persistence_mut().write_error = Some(why.to_string());
        }
        self.trouble = Some(Trouble::Distrust { retry_us: now.monotonic_us });
        self.doom_rewrite(broker);
    }

    /// Whether changes that were made cannot be written, so that their replies wait in vain.
    pub fn is_stuck(&self) -> bool {
        self.trouble.is_some()
    }

    /// Writes and syncs what is left, when nothing is served any more and no job is under way.
    pub fn close(mut self, broker: &mut Broker) -> Result<(), JournalError> {
        broker.take_effects(&mut self.pending);
        let file = self.tail.entry.name.clone();
        let failed = |error| JournalError { file, error, consequence: NOT_WRITTEN };
        if let Some(Trouble::Distrust { .. }) = self.trouble {
            return Err(failed(io::Error::other("cannot be trusted, and was not written anew")));
        }
        let closed = self.tail.close(&mut self.pending);
        closed.map_err(failed)
    }

    /// What INFO shows.
    pub(super) fn report(&self, broker: &mut Broker) {
        let persistence = broker.persistence_mut();
        persistence.current_bytes = self.other_bytes + self.tail.end();
        persistence.base_bytes = self.base_bytes;
        persistence.pending_bytes = self.pending.len() as u64;
        persistence.pending_syncs = self.syncs.len() as u32;
        persistence.is_rewriting = !self.stage.is_idle();
    }
}

/// What the system said, without the number that Rust adds: Redis' text for clients.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
