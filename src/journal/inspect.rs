//! Checks the append files while no broker runs, and repairs them by cutting off what cannot be loaded.

use super::batch::Sealer;
use super::error::LoadError;
use super::files::{Directory, is_file_name};
use super::job::new_increment;
use super::load::put_aside;
use super::manifest::{Entry, Manifest};
use super::replay::Replay;
use super::rest::Rest;
use super::scan::{FileEnd, Leniency, Piece, Scanner};
use super::tail::Tail;
use super::temporary;
use crate::broker::{Broker, RdbSummary};
use crate::clock::Now;
use crate::host::NoHost;
use crate::settings::Settings;
use std::sync::Arc;

/// Suffix of a manifest's name.
const MANIFEST_SUFFIX: &str = ".manifest";

/// The maximum of `databases`.
const DATABASES_MAX: u32 = 65_536;

/// The result of a check.
#[derive(Debug, Default)]
pub struct Findings {
    /// How each file ended, up to the one with the problem.
    pub files: Vec<FileEnd>,
    /// Why the rest cannot be loaded.
    pub problem: Option<LoadError>,
    /// How much of the data can be kept, if a cut helps.
    cut: Option<Place>,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// What data in the RDB format contains besides, such as values of types that are not supported.
    pub left_out: RdbSummary,
}

/// The end of the data that can be loaded.
#[derive(Clone, Debug)]
struct Place {
    file: String,
    /// Bytes of the file that are kept.
    kept: u64,
    /// The checksum of the last kept batch; `None` if the file is not ours, or nothing of it is kept.
    chain: Option<u32>,
}

impl Place {
    /// This many bytes of this file.
    fn of(end: &FileEnd, kept: u64) -> Place {
        Place { file: end.entry.name.clone(), kept, chain: end.chain.filter(|_| kept > 0) }
    }
}

/// The result of a repair.
#[derive(Debug, Default)]
pub struct Repair {
    /// Bytes that are kept.
    pub kept_bytes: u64,
    /// Files with the parts cut off, and their lengths in bytes.
    pub aside: Vec<(String, u64)>,
    /// Number of whole batches that were cut off.
    pub lost_batches: u64,
}

/// The prefix of the append files in a directory, according to its manifest; `None` without a manifest,
/// or with more than one.
pub fn prefix_of(directory: &dyn Directory) -> Result<Option<String>, LoadError> {
    let names = directory.list().map_err(|error| LoadError::io("the directory", error))?;
    let is_manifest = |name: &&String| !name.starts_with(temporary::PREFIX);
    let mut prefixes =
        names.iter().filter(is_manifest).filter_map(|name| name.strip_suffix(MANIFEST_SUFFIX));
    match (prefixes.next(), prefixes.next()) {
        (Some(prefix), None) if is_file_name(prefix) => Ok(Some(prefix.to_string())),
        _ => Ok(None),
    }
}

/// Loads everything into a temporary broker, as a start would, without changing files. It needs as much
/// memory as a start. `progress` gets the number of bytes done, and of all bytes.
///
/// # Errors
/// A problem of the files as a whole: then no file was read.
pub fn check(
    directory: Arc<dyn Directory>,
    prefix: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Findings, LoadError> {
    let leniency = Leniency { torn: true, unverified: false };
    let Some(mut scanner) = Scanner::begin(directory, prefix, leniency)? else {
        return Ok(Findings::default());
    };
    let total_bytes = scanner.total_bytes();
    let mut broker = broker();
    let mut replay = Replay::new(true);
    let mut begun_batch = None;
    let problem = loop {
        match scanner.next_piece() {
            Ok(Piece::End) => break None,
            Ok(piece) => {
                if let Err(error) = replay.run(&mut broker, &mut scanner, &piece) {
                    // One of our batches is kept or cut off as a whole.
                    if let Piece::Commands { at, .. } = piece {
                        begun_batch = scanner.chain_before().map(|chain| (at, chain));
                    }
                    break Some(error);
                }
            }
            Err(error) => break Some(error),
        }
        progress(scanner.done_bytes(), total_bytes);
    };
    let files: Vec<FileEnd> = scanner.ends().cloned().collect();
    let cut = match (&problem, begun_batch) {
        // After a mere torn tail there may be empty files, which are kept.
        (None, _) => files.iter().find(|end| end.torn > 0).map(|end| Place::of(end, end.kept)),
        (Some(_), Some((at, chain))) => {
            files.last().map(|end| Place { chain: Some(chain), ..Place::of(end, at) })
        }
        (Some(error), None) => error.place().map(|(file, kept)| {
            let end = files.iter().find(|end| end.entry.name == file);
            let nothing = Place { file: file.to_string(), kept, chain: None };
            end.map_or(nothing, |end| Place::of(end, kept))
        }),
    };
    let left_out = replay.left_out().clone();
    Ok(Findings { files, problem, cut, total_bytes, left_out })
}

/// A broker that accepts the files of any settings.
pub(super) fn broker() -> Broker {
    let mut settings = Settings::default();
    settings.databases = DATABASES_MAX;
    Broker::new(settings, 0, Box::new(NoHost), Now::default())
}

/// Cuts off what cannot be loaded, after the last batch that can; all of it is saved in separate files.
/// The rest can be loaded, and is a state the broker was really in.
///
/// # Errors
/// A problem that no cut can repair, such as a damaged manifest, or an error of the system.
pub fn repair(
    directory: Arc<dyn Directory>,
    prefix: &str,
    stamp: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Repair, LoadError> {
    let findings = check(Arc::clone(&directory), prefix, progress)?;
    let Some(manifest) = Manifest::load(&*directory, prefix)? else { return Ok(Repair::default()) };
    match (findings.cut, findings.problem) {
        (Some(Place { file, kept, chain }), _) => {
            Cut { directory: &*directory, prefix, stamp, file, kept, chain }.make(manifest)
        }
        (None, Some(problem)) => Err(problem),
        (None, None) => Ok(Repair { kept_bytes: findings.total_bytes, ..Repair::default() }),
    }
}

/// Where to cut.
struct Cut<'a> {
    directory: &'a dyn Directory,
    prefix: &'a str,
    /// Distinguishes the files of this repair from those of others.
    stamp: &'a str,
    file: String,
    kept: u64,
    /// The checksum of the last kept batch; `None` if the file is not ours, or nothing of it is kept.
    chain: Option<u32>,
}

impl Cut<'_> {
    /// After an interruption at any step, repeating the repair gives the same result.
    fn make(&self, manifest: Manifest) -> Result<Repair, LoadError> {
        let mut repair = Repair::default();
        let is_base = manifest.base.as_ref().is_some_and(|base| base.name == self.file);
        let at = manifest.increments.iter().position(|entry| entry.name == self.file);
        // A file of which nothing is kept is removed, like those after it.
        let stays = usize::from(self.kept > 0);
        let mut left = manifest.clone();
        let mut gone: Vec<Entry> = left.increments.split_off(at.map_or(0, |at| at + stays));
        if is_base && self.kept == 0 {
            gone.extend(left.base.take());
        }
        repair.lost_batches = self.count_batches(&self.file, self.kept)?;
        for entry in gone.iter().filter(|entry| entry.name != self.file) {
            repair.lost_batches += self.count_batches(&entry.name, 0)?;
        }
        if self.kept > 0 {
            let length = self.length(&self.file)?;
            let kind = format!("damaged-{}", self.stamp);
            let aside = put_aside(self.directory, &self.file, self.kept, &kind);
            let aside = aside.map_err(|error| LoadError::io(&self.file, error))?;
            repair.aside.push((aside, length - self.kept));
            if let Some(chain) = self.chain.filter(|_| is_base) {
                self.finish_base(&manifest, chain)?;
            }
        }
        if left.increments.is_empty() {
            left = new_increment(self.directory, left, self.prefix, 0)?.0;
        } else {
            left.save(self.directory, self.prefix)?;
        }
        for entry in gone {
            let length = self.length(&entry.name)?;
            let aside = format!("{}.damaged-{}", entry.name, self.stamp);
            let renamed = self.directory.rename(&entry.name, &aside);
            renamed.map_err(|error| LoadError::io(&entry.name, error))?;
            repair.aside.push((aside, length));
        }
        self.directory.sync().map_err(|error| LoadError::io("the directory", error))?;
        for entry in left.base.iter().chain(&left.increments) {
            repair.kept_bytes += self.length(&entry.name)?;
        }
        Ok(repair)
    }

    fn length(&self, name: &str) -> Result<u64, LoadError> {
        self.directory.length(name).map_err(|error| LoadError::io(name, error))
    }

    /// Marks a base file as finished, which it must be.
    fn finish_base(&self, manifest: &Manifest, chain: u32) -> Result<(), LoadError> {
        let Some(entry) = manifest.base.clone() else { return Ok(()) };
        let failed = |error| LoadError::io(&entry.name, error);
        let file = self.directory.open(&entry.name).map_err(failed)?;
        let sealer = Sealer::resume(self.kept, chain);
        Tail::new(entry.clone(), file, Vec::new(), sealer).finish().map_err(failed)
    }

    /// Counts the whole batches in a file after `kept`.
    fn count_batches(&self, name: &str, kept: u64) -> Result<u64, LoadError> {
        let count = || {
            let mut rest = Rest::begin(self.directory, name, kept)?;
            let mut batches = 0;
            while rest.next_batch()?.is_some() {
                batches += 1;
            }
            Ok(batches)
        };
        count().map_err(|error| LoadError::io(name, error))
    }
}
