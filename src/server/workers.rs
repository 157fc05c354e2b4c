//! Threads that wait for the disk instead of the loop. A thread that panics tells the loop, which ends
//! the server: the result that the journal waits for would never come.

use super::error::ServerError;
use crate::journal::files::Directory;
use crate::journal::job::{Done, Job, SYNCS_MAX};
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

/// The name of the thread for long jobs.
const REWRITE: &str = "rewrite";

/// Several threads for syncs, one for long jobs.
pub(super) struct Workers {
    syncs: Vec<Worker>,
    rewrite: Worker,
    pub(super) reports: Receiver<Report>,
}

struct Worker {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

/// A thread's report to the loop.
pub(super) enum Report {
    Done(Done),
    /// It has panicked; this is its name.
    Panicked(&'static str),
}

/// Sends reports to the loop.
struct Reporter {
    thread: &'static str,
    reports: Sender<Report>,
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
            Worker::start(directory, reporter).map_err(ServerError::Thread)
        };
        let syncs = (0..SYNCS_MAX).map(|_| start("sync")).collect::<Result<Vec<Worker>, _>>()?;
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

impl Worker {
    fn start(directory: &Arc<dyn Directory>, reporter: Reporter) -> io::Result<Worker> {
        let (jobs, to_do) = mpsc::channel::<Job>();
        let directory = Arc::clone(directory);
        let thread = thread::Builder::new().name(reporter.thread.into()).spawn(move || {
            if reporter.thread == REWRITE {
                lower_priority();
            }
            for job in to_do {
                reporter.report(Report::Done(job.run(&*directory)));
            }
        })?;
        Ok(Worker { jobs, thread })
    }
}

impl Report {
    fn done(self) -> Result<Done, ServerError> {
        match self {
            Report::Done(done) => Ok(done),
            Report::Panicked(thread) => Err(ServerError::Panicked { thread }),
        }
    }
}

impl Reporter {
    fn report(&self, report: Report) {
        // Fails only when the server has gone, and then the report does not matter.
        if self.reports.send(report).is_ok()
            && let Err(error) = self.waker.wake()
        {
            log::error!("cannot wake the loop: {error}");
        }
    }
}

impl Drop for Reporter {
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
