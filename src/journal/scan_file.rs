//! Reads one append file from its start to its end: batches of ours, commands of another program, and
//! what it means where neither goes on.

use super::batch::{Next, Reason, TRAILER_BYTES, first_chain, is_opening, next_batch};
use super::error::LoadError;
use super::files::Directory;
use super::foreign::{Unit, goes_on, has_whole_unit, next_unit};
use super::manifest::Entry;
use super::rest::{Lengths, Rest, Verdict};
use super::skim::Skimmer;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// So much of a batch is held before it is asked whether it is whole: a length that was damaged may
/// say that it goes on to the end of a file of any length.
const UNASKED_BYTES: usize = 16 << 20;

/// What a snapshot in Redis' binary format begins with.
pub(super) const RDB_MAGIC: &[u8] = b"REDIS";

/// What is taken although it is not perfect.
#[derive(Clone, Copy, Debug)]
pub struct Leniency {
    /// A torn tail: it is left out.
    pub torn: bool,
    /// What another program appended: it is taken as it is.
    pub unverified: bool,
}

/// How one file ended.
#[derive(Clone, Debug)]
pub struct FileEnd {
    /// The file.
    pub entry: Entry,
    /// Bytes that are whole.
    pub kept: u64,
    /// Bytes behind those: a torn tail.
    pub torn: u64,
    /// Bytes behind those: room for more.
    pub room: u64,
    /// The checksum to go on with behind the kept ones; none if they are not all ours.
    pub chain: Option<u32>,
    /// Whether its last batch says that it is finished.
    pub is_finished: bool,
    /// Whether it holds anything but an opening.
    pub has_data: bool,
    /// Whole batches.
    pub batches: u64,
    /// Why it is torn.
    pub reason: String,
}

impl FileEnd {
    /// What was durable is not there any more; `proof` says how that is known.
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

/// A file that is being read.
pub(super) struct OpenFile {
    directory: Arc<dyn Directory>,
    reader: Box<dyn Read + Send>,
    /// What was read and is not dropped yet.
    pub window: Vec<u8>,
    /// Up to here the window is done; in the file that is byte `end.kept`.
    start: usize,
    /// Up to this byte of the file the window may grow, however much it holds: what is next is whole
    /// there.
    whole_at: u64,
    is_at_end: bool,
    /// The checksum before the last batch.
    pub chain_before: u32,
    /// How the file ends, as far as it was read. Without a `chain` another program wrote what comes.
    pub end: FileEnd,
}

/// What is to be done with what a file holds next.
pub(super) enum Step {
    Commands {
        range: Range<usize>,
        at: u64,
    },
    /// The file has ended, well or torn.
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
            room: 0,
            chain: Some(chain),
            is_finished: false,
            has_data: false,
            batches: 0,
            reason: String::new(),
        };
        Ok(OpenFile {
            directory: Arc::clone(directory),
            reader,
            window: Vec::new(),
            start: 0,
            whole_at: 0,
            is_at_end: false,
            chain_before: chain,
            end,
        })
    }

    /// Goes on to the next commands, or to the end. `has_batches` says whether a file before is ours.
    pub(super) fn step(
        &mut self,
        leniency: Leniency,
        has_batches: bool,
    ) -> Result<Step, LoadError> {
        loop {
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
                    if at > 0 && self.has_only_room()? {
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

    /// Whether the file does not begin with an opening. If it is ours all the same, and damaged, it
    /// has checksums further on, which are no commands that change data and so refused.
    fn is_of_another_program(&mut self) -> Result<bool, LoadError> {
        while self.window.len() < TRAILER_BYTES && !self.is_at_end {
            self.read_more()?;
        }
        Ok(!is_opening(&self.window))
    }

    fn begin_foreign(&mut self, leniency: Leniency, has_batches: bool) -> Result<(), LoadError> {
        if self.window.starts_with(RDB_MAGIC) {
            return Err(LoadError::Rdb { file: self.end.entry.name.clone() });
        }
        // After a file of ours, only another program can have gone on without an opening.
        if has_batches {
            return self.go_on_as_foreign(leniency);
        }
        self.end.chain = None;
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.end.kept += bytes as u64;
    }

    /// Reads on; what is done is dropped first. The window grows as long as nothing in it is done.
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

    /// Whether to read on although what is next is not whole yet. `whole` tells where it is, if
    /// nothing was damaged: what is more than a little has to be somewhere.
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

    /// Where a batch ends that begins here and is whole behind `held_to`. One that is whole before
    /// that was part of a message, or it would have been found.
    fn end_of_whole_batch(&self, held_to: u64) -> io::Result<Option<u64>> {
        let mut rest = self.rest()?;
        while let Some(batch) = rest.next_batch()? {
            if batch.start == self.end.kept && batch.end > held_to {
                return Ok(Some(batch.end));
            }
        }
        Ok(None)
    }

    /// What another program wrote is whole at the end, if it is anywhere.
    fn end_of_whole_unit(&self, _: u64) -> io::Result<Option<u64>> {
        Ok(has_whole_unit(self.skimmer()?)?.then_some(u64::MAX))
    }

    /// All that stands behind what is done, to be looked at without holding it.
    fn rest(&self) -> io::Result<Rest<'_>> {
        Rest::begin(&*self.directory, &self.end.entry.name, self.end.kept)
    }

    fn skimmer(&self) -> io::Result<Skimmer> {
        Ok(Skimmer::new(self.directory.read(&self.end.entry.name, self.end.kept)?))
    }

    fn failed(&self, error: io::Error) -> LoadError {
        LoadError::io(&self.end.entry.name, error)
    }

    /// Whether another program wrote something of the rest.
    fn is_continued(&self) -> Result<bool, LoadError> {
        self.skimmer().and_then(goes_on).map_err(|error| self.failed(error))
    }

    /// Behind the last batch there may be nothing but room, which need not be durable.
    fn end_of_finished(&mut self, leniency: Leniency) -> Result<Step, LoadError> {
        if self.has_only_room()? {
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

    /// How much of the rest of the file is room.
    fn lengths(&self) -> Result<Lengths, LoadError> {
        self.rest().and_then(Rest::lengths).map_err(|error| self.failed(error))
    }

    /// Whether the rest of the file is room, and nothing else.
    fn has_only_room(&mut self) -> Result<bool, LoadError> {
        let Lengths { torn, room } = self.lengths()?;
        self.end.room = room;
        Ok(torn == 0)
    }

    /// Something is not the next batch: finds out what that means.
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
        let Lengths { torn, room } = self.lengths()?;
        (self.end.torn, self.end.room) = (torn, room);
        if leniency.torn {
            return Ok(());
        }
        let FileEnd { entry, kept, reason, .. } = &self.end;
        let (file, at, reason) = (entry.name.clone(), *kept, reason.clone());
        Err(LoadError::Torn { file, at, reason })
    }

    /// The next commands of another program; nothing if more had to be read.
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
