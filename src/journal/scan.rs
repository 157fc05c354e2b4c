//! Reads the append files from the first to the last and gives their commands, as long as all is
//! well. Loading and checking are the same walk.
//!
//! Files that we wrote come batch by batch, each verified. A file that Redis wrote has no batches:
//! its commands come as they are, and nothing can tell whether they are all there.
//!
//! # What may be missing
//!
//! A loss of power may leave a torn tail, but only behind all that is durable. The last batch of a
//! file is durable before the next file gets its first. So a torn or unfinished file is the last, or
//! those behind it hold nothing but their opening; everything else is damage.
//!
//! # What Redis appended
//!
//! A Redis that was started on our files goes on in the last one, without checksums. That must not
//! pass as a torn tail, or what Redis took in would be dropped; nor may it pass as ours. Redis begins
//! with `SELECT` in capitals, which we never write, or with a time stamp. It may stand behind
//! commands of ours: where the trailer of a batch was torn, Redis cuts off the trailer alone.

use super::batch::{
    Next, Reason, TRAILER_BYTES, Verdict, first_chain, is_opening, judge, later_batches, next_batch,
};
use super::error::LoadError;
use super::files::Directory;
use super::foreign::{Unit, goes_on, next_unit};
use super::manifest::{Entry, Manifest, manifest_name};
use super::room::without_room;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

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

/// The next piece of the data.
#[derive(Debug)]
pub enum Piece {
    /// Whole commands: a batch, or what another program wrote. [`Scanner::bytes`] gives them.
    Commands {
        /// Where they lie in what was read.
        range: Range<usize>,
        /// Where they begin in the file.
        at: u64,
    },
    /// A file begins: what was selected before means nothing in it.
    FileBegins,
    /// There is no more.
    End,
}

/// Walks through the files.
pub struct Scanner {
    directory: Arc<dyn Directory>,
    leniency: Leniency,
    manifest: Manifest,
    /// Files to come, the next one last.
    to_come: Vec<Entry>,
    file: Option<OpenFile>,
    ends: Vec<FileEnd>,
    before: Before,
    total_bytes: u64,
    done_bytes: u64,
}

/// What is known of the files that are done, of which there may be many.
#[derive(Default)]
struct Before {
    /// The place of the first of ours that is not finished.
    unfinished: Option<usize>,
    /// Whether any of them has batches.
    has_batches: bool,
}

struct OpenFile {
    reader: Box<dyn Read + Send>,
    /// What was read and is not dropped yet.
    window: Vec<u8>,
    /// Up to here the window is done; in the file that is byte `end.kept`.
    start: usize,
    is_at_end: bool,
    /// The checksum before the last batch.
    chain_before: u32,
    /// How the file ends, as far as it was read. Without a `chain` another program wrote what comes.
    end: FileEnd,
}

/// What is to be done with what a file holds next.
enum Step {
    Commands {
        range: Range<usize>,
        at: u64,
    },
    /// The file has ended, well or torn.
    FileEnd,
}

impl Scanner {
    /// Begins with the files that the manifest names; none if there are no files at all.
    pub fn begin(
        directory: Arc<dyn Directory>,
        prefix: &str,
        leniency: Leniency,
    ) -> Result<Option<Scanner>, LoadError> {
        let Some(manifest) = Manifest::load(&*directory, prefix)? else {
            refuse_strays(&*directory, prefix)?;
            return Ok(None);
        };
        // Ours never has less; the last file would have been lost unnoticed.
        if let Some(base) = manifest.base.as_ref().filter(|base| base.is_checked)
            && manifest.increments.is_empty()
        {
            return Err(LoadError::NoIncrement { base: base.name.clone() });
        }
        let mut to_come: Vec<Entry> = Vec::new();
        to_come.extend(manifest.base.clone());
        to_come.extend(manifest.increments.iter().cloned());
        let mut total_bytes = 0;
        for entry in &to_come {
            let length = directory.length(&entry.name);
            total_bytes += length.map_err(|error| LoadError::io(&entry.name, error))?;
        }
        to_come.reverse();
        let (file, ends, done_bytes) = (None, Vec::new(), 0);
        Ok(Some(Scanner {
            directory,
            leniency,
            manifest,
            to_come,
            file,
            ends,
            before: Before::default(),
            total_bytes,
            done_bytes,
        }))
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Bytes of the files that are done.
    pub fn done_bytes(&self) -> u64 {
        self.done_bytes + self.file.as_ref().map_or(0, |file| file.end.kept)
    }

    /// The file that is being read.
    pub fn file_name(&self) -> &str {
        self.file.as_ref().map_or("", |file| &file.end.entry.name)
    }

    /// The commands of a piece, until the next one is asked for.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.file.as_ref().and_then(|file| file.window.get(range.clone())).unwrap_or_default()
    }

    /// The manifest, and how each of its files ended, once all have.
    pub fn finish(self) -> (Manifest, Vec<FileEnd>) {
        (self.manifest, self.ends)
    }

    /// The checksum that the batch which was given last goes on from; none if another program wrote
    /// what was given.
    pub fn chain_before(&self) -> Option<u32> {
        self.file.as_ref().filter(|file| file.end.chain.is_some()).map(|file| file.chain_before)
    }

    /// How the files that are done ended, and the one that is being read so far.
    pub fn ends(&self) -> impl Iterator<Item = &FileEnd> {
        self.ends.iter().chain(self.file.as_ref().map(|file| &file.end))
    }

    /// The next piece.
    pub fn next_piece(&mut self) -> Result<Piece, LoadError> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(entry) = self.to_come.pop() else { return Ok(Piece::End) };
                self.file = Some(OpenFile::open(&*self.directory, entry)?);
                return Ok(Piece::FileBegins);
            };
            match file.step(self.leniency, self.before.has_batches)? {
                Step::Commands { range, at } => {
                    file.end.has_data |= !range.is_empty();
                    if file.end.has_data {
                        let unfinished = self.before.unfinished.map(|at| &self.ends[at]);
                        refuse_gap(unfinished, &file.end)?;
                    }
                    if !range.is_empty() {
                        return Ok(Piece::Commands { range, at });
                    }
                }
                Step::FileEnd => {
                    self.done_bytes += file.end.kept + file.end.torn + file.end.room;
                    let end = self.file.take().map(|file| file.end);
                    if let Some(end) = end {
                        self.before.has_batches |= end.batches > 0;
                        if end.chain.is_some() && !end.is_finished {
                            self.before.unfinished.get_or_insert(self.ends.len());
                        }
                        self.ends.push(end);
                    }
                    self.refuse_unfinished_base()?;
                }
            }
        }
    }

    /// A base file is complete before a manifest names it.
    fn refuse_unfinished_base(&self) -> Result<(), LoadError> {
        let base = self.manifest.base.as_ref();
        match self.ends.last() {
            Some(end) if base == Some(&end.entry) && end.chain.is_some() && !end.is_finished => {
                Err(damage(end, "a base file was complete before it was named in the manifest"))
            }
            _ => Ok(()),
        }
    }
}

/// Without a manifest there may be what a crash left of a first start: files without data.
fn refuse_strays(directory: &dyn Directory, prefix: &str) -> Result<(), LoadError> {
    let manifest = manifest_name(prefix);
    let names = directory.list().map_err(|error| LoadError::io("the directory", error))?;
    for name in names {
        let is_append_file = name.starts_with(&format!("{prefix}."))
            && [".base.aof", ".incr.aof", ".base.rdb"].iter().any(|end| name.ends_with(end));
        if !is_append_file {
            continue;
        }
        let length = directory.length(&name).map_err(|error| LoadError::io(&name, error))?;
        if length > TRAILER_BYTES as u64 {
            return Err(LoadError::NoManifest { manifest, found: name });
        }
    }
    Ok(())
}

/// A file with data means that all before it were complete, and durable.
fn refuse_gap(unfinished: Option<&FileEnd>, now: &FileEnd) -> Result<(), LoadError> {
    match unfinished {
        Some(end) => {
            let proof = format!("{} goes on after it, and so it was complete", now.entry.name);
            Err(damage(end, &proof))
        }
        None => Ok(()),
    }
}

fn damage(end: &FileEnd, proof: &str) -> LoadError {
    let reason = match end.reason.as_str() {
        "" => "the last batches are missing",
        reason => reason,
    };
    LoadError::Damage {
        file: end.entry.name.clone(),
        at: end.kept,
        reason: reason.to_string(),
        proof: proof.to_string(),
    }
}

impl OpenFile {
    fn open(directory: &dyn Directory, entry: Entry) -> Result<OpenFile, LoadError> {
        let reader = directory.read(&entry.name).map_err(|e| LoadError::io(&entry.name, e))?;
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
        let window = Vec::new();
        Ok(OpenFile { reader, window, start: 0, is_at_end: false, chain_before: chain, end })
    }

    /// Goes on to the next commands, or to the end. `has_batches` says whether a file before is ours.
    fn step(&mut self, leniency: Leniency, has_batches: bool) -> Result<Step, LoadError> {
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
                Next::End | Next::Partial if !self.is_at_end => self.read_more()?,
                Next::End if at > 0 => return Ok(Step::FileEnd),
                Next::End => self.break_off("the file is empty".into(), leniency, has_batches)?,
                Next::Partial => {
                    if at > 0 && self.has_only_room() {
                        return Ok(Step::FileEnd);
                    }
                    self.break_off(
                        "the file ends in the middle of a batch".into(),
                        leniency,
                        has_batches,
                    )?;
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

    fn read_all(&mut self) -> Result<(), LoadError> {
        while !self.is_at_end {
            self.read_more()?;
        }
        Ok(())
    }

    /// Behind the last batch there may be nothing but room, which need not be durable.
    fn end_of_finished(&mut self, leniency: Leniency) -> Result<Step, LoadError> {
        self.read_all()?;
        if self.has_only_room() {
            return Ok(Step::FileEnd);
        }
        self.end.reason = "something stands behind the last batch".into();
        let rest = &self.window[self.start..];
        if goes_on(rest) || later_batches(rest, self.end.kept).next().is_some() {
            return Err(damage(&self.end, "a file that is finished is not written to any more"));
        }
        self.tear(leniency)?;
        Ok(Step::FileEnd)
    }

    /// Whether the rest of the file is room, and nothing else.
    fn has_only_room(&mut self) -> bool {
        let rest = &self.window[self.start..];
        let before = without_room(rest);
        self.end.room = (rest.len() - before) as u64;
        before == 0
    }

    /// Something is not the next batch: finds out what that means.
    fn break_off(
        &mut self,
        reason: String,
        leniency: Leniency,
        has_batches: bool,
    ) -> Result<(), LoadError> {
        self.read_all()?;
        let rest = &self.window[self.start..];
        self.end.reason = reason;
        match judge(rest, self.end.kept) {
            Verdict::Damage(later) => {
                let proof = format!(
                    "what was written at byte {} says that {} bytes were durable before",
                    later.start, later.durable
                );
                Err(damage(&self.end, &proof))
            }
            Verdict::NoOpening if self.end.entry.is_checked => {
                Err(damage(&self.end, "the manifest says that the file has checksums"))
            }
            Verdict::NoOpening => self.begin_foreign(leniency, has_batches),
            Verdict::TornTail if goes_on(rest) => self.go_on_as_foreign(leniency),
            Verdict::TornTail => self.tear(leniency),
        }
    }

    fn go_on_as_foreign(&mut self, leniency: Leniency) -> Result<(), LoadError> {
        if !leniency.unverified {
            return Err(LoadError::Unverified {
                file: self.end.entry.name.clone(),
                at: self.end.kept,
                bytes: (self.window.len() - self.start) as u64,
            });
        }
        self.end.chain = None;
        Ok(())
    }

    /// The rest is torn.
    fn tear(&mut self, leniency: Leniency) -> Result<(), LoadError> {
        let rest = &self.window[self.start..];
        self.end.torn = without_room(rest) as u64;
        self.end.room = rest.len() as u64 - self.end.torn;
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
            Unit::Partial if !self.is_at_end => self.read_more().map(|()| None),
            Unit::Partial if rest.is_empty() => Ok(Some(Step::FileEnd)),
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
