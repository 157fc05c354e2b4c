//! Reads the append files in order and returns their commands, as long as they are valid. Loading and
//! checking share this walk.
//!
//! Our files come batch by batch, each verified. Redis' files have no batches: their commands are
//! returned as they are, and missing ones cannot be detected. A base file of Redis may begin with data in
//! the RDB format, which has a checksum.
//!
//! # What may be missing
//!
//! A power failure may leave a torn tail, but only after all durable data. The last batch of a file is
//! durable before the next file gets its first. So a torn or unfinished file is the last, or the files
//! after it have nothing but their opening. Everything else is damage.
//!
//! # What Redis appended
//!
//! When Redis is started on our files, it appends to the last one, without checksums. That must not be
//! taken for a torn tail, or Redis' changes would be dropped; nor for ours. Redis begins with `SELECT`
//! in capitals, which we never write, or with a time stamp. This may follow commands of ours: where the
//! trailer of a batch was torn, Redis cuts off only the trailer.

use super::batch::TRAILER_BYTES;
use super::error::LoadError;
use super::files::Directory;
use super::manifest::{Entry, Manifest, manifest_name};
use super::scan_file::{OpenFile, Step};
use std::ops::Range;
use std::sync::Arc;

pub use super::scan_file::{FileEnd, Leniency};

/// The next piece of the data.
#[derive(Debug)]
pub enum Piece {
    /// Whole commands: a batch, or another program's commands. [`Scanner::bytes`] returns them.
    Commands {
        /// Their position in the buffer.
        range: Range<usize>,
        /// Their offset in the file.
        at: u64,
    },
    /// Data in the RDB format, as far as it was read; without any bytes the file has ended within it. How
    /// many of them are read must be told to [`Scanner::rdb_read`] before the next piece.
    Rdb {
        /// Their position in the buffer.
        range: Range<usize>,
        /// Their offset in the file.
        at: u64,
    },
    /// A file begins: the database selected before does not apply to it.
    FileBegins,
    /// There is no more.
    End,
}

/// Walks through the files.
pub struct Scanner {
    directory: Arc<dyn Directory>,
    leniency: Leniency,
    manifest: Manifest,
    /// The next files, in reverse order.
    to_come: Vec<Entry>,
    file: Option<OpenFile>,
    ends: Vec<FileEnd>,
    before: Before,
    total_bytes: u64,
    done_bytes: u64,
}

/// Summary of the files that are done, of which there may be many.
#[derive(Default)]
struct Before {
    /// The index of the first of our files that is not finished.
    unfinished: Option<usize>,
    /// Whether any of them has batches.
    has_batches: bool,
}

impl Scanner {
    /// Begins with the files of the manifest; `None` if there are no files at all.
    pub fn begin(
        directory: Arc<dyn Directory>,
        prefix: &str,
        leniency: Leniency,
    ) -> Result<Option<Scanner>, LoadError> {
        let Some(manifest) = Manifest::load(&*directory, prefix)? else {
            refuse_strays(&*directory, prefix)?;
            return Ok(None);
        };
        // Our files are never shorter; otherwise the loss of the last file would go unnoticed.
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

    /// The current file.
    pub fn file_name(&self) -> &str {
        self.file.as_ref().map_or("", |file| &file.end.entry.name)
    }

    /// The commands of a piece, valid until the next one is requested.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.file.as_ref().and_then(|file| file.window.get(range.clone())).unwrap_or_default()
    }

    /// This many of the last bytes in the RDB format were read. `is_done`: they were the last of that kind, and
    /// commands may follow.
    pub fn rdb_read(&mut self, bytes: usize, is_done: bool) {
        if let Some(file) = &mut self.file {
            file.rdb_read(bytes, is_done);
        }
    }

    /// The manifest, and how each of its files ended, after all were read.
    pub fn finish(self) -> (Manifest, Vec<FileEnd>) {
        (self.manifest, self.ends)
    }

    /// The checksum before the most recent batch; `None` if the most recent piece is another program's.
    pub fn chain_before(&self) -> Option<u32> {
        self.file.as_ref().filter(|file| file.end.chain.is_some()).map(|file| file.chain_before)
    }

    /// How the finished files ended, and the current one so far.
    pub fn ends(&self) -> impl Iterator<Item = &FileEnd> {
        self.ends.iter().chain(self.file.as_ref().map(|file| &file.end))
    }

    /// The next piece.
    pub fn next_piece(&mut self) -> Result<Piece, LoadError> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(entry) = self.to_come.pop() else { return Ok(Piece::End) };
                self.file = Some(OpenFile::open(&self.directory, entry)?);
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
                Step::Rdb { range, at } => {
                    file.end.has_data = true;
                    let unfinished = self.before.unfinished.map(|at| &self.ends[at]);
                    refuse_gap(unfinished, &file.end)?;
                    return Ok(Piece::Rdb { range, at });
                }
                Step::FileEnd => {
                    self.done_bytes += file.end.kept + file.end.torn + file.end.preallocated;
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
                Err(end.damage("a base file was complete before it was named in the manifest"))
            }
            _ => Ok(()),
        }
    }
}

/// Without a manifest there may be remains of an interrupted first start: files without data.
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

/// A file with data shows that all files before it were complete and durable.
fn refuse_gap(unfinished: Option<&FileEnd>, now: &FileEnd) -> Result<(), LoadError> {
    match unfinished {
        Some(end) => {
            let proof = format!("{} goes on after it, and so it was complete", now.entry.name);
            Err(end.damage(&proof))
        }
        None => Ok(()),
    }
}
