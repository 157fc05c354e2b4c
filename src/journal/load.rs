//! Loads the append files into a broker, a piece at a time, so that clients get replies meanwhile, even
//! if only that they must wait. Then it prepares the directory for appending: a torn tail is saved in a
//! separate file and cut off, and there is a file to append to.

use super::batch::Sealer;
use super::error::LoadError;
use super::files::{AppendFile, Directory, write_all};
use super::job::{new_increment, open_for_syncs};
use super::manifest::{Manifest, manifest_name};
use super::progress::Progress;
use super::replay::{Replay, warn_of_left_out};
use super::scan::{FileEnd, Leniency, Piece, Scanner};
use super::strays::remove_strays;
use super::tail::Tail;
use super::temporary::temporary_name;
use super::writer::Start;
use crate::broker::Broker;
use crate::clock::Now;
use log::warn;
use std::io;
use std::sync::Arc;

/// Bytes loaded in one step: a few milliseconds.
const STEP_BYTES: u64 = 2 << 20;

/// Loads the files of a directory.
pub struct Loader {
    directory: Arc<dyn Directory>,
    prefix: String,
    /// `None` if there are no files yet.
    scanner: Option<Scanner>,
    replay: Replay,
    progress: Progress,
}

impl Loader {
    /// Begins. The broker serves no data until [`Loader::step`] has loaded everything.
    pub fn begin(
        directory: Arc<dyn Directory>,
        prefix: &str,
        broker: &mut Broker,
        now: Now,
    ) -> Result<Loader, LoadError> {
        let settings = broker.settings();
        let leniency =
            Leniency { torn: settings.load_truncated, unverified: settings.load_unverified };
        let scanner = Scanner::begin(Arc::clone(&directory), prefix, leniency)?;
        let replay = Replay::new(settings.replica_ignore_unsupported_keys);
        let total_bytes = scanner.as_ref().map_or(0, Scanner::total_bytes);
        let progress = Progress::begin(broker, total_bytes, now);
        Ok(Loader { directory, prefix: prefix.to_string(), scanner, replay, progress })
    }

    /// Whether there are no files yet.
    pub fn is_empty(&self) -> bool {
        self.scanner.is_none()
    }

    /// Loads a piece. After the last one the broker serves, and the result is what the journal begins
    /// with.
    pub fn step(&mut self, broker: &mut Broker, now: Now) -> Result<Option<Start>, LoadError> {
        let Some(scanner) = &mut self.scanner else { return self.begin_empty(broker).map(Some) };
        let stop_at = scanner.done_bytes() + STEP_BYTES;
        while scanner.done_bytes() < stop_at {
            match scanner.next_piece()? {
                Piece::End => return self.complete(broker, now).map(Some),
                piece => self.replay.run(broker, scanner, &piece)?,
            }
        }
        self.progress.report(broker, scanner.done_bytes(), now);
        Ok(None)
    }

    /// The first start in this directory.
    fn begin_empty(&mut self, broker: &mut Broker) -> Result<Start, LoadError> {
        self.clean_up()?;
        remove_strays(&*self.directory, &self.prefix, &Manifest::default());
        let (manifest, tail) =
            new_increment(&*self.directory, Manifest::default(), &self.prefix, 0)?;
        broker.persistence_mut().loading = None;
        Ok(Start { manifest, tail, base_bytes: 0, other_bytes: 0, wants_rewrite: false })
    }

    fn complete(&mut self, broker: &mut Broker, now: Now) -> Result<Start, LoadError> {
        // `step` has just used it.
        let Some(scanner) = self.scanner.take() else { return self.begin_empty(broker) };
        self.progress.end(broker, now);
        broker.mark_loaded();
        warn_of_left_out(&self.prefix, self.replay.left_out());
        let (manifest, ends) = scanner.finish();
        self.clean_up()?;
        let start = self.make_fit(manifest, ends, now)?;
        remove_strays(&*self.directory, &self.prefix, &start.manifest);
        broker.persistence_mut().loading = None;
        Ok(start)
    }

    /// Removes temporary files of an interrupted rewrite or save.
    fn clean_up(&self) -> Result<(), LoadError> {
        let names = self.directory.list().map_err(|error| LoadError::io("the directory", error))?;
        let begins = temporary_name(&format!("{}.", self.prefix));
        let manifest = temporary_name(&manifest_name(&self.prefix));
        for name in names {
            let is_base = name.starts_with(&begins) && name.ends_with(".base.aof");
            if is_base || name == manifest {
                self.directory.remove(&name).map_err(|error| LoadError::io(&name, error))?;
            }
        }
        Ok(())
    }

    /// Makes sure that there is a file to append to, and that all files before it are finished.
    fn make_fit(
        &self,
        manifest: Manifest,
        ends: Vec<FileEnd>,
        now: Now,
    ) -> Result<Start, LoadError> {
        let bytes = |end: &FileEnd| end.kept;
        let base = manifest.base.as_ref();
        let base_bytes = ends.iter().filter(|end| base == Some(&end.entry)).map(bytes).sum();
        let total: u64 = ends.iter().map(bytes).sum();
        // Foreign commands cannot be verified the next time either: they must be rewritten.
        let wants_rewrite = ends.iter().any(|end| end.chain.is_none());
        let mut tail = None;
        for (index, end) in ends.iter().enumerate() {
            let is_last = index + 1 == ends.len();
            if end.torn > 0 {
                self.cut_off(end, now)?;
            }
            let Some(chain) = end.chain.filter(|_| !end.is_finished) else {
                // A killed process may have written but not synced it, and replies from now on depend on
                // it.
                let synced = self.directory.open(&end.entry.name).and_then(|file| file.sync());
                synced.map_err(|error| LoadError::io(&end.entry.name, error))?;
                continue;
            };
            let mut open = self.open(end, chain)?;
            if is_last {
                tail = Some(open);
            } else {
                open.finish().map_err(|error| LoadError::io(&end.entry.name, error))?;
            }
        }
        // Likewise for the names, including the manifest's.
        self.directory.sync().map_err(|error| LoadError::io("the directory", error))?;
        let (manifest, tail) = match tail {
            Some(tail) => (manifest, tail),
            None => new_increment(&*self.directory, manifest, &self.prefix, 0)?,
        };
        let own = ends.last().filter(|end| end.entry == tail.entry).map_or(0, bytes);
        Ok(Start { manifest, tail, base_bytes, other_bytes: total - own, wants_rewrite })
    }

    fn open(&self, end: &FileEnd, chain: u32) -> Result<Tail, LoadError> {
        let failed = |error| LoadError::io(&end.entry.name, error);
        let file = self.directory.open(&end.entry.name).map_err(failed)?;
        let sync_files = open_for_syncs(&*self.directory, &end.entry.name).map_err(failed)?;
        let sealer = Sealer::resume(end.kept, chain);
        let mut tail = Tail::new(end.entry.clone(), file, sync_files, sealer);
        if end.preallocated > 0 {
            tail.cut_off().map_err(failed)?;
        }
        // This may never have been synced, and is about to be called durable.
        tail.sync().map_err(failed)?;
        Ok(tail)
    }

    /// Saves a torn tail in a separate file, and cuts it off.
    fn cut_off(&self, end: &FileEnd, now: Now) -> Result<(), LoadError> {
        let name = &end.entry.name;
        let kind = format!("torn-{}", now.unix_us / 1_000_000);
        let aside = put_aside(&*self.directory, name, end.kept, &kind);
        let aside = aside.map_err(|error| LoadError::io(name, error))?;
        warn!(
            "{name}: the last {} bytes are torn: {}. They are in {aside} now; the loaded data ends \
             at byte {}",
            end.torn, end.reason, end.kept
        );
        Ok(())
    }
}

/// Copies a file's bytes from `kept` on to a new file, and then cuts them off; both are durable
/// afterwards. Returns the new file's name.
pub fn put_aside(
    directory: &dyn Directory,
    name: &str,
    kept: u64,
    kind: &str,
) -> io::Result<String> {
    let names = (0..1000).map(|number| match number {
        0 => format!("{name}.{kind}"),
        _ => format!("{name}.{kind}-{number}"),
    });
    let is_free = |name: &String| directory.length(name).is_err();
    let aside = names.into_iter().find(is_free).ok_or(io::ErrorKind::AlreadyExists)?;
    let mut reader = directory.read(name, kept)?;
    let copy = directory.create(&aside)?;
    let mut part = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let got = reader.read(&mut part)?;
        if got == 0 {
            break;
        }
        write_all(&*copy, &part[..got], at)?;
        at += got as u64;
    }
    copy.sync()?;
    directory.sync()?;
    let file: Arc<dyn AppendFile> = directory.open(name)?;
    file.truncate(kept)?;
    file.sync()?;
    Ok(aside)
}
