//! Work outside the loop, since it may wait for the disk: syncs, new files, the base file of a rewrite,
//! deletions.
//!
//! The journal returns jobs and receives their results. It does not know which thread runs them, or
//! when.

use super::base::BaseWriter;
use super::batch::Sealer;
use super::files::{AppendFile, Directory, is_full, write_all};
use super::manifest::{Entry, Manifest, ManifestError, base_name, increment_name};
use super::tail::Tail;
use crate::keyspace::SavedPart;
use std::io;
use std::sync::Arc;

/// Maximum number of concurrent syncs. With more, each would serve fewer clients.
pub const SYNCS_MAX: usize = 3;

/// A job.
pub enum Job {
    /// Makes a file durable up to `end`. Only syncs may run concurrently, up to [`SYNCS_MAX`].
    Sync {
        /// The file.
        file: Arc<dyn AppendFile>,
        /// Its slot among the concurrent syncs, from 0.
        slot: usize,
        /// Its number, above those of earlier syncs.
        sync: u64,
        /// Reported as durable afterwards.
        end: u64,
    },
    /// Makes a new increment and adds it to the manifest.
    NewIncrement {
        /// The current manifest.
        manifest: Manifest,
        /// Prefix of the files' names.
        prefix: String,
        /// Bytes of disk space to reserve for it.
        space: u64,
    },
    /// Makes a new increment that no manifest names yet, and a first manifest if there is none.
    Start {
        /// Prefix of the files' names.
        prefix: String,
        /// Bytes of disk space to reserve for it.
        space: u64,
    },
    /// Reads the manifest, or makes a first one if there is none.
    ReadManifest {
        /// Prefix of the files' names.
        prefix: String,
    },
    /// Begins a base file.
    BeginBase {
        /// The current manifest.
        manifest: Manifest,
        /// Prefix of the files' names.
        prefix: String,
    },
    /// Adds a part of a snapshot to a base file.
    AddToBase {
        /// The base file.
        base: BaseWriter,
        /// The part.
        part: SavedPart,
    },
    /// Completes a base file. In the manifest it replaces everything before the current increment.
    FinishBase {
        /// The base file.
        base: BaseWriter,
        /// The current manifest.
        manifest: Manifest,
        /// Prefix of the files' names.
        prefix: String,
        /// Set if none of the manifest's files is written to any more: then a new increment is made as
        /// well, with this many bytes of reserved space.
        starts_anew: Option<u64>,
    },
    /// Abandons a base file.
    AbandonBase(BaseWriter),
    /// Deletes the files marked as history.
    DeleteHistory {
        /// The current manifest.
        manifest: Manifest,
        /// Prefix of the files' names.
        prefix: String,
    },
}

/// The result of a job.
pub enum Done {
    /// Of a sync.
    Synced {
        /// Its number.
        sync: u64,
        /// Up to where the file is durable, on success.
        end: u64,
        /// The result from the system.
        result: io::Result<()>,
    },
    /// Of a new increment.
    Increment(Result<(Manifest, Tail), ManifestError>),
    /// Of an increment that no manifest names yet: the increment, and the future manifest with it.
    Started(Result<(Manifest, Tail), ManifestError>),
    /// The manifest that was read.
    Manifest(Result<Manifest, ManifestError>),
    /// Of a base file that was begun or added to.
    Base(Result<BaseWriter, ManifestError>),
    /// Of a finished base file: the manifest, the base's length, and a new increment if one was
    /// requested.
    Finished(Result<(Manifest, u64, Option<Tail>), ManifestError>),
    /// Of an abandoned base file.
    Abandoned,
    /// Of a deletion.
    Deleted(Result<Manifest, ManifestError>),
}

impl Job {
    /// Runs the job. May take as long as the disk does.
    pub fn run(self, directory: &dyn Directory) -> Done {
        match self {
            Job::Sync { file, sync, end, .. } => Done::Synced { sync, end, result: file.sync() },
            Job::NewIncrement { manifest, prefix, space } => {
                Done::Increment(new_increment(directory, manifest, &prefix, space))
            }
            Job::Start { prefix, space } => Done::Started(start(directory, &prefix, space)),
            Job::ReadManifest { prefix } => Done::Manifest(load_or_begin(directory, &prefix)),
            Job::BeginBase { manifest, prefix } => {
                let next = manifest.next_base(&prefix);
                let entry = first_free(directory, next, |seq| base_name(&prefix, seq));
                let name = entry.name.clone();
                let base = BaseWriter::begin(directory, entry);
                Done::Base(base.map_err(|error| ManifestError::Io { file: name, error }))
            }
            Job::AddToBase { mut base, part } => {
                let added = base.add(&part);
                // The last reference to what was popped meanwhile: freed here, not in the loop.
                drop(part);
                match added {
                    Ok(()) => Done::Base(Ok(base)),
                    Err(error) => {
                        base.abandon(directory);
                        Done::Base(Err(base_failed(error)))
                    }
                }
            }
            Job::FinishBase { base, manifest, prefix, starts_anew } => {
                Done::Finished(finish_base(directory, base, manifest, &prefix, starts_anew))
            }
            Job::AbandonBase(base) => {
                base.abandon(directory);
                Done::Abandoned
            }
            Job::DeleteHistory { manifest, prefix } => {
                Done::Deleted(delete_history(directory, manifest, &prefix))
            }
        }
    }
}

/// The first entry from this one on whose name is free: a crash may have left files that no manifest
/// names.
fn first_free(
    directory: &dyn Directory,
    mut entry: Entry,
    name_of: impl Fn(u64) -> String,
) -> Entry {
    while directory.length(&entry.name).is_ok() {
        entry.seq += 1;
        entry.name = name_of(entry.seq);
    }
    entry
}

/// Makes a new increment with its opening. It is durable before the manifest names it.
pub fn new_increment(
    directory: &dyn Directory,
    mut manifest: Manifest,
    prefix: &str,
    space: u64,
) -> Result<(Manifest, Tail), ManifestError> {
    let tail = create_increment(directory, &manifest, prefix, space)?;
    manifest.increments.push(tail.entry.clone());
    let saved = manifest.save(directory, prefix);
    saved.inspect_err(|error| remove_unnamed(directory, [&tail.entry.name], error))?;
    Ok((manifest, tail))
}

/// Removes new files after the manifest that should name them could not be saved. After the rename it is
/// unknown which manifest is in place: then they stay.
fn remove_unnamed<'a>(
    directory: &dyn Directory,
    names: impl IntoIterator<Item = &'a String>,
    error: &ManifestError,
) {
    if error.is_before_replacing() {
        names.into_iter().for_each(|name| drop(directory.remove(name)));
    }
}

fn create_increment(
    directory: &dyn Directory,
    manifest: &Manifest,
    prefix: &str,
    space: u64,
) -> Result<Tail, ManifestError> {
    let next = manifest.next_increment(prefix);
    let entry = first_free(directory, next, |seq| increment_name(prefix, seq));
    let fill = |file: Arc<dyn AppendFile>| {
        let (sealer, opening) = Sealer::begin(&entry.name);
        write_all(&*file, &opening, 0)?;
        file.sync()?;
        directory.sync()?;
        let sync_files = open_for_syncs(directory, &entry.name)?;
        let mut tail = Tail::new(entry.clone(), file, sync_files, sealer);
        match tail.keep_space(space, 0) {
            // The next writes must find space.
            Err(error) if is_full(&error) => Err(error),
            _ => Ok(tail),
        }
    };
    let failed = |error| ManifestError::Io { file: entry.name.clone(), error };
    let file = directory.create(&entry.name).map_err(failed)?;
    let filled = fill(file).inspect_err(|_| drop(directory.remove(&entry.name)));
    filled.map_err(failed)
}

/// The manifest. If there is none, makes one with an empty increment: files without a manifest are
/// neither loaded nor ignored, since it is unknown what they are.
fn load_or_begin(directory: &dyn Directory, prefix: &str) -> Result<Manifest, ManifestError> {
    match Manifest::load(directory, prefix)? {
        Some(manifest) => Ok(manifest),
        None => Ok(new_increment(directory, Manifest::default(), prefix, 0)?.0),
    }
}

/// A new increment after those of the manifest, which stays unchanged.
fn start(
    directory: &dyn Directory,
    prefix: &str,
    space: u64,
) -> Result<(Manifest, Tail), ManifestError> {
    let mut manifest = load_or_begin(directory, prefix)?;
    let tail = create_increment(directory, &manifest, prefix, space)?;
    manifest.increments.push(tail.entry.clone());
    Ok((manifest, tail))
}

/// Opens a file once for each concurrent sync.
pub fn open_for_syncs(
    directory: &dyn Directory,
    name: &str,
) -> io::Result<Vec<Arc<dyn AppendFile>>> {
    (0..SYNCS_MAX).map(|_| directory.open(name)).collect()
}

fn base_failed(error: io::Error) -> ManifestError {
    ManifestError::Io { file: "the base file".into(), error }
}

fn finish_base(
    directory: &dyn Directory,
    base: BaseWriter,
    mut manifest: Manifest,
    prefix: &str,
    starts_anew: Option<u64>,
) -> Result<(Manifest, u64, Option<Tail>), ManifestError> {
    let names = base.names();
    // On any failure, removes the files, which no manifest names. If that fails too, they stay.
    let give_up = || names.iter().for_each(|name| drop(directory.remove(name)));
    let (entry, length) = base.finish(directory).inspect_err(|_| give_up()).map_err(base_failed)?;
    manifest.history.extend(manifest.base.replace(entry));
    // The newest increment is the one that began with the snapshot.
    let current = if starts_anew.is_some() { None } else { manifest.increments.pop() };
    manifest.history.append(&mut manifest.increments);
    let tail = match current {
        Some(current) => {
            manifest.increments.push(current);
            None
        }
        None => {
            let space = starts_anew.unwrap_or_default();
            let created = create_increment(directory, &manifest, prefix, space);
            let tail = created.inspect_err(|_| give_up())?;
            manifest.increments.push(tail.entry.clone());
            Some(tail)
        }
    };
    match manifest.save(directory, prefix) {
        Ok(()) => Ok((manifest, length, tail)),
        Err(error) => {
            let tail_name = tail.iter().map(|tail| &tail.entry.name);
            remove_unnamed(directory, names.iter().chain(tail_name), &error);
            Err(error)
        }
    }
}

/// Bytes cut off at once from a file without a name. The system may occupy the core while it frees them:
/// a large file in one piece takes a tenth of a second.
const CUT_BYTES: u64 = 2 << 20;

/// Deletes a file, and frees its space piece by piece. If it has another name elsewhere, as in a backup,
/// it is kept there.
fn delete(directory: &dyn Directory, name: &str) -> io::Result<()> {
    let file = directory.open(name)?;
    directory.remove(name)?;
    if file.is_named()? {
        return Ok(());
    }
    let mut length = file.length()?;
    while length > CUT_BYTES {
        length -= CUT_BYTES;
        file.truncate(length)?;
        std::thread::yield_now();
    }
    Ok(())
}

/// Deletes the history files, and then removes them from the manifest.
fn delete_history(
    directory: &dyn Directory,
    mut manifest: Manifest,
    prefix: &str,
) -> Result<Manifest, ManifestError> {
    for entry in manifest.history.drain(..) {
        match delete(directory, &entry.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ManifestError::Io { file: entry.name, error });
            }
            _ => {}
        }
    }
    manifest.save(directory, prefix)?;
    Ok(manifest)
}
