//! Threads that wait for the disk in the loop's place. One that panics tells the loop, which ends the
//! server: what the journal has asked for would never come.

use super::error::ServerError;
use crate::journal::files::Directory;
use crate::journal::job::{Done, Job, SYNCS_MAX};
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

/// The name of the thread whose work can wait.
const REWRITE: &str = "rewrite";

/// Some threads for syncs, one for all that takes long.
pub(super) struct Workers {
    syncs: Vec<Worker>,
    rewrite: Worker,
    pub(super) reports: Receiver<Report>,
}

struct Worker {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

/// What a thread tells the loop.
pub(super) enum Report {
    Done(Done),
    /// It has panicked; its name.
    Panicked(&'static str),
}

/// A thread's way to tell the loop.
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
            // Each that may be under way has a thread of its own.
            Job::Sync { slot, .. } => &self.syncs[slot],
            _ => &self.rewrite,
        };
        // A worker takes jobs until its sender is dropped, or it panics: `next_done` tells.
        let _ = worker.jobs.send(job);
    }

    /// What came of a job that has ended, if one has.
    pub(super) fn next_done(&self) -> Result<Option<Done>, ServerError> {
        self.reports.try_recv().ok().map(Report::done).transpose()
    }

    /// Ends the threads when they have done what they were given; what came of that.
    pub(super) fn join(self) -> Result<Vec<Done>, ServerError> {
        let Workers { syncs, rewrite, reports } = self;
        for Worker { jobs, thread } in syncs.into_iter().chain([rewrite]) {
            drop(jobs);
            // A panic has been reported by the thread itself.
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
        // The loop has gone only if the server has, and then nobody wants to know.
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

/// Lets all others go before this thread where they share a core. Elsewhere than on Linux that is
/// a property of the process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        log::debug!("cannot lower the priority of a thread: {error}");
    }
}
