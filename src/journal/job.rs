//! What is done beside the loop, since it may wait for the disk: syncs, new files, the base file of
//! a rewrite, deletions.
//!
//! The journal hands out jobs and is told what came of them. Who runs them, on which thread and
//! when, is not its business.

use super::base::BaseWriter;
use super::batch::Sealer;
use super::files::{AppendFile, Directory, is_full, write_all};
use super::manifest::{Entry, Manifest, ManifestError, base_name, increment_name};
use super::tail::Tail;
use crate::keyspace::SavedPart;
use std::io;
use std::sync::Arc;

/// Syncs that may be under way at once. Of more, each would serve fewer clients.
pub const SYNCS_MAX: usize = 3;

/// Something to do.
pub enum Job {
    /// Makes a file durable up to `end`. Of these, and only of these, several may be run at once,
    /// up to [`SYNCS_MAX`].
    Sync {
        /// The file.
        file: Arc<dyn AppendFile>,
        /// Which of those that may be under way it is, from 0.
        slot: usize,
        /// Its number, above that of the syncs before.
        sync: u64,
        /// What is reported as durable then.
        end: u64,
    },
    /// Makes a new increment and puts it into the manifest.
    NewIncrement {
        /// The manifest as it is.
        manifest: Manifest,
        /// What its files' names begin with.
        prefix: String,
        /// Bytes of space that it must have for what comes.
        space: u64,
    },
    /// Makes a new increment that no manifest names yet, and a first manifest if there is none.
    Start {
        /// What the files' names begin with.
        prefix: String,
        /// Bytes of space that it must have for what comes.
        space: u64,
    },
    /// Reads the manifest, and makes a first one if there is none.
    ReadManifest {
        /// What its files' names begin with.
        prefix: String,
    },
    /// Begins a base file.
    BeginBase {
        /// The manifest as it is.
        manifest: Manifest,
        /// What its files' names begin with.
        prefix: String,
    },
    /// Adds a part of a snapshot to a base file.
    AddToBase {
        /// The base file.
        base: BaseWriter,
        /// The part.
        part: SavedPart,
    },
    /// Completes a base file, and puts it into the manifest in the place of everything before the
    /// increment that is written to now.
    FinishBase {
        /// The base file.
        base: BaseWriter,
        /// The manifest as it is.
        manifest: Manifest,
        /// What its files' names begin with.
        prefix: String,
        /// Whether none of the manifest's files is written to any more: then a new increment is made
        /// as well, with so many bytes of space for what comes.
        starts_anew: Option<u64>,
    },
    /// Gives up a base file.
    AbandonBase(BaseWriter),
    /// Deletes the files that are history.
    DeleteHistory {
        /// The manifest as it is.
        manifest: Manifest,
        /// What its files' names begin with.
        prefix: String,
    },
}

/// What came of a job.
pub enum Done {
    /// Of a sync.
    Synced {
        /// Its number.
        sync: u64,
        /// Up to where the file is durable, if it is.
        end: u64,
        /// What the system said.
        result: io::Result<()>,
    },
    /// Of a new increment.
    Increment(Result<(Manifest, Tail), ManifestError>),
    /// Of one that no manifest names yet: the manifest as it is to be with it, and the increment.
    Started(Result<(Manifest, Tail), ManifestError>),
    /// The manifest that is there.
    Manifest(Result<Manifest, ManifestError>),
    /// Of a base file that was begun or added to.
    Base(Result<BaseWriter, ManifestError>),
    /// Of a base file that was finished: the manifest, the base's length, a new increment if one was
    /// to be made.
    Finished(Result<(Manifest, u64, Option<Tail>), ManifestError>),
    /// Of a base file that was given up.
    Abandoned,
    /// Of a deletion.
    Deleted(Result<Manifest, ManifestError>),
}

impl Job {
    /// Does it. May take as long as the disk does.
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
                // The last that hold on to what was popped meanwhile: freed here, not in the loop.
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

/// The first entry from this one on whose name no file has: a crash may have left files that no
/// manifest names.
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

/// Makes a new increment with its opening, durable before the manifest names it.
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

/// Takes away new files after the manifest that was to name them could not be saved. Beyond its
/// temporary name it is not known which manifest is there: then they stay.
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
            // What would be written to it next must find space.
            Err(error) if is_full(&error) => Err(error),
            _ => Ok(tail),
        }
    };
    let failed = |error| ManifestError::Io { file: entry.name.clone(), error };
    let file = directory.create(&entry.name).map_err(failed)?;
    let filled = fill(file).inspect_err(|_| drop(directory.remove(&entry.name)));
    filled.map_err(failed)
}

/// The manifest. Where there is none yet, one of an empty increment is made: files without a manifest
/// are not loaded, nor passed over, since nobody knows what they are.
fn load_or_begin(directory: &dyn Directory, prefix: &str) -> Result<Manifest, ManifestError> {
    match Manifest::load(directory, prefix)? {
        Some(manifest) => Ok(manifest),
        None => Ok(new_increment(directory, Manifest::default(), prefix, 0)?.0),
    }
}

/// A new increment behind what the manifest names, which is left as it is.
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

/// A file, opened as often as syncs of it may be under way.
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
    // Whatever fails: what takes space and is named nowhere goes. If that fails too, it stays.
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

/// Bytes cut off at once of a file that has no name any more. The system may hold on to the core for
/// as long as it takes to free them, and a large file in one piece takes a tenth of a second.
const CUT_BYTES: u64 = 2 << 20;

/// Deletes a file, and frees what it takes piece by piece. One that has another name elsewhere, such
/// as in a backup, stays as it is there.
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

/// Deletes what the manifest calls history, and then strikes it from the manifest.
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
