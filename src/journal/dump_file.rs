//! A file with all data in the RDB format, such as Redis' `dump.rdb`: loading it, and checking it.

use super::error::LoadError;
use super::files::open_regular;
use super::inspect;
use super::progress::Progress;
use super::replay::warn_of_left_out;
use crate::broker::{Broker, RdbLoad, RdbSummary};
use crate::clock::Now;
use log::warn;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Bytes loaded in one step: a few milliseconds.
const STEP_BYTES: usize = 1 << 20;

/// Loads a file a piece at a time, so that clients get replies meanwhile, even if only that they must wait.
#[derive(Debug)]
pub struct DumpLoader {
    contents: Contents,
    progress: Progress,
}

impl DumpLoader {
    /// Begins, if there is such a file. The broker serves no data until [`DumpLoader::step`] has loaded
    /// everything.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn begin(
        path: &Path,
        broker: &mut Broker,
        now: Now,
    ) -> Result<Option<DumpLoader>, LoadError> {
        let leaves_out = broker.settings().replica_ignore_unsupported_keys;
        let Some(contents) = Contents::open(path, leaves_out)? else { return Ok(None) };
        let progress = Progress::begin(broker, contents.total_bytes, now);
        Ok(Some(DumpLoader { contents, progress }))
    }

    /// Loads a piece. Returns true after the last one: the broker serves.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or contains what the broker cannot hold.
    pub fn step(&mut self, broker: &mut Broker, now: Now) -> Result<bool, LoadError> {
        if !self.contents.step(broker)? {
            self.progress.report(broker, self.contents.done_bytes, now);
            return Ok(false);
        }
        self.progress.end(broker, now);
        warn_of_left_out(&self.contents.name, self.contents.load.summary());
        broker.end_replay(now);
        broker.persistence_mut().loading = None;
        Ok(true)
    }
}

/// A warning if there is such a file that is not loaded, since append files are on, as in Redis.
pub fn unused(path: &Path) -> Option<String> {
    fs::metadata(path).is_ok().then(|| {
        format!(
            "{}: not loaded, since appendonly is on, and there are no append files. To take its data over, \
             start with appendonly no, and say CONFIG SET appendonly yes",
            path.display()
        )
    })
}

/// Loads a file into a temporary broker, without changing anything. It needs as much memory as a start.
/// `progress` gets the number of bytes done, and of all bytes. Returns the number of bytes, and what else the
/// file contains, such as values of unsupported types.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn check(
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(u64, RdbSummary), LoadError> {
    let missing = || LoadError::io(&path.display().to_string(), io::ErrorKind::NotFound.into());
    let mut contents = Contents::open(path, true)?.ok_or_else(missing)?;
    let mut broker = inspect::broker();
    while !contents.step(&mut broker)? {
        progress(contents.done_bytes, contents.total_bytes);
    }
    Ok((contents.done_bytes, contents.load.summary().clone()))
}

/// The contents of a file, as far as they are read.
#[derive(Debug)]
struct Contents {
    name: String,
    file: File,
    load: RdbLoad,
    total_bytes: u64,
    done_bytes: u64,
    /// Reused for each piece.
    piece: Vec<u8>,
}

impl Contents {
    /// Opens a file, if it exists.
    fn open(path: &Path, leaves_out: bool) -> Result<Option<Contents>, LoadError> {
        let name = path.display().to_string();
        let opened = open_regular(path, OpenOptions::new().read(true));
        let opened = opened.and_then(|file| file.metadata().map(|found| (file, found.len())));
        let (file, total_bytes) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LoadError::io(&name, error)),
        };
        let (load, piece) = (RdbLoad::new(leaves_out), Vec::new());
        Ok(Some(Contents { name, file, load, total_bytes, done_bytes: 0, piece }))
    }

    /// Reads a piece into the broker. Returns whether it was the last.
    fn step(&mut self, broker: &mut Broker) -> Result<bool, LoadError> {
        self.piece.clear();
        let mut part = (&mut self.file).take(STEP_BYTES as u64);
        let got = part.read_to_end(&mut self.piece);
        let got = got.map_err(|error| LoadError::io(&self.name, error))?;
        let read = match got {
            0 => Err(self.load.cut_off()),
            _ => broker.load_rdb(&mut self.load, &self.piece),
        };
        let read = read.map_err(|error| LoadError::Rdb { file: self.name.clone(), error })?;
        self.done_bytes += read as u64;
        if self.load.is_done() && self.done_bytes < self.total_bytes {
            let more = self.total_bytes - self.done_bytes;
            warn!("{}: {more} bytes behind the end of the data are not read", self.name);
        }
        Ok(self.load.is_done())
    }
}
