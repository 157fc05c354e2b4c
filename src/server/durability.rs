//! The append files in the turn: loading before anything is served, the commit before anything is
//! sent, and the threads that wait for the disk in the loop's place.

use super::ServerError;
use crate::broker::Broker;
use crate::clock::Now;
use crate::journal::files::{Directory, DiskDirectory, is_file_name};
use crate::journal::job::{Done, Job};
use crate::journal::{Journal, Loader, SYNCS_MAX, single_file};
use log::warn;
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The append files of a server.
pub(super) enum Durability {
    /// There are none.
    Off,
    /// They are being loaded.
    Loading { directory: Arc<dyn Directory>, loader: Box<Loader> },
    /// They are written.
    On { journal: Box<Journal>, workers: Workers },
}

impl Durability {
    /// Opens the directory, if the settings say so, and locks it.
    pub(super) fn open(broker: &mut Broker, now: Now) -> Result<Durability, ServerError> {
        let settings = broker.settings();
        if !settings.appendonly {
            let (directory, name) = (&settings.appenddirname, &settings.appendfilename);
            if let Some(text) = single_file::unused(&settings.dir, directory, name) {
                warn!("{text}");
            }
            return Ok(Durability::Off);
        }
        let names = [
            ("appenddirname", &settings.appenddirname),
            ("appendfilename", &settings.appendfilename),
        ];
        for (directive, name) in names {
            if !is_file_name(name) {
                return Err(ServerError::FileName { directive, name: name.clone() });
            }
        }
        let path = settings.dir.join(&settings.appenddirname);
        let directory = Arc::new(DiskDirectory::open_or_create(&path)?);
        let prefix = settings.appendfilename.clone();
        single_file::take_in(&settings.dir, &directory, &prefix)?;
        let loader = Loader::begin(directory.clone(), &prefix, broker, now)?;
        Ok(Durability::Loading { directory, loader: Box::new(loader) })
    }

    /// Whether so many changes wait for the disk that no input may be read.
    pub(super) fn is_full(&self, broker: &Broker) -> bool {
        match self {
            Durability::On { journal, .. } => journal.is_full(broker),
            _ => false,
        }
    }

    /// Whether changes that were made cannot be written.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self, Durability::On { journal, .. } if journal.is_stuck())
    }

    /// Takes what came of the jobs that have ended; whether there were any.
    pub(super) fn finish_jobs(
        &mut self,
        broker: &mut Broker,
        now: Now,
    ) -> Result<bool, ServerError> {
        let Durability::On { journal, workers } = self else { return Ok(false) };
        let mut has_ended = false;
        while let Ok(done) = workers.done.try_recv() {
            journal.finish(done, broker, now)?;
            has_ended = true;
        }
        Ok(has_ended)
    }

    /// Loads a piece, or takes what changed in this turn, in which something came or nothing did.
    pub(super) fn commit(
        &mut self,
        broker: &mut Broker,
        is_busy: bool,
        waker: &Arc<Waker>,
        now: Now,
    ) -> Result<(), ServerError> {
        match self {
            Durability::Off => {}
            Durability::Loading { directory, loader } => {
                let Some(start) = loader.step(broker, now)? else { return Ok(()) };
                let prefix = broker.settings().appendfilename.clone();
                let journal = Journal::begin(&prefix, start, broker, now);
                let workers = Workers::start(directory, waker)?;
                *self = Durability::On { journal: Box::new(journal), workers };
            }
            Durability::On { journal, workers } => {
                journal.commit(broker, is_busy, now)?;
                while let Some(job) = journal.next_job() {
                    workers.give(job);
                }
            }
        }
        Ok(())
    }

    /// How long there is nothing to do.
    pub(super) fn next_deadline(&self, broker: &Broker, now: Now) -> Option<Duration> {
        match self {
            Durability::Off => None,
            Durability::Loading { .. } => Some(Duration::ZERO),
            Durability::On { journal, .. } => journal.next_deadline(broker, now),
        }
    }

    /// Waits for what is under way, and writes and syncs the rest.
    pub(super) fn close(self, broker: &mut Broker, now: Now) -> Result<(), ServerError> {
        let Durability::On { mut journal, workers } = self else { return Ok(()) };
        for done in workers.join() {
            journal.finish(done, broker, now)?;
        }
        Ok(journal.close(broker)?)
    }
}

/// The name of the thread whose work can wait.
const REWRITE: &str = "rewrite";

/// Lets all others go before this thread where they share a core. Elsewhere than on Linux that is
/// a property of the process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        log::debug!("cannot lower the priority of a thread: {error}");
    }
}

/// Threads that wait for the disk: some for syncs, one for all that takes long.
pub(super) struct Workers {
    syncs: Vec<Worker>,
    rewrite: Worker,
    done: Receiver<Done>,
}

struct Worker {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Workers {
    fn start(directory: &Arc<dyn Directory>, waker: &Arc<Waker>) -> Result<Workers, ServerError> {
        let (give_back, done) = mpsc::channel();
        let start = |name: &str| {
            let worker = Worker::start(name, directory, &give_back, waker);
            worker.map_err(ServerError::Thread)
        };
        let syncs = (0..SYNCS_MAX).map(|_| start("sync")).collect::<Result<Vec<Worker>, _>>()?;
        Ok(Workers { syncs, rewrite: start(REWRITE)?, done })
    }

    fn give(&self, job: Job) {
        let worker = match job {
            // Each that may be under way has a thread of its own.
            Job::Sync { slot, .. } => &self.syncs[slot],
            _ => &self.rewrite,
        };
        // A worker takes jobs until its sender is dropped; had it panicked, the process would be
        // gone, or this server's thread wait for it in vain and serve no change any more.
        let _ = worker.jobs.send(job);
    }

    /// Ends the threads when they have done what they were given; what came of that.
    fn join(self) -> Vec<Done> {
        let Workers { syncs, rewrite, done } = self;
        for Worker { jobs, thread } in syncs.into_iter().chain([rewrite]) {
            drop(jobs);
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
        done.try_iter().collect()
    }
}

impl Worker {
    fn start(
        name: &str,
        directory: &Arc<dyn Directory>,
        give_back: &Sender<Done>,
        waker: &Arc<Waker>,
    ) -> io::Result<Worker> {
        let (jobs, to_do) = mpsc::channel::<Job>();
        let (directory, give_back, waker) =
            (Arc::clone(directory), give_back.clone(), Arc::clone(waker));
        let is_patient = name == REWRITE;
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            if is_patient {
                lower_priority();
            }
            for job in to_do {
                let done = job.run(&*directory);
                // The loop has gone only if the server has, and then nobody wants to know.
                if give_back.send(done).is_err() {
                    return;
                }
                if let Err(error) = waker.wake() {
                    log::error!("cannot wake the loop: {error}");
                }
            }
        })?;
        Ok(Worker { jobs, thread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Peer;
    use crate::host::NoHost;
    use crate::journal::memory::{Fault, MemoryDirectory};
    use crate::settings::Settings;

    /// What came of the last jobs counts, although nobody is there to be told.
    #[test]
    fn a_sync_that_fails_at_the_end_is_not_passed_over() {
        let now = Now { unix_us: 1, monotonic_us: 1_000_000 };
        for (policy, error) in [("always", "nothing more can be promised"), ("everysec", "trusted")]
        {
            let text = format!("appendonly yes\nappendfsync {policy}");
            let settings = Settings::from_text(&text, "the test's settings").expect("settings");
            let mut broker = Broker::new(settings, 1, Box::new(NoHost), now);
            let memory = MemoryDirectory::new();
            let directory: Arc<dyn Directory> = Arc::new(memory.clone());
            let mut loader =
                Loader::begin(directory.clone(), "a", &mut broker, now).expect("it is empty");
            let start = loader.step(&mut broker, now).expect("it is empty").expect("at once");
            let journal = Box::new(Journal::begin("a", start, &mut broker, now));
            let poll = mio::Poll::new().expect("events");
            let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
            let workers = Workers::start(&directory, &waker).expect("threads");
            let mut durability = Durability::On { journal, workers };
            let id = broker.connect(0, Peer::in_process(), now);
            broker.receive(id, b"RPUSH q a\r\n", now);
            broker.settle(now);
            let operations = memory.operations();
            memory.inject(operations..operations + 2, Fault::SyncError);
            let mut turn = |now| durability.commit(&mut broker, false, &waker, now).expect("taken");
            turn(now);
            turn(now.plus_us(2_000_000));
            let closed = durability.close(&mut broker, now).expect_err("the sync failed");
            assert!(closed.to_string().contains(error), "{closed}");
        }
    }
}
