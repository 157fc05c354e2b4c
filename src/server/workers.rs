//! Threads that wait for the disk instead of the loop. A thread that panics tells the loop, which ends
//! the server: the result that the journal waits for would never come.

use super::error::ServerError;
use crate::journal::files::Directory;
use crate::journal::job::{Done, Job, SYNCS_MAX};
use crate::journal::save::{SaveDone, SaveJob};
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

/// The names of the threads for long jobs.
const REWRITE: &str = "rewrite";
const SAVE: &str = "save";

/// Several threads for syncs, one for long jobs.
pub(super) struct Workers {
    syncs: Vec<Worker<Job>>,
    rewrite: Worker<Job>,
    pub(super) reports: Receiver<Report<Done>>,
}

/// One thread, which writes an RDB file.
pub(super) struct SaveWorker {
    worker: Worker<SaveJob>,
    reports: Receiver<Report<SaveDone>>,
}

struct Worker<J> {
    jobs: Sender<J>,
    thread: JoinHandle<()>,
}

/// A thread's report to the loop.
pub(super) enum Report<D> {
    Done(D),
    /// It has panicked; this is its name.
    Panicked(&'static str),
}

/// Sends reports to the loop.
struct Reporter<D> {
    thread: &'static str,
    reports: Sender<Report<D>>,
    waker: Arc<Waker>,
}

impl Workers {
    pub(super) fn start(
        directory: &Arc<dyn Directory>,
        waker: &Arc<Waker>,
    ) -> Result<Workers, ServerError> {
        let (sender, reports) = mpsc::channel();
        let start = |thread| {
            let reporter = Reporter { thread, reports: sender.clone(), waker: Arc::clone(waker) };
            let started =
                Worker::start(directory, reporter, |job: Job, directory| job.run(directory));
            started.map_err(ServerError::Thread)
        };
        let syncs = (0..SYNCS_MAX).map(|_| start("sync")).collect::<Result<Vec<_>, _>>()?;
        Ok(Workers { syncs, rewrite: start(REWRITE)?, reports })
    }

    pub(super) fn give(&self, job: Job) {
        let worker = match job {
            // Each sync in progress has its own thread.
            Job::Sync { slot, .. } => &self.syncs[slot],
            _ => &self.rewrite,
        };
        // A worker takes jobs until its sender is dropped. If it panicked, `next_done` reports it.
        let _ = worker.jobs.send(job);
    }

    /// The result of a finished job, if there is one.
    pub(super) fn next_done(&self) -> Result<Option<Done>, ServerError> {
        self.reports.try_recv().ok().map(Report::done).transpose()
    }

    /// Ends the threads once they have finished their jobs; returns the results.
    pub(super) fn join(self) -> Result<Vec<Done>, ServerError> {
        let Workers { syncs, rewrite, reports } = self;
        for Worker { jobs, thread } in syncs.into_iter().chain([rewrite]) {
            drop(jobs);
            // The thread itself has reported its panic.
            let _ = thread.join();
        }
        reports.try_iter().map(Report::done).collect()
    }
}

impl SaveWorker {
    pub(super) fn start(
        directory: &Arc<dyn Directory>,
        waker: &Arc<Waker>,
    ) -> Result<SaveWorker, ServerError> {
        let (sender, reports) = mpsc::channel();
        let reporter = Reporter { thread: SAVE, reports: sender, waker: Arc::clone(waker) };
        let started =
            Worker::start(directory, reporter, |job: SaveJob, directory| job.run(directory));
        Ok(SaveWorker { worker: started.map_err(ServerError::Thread)?, reports })
    }

    pub(super) fn give(&self, job: SaveJob) {
        // As in `Workers::give`.
        let _ = self.worker.jobs.send(job);
    }

    /// The result of a finished job, if there is one.
    pub(super) fn next_done(&self) -> Result<Option<SaveDone>, ServerError> {
        self.reports.try_recv().ok().map(Report::done).transpose()
    }

    /// Ends the thread once it has finished its jobs; returns the results.
    pub(super) fn join(self) -> Result<Vec<SaveDone>, ServerError> {
        let SaveWorker { worker: Worker { jobs, thread }, reports } = self;
        drop(jobs);
        // The thread itself has reported its panic.
        let _ = thread.join();
        reports.try_iter().map(Report::done).collect()
    }
}

impl<J: Send + 'static> Worker<J> {
    fn start<D: Send + 'static>(
        directory: &Arc<dyn Directory>,
        reporter: Reporter<D>,
        run: impl Fn(J, &dyn Directory) -> D + Send + 'static,
    ) -> io::Result<Worker<J>> {
        let (jobs, to_do) = mpsc::channel::<J>();
        let directory = Arc::clone(directory);
        let thread = thread::Builder::new().name(reporter.thread.into()).spawn(move || {
            if matches!(reporter.thread, REWRITE | SAVE) {
                lower_priority();
            }
            for job in to_do {
                reporter.report(Report::Done(run(job, &*directory)));
            }
        })?;
        Ok(Worker { jobs, thread })
    }
}

impl<D> Report<D> {
    fn done(self) -> Result<D, ServerError> {
        match self {
            Report::Done(done) => Ok(done),
            Report::Panicked(thread) => Err(ServerError::Panicked { thread }),
        }
    }
}

impl<D> Reporter<D> {
    fn report(&self, report: Report<D>) {
        // Fails only when the server has gone, and then the report does not matter.
        if self.reports.send(report).is_ok()
            && let Err(error) = self.waker.wake()
        {
            log::error!("cannot wake the loop: {error}");
        }
    }
}

impl<D> Drop for Reporter<D> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.report(Report::Panicked(self.thread));
        }
    }
}

/// Gives the other threads priority over this one on a shared core. On systems other than Linux,
/// priority is a property of the process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        log::debug!("cannot lower the priority of a thread: {error}");
    }
}
