//! Looks at the append files of a broker that does not run, and cuts off what cannot be loaded.

use super::batch::Sealer;
use super::error::LoadError;
use super::files::{Directory, is_file_name};
use super::job::new_increment;
use super::load::{put_aside, replay_piece};
use super::manifest::{Entry, Manifest};
use super::rest::Rest;
use super::scan::{FileEnd, Leniency, Piece, Scanner};
use super::tail::Tail;
use crate::broker::Broker;
use crate::clock::Now;
use crate::host::NoHost;
use crate::settings::Settings;
use std::sync::Arc;

/// What the name of a manifest ends with.
const MANIFEST_SUFFIX: &str = ".manifest";

/// The most that `databases` allows.
const DATABASES_MAX: u32 = 65_536;

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// How each file ended, up to the one with the problem.
    pub files: Vec<FileEnd>,
    /// Why the rest cannot be loaded.
    pub problem: Option<LoadError>,
    /// What of the data can be kept, if a cut is of use.
    cut: Option<Place>,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// The end of what can be loaded.
#[derive(Clone, Debug)]
struct Place {
    file: String,
    /// Bytes of the file that stay.
    kept: u64,
    /// The checksum of the last batch that stays; none if the file is not ours, or nothing of it
    /// stays.
    chain: Option<u32>,
}

impl Place {
    /// So many bytes of this file.
    fn of(end: &FileEnd, kept: u64) -> Place {
        Place { file: end.entry.name.clone(), kept, chain: end.chain.filter(|_| kept > 0) }
    }
}

/// What a repair did.
#[derive(Debug, Default)]
pub struct Repair {
    /// Bytes that stay.
    pub kept_bytes: u64,
    /// Files that hold what was cut off, with its length in bytes.
    pub aside: Vec<(String, u64)>,
    /// Whole batches among what was cut off.
    pub lost_batches: u64,
}

/// What the names of the append files in a directory begin with, as its manifest says; none if
/// there is no manifest, or more than one.
pub fn prefix_of(directory: &dyn Directory) -> Result<Option<String>, LoadError> {
    let names = directory.list().map_err(|error| LoadError::io("the directory", error))?;
    let is_manifest = |name: &&String| !name.starts_with("temp-");
    let mut prefixes =
        names.iter().filter(is_manifest).filter_map(|name| name.strip_suffix(MANIFEST_SUFFIX));
    match (prefixes.next(), prefixes.next()) {
        (Some(prefix), None) if is_file_name(prefix) => Ok(Some(prefix.to_string())),
        _ => Ok(None),
    }
}

/// Loads everything into a broker of its own, as a start would, and changes nothing: that takes as
/// much memory. `progress` is told how many bytes are done, of how many.
///
/// # Errors
/// What is wrong with the files as a whole: then no file has been looked into.
pub fn check(
    directory: Arc<dyn Directory>,
    prefix: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Findings, LoadError> {
    let leniency = Leniency { torn: true, unverified: false };
    let Some(mut scanner) = Scanner::begin(directory, prefix, leniency)? else {
        return Ok(Findings { files: Vec::new(), problem: None, cut: None, total_bytes: 0 });
    };
    let total_bytes = scanner.total_bytes();
    let mut broker = broker();
    let mut db = 0;
    let mut begun_batch = None;
    let problem = loop {
        match scanner.next_piece() {
            Ok(Piece::End) => break None,
            Ok(Piece::FileBegins) => db = 0,
            Ok(Piece::Commands { range, at }) => {
                if let Err(error) = replay_piece(&mut broker, &mut db, &scanner, &range, at) {
                    // A batch of ours stays or goes as a whole.
                    begun_batch = scanner.chain_before().map(|chain| (at, chain));
                    break Some(error);
                }
            }
            Err(error) => break Some(error),
        }
        progress(scanner.done_bytes(), total_bytes);
    };
    let files: Vec<FileEnd> = scanner.ends().cloned().collect();
    let cut = match (&problem, begun_batch) {
        // A torn tail that is nothing worse may have empty files behind it, which stay.
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
    Ok(Findings { files, problem, cut, total_bytes })
}

/// A broker that takes whatever one with any settings has written.
fn broker() -> Broker {
    let mut settings = Settings::default();
    settings.databases = DATABASES_MAX;
    Broker::new(settings, 0, Box::new(NoHost), Now::default())
}

/// Cuts off what cannot be loaded, behind the last batch that can; all of it is kept in files
/// beside. What is left loads, and is what there was at one moment.
///
/// # Errors
/// What no cut can mend, such as a damaged manifest, or what the system said.
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

/// Where the data is to end.
struct Cut<'a> {
    directory: &'a dyn Directory,
    prefix: &'a str,
    /// What tells this repair from others in the names of files.
    stamp: &'a str,
    file: String,
    kept: u64,
    /// The checksum of the last batch that stays; none if the file is not ours, or nothing of it
    /// stays.
    chain: Option<u32>,
}

impl Cut<'_> {
    /// Every step leaves a directory that this repair, made again, brings to the same end.
    fn make(&self, manifest: Manifest) -> Result<Repair, LoadError> {
        let mut repair = Repair::default();
        let is_base = manifest.base.as_ref().is_some_and(|base| base.name == self.file);
        let at = manifest.increments.iter().position(|entry| entry.name == self.file);
        // With nothing left of it, a file goes as a whole, like those behind it.
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

    /// A base file must be finished.
    fn finish_base(&self, manifest: &Manifest, chain: u32) -> Result<(), LoadError> {
        let Some(entry) = manifest.base.clone() else { return Ok(()) };
        let failed = |error| LoadError::io(&entry.name, error);
        let file = self.directory.open(&entry.name).map_err(failed)?;
        let sealer = Sealer::resume(self.kept, chain);
        Tail::new(entry.clone(), file, Vec::new(), sealer).finish().map_err(failed)
    }

    /// Whole batches in a file behind `kept`.
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
