//! The append files in the turn: loading before anything is served, the commit before anything is sent.
//! `workers.rs` has the threads that wait for the disk.

use super::error::ServerError;
use super::workers::Workers;
use crate::broker::Broker;
use crate::clock::Now;
use crate::journal::dump_file::{self, DumpLoader};
use crate::journal::files::{Directory, DiskDirectory, is_file_name};
use crate::journal::job::Done;
use crate::journal::{Journal, Loader, LoneRewrite, remove_unnamed, single_file};
use crate::persistence::SnapshotUse;
use crate::settings::Settings;
use log::{info, warn};
use mio::Waker;
use std::sync::Arc;
use std::time::Duration;

/// The append files of a server.
pub(super) enum Durability {
    /// There are none. If `appendonly` is set, they are begun at this time of the monotonic clock.
    Off { begin_us: u64 },
    /// They are being written once (BGREWRITEAOF), and nothing is appended.
    WrittenOnce { directory: Arc<dyn Directory>, rewrite: Box<LoneRewrite>, workers: Workers },
    /// They are about to be begun: a new incremental file is being made.
    Beginning { directory: Arc<dyn Directory>, workers: Workers },
    /// They are being loaded.
    Loading { directory: Arc<dyn Directory>, loader: Box<Loader> },
    /// There are none, and all data of an earlier process is being loaded from one file.
    LoadingDump { loader: Box<DumpLoader> },
    /// They are open, and changes are appended.
    On { directory: Arc<dyn Directory>, journal: Box<Journal>, workers: Workers },
}

/// Time until the next attempt to turn append files on.
const BEGIN_RETRY_US: u64 = 10_000_000;

/// The directives whose value must be a name without a path, and is not, as far as they are used.
pub(super) fn wrong_names(settings: &Settings) -> impl Iterator<Item = (&'static str, &String)> {
    let append =
        [("appenddirname", &settings.appenddirname), ("appendfilename", &settings.appendfilename)];
    let append = append.into_iter().filter(|_| settings.appendonly);
    let names = append.chain([("dbfilename", &settings.dbfilename)]);
    names.filter(|(_, name)| !is_file_name(name))
}

fn check_names(settings: &Settings) -> Result<(), ServerError> {
    match wrong_names(settings).next() {
        None => Ok(()),
        Some((directive, name)) => Err(ServerError::FileName { directive, name: name.clone() }),
    }
}

/// The directory of the append files, locked.
pub(super) fn open_directory(settings: &Settings) -> Result<Arc<DiskDirectory>, ServerError> {
    check_names(settings)?;
    let path = settings.dir.join(&settings.appenddirname);
    Ok(Arc::new(DiskDirectory::open_or_create(&path)?))
}

impl Durability {
    /// Opens and locks the directory, if the settings ask for append files.
    pub(super) fn open(broker: &mut Broker, now: Now) -> Result<Durability, ServerError> {
        let settings = broker.settings();
        check_names(settings)?;
        if !settings.appendonly {
            let (directory, name) = (&settings.appenddirname, &settings.appendfilename);
            if let Some(text) = single_file::unused(&settings.dir, directory, name) {
                warn!("{text}");
            }
            broker.begin_receipts(now);
            let dump = broker.settings().dump_path();
            return Ok(match DumpLoader::begin(&dump, broker, now).map_err(ServerError::Dump)? {
                Some(loader) => Durability::LoadingDump { loader: Box::new(loader) },
                None => Durability::Off { begin_us: 0 },
            });
        }
        let directory = open_directory(settings)?;
        let prefix = settings.appendfilename.clone();
        single_file::take_in(&settings.dir, &directory, &prefix)?;
        let loader = Loader::begin(directory.clone(), &prefix, broker, now)?;
        if loader.is_empty()
            && let Some(text) = dump_file::unused(&broker.settings().dump_path())
        {
            warn!("{text}");
        }
        Ok(Durability::Loading { directory, loader: Box::new(loader) })
    }

    /// Turns append files on or off according to the current settings.
    fn turn(
        &mut self,
        broker: &mut Broker,
        waker: &Arc<Waker>,
        now: Now,
    ) -> Result<(), ServerError> {
        let is_wanted = broker.settings().appendonly;
        let is_rewrite_wanted = broker.persistence().is_rewrite_wanted;
        // What begins writes all data first, so it waits for the snapshot.
        let may_begin = is_snapshot_free(broker);
        *self = match std::mem::replace(self, Durability::Off { begin_us: 0 }) {
            Durability::Off { begin_us }
                if is_wanted
                    && may_begin
                    && (begin_us <= now.monotonic_us || is_rewrite_wanted) =>
            {
                begin(broker, waker, now)
            }
            Durability::Off { .. } if !is_wanted && may_begin && is_rewrite_wanted => {
                write_once(broker, waker, now)
            }
            Durability::WrittenOnce { rewrite, workers, .. } if rewrite.is_over() => {
                workers.join()?;
                Durability::Off { begin_us: 0 }
            }
            Durability::Beginning { directory, workers } => match workers.next_done()? {
                None => Durability::Beginning { directory, workers },
                Some(Done::Started(Ok((manifest, tail)))) if is_wanted => {
                    let settings = broker.settings();
                    info!("append files: writing all data to {}", settings.appenddirname);
                    let prefix = settings.appendfilename.clone();
                    let journal = Journal::begin_at_run_time(&prefix, manifest, tail, broker, now);
                    Durability::On { directory, journal: Box::new(journal), workers }
                }
                Some(Done::Started(Ok((_, tail)))) => {
                    workers.join()?;
                    let prefix = &broker.settings().appendfilename;
                    remove_unnamed(&*directory, prefix, &tail.entry.name);
                    end_rewriting(broker);
                    Durability::Off { begin_us: 0 }
                }
                Some(Done::Started(Err(error))) => {
                    workers.join()?;
                    retry(&error, broker, now)
                }
                Some(_) => Durability::Off { begin_us: 0 },
            },
            Durability::On { directory, journal, workers }
                if !is_wanted || journal.has_failed_to_begin() =>
            {
                turn_off(&*directory, journal, workers, broker, now)?
            }
            other => other,
        };
        Ok(())
    }

    /// Whether input must wait because too many changes wait for the disk.
    pub(super) fn is_full(&self, broker: &Broker) -> bool {
        match self {
            Durability::On { journal, .. } => journal.is_full(broker),
            _ => false,
        }
    }

    /// Whether data of a primary is still being written in the place of the former data.
    pub(super) fn is_replaced(&self) -> bool {
        matches!(self, Durability::On { journal, .. } if journal.is_replaced())
    }

    /// Whether there are changes that cannot be written.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self, Durability::On { journal, .. } if journal.is_stuck())
    }

    /// Handles the results of finished jobs; false if there were none.
    pub(super) fn finish_jobs(
        &mut self,
        broker: &mut Broker,
        now: Now,
    ) -> Result<bool, ServerError> {
        let mut has_ended = false;
        match self {
            Durability::On { journal, workers, .. } => {
                while let Some(done) = workers.next_done()? {
                    journal.finish(done, broker, now)?;
                    has_ended = true;
                }
            }
            Durability::WrittenOnce { rewrite, workers, .. } => {
                while let Some(done) = workers.next_done()? {
                    rewrite.finish(done, broker, now);
                    has_ended = true;
                }
            }
            _ => {}
        }
        Ok(has_ended)
    }

    /// Loads a piece, or commits the changes of this turn.
    pub(super) fn commit(
        &mut self,
        broker: &mut Broker,
        is_busy: bool,
        waker: &Arc<Waker>,
        now: Now,
    ) -> Result<(), ServerError> {
        self.turn(broker, waker, now)?;
        match self {
            // Nothing is promised, but effects may be recorded for replicas.
            Durability::Off { .. } | Durability::Beginning { .. } => broker.release_changed(),
            Durability::WrittenOnce { rewrite, workers, .. } => {
                broker.release_changed();
                if let Some(job) = rewrite.next_job(broker) {
                    workers.give(job);
                }
            }
            Durability::Loading { directory, loader } => {
                broker.release_changed();
                let Some(start) = loader.step(broker, now)? else { return Ok(()) };
                let prefix = broker.settings().appendfilename.clone();
                let journal = Journal::begin(&prefix, start, broker, now);
                let workers = Workers::start(directory, waker)?;
                let directory = Arc::clone(directory);
                *self = Durability::On { directory, journal: Box::new(journal), workers };
            }
            Durability::LoadingDump { loader } => {
                if loader.step(broker, now).map_err(ServerError::Dump)? {
                    *self = Durability::Off { begin_us: 0 };
                }
            }
            Durability::On { journal, workers, .. } => {
                journal.commit(broker, is_busy, now)?;
                while let Some(job) = journal.next_job() {
                    workers.give(job);
                }
                if journal.has_failed_to_begin() {
                    // No reply may wait for a promise that does not hold yet.
                    self.turn(broker, waker, now)?;
                }
            }
        }
        Ok(())
    }

    /// Time until the next work on append files.
    pub(super) fn next_deadline(&self, broker: &Broker, now: Now) -> Option<Duration> {
        match self {
            // Whoever has the snapshot wakes the loop when it ends.
            Durability::Off { .. } if !is_snapshot_free(broker) => None,
            Durability::Off { begin_us } if broker.settings().appendonly => {
                Some(Duration::from_micros(begin_us.saturating_sub(now.monotonic_us)))
            }
            Durability::Off { .. } if broker.persistence().is_rewrite_wanted => {
                Some(Duration::ZERO)
            }
            Durability::WrittenOnce { rewrite, .. } if rewrite.wants_keys() => Some(Duration::ZERO),
            Durability::Off { .. }
            | Durability::Beginning { .. }
            | Durability::WrittenOnce { .. } => None,
            Durability::Loading { .. } | Durability::LoadingDump { .. } => Some(Duration::ZERO),
            Durability::On { journal, .. } => journal.next_deadline(broker, now),
        }
    }

    /// Waits for the jobs in progress, and writes nothing more.
    pub(super) fn abandon(self) -> Result<(), ServerError> {
        match self {
            Durability::On { workers, .. }
            | Durability::WrittenOnce { workers, .. }
            | Durability::Beginning { workers, .. } => workers.join().map(drop),
            Durability::Off { .. }
            | Durability::Loading { .. }
            | Durability::LoadingDump { .. } => Ok(()),
        }
    }

    /// Waits for the jobs in progress, and writes and syncs the rest.
    pub(super) fn close(self, broker: &mut Broker, now: Now) -> Result<(), ServerError> {
        let (directory, mut journal, workers) = match self {
            Durability::On { directory, journal, workers } => (directory, journal, workers),
            Durability::WrittenOnce { directory, mut rewrite, workers } => {
                for done in workers.join()? {
                    rewrite.finish(done, broker, now);
                }
                rewrite.give_up(broker, &*directory);
                return Ok(());
            }
            _ => return Ok(()),
        };
        for done in workers.join()? {
            journal.finish(done, broker, now)?;
        }
        if journal.is_beginning() {
            warn!("append files were not complete yet: data is lost when the process ends");
            journal.give_up(broker, &*directory);
            return Ok(());
        }
        Ok(journal.close(broker)?)
    }
}

/// Opens and locks the directory, and starts its threads.
fn open(broker: &Broker, waker: &Arc<Waker>) -> Result<(Arc<dyn Directory>, Workers), ServerError> {
    let directory: Arc<dyn Directory> = open_directory(broker.settings())?;
    let workers = Workers::start(&directory, waker)?;
    Ok((directory, workers))
}

/// Whether the snapshot may be claimed for append files.
fn is_snapshot_free(broker: &Broker) -> bool {
    broker.persistence().snapshot.current().is_none_or(|current| current == SnapshotUse::Rewrite)
}

/// Nothing is written any more.
fn end_rewriting(broker: &mut Broker) {
    let persistence = broker.persistence_mut();
    persistence.is_rewriting = false;
    persistence.snapshot.release(SnapshotUse::Rewrite);
}

/// Begins to write append files once.
fn write_once(broker: &mut Broker, waker: &Arc<Waker>, now: Now) -> Durability {
    match open(broker, waker) {
        Ok((directory, workers)) => {
            let prefix = broker.settings().appendfilename.clone();
            let rewrite = Box::new(LoneRewrite::begin(&prefix, broker, now));
            Durability::WrittenOnce { directory, rewrite, workers }
        }
        Err(error) => {
            warn!("append files could not be written: {error}");
            let persistence = broker.persistence_mut();
            persistence.is_rewrite_wanted = false;
            persistence.fail_rewrite();
            Durability::Off { begin_us: 0 }
        }
    }
}

/// Begins to turn append files on.
fn begin(broker: &mut Broker, waker: &Arc<Waker>, now: Now) -> Durability {
    // The first files are written as by a rewrite.
    broker.persistence_mut().is_rewrite_wanted = false;
    match open(broker, waker) {
        Ok((directory, workers)) => {
            workers.give(Journal::prepare(&broker.settings().appendfilename, broker));
            // So that INFO reports it until it is over.
            broker.persistence_mut().is_rewriting = true;
            broker.persistence_mut().snapshot.claim(SnapshotUse::Rewrite);
            Durability::Beginning { directory, workers }
        }
        Err(error) => retry(&error, broker, now),
    }
}

fn retry(error: &dyn std::fmt::Display, broker: &mut Broker, now: Now) -> Durability {
    end_rewriting(broker);
    let seconds = BEGIN_RETRY_US / 1_000_000;
    warn!("append files cannot be turned on: {error}; the next attempt is made in {seconds} s");
    Durability::Off { begin_us: now.monotonic_us + BEGIN_RETRY_US }
}

/// Closes the append files, or ends an attempt to begin them. Waits for the disk, as Redis does.
fn turn_off(
    directory: &dyn Directory,
    mut journal: Box<Journal>,
    workers: Workers,
    broker: &mut Broker,
    now: Now,
) -> Result<Durability, ServerError> {
    for done in workers.join()? {
        journal.finish(done, broker, now)?;
    }
    if journal.is_beginning() {
        let has_failed = journal.has_failed_to_begin();
        journal.give_up(broker, directory);
        return Ok(match has_failed {
            true => retry(&"the changes could not be written", broker, now),
            false => Durability::Off { begin_us: 0 },
        });
    }
    match journal.turn_off(broker) {
        Ok(()) => info!("append files are turned off; they contain all data up to now"),
        Err(error) => warn!("append files are turned off: {error}"),
    }
    Ok(Durability::Off { begin_us: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Peer;
    use crate::host::NoHost;
    use crate::journal::files::AppendFile;
    use crate::journal::memory::{Fault, MemoryDirectory};
    use mio::{Events, Poll, Token};
    use std::io::{self, Read};

    const NOW: Now = Now { unix_us: 1, monotonic_us: 1_000_000 };

    /// Append files that are on, in this directory.
    fn on(directory: Arc<dyn Directory>, policy: &str, waker: &Arc<Waker>) -> (Broker, Durability) {
        let text = format!("appendonly yes\nappendfsync {policy}");
        let settings = Settings::from_text(&text, "the test's settings").expect("settings");
        let mut broker = Broker::new(settings, 1, Box::new(NoHost), NOW);
        let mut loader =
            Loader::begin(directory.clone(), "a", &mut broker, NOW).expect("it is empty");
        let start = loader.step(&mut broker, NOW).expect("it is empty").expect("at once");
        let journal = Box::new(Journal::begin("a", start, &mut broker, NOW));
        let workers = Workers::start(&directory, waker).expect("threads");
        (broker, Durability::On { directory, journal, workers })
    }

    /// The results of the last jobs count, although no client is left.
    #[test]
    fn a_failed_last_sync_is_reported() {
        let poll = Poll::new().expect("events");
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("a waker"));
        for (policy, error) in [("always", "nothing more can be promised"), ("everysec", "trusted")]
        {
            let memory = MemoryDirectory::new();
            let (mut broker, mut durability) = on(Arc::new(memory.clone()), policy, &waker);
            let id = broker.connect(0, Peer::in_process(), NOW);
            broker.receive(id, b"RPUSH q a\r\n", NOW);
            broker.settle(NOW);
            let operations = memory.operations();
            memory.inject(operations..operations + 2, Fault::SyncError);
            let mut turn = |now| durability.commit(&mut broker, false, &waker, now).expect("taken");
            turn(NOW);
            turn(NOW.plus_us(2_000_000));
            let closed = durability.close(&mut broker, NOW).expect_err("the sync failed");
            assert!(closed.to_string().contains(error), "{closed}");
        }
    }

    /// A directory with a bug: a new file of a rewrite makes it panic.
    struct Broken(MemoryDirectory);

    impl Directory for Broken {
        fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
            assert!(!name.contains(".2."), "the defect");
            self.0.create(name)
        }

        fn open(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
            self.0.open(name)
        }

        fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
            self.0.read(name, from)
        }

        fn length(&self, name: &str) -> io::Result<u64> {
            self.0.length(name)
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            self.0.rename(from, to)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }

        fn list(&self) -> io::Result<Vec<String>> {
            self.0.list()
        }

        fn sync(&self) -> io::Result<()> {
            self.0.sync()
        }
    }

    /// A rewrite whose thread panics.
    fn panicking(poll: &Poll) -> (Broker, Durability) {
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("a waker"));
        let directory = Arc::new(Broken(MemoryDirectory::new()));
        let (mut broker, mut durability) = on(directory, "everysec", &waker);
        let id = broker.connect(0, Peer::in_process(), NOW);
        broker.receive(id, b"BGREWRITEAOF\r\n", NOW);
        broker.settle(NOW);
        durability.commit(&mut broker, false, &waker, NOW).expect("the job is given");
        (broker, durability)
    }

    /// The loop wakes with an error, and does not wait for the dead thread.
    #[test]
    fn a_thread_that_panics_ends_the_server() {
        let expected = "the thread `rewrite` has panicked, and the append files with it";
        let mut poll = Poll::new().expect("events");
        let (mut broker, mut durability) = panicking(&poll);
        let mut events = Events::with_capacity(1);
        while events.is_empty() {
            poll.poll(&mut events, Some(Duration::from_secs(30))).expect("events");
            assert!(!events.is_empty(), "the loop is not woken");
        }
        let error = durability.finish_jobs(&mut broker, NOW).expect_err("it is gone");
        assert_eq!(error.to_string(), expected);

        // Also without a call before the end.
        let (mut broker, durability) = panicking(&Poll::new().expect("events"));
        let error = durability.close(&mut broker, NOW).expect_err("it is gone");
        assert_eq!(error.to_string(), expected);
    }
}
