//! Reads one append file from start to end: our batches, another program's commands, and the meaning of
//! a break.

use super::batch::{Next, Reason, TRAILER_BYTES, first_chain, is_opening, next_batch};
use super::error::LoadError;
use super::files::Directory;
use super::foreign::{Unit, goes_on, has_whole_unit, next_unit};
use super::manifest::Entry;
use super::rest::{Lengths, Rest, Verdict};
use super::skim::Skimmer;
use crate::rdb;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;

/// Up to this many bytes of a batch are held before checking that it is whole: a damaged length may
/// claim the rest of the file, however long.
const UNASKED_BYTES: usize = 16 << 20;

/// Which imperfections are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Leniency {
    /// A torn tail, which is cut off.
    pub torn: bool,
    /// Commands appended by another program, which are used as they are.
    pub unverified: bool,
}

/// How one file ended.
#[derive(Clone, Debug)]
pub struct FileEnd {
    /// The file.
    pub entry: Entry,
    /// Whole bytes.
    pub kept: u64,
    /// Bytes after those: a torn tail.
    pub torn: u64,
    /// Bytes after those: preallocated space.
    pub preallocated: u64,
    /// The checksum to continue with after the kept bytes; `None` if they are not all ours.
    pub chain: Option<u32>,
    /// Whether its last batch is of the finished kind.
    pub is_finished: bool,
    /// Whether it has anything besides an opening.
    pub has_data: bool,
    /// Whole batches.
    pub batches: u64,
    /// Bytes in the RDB format, at the beginning of another program's file.
    pub rdb_bytes: u64,
    /// Why it is torn.
    pub reason: String,
}

impl FileEnd {
    /// Durable data is missing; `proof` says how that is known.
    pub(super) fn damage(&self, proof: &str) -> LoadError {
        let reason = match self.reason.as_str() {
            "" => "the last batches are missing",
            reason => reason,
        };
        LoadError::Damage {
            file: self.entry.name.clone(),
            at: self.kept,
            reason: reason.to_string(),
            proof: proof.to_string(),
        }
    }
}

/// A file being read.
pub(super) struct OpenFile {
    directory: Arc<dyn Directory>,
    reader: Box<dyn Read + Send>,
    /// Bytes that were read and not yet dropped.
    pub window: Vec<u8>,
    /// Up to here the window is done; this is byte `end.kept` of the file.
    start: usize,
    /// The window may grow up to this byte of the file, whatever its size: the next item is whole there.
    whole_at: u64,
    is_at_end: bool,
    /// Whether the next bytes are in the RDB format.
    is_in_rdb: bool,
    /// The checksum before the last batch.
    pub chain_before: u32,
    /// How the file ends, as far as it was read. Without a `chain`, the next commands are another
    /// program's.
    pub end: FileEnd,
}

/// The next step.
pub(super) enum Step {
    Commands {
        range: Range<usize>,
        at: u64,
    },
    /// As `Piece::Rdb`.
    Rdb {
        range: Range<usize>,
        at: u64,
    },
    /// The file has ended, whole or torn.
    FileEnd,
}

impl OpenFile {
    pub(super) fn open(
        directory: &Arc<dyn Directory>,
        entry: Entry,
    ) -> Result<OpenFile, LoadError> {
        let reader = directory.read(&entry.name, 0).map_err(|e| LoadError::io(&entry.name, e))?;
        let chain = first_chain(&entry.name);
        let end = FileEnd {
            entry,
            kept: 0,
            torn: 0,
            preallocated: 0,
            chain: Some(chain),
            is_finished: false,
            has_data: false,
            batches: 0,
            rdb_bytes: 0,
            reason: String::new(),
        };
        Ok(OpenFile {
            directory: Arc::clone(directory),
            reader,
            window: Vec::new(),
            start: 0,
            whole_at: 0,
            is_at_end: false,
            is_in_rdb: false,
            chain_before: chain,
            end,
        })
    }

    /// Continues to the next commands, or to the end. `has_batches`: whether an earlier file is ours.
    pub(super) fn step(
        &mut self,
        leniency: Leniency,
        has_batches: bool,
    ) -> Result<Step, LoadError> {
        loop {
            if self.is_in_rdb {
                return self.rdb_step();
            }
            let (Some(chain), at) = (self.end.chain, self.end.kept) else {
                if let Some(step) = self.foreign_step(leniency)? {
                    return Ok(step);
                }
                continue;
            };
            if self.end.is_finished {
                return self.end_of_finished(leniency);
            }
            if at == 0 && !self.end.entry.is_checked && self.is_of_another_program()? {
                self.begin_foreign(leniency, has_batches)?;
                continue;
            }
            match next_batch(&self.window[self.start..], at, chain) {
                Next::Batch(batch) => {
                    let range = self.start..self.start + batch.commands.len();
                    let bytes = (batch.end - at) as usize;
                    self.chain_before = chain;
                    self.end.chain = Some(batch.chain);
                    self.end.is_finished = batch.is_last;
                    self.end.batches += 1;
                    self.advance(bytes);
                    return Ok(Step::Commands { range, at });
                }
                Next::End if !self.is_at_end => self.read_more()?,
                Next::End if at > 0 => return Ok(Step::FileEnd),
                Next::End => self.break_off("the file is empty".into(), leniency, has_batches)?,
                Next::Partial => {
                    if !self.is_at_end && self.may_grow(OpenFile::end_of_whole_batch)? {
                        self.read_more()?;
                        continue;
                    }
                    if at > 0 && self.has_only_preallocated()? {
                        return Ok(Step::FileEnd);
                    }
                    let reason = match self.is_at_end {
                        true => "the file ends in the middle of a batch",
                        false => "the batch that begins here is nowhere whole",
                    };
                    self.break_off(reason.into(), leniency, has_batches)?;
                }
                Next::Broken { at, reason } => {
                    self.break_off(describe(at, &reason), leniency, has_batches)?;
                }
            }
            if self.end.torn > 0 {
                return Ok(Step::FileEnd);
            }
        }
    }

    /// Whether the file has no opening. If it is ours nevertheless, and damaged, it has checksums
    /// further on. These are not commands that change data, so they are refused.
    fn is_of_another_program(&mut self) -> Result<bool, LoadError> {
        while self.window.len() < TRAILER_BYTES && !self.is_at_end {
            self.read_more()?;
        }
        Ok(!is_opening(&self.window))
    }

    fn begin_foreign(&mut self, leniency: Leniency, has_batches: bool) -> Result<(), LoadError> {
        // After one of our files, only another program can have continued without an opening.
        if has_batches {
            return self.go_on_as_foreign(leniency);
        }
        self.end.chain = None;
        self.is_in_rdb = rdb::is_start(&self.window);
        Ok(())
    }

    /// The next bytes in the RDB format.
    fn rdb_step(&mut self) -> Result<Step, LoadError> {
        if self.start == self.window.len() && !self.is_at_end {
            self.read_more()?;
        }
        Ok(Step::Rdb { range: self.start..self.window.len(), at: self.end.kept })
    }

    /// Some of these bytes were read, perhaps up to the end of the format.
    pub(super) fn rdb_read(&mut self, bytes: usize, is_done: bool) {
        self.advance(bytes.min(self.window.len() - self.start));
        self.end.rdb_bytes = self.end.kept;
        self.is_in_rdb = !is_done;
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.end.kept += bytes as u64;
    }

    /// Reads on, after dropping what is done. The window grows while nothing in it is done.
    fn read_more(&mut self) -> Result<(), LoadError> {
        self.window.drain(..self.start);
        self.start = 0;
        let bytes = READ_BYTES.max(self.window.len());
        let mut part = (&mut self.reader).take(bytes as u64);
        let got = part.read_to_end(&mut self.window);
        let got = got.map_err(|error| LoadError::io(&self.end.entry.name, error))?;
        self.is_at_end = got < bytes;
        Ok(())
    }

    /// Whether to read on although the next item is not whole yet. `whole` finds its end: above a
    /// certain size it must be whole somewhere.
    fn may_grow(
        &mut self,
        whole: fn(&OpenFile, u64) -> io::Result<Option<u64>>,
    ) -> Result<bool, LoadError> {
        let held = self.window.len() - self.start;
        let held_to = self.end.kept + held as u64;
        if held < UNASKED_BYTES || held_to < self.whole_at {
            return Ok(true);
        }
        let found = whole(self, held_to).map_err(|error| self.failed(error))?;
        self.whole_at = found.unwrap_or(0);
        Ok(found.is_some())
    }

    /// The end of a batch that begins here and is whole after `held_to`. A shorter one would have been
    /// found, or is part of a message.
    fn end_of_whole_batch(&self, held_to: u64) -> io::Result<Option<u64>> {
        let mut rest = self.rest()?;
        while let Some(batch) = rest.next_batch()? {
            if batch.start == self.end.kept && batch.end > held_to {
                return Ok(Some(batch.end));
            }
        }
        Ok(None)
    }

    /// Another program's commands can only be whole at the end.
    fn end_of_whole_unit(&self, _: u64) -> io::Result<Option<u64>> {
        Ok(has_whole_unit(self.skimmer()?)?.then_some(u64::MAX))
    }

    /// Everything after the part that is done, for a look without holding it.
    fn rest(&self) -> io::Result<Rest<'_>> {
        Rest::begin(&*self.directory, &self.end.entry.name, self.end.kept)
    }

    fn skimmer(&self) -> io::Result<Skimmer> {
        Ok(Skimmer::new(self.directory.read(&self.end.entry.name, self.end.kept)?))
    }

    fn failed(&self, error: io::Error) -> LoadError {
        LoadError::io(&self.end.entry.name, error)
    }

    /// Whether another program wrote some of the rest.
    fn is_continued(&self) -> Result<bool, LoadError> {
        self.skimmer().and_then(goes_on).map_err(|error| self.failed(error))
    }

    /// After the last batch there may be only preallocated space, which need not be durable.
    fn end_of_finished(&mut self, leniency: Leniency) -> Result<Step, LoadError> {
        if self.has_only_preallocated()? {
            return Ok(Step::FileEnd);
        }
        self.end.reason = "something stands behind the last batch".into();
        let later = self.rest().and_then(|mut rest| rest.next_batch());
        if later.map_err(|error| self.failed(error))?.is_some() || self.is_continued()? {
            return Err(self.end.damage("a file that is finished is not written to any more"));
        }
        self.tear(leniency)?;
        Ok(Step::FileEnd)
    }

    /// How much of the rest of the file is preallocated.
    fn lengths(&self) -> Result<Lengths, LoadError> {
        self.rest().and_then(Rest::lengths).map_err(|error| self.failed(error))
    }

    /// Whether the rest of the file is only preallocated space.
    fn has_only_preallocated(&mut self) -> Result<bool, LoadError> {
        let Lengths { torn, preallocated } = self.lengths()?;
        self.end.preallocated = preallocated;
        Ok(torn == 0)
    }

    /// The bytes are not the next batch: finds out what that means.
    fn break_off(
        &mut self,
        reason: String,
        leniency: Leniency,
        has_batches: bool,
    ) -> Result<(), LoadError> {
        self.end.reason = reason;
        let verdict = self.rest().and_then(|mut rest| rest.judge());
        match verdict.map_err(|error| self.failed(error))? {
            Verdict::Damage(later) => {
                let proof = format!(
                    "what was written at byte {} says that {} bytes were durable before",
                    later.start, later.durable
                );
                Err(self.end.damage(&proof))
            }
            Verdict::NoOpening if self.end.entry.is_checked => {
                Err(self.end.damage("the manifest says that the file has checksums"))
            }
            Verdict::NoOpening => self.begin_foreign(leniency, has_batches),
            Verdict::TornTail if self.is_continued()? => self.go_on_as_foreign(leniency),
            Verdict::TornTail => self.tear(leniency),
        }
    }

    fn go_on_as_foreign(&mut self, leniency: Leniency) -> Result<(), LoadError> {
        if !leniency.unverified {
            let file = self.end.entry.name.clone();
            let length = self.directory.length(&file).map_err(|error| self.failed(error))?;
            let at = self.end.kept;
            return Err(LoadError::Unverified { file, at, bytes: length.saturating_sub(at) });
        }
        self.end.chain = None;
        Ok(())
    }

    /// The rest is torn.
    fn tear(&mut self, leniency: Leniency) -> Result<(), LoadError> {
        let Lengths { torn, preallocated } = self.lengths()?;
        (self.end.torn, self.end.preallocated) = (torn, preallocated);
        if leniency.torn {
            return Ok(());
        }
        let FileEnd { entry, kept, reason, .. } = &self.end;
        let (file, at, reason) = (entry.name.clone(), *kept, reason.clone());
        Err(LoadError::Torn { file, at, reason })
    }

    /// The next commands of another program; `None` if more had to be read.
    fn foreign_step(&mut self, leniency: Leniency) -> Result<Option<Step>, LoadError> {
        let rest = &self.window[self.start..];
        let at = self.end.kept;
        match next_unit(rest) {
            Unit::Nothing { end } => {
                self.advance(end);
                Ok(None)
            }
            Unit::Commands { end } => {
                let range = self.start..self.start + end;
                self.advance(end);
                Ok(Some(Step::Commands { range, at }))
            }
            Unit::Partial if !self.is_at_end && self.may_grow(OpenFile::end_of_whole_unit)? => {
                self.read_more().map(|()| None)
            }
            Unit::Partial if self.window.len() == self.start => Ok(Some(Step::FileEnd)),
            Unit::Partial => {
                self.end.reason = "the file ends in the middle of a command or transaction".into();
                self.tear(leniency)?;
                Ok(Some(Step::FileEnd))
            }
            Unit::Wrong { at: position, reason } => {
                let (file, at) = (self.end.entry.name.clone(), at + position as u64);
                Err(LoadError::Command { file, at, reason })
            }
        }
    }
}

fn describe(at: u64, reason: &Reason) -> String {
    format!("{reason} (byte {at})")
}
